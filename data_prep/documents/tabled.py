"""Dialogues of a Markdown text that are a table each, below a heading: a round of both sides a row, or one turn a row."""

import re
from dataclasses import dataclass

from data_prep.documents.written import NO_ROW, RULE, cells_of
from data_prep.tables.records import Bad
from data_prep.values.turns import ROLE_KEYS, TEXT_KEYS, role_of
from data_prep.words.names import ROUNDS, plain
from data_prep.words.said import side_named

BOT = re.compile(r"\w+(?:chat|gpt|bot|llm|glm)", re.I)  # a model by its name: HuatuoGPT


@dataclass
class Table:
    """A table below a heading, and the line of its header."""

    line: int
    heading: str
    header: list[str]
    rows: list[list[str]]


def tabled_dialogues(text: str) -> list[tuple[int, dict | Bad]]:
    """(line, record) of each dialogue, other lines as Bad; [] where a text does not hold two such tables, or another one.

    A table is a dialogue where its rounds count from 1, or where both sides of a known name speak in it.
    """
    tables, others = _tables(text.splitlines())
    if len(tables) < 2 or len({tuple(t.header) for t in tables}) > 1 or not all(t.heading for t in tables):
        return []
    turns = _rounds if ROUNDS & set(map(plain, tables[0].header)) else _single_turns
    dialogues = [turns(t) for t in tables]
    if not all(dialogues) or len(others) > sum(map(len, dialogues)):
        return []
    found = [(t.line, {"heading": t.heading, "messages": d}) for t, d in zip(tables, dialogues, strict=True)]
    return sorted([*found, *others], key=lambda one: one[0])


def _tables(lines: list[str]) -> tuple[list[Table], list[tuple[int, Bad]]]:
    """The tables of a text, and its lines that are in none of them and no headings."""
    tables, others, heading, inside = [], [], "", False
    for n, line in enumerate(lines):
        if "|" in line and n + 1 < len(lines) and RULE.fullmatch(lines[n + 1]) and "|" in lines[n + 1]:
            tables.append(Table(n + 1, heading, cells_of(line), []))
            heading, inside = "", True
        elif inside and line.lstrip().startswith("|"):
            if not RULE.fullmatch(line):
                tables[-1].rows.append(cells_of(line))
        elif line.strip():
            inside = False
            if hit := re.fullmatch(r"\s*#{1,6}\s+(\S.*?)\s*", line):
                heading = hit[1]
            elif not NO_ROW.fullmatch(line):
                others.append((n + 1, Bad("no row of the table", line)))
    return tables, others


def _rounds(table: Table) -> list[dict]:
    """The turns of a table of a round a row, the user's and then what is said to it; [] where its rounds do not count from 1."""
    count, *sides = [[n for n, name in enumerate(table.header) if one(name)] for one in (_is_round, _is_user, _is_bot)]
    if [len(count), *map(len, sides)] != [1, 1, 1] or len(table.header) != 3 or not _whole(table):
        return []
    if [row[count[0]] for row in table.rows] != [str(n) for n in range(1, len(table.rows) + 1)]:
        return []
    (asks,), (tells,) = sides
    return [{"role": role, "content": row[n]} for row in table.rows for role, n in (("user", asks), ("assistant", tells))]


def _single_turns(table: Table) -> list[dict]:
    """The turns of a table of one turn a row, by its speakers; [] where not both sides speak, or another does."""
    who, what = ([n for n, name in enumerate(table.header) if plain(name) in keys] for keys in (ROLE_KEYS, TEXT_KEYS))
    if [len(who), len(what)] != [1, 1] or len(table.header) != 2 or not _whole(table):
        return []
    if not {"human", "gpt"} <= {role_of(row[who[0]], {}) for row in table.rows}:
        return []
    return [{"role": row[who[0]], "content": row[what[0]]} for row in table.rows]


def _is_round(name: str) -> bool:
    return plain(name) in ROUNDS


def _is_user(name: str) -> bool:
    return side_named(name) == "human"


def _is_bot(name: str) -> bool:
    return side_named(name) == "gpt" or (bool(BOT.fullmatch(name.strip())) and not _is_user(name))


def _whole(table: Table) -> bool:
    return len(table.rows) > 1 and all(len(row) == len(table.header) and all(row) for row in table.rows)
