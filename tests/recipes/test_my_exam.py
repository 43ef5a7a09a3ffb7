"""One spreadsheet of one's own: what recipes/my_exam refuses before it loads a model, and recipes/sft given one file twice."""

import csv
import json

import openpyxl
import pytest
from conftest import ROOT, run_script
from scoring import statistics


@pytest.fixture
def spreadsheet(tmp_path):
    """The rehearsal's questions as somebody's workbook: a title above the header, a sheet of notes, an item annulled."""
    with open(ROOT / "recipes/rehearsal/my_exam.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter=";")
    rows[5][7] = "ANULADA"
    book = openpyxl.Workbook()
    book.active.title, book.active["A1"] = "Leia-me", "Uso interno da residência"
    sheet = book.create_sheet("Banco 2024")
    for row in (
        ["BANCO DE QUESTÕES"],
        [None],
        ["Nº", "Área", "Enunciado da questão", *header[3:7], "GABARITO OFICIAL", header[8]],
        *rows,
    ):
        sheet.append(row)
    book.save(tmp_path / "prova.xlsx")
    return tmp_path / "prova.xlsx"


def my_exam(out, code, **variables):
    return run_script(
        "scripts/run_recipe.py", "recipes/my_exam", "--output_dir", out, "--variables", json.dumps(variables), code=code
    )


def test_exam_too_short_to_show_anything_is_refused_with_the_rows_it_takes(tiny_model, tmp_path, spreadsheet):
    variables = {"rows": str(spreadsheet), "model": tiny_model, "read_flags": "--exclude *#Leia-me", "answer": "explained"}
    done = my_exam(tmp_path / "out", 2, **variables)
    counts = json.loads((tmp_path / "out/data/manifest.json").read_text())["counts"]
    needed = statistics.rows_to_show(0.2, 0.05)
    said = (tmp_path / "out/logs/score_base.log").read_text()
    assert f"holds {counts['test']} rows, too few: a difference of 20 points takes {needed}" in said and "test_size" in said
    assert not (tmp_path / "out/sft").exists() and "failed (exit 2)" in done.stdout + done.stderr
    assert counts["rejected"] == 1, "the annulled item"
    taught = [json.loads(line) for line in (tmp_path / "out/data/train.jsonl").read_text().splitlines()]
    assert all("é o que a pergunta descreve" in row["conversations"][-1]["value"] for row in taught)
    chosen_by = {row["question"] for row in map(json.loads, (tmp_path / "out/choice/test.jsonl").read_text().splitlines())}
    exam = {row["question"] for row in map(json.loads, (tmp_path / "out/data/test.jsonl").read_text().splitlines())}
    asked = " ".join(row["conversations"][0]["value"] for row in taught)
    assert chosen_by and exam and not chosen_by & exam and not any(question in asked for question in chosen_by | exam)


def test_rows_that_are_not_named_are_asked_for(tmp_path):
    done = run_script("scripts/run_recipe.py", "recipes/my_exam", "--output_dir", tmp_path, code=2)
    assert done.stderr.count("your_exam.xlsx is not there") == 1 and "--variables '{rows: PATH}'" in done.stderr


def test_one_file_to_learn_from_and_to_be_measured_by_is_told_where_to_go(tiny_model, tmp_path):
    same, other = "recipes/rehearsal/my_exam.csv", tmp_path / "other.jsonl"
    other.write_text(
        json.dumps({"question": "Which bone is the longest?", "options": {"A": "Femur", "B": "Ulna"}, "answer": "A"})
    )
    variables = {"model": tiny_model, "cases": same, "exam": same, "choice": str(other), "rows": 0}
    command = ["scripts/run_recipe.py", "recipes/sft", "--output_dir", tmp_path, "--variables", json.dumps(variables)]
    run_script(*command, code=2)
    said = (tmp_path / "logs/prepare_cases.log").read_text()
    assert "no row of 32 is left: 32 x leak" in said and "`cases` and `exam`" in said and "recipes/my_exam" in said
