"""Preference pairs, the data of dpo.py, simpo.py, orpo.py and reward.py: {"prompt", "chosen", "rejected"}. Imports no torch."""

from common.errors import UserError
from training.rows import (
    Counts,
    TrainingData,
    contradicting,
    excerpt,
    ids_of,
    kind_of_row,
    one_answer,
    refuse_long_rows,
    tokenised,
)

from data_prep.chat_template import IGNORED, Renderer, TemplateError, answer_text, prompt_messages


def check_row(row: dict) -> list[str]:
    """Problems of one row, found without a tokenizer; a row of another method names its script."""
    missing = [key for key in ("prompt", "chosen", "rejected") if key not in row]
    if missing:
        return [f"lacks {', '.join(missing)}: {kind_of_row(row)}; a pair needs prompt, chosen and rejected"]
    try:
        prompt_messages(row["prompt"])
        chosen, rejected = answer_text(row["chosen"], "chosen"), answer_text(row["rejected"], "rejected")
    except TemplateError as error:
        return [str(error)]
    return ["chosen and rejected are the same text, so there is nothing to prefer"] if chosen == rejected else []


def make_dataset(rows: list[dict], tokenizer, args, path: str) -> TrainingData:
    """Rows as prompt_ids, chosen_ids and rejected_ids (lists of token ids; the answers end with the end-of-turn token).

    Raises UserError for rows longer than max_length: their answer would be cut, and with it its end. And for pairs whose
    answers the template renders alike.
    """
    renderer = Renderer(tokenizer, args.enable_thinking)
    encoded = []
    for row in rows:
        prompt = prompt_messages(row["prompt"])
        answers = {f"{name}_ids": renderer.encode_answer(prompt, answer_text(row[name], name)) for name in ("chosen", "rejected")}
        encoded.append({"prompt_ids": renderer.encode_prompt(prompt), **answers})
    lengths = [len(e["prompt_ids"]) + max(len(e["chosen_ids"]), len(e["rejected_ids"])) for e in encoded]
    refuse_long_rows(ids_of(rows), lengths, args.max_length, path)
    refuse_equal_answers(ids_of(rows), encoded, path)
    counts = Counts(
        rows=len(rows),
        tokens=sum(len(ids) for e in encoded for ids in e.values()),
        trained_tokens=sum(len(e["chosen_ids"]) + len(e["rejected_ids"]) for e in encoded),
        truncated_rows=0,
        longest_row=max(lengths),
    )
    summary = [f"rows:  {counts.rows} pairs, {counts.tokens} tokens, {counts.trained_tokens} of them in answers"]
    if weighted := sum(row.get("weight", 1) != 1 for row in rows):
        summary.append(f"note:  the weight of {weighted} pairs is not used, no trainer of TRL reads one: every pair counts alike")
    summary += [f"{name}: {excerpt(encoded[0][f'{name}_ids'], tokenizer, True)}" for name in ("prompt", "chosen", "rejected")]
    summary += one_answer([tuple(e["chosen_ids"]) for e in encoded], lambda a: excerpt(list(a), tokenizer))
    sides = [(str(prompt_messages(row["prompt"])), answer_text(row["chosen"]), answer_text(row["rejected"])) for row in rows]
    summary += contradicting(sides, [(prompt, b, a) for prompt, a, b in sides], ids_of(rows))
    return TrainingData(encoded, counts, ids_of(rows), summary)


def refuse_equal_answers(ids: list, encoded: list[dict], path: str) -> None:
    """UserError where both answers of a pair are the same tokens: their texts differ in what the template leaves out."""
    alike = [id_ for id_, pair in zip(ids, encoded, strict=True) if pair["chosen_ids"] == pair["rejected_ids"]]
    if alike:
        raise UserError(
            f"{path}: {len(alike)} of {len(ids)} pairs have two answers that the chat template renders alike, first {alike[:3]}: "
            "they differ in a thought (<think>) or in spaces at their ends alone, so there is nothing to prefer; take them out, "
            "or pass --enable_thinking true where thoughts are to be learnt"
        )


def labelled_sequences(encoded: list[dict] | None):
    """Pairs in the columns of TRL's CPO and ORPO trainers: prompt and answer in one sequence, labels -100 on the prompt."""
    rows = []
    for pair in encoded or []:
        prompt = pair["prompt_ids"]
        row = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
        for name in ("chosen", "rejected"):
            ids = prompt + pair[f"{name}_ids"]
            labels = [IGNORED] * len(prompt) + pair[f"{name}_ids"]
            row |= {f"{name}_input_ids": ids, f"{name}_attention_mask": [1] * len(ids), f"{name}_labels": labels}
        rows.append(row)
    return tokenised(rows)


def whole_conversations(encoded: list[dict] | None):
    """Pairs in the columns of TRL's RewardTrainer: prompt and answer in one sequence, chosen_ids and rejected_ids."""
    names = ("chosen_ids", "rejected_ids")
    return tokenised([{name: pair["prompt_ids"] + pair[name] for name in names} for pair in encoded or []])
