"""Tables and exams that are written into a text: Markdown tables, questions whose right options bear a mark in brackets.

Each gives (line, record or Bad) pairs, or [] where the text is none.
"""

import itertools
import re

from data_prep.tables.records import Bad, one_header
from data_prep.values.choices import LINE
from data_prep.words.names import LETTERS

RULE = re.compile(r"\s*\|?(?:\s*:?-{2,}:?\s*\|)+\s*(?::?-{2,}:?)?\s*")
NO_ROW = re.compile(r"\s*(?:#{1,6}\s.*|[-*_=]{3,}\s*|```.*)")  # headings, rules, fences


def line_numbers(text: str, places: list[int]):
    """The line, from 1, of each place in a text; places in their order."""
    line, at = 1, 0
    for place in places:
        line, at = line + text.count("\n", at, place), place
        yield line


def at_lines(text: str, found: list[tuple[int, object]]) -> list[tuple[int, object]]:
    """(line, what is found) of (place, what is found) in a text; places in their order."""
    return list(zip(line_numbers(text, [at for at, _ in found]), (one for _, one in found), strict=True))


def markdown_table(text: str, shown: str) -> list[tuple[int, dict | Bad]]:
    """Rows of a text that is for the most part one Markdown table, or several of the same header. Other lines are listed as Bad.

    Raises UserError where its tables have different headers.
    """
    lines = text.splitlines()
    heads = [n for n in range(len(lines) - 1) if "|" in lines[n] and "|" in lines[n + 1] and RULE.fullmatch(lines[n + 1])]
    in_table = sum(line.lstrip().startswith("|") for line in lines)
    if not heads or in_table < 0.6 * sum(bool(line.strip()) for line in lines) or in_table - 2 * len(heads) < 5:
        return []
    header, above = one_header([cells_of(lines[n]) for n in heads], shown), {n for at in heads for n in (at, at + 1)}
    rows = []
    for n, line in enumerate(lines):
        if n in above or not line.strip() or NO_ROW.fullmatch(line):
            continue
        cells = cells_of(line)
        if n < heads[0] or not line.lstrip().startswith("|"):
            rows.append((n + 1, Bad("no row of the table", line)))
        elif len(cells) != len(header):
            rows.append((n + 1, Bad("has another number of cells than the header", line)))
        else:
            rows.append((n + 1, dict(zip(header, cells, strict=True))))
    return rows


def cells_of(line: str) -> list[str]:
    line = re.sub(r"^\s*\||(?<!\\)\|\s*$", "", line)
    return [re.sub(r"<br\s*/?>", "\n", cell).replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)]


OPTION = re.compile(r"^[ \t]*\(?([A-Ja-j])[).]{1,2}[ \t]*\[[ \t]*([xX✓✔*+]?)[ \t-]*\][ \t]*(.*)$", re.M)
NUMBERED = re.compile(r"^[ \t]*(\d{1,4})(?:[ \t]*[.)][ \t]*|[ \t]+|(?=[A-ZÀ-ÞĂÂÎŞȘŢȚ]))(?=[^\W\d])", re.M)
SORT = re.compile(r"(?:CS|CM|C\.S\.|C\.M\.)[.:]?\s+")  # complement simplu, complement multiplu: how many are right, in Moldova


def marked_exam(text: str) -> list[tuple[int, dict | Bad]]:
    """Numbered questions whose options stand as `a) [x] text` and `b) [ ] text`, the marked ones right.

    What comes between two questions is looked at from its last number on. A question without such options, or with letters
    that do not follow one another, is Bad; where that are more than a fifth, the text is no such exam.
    """
    hits = list(OPTION.finditer(text))
    starts = [n for n, hit in enumerate(hits) if hit[1].upper() == "A"]
    runs = [hits[a:b] for a, b in itertools.pairwise([*starts, len(hits)])]
    if len(runs) < 3 or starts[0] or not any(hit[2] for hit in hits):
        return []
    rows, before = [], 0
    for run, following in zip(runs, [*runs[1:], None], strict=True):
        between = text[before : run[0].start()]
        numbers = list(NUMBERED.finditer(between))
        for number, after in itertools.pairwise(numbers):
            skipped = between[number.start() : after.start()].strip()
            rows.append((before + number.start(), Bad("a question without marked options", skipped)))
        after = text[run[-1].end() : following[0].start() if following else None]
        head = NUMBERED.search(after) if following else None
        place = before + numbers[-1].start() if numbers else run[0].start()
        rows.append((place, _question(between, numbers, run, after[: head.start()] if head else after)))
        before = run[-1].end()
    if sum(isinstance(row, dict) for _, row in rows) < 0.8 * len(rows):
        return []
    return at_lines(text, rows)


def _question(between: str, numbers: list[re.Match], run: list[re.Match], rest: str) -> dict | Bad:
    """`between` ends with the stem, `rest` begins with what belongs to the last option: lines right below it, no heading."""
    said = (between[numbers[-1].start() :] if numbers else "") + run[0].string[run[0].start() : run[-1].end()]
    if not numbers:
        return Bad("marked options without a numbered question", said)
    if (
        "".join(hit[1] for hit in run).upper() != LETTERS[: len(run)]
        or len(run) < 2
        or LINE.search(between[numbers[-1].end() :] + rest)
    ):
        return Bad("options without a mark, or whose letters do not follow one another", said)
    stem = SORT.sub("", " ".join(between[numbers[-1].end() :].split()), count=1)
    ends = [hit.start() for hit in run[1:]] + [run[-1].end()]
    texts = [" ".join(hit.string[hit.start(3) : end].split()) for hit, end in zip(run, ends, strict=True)]
    texts[-1] = " ".join([texts[-1], *re.split(r"\n[ \t]*\n", rest.removeprefix("\n"), maxsplit=1)[0].split()])
    options = [{"letter": h[1].upper(), "text": said, "is_correct": bool(h[2])} for h, said in zip(run, texts, strict=True)]
    return {"number": int(numbers[-1][1]), "question": stem, "options": options}
