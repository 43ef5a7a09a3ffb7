"""GRPO (reinforcement learning): the model answers several times, and what a reward prefers becomes likelier.

    python data_prep/prepare.py raw/exam.jsonl --test_size 1 --eval_files data/bode/test.jsonl --output_dir data/exam
    python scripts/grpo.py --model runs/bode/sft --data data/exam/test.jsonl --output_dir runs/bode/grpo
    python scripts/grpo.py --model runs/bode/sft --data prompts.jsonl --reward_model runs/bode/reward     # RLHF
    python scripts/grpo.py --model models/smollm2-135m-instruct --data questions.jsonl --dry_run

Input   JSONL of scoring rows, multiple choice or classification, as data_prep/prepare.py writes them to test.jsonl
        (--eval_files keeps out those that you will be scored on): the reward is 1 for the right answer, read by the same
        rules as in evaluate.py, and `format_reward` for a wrong one that can be read. With --reward_model (a folder of
        reward.py) the rows need a `prompt` only, or are scoring rows, and the reward is the model's number.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.
        Logged beside the loss: reward (mean), reward_std, completions/mean_length, entropy.

Start from an SFT model that is right now and then: where all answers of a question get the same reward nothing is learnt
(frac_reward_zero_std is the share of such questions). The reward is all that is asked for: look at the answers, for a
reward model is easily flattered.

PPO is here no more: TRL 1.15 has no trainer for it. It held a second network of the policy's size, which guesses the reward of
a half-written answer; GRPO takes the mean reward of the other answers in its place.

Defaults: 8 answers a question, temperature 1 and no KL term (beta 0) as in TRL, and its token-level loss of Yu et al. 2025
(arXiv 2503.14476), who have no KL term either; Shao et al. 2024 (arXiv 2402.03300) had 0.04. 5e-6 is our choice for adapters,
where TRL has 1e-6; at a much larger rate all answers become one.
"""

from dataclasses import dataclass
from typing import ClassVar

from common.arguments import parse_args
from common.entry import run_main
from training import fast_inference, on_policy, pipeline
from training.on_policy import check_row, make_dataset


@dataclass
class Args(on_policy.OnPolicyArgs):
    CONFIG_CLASS: ClassVar[str] = "trl.trainer.grpo_config.GRPOConfig"
    output_dir: str = "runs/grpo"
    num_generations: int = 8
    """answers a question; their mean reward is the baseline"""
    beta: float = 0.0
    """weight of the distance to the first policy (KL); 0: none, and no reference model in memory"""
    fast_inference: bool = False
    """let vLLM answer, through Unsloth and on the same weights; an optional package, needs a CUDA GPU; from an adapter
    folder not together with beta"""
    gpu_memory_utilization: float = 0.5
    """share of the free GPU memory that vLLM takes, weights counted in"""

    def problems(self) -> list[str]:
        return super().problems() + fast_inference.problems(self)

    def unused(self) -> dict[str, str]:
        alone = "" if self.fast_inference else "it is vLLM's, which answers with --fast_inference alone"
        return super().unused() | {"gpu_memory_utilization": alone}


# ---------------------------------------------------------------------------------------------- model and trainer


def load_model(args: Args, tokenizer, plan=None):
    """The base with room for prompt and answer, and vLLM's engine where it is to answer."""
    return on_policy.load_model(args, tokenizer, plan, **fast_inference.loading(args))


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's GRPOTrainer: an answer's advantage is its reward less the mean of its question's, divided by their spread."""
    from trl import GRPOConfig, GRPOTrainer

    return on_policy.build(GRPOTrainer, GRPOConfig, args, model, tokenizer, train, held_out)


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    pipeline.run(parse_args(Args, __doc__), pipeline.Method("grpo", check_row, make_dataset, make_trainer, load_model))


if __name__ == "__main__":
    run_main(main)
