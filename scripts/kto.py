"""KTO: learn from single answers marked good or bad; no pairs are needed.

    python scripts/kto.py --model runs/bode/sft --data data/bode/feedback.jsonl --output_dir runs/bode/kto
    python scripts/kto.py --config recipes/kto/kto.yaml --undesirable_weight 1.5
    python scripts/kto.py --model models/smollm2-135m-instruct --data feedback.jsonl --dry_run

Input   JSONL of feedback rows, {"prompt": ..., "completion": ..., "label": true}, prompt and completion a string or a list
        of messages, as data_prep/prepare.py --task feedback writes them. An answer's tokens are trained, the prompt's not.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.
        Logged beside the loss: rewards/chosen, rewards/rejected, rewards/margins, kl.

Reference. Training goes on from an SFT adapter when `model` is its folder; the reference is then that SFT policy, held as
a second frozen adapter. With a plain model the reference is the model itself. The KL term is estimated on answers
moved to the next question of a batch, so a batch needs at least 2 rows, and more make it steadier.

Defaults: beta 0.1, 5e-6 and batches of 16 or more (Ethayarajh et al. 2024, arXiv 2402.01306, and the HALOs repository).
Weights: the paper wants desirable_weight * good between 1 and 4/3 of undesirable_weight * bad (its equation 8); the
script prints both sums, and what would bring them there. Unbalanced and unweighted data teaches the commoner label.
"""

from dataclasses import dataclass, field
from typing import Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import read_rows
from common.models import find_model, load_tokenizer
from training import adapters, loop, memory

from data_prep.chat_template import TEMPLATES, Renderer, TemplateError, answer_text, prompt_messages, set_template


@dataclass
class Args:
    model: str
    """hub id, model folder, or an SFT adapter folder to go on from"""
    data: str
    """feedback rows (JSONL)"""
    eval_data: str | None = None
    """held-out rows of the same shape; their loss and margin are logged at every epoch's end"""
    output_dir: str = "runs/kto"
    """where the adapter and the run's records go"""
    beta: float = 0.1
    """how strongly the policy is held to the reference; less lets it move further"""
    desirable_weight: float = 1.0
    """weight of the good answers' loss"""
    undesirable_weight: float = 1.0
    """weight of the bad answers' loss"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the tokenizer's own"""
    enable_thinking: bool = False
    """let the model think first; off, Qwen3's empty think block is part of the prompt"""
    max_length: int = 1024
    """longest prompt and answer in tokens; a longer row is refused, for its answer would be cut"""
    adapter: Literal[adapters.MERGEABLE] = "qlora"
    """what is trained: low-rank updates on NF4 (qlora) or 16-bit weights (lora), or another kind of training/adapters.py"""
    load_in_4bit: bool | None = None
    """the frozen weights in NF4; without a value as the adapter wants it"""
    lora_r: int = 16
    """rank of the adapters; an adapter folder keeps its own"""
    lora_alpha: int = 16
    """scale of the adapters"""
    lora_dropout: float = 0.0
    """dropout in the adapters; with any, policy and reference differ at the first step"""
    target_modules: list[str] = field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
    """layers that get an adapter"""
    learning_rate: float = 5e-6
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
    per_device_train_batch_size: int = 8
    """rows a forward pass, at least 2"""
    gradient_accumulation_steps: int = 2
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
        found = loop.problems(self)
        if self.beta <= 0:
            found.append(f"beta: {self.beta} must be above 0; 0.1 is usual")
        found += check_at_least(self, 2, "per_device_train_batch_size")
        return found + check_at_least(self, 0, "desirable_weight", "undesirable_weight")


# ---------------------------------------------------------------------------------------------- data


def check_row(row: dict) -> list[str]:
    """Problems of one row, told without a tokenizer; a row of another method names its script."""
    missing = [key for key in ("prompt", "completion", "label") if key not in row]
    if missing:
        return [f"lacks {', '.join(missing)}: {loop.kind_of_row(row)}; KTO needs prompt, completion and label"]
    try:
        prompt_messages(row["prompt"])
        answer_text(row["completion"])
    except TemplateError as error:
        return [str(error)]
    return [] if isinstance(row["label"], bool) else [f"label: must be true or false, not {row['label']!r}"]


def make_dataset(rows: list[dict], renderer: Renderer, max_length: int, path: str):
    """Rows as prompt_ids, completion_ids and label, and their counts.

    Raises UserError for rows longer than max_length: their answer would be cut, and with it its end.
    """
    encoded = [
        {
            "prompt_ids": renderer.encode_prompt(prompt_messages(row["prompt"])),
            "label": row["label"],
            "completion_ids": renderer.encode_answer(prompt_messages(row["prompt"]), answer_text(row["completion"])),
        }
        for row in rows
    ]
    lengths = [len(e["prompt_ids"]) + len(e["completion_ids"]) for e in encoded]
    loop.refuse_long_rows(rows, lengths, max_length, path)
    good = sum(e["label"] for e in encoded)
    if good in (0, len(rows)):
        raise UserError(f"{path}: all {len(rows)} rows are labelled {'true' if good else 'false'}; KTO needs both")
    counts = {
        "rows": len(rows),
        "tokens": sum(lengths),
        "trained_tokens": sum(len(e["completion_ids"]) for e in encoded),
        "truncated_rows": 0,
        "longest_row": max(lengths),
        "desirable": good,
        "undesirable": len(rows) - good,
    }
    return encoded, counts


def balance(args: Args, counts: dict) -> str:
    """What equation 8 of the paper says of the two weights, in words."""
    good, bad = args.desirable_weight * counts["desirable"], args.undesirable_weight * counts["undesirable"]
    if not good or not bad:
        return "weights: one kind of answer has none; only the other teaches"
    said = f"weights: good {good:g}, bad {bad:g} (ratio {good / bad:.2f}; the paper wants 1 to 1.33)"
    if not 1 <= good / bad <= 4 / 3:
        fit = counts["undesirable"] / counts["desirable"]
        said += (
            f"; --desirable_weight {fit * 1.15:.2f} with --undesirable_weight 1 would be balanced"
            if fit >= 0.87
            else (f"; --undesirable_weight {1 / fit / 1.15:.2f} with --desirable_weight 1 would be balanced")
        )
    return said


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's KTOTrainer over adapters that Unsloth attaches; an adapter folder as model is trained further."""
    from trl import KTOConfig, KTOTrainer

    model = adapters.attach(model, args)
    config = KTOConfig(
        beta=args.beta,
        desirable_weight=args.desirable_weight,
        undesirable_weight=args.undesirable_weight,
        max_length=args.max_length,
        dataset_num_proc=1,
        train_sampling_strategy="sequential",
        **loop.trainer_config(args, held_out) | {"per_device_eval_batch_size": args.per_device_train_batch_size},
    )
    with loop.float32_adapters(model):
        return KTOTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=with_mismatched(train, args),
            eval_dataset=with_mismatched(held_out, args),
        )


def with_mismatched(encoded: list[dict] | None, args: Args):
    """Rows in a seeded order with the answers of each batch moved on by one, from which TRL estimates the KL term.

    TRL reads KTO's rows in order, for the moved answers must be those of the batch; so the order is mixed here.
    """
    import random

    rows, size = [*(encoded or [])], args.per_device_train_batch_size
    random.Random(args.seed).shuffle(rows)
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    return loop.tokenised(
        [{**row, "KL_completion_ids": batch[i - 1]["completion_ids"]} for batch in batches for i, row in enumerate(batch)]
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
    print(
        f"rows:  {counts['rows']} ({counts['desirable']} good, {counts['undesirable']} bad), {counts['tokens']} tokens, "
        f"{counts['trained_tokens']} of them trained"
    )
    print(balance(args, counts))
    for name in ("prompt", "completion"):
        print(f"{name}: {tokenizer.decode(train[0][f'{name}_ids'])[-300:]!r}")
    run["memory"] = memory.plan(args, "kto", counts["longest_row"])
    if args.dry_run:
        return loop.show_config(args)

    model = loop.load_model(args, run)
    trainer = make_trainer(args, model, tokenizer, train, held_out)
    names = [row.get("id", number) for number, row in enumerate(rows, 1)]
    metrics = loop.train(trainer, run, args, names)
    loop.finish(trainer, tokenizer, run, args, {**counts, **metrics})


if __name__ == "__main__":
    run_main(main)
