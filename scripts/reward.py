"""Reward model (Bradley-Terry): a score for an answer, learnt from pairs, for grpo.py and rloo.py, and for ranking answers.

    python scripts/reward.py --model runs/bode/sft --data data/bode/preferences.jsonl --output_dir runs/bode/reward
    python scripts/reward.py --config recipes/rlhf/reward.yaml --learning_rate 5e-5
    python scripts/reward.py --model models/smollm2-135m-instruct --data pairs.jsonl --dry_run

Input   JSONL of preference rows, {"prompt": ..., "chosen": ..., "rejected": ...}, each a string or a list of messages,
        as data_prep/prepare.py --task preference writes them.
Output  as sft.py: checkpoint-N while it runs, then the adapter with its score head, tokenizer and template, run.json,
        metrics.jsonl. Logged beside the loss: accuracy (share of pairs ranked right), margin, mean_reward.

Model. The language model's head is replaced by one number, read at the answer's last token; from an SFT adapter folder
its adapters are taken over. Unsloth's CPU backend has no such model: there plain transformers and PEFT load it, the
same numbers at less speed.

Defaults: 1e-4 as in TRL and one epoch, our choice: a second learns the pairs by heart, and held-out accuracy falls while the
loss does. `center_rewards_coefficient` 0.01, as TRL recommends, holds the mean near 0 (Eisenstein et al. 2023, arXiv 2312.09244).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from common import models, processor
from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.loading import loading
from common.models import adapter_config, has_cuda
from export.adapter_folder import beside_matrices
from training import adapters, pairs, pipeline
from training.arguments import TrainingArgs
from training.trainer import dtype, float32_adapters, trainer_config


@dataclass
class Args(TrainingArgs):
    CONFIG_CLASS: ClassVar[str] = "trl.trainer.reward_config.RewardConfig"
    LARGEST_RATE: ClassVar[float] = 2e-3
    output_dir: str = "runs/reward"
    adapter: Literal[adapters.BY_UNSLOTH] = "qlora"  # the others are not known to a model with a score head
    center_rewards_coefficient: float = 0.01
    """weight of the square of a pair's mean reward in the loss; 0: none"""
    max_length: int = 1024
    """longest prompt and answer in tokens; a longer row is refused, for the score is read at its last token"""
    learning_rate: float = 1e-4  # TRL's

    def problems(self) -> list[str]:
        eight = [name for name in ("load_in_8bit", "load_in_fp8") if getattr(self, name)]
        found = [f"{name}: untried for a model with a score head; leave it out" for name in eight]
        start = adapter_config(self.model)
        if start and (more := beside_matrices(start)):
            found.append(
                f"model: {self.model} is no plain LoRA ({', '.join(more)}), which alone is taken over to a model with a score "
                "head; merge it first (scripts/export_gguf.py --merge_only)"
            )
        return super().problems() + found + check_at_least(self, 0, "center_rewards_coefficient")


# ---------------------------------------------------------------------------------------------- model and trainer

# What an adapter of another tool may say of some layers alone; without it their scale would be another one.
OF_SOME_LAYERS = ("rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "exclude_modules")


def load_model(args: Args, tokenizer, plan=None):
    """The model with one number for a head, with adapters: by Unsloth on a GPU, by transformers and PEFT without one."""
    from transformers import set_seed

    start = adapter_config(args.model)
    base = start.get("base_model_name_or_path", args.model)
    lora = dict(
        r=start.get("r", args.lora_r),
        lora_alpha=start.get("lora_alpha", args.lora_alpha),
        target_modules=start.get("target_modules", args.target_modules),
        use_rslora=start.get("use_rslora", args.adapter == "rslora"),
        lora_dropout=start.get("lora_dropout", args.lora_dropout),
        **{name: start[name] for name in OF_SOME_LAYERS if start.get(name)},
    )
    set_seed(args.seed)  # the head begins at random
    if has_cuda():
        from unsloth import FastLanguageModel

        model, _ = models.load_model(base, args.max_length, adapters.in_4bit(args), num_labels=1)
        # Unsloth sets the task type itself where a model has a score head.
        checkpointing = "unsloth" if args.gradient_checkpointing else False
        model = FastLanguageModel.get_peft_model(model, **lora, random_state=args.seed, use_gradient_checkpointing=checkpointing)
    else:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForSequenceClassification

        nf4 = models.nf4_config("bfloat16", ("score",)) if adapters.in_4bit(args) else None
        print("Unsloth's CPU backend has no reward model: transformers and PEFT load it")
        with loading(base):
            model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=dtype(), quantization_config=nf4)
        processor.optimize_for_cpu(model)
        model = get_peft_model(model, LoraConfig(**lora, task_type="SEQ_CLS"))
    if start:
        take_over(model, args.model)
    model.config.pad_token_id = tokenizer.pad_token_id
    return model


def take_over(model, adapter: str) -> None:
    """Begin with a chat model's adapter, in place; it has no score head, so the new one stays. Raises UserError."""
    from peft import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

    weights = get_peft_model_state_dict(model) | load_peft_weights(adapter, device="cpu")
    result = set_peft_model_state_dict(model, weights)
    if result.unexpected_keys:
        raise UserError(f"model: the adapter {adapter} does not fit its base, {result.unexpected_keys[:2]}")


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's RewardTrainer over a model with a score head."""
    from trl import RewardConfig, RewardTrainer

    config = RewardConfig(
        **trainer_config(
            args,
            held_out,
            center_rewards_coefficient=args.center_rewards_coefficient or None,
            max_length=args.max_length,
            disable_dropout=not args.lora_dropout,
        )
    )
    with float32_adapters(model):
        return RewardTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=pairs.whole_conversations(train),
            eval_dataset=pairs.whole_conversations(held_out),
        )


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    # Pairs are checked, tokenised and counted as in dpo.py, simpo.py and orpo.py.
    method = pipeline.Method("reward", pairs.check_row, pairs.make_dataset, make_trainer, load_model)
    pipeline.run(parse_args(Args, __doc__), method)


if __name__ == "__main__":
    run_main(main)
