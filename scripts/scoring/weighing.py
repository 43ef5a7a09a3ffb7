"""Which of the letters that phrases name is the answer: lines of their own, corrections, the first line."""

import re
from typing import NamedTuple

from scoring.option_text import own_end

# What may open a line of an answer's own ("So my answer: B") ...
LEADING = re.compile(r"(?:[\W_]|\b(?:the|a|o|la|el|so|therefore|thus|hence|portanto|logo|assim|então|my|minha)\b)*", re.I)
# ... where "Therefore B" is no phrase of its own, but a step of an argument.
THEREFORE = re.compile(r"(?:therefore|thus|hence|so|portanto|logo|então|assim|por (?:lo )?tanto|así que)\b", re.I)
# "The answer is", "Resposta:", where "D também está certa" only begins a line.
ANNOUNCED = re.compile(r"[:=→➜]|\b(?:is|are|é|es|be|seria|sería)\b", re.I)
# "Wait, she is pregnant": what was said before is taken back. But not "watch and wait", "wait two hours".
CORRECTION = re.compile(
    r"(?:(?:^|[.!?…\n(—–])[^\w\n]{0,12}|\b(?:não|no|but|mas|hmm+|ah|oh)\b[,.…]?\s*)"
    r"(?:wait|espera|espere|espérate|hold on|aguarde|opa)\b"
    r"(?:\s*[,.!…:—–]|\s+(?:-|a (?:minute|moment|second)))|"
    r"\b(?:pensando melhor|pensándolo (?:mejor|bien)|on second thoughts?|let me (?:reconsider|rethink)|"
    r"i (?:made an? (?:mistake|error)|was wrong)|me (?:enganei|equivoquei|equivoqué)|cometi um erro|retifico|"
    r"mudo (?:a )?minha resposta|(?:eu )?quis dizer|quise decir|i meant|i(?:'ll| will)? change my answer)\b",
    re.I,
)
# "Actually, ...", "Correction: ..." (of the glucose, it may be): it corrects only where another letter is named after it.
ACTUALLY = re.compile(
    r"\b(?:na verdade|na realidade|en realidad|actually|in fact|revendo|relendo|re-?reading)\b|"
    r"\b(?:correção|correction|corrección|corrigindo|corrijo)\s*:",
    re.I,
)
# A letter alone on the first line.
ALONE = re.compile(r"[\(\[\"'“‘]*([A-Ja-j])[\)\]\"'”’.:–—-]*\s*(?:\n|$)")


class Named(NamedTuple):
    """A letter that a phrase names, where it stands, and where the phrase begins."""

    letter: str
    at: int
    begins: int


def own_lines(named: list[Named], text: str, options: dict[str, str]) -> list[Named]:
    """Those that make up a line, with the option's text at most: "Resposta: B". They outweigh what sentences say before them."""
    heads, lines = [], []
    for one in named:
        start, end = text.rfind("\n", 0, one.begins) + 1, text.find("\n", one.at)
        rest = text[one.at + 1 : end if end > 0 else len(text)]
        if LEADING.fullmatch(text[start : one.begins]) and not THEREFORE.match(text[one.begins :]):
            whole = re.fullmatch(r"[\W_]*", rest[own_end(rest, options[one.letter]) :])
            lines += [one] if whole else []
            heads += [one] if whole or ANNOUNCED.search(text[one.begins : one.at]) else []
    if not lines:
        return []
    both = {one.at for one in heads if one.letter == lines[-1].letter and one.at < lines[-1].at} & {
        one.at for one in named if one.letter != lines[-1].letter
    }  # "G and H are correct, but ...", and one of the two on a line below it
    return [one for one in heads if one.at not in both] + [one for one in named if one.at > lines[-1].at]


def standing(named: list[Named], text: str) -> list[Named]:
    """What was not taken back."""
    taken_back = max((hit.end() for hit in CORRECTION.finditer(text)), default=0)
    return [one for one in named if one.at >= taken_back]


def chosen(final: list[Named], strong: list[Named], text: str, options: dict[str, str]) -> tuple[bool, str | None]:
    """Whether phrases of the two stronger kinds name letters, and the one that they choose; what was taken back counts not."""
    kinds = [final, own_lines(strong, text, options), strong]
    if not any(kinds):
        return False, None
    kinds = [standing(named, text) for named in kinds]
    named = next(filter(None, kinds), [])
    if len({one.letter for one in named}) > 1:
        corrected = max((hit.end() for hit in ACTUALLY.finditer(text)), default=0)
        named = [one for one in named if one.at >= corrected] or named
    return True, agreed(named, text, options)


def agreed(named: list[Named], text: str, options: dict[str, str]) -> str | None:
    """The one letter that phrases of a kind name; of several, or where they name all others, the one alone on the first line."""
    letters = {one.letter for one in named}
    if len(letters) == 1:
        return letters.pop()
    alone = ALONE.match(text)
    first = alone[1].upper() if alone else ""
    # "B", and below that A, C and D are right: the exception was asked for.
    return first if first in letters or (first in options and len(letters) > 1 and letters == set(options) - {first}) else None
