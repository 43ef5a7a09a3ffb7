"""Whether texts seem to hold an exam or its key, read by `exam_in` or not: they are asked about before they are plain text."""

import itertools
import re

from data_prep.documents.exam.key import OWN_KEY, TOKEN, strings_in, tables_in
from data_prep.documents.exam.layout import chain_of, option_runs, runs_of
from data_prep.shapes.columns import Column, share
from data_prep.shapes.lines import filled
from data_prep.values.choices import LINE, split_stem
from data_prep.words import alphabets
from data_prep.words.names import LETTERS

EXAM = re.compile(
    r"(?i)\b(?:quest[ãa]o|question|pregunta)\s*(?:n[ºo.]*\s*)?[\d|]|\bassinale\b|\balternativas?\b"
    r"|\bwhich of the following\b|\bgabarito\b"
)
NUMBER_HEAD = re.compile(r"^[ \t]*(?:#{1,6}[ \t]*)?(?:\*\*|__)?(\d{1,3})[.)][ \t]+(?=\S)", re.M)
ANYWHERE = re.compile(r"(?<![^\s(\[])([A-Ja-j])[.)\]](?=\s)")


def holds_exam(column: Column) -> bool:
    """Whether a text column holds multiple-choice questions: several in a text that speaks like an exam, or one in most texts.

    Guidelines have lists of a), b), c) too, but do not number questions or ask to mark an alternative.
    """
    for value in map(str, column.values[:20]):
        letters = [next(g for g in hit.groups() if g).upper() for hit in LINE.finditer(value)]
        runs = sum(letters[i : i + 4] == ["A", "B", "C", "D"] for i in range(len(letters)))
        keyed = letters.count("A") >= 3 and len(OWN_KEY.findall(value)) >= 3
        if keyed or (runs >= 3 and len(EXAM.findall(value)) >= 3) or looks_like_exam(value):
            return True
        lines = len(filled(value))
        others = [len(run) for run in alphabets.runs(value)]
        if len(others) >= 10 and sum(others) >= 0.4 * lines and len(NUMBER_HEAD.findall(value)) >= len(others) / 2:
            return True  # in another alphabet
    return len(column.values) > 1 and share(column.values, lambda v: len(split_stem(str(v))[1]) >= 3) >= 0.5


def looks_like_exam(text: str) -> bool:
    """Whether a text seems to hold lettered options by the ten, read by `exam_in` or not.

    Lists of a), b), c) in guidelines are rarer, and seldom number what stands above them; a question too many is answered once.
    """
    runs = [run for run in option_runs(text) if len(run) > 2]
    numbered = sum(h is not None for h in chain_of(text, runs_of(text))) if len(runs) >= 3 else 0
    if numbered >= 0.8 * len(runs) and len(runs) >= 3:
        return True
    hits = list(ANYWHERE.finditer(text))
    letters = "".join(hit[1] for hit in hits)
    spans = [hits[at.end() - 1].end() - hits[at.start()].start() for at in re.finditer("ABC|abc", letters)]
    close = max(len(runs), sum(span < 2000 for span in spans))
    return close >= 10 and len(text) / close < 2500


def holds_key(text: str) -> bool:
    """Whether ten numbers and more, one after another, have a letter each, or a text is mostly numbers with their letters."""
    if strings_in(text):
        return True
    tokens = TOKEN.findall(text)
    pairs = sum(a.isdecimal() and bool(re.fullmatch("[A-J]{1,3}", b)) for a, b in itertools.pairwise(tokens))
    if pairs >= 10 and 4 * pairs >= len(tokens):
        return True
    run, beyond = 0, (-1, 0)  # the place and the number that go on
    for at, (number, letter) in enumerate(itertools.pairwise(tokens)):
        if number.isdecimal() and len(number) < 4 and len(letter) == 1 and letter.upper() in LETTERS[:10]:
            run = run + 1 if (at, int(number)) == beyond else 1
            beyond = (at + 2, int(number) + 1)
            if run >= 10:
                return True
    return any(sum(len(letters) == 1 for letters in table.values()) >= 10 for table in tables_in(text))
