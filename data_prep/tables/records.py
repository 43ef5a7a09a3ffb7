"""Readers of tables: CSV, Parquet and Arrow; and what all readers of records share.

Each yields (line or number, record, bytes so far); a record is a dict, or a Bad line that is listed as a reject.
"""

import csv
import io
import itertools
import re
from pathlib import Path
from typing import NamedTuple

from data_prep.common.errors import UserError
from data_prep.tables.nameless import names_for
from data_prep.tables.unpack import MOST_BYTES, find_encoding, open_bytes, suffix_of
from data_prep.words.names import plain
from data_prep.words.phrases import meanings

LOOKED_AT = 12  # first lines of a table, among which its header is looked for
WIDE = "has more cells than the header (the sign between cells in a text without quotes?)"
MOST_WIDE = 0.1  # the share of rows with more cells than the header from which on a file is refused


class Bad(NamedTuple):
    """A line that is no record, and why."""

    reason: str
    text: str


# ---------------------------------------------------------------------------------------------- tables


def header_of(cells: list) -> list[str]:
    """Names of columns: an empty one gets its number, a repeated one too, so that none is lost."""
    names: dict[str, None] = {}
    for i, cell in enumerate(cells, 1):
        name = str(cell).strip() if cell is not None and str(cell).strip() else f"_column{i}"
        more = (f"{name} ({n})" for n in itertools.count(2))
        names[name if name not in names else next(other for other in more if other not in names)] = None
    return list(names)


def one_header(headers: list[list[str]], shown: str) -> list[str]:
    """Names of the columns of a text's tables, whose first lines these are. Raises UserError where they differ."""
    if (different := len(set(map(tuple, headers)))) > 1:
        raise UserError(
            f"{shown}: holds {len(headers)} tables with {different} different headers; bring each into a file of its own"
        )
    return header_of(headers[0])


def begin_of(before: list[tuple[int, list]], shown: str, at: int | None = None) -> tuple[int, list[str]]:
    """(which of a table's first lines is its header, the columns' names); (-1, names) where it has no line of names.

    `at`: the header, where something else than its cells tells it.
    """
    rows = [cells for _, cells in before]
    if names := names_for(rows, shown):
        return -1, names
    at = header_row(rows) if at is None else at
    return at, header_of(rows[at])


def header_row(rows: list[list]) -> int:
    """Which of the first rows is the header: titles above it fill one cell, or far fewer than the rows below."""
    filled = [sum(c is not None and str(c).strip() != "" for c in row) for row in rows]
    width = max(filled[1:], default=0)
    if not filled or (filled[0] >= 2 and filled[0] >= width / 2) or width < 2:
        return 0
    return next((i for i, n in enumerate(filled) if n >= 2 and n >= 0.6 * width), 0)


def names_again(header: list[str], cells: list, first: bool) -> str:
    """Why a line below the header is no record: it repeats the names, or, where it is the first, it is a second line of names."""
    begin = next(((name, str(c).strip()) for name, c in zip(header, cells, strict=False) if c), ("", ""))
    if not first and begin[0] != begin[1]:
        return ""
    said = [(name, str(c).strip()) for name, c in zip(header, cells, strict=False) if c is not None and str(c).strip()]
    if len(said) < 2 or max(len(text) for _, text in said) > 60:
        return ""
    if all(plain(name) == plain(text) for name, text in said):
        return "repeats the names of the columns"
    named = {name for _, text in said if len(plain(text)) > 1 for name in meanings(text)}
    lettered = all(meanings(text) or re.fullmatch(r"[A-J]", text) for _, text in said)
    second = first and named and (lettered or {"question", "answer"} <= named)
    return "a second line of names below the header" if second else ""


def csv_file(path: Path, shown: str):
    encoding, limit = find_encoding(path, shown), csv.field_size_limit(MOST_BYTES)
    try:
        with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as file:
            delimiter, above = _delimiter(file, suffix_of(path))
            rows = _csv_rows(csv.reader(file, delimiter=delimiter, strict=True), above + 1, shown)
            before = list(itertools.islice(rows, LOOKED_AT))
            if len(before) < LOOKED_AT and not any(any(map(str.strip, cells)) for _, cells in before):
                raise UserError(f"{shown}: is empty")
            at, header = begin_of(before, shown)
            first, wide, lines = "", 0, 0
            for n, (line, cells) in enumerate(itertools.chain(before[at + 1 :], rows)):
                if not any(cells):
                    continue
                lines += 1
                if why := names_again(header, cells, n == 0):
                    yield line, Bad(why, str(cells)), 0
                    continue
                if len(cells) > len(header) and any(cells[len(header) :]):
                    first, wide = first or f"{shown}:{line}: has {len(cells)} cells, the header {len(header)}", wide + 1
                    if any("\n" in cell for cell in cells):  # lines that are swallowed are in no count
                        raise UserError(f"{first}; is a quote missing?")
                    yield line, Bad(WIDE, str(cells)), 0
                    continue
                yield line, dict(zip(header, cells, strict=False)), 0
            if wide > MOST_WIDE * lines:
                raise UserError(f"{first}; so have {wide} of its {lines} rows; is a quote missing?")
    finally:
        csv.field_size_limit(limit)


def _csv_rows(reader, first: int, shown: str):
    """(line, cells) of each row, of one that goes over several lines the first."""
    line = first
    try:
        for cells in reader:
            yield line, cells
            line = first + reader.line_num
    except csv.Error as error:
        why = f"a cell of more than {MOST_BYTES // 2**20} MB; is a quote missing?" if "field larger" in str(error) else f"{error}"
        raise UserError(f"{shown}:{line}: {why}") from None


def _delimiter(file, suffix: str) -> tuple[str, int]:
    """(delimiter, lines above the table); the stream stands at the table's begin. Excel's `sep=;` is no row."""
    start = file.readline()
    if start.strip().casefold().startswith("sep=") and len(start.strip()) == 5:
        return start.strip()[4], 1
    head = start + "".join(file.readline() for _ in range(4))
    file.seek(0)
    if suffix in (".tsv", ".txt"):
        return "\t", 0
    widest = start if any(d in start for d in ",;\t|") else head
    often = {d: [line.count(d) for line in head.splitlines()] for d in ",;\t|"}
    even = [d for d, counts in often.items() if len(set(counts)) == 1 and counts[0]]  # texts hold commas of any number
    return even[0] if len(even) == 1 and len(head.splitlines()) > 2 else max(",;\t|", key=widest.count), 0


def arrow_file(path: Path, shown: str):
    import pyarrow as pa
    import pyarrow.parquet as pq

    if suffix_of(path) == ".parquet":
        batches = pq.ParquetFile(path).iter_batches(1000)
    else:
        with open(path, "rb") as file:
            opened = pa.ipc.open_file if file.read(6) == b"ARROW1" else pa.ipc.open_stream
        source = opened(pa.memory_map(str(path)))
        batches = source if opened is pa.ipc.open_stream else (source.get_batch(i) for i in range(source.num_record_batches))
    number = 0
    for batch in batches:
        batch.validate(full=True)  # places that a damaged file names lie anywhere: read unlooked at, they end the process
        if len(set(batch.schema.names)) < len(batch.schema.names):
            raise UserError(f"{shown}: two columns have the same name")
        for row in batch.to_pylist():
            number += 1
            yield number, row, 0
