"""The text that several questions of an exam stand on: a case, or what is announced for a range of numbers."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from data_prep.documents.exam.questions import CASE, COMMON, HEADING, Asked, paragraphs
from data_prep.tables.records import Bad

ABOUT = re.compile(r"[ \t]*([^\W\d_]\w{0,15})[ \t]*:[ \t]*(\S.{0,119})")
MOST_ABOUT = 8  # lines above a case
ANNOUNCES = re.compile(r"(?i)\b(?:texto?s?|casos?|case|abaixo|seguir|seguinte|following)\b")
FOR_ALL = 10**6


@dataclass
class Standing:
    """The case that holds where a reader of the text has come to."""

    case: str = ""
    about: dict[str, str] | None = None
    until: int = 0
    astray: int = 0  # up to this number the case is one that was not told apart


class Gap(NamedTuple):
    """What stands between two questions that are plain: below the first one, and in those between that are not plain."""

    below: str
    lost: str


def give_contexts(found: list[tuple[int, Asked | Bad]], text: str) -> tuple[str, str]:
    """Give questions the text that stands before several of them; (what else stands before the first, a problem or "").

    A case that begins in a question that is not plain, or that should begin where the numbers do, is none that is known.
    """
    asked, gaps = _gaps(found, text)
    by_case, standing, aside = bool(CASE.search(gaps[0].below)), Standing(), [gap.below for gap in gaps]
    of_case = _first_name(gaps[0].below) if by_case else ""
    for n, (one, gap) in enumerate(zip(asked, gaps, strict=True)):
        hit = COMMON.search(gap.below) or (CASE.search(gap.below) if by_case else None)
        again = by_case and n and standing.case and one.number <= asked[n - 1].number
        if any(heading.group().strip(" -*_=") for heading in HEADING.finditer(gap.below)):
            standing = Standing()  # another part begins
            again = False
        if hit:
            aside[n], about = _about(gap.below[: hit.start()], of_case)
            standing, problem = _begun(hit, gap.below[hit.end() :], one.number)
            standing.about = about
            if problem:
                return text[: found[0][0]], problem
        lost = COMMON.search(gap.lost) or (CASE.search(gap.lost) if by_case else None)
        if lost or (again and not hit):
            standing.astray = _range(lost["range"])[-1] if lost and lost.re is COMMON else FOR_ALL
        one.astray = one.number <= standing.astray
        one.context = standing.case if one.number <= standing.until else ""
        one.about = (standing.about or {}) if one.context else {}
        if n:
            asked[n - 1].rest = aside[n]
    return aside[0], ""


def _gaps(found: list[tuple[int, Asked | Bad]], text: str) -> tuple[list[Asked], list[Gap]]:
    """The plain questions, and what stands before each."""
    asked, gaps, lost = [], [], ""
    for n, (at, one) in enumerate(found):
        if isinstance(one, Bad):
            lost += text[at : found[n + 1][0]] if n + 1 < len(found) else ""
            continue
        gaps.append(Gap(asked[-1].rest if asked else text[: found[0][0]], lost))
        asked.append(one)
        lost = ""
    return asked, gaps


def _begun(hit: re.Match, below: str, number: int) -> tuple[Standing, str]:
    """The case that a line begins, or why it is none that can be given to questions."""
    line, body = hit.group().strip("#*_ \t"), paragraphs(below)
    numbers = [] if hit.re is CASE else _range(hit["range"])
    case = f"{line}\n{body}".strip() if body or ":" in line.rstrip(":") else ""
    problem = ""
    if not case and ANNOUNCES.search(line):
        problem = f"a text that is announced is not there: {line[:80]!r}"
    elif numbers and case and number != numbers[0]:
        problem = f"a text for the questions {hit['range']} stands before question {number}"
    return Standing(case, None, numbers[-1] if numbers else FOR_ALL), problem


def _first_name(before: str) -> str:
    """The name of the first of the `NAME: value` lines right above the first case, "" where none stands there."""
    above = before[: CASE.search(before).start()].rstrip().split("\n\n")[-1].split("\n")[-MOST_ABOUT:]
    return next((named[1].casefold() for line in above if (named := ABOUT.fullmatch(line))), "")


def _about(above: str, first: str) -> tuple[str, dict[str, str]]:
    """What stands above a case without the lines that tell of it, from the one with this name on; and these by their names."""
    lines = above.rstrip().split("\n")
    named = [ABOUT.fullmatch(line) for line in lines]
    starts = [n for n, hit in enumerate(named) if hit and hit[1].casefold() == first]
    if not first or not starts or starts[-1] < len(lines) - MOST_ABOUT:
        return above, {}
    about: dict[str, str] = {}
    for line, hit in zip(lines[starts[-1] :], named[starts[-1] :], strict=True):
        name = hit[1].casefold() if hit else list(about)[-1]
        about[name] = f"{about.get(name, '')} {hit[2] if hit else line}".strip()
    return "\n".join(lines[: starts[-1]]), about


def _range(said: str) -> list[int]:
    numbers = [int(n) for n in re.findall(r"\d+", said)]
    return numbers if len(numbers) != 2 else list(range(numbers[0], numbers[1] + 1))
