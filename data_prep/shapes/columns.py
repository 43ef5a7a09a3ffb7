"""What a file's first rows show of its columns: how they are filled and of what kind their values are."""

import collections
import re
from typing import NamedTuple

from data_prep.values.strict import Unreadable, from_literal, is_missing
from data_prep.values.turns import is_turns
from data_prep.words.said import TRUTH

LOOKED_AT = 200  # values of a column


class Column(NamedTuple):
    name: str
    values: list  # of the rows that have one
    filled: float  # share of the rows that have one
    kind: str  # text, number, bool, list, turns, object, mixed or empty
    distinct: int
    length: float  # mean number of characters
    around: bool = False  # of the record around the items that are rows

    @property
    def looked_at(self) -> int:
        """The number of values of which `distinct` counts the different ones."""
        return min(len(self.values), LOOKED_AT)

    @property
    def comes_again(self) -> bool:
        """Whether values come again, as topics do and titles do not, or are too few to tell."""
        return self.looked_at < 20 or self.distinct <= self.looked_at / 2

    @property
    def sorts_by_truth(self) -> bool:
        """Whether the values are true and false alone, or yes, no and maybe: classes of a statement, no answers to be learnt."""
        said = {str(v).strip().strip(".").casefold() for v in self.values}
        return self.distinct > 1 and (self.kind == "bool" or said <= TRUTH)

    @property
    def told(self) -> str:
        """In words, for the list of unused columns."""
        return f"{self.kind}, {self.filled:.0%} filled" if self.kind != "empty" else "empty"


def kind_of(value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    inside = from_literal(value)
    if is_turns(inside.get("messages") if isinstance(inside, dict) else inside):
        return "turns"
    if isinstance(inside, list):
        return "list"
    if isinstance(inside, dict):
        return "object"
    return "number" if re.fullmatch(r"\s*-?\d+(?:[.,]\d+)?\s*", str(value)) else "text"


def profile(sample: list[dict]) -> dict[str, Column]:
    """Every column of the sample by its name, in the order in which they come."""
    found = {}
    for name in dict.fromkeys(key for raw in sample for key in raw):
        values = [raw[name] for raw in sample if name in raw and not is_missing(raw[name])]
        kinds = collections.Counter(kind_of(v) for v in values[:LOOKED_AT])
        kind, most = kinds.most_common(1)[0] if kinds else ("empty", 0)
        if kinds and most < 0.8 * kinds.total():
            kind = "text" if set(kinds) <= {"text", "number", "bool"} else "mixed"
        texts = [str(v) for v in values[:LOOKED_AT]]
        length = sum(map(len, texts)) / max(1, len(texts))
        found[name] = Column(name, values, len(values) / max(1, len(sample)), kind, len(set(texts)), length)
    return found


def with_empty(columns: dict[str, Column]) -> dict[str, Column]:
    """The columns with empty ones taken for texts: for a file that no reading fits otherwise."""
    return {name: c._replace(kind="text") if c.kind == "empty" else c for name, c in columns.items()}


def share(values: list, test) -> float:
    """Share of values for which `test` is true and raises nothing."""
    some = values[:LOOKED_AT]
    good = 0
    for value in some:
        try:
            good += bool(test(value))
        except Unreadable:
            continue
    return good / max(1, len(some))


def objects_in(values: list) -> list[dict]:
    """The objects among values, also those that are written as text."""
    return [inside for v in values if isinstance(inside := from_literal(v), dict)]


def of_texts(value) -> bool:
    """Whether a value is a list of texts."""
    items = from_literal(value)
    return isinstance(items, list) and all(isinstance(i, str) for i in items)


def of_objects(value) -> bool:
    """Whether a value is a list of objects."""
    items = from_literal(value)
    return isinstance(items, list) and all(isinstance(i, dict) for i in items)
