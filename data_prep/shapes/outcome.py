"""A last look at a text as it would be written, whichever reader made it: what no prose comes out as.

A reader tells a table, a form or a page's head by its source. Where it did not, the outcome does: words by themselves on their
lines, lines that end alike or come again, words that run into one another, names in braces.
"""

import itertools
import re
import unicodedata
from collections import Counter
from typing import NamedTuple

from data_prep.shapes.lines import filled
from data_prep.values.html_text import WIDE

WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,}(?![^\W\d_])")
JOINED = re.compile(r"\b([a-zß-ÿ]{3,}|[A-ZÀ-Þ][a-zß-ÿ]{2,})[.,;:?!]?([A-ZÀ-Þ][a-zß-ÿ]{2,})\b")
NO_WORDS = re.compile(r"^[ \t]*```.*?^[ \t]*```|`[^`\n]+`|\S*(?:://|www\.|@)\S*", re.M | re.S)  # code and addresses
IN_BRACES = re.compile(r"(?<![{$\\])\{[A-Za-z_]\w*\}(?!\})")
NO_WORD = re.compile(r"(?<=[a-zß-ɏ] )[bcdfghjlmnpqrtx](?= [a-zß-ɏ])")
LETTER_ALONE = re.compile(r"[ \t]*[^\W\d_][ \t]*")


TITLE = re.compile(r"^[ \t]*(?:#|\*\*|__|```)|[:：][*_ \t]*$")


class Again(NamedTuple):
    """A line that a text has more often than any other."""

    line: str
    times: int
    share: float  # of all lines


SHORT = 60  # characters
AS_SAID = re.compile(r"[.!?。？！:：;,][\"'”’)*_ ]*$|^```|^(?:[-•*+#>]|\(?(?:\d{1,3}|[^\W\d_])[.)])[ \t]|://")


def again(text: str) -> Again:
    """The short line with letters that comes most often; what a colon ends is the title of what differs below it, a sentence that
    is said again is said, and so is a list's item."""
    lines = [line.strip() for line in filled(text)]
    said = Counter(line for line in lines if sum(map(str.isalpha, line)) >= 3 and len(line) <= SHORT and not AS_SAID.search(line))
    line, times = said.most_common(1)[0] if said else ("", 0)
    return Again(line, times, times / max(1, len(lines)))


OFTEN, MUCH = 8, 0.15  # times, and the share of a text's lines
OF_PROSE, MOST_PROSE = 80, 0.5  # characters of a line, and the share of a text's that stands in such lines


def _comes_again(text: str) -> bool:
    """Whether a line comes often in a text of short lines: what stands again between paragraphs is their title."""
    found, lengths = again(text), [len(line) + len(WIDE.findall(line)) for line in filled(text)]
    prose = sum(length for length in lengths if length >= OF_PROSE)
    return found.times >= OFTEN and found.share >= MUCH and prose < MOST_PROSE * sum(lengths)


def _of_words_alone(text: str) -> bool:
    """Whether many lines of a text are one word: those of a page in pieces, or of a table's cells. A title is none of them."""
    lines = filled(text)
    words = [line for line in lines if len(line.split()) == 1 and len(WIDE.findall(line)) < 3]
    alone = sum(not TITLE.search(word) and any(map(str.isalpha, word)) for word in words)
    return len(lines) >= 50 and alone >= 0.3 * len(lines)


def _ends_alike(text: str) -> bool:
    """Whether most lines end in one of a few words, as the last cells of a table's rows do, and hardly one in a stop."""
    lines = [line.split() for line in filled(text)]
    ends = Counter(words[-1] for words in lines if len(words) > 2 and words[-1][-1].isalnum())
    few = {end: times for end, times in ends.items() if times >= max(4, 0.08 * len(lines))}
    several = len(few) > 1 or any(map(str.isdigit, "".join(few)))
    return len(lines) >= 15 and several and sum(few.values()) >= 0.6 * len(lines)


def joined_words(text: str) -> list[str]:
    """Two words of a text that stand as one, each of which it has by itself (`anosIndicação`); a program's name comes often."""
    text = NO_WORDS.sub(" ", text)
    words = {word.lower() for word in WORD.findall(text) if word[1:].islower()}
    times = Counter(hit.group() for hit in JOINED.finditer(text))
    parts = {both: JOINED.fullmatch(both).groups() for both, n in times.items() if n <= MOST_ALIKE}
    return [both for both, (one, other) in parts.items() if one.lower() in words and other.lower() in words]


MOST_ALIKE = 2
FEWEST_JOINED, OF_WORDS = 10, 0.0015  # different ones, and their share of a text's words


def _runs_together(text: str) -> bool:
    return len(joined_words(text)) >= max(FEWEST_JOINED, OF_WORDS * len(text.split()))


FEWEST_CUT, OF_CUT, ALONE_BESIDE = 20, 0.008, 6  # letters, their share of a text's words, and different ones among them


def _is_cut(text: str) -> bool:
    """Whether consonants that are no words stand alone among words (`bi r sağlık`), one of them not much oftener than others:
    the spaces of a page's program are no spaces of its words."""
    alone = Counter(NO_WORD.findall(" ".join(text.split())))
    others = alone.total() - max(alone.values(), default=0)
    return len(alone) >= ALONE_BESIDE and others >= max(FEWEST_CUT, OF_CUT * len(text.split()))


def _is_doubled(text: str) -> bool:
    """Whether many letters of Arabic stand twice, once as a letter and once as it is shaped: a font names each by two."""
    pairs = itertools.pairwise(text)
    return sum(b > "\ufb4f" and a != b and unicodedata.normalize("NFKC", b) == a for a, b in pairs if a > "\u05ff") >= FEWEST_CUT


def _is_filled_in(text: str) -> bool:
    """Whether names in braces stand in many of a text's lines, for a program to fill in."""
    lines = filled(text)
    return len(set(IN_BRACES.findall(text))) >= 3 and sum(bool(IN_BRACES.search(line)) for line in lines) >= 0.1 * len(lines)


def letters_alone(text: str) -> int:
    """How often one letter stands on lines by itself, as a font of symbols leaves its bullets and ticks."""
    said = Counter(line.strip() for line in filled(text) if LETTER_ALONE.fullmatch(line))
    return max(said.values(), default=0)


AT_LINE_END = re.compile(r"[^\W\d_][-\u2010][ \t]*\n[ \t]*[a-zß-ɏ]")
OF_A_FONT = re.compile(r"(?<=\d)([A-SU-WYZ])(?=\d{2})")  # of times and products, T and X


def cut_at_lines(text: str) -> int:
    """How many words the ends of a text's lines cut in two."""
    return len(AT_LINE_END.findall(text))


def letter_for_a_sign(text: str) -> tuple[str, int]:
    """The capital that stands most often between two numbers, as a font has it for a dash (`223Y228`), and how often."""
    return next(iter(Counter(OF_A_FONT.findall(text)).most_common(1)), ("", 0))


NONE = (  # what a text is that looks so
    ("words that stand alone on their lines, as those of a page in pieces or of a table do", _of_words_alone),
    ("lines that end alike, as the rows of a table do", _ends_alike),
    ("one line again and again, as a form, a list of links or a page's buttons have it", _comes_again),
    ("words that run into one another, as where ends of lines were lost (have it taken out of its source anew)", _runs_together),
    ("words that spaces cut, as a page's program sets its letters (have its text recognised)", _is_cut),
    ("letters that stand twice, as a font names them (have its text recognised)", _is_doubled),
    ("names in braces, which a program fills in", _is_filled_in),
)
