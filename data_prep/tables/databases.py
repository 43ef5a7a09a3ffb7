"""SQLite's tables and rows in YAML: records as `json_records.py` gives them."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from data_prep.common.errors import UserError
from data_prep.common.once import load_yaml
from data_prep.tables.intents import intents_of_yaml
from data_prep.tables.json_records import numbered, records_of
from data_prep.tables.unpack import whole_text

BEGINS = b"SQLite format 3\0"
SUFFIXES = (".db", ".sqlite", ".sqlite3")


def is_sqlite(path: Path) -> bool:
    """Whether a file is a database of SQLite: others are called .db as well."""
    with open(path, "rb") as file:
        return file.read(len(BEGINS)) == BEGINS


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)


def tables_of(path: Path) -> list[str]:
    """Names of a database's tables and views."""
    base = _opened(path)
    try:
        found = base.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid").fetchall()
    finally:
        base.close()
    return [name for (name,) in found if not name.startswith("sqlite_")]


def sqlite_table(path: Path, shown: str, table: str):
    base = _opened(path)
    try:
        rows = base.execute('SELECT * FROM "' + table.replace('"', '""') + '"')
        names = [column[0] for column in rows.description]
        if len(set(names)) < len(names):
            raise UserError(f"{shown}: two columns have the same name")
        for number, row in enumerate(rows, 1):
            yield number, dict(zip(names, row, strict=True)), 0
    finally:
        base.close()


def yaml_file(path: Path, shown: str):
    """A list of records, Rasa's examples of intents, or what JSON may be.

    Every scalar is the text that stands there: `No` is no false, `1e3` no number.
    """
    import yaml

    text = whole_text(path, shown)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.BaseLoader)):
            raise UserError(f"{shown}: uses aliases (*name); write it without them, or as JSON")
        value = load_yaml(text, typed=False)
    except yaml.YAMLError as error:
        raise UserError(f"{shown}: not YAML ({' '.join(str(error).split())[:200]})") from None
    if rows := intents_of_yaml(value, shown):
        yield from ((number, row, 0) for number, row in rows)
        return
    records = records_of(value)
    if records is None:
        raise UserError(f"{shown}: holds no records")
    yield from numbered(records, shown)
