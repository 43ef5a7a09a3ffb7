"""Forms of public medical files that were read wrong in silence once. The rows are ours."""

import dataclasses
import json
import re

import openpyxl
import pyarrow
import pytest
from conftest import ROOT

from data_prep.common.errors import UserError
from data_prep.documents.texts import exam_rows
from data_prep.pipeline.options import Args
from data_prep.prepare import prepare
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.nested import rows_of
from data_prep.shapes.reading import Wish
from data_prep.tables.json_records import records_of

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


# ---------------------------------------------------------------------------------- forms of the second round


def written(tmp_path, name, text):
    """What a file becomes: its rows of all splits, in no order."""
    text = text if isinstance(text, str | bytes) else json.dumps(text, ensure_ascii=False)
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    prepare(Args(inputs=[str(tmp_path / name)], output_dir=str(tmp_path / "out"), near_duplicates="off"))
    return [json.loads(x) for s in ("train", "test") for x in (tmp_path / f"out/{s}.jsonl").read_text().splitlines()]


def test_what_was_marked_is_the_answer_given_and_never_the_right_one_beside_it():
    rows = [
        {"question": f"Caso {i}?", "predicted": "AB"[i % 3 % 2], "correct": "AB"[i % 2]} | {"is_correct": i % 3 % 2 == i % 2}
        for i in range(30)
    ]
    with pytest.raises(UserError, match="predicted") as error:
        read(rows)
    assert "completion: correct" not in str(error.value)


def test_turns_before_an_instruction_are_kept():
    rows = [
        {"instruction": f"E agora, {i}?", "input": "", "output": f"Descanse {i}."}
        | {"history": [[f"Dor {i}.", "Há quanto?"]] * (i % 2)}
        for i in range(30)
    ]
    _, made = read(rows)
    assert made[0]["task"] == "open" and made[0]["question"] == "E agora, 0?"
    assert [t["value"] for t in made[1]["conversations"]] == ["Dor 1.", "Há quanto?", "E agora, 1?", "Descanse 1."]


@pytest.mark.parametrize("head", ["id=1\nhttps://x.org/1\n\nDescription\nCough.\n\nDialogue\n", "Some words before.\n"])
def test_dialogues_among_other_text_are_no_plain_text(tmp_path, head):
    block = head + "Patient:\nI cough.\nFor days.\nAnd nights.\nDoctor:\nSince when?\nTell me more.\nPlease.\n"
    with pytest.raises(UserError, match="holds dialogues"):
        written(tmp_path, "d.txt", block * 4)


def test_dialogues_in_chinese(tmp_path):
    said = ["病人：我头痛{}天。", "医生：有发烧吗？", "病人：没有。", "医生：多休息。"]
    [row] = written(tmp_path, "d.txt", "\n\n".join(said).format(2))
    assert [t["value"] for t in row["conversations"]] == ["我头痛2天。", "有发烧吗？", "没有。", "多休息。"]
    rows = written(tmp_path, "d.json", [[line.format(n) for line in said] for n in range(30)])
    assert len(rows) == 30 and all([t["from"] for t in row["conversations"]] == ["human", "gpt"] * 2 for row in rows)


def test_a_file_that_is_one_conversation(tmp_path):
    turns = [{"role": role, "content": f"Frase {i}."} for i, role in enumerate(["client", "counselor"] * 3)]
    [row] = written(tmp_path, "c.json", turns)
    assert [t["from"] for t in row["conversations"]] == ["human", "gpt"] * 3


def test_rows_by_year_are_rows_and_rows_by_verdict_are_asked_about(tmp_path):
    rows = exam()
    assert len(written(tmp_path, "y.json", {"2022": rows[:15], "2023": rows[15:]})) == 30
    with pytest.raises(UserError):
        written(tmp_path, "v.json", {"correct": rows[:15], "wrong": rows[15:]})


def test_texts_under_one_name_and_objects_in_a_txt_are_rows(tmp_path):
    texts = [f"Nota {i}: o doente número {i} teve alta." for i in range(30)]
    assert {row["text"] for row in written(tmp_path, "t.json", {"text": texts})} == set(texts)
    objects = [{"question": f"Dor {i}?", "answer": f"Repouso de {i} dias."} for i in range(30)]
    assert len(written(tmp_path, "o.txt", "\n".join(map(str, objects)))) == 30
    broken = [*map(str, objects * 2), *["{'question': 'Dor"] * 20]  # no fewer than in a .jsonl are borne
    with pytest.raises(UserError, match="lines are no records"):
        written(tmp_path, "b.txt", "\n".join(broken))


def test_options_called_answers_and_spanish_keys():
    rows = exam()
    named = [{"question": r["enunciado"], "answers": r["alternativas"], "correct_answers": [r["gabarito"].lower()]} for r in rows]
    _, made = read([row | {"nbr_correct_answers": 1} for row in named])
    assert [row["answer"] for row in made] == [row["gabarito"] for row in rows]
    _, made = read([{"pregunta": r["enunciado"], "opciones": OPTIONS, "respuestaCorrecta": r["gabarito"]} for r in rows])
    assert [row["answer"] for row in made] == [row["gabarito"] for row in rows]


def test_beside_a_key_an_item_s_score_goes_unused_and_quiz_feedback_explains():
    rows = exam(qualityScore=lambda i: 80 + i, feedback=lambda i: f"Porque {i}.")
    reading, made = read(rows)
    assert "qualityScore" in reading.unused and made[3]["explanation"] == "Porque 3."
    assert "model_letter" in read(exam(model_letter=lambda i: "ABC"[i % 2]))[0].unused  # the key is called so
    with pytest.raises(UserError, match="second_letter"):
        read(exam(second_letter=lambda i: "ABC"[i % 2]))


def test_questions_and_answers_in_the_plural_a_title_and_choices_that_the_question_names():
    rows = [{"Questions": f"O que é {i}?", "Answers": f"É {i}."} for i in range(30)]
    assert read(rows)[1][4]["answer"] == "É 4."
    rows = [
        {"questionTitle": f"Medo {i}", "questionText": f"Tenho medo de {i}.", "answerText": f"Respire {i}."} for i in range(30)
    ]
    assert read(rows)[1][4]["question"] == "Medo 4\n\nTenho medo de 4."
    rows = [
        {"input": f"Caso {i}: gripe ou dengue?", "target": f"É gripe, {i}.", "answer_choices": ["gripe", "dengue"]}
        for i in range(30)
    ]
    assert read(rows)[0].unused.keys() == {"answer_choices"}
    with pytest.raises(UserError, match="answer_choices"):
        read([row | {"answer_choices": ["gripe", f"zika {i % 3}"]} for i, row in enumerate(rows)])


def test_answers_found_in_a_passage_with_the_place_where_they_begin():
    rows = [
        {"question": f"Onde {i}?", "passage": f"Em {i}.", "answers": [[3, f"{i}"], [3, f"{i}" if i % 2 else "lá"]]}
        for i in range(30)
    ]
    _, made = read(rows)
    assert made[3]["answer"] == "3" and "list of several" in made[4]


def test_a_question_with_an_image_under_its_address_needs_it():
    _, rows = read(exam(image_url=lambda i: f"https://x.org/{i}.jpg" if i % 2 else ""))
    assert [isinstance(row, str) for row in rows] == [bool(i % 2) for i in range(30)]


def test_questions_whose_answers_are_all_empty_are_rejects():
    rows = [
        {"questionText": f"Dor {i}?", "questionOriginal": f"<p>Dor {i}?</p>", "answerText": "", "answerOriginal": ""}
        for i in range(30)
    ]
    assert set(read(rows)[1]) == {"empty answer"}


def test_an_instruction_with_its_input_is_a_pair_s_prompt_and_lines_of_speakers_are_a_dialogue():
    pairs = [
        {"instruction": f"Resuma {i}.", "input": f"Nota {i}.", "chosen": f"Bom {i}.", "rejected": f"Mau {i}."} for i in range(30)
    ]
    assert read(pairs)[1][3]["prompt"] == "Resuma 3.\n\nNota 3."
    rows = [{"Id": i, "Dialogue": [f"病人：头痛{i}天。", "医生：多休息。"]} for i in range(30)]
    assert [t["value"] for t in read(rows)[1][3]["conversations"]] == ["头痛3天。", "多休息。"]


# ---------------------------------------------------------------------------------- forms of the third round


@pytest.mark.parametrize(
    "question, key, why", [("Énoncé", "Réponse correcte", "Explication"), ("pregunta", "RESPUESTA_CORRECTA", "Explicación")]
)
def test_names_are_told_with_and_without_their_accents(question, key, why):
    rows = [{"question" if question == "Énoncé" else question: f"Q {i}?", key: "ABC"[i % 3], why: f"Car {i}."} for i in range(30)]
    _, made = read([row | {f"option{letter}": text for letter, text in OPTIONS.items()} for row in rows])
    assert [(row["answer"], row["explanation"]) for row in made] == [("ABC"[i % 3], f"Car {i}.") for i in range(30)]


def test_names_of_a_letter_where_there_is_a_q_and_only_there():
    rows = [{"q": f"Caso {i}?", "o": list(OPTIONS.values()), "a": i % 3, "img": i == 4} for i in range(30)]
    reading, made = read(rows)
    assert [row["answer"] for i, row in enumerate(made) if i != 4] == ["ABC"[i % 3] for i in range(30) if i != 4]
    assert "image" in made[4] and reading.base == "0"
    spread = [{"Question": f"Caso {i}?", "A": "dor", "B": f"febre {i}", "C": "tosse", "Answer": "ABC"[i % 3]} for i in range(30)]
    assert read(spread)[0].option_columns == ("A", "B", "C") and read(spread)[0].fields["answer"] == "Answer"


@pytest.mark.parametrize("name", ["figura", "imgs", "imagens"])
def test_a_question_with_a_figure_under_any_name_needs_it(name):
    _, rows = read(exam(**{name: lambda i: f"fig{i}" if i % 10 == 3 else None}))
    assert [i for i, row in enumerate(rows) if isinstance(row, str)] == [3, 13, 23]


def test_pairs_of_one_conversation_stay_together():
    said = [{"conversation": [{"question": f"{n} {i}?", "answer": f"Sim, {n} {i}."} for n in "abc"]} for i in range(30)]
    _, made = read(said)
    assert [t["value"] for t in made[7]["conversations"]] == ["a 7?", "Sim, a 7.", "b 7?", "Sim, b 7.", "c 7?", "Sim, c 7."]


def test_a_category_of_one_value_is_no_label_and_of_two_texts_the_shorter_is_not_taken_unsaid():
    rows = [{"abstract": f"Resumo {i}.", "information": f"Texto {i}. " * 40, "category": "coração"} for i in range(30)]
    with pytest.raises(UserError, match="text can be abstract or information"):
        read(rows)
    assert read([{k: row[k] for k in ("abstract", "category")} for row in rows])[0].shape == "text"
    labels = [{"text": row["information"], "label": row["category"]} for row in rows]  # a file for each label
    assert read(labels)[0].shape == "classification"


NUMBERED = "{n}. **Qual fármaco no caso {n}?**\n   A) aspirina\n   B) heparina\n   *Answer: {key}*\n   Explanation: por {n}.\n\n"


def test_questions_that_begin_with_their_number_are_an_exam_or_asked_about(tmp_path):
    head = "# Tema\n## Parte 1\n\n"
    text = head + "".join(NUMBERED.format(n=n, key="AB"[n % 2]) for n in range(1, 31)).replace("16. ", "## Parte 2\n\n16. ")
    assert len(written(tmp_path, "e.md", text)) == 30
    _, made = read([r for _, r, _ in exam_rows(text)])
    assert [(m["answer"], m["explanation"], m["options"]["B"]) for m in made] == [
        ("AB"[n % 2], f"por {n}.", "heparina") for n in range(1, 31)
    ]
    assert len(written(tmp_path, "f.md", text.replace("*Answer: A*", "", 1))) == 29  # one has no key, and is a reject
    with pytest.raises(UserError, match="questions with lettered options"):
        written(tmp_path, "g.md", text.replace("*Answer: A*", "", 5))


def test_whole_numbers_are_asked_about_as_answers_and_measures_are_not():
    rows = [{"Question": f"Dose {i}?", "Answer": f"{i},{i + 1}" if i % 2 else "-1"} for i in range(30)]
    with pytest.raises(UserError, match="whole numbers"):
        read(rows)
    assert read([row | {"Answer": f"{i}.5"} for i, row in enumerate(rows)])[1][4]["answer"] == "4.5"


def test_long_texts_in_a_list_are_rows_and_short_ones_are_asked_about(tmp_path):
    texts = [f"Nota {i}: o doente teve alta no dia {i}. " * 10 for i in range(30)]
    assert len(written(tmp_path, "t.json", texts)) == 30
    with pytest.raises(UserError, match="must be an object"):
        written(tmp_path, "q.json", [f"O que é {i}?" for i in range(30)])


def test_an_answer_that_is_json_in_a_text_stays_as_it_is_written_where_it_is_named():
    rows = [{"question": f"Relate {i}.", "answer": f'{{"queixa": "tosse {i}"}}'} for i in range(30)]
    with pytest.raises(UserError):
        read(rows)
    wish = Wish(shape="qa", fields={"question": "question", "answer": "answer"})
    assert convert(rows[3], find_reading(rows, wish, "x.json"), Args())["answer"] == '{"queixa": "tosse 3"}'


def test_options_do_not_go_unused_in_any_language():
    rows = [{"domanda": f"Caso {i}?", "opzioni": [f"farmaco {i}", "riposo"], "risposta": f"Perché {i}."} for i in range(30)]
    with pytest.raises(UserError, match="opzioni"):
        read(rows)


def test_what_no_name_tells_is_suggested_by_its_lengths():
    rows = [{"patient_summary": f"Paciente {i} com dor. " * 9, "eligibility_status": "ABC"[i % 3] * 3} for i in range(30)]
    with pytest.raises(UserError, match="text: patient_summary, label: eligibility_status"):
        read(rows)


@pytest.mark.parametrize("names", [("question", "answer"), ("instruction", "output")])
def test_a_question_with_turns_before_it_keeps_its_exam_number_year_and_difficulty(tmp_path, names):
    told = {"prova": "R1", "numero": 7, "ano": 2024, "dificuldade": -0.5}
    rows = [
        {names[0]: f"E agora, {i}?", names[1]: f"Descanse {i}.", "history": [[f"Dor {i}.", "Há quanto?"]]} | told
        for i in range(30)
    ]
    (tmp_path / "raw.json").write_text(json.dumps(rows, ensure_ascii=False))
    prepare(Args(inputs=[str(tmp_path / "raw.json")], output_dir=str(tmp_path / "out"), test_size=1, near_duplicates="off"))
    made = [json.loads(line) for line in (tmp_path / "out/test.jsonl").read_text().splitlines()]
    assert len(made) == 30 and all(len(row["conversations"]) == 4 for row in made)
    assert {(r["exam"], r["number"], r["year"], r["difficulty"]) for r in made} == {("R1", "7", "2024", -0.5)}


# ---------------------------------------------------------------------------------- forms of the fourth round


SAID = {  # one turn of each side as templates write them
    "chatml": "<|im_start|>user\nDor {0}?<|im_end|>\n<|im_start|>assistant\nRepouso.<|im_end|>\n",
    "llama3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nDor {0}?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nRepouso.<|eot_id|>",
    "gemma": "<bos><start_of_turn>user\nDor {0}?<end_of_turn>\n<start_of_turn>model\nRepouso.<end_of_turn>",
    "llama2": "<s>[INST] Dor {0}? [/INST] Repouso. </s>",
    "zephyr": "<|user|> Dor {0}? <|eos|> <|ai|> Repouso. <|eos|>",
    "guanaco": "### Human: Dor {0}?### Assistant: Repouso.",
    "alpaca": "### Instrução:\nDor {0}?\n\n### Resposta:\nRepouso.",
    "falcon": "<human>: Dor {0}?\n<bot>: Repouso.",
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_turns_in_a_template_s_marks_are_a_conversation(said):
    _, made = read([{"texto": said.format(i), "raw_id": i} for i in range(30)])
    assert [[t["value"] for t in m["conversations"]] for m in made] == [[f"Dor {i}?", "Repouso."] for i in range(30)]


def test_what_a_template_puts_before_the_turns_is_its_system_turn_and_other_text_is_asked_about():
    before = "Below is an instruction that describes a task.\n\n"
    rows = [{"text": f"{before}{SAID['alpaca'].format(i)}\n\n### Nota:\nVolte."} for i in range(30)]
    _, made = read(rows)
    assert made[0]["conversations"][0] == {"from": "system", "value": before.strip()}
    assert made[0]["conversations"][2]["value"] == "Repouso.\n\n### Nota:\nVolte."
    _, made = read([{"text": SAID["llama2"].format(f"<<SYS>>\nBreve.\n<</SYS>>\n\n{i}")} for i in range(30)])
    assert made[0]["conversations"][0]["value"] != "Breve." and "Breve." in made[0]["conversations"][0]["value"]
    with pytest.raises(UserError, match="holds dialogues"):
        read([{"text": f"Uma nota. {SAID['zephyr'].format(i)}"} for i in range(30)])
    tatsu = [{"instruction": f"Dor {i}?", "input": "", "output": "Repouso.", "text": rows[i]["text"]} for i in range(30)]
    assert read(tatsu)[0].shape == "alpaca"


def test_a_prompt_in_a_template_s_marks_is_its_turns():
    said = SAID["chatml"].split("Repouso.")[0]
    rows = [{"prompt": said.format(i), "chosen": f"Bom {i}.", "rejected": f"Mau {i}."} for i in range(30)]
    assert read(rows)[1][3]["prompt"] == "Dor 3?"


def test_two_spellings_of_one_column_are_one_column(tmp_path):
    names = ["Opcoes"] * 3 + ["opções"] * 2 + ["opÇÕES"]  # the last comes after the rows that are looked at first
    rows = [
        {"pergunta": f"Caso {i * i}?", names[-1 if i > 520 else i % 5]: list(OPTIONS.values()), "gabarito": "ABC"[i % 3]}
        for i in range(530)
    ]
    made = written(tmp_path, "o.json", rows)
    assert len(made) == 530
    empty = [{"pergunta": f"Dor {i}?", "resposta": f"Sim {i}.", "_": None, "__": "", "Pergunta ": ""} for i in range(30)]
    assert read(empty)[0].unused.keys() == {"_", "__", "Pergunta "}
    with pytest.raises(UserError, match="Resposta"):  # both are filled: two columns
        read([{"pergunta": f"Caso {i}?", "resposta": f"Sim {i}.", "Resposta": f"Não {i}."} for i in range(30)])


def test_marked_answers_listed_under_their_prompt_are_a_row_each():
    rows = [
        {"prompt": f"Dor {i}?", "responses": [{"text": f"Repouso {i}.", "reward": 1}, {"text": f"Nada {i}.", "reward": 0}]}
        for i in range(30)
    ]
    reading = find_reading(rows, Wish(), "x.json")
    made = [convert(row, reading, Args()) for raw in rows for row in rows_of(raw, reading)]
    assert [(m["prompt"], m["completion"], m["good"]) for m in made[:2]] == [
        ("Dor 0?", "Repouso 0.", True),
        ("Dor 0?", "Nada 0.", False),
    ]
    rows[5]["responses"][0]["reward"] = 0.95  # how much is good?
    with pytest.raises(UserError, match="good_score"):
        find_reading(rows, Wish(), "x.json")


def test_a_row_s_own_name_is_no_answer():
    groups = {g: [{"problem": f"O que é {g} {i}?", "sanswer": f"É {i}."} for i in range(20)] for g in ("Ética", "Clínica")}
    with pytest.raises(UserError, match="no shape fits"):
        read(records_of(groups))
    with pytest.raises(UserError):
        read([{"key": f"q{i:03}", "question": f"O que é {i}?", "solucao": f"É {i}."} for i in range(30)])


def test_what_explains_a_text_does_not_vanish_and_beside_an_answer_goes_with_it():
    rows = [{"text": f"Laudo {i}: opacidade em base.", "gold_explanation": f"Uma mancha no pulmão, {i}."} for i in range(30)]
    with pytest.raises(UserError, match="gold_explanation"):
        read(rows)


def test_a_dialogue_whose_speakers_stand_on_lines_of_their_own_is_no_plain_text(tmp_path):
    with pytest.raises(UserError, match="holds dialogues"):
        written(tmp_path, "t.txt", "".join(f"DOCTOR O7\nSince when, {i}?\n\nPATIENT O7\nFor days.\n\n" for i in range(4)))


def test_more_options_than_letters_are_none():
    rows = [
        {"question": f"Q{i}?", "snippets": [{"text": f"{n}", "x": 1} for n in range(40)], "answer": f"É {i}."} for i in range(9)
    ]
    assert read(rows)[0].shape == "qa"


def test_openai_s_pairs_and_answers_beside_a_prompt_of_messages():
    said = [{"role": "system", "content": "Breve."}, {"role": "user", "content": "Dor?"}]
    pairs = [
        {"input": {"messages": said}}
        | {f"{side}preferred_output": [{"role": "assistant", "content": f"{side}{i}."}] for side in ("", "non_")}
        for i in range(30)
    ]
    _, made = read(pairs)
    assert (made[3]["prompt"], made[3]["chosen"], made[3]["rejected"]) == (said, "3.", "non_3.")
    rows = [{"prompt": said, "response": f"Repouso {i}.", "conversation_turns": 2 + i % 3} for i in range(30)]
    assert [t["value"] for t in read(rows)[1][3]["conversations"]] == ["Breve.", "Dor?", "Repouso 3."]
    marked = [row | {"score": i % 2} for i, row in enumerate(rows)]
    assert read(marked)[0].shape == "graded"


def test_labels_beside_an_input_names_in_a_language_and_options_called_texts():
    rows = [{"input": f"Dói o peito há {i} dias.", "label": i % 2} for i in range(30)]
    assert read(rows)[0].fields == {"text": "input", "label": "label"}
    rows = [{"problem_text_en": f"Case {i}?", "choices_en": list(OPTIONS.values()), "answer": ["abc"[i % 3]]} for i in range(30)]
    assert [m["answer"] for m in read(rows)[1]] == ["ABC"[i % 3] for i in range(30)]
    with pytest.raises(UserError, match="question_pt"):
        read([{f"question_{c}": f"{c} {i}?" for c in ("en", "pt")} | {"answer": f"É {i}."} for i in range(30)])
    spread = [
        {"prompt_text": f"Caso {i}?", "correctOptionId": "ABC"[i % 3]}
        | {f"option{a}_{kind}": t if kind == "text" else "" for a, t in OPTIONS.items() for kind in ("text", "imageUrl")}
        for i in range(30)
    ]
    reading, made = read(spread)
    assert reading.option_columns == ("optionA_text", "optionB_text", "optionC_text") and made[4]["options"] == OPTIONS
    with pytest.raises(UserError, match="optionB_imageUrl"):
        read([row | {"optionB_imageUrl": f"{i}.png"} for i, row in enumerate(spread)])


def test_a_question_that_is_an_object_with_its_options_and_the_passage_beside_it():
    rows = [
        {"question": {"stem": f"Caso {i}?", "choices": [{"label": a, "text": t} for a, t in OPTIONS.items()]}}
        | {"answerKey": "ABC"[i % 3]}
        for i in range(30)
    ]
    _, made = read(rows)
    assert made[4] == {"task": "mcq", "question": "Caso 4?", "options": OPTIONS, "answer": "B"}
    with pytest.raises(UserError, match="context: text"):
        read([row | {"text": f"O doente {i} tosse. " * 9} for i, row in enumerate(rows)])
    asked = [{"question": f"Dor {i} no peito?", "answer": f"Repouso de {i} dias."} for i in range(30)]
    again = [row | {"text": "### P: {question} ### R: {answer} ".format(**row) * 3} for row in asked]
    assert read(again)[0].unused.keys() == {"text"}


def test_one_turn_a_row_becomes_a_conversation(tmp_path):
    rows = [
        {"conversation_id": n, "category": "RES", "speaker": who, "text": f"{who} {n} {i}."}
        for n in range(90)
        for i, who in enumerate(["doctor", "patient"] * 2)
    ]
    lines = "\n".join(map(json.dumps, rows))
    made = written(tmp_path, "t.jsonl", lines)
    assert len(made) == 90 and all(row["topic"] == "RES" and len(row["conversations"]) == 5 for row in made)  # an opening turn
    with pytest.raises(UserError, match="come again"):
        written(tmp_path, "u.jsonl", f"{lines}\n{json.dumps(rows[0])}")
    with pytest.raises(UserError, match="mood"):  # a mark of each turn would be lost
        written(tmp_path, "v.jsonl", "\n".join(json.dumps(row | {"mood_label": i % 3}) for i, row in enumerate(rows)))


@pytest.mark.parametrize(
    "columns", [("dialogue_id", "speaker", "utterance"), ("conv", "who", "text"), ("Conversa nº", "Quem", "Fala")]
)
def test_speakers_that_only_the_user_knows_make_conversations(tmp_path, columns):
    """--roles did not reach files of one turn a row, and the question named the columns in the place of the speakers."""
    conversation, speaker, text = columns
    rows = [
        {conversation: n, speaker: who, text: f"{who} fala da dor {n} no peito pela vez {i}."}
        for n in range(60)
        for i, who in enumerate(["Zé", "Tia Ana"] * 2)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    given = {"inputs": [str(tmp_path / "t.jsonl")], "test_size": 0, "output_dir": str(tmp_path / "out")}
    if text != "text":  # a text beside a speaker alone could be sorted by it
        with pytest.raises(UserError, match="Whose are those of") as asked:
            prepare(Args(**given))
        assert "roles: {Zé: YOUR_SIDE, Tia Ana: YOUR_SIDE}" in str(asked.value)
    for roles in ({"Zé": "human", "Tia Ana": "human"}, {"Zé": "human"}):  # one side alone talks to nobody
        with pytest.raises(UserError):
            prepare(Args(**given, roles=roles))
    prepare(Args(**given, roles={"Zé": "human", "tia ana": "gpt"}))
    made = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert len(made) == 60 and all([t["from"] for t in row["conversations"]] == ["human", "gpt"] * 2 for row in made)


@pytest.mark.parametrize("turns", ["one a row", "a list"])
def test_speakers_that_only_the_user_knows_are_known_in_what_is_protected(tmp_path, turns):
    """--roles did not reach --eval_files: it was asked about, and the answer was not taken."""
    talks = [[("Zé", f"A dor {n} no peito vem de onde?"), ("Tia Ana", f"Da angina {n}, talvez.")] for n in range(20)]
    rows = [{"conv": n, "who": who, "fala": text} for n, talk in enumerate(talks) for who, text in talk]
    if turns == "a list":
        rows = [{"conversations": [{"from": who, "value": text} for who, text in talk]} for talk in talks]
    (tmp_path / "held.jsonl").write_text("\n".join(map(json.dumps, rows)))
    others = [("Quantas doses de vacina toma um bebê?", "Depende do calendário de cada estado.")]
    pairs = [{"question": q, "answer": a} for q, a in [(talk[0][1], talk[1][1]) for talk in talks] + others]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    given = {"inputs": [str(tmp_path / "t.jsonl")], "eval_files": [str(tmp_path / "held.jsonl")]}
    roles = {"Zé": "human", "Tia Ana": "gpt"}
    counts = prepare(Args(**given, roles=roles, test_size=0, near_duplicates="off", output_dir=str(tmp_path / "out")))["counts"]
    assert counts["leak"] == 20


@pytest.mark.parametrize("sign", ["?", "№", "%", "😀", "_"])
def test_a_column_that_is_called_by_a_sign_alone_ends_in_no_traceback(tmp_path, sign):
    """Found where one bit of a file's names was turned."""
    rows = [{"comment": f"A dor {i} no peito vem da angina, talvez.", sign: ["sim", "não"][i % 2]} for i in range(40)]
    with pytest.raises(UserError, match=r"t\.jsonl: (?s:.*)" + re.escape(sign)):
        written(tmp_path, "t.jsonl", "\n".join(map(json.dumps, rows)))
    rows = [{"question": f"Dose {i}?", "A": "1 mg", "B": f"{i} g", "answer": "B", sign: i % 3} for i in range(40)]
    assert len(written(tmp_path, "u.jsonl", "\n".join(map(json.dumps, rows)))) == 40


def test_an_arrow_file_whose_places_lie_outside_it_is_one_error(tmp_path):
    """They were read all the same: the process ended by a signal, or the row held what lay elsewhere in memory."""
    table = pyarrow.table({"question": ["Qual a dose?"] * 9, "answer": [f"São {i} mg." for i in range(9)]})
    path = tmp_path / "t.arrow"
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    length = len("São 0 mg.".encode())
    last = b"".join((length * i).to_bytes(4, "little") for i in (8, 9))  # where the last answer begins and ends
    content = path.read_bytes()
    assert content.count(last) == 1
    for end in (length * 9 + 64, 2**31 - 1, length):
        path.write_bytes(content.replace(last, last[:4] + end.to_bytes(4, "little")))
        with pytest.raises(UserError, match=r"t\.arrow: cannot be read as \.arrow"):
            prepare(Args(inputs=[str(path)], test_size=0, output_dir=str(tmp_path / "out")))


def test_a_table_without_a_line_of_names_is_asked_for_one(tmp_path):
    asked = "What is the finding that is looked for first in case number {} of this list?,a,b,c,d,A\n"
    with pytest.raises(UserError, match="line of names"):
        written(tmp_path, "m.csv", "".join(map(asked.format, range(9))))


@pytest.mark.parametrize(
    "says",
    [
        "Veja a figura abaixo.",
        "TC: imagem a seguir.",
        "Según la siguiente imagen.",
        "See the image shown below.",
        "Pregunta asociada a la imagen. Señale la correcta.",
        "La lesión se observa en la imagen.",
        "An ECG is obtained as seen in Figure A.",
        "His rash (Figures B and C) is painless.",
        "A seta da figura 2 aponta para o baço.",
        "Imagen nº 12: señale el diagnóstico.",
        "The lesion is shown in the photograph.",
        "皮疹如图所示。",
        "胸部の写真を別に示す。",
        "다음 그림은 심전도이다.",
    ],
)
def test_a_question_that_points_at_a_picture_needs_it(says):
    rows = exam()
    rows[4]["enunciado"] += f" {says}"
    _, made = read(rows)
    assert [i for i, row in enumerate(made) if isinstance(row, str)] == [4] and "image" in made[4]
    _, made = read([row | {"imagem": "fig1" if i == 7 else ""} for i, row in enumerate(rows)])
    assert [i for i, row in enumerate(made) if isinstance(row, str)] == [4, 7]  # a blank cell can be a picture that was lost
    _, made = read([row | {"imagem": i == 7} for i, row in enumerate(rows)])
    assert [i for i, row in enumerate(made) if isinstance(row, str)] == [7]  # a column says it
    spoken_of = (
        "A imagem corporal abaixo do ideal é um fator de risco?",
        "Os trastornos relacionados con la imagen corporal son frecuentes?",
        "A lesão observada na imagem de ressonância é um cisto.",
        "The cost rose to the figure 12 million a year.",
        "Según las guías, ¿qué muestra mejor la imagen por resonancia?",
    )
    for says in spoken_of:
        rows[4]["enunciado"] = says
        assert not isinstance(read(rows)[1][4], str), says


def test_a_figure_of_an_article_is_named_by_the_way():
    rows = [
        {"question": f"As Figure 1 of study {i} shows, does drug {i} help?", "answer": f"Drug {i} helps in {i} days."}
        for i in range(30)
    ]
    assert not any(isinstance(row, str) for row in read(rows)[1])
    rows = [row | {"context": f"Doses were given separately to {i} as shown in the figure below."} for i, row in enumerate(rows)]
    assert not any(isinstance(row, str) for row in read(rows)[1])


def test_a_question_with_a_picture_is_protected_and_may_be_asked_as_it_stands(tmp_path):
    """It is no row here, and one of the evaluation set all the same."""
    rows = [json.loads(line) for line in (ROOT / "recipes/rehearsal/exam.jsonl").read_text(encoding="utf-8").splitlines()]
    rows[4]["question"] += " Veja a figura abaixo."
    foreign = [{"enunciado": r["question"], "alternativas": r["options"], "gabarito": r["answer"]} for r in rows]
    (tmp_path / "eval.json").write_text(json.dumps(foreign[:6]))
    (tmp_path / "q.json").write_text(json.dumps(foreign))
    inputs, out = [str(tmp_path / "q.json")], str(tmp_path / "out")
    counts = prepare(Args(inputs=inputs, eval_files=[str(tmp_path / "eval.json")], images="ignore", output_dir=out))["counts"]
    assert counts["leak"] == 6 and not counts["rejected"]


def test_a_heading_above_questions_and_answers_is_a_reject_of_its_own(tmp_path):
    pairs = [f"P: Qual a dose {i}?\nR: {i} mg,\n   de manhã." for i in range(4)]
    rows = written(tmp_path, "faq.txt", "\n\n".join(["PERGUNTAS FREQUENTES\nCódigo: FAQ-1", *pairs]))
    assert sorted(r["conversations"][1]["value"] for r in rows) == [f"{i} mg,\nde manhã." for i in range(4)]
    [reject] = map(json.loads, (tmp_path / "out/rejects.jsonl").read_text().splitlines())
    assert reject["reason"] == "no question with its answer"


def test_a_sheet_that_is_no_data_can_be_passed_over(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["pergunta", "resposta"])
    for i in range(9):
        book.active.append([f"Dose {i}?", f"{i} mg."])
    book.create_sheet("resumo").append(["autora"])
    book["resumo"].append(["Ana"])
    book.save(tmp_path / "q.xlsx")
    args = Args(inputs=[str(tmp_path / "q.xlsx")], output_dir=str(tmp_path / "out"), near_duplicates="off")
    with pytest.raises(UserError, match="resumo"):
        prepare(args)
    prepare(dataclasses.replace(args, exclude=["q.xlsx#resumo"]))
    assert sum(len((tmp_path / f"out/{s}.jsonl").read_text().splitlines()) for s in ("train", "test")) == 9


def cases(name, empty=3, n=30):
    """Questions of which every third has no case before it."""
    return exam(n, **{name: lambda i: f"Paciente de {20 + i} anos chega com febre e dor há {i} dias." if i % empty else ""})


@pytest.mark.parametrize("name", ["case_stem", "clinical_vignette", "Case text"])
def test_a_case_before_some_of_the_questions_goes_before_them(name):
    reading, rows = read(cases(name))
    assert reading.fields["context"] == name
    assert rows[1]["question"].startswith("Paciente de 21 anos") and rows[3]["question"].startswith("Qual fármaco")


def test_a_case_under_a_name_of_its_own_is_asked_about():
    with pytest.raises(UserError, match=r"context: patient_case_of_item"):
        read(cases("patient_case_of_item"))
    reading, _ = read(exam(case_id=lambda i: f"a name of a case that is rather long, and is number {i // 2}"))
    assert "context" not in reading.fields


def quoted(i, text="\n<p>Tenho dor há {} dias.</p>\n"):
    return json.dumps(text.format(i)).replace("<", "\\u003c").replace(">", "\\u003e")


def test_cells_that_are_json_strings_are_read_as_what_they_write():
    raw = [{"Question": quoted(i), "Answer": quoted(i, "\nRepouso por {} dias.")} for i in range(9)]
    reading = find_reading(raw, Wish(), "x.csv")
    assert reading.quoted == ("Question", "Answer") and any("JSON string" in why for why in reading.evidence)
    [row] = [convert(row, reading, Args()) for row in rows_of(raw[4], reading)]
    assert row["question"] == "<p>Tenho dor há 4 dias.</p>" and row["answer"] == "Repouso por 4 dias."


def test_quotes_around_some_texts_or_without_escapes_stay():
    said = ['"Dói muito", disse.', '"Dói\\nmuito"', "Dói."]
    assert find_reading([{"question": said[i % 3], "answer": '"Sim"'} for i in range(9)], Wish(), "x.csv").quoted == ()


def marked(i, right):
    return {
        "question": f"Quais são sinais de {i}?",
        "answers": [{"answer": f"{n} de {i}", "isTrue": n < right} for n in range(4)],
    }


def test_several_right_options_in_nearly_every_row_stop_the_run():
    rows = [marked(i, 2 if i % 20 else 1) for i in range(40)]
    with pytest.raises(UserError, match=r"2 of 40 rows mark one option as right(?s:.)*shape: mcq"):
        read(rows)
    assert find_reading(rows, Wish("mcq", {"question": "question", "options": "answers"}), "x.json").base == "marked"
    assert read([marked(i, 1 if i % 4 else 2) for i in range(40)])[0].base == "marked"


def test_lines_that_are_questions_alone_are_no_text():
    asked = "\n".join(f"Tenho febre há {i} dias. O que pode ser?" for i in range(12))
    with pytest.raises(UserError, match="questions alone"):
        read([{"text": asked}])
    assert read([{"text": asked + "\n" + "Beba água e descanse, e volte se a febre não baixar.\n" * 90}])[0].shape == "text"


@pytest.mark.parametrize("good, stops", [(2, True), (4, False)])
def test_a_file_of_which_nearly_every_row_is_rejected_stops_the_run(tmp_path, good, stops):
    rows = [
        {"question": f"What is the dose of drug number {i * 37}?", "answer": f"{i} mg" if i < good else ""} for i in range(30)
    ]
    rows[0]["answer"], path = "5 mg", tmp_path / "x.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    args = Args(inputs=[str(path)], output_dir=str(tmp_path / "out"), near_duplicates="off", clean=["nfc"])
    if stops:
        with pytest.raises(UserError, match=r"28 of 30 rows are rejected \(28 x empty answer"):
            prepare(args)
        assert not (tmp_path / "out" / "train.jsonl").exists()
        args = dataclasses.replace(args, shape="qa")
    manifest = prepare(args)
    assert manifest["counts"]["rejected"] == 30 - good


def test_the_text_of_a_question_beside_a_column_for_each_option():
    rows = [
        {"numero": i, "texto_questao": f"Qual é a conduta no caso {i}?", "gabarito": "abc"[i % 3] if i % 8 else None}
        | {f"alternativa_{letter}": f"Conduta {letter} de {i}" for letter in "abc"}
        for i in range(24)
    ]
    reading, made = read(rows)
    assert (
        reading.fields["question"] == "texto_questao" and made[1]["answer"] == "B" and made[1]["options"]["B"] == "Conduta b de 1"
    )
    assert [i for i, row in enumerate(made) if isinstance(row, str)] == [0, 8, 16]


def test_options_whose_text_is_called_an_answer():
    rows = [
        {"conteudo": f"O que faz o órgão {i}?"}
        | {"alternativas": [{"id": 4 * i + n, "resposta": f"Função {n} de {i}", "correta": n == i % 4} for n in range(4)]}
        for i in range(12)
    ]
    reading, made = read(rows)
    assert reading.shape == "mcq" and [row["answer"] for row in made] == list("ABCD" * 3)
    rows[0]["alternativas"][0]["texto"] = "O texto"
    assert read(rows)[1][0]["options"]["A"] == "O texto"


def test_questions_with_options_and_no_key_are_said_to_have_none():
    rows = [{"number": i, "question": f"Which is it, {i}?", "choices": ["a. One", "b. Two", "c. Three"]} for i in range(9)]
    with pytest.raises(UserError, match="no column holds the key"):
        read(rows)
    with pytest.raises(UserError, match="no shape fits") as asked:
        read([{"number": i, "choices": ["a. One", "b. Two"]} for i in range(9)])
    assert "holds the key" not in str(asked.value)


@pytest.mark.parametrize(
    "name, says",
    [
        ("x.xls", "save the workbook as .xlsx"),
        ("x.mdb", "export its table"),
        ("x.sav", "File > Save As"),
        ("x.bin", "known; there"),
    ],
)
def test_a_format_that_is_not_read_says_what_to_do(tmp_path, name, says):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=says):
        prepare(Args(inputs=[str(tmp_path / name)], output_dir=str(tmp_path / "out")))


def answered(names, text="a conduta {1} do caso {0}"):
    return [
        {"question": f"Qual é a conduta no caso {i} do ambulatório?"}
        | {name: text.format(i, name) for name in names}
        | {"responses": f"No caso {i} dá-se a dose {i * i} do fármaco."}
        for i in range(30)
    ]


def test_texts_called_by_numbers_beside_an_answer_may_be_its_options():
    with pytest.raises(UserError, match=r"would go unused.*: 1 .*; 2 .*; 3 .*; 4 "):
        read(answered("1234"))


@pytest.mark.parametrize("names", ["12", "5678"])
def test_other_columns_called_by_numbers_go_unused(names):
    assert read(answered(names))[0].shape == "qa"


def test_a_key_that_few_rows_have_is_not_lost():
    rows = exam(correct_answer=lambda i: "C" if i == 3 else None)
    with pytest.raises(UserError, match=r"would go unused.*correct_answer"):
        read(rows)


def test_a_constant_beside_the_key_goes_unused():
    assert read(exam(correct_answer=lambda i: None, answer_flag=lambda i: 1))[0].shape == "mcq"


@pytest.mark.parametrize("asks, answers", [("input", "output"), ("question", "answer"), ("pergunta", "resposta")])
def test_turns_that_are_an_object_for_each_question_and_answer(asks, answers):
    rows = [
        {
            "conversation": [
                {"system": "Você é enfermeiro.", answers: f"Desde quando? ({i})", asks: f"Tenho dor no joelho {i}."},
                {asks: "Desde ontem.", answers: "Ponha gelo e descanse."},
            ]
        }
        for i in range(30)
    ]
    reading, found = read(rows)
    assert (reading.shape, reading.fields) == ("sharegpt", {"conversations": "conversation"})
    said = [(t["from"], t["value"]) for t in found[4]["conversations"]]
    assert said[:3] == [("system", "Você é enfermeiro."), ("human", "Tenho dor no joelho 4."), ("gpt", "Desde quando? (4)")]
    assert said[3:] == [("human", "Desde ontem."), ("gpt", "Ponha gelo e descanse.")]


@pytest.mark.parametrize(
    "part", [{"input": "Dói.", "question": "Onde?", "output": "No joelho."}, {"system": "x", "input": "Dói."}]
)
def test_a_turn_of_two_questions_or_of_none_that_answers_is_no_turn(part):
    with pytest.raises(UserError):
        read([{"conversation": [dict(part), dict(part)]}] * 30)


@pytest.mark.parametrize(
    "option, stays",
    [
        ("Las respuestas A y C son ciertas", False),
        ("La A y la B son correctas", False),
        ("Son verdaderas A y C", False),
        ("As alternativas a e c estão corretas", False),
        ("La respuesta B es correcta", False),
        ("Todo lo anterior", False),
        ("以上都不是", False),
        ("Hepatitis A y B", True),
        ("A e D são vitaminas do fígado", True),
        ("Alternativa a la cirugía", True),
        ("Revocará las anteriores", True),
    ],
)
def test_an_option_that_points_at_others_by_their_letters_has_none_where_there_is_no_order(option, stays):
    rows = [
        {"pregunta": f"¿Qué fármaco se da en el caso {i}?", "correct_answer": f"Heparina {i}"}
        | {"incorrect_answers": ["Insulina", "Aspirina", option if i == 7 else f"Digoxina {i}"]}
        for i in range(40)
    ]
    reading = find_reading(rows, Wish(), "x.json")
    assert reading.base == "apart"
    found = convert(rows[7], reading, Args())
    assert option in found["options"].values() if stays else "by their order" in found


def test_options_that_are_objects_under_their_letters():
    def option(text, right):
        return {"text": text, "rationale": "Por isso.", "is_correct": right}

    rows = [
        {"question": f"Qual fármaco no caso {i}?"}
        | {"options": {x: option(f"{t} {i}", "ABC"[i % 3] == x) for x, t in reversed(OPTIONS.items())}}
        for i in range(30)
    ]
    reading, found = read(rows)
    assert (reading.shape, reading.base) == ("mcq", "marked")
    assert found[4]["options"] == {"A": "Aspirina 4", "B": "Heparina 4", "C": "Insulina 4"} and found[4]["answer"] == "B"


def test_of_a_title_and_its_text_the_first_lines_offered_read_both():
    rows = [
        {"question": f"Posso correr com dor no joelho {i}?", "answer": f"Descanse e ponha gelo por {i + 2} dias."}
        | {"question_text": f"Tenho {20 + i} anos e corro desde criança. Há uma semana o joelho dói na escada, e incha."}
        for i in range(30)
    ]
    with pytest.raises(UserError) as asked:
        find_reading(rows, Wish(), "x.json")
    first = str(asked.value).split("       or")[0]
    assert "question: question_text" in first and "question_title: question" in first and "ignore" not in first


def test_speakers_are_listed_in_the_order_in_which_they_speak():
    turns = [{"role": name, "content": f"{name} fala."} for name in ("system", "paciente", "médico", "paciente", "médico")]
    assert list(read([{"messages": turns}] * 30)[0].roles) == ["system", "paciente", "médico"]


def test_wrong_options_under_names_that_say_nothing_are_read_where_they_are_said_to_be_such():
    rows = [
        {"qName": f"¿Qué fármaco se da en el caso {i}?", "rA": [f"Heparina {i}"], "wA": [f"Insulina {i}", "Aspirina", "Suero"]}
        for i in range(40)
    ]
    fields = {"question": "qName", "options": "wA", "answer": "rA"}
    with pytest.raises(UserError, match=r"rA is the right option and wA holds the wrong ones alone:(?s:.*)answer_base: apart"):
        find_reading(rows, Wish(shape="mcq", fields=fields), "x.json")
    reading = find_reading(rows, Wish(shape="mcq", fields=fields, base="apart"), "x.json")
    made = convert(rows[3], reading, Args())
    assert made["options"][made["answer"]] == "Heparina 3"
    assert sorted(made["options"].values()) == ["Aspirina", "Heparina 3", "Insulina 3", "Suero"]
    assert convert(rows[3] | {"rA": ["Heparina", "Digoxina"]}, reading, Args()) == "several right answers"


def test_letters_beside_what_a_model_said_are_asked_about_as_keys_without_their_options():
    rows = [
        {"question": f"Qual fármaco se dá ao paciente {i}, e por quê?", "correct": "ABCD"[i % 4], "predicted": "ABCD"[i % 3]}
        for i in range(40)
    ]
    with pytest.raises(UserError, match="correct holds letters alone, as keys of options do") as asked:
        find_reading(rows, Wish(), "x.json")
    assert "label: predicted" not in str(asked.value)


@pytest.mark.parametrize(
    "mark", ["korrekt", "Richtig", "corretta", "juste", "doğru", "poprawna", "benar", "правильно", "正确", "صحيح"]
)
def test_a_mark_in_another_language_says_which_answers_are_wrong(mark):
    rows = [
        {
            "question": f"Was hilft dem Patienten {i} bei Fieber?",
            "answer": f"Er nimmt {i} Tabletten am Tag.",
            mark: int(i % 3 > 0),
        }
        for i in range(40)
    ]
    reading, found = read(rows)
    assert reading.shape == "graded" and reading.fields["score"] == mark
    assert [row["score"] for row in found[:3]] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("key", ["corretta", "korrekt", "esatta", "juste"])
def test_the_key_is_known_by_its_name_in_another_language(key):
    rows = [
        {"domanda": f"Quale farmaco si dà al paziente {i}?", "risposte": OPTIONS, key: "ABC"[i % 3], "id": i} for i in range(30)
    ]
    reading, found = read(rows)
    assert reading.fields["answer"] == key and [row["answer"] for row in found[:3]] == ["A", "B", "C"]


def test_options_are_marked_in_another_language():
    rows = [
        {
            "frage": f"Was bekommt Patient {i}?",
            "antworten": [{"text": t, "richtig": "ABC"[i % 3] == x} for x, t in OPTIONS.items()],
        }
        for i in range(30)
    ]
    reading, found = read(rows)
    assert reading.base == "marked" and [row["answer"] for row in found[:3]] == ["A", "B", "C"]


def test_a_key_is_the_number_of_one_of_the_objects_that_its_question_lists():
    def listed(text):
        return [{"id": n, "position": x.lower(), text: t} for n, (x, t) in enumerate(OPTIONS.items(), 7)]

    rows = [
        {"question": f"Que fármaco toma o paciente {i}?", "answers": listed("a"), "idCorrectAnswer": 7 + i % 3} for i in range(30)
    ]
    reading, found = read(rows)
    assert reading.base == "id" and [row["answer"] for row in found[:3]] == ["A", "B", "C"] and found[0]["options"] == OPTIONS
    rows = [row | {"answers": listed("said_answer")} for row in rows]
    with pytest.raises(UserError, match="answers may list options, of which idCorrectAnswer names the right one") as asked:
        find_reading(rows, Wish(), "x.json")
    assert "explode" not in str(asked.value)


def test_one_of_many_groups_may_be_called_like_a_verdict_and_options_be_cut_by_slashes():
    def group(name):
        return [
            {"problem": f"{name} {i}: which drug?", "choices": "///".join(OPTIONS.values()), "answer": OPTIONS["ABC"[i % 3]]}
            for i in range(4)
        ]

    names = [f"Topic {i}" for i in range(19)]
    rows = records_of({name: group(name) for name in (*names, "ANS by AI")})
    assert len(rows) == 80 and rows[-1]["_key"] == "ANS by AI"
    assert read(rows)[1][1]["options"] == OPTIONS and read(rows)[1][1]["answer"] == "B"
    assert "_key" not in records_of({name: group(name) for name in (*names[:3], "wrong")})[0]


@pytest.mark.parametrize("of, text", [("question_id", "text"), ("pregunta", "opcion_dicha")])
def test_options_in_rows_of_their_own_are_said_to_be_such(of, text):
    rows = [{of: i // 4, text: f"Fármaco {i} na dose {i}", "is_correct": i % 4 == i // 4 % 4} for i in range(80)]
    with pytest.raises(UserError, match=f"its rows are single options, of which is_correct marks one for each {of}"):
        find_reading(rows, Wish(), "x.json")
    rows = [row | {"is_correct": i % 2 == 0} for i, row in enumerate(rows)]
    with pytest.raises(UserError) as asked:
        find_reading(rows, Wish(), "x.json")
    assert "single options" not in str(asked.value)


def test_later_exchanges_of_a_conversation_are_said_to_hang_on_those_before():
    rows = [
        {"q_text": f"E como se trata o caso {i}?", "a_text": f"Com {i} dias de repouso.", "round": i % 3 + 1} for i in range(30)
    ]
    for names in (("q_text", "a_text"), ("question", "answer"), ("problema_x", "saida_y")):
        named = [dict(zip((*names, "round"), row.values(), strict=True)) for row in rows]
        with pytest.raises(UserError, match="round counts the exchanges of a conversation") as asked:
            find_reading(named, Wish(), "x.json")
        assert "score: round" not in str(asked.value)


def test_what_a_model_said_is_not_offered_as_the_question():
    rows = [
        {"raw_generation": f"O paciente {i} melhora com repouso e água.", "reference_answer": f"Repouso por {i} dias e líquidos."}
        for i in range(30)
    ]
    with pytest.raises(UserError) as asked:
        find_reading(rows, Wish(), "x.json")
    assert "question: raw_generation" not in str(asked.value)


def test_lines_in_quotes_as_a_whole_are_told(tmp_path, capsys):
    path = tmp_path / "sintomas.csv"
    path.write_text(
        "".join(f'"Gripe {i},""febre alta, tosse e dor no corpo há {i} dias"""\n' for i in range(30)), encoding="utf-8"
    )
    with pytest.raises(UserError, match="each of its lines stands in quotes as a whole"):
        prepare(Args(inputs=[str(path)], output_dir=str(tmp_path / "out")))


@pytest.mark.parametrize("first, told", [(1.0, True), (0.7, True), (0.3, False)])
def test_keys_that_are_mostly_one_letter_are_told(tmp_path, capsys, first, told):
    rows = [
        {"question": f"Which drug is given to patient {i * 37}, aged {i + 20}?", "options": OPTIONS}
        | {"answer": "A" if i < first * 40 else "ABC"[i % 3]}
        for i in range(40)
    ]
    path = tmp_path / "x.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    prepare(Args(inputs=[str(path)], output_dir=str(tmp_path / "out"), test_size=0))
    assert ("keys that were looked at are A" in capsys.readouterr().out) is told


@pytest.mark.parametrize("mark", ["errada", "incorreta", "inadequada", "reprovado", "inválida", "rechazada", "falsch"])
def test_a_mark_of_what_is_wrong_is_asked_about_and_not_offered_as_one_of_what_is_right(mark):
    rows = [
        {"pergunta": f"Como se trata a gripe do paciente {i}?", "resposta": f"Com {i} dias de repouso.", mark: i % 3 == 0}
        for i in range(40)
    ]
    with pytest.raises(UserError, match=f"{mark} seems to mark what is wrong") as asked:
        find_reading(rows, Wish(), "x.json")
    assert f"score: {mark}" not in str(asked.value)


@pytest.mark.parametrize("mark", ["acerto", "adequada", "aceita", "útil", "segura", "veredito", "válida", "boa", "ruim"])
def test_a_mark_of_an_answer_is_not_passed_over(mark):
    rows = [
        {
            "pergunta": f"Como se trata a gripe do paciente {i}?",
            "resposta": f"Com {i} dias de repouso.",
            mark: "sim" if i % 3 else "não",
        }
        for i in range(40)
    ]
    with pytest.raises(UserError, match=f"would go unused.*{mark}"):
        find_reading(rows, Wish(), "x.json")


def test_groups_that_are_called_right_and_wrong_are_no_mere_groups():
    rows = [{"pergunta": f"Como se trata a gripe do paciente {i}?", "resposta": f"Com {i} dias de repouso."} for i in range(20)]
    assert "_key" in records_of({"2023": rows, "2024": rows[:7]})[0]
    assert "_key" not in records_of({"certas": rows, "erradas": rows[:7]})[0]


@pytest.mark.parametrize(
    "option", ["Proposition {}", "Opsi {}", "Odpowiedź {}", "Jawaban {}", "Seçenek {}", "Answer {}\n(Optional)"]
)
@pytest.mark.parametrize("names", ["ABC", "123"])
def test_columns_of_options_in_other_languages_and_with_a_note_below(option, names):
    rows = [
        {"Question Text": f"Which drug is given to patient {i}?", "Correct Answer(s)\n(Only include Answer #)": names[i % 3]}
        | {option.format(n): text for n, text in zip(names, OPTIONS.values(), strict=True)}
        for i in range(30)
    ]
    reading, found = read(rows)
    assert reading.shape == "mcq" and found[1]["options"] == OPTIONS and [row["answer"] for row in found[:3]] == ["A", "B", "C"]


@pytest.mark.parametrize("listed, text, mark", [("reponses", "texte", "juste"), ("opzioni", "testo", "corretta")])
@pytest.mark.parametrize("question", ["question", "domanda"])
def test_marked_options_with_names_of_other_languages(question, listed, text, mark):
    rows = [
        {question: f"Quel médicament pour le patient {i} ?"}
        | {listed: [{text: t, mark: "ABC"[i % 3] == x} for x, t in OPTIONS.items()]}
        for i in range(30)
    ]
    reading, found = read(rows)
    assert reading.base == "marked" and [row["answer"] for row in found[:3]] == ["A", "B", "C"]


def test_the_id_of_the_answer_is_a_key_where_the_options_have_ids():
    rows = [
        {"question": f"Which drug for patient {i}?", "answerId": 5 + i % 3}
        | {"options": [{"id": n, "text": t} for n, t in enumerate(OPTIONS.values(), 5)]}
        for i in range(30)
    ]
    assert [row["answer"] for row in read(rows)[1][:3]] == ["A", "B", "C"]
    rows = [row | {"answerId": 900 + i} for i, row in enumerate(rows)]
    with pytest.raises(UserError, match="no column holds the key"):
        find_reading(rows, Wish(), "x.json")
