"""Heads and feet of a PDF's running text that stand at no fixed line of its pages: lines at their edges that come again in any
order and number, and titles of chapters beside the number of the page."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from data_prep.documents.exam.key import OWN_KEY
from data_prep.documents.exam.layout import MARK

DEEP = 8  # lines at an edge
MOST, SOME = 0.4, 0.15  # the shares of pages on which a line of any length, and one of several words, is a head
FEWEST, FEWEST_OF_WORDS, OF_WORDS, LONG = 3, 5, 2, 5  # pages; pages for a line of two words and more, of which a long one has 5
NUMBERED, TITLED = 5, 100  # pages whose number stands beside a title, and characters of such a line
WORD, NUMBER = re.compile(r"[^\W\d_]+"), re.compile(r"[0-9]{1,9}")
AT_START, AT_END = re.compile(r"\s*(\d{1,4})\s*(?=[^\W\d_])"), re.compile(r"[^\W\d_][^\d\n]*?(\d{1,4})\s*$")


class _Edge(NamedTuple):
    page: int
    at: int  # the line's place on its page
    line: str


def without_heads(pages: list[str]) -> list[str]:
    """Pages without the lines at their edges that many of them share, whatever their order; each is said once, where it
    stands first, and a title beside the page's number only where the text has it nowhere else."""
    lines = [page.split("\n") for page in pages]
    gone: set[tuple[int, int]] = set()
    text = "\n".join(pages)
    for side in (1, -1):
        edges = [list(_edge(page, number, side)) for number, page in enumerate(lines)]
        shared, offset, counted, said = _shared(edges), _offset(edges), _counted(edges), set()
        titles = Counter(_title(one.line) for edge in edges for one in edge if offset is not None and _is_titled(one, offset))
        for edge in edges:
            for one in edge:
                key = _key(one.line)
                titled = offset is not None and _is_titled(one, offset)
                numbered = counted is not None and _step(one) == counted
                if key not in shared and not titled and not numbered:
                    break
                title = _title(one.line)
                if key in said or numbered or (titled and text.count(title) > titles[title]):
                    gone.add((one.page, one.at))
                said.add(key)
    return ["\n".join(line for at, line in enumerate(page) if (n, at) not in gone) for n, page in enumerate(lines)]


def _edge(page: list[str], number: int, side: int) -> Iterator[_Edge]:
    """The lines of a page from one edge on that are not empty, half of its lines at most."""
    filled = [at for at, line in enumerate(page) if line.strip()]
    inwards = filled[::side][: min(DEEP, len(filled) // 2)]
    return (_Edge(number, at, page[at]) for at in inwards)


def _key(line: str) -> str:
    """A line by which pages are compared: its words in the order of their letters, as left and right pages turn them."""
    return " ".join(sorted(WORD.findall(line.casefold())))


def _shared(edges: list[list[_Edge]]) -> set[str]:
    """The keys of the lines that are heads: on many pages, no option, no answer, and no question that only its number tells."""
    found: dict[str, list[_Edge]] = {}
    for edge in edges:
        for key, one in {_key(one.line): one for one in reversed(edge)}.items():
            found.setdefault(key, []).append(one)
    return {key for key, ones in found.items() if key and _is_head(key, ones, len(edges))}


def _is_head(key: str, ones: list[_Edge], pages: int) -> bool:
    words = len(key.split())
    if len(ones) < FEWEST or any(MARK.match(one.line) or OWN_KEY.match(one.line) for one in ones):
        return False
    numbers = Counter(tuple(NUMBER.findall(one.line)) for one in ones)
    same = numbers.most_common(1)[0][1] >= max(FEWEST, 0.5 * len(ones))
    if not same and not _counts_pages(ones):  # the numbers are what such lines say
        return False
    of_words = (len(ones) >= FEWEST_OF_WORDS and words >= OF_WORDS) or words >= LONG
    return len(ones) >= MOST * pages or (len(ones) >= SOME * pages and of_words)


def _counts_pages(ones: list[_Edge]) -> bool:
    """Whether a number of such lines goes up as that of their pages does."""
    steps = Counter(step for one in ones for step in {int(number) - one.page for number in NUMBER.findall(one.line)})
    return bool(steps) and steps.most_common(1)[0][1] >= max(FEWEST, 0.5 * len(ones))


def _step(one: _Edge) -> int | None:
    """What a number that is all of a line has more than its page's place in the file."""
    return int(one.line) - one.page if re.fullmatch(r"\s*[0-9]{1,4}\s*", one.line) else None


def _counted(edges: list[list[_Edge]]) -> int | None:
    """The step of the numbers that stand alone at the edges of some pages and go up with them."""
    steps = Counter(step for edge in edges for step in {_step(one) for one in edge} if step is not None)
    step, times = steps.most_common(1)[0] if steps else (0, 0)
    return step if times >= FEWEST else None


def _numbers(line: str) -> list[int]:
    """The numbers at a short line's beginning and end, where words stand beside them."""
    if len(line) > TITLED:
        return []
    return [int(hit[1]) for form in (AT_START, AT_END) if (hit := form.search(line) if form is AT_END else form.match(line))]


def _offset(edges: list[list[_Edge]]) -> int | None:
    """What the page's number has more than its place in the file, where many first lines of pages bear it; else None."""
    steps = Counter(number - edge[0].page for edge in edges if edge for number in set(_numbers(edge[0].line)))
    offset, times = steps.most_common(1)[0] if steps else (0, 0)
    return offset if times >= max(NUMBERED, MOST * len(edges)) else None


def _is_titled(one: _Edge, offset: int) -> bool:
    return one.page + offset in _numbers(one.line)


def _title(line: str) -> str:
    return re.sub(r"^\s*\d{1,4}\s*|\s*\d{1,4}\s*$", "", line).strip()
