"""Rows inside rows: a list of questions or of answers in a record, a question that is an object; one row for each."""

from data_prep.columns import Column, respelt, without_quotes
from data_prep.names import bare_name
from data_prep.phrases import meanings
from data_prep.reading import Reading
from data_prep.turns import TEXT_KEYS, is_turns
from data_prep.values import from_literal


def exploded(rows: list[dict], column: str) -> list[dict]:
    """A row for each item of the column's list; an item that is an object gives its own columns."""
    return [part for raw in rows for part in explode_row(raw, column)] if column else rows


def explode_row(raw: dict, column: str) -> list[dict]:
    """A row for each item of the column's list; without items the row itself, so that it is counted and its reason listed."""
    items = from_literal(raw.get(column)) if column else None
    if not isinstance(items, list) or not items:
        return [raw]
    rest = {k: v for k, v in raw.items() if k != column}
    return [{**rest, **item} if isinstance(item, dict) else {**rest, column: item} for item in items]


def rows_of(raw: dict, reading: Reading) -> list[dict]:
    """A record as the rows that a reading makes of it: one for each item of its list, names in the reading's spelling."""
    raw = without_quotes(raw, reading.quoted) if reading.quoted else raw
    columns, rows = reading.columns, explode_row(raw, reading.explode)
    late = set().union(*rows) - columns
    if not late:
        return rows
    known = {bare_name(c): c for c in columns if bare_name(c)}
    return [respelt(row, {n: known[bare_name(n)] for n in late if bare_name(n) in known}) for row in rows]


def question_parts(columns: dict[str, Column]) -> dict[str, str]:
    """Fields for a question that is an object with its options, as ARC's are (`question: {stem, choices}`); {} where none is."""
    for column in columns.values():
        if column.kind == "object" and "question" in meanings(column.name):
            keys = dict.fromkeys(key for v in column.values if isinstance(inside := from_literal(v), dict) for key in inside)
            found = {n: f"{column.name}.{key}" for n in ("question", "options") for key in keys if n in meanings(key)}
            if len(found) == 2:
                return found
    return {}


def marked_answers(columns: dict[str, Column]) -> dict[str, dict[str, str]]:
    """A column that lists answers to the row's prompt, each a text with its mark -> the field for that text; {} where none."""
    found = {}
    for column in columns.values() if any({"question", "prompt"} & set(meanings(c)) for c in columns) else ():
        items = _items(column)
        if "completion" not in meanings(column.name) or not all(isinstance(i, dict) for i in items):
            continue
        marks = {key for i in items for key in i if "score" in meanings(key)}
        text = next((key for key in TEXT_KEYS if items and all(isinstance(i.get(key), str) for i in items)), "")
        if len(marks) == 1 and text:
            found[column.name] = {"completion": text}
    return found if len(found) == 1 else {}


def nested_rows(columns: dict[str, Column]) -> str:
    """A column that holds lists of questions with their answers; "" where there is none, or where the rows have their own."""
    if any("question" in meanings(c) and columns[c].kind == "text" for c in columns):
        return ""
    found = []
    for column in columns.values():
        if {"conversations", "messages", "dialogue", "history"} & set(meanings(column.name)):
            continue  # a question there goes on with the answer before it
        items = _items(column)
        if items and all(isinstance(i, dict) for i in items) and not any(is_turns([i]) for i in items[:20]):
            names = {name for i in items for key in i for name in meanings(key)}
            if "question" in names and {"answer", "options"} & names:
                found.append(column.name)
    return found[0] if len(found) == 1 else ""


def _items(column: Column) -> list:
    """What the first lists of a column hold."""
    return [item for v in column.values[:50] if isinstance(inside := from_literal(v), list) for item in inside]
