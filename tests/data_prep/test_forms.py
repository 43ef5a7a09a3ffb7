"""Rows in rows and right options apart from the wrong ones, read where they say it; else asked about. Rows of ours."""

import collections
import re

import pytest
import yaml
from test_headers import why
from test_needless import ILLS, asked, told
from test_strangers import read

from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.nested import rows_of
from data_prep.shapes.reading import PASTED, Wish, read_readings, write_readings
from data_prep.tables.json_records import records_of
from data_prep.tables.records import header_of


def drug(i: int, k: int) -> str:
    return f"Drug {'ABCDE'[k]}{i} by mouth"


def made(rows: list[dict], wish: Wish | None = None) -> list:
    reading = find_reading(rows, wish or Wish(), "x.json")
    return [convert(row, reading, Args()) for raw in rows for row in rows_of(raw, reading)]


def pasted(rows: list[dict], way: int = 0) -> list:
    """The rows that come of the lines which the error offers, as they stand."""
    with pytest.raises(UserError) as error:
        made(rows)
    ways = re.split(r"\n *or\n", str(error.value))
    lines = yaml.safe_load("\n".join(ln[len(PASTED) :] for ln in ways[way].splitlines() if ln.startswith(PASTED)))
    return [row for row in made(rows, Wish(**lines)) if isinstance(row, dict)]


APART = {
    "a list": lambda i: (
        {"pregunta": asked(i), "respuesta_correcta": drug(i, 0)} | {"respuestas_incorrectas": [drug(i, k) for k in (1, 2, 3)]}
    ),
    "columns": lambda i: {"question": asked(i), "correct_answer": drug(i, 0)} | {f"distractor{k}": drug(i, k) for k in (1, 2, 3)},
    "Portuguese": lambda i: (
        {"Pergunta": asked(i), "Resposta certa": drug(i, 0)} | {f"Alternativa incorreta {k}": drug(i, k) for k in (1, 2, 3)}
    ),
}


@pytest.mark.parametrize("row", APART.values(), ids=APART.keys())
def test_the_right_option_apart_from_the_wrong_ones(row, tmp_path):
    rows = [row(i) for i in range(60)]
    reading, found = read(rows)
    assert reading.base == "apart" and [r["options"][r["answer"]] for r in found] == [drug(i, 0) for i in range(60)]
    assert all(set(r["options"].values()) == {drug(i, k) for k in range(4)} for i, r in enumerate(found))
    places = collections.Counter(r["answer"] for r in found)
    assert set(places) == set("ABCD") and max(places.values()) < 30  # the right one does not stand first
    write_readings(tmp_path / "r.yaml", {"x.json": reading})  # and comes back as it went
    assert made(rows, read_readings(str(tmp_path / "r.yaml"))["x.json"]) == found


@pytest.mark.parametrize("text", ["All of the above", "Nenhuma das alternativas anteriores", "A e C", "Ambas as anteriores"])
def test_an_option_that_hangs_on_an_order_is_rejected_where_there_is_none(text):
    rows = [APART["columns"](i) | ({"distractor3": text} if i == 7 else {}) for i in range(30)]
    _, found = read(rows)
    assert [i for i, row in enumerate(found) if isinstance(row, str)] == [7] and "order" in found[7]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda i: {"wrong_answer": told(i + 1)},
        lambda i: {"wrong_answers": i % 4, "incorrect_answers": i % 3},
        lambda i: {f"wrong_answer_{k}": told(i + k) * 9 for k in (1, 2)},
    ],
)
def test_what_makes_no_wrong_options(wrong):
    with pytest.raises(UserError):
        read([{"question": asked(i), "answer": told(i) * (9 if len(str(wrong(i))) > 200 else 1), **wrong(i)} for i in range(24)])


def test_statements_with_indices_inside_exams():
    item = lambda i, right: {"statement": asked(i), "options": [drug(i, k) for k in range(4)], "correctIndices": right}  # noqa: E731
    rows = [{"title": f"Exam {e}", "questions": [item(i + 9 * e, [i % 4] if i else [1, 2]) for i in range(9)]} for e in range(4)]
    found = made(rows)
    assert [row["answer"] for row in found[1:9]] == ["ABCD"[i % 4] for i in range(1, 9)] and "several" in found[0]


def test_named_questions_side_by_side_give_a_row_each(tmp_path):
    rows = [
        {"id": i, "Dose_Question": asked(i), "Dose_Answer": told(i), "Risk_Question": asked(i + 50), "Risk_Answer": told(i + 50)}
        for i in range(24)
    ]
    rows[3] |= {"Risk_Question": "", "Risk_Answer": ""}
    reading, _ = read(rows)
    found = made(rows)
    assert len(found) == 47 and (found[1]["question"], found[1]["answer"]) == (asked(50), told(50))
    write_readings(tmp_path / "r.yaml", {"x.json": reading})
    assert made(rows, read_readings(str(tmp_path / "r.yaml"))["x.json"]) == found


def test_numbered_questions_side_by_side_are_asked_about():
    rows = [
        {f"{name} {n}": f(i + 40 * n) for n in (1, 2) for name, f in (("Pergunta", asked), ("Resposta", told))} for i in range(24)
    ]
    assert len(pasted(rows)) == 48


def test_a_question_in_two_languages_is_one():
    rows = [
        {"question_en": asked(i), "answer_en": told(i), "question_pt": asked(i + 50), "answer_pt": told(i + 50)}
        for i in range(24)
    ]
    with pytest.raises(UserError):
        read(rows)


def intents(answers) -> list[dict]:
    rows = [
        {"tag": f"t{i}", "patterns": [asked(i), asked(i + 40)], "responses": [told(i), told(i + 1)][: answers(i)]}
        for i in range(24)
    ]
    return records_of({"intents": rows})


def test_intents_with_one_answer_each_are_pairs():
    found = made(intents(lambda i: 1))
    assert len(found) == 48 and (found[3]["question"], found[3]["answer"]) == (asked(41), told(1))


def test_intents_with_several_answers_are_asked_about():
    rows = intents(lambda i: 1 + i % 2)
    assert {(row["task"], row["label"]) for row in pasted(rows)} == {("classification", f"t{i}") for i in range(24)}
    assert len(pasted(rows, 1)) == 24


ASKED = {
    "two texts compared": (
        lambda i: {"pid": i, "chq": asked(i), "faq": asked(i + 9), "value": str(i % 2 == 0).lower()},
        ("classification", f"{asked(1)}\n\n{asked(10)}", "false"),
    ),
    "a summary": (
        lambda i: {"File": f"{i}.txt", "CHQ": asked(i) + why(i), "Summary": asked(i)},
        ("open", asked(1) + why(1), asked(1)),
    ),
    "questions of a disease": (lambda i: {"Disease": ILLS[i % 10], "Question": asked(i)}, ("classification", asked(1), ILLS[1])),
    "a glossary": (lambda i: {"_key": f"{ILLS[i % 10]} {i}", "_value": told(i)}, ("open", f"{ILLS[1]} 1", told(1))),
    "running numbers": (lambda i: {"_key": str(i), "_value": told(i)}, ("text", told(1), "")),
}


@pytest.mark.parametrize("row, expected", ASKED.values(), ids=ASKED.keys())
def test_what_only_the_owner_knows_is_asked_with_lines_that_fit(row, expected):
    found = pasted([row(i) for i in range(30)])[1]
    assert (found["task"], found.get("text", found.get("question")), found.get("label", found.get("answer", ""))) == expected


def test_the_parts_of_an_object_beside_a_text_are_named():
    rows = [{"text": asked(i) + why(i), "gold_summary": {"plan": told(i), "risk": why(i)}} for i in range(24)]
    assert pasted(rows, 1)[0]["answer"] == told(0) and pasted(rows, 2)[0]["answer"] == why(0)


@pytest.mark.parametrize("name", ["label", "specialities"])
def test_several_labels_in_one_cell_are_asked_about(name):
    joined = ["Surgery|Neurology", "Surgery", "Neurology", "Surgery; Neurology"]
    with pytest.raises(UserError, match="several labels in one cell"):
        read([{"abstract": why(i) * 3, name: joined[i % 4]} for i in range(40)])


def test_terms_with_their_definitions_are_pairs():
    _, found = read([{"Termo": f"{ILLS[i % 10]} {i}", "Definição": told(i)} for i in range(24)])
    assert (found[2]["question"], found[2]["answer"]) == (f"{ILLS[2]} 2", told(2))


@pytest.mark.parametrize(
    "row",
    [
        APART["a list"],
        APART["columns"],
        lambda i: {
            "Dose_Question": asked(i),
            "Dose_Answer": told(i),
            "Risk_Question": asked(i + 50),
            "Risk_Answer": told(i + 50),
        },
        lambda i: {"tag": f"t{i}", "patterns": [asked(i), asked(i + 40)], "responses": [told(i)]},
        lambda i: {"questions": [{"question": asked(i), "answer": told(i)}, {"question": asked(i + 40), "answer": told(i + 40)}]},
    ],
)
def test_lines_that_leave_a_column_out_keep_the_rest_as_it_was_read(row):
    rows = [row(i) for i in range(24)]
    assert pasted([{**r, "verdict": ["good", "bad"][i % 2]} for i, r in enumerate(rows)]) == made(rows)


def test_titles_of_a_long_file_are_no_classes():
    """The different values of 200 rows were compared with half of all 500: any column seemed to come again."""
    rows = [{"relato": f"Dor no peito há {i} dias, sem febre e sem outras queixas.", "rotina": f"Visita {i}"} for i in range(500)]
    with pytest.raises(UserError, match="no shape fits") as error:
        made(rows)
    assert "sorted by" not in str(error.value)
    assert pasted([row | {"rotina": f"Ala {i % 9}"} for i, row in enumerate(rows)])[0]["label"] == "Ala 0"


def test_a_repeated_name_does_not_take_one_that_is_there():
    """Else the third column would be lost without a word."""
    assert header_of(["a", "a", "a (2)", "a", ""]) == ["a", "a (2)", "a (2) (2)", "a (3)", "_column5"]
