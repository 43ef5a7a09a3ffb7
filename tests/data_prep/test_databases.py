"""SQLite and YAML, and formats that are not read. The rows are ours."""

import sqlite3

import pytest
from test_headers import exam, letter
from test_needless import asked, told

from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.pipeline.read import input_files
from data_prep.pipeline.sources import all_records, find_sources
from data_prep.shapes.convert import convert


def made(*names, **options) -> list:
    sources = find_sources(Args(inputs=[str(n) for n in names], **options))
    return [convert(record.raw, reading, Args()) for record, reading in all_records(sources)]


def database(path, **tables):
    base = sqlite3.connect(path)
    for name, rows in tables.items():
        columns = ", ".join(f'"{c}"' for c in rows[0])
        base.execute(f'CREATE TABLE "{name}" ({columns})')
        base.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(rows[0]))})', [tuple(r.values()) for r in rows])
    base.commit()
    base.close()
    return path


@pytest.mark.parametrize("suffix", ["db", "sqlite", "sqlite3"])
def test_a_database_of_one_table(tmp_path, suffix):
    found = made(database(tmp_path / f"it's 100%#.{suffix}", **{'ques""tões': exam("Enunciado", "Gabarito")}))
    assert [row["answer"] for row in found] == [letter(i) for i in range(24)]


def test_tables_are_read_as_sheets_are(tmp_path):
    pairs = [{"pergunta": asked(i), "resposta": told(i)} for i in range(24)]
    path = database(tmp_path / "x.db", pares=pairs, logs=[{"at": "2024", "n": 3}])
    with pytest.raises(UserError, match=r"--exclude 'x\.db#logs'"):
        made(path)
    assert len(made(path, exclude=["x.db#logs"])) == 24


def test_options_in_a_table_of_their_own_are_asked_about(tmp_path):
    questions = [{"id": i, "enunciado": asked(i)} for i in range(24)]
    options = [{"questao_id": i, "texto": f"Drug {k} of {i}", "correta": k == i % 4} for i in range(24) for k in range(4)]
    with pytest.raises(UserError):
        made(database(tmp_path / "x.db", questoes=questions, opcoes=options))


def test_what_is_called_a_database_and_is_none(tmp_path):
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 pictures")
    (tmp_path / "x.csv").write_text("pergunta,resposta\n" + "".join(f'{asked(i)},"{told(i)}"\n' for i in range(9)))
    assert [f.path.name for f in input_files(str(tmp_path))] == ["x.csv"]
    with pytest.raises(UserError, match=r"cannot be read as \.db"):
        made(tmp_path / "Thumbs.db")


def test_rows_in_yaml_are_texts_as_they_stand(tmp_path):
    rows = "".join(
        f'- pergunta: "{asked(i)}"\n  opcoes: [Yes, No, 1e3, 07]\n  gabarito: {"ABCD"[i % 4]}\n  ano: 2024-01-0{i % 9 + 1}\n'
        for i in range(9)
    )
    (tmp_path / "x.yaml").write_text(rows)
    assert made(tmp_path / "x.yaml")[1]["options"] == {"A": "Yes", "B": "No", "C": "1e3", "D": "07"}
    (tmp_path / "y.yml").write_text(f"a: &a [x, y]\nb: [*a, *a]\n{rows}")
    with pytest.raises(UserError):
        made(tmp_path / "y.yml")


def test_settings_beside_the_data_are_no_data_and_other_formats_are_named(tmp_path, capsys):
    (tmp_path / "settings.yaml").write_text("a: 1\n")
    (tmp_path / "old.xls").write_bytes(b"x")
    (tmp_path / "x.csv").write_text("pergunta,resposta\n" + "".join(f'{asked(i)},"{told(i)}"\n' for i in range(9)))
    assert [f.path.name for f in input_files(str(tmp_path))] == ["x.csv"]
    assert "old.xls" in capsys.readouterr().out


@pytest.mark.parametrize("suffix, says", [("ods", ".xlsx"), ("sav", ".csv"), ("dta", ".csv"), ("pkl", ".jsonl"), ("rar", ".zip")])
def test_a_format_that_is_not_read_says_what_to_do(tmp_path, suffix, says):
    (tmp_path / f"x.{suffix}").write_bytes(b"x")
    with pytest.raises(UserError, match=f"is not known; [^;]*\\{says}"):
        made(tmp_path / f"x.{suffix}")
