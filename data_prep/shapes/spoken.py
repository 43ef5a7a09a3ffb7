"""Texts that hold the turns of two sides: by marks of templates, by speakers before their lines, or on lines of their own."""

import collections
import itertools
import re

from data_prep.shapes.lines import filled
from data_prep.values.strict import Unreadable
from data_prep.values.turns import role_of, speakers_of, tagged_turns

TAGGED = re.compile(
    r"<\|?(user|human|patient|bot|assistant|doctor|gpt|ai|model)\|?>|\[(user|human|patient|bot|assistant|doctor)\]", re.I
)


def holds_dialogue(value) -> bool:
    """Whether a text holds turns of both sides, by marks or speakers of lines, that are not told apart from the first on."""
    said = [next(g for g in hit.groups() if g) for hit in TAGGED.finditer(str(value))] + speakers_of(str(value))
    sides = {role_of(speaker, {}) for speaker in said}
    return ((len(said) > 2 and {"human", "gpt"} <= sides) or two_speak(str(value))) and not _turns_told(value)


SPOKEN = re.compile(r"(?m)^[ \t]*(?:[-*•][ \t]+)?(?:\*\*|__)?([^\W\d_][^\n:：]{0,29}?)(?:\*\*|__)?[ \t]*[:：](?!//)")


def two_speak(text: str) -> bool:
    """Whether two names, of whatever language, stand before most lines of a text in turn, twice each: a conversation's sides."""
    names = [hit[1].strip().casefold() for hit in SPOKEN.finditer(text)]
    if _is_interview(text):
        return True
    often = [name for name, times in collections.Counter(names).most_common(2) if times >= 2]
    said = [name for name in names if name in often]
    turns = sum(a != b for a, b in itertools.pairwise(said))
    lines = len(filled(text))
    return len(often) == 2 and len(said) >= 0.6 * lines and turns >= 0.6 * (len(said) - 1)


LETTER_OF = re.compile(r"([^\W\d_])\d{0,2}")


def _is_interview(text: str) -> bool:
    """Whether paragraphs begin with two letters in bold type in turn (`**I:**`, `**R2:**`), three times each, whatever number a
    letter has and how many paragraphs a turn."""
    said = [hit[1].strip() for hit in SPOKEN.finditer(text) if hit.group().count("**") + hit.group().count("__")]
    letters = [hit[1].upper() for name in said if (hit := LETTER_OF.fullmatch(name))]
    turns = sum(a != b for a, b in itertools.pairwise(letters))
    few = len(set(letters)) == 2 and min(map(letters.count, set(letters))) >= 3
    return few and len(letters) >= 0.6 * len(said) and turns >= 0.8 * (len(letters) - 1)


def _turns_told(value) -> bool:
    """Whether a text's turns are told apart by marks, from the first on to one that asks."""
    try:
        return bool(tagged_turns(str(value)))
    except Unreadable:
        return False


ALONE = re.compile(r"\s*[A-ZÀ-Ý][\wÀ-ÿ]{2,}(?: [A-Z]?\d+)?\s*")  # a speaker on a line of its own: DOCTOR O721


SAYS = re.compile(r"(?:^|(?<=\s))([^\W\d_]{3,15})[ ]?:(?=\s)")


def turns_in(value) -> bool:
    """Whether a text marks turns of both sides as templates do, or its lines begin with them or are them, three times each;
    or is one line of such turns."""
    said = [hit for hit in SAYS.finditer(str(value)) if role_of(hit[1], {}) in ("human", "gpt")]
    if said and not str(value)[: said[0].start()].strip() and "\n" not in str(value).strip():
        if len({role_of(hit[1], {}) for hit in said}) == 2:
            return True
    marked = {role_of(next(g for g in hit.groups() if g), {}) for hit in TAGGED.finditer(str(value))}
    if {"human", "gpt"} <= marked or two_speak(str(value)):
        return True
    alone = [line for line in str(value).splitlines() if ALONE.fullmatch(line)]
    sides = [role_of(speaker, {}) for speaker in (*speakers_of(str(value)), *(line.split()[0] for line in alone))]
    return min(sides.count("human"), sides.count("gpt")) >= 3
