"""The lines of a PDF's pages as its text: no heads and feet of pages in it, no words cut in two, no marks without their items."""

import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from data_prep.documents.exam.layout import MARK, PAGE, is_of_exam
from data_prep.values.html_text import BULLETS

MOST_EDGES, FEW = 4, 4  # lines: at each edge of a page, and of a page that has little beside its head
OF_WORDS = 25  # letters of a line that is the same on many pages: an option or an answer's mark would be shorter
SIGNS = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "\u00ad": "-", "\uf020": " "}) | BULLETS
BROKEN = re.compile(r"(\w*[^\W\d_])([ \t]?)[-\u2010][ \t]*\n\s*([^\W\d_A-ZÀ-Þ]\w*)([.,;:!?)\]»”’\"']*)")
OF_ADDRESS = ("http", "https", "www")
PRONOUN = re.compile(r"(?:se|l[oa]s?|n[oa]s?|lhes?|me|te|vos)")  # "queixando-se"
KEPT = re.compile(
    r"(?:p[óo]s|pr[ée]|anti|rec[ée]m|n[ãa]o|ex|vice|sub|auto|inter|micro|semi|m[ée]dico|post|non|self|well|low|high)", re.I
)
BEFORE = frozenset("sobre para entre ante contra super inter trans with under over through unter über".split())


def whole_words(text: str) -> str:
    """Words that a line's end cut in two are joined, and what closes a sentence stays with them; one that is written with its
    hyphen elsewhere keeps it, and so does one of two words that the text has, each by itself, and never as one. A space before
    the hyphen is the program's where what it parts is no two words of the text; else it is a dash."""
    words = set(re.findall(r"[^\W\d_]+", BROKEN.sub(" ", text).lower())) if BROKEN.search(text) else set()

    def joined(hit: re.Match) -> str:
        first, space, second = hit[1], hit[2], hit[3]
        whole = first + second
        if space and ((whole not in text and first.lower() in words and second.lower() in words) or second in OF_ADDRESS):
            return hit.group()
        stays = f"{first}-{second}" in text or (
            whole not in text and (KEPT.fullmatch(first) or PRONOUN.fullmatch(second) or _are_two(first, second, words))
        )
        return f"{f'{first}-{second}' if stays else whole}{hit[4]}\n"

    return BROKEN.sub(joined, text)


def _are_two(first: str, second: str, words: set[str]) -> bool:
    first, second = first.lower(), second.lower()
    long = len(first) >= 4 and len(second) >= 5 and first not in BEFORE
    return long and first in words and second in words and first + second not in words


CUT = re.compile(r"^[ \t]*([A-ZÀ-Þ][^\W\d_]{0,4})[ \t]*\n([^\W\d_]+)", re.M)  # tagged PDFs set a paragraph's first letters apart
WORDS_OF_A_LETTER = "AEIOÀÉY"


def _is_cut(first: str, rest: str, words: set[str]) -> bool:
    """Whether a line is the beginning of the next line's first word: a letter that is none itself, or what the text has whole."""
    if len(first) == 1 and first not in WORDS_OF_A_LETTER:
        return rest[0].islower() or first + rest in words
    return len(first) > 1 and len(rest) > 2 and rest.islower() and first + rest in words


BULLET = re.compile(r"^[ \t]*[\ue000-\uf8ff](?:[ \t]+(?=\S)|[ \t]*$)", re.M)  # of a font of symbols, whichever it draws
ROUND = re.compile(r"^([ \t]*)o[ \t]+(?=[A-ZÀ-Þ])", re.M)  # Word's bullet of a second level, from a font of letters
AN_O = re.compile(r"^[ \t]*o[ \t]", re.M)
FEWEST_ROUND, NEARLY = 3, 0.9
LETTERS_OF_BULLETS, FEWEST_BEGUN = "lnqtrm", 8  # what fonts of bullets have at a ball, a square, a box; different words


def _with_bullets(text: str) -> str:
    """The text with bullets for signs of fonts of symbols, for an `o` that capitals alone follow, and for a letter that is no
    word where it begins lines of many different first words."""
    round_ones = len(ROUND.findall(text))
    if round_ones >= FEWEST_ROUND and round_ones >= NEARLY * len(AN_O.findall(text)):
        text = ROUND.sub(r"\1• ", text)
    for letter in LETTERS_OF_BULLETS:
        begun = re.compile(rf"^([ \t]*){letter}(?:[ \t]+(?=(\S+))|[ \t]*$)", re.M)
        if len({hit[2] for hit in begun.finditer(text) if hit[2]}) >= FEWEST_BEGUN:
            text = begun.sub(r"\1• ", text)
    return BULLET.sub("• ", text)


MARK_ALONE = re.compile(r"[ \t]*(?:\d{1,3}[.)]|[•●▪○◦])[ \t]*")
FEWEST_ALONE = 3
DOTTED = re.compile(r"[^\n]*?[ \t]*(?:(?:\.[ \t]?){6,}|(?<!_)_{6,})[ \t]*(\d{1,4})[ \t]*")  # a line of a table of contents
FEWEST_DOTTED, MANY_DOTTED = 5, 10  # in one run; in a text, whose heads and long titles part its contents


def prose_lines(text: str) -> str:
    """The text with the first letters of paragraphs at their words, and without marks of items and lines of contents that stand
    by themselves, one below the other."""
    words = set(re.findall(r"[^\W\d_]+", text))
    text = _with_bullets(text)
    text = CUT.sub(lambda hit: hit[1] + hit[2] if _is_cut(hit[1], hit[2], words) else hit.group(), text)
    of_contents = sum(bool(DOTTED.fullmatch(line)) for line in text.split("\n"))
    fewest_dotted = 2 if of_contents >= MANY_DOTTED else FEWEST_DOTTED
    for form, fewest in ((MARK_ALONE, FEWEST_ALONE), (DOTTED, fewest_dotted)):
        text = _without_runs(text, form, fewest)
    return text


def _without_runs(text: str, form: re.Pattern, fewest: int) -> str:
    """The text without `fewest` and more lines of a form, one below the other, empty lines aside. Numbers that a form has go up,
    as those of pages do: what was measured does not."""
    kept: list[str] = []
    run: list[str] = []
    for line in [*text.split("\n"), None]:
        if line is not None and (form.fullmatch(line) or (run and not line.strip())):
            run.append(line)
            continue
        said = [hit for one in run if (hit := form.fullmatch(one))]
        numbers = [int(hit[1]) for hit in said if form.groups]
        kept += [""] if len(said) >= fewest and numbers == sorted(numbers) else run
        run = []
        kept += [] if line is None else [line]
    return "\n".join(kept)


def without_edges(pages: list[str], said_once: bool = False) -> list[str]:
    """Pages without the lines at their first and last places that many pages share, digits aside: in the middle of a question or
    a sentence they would be read as its words. `said_once`: of running text; a line of words stays on the first page that has
    it."""
    lines = [page.split("\n") for page in pages if page]
    least, kept, gone = max(3, 0.4 * len(lines)), [], set()  # where left and right pages differ, each has half
    for at in (-1, 0) * MOST_EDGES:
        common = Counter(_plain(page[at]) for page in lines if page)
        is_asked = (_asked_in_text if said_once else _asked_in_exam)(lines, at, least)
        for number, page in enumerate(lines):
            if not page or (len(page) <= FEW and _plain(page[at]) not in gone):
                continue
            line, plain = page[at], _plain(page[at])
            is_number = said_once and line.strip().lstrip("0") == str(number + 1)
            if is_number or (common[plain] >= least and not is_asked(line)):
                gone |= {plain} if said_once else set()
                kept.append(_Edge(number, at, page.pop(at)))
    if said_once:
        _drop_numbered(lines, least)
    parts = _said_at(kept) if said_once else {}
    return ["\n".join([*parts.get((n, 0), []), *page, *parts.get((n, -1), [])]) for n, page in enumerate(lines)]


def _drop_numbered(lines: list[list[str]], least: float) -> None:
    """Take `Page 3 of 12` out of the first and last lines of pages, where many have it, at whatever place."""
    found = [(n, at) for n, page in enumerate(lines) for at in range(len(page)) if _is_page_number(page, at)]
    if len({n for n, _ in found}) >= least:
        for n, at in reversed(found):
            del lines[n][at]


def _is_page_number(page: list[str], at: int) -> bool:
    line = page[at]
    near = at < MOST_EDGES or at >= len(page) - MOST_EDGES
    return near and any(map(str.isdigit, line)) and any(map(str.isalpha, line)) and bool(OF_PAGE.fullmatch(_hashed(line)))


def _counted(lines: list[list[str]], at: int, least: float) -> set[str]:
    """The lines at an edge, as compared, whose first number goes up by one from page to page, as that of the pages does."""
    steps = Counter(
        (_plain(page[at]), int(hit[1]) - number)
        for number, page in enumerate(lines)
        if page and (hit := re.match(r"\s*(\d{1,4})\b", page[at]))
    )
    return {plain for (plain, _), times in steps.items() if times >= least}


def _asked_in_exam(lines: list[list[str]], at: int, least: float) -> Callable[[str], bool]:
    """Tells whether an exam's line that many pages share may be a question, an option or a key: a number that is the same on all
    pages is no question's."""
    same = Counter(page[at].strip() for page in lines if page)
    return lambda line: is_of_exam(line, numbers=same[line.strip()] < least)


def _asked_in_text(lines: list[list[str]], at: int, least: float) -> Callable[[str], bool]:
    """The same of running text: an option has few letters, and the numbers of questions are not those of pages."""
    counted = _counted(lines, at, least)

    def is_asked(line: str) -> bool:
        long = MARK.match(line) and sum(map(str.isalpha, line)) >= OF_WORDS
        return is_of_exam(line, numbers=_plain(line) not in counted) and not long

    return is_asked


class _Edge(NamedTuple):
    page: int
    at: int  # 0 for its first line, -1 for its last
    line: str


OF_PAGE = re.compile(rf"\W*(?:{PAGE.pattern})[.:]?[\W_]*(?:(?:of|de|von|di|sur|van|из|z)[\W_]*)?", re.I)


def _said_at(edges: list[_Edge]) -> dict[tuple[int, int], list[str]]:
    """Of lines that pages share, those with words, in their order: each on the first page that has it."""
    first = {}
    for edge in edges:
        if any(map(str.isalpha, edge.line)) and not OF_PAGE.fullmatch(_hashed(edge.line)):
            first.setdefault((_plain(edge.line), edge.at), edge)
    found: dict[tuple[int, int], list[str]] = {}
    for edge in sorted(first.values(), key=lambda edge: edge.page):
        place = found.setdefault((edge.page, edge.at), [])
        place.insert(0 if edge.at else len(place), edge.line)
    return found


def _plain(line: str) -> str:
    """A line by which pages are compared: digits aside, and a page's number before or behind it."""
    plain = _hashed(line.strip()).replace("##", "#").replace("##", "#")
    return plain.strip("# |•·~–—-") or plain


def _hashed(line: str) -> str:
    return "".join("#" if c.isdigit() else c for c in line)
