"""Tables without a line of names: their first line is a row like all below it."""

import functools
import re
from pathlib import Path

from data_prep.words.names import LETTERS
from data_prep.words.phrases import meanings

FEWEST = 4  # rows that must look alike
ASKS = re.compile(r"[?？؟]\s*[\"”»')]*\s*$")
TELL = re.compile(  # what asks as well: an order to tell, a gap to fill
    r"(?i)\W*(?:define|defina|definir|d[ée]finis(?:sez)?|definiere|name|nenne|list|liste|listez|citez?|citar|mencione|nommez?|describe|descreva"
    r"|describa|d[ée]crivez|explain|explique|expliquez|explica|erkl[äa]re|enumere|enum[ée]rez|elenca|indique|complete|state)\b(?=\s+\S)"
    r"|.*\S?\s*_{3,}"
)
CARDS = re.compile(r"(?i)(?:flash[ _-]?cards?|anki|karteikarten)")
KEY = re.compile(r"[A-Ja-j]")


def names_for(rows: list[list], shown: str) -> list[str]:
    """Names for the columns of a table whose first line is a row; [] where that line can be one of names.

    It is a row where no cell of it is a known name and a column asks or counts from the first line on, where the last cell is a
    letter on every line and names one of the cells between it and the first, or where the file's name says that its two columns
    are the sides of cards. Only those say what their columns are.
    """
    rows = [[str(c).strip() if c is not None else "" for c in row] for row in rows]
    rows = [row for row in rows if any(row)]
    width = len(rows[0]) if rows else 0
    cards = width == 2 and bool(CARDS.search(Path(shown).stem)) and _is_sentence(rows[0][1])
    if len(rows) < (2 if cards else FEWEST) or width < 2 or any(len(row) != width for row in rows) or not all(rows[0]):
        return []
    if any(meanings(cell) for cell in rows[0]):
        return []
    letters = [row[-1].upper() for row in rows]
    options = LETTERS[: width - 2]
    # The last option is right somewhere: one column too many (a topic, an id) would have its letter nowhere.
    if width >= 4 and all(KEY.fullmatch(letter) and letter in options for letter in letters) and options[-1] in letters:
        return _told(shown, ("question", *options, "answer"))
    asking = [n for n in range(width) if _asks(rows[0][n]) and sum(_asks(r[n]) for r in rows) >= 0.8 * len(rows)]
    if cards and not asking:
        asking = [0]
    if not asking and any(map(_counts_on, zip(*rows, strict=True))):
        return _told(shown, [f"_column{n}" for n in range(1, width + 1)])
    if not asking or (width == 2 and 2 * len({row[1] for row in rows}) <= len(rows)):  # the second sorts the first
        return []
    return _told(shown, ("question", "answer") if width == 2 and asking == [0] else [f"_column{n}" for n in range(1, width + 1)])


def _counts_on(cells: tuple[str, ...]) -> bool:
    """Whether a column counts from its first line on (s1, s2, s3, s4): that line is a row as well."""
    hits = [re.fullmatch(r"(\D{0,10})(\d{1,6})", cell) for cell in cells[:FEWEST]]
    return all(hits) and [(h[1], int(h[2])) for h in hits] == [(hits[0][1], int(hits[0][2]) + n) for n in range(len(hits))]


def _asks(cell: str) -> bool:
    return bool(ASKS.search(cell) or TELL.match(cell))


def _is_sentence(cell: str) -> bool:
    """Whether a cell is what no column is called."""
    return len(cell.split()) >= 8 or cell.endswith(".")


@functools.cache
def _said(shown: str, names: tuple[str, ...]) -> None:
    print(f"note: {shown} has no line of names, its first line is a row; its columns are called {', '.join(names)}")


def _told(shown: str, names) -> list[str]:
    _said(shown, tuple(names))
    return list(names)
