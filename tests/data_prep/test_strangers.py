"""Forms of public medical files that were read wrong in silence once. The rows are ours."""

import json

import pytest

from data_prep.convert import convert
from data_prep.detect import find_reading
from data_prep.errors import UserError
from data_prep.options import Args
from data_prep.prepare import prepare
from data_prep.reading import Wish

OPTIONS = {"A": "Aspirina", "B": "Heparina", "C": "Insulina"}


def exam(n=30, **more):
    """Questions of two exams in two years, each with its difficulty."""
    return [
        {"enunciado": f"Qual fármaco se dá primeiro ao paciente {i} com a doença de número {i * i}?", "alternativas": OPTIONS}
        | {"gabarito": "ABC"[i % 3], "prova": f"R{i % 2 + 1}", "numero": i + 1, "ano": 2020 + i % 2, "dificuldade": i / 10 - 1.5}
        | {name: value(i) for name, value in more.items()}
        for i in range(n)
    ]


def read(rows, shape="auto"):
    reading = find_reading(rows, Wish(shape=shape), "x.json")
    return reading, [convert(row, reading, Args()) for row in rows]


@pytest.mark.parametrize("name, says", [("annulled", bool), ("anulada", lambda yes: "Sim" if yes else "Não"), ("anulado", int)])
def test_an_item_that_was_annulled_is_not_learnt_nor_scored(name, says):
    reading, rows = read(exam(**{name: lambda i: says(i % 10 == 3)}))
    assert reading.fields["annulled"] == name
    assert [i for i, row in enumerate(rows) if isinstance(row, str)] == [3, 13, 23] and "annulled" in rows[3]


def test_a_word_on_annulment_that_is_not_known_is_asked_about():
    with pytest.raises(UserError, match="anulada"):
        read(exam(anulada=lambda i: "mantida" if i % 4 else "recurso deferido"))


def test_a_title_is_not_taken_for_the_whole_question():
    rows = [
        {
            "question": f"Pain in the knee {i}?",
            "question_text": f"Doctor, I am {20 + i} and ran. Pain in the knee {i}?",
            "answer": f"Rest, {i}.",
        }
        for i in range(30)
    ]
    with pytest.raises(UserError, match="question can be question or question_text"):
        read(rows)
    alike = [row | {"question_text": row["question"].upper()} for row in rows]
    assert read(alike)[0].fields["question"] == "question"


def test_what_is_marked_in_a_text_does_not_vanish():
    rows = [{"text": f"Herr {i} kam mit Husten.", "diagnosen": [{"code": "J18.9", "text": "Pneumonie"}]} for i in range(30)]
    with pytest.raises(UserError, match="diagnosen"):
        read(rows)
    with pytest.raises(UserError, match="befunde"):
        read([{"text": row["text"], "befunde": row["diagnosen"]} for row in rows])
    assert read([{"text": row["text"], "tags": ["a", "b"]} for row in rows])[0].unused.keys() == {"tags"}


def test_exam_number_year_and_difficulty_reach_the_rows_to_measure_with(tmp_path):
    (tmp_path / "raw.json").write_text(json.dumps(exam(), ensure_ascii=False))
    prepare(Args(inputs=[str(tmp_path / "raw.json")], output_dir=str(tmp_path / "out"), test_size=1, near_duplicates="off"))
    rows = [json.loads(line) for line in (tmp_path / "out/test.jsonl").read_text().splitlines()]
    told = sorted((int(row["number"]), row["exam"], row["year"], row["difficulty"]) for row in rows)
    assert told == [(i + 1, f"R{i % 2 + 1}", str(2020 + i % 2), i / 10 - 1.5) for i in range(30)]


def test_what_only_shares_a_name_with_them_goes_unused():
    reading, _ = read(
        exam(exam=lambda i: f"Coração rítmico, pulmões limpos, abdome plano {i}. " * 5, difficulty=lambda i: "hard")
    )
    assert reading.fields["exam"] == "prova" and {"exam", "difficulty"} <= set(reading.unused)
