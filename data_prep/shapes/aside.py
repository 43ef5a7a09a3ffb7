"""A sheet of numbers alone (counts, ids), or a database's table of names, beside one of questions: no rows, no reason to ask."""

import re

from data_prep.documents.exam.files import KEY_NAME
from data_prep.shapes.columns import Column, profile, share
from data_prep.shapes.fitting import is_numbering
from data_prep.words.names import IDS, is_telling, plain, words_of

COUNTS = set(
    "total totals totais totales count counts quantidade quantidades cantidad qtd qtde percent percentage percentual porcentagem "
    "porcentaje media mean average soma sum".split()
)
ASIDE = "of a sheet of numbers, or a table of names, beside the questions"


def is_of_numbers(rows: list[dict], title: str, beside: int) -> bool:
    """Whether a sheet's rows are numbers alone, or counts beside names, and no key of the `beside` questions on another sheet.

    A key by numbers is of numbers as well: where a name looks like a key's, where small numbers are half as many as the
    questions are, or where the first line is of numbers as well, this is asked about.
    """
    columns = [c for c in profile(rows).values() if c.kind != "empty"]
    numbers = [c for c in columns if c.kind == "number"]
    said = [c for c in columns if c.kind != "number"]
    key = re.search(rf"\b(?:{KEY_NAME})\b", " ".join(words_of(title))) or any(
        is_telling(c.name) and not _counts(c) for c in columns
    )
    if not numbers or key or not all(_is_word(c.name) for c in columns):
        return False
    if said and not (len(said) == 1 and _is_of_names(said[0]) and all(map(_counts, numbers))):
        return False
    return 2 * len(rows) < beside or not any(share(c.values, _is_small) >= 0.5 for c in numbers)


def is_of_names_alone(rows: list[dict]) -> bool:
    """Whether a database's table holds ids and one name each (tags, users): what questions with their answers refer to."""
    columns = [c for c in profile(rows).values() if c.kind != "empty"]
    said = [c for c in columns if not IDS.match(plain(c.name))]
    return len(said) == 1 < len(columns) and not is_telling(said[0].name) and _is_of_names(said[0])


def _counts(column: Column) -> bool:
    return bool(COUNTS & set(words_of(column.name)))


def _is_word(name: str) -> bool:
    return bool(re.search(r"[^\W\d]", str(name))) and not str(name).startswith("_column")


def _is_of_names(column: Column) -> bool:
    short = column.kind == "text" and all(len(str(v)) <= 60 and "?" not in str(v) for v in column.values)
    return short and column.distinct == column.looked_at and not is_numbering(column)


def _is_small(value) -> bool:
    return bool(re.fullmatch(r"\s*\d(?:\.0+)?\s*", str(value)))
