"""Which column gives the key of multiple choice, and how it is written: told by trying each way on the first rows."""

import re
from typing import NamedTuple

from data_prep.common.errors import UserError
from data_prep.shapes.cells import options_in
from data_prep.shapes.columns import Column
from data_prep.shapes.reading import Reading, to_paste, yaml_line
from data_prep.values.choices import Option, is_option_text, key_letters, key_text
from data_prep.values.strict import Unreadable, cell, from_literal, is_count, is_missing
from data_prep.words.names import RIGHT, is_telling, of_a_model, words_of
from data_prep.words.phrases import meanings
from data_prep.words.said import ANNULLED

FOUND = 0.5  # share of keys that must name an option for a column to be the key at all


class Key(NamedTuple):
    column: str  # "" where the options themselves are marked
    base: str  # one of values.BASES, or "?" where 0 or 1 is unclear
    rate: float  # share of its keys that name an option
    letters: dict[int, str]  # row -> the option that it names
    told: str


def options_of_rows(sample: list[dict], reading: Reading) -> list[list[Option]]:
    """The options of each row; [] for a row whose options cannot be read."""
    found = []
    for raw in sample:
        try:
            found.append(options_in(raw, reading)[1])
        except Unreadable:
            found.append([])
    return found


def find_key(
    sample: list[dict], columns: dict[str, Column], reading: Reading, only: str = "", base: str = "auto"
) -> tuple[Key | None, tuple[str, ...]]:
    """(the key, the columns that give it once more); (None, ()) where no column names options."""
    rows = options_of_rows(sample, reading)
    names = [only] if only else [c for c in columns if _may_be_key(c, reading)]
    keys = [key for name in names if (key := read_key(name, sample, rows, base)) and key.rate >= FOUND]
    if any(o.marked is not None for row in rows for o in row) and not only:
        marked = {i: right[0] for i, row in enumerate(rows) if len(right := [o.letter for o in row if o.marked]) == 1}
        rate = len(marked) / max(1, sum(len(row) > 1 for row in rows))
        keys.insert(0, Key("", "marked", rate, marked, f"{len(marked)} of {len(rows)} rows mark one option as right"))
    if not keys:
        return None, ()
    order = ("marked", "letter", "id", "text", "0", "1", "?")
    if all(_of_a_model(k.column) for k in keys) and not only:
        return None, ()
    best = max(keys, key=lambda k: (k.rate >= 0.95, not _of_a_model(k.column), _rank(k.column), -order.index(k.base), k.rate))
    again = [k for k in keys if k is not best and not _of_a_model(k.column) and _agree(k, best)]
    again = [k for k in again if not superseded(k.column, best.column)]
    if best.base == "?" and (clear := next((k for k in again if k.base != "?"), None)):
        again = [k for k in (*again, best) if k is not clear]
        best = clear
    return best, tuple(k.column for k in again if k.column)


def _may_be_key(column: str, reading: Reading) -> bool:
    taken = {reading.fields.get("question"), reading.fields.get("options"), *reading.option_columns, *reading.mark_columns}
    called = {"answer", "label"} & set(meanings(column))
    *words, last = words_of(column) or [""]
    of_answer = last == "id" and is_telling(" ".join(words))  # answerId
    return column not in taken and column != "_key" and (bool(called) or is_telling(column) or of_answer)


def _rank(column: str) -> int:
    called = meanings(column)
    return 2 if "answer" in called or not column else 1 if "label" in called else 0


def _of_a_model(column: str) -> bool:
    return of_a_model(column)


FIRST = {"preliminar", "preliminary", "provisorio", "provisional"}


def superseded(column: str, key: str) -> bool:
    """Whether a column gives an exam's first key, and the key that is taken the final one."""
    return bool(FIRST & set(words_of(column))) and not FIRST & set(words_of(key)) and bool(RIGHT & set(words_of(key)))


def _agree(one: Key, other: Key) -> bool:
    both = one.letters.keys() & other.letters.keys()
    if one.base == "?":
        return _agree(one._replace(base="0", letters=_shifted(one, 0)), other) or _agree(
            one._replace(base="1", letters=_shifted(one, 1)), other
        )
    return bool(both) and sum(one.letters[i] == other.letters[i] for i in both) >= 0.98 * len(both)


def _shifted(key: Key, base: int) -> dict[int, str]:
    return {i: pair.split("/")[base] for i, pair in key.letters.items()}


def read_key(column: str, sample: list[dict], rows: list[list[Option]], base: str = "auto") -> Key | None:
    """How one column names options, if it does: the way that fits most of its values."""
    pairs = []
    for i, (raw, options) in enumerate(zip(sample, rows, strict=True)):
        value = cell(raw, column)
        if (
            len(options) > 1
            and not is_missing(value)
            and str(value).strip() not in ("-1", "-1.0")
            and (not ANNULLED.fullmatch(said := str(value).strip()) or is_option_text(said, options))
        ):
            pairs.append((i, value, options))
    if not pairs:
        return None
    if base not in ("auto", "marked"):
        letters = _letters(pairs, base)
        return Key(column, base, max(FOUND, len(letters) / len(pairs)), letters, "as --answer_base says")
    tried = {b: _letters(pairs, b) for b in ("letter", "text", "id")}
    numeric = sum(bool(_numbers(v)) for _, v, _ in pairs)
    if numeric >= 0.8 * len(pairs):
        return _numeric(column, pairs, tried)
    best = "text" if len(tried["text"]) > 1.05 * len(tried["letter"]) else "letter"
    best = "id" if len(tried["id"]) > len(tried[best]) else best  # "option3"
    told = f"{len(tried[best])} of {len(pairs)} values of {column} name an option"
    return Key(column, best, len(tried[best]) / len(pairs), tried[best], told)


def _numbers(value) -> list[int]:
    """The whole number that a key is, or those of its list (`correctIndices: [2]`); [] where it is none."""
    inside = from_literal(value)
    try:
        texts = [key_text(v) for v in (inside if isinstance(inside, list) else [inside])]
    except Unreadable:
        return []
    return [int(text) for text in texts] if all(map(is_count, texts)) else []


def _letters(pairs: list, base: str) -> dict[int, str]:
    found = {}
    for i, value, options in pairs:
        try:
            if letters := key_letters(value, options, base):
                found[i] = letters[0] if len(letters) == 1 else ", ".join(letters)
        except Unreadable:
            continue
    return found


def _size(options: list[Option]) -> int:
    """How many options there are, those that are blank at the end aside: a key names none of these."""
    return max((i for i, o in enumerate(options, 1) if o.text), default=0)


def _numeric(column: str, pairs: list, tried: dict) -> Key:
    """A number can be an option's own number, its text, or its place from 0 or from 1."""
    total = len(pairs)
    if len(tried["id"]) >= 0.95 * total:
        return Key(column, "id", len(tried["id"]) / total, tried["id"], f"{column} gives the options' own numbers")
    from_0, from_1 = _letters(pairs, "0"), _letters(pairs, "1")
    numbers = [(n, _size(options)) for _, v, options in pairs for n in _numbers(v)]
    zero, last = sum(n == 0 for n, _ in numbers), sum(n == size for n, size in numbers)
    low, high = min(n for n, _ in numbers), max(n for n, _ in numbers)
    told = f"{column} goes from {low} to {high}"
    if len(tried["text"]) >= 0.95 * total and all(
        re.fullmatch(r"[\d.,]+", o.text) for _, _, options in pairs[:50] for o in options if o.text
    ):
        return Key(
            column,
            "?",
            1.0,
            {i: f"{tried['text'].get(i, '')}/{from_1.get(i, '')}" for i, _, _ in pairs},
            f"{told}, and so do the options' texts",
        )
    if zero and not last:
        return Key(column, "0", len(from_0) / total, from_0, f"{told}: 0 occurs, the number of options never")
    if last and not zero:
        return Key(column, "1", len(from_1) / total, from_1, f"{told}: the number of options occurs, 0 never")
    letters = {i: f"{from_0.get(i, '')}/{from_1.get(i, '')}" for i, _, _ in pairs}
    return Key(
        column,
        "?",
        max(len(from_0), len(from_1)) / total,
        letters,
        told + (": 0 and the number of options both occur" if zero else ""),
    )


def unclear(shown: str, key: Key) -> UserError:
    """What to ask where a number may count from 0 or from 1."""
    bases = ("0", "1", *(["text"] if "texts" in key.told else []))
    lines = "\n       or\n".join(to_paste(yaml_line("answer_base", base)) for base in bases)
    return UserError(f"{shown}: the key of {key.column} counts from 0 or from 1 ({key.told}). Paste one:\n{lines}")
