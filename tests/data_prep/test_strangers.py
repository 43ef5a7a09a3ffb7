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


def test_an_item_that_is_not_text_only_needs_its_image():
    _, rows = read(exam(text_only=lambda i: i != 4))
    assert [i for i, row in enumerate(rows) if isinstance(row, str)] == [4] and "image" in rows[4]


def test_a_word_on_annulment_that_is_not_known_is_asked_about():
    with pytest.raises(UserError, match="anulada"):
        read(exam(anulada=lambda i: "mantida" if i % 4 else "recurso deferido"))


@pytest.mark.parametrize("said", ["A {}", "A　{}", "A、{}", "A．{}", "A：{}"])
def test_letters_of_options_are_no_part_of_their_texts(said):
    options = "\n".join(said.replace("A", letter).format(text) for letter, text in OPTIONS.items())
    _, rows = read([{"question": f"第{i}题？", "options": options, "answer": "ABC"[i % 3]} for i in range(9)])
    assert all(row["options"] == OPTIONS and row["answer"] == "ABC"[i % 3] for i, row in enumerate(rows))
    _, rows = read([{"question": f"Q{i}?", "options": "A dor\nO calor\nO rubor", "answer": "A dor"} for i in range(9)])
    assert rows[0]["options"] == {"A": "A dor", "B": "O calor", "C": "O rubor"} and rows[0]["answer"] == "A"


def test_a_key_that_is_an_option_s_name_in_the_file():
    rows = [
        {"question": f"Which drug in case {i}?", "answer_options": {f"option{n + 1}": f"Drug {n} of {i}" for n in range(5)}}
        | {"correct_answer": f"option{i % 5 + 1}" if i % 7 else "option1,option3", "answer_rationale": f"Because {i}."}
        for i in range(30)
    ]
    _, made = read(rows)
    assert [row["answer"] for i, row in enumerate(made) if i % 7] == ["ABCDE"[i % 5] for i in range(30) if i % 7]
    assert made[1]["explanation"] == "Because 1." and all(isinstance(made[i], str) for i in range(0, 30, 7))


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


@pytest.mark.parametrize("sign", ["|", "\t"])
def test_a_table_without_names_is_no_text(tmp_path, sign):
    path = tmp_path / "answers.txt"
    path.write_text("".join(sign.join([f"image{i}", "gout", *["of the knee"] * (i % 3)]) + "\n" for i in range(20)))
    with pytest.raises(UserError, match="give it a line of names"):
        prepare(Args(inputs=[str(path)], output_dir=str(tmp_path / "out")))


@pytest.mark.parametrize("column", ["Reference Summary", "tools"])
def test_a_dialogue_s_summary_and_its_tools_do_not_vanish(column):
    rows = [
        {
            "messages": [{"role": "user", "content": f"Dor {i}?"}, {"role": "assistant", "content": "Repouso."}],
            column: f"[{i}, 1]",
        }
        for i in range(30)
    ]
    with pytest.raises(UserError, match=column):
        read(rows)


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
