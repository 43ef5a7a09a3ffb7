"""Direct preference optimisation (DPO): make the chosen answer likelier than the rejected one, close to a reference.

    python scripts/dpo.py --model runs/bode/sft --data data/bode/preferences.jsonl --output_dir runs/bode/dpo
    python scripts/dpo.py --config recipes/dr_bode/ours/dpo.yaml --beta 0.05
    python scripts/dpo.py --model models/smollm2-135m-instruct --data pairs.jsonl --dry_run

Input   JSONL of preference rows, {"prompt": ..., "chosen": ..., "rejected": ...}, each a string or a list of messages,
        as data_prep/prepare.py --task preference writes them. An answer's tokens are trained, the prompt's are not.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.
        Logged beside the loss: rewards/accuracies (share of pairs ranked right), logps/chosen and logps/rejected.

Reference. Training goes on from an SFT adapter when `model` is its folder; the reference is then that SFT policy, held as
a second frozen adapter. With a plain model the reference is the model itself. The first loss is ln 2 = 0.693
(of `sigmoid` without rpo_alpha; a mixture of experts adds the loss that balances them, which a note tells).
`--trainer '{precompute_ref_log_probs: true}'` asks it once, before the first step: for two epochs and more.

Defaults: beta 0.1 (Rafailov et al. 2023, arXiv 2305.18290); 5e-6 and one epoch are our choice for adapters. At 5e-5 for
several epochs models repeat themselves; a fall of logps/chosen is the early sign, and is warned of. `rpo_alpha` adds the chosen
answers' own likelihood to the loss against it (Pang et al. 2024, arXiv 2404.19733). `--loss_type robust` takes a share of the
pairs, `label_smoothing`, for marked the wrong way round (Chowdhury et al. 2024, arXiv 2403.00409).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from training import adapters, pairs, pipeline, rows
from training.arguments import TrainingArgs, reference_problems
from training.trainer import float32_adapters, trainer_config


@dataclass
class Args(TrainingArgs):
    CONFIG_CLASS: ClassVar[str] = "trl.trainer.dpo_config.DPOConfig"
    output_dir: str = "runs/dpo"
    adapter: Literal[adapters.MERGEABLE] = "qlora"  # what cannot be merged cannot be held as a reference either
    beta: float = 0.1
    """how strongly the policy is held to the reference; less lets it move further"""
    loss_type: Literal["sigmoid", "ipo", "robust", "hinge"] = "sigmoid"
    """sigmoid is the paper's DPO; ipo for near-certain preferences, robust for noisy ones"""
    rpo_alpha: float = 0.0
    """weight of the chosen answers' own likelihood in the loss; 0: none, 0.2 to 1 against a fall of logps/chosen"""
    label_smoothing: float = 0.0
    """robust's share of pairs whose answers are taken to be the wrong way round, above 0 and below 0.5; 0.1 is usual"""
    max_length: int = 1024
    """longest prompt and answer in tokens; a longer row is refused, for its answer would be cut"""

    def problems(self) -> list[str]:
        found = [f"beta: {self.beta} must be above 0; 0.1 is usual"] if self.beta <= 0 else []
        if self.loss_type == "robust" and not 0 < self.label_smoothing < 0.5:
            found.append(
                f"label_smoothing: {self.label_smoothing} is not above 0 and below 0.5; robust takes it for the share of pairs "
                "whose answers are the wrong way round (0.1 is usual), and is plain DPO at 0"
            )
        if self.loss_type != "robust" and self.label_smoothing:
            found.append(f"label_smoothing: {self.loss_type} takes none; pass --loss_type robust, or leave it out")
        return super().problems() + found + check_at_least(self, 0, "rpo_alpha") + reference_problems(self)


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's DPOTrainer over adapters that Unsloth attaches; an adapter folder as model is trained further."""
    from trl import DPOConfig, DPOTrainer

    model = adapters.attach(model, args)
    config = DPOConfig(
        **trainer_config(
            args,
            held_out,
            beta=args.beta,
            loss_type=[args.loss_type, "sft"] if args.rpo_alpha else [args.loss_type],
            loss_weights=[1.0, args.rpo_alpha] if args.rpo_alpha else None,
            label_smoothing=args.label_smoothing,
            max_length=args.max_length,
        )
    )
    with float32_adapters(model):
        return DPOTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=rows.tokenised(train),
            eval_dataset=rows.tokenised(held_out),
        )


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    # Pairs are checked, tokenised and counted as in simpo.py, orpo.py and reward.py.
    pipeline.run(parse_args(Args, __doc__), pipeline.Method("dpo", pairs.check_row, pairs.make_dataset, make_trainer))


if __name__ == "__main__":
    run_main(main)
