"""Numbered statements that an item's options point at: `Nur die Aussagen 1 und 3`, `Apenas I e III`, `II and III only`."""

import re
from typing import NamedTuple

from data_prep.shapes.columns import Column, of_texts
from data_prep.shapes.lines import filled
from data_prep.values.strict import from_literal, is_missing
from data_prep.words.names import unaccented

ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
STATED = set(  # what is pointed at, before its numbers: "2 items" is a quantity
    "statement statements aussage aussagen afirmacao afirmacoes afirmativa afirmativas afirmacion afirmaciones assertiva "
    "assertivas assertion assertions affermazione affermazioni proposicao proposicoes proposicion proposiciones enunciado "
    "enunciados sentenca sentencas item itens items".split()
)
ONLY = set("only just nur apenas somente solo solamente unicamente seulement soltanto alleen".split())
AROUND = (
    STATED
    | ONLY
    | set(
        "the die der as a o os las los la le les gli i de and und e y et ed en or oder ou ve is are ist sind esta estao es son "
        "est sont sono all alle todas todos toutes tutte true correct right richtig korrekt wahr verdadeira verdadeiras correta "
        "corretas correto corretos correcta correctas verdaderas cierta ciertas vraie vraies correcte correctes vere corrette "
        "giuste false falsch falsa falsas fausses incorrect incorreta incorretas incorrectas".split()
    )
)
TOKEN = re.compile(r"[^\W\d_]+|\d+")
SIGNS = re.compile(r"[^\w\s.,;:/&()]")  # "7 ± 2", "1-2", "2 %"


class Pointed(NamedTuple):
    numbers: frozenset[int]  # the statements that the options name
    roman: bool  # whether they write them as I, II, III


NONE = Pointed(frozenset(), False)


def _numbers_in(option: str) -> tuple[set[int], bool, bool]:
    """(the numbers of an option that holds nothing but these and words around them, whether they are Roman, whether it says
    what they are of); (no numbers, ...) for any other option."""
    found, roman, said = set(), False, False
    for token in [] if SIGNS.search(option) else TOKEN.findall(option):
        word = unaccented(token).casefold()
        if token.isdecimal() and 1 <= int(token) <= len(ROMAN):  # ① is a digit as well, and no number
            found.add(int(token))
        elif token in ROMAN:
            found.add(ROMAN.index(token) + 1)
            roman = True
        elif word in AROUND:
            said = said or word in ONLY or (word in STATED and not found)
        else:
            return set(), False, False
    return found, roman, said


def pointed_at(options: list[str]) -> Pointed:
    """What half of an item's options and more name, one of them several at once; NONE for options of their own."""
    told = [found for found in map(_numbers_in, options) if found[0]]
    several = any(len(numbers) > 1 for numbers, _, _ in told)
    if len(told) < max(2, len(options) / 2) or not several or not any(said for _, _, said in told):
        return NONE
    return Pointed(frozenset().union(*(numbers for numbers, _, _ in told)), any(roman for _, roman, _ in told))


def numbered(statements: list[str], roman: bool) -> str:
    """Statements a line each under the numbers that the options call them by; as they are where they bear these."""
    marks = [ROMAN[i] if roman and i < len(ROMAN) else str(i + 1) for i in range(len(statements))]
    own = [re.match(rf"\W*{mark}\b", text) for mark, text in zip(marks, statements, strict=True)]
    lines = statements if all(own) else [f"{mark}. {text}" for mark, text in zip(marks, statements, strict=True)]
    return "\n".join(lines)


def are_lacking(question: str, pointed: Pointed) -> bool:
    """Whether a question holds none of the numbers that its options point at, and has too few lines for them."""
    if not pointed.numbers:
        return False
    marks = "|".join(f"{ROMAN[n - 1]}|{n}" for n in pointed.numbers)
    here = re.search(rf"(?<!\w)(?:(?:{marks})(?!\w)|(?i:{marks})[.):])", question)  # "i)" as well, and no article
    return len(filled(question)) <= max(pointed.numbers) and not here


def unnamed(columns: dict[str, Column], sample: list[dict], options: list[list[str]]) -> list[str]:
    """Columns of lists that hold, under a name that does not say so, as many texts as the options of their rows point at."""
    rows = [(raw, max(p.numbers)) for raw, texts in zip(sample, options, strict=True) if (p := pointed_at(texts)).numbers]
    found = []
    for column in columns.values():
        held = [(from_literal(raw.get(column.name)), last) for raw, last in rows if not is_missing(raw.get(column.name))]
        whole = sum(of_texts(items) and len(items) >= last for items, last in held)
        if column.kind == "list" and len(rows) >= 2 and whole >= 0.9 * len(rows):
            found.append(column.name)
    return found
