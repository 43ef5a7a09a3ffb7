"""Questions and answers of a running text, each from a line of its own on: `P1: …`, `R: …`; `Q1.`, `A1.`; `1. …`, `R: …`."""

import functools
import itertools
import re
from typing import NamedTuple

from data_prep.documents.asked_text import ASKS, BLANK, LONE, MOST_BESIDE, OF_EXAM, TELLS, bare
from data_prep.tables.records import Bad
from data_prep.values.choices import split_question
from data_prep.words.phrases import asks
from data_prep.words.said import TRUTH

FEWEST = 3  # pairs
MOST_BESIDE_EACH = 400  # characters of a question with what stands beside it
QUESTION = re.compile(r"[^\W\d_]\d{0,2}[)\"'’”]?[?？؟](?=[\W_]|$)")
BOLD = r"(?:\*\*|__)?"
START = rf"^[ \t>]*(?:[-*•][ \t]+)?{BOLD}"
TOLD_WORD = rf"(?:{TELLS}|rta|resp|ans)"
NUMBER = r"(?:(?:n[º°]?\.?|[º°]\.?|\.)[ \t]*)?(\d{1,3})"
SIGN = rf"[ \t]*(?:(?:[:：.)\]]|[–—-](?=[ \t]))+{BOLD}[:：]?)[ \t]*"
ASKED = re.compile(
    rf"{START}\[?(?:{ASKS}|d[úu]vida|consulta)(?:[ \t]*{NUMBER}{SIGN}|\.[ \t]?(\d{{1,3}})[ \t]+(?=[^\W\d]))", re.M | re.I
)
ASKED_BARE = re.compile(
    rf"{START}(?:(?:{ASKS}|d[úu]vida)[ \t]*[:：]{BOLD}[ \t]*|(?:pergunta|quest[ãa]o|question|pregunta)[ \t]*[–—-][ \t]+)",
    re.M | re.I,
)
NUMBERED = re.compile(rf"{START}{NUMBER}[ \t]*(?:[.)]-?|[–—-](?=[ \t]))(?!\d)[ \t]*(?=\S)", re.M)
TOLD = re.compile(  # a letter alone needs a colon, a number or bold type: `A.` is an option, `R. Silva` a name
    rf"{START}\[?(?:{TOLD_WORD}[ \t]*{NUMBER}{SIGN}|{TOLD_WORD}[ \t]*[:：]{BOLD}[ \t]*"
    r"|(?:resposta|respuesta|r[ée]ponse|answer|antwort|risposta)[ \t]*[–—-][ \t]+|(?:r\.-?|resp\.|ans\.)[ \t]+(?=\S)"
    rf"|(?<=[*_]){TOLD_WORD}\.(?:\*\*|__)[ \t]*)",
    re.M | re.I,
)
BOLD_LINE = re.compile(r"(?:^|\n[ \t]*\n)[ \t]*(?:\*\*[^*\n]+\*\*|__[^_\n]+__)[ \t]*$")
CAPITALS = re.compile(r"(?:^|\n[ \t]*\n)[ \t]*[A-ZÀ-Þ][^a-zß-ÿ.!?\n]{2,60}$")
KEY = re.compile(r"\s*(?:(?:a )?(?:letra|alternativa|op[çc][ãa]o|opci[óo]n|item|option)\s*)?[(\"]?[A-Ja-j\d][)\"]?\.?\s*", re.I)
MARKED = re.compile(rf"{START}\[?(?:{ASKS}|{TELLS})[ \t]*\d{{0,3}}[ \t]*[:：\]]", re.M | re.I)


class Mark(NamedTuple):
    start: int
    end: int
    asks: bool
    number: int  # 0 where there is none


def marked_pairs(text: str) -> list[tuple[int, dict | Bad]]:
    """(place, question and answer) where a text is a list of such pairs; [] where it is none, or where one pair is not plain.

    Questions and answers take turns, and the numbers follow one another, from 1 again at most. What stands above the first,
    and below the last where no other answer has a second block, is Bad; titles are nothing.
    """
    ways = (_by_marks, _by_bare_marks, _by_numbers, _by_asking_marks)
    return next((rows for marks in ways if (rows := _pairs(text, marks(text)))), [])


def holds_marked(text: str) -> bool:
    """Whether a text has several questions and answers under such marks, whatever else it holds."""
    told = len(TOLD.findall(text))
    return min(told, len(ASKED.findall(text))) >= FEWEST or len(_by_numbers(text)) >= 2 * FEWEST


def asked_in_a_row(text: str) -> int:
    """How many questions follow one another with their answers, all under bare marks (`Pergunta:`, `A:`); 0 of other texts.

    Such marks name questions and answers and no people, so nothing says whether each stands by itself or they are one talk.
    """
    marks, asking = _bare_marks(text)
    return asking if _take_turns(marks) and asking >= 0.8 * len(marks) / 2 else 0


def asks_often(text: str) -> bool:
    """Whether many lines of a text ask, with little beside each: of a leaflet's parts, whose titles ask, each is long."""
    lines = [line for line in text.splitlines() if line.strip()]
    asking = sum(bool(QUESTION.search(line)) for line in lines)
    return asking >= 4 and asking >= 0.2 * len(lines) and len(text) <= MOST_BESIDE_EACH * asking


def _found(pattern: re.Pattern, text: str, asking: bool) -> list[Mark]:
    return [Mark(h.start(), h.end(), asking, int(next(filter(None, h.groups()), 0))) for h in pattern.finditer(text)]


def _by_marks(text: str) -> list[Mark]:
    return sorted(_found(ASKED, text, True) + _found(TOLD, text, False))


def _bare_marks(text: str) -> tuple[list[Mark], int]:
    """Marks without a number, and how many of those that ask have a question behind them."""
    marks = sorted(_found(ASKED_BARE, text, True) + _found(TOLD, text, False))
    asking = sum(asks(text[a.end : b.start]) for a, b in itertools.pairwise(marks) if a.asks)
    return marks, asking


def _take_turns(marks: list[Mark]) -> bool:
    """Whether questions and answers, several of each, follow one another."""
    return len(marks) >= 2 * FEWEST and all(m.asks != bool(n % 2) for n, m in enumerate(marks))


def _by_bare_marks(text: str) -> list[Mark]:
    """Marks without a number, where each pair stands apart from the next and is one block: else they are one conversation."""
    marks, asking = _bare_marks(text)
    begins = [m for m in marks if m.asks]
    apart = all(not text[: m.start].strip() or re.search(r"\n[ \t]*\n[ \t]*$", text[: m.start]) for m in begins)
    whole = all("\n\n" not in text[a.end : b.start] for a, b in itertools.pairwise(marks) if a.asks and not b.asks)
    return marks if apart and whole and asking >= 0.8 * len(begins) else []


def _by_numbers(text: str) -> list[Mark]:
    """The numbered line that stands last before each answer: those before it are a list in the answer above."""
    marks = sorted(_found(TOLD, text, False) + _found(NUMBERED, text, True))
    asked = [a for a, b in itertools.pairwise(marks) if a.asks and not b.asks]
    told = [mark for mark in marks if not mark.asks]
    return sorted([*asked, *told]) if len(asked) == len(told) and asked and asked[0].number == 1 else []


def _by_asking_marks(text: str) -> list[Mark]:
    """Marked questions (`Q1. …?`) of a line each, where nothing marks the answers: what stands beneath each is its answer."""
    asked = _found(ASKED, text, True)
    ends = [end if (end := text.find("\n", m.end)) >= 0 else len(text) for m in asked]
    plain = all(asks(text[m.end : end].strip(" \t*_")) for m, end in zip(asked, ends, strict=True))
    return sorted([*asked, *(Mark(end, end, False, 0) for end in ends)]) if plain and not TOLD.search(text) else []


def _titles_of(above: str) -> list[re.Pattern]:
    """How titles look that stand between pairs, beside those with signs: as the one that stands above the first pair."""
    return [form for form in (BOLD_LINE, CAPITALS) if form.search(bare(above))]


def _above(text: str) -> list[tuple[int, Bad]]:
    """What stands above the first pair, but titles: listed as a reject."""
    lines = (bare(line) for line in text.split("\n"))
    rest = "\n".join(line for line in lines if line and not BOLD_LINE.fullmatch(line) and not CAPITALS.fullmatch(line))
    return [(0, Bad("no question with its answer", rest))] if rest else []


def _bare(part: str, titles: list[re.Pattern]) -> str:
    """A part without the titles that stand between it and the next."""
    part = bare(part)
    while (shorter := bare(functools.reduce(lambda said, form: form.sub("", said), titles, part))) != part:
        part = shorter
    return part


def _pairs(text: str, marks: list[Mark]) -> list[tuple[int, dict | Bad]]:
    if len(marks) % 2 or not _take_turns(marks):
        return []
    numbers = [m.number for m in marks[::2]]
    if any(b not in (a + 1, min(a, 1)) for a, b in itertools.pairwise(numbers)) or numbers[0] > 1:
        return []
    if any(b.number not in (0, a.number) for a, b in zip(marks[::2], marks[1::2], strict=True)):
        return []
    parts = [text[m.end : n.start if n else None] for m, n in itertools.pairwise([*marks, None])]
    return _rows(text, [m.start for m in marks[::2]], parts[::2], parts[1::2])


def _judge_or_key(asked: list[str], told: list[str]) -> bool:
    """Whether more than a few answers are letters of options that stand elsewhere, or say that a statement is true."""
    judged = sum(a.strip(" .!").casefold() in TRUTH and not asks(q) for q, a in zip(asked, told, strict=True))
    return sum(bool(KEY.fullmatch(a)) for a in told) + judged > len(told) / 8


def _rows(text: str, places: list[int], asked: list[str], told: list[str]) -> list[tuple[int, dict | Bad]]:
    """The pairs, or [] where a part is empty, holds options, boxes or another mark, or ends in what may be a title."""
    titles = _titles_of(text[: places[0]])
    asked, told = [_bare(q, []) for q in asked], [_bare(a, titles) for a in told]
    told[-1], *below = [told[-1]] if any(map(BLANK.search, told[:-1])) else BLANK.split(told[-1], maxsplit=1)
    if not all(asked) or not all(re.search(r"\w", a) for a in told) or _judge_or_key(asked, told):
        return []
    if any(split_question(q)[1] or OF_EXAM.search(q) or MARKED.search(q) for q in asked):
        return []
    if any(OF_EXAM.search(a) or MARKED.search(a) or LONE.search(a) for a in told):
        return []
    beside = _above(text[: places[0]]) + [(places[-1], Bad("no question with its answer", said)) for said in below]
    if sum(len(bad.text) for _, bad in beside) > MOST_BESIDE * len(text):
        return []
    pairs = [(p, {"question": q, "answer": a}) for p, q, a in zip(places, asked, told, strict=True)]
    return sorted([*beside, *pairs], key=lambda one: one[0])
