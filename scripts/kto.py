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
`--trainer '{precompute_ref_log_probs: true}'` asks the reference once, before the first step: for two epochs and more.

Defaults: beta 0.1 (Ethayarajh et al. 2024, arXiv 2402.01306); 5e-6, as in the other preference methods, and batches of 16.
Weights: the paper wants desirable_weight * good between 1 and 4/3 of undesirable_weight * bad (its equation 8); the
script prints both sums, and what would bring them there. Unbalanced and unweighted data teaches the commoner label.
"""

import random
from dataclasses import dataclass
from typing import ClassVar, Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from training import adapters, pipeline
from training.arguments import TrainingArgs, reference_problems
from training.rows import Counts, TrainingData, contradicting, excerpt, ids_of, kind_of_row, refuse_long_rows, tokenised
from training.trainer import float32_adapters, trainer_config

from data_prep.chat_template import Renderer, TemplateError, answer_text, prompt_messages


@dataclass
class Args(TrainingArgs):
    CONFIG_CLASS: ClassVar[str] = "trl.trainer.kto_config.KTOConfig"
    LEAST_ROWS: ClassVar[int] = 2  # a question's mismatched answer is another row's of the same pass
    output_dir: str = "runs/kto"
    adapter: Literal[adapters.MERGEABLE] = "qlora"
    beta: float = 0.1
    """how strongly the policy is held to the reference; less lets it move further"""
    desirable_weight: float = 1.0
    """weight of the good answers' loss"""
    undesirable_weight: float = 1.0
    """weight of the bad answers' loss"""
    max_length: int = 1024
    """longest prompt and answer in tokens; a longer row is refused, for its answer would be cut"""
    per_device_train_batch_size: int = 8
    """rows a forward pass, at least 2"""
    gradient_accumulation_steps: int = 2

    def problems(self) -> list[str]:
        found = [f"beta: {self.beta} must be above 0; 0.1 is usual"] if self.beta <= 0 else []
        if not self.desirable_weight and not self.undesirable_weight:
            found.append("desirable_weight, undesirable_weight: both are 0, so nothing would be learnt")
        found += check_at_least(self, 0, "desirable_weight", "undesirable_weight")
        return super().problems() + found + reference_problems(self)


# ---------------------------------------------------------------------------------------------- data


@dataclass
class KTOCounts(Counts):
    desirable: int
    undesirable: int


def check_row(row: dict) -> list[str]:
    """Problems of one row, found without a tokenizer; a row of another method names its script."""
    missing = [key for key in ("prompt", "completion", "label") if key not in row]
    if missing:
        return [f"lacks {', '.join(missing)}: {kind_of_row(row)}; KTO needs prompt, completion and label"]
    try:
        prompt_messages(row["prompt"])
        answer_text(row["completion"])
    except TemplateError as error:
        return [str(error)]
    return [] if isinstance(row["label"], bool) else [f"label: must be true or false, not {row['label']!r}"]


def make_dataset(rows: list[dict], tokenizer, args: Args, path: str) -> TrainingData:
    """Rows as prompt_ids, completion_ids and label, in a seeded random order: TRL reads KTO's rows as they come.

    Raises UserError for rows longer than max_length: their answer would be cut, and with it its end.
    """
    renderer = Renderer(tokenizer, args.enable_thinking)
    mixed = list(zip(rows, ids_of(rows), strict=True))
    random.Random(args.seed).shuffle(mixed)
    rows, ids = [row for row, _ in mixed], [id_ for _, id_ in mixed]
    encoded = []
    for row in rows:
        prompt = prompt_messages(row["prompt"])
        answer = renderer.encode_answer(prompt, answer_text(row["completion"]))
        encoded.append({"prompt_ids": renderer.encode_prompt(prompt), "label": row["label"], "completion_ids": answer})
    lengths = [len(e["prompt_ids"]) + len(e["completion_ids"]) for e in encoded]
    refuse_long_rows(ids, lengths, args.max_length, path)
    good = sum(e["label"] for e in encoded)
    if good in (0, len(rows)):
        raise UserError(f"{path}: all {len(rows)} rows are labelled {'true' if good else 'false'}; KTO needs both")
    trained = sum(len(e["completion_ids"]) for e in encoded)
    counts = KTOCounts(len(rows), sum(lengths), trained, 0, max(lengths), desirable=good, undesirable=len(rows) - good)
    summary = [
        f"rows:  {len(rows)} ({good} good, {counts.undesirable} bad), {counts.tokens} tokens, {trained} of them trained",
        balance(args, counts),
        *(f"{name}: {excerpt(encoded[0][f'{name}_ids'], tokenizer, last=True)}" for name in ("prompt", "completion")),
    ]
    marked = [(str(prompt_messages(row["prompt"])), answer_text(row["completion"]), row["label"]) for row in rows]
    summary += contradicting(marked, [(p, a, not label) for p, a, label in marked], ids)
    return TrainingData(encoded, counts, ids, summary)


def balance(args: Args, counts: KTOCounts) -> str:
    """What equation 8 of the paper says of the two weights, in words."""
    good, bad = args.desirable_weight * counts.desirable, args.undesirable_weight * counts.undesirable
    if not good or not bad:
        return "weights: one kind of answer has none; only the other teaches"
    line = f"weights: good {good:g}, bad {bad:g} (ratio {good / bad:.2f}; the paper wants 1 to 1.33)"
    if 1 <= good / bad <= 4 / 3:
        return line
    fit = counts.undesirable / counts.desirable  # 1.15: the middle of 1 to 4/3
    if fit >= 0.87:
        return line + f"; --desirable_weight {fit * 1.15:.2f} with --undesirable_weight 1 would be balanced"
    return line + f"; --undesirable_weight {1 / fit / 1.15:.2f} with --desirable_weight 1 would be balanced"


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's KTOTrainer over adapters that Unsloth attaches; an adapter folder as model is trained further."""
    from trl import KTOConfig, KTOTrainer

    model = adapters.attach(model, args)
    config = KTOConfig(
        **trainer_config(
            args,
            held_out,
            beta=args.beta,
            desirable_weight=args.desirable_weight,
            undesirable_weight=args.undesirable_weight,
            max_length=args.max_length,
            train_sampling_strategy="sequential",
        )
    )
    with float32_adapters(model):
        return KTOTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=with_mismatched(train, args.per_device_train_batch_size),
            eval_dataset=with_mismatched(held_out, args.per_device_train_batch_size),
        )


def with_mismatched(encoded: list[dict] | None, size: int):
    """Rows with the answers of each batch of `size` moved on by one, from which TRL estimates the KL term.

    A last batch of one row takes the answer before it: its own would be no mismatch.
    """
    rows, moved = encoded or [], []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        before = batch[-1] if len(batch) > 1 else rows[start - 1]
        for row in batch:
            moved.append({**row, "KL_completion_ids": before["completion_ids"]})
            before = row
    return tokenised(moved)


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    pipeline.run(parse_args(Args, __doc__), pipeline.Method("kto", check_row, make_dataset, make_trainer))


if __name__ == "__main__":
    run_main(main)
