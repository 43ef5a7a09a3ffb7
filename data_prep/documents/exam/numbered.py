"""Exams whose options bear numbers in brackets, with a key of that form at the end of each question: `(1) … (4) … Ans. (2)`."""

import re

from data_prep.documents.exam.key import WORDS
from data_prep.words.names import LETTERS

FEWEST = 5  # questions
KEY = re.compile(rf"(?<![^\W_])(?:{WORDS})[ \t]*[.:：=–—-]*[ \t]*\(([1-9])\)(?=[ \t]*$)", re.I | re.M)
MARK = re.compile(r"(?<![\w(])\(([1-9])\)(?=[ \t]*\S)")


def lettered(text: str) -> str:
    """The text with letters for these numbers, each of them and each key at a line's beginning; "" where nearly all do not agree.

    A question in which a list of its own is numbered so as well stays as it is: which numbers are its options' is not told.
    """
    keys = list(KEY.finditer(text))
    signs, last, agree = list(text), 0, 0
    for key in keys:
        marks = list(MARK.finditer(text, last, key.start()))
        last = key.end()
        if len(marks) < 2 or [int(m[1]) for m in marks] != list(range(1, len(marks) + 1)) or int(key[1]) > len(marks):
            continue
        agree += 1
        for mark in (*marks, key):
            signs[mark.start(1)] = LETTERS[int(mark[1]) - 1]
            if text[mark.start() - 1 : mark.start()] in (" ", "\t"):
                signs[mark.start() - 1] = "\n"
    return "".join(signs) if len(keys) >= FEWEST and agree >= 0.8 * len(keys) else ""
