"""Tables whose first line is a row, and rows whose parts strangers name or nest otherwise. The rows are ours."""

import csv
import io
import json

import openpyxl
import pytest
from test_exam_text import prepared

from data_prep.common.errors import UserError
from data_prep.tables.nameless import names_for

CARDS = [[f"Qual é a dose do fármaco {n}?", f"{n} mg ao dia por via oral"] for n in range(1, 13)]
EXAM = [[f"Paciente {n} com dispneia e febre", *(f"conduta {x}{n}" for x in "ABCD"), "ABCD"[n % 4]] for n in range(1, 13)]
NAMES = [["Qual é o seu nome?", "Qual é a sua área?"], *([f"Pessoa {n}", f"Área {n}"] for n in range(8))]  # a form's answers


def written(rows: list[list], delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize(("name", "delimiter"), [("cards.csv", ";"), ("cards.csv", ","), ("cards.txt", "\t")])
def test_cards_of_two_columns(tmp_path, name, delimiter, capsys):
    rows = prepared(tmp_path, name, written(CARDS, delimiter))
    assert sorted([row["question"], row["answer"]] for row in rows) == sorted(CARDS)
    assert "no line of names" in capsys.readouterr().out


def test_an_exam_as_mmlu_writes_it(tmp_path):
    rows = prepared(tmp_path, "exam.csv", written(EXAM))
    assert sorted([row["question"], *row["options"].values(), row["answer"]] for row in rows) == sorted(EXAM)


def test_a_sheet(tmp_path):
    book = openpyxl.Workbook()
    for row in EXAM:
        book.active.append(row)
    book.save(tmp_path / "made.xlsx")
    assert len(prepared(tmp_path, "exam.xlsx", (tmp_path / "made.xlsx").read_bytes())) == len(EXAM)


ORDERS = [
    "Cite dois efeitos do fármaco {}.",
    "Definição do fármaco {}",
    "O fármaco {} age por _____ dias.",
    "Define drug {}",
    "{}?",
]


def test_cards_that_tell_what_to_answer(tmp_path):
    """A quarter of a student's cards had no question mark, and the file was asked about."""
    cards = [[(ORDERS[n % 5] if n % 5 - 1 else ORDERS[4]).format(n), f"a resposta {n}"] for n in range(1, 21)]
    rows = prepared(tmp_path, "x.csv", written(cards))
    assert sorted([row["question"], row["answer"]] for row in rows) == sorted(cards)


TERMS = [[f"Sinal de número {n}", f"Achado do exame físico na doença de número {n}."] for n in range(1, 13)]
ABOVE = "#separator:tab\n#html:false\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flashcards_v2.csv", written(TERMS)),
        ("x.txt", ABOVE + written(TERMS, "\t")),
        ("x.txt", ABOVE + "#tags column:3\n" + written([[*row, "semiologia"] for row in TERMS], "\t")),
        ("x.txt", "#separator:Semicolon\n#deck column:1\n" + written([["Sinais", *row] for row in TERMS], ";")),
        ("x.txt", "#separator:tab\n#columns:Front\tBack\tTags\n" + written([[*row, "a"] for row in TERMS], "\t")),
    ],
)
def test_cards_whose_file_says_so(tmp_path, name, text):
    rows = prepared(tmp_path, name, text)
    assert sorted([row["question"], row["answer"]] for row in rows) == sorted(TERMS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sinais.csv", written(TERMS)),  # a title and its text, as well
        ("flashcards.csv", written([["Sinal", "Achado do exame"], *TERMS])),
        ("flashcards.csv", written([[f"word {n}", f"palavra {n}"] for n in range(12)])),
        ("x.txt", ABOVE + written([[*row, f"Extra {n}"] for n, row in enumerate(TERMS)], "\t")),
        ("x.txt", ABOVE + written([[f"Sinal {{{{c1::{a}}}}}", b] for a, b in TERMS], "\t")),
        ("x.csv", written([[f"Cite {a}.", f"Cite {b}"] for a, b in TERMS])),
    ],
    ids=["no cards", "names", "words", "three fields", "gaps", "two that ask"],
)
def test_cards_that_do_not_say_so_are_asked_about(tmp_path, name, text):
    with pytest.raises(UserError):
        prepared(tmp_path, name, text)


@pytest.mark.parametrize(
    "rows",
    [
        NAMES,
        [["Name of the drug", "Dose"], *([f"Drug {n}", f"{n} mg"] for n in range(8))],
        [["Pergunta?", "Resposta"], *CARDS],
        [["question", "A", "B", "C", "D"], *(row[:-1] for row in EXAM)],
        [[*row[:-1], "A"] for row in EXAM],
        CARDS[:3],
        [[row[0], ("cardiologia", "cirurgia")[n % 2]] for n, row in enumerate(CARDS)],
    ],
    ids=["a form's answers", "a name that begins like an order", "names", "options", "one letter", "few", "topics"],
)
def test_what_is_left_as_it_was(rows):
    assert names_for(rows, "x") == []


@pytest.mark.parametrize(
    "rows",
    [
        [[f"Cardiologia do adulto {n % 2}", *row] for n, row in enumerate(EXAM)],  # a topic before the question
        [[row[0], *row[1:5], "1"] for row in EXAM],
        [[f"s{n}", "febre", row[0]] for n, row in enumerate(EXAM)],
    ],
    ids=["a topic", "numbers", "labels"],
)
def test_what_counts_from_the_first_line_on_is_no_exam_and_has_no_names(rows):
    assert names_for(rows, "x") == [f"_column{n}" for n in range(1, len(rows[0]) + 1)]


def test_a_topic_before_the_question_is_no_question(tmp_path):
    """Its key names no option of the last column: one column too many."""
    with pytest.raises(UserError, match=r"line of names|no shape fits"):
        prepared(tmp_path, "exam.csv", written([["Cardiologia", *row] for row in EXAM]))


def test_a_row_that_lies_whole_in_an_object(tmp_path):
    rows = [
        {"id": n, "subject_name": "", "data": {"Question": q, "Options": dict(zip("ABCD", o, strict=True)), "Correct Option": k}}
        for n, (q, *o, k) in enumerate(EXAM)
    ]
    read = prepared(tmp_path, "exam.json", json.dumps(rows))
    assert sorted([row["question"], *row["options"].values(), row["answer"]] for row in read) == sorted(EXAM)


def test_other_answers_beside_the_right_one_are_options(tmp_path):
    """They were left out, and the row was a question with its answer."""
    rows = [{"domanda": q, "risposta_corretta": o[0], "altre_risposte": o[1:]} for q, *o, _ in EXAM]
    read = prepared(tmp_path, "quiz.json", json.dumps(rows))
    assert len(read) == len(EXAM) and all(row["options"][row["answer"]].startswith("conduta A") for row in read)


def test_options_by_numbers_of_their_own(tmp_path):
    rows = [
        {"Domanda": q, "Risposte": dict(zip("1234", o, strict=True)), "Soluzione": str("ABCD".index(k) + 1)} for q, *o, k in EXAM
    ]
    read = prepared(tmp_path, "quiz.json", json.dumps({"Quizzes": rows}))
    assert sorted([row["question"], *row["options"].values(), row["answer"]] for row in read) == sorted(EXAM)
