"""Whatever a table of questions holds, and in whatever form and order of columns it is written, the same rows are read back."""

import contextlib
import csv
import gzip
import io
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.pipeline.sources import all_records, find_sources
from data_prep.shapes.convert import convert

CASES, MANY = 150, 10_000
QUIET = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
}
# Words that a cell may hold; none of them reads like a letter, a number or a missing value by itself.
WORDS = st.lists(
    st.sampled_from(
        "dose febre aspirina gota paciente com dor a e o de no não tratamento 5 mg/dL > < % ± \"aspas\" 'x' ; , | \n conduta é ção β 10⁹ (sic)".split(
            " "
        )
    ),
    min_size=2,
    max_size=9,
).map(lambda words: "texto " + " ".join(words).strip() + " fim")
LETTERS = "ABCDEFGH"


@st.composite
def tables(draw):
    """(rows as (question, options, right letter), how keys are written, how options are written, format, order)."""
    size, number = draw(st.integers(2, 5)), draw(st.integers(3, 7))
    rows = []
    for i in range(number):
        texts = draw(st.lists(WORDS, min_size=size, max_size=size, unique=True))
        rows.append((f"{i}: {draw(WORDS)}?", dict(zip(LETTERS, texts, strict=False)), LETTERS[draw(st.integers(0, size - 1))]))
    # Both ends of a numeric key occur, so that its base can be told.
    rows[0] = (*rows[0][:2], "A")
    rows[1] = (*rows[1][:2], LETTERS[size - 1])
    key = draw(st.sampled_from(("letter", "small", "dotted", "said", "0", "1", "float", "text")))
    spread = draw(st.sampled_from(("columns", "list", "dict", "objects", "json", "lettered", "inline")))
    form = draw(st.sampled_from(("csv", "semicolon", "tsv", "jsonl", "json", "gz", "xlsx", "parquet", "columnar")))
    return rows, key, spread, form, draw(st.randoms(use_true_random=False)), draw(st.booleans())


def key_of(letter: str, options: dict, key: str):
    at = LETTERS.index(letter)
    return {
        "letter": letter,
        "small": letter.lower(),
        "dotted": f"{letter}) {options[letter]}",
        "said": f"Letra {letter}",
        "0": at,
        "1": at + 1,
        "float": float(at),
        "text": options[letter],
    }[key]


def written(rows, key: str, spread: str, shuffle: random.Random, more: bool) -> list[dict]:
    found = []
    order = None
    for question, options, letter in rows:
        row = {"pergunta": question, "gabarito": key_of(letter, options, key)}
        if spread == "columns":
            row |= {f"alternativa_{k.lower()}": v for k, v in options.items()}
        elif spread == "inline":
            # The last one on one line: what may stand below it is another test's (test_unread_forms.py).
            *others, last = (f"{k}) {v}" for k, v in options.items())
            row["pergunta"] += "\n" + "\n".join([*others, squeeze(last)])
        else:
            row["alternativas"] = {
                "list": list(options.values()),
                "dict": options,
                "objects": [{"letra": k, "texto": v} for k, v in options.items()],
                "json": json.dumps(options, ensure_ascii=False),
                "lettered": "\n".join(f"{k}. {v}" for k, v in options.items()),
            }[spread]
        if more:
            row |= {"prova": "R1", "coluna nova": "qualquer", "ano": 2020}
        order = order or shuffle.sample(list(row), len(row))
        found.append({name: row[name] for name in order})
    return found


def write(folder: Path, rows: list[dict], form: str) -> Path:
    flat = [
        {k: v if isinstance(v, str | int | float) else json.dumps(v, ensure_ascii=False) for k, v in row.items()} for row in rows
    ]
    if form in ("csv", "semicolon", "tsv"):
        path = folder / ("a.tsv" if form == "tsv" else "a.csv")
        text = io.StringIO()
        writer = csv.DictWriter(text, list(flat[0]), delimiter={"csv": ",", "semicolon": ";", "tsv": "\t"}[form])
        writer.writeheader()
        writer.writerows(flat)
        path.write_bytes(text.getvalue().encode())
    elif form == "xlsx":
        import openpyxl

        path, book = folder / "a.xlsx", openpyxl.Workbook()
        for row in ([*flat[0]], *(list(row.values()) for row in flat)):
            book.active.append(row)
        book.save(path)
    elif form == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = folder / "a.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif form in ("json", "columnar"):
        path = folder / "a.json"
        path.write_text(
            json.dumps({name: [row[name] for row in rows] for name in rows[0]} if form == "columnar" else rows), encoding="utf-8"
        )
    else:
        path = folder / ("a.jsonl.gz" if form == "gz" else "a.jsonl")
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(content) if form == "gz" else content)
    return path


def squeeze(text: str) -> str:
    return " ".join(text.split())


def check(folder: Path, table) -> None:
    rows, key, spread, form, shuffle, more = table
    if key == "dotted" and spread == "inline":
        key = "letter"
    path = write(folder, raw := written(rows, key, spread, shuffle, more), form)
    try:
        args = Args(inputs=[str(path)])
        sources = find_sources(args)
        made = [convert(record.raw, reading, args) for record, reading in all_records(sources)]
    finally:
        os.unlink(path)
    assert len(made) == len(rows)
    for (question, options, letter), row in zip(rows, made, strict=True):
        assert isinstance(row, dict), (row, table)
        assert squeeze(row["question"]) == squeeze(question)
        assert {k: squeeze(v) for k, v in row["options"].items()} == {k: squeeze(v) for k, v in options.items()}
        assert row["answer"] == letter
    reading = sources[0].reading
    used = {*reading.fields.values(), *reading.option_columns, *reading.checked}
    assert used | set(reading.unused) == set(raw[0]) and not used & set(reading.unused)
    if more:
        assert "coluna nova" in reading.unused and (reading.fields["exam"], reading.fields["year"]) == ("prova", "ano")
        assert all((row["exam"], row["year"]) == ("R1", "2020") for row in made)


@settings(max_examples=CASES, derandomize=True, **QUIET)
@given(table=tables())
def test_questions_are_read_back_from_every_form(tmp_path, table):
    check(tmp_path, table)


@pytest.mark.slow
@settings(max_examples=MANY, **QUIET)
@given(table=tables())
def test_questions_are_read_back_from_every_form_many_times(tmp_path, table):
    check(tmp_path, table)


NAMES = st.text(alphabet="abcdefgh_ çã", min_size=1, max_size=12).map(str.strip).filter(bool)
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 99),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
)


@settings(max_examples=CASES, derandomize=True, **QUIET)
@given(more=st.dictionaries(NAMES, CELLS, max_size=6), number=st.integers(2, 4))
def test_no_column_vanishes_unlisted(tmp_path, more, number):
    """Questions with answers beside any columns: each is used, listed as unused, or asked about; never gone."""
    rows = [{**more, "question": f"Pergunta {i} sobre a gota?", "answer": f"Resposta {i}, por extenso."} for i in range(number)]
    path = write(tmp_path, rows, "jsonl")
    with contextlib.suppress(UserError):
        [source] = find_sources(Args(inputs=[str(path)]))
        reading = source.reading
        listed = {*reading.fields.values(), *reading.option_columns, *reading.checked, *reading.unused, reading.explode}
        assert listed >= set(rows[0])
