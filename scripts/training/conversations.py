"""Conversations, the data of sft.py and distill.py: {"conversations": [{"from", "value"}, ...]}. Imports no torch."""

from common.errors import UserError
from training.rows import Counts, TrainingData, excerpt, ids_of, kind_of_row, one_answer, sample

from data_prep.chat_template import IGNORED, Renderer, TemplateError, to_messages


def check_row(row: dict) -> list[str]:
    """Problems of one row, found without a tokenizer; a row of another method names its script."""
    if "conversations" not in row and "messages" not in row:
        return [f"is no conversation: {kind_of_row(row)}; `conversations` are needed here"]
    try:
        messages = to_messages(row)
    except TemplateError as error:
        return [str(error)]
    if not any(m["role"] == "assistant" and m["content"].strip() for m in messages):
        return ["has no assistant turn with text, so nothing to train"]
    return []


def make_dataset(rows: list[dict], tokenizer, args, path: str) -> TrainingData:
    """Tokenised rows with labels (-100: not trained) for TRL's SFTTrainer and what is made of it.

    Raises UserError for rows of which max_length leaves no trained token: they would train nothing, unseen.
    """
    from datasets import Dataset

    renderer, ids = Renderer(tokenizer, args.enable_thinking), ids_of(rows)
    encoded = [renderer.encode(to_messages(row), args.max_length) for row in rows]
    trained = [sum(label != IGNORED for label in e["labels"]) for e in encoded]
    if 0 in trained:
        empty = [id_ for id_, n in zip(ids, trained, strict=True) if not n]
        said = f"{len(empty)} of {len(rows)} rows have no trained token within max_length {args.max_length}, first {empty[:3]}"
        raise UserError(f"{path}: {said}; raise --max_length or shorten them in data_prep")
    lengths = [len(e["input_ids"]) for e in encoded]
    counts = Counts(len(rows), sum(lengths), sum(trained), sum(e["truncated"] for e in encoded), max(lengths))
    summary = [
        f"rows:  {counts.rows}, {counts.tokens} tokens, {counts.trained_tokens} of them trained, "
        f"{counts.truncated_rows} rows cut at {args.max_length}",
        *sample(encoded[0], tokenizer),
        *one_answer(
            [tuple(label for label in e["labels"] if label != IGNORED) for e in encoded], lambda a: excerpt(list(a), tokenizer)
        ),
    ]
    if counts.truncated_rows > 0.05 * len(rows):
        summary.append(
            f"warning: {counts.truncated_rows} of {len(rows)} rows are cut at max_length {args.max_length}; what is cut is not "
            "taught, the end of the answer least of all: raise --max_length, or shorten the rows in data_prep"
        )
    dataset = Dataset.from_dict({name: [e[name] for e in encoded] for name in ("input_ids", "labels")})
    return TrainingData(dataset, counts, ids, summary)
