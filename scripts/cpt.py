"""Continued pre-training (CPT): let a model read a domain's raw text before it is taught to answer.

    python scripts/cpt.py --model Qwen/Qwen3-1.7B-Base --data data/bode/text.jsonl --output_dir runs/bode/cpt
    python scripts/cpt.py --model Qwen/Qwen3-1.7B --data text.jsonl --train_embeddings --embedding_learning_rate 1e-5
    python scripts/cpt.py --model models/smollm2-135m-instruct --data text.jsonl --dry_run

Input   JSONL of text rows, {"text": ...}, as data_prep/prepare.py --task text writes them. Every token is trained, and an
        end-of-text token after each row; a row longer than max_length is read in pieces of max_length tokens, in order.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.

Next    scripts/sft.py --model runs/bode/cpt goes on from the result.

Defaults: rank 64 with rank-stabilised scaling on all linear layers, 5e-5; with train_embeddings the input and output
embeddings are trained in full at a rate 2 to 10 times lower (Unsloth's continued pre-training notebooks; Kalajdzievski 2023,
arXiv 2312.03732, for the scaling). At the rate of SFT the embeddings forget the old language faster than they learn the new.
"""

from dataclasses import dataclass, field
from typing import Literal

from common.arguments import parse_args
from common.entry import run_main
from common.files import read_rows
from common.models import find_model, load_tokenizer
from training import adapters, loop, memory

from data_prep.chat_template import TEMPLATES, set_template


@dataclass
class Args:
    model: str
    """hub id, model folder or adapter folder to go on from"""
    data: str
    """text rows (JSONL)"""
    eval_data: str | None = None
    """held-out rows of the same shape; their loss is logged at every epoch's end"""
    output_dir: str = "runs/cpt"
    """where the adapter and the run's records go"""
    template: Literal[TEMPLATES] = "auto"
    """chat template to save with the tokenizer for the steps that follow; auto keeps its own"""
    max_length: int = 2048
    """tokens read at a time; a longer row is read in pieces"""
    adapter: Literal[adapters.BY_UNSLOTH] = "rslora"
    """what is trained: low-rank updates on NF4 (qlora) or 16-bit weights (lora), or another kind of training/adapters.py"""
    load_in_4bit: bool | None = None
    """the frozen weights in NF4; without a value as the adapter wants it"""
    lora_r: int = 64
    """rank of the adapters"""
    lora_alpha: int = 32
    """scale of the adapters; the update is multiplied by lora_alpha / sqrt(lora_r)"""
    lora_dropout: float = 0.0
    """dropout in the adapters; Unsloth's fused kernels want 0"""
    target_modules: list[str] = field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
    """layers that get an adapter"""
    train_embeddings: bool = False
    """train the input and output embeddings in full: for a new language or script; needs memory for both"""
    embedding_learning_rate: float = 1e-5
    """peak learning rate of the embeddings"""
    learning_rate: float = 5e-5
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
    """check everything, load no model"""

    def problems(self) -> list[str]:
        return loop.problems(self)


# ---------------------------------------------------------------------------------------------- data


def check_row(row: dict) -> list[str]:
    """Problems of one row, told without a tokenizer; a row of another method names its script."""
    if not isinstance(row.get("text"), str):
        return [f"has no `text`: {loop.kind_of_row(row)}; continued pre-training needs text rows"]
    return [] if row["text"].strip() else ["its text is empty"]


def make_dataset(rows: list[dict], tokenizer, max_length: int):
    """Tokenised pieces of at most max_length tokens for TRL's SFTTrainer, all of them trained; their counts; the row of each."""
    from datasets import Dataset

    pieces, names = [], []
    for number, row in enumerate(rows, 1):
        # Control tokens written in a text are text; only the end of a row is a control token.
        ids = tokenizer(row["text"], add_special_tokens=False, split_special_tokens=True)["input_ids"] + [tokenizer.eos_token_id]
        found = [ids[at : at + max_length] for at in range(0, len(ids), max_length)]
        pieces += found
        names += [row.get("id", number)] * len(found)
    tokens = sum(map(len, pieces))
    counts = {
        "rows": len(rows),
        "tokens": tokens,
        "trained_tokens": tokens,
        "truncated_rows": 0,
        "longest_row": max(map(len, pieces)),
        "pieces": len(pieces),
    }
    return Dataset.from_dict({"input_ids": pieces, "labels": pieces}), counts, names


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """Unsloth's UnslothTrainer (TRL's SFTTrainer with a learning rate for embeddings) over adapters that Unsloth attaches."""
    from unsloth import UnslothTrainer, UnslothTrainingArguments

    more = {}
    if args.train_embeddings:
        more["target_modules"] = [*args.target_modules, "embed_tokens", "lm_head"]
        # Where input and output share one matrix they must go on sharing it, or the merged model is another one.
        more["ensure_weight_tying"] = True if model.config.tie_word_embeddings else None
    model = adapters.attach(model, args, **more)
    config = UnslothTrainingArguments(
        embedding_learning_rate=args.embedding_learning_rate if args.train_embeddings else None,
        max_length=args.max_length,
        packing=False,
        dataset_num_proc=1,
        train_sampling_strategy="group_by_length",
        **loop.trainer_config(args, held_out),
    )
    with loop.float32_adapters(model):
        return UnslothTrainer(model=model, args=config, train_dataset=train, eval_dataset=held_out, processing_class=tokenizer)


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
    train, counts, names = make_dataset(rows, tokenizer, args.max_length)
    held_out = make_dataset(held_out_rows, tokenizer, args.max_length)[0] if held_out_rows else None
    print(f"rows:  {counts['rows']}, read in {counts['pieces']} pieces, {counts['tokens']} tokens, all of them trained")
    print(f"first: {tokenizer.decode(train[0]['input_ids'])[:300]!r}")
    run["memory"] = memory.plan(args, "cpt", counts["longest_row"])
    if args.dry_run:
        return loop.show_config(args)

    model = loop.load_model(args, run)
    trainer = make_trainer(args, model, tokenizer, train, held_out)
    metrics = loop.train(trainer, run, args, names)
    loop.finish(trainer, tokenizer, run, args, {**counts, **metrics})


if __name__ == "__main__":
    run_main(main)
