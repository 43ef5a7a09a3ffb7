"""The numbered questions of an exam in running text, each with its options and what stands below them."""

import itertools
import re
import statistics
from dataclasses import dataclass, field
from typing import NamedTuple

from data_prep.documents.exam.key import OWN_KEY, TITLE, is_of_table
from data_prep.documents.exam.layout import SIGN, Head, marks_between
from data_prep.tables.records import Bad
from data_prep.words.names import LETTERS

WHY = re.compile(
    r"^[ \t>*_-]*(?:explanation|rationale|coment[áa]rios?|explica[çc][ãa]o|explicaci[óo]n|justificativa|retroalimentaci[óo]n)"
    r"[ \t*_]*(?:[:：]|$)[ \t*_]*",
    re.I | re.M,
)
NAMED = re.compile(r"[ \t]*([^\W\d_]\w{0,15})[ \t]*:[ \t]*(\S.{0,60})")
RIGHTLY = (  # `(correta)`, `(Resposta correta)`, `(correct answer)`
    r"(?:(?:resposta|alternativa|op[çc][ãa]o|letra|respuesta|opci[óo]n|risposta|r[ée]ponse|bonne|antwort|richtige|right|correct|the)"
    r"[ \t]+){0,2}(?:corret[ao]|correct[aeo]?|corrett[ao]|cert[ao]|right|esatta|giusta|richtige?"
    r"|(?<=[ \t])(?:answer|option|r[ée]ponse|antwort))"
)
AFTER = re.compile(rf"[ \t]*(?:\*|✓|✔|✅|[(\[][ \t]*(?:[*✓✔✅x]|{RIGHTLY})[ \t!]*[)\]])(?:\*\*)?[ \t.]*$", re.I)
OF_A_PART = (  # `II. Doenças da tireoide (Questões 13 - 20)`
    r"(?:[IVX]{1,5}|\d{1,2}|[A-H])[.)–-][ \t][^\n?]{1,120}"
    r"\((?i:c[âa]u|quest\w+|pergunt\w+|pregunt\w+|q|n[º°]|fragen|domande|itens|items|soal|вопрос\w*)\.?"
    r"[ \t]*\d{1,3}[ \t]*(?:[-–—]|a|to|đến)[ \t]*\d{1,3}\)"
)
HEADING = re.compile(
    rf"^[ \t]*(?:#{{1,6}}[ \t].*|[-*_=]{{3,}}|(?=.*[A-ZÀ-Þ]{{4}})[A-ZÀ-Þ][A-ZÀ-Þ ,/–-]{{3,59}}|{OF_A_PART})[ \t]*$", re.M
)
ITEM = re.compile(r"[ \t]*(?:[IVX]{1,4}[ \t]*[.)–-]|\([ \t]*[VF]?[ \t]*\)|\d{1,2}[.)][ \t]|[-•][ \t]|[a-e]\))")
RANGE = r"\d{1,3}(?:[ \t]*(?:,|a|à|até|to|e|y|and|und|bis|[-–—])[ \t]*(?:a[ \t]+)?\d{1,3})+"
COMMON = re.compile(  # what several questions stand on
    r"^(?=[^\w\n]*(?-i:[A-ZÀ-Þ]))(?=.*\b(?:textos?|casos?|leia|lea|considere|utilize|responda|referem|read|text|case|abaixo|seguir|seguinte|following)\b)"
    rf".{{0,120}}?\b(?:quest[õo]es|preguntas|questions|itens|items|fragen|domande)\b.{{0,20}}?\b(?P<range>{RANGE})\b.*$",
    re.M | re.I,
)
CASE = re.compile(
    r"^[ \t>#*_]*(?=(?-i:[A-Z]))(?:caso(?:[ \t]+cl[íi]nico)?|(?:clinical[ \t]+)?case|cas[ \t]+clinique|fall(?:beispiel)?)"
    r"[ \t]*(?:n?[º°.]*[ \t]*\d{1,3})?(?:[ \t]*\([^()\n]{1,40}\))?[ \t*_]*(?:[:.–—-].*)?$",  # `Caso clínico (breve):`
    re.M | re.I,
)


class Option(NamedTuple):
    letter: str
    text: str
    bare: str  # without what may mark it as right
    marked: bool


@dataclass
class Asked:
    """A numbered question as it stands in the text."""

    number: int
    start: int
    stem: str
    options: list[Option]
    rest: str  # below the last option
    above: str = ""  # lines of its key between stem and options
    doubt: str = ""  # whether its last option is whole
    context: str = ""
    explanation: str = ""
    about: dict[str, str] = field(default_factory=dict)  # `NAME: value` above the case that it stands on
    astray: bool = False  # another case begins before it, and where is not told

    @property
    def texts(self) -> dict[str, str]:
        return {option.letter: option.text for option in self.options}


def questions_of(text: str, runs: list[list[re.Match]], heads: list[Head | None]) -> list[tuple[int, Asked | Bad]]:
    found, last = [], None
    width = statistics.quantiles([len(line) for line in text.split("\n") if line.strip()] or [0], n=10)[-1] if text else 0
    for n, (run, head) in enumerate(zip(runs, heads, strict=True)):
        following = next((h.start for h in heads[n + 1 :] if h), len(text))
        end = min(following, runs[n + 1][0].start() if n + 1 < len(runs) else len(text))
        if head is None:
            found.append((run[0].start(), Bad("lettered options without a number of their own", text[run[0].start() : end])))
            continue
        if last is not None and head.number > last + 1:
            found.append((head.start, Bad(f"no options found for the numbers {last + 1} to {head.number - 1}", "")))
        last = head.number
        alone = n + 1 == len(runs) or heads[n + 1] is not None
        asked = _asked(text, run, head, end, width)
        why = _unlike(asked, text, run, head, end) or ("" if alone else "where it ends is not known")
        found.append((head.start, Bad(f"options that are not plain: {why}", said_of(asked)) if why else asked))
    return found


def _asked(text: str, run: list[re.Match], head: Head, end: int, width: float) -> Asked:
    ends = [*(hit.start() for hit in run[1:]), end]
    bodies = [text[hit.end() : stop] for hit, stop in zip(run, ends, strict=True)]
    bodies[-1], rest = _cut(bodies[-1], width)
    capitals = HEADING.match(rest) and rest.lstrip()[:1].isalpha() and not OWN_KEY.match(rest) and not TITLE.match(rest)
    open_end = not bodies[-1].rstrip(" \t").endswith((".", ";", "?", ")", "\n"))
    doubt = "capitals right below its last option" if capitals and open_end else ""
    options = [_option(hit, body) for hit, body in zip(run, bodies, strict=True)]
    stem = text[head.end : run[0].start()]
    keys = [hit for hit in OWN_KEY.finditer(stem) if not hit["line"] and not (hit["more"] or "").strip(" *_.)]")]
    above = "\n".join(hit.group() for hit in keys)
    for hit in reversed(keys):
        stem = stem[: hit.start()] + stem[hit.end() :]
    return Asked(head.number, head.start, paragraphs(stem), options, rest, above, doubt)


BOX = re.compile(  # `a) [x] text`, `a) !text`, `a) * text`
    r"(?:\[[ \t]*(?P<tick>[xX✓✔]?)[ \t]*\]|(?P<cry>!(?=\w)|\*(?=[ \t]+\w)))[ \t]*"
)
RULE = re.compile(r"[ \t]*[-_=]{5,}$")  # at the end of a last option's line


def _option(hit: re.Match, body: str) -> Option:
    said = " ".join(body.replace(SIGN, "").split())
    said = RULE.sub("", said)
    box = BOX.match(said)
    said = said[box.end() :] if box else said
    bold = hit["sign"] == "**"  # whole, or its letter alone
    said = said.removesuffix("**") if bold and said.count("**") == 1 else said
    bare = AFTER.sub("", said).strip()
    whole = bold and "**" not in hit.group()[hit.group().index("**") + 2 :]
    signed = whole or hit["sign"] == "*" or any(sign in hit["sign"] for sign in f"xX✓✔✅☑{SIGN}")
    ticked = bool(box and (box["tick"] or box["cry"]))
    return Option(hit["letter"].upper(), said.strip(), bare, signed or ticked or bare != said.strip())


def _cut(body: str, width: float) -> tuple[str, str]:
    """The last option's own text, and what comes below it: from an empty line, a key, a heading, `NAME: value` on."""
    lines = body.split("\n")
    full = [n for n, line in enumerate(lines) if line.strip()]
    for before, at in itertools.pairwise(full):
        line = lines[at]
        ended = width >= 60 and len(lines[before]) < 0.6 * width and lines[before].rstrip().endswith((".", ";", "?"))
        apart = (at > before + 1 or ended) and not line.lstrip()[:1].islower()
        pair = "\n".join(lines[at : at + 4])
        other = OWN_KEY.match(pair) or TITLE.fullmatch(line) or is_of_table(line) or COMMON.match(line) or CASE.match(line)
        if apart or other or WHY.match(line) or NAMED.fullmatch(line.strip()) or HEADING.match(line):
            return "\n".join(lines[:at]), "\n".join(lines[at:])
    return body, ""


LABEL = re.compile(r"\*\*[^*\n]{2,30}:\*\*[^\n]{1,60}|\*\*[^*\n]{2,30}\*\*:[^\n]{1,60}")  # `**Topic:** Heart`


def paragraphs(text: str) -> str:
    """Lines joined, but for those that begin an item of a list, and for paragraphs."""
    parts: list[str] = []
    empty = False
    for line in text.replace(SIGN, "").split("\n"):
        if not line.strip():
            empty = True
            continue
        apart = empty and parts and parts[-1].endswith((".", ":", "?", "!")) and not line.strip()[:1].islower()
        apart = apart or (parts and LABEL.fullmatch(parts[-1]))
        if parts and not apart and not ITEM.match(line):
            parts[-1] = f"{parts[-1]} {' '.join(line.split())}"
        else:
            parts.append(" ".join(line.split()))
        empty = False
    said = "\n".join(parts)
    return (said.removeprefix("** ").removesuffix("**") if said.count("**") == 1 else said).strip()


def _unlike(asked: Asked, text: str, run: list[re.Match], head: Head, end: int) -> str:
    """Why a question is none that can be trusted, or ""."""
    texts = list(asked.texts.values())
    small = [text[:1].islower() for text in texts]
    following = LETTERS[len(run)]
    marks = marks_between(text, run, run[0].start(), end)
    if len(marks) != len(run) or any(hit["letter"] in "ABab" for hit in marks_between(text, run, head.end, run[0].start())):
        return "a letter more than once, or out of order"
    if re.search(
        rf"\n[ \t>*-]*(?:(?i:[(\[]?{following}[ \t]?[.)\]:-])|{following}[ \t]+\S)", text[run[-1].end() : end - len(asked.rest)]
    ):
        return f"an option {following} that is written otherwise"
    if asked.doubt:
        return asked.doubt
    if not asked.stem or not all(texts):
        return "an empty question or option"
    if len(set(texts)) < len(texts):
        return "two options alike"
    return "a last option that may be a line of another" if small[-1] and not any(small[:-1]) and len(texts) > 2 else ""


def said_of(asked: Asked) -> str:
    return f"{asked.number} {asked.stem} {' '.join(f'{letter}) {text}' for letter, text in asked.texts.items())}"
