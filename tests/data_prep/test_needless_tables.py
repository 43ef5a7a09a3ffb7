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


def test_in_what_language_an_answer_is_and_how_sure_that_is_are_no_marks():
    sure = {f"{c}_language_probability": 0.9 for c in ("Question", "Answer")} | {"Answer_token_count": 7, "answer_lang": "pt"}
    rows = [
        {"Question": asked(i), "Answer": told(i), **{k: v + i / 900 if v == 0.9 else v for k, v in sure.items()}}
        for i in range(24)
    ]
    assert read(rows)[0].fields == {"question": "Question", "answer": "Answer"}
    with pytest.raises(UserError, match="Answer_probability"):  # how good it is, perhaps
        read([row | {"Answer_probability": i / 24} for i, row in enumerate(rows)])


def test_a_row_with_more_cells_than_the_header_is_a_reject_and_many_are_refused(tmp_path):
    def table(wide: int) -> str:
        return "question,answer\n" + "".join(f'"Dose {i}?",São {i} mg{", e mais" * (i < wide)}\n' for i in range(40))

    assert len(written(tmp_path, "x.csv", table(4))) == 36
    rejects = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    assert sum("more cells than the header" in line for line in rejects) == 4 == len(rejects)
    with pytest.raises(UserError, match=r"x.csv:2: has 3 cells, the header 2; so have 5 of its 40 rows"):
        written(tmp_path, "x.csv", table(5))
    open_quote = table(0).replace('"Dose 20?"', '"Dose 20?').replace('"Dose 21?",', 'Dose 21?",x,')
    with pytest.raises(UserError, match="is a quote missing"):  # a row that swallows the next is in no count
        written(tmp_path, "x.csv", open_quote)


SENT_TO = ("Cardiologia", "Dermatologia", "Ortopedia")


@pytest.mark.parametrize(
    "text, label", [("Sintomas", "Especialidade"), ("motivo_consulta", "especialidad"), ("symptoms", "department")]
)
def test_symptoms_beside_who_sees_the_patient_are_sorted(text, label):
    rows = [{"id": i, text: f"dor há {i} dias", label: SENT_TO[i % 3]} for i in range(48)]
    reading, made = read(rows)
    assert reading.shape == "classification" and (made[4]["text"], made[4]["label"]) == ("dor há 4 dias", "Dermatologia")
    with pytest.raises(UserError):  # two columns sort them
        read([row | {"urgencia": "alta" if i % 2 else "baixa"} for i, row in enumerate(rows)])
    with pytest.raises(UserError):  # no classes, as each has its own
        read([row | {label: f"{row[label]} {i}"} for i, row in enumerate(rows)])
    longer = [{"text": f"Dor há {i} dias, sem febre. " * 6, "specialty": SENT_TO[i % 3]} for i in range(48)]
    assert read(longer)[0].shape == "text"  # of a text it may be what it is about


def test_what_models_said_is_offered_neither_as_question_nor_as_answer_to_another_s():
    rows = [
        {
            "Cenário": told(i),
            "Detalhes": told(i + 3),
            "Prompt (English)": asked(i),
            "GPT5.4 Response": told(i + 1),
            "Gemini3 Respnse": told(i + 2),
        }
        for i in range(24)
    ]
    with pytest.raises(UserError, match="but those of models") as error:
        read(rows)
    assert "question:" not in str(error.value)


@pytest.mark.parametrize(
    "right, wrong", [("correcta", "incorrecta{}"), ("correta", "errada_{}"), ("corretta", "sbagliata{}"), ("correct", "wrong{}")]
)
def test_the_one_column_that_is_called_right_is_the_right_option_beside_wrong_ones(right, wrong):
    rows = [{"pregunta": asked(i), right: f"{i} mg"} | {wrong.format(n): f"{i + 7 * n} g" for n in (1, 2, 3)} for i in range(24)]
    reading, made = read(rows)
    assert reading.shape == "mcq" and {row["options"][row["answer"]] for row in made} == {f"{i} mg" for i in range(24)}
    for name, value in ((right, "{}B"), (f"{right}2", "{} ml")):  # a letter of options that stand elsewhere; a second right one
        with pytest.raises(UserError):
            read([row | {name: value.format("" if name == right else i)} for i, row in enumerate(rows)])
    with pytest.raises(UserError, match=right):  # beside an answer it marks it
        read([{"pregunta": asked(i), "respuesta": told(i), right: ("no", "si")[i % 2]} for i in range(24)])


@pytest.mark.parametrize("value", [True, 4, "5 mg"])
def test_an_object_s_value_is_no_text_without_the_name_beside_it(value):
    rows = [{"question": asked(i), "answer": [{"label": f"dose {i}", "value": value}]} for i in range(24)]
    with pytest.raises(UserError):
        read(rows)
    parts = [{"question": asked(i), "answer": [{"value": told(i), "lang": "en"}]} for i in range(24)]
    assert read(parts)[1][3]["answer"] == told(3)


def test_an_open_question_among_multiple_choice_is_told_as_one():
    lines = "\n1) {0} mg\n2) {1} mg\n3) {2} mg"
    rows = [
        {"question": asked(i) + lines.format(i, i + 1, i + 2) * (i % 5 < 4), "answer": f"2) {i + 1} mg" if i % 5 < 4 else told(i)}
        for i in range(40)
    ]
    reading, made = read(rows)
    assert reading.shape == "mcq" and {row for row in made if isinstance(row, str)} == {"a question without options"}
