"""What a record is told from others by. Like `rows.py` it looks at one record alone, so that records can be told anywhere."""

from typing import NamedTuple

import numpy as np

from data_prep.cleaning.duplicates import Protected, digest, fold, joined_signatures, signatures
from data_prep.pipeline.options import Args
from data_prep.pipeline.outputs import key_parts, opening
from data_prep.pipeline.read import Record
from data_prep.pipeline.rows import plain_row, split_of
from data_prep.pipeline.tally import Tally
from data_prep.shapes.reading import Reading

LeakFound = tuple[str, int | str, float] | None  # kind, number (or place) of the protected row, similarity


class Told(NamedTuple):
    """A plain row, and what it is told from others by."""

    record: Record
    row: dict
    asked: str
    rest: str
    answer: str
    question: str  # what is asked, folded
    folded: str  # the whole text
    key: int  # its digest
    answer_key: int
    passage: str
    split: str  # that the file puts it into, or ""
    opening: int  # digest of a conversation's first exchange; 0 for none


class Looks(NamedTuple):
    """What else is told of rows, by themselves."""

    matrix: np.ndarray  # their signatures: uint32, a row for each
    leaks: list[LeakFound]  # for each how it is like a protected row, or None


class LeftOut(NamedTuple):
    kind: str
    reason: str


def told_of(record: Record, reading: Reading, args: Args, tally: Tally) -> Told | LeftOut:
    """A record as a plain row, or why it is none. `tally` counts what cleaning and masking did."""
    row = plain_row(record, reading, args, tally)
    if isinstance(row, str):
        return LeftOut("rejected", row)
    if row["task"] == "classification" and args.labels and row["label"] not in args.labels:
        return LeftOut("not asked for", f"label {row['label']!r} is not among --labels")
    asked, rest, answer = key_parts(row)
    passage, question, rest_folded = fold(row.pop("context", "")), fold(asked), fold(rest)
    folded = f"{question} | {rest_folded}"
    if passage:  # by its number, as the length of a passage would drown the question
        folded += f" | {digest(passage):020} {digest(passage[::-1]):020}"
    answer_key = digest(rest_folded if answer == rest else fold(answer))
    split = split_of(record, reading)
    begun = opening(row)
    begun = digest(begun) if begun else 0
    tally.clock.mark("digests")
    return Told(record, row, asked, rest, answer, question, folded, digest(folded), answer_key, passage, split, begun)


def look(some: list[Told], args: Args, guard: Protected | None) -> Looks:
    """Signatures and leaks of rows. A matrix of one column where no stage asks for signatures."""
    compared = args.near_duplicates != "off" or args.select
    questions, texts = [t.question for t in some], [t.folded for t in some]
    if compared and guard:
        asked, matrix = joined_signatures(questions, texts)
    else:
        asked = signatures(questions) if guard else None
        matrix = signatures(texts) if compared else np.zeros((len(some), 1), np.uint32)
    if guard is None:
        return Looks(matrix, [None] * len(some))
    near = zip(some, guard.candidates(asked), strict=True)
    return Looks(
        matrix, [guard.by_id(t.record.raw) or guard.match(t.question, t.rest, like) or guard.by_key(t.key) for t, like in near]
    )
