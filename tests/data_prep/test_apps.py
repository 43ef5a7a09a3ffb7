"""Files of small quiz and study apps: names in many languages, side tables, data in a page's script. The rows are ours."""

import json

import pytest
from test_databases import database, made
from test_exam_text import agree, exam, prepared
from test_needless import asked, told
from test_strangers import read

from data_prep.common.errors import UserError
from data_prep.documents.exam.files import keys_by_name
from data_prep.documents.labelled import labelled_records
from data_prep.documents.pages import html_file
from data_prep.documents.texts import text_file
from data_prep.pipeline.options import Args
from data_prep.prepare import prepare
from data_prep.shapes.detect import find_reading
from data_prep.shapes.reading import Wish
from data_prep.words.phrases import asks_nothing

OPTIONS = ["rest", "a drug", "an operation", "nothing"]


@pytest.mark.parametrize(
    "question, options, answer",
    [
        ("intrebare", "raspunsuri", "corect"),
        ("Întrebare", "Variante", "răspuns corect"),
        ("ερώτηση", "επιλογές", "σωστή απάντηση"),
        ("frage", "antworten", "richtige_antwort"),
        ("fråga", "svarsalternativ", "rätt svar"),
        ("otázka", "odpovědi", "správná odpověď"),
        ("питання", "варіанти", "правильна відповідь"),
        ("вопрос", "варианты", "правильный ответ"),
        ("soal", "pilihan", "kunci jawaban"),
        ("câu hỏi", "lựa chọn", "đáp án"),
        ("quest", "chooses", "correctanswer"),
    ],
)
def test_names_of_other_languages_are_known(question, options, answer):
    reading, rows = read([{question: asked(i), options: OPTIONS, answer: "abcd"[i % 4]} for i in range(24)])
    assert reading.shape == "mcq" and [row["answer"] for row in rows[:5]] == list("ABCDA")


def test_a_list_called_answer_holds_the_options_where_another_column_is_the_right_one():
    rows = [{"answer": OPTIONS, "question": asked(i), "correct_answer": OPTIONS[i % 4]} for i in range(24)]
    rows = [row | {"incorrect_answers": [o for o in OPTIONS if o != row["correct_answer"]]} for row in rows]
    reading, made_rows = read(rows)
    assert reading.fields["options"] == "answer" and [row["answer"] for row in made_rows[:4]] == list("ABCD")
    assert list(made_rows[0]["options"].values()) == OPTIONS, "in the order in which they may name one another"


@pytest.mark.parametrize("name", ["isTrue", "is_true"])
def test_a_statement_beside_whether_it_is_true_is_sorted(name):
    rows = [{"id": f"c{i}", "statement": f"Illness {i} heals in {i * i} days.", name: i % 2 == 0} for i in range(24)]
    reading, made_rows = read(rows)
    assert reading.shape == "classification" and [row["label"] for row in made_rows[:2]] == ["true", "false"]


def test_a_mark_that_all_rows_have_is_no_question_to_ask():
    rows = [{"pergunta": asked(i), "resposta": told(i), "is_valid": True} for i in range(5)]
    assert read(rows)[0].shape == "qa"
    with pytest.raises(UserError, match="is_valid"):
        read([row | {"is_valid": i != 3} for i, row in enumerate(rows)])
    with pytest.raises(UserError, match="good"):
        read([{"pergunta": asked(i), "resposta": told(i), "good": True} for i in range(5)])


def test_other_sets_of_titles_and_questions_are_no_known_one():
    """What is told by columns has a licence, so a file of somebody's own may not be told so."""
    pairs = [{"question": asked(i), "answer": told(i)} for i in range(6)]
    known = [{"title": "Gout", "questions": pairs}]
    assert find_reading(known, Wish(), "x").known == "PCDT-QA"
    for other in ([known[0] | {"id": 1}], [{"title": "Gout", "questions": [pair | {"num": 1} for pair in pairs]}]):
        assert find_reading(other, Wish(), "x").known == ""
    visits = [{"Description": "ECG", "Patient": f"Ana {i}", "Doctor": "Dr. Lima", "Room": i} for i in range(24)]
    with pytest.raises(UserError):
        find_reading(visits, Wish(), "x")


def test_where_no_row_has_its_picture_the_error_says_what_takes_the_texts(tmp_path):
    rows = [{"question": asked(i), "answer": told(i), "images": [{"path": f"a/{i}.jpg"}]} for i in range(24)]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match=r"24 x needs an image.*; where their texts .* pass --images ignore$"):
        prepare(Args(inputs=[str(tmp_path / "x.json")], output_dir=str(tmp_path / "out")))
    prepare(Args(inputs=[str(tmp_path / "x.json")], output_dir=str(tmp_path / "out"), images="ignore"))


QUESTIONS = [{"question": asked(i), "a": "one", "b": "two", "c": "three", "answer": "abc"[i % 3]} for i in range(24)]


def test_a_table_of_names_beside_questions_is_no_reason_to_ask(tmp_path):
    tags = [{"id": i, "name": f"Immunology {i}"} for i in range(5)]
    path = database(tmp_path / "x.db", questions=QUESTIONS, tags=tags)
    counts = prepare(Args(inputs=[str(path)], near_duplicates="off", output_dir=str(tmp_path / "out")))["counts"]
    assert (counts["train"] + counts["test"], counts["rejected"]) == (24, 5)


@pytest.mark.parametrize(
    "beside",
    [
        [{"id": i, "answer": f"drug {i}"} for i in range(5)],  # a key of its own
        [{"id": i, "name": f"What is gout of grade {i}?"} for i in range(5)],
        [{"name": f"Immunology {i}"} for i in range(5)],
    ],
)
def test_a_table_that_only_resembles_names_is_asked_about(tmp_path, beside):
    with pytest.raises(UserError):
        made(database(tmp_path / "x.db", questions=QUESTIONS, others=beside))
    texts = [{"text": told(i) * 3, "label_id": i % 3} for i in range(60)]
    with pytest.raises(UserError):  # names of a text's labels are not beside the matter
        made(database(tmp_path / "y.db", texts=texts, labels=[{"id": i, "name": f"label {i}"} for i in range(3)]))


def page(script: str, text: str = "<h1>Quiz</h1>") -> str:
    return f"<!DOCTYPE html><html><head><meta charset='utf-8'><script>{script}</script></head><body>{text}</body></html>"


def test_a_list_in_a_page_s_script_is_its_data(tmp_path):
    rows = [{"q": asked(i), "o": OPTIONS, "a": i % 4} for i in range(24)]
    (tmp_path / "x.html").write_text(page(f"const DB = {json.dumps(rows)};\nstart(DB)"))
    assert [row for _, row, _ in html_file(tmp_path / "x.html", "x.html")] == rows
    long = "<p>" + "Gout is an illness of the joints. " * 300 + "</p>"
    (tmp_path / "y.html").write_text(page(f"const DB = {json.dumps(rows)};", long))
    assert "text" in next(html_file(tmp_path / "y.html", "y.html"))[1], "beside a page of text it is furniture"


@pytest.mark.parametrize(
    "form",
    ["{{q: '{}', options: ['a', 'b'], correct: 1}}", '{{q:"{}", a:["a","b"], correct:2}}', "{{id: 1, text: `{}`, answer: `x`}}"],
)
def test_a_list_that_is_no_json_is_read_where_it_is_literals_alone(tmp_path, form):
    rows = ",\n".join(form.format(asked(i)) for i in range(24))
    (tmp_path / "x.html").write_text(page(f"\nconst DB = [{rows}];"))
    found = [row for _, row, _ in html_file(tmp_path / "x.html", "x.html")]
    assert [row.get("q") or row["text"] for row in found] == [asked(i) for i in range(24)]
    (tmp_path / "x.html").write_text(page(f"\nconst DB = [{rows}, ask(24)];"))
    with pytest.raises(UserError, match=r"^x.html:1: its script holds 24 questions.*save them as JSON"):
        list(html_file(tmp_path / "x.html", "x.html"))


STATE = {"page": {"ads": [{"id": i, "text": f"Buy drug {i} now, it is cheap and good."} for i in range(60)]}}


@pytest.mark.parametrize(
    "script",
    [
        "var menu = [{id: 1, on: 2}, {id: 2, on: 3}];",
        f"window.STATE = {json.dumps(STATE)};",
        "var t = [" + ",".join(f"{{type: 'a{i}', name: 'b', url: 'c'}}" for i in range(300)) + "];",
        f"var mixed = {json.dumps([{'id': i} | {f'k{i % 7}': i} for i in range(60)])};",
    ],
    ids=["menu", "state", "bundle", "mixed"],
)
def test_what_a_page_s_script_holds_beside_its_text_is_furniture(tmp_path, script):
    (tmp_path / "y.html").write_text(
        page(script, "<p>Gout is an illness of the joints, which comes at night and hurts for days.</p>")
    )
    assert next(html_file(tmp_path / "y.html", "y.html"))[1]["text"].startswith("Gout")


def test_questions_within_an_object_of_a_script_are_read(tmp_path):
    data = {"quiz": {"questions": [{"question": asked(i), "options": OPTIONS, "answer": i % 4} for i in range(24)]}}
    (tmp_path / "x.html").write_text(page(f"const QUIZ = {json.dumps(data)};"))
    assert [row["answer"] for _, row, _ in html_file(tmp_path / "x.html", "x.html")] == [i % 4 for i in range(24)]


def test_options_of_a_name_that_says_nothing_are_offered_as_options():
    rows = [{"f": asked(i), "o1": OPTIONS, "r": i % 4, "t": "Gout"} for i in range(24)]
    with pytest.raises(UserError, match=r"o1 holds lists.*\n.*shape: mcq\n +fields: {question: f, options: o1, answer: r}"):
        read(rows)


FORM = "Class {0} drugs (group {0}):\nDrugs: drug {0}a, drug {0}b.\nMechanism: Blocks number {0}.\nIndications: Gout {0}.\n"


def test_labels_that_each_block_has_once_make_no_dialogue(tmp_path):
    (tmp_path / "x.txt").write_text("\n".join(FORM.format(i) for i in range(6)))
    assert [list(row) for _, row, _ in text_file(tmp_path / "x.txt", "x.txt")] == [["text"]]
    talks = "\n".join(f"Maria: {asked(i)}\nPaulo: {told(i)}\nMaria: Thanks, {i}.\n" for i in range(6))
    (tmp_path / "y.txt").write_text(talks)
    assert "dialogue" in next(text_file(tmp_path / "y.txt", "y.txt"))[1]


def test_a_heading_with_the_numbers_of_its_part_is_no_text_below_an_option(tmp_path):
    parts = exam(below="\nGabarito: {}").replace("6. Qual", "II. Doenças do adulto no ambulatório (Questões 6 - 10)\n\n6. Qual")
    agree(prepared(tmp_path, "prova.txt", f"I. Doenças da urgência e do trauma (Questões 1 - 5)\n\n{parts}"))


def test_empty_columns_named_as_options_are_no_reason_to_ask():
    rows = [{"question": asked(i), "answer": told(i), "a": None, "b": None, "c": ""} for i in range(4)]
    assert read(rows)[0].shape == "qa"


def record(i: int, question: str = "PYTANIE", key: str = "KLUCZ", below: str = "") -> str:
    options = "\n".join(f"{letter}. conduta {letter}{i}" for letter in "ABCD")
    return f"ID: x{i}\n{question}:\n{asked(i)}\n{options}\n{key}: {'abcd'[i % 4]}\nWYJAŚNIENIE:\n**Drug {i}**: {told(i)}\n{below}"


@pytest.mark.parametrize("between", ["---\n", "\n", "# Case\n"])
def test_records_whose_parts_are_named_alike_are_rows(tmp_path, between):
    rows = prepared(tmp_path, "x.txt", between.join(map(record, range(24))))
    assert len(rows) == 24
    for row in rows:
        i = int(row["question"].split("grade ")[1].rstrip("?"))
        assert row["question"] == asked(i) and row["answer"] == "ABCD"[i % 4] and row["options"]["B"] == f"conduta B{i}"


def test_the_case_of_a_named_record_is_asked_about(tmp_path):
    cases = [
        f"Patient Presentation:\nA man of {i + 20} years has had pain for {i} days, with fever.\n{record(i)}" for i in range(24)
    ]
    with pytest.raises(UserError, match="context: Patient Presentation"):
        prepared(tmp_path, "x.md", "\n---\n".join(cases))


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(f"Patient: {asked(i)}\nDoctor: {told(i)}" for i in range(24)),  # turns
        "\n\n".join(f"Name: drug {i}\nUse: {told(i)}" for i in range(24)),  # nothing asks
        "\n".join(f"Question: {asked(i)}\nAnswer: {told(i)}" for i in range(24)),  # turns of one conversation, or none
        "\n---\n".join(record(i) for i in range(4)),
    ],
)
def test_what_only_resembles_named_records_is_none(text):
    assert labelled_records(text) == []


BLOCK = (
    '<div class="box"><p class="src">Exame</p><div class="{0}">{1}</div><ul><li>a) why?</li></ul><button>See</button>'
    '<div class="{2}">{3}</div></div>'
)


@pytest.mark.parametrize("asks, tells", [("stem", "ans"), ("faq-question", "faq-answer"), ("pergunta bold", "resposta oculta")])
def test_classes_say_what_asks_and_what_answers(tmp_path, asks, tells):
    blocks = "".join(BLOCK.format(asks, asked(i), tells, told(i)) for i in range(9))
    (tmp_path / "x.html").write_text(page("", f"<h1>Pharmacology</h1>{blocks}"))
    *rows, beside = [row for _, row, _ in html_file(tmp_path / "x.html", "x.html")]
    assert rows == [{"question": f"{asked(i)}\n- a) why?", "answer": told(i)} for i in range(9)] and "Pharmacology" in beside.text


@pytest.mark.parametrize(
    "blocks",
    [
        "".join(f'<div class="question">{asked(i)}</div><p class="answer">a</p><p class="answer">b</p>' for i in range(9)),
        "".join(f'<div class="question">{asked(i)}</div><p class="answer">{told(i)}</p>{told(i) * 9}' for i in range(9)),
    ],
    ids=["options", "little of the page"],
)
def test_classes_that_do_not_take_turns_say_nothing(tmp_path, blocks):
    (tmp_path / "x.html").write_text(page("", blocks))
    [(_, row, _)] = html_file(tmp_path / "x.html", "x.html")
    assert list(row) == ["text"] and "\ue000" not in row["text"]


def test_an_answer_within_its_question_stands_below_it(tmp_path):
    blocks = "".join(f'<div class="question">{asked(i)}<p class="answer">{told(i)}</p></div>' for i in range(9))
    (tmp_path / "x.html").write_text(page("", blocks))
    rows = [row for _, row, _ in html_file(tmp_path / "x.html", "x.html")]
    assert rows == [{"question": asked(i), "answer": told(i)} for i in range(9)]


def test_a_question_that_is_only_its_number_is_a_reject(tmp_path):
    rows = [{"question": f"Câu hỏi {i}: " + asked(i) * (i % 3 > 0), "answer": told(i)} for i in range(24)]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    manifest = prepare(Args(inputs=[str(tmp_path / "x.json")], near_duplicates="off", output_dir=str(tmp_path / "out")))
    assert manifest["reasons"] == {"a question that is only its number": 8}
    assert [asks_nothing(text) for text in ("Questão 12:", "Pergunta", "Dor?", "Question about gout")] == [
        True,
        True,
        False,
        False,
    ]


LANGUAGES = [
    ("113試題", "113答案"),
    ("113年試題", "113答案"),
    ("arkusz 2024", "klucz 2024"),
    ("biologia_вопросы", "biologia_ответы"),
]


@pytest.mark.parametrize("names", [*LANGUAGES, ("prova1", "gabarito2")])
def test_an_exam_and_its_key_go_together_in_other_languages(tmp_path, names):
    exam_file, key_file = (tmp_path / f"{name}.txt" for name in names)
    assert keys_by_name([exam_file, key_file], {}) == ({exam_file: key_file} if names in LANGUAGES else {})


def test_many_rows_that_contradict_one_another_are_told(tmp_path, capsys):
    rows = [{"case": f"{i}", "question": asked(i % 12), "options": OPTIONS, "answer": "ABCD"[i // 12]} for i in range(48)]
    rows += [{"case": "x", "question": asked(i + 100), "options": OPTIONS, "answer": "A"} for i in range(9)]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    prepare(Args(inputs=[str(tmp_path / "x.json")], ignore=["case"], output_dir=str(tmp_path / "out")))
    assert "warning: 48 of 57 rows are left out: others say the same with another key" in capsys.readouterr().out


def test_a_row_in_the_place_of_names_gives_no_lines_to_paste():
    rows = [
        {"0": i, "1": i % 2, "a": "a", "A man of 60 years with dyspnea, fever and a cough that is no better": told(i)}
        for i in range(24)
    ]
    with pytest.raises(UserError, match="line of names") as error:
        read(rows)
    assert "Paste" not in str(error.value) and "no better" not in str(error.value)


def test_sentences_beside_their_class_alone_are_sorted_and_phrases_beside_more_are_asked_about():
    rows = [
        {"frase": f"Tenho dor há {i} dias e {i * i} horas.", "situacao": ("alto risco", "baixo risco")[i % 2]} for i in range(40)
    ]
    reading, made_rows = read(rows)
    assert reading.shape == "classification" and made_rows[3]["label"] == "baixo risco"
    with pytest.raises(UserError):
        read([{"hindi_phrase": f"sir dard {i}", "english_term": f"headache {i}", "section": "so"[i % 2]} for i in range(40)])


def in_order(n: int, name: str, values: tuple[str, str], **more) -> list[dict]:
    """Rows in the order of a column's values, as files often are: the first 500 have one value."""
    return [{**{k: v(i) for k, v in more.items()}, name: values[i >= 550]} for i in range(n)]


def test_a_label_that_the_first_rows_share_is_asked_about_where_it_changes(tmp_path):
    rows = in_order(
        600, "Mental Condition", ("depression", "loneliness"), Title=lambda i: f"Day {i}", Content=lambda i: told(i) * 2
    )
    (tmp_path / "x.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match=r"x.json:551: Mental Condition is 'loneliness' here and 'depression'") as error:
        prepare(Args(inputs=[str(tmp_path / "x.json")], near_duplicates="off", output_dir=str(tmp_path / "out")))
    assert "fields: {text: Content, label: Mental Condition}" in str(error.value) and not (tmp_path / "out").exists()
    prepare(Args(inputs=[str(tmp_path / "x.json")], ignore=["Mental Condition"], output_dir=str(tmp_path / "out")))


@pytest.mark.parametrize("name, asks", [("flagged", True), ("source", False), ("batch", False)])
def test_a_mark_that_the_first_rows_share_is_asked_about_where_it_changes(tmp_path, name, asks):
    rows = in_order(600, name, ("no", "yes"), question=asked, answer=told)
    (tmp_path / "x.json").write_text(json.dumps(rows))
    args = Args(inputs=[str(tmp_path / "x.json")], near_duplicates="off", output_dir=str(tmp_path / "out"))
    if asks:
        with pytest.raises(UserError, match=r"x.json:551: flagged is 'yes' here"):
            prepare(args)
    else:
        assert prepare(args)["counts"]["rows read"] == 600
    (tmp_path / "y.json").write_text(json.dumps(rows[:550]))
    prepare(Args(inputs=[str(tmp_path / "y.json")], near_duplicates="off", output_dir=str(tmp_path / "same")))


def test_questions_of_a_name_that_says_nothing_are_offered_with_their_options_and_key():
    rows = [
        {"title": f"Bats {i}", "description": asked(i), "alternatives": OPTIONS, "answer": i % 4, "image": ""} for i in range(24)
    ]
    with pytest.raises(UserError, match=r"shape: mcq\n +fields: {question: description, .*answer: answer}"):
        read(rows)


@pytest.mark.parametrize("cut, told_of_it", [(80, True), (0, False)])
def test_questions_that_were_cut_off_are_told(tmp_path, capsys, cut, told_of_it):
    rows = [{"question": asked(i) * (1 + i % 4) + (" Then" * (i % 7) + "...") * (not cut), "answer": told(i)} for i in range(60)]
    rows = [row | {"question": row["question"][:cut] + "..."} if cut and len(row["question"]) > cut else row for row in rows]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    prepare(Args(inputs=[str(tmp_path / "x.json")], near_duplicates="off", output_dir=str(tmp_path / "out")))
    assert ("end in dots after 83 characters at most" in capsys.readouterr().out) is told_of_it


@pytest.mark.parametrize("line", ["{0} {1} Passage {0} of {1} words on fever.", "fever B-Sign{0}", "word{0}\tO\tx"])
def test_lines_of_judged_passages_and_of_marked_words_are_no_text(tmp_path, line):
    lines = "\n".join(line.format(i, i % 4 - 1) for i in range(40))
    for name in ("x.txt", "x.tsv"):
        (tmp_path / name).write_text(lines)
        with pytest.raises(UserError, match=r"two numbers before each text|word with its mark|no shape fits"):
            prepare(Args(inputs=[str(tmp_path / name)], output_dir=str(tmp_path / "out")))


@pytest.mark.parametrize("filler, told_of_it", [(45, True), (19, False)])
def test_one_answer_to_many_questions_is_told(tmp_path, capsys, filler, told_of_it):
    rows = [{"question": asked(i), "answer": told(i)} for i in range(5)]
    rows += [{"question": f"Technical doubt number {i} on protocols?", "answer": "As the guidelines say."} for i in range(filler)]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    prepare(Args(inputs=[str(tmp_path / "x.json")], near_duplicates="off", output_dir=str(tmp_path / "out")))
    warned = f"warning: {filler} of {filler + 5} questions have the same answer: 'As the guidelines say.'"
    assert (warned in capsys.readouterr().out) is told_of_it


@pytest.mark.parametrize("names, told_of_it", [(("0", "1"), True), (("dúvida", "conversa"), False), (("0", "outra"), False)])
def test_labels_that_are_numbers_alone_are_told_of(tmp_path, capsys, names, told_of_it):
    file = tmp_path / "x.csv"
    rows = [f"Quando se tira o ponto da cirurgia {i * i}?,{names[i % 2]}" for i in range(40)]
    file.write_text("\n".join(["text,label", *rows]), "utf-8")
    prepare(Args(inputs=[str(file)], output_dir=str(tmp_path / "out")))
    said = capsys.readouterr().out
    assert (f"the labels are numbers alone ({', '.join(names)})" in said) is told_of_it
