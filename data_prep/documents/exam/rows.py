"""The questions of an exam as rows, with their answers; what stands below their options is an explanation, a column, or Bad."""

import re
import statistics

from data_prep.documents.exam.key import ANNULLED, OWN_KEY, TITLE, Said, said_in, same_text
from data_prep.documents.exam.questions import HEADING, NAMED, WHY, Asked, paragraphs, said_of
from data_prep.tables.records import Bad

OUTSIDE = "text outside the questions"
OURS = {"number", "question", "options", "answer", "status", "explanation", "context"}
NUMBER = r"[ \t=–—-]*(?:p[áa]g(?:ina)?\.?|page|seite)?[ \t]*\d{1,4}(?:[ \t]*(?:de|of|/)[ \t]*\d+)?[ \t=–—-]*"
UNFOLDS = r"[ \t]*(?:ver|mostrar|show|see|view|reveal|exibir)[ \t].{0,20}"
FURNITURE = re.compile(f"{TITLE.pattern}|{NUMBER}|{UNFOLDS}", re.I)  # of a page


def row_of(asked: Asked, letters: list[str]) -> dict | Bad:
    if asked.astray:
        return Bad("a question of another case than the last one that is told apart, or of one that is not", said_of(asked))
    if letters == ["?"]:
        return Bad(
            "a question whose keys do not agree with one another, with its options, or with what is said of them", said_of(asked)
        )
    row = {"number": asked.number, "question": asked.stem, "options": asked.texts}
    row |= {"context": asked.context} if asked.context else {}
    row |= {f"case_{name}" if name in OURS else name: value for name, value in asked.about.items()}
    if any(map(ANNULLED.fullmatch, letters)):
        row |= {"answer": None, "status": "anulada"}
    else:
        row["answer"] = ", ".join(letters) or None
    return row | _told_below(asked)


def _told_below(asked: Asked) -> dict:
    """What stands below the options: an explanation, `NAME: value` as columns of these names, or other text."""
    key = OWN_KEY.search(asked.rest)
    behind = (said_in(asked.rest, asked.texts) or [Said(())])[0].more
    rest = "\n".join(line for line in HEADING.sub("", OWN_KEY.sub("", asked.rest)).split("\n") if not FURNITURE.fullmatch(line))
    row = {"explanation": asked.explanation} if asked.explanation else {}
    if why := WHY.search(rest):
        row["explanation"], rest = paragraphs(rest[why.end() :]), rest[: why.start()]
    elif behind and not same_text(behind, "".join(asked.texts.values())) and behind not in map(str.strip, asked.texts.values()):
        row["explanation"] = behind
    below: dict[str, str] = {}
    for line in map(str.strip, filter(str.strip, rest.split("\n"))):
        named = NAMED.fullmatch(line)
        after = "after_key" if key and asked.rest.find(line) > key.start() else "below_options"
        name, value = (named[1].casefold(), named[2]) if named and named[1].casefold() not in OURS else (after, line)
        below[name] = f"{below[name]} {value}" if name in below else value
    return row | below


def told_apart(rows: list[tuple[int, dict | Bad]]) -> tuple[list[tuple[int, dict | Bad]], str]:
    """What stands below the key explains it where half of the questions have it. What few have is of the option above, or of
    the questions below: (rows, why these cannot be told apart or "")."""
    good = [row for _, row in rows if isinstance(row, dict)]
    after = [len(row["after_key"]) for row in good if "after_key" in row]
    explains = len(after) >= 0.5 * len(good)
    for row in good:
        if text := row.pop("after_key", ""):
            long = len(text) > 6 * statistics.median(after) + 200
            name = "explanation" if explains and not long and "explanation" not in row else "below_options"
            row[name] = f"{row[name]} {text}" if name in row else text
    below = [row for row in good if "below_options" in row]
    if len(below) >= 0.2 * len(good):
        return rows, ""  # a column, which is asked about
    if below and below[-1] is good[-1]:
        rows = [*rows, (rows[-1][0], Bad(OUTSIDE, below.pop().pop("below_options")))]
    if long := next((row for row in below if len(row["below_options"]) >= 40), None):
        return (
            rows,
            f"below question {long['number']} stands a text of which nothing says whose it is: {long['below_options'][:60]!r}",
        )
    lost = {id(row) for row in below}
    return [(at, Bad("text below its options that is no key", str(row)) if id(row) in lost else row) for at, row in rows], ""
