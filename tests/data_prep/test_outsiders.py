"""What tables of apps, bots and exam boards were read wrong in, or asked about needlessly: cold list 26. The rows are ours."""

import json

import pytest
from test_contradicting import run
from test_strangers import read, written

from data_prep.common.arguments import parse_args
from data_prep.common.errors import UserError
from data_prep.prepare import Args
from data_prep.shapes.statements import are_lacking, numbered, pointed_at
from data_prep.tables.json_records import records_of
from data_prep.values.choices import options_of

DRUGS = "Aspirina Heparina Insulina Furosemida".split()


def asked(i: int) -> str:
    return f"Qual fármaco se dá no caso {i}, de doença {i * i}?"


def moved(i: int) -> list[str]:
    return [f"{d} {i}" for d in (*DRUGS[i % 4 :], *DRUGS[: i % 4])]


# ---------------------------------------------------------------------------------------------- options of other names


@pytest.mark.parametrize("mark, text", [("key", "variant"), ("answer", "option"), ("key", "variante")])
def test_a_yes_or_no_called_key_marks_its_option(mark, text):
    rows = [{"question": asked(i), "variants": [{mark: n == i % 4, text: t} for n, t in enumerate(moved(i))]} for i in range(24)]
    reading, found = read(rows)
    assert (reading.shape, reading.base) == ("mcq", "marked")
    assert [row["answer"] for row in found] == ["ABCD"[i % 4] for i in range(24)]
    assert list(found[5]["options"].values()) == moved(5)


def test_a_key_that_is_a_letter_stays_the_options_letter():
    assert [tuple(o)[:2] for o in options_of([{"key": "B", "value": "x"}, {"key": "A", "value": "y"}])] == [
        ("B", "x"),
        ("A", "y"),
    ]


@pytest.mark.parametrize("items", [lambda i: moved(i), lambda i: [{"v": t, "ok": not n} for n, t in enumerate(moved(i))]])
def test_options_of_an_unknown_name_are_asked_about_and_not_lost(items):
    with pytest.raises(UserError, match="picks"):
        read([{"question": asked(i), "answer": moved(i)[0], "picks": items(i)} for i in range(24)])


def test_an_options_only_text_is_its_text_beside_a_mark():
    found = options_of([{"t": "aspirin", "correct": True, "points": 2}, {"t": "heparin", "correct": False, "points": 0}])
    assert [(o.letter, o.text, o.marked) for o in found] == [("A", "aspirin", True), ("B", "heparin", False)]


def test_options_of_an_unknown_name_are_offered_as_options():
    with pytest.raises(UserError, match=r"shape: mcq\n +fields: {question: question, options: picks, answer: answer}"):
        read([{"question": asked(i), "answer": moved(i)[0], "picks": moved(i)} for i in range(24)])


@pytest.mark.parametrize(
    "beside",
    [
        {"tags": ["heart", "drugs"]},
        {"links": [{"title": "Leaflet", "new": True}]},
        {"files": [{"name": "a.pdf", "new": True}, {"name": "b.pdf", "new": True}]},
    ],
)
def test_lists_that_hold_no_answer_go_unused(beside):
    reading, _ = read([{"question": asked(i), "answer": f"Dá-se o fármaco {i}."} | beside for i in range(24)])
    assert reading.shape == "qa" and beside.keys() <= reading.unused.keys()


# ---------------------------------------------------------------------------------------------- where a row is from


@pytest.mark.parametrize(
    "cited",
    [
        lambda i: f"Livro de clínica, cap. 3, p. {i + 10}",
        lambda i: ("Norma 12.3", "Norma 7")[i % 2],
        lambda i: f"https://x.org/{i}",
    ],
)
def test_a_reference_that_says_where_a_row_is_from_is_no_answer(cited):
    with pytest.raises(UserError, match="no shape fits"):
        read([{"question": asked(i), "reference": cited(i), "level": i % 3} for i in range(30)])


def test_a_reference_that_answers_is_the_answer():
    rows = [{"question": asked(i), "reference": f"Dá-se o fármaco {i}, pela boca, com água."} for i in range(30)]
    reading, _ = read(rows)
    assert (reading.shape, reading.fields["answer"]) == ("qa", "reference")


# ---------------------------------------------------------------------------------------------- numbered statements

ONLY = ["Nur die Aussagen 1 und 2 sind richtig", "Nur die Aussage 3 ist richtig", "Nur 1, 2 und 3", "Alle Aussagen sind richtig"]
ROMAN = ["Apenas I e II.", "Apenas III.", "I, II e III.", "Nenhuma"]
SAID = ["Das Herz liegt links", "Die Leber liegt rechts", "Die Milz liegt vorn"]


def items(options=ONLY, **more):
    return [
        {"question": f"Welche Aussagen zu Fall {chr(97 + i)} treffen zu?", "options": options, "answer": "ABC"[i % 3]} | more
        for i in range(24)
    ]


@pytest.mark.parametrize("name", ["statements", "Aussagen", "assertivas"])
@pytest.mark.parametrize("options, marks", [(ONLY, ("1.", "2.", "3.")), (ROMAN, ("I.", "II.", "III."))])
def test_statements_beside_a_question_stand_under_the_numbers_of_its_options(name, options, marks):
    reading, rows = read(items(options, **{name: SAID}))
    assert reading.fields["statements"] == name
    assert rows[0]["question"].split("\n")[1:] == [f"{mark} {text}" for mark, text in zip(marks, SAID, strict=True)]


def test_statements_that_bear_their_numbers_or_stand_in_the_question_are_not_numbered_again():
    assert numbered(["1) a", "2) b"], False) == "1) a\n2) b"
    [row] = read([{"question": "Welche?\n" + "\n".join(SAID), "options": ONLY, "answer": "A", "statements": SAID}] * 3)[1][:1]
    assert row["question"] == "Welche?\n" + "\n".join(SAID)


def test_statements_under_a_name_that_says_nothing_are_asked_about_and_offered():
    with pytest.raises(UserError, match=r"parts.*\n +shape: mcq\n +fields: {.*statements: parts}"):
        read(items(parts=SAID))
    assert read(items(parts=SAID[:2]))[0].shape == "mcq"  # too few for the options


def test_a_question_whose_statements_are_lost_is_a_reject():
    assert all("statements that are not there" in row for row in read(items())[1])


@pytest.mark.parametrize(
    "question, options",
    [
        ("Welche?\n1. a\n2. b\n3. c", ONLY),
        ("Quais? I. a; II. b; III. c", ROMAN),
        ("Quais? 1) a 2) b 3) c", ROMAN),
        ("Quais? i) a ii) b iii) c", ROMAN),
        ("Welche?\na\nb\nc", ONLY),
        ("In welchem Monat?", ["2 und 4", "4 und 6", "2, 4 und 6", "nie"]),  # months
        ("Welche Nerven?", ["II and III", "III and IV", "V", "X"]),  # nerves
        ("Which types?", ["Only type 1", "Only type 2", "Types 1 and 2", "None"]),
        ("How many?", ["1", "2", "3", "only 4"]),
        ("How much holds a memory?", ["7 ± 2 items", "4 ± 2 items", "5 ± 3 items", "9 ± 4 items"]),
        ("哪些正确?", ["①②", "①③", "②③", "only ①②③"]),
        ("How much?", ["1 or 2 items", "2 or 3 items", "3 or 4 items"]),
    ],
)
def test_questions_that_hold_their_statements_or_have_none_are_no_rejects(question, options):
    assert not are_lacking(question, pointed_at(options))


# ---------------------------------------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    "ask, told", [("Where is the lesion of patient {} seen?", True), ("How many lobes has organ {}?", False)]
)
def test_options_that_may_be_marks_in_a_picture_are_told(tmp_path, capsys, ask, told):
    rows = [{"question": ask.format(i * i), "options": ["1", "2", "3"], "answer": "ABC"[i % 3]} for i in range(30)]
    run(tmp_path, rows)
    assert ("marks in a picture" in capsys.readouterr().out) is told


def test_a_list_that_is_called_in_the_singular_in_a_row_is_the_same_column(tmp_path):
    def row(i):
        return {
            "question": asked(i),
            "correct": f"Dose {i}",
            "wrongAnswer" if i == 70 else "wrongAnswers": [f"Gota {i}", f"Ar {i}"],
        }

    rows = written(tmp_path, "x.json", [row(i) for i in range(120)])
    assert len(rows) == 120 and not any(r.get("task") == "open" for r in rows)


QUESTIONS = [{"question": asked(i), "options": DRUGS, "answer": "ABCD"[i % 4]} for i in range(5)]


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True, "data": {"questions": QUESTIONS, "total": 5}},
        {"quiz": {"title": "Quiz", "items": QUESTIONS}, "user": {"name": ""}},
    ],
)
def test_rows_in_a_servers_answer_are_rows(answer):
    assert records_of(json.loads(json.dumps(answer))) == QUESTIONS


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"items": QUESTIONS}, "b": {"items": QUESTIONS}},
        {"case": {"context": "A man of 40 years coughs since Monday.", "items": QUESTIONS}},
        {"quiz": {"items": QUESTIONS}, "about": {"case": "A man of 40 years comes to the emergency room, as he coughs blood."}},
        {"first": {"question": "What is seen?", "options": [{"text": "a"}, {"text": "b"}, {"text": "c"}]}},
    ],
)
def test_rows_beside_what_says_something_of_its_own_are_no_servers_answer(value):
    assert records_of(value) != QUESTIONS and len(records_of(value)) != 3


def test_a_mark_is_not_offered_as_the_answer():
    rows = [
        {"question": asked(i), "reference": f"Dá-se {i}.", "predicted": f"Dá-se {i + 1}.", "correct": False} for i in range(24)
    ]
    try:
        reading, _ = read(rows)
        assert reading.fields["answer"] == "reference"
    except UserError as error:
        assert "answer: correct" not in str(error)


def test_pairs_of_texts_written_once_more_are_offered_as_pairs():
    rows = [
        {"question_1": f"{asked(i)} Agora?", "question_2": f"{asked(i + 1)} Depois?", "label": i % 2}
        | {"clean_question_1": f"fármaco caso doença {i * i}", "clean_question_2": f"fármaco caso doença agora {i}"}
        for i in range(30)
    ]
    with pytest.raises(UserError, match=r"neither answers the other.*\n +shape: classification\n.*context: question_1"):
        read(rows)


def test_single_questions_under_the_name_of_a_text_are_no_prose():
    with pytest.raises(UserError, match="single questions"):
        read([{"id": i, "body": asked(i), "type": ("list", "yesno", "factoid")[i % 3]} for i in range(30)])
    leaflet = [
        {"id": i, "body": f"O que é a doença {i}? É uma doença do fígado, e trata-se com o fármaco {i * i}."} for i in range(30)
    ]
    assert read(leaflet)[0].shape == "text"


def test_which_exam_a_row_is_of_is_no_class():
    rows = [
        {"question": asked(i), "options": DRUGS, "answer": "ABCD"[i % 4], "exam_class": ("junior", "senior")[i % 2]}
        for i in range(24)
    ]
    assert read(rows)[0].shape == "mcq"


def test_a_wrong_option_that_is_masked_whole_tells_that_it_is_wrong(tmp_path):
    people = ["Robert Hooke", "Dr. João Batista Ferreira", "Robert Koch", "Louis Pasteur"]
    rows = [
        {"question": f"Quem descreveu a doença {i * i}?", "options": people[i % 2 * 2 :], "answer": "AB"[i % 2]}
        for i in range(20)
    ]
    lines = run(tmp_path, rows)[1]
    assert len(lines["rejects"]) == 10 and all("masked whole" in row["reason"] for row in lines["rejects"])
    assert any("told to be wrong" in row["reason"] for row in lines["rejects"])


def test_a_chatbots_settings_are_no_flags(tmp_path):
    file = tmp_path / "domain.yml"
    file.write_text("intents:\n" + "".join(f"- intent_{i}\n" for i in range(30)) + "responses: {utter_a: [{text: Hi}]}\n")
    assert parse_args(Args, "", [str(file), "--output_dir", "x"]).inputs == [str(file)]
    file.write_text("inptus: [a.csv, b.csv]\n")
    with pytest.raises(UserError, match="did you mean 'inputs'"):
        parse_args(Args, "", [str(file)])


def test_names_of_files_and_times_are_not_offered_as_questions():
    rows = [
        {"id": i, "file_upload": "c928965e-notes_of_data.json", "created_at": f"2025-05-08T08:{i:02}:00.38Z"} for i in range(24)
    ]
    for i, row in enumerate(rows):
        row["data"] = {
            "text": f"The patient of bed {i} says that the pain has gone to the left arm since the morning, and coughs at night."
        }
    with pytest.raises(UserError, match=r"text: 'data.text'"):
        read(rows)


def test_t5s_two_columns_ask_and_answer():
    reading, _ = read([{"input_text": asked(i), "target_text": f"Dá-se o fármaco {i}."} for i in range(24)])
    assert (reading.shape, reading.fields["answer"]) == ("qa", "target_text")
