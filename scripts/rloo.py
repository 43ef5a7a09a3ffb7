"""RLOO (reinforcement learning): GRPO's plainer kin, where each answer is rewarded against the mean of the others.

    python scripts/rloo.py --model runs/bode/sft --data data/exam/test.jsonl --output_dir runs/bode/rloo
    python scripts/rloo.py --model runs/bode/sft --data prompts.jsonl --reward_model runs/bode/reward     # RLHF
    python scripts/rloo.py --model models/smollm2-135m-instruct --data questions.jsonl --dry_run

Input   as for grpo.py: scoring rows, rewarded for the right answer, or prompts with --reward_model or --rules.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.
        Logged beside the loss: reward (mean), reward_std, kl, completions/mean_length, entropy.

Beside GRPO. An answer counts as a whole, not token by token; its baseline is the mean reward of the question's other answers
and is not divided by their spread, which GRPO does and which makes questions weigh alike that are nearly always right or
wrong. The distance to the first policy is taken off the reward (beta a nat), so beta is in the reward's own unit: with a
reward model that gives 5 and 10, raise it. For questions where all answers get the same reward nothing is learnt but to keep
to the first policy. vLLM answers in grpo.py alone: Unsloth hands its engine to TRL's GRPO trainer and to no other.

Defaults: 4 answers a question, the larger number of Ahmadian et al. 2024 (arXiv 2402.14740); beta 0.05 and one update a
batch as in TRL; 5e-6 as in grpo.py, where TRL has 1e-6, which is meant for all weights; it was not searched for.
"""

from dataclasses import dataclass
from typing import ClassVar

from common.arguments import parse_args
from common.entry import run_main
from training import on_policy, pipeline
from training.on_policy import check_row, load_model, make_dataset


@dataclass
class Args(on_policy.OnPolicyArgs):
    CONFIG_CLASS: ClassVar[str] = "trl.trainer.rloo_config.RLOOConfig"
    output_dir: str = "runs/rloo"
    num_generations: int = 4
    """answers a question; the mean reward of the others is an answer's baseline"""
    beta: float = 0.05
    """what a nat of distance to the first policy (KL) takes off the reward; the first policy is held as a second adapter"""


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's RLOOTrainer: an answer's advantage is its reward less the mean reward of its question's other answers."""
    from trl import RLOOConfig, RLOOTrainer

    return on_policy.keep_mode(on_policy.build(RLOOTrainer, RLOOConfig, args, model, tokenizer, train, held_out))


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    pipeline.run(parse_args(Args, __doc__), pipeline.Method("rloo", check_row, make_dataset, make_trainer, load_model))


if __name__ == "__main__":
    run_main(main)
