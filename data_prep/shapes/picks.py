"""Lists that hold options under a name that does not say so: one item of each is marked, or is the row's answer."""

from data_prep.shapes.columns import Column, share
from data_prep.values.choices import fold_text
from data_prep.values.strict import cell, from_literal, is_missing

ALMOST_ALL = 0.9  # of the rows that have both


def marks_its_items(column: Column) -> bool:
    """Whether a column's lists are of objects with a text each, of which one yes or no marks some and not others."""
    return column.kind == "list" and share(column.values, _is_marked) >= 0.6


def _is_marked(value) -> bool:
    items = from_literal(value)
    if not isinstance(items, list) or len(items) < 2 or not all(isinstance(i, dict) for i in items):
        return False
    flags = [[name for name, inside in item.items() if isinstance(inside, bool)] for item in items]
    texts = all(any(isinstance(inside, str) and inside.strip() for inside in item.values()) for item in items)
    if not texts or len(flags[0]) != 1 or any(f != flags[0] for f in flags):
        return False
    return len({item[flags[0][0]] for item in items}) == 2


def offers_the_answer(column: Column, answer: str, sample: list[dict]) -> bool:
    """Whether a column's lists, which differ from row to row, nearly always hold the row's answer as one text of several."""
    if column.kind != "list" or column.distinct < 2:
        return False
    rows = [(from_literal(raw[column.name]), cell(raw, answer)) for raw in sample if not is_missing(raw.get(column.name))]
    pairs = [(list(map(fold_text, _texts(items))), fold_text(said)) for items, said in rows if isinstance(said, str)]
    pairs = [(texts, said) for texts, said in pairs if len(texts) > 1 and said]
    return len(pairs) >= 2 and sum(said in texts for texts, said in pairs) >= ALMOST_ALL * len(pairs)


def _texts(items) -> list[str]:
    """The texts of a list, or those in its objects."""
    found = items if isinstance(items, list) else []
    inside = [item.values() if isinstance(item, dict) else [item] for item in found]
    return [text for group in inside for text in group if isinstance(text, str)]
