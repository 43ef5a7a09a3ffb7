"""An exam in running text (TXT, Markdown, HTML, DOCX, PDF): numbered questions, lettered options, and a key.

It is read where all agrees: the questions' numbers follow one another, the options' letters too, and a key is found that holds
for the whole text: a mark on the right option, a line below each question, one table of all numbers, or a file beside it.
Keys that are given twice must agree. A question that does not agree is Bad; where those are more than a fifth, or no key is
found, the text is no such exam, and asked about.
"""

from dataclasses import dataclass, field

from data_prep.documents.exam.answers import answers_of
from data_prep.documents.exam.cases import give_contexts
from data_prep.documents.exam.key import OWN_KEY, TITLE, is_of_table
from data_prep.documents.exam.layout import chain_of, laid_out, runs_of
from data_prep.documents.exam.numbered import lettered
from data_prep.documents.exam.questions import HEADING, Asked, questions_of
from data_prep.documents.exam.rows import OUTSIDE, row_of, told_apart
from data_prep.tables.records import Bad

FEWEST = 5  # questions of which some may be Bad; of fewer none


@dataclass
class Exam:
    """What is read of a text: (place, row or Bad) of each question; or why nothing is, though it has lettered options."""

    rows: list[tuple[int, dict | Bad]] = field(default_factory=list)
    why: str = ""


def exam_in(text: str, key: str = "") -> list[tuple[int, dict | Bad]]:
    """(place, row or Bad) of each question of an exam, or [] where the text is none, or none whose key it, or `key`, holds."""
    return read_exam(text, key).rows


def read_exam(text: str, key: str = "") -> Exam:
    text = lettered(text) or laid_out(text)
    runs = runs_of(text)
    heads = chain_of(text, runs) if len(runs) > 1 else []
    told, share = sum(h is not None for h in heads), 0.8 if len(heads) >= FEWEST else 1
    if told < 2 or told < share * len(heads):
        why = f"of its {len(runs)} groups of options {told} stand below a number that follows the one before"
        return Exam([], why if runs else "")
    found = questions_of(text, runs, heads)
    asked = [one for _, one in found if isinstance(one, Asked)]
    if len(asked) < share * len(found):
        bad = next(one for _, one in found if isinstance(one, Bad))
        number = len(found) - len(asked)
        return Exam([], f"{number} of its {len(found)} questions are not plain: {bad.reason} ({bad.text[:80]!r})")
    last = found[-1][1] if isinstance(found[-1][1], Asked) else None
    after = last.rest if last else text[found[-1][0] :]
    before, problem = give_contexts(found, text)
    keys = answers_of(asked, before, after, key)
    if problem or isinstance(keys, str):
        return Exam([], problem or keys)
    above, below = _aside(before), ""
    if last:
        ends = (at for at, line in _lines(after) if TITLE.fullmatch(line) or is_of_table(line) or HEADING.match(line))
        cut = next(ends, len(after))
        last.rest, below = after[:cut], _aside(after[cut:])
    if len(above) + len(below) > found[-1][0] - found[0][0] + 3000:
        return Exam([], "more stands outside its questions than in them")
    rows = [(at, row_of(one, keys.get(one.start)) if isinstance(one, Asked) else one) for at, one in found]
    rows, problem = told_apart(rows)
    if problem:
        return Exam([], problem)
    if sum(isinstance(row, dict) for _, row in rows) < 0.8 * len(rows):
        return Exam([], next(row.reason for _, row in rows if isinstance(row, Bad)))
    rows = [(0, Bad(OUTSIDE, above)), *rows] if above else rows
    return Exam([*rows, (len(text) - 1, Bad(OUTSIDE, below))] if below else rows)


def _lines(text: str):
    """(place, line) of each line."""
    at = 0
    for line in text.split("\n"):
        yield at, line
        at += len(line) + 1


def _aside(text: str) -> str:
    """What of a text before or after the questions is neither a heading nor a key."""
    kept = [line for _, line in _lines(HEADING.sub("", text)) if not TITLE.fullmatch(line) and not is_of_table(line)]
    said = "\n".join(line for line in kept if any(map(str.isalpha, line)) and not OWN_KEY.match(line)).strip()
    return said if len(said) > 40 else ""
