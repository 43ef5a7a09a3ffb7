"""The letters that options bear in their own texts: which they are, and whether they follow one another."""

import re

from data_prep.values.strict import Unreadable
from data_prep.words.names import LETTERS

LETTERED = re.compile(r"\s*[-*]?\s*(?:\(([A-Za-z])\)|([A-Za-z])\s?[).:\-–）．：、])\s*(.*)", re.S)
NO_MARK = re.compile(r"\s*(?:[A-Z]\.\s?[a-z]|[A-Za-z]-\S)")  # E. coli, C-reactive protein


def own_letters(texts: list[str]) -> list[str]:
    """The letter before each text; "" where it has none. What may be a species is one where its letter is due among others."""
    hits = [LETTERED.fullmatch(text) for text in texts]
    letters = [(hit[1] or hit[2]).upper() if hit else "" for hit in hits]
    names = [bool(NO_MARK.match(text)) for text in texts]
    sure = sum(bool(letter) and not name for letter, name in zip(letters, names, strict=True)) >= 2
    return [
        "" if name and not (sure and letter == LETTERS[i : i + 1]) else letter
        for i, (letter, name) in enumerate(zip(letters, names, strict=True))
    ]


def are_all(letters: list[str]) -> bool:
    return len(letters) >= 3 and sorted(letters) == list(LETTERS[: len(letters)])


def whole(texts: list[str]) -> list[str]:
    """Options of which lines stand apart: where the letters from A on are each there once, a line without one goes on with the
    option above it."""
    own = own_letters(texts)
    if all(own) or not own[:1] or not own[0] or not are_all(list(filter(None, own))):
        return texts
    whole: list[str] = []
    for text, letter in zip(texts, own, strict=True):
        whole = [*whole, text] if letter else [*whole[:-1], f"{whole[-1]}\n{text}"]
    return whole


def check_letters(lines: list[str]) -> None:
    """Raises Unreadable for lines that are lettered otherwise than from A on: a key would name another option's line."""
    letters = list(filter(None, own := own_letters(lines)))
    near = len(letters) >= 3 and set(letters) <= set(LETTERS[: len(letters) + 2]) and 2 * len(letters) >= len(lines)
    if (near and not are_all(letters)) or (are_all(letters) and not own[0]):
        raise Unreadable(f"the options' letters do not follow one another: '{', '.join(letters)}'")


def check_places(texts: list[str]) -> None:
    """Raises Unreadable for a list of lettered options in which the text of one that is missing stands within another's."""
    own = set(filter(None, own_letters(texts)))
    if len(own) < 3 or not own <= set(LETTERS[: len(texts) + 2]):
        return
    due = LETTERS[LETTERS.index(max(own)) + 1 :][:1]  # behind the last one, where it can be told by standing on a word alone
    forms = {letter: rf"\S\s?{letter}\s?[).:]\s*\S" for letter in LETTERS[: LETTERS.index(max(own))] if letter not in own}
    if due:
        forms[due] = rf"[^\W\d_A-Z]{due}[):]\s*\S"
    for letter, form in forms.items():
        if within := next((text for text in texts if re.search(form, text)), ""):
            raise Unreadable(f"the options' letters do not follow one another: '{letter} stands within {within[:60]}'")
