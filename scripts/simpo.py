"""SimPO: preference optimisation without a reference model, on the length-normalised likelihood of the answers.

    python scripts/simpo.py --model runs/bode/sft --data data/bode/preferences.jsonl --output_dir runs/bode/simpo
    python scripts/simpo.py --config recipes/simpo/simpo.yaml --simpo_gamma 1.0
    python scripts/simpo.py --model models/smollm2-135m-instruct --data pairs.jsonl --dry_run

Input   JSONL of preference rows, {"prompt": ..., "chosen": ..., "rejected": ...}, each a string or a list of messages,
        as data_prep/prepare.py --task preference writes them. An answer's tokens are trained, the prompt's are not.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.
        Logged beside the loss: rewards/accuracies (share of pairs ranked right), logps/chosen and logps/rejected.

Reference. There is none, in the loss or in memory: a pair's reward is beta times the mean log-probability of an answer's
tokens, and the chosen one must win by the margin simpo_gamma. Start from an SFT model: nothing else holds the policy.

Defaults: beta 2.0 and simpo_gamma 1.0 lie within what the paper took (Meng et al. 2024, arXiv 2405.14734). Its rates, 3e-7 to
1e-6, are for full fine-tuning; adapters need more, and 5e-6 is our choice, not searched for. The learning rate matters most: at
1e-5 the authors' repository reports repeated and incoherent text. `cpo_alpha` (CPO's) holds the chosen answers' likelihood up.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from training import adapters, pairs, pipeline
from training.arguments import TrainingArgs
from training.trainer import float32_adapters, trainer_config


@dataclass
class Args(TrainingArgs):
    CONFIG_CLASS: ClassVar[str] = "trl.experimental.cpo.cpo_config.CPOConfig"
    REFUSED: ClassVar[dict[str, str]] = TrainingArgs.REFUSED | {"loss_type": "with another it would not be SimPO"}
    output_dir: str = "runs/simpo"
    adapter: Literal[adapters.MERGEABLE] = "qlora"
    beta: float = 2.0
    """scale of the reward, the mean log-probability of a token"""
    simpo_gamma: float = 1.0
    """margin by which the chosen answer's reward must be larger"""
    cpo_alpha: float = 0.0
    """weight of the chosen answers' own likelihood in the loss; 0 is the paper's SimPO"""
    max_length: int = 1024
    """longest prompt and answer in tokens; a longer row is refused, for its answer would be cut"""

    def problems(self) -> list[str]:
        found = [f"beta: {self.beta} must be above 0; 2.0 is usual"] if self.beta <= 0 else []
        return super().problems() + found + check_at_least(self, 0, "simpo_gamma", "cpo_alpha")


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's CPOTrainer with the SimPO loss over adapters that Unsloth attaches; an adapter folder is trained further."""
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    model = adapters.attach(model, args)
    config = CPOConfig(
        **trainer_config(
            args,
            held_out,
            loss_type="simpo",
            beta=args.beta,
            simpo_gamma=args.simpo_gamma,
            cpo_alpha=args.cpo_alpha,
            max_length=args.max_length,
            disable_dropout=not args.lora_dropout,
            remove_unused_columns=False,
        )
    )
    with float32_adapters(model):
        return CPOTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=pairs.labelled_sequences(train),
            eval_dataset=pairs.labelled_sequences(held_out),
        )


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    # Pairs are checked, tokenised and counted as in dpo.py, orpo.py and reward.py.
    pipeline.run(parse_args(Args, __doc__), pipeline.Method("simpo", pairs.check_row, pairs.make_dataset, make_trainer))


if __name__ == "__main__":
    run_main(main)
