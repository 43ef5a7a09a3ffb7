"""Tables without a line of names: their first line is a row like all below it."""

import functools
import re

from data_prep.words.names import LETTERS
from data_prep.words.phrases import meanings

FEWEST = 4  # rows that must look alike
ASKS = re.compile(r"[?？؟]\s*[\"”»')]*\s*$")
KEY = re.compile(r"[A-Ja-j]")


def names_for(rows: list[list], shown: str) -> list[str]:
    """Names for the columns of a table whose first line is a row; [] where that line can be one of names.

    It is a row where no cell of it is a known name and a column asks from the first line on, or where the last cell is a
    letter on every line and names one of the cells between it and the first. Only those two say what their columns are.
    """
    rows = [[str(c).strip() if c is not None else "" for c in row] for row in rows]
    rows = [row for row in rows if any(row)]
    width = len(rows[0]) if rows else 0
    if len(rows) < FEWEST or width < 2 or any(len(row) != width for row in rows) or not all(rows[0]):
        return []
    if any(meanings(cell) for cell in rows[0]):
        return []
    letters = [row[-1].upper() for row in rows]
    options = LETTERS[: width - 2]
    # The last option is right somewhere: one column too many (a topic, an id) would have its letter nowhere.
    if width >= 4 and all(KEY.fullmatch(letter) and letter in options for letter in letters) and options[-1] in letters:
        return _told(shown, ("question", *options, "answer"))
    asking = [
        n for n in range(width) if ASKS.search(rows[0][n]) and sum(bool(ASKS.search(r[n])) for r in rows) >= 0.8 * len(rows)
    ]
    if not asking:
        return []
    return _told(shown, ("question", "answer") if width == 2 and asking == [0] else [f"_column{n}" for n in range(1, width + 1)])


@functools.cache
def _said(shown: str, names: tuple[str, ...]) -> None:
    print(f"note: {shown} has no line of names, its first line is a row; its columns are called {', '.join(names)}")


def _told(shown: str, names) -> list[str]:
    _said(shown, tuple(names))
    return list(names)
