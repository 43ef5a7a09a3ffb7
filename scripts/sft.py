"""Supervised fine-tuning (SFT): teach a chat model to answer as the rows do, with LoRA adapters by Unsloth.

    python scripts/sft.py                                     # works anywhere; says what it chose and why
    python scripts/sft.py --model Qwen/Qwen3-1.7B --data data/bode/train.jsonl --output_dir runs/bode/sft
    python scripts/sft.py --config recipes/quickstart/sft.yaml --learning_rate 1e-4
    python scripts/sft.py --data train.jsonl --dry_run        # checks all, shows a row as trained, stops

Input   JSONL of ShareGPT rows, {"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}]},
        as data_prep/prepare.py writes them. Every assistant turn is trained, nothing else (completion-only loss).
Output  output_dir/checkpoint-N while it runs; at the end the adapter, the tokenizer with its chat template, run.json
        (configuration, versions, seed, data hashes, time, memory, metrics), README.md (model card), metrics.jsonl, loss.png.
        Started again, an interrupted run goes on from its last checkpoint.

Next    scripts/evaluate.py scores the result, scripts/export_gguf.py makes a GGUF of it, scripts/chat.py talks to it.

Defaults: rank 16 on all linear layers, no dropout, 2e-4, batches of 16 with linear decay, as in QLoRA (Dettmers et al.
2023, arXiv 2305.14314, table 9 and section 4) and Unsloth's own notebooks. Ten times the rate makes the loss jump;
a tenth of it, or one epoch of under 200 rows, changes little.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from common.arguments import parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import read_rows
from common.models import EMBEDDED_MODEL, find_model, has_cuda, load_tokenizer
from common.runs import run_step
from training import adapters, loop, memory

from data_prep.chat_template import IGNORED, TEMPLATES, Renderer, TemplateError, set_template, to_messages

GPU_MODEL = "Qwen/Qwen3-1.7B"
EMBEDDED_DATA = "data/quickstart/train.jsonl"


@dataclass
class Args:
    model: str | None = None
    """hub id, model folder or adapter folder to go on from; without it Qwen3-1.7B on a GPU, the embedded model else"""
    data: str | None = None
    """training rows (JSONL); without it the quickstart's rows"""
    eval_data: str | None = None
    """held-out rows of the same shape; their loss is logged at every epoch's end"""
    output_dir: str = "runs/sft"
    """where the adapter and the run's records go"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the tokenizer's own"""
    enable_thinking: bool = False
    """train the rows' think blocks; off, Qwen3's empty think block is part of the prompt"""
    max_length: int = 2048
    """longest row in tokens; longer ones are cut on the right, and counted"""
    adapter: Literal[adapters.KINDS] = "qlora"
    """what is trained: low-rank updates on NF4 (qlora) or 16-bit weights (lora), or another kind of training/adapters.py"""
    load_in_4bit: bool | None = None
    """the frozen weights in NF4; without a value as the adapter wants it"""
    lora_r: int = 16
    """rank of the adapters"""
    lora_alpha: int = 16
    """scale of the adapters; the update is multiplied by lora_alpha / lora_r"""
    lora_dropout: float = 0.0
    """dropout in the adapters; Unsloth's fused kernels want 0"""
    target_modules: list[str] = field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
    """layers that get an adapter"""
    learning_rate: float = 2e-4
    """peak learning rate"""
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    """how the learning rate falls"""
    warmup_steps: float = 0.03
    """steps to the peak; below 1 it is a share of all steps"""
    weight_decay: float = 0.01
    """AdamW's weight decay"""
    num_train_epochs: float = 1.0
    """times over the data"""
    max_steps: int = -1
    """stop after so many optimiser steps; -1: by epochs"""
    per_device_train_batch_size: int = 8
    """rows a forward pass"""
    gradient_accumulation_steps: int = 2
    """forward passes an optimiser step"""
    gradient_checkpointing: bool | None = None
    """recompute activations: less memory, more time; without a value on a GPU, and where memory asks for it"""
    optim: str = "adamw_8bit"
    """optimiser by its transformers name; without a GPU plain AdamW takes the place of an 8-bit one"""
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
        return loop.problems(self)


# ---------------------------------------------------------------------------------------------- data


def check_row(row: dict) -> list[str]:
    """Problems of one row, told without a tokenizer; a row of another method names its script."""
    if "conversations" not in row and "messages" not in row:
        return [f"is no conversation: {loop.kind_of_row(row)}; SFT needs `conversations`, see the docstring"]
    try:
        messages = to_messages(row)
    except TemplateError as error:
        return [str(error)]
    if not any(m["role"] == "assistant" and m["content"].strip() for m in messages):
        return ["has no assistant turn with text, so nothing to train"]
    return []


def make_dataset(rows: list[dict], renderer: Renderer, max_length: int, path: str):
    """Tokenised rows with labels for TRL's SFTTrainer, and their counts.

    Raises UserError for rows of which the cut leaves no trained token: they would train nothing, unseen.
    """
    from datasets import Dataset

    encoded = [renderer.encode(to_messages(row), max_length) for row in rows]
    empty = [
        row.get("id", number)
        for number, (row, e) in enumerate(zip(rows, encoded, strict=True), 1)
        if all(label == IGNORED for label in e["labels"])
    ]
    if empty:
        raise UserError(
            f"{path}: {len(empty)} of {len(rows)} rows have no trained token within max_length "
            f"{max_length}, first {empty[:3]}; raise --max_length or shorten them in data_prep"
        )
    counts = {
        "rows": len(rows),
        "tokens": sum(len(e["input_ids"]) for e in encoded),
        "trained_tokens": sum(label != IGNORED for e in encoded for label in e["labels"]),
        "truncated_rows": sum(e["truncated"] for e in encoded),
        "longest_row": max(len(e["input_ids"]) for e in encoded),
    }
    columns = {name: [e[name] for e in encoded] for name in ("input_ids", "labels")}
    return Dataset.from_dict(columns), counts


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's SFTTrainer over adapters that Unsloth attaches; an adapter folder as model is trained further."""
    from trl import SFTConfig, SFTTrainer

    model = adapters.attach(model, args)
    config = SFTConfig(
        max_length=args.max_length,
        packing=False,
        dataset_num_proc=1,
        # Rows of like length together: medical questions are short and uneven, and padding costs as much as text.
        train_sampling_strategy="group_by_length",
        **loop.trainer_config(args, held_out),
    )
    with loop.float32_adapters(model):
        return SFTTrainer(model=model, args=config, train_dataset=train, eval_dataset=held_out, processing_class=tokenizer)


# ---------------------------------------------------------------------------------------------- main


def choose_defaults(args: Args) -> None:
    """Fill in model and data where none was given, and say which and why."""
    if args.model is None:
        cuda = has_cuda()
        args.model = GPU_MODEL if cuda else EMBEDDED_MODEL
        why = "a CUDA GPU was found" if cuda else "no CUDA GPU was found, Unsloth trains on the processor"
        print(f"model: {args.model} ({why}); pass --model for another")
        if args.model == EMBEDDED_MODEL and not Path(args.model, "config.json").exists():
            run_step("scripts/make_model.py")
    if args.data is None:
        args.data = EMBEDDED_DATA
        print(f"data:  {args.data} (the quickstart's rows); pass --data for your own")
        if not Path(args.data).exists():
            run_step("data_prep/prepare.py", "--config", "recipes/quickstart/prepare.yaml")


def main() -> None:
    args = parse_args(Args, __doc__)
    choose_defaults(args)
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
    print(
        f"rows:  {counts['rows']}, {counts['tokens']} tokens, {counts['trained_tokens']} of them trained, "
        f"{counts['truncated_rows']} rows cut at {args.max_length}"
    )
    loop.show_sample(train[0], tokenizer)
    run["memory"] = memory.plan(args, "sft", counts["longest_row"])
    if args.dry_run:
        return loop.show_config(args)

    model = loop.load_model(args, run)
    trainer = make_trainer(args, model, tokenizer, train, held_out)
    names = [row.get("id", number) for number, row in enumerate(rows, 1)]
    metrics = loop.train(trainer, run, args, names)
    loop.finish(trainer, tokenizer, run, args, {**counts, **metrics})


if __name__ == "__main__":
    run_main(main)
