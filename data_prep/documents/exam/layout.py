"""Where the questions of an exam in running text stand: option marks whose letters follow one another, and a number above each.

Places are those of the text as it came: what is laid out anew keeps its length.
"""

import re
from collections import Counter
from typing import NamedTuple

from data_prep.documents.exam.key import OWN_KEY
from data_prep.words.names import LETTERS, plain

SIGN = "\u2063"  # before a paragraph that is set apart by its type (bold, underlined, coloured), where a format tells

SIGNED = r"^[ \t>]*(?:[-•][ \t]+)?(?P<sign>[xX✓✔✅☑*" + SIGN + r"]{0,2}|\[[ xX✓✔*]?\](?:[ \t]*\*\*(?!\*))?)[/\\]?[ \t]?"
MARK = re.compile(
    SIGNED + r"(?P<open>[(\[]?)(?P<letter>[A-Ja-j])(?P<close>[.)\]．、）]|[ \t]?[-–:：](?=[ \t]))(?:\*\*)?[ \t]*", re.M
)
INLINE = re.compile(
    rf"(?:{SIGNED}|(?<=[ \t;]))(?P<open>[(\[]?)(?P<letter>[A-Ja-j])(?P<close>[)\]、．]|\.(?=[ \t]))(?=[ \t]*\S)", re.M
)
HEAD = re.compile(
    r"^[ \t>#*_" + SIGN + r"]*(?P<open>[(\[]?)"
    r"(?P<word>(?:[Qq]|[^\W\d_]{1,12}\.?[ \t]*(?:[nN]?[º°]\.?|[nN]\.)?[ \t]+)?)(?P<number>[0-9]{1,4})"
    r"(?P<close>[ \t]*[.):\]、．–-]{1,2}(?!\d)|(?=[ \t]*_*[ \t]*$)|(?=[ \t]+[^\W\d_]))"
    r"(?:[ \t*]|(?<!_)_{1,2}(?!_)|_{3,}(?=[ \t]*$))*",  # a longer line before words is a gap, and the question's own
    re.M,
)
PAGE = re.compile(r"(?:p[áa]g(?:ina)?|page|seite|str(?:ona)?|p|pg)?", re.I)  # before a page's number
TAGS = re.compile(r"</?(?:details|summary|p|br|center|b|u)(?:\s[^<>\n]{0,40})?/?>", re.I)
MOST_INLINE = 600  # characters of an option that another follows on its line


class Head(NamedTuple):
    number: int
    start: int
    end: int
    style: tuple[str, str, str]


def laid_out(text: str) -> str:
    """The text with a line's beginning before each option of those that stand on one line, and no tags of Markdown's folding."""
    text = TAGS.sub(lambda tag: " " * len(tag.group()), text)
    breaks: list[int] = []
    open_runs: dict[tuple, list[re.Match]] = {}
    for hit in (*INLINE.finditer(text), None):
        style = _style(hit) if hit else None
        for of in [style] if hit else list(open_runs):
            run = open_runs.get(of, [])
            if hit and run and hit["letter"].upper() == LETTERS[len(run) : len(run) + 1] and _near(run[-1], hit, text):
                run.append(hit)
                continue
            if len(run) > 2:
                breaks += [one.start() - 1 for one in run if one["sign"] is None]
            open_runs[of] = [hit] if hit and hit["letter"] in "Aa" else []
    if not breaks:
        return text
    signs = list(text)
    for place in breaks:
        signs[place] = "\n"
    return "".join(signs)


def _near(one: re.Match, other: re.Match, text: str) -> bool:
    between = text[one.end() : other.start()]
    return other["sign"] is not None or (len(between) < MOST_INLINE and any(c.isalnum() for c in between))


def option_runs(text: str) -> list[list[re.Match]]:
    """Option marks whose letters follow one another from A, each run of one way of writing."""
    runs, open_runs = [], {}
    for hit in MARK.finditer(text):
        style, letter = _style(hit), hit["letter"].upper()
        run = open_runs.get(style, [])
        if letter == "A":
            open_runs[style] = [hit]
            runs.append(open_runs[style])
        elif run and letter == LETTERS[len(run) : len(run) + 1]:
            run.append(hit)
        else:
            open_runs.pop(style, None)
    return [run for run in runs if len(run) > 1]


def _style(hit: re.Match) -> tuple[str, str, bool]:
    return hit["open"], hit["close"].strip(), hit["letter"].isupper()


def runs_of(text: str) -> list[list[re.Match]]:
    """The runs of the commonest way of writing; lists inside stems are written otherwise."""
    runs = option_runs(text)
    common = Counter(_style(run[0]) for run in runs).most_common(1)
    return [run for run in runs if _style(run[0]) == common[0][0]]


def marks_between(text: str, run: list[re.Match], start: int, end: int) -> list[re.Match]:
    """Option marks of a run's way of writing that stand between two places."""
    return [hit for hit in MARK.finditer(text, start, end) if _style(hit) == _style(run[0])]


def chain_of(text: str, runs: list[list[re.Match]]) -> list[Head | None]:
    """The head of each run's question: of the one way of writing numbers in which most follow one another."""
    before = [0, *(run[-1].end() for run in runs)]
    parts = [
        [
            Head(int(h["number"]), h.start(), h.end(), (h["open"], plain(h["word"]), h["close"].strip()))
            for h in HEAD.finditer(text, a, run[0].start())
        ]
        for a, run in zip(before, runs, strict=False)
    ]
    starts = dict.fromkeys(
        (head.style, head) for part in parts[:2] for head in reversed(_no_lists(part)[-20:])
    )  # the nearest first
    chains = [_follow(parts, style, first) for style, first in starts]
    return max(chains, key=lambda chain: sum(h is not None for h in chain), default=[])


def _no_lists(part: list[Head]) -> list[Head]:
    """The heads that the next number of their way of writing does not follow at once, as in a list."""
    after: dict[tuple, int] = {}
    kept = []
    for head in reversed(part):
        if after.get(head.style) != head.number + 1:
            kept.append(head)
        after[head.style] = head.number
    return kept[::-1]


def _follow(parts: list[list[Head]], style: tuple[str, str, str], first: Head) -> list[Head | None]:
    """From `first` on: in each part the one head of this style with the next number; None where there are none or two.

    Numbers can begin again, where the next part goes on from there.
    """
    of_style = [[head for head in part if head.style == style] for part in parts]
    chain, last = [], None
    for n, same in enumerate(of_style):
        if last is None:
            chain.append(first if first in same else None)
            last = first.number if first in same else None
            continue
        following = {h.number for h in of_style[n + 1]} if n + 1 < len(of_style) else set()
        near = [h for h in _no_list(same, last + 1) if last < h.number <= last + 5]
        again = [h for h in same if h.number == first.number and first.number + 1 in following and last + 2 not in following]
        if len(near) > 1:  # one of them is a number in the text of the other
            near = [h for h in near if h.number + 1 in following]
        if not near and len(again) == 1:
            near = again
        chain.append(near[0] if len(near) == 1 else None)
        last = chain[-1].number if chain[-1] else last + 1
    return chain


def _no_list(same: list[Head], expected: int) -> list[Head]:
    """The heads of a part without those of a list that counts from 1 in the text of a question, or below one."""
    kept, listed = [], 0
    for head in same:
        if head.number == listed + 1 and (listed or head.number != expected):
            listed = head.number
        else:
            kept.append(head)
            listed = 0
    return kept


def is_of_exam(line: str, numbers: bool = True) -> bool:
    """Whether a line begins a question (where `numbers` can), an option or a key; the number of a page alone does not."""
    head = HEAD.match(line)
    numbered = head and not (
        PAGE.fullmatch(head["word"].strip(" .\t")) and (head["word"].strip() or not line[head.end() :].strip())
    )
    return bool(MARK.match(line) or OWN_KEY.match(line) or (numbers and numbered))
