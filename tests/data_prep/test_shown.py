"""The glance at what was written, at the end of a run: data_prep/pipeline/shown.py."""

import csv
import json

from conftest import run_script

from data_prep.pipeline.shown import LONGEST, glance


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_of_texts_the_middle_is_shown(tmp_path):
    text = "Título " + "início " * 200 + "de ntro da pal avra " * 30 + "fim " * 250
    *lines, note = glance(write(tmp_path / "train.jsonl", [{"id": f"t{i}", "text": text} for i in range(5)]))
    assert (
        "one in three" in note
        and len(lines) == 3
        and all("de ntro da pal avra" in line and "Título" not in line for line in lines)
    )
    assert glance(write(tmp_path / "short.jsonl", [{"id": "t", "text": "Repouso.\nÁgua."}]))[0] == '  t  "Repouso.\\nÁgua."'


def test_of_rows_each_part_stands_under_its_name(tmp_path):
    talk = [{"from": "human", "value": "Dói? " * 200 + "Responda só a letra."}, {"from": "gpt", "value": "B"}]
    human, gpt = glance(write(tmp_path / "a.jsonl", [{"id": "1", "conversations": talk}, {"id": "2", "conversations": talk[:1]}]))
    assert human.startswith('  human  "Dói?') and human.endswith('só a letra."') and len(human) < LONGEST + 30
    assert gpt == '  gpt    "B"'
    row = {"id": "1", "task": "mcq", "question": "Qual?", "options": {"A": "uma", "B": "outra"}, "answer": "B", "topic": "t"}
    assert glance(write(tmp_path / "b.jsonl", [row])) == [
        '  question  "Qual?"',
        '  options   {"A": "uma", "B": "outra"}',
        '  answer    "B"',
    ]
    pair = {"id": "1", "prompt": [{"role": "user", "content": "Dói?"}], "chosen": "Sim.", "rejected": "Não."}
    assert [line.split()[0] for line in glance(write(tmp_path / "c.jsonl", [pair]))] == ["prompt", "chosen", "rejected"]
    label = {"id": "1", "text": "Tosse seca.", "labels": ["a", "b"], "label": "a"}
    assert [line.split()[0] for line in glance(write(tmp_path / "d.jsonl", [label]))] == ["text", "labels", "label"]
    assert glance(write(tmp_path / "e.jsonl", [])) == []


def test_a_run_ends_with_a_row_as_it_was_written(tmp_path):
    """Two columns that were exchanged by their names are seen without opening a file. What is masked is masked here too."""
    with open(tmp_path / "qa.csv", "w", newline="") as file:
        rows = [(f"O que fazer no caso {i} de dengue?", f"Hidratar, e ligar para (11) 98765-4{i}0.") for i in range(10, 40)]
        csv.writer(file).writerows([("answer", "question"), *rows])
    said = run_script("data_prep/prepare.py", tmp_path / "qa.csv", "--output_dir", tmp_path / "o").stdout
    human, gpt = said.partition("train.jsonl, a first look:\n")[2].splitlines()[:2]
    assert human.startswith('  human  "Hidratar') and gpt.startswith('  gpt    "O que fazer') and "98765" not in said
    held_out = run_script("data_prep/prepare.py", tmp_path / "qa.csv", "--output_dir", tmp_path / "p", "--test_size", "1").stdout
    assert "test.jsonl, a first look:\n  question  " in held_out
