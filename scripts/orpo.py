"""ORPO: supervised fine-tuning and preference in one loss, without a reference model.

    python scripts/orpo.py --model Qwen/Qwen3-1.7B --data data/bode/preferences.jsonl --output_dir runs/bode/orpo
    python scripts/orpo.py --config recipes/orpo/orpo.yaml --beta 0.2
    python scripts/orpo.py --model models/smollm2-135m-instruct --data pairs.jsonl --dry_run

Input   JSONL of preference rows, {"prompt": ..., "chosen": ..., "rejected": ...}, each a string or a list of messages,
        as data_prep/prepare.py --task preference writes them. An answer's tokens are trained, the prompt's are not.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.
        Logged beside the loss: rewards/accuracies (share of pairs ranked right), log_odds_ratio, nll_loss.

Reference. There is none. The loss is the chosen answer's negative log-likelihood plus beta times the log of the odds ratio
of chosen to rejected, so ORPO starts from a base model and replaces SFT, where DPO, KTO and SimPO follow it.

Defaults: beta 0.1 (the paper's lambda; Hong et al. 2024, arXiv 2403.07691); 8e-6 is our choice, and adapters bear more, up to
about 5e-5. With a beta above 1 the model unlearns the rejected answers faster than it learns the chosen.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.arguments import parse_args
from common.entry import run_main
from training import adapters, pairs, pipeline
from training.arguments import TrainingArgs
from training.trainer import float32_adapters, trainer_config


@dataclass
class Args(TrainingArgs):
    CONFIG_CLASS: ClassVar[str] = "trl.experimental.orpo.orpo_config.ORPOConfig"
    LARGEST_RATE: ClassVar[float] = 2e-3
    output_dir: str = "runs/orpo"
    adapter: Literal[adapters.MERGEABLE] = "qlora"
    beta: float = 0.1
    """weight of the odds ratio beside the chosen answers' likelihood (lambda in the paper)"""
    max_length: int = 1024
    """longest prompt and answer in tokens; a longer row is refused, for its answer would be cut"""
    learning_rate: float = 8e-6  # above DPO's: it learns the answers too, not their order alone

    def problems(self) -> list[str]:
        return super().problems() + ([f"beta: {self.beta} must be above 0; 0.1 is usual"] if self.beta <= 0 else [])


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's ORPOTrainer over adapters that Unsloth attaches; an adapter folder is trained further."""
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    model = adapters.attach(model, args)
    config = ORPOConfig(
        **trainer_config(
            args,
            held_out,
            beta=args.beta,
            max_length=args.max_length,
            disable_dropout=not args.lora_dropout,
            remove_unused_columns=False,
        )
    )
    with float32_adapters(model):
        trainer = ORPOTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=pairs.labelled_sequences(train),
            eval_dataset=pairs.labelled_sequences(held_out),
        )
    forward = trainer.concatenated_forward

    def answers_only(model, batch):
        # TRL 1.15 puts the likelihood of prompt and answer into the loss; the paper's (equation 6) is the answer's.
        chosen, rejected, chosen_logits, rejected_logits, _, *rest = forward(model, batch)
        return (chosen, rejected, chosen_logits, rejected_logits, -chosen.mean(), *rest)

    trainer.concatenated_forward = answers_only
    return trainer


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    # Pairs are checked, tokenised and counted as in dpo.py, simpo.py and reward.py.
    pipeline.run(parse_args(Args, __doc__), pipeline.Method("orpo", pairs.check_row, pairs.make_dataset, make_trainer))


if __name__ == "__main__":
    run_main(main)
