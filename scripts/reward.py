"""Reward model (Bradley-Terry): a score for an answer, learnt from pairs, for GRPO (grpo.py) and for ranking answers.

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

Defaults: 1e-4 and one epoch (Lambert et al. 2024, arXiv 2403.13787, use 1e-5 in full fine-tuning; adapters want about
ten times that); `center_rewards_coefficient` 0.01 holds the mean near 0 (Eisenstein et al. 2023, arXiv 2312.09244). A
second epoch learns the pairs by heart: held-out accuracy falls while the loss does.
"""

from dataclasses import dataclass, field
from typing import Literal

from common import models, processor
from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import read_rows
from common.models import adapter_config, find_model, has_cuda, load_tokenizer
from training import adapters, loop, memory

from data_prep.chat_template import TEMPLATES, Renderer, TemplateError, answer_text, prompt_messages, set_template


@dataclass
class Args:
    model: str
    """hub id, model folder, or an SFT adapter folder to go on from"""
    data: str
    """preference rows (JSONL)"""
    eval_data: str | None = None
    """held-out rows of the same shape; their loss and accuracy are logged at every epoch's end"""
    output_dir: str = "runs/reward"
    """where the adapter and the run's records go"""
    center_rewards_coefficient: float = 0.01
    """weight of the square of a pair's mean reward in the loss; 0: none"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the tokenizer's own"""
    enable_thinking: bool = False
    """let the model think first; off, Qwen3's empty think block is part of the prompt"""
    max_length: int = 1024
    """longest prompt and answer in tokens; a longer row is refused, for its answer would be cut"""
    adapter: Literal[adapters.BY_UNSLOTH] = "qlora"
    """what is trained: low-rank updates on NF4 (qlora) or 16-bit weights (lora), or another kind of training/adapters.py"""
    load_in_4bit: bool | None = None
    """the frozen weights in NF4; without a value as the adapter wants it"""
    lora_r: int = 16
    """rank of the adapters; an adapter folder keeps its own"""
    lora_alpha: int = 16
    """scale of the adapters"""
    lora_dropout: float = 0.0
    """dropout in the adapters; TRL switches it off"""
    target_modules: list[str] = field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
    """layers that get an adapter"""
    learning_rate: float = 1e-4
    """peak learning rate"""
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    """how the learning rate falls"""
    warmup_steps: float = 0.1
    """steps to the peak; below 1 it is a share of all steps"""
    weight_decay: float = 0.0
    """AdamW's weight decay"""
    num_train_epochs: float = 1.0
    """times over the data"""
    max_steps: int = -1
    """stop after so many optimiser steps; -1: by epochs"""
    per_device_train_batch_size: int = 2
    """pairs a forward pass"""
    gradient_accumulation_steps: int = 8
    """forward passes an optimiser step"""
    gradient_checkpointing: bool | None = None
    """recompute activations: less memory, more time; without a value on a GPU, and where memory asks for it"""
    optim: str = "adamw_8bit"
    """optimiser by its transformers name"""
    logging_steps: int = 5
    """optimiser steps a line of metrics.jsonl"""
    save_steps: int = 200
    """optimiser steps a checkpoint; 0: none"""
    seed: int = 3407
    """seed of adapters, order and dropout"""
    early_stopping_patience: int = 0
    """stop after so many checkpoints without a lower held-out loss, and keep the best; 0: never"""
    report_to: Literal["none", "tensorboard", "wandb", "trackio"] = "none"
    """experiment tracker; wandb without a key logs offline"""
    dry_run: bool = False
    """check everything, show one row as trained, load no model"""

    def problems(self) -> list[str]:
        return loop.problems(self) + check_at_least(self, 0, "center_rewards_coefficient")


# ---------------------------------------------------------------------------------------------- data


def check_row(row: dict) -> list[str]:
    """Problems of one row, told without a tokenizer; a row of another method names its script."""
    missing = [key for key in ("prompt", "chosen", "rejected") if key not in row]
    if missing:
        return [f"lacks {', '.join(missing)}: {loop.kind_of_row(row)}; a reward model needs prompt, chosen and rejected"]
    try:
        prompt_messages(row["prompt"])
        chosen, rejected = answer_text(row["chosen"], "chosen"), answer_text(row["rejected"], "rejected")
    except TemplateError as error:
        return [str(error)]
    return ["chosen and rejected are the same text, so there is nothing to prefer"] if chosen == rejected else []


def make_dataset(rows: list[dict], renderer: Renderer, max_length: int, path: str):
    """Rows as chosen_ids and rejected_ids, the whole conversation each, and their counts.

    Raises UserError for rows longer than max_length: the score is read at the answer's last token.
    """
    encoded = []
    for row in rows:
        prompt = prompt_messages(row["prompt"])
        asked = renderer.encode_prompt(prompt)
        answers = {name: renderer.encode_answer(prompt, answer_text(row[name], name)) for name in ("chosen", "rejected")}
        encoded.append({f"{name}_ids": asked + ids for name, ids in answers.items()})
    longest = [max(map(len, e.values())) for e in encoded]
    loop.refuse_long_rows(rows, longest, max_length, path)
    counts = {
        "rows": len(rows),
        "tokens": sum(len(ids) for e in encoded for ids in e.values()),
        "trained_tokens": 2 * len(rows),
        "truncated_rows": 0,
        "longest_row": max(longest),
    }
    return encoded, counts


# ---------------------------------------------------------------------------------------------- model and trainer


def load_scorer(args: Args, tokenizer):
    """The model with one number for a head, with adapters: by Unsloth on a GPU, by transformers and PEFT without one."""
    from pathlib import Path

    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file
    from transformers import set_seed

    of = adapter_config(args.model)
    base = of.get("base_model_name_or_path", args.model)
    shape = dict(
        r=of.get("r", args.lora_r),
        lora_alpha=of.get("lora_alpha", args.lora_alpha),
        target_modules=of.get("target_modules", args.target_modules),
        use_rslora=of.get("use_rslora", args.adapter == "rslora"),
    )
    set_seed(args.seed)  # the head begins at random
    if has_cuda():
        from unsloth import FastLanguageModel

        model, _ = models.load_model(base, args.max_length, adapters.in_4bit(args), num_labels=1)
        checkpointing = "unsloth" if args.gradient_checkpointing else False
        model = FastLanguageModel.get_peft_model(
            model,
            **shape,
            lora_dropout=args.lora_dropout,
            random_state=args.seed,
            task_type="SEQ_CLS",
            use_gradient_checkpointing=checkpointing,
        )
    else:
        from transformers import AutoModelForSequenceClassification, BitsAndBytesConfig

        nf4 = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype="bfloat16",
            llm_int8_skip_modules=["score"],
        )
        print("Unsloth's CPU backend has no reward model: transformers and PEFT load it")
        model = AutoModelForSequenceClassification.from_pretrained(
            base, num_labels=1, dtype=loop.dtype(), quantization_config=nf4 if adapters.in_4bit(args) else None
        )
        processor.optimize_for_cpu(model)
        model = get_peft_model(model, LoraConfig(**shape, lora_dropout=args.lora_dropout, task_type="SEQ_CLS"))
    if of:
        # The chat model's adapter has no score head: the new one stays.
        weights = get_peft_model_state_dict(model) | load_file(Path(args.model, "adapter_model.safetensors"))
        found = set_peft_model_state_dict(model, weights)
        if found.unexpected_keys:
            raise UserError(f"model: the adapter {args.model} does not fit its base, {found.unexpected_keys[:2]}")
    model.config.pad_token_id = tokenizer.pad_token_id
    return model


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's RewardTrainer over a model with a score head."""
    from trl import RewardConfig, RewardTrainer

    config = RewardConfig(
        center_rewards_coefficient=args.center_rewards_coefficient or None,
        max_length=args.max_length,
        dataset_num_proc=1,
        **loop.trainer_config(args, held_out),
    )
    with loop.float32_adapters(model):
        return RewardTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=loop.tokenised(train),
            eval_dataset=loop.tokenised(held_out),
        )


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    args = parse_args(Args, __doc__)
    rows = read_rows(args.data, check_row)
    held_out_rows = read_rows(args.eval_data, check_row) if args.eval_data else []
    find_model(args.model)
    run = loop.start_run(args)

    if not args.dry_run:
        import unsloth  # noqa: F401  (first: it patches trl, transformers and peft)

    tokenizer = set_template(load_tokenizer(args.model), args.template)
    renderer = Renderer(tokenizer, args.enable_thinking)
    train, counts = make_dataset(rows, renderer, args.max_length, args.data)
    held_out = make_dataset(held_out_rows, renderer, args.max_length, args.eval_data)[0] if held_out_rows else None
    print(f"rows:  {counts['rows']} pairs, {counts['tokens']} tokens, a score read at the last of each answer")
    for name in ("chosen", "rejected"):
        print(f"{name}: {tokenizer.decode(train[0][f'{name}_ids'])[-300:]!r}")
    run["memory"] = memory.plan(args, "reward", counts["longest_row"])
    if args.dry_run:
        return loop.show_config(args)

    model = load_scorer(args, tokenizer)
    trainer = make_trainer(args, model, tokenizer, train, held_out)
    names = [row.get("id", number) for number, row in enumerate(rows, 1)]
    metrics = loop.train(trainer, run, args, names)
    loop.finish(trainer, tokenizer, run, args, {**counts, **metrics})


if __name__ == "__main__":
    run_main(main)
