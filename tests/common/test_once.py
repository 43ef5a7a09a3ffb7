"""A name that stands twice in one object is no choice of the last: each reader of JSON and YAML refuses it, or lists the row."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from annotation.modes import read_rubric
from chain import recipe
from common.files import read_rows
from conftest import ROOT
from reporting.score_table import read_published
from training.rules import load_rules

from data_prep.common.arguments import config_problems
from data_prep.common.errors import UserError
from data_prep.common.once import RepeatedName, load_json, load_yaml
from data_prep.pipeline.read import file_records, input_files
from data_prep.shapes.reading import read_readings
from data_prep.values.strict import from_literal


def test_json_and_yaml_are_read_as_ever_but_for_a_name_twice():
    assert load_json('[{"a": 1}, {"a": {"b": [2]}}]') == [{"a": 1}, {"a": {"b": [2]}}]
    for text in ('{"a": 1, "a": 1}', '[{"x": {"a": 1, "b": 2, "a": 3}}]'):
        with pytest.raises(RepeatedName, match="'a' stands twice"):
            load_json(text)
    same = "a: &x {b: no}\nc: [*x, {b: 1}]\nd: {<<: *x, e: 2}\n"
    assert load_yaml(same) == yaml.safe_load(same) and load_yaml("a: no", typed=False) == {"a": "no"}
    for typed in (True, False):
        with pytest.raises(yaml.YAMLError, match="'b' stands twice") as error:
            load_yaml("a:\n  - {b: 1}\n  - b: 1\n    b: 2\n", typed)
        assert "line 4" in str(error.value)


def records(path):
    return [record for file in input_files(str(path)) for record in file_records(file)]


def test_a_row_with_a_name_twice_is_listed_as_no_record(tmp_path):
    rows = [f'{{"question": "Q{i}?", "answer": "A{i}"}}' for i in range(12)] + [
        '{"question": "Q?", "answer": "A", "answer": "B"}'
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    assert [r.bad for r in records(tmp_path / "x.jsonl") if r.bad] == ["not JSON (the name 'answer' stands twice in one object)"]
    with pytest.raises(UserError, match=r"x.jsonl:13: .*'answer' stands twice"):
        read_rows(tmp_path / "x.jsonl")


@pytest.mark.parametrize(
    "name, text",
    [
        ("x.json", '[{"question": "Q?", "answer": "A", "answer": "B"}]'),
        ("x.json", '{"1": {"q": "Q?"}, "2": {"q": "P?"}, "1": {"q": "R?"}}'),
        ("x.json", '{"columns": ["question", "answer", "answer"], "data": [["Q?", "A", "B"]]}'),
        ("x.yaml", "- question: Q?\n  answer: A\n  answer: B\n"),
    ],
)
def test_a_file_with_a_name_twice_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=rf"{name}.*(stands twice|same name)"):
        records(tmp_path / name)


def test_a_table_of_columns_with_one_name_is_refused(tmp_path):
    pq.write_table(pa.table([["Q?"], ["A"], ["B"]], names=["question", "answer", "answer"]), tmp_path / "x.parquet")
    with pytest.raises(UserError, match="same name"):
        records(tmp_path / "x.parquet")


@pytest.mark.parametrize("text", ['{"A": "x", "B": "y", "B": "z"}', "{'A': 'x', 'B': None, 'B': 'z'}"])
def test_an_object_written_as_text_stays_text(text):
    assert from_literal(text) == text and from_literal(text.replace("'B': None, ", "").replace('"B": "y", ', "")) != text


@pytest.mark.parametrize(
    "read, text, twice",
    [
        (read_readings, "a.csv: {shape: qa}\nb.csv: {shape: qa}\na.csv: {shape: text}\n", "a.csv"),
        (read_readings, "a.csv:\n  shape: qa\n  fields: {question: q, answer: a, answer: b}\n", "answer"),
        (read_rubric, "criteria: [{name: x, question: y}]\nscale: 5\nscale: 9\n", "scale"),
        (load_rules, "rules:\n  - {name: b, type: regex, pattern: x, pattern: y}\n", "pattern"),
        (read_published, "- {accuracy: 80, source: x, accuracy: 40}\n", "accuracy"),
    ],
)
def test_a_key_twice_in_a_user_s_yaml_is_refused(tmp_path, read, text, twice):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError, match=f"{twice}.* stands twice"):
        read(str(tmp_path / "x.yaml"))


def test_a_key_twice_in_a_recipe_or_below_a_flag_is_refused(tmp_path):
    whole = (ROOT / "recipes/quickstart/recipe.yaml").read_text()
    (tmp_path / "recipe.yaml").write_text(whole.replace("    outputs:", "    outputs: []\n    outputs:", 1))
    with pytest.raises(UserError, match=r"outputs.* stands twice"):
        recipe.load(tmp_path)
    (tmp_path / "x.yaml").write_text("shape: qa\nfields:\n  question: q\n  answer: right\n  answer: wrong\n")
    assert config_problems(tmp_path / "x.yaml", ["shape", "fields"]) == [
        f"{tmp_path / 'x.yaml'}:5: key 'answer' stands twice; keep one"
    ]
