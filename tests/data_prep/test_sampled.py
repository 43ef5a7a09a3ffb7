"""Forms of files as an unbiased draw of public repositories gave them, and their near misses. The rows are ours."""

import json

import pytest
import yaml
from test_needless import ILLS, asked, told
from test_strangers import read

from data_prep.common.errors import UserError
from data_prep.documents.exam.numbered import lettered
from data_prep.documents.exam.read import exam_in
from data_prep.documents.line_pairs import line_pairs
from data_prep.pipeline.options import Args
from data_prep.pipeline.tally import same_for_all
from data_prep.prepare import prepare
from data_prep.shapes.detect import find_reading
from data_prep.shapes.nested import rows_of
from data_prep.shapes.reading import Wish
from data_prep.tables.json_records import records_of
from data_prep.tables.records import Bad
from data_prep.values.html_text import html_to_text
from data_prep.words.language import language_of
from data_prep.words.names import name_and_language


def ways(rows: list[dict]) -> list[Wish]:
    """The lines that a question about the rows gives to paste, each as the wish that it makes; every one of them is read."""
    with pytest.raises(UserError) as question:
        read(rows)
    parts = [f"shape:{part}" for part in str(question.value).split("shape:")[1:]]
    found = [yaml.safe_load("\n".join(line.strip() for line in p.split("\n       or\n")[0].splitlines())) for p in parts]
    wishes = [Wish(shape=w["shape"], fields=w["fields"], ignore=tuple(w.get("ignore", ()))) for w in found]
    for wish in wishes:
        find_reading(rows, wish, "x.json")
    return wishes


# ---------------------------------------------------------------------------------------------- read without a question


def test_a_conversation_whose_turns_are_called_sentences_is_one():
    talk = [
        {"turn": i, "role": ("patient", "doctor")[i % 2], "sentence": f"What we say at {i}.", "tokens": ["x"]} for i in range(6)
    ]
    reading, made = read(records_of({"page": "p1", "dialogues": talk}))
    assert reading.shape == "messages" and [t["from"] for t in made[0]["conversations"]] == ["human", "gpt"] * 3


def test_a_flag_that_all_rows_have_what_it_names_is_no_mark():
    rows = [{"questionText": asked(i), "answerText": told(i), "hasAnswer": True} for i in range(7)]
    assert "hasAnswer" in read(rows)[0].unused
    with pytest.raises(UserError, match="hasAnswer"):
        read([row | {"hasAnswer": i > 2} for i, row in enumerate(rows)])
    for name in ("answer_ok", "has_wrong_answer"):
        with pytest.raises(UserError, match=name):
            read([{"question": asked(i), "answer": told(i), name: True} for i in range(7)])


def test_the_language_that_was_detected_sorts_no_texts():
    rows = [{"text": told(i) * 3, "language_detected": "en" if i % 5 else "la"} for i in range(40)]
    assert read(rows)[0].shape == "text"


def test_texts_are_sorted_by_their_intents_whatever_is_marked_in_them():
    rows = [
        {"text": f"What helps against {ILLS[i % 10]} {i}?", "intent": "ab"[i % 2], "slots": {"ill": ILLS[i % 10]}}
        for i in range(40)
    ]
    reading, made = read(rows)
    assert reading.shape == "classification" and made[3]["label"] == "b" and "slots" in reading.unused
    with pytest.raises(UserError):
        read([row | {"slots": {}, "urgency": "xyz"[i % 3]} for i, row in enumerate(rows)])


def test_all_symptoms_in_a_list_are_sorted_into_diseases():
    rows = [{"Disease": ILLS[i % 4], "all_symptoms": f"['cough', 'fever_{i}']"} for i in range(40)]
    reading, made = read(rows)
    assert reading.shape == "classification" and made[5]["text"] == "cough, fever_5" and made[5]["label"] == ILLS[1]


@pytest.mark.parametrize("tag, one", [("tags", str), ("tag", lambda text: [text])])
def test_intents_with_one_answer_each_are_questions_and_answers(tag, one):
    rows = [{tag: ILLS[i], "patterns": [f"what is {ILLS[i]}", f"{ILLS[i]}?"], "responses": one(told(i))} for i in range(10)]
    reading = find_reading(rows, Wish(), "x.json")
    assert reading.shape == "qa" and reading.explode == "patterns" and reading.fields["answer"] == "responses"


def article(i: int) -> dict:
    said = [f"Adults with {ILLS[i % 10]} of grade {i} were followed for {n} years in all." for n in (2, 3, 5)]
    more = [f"Of them {n} took drug {i} and the others a placebo." for n in range(20)]
    return {"abstract": " ".join(said), "full_text": "Home\nMenu\n" + "\n".join(said) + "\n" + " ".join(more)}


def test_the_article_is_the_text_where_its_abstract_stands_in_it():
    reading, made = read([article(i) for i in range(12)])
    assert reading.fields["text"] == "full_text" and "abstract" in reading.unused and "placebo" in made[4]["text"]
    with pytest.raises(UserError, match="text can be"):
        read([article(i) | {"abstract": article(i + 1)["abstract"]} for i in range(12)])


def test_how_the_source_is_called_is_no_label():
    assert read([{"text": told(i) * 3, "source_label": "ab"[i % 2]} for i in range(8)])[0].shape == "text"


PAIRS = "\n\n".join(f"小孩发烧怎么办{i}？，已经{i}天了。\n多喝水，{i}天后复诊。" for i in range(30))


def test_blocks_of_a_line_that_asks_and_one_that_tells_are_questions_and_answers(tmp_path):
    (tmp_path / "x.txt").write_bytes(PAIRS.encode("gb18030"))
    made = prepare(Args(inputs=[str(tmp_path / "x.txt")], test_size=0, output_dir=str(tmp_path / "out"), near_threshold=1.0))
    assert made["counts"]["train"] == 30
    rows = line_pairs(PAIRS + "\n\nA note alone.")
    assert rows[3][1] == {"question": "小孩发烧怎么办3？，已经3天了。", "answer": "多喝水，3天后复诊。"} and isinstance(
        rows[-1][1], Bad
    )


@pytest.mark.parametrize(
    "block",
    [
        "What is {}?\nO que é {}?",  # in two languages
        "On day {}\nDrink water for {} days.",
        "Patient: Do I take drug {}?\nDoctor: Yes, for {} days.",
        "1. What is {}?\n2. It is a drug, {}.",
        "# Is {} a drug?\nYes, the drug {}.",
        "Is {} a drug?\nYes.\nFor {} days.",
    ],
)
def test_blocks_of_other_lines_are_no_pairs(block):
    assert line_pairs("\n\n".join(block.format(i, i) for i in range(30))) == []


def test_lines_in_turn_are_questions_and_answers():
    tells = "Drug {} is one that lowers the pressure of the blood by some mmHg."
    lines = [line.format(i) for i in range(30) for line in ("What is drug {}?", tells)]
    assert line_pairs("\n".join(lines))[2][1] == {"question": lines[4], "answer": lines[5]}
    assert isinstance(line_pairs("\n".join([*lines, "Ask your doctor."]))[29][1], Bad)
    talk = [line for i in range(12) for line in (f"Do you cough on day {i}?", "Yes, I do.")]  # may be two people's talk
    prose = [f"{lines[i]} {lines[i + 1]} It is taken {i} times a day." for i in range(0, 24, 2)]
    longer = [line for i in range(0, 24, 2) for line in (lines[i], lines[i + 1], "It is taken in the evening.")]
    for other in (talk, lines[:8], prose, longer, ["A title", *lines[:20]]):
        assert line_pairs("\n".join(other)) == []


def test_a_power_that_is_never_closed_does_not_span_the_rest():
    rest = "/L, and the patient was told to drink water for some days."
    assert html_to_text(f"Below 10<sup>9<>{rest}") == f"Below 10^9<>{rest}" and html_to_text("10<sup>9</sup>/L") == "10^9/L"


def test_a_case_that_asks_is_the_question_of_its_options():
    options = [{"letter": "ABC"[n], "text": f"drug {n}", "correct": n == 1} for n in range(3)]
    rows = [{"title": f"{i}", "vignette": f"A man of {40 + i} coughs. {asked(i)}", "options": options} for i in range(6)]
    reading, made = read(rows)
    assert reading.shape == "mcq" and reading.fields["question"] == "vignette" and made[2]["answer"] == "B"
    with pytest.raises(UserError):
        read([row | {"vignette": f"A man of {40 + i} coughs."} for i, row in enumerate(rows)])


# ---------------------------------------------------------------------------------------------- asked, not read in silence


@pytest.mark.parametrize(
    "form", ['<?xml version="1.0"?><r><term>{0}</term><d>{1}</d></r>', "<result><term>{0}</term><d>{1}</d></result>"]
)
def test_texts_that_are_xml_documents_are_asked_about(form):
    with pytest.raises(UserError, match="whole XML documents"):
        read([{"topic": ILLS[i], "content": form.format(ILLS[i], told(i) * 5)} for i in range(10)])
    assert read([{"topic": ILLS[i], "content": f"<p>{told(i) * 5}</p>"} for i in range(10)])[0].shape == "text"
    assert read([{"topic": ILLS[i], "content": f"In <5% of adults {told(i) * 5}"} for i in range(10)])[0].shape == "text"


def test_the_history_of_some_questions_is_no_conversation_without_them():
    turns = [{"role": "user", "content": "Is it fever?"}, {"role": "assistant", "content": "It is."}]
    rows = [{"question": asked(i), "history": turns if i % 3 == 0 else [], "category": "ab"[i % 2]} for i in range(30)]
    assert {(w.shape, w.fields["text"], w.fields["label"]) for w in ways(rows)} == {("classification", "question", "category")}


# ---------------------------------------------------------------------------------------------- lines to paste


def test_a_pair_of_texts_is_no_question_with_its_answer():
    rows = [{"question_1": asked(i), "question_2": f"Which drug helps in {ILLS[i % 10]}?", "similar": 1} for i in range(30)]
    [wish] = ways(rows)
    assert wish.fields == {"text": "question_2", "label": "similar", "context": "question_1"}
    two = [{"sentence_1": told(i), "sentence_2": told(i + 1), "rater_a": i % 5, "rater_b": i % 4} for i in range(30)]
    assert ways(two) == []


def test_an_unanswered_text_can_be_sorted_by_each_of_its_classes():
    rows = [
        {"case": f"c{i:04}", "query": asked(i), "why": f"A sample of {ILLS[i % 10]} number {i}, made by us", "style": "ab"[i % 2]}
        | {"domain": "xyz"[i % 3], "split": "dev"}
        for i in range(40)
    ]
    assert [w.fields for w in ways(rows)] == [{"text": "query", "label": n, "split": "split"} for n in ("style", "domain")]


def test_symptoms_beside_several_labels_are_sorted_by_the_one_that_is_meant():
    rows = [
        {
            "patient_id": f"P{i:03}",
            "symptoms": ["rash", f"pain {i}"],
            "ground_truth_diagnosis": ILLS[i % 4],
            "urgency_label": "ab"[i % 2],
        }
        for i in range(40)
    ]
    found = ways(rows)
    assert [w.fields["label"] for w in found] == ["urgency_label", "ground_truth_diagnosis"]
    assert {w.fields["text"] for w in found} == {"symptoms"}


def test_names_with_a_text_of_each_may_ask_or_stand_alone():
    rows = [{"Disease": f"{ILLS[i % 10]} {i}", "Description": told(i) * 2} for i in range(30)]
    assert [w.shape for w in ways(rows)] == ["qa", "text"]


def test_what_a_list_holds_is_offered_as_options_by_its_name_alone():
    rows = [{"text": told(i) * 3, "entities": [{"type": "drug", "text": "a"}, {"type": "drug", "text": "b"}]} for i in range(9)]
    assert [w.shape for w in ways(rows)] == ["text"]


def test_a_further_answer_is_offered_in_the_place_of_the_first():
    rows = [{"question": asked(i), "ground_truth": told(i), "short_answer": f"Drug {i}, and rest for it."} for i in range(20)]
    assert [w.fields["answer"] for w in ways(rows)] == ["ground_truth", "short_answer"]


def test_an_answer_in_another_language_answers_its_own_question():
    rows = [
        {
            "question": asked(i),
            "answer": told(i),
            "question_es": f"¿Qué se da en {i}?",
            "answer_es": f"Se da el fármaco {i}, y reposo.",
        }
        for i in range(20)
    ]
    assert {"question": "question_es", "answer": "answer_es"} in [w.fields for w in ways(rows)]


def test_long_texts_by_numbers_are_answers_and_no_options():
    rows = [
        {"id": i, "input_pt_br": f"Caso {i}", "input": f"Case {i}, and what do I do?"}
        | {f"Answer {n}{tongue}": f"{told(i)} {n} {tongue}" * 4 for n in (1, 2, 3) for tongue in ("", "_pt_br")}
        for i in range(12)
    ]
    found = [(w.shape, w.fields["question"], w.fields["answer"]) for w in ways(rows)]
    assert ("qa", "input", "Answer 1") in found and ("qa", "input_pt_br", "Answer 1_pt_br") in found


def test_the_answer_of_a_system_is_offered_before_those_of_its_sources():
    sources = [{"question": f"q{n}", "answer": f"Source {n} says so."} for n in range(3)]
    rows = [{"question": asked(i), "answer_raw": told(i), "latency_ms": i, "sources": sources} for i in range(10)]
    with pytest.raises(UserError, match=r"(?s)answer: answer_raw\}\n.*or.*explode: sources\n.*ignore: \[answer_raw\]"):
        read(rows)


def test_an_expected_output_is_the_answer_and_a_student_s_is_asked_about():
    rows = [{"question": asked(i), "expected_output": told(i), "student_answer": told(i + 1)} for i in range(12)]
    assert ways(rows)[0].fields["answer"] == "expected_output"


def test_a_name_that_stands_once_in_the_one_dialogue_is_asked_for(tmp_path):
    turns = [f"{('User', 'Assistant')[i % 2]}: We say {i} words." for i in range(12)]
    (tmp_path / "x.txt").write_text("\n\n".join([*turns[:7], "First step: Take the drug.", *turns[7:]]))
    args = Args(inputs=[str(tmp_path / "x.txt")], output_dir=str(tmp_path / "out"), test_size=0)
    with pytest.raises(UserError, match="First step"):
        prepare(args)
    args.roles = {"First step": "text"}
    assert prepare(args)["counts"]["train"] == 1


def test_a_reason_is_counted_whole_up_to_what_the_row_holds():
    why = "an unknown role (say whose turn it is: --roles '{NAME: human}', or text)"
    assert same_for_all(f"{why}: 'First step'") == why
    assert same_for_all("a turn has no role: its names are 'a, b'") == "a turn has no role: its names are"


@pytest.mark.parametrize("name", ["question_pt_br", "question_pt-BR", "question pt_PT"])
def test_a_region_behind_a_language_is_part_of_it(name):
    assert name_and_language(name) == ("question", "pt")
    assert name_and_language("dose_br") == ("dose_br", "")


def numbered(i: int, key: int, stem: str = "Which drug is given on day {} ?") -> str:
    options = " ".join(f"({n}) Drug {n} of {i}" for n in range(1, 5))
    return f"{i}. {stem.format(i)} {options} Ans. ({key})"


def test_options_by_numbers_in_brackets_are_read_with_their_keys():
    rows = exam_in("\n".join(numbered(i, i % 4 + 1) for i in range(101, 113)))
    assert [row["answer"] for _, row in rows] == ["BCDA"[i % 4] for i in range(12)]
    lists = "Match (a) fever (b) cough (c) rash with (i) heat (ii) noise on day {}"
    row = exam_in("\n".join(numbered(i, i % 4 + 1, lists) for i in range(1, 9)))[2][1]
    assert row["question"] == lists.format(3) and row["options"]["D"] == "Drug 4 of 3" and row["answer"] == "D"


def test_numbers_that_are_not_the_options_alone_are_not_taken_for_them():
    both = "Of (1) rest and (2) drugs on day {}, what is given?"
    assert exam_in("\n".join(numbered(i, i % 4 + 1, both) for i in range(1, 13))) == []
    assert lettered("\n".join(numbered(i, 5) for i in range(1, 13))) == ""
    assert lettered("\n".join(f"{i}. See (1) and (2) of the guideline." for i in range(1, 13))) == ""


@pytest.mark.parametrize("name, sign", [("questions", "?"), ("questions", ""), ("question", "?")])
def test_several_questions_to_one_answer_are_not_joined_in_silence(name, sign):
    rows = [{name: [f"lower my pressure {i}{sign}", f"how do I lower {i}{sign}"], "answer": told(i)} for i in range(20)]
    with pytest.raises(UserError, match=rf"(?s){name} lists several texts.*explode: {name}\n.*or\n"):
        read(rows)
    joined = Wish(shape="qa", fields={"question": name, "answer": "answer"})
    assert find_reading(rows, joined, "x.json").explode == ""
    apart = find_reading(rows, Wish(shape="qa", fields=joined.fields, explode=name), "x.json")
    assert [row[name] for row in rows_of(rows[1], apart)] == rows[1][name]
    told_in_parts = [{"question": [f"A man of {i} coughs.", asked(i)], "answer": told(i)} for i in range(20)]
    assert read(told_in_parts)[0].shape == "qa"


@pytest.mark.parametrize(
    "names", [("tag", "user_queries", "responses"), ("intent", "queries", "response"), ("tag", "questions", "answer")]
)
def test_intents_by_other_names_are_a_row_for_each_of_their_texts(names):
    tag, asks, tells = names
    rows = [{tag: ILLS[i], asks: [f"what is {ILLS[i]}", f"{ILLS[i]} please"], tells: told(i)} for i in range(10)]
    assert find_reading(rows, Wish(), "x.json").explode == asks


def test_a_list_of_several_labels_is_told_as_such():
    rows = [{"text": told(i), "labels": [ILLS[i % 3]] + [ILLS[5]] * (i % 2)} for i in range(30)]
    with pytest.raises(UserError, match="labels holds several labels in one cell"):
        read(rows)


@pytest.mark.parametrize("name", ["erro", "voto", "likes", "upvotes", "estrelas", "estrellas"])
def test_votes_and_errors_are_marks(name):
    rows = [{"pergunta": asked(i), "resposta": told(i), name: i % 3} for i in range(30)]
    with pytest.raises(UserError, match=name):
        read(rows)


def test_clase_is_a_label():
    assert read([{"texto": told(i), "clase": ILLS[i % 3]} for i in range(30)])[0].shape == "classification"


@pytest.mark.parametrize(
    "language, text",
    [
        ("mr", "ताप आल्यावर मुलाला कोणते औषध द्यावे आणि किती दिवस द्यावे?"),
        ("hi", "बुखार होने पर बच्चे को कौन सी दवा दी जाती है और कितने दिन?"),
        ("ta", "காய்ச்சல் உள்ள குழந்தைக்கு எந்த மருந்து கொடுக்க வேண்டும்?"),
        ("te", "జ్వరం ఉన్న పిల్లలకు ఏ మందు ఇవ్వాలి అని అడుగుతున్నాను?"),
    ],
)
def test_languages_of_india_are_told_apart(language, text):
    assert language_of([text]) == language


def test_what_is_asked_of_all_files_alike_is_asked_once(tmp_path):
    for name in "abcdefg":
        rows = [{"Disease": f"{ILLS[i % 10]} {i}", "Description": told(i) * 2} for i in range(9)]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    args = Args(inputs=[str(tmp_path)], output_dir=str(tmp_path / "out"), test_size=0)
    with pytest.raises(UserError, match="and 6 more of the same columns") as question:
        prepare(args)
    assert str(question.value).count("shape: qa") == 1
    args.shape, args.fields = "qa", {"question": "Disease", "answer": "Description"}
    assert prepare(args)["counts"]["rows read"] == 63


def test_texts_in_an_object_are_offered_by_their_parts():
    rows = [
        {"title": ILLS[i], "kind": "ab"[i % 2], "content": {"definition": told(i) * 2, "summary": told(i) * 3, "id": f"x{i}"}}
        for i in range(10)
    ]
    assert [w.fields["text"] for w in ways(rows)] == ["content.definition", "content.summary"]


def test_a_label_is_offered_before_other_classes_and_a_model_s_not_at_all():
    rows = [
        {"report_text": f"No sign of {ILLS[i % 10]} on day {i}, and the heart is of normal size.", "method": "ab"[i % 2]}
        | {"gold_label": "xy"[i % 2], "predicted_label": "xy"[i % 3 % 2]}
        for i in range(40)
    ]
    assert [w.fields["label"] for w in ways(rows)] == ["gold_label", "method"]


def test_two_columns_of_classes_are_no_question_with_its_answer():
    rows = [{"group": f"{ILLS[i % 5]} of adults", "stereotype": f"they are {ILLS[i % 7]} and more"} for i in range(60)]
    with pytest.raises(UserError) as question:
        read(rows)
    assert "answer: stereotype" not in str(question.value)


def test_a_picture_beside_a_name_and_its_text_is_neither():
    rows = [{"id": i, "title": f"{ILLS[i]}", "image": f"{i}.png", "description": told(i) * 2} for i in range(9)]
    assert [w.shape for w in ways(rows)] == ["qa", "text"]


def test_names_with_several_texts_of_each_may_ask_for_any():
    rows = [
        {"name": f"{ILLS[i % 10]} {i}", "desc": told(i) * 2, "cause": told(i + 1) * 2, "signs": ["a", "b"]} for i in range(30)
    ]
    found = [(w.shape, *w.fields.values()) for w in ways(rows)]
    assert found == [("qa", "name", "desc"), ("qa", "name", "cause"), ("text", "desc"), ("text", "cause")]


@pytest.mark.parametrize("name", ["expected_output", "saída esperada"])
def test_an_expected_output_is_the_output_of_its_instruction(name):
    rows = [{"instruction": "Answer the patient.", "input": asked(i), name: told(i)} for i in range(20)]
    reading, made = read(rows)
    assert reading.shape == "alpaca" and "Answer the patient." in str(made[3]) and made[3]["answer"] == told(3)
    assert read([{"input": row["input"], name: row[name]} for row in rows])[0].shape == "qa"


@pytest.mark.parametrize(
    "said, side", [(("juiz", "gpt"), "human"), (("human", "gpt", "juiz"), "YOUR_SIDE"), (("juiz", "perito"), "YOUR_SIDE")]
)
def test_the_side_of_a_speaker_is_offered_where_one_alone_is_missing(said, side):
    turns = [{"from": who, "value": f"We say {who}."} for who in said]
    with pytest.raises(UserError, match=f"juiz: {side}"):
        read([{"conversations": turns} for _ in range(5)])


def test_items_of_a_list_in_quotes_are_no_prose():
    lines = [f"'\"{told(i)}\"'," for i in range(30)]
    with pytest.raises(UserError, match="items of a list"):
        read([{"text": "\n".join(lines)}])
    assert read([{"text": "\n".join(f'"{told(i)}", she said to {i}.' for i in range(30))}])[0].shape == "text"


def test_key_concepts_and_how_sure_an_item_is_are_no_keys():
    rows = [
        {"question": asked(i), "options": {"A": "rest", "B": f"drug {i}"}, "correct_answer": "AB"[i % 2]}
        | {"key_concepts": ["drug", ILLS[i % 3]], "confidence_score": 95}
        for i in range(6)
    ]
    assert {"key_concepts", "confidence_score"} <= read(rows)[0].unused.keys()
    with pytest.raises(UserError, match="key_2"):
        read([row | {"key_2": "BA"[i % 2]} for i, row in enumerate(rows)])


def test_what_a_model_said_beside_the_right_answer_is_no_row_of_its_own():
    options = {f"option_{x}": f"drug {x}" for x in "abc"}
    rows = [{"question": asked(i)} | options | {"true_label": "ABC"[i % 3], "pred_label": "ABC"[i % 2]} for i in range(30)]
    rows = [row | {"correct": row["true_label"] == row["pred_label"]} for row in rows]
    reading, made = read(rows)
    assert (reading.shape, reading.fields["answer"], made[4]["answer"]) == ("mcq", "true_label", "B")
    assert {"pred_label", "correct"} <= set(reading.unused)
    for right, of_model in [("gold_answer", "llm_answer"), ("expected_output", "actual_output"), ("answer", "predicted_answer")]:
        reading, made = read([{"question": asked(i), of_model: told(i) + " So.", right: told(i)} for i in range(30)])
        assert (reading.shape, made[4]["answer"]) == ("qa", told(4)) and of_model in reading.unused
    rows = [{"instruction": asked(i), "output": told(i), "model_response": told(i) * 2} for i in range(30)]
    assert read(rows)[1][4]["answer"] == told(4)


@pytest.mark.parametrize(
    "answer, other",
    [
        ("answer", "llm_answer"),  # either may be the better one
        ("answer", "model_answer"),  # an examiner's, perhaps
        ("gold_answer", "student_answer"),  # to be graded
        ("gold_answer", "rating"),
        ("predicted_answer", "llm_answer"),
    ],
)
def test_which_of_two_answers_is_meant_is_asked_where_no_name_says(answer, other):
    with pytest.raises(UserError):
        read([{"question": asked(i), answer: told(i), other: told(i) + " So." if "an" in other else i % 5} for i in range(30)])


def test_marks_that_say_more_than_whether_a_model_was_right_are_asked_about():
    rows = [{"question": asked(i), "gold_answer": told(i), "llm_answer": told(i)[::-1], "correct": i % 2} for i in range(30)]
    with pytest.raises(UserError, match="correct"):
        read(rows)


def test_whether_a_model_was_right_is_no_class_of_the_question():
    rows = [
        {"prompt": f"A man of {40 + i} coughs. What is it?", "true_dx": f"{ILLS[i % 10]} of stage {i}", "pred_dx": "</answer>"}
        | {"correct": i % 3 > 0}
        for i in range(30)
    ]
    assert [w.fields for w in ways(rows)] == [{"question": "prompt", "answer": "true_dx"}]
    with pytest.raises(UserError):
        read([{k: v for k, v in row.items() if k != "pred_dx"} for row in rows])
    rows = [{"statement": f"Drug {i} is given to adults.", "correct": i % 2 == 1} for i in range(30)]
    assert read(rows)[0].shape == "classification"
    rows = [{"question": f"Is drug {i} given to adults?", "correct": i % 2 == 1, "explanation": told(i)} for i in range(30)]
    assert read(rows)[0].fields["label"] == "correct"


def test_the_letter_that_somebody_marked_is_no_key_beside_the_known_one():
    options = [[{"text": f"drug {n}{i}", "correct": n == i % 3} for n in range(3)] for i in range(30)]
    rows = [{"question": asked(i), "options": options[i], "yourAnswer": "ABC"[i % 2]} for i in range(30)]
    reading, made = read(rows)
    assert (reading.shape, made[4]["answer"]) == ("mcq", "B") and "yourAnswer" in reading.unused
    rows = [
        {"question": asked(i), "options": list("xyz"), "answer": "ABC"[i % 3], "user_answer": "ABC"[i % 2]} for i in range(30)
    ]
    with pytest.raises(UserError, match="user_answer"):  # either may be the key
        read(rows)
    rows = [{k: v for k, v in row.items() if k != "answer"} | {"model_answer": told(1)} for row in rows]
    with pytest.raises(UserError):
        read(rows)


def test_right_answers_without_what_was_asked_are_told_so():
    rows = [{"predictions": told(i) + " So.", "references": told(i)} for i in range(12)]
    with pytest.raises(UserError, match="references"):
        read(rows)
    rows = [{"reference_answer": told(i), "generated_answer": told(i) + " So.", "token_f1": i / 12} for i in range(12)]
    with pytest.raises(UserError, match="no column holds what was asked, of which reference_answer"):
        read(rows)


def test_a_case_is_offered_as_no_answer():
    rows = [
        {
            "specialty": "ab"[i % 2],
            "vignette": told(i) * 3,
            "patient_message": f"I feel unwell. {asked(i)}",
            "gold": {"visit": i % 2},
        }
        for i in range(20)
    ]
    with pytest.raises(UserError) as question:
        read(rows)
    assert "answer: vignette" not in str(question.value)
