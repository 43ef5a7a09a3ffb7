"""What sentences around a key say of it: that questions are annulled, or that their answers were changed.

A list of annulled numbers is read. A sentence on a change is not: its questions have no key that anyone here can be sure of,
unless the key has the letter that the sentence gives.
"""

import re

OF_QUESTIONS = r"(?:(?:foram|as|os|quest[õo]es|quest[ãa]o|itens|item|preguntas?|questions?|de|n[º°o.]+)\s+)*"
NUMBERS = r"(\d{1,3}(?:\s*(?:,|;|/|\be\b|\by\b|\band\b)\s*\d{1,3})*)"
ANNULLED_LINE = re.compile(
    rf"^[^\w\n]*{OF_QUESTIONS}(?:anulad[ao]s?|cancelad[ao]s?|nul[ao]s|annulled)\s*:?\s*{OF_QUESTIONS}{NUMBERS}\W*$", re.M | re.I
)
SENTENCE = re.compile(r"\n[ \t]*\n|(?<=[.;])\s+(?=[A-ZÀ-Þ])|\n(?=[ \t]*(?:[-*•]|\d{1,3}\W|[Qq]uest|Q\d))")
OF = re.compile(  # the questions that a sentence is about; `questões 1 a 20` is about a part
    r"(?:\b(?:quest[õo]es|quest[ãa]o|itens|item|preguntas?|questions?|q)\b[ \t]*(?:de[ \t]+)?(?:n[úu]meros?|n[º°o.]+)?[ \t*_:]*"
    rf"|^\W*){NUMBERS}(?!\d|\s*(?:a|à|ao|até|to|-|–)\s*\d)",
    re.I,
)
CHANGE = re.compile(
    r"\b(?:gabarito|resposta|alternativa|answer|key|clave|respuesta)\b.{0,80}?\b(?:alter|retific|rectific|modific|mud|troc|corrig|chang|correct)"
    r"(?:ad[ao]|id[ao]|ou|aram|ed)s?\b"
    r"|\b(?:alter|retific|rectific|modific|mud|troc|corrig|chang|correct)(?:ad[ao]|id[ao]|ou|aram|ed|ação|ção)s?\b.{0,40}?\b(?:gabarito|clave|key)\b"
    r"|\b(?:de|from)\s+(?-i:[\"“']?(?:letra\s+)?[A-J])\b[\"”']?\s+(?:para|to|a|por)\s+(?-i:[\"“']?(?:letra\s+)?[A-J])\b"
    r"|(?-i:\b[A-J]\b)\s*(?:→|->|=>)\s*(?-i:[A-J]\b)"
    r"|\b(?:anulad[ao]s?|annulled|cancelad[ao]s?|errata|erratum|leia-se|onde se l[êe])\b"
    r"|\bpass(?:a|ou|am|aram)\s+(?:a\s+ser|para)\b.{0,30}?(?-i:\b[A-J]\b)",
    re.I | re.S,
)
STAYS = re.compile(r"\b(?:mantid[ao]s?|indeferid[ao]s?|n[ãa]o\s+(?:foi|foram|houve|será)|not\s+(?:changed|annulled))\b", re.I)
NOW = re.compile(r"(?:\b(?:para|to|por|a ser|leia-se)\b|→|->|=>)[^\n]{0,30}?(?-i:\b([A-J])\b)", re.I)
ROW = re.compile(r"\W*(?:quest[ãa]o|question|q)?\W*\d{1,3}\W+[(\[]?(?:[A-J]|anulad[ao]|\*)[)\]]?\W*", re.I)  # of a key's table


def annulled_in(text: str) -> set[int]:
    """Numbers that a line calls annulled (`Questões anuladas: 3, 5 e 8`), whatever letter a table gives them."""
    return {int(number) for hit in ANNULLED_LINE.finditer(text) for number in re.findall(r"\d+", hit[1])}


def changed_in(text: str) -> dict[int, str]:
    """Number -> the letter that a sentence says its key has now, "" where it says none that is plain."""
    found: dict[int, str] = {}
    for sentence in SENTENCE.split(ANNULLED_LINE.sub("", text)):
        if not CHANGE.search(sentence) or STAYS.search(sentence) or ROW.fullmatch(sentence):
            continue
        numbers = [int(number) for hit in OF.finditer(sentence) for number in re.findall(r"\d+", hit[1])]
        now = NOW.findall(sentence)
        for number in numbers:
            found[number] = now[0] if len(now) == len(numbers) == 1 and found.get(number, now[0]) == now[0] else ""
    return found
