"""Training rows on their way to a trainer: counts, refusals, and datasets that TRL takes as they are. Imports no torch."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from common.errors import UserError

from data_prep.chat_template import IGNORED

SHOWN = 80  # tokens of a row that a line shows
HALF = "\ufffd"  # what is decoded of a character whose other half is another token


@dataclass
class Counts:
    """What a file of training rows holds, after tokenising."""

    rows: int
    tokens: int | None
    """None: the rows are streamed, and counted as they are trained (tokens_seen)"""
    trained_tokens: int | None
    """tokens that the loss is taken over"""
    truncated_rows: int
    longest_row: int
    """tokens of the longest sequence that the model will see"""

    def record(self) -> dict[str, int]:
        """The counts for run.json."""
        return dataclasses.asdict(self)


class TrainingData(NamedTuple):
    """Tokenised rows."""

    rows: Any
    """list of dicts or datasets.Dataset, in the columns that make_trainer takes"""
    counts: Counts
    ids: list
    """id of the source row of each element of `rows`"""
    summary: list[str]
    """lines to print: counts, and the first row as trained"""


def ids_of(rows: list[dict]) -> list:
    """Each row's id, or its number from 1."""
    return [row.get("id", number) for number, row in enumerate(rows, 1)]


def sample(encoded: dict, tokenizer) -> list[str]:
    """Lines that show one row as it is trained: what is given, and what is learnt."""
    pairs = list(zip(encoded["input_ids"], encoded["labels"], strict=True))
    while pairs and pairs[-1][1] == IGNORED:
        pairs.pop()  # the line break after the last answer, which would seem to stand before it
    given, learnt = ([t for t, label in pairs if (label == IGNORED) == masked] for masked in (True, False))
    return [f"given: {excerpt(given, tokenizer, last=True)}", f"trained: {excerpt(learnt, tokenizer)}"]


def excerpt(tokens: list[int], tokenizer, last: bool = False) -> str:
    """The first or the last of some tokens as text in quotes, with dots where more stand; no token and no character is cut."""
    some = tokens[-SHOWN:] if last else tokens[:SHOWN]
    text = tokenizer.decode(some)
    if len(some) == len(tokens):
        return repr(text)
    return f"... {text.lstrip(HALF)!r}" if last else f"{text.rstrip(HALF)!r} ..."


def one_answer(answers: list, shown: Callable[[Any], str]) -> list[str]:
    """A warning where nearly all rows teach the same answer: the model learns to give it whatever it is asked."""
    answer, times = Counter(answers).most_common(1)[0]
    if times < 2 or times < 0.9 * len(answers):
        return []
    many = "all" if times == len(answers) else f"{times} of"
    return [
        f"warning: {many} {len(answers)} rows teach the same answer, {shown(answer)}, and will be answered so whatever is asked"
    ]


def contradicting(said: list, opposite: list, ids: list[str]) -> list[str]:
    """A warning where a row says the opposite of another one: `said` and `opposite` give for each what it says, and that."""
    lines = dict(zip(said, ids, strict=True))
    found = [(one, lines[other]) for one, other in zip(ids, opposite, strict=True) if other in lines]
    if not found:
        return []
    return [
        f"warning: {len(found)} of {len(ids)} rows say the opposite of another row (as {found[0][0]} and {found[0][1]} do); "
        "neither can be learnt, and prepare.py leaves both out"
    ]


def kind_of_row(row: dict) -> str:
    """What a row that does not fit seems to be, and the script that takes such rows."""
    kinds = (
        ("conversations", "a conversation, for sft.py or distill.py"),
        ("messages", "a conversation, for sft.py or distill.py"),
        ("chosen", "a preference row, for dpo.py, simpo.py, orpo.py or reward.py"),
        ("completion", "a feedback row, for kto.py"),
        ("options", "a scoring row, for evaluate.py"),
        ("labels", "a scoring row, for evaluate.py"),
        ("text", "a text row, for cpt.py"),
    )
    return next((f"it looks like {what}" for key, what in kinds if key in row), f"it has {', '.join(list(row)[:6]) or 'no keys'}")


def refuse_long_rows(ids: list, lengths: list[int], max_length: int, path: str) -> None:
    """UserError where rows are longer than max_length tokens: an answer cut before its end teaches never to stop."""
    long = [id_ for id_, n in zip(ids, lengths, strict=True) if n > max_length]
    if long:
        raise UserError(
            f"{path}: {len(long)} of {len(ids)} rows are longer than max_length {max_length} tokens (the longest "
            f"has {max(lengths)}), first {long[:3]}; raise --max_length or shorten them in data_prep"
        )


def tokenised(rows: list[dict] | None):
    """Tokenised rows as a dataset that TRL's trainers leave as it is; None for no rows.

    TRL's preference trainers render and tokenise text by themselves, with no way to hand in tokens. Here their `map` and
    `filter` do nothing, so that rendering happens in one place, and the model is not hashed as `map` does it. A `map` with a
    fingerprint and a file of its own hashes and renders nothing: so they keep the reference's figures (precompute_ref_log_probs).
    """
    from datasets import Dataset

    class Tokenised(Dataset):
        def map(self, *args, **kwargs):
            return super().map(*args, **kwargs) if kwargs.get("cache_file_name") else self

        def filter(self, *args, **kwargs):
            return self

    return Tokenised.from_list(rows) if rows else None
