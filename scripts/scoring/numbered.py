"""Options that the question numbers (1 to 9): what a free answer names by number, said by letter, so that one reader serves.

A number names an option where a phrase of answering, a line's beginning or a form made for the answer stands before it, and no
unit or word after it: "a resposta é a 3", "2) Insulin", "\\boxed{4}"; "3 mg", "type 2" and "in 2 weeks" name none, nor does a
number that is another option's own ("3" beside the option "2. 3 mg").
"""

import re
from typing import NamedTuple

from scoring.cues import FILLER, FINAL, STRONG, WEAK

KEYS, LETTERS = "123456789", "ABCDEFGHI"
DIGIT = re.compile(r"(?<![\w.,/%°+<=≤≥-])(?<!\d:)(?<![\d.,]\s)[\(\[\"'“‘{]*([1-9])(?![\w]|[.,:/]\d|\s*[%°]|-\w)")
# What may stand behind it.
SET_OFF = re.compile(
    r"[\)\]\"'”’}]|\s*(?:$|\n|[–—-]\s|<|✅|✔|\([^()\n]*\)\s*(?:$|[.\n]))|[.,;:!?](?!\d)|"
    r"\s+(?:é|is|es|está|seria|sería|because|since|pois|porque|por|and|or|e|ou|y|o|em vez|ao invés|instead|rather|over|not|não)"
    r"\b",
    re.I,
)
# And before it. How far back is looked: as in phrases.py.
NEAR = 120
NUMBER = r"(?:(?:de\s+)?(?:número|numero|number|num\.|n\.?[ºo]\.?)\s*)?"
CUE = re.compile(rf"(?:{FINAL}|{STRONG}|{WEAK}){FILLER}{NUMBER}1$", re.I)  # FILLER asks what follows its last word
OTHERS = (
    re.compile(rf"(?:^|\n)[^\w\n]*(?:R(?:esp)?[:.]\s*)?{NUMBER}$", re.I),  # begins the text or a line
    re.compile(r"(?:\\boxed\{(?:\\text\w*\{)?|[\"']\s*:\s*[\"']?|<(?:answer|resposta|final_answer|final)>)\s*$", re.I),
    re.compile(rf"\b(?:é|is|es|seria|sería|be)\s+(?:a|o|la|el)\s+{NUMBER}$", re.I),
    re.compile(r"(?:^|[.;:!?\n]\s*)(?:a|o|la|el)\s+$", re.I),
    re.compile(r"\b(?:opções|opciones|options|alternativas|choices|respostas|answers|number|número)\s+$", re.I),
)
ARTICLE, CALLED = re.compile(r",\s*(?:a|o|la|el)\s+$"), re.compile(r"\s+(?:é|es)\s+(?:a|o|la|el)\b")  # ", a 3 é a melhor"
JOINS = re.compile(r"\s*(?:,|/|\band\b|\bor\b|\be\b|\bou\b|\by\b|\bo\b)\s*(?:(?:a|o|la|el)\s+)?$", re.I)


class Lettered(NamedTuple):
    """A text and its options with letters in the numbers' place."""

    text: str
    options: dict[str, str]
    keys: dict[str, str]
    """letter -> number"""


def is_numbered(options: dict[str, str]) -> bool:
    """Whether all options are called by one digit, from 1 on."""
    return bool(options) and all(len(key) == 1 and key in KEYS for key in options)


def lettered(text: str, options: dict[str, str]) -> Lettered:
    """The text with letters where a number names an option."""
    letter = {key: LETTERS[KEYS.index(key)] for key in options}
    taken = {hit[0] for key, option in options.items() if (hit := re.match(r"\d+", option.strip())) and hit[0] != key}
    parts, at, last = [], 0, 0  # `last`: where the number before it that names an option ends
    for hit in DIGIT.finditer(text):
        start, end = hit.span(1)
        before = text[max(0, hit.start() - NEAR) : hit.start()]
        named = CUE.search(before + "1") or any(form.search(before) for form in OTHERS)
        named = named or (ARTICLE.search(before) and CALLED.match(text, end))
        named = named or (last and JOINS.fullmatch(text[last : hit.start()]))
        if hit[1] in letter and hit[1] not in taken and named and SET_OFF.match(text, end):
            parts += [text[at:start], letter[hit[1]]]
            at = last = end
    return Lettered("".join(parts) + text[at:], {letter[k]: v for k, v in options.items()}, {v: k for k, v in letter.items()})
