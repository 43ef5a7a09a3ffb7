"""Personal data to typed marks (`[CPF]`), by forms, check digits, titles and names. Figures: tests/benchmarks/RESULTS-prepare.md.

Not built on Presidio: it knows no Brazilian document, finds names only with a language model, and its recognisers without
one found nothing in 300 real notes that these rules do not (the figures stand beside). A name without a title, a label or a
given name behind a role ("paciente Maria Souza") is not found. Nothing here replaces a review by a person.
"""

import bisect
import re
from collections.abc import Callable

from data_prep.cleaning.name_patterns import BARE, EPONYMS, ILLNESS, INSTITUTION, NAMES
from data_prep.cleaning.privacy_patterns import (
    CNPJ_LIKE,
    COMPILED,
    COMPILED_SURE,
    CONTEXTS,
    DIGIT,
    LOW_PIECES,
    NUMBER_LIKE,
    PIECES,
    TYPES,
)
from data_prep.words.name_table import GIVEN, NO_NAMES, SURNAMES
from data_prep.words.names import holds_any, unaccented


def possible(text: str) -> list[str]:
    """Types of personal data that a text could hold, by its letters alone."""
    low = text.lower()
    found = ["NAME"]  # asked for by its own pieces, one after another
    if DIGIT.search(text):
        if NUMBER_LIKE.search(text):
            found += ["CPF", "CNPJ", "CNS", "CARD", "SSN", "PHONE", "CEP"]
        elif CNPJ_LIKE.search(text):
            found.append("CNPJ")
        found += [k for k, sign in CONTEXTS.items() if sign.search(text)]
        found += [k for k, pieces in PIECES.items() if k not in found and holds_any(text, pieces)]
    return found + [k for k, pieces in LOW_PIECES.items() if k not in found and holds_any(low, pieces)]


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c.isdecimal()]


def valid_cpf(text: str) -> bool:
    """Whether an 11-digit number has CPF's two check digits (a run of one digit is none)."""
    d = _digits(text)
    return (
        len(d) == 11
        and len(set(d)) > 1
        and all(d[n] == sum(d[i] * (n + 1 - i) for i in range(n)) * 10 % 11 % 10 for n in (9, 10))
    )


def valid_cnpj(text: str) -> bool:
    """Whether 14 characters have CNPJ's check digits, also in the form with letters in use since 2026."""
    d = [ord(c) - 48 for c in text if c.isalnum()]
    weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    return (
        len(d) == 14
        and len(set(d)) > 1
        and all(
            d[n] == (11 - r if (r := sum(a * b for a, b in zip(d[:n], weights[13 - n :], strict=True)) % 11) > 1 else 0)
            for n in (12, 13)
        )
    )


def valid_cns(text: str) -> bool:
    """Whether a 15-digit number has the check sum of a Brazilian health card (definite or provisional)."""
    d = _digits(text)
    return len(d) == 15 and d[0] in (1, 2, 7, 8, 9) and sum(v * (15 - i) for i, v in enumerate(d)) % 11 == 0


def valid_card(text: str) -> bool:
    """Whether a number has a payment card's check digit (Luhn)."""
    d = _digits(text)[::-1]
    return len(set(d)) > 1 and sum(v if i % 2 == 0 else sum(divmod(2 * v, 10)) for i, v in enumerate(d)) % 10 == 0


def likely_ip(text: str) -> bool:
    """Whether four numbers are an address, not a section ("2.1.3.1")."""
    return ":" in text or sum(int(part) > 9 for part in text.split(".")) >= 2


def likely_phone(text: str) -> bool:
    return len(_digits(text)) >= 7


VALID = {"CPF": valid_cpf, "CNPJ": valid_cnpj, "CNS": valid_cns, "CARD": valid_card, "IP": likely_ip, "PHONE": likely_phone}


def _plain(word: str) -> str:
    return unaccented(word.casefold()).strip(".")


LINKS = frozenset({"da", "das", "de", "do", "dos", "e", "van", "von", "del", "la"})
HOUSES = frozenset(
    "instituto institute fundacao foundation hospital escola centro center universidade university upa ubs sao santa santo saint college school clinic clinica syndrome sindrome disease health medical memorial award prize".split()
)


def _name_length(run: str, needs: str, after: str) -> int:
    """How many characters of a run of capitalised words are a name; 0 where none is. `needs` as in NAMES, `after` what follows."""
    found = list(re.finditer(r"\S+", run))
    words = [word.group() for word in found]
    kinds = [_plain(w) for w in words]
    if needs != "sure" and (kinds[0] in NO_NAMES or kinds[0] in LINKS):
        return 0
    capitals = all(w.isupper() for w in words if len(w) > 2) or needs == "pair"  # all letters alike
    known = [k in GIVEN or k in SURNAMES or k[:2] in ("o'", "d'") for k in kinds]  # O'Neil, D'Ávila
    if (needs in ("given", "pair") or (capitals and needs not in ("known", "sure"))) and kinds[0] not in GIVEN:
        return 0
    taken, labelled = 1, needs in ("two", "known", "sure") and len(words) <= 6 and not re.match(r" ?\w", after)
    for n in range(1, len(words)):
        if kinds[n] in LINKS and (words[n].islower() or capitals or known[min(n + 1, len(words) - 1)]):
            continue
        # In capitals, or in none, the words after a name are not told by their letters: only known names go on, or a whole line after a label.
        if kinds[n] in NO_NAMES or (capitals and not known[n] and not labelled):
            break
        taken = n + 1
    if needs == "two" and taken < 2 and kinds[0] not in GIVEN:
        return 0
    if needs == "pair" and taken < 2:
        return 0
    if needs == "known" and (taken < 2 or not any(known[:taken])):
        return 0
    return found[taken - 1].end()


def _names(text: str):
    """Names by the title, label or role before them."""
    for pieces, pattern, needs in NAMES:
        if holds_any(text, pieces):
            for hit in pattern.finditer(text):
                if ILLNESS.match(text, hit.start()) and _plain(hit[1].split()[0]) not in GIVEN | SURNAMES:
                    continue
                if length := _name_length(hit[1], needs, text[hit.end() : hit.end() + 2]):
                    yield hit.start(1), hit.start(1) + length, "NAME"


def _bare_names(text: str):
    """Given name and surname, both known, wherever they stand."""
    for hit in BARE.finditer(text):
        words = list(re.finditer(r"\S+", hit.group()))
        ends, kinds = [word.end() for word in words], [_plain(word.group()) for word in words]
        first = next((n for n, kind in enumerate(kinds[:-1]) if kind in GIVEN), None)
        if first is None or (INSTITUTION.search(text[max(0, hit.start() - 14) : hit.start()]) and first == 0):
            continue
        last = first
        while last + 1 < len(kinds) and (kinds[last + 1] in GIVEN or kinds[last + 1] in SURNAMES or kinds[last + 1] in LINKS):
            last += 1
        while kinds[last] in LINKS:
            last -= 1
        if last > first and kinds[last] in SURNAMES and " ".join(kinds[first : last + 1]) not in EPONYMS:
            beyond = re.match(r"[^\S\n]?([^\W\d_]+)", text[hit.end() : hit.end() + 14])
            after = kinds[last + 1] if last + 1 < len(kinds) else _plain(beyond[1] if beyond else "")
            if after in HOUSES or (first and kinds[first - 1] in HOUSES):
                continue
            start = hit.start() + (ends[first - 1] + 1 if first else 0)
            yield start, hit.start() + ends[last], "NAME"


def _joined(hits: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Overlapping names as one: what a title tells begins earlier than what the table of names tells, or ends later."""
    joined: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(hits):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]), kind)
        else:
            joined.append((start, end, kind))
    return joined


def _begin(hit: re.Match) -> int:
    """Where a finding begins: what parts it from the word before (`CRM 123`, `CRM: 123`) stays in the text."""
    return hit.start() + re.match(r"(?::?\s+)*", hit.group()).end()


def find(text: str) -> list[tuple[int, int, str]]:
    """Personal data of a text as (start, end, type), in order and not overlapping."""
    hits = []
    for kind in possible(text):
        check = VALID.get(kind, bool)
        hits += [(_begin(hit), hit.end(), kind) for p in COMPILED[kind] for hit in p.finditer(text) if check(hit.group())]
        hits += [(hit.start(), hit.end(), kind) for p in COMPILED_SURE.get(kind, ()) for hit in p.finditer(text)]
        if kind == "NAME":
            hits += _joined([*_bare_names(text), *_names(text)])
    taken: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(hits, key=lambda h: (TYPES.index(h[2]), h[0] - h[1], h[0])):
        at = bisect.bisect(taken, (start, end))  # none in `taken` overlap, so its neighbours there tell
        before = taken[at - 1][1] if at else 0
        after = taken[at][0] if at < len(taken) else len(text)
        if kind == "NAME" and before < end and start < after:  # a name beside another finding stays one as far as it goes
            start, end = max(start, before), min(end, after)
            end -= len(text[start:end]) - len(text[start:end].rstrip())
        if before <= start and end <= after and text[start:end].strip():
            taken.insert(at, (start, end, kind))
    return taken


def _replaced(text: str, found: list[tuple[int, int, str]], by: Callable[[str, str], str]) -> str:
    """The text with `by(value, type)` in the place of each finding."""
    parts, at = [], 0
    for start, end, kind in found:
        parts += [text[at:start], by(text[start:end], kind)]
        at = end
    return "".join([*parts, text[at:]])


def mask(text: str, known: dict, types, counts=None) -> str:
    """The text with personal data replaced. `known` is one dict a row: the same value gets the same mark, a second
    value of a type gets a number (`[NAME_2]`). `counts` is a Counter of types, or None."""

    def mark(value: str, kind: str) -> str:
        key = (kind, " ".join(value.split()).casefold())
        if key not in known:
            number = 1 + sum(k == kind for k, _ in known)
            known[key] = f"[{kind}]" if number == 1 else f"[{kind}_{number}]"
        if counts is not None:
            counts[kind] += 1
        return known[key]

    return _replaced(text, [hit for hit in find(text) if hit[2] in types], mark)


def hidden(text: str) -> str:
    """The text with personal data blotted out, a dot a character."""
    return _replaced(text, find(text), lambda value, _: "•" * len(value))
