"""Files that say how they are read and were asked about; and their near misses, which are asked about. The rows are ours."""

import json

import pytest
import yaml
from test_strangers import read, written

from data_prep.common.arguments import parse_args
from data_prep.common.errors import UserError
from data_prep.documents.asked_text import faq_in
from data_prep.pipeline.options import Args
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.reading import PASTED, Wish, read_readings, write_readings

ILLS = ["asthma", "gout", "otitis", "angina", "malaria", "sepsis", "stroke", "mumps", "scurvy", "colitis"]


def asked(i: int) -> str:
    return f"What is given first to adults with {ILLS[i % 10]} of grade {i}?"


def told(i: int) -> str:
    return f"Drug {i} is given first, with rest and fluids for {i} days."


PAIRS = [
    ("user_content", "assistant_content"),
    ("human_text", "bot_text"),
    ("patient_message", "doctor_message"),
    ("patient_question", "doctor_response"),
    ("user", "assistant"),
    ("human", "gpt"),
    ("inputs", "targets"),
    ("input_text", "output_text"),
    ("ques", "ans"),
    ("problem", "solution"),
]


@pytest.mark.parametrize("names", PAIRS)
def test_names_of_two_sides_are_question_and_answer(names):
    reading, made = read([{names[0]: asked(i), names[1]: told(i)} for i in range(24)])
    assert reading.shape == "qa" and (made[3]["question"], made[3]["answer"]) == (asked(3), told(3))


def test_a_system_turn_beside_two_sides_is_kept_and_pairs_in_a_list_are_turns():
    rows = [{"system_content": "Be brief.", "user_content": asked(i), "assistant_content": told(i)} for i in range(24)]
    assert read(rows)[1][0] == {"task": "open", "question": asked(0), "answer": told(0), "system": "Be brief."}
    turns = [{"conversation": [{"user_content": asked(n), "assistant_content": told(n)} for n in (i, i + 1)]} for i in range(24)]
    assert [t["value"] for t in read(turns)[1][0]["conversations"]] == [asked(0), told(0), asked(1), told(1)]


def test_turns_within_an_instruction_are_turns():
    def row(i: int, text: str) -> dict:
        return {"instruction": text.format(asked(i), told(i), asked(i + 1)), "output": told(i + 1)}

    texts = [" <user>: {0} <bot>: {1} <user>: {2}", "<user>： {2}", "<User>: {2}\n<bot>:", "{2} Tell <patient> and <bot>."]
    _, made = read([row(i, texts[0]) for i in range(20)] + [row(20 + i, text) for i, text in enumerate(texts[1:])])
    assert [t["value"] for t in made[0]["conversations"]] == [asked(0), told(0), asked(1), told(1)]
    assert [made[i]["question"] for i in (20, 21, 22)] == [asked(21), asked(22), asked(23) + " Tell <patient> and <bot>."]
    _, made = read([row(i, texts[0]) for i in range(20)] + [row(20, "<user>: {0} <bot>: {1}")])
    assert "end with an answer" in made[20]


@pytest.mark.parametrize(
    "frame", ["<s>问：\n{}\n答：\n", "Pergunta: {}\nResposta:", "Question: {}\n\nAnswer: ", "User: {}\nAssistant:"]
)
def test_a_prompt_around_a_question_is_no_part_of_it(frame):
    _, made = read([{"query": frame.format(asked(i)), "response": told(i)} for i in range(24)])
    assert made[3] == {"task": "open", "question": asked(3), "answer": told(3)}
    whole = f"Question: {asked(1)}\nHistory: gout\nAnswer in brief:"
    _, made = read([{"query": asked(i), "response": told(i)} for i in range(24)] + [{"query": whole, "response": told(1)}])
    assert made[24]["question"] == whole


def test_a_title_without_a_text_asks_by_itself():
    rows = [{"questionTitle": asked(i), "questionText": f"I am {i}." * (i % 3 > 0), "answerText": told(i)} for i in range(24)]
    _, made = read(rows)
    assert made[3]["question"] == asked(3) and made[4]["question"] == f"{asked(4)}\n\nI am 4."


def test_bioasq_body_is_asked_and_its_ideal_answer_told():
    rows = [{"body": asked(i), "type": "summary", "ideal_answer": [told(i)], "documents": ["u"], "id": i} for i in range(24)]
    reading, made = read(rows)
    assert reading.shape == "qa" and (made[3]["question"], made[3]["answer"]) == (asked(3), told(3))
    with pytest.raises(UserError, match=r"(?s)exact_answer.*{question: body, answer: ideal_answer}"):
        read([row | {"exact_answer": [ILLS[i % 10]]} for i, row in enumerate(rows)])


def test_answers_beside_marks_of_two_are_offered_as_graded():
    rows = [{"id": i, "label": i % 2, "question": asked(i), "answer": told(i)} for i in range(24)]
    with pytest.raises(UserError, match=r"fields: {question: question, completion: answer, score: label}"):
        read(rows)
    rows = [row | {"question_es": f"¿{asked(i)}", "answer_es": f"{told(i)} Sí."} for i, row in enumerate(rows)]
    rows = [{("question_en" if k == "question" else "answer_en" if k == "answer" else k): v for k, v in r.items()} for r in rows]
    with pytest.raises(UserError, match=r"fields: {question: question_es, completion: answer_es, score: label}"):
        read(rows)


OFFERED = {
    "answers in a list of objects": (
        {
            "question": "Sad for {i} weeks?",
            "description": "It began {i} weeks ago, after my work.",
            "answers": [{"answer_text": "Rest {i}."}],
        },
        r"fields: {question: question, answer: answer_text, context: description}\n +explode: answers",
    ),
    "options without a key": ({"question": "Which drug {i}?", "1": "a{i}", "2": "b{i}", "3": "c{i}"}, "no column holds the key"),
    "a text and its summary": (
        {
            "NLM Question": "I have a fever for {i} days now, and what I took is of no help at all.",
            "Summary": "Help for a fever of {i} days?",
            "Question Focus": "a fever of {i} days",
        },
        "fields: {question: NLM Question, answer: Summary}",
    ),
    "pairs of questions": (
        {"who": 3, "one": "Is drug number {i} safe?", "other": "May I take drug {i}, please?", "same": "{mark}"},
        "fields: {text: other, label: same, context: one}",
    ),
    "sentences with their class and the row's name": (
        {
            "sentence1": "He took drug {i} at home.",
            "sentence2": "The patient is on drug {i} now.",
            "gold_label": "{mark}x",
            "pairID": "a{i}c-77{i}",
        },
        "fields: {text: sentence2, label: gold_label, context: sentence1}",
    ),
    "what a model was asked": (
        {
            "question": "What is drug {i}?",
            "model_prompt": "You are a doctor, be brief, and tell what drug {i} is.",
            "said": "It is number {i}.",
        },
        "fields: {question: question, answer: said}",
    ),
}


@pytest.mark.parametrize("row, lines", OFFERED.values(), ids=OFFERED.keys())
def test_lines_to_paste_are_the_likeliest(row, lines):
    def filled(value, i: int):
        if isinstance(value, list):
            return [{k: filled(v, i) for k, v in value[0].items()}] * (1 + i % 2)
        return value.format(i=i, mark=i % 2) if isinstance(value, str) else i % value

    with pytest.raises(UserError, match=lines):
        read([{name: filled(value, i) for name, value in row.items()} for i in range(30)])


def test_options_called_by_numbers_are_options_where_the_key_names_them():
    rows = [{"question": asked(i), **{str(k): f"Drug {i + k}" for k in range(1, 5)}, "answer": str(i % 4 + 1)} for i in range(24)]
    _, made = read(rows)
    assert made[2]["options"]["C"] == "Drug 5" and made[2]["answer"] == "C"


def test_a_conversations_turns_tell_its_language():
    said = ["Estou com dor de cabeça há três dias, o que posso fazer?", "Repouse, beba água e procure um médico se não melhorar."]
    turns = [{"role": role, "content": text} for role, text in zip(("patient", "doctor"), said, strict=True)]
    rows = [{"id": f"0-{i}", "model": "gpt-4", "source": "CMD", "conversation": turns} for i in range(24)]
    assert read(rows)[0].language == "pt"


NEAR = {
    "names of people": [{"patient": f"John Smith {i}", "doctor": f"Anna Jones {i}"} for i in range(24)],
    "turns of one conversation": [{"conversation_id": i // 3, "user": asked(i), "assistant": told(i)} for i in range(24)],
    "two answers": [{"user_query": asked(i), "bot_response": told(i), "assistant_response": told(i + 1)} for i in range(24)],
    "answers of people": [{"human_answer": told(i), "gpt_answer": told(i + 1)} for i in range(24)],
    "one answer to all": [{"user_text": asked(i), "bot_text": "I am no doctor, please see one."} for i in range(24)],
    "turns before": [{"history": [[asked(i), told(i)]], "user": asked(i), "assistant": told(i)} for i in range(24)],
    "sides changed": [{"doctor_question": asked(i), "patient_answer": told(i)} for i in range(24)],
    "a further answer": [{"src": asked(i), "tgt": told(i), "answer": told(i + 1)} for i in range(24)],
    "marked answers": [{"user_query": asked(i), "bot_response": told(i), "rating": i % 5} for i in range(24)],
    "names of values": [{"_key": ILLS[i % 10], "_value": told(i)} for i in range(24)],
}


@pytest.mark.parametrize("rows", NEAR.values(), ids=NEAR.keys())
def test_what_only_resembles_two_sides_is_asked_about(rows):
    with pytest.raises(UserError):
        read(rows)


DIALOGUE = "id={i}\n{above}Patient: {asked}\nDoctor: Since when?\nPatient: {i} days.\nDoctor: {told}\n"


def dialogues(form: str = DIALOGUE, above: str = "", count: int = 24) -> str:
    return "\n".join(form.format(i=i + 1, asked=asked(i), told=told(i), above=above) for i in range(count))


@pytest.mark.parametrize("head", ["id={i}\n", "ID: {i}\n\n", "Dialogue {i}\n", "## Caso {i}\n", "Consulta nº {i}:\n"])
def test_dialogues_below_a_line_with_their_number(tmp_path, head):
    text = dialogues(DIALOGUE.replace("id={i}\n", head)).replace("Since when?", "Since when?\n\nTell me more.")
    rows = {row["conversations"][0]["value"]: row["conversations"] for row in written(tmp_path, "x.txt", text)}
    assert len(rows) == 24 and [t["from"] for t in rows[asked(2)]] == ["human", "gpt", "human", "gpt"]
    assert rows[asked(2)][1]["value"] == "Since when?\nTell me more." and rows[asked(2)][3]["value"] == told(2)


def test_what_stands_above_a_dialogue_s_first_turn_is_kept_apart(tmp_path):
    above = "https://example.org/1\nDescription\nA letter on an illness.\nDialogue\n"
    assert written(tmp_path, "x.txt", dialogues(above=above))[0]["conversations"][0]["value"].startswith("What is given")
    text = dialogues(count=20).replace(
        f"Patient: {asked(4)}\nDoctor: Since when?\nPatient: 5 days.\nDoctor: {told(4)}", "Patient: none"
    )
    assert len(written(tmp_path, "y.txt", text)) == 19  # the twentieth is a reject, of one side only


@pytest.mark.parametrize(
    "text",
    [
        dialogues().replace("Doctor:", "Zorg:"),
        dialogues("id=1\nPatient: {asked}\nDoctor: {told}\n"),
        "Collected from a site.\n" + dialogues(),
        dialogues() + "\n" + "\n".join(f"id={i}\nPatient: {asked(i)}\n" for i in range(100, 120)),
        dialogues("Case {i}\nPatient: John\nDoctor: Smith\nComplaint: pain {i}\n"),
        dialogues("id={i}\n{asked}\n{told}\n"),
        "\n".join(f"Q{i}: {asked(i)}" for i in range(24)) + "\n" + "\n".join(f"A{i}: {told(i)}" for i in range(24)),
        "\n".join(f"Q{i}: {asked(i)}\nA{i + 1}: {told(i)}\n" for i in range(24)),
        "A1: aspirin\nA2: heparin\nA3: insulin\n",
    ],
)
def test_other_texts_with_numbers_above_or_beside_speakers_are_asked_about(tmp_path, text):
    with pytest.raises(UserError):
        written(tmp_path, "x.txt", text)


def test_a_question_with_its_answer_s_number_is_a_pair(tmp_path):
    rows = written(tmp_path, "x.txt", "\n\n".join(f"Q{i}: {asked(i)}\nA{i}: {told(i)}" for i in range(24)))
    assert len(rows) == 24 and len(rows[0]["conversations"]) == 2


@pytest.mark.parametrize(
    "form, turns",
    [
        ("问题：{asked}\n回答：", 2),
        ("Question: {asked}\nAnswer:", 2),
        ("Instruction: {asked}\nAnswer: ", 2),
        ("问题：怎么办？\n回答：多休息。\n问题：{asked}\n回答：", 4),
    ],
)
def test_questions_with_their_mark_inside_a_context(form, turns):
    rows = [{"context": form.format(asked=asked(i)), "target": told(i)} for i in range(24)]
    said = [turn["value"] for turn in read(rows)[1][3]["conversations"]]
    assert len(said) == turns and said[-2:] == [asked(3), told(3)]


@pytest.mark.parametrize(
    "row",
    [
        lambda i: {"context": f"Question: {asked(i)}\nAnswer: yes", "target": told(i)},
        lambda i: {"context": f"Ward {i}.\nQuestion: {asked(i)}\nAnswer:", "target": told(i)},
        lambda i: {"context": f"Question: {asked(i)}\nAnswer:" if i % 4 else told(i), "target": told(i)},
        lambda i: {"context": f"Question: {asked(i)}\nAnswer:", "target": told(i), "response": told(i + 1)},
        lambda i: {"context": f"Question: {asked(i)}\nAnswer:", "target": told(i), "score": i % 2},
        lambda i: {"context": f"Question: {asked(i)}\nAnswer:", "target": [told(i), told(i + 1)]},
        lambda i: {"context": f"Question: {asked(i)}\nAnswer:", "options": ["yes x", "no y"], "answer": told(i)},
        lambda i: {"context": f"Answer: {asked(i)}\nAnswer:", "target": told(i)},
        lambda i: {"context": f"{asked(i)} {told(i)}", "target": told(i)},
    ],
)
def test_a_context_that_does_not_end_with_the_mark_of_an_answer_is_asked_about(row):
    with pytest.raises(UserError):
        read([row(i) for i in range(24)])


def test_turns_under_a_conversation_s_name_are_one():
    assert read([{"conversation": f"Patient: {asked(i)}\nDoctor: {told(i)}"} for i in range(24)])[0].shape == "dialogue"
    with pytest.raises(UserError):
        read([{"conversation": f"A call on {ILLS[i % 10]}.\nPatient: none\nDoctor: none {i}"} for i in range(24)])


def turns(**more) -> list[dict]:
    rows = [{"dialogue_id": i // 4, "speaker": ("patient", "doctor")[i % 2], "utterance": f"Sentence {i}."} for i in range(48)]
    return [row | {name: value(i) for name, value in more.items()} for i, row in enumerate(rows)]


def test_a_column_that_counts_the_turns_leaves_them_one_conversation(tmp_path):
    assert len(written(tmp_path, "x.json", turns(turn=lambda i: i % 4, row=lambda i: i))) == 12
    with pytest.raises(UserError, match="turn differ from turn to turn"):
        written(tmp_path, "y.json", turns(turn=lambda i: (0, 2, 1, 3)[i % 4]))


def test_labels_of_single_turns_are_named(tmp_path):
    with pytest.raises(UserError, match="intent differ from turn to turn") as asks:
        written(tmp_path, "x.json", turns(intent=lambda i: ("ask", "greet", "inform")[i % 3]))
    assert "fields: {text: utterance, label: intent}" in str(asks.value) and "ignore: [speaker]" in str(asks.value)
    with pytest.raises(UserError, match="no column says which conversation"):
        read([{k: v for k, v in row.items() if k != "dialogue_id"} for row in turns()])


@pytest.mark.parametrize(
    "row",
    [
        lambda i: {"symptoms": f"fever, cough {i}", "code": f"J{i % 5}"},
        lambda i: {"symptoms": ["fever", f"cough {i}"], "disease": ILLS[i % 5]},
        lambda i: {"text": f"I cough since {i} days", "diagnosis": ILLS[i % 5], "id": i},
        lambda i: {"text": f"Please book day {i}", "intent": ("book", "cancel")[i % 2]},
    ],
)
def test_a_text_and_its_classes_alone_are_a_classification(row):
    reading, made = read([row(i) for i in range(40)])
    assert reading.shape == "classification" and made[7]["label"] == list(row(7).values())[1] and "7" in made[7]["text"]


@pytest.mark.parametrize(
    "row",
    [
        lambda i: {"symptoms": f"cough {i}", "disease": f"{ILLS[i % 10]} {i}"},
        lambda i: {"symptoms": f"cough {i}", "disease": ILLS[i % 3], "treatment": ILLS[i % 4]},
        lambda i: {"text": f"I cough since {i} days", "code": f"J{i % 5}"},
        lambda i: {"text": f"I cough since {i} days", "disease": ILLS[i % 3], "source": "ab"[i % 2]},
        lambda i: {"text": f"I cough since {i} days", "intent": "ab"[i % 2], "diagnosis": ILLS[i % 3]},
        lambda i: {"symptoms": f"cough {i}", "description": f"A long text on what the cough of day {i} is"},
        lambda i: {"symptoms": [1, 0, i], "disease": ILLS[i % 3]},
    ],
)
def test_a_text_beside_what_may_be_no_class_is_asked_about(row):
    with pytest.raises(UserError):
        read([row(i) for i in range(40)])


INTENTS = """## intent:pain <!--- what hurts -->
- my head hurts since [two days](duration)
  - a [dull]{"entity": "kind"} ache, see [the map](https://example.org/map)

## intent:faq/dose
* how many [pills](drug:tablet) a day
* which dose do I take

## synonym:tablet
- pill
"""
IN_YAML = """version: "3.1"
nlu:
- intent: pain
  examples: |
    - my head hurts since [two days](duration)
    - a dull ache
- synonym: tablet
  examples: |
    - pill
- intent: faq/dose
  examples: [which dose do I take, {text: "how many [pills](drug) a day"}]
"""


def labels_of(rows: list[dict]) -> dict[str, str]:
    said = [[row["text"], row["label"]] if "label" in row else [turn["value"] for turn in row["conversations"]] for row in rows]
    return {asked.split("\n")[0]: label for asked, label in said}


def test_examples_of_intents_are_texts_with_their_labels(tmp_path):
    found = labels_of(written(tmp_path, "nlu.md", INTENTS))
    assert found == {
        "my head hurts since two days": "pain",
        "a dull ache, see [the map](https://example.org/map)": "pain",
        "how many pills a day": "faq/dose",
        "which dose do I take": "faq/dose",
    }
    reject = json.loads((tmp_path / "out/rejects.jsonl").read_text())
    assert (reject["line"], reject["row"], reject["reason"]) == (10, {"_line": "- pill"}, "of a synonym, no example of an intent")


def test_a_yaml_of_intents_that_stands_first_is_no_file_of_flags(tmp_path):
    (tmp_path / "nlu.yml").write_text(IN_YAML)
    args = parse_args(Args, "", [str(tmp_path / "nlu.yml"), "--seed", "1"])
    assert args.inputs == [str(tmp_path / "nlu.yml")]
    found = labels_of(written(tmp_path, "nlu.yml", IN_YAML))
    assert len(found) == 4 and found["how many pills a day"] == "faq/dose" and found["a dull ache"] == "pain"
    assert json.loads((tmp_path / "out/rejects.jsonl").read_text())["row"] == {"_line": "- pill"}


@pytest.mark.parametrize("text", ["seeds: 1\n", "parts: [a, b]\n", "- a\n", "inputs: [a.csv]\npairs: [{a: b}]\n"])
def test_a_yaml_without_rows_that_stands_first_is_a_file_of_flags(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=r"c\.yaml"):
        parse_args(Args, "", [str(tmp_path / "c.yaml")])


@pytest.mark.parametrize(
    "name, text",
    [
        ("answers.md", "".join(f"## intent:{ill}\n- See a doctor for {ill}.\n" for ill in ILLS)),
        ("turns.md", "".join(f"## intent:{ill}\n- User: I have {ill}.\n- Bot: Since when?\n" for ill in ILLS)),
        ("stories.md", "".join(f"## intent:{ill}\n- I have {ill}\n- utter_{ill}\n" for ill in ILLS)),
        ("about.md", "Our intents:\n" + "".join(f"## intent:{ill}\n- I have {ill}\n- {ill} again\n" for ill in ILLS)),
        ("prose.md", "".join(f"## intent:{ill}\n- I have {ill}\n- {ill} again\nSaid of {ill}.\n" for ill in ILLS)),
        ("one.md", "## intent:pain\n- it hurts\n- a dull ache\n" * 3),
        ("responses.yml", IN_YAML + "responses:\n  utter_pain:\n  - text: Since when?\n"),
        ("alone.yml", "nlu:\n" + "".join(f"- intent: {ill}\n  examples: '- See a doctor for {ill}.'\n" for ill in ILLS)),
    ],
)
def test_what_only_resembles_examples_of_intents_is_asked_about(tmp_path, name, text):
    with pytest.raises(UserError):
        written(tmp_path, name, text)


def tables(head: str, row, above: str = "### Topic {t}\n\n", count: int = 6) -> str:
    """Tables of four rows each, `row` made of the table's number and the row's."""
    rule = "|" + " --- |" * (head.count("|") - 1)
    return "# Cases\n\n" + "\n".join(
        f"{above.format(t=t)}{head}\n{rule}\n" + "\n".join(row(t, n) for n in range(4)) + "\n" for t in range(count)
    )


def rounds(t: int, n: int) -> str:
    return f"| {n + 1} | {asked(4 * t + n)} | {told(4 * t + n)} |"


def one_turn(t: int, n: int) -> str:
    return f"| {('Patient', 'Doctor')[n % 2]} | {(told if n % 2 else asked)(4 * t + n)} |"


@pytest.mark.parametrize("head", ["| Round | User | Assistant |", "| 轮数 | 用户 | HuatuoGPT |", "|Turno|Paciente|Médico|"])
def test_a_table_of_rounds_below_each_heading_is_a_dialogue(tmp_path, head):
    rows = [row["conversations"] for row in written(tmp_path, "x.md", tables(head, rounds))]
    assert len(rows) == 6 and all([t["from"] for t in row] == ["human", "gpt"] * 4 for row in rows)
    [row] = [row for row in rows if row[0]["value"] == asked(8)]
    assert [turn["value"] for turn in row[:4]] == [asked(8), told(8), asked(9), told(9)]


def test_a_table_of_single_turns_below_each_heading_is_a_dialogue(tmp_path):
    rows = [row["conversations"] for row in written(tmp_path, "x.md", tables("| Speaker | Text |", one_turn) + "Of a clinic.\n")]
    assert sorted(row[0]["value"] for row in rows) == sorted(asked(4 * t) for t in range(6)) and len(rows[0]) == 4
    reject = json.loads((tmp_path / "out/rejects.jsonl").read_text())
    assert reject["row"] == {"_line": "Of a clinic."}


@pytest.mark.parametrize(
    "text",
    [
        tables("| Round | User | Assistant |", lambda t, n: rounds(t, 4 * t + n)),  # they go on from table to table
        tables("| Round | User | Assistant |", rounds, above="\n"),  # one below another, without headings
        tables("| Round | User | Translation |", rounds),
        tables("| Round | Assistant | User | Mood |", lambda t, n: rounds(t, n) + " sad |"),
        tables("| Speaker | Text |", one_turn, above="\n"),
        tables("| Speaker | Text |", lambda t, n: f"| {('Ana', 'Rui')[n % 2]} | {asked(4 * t + n)} |"),
        tables("| Round | User | Assistant |", lambda t, n: "\n".join(rounds(0, i) for i in (4 * n, 4 * n + 1)), count=1),
    ],
)
def test_other_tables_of_turns_are_asked_about(tmp_path, text):
    with pytest.raises(UserError):
        written(tmp_path, "x.md", text)


def test_numbers_of_items_are_no_rounds(tmp_path):
    rows = written(tmp_path, "x.md", tables("| Nº | Question | Answer |", rounds))
    assert len(rows) == 24
    with pytest.raises(UserError, match="turn"):
        read([{"turn": i % 3, "question": asked(i), "answer": told(i)} for i in range(24)])


def frage(i: int) -> str:
    return f"Was gibt man Erwachsenen mit {ILLS[i % 10]} vom Grad {i} zuerst?"


def antwort(i: int) -> str:
    return f"Mittel {i} gibt man zuerst, dazu {i} Tage Ruhe."


def opts(i: int) -> list[str]:
    return [f"drug {x} of {i}" for x in "abcd"]


IN_ONE = [
    ("question_en", lambda i: {"question_de": frage(i), "question_en": asked(i), "answer_en": told(i)}),
    ("questionEn", lambda i: {"questionDe": frage(i), "questionEn": asked(i), "answerEn": told(i), "answerNoteDe": antwort(i)}),
    ("English question", lambda i: {"German question": frage(i), "English question": asked(i), "English answer": told(i)}),
    ("prompt_en", lambda i: {"prompt_de": frage(i), "prompt_en": asked(i), "options_en": opts(i), "answer": "ABCD"[i % 4]}),
    ("pergunta_en", lambda i: {"pergunta_de": frage(i), "pergunta_en": asked(i), "gabarito": "ABCD"[i % 4]}
        | {f"opcao_{x}_en": text for x, text in zip("abcd", opts(i), strict=True)}),
    ("promptEn", lambda i: {"promptDe": frage(i), "promptEn": asked(i), "correctKey": "abcd"[i % 4]}
        | {"options": [{"key": x, "textEn": text} for x, text in zip("abcd", opts(i), strict=True)]}),
]  # fmt: skip


@pytest.mark.parametrize("question, row", IN_ONE)
def test_of_two_languages_the_one_is_read_that_is_whole(question, row):
    reading, made = read([row(i) for i in range(24)])
    assert reading.fields["question"] == question and made[7]["question"] == asked(7)
    assert made[7].get("answer") == told(7) or (list(made[7]["options"].values()), made[7]["answer"]) == (opts(7), "D")


IN_BOTH = [
    lambda i: {"question_de": frage(i), "answer_de": antwort(i), "question_en": asked(i), "answer_en": told(i)},
    lambda i: {"Frage (Deutsch)": frage(i), "Antwort (Deutsch)": antwort(i)}
        | {"Question (English)": asked(i), "Answer (English)": told(i)},
    lambda i: {"question_de": frage(i), "question_en": asked(i), "answer": told(i)},
    lambda i: {"prompt_de": frage(i), "prompt_en": asked(i), "options": opts(i), "answer": "ABCD"[i % 4]},
    lambda i: {"prompt_de": frage(i), "options_de": opts(i), "prompt_en": asked(i), "options_en": opts(i)}
        | {"answer": "ABCD"[i % 4]},
]  # fmt: skip


@pytest.mark.parametrize("row", IN_BOTH)
def test_two_whole_languages_are_asked_about_and_the_lines_mix_none(row):
    rows = [row(i) for i in range(24)]
    with pytest.raises(UserError, match="several languages") as asks:
        read(rows)
    lines = str(asks.value).split("\n       or\n")[1].split("\n")
    english = yaml.safe_load("\n".join(line[len(PASTED) :] for line in lines))
    wish = Wish(shape=english["shape"], fields=english["fields"], ignore=tuple(english["ignore"]))
    made = convert(rows[7], find_reading(rows, wish, "x.json"), Args())
    assert made["question"] == asked(7) and made["answer"] in (told(7), "D")


def test_a_file_of_one_language_and_of_a_translation_beside_an_unnamed_one():
    assert read([{"question_en": asked(i), "answer_en": told(i)} for i in range(24)])[0].shape == "qa"
    with pytest.raises(UserError, match="answer_de"):
        read([{"question": asked(i), "answer": told(i), "question_de": frage(i), "answer_de": antwort(i)} for i in range(24)])
    both = [{f"opt_{x}{of}": f"{x}{of} {i}" for x in "abcd" for of in ("", "_de")} for i in range(24)]
    rows = [{"question": asked(i), "answer": "ABCD"[i % 4]} | options for i, options in enumerate(both)]
    assert read(rows)[0].option_columns == ("opt_a", "opt_b", "opt_c", "opt_d")
    with pytest.raises(UserError):
        read([{f"{name}_en" if name[-2] == "_" else name: value for name, value in row.items()} for row in rows])
    with pytest.raises(UserError):  # options in two languages, and which of them is meant
        options = [{"key": x, "textEn": x * 3, "textDe": x * 4} for x in "abcd"]
        read([{"promptDe": frage(i), "promptEn": asked(i), "options": options, "correctKey": "abcd"[i % 4]} for i in range(24)])


def marked(i: int, name: str = "Correta {}", on="x", off="", right=None) -> dict:
    """A question with a column for each option and one for each mark."""
    options = {f"Alternativa {x}": text for x, text in zip("ABCD", opts(i), strict=True)}
    marks = {name.format(x): on if n in (right or [i % 4]) else off for n, x in enumerate("ABCD")}
    return {"Pergunta": asked(i)} | options | marks


MARKS = [
    {"on": "X"},
    {"on": "✓", "off": None},
    {"on": 1, "off": 0, "name": "is_correct_{}"},
    {"on": "Sim", "off": "Não", "name": "Alternativa {} certa?"},
    {"on": True, "off": False, "name": "{} correta"},
]


@pytest.mark.parametrize("how", MARKS)
def test_a_column_of_marks_for_each_option_is_the_key(tmp_path, how):
    rows = [marked(i, **how) for i in range(24)] + [marked(24, **how, right=[0, 1])]
    reading, made = read(rows)
    assert (reading.base, len(reading.mark_columns), reading.unused) == ("marked", 4, {})
    assert [row["answer"] for row in made[:24]] == ["ABCD"[i % 4] for i in range(24)] and made[3]["options"]["D"] == opts(3)[3]
    assert isinstance(made[24], str)  # two are right
    write_readings(tmp_path / "r.yaml", {"x": reading})
    assert find_reading(rows, read_readings(str(tmp_path / "r.yaml"))["x"], "x").mark_columns == reading.mark_columns


OTHER_MARKS = [
    lambda i: marked(i, "Marcada {}"),  # by whom?
    lambda i: marked(i, "Correta {}", 0.5, 0),
    lambda i: marked(i, "Correta {}", "V", "F"),
    lambda i: marked(i, "Errada {}"),
    lambda i: marked(i, right=[i % 4, (i + 1) % 4]),
    lambda i: {k: v for k, v in marked(i).items() if k != "Correta D"},
    lambda i: marked(i) | {"Gabarito": "ABCD"[(i + 1) % 4]},
    lambda i: marked(i) | {f"Certa {x}": "x" if n == (i + 1) % 4 else "" for n, x in enumerate("ABCD")},
]


@pytest.mark.parametrize("row", OTHER_MARKS)
def test_columns_that_only_resemble_marks_of_options_are_asked_about(row):
    with pytest.raises(UserError):
        read([row(i) for i in range(24)])


def test_options_in_an_object_at_the_question_s_end(tmp_path):
    said = [f"{asked(i)}\n Choices: {dict(zip('ABCD', opts(i), strict=True))}" for i in range(24)]
    reading, made = read([{"question": text, "answer": "ABCD"[i % 4]} for i, text in enumerate(said)])
    assert reading.shape == "mcq" and (made[3]["question"], made[3]["answer"]) == (asked(3), "D")
    assert list(made[3]["options"].values()) == opts(3)
    for text in ("{} Vitals: {{'HR': {n}, 'RR': 9}}", "{} Choices: {{'A': '{n}'", "Choices: {{'A': 'x{n}', 'B': 'y'}} {}"):
        with pytest.raises(UserError):
            read([{"question": text.format(asked(i), n=i), "answer": "ABCD"[i % 4]} for i in range(24)])


FAQ = "# On fever\n\nFor patients.\n\n" + "".join(
    f"## {i + 1}. {asked(i)}\n\n{told(i)}\n\n### In children\n\nHalf of it.\n\n" for i in range(8)
)


def test_headings_that_ask_with_their_answers_beneath(tmp_path):
    rows = written(tmp_path, "x.md", FAQ + "## References\n\nA book.\n")
    said = [[row["question"], row["answer"]] if "question" in row else [t["value"] for t in row["conversations"]] for row in rows]
    assert len(rows) == 8 and {question for question, _ in said} == set(map(asked, range(8)))
    [answer] = [answer for question, answer in said if question == asked(3)]
    assert answer.startswith(told(3)) and answer.endswith("Half of it.")
    left = [json.loads(line)["row"]["_line"] for line in (tmp_path / "out/rejects.jsonl").read_text().splitlines()]
    assert left == ["For patients.", "A book."]


@pytest.mark.parametrize(
    "text",
    [
        FAQ + "".join(f"## Part {i}\n\nOf what follows.\n\n" for i in range(4)),  # an article that asks now and then
        FAQ + "## References\n\n" + "A book of many pages. " * 200,
        FAQ.replace(told(3), "").replace("### In children\n\nHalf of it.\n", ""),  # a question without its answer
        FAQ.replace("## 1. ", "# "),  # at two levels
        "".join(f"## {asked(i)}\n\na) one {i}\nb) two {i}\nc) three {i}\n\n" for i in range(8)),
        "".join(f"## {asked(i)}\n\n{'ABCD'[i % 4]}\n\n" for i in range(8)),
        "".join(f"## {asked(i)}\n\n- [ ] one\n- [x] two\n\n" for i in range(8)),
        "".join(f"## {asked(i)}\n\nI) one\nII) two\nIII) three\n\nGabarito: II\n\n" for i in range(8)),
        "".join(f"## {asked(i)}\n\n- drug {i}\n- drug {i + 1}\n\n" for i in range(8)),
    ],
)
def test_other_headings_that_ask_are_no_questions_with_answers(text):
    assert faq_in(text) == []


@pytest.mark.parametrize(
    "image, there",
    [
        ('<img src="a.jpg">', False),
        ("<IMG alt='ecg.png' src=a.png/>", False),
        ("![](a.png)", False),
        ("![ECG](a.png)", False),
        ('<img src="a.jpg" alt="ST elevation in V1 to V4">', True),
        ("![ST elevation in V1](a.png)", True),
        ("<b>at rest</b>", True),
    ],
)
def test_an_image_in_the_question_s_text_is_needed(image, there):
    _, made = read([{"question": f"{asked(i)} {image}", "answer": told(i)} for i in range(9)])
    assert all(isinstance(row, dict) is there for row in made) and (there or "needs an image" in made[0])


def test_a_text_of_a_key_s_letters_is_no_plain_text(tmp_path):
    with pytest.raises(UserError, match="letters of an exam's key"):
        written(tmp_path, "x.txt", "CADBBACDDA\nABCDDABCAA\n")


def test_a_topic_s_description_that_asks_is_its_question():
    rows = [{"query": f"{ILLS[i % 10]} drug {i}", "description": asked(i), "answer": ("no", "yes")[i % 2]} for i in range(24)]
    reading, made = read(rows)
    assert (reading.shape, made[3]["text"], made[3]["label"]) == ("classification", asked(3), "yes")
    rows = [row | {"answer": told(i)} for i, row in enumerate(rows)]
    assert read(rows)[1][3]["question"] == asked(3)
    rows = [row | {"query": asked(i), "description": told(i)} for i, row in enumerate(rows)]
    assert read(rows)[0].fields["question"] == "query"


@pytest.mark.parametrize("name", ["Model answer", "model_answer", "modelAnswer"])
def test_a_model_answer_is_an_examiner_s_where_the_columns_are_an_exam_s(name):
    rows = [{"question": asked(i), name: told(i)} for i in range(24)]
    with pytest.raises(UserError, match="no column tells which"):
        read(rows)
    with pytest.raises(UserError, match="no column tells which"):
        read([row | {"model": "gpt-4"} for row in rows])
    assert read([row | {"Marks": 5} for row in rows])[1][3]["answer"] == told(3)
    assert find_reading(rows, Wish(shape="qa", fields={"question": "question", "answer": name}), "x").fields["answer"] == name
    assert read([row | {"correct": i % 2} for i, row in enumerate(rows)])[0].shape == "graded"


def test_a_number_that_two_dialogues_have_loses_neither(tmp_path):
    text = dialogues(count=24).replace("id=9\n", "id=8\n")
    assert len(written(tmp_path, "x.txt", text)) == 24
