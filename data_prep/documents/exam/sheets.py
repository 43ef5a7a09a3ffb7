"""An exam whose key stands on another sheet of its workbook, a number and a letter a row: joined by number, where all agree."""

import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

from data_prep.documents.exam.files import EXAM_NAME, KEY_NAME
from data_prep.tables.records import LOOKED_AT, Bad
from data_prep.values.strict import is_missing
from data_prep.words.names import OF_A_MODEL, words_of
from data_prep.words.phrases import ITEM_NUMBER, meanings
from data_prep.words.said import ANNULLED

LETTER = re.compile(r"\(?[A-Ja-j]\)?")
SHEET = r"(?:sheet|planilha|folha|hoja|aba|tab) ?\d*"
PLAIN = rf"\b(?:{KEY_NAME}|{EXAM_NAME}|oficial|definitivo|official|final|de|do|da|das|dos|{SHEET})\b"


class Key(NamedTuple):
    """A key's letters by number, and the column that holds them."""

    column: str
    letters: dict[int, str]


def key_sheets(tables: dict[str, Iterable]) -> dict[str, str]:
    """Sheet of an exam -> that of its key, of a workbook's sheets as their readers give them. {} where it is not sure."""
    begun = {title: [list(itertools.islice(table, LOOKED_AT)), table] for title, table in tables.items()}
    like_keys = [title for title, (head, _) in begun.items() if _key(head, title)]
    if not like_keys or len(like_keys) == len(begun):
        return {}
    whole = {title: [*head, *rest] for title, (head, rest) in begun.items()}
    keys = {title: key for title in like_keys if (key := _key(whole[title], title))}
    fit = [
        (exam, title)
        for title, key in keys.items()
        for exam in whole.keys() - like_keys
        if number_column(whole[exam], key) and _bare(title) in ("", _bare(exam))
    ]
    once = all(len({pair[side] for pair in fit}) == len(fit) for side in (0, 1))
    return dict(fit) if once else {}


def with_letters(rows: list, key_rows: list, title: str) -> list:
    """An exam's rows, each with the letter that the key gives its number."""
    key = _key(key_rows, title)
    column = number_column(rows, key)
    return [
        (line, row if isinstance(row, Bad) else row | {key.column: key.letters[_number(row[column])]}, at)
        for line, row, at in rows
    ]


def _key(rows: list, title: str) -> Key | None:
    """The key that a sheet is: numbers that differ, each with a letter, under a name that says so; None for any other."""
    some = [row for _, row, _ in rows if isinstance(row, dict)]
    names = _filled(some)
    if len(names) != 2 or len(some) < 3 or len(some) < len(rows):
        return None
    numbers, column = names
    said = {_number(row.get(numbers)): str(row.get(column)).strip() for row in some}
    of_a_key = all(LETTER.fullmatch(letter) or ANNULLED.fullmatch(letter) for letter in said.values())
    words = {*words_of(title), *words_of(column)}
    named = "answer" in meanings(column) and re.search(rf"\b(?:{KEY_NAME})\b", " ".join(words)) and not OF_A_MODEL & words
    return Key(column, said) if named and of_a_key and None not in said and len(said) == len(some) else None


def number_column(rows: list, key: Key | None) -> str:
    """The one column of an exam's rows that numbers them as the key does; "" for none, or where they have keys of their own."""
    some = [row for _, row, _ in rows if isinstance(row, dict)]
    if key is None or not some:
        return ""
    filled = _filled(some)
    found = [name for name in filled if sorted(_number(row.get(name)) or 0 for row in some) == sorted(key.letters)]
    return found[0] if len(found) == 1 and not any("answer" in meanings(name) for name in filled) else ""


def _filled(rows: list[dict]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if any(not is_missing(row.get(name)) for row in rows)]


def _number(value) -> int | None:
    hit = ITEM_NUMBER.fullmatch(str(value))
    return int(hit[1]) if hit else None


def _bare(title: str) -> str:
    """A sheet's title without words for exams, keys and sheets: what is left says whose exam, or whose answers."""
    words = re.sub(r"(?<=[a-z])(?=\d)", " ", " ".join(words_of(title)))
    return " ".join(re.sub(PLAIN, " ", words).split())
