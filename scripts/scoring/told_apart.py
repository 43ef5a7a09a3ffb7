"""The option that a text names before it tells why each of the others is not it."""

import re

from scoring.cues import CONTRAST, NOT, WEAK
from scoring.doubts import supposed
from scoring.phrases import denied, sentence_before

# "(option D)", "choice 'A':", by capitals only.
SPOKEN_OF = re.compile(rf"(?:{WEAK}|\banswer)\s+[(\[\"'“‘]?((?-i:[A-J]))(?![\w'’-]\w)", re.I)
OTHERS = re.compile(
    r"\b(?:other|remaining)\s+(?:options|choices|answers|alternatives)|\b(?:outras|demais|otras|demás)\s+(?:alternativas|opções|opciones)",
    re.I,
)
# What a line says of an option that is not chosen.
DENIES = re.compile(
    r"\b(?:not|no|never|cannot|unlikely|less|rather|rarely?|unrelated|incorrect|wrong|without|"
    r"não|nunca|sem|menos|rar[ao]|incorret[ao]|errad[ao]|sin|incorrect[ao])\b|n[’']t\b",
    re.I,
)
# "(option D) would not be expected".
NOT_AFTER = re.compile(
    r"[^\w.;!?\n]*(?:\w+[^\w.;!?\n]+){0,4}?(?:not|never|cannot|unlikely|less|rarely|não|nunca|no|menos|n[’']t)\b", re.I
)
PRAISES = re.compile(r"\b(?:most|best|mais|melhor|más|mejor|correc?t[ao]?|right|cert[ao])\b", re.I)


def told_apart(text: str, options: dict[str, str]) -> str | None:
    """The first option spoken of, amid a sentence, where afterwards each of the others has a line and that one has none.

    The text must say that those lines are on the others, or all of them but one deny what they speak of and that one praises
    nothing.
    """
    found = [hit for hit in SPOKEN_OF.finditer(text) if hit[1] in options]
    chosen = [hit for hit in found if hit[1] == found[0][1]]
    others = found[len(chosen) :]
    if (
        len(options) < 3
        or not found
        or found[: len(chosen)] != chosen
        or {hit[1] for hit in others} != set(options) - {chosen[0][1]}
    ):
        return None
    if not all(_amid(text, hit, options) for hit in chosen):
        return None
    lines = {text.count("\n", 0, hit.start()): hit[1] for hit in others}
    if (
        len(lines) != len(options) - 1
        or text.count("\n", 0, chosen[-1].start()) in lines
        or len(set(lines.values())) != len(lines)
    ):
        return None
    if OTHERS.search(text, chosen[-1].end(), others[0].start()):
        return chosen[0][1]
    said = text.split("\n")
    silent = [said[at] for at in lines if not DENIES.search(said[at])]
    return chosen[0][1] if len(silent) < 2 and not any(map(PRAISES.search, silent)) else None


def _amid(text: str, hit: re.Match, options: dict[str, str]) -> bool:
    """Whether an option is spoken of amid a sentence that neither denies nor supposes nor compares."""
    sentence, rest = sentence_before(text, hit.start()), text[hit.end(1) :]
    if not re.search(r"\w", sentence) or NOT.search(sentence) or CONTRAST.search(sentence):
        return False
    return not (denied(rest, options[hit[1]]) or NOT_AFTER.match(rest) or supposed(hit.group(), sentence, rest))
