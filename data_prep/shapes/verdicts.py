"""Columns that say of each row whether it holds, or whose answer it is."""

import re

from data_prep.shapes.columns import Column
from data_prep.words.names import RIGHT, of_a_model, words_of

NEGATED = [re.compile(rf"{no}[\s_-]*(\w.*)") for no in "no non not un in im ir il partly partially parcialmente não nao".split()]


def is_verdict(column: Column) -> bool:
    """Whether a column says of each row that something holds, or that it does not: one of its few values denies another."""
    said = (
        {" ".join(str(v).casefold().split()) for v in column.values} if column.kind == "text" and column.length <= 40 else set()
    )
    return 2 <= len(said) <= 6 and any((hit := no.fullmatch(v)) and hit[1] in said for v in said for no in NEGATED)


ORIGINS = set("source origin fonte origem fuente by".split())


def keys_by_a_model(column: Column) -> bool:
    """Whether a column says whose the answers are (`answer_source`), and of some rows that a model gave theirs."""
    words = set(words_of(column.name))
    whose = words & {*RIGHT, "answer", "key", "gabarito", "resposta", "respuesta"} and words & ORIGINS
    said = {str(v) for v in column.values} if whose and column.length <= 40 else set()
    return len(said) > 1 and any(of_a_model(v) or {"ai", "ia", "llm"} & set(words_of(v)) for v in said)
