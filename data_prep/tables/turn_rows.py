"""Files of one turn a row, as transcripts in a spreadsheet are: rows of one conversation, one after another, are one record."""

import collections
import itertools
import re
from typing import NamedTuple

from data_prep.common.errors import UserError
from data_prep.tables.records import Bad
from data_prep.values.turns import ROLE_KEYS, TEXT_KEYS, role_of
from data_prep.words.names import plain

LOOKED_AT = 200
_WORDS = r"(?:conversation|conversa|dialog(?:ue|o)?|conv|chat|session|encounter|transcript|consult(?:a|ation)?)"
CONVERSATION = re.compile(_WORDS + "id")
NUMBERED = re.compile(_WORDS + r"(?:id|n[oº°]|nr|num(?:ber|ero)?|index)?")  # beside a speaker and a text
SPEAKERS = (*ROLE_KEYS, "who", "quem", "falante", "interlocutor", "locutor")  # columns, as plain() writes them
TEXTS = (*TEXT_KEYS, "fala")


class Single(NamedTuple):
    """The columns of rows that are one turn each."""

    speaker: str  # column
    text: str  # column
    conversation: str = ""  # the one column that may number conversations
    differ: tuple[str, ...] = ()  # columns that differ from turn to turn of one


class Form(NamedTuple):
    """The columns that say which conversation a turn belongs to, who speaks and what; the others are of the conversation."""

    conversation: str
    speaker: str
    text: str

    def told_of(self, rows: list[dict]) -> dict[str, list]:
        """The values of each further column in the rows of one conversation, each once, and of one that counts them its ends."""
        names = dict.fromkeys(name for raw in rows for name in raw if name not in self)
        told = {name: list(dict.fromkeys(str(raw.get(name)) for raw in rows)) for name in names}
        return {name: [f"{v[0]} to {v[-1]}"] if _counts(v, len(rows)) else v for name, v in told.items()}


def _counts(values: list[str], rows: int) -> bool:
    """Whether a conversation's values are whole numbers that go up by one from turn to turn."""
    numbers = [int(v) for v in values if re.fullmatch(r"\d{1,9}", v)]
    return len(numbers) == rows > 1 and numbers == list(range(numbers[0], numbers[0] + rows))


def form_of(rows: list[dict], roles: dict[str, str]) -> Form | None:
    """The form of a file of one turn a row; None where both sides do not speak, or a further column differs from turn to turn.

    `roles` are the user's own words for speakers.
    """
    turns = single_turns(list(rows[0]), rows) if rows else None
    if turns is None or not turns.conversation or turns.differ:
        return None
    sides = {role_of(str(raw.get(turns.speaker)), roles) for raw in rows}
    return Form(turns.conversation, turns.speaker, turns.text) if {"human", "gpt"} <= sides else None


def conversations(rows, shown: str, roles: dict[str, str]):
    """(number, record, bytes) of each row; of a file of one turn a row those of each conversation, at its first turn."""
    head = list(itertools.islice(rows, LOOKED_AT))
    form = form_of([raw for _, raw, _ in head if isinstance(raw, dict)], roles)
    if form is None:
        yield from itertools.chain(head, rows)
        return
    begun: collections.Counter = collections.Counter()
    for key, group in itertools.groupby(itertools.chain(head, rows), lambda row: _conversation(row[1], form)):
        turns = list(group)
        if key is None:
            yield from turns
            continue
        begun[key] += 1
        if begun[key] > 1:
            raise UserError(f"{shown}:{turns[0][0]}: turns of {form.conversation} {key!r} come again after others; sort its rows")
        yield turns[0][0], _record([raw for _, raw, _ in turns], form), turns[-1][2]


def _conversation(raw: dict | Bad, form: Form) -> str | None:
    return None if isinstance(raw, Bad) else str(raw.get(form.conversation))


def _record(rows: list[dict], form: Form) -> dict | Bad:
    told = form.told_of(rows)
    if differs := [name for name, values in told.items() if len(values) > 1]:
        return Bad(f"a column differs between the turns of one conversation: '{', '.join(differs)}'", str(rows))
    turns = [{"role": raw.get(form.speaker), "content": raw.get(form.text)} for raw in rows]
    first = {name: rows[0].get(name) if str(rows[0].get(name)) == values[0] else values[0] for name, values in told.items()}
    return {form.conversation: rows[0][form.conversation], "messages": turns} | first


def single_turns(columns: list[str], rows: list[dict]) -> Single | None:
    """The columns of rows that hold one turn each; None for others."""
    found = [[n for n in columns if plain(n) in keys] for keys in (SPEAKERS, TEXTS)]
    if [len(f) for f in found] != [1, 1]:
        return None
    (speaker,), (text,) = found
    named = [n for n in columns if NUMBERED.fullmatch(plain(n))]
    groups = [list(g) for _, g in itertools.groupby(rows, lambda raw: raw.get(named[0]))] if len(named) == 1 else []
    told = [Form(named[0], speaker, text).told_of(group) for group in groups]
    differ = tuple(dict.fromkeys(n for one in told for n, values in one.items() if len(values) > 1))
    return Single(speaker, text, named[0] if groups and len(groups) <= len(rows) / 2 else "", differ)
