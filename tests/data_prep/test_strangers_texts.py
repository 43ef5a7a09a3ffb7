"""Public files that were read as plain text, or without their pictures, in silence once. The rows are ours."""

import json

import pytest
from test_strangers import exam, read, written

from data_prep.common.errors import UserError
from data_prep.prepare import Args, prepare
from data_prep.shapes.known import recognise
from data_prep.tables.json_records import records_of
from data_prep.words.language import language_of, language_of_row

SYSTEM = "Você é um assistente do hospital. Responda com cautela."


def test_texts_that_are_sorted_into_classes_are_asked_about():
    rows = [
        {"sentence": f"Dói o peito há {i} dias.", "urgency": "AB"[i % 2], "service": ["Card", "Pneu"][i % 2]} for i in range(40)
    ]
    with pytest.raises(UserError, match="label: urgency"):
        read(rows)
    told = [{"text": row["sentence"], "source": row["service"], "specialty": row["urgency"]} for row in rows]
    assert read(told)[0].shape == "text"  # where they come from, and what they are about


def test_a_question_and_its_answer_in_one_text_are_a_conversation():
    rows = [
        {"text": f"{SYSTEM}\nPergunta: Qual a dose {i}?\nResposta: {i} mg.\nObservação: à noite.", "source": "x"}
        for i in range(9)
    ]
    _, made = read(rows)
    assert made[3]["conversations"] == [
        {"from": "system", "value": SYSTEM},
        {"from": "human", "value": "Qual a dose 3?"},
        {"from": "gpt", "value": "3 mg.\nObservação: à noite."},
    ]
    with pytest.raises(UserError, match="questions with their answers"):  # what the context is, nobody says
        read([{"text": row["text"].replace("Resposta", "Contexto: X.\nResposta longa")} for row in rows])
    assert read([{"text": f"Question marks open doubt {i}: none.\nAnswers vary."} for i in range(9)])[0].shape == "text"


def test_an_answer_is_cut_by_no_word_of_its_own():
    rows = [{"prompt": f"Dose {i}?", "chosen": f"Question: dose {i}?\nAnswer: {i} mg.", "rejected": "?"} for i in range(9)]
    assert read(rows)[1][3]["chosen"] == rows[3]["chosen"]


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(f"小孩发烧第{i}天\n多喝水，{i}天后复诊。" for i in range(30)),
        "# GABARITO\n" + ", ".join(f"{i:02}-{'ABCDE'[i % 5]}" for i in range(1, 41)),
        "# Master key\n"
        + "\n".join(f"{i}. **Frequent swallowing after nasal packing {i}...**\n   **→ Bleeding**" for i in range(20)),
    ],
)
def test_pairs_and_keys_are_no_plain_text(tmp_path, text):
    (tmp_path / "x.md").write_text(text)
    with pytest.raises(UserError, match="which plain text would mix up"):
        prepare(Args(inputs=[str(tmp_path / "x.md")], output_dir=str(tmp_path / "out")))
    prose = "\n\n".join(f"## Tópico {i}\nReavalie em {i} dias." for i in range(30)) + "\nFebre\n→ hemograma" * 12
    (tmp_path / "y.md").write_text(prose)
    assert prepare(Args(inputs=[str(tmp_path / "y.md")], test_size=0, output_dir=str(tmp_path / "out")))["counts"]["train"] == 1


@pytest.mark.parametrize("name", ["image_paths", "foto_questao", "圖片", "questionImages"])
def test_a_picture_under_any_name_is_needed(name):
    reading, made = read(exam(**{name: lambda i: [f"{i}.jpg"] if i % 10 == 3 else []}))
    assert reading.fields["image"] == name and [i for i, row in enumerate(made) if isinstance(row, str)] == [3, 13, 23]
    assert "image" not in read(exam(image_width=lambda i: 300 + i))[0].fields


def test_a_picture_that_the_first_rows_lack_is_needed(tmp_path):
    rows = exam(700)
    for i in (650, 660):
        rows[i]["image"] = f"/images/{i}.png"
    assert len(written(tmp_path, "q.json", rows)) == 698
    rejects = [json.loads(line) for line in (tmp_path / "out/rejects.jsonl").read_text().splitlines()]
    assert all("needs an image" in reject["reason"] for reject in rejects)


def test_questions_by_topic_beside_a_list_of_the_topics():
    rows = [{"question": f"Dose {i}?", "options": ["1", "2"], "answer": i % 2} for i in range(4)]
    file = {"categories": [{"name": "a", "count": 2}], "questions": {"a": rows[:2], "b": rows[2:]}, "meta": {"by": "x"}}
    assert records_of(file) == [{"_key": "a" if i < 2 else "b", **row} for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    "names",
    [
        ("題目", "選項A", "選項B", "正確答案"),
        ("問題", "選択肢1", "選択肢2", "正解"),
        ("질문", "보기1", "보기2", "정답"),
        ("soru", "A", "B", "doğru cevap"),
        ("marathi_question", "option_a", "option_b", "marathi_answer"),
    ],
)
def test_exams_of_other_languages(names):
    asked, first, second, key = names
    _, made = read([{asked: f"({i})?", first: f"x{i}", second: f"y{i}", key: "AB"[i % 2]} for i in range(30)])
    assert [row["options"][row["answer"]] for row in made] == [f"{'xy'[i % 2]}{i}" for i in range(30)]


def test_a_name_that_ends_in_id_is_no_question():
    reading, _ = read(
        [{"question_id": f"q{i}", "question": f"Dose {i}?", "answer": f"{i} mg.", "article_id": "a"} for i in range(9)]
    )
    assert reading.fields == {"question": "question", "answer": "answer"}


def test_two_columns_alone_are_the_counselling_set():
    assert recognise(["Context", "Response"]).name == "mental_health_counseling_conversations"
    assert recognise(["Context", "Response", "Question"]) is None


def test_japanese_is_told_by_its_own_letters():
    text = "末梢静脈留置針の穿刺角度として、最も適切なものはどれか。次から選べ。"
    assert language_of([text] * 9) == language_of_row(text, "zh") == "ja"
    assert language_of_row("末梢静脉留置针穿刺角度中最合适的是哪一项，请选择正确答案。", "zh") == "zh"


def test_options_put_aside_with_where_a_row_comes_from_do_not_vanish():
    rows = [
        {"question": f"Dose {i}?", "answer": f"{i} mg", "metadata": {"options": [f"{i} mg", "0 g"], "answer_idx": "A"}}
        for i in range(9)
    ]
    with pytest.raises(UserError, match=r"options: 'metadata\.options', answer: 'metadata\.answer_idx'"):
        read(rows)
    assert read([row | {"metadata": {"page": i}} for i, row in enumerate(rows)])[0].shape == "qa"


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"## intent:dor_{i}\n- dói aqui\n- sinto dor {i}\n" for i in range(5)) + "Estas são as dores.\n",
        "".join(f"QUESTÃO {i}\nMulher de {i + 20} anos.\nA clínica\nB cirurgia\n" for i in range(1, 15)),
    ],
)
def test_intents_and_exams_without_letters_in_brackets_are_no_plain_text(tmp_path, text):
    (tmp_path / "x.md").write_text(text)
    with pytest.raises(UserError, match="which plain text would mix up"):
        prepare(Args(inputs=[str(tmp_path / "x.md")], output_dir=str(tmp_path / "out")))


def test_thousands_of_turns_are_no_single_dialogue(tmp_path):
    turns = "".join(f"Patient: dor {i}\nDoctor: repouso {i}\n" for i in range(150))
    (tmp_path / "x.txt").write_text(turns)
    with pytest.raises(UserError, match="one dialogue of 300 turns, or several"):
        prepare(Args(inputs=[str(tmp_path / "x.txt")], output_dir=str(tmp_path / "out")))
    assert len(written(tmp_path, "y.txt", turns.replace("Patient", "\nPatient"))) == 150


@pytest.mark.parametrize("marks", ["PERGUNTA RESPOSTA", "Pregunta Respuesta", "Question Answer", "Q A", "P R", "问 答"])
@pytest.mark.parametrize("title", ["", "Dengue em perguntas\n\n"])
def test_questions_in_a_row_are_one_conversation_or_many_by_nobodys_guess(tmp_path, marks, title):
    asks, tells = marks.split()
    pairs = [f"{asks}: O que fazer no dia {i}?\n{tells}: Repouso por {i} horas." for i in range(6)]
    (tmp_path / "x.txt").write_text(title + "\n".join(pairs))
    with pytest.raises(UserError, match="one conversation, or 6 questions"):
        prepare(Args(inputs=[str(tmp_path / "x.txt")], output_dir=str(tmp_path / "out")))
    rows = written(tmp_path, "y.txt", "\n\n".join(pairs))
    assert [len(row["conversations"]) for row in rows] == [2] * 6
    people = "\n".join(pairs).replace(f"{asks}:", "Paciente:").replace(f"{tells}:", "Médico:")
    assert [len(row["conversations"]) for row in written(tmp_path, "z.txt", people)] == [12]


@pytest.mark.parametrize("sides", ["Пациент Врач", "Ασθενής Γιατρός", "المريض الطبيب", "मरीज़ डॉक्टर", "환자 의사"])
def test_speakers_of_any_alphabet_are_asked_about(tmp_path, sides):
    asks, tells = sides.split()
    (tmp_path / "x.txt").write_text("\n\n".join(f"{asks}: Dor {i}.\n{tells}: Repouso {i}." for i in range(4)))
    with pytest.raises(UserError, match=f"whose turns are those of '{asks}'.*'{tells}'"):
        prepare(Args(inputs=[str(tmp_path / "x.txt")], output_dir=str(tmp_path / "out")))
    roles = {asks: "human", tells: "gpt"}
    prepare(Args(inputs=[str(tmp_path / "x.txt")], output_dir=str(tmp_path / "out"), roles=roles))
    rows = [json.loads(line) for name in ("train", "validation", "test") for line in (tmp_path / f"out/{name}.jsonl").open()]
    assert len(rows) == 4 and all([t["from"] for t in row["conversations"]] == ["human", "gpt"] for row in rows)


def test_a_column_of_marks_may_hold_a_list():
    rows = [{"question": f"Dose {i}?", "answer": f"{i} mg.", "checked": True} for i in range(9)]
    rows.append({"question": "Dose?", "answer": "9 mg.", "checked": ["x", {}]})
    assert len(read(rows)[1]) == 10  # a traceback once


def test_an_option_that_tells_the_key_is_no_option():
    rows = [{"stem": f"Case {i}?", "options": {"A": "gout", "B": f"lupus {i}"}, "answer": "AB"[i % 2]} for i in range(30)]
    rows[4]["options"] = {"A": "gout", "B": "lupus Correct: A"}
    _, made = read(rows)
    assert made[4].startswith("an option tells the key") and sum(isinstance(row, str) for row in made) == 1


def test_questions_under_their_topics_whatever_the_depth():
    row = {"stem": "Case?", "options": {"A": "x", "B": "y"}, "answer": "A"}
    file = {"Immunity": {"Cells": [row], "Signals": {"items": [row, row]}}, "Skin": {"Burns": [row]}}
    assert [r["_key"] for r in records_of(file)] == ["Immunity / Cells", *["Immunity / Signals / items"] * 2, "Skin / Burns"]
    assert records_of(file | {"note": "x"}) is not None and len(records_of(file | {"note": {"by": "x"}})) != 4


def test_marks_inside_options_in_spanish_and_keys_that_are_ids():
    spanish = [
        {"pregunta": f"¿Caso {i}?", "opciones": [{"letra": a, "texto": f"{a}{i}", "correcta": a == "ABC"[i % 3]} for a in "ABC"]}
        for i in range(30)
    ]
    assert [row["answer"] for row in read(spanish)[1]] == ["ABC"[i % 3] for i in range(30)]
    ids = [
        {"question": f"Case {i}?", "alternatives": [{"id": n, "description": f"{n} of {i}"} for n in range(1, 6)]}
        | {"rightAlternativeId": i % 5 + 1}
        for i in range(30)
    ]
    assert [row["answer"] for row in read(ids)[1]] == ["ABCDE"[i % 5] for i in range(30)]


def test_cards_are_questions_with_their_answers():
    cards = [{"deck": "Surgery", "front": f"Dose {i}?", "back": f"{i} mg."} for i in range(9)]
    assert read(cards)[0].fields == {"question": "front", "answer": "back"}
    with pytest.raises(UserError):
        read([{"deck": "Surgery", "front": card["front"]} for card in cards])


def test_a_table_is_cut_where_each_line_has_as_many_cells(tmp_path):
    text = "pergunta, como foi feita;resposta, revista\n" + "".join(f"Dose {i}, à noite, sim?;{i} mg, {i}.\n" for i in range(9))
    rows = written(tmp_path, "q.csv", "pergunta;resposta\n" + text.split("\n", 1)[1])
    assert sorted(row.get("answer") or row["conversations"][1]["value"] for row in rows) == [f"{i} mg, {i}." for i in range(9)]
    with pytest.raises(UserError, match="pergunta, como foi feita, resposta, revista"):
        written(tmp_path, "r.csv", text)
