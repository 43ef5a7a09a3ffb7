"""Records of a text whose parts bear the same names in each (`ID: …`, `Question: …`, `Key: b`), one below another: rows."""

import collections
import itertools
import re

from data_prep.documents.asked_text import RULE, bare
from data_prep.tables.records import Bad
from data_prep.values.turns import role_of
from data_prep.words.names import plain
from data_prep.words.phrases import meanings

LABEL = re.compile(
    r"^[ \t>*_-]*([^\W\d_][^\W_]*(?:[ /'’-][^\W_]+){0,4})[ \t]{0,4}(?:\([^()\n]{1,30}\))?[*_]{0,3}[:：][ \t*_]*(.*)$"
)
HEAD = re.compile(r"^[ \t]*#{1,6}[ \t]+(\S.*)$", re.M)
NUMBERED = re.compile(r"\ufeff?[ \t#*]*(?:[^\W\d_]{1,12}[ \t]*)?(\d{1,4})[ \t.:)*]*")  # `Question 12` above a record's first name
OF_OPTIONS = re.compile(r"(?:option|choice|op[çc][ãa]o|opci[óo]n|alternativa|opzione)[ ]?(?:[A-Ja-j]|\d)", re.I)
FEWEST = 5
ASKS, TELLS = {"question", "text", "prompt", "instruction"}, {"answer", "output", "label", "completion"}


def labelled_records(text: str) -> list[tuple[int, dict | Bad]]:
    """(place, row) of each record; [] where records are no rows of one form.

    Records stand between rules or headings, or begin with the same name each. A name that four of five records have, each once,
    is a column; one of them asks, another tells, and none is a speaker.
    """
    parts = _parts(text)
    found = [_labels(part) for _, part in parts]
    counts = collections.Counter(itertools.chain.from_iterable(dict.fromkeys(name for name, _, _ in labels) for labels in found))
    names = {name for name, n in counts.items() if n >= 0.8 * len(parts)}
    if any(map(OF_OPTIONS.fullmatch, names)):  # some questions have more of them
        names |= set(filter(OF_OPTIONS.fullmatch, counts))
    said = set().union(*map(set, map(meanings, names))) if names else set()
    if len(parts) < FEWEST or not said & ASKS or not said & TELLS or any(map(_is_speaker, names)):
        return []
    rows = [(at, _row(part, [one for one in labels if one[0] in names])) for (at, part), labels in zip(parts, found, strict=True)]
    bad = sum(isinstance(row, Bad) for _, row in rows)
    return rows if bad <= 0.1 * len(rows) else []


def _is_speaker(name: str) -> bool:
    return role_of(name, {}) is not None and not meanings(name)


def _parts(text: str) -> list[tuple[int, str]]:
    """(place, text) of what stands between rules, between headings, or from each line on that begins as the first one does."""
    for cuts in (_starts(RULE, text), _starts(HEAD, text), _firsts(text)):
        places = [0, *cuts]
        parts = [(a, text[a:b]) for a, b in itertools.pairwise([*places, len(text)])]
        parts = [(at, part) for at, part in parts if _labels(part)]
        if len(parts) >= FEWEST and not re.search(r"\w", text[: parts[0][0]][:-200]):
            return parts
    return []


def _starts(form: re.Pattern, text: str) -> list[int]:
    return [hit.start() for hit in form.finditer(text)]


def _firsts(text: str) -> list[int]:
    """Where the lines with the name that stands first in the text begin, with its number on a line above. An empty line comes
    before each, as turns follow one another, or numbers that go up."""
    lines = list(re.finditer(r"^.*$", text, re.M))
    named = [(n, label[1]) for n, line in enumerate(lines) if (label := LABEL.match(line.group()))]
    firsts, numbers = [], []
    for n, name in named:
        if name == named[0][1]:
            number = NUMBERED.fullmatch(lines[n - 1].group()) if n else None
            numbers += [int(number[1])] if number else []
            firsts.append(lines[n - bool(number)].start())
    apart = all(at < 2 or text[at - 2 : at] == "\n\n" for at in firsts)
    return firsts if apart or (len(numbers) == len(firsts) and numbers == sorted(set(numbers))) else []


def _labels(part: str) -> list[tuple[str, int, int]]:
    """(name, where its line begins, where its value does) of each named line."""
    found, at = [], 0
    for line in part.split("\n"):
        if hit := LABEL.match(line):
            found.append((hit[1].strip(), at, at + hit.start(2)))
        at += len(line) + 1
    return found


def _row(part: str, labels: list[tuple[str, int, int]]) -> dict | Bad:
    if not labels or len({plain(name) for name, _, _ in labels}) < len(labels):
        return Bad("a record with a name twice, or none of the others' names", part.strip())
    ends = [*(begin for _, begin, _ in labels[1:]), len(part)]
    values = [bare(part[begin:end]) for (_, _, begin), end in zip(labels, ends, strict=True)]
    row = dict(zip((name for name, _, _ in labels), values, strict=True))
    heading = HEAD.sub(lambda hit: hit[1].strip(" \t#"), RULE.sub("", part[: labels[0][1]])).strip()
    return ({"heading": heading} if heading else {}) | row
