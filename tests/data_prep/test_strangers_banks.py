"""Question banks, tables and pages of others that were read in part, refused or asked about needlessly. The rows are ours."""

import json

import pytest
from test_apps import page
from test_contradicting import run
from test_exam_text import KEY, agree, prepared
from test_needless import ILLS, asked, told
from test_strangers import OPTIONS, exam, read

from data_prep.common.errors import UserError
from data_prep.documents.pages import html_file
from data_prep.documents.script_literals import literal_at
from data_prep.documents.texts import text_file
from data_prep.pipeline.options import Args
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.nested import rows_of
from data_prep.shapes.reading import Wish
from data_prep.tables.json_records import records_of

# ---------------------------------------------------------------------------------------------- what went wrong in silence


@pytest.mark.parametrize("system", ["Renal", "Aparelho locomotor", "Pregnancy, childbirth & puerperium"])
def test_a_system_of_the_body_is_no_system_prompt(system):
    reading, made = read(exam(system=lambda i: system))
    assert "system" not in reading.fields and "system" in reading.unused and "system" not in made[0]


@pytest.mark.parametrize(
    "said", ["Be brief.", "Você é um médico", "Answer as a nurse", "Assistente do hospital", "你是一个医学专家，请回答用户的问题"]
)
def test_a_system_prompt_is_one(said):
    assert read([{"question": asked(i), "answer": told(i), "system": said} for i in range(24)])[1][3]["system"] == said
    named = [{"question": asked(i), "answer": told(i), "system_prompt": "Nurse"} for i in range(24)]
    assert read(named)[1][3]["system"] == "Nurse"


def test_no_image_in_the_column_is_none_in_the_text():
    """A column that is blank in a row does not say that the question needs no picture; one that says False does."""
    rows = exam(image=lambda i: f"{i}.png" if i % 10 == 3 else "")
    rows[5]["enunciado"] = "Qual é o diagnóstico da lesão na figura abaixo?"
    made = read(rows)[1]
    assert "speaks of an image" in made[5] and [i for i, row in enumerate(made) if isinstance(row, str)] == [3, 5, 13, 23]
    said = [row | {"image": i % 10 == 3} for i, row in enumerate(rows)]
    assert read(said)[1][5]["question"] == rows[5]["enunciado"]


@pytest.mark.parametrize("said", ["病灶如附圖所示", "下圖為何種檢查", "結果如 下圖"])
def test_pictures_that_a_chinese_question_points_at(said):
    rows = [{"question": f"病人{i}{said if i == 7 else ''}，診斷為何？", "options": OPTIONS, "answer": "A"} for i in range(24)]
    made = read(rows)[1]
    assert "speaks of an image" in made[7] and isinstance(made[8], dict)


@pytest.mark.parametrize(
    "before, told_of", [("", True), ("Um homem de 40 anos tem febre e dor há dez dias, sem tosse nem exantema. ", False)]
)
def test_questions_that_were_cut_from_their_cases_are_told(tmp_path, capsys, before, told_of):
    rows = [{"question": f"{before * 2}Qual é a conduta {i} neste paciente?", "answer": told(i)} for i in range(24)]
    run(tmp_path, rows, test_size=0)
    assert ("24 of 24 questions that were looked at point at a case" in capsys.readouterr().out) is told_of


@pytest.mark.parametrize("sign, told_of", [("{} ", True), ("", False)])
def test_answers_that_were_cut_from_their_options_are_told(tmp_path, capsys, sign, told_of):
    rows = [{"question": asked(i), "answer": sign.format("①②③④"[i % 4]) + told(i)} for i in range(24)]
    run(tmp_path, rows, test_size=0)
    assert ("24 of 24 answers that were looked at begin as options do" in capsys.readouterr().out) is told_of


def test_an_option_that_is_a_picture_is_no_text():
    rows = exam()
    rows[4]["alternativas"] = OPTIONS | {"B": "dividida por <img src='q4.png' alt='Q4'>"}
    rows[5]["alternativas"] = OPTIONS | {"B": "<img src='q5.png' alt='two joined rings'> x"}
    made = read(rows)[1]
    assert "holds a picture" in made[4] and [i for i, row in enumerate(made) if isinstance(row, str)] == [4]
    reading = find_reading(rows, Wish(), "x.json")
    assert convert(rows[4], reading, Args(images="ignore"))["answer"] == rows[4]["gabarito"]


# ---------------------------------------------------------------------------------------------- rows that were left out


def test_an_empty_list_in_a_cell_is_no_image():
    reading, made = read(exam(images=lambda i: f"['{i}.png']" if i % 10 == 3 else "[]"))
    assert reading.fields["image"] == "images" and [i for i, r in enumerate(made) if isinstance(r, str)] == [3, 13, 23]


@pytest.mark.parametrize(
    "said, words", [("Falso", ["Verdadeiro", "Falso"]), ("Errado", ["Certo", "Errado"]), ("Verdadeira", ["Verdadeira", "Falsa"])]
)
def test_a_statement_among_questions_has_true_and_false_as_its_options(said, words):
    rows = [
        {"pergunta": f"A insulina é dada na doença {i}?", "opcoes": list(OPTIONS.values()), "resposta": "Insulina"}
        for i in range(24)
    ]
    rows[7] = {"pergunta": "(V/F) A heparina é um antibiótico.", "resposta": said}
    rows[8] = {"pergunta": "Qual é o antídoto da heparina?", "resposta": "Protamina"}
    made = read(rows)[1]
    assert list(made[7]["options"].values()) == words and made[7]["options"][made[7]["answer"]] == said
    assert "options" in made[8] and isinstance(made[8], str)


def test_levels_that_later_rows_alone_have_do_not_matter(tmp_path):
    rows = exam(600)
    for row in rows[560:]:
        row["targetLevels"] = ["beginner"]
    counts, _ = run(tmp_path, rows, test_size=0)
    assert counts["train"] == 600


# ---------------------------------------------------------------------------------------------- questions that were needless


def test_notes_with_ids_beside_their_label_are_sorted():
    rows = [{"note_id": f"N{i}", "patient_id": f"P{i % 7}", "note_text": told(i), "label": ILLS[i % 3]} for i in range(40)]
    reading, made = read(rows)
    assert reading.shape == "classification" and (made[4]["text"], made[4]["label"]) == (told(4), ILLS[1])
    with pytest.raises(UserError):  # a second text is not passed over
        read([row | {"second_text": told(i + 1)} for i, row in enumerate(rows)])


def test_a_column_whose_texts_stand_in_the_turns_is_not_lost():
    def row(i: int, label: str) -> dict:
        turns = [("user", f"{asked(i)} Choose of {', '.join(ILLS)}."), ("assistant", label)]
        return {"messages": [{"role": r, "content": c} for r, c in turns], "dx_label": label, "choices": ILLS}

    reading, _ = read([row(i, ILLS[i % 10]) for i in range(30)])
    assert reading.shape == "messages" and {"dx_label", "choices"} <= reading.unused.keys()
    with pytest.raises(UserError, match="dx_label"):
        read([row(i, ILLS[i % 10]) | {"dx_label": f"other {i % 9}"} for i in range(30)])
    with pytest.raises(UserError, match="verdict"):  # words that stand there by chance, and mark the row
        read([row(i, ILLS[i % 10]) | {"verdict": ["of", "is"][i % 2]} for i in range(30)])


def test_questions_whose_text_and_answers_lie_in_a_list():
    def item(i: int) -> dict:
        return {"text": asked(i), "answers": [{"text": ILLS[n], "correct": n == i % 4} for n in range(4)]}

    blocks = [{"topic": f"T{i}", "session": 2000 + i, "questions": [item(i), item(i + 40)]} for i in range(24)]
    reading, _ = read(blocks)
    assert (reading.shape, reading.explode, reading.fields["question"]) == ("mcq", "questions", "text")
    read_of = [
        b | ({"pretext": f"Read this text on gout of grade {i} with care, then answer."} if i % 3 else {})
        for i, b in enumerate(blocks)
    ]
    with pytest.raises(UserError, match=r"context: pretext}\n +explode: questions"):
        read(read_of)
    open_ones = [{"topic": f"T{i}", "questions": [{"text": asked(i), "answer": told(i)}]} for i in range(24)]
    reading = find_reading(open_ones, Wish(), "x.json")
    assert (reading.shape, reading.fields["question"]) == ("qa", "text")
    assert convert(rows_of(open_ones[3], reading)[0], reading, Args())["question"] == asked(3)


def test_lists_of_questions_of_two_kinds_are_one_table():
    def items(kind: str) -> list[dict]:
        return [
            {"id": f"{kind}{i}", "question": f"{kind} {asked(i)}", "options": ILLS[:4], "answer": "ABCD"[i % 4]} for i in range(9)
        ]

    notes = [{"id": "n", "title": "Gout", "text": told(1)}]
    found = records_of({"notes": notes, "single": items("s"), "multiple": items("m")})
    assert [row["_key"] for row in found] == ["single"] * 9 + ["multiple"] * 9 + ["notes"] and found[-1]["text"] == told(1)
    assert len(records_of({"right": items("s"), "wrong": items("m"), "n": notes})) == 1, "verdicts are no kinds"


@pytest.mark.parametrize("gap", ["\n", " "], ids=["own line", "stem's line"])
@pytest.mark.parametrize("signs", [("[x] ", "[ ] "), ("!", "")], ids=["boxes", "cries"])
def test_signs_behind_letters_mark_what_is_right(tmp_path, gap, signs):
    def block(n: int, right: str) -> str:
        boxes = "\n".join(f"{c.lower()}) {signs[c not in right]}conduta {c}{n} do caso" for c in "ABCD")
        return f"{n}. Qual é a conduta no caso {n} do ambulatório?{gap}{boxes} {'-' * 60}\n"

    rows = prepared(tmp_path, "x.txt", "".join(block(n, KEY[n - 1]) for n in range(1, 11)))
    agree(rows)
    assert all(row["options"]["D"] == f"conduta D{row['question'].split('caso ')[1].split()[0]} do caso" for row in rows)
    with pytest.raises(UserError, match=r"6 of 10 questions mark several|4 of 10 rows mark one"):
        prepared(tmp_path, "y.txt", "".join(block(n, KEY[n - 1] if n > 6 else "AB") for n in range(1, 11)))


def test_a_text_that_is_json_is_read_as_json(tmp_path):
    path = tmp_path / "x.txt"
    rows = [{"question": asked(i), "answer": told(i)} for i in range(9)]
    path.write_text(json.dumps({"faq": rows}, indent="\t"))
    assert [row for _, row, _ in text_file(path, "x.txt")] == rows
    path.write_text('{\n\t"a": ["b"],\n\t"a": ["c"]\n}')
    with pytest.raises(UserError, match="stands twice in one object"):
        list(text_file(path, "x.txt"))
    path.write_text("[Gout] is an illness of the joints.\n")
    assert [list(row) for _, row, _ in text_file(path, "x.txt")] == [["text"]]


# ---------------------------------------------------------------------------------------------- pages


LITERALS = {
    "{a: 'It\\'s', \"b\": [1, 2.5, -3,], c: true, d: null, /* e: 1 */ }": {"a": "It's", "b": [1, 2.5, -3], "c": True, "d": None},
    "[`two\nlines`, 'a' + \"b\", // more\n undefined]": ["two\nlines", "ab", None],
    "['\\u00e9\\n\\x41\\u{1F600}', '\\ud83d\\ude00']": ["é\nA😀", "😀"],
    "{1: '007', x: 010}": {"1": "007", "x": "010"},
}


@pytest.mark.parametrize("code", LITERALS)
def test_literals_of_a_script(code):
    assert literal_at(code, 0) == (LITERALS[code], len(code))


@pytest.mark.parametrize(
    "code", ["[f(1)]", "[`a ${b}`]", "{a: b}", "['a' + b]", "{a: 1, a: 2}", "['a' 'b']", "[1, 2", "{a 1}", "[" * 50]
)
def test_what_is_more_than_a_literal_is_none(code):
    with pytest.raises(ValueError):
        literal_at(code, 0)


QUIZ = "{{question: '{0}', answers: [{{text: 'a', correct: false}}, {{text: 'b', correct: true, why: \"It's so\"}}]}}"


def test_a_list_of_literals_in_a_script_is_its_data(tmp_path):
    rows = ",\n".join(QUIZ.format(asked(i)) for i in range(9))
    (tmp_path / "x.html").write_text(page(f"const quiz = [{rows},];\nlet score = 0;"))
    found = [row for _, row, _ in html_file(tmp_path / "x.html", "x.html")]
    assert [row["question"] for row in found] == [asked(i) for i in range(9)] and found[3]["answers"][1]["correct"] is True
    made_up = f"{rows}, " + ", ".join(f"{{question: ask({i}) + 'which {i}?', answers: ['a']}}" for i in range(6))
    (tmp_path / "y.html").write_text(page(f"const quiz = [{made_up}];"))
    with pytest.raises(UserError, match="no list of literals"):
        list(html_file(tmp_path / "y.html", "y.html"))


def test_a_page_that_its_script_fills_is_no_text(tmp_path):
    script, buttons = "run();" * 2000, "<button>Go</button>" + "<p>Next</p><p>Score</p><p>Time</p>" * 5
    (tmp_path / "x.html").write_text(page(script, buttons))
    with pytest.raises(UserError, match="hardly a sentence"):
        list(html_file(tmp_path / "x.html", "x.html"))
    prose = "<p>Gout is an illness of the joints that comes at night and hurts for many days.</p>"
    (tmp_path / "y.html").write_text(page(script, prose))
    assert "Gout" in next(html_file(tmp_path / "y.html", "y.html"))[1]["text"]


# ---------------------------------------------------------------------------------------------- lines to paste


def test_right_answers_apart_from_the_wrong_ones_are_offered_so():
    rows = [
        {"x": f"O que se dá na doença {i}?", "respuesta_correcta": ILLS[i % 10], "respuestas_incorrectas": [ILLS[i % 7], "nada"]}
        for i in range(24)
    ]
    with pytest.raises(UserError, match=r"options: respuestas_incorrectas, answer: respuesta_correcta}\n +answer_base: apart"):
        read(rows)


def test_of_several_texts_none_is_offered_as_question_by_lot():
    rows = [{f"t{n}": f"A text of number {n} and {i} about gout." for n in range(4)} for i in range(24)]
    with pytest.raises(UserError, match=r"{question: YOUR_FIELD, answer: YOUR_FIELD}"):
        read(rows)
