"""Letters of options in other scripts: Arabic, Persian, Cyrillic, Greek, Devanagari, Bengali, Thai, Korean, Japanese; ①②③.

A letter is one only in a row of them that begins with its alphabet's first: В is the third of А Б В, and no B.
"""

import itertools
import re

ALPHABETS = ("ابجدهوز", "ابتثجحخ", "абвгдеж", "αβγδεζη", "कखगघङ", "কখগঘঙ", "กขคงจ", "가나다라마바", "アイウエオ", "123456789")
FIRSTS = frozenset(a[0] for a in ALPHABETS)
CIRCLED = dict(zip("①②③④⑤⑥⑦⑧⑨", "123456789", strict=True))
VARIANTS = {"أ": "ا", "إ": "ا", "آ": "ا", "الف": "ا", "ألف": "ا", "هـ": "ه"} | CIRCLED
TOKEN = "|".join(["الف", "ألف", "هـ", f"[أإآ{''.join(a + a.upper() for a in ALPHABETS[:-1])}]"])
# A small Greek letter that a hyphen joins to a word is a part of its name: "α-ketoglutarate".
MARK = rf"(?:\(({TOKEN})\)|(?![α-η]-\w)({TOKEN})\s?[).:\-–）．：、])|([{''.join(CIRCLED)}])"
LETTERED = re.compile(rf"\s*[-*]?\s*(?:{MARK})\s*(.*)", re.S)
LINE = re.compile(rf"(?m)^[ \t]*(?:[-*][ \t]*)?(?:\*\*)?(?:{MARK})(?:\*\*)?[ \t]*")
INLINE = re.compile(rf"(?:(?<=\s)|^)(?:\(?({TOKEN})\)|([{''.join(CIRCLED)}]))\s*")


def canonical(letter: str) -> str:
    """A letter in the one way in which it is compared: أ and الف are ا, А is а, ③ is 3."""
    letter = letter.strip().casefold()
    return VARIANTS.get(letter, letter)


def is_letter(name: str) -> bool:
    return not name.isascii() and any(canonical(name) in tuple(a) for a in ALPHABETS)


def in_order(letters: list[str]) -> bool:
    """Whether letters, as `canonical` gives them, are the first of one alphabet other than ours, or the numbers from 1."""
    return len(letters) > 1 and letters[0] in FIRSTS and any(list(a[: len(letters)]) == letters for a in ALPHABETS)


def lettered(text: str) -> tuple[str, str]:
    """(letter, the text behind it) of a text that begins with such a letter; ("", text) of any other."""
    hit = None if text.isascii() else LETTERED.fullmatch(text)
    return (canonical(hit[1] or hit[2] or hit[3]), hit[4].strip()) if hit else ("", text)


def runs(text: str, least: int = 3) -> list[list[re.Match]]:
    """Marks of such letters, `least` or more from the first of their alphabet on, where lines begin or within one."""
    if text.isascii():
        return []
    for pattern in (LINE, INLINE):
        hits = list(pattern.finditer(text))
        firsts = [n for n, hit in enumerate(hits) if letter_of(hit) in FIRSTS]
        found = []
        for start, end in itertools.pairwise([*firsts, len(hits)]):
            sizes = [n for n in range(least, end - start + 1) if in_order([letter_of(h) for h in hits[start : start + n]])]
            if sizes:
                found.append(hits[start : start + sizes[-1]])
        if found:
            return found
    return []


def letter_of(hit: re.Match) -> str:
    return canonical(next(g for g in hit.groups() if g))
