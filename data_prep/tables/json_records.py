"""Readers of JSONL and of JSON in its written forms.

Each yields (line or number, record, bytes so far), as those of `records.py`.
"""

import json
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.common.once import RepeatedName, load_json
from data_prep.tables.records import Bad
from data_prep.tables.unpack import lines_of, whole_text
from data_prep.values.strict import is_missing, strings
from data_prep.values.turns import ROLE_KEYS, is_turns, role_of, said_lines
from data_prep.words.names import is_telling, plain, words_of
from data_prep.words.phrases import meanings
from data_prep.words.said import SPLITS

MANY_GROUPS = 20  # of so many groups one may be called as an answer or a verdict is
MOST_BAD, BAD_SHARE, BAD_AT_ALL = 10, 0.01, 0.2  # so many bad lines, of so large a share, and the file is refused


def jsonl(path: Path, shown: str, loads=load_json):
    """A record a line, read by `loads`. Bad lines are listed; a file of many is refused."""
    lines = bad = 0
    first = ""
    for number, line, at in lines_of(path, shown):
        if not line.strip():
            continue
        lines += 1
        try:
            found = loads(line)
            reason = "" if isinstance(found, dict) else _no_object(found)
        except json.JSONDecodeError as error:
            found, reason = None, f"not JSON ({error.msg} at column {error.colno})"
        except (RecursionError, ValueError) as error:
            why = "nested too deep" if isinstance(error, RecursionError) else f"{error}"
            found, reason = None, f"not JSON ({why})"
        if not reason:
            yield number, found, at
            continue
        bad += 1
        first = first or f"{shown}:{number}: {reason}"
        if bad > MOST_BAD and bad > BAD_SHARE * lines:
            raise UserError(f"{first}; {bad} of the first {lines} lines are no records")
        yield number, Bad(reason, line), at
    if bad > BAD_AT_ALL * lines:
        raise UserError(f"{first}; {bad} of its {lines} lines are no records")


def json_file(path: Path, shown: str):
    """A list, an object keyed by id, lists by split, columns, pandas' forms, a list under one key, SQuAD, or one object."""
    text = whole_text(path, shown)
    try:
        value = load_json(text)
    except RepeatedName as error:
        raise UserError(f"{shown}: {error}; which value is meant is not told") from None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in text:  # JSONL that is called .json
            yield from jsonl(path, shown)
            return
        raise UserError(f"{shown}:{error.lineno}: not JSON ({error.msg} at column {error.colno})") from None
    except RecursionError:
        raise UserError(f"{shown}: not JSON that can be read: nested too deep") from None
    records = records_of(value)
    if records is None:
        raise UserError(f"{shown}: holds {type(value).__name__}, not records")
    yield from numbered(records, shown)


def numbered(records: list, shown: str):
    for number, record in enumerate(records, 1):
        if isinstance(record, Bad):
            raise UserError(f"{shown}:{number}: {record.reason}")
        if not isinstance(record, dict):
            raise UserError(f"{shown}:{number}: {_no_object(record)}")
        yield number, record, 0


def _no_object(value) -> str:
    return f"must be an object with named fields, not {type(value).__name__}"


def records_of(value, depth: int = 3) -> list | None:
    """The records of a JSON value; None where it holds none."""
    if isinstance(value, list):
        if _one_conversation(value):
            return [{"messages": value}]
        if value and all(map(said_lines, value)):
            return [{"dialogue": lines} for lines in value]
        if value and all(isinstance(v, str) for v in value) and sum(map(len, value)) >= 200 * len(value):
            return [{"text": v} for v in value]  # short ones can be anything: questions, names
        squad = len(value) == 1 and isinstance(value[0], dict) and "paragraphs" in value[0]
        return list(_squad(value)) if squad else value
    if not isinstance(value, dict):
        return None
    if (
        isinstance(value.get("data"), list)
        and value["data"]
        and isinstance(value["data"][0], dict)
        and "paragraphs" in value["data"][0]
    ):
        return list(_squad(value["data"]))
    for form in (_by_split, _by_group, _columnar, _pandas):
        if (found := form(value)) is not None:
            return found
    apart = [found for v in value.values() if isinstance(v, dict) and (found := _by_split(v)) is not None]
    if len(apart) == 1:  # {"data": {"train": [...], "test": [...]}}
        return apart[0]
    for form in (_by_groups, _by_kind):
        if (found := form(value)) is not None:
            return found
    nested = [v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict) and not is_turns(v)]
    grouped = [found for v in value.values() if isinstance(v, dict) and (found := _by_group(v)) and _asks(found[0])]
    if len(grouped) == 1 and not any(_asks(v[0]) for v in nested):  # {"categories": [...], "questions": {"topic": [...]}}
        return grouped[0]
    if wrapped := _wrapped(value):
        return wrapped
    if value and all(isinstance(v, dict) for v in value.values()):
        return [{"_key": key, **v} for key, v in value.items()]
    if len(value) > 20 and not nested and all(isinstance(v, str | int) for v in value.values()):
        return [{"_key": key, "_value": v} for key, v in value.items()]
    asked = ITEMS & set(map(plain, value))
    if len(nested) == 1 and depth and not asked and not any(_is_said(name, inside) for name, inside in value.items()):
        return nested[0]
    return [value]


ITEMS = {"options", "choices", "alternativas", "question", "pergunta"}
FEWEST_WRAPPED, SAID_BESIDE = 3, 60  # rows in a server's answer, and characters from which on a text beside them says something


def _wrapped(value: dict) -> list | None:
    """The rows of a server's answer, {"success": true, "data": {"questions": [...], "total": 120}}: the one list of objects in
    the one object that has any, where nothing beside it says anything of its own."""
    inside = [v for v in value.values() if isinstance(v, dict) and any(map(_is_rows, v.values()))]
    if len(inside) != 1 or any(map(_is_rows, value.values())) or ITEMS & set(map(plain, inside[0])):
        return None
    lists = [v for v in inside[0].values() if _is_rows(v)]
    others = [*value.items(), *inside[0].items()]
    beside = [(k, v) for k, v in others if v is not inside[0] and not _is_rows(v)]
    said = any(_is_said(k, v) or any(len(t) >= SAID_BESIDE for t in strings(v)) for k, v in beside)
    return lists[0] if len(lists) == 1 and len(lists[0]) >= FEWEST_WRAPPED and not said else None


def _is_rows(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value) and not is_turns(value)


ABOUT_FILE = set(  # words of names of texts that tell about a file
    "description descricao descripcion about sobre note notes nota notas license licenca licencia disclaimer aviso citation "
    "instruction instructions instrucoes instrucciones canary readme copyright source fonte fuente prompt metadata".split()
)
LONG, SHORT = 200, 20  # characters, the second of what is called a case


def _is_said(name: str, inside) -> bool:
    """Whether what stands beside a list of rows is of its own: a case that they ask about, what sums them up, a key."""
    if isinstance(inside, dict):
        return is_telling(name)
    if not isinstance(inside, str) or ABOUT_FILE & set(words_of(name)):
        return False
    return len(inside) >= (SHORT if {"context", "text", "dialogue"} & set(meanings(name)) else LONG)


def _asks(row: dict) -> bool:
    return any("question" in meanings(name) for name in row)


def in_split(row: dict, name: str) -> dict | Bad:
    """A row of the split `name`, told so in the row; Bad where the row itself names another one."""
    own = row.get("split")
    if is_missing(own):
        return {**row, "split": name}
    if SPLITS.get(str(own).strip().casefold(), own) != SPLITS.get(name.casefold(), name):
        return Bad(f"stands in the split {name!r}, and its own 'split' is {own!r}; leave one of them", str(row))
    return row


def _by_split(value: dict) -> list[dict | Bad] | None:
    """{"train": [...], "test": [...]}: the splits stay apart."""
    if not value or not all(str(k).casefold() in SPLITS and isinstance(v, list) for k, v in value.items()):
        return None
    if not all(isinstance(row, dict) for rows in value.values() for row in rows):
        return None
    return [in_split(row, name) for name, rows in value.items() for row in rows]


def _by_group(value: dict) -> list[dict] | None:
    """{"2022": [...], "2023": [...]}: rows of one form, the name of their group in `_key`.

    A name that is a verdict (wrong, unsafe) is no mere group, unless it is one of many (`ANS`): such a file is asked about.
    """
    if (
        len(value) < 2
        or sum(map(is_telling, value)) * MANY_GROUPS > len(value)
        or not all(isinstance(v, list) and v for v in value.values())
    ):
        return None
    rows = [row for v in value.values() for row in v]
    if not all(isinstance(row, dict) for row in rows) or any(is_turns(v) for v in value.values()):
        return None
    forms = [set().union(*v) for v in value.values()]
    if len(set.intersection(*forms)) < max(2, 0.6 * len(set.union(*forms))):
        return None
    return [{"_key": name, **row} for name, v in value.items() for row in v]


def _by_groups(value: dict) -> list[dict] | None:
    """{"Immunity": {"Cells": [...], "Cytokines": [...]}, ...}: questions under their topics' names, whatever the depth."""
    if not any(isinstance(v, dict) for v in value.values()):
        return None
    if not all(isinstance(rows, list) and all(isinstance(r, dict) and _asks(r) for r in rows) for _, rows in _leaves(value)):
        return None
    found = [(path, rows) for path, rows in _leaves(value) if rows]
    return [{"_key": path, **row} for path, rows in found for row in rows] if len(found) > 1 else None


def _by_kind(value: dict) -> list[dict] | None:
    """{"single": [...], "matching": [...], "notes": [...]}: lists of questions of like forms, each list's name in `_key`.

    The rows of lists beside them come last, so that each is told as one without a question.
    """
    lists = {k: v for k, v in value.items() if isinstance(v, list) and v and all(isinstance(row, dict) for row in v)}
    asking = [name for name, rows in lists.items() if all(map(_asks, rows)) and not is_turns(rows)]
    if len(asking) < 2 or any(map(is_telling, lists)):
        return None
    shared = set.intersection(*(set().union(*lists[name]) for name in asking))
    if len(shared) < 3 or not any({"answer", "options"} & set(meanings(name)) for name in shared):
        return None
    names = [*asking, *(name for name in lists if name not in asking)]
    return [{"_key": name, **row} for name in names for row in lists[name]]


def _leaves(value: dict, path: str = ""):
    """(names down to it, value) of what an object holds that is no object."""
    for name, inside in value.items():
        here = f"{path} / {name}" if path else str(name)
        if isinstance(inside, dict):
            yield from _leaves(inside, here)
        else:
            yield here, inside


def _one_conversation(value: list) -> bool:
    """Whether a file is the turns of one conversation: roles that are known or few, and nothing that numbers conversations."""
    if len(value) < 2 or not is_turns(value):
        return False
    roles = {str(next((v[k] for k in ROLE_KEYS if k in v), "")) for v in value}
    numbered = any(words_of(k)[-1:] in (["id"], ["uuid"]) and len({str(v.get(k)) for v in value}) < len(value) for k in value[0])
    return 2 <= len(roles) <= 4 and not numbered and any(role_of(r, {}) for r in roles)


def _columnar(value: dict) -> list[dict] | None:
    """{"question": [...], "answer": [...]}: columns of one length."""
    columns = [v for v in value.values() if isinstance(v, list)]
    if len(columns) == len(value) == 1 and len(columns[0]) > 1 and all(isinstance(v, str) for v in columns[0]):
        return [{name: v} for name in value for v in columns[0]]  # {"text": ["...", "..."]}
    if len(columns) < 2 or len(columns) < len(value) or len({len(c) for c in columns}) != 1 or len(columns[0]) < 2:
        return None
    if any(isinstance(v, dict) and ("role" in v or "from" in v) for c in columns for v in c[:3]):
        return None
    return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]


def _pandas(value: dict) -> list[dict] | None:
    """What DataFrame.to_json writes: `orient` columns ({"question": {"0": ...}}) or split ({"columns": ..., "data": ...})."""
    names, data = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(data, list) and all(isinstance(r, list) and len(r) == len(names) for r in data):
        if len(set(map(str, names))) < len(names):
            raise RepeatedName("two of its columns have the same name")
        return [dict(zip(map(str, names), row, strict=True)) for row in data]
    if not value or not all(isinstance(v, dict) and v for v in value.values()):
        return None
    keys = list(next(iter(value.values())))
    counted = all(str(k).isdigit() for k in keys) and not all(str(k).isdigit() for k in value)
    if not counted or not all(list(v) == keys for v in value.values()):
        return None
    return [{name: column[key] for name, column in value.items()} for key in keys]


def _squad(articles: list):
    for article in articles:
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                answers = qa.get("answers") or []
                yield {
                    "id": qa.get("id"),
                    "context": paragraph["context"],
                    "question": qa["question"],
                    "answer": answers[0]["text"] if answers else "",
                    "topic": article.get("title", ""),
                }
