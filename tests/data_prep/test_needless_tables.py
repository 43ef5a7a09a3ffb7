"""Tables and marked-up files that say how they are read and were asked about; and their near misses. The rows are ours."""

import pytest
from test_needless import ILLS, asked, told
from test_strangers import read, written

from data_prep.common.errors import UserError


def raw(i: int, **more) -> dict:
    row = {"question": asked(i), "answer": told(i)}
    return row | {"raw": row | {"uid": i, **more}}


def test_an_object_that_holds_the_row_once_more_is_no_column_that_matters():
    reading, made = read([raw(i) for i in range(24)])
    assert "raw" in reading.unused and made[2]["answer"] == told(2)
    for other in (lambda i: {"answer": told(i + 1)}, lambda i: {"label": "good" if i % 2 else "bad"}):
        with pytest.raises(UserError, match="raw"):
            read([raw(i, **other(i)) for i in range(24)])


NUMBERED = "{}\n1) rest\n2) surgery\n3) drug {}\n4) a diet"


@pytest.mark.parametrize("key", ["{n}) {text}", "{n}. {text}", "{n}", "{text}"])
def test_numbered_lines_at_a_question_s_end_are_its_options_where_the_key_names_one(key):
    texts = ["rest", "surgery", "drug {}", "a diet"]
    rows = [
        {"question": NUMBERED.format(asked(i), i), "answer": key.format(n=i % 4 + 1, text=texts[i % 4].format(i))}
        for i in range(24)
    ]
    reading, made = read(rows)
    assert reading.shape == "mcq" and made[2]["question"] == asked(2)
    assert made[2]["options"] == {"A": "rest", "B": "surgery", "C": "drug 2", "D": "a diet"}
    assert [row["answer"] for row in made[:5]] == ["A", "B", "C", "D", "A"]
    wrong = read([row | {"answer": "2) drug"} if i == 3 else row for i, row in enumerate(rows)])[1][3]
    assert isinstance(wrong, str), "the key's number and its text name different options"


@pytest.mark.parametrize(
    "question, answer",
    [
        (NUMBERED + "\nWhich of these are right?", "1 and {}"),  # statements, and what is asked of them
        ("{}\n1) rest\n2) drug {}", "Drug {} alone, as rest does not help."),
        (NUMBERED, "Drug {} alone, as surgery does not help."),
    ],
)
def test_numbered_lines_that_are_no_options_stay_in_the_question(question, answer):
    rows = [{"question": question.format(asked(i), i), "answer": answer.format(i)} for i in range(24)]
    reading, made = read(rows)
    assert reading.shape == "qa" and made[2]["question"] == question.format(asked(2), 2)


def test_a_year_of_students_is_no_class_of_texts():
    rows = [
        {"question": asked(i), "A": "rest", "B": f"drug {i}", "answer": "AB"[i % 2], "class_year": 1 + i % 4} for i in range(24)
    ]
    assert "class_year" in read(rows)[0].unused


def test_complaints_are_sorted_into_their_diseases():
    rows = [{"Disease": ILLS[i % 3], "Question": f"I have had pain {i * i} for {i} days. What could it be?"} for i in range(60)]
    reading, made = read(rows)
    assert reading.shape == "classification" and (made[4]["text"], made[4]["label"]) == (rows[4]["Question"], ILLS[1])
    with pytest.raises(UserError):  # a name of its own for each is an answer, or none
        read([row | {"Disease": f"illness {i}"} for i, row in enumerate(rows)])


def test_statements_beside_true_or_false_are_sorted_by_it():
    rows = [
        {"Comando da questão": f"A doença {i * i} tem cura.", "V ou F": "VF"[i % 2], "Justificativa": told(i)} for i in range(60)
    ]
    reading, made = read(rows)
    assert reading.shape == "classification" and made[3]["label"] == "F" and "Justificativa" in reading.unused


@pytest.mark.parametrize(
    "names", [("terim", "turkishMeaning"), ("terim", "anlam"), ("word", "german_meaning"), ("termo", "definição")]
)
def test_terms_are_asked_and_their_meanings_told(names):
    reading, made = read([{names[0]: f"TERM{i}", names[1]: told(i)} for i in range(24)])
    assert reading.shape == "qa" and (made[3]["question"], made[3]["answer"]) == ("TERM3", told(3))
    if "meaning" in names[1].casefold():
        with pytest.raises(UserError):  # in two languages: which one is to be told?
            read([{names[0]: f"TERM{i}", names[1]: told(i), "englishMeaning": told(i + 1)} for i in range(24)])


def test_a_text_named_as_cards_has_no_line_of_names_however_few_they_are(tmp_path):
    rows = "".join(f"Term {i}\t{told(i)}\n" for i in range(3))
    assert len(written(tmp_path, "anki_cards.txt", rows)) == 3
    with pytest.raises(UserError, match="line of names") as error:
        written(tmp_path, "x.txt", "".join(f"Term {i}\t{told(i)} {told(i)}\n" for i in range(3)))
    assert "Paste" not in str(error.value), "the lines would name a row's cell as a field"


@pytest.mark.parametrize("head, encoding", [('<?xml version="1.0"?>', "cp1252"), ("", "cp1252"), ("", "utf-16"), ("", "utf-8")])
def test_an_xml_file_that_declares_no_encoding_is_read_in_the_one_it_has(tmp_path, head, encoding):
    items = "".join(
        f"<Item><question>{asked(i)} Febre de 38,{i} °C?</question><answer>{told(i)}</answer></Item>" for i in range(24)
    )
    rows = written(tmp_path, "x.xml", f"{head}<Items>{items}</Items>".encode(encoding))
    assert any("38,7 °C?" in row["conversations"][0]["value"] for row in rows) and len(rows) == 24


def test_a_key_that_is_an_option_annuls_nothing():
    rows = [{"question": asked(i), "options": ["O", "X"], "answer": "OX"[i % 2]} for i in range(24)]
    reading, made = read(rows)
    assert reading.shape == "mcq" and [row["answer"] for row in made[:4]] == ["A", "B", "A", "B"]
    rows = [row | {"options": ["yes", "no"], "answer": "X" if i == 5 else "no"} for i, row in enumerate(rows)]
    assert [i for i, row in enumerate(read(rows)[1]) if isinstance(row, str)] == [5]


@pytest.mark.parametrize("said", [(True, False), ("true", "false"), ("Verdadeiro", "Falso"), ("sim", "não"), ("yes", "maybe")])
def test_statements_that_are_true_or_false_are_sorted_and_not_answered(said):
    rows = [
        {"statement": f"Illness {i} heals in {i * i} days.", "answer": said[i % 2], "justification": told(i)} for i in range(24)
    ]
    reading, made = read(rows)
    assert (reading.shape, reading.fields["text"], reading.fields["label"]) == ("classification", "statement", "answer")
    assert made[3]["label"].casefold() == str(said[1]).casefold() and "justification" in reading.unused
    assert read(rows, "qa")[0].shape == "qa", "where the user says so"
    other = read([row | {"answer": f"Yes, in {i} days."} for i, row in enumerate(rows)])[0]
    assert other.shape == "qa"


def test_one_answer_with_a_number_is_the_answer_and_of_two_one_is_asked_for():
    rows = [{"id": i, "Question": asked(i), "Answer_1": told(i)} for i in range(24)]
    assert read(rows)[0].fields == {"question": "Question", "answer": "Answer_1"}
    with pytest.raises(UserError):
        read([row | {"Answer_2": told(i + 1)} for i, row in enumerate(rows)])


def test_a_text_of_any_name_beside_a_label_alone_is_sorted_by_it():
    rows = [{"id": i, "tweet": told(i), "label": ("real", "fake")[i % 2]} for i in range(60)]
    reading, made = read(rows)
    assert reading.shape == "classification" and made[3]["text"] == told(3)
    for more in ({"answer": "Yes."}, {"reply": "Of course, take it.", "by": "a model"}):
        with pytest.raises(UserError):
            read([row | more for row in rows])


def test_cards_of_one_letter_a_side():
    reading, made = read([{"id": f"c{i}", "cat": "fever", "f": asked(i), "b": told(i)} for i in range(24)])
    assert reading.shape == "qa" and (made[3]["question"], made[3]["answer"]) == (asked(3), told(3))
    with pytest.raises(UserError):
        read([{"id": f"c{i}", "f": told(i), "b": told(i + 1)} for i in range(24)])


def test_a_table_that_counts_from_its_first_line_on_has_no_line_of_names(tmp_path, capsys):
    rows = "".join(f"s{i + 1}\t{ILLS[i % 3]}\t{told(i)}\n" for i in range(30))
    with pytest.raises(UserError, match="text: _column3, label: _column2"):
        written(tmp_path, "x.txt", rows)
    assert "no line of names" in capsys.readouterr().out
    named = "name\tquestion\tanswer\n" + "".join(f"s{i + 1}\t{asked(i)}\t{told(i)}\n" for i in range(30))
    assert len(written(tmp_path, "y.tsv", named)) == 30
