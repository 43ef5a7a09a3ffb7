"""prepare.py's rows: shapes, splits, pairs and feedback, selection, leaks, personal data, a killed run. In this process."""

import collections
import json
import random
import re
import subprocess
import sys

import pytest
from benchmarks import bench_prepare
from conftest import ROOT, kill_when, run_script

from data_prep.chat_template import Renderer, prompt_messages, scoring_prompt, set_template
from data_prep.cleaning.split import hashed, stratified
from data_prep.common.arguments import parse_args
from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.pipeline.read import file_records, input_files
from data_prep.prepare import prepare
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.reading import Wish

DISEASES = (
    "asthma gout malaria scurvy rabies mumps anaemia cholera typhus lupus measles sepsis croup shingles tetanus polio leprosy "
    "dengue rickets angina"
).split()


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def run(tmp_path, rows, name="out", **options):
    """(manifest, {split: rows}) of rows prepared in this process."""
    data = write(tmp_path / "raw.jsonl", rows) if isinstance(rows, list) else str(rows)
    manifest = prepare(Args(inputs=[data], output_dir=str(tmp_path / name), **options))
    files = {n: (tmp_path / name / f"{n}.jsonl").read_text().splitlines() for n in ("train", "validation", "test", "rejects")}
    return manifest, {n: [json.loads(line) for line in lines] for n, lines in files.items()}


def exam(n=20):
    return [
        {"question": f"Which organ suffers first in {d}, case {i // len(DISEASES)}, as it is taught?", "answer": "ABC"[i % 3]}
        | {"options": {"A": f"Liver of {d}", "B": f"Spleen {i}", "C": f"Skin {i * 7}"}, "topic": f"T{i % 2}"}
        for i, d in enumerate(DISEASES * (n // len(DISEASES)))
    ]


PAIRS = [
    {"prompt": f"What to do in {d}?", "chosen": f"See a doctor about {d}.", "rejected": f"Nothing {i}."}
    for i, d in enumerate(DISEASES)
]


# ---------------------------------------------------------------------------------------------- shapes


def test_an_answer_may_be_a_number_and_a_raised_digit_is_no_key(tmp_path):
    """Each ended prepare.py in a traceback: a pair with a number, a key that str.isdigit() takes for one and int() does not."""
    manifest, _ = run(tmp_path, [*PAIRS, PAIRS[0] | {"prompt": "How many days?", "chosen": "10", "rejected": 7}])
    assert manifest["counts"]["rejected"] == 0
    rows = [row | {"answer": str("ABC".index(row["answer"]) + i % 2)} for i, row in enumerate(exam(40))]
    rows[3]["answer"] = "²"
    _, files = run(tmp_path, rows, "keys", answer_base="1")
    assert any("'²'" in row["reason"] for row in files["rejects"])
    marked = [{"text": f"Dengue is seldom, {i} of them.", "marks": [{"at": 1}], "place": [{"at": 2}]} for i in range(9)]
    with pytest.raises(UserError, match="marks"):
        find_reading([*marked, {"text": "Gout.", "marks": 3, "place": 4}], Wish(), "a.jsonl")


@pytest.mark.parametrize(
    "row, shape, expected",
    [
        ({"pergunta": "Q?", "resposta": "A."}, "qa", {"question": "Q?", "answer": "A."}),
        ({"stem": "Q?", "opa": "x", "opb": "y", "cop": "B"}, "mcq", {"options": {"A": "x", "B": "y"}, "answer": "B"}),
        ({"question": "Q?\nA) x\nB) y", "answer": "A"}, "mcq", {"question": "Q?", "options": {"A": "x", "B": "y"}}),
        ({"question": "Q?", "options": "['x', 'y']", "answer": "y"}, "mcq", {"answer": "B"}),
        ({"instruction": "Do.", "input": "this", "output": "Done."}, "alpaca", {"question": "Do.\n\nthis", "answer": "Done."}),
        (
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
            "messages",
            {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
        ),
        ({"prompt": "p", "chosen": "c", "rejected": "r"}, "preference", {"chosen": "c", "rejected": "r"}),
        ({"prompt": "p", "completion": "c", "label": "👎"}, "feedback", {"score": 0.0}),
        ({"pergunta": "p", "resposta_bruta": "c", "correta": "1"}, "graded", {"score": 1.0, "prompt": "p"}),
        ({"text": "t", "label": "l"}, "classification", {"text": "t", "label": "l"}),
        ({"text": "t"}, "text", {"text": "t"}),
        (
            {"dialogue": "Patient: a\nDoctor: b"},
            "dialogue",
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
        ),
    ],
)
def test_shapes_are_told_by_their_fields(row, shape, expected):
    found = find_reading([row], Wish(), "x")
    assert found.shape == shape and set(found.fields.values()) | set(found.option_columns) <= set(row)
    made = convert(row, found, Args())
    assert {k: made[k] for k in expected} == expected


@pytest.mark.parametrize(
    "rows, words",
    [
        ([{"question": "q", "options": ["x", "y", "z"], "answer": n} for n in (1, 2)], "answer_base: '0'"),
        ([{"question": "q", "response": "a", "resposta": "b"}], "answer can be response or resposta"),
        ([{"foo": "q"}], "no shape fits its one field"),
    ],
)
def test_what_is_unclear_is_asked_with_lines_to_paste(rows, words):
    with pytest.raises(UserError, match=re.escape(words)) as error:
        find_reading(rows, Wish(), "x.jsonl")
    assert "x.jsonl" in str(error.value) and re.search(r"(?m)^ +(?:shape|answer_base): ", str(error.value))


def test_shapes_of_all_files_are_asked_at_once(tmp_path):
    write(tmp_path / "a.jsonl", exam())
    for name in ("b", "c"):
        write(tmp_path / f"{name}.jsonl", [{"foo": 1}])
    with pytest.raises(UserError) as error:
        prepare(Args(inputs=[str(tmp_path)], output_dir=str(tmp_path / "out")))
    assert "b.jsonl" in str(error.value) and "c.jsonl" in str(error.value) and "--exclude" in str(error.value)
    write(tmp_path / "b.jsonl", PAIRS)
    with pytest.raises(UserError, match="several kinds"):
        prepare(Args(inputs=[str(tmp_path)], exclude=["c.jsonl"], output_dir=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("a.tsv", 'question\tanswer\n"q\n1"\ta\n', [{"question": "q\n1", "answer": "a"}]),
        ("bom.csv", "\ufeffquestion;answer\nq;a\n", [{"question": "q", "answer": "a"}]),
        ("nested.json", '{"version": 1, "items": [{"question": "q"}]}', [{"question": "q"}]),
        ("list.json", '[{"question": "q"}]', [{"question": "q"}]),
        (
            "squad.json",
            '{"data": [{"title": "T", "paragraphs": [{"context": "c", '
            '"qas": [{"id": "1", "question": "q", "answers": [{"text": "a"}]}]}]}]}',
            [{"id": "1", "context": "c", "question": "q", "answer": "a", "topic": "T"}],
        ),
        (
            "liveqa.xml",
            "<R><NLM-QUESTION><Original-Question><SUBJECT>s</SUBJECT><MESSAGE>m</MESSAGE></Original-Question>"
            "<NLM-Summary>q</NLM-Summary><ReferenceAnswers><ANSWER>a</ANSWER></ReferenceAnswers></NLM-QUESTION></R>",
            [{"question": "q", "answer": "a", "original_subject": "s", "original_message": "m"}],
        ),
        (
            "talk.txt",
            "Patient: a\nDoctor: b\n\nPatient: c\nDoctor: d\n",
            [{"dialogue": "Patient: a\nDoctor: b"}, {"dialogue": "Patient: c\nDoctor: d"}],
        ),
    ],
)
def test_formats(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content, encoding="utf-8")
    [file] = input_files(str(tmp_path / name))
    assert [record.raw for record in file_records(file)] == expected


# ---------------------------------------------------------------------------------------------- splits and selection


def test_every_row_may_be_held_out(tmp_path, capsys):
    manifest, rows = run(tmp_path, exam(), test_size=1)
    assert len(rows["test"]) == len(DISEASES) and not rows["train"] and manifest["counts"]["train"] == 0
    run_script("data_prep/prepare.py", tmp_path / "raw.jsonl", "--test_size", 0.99, "--output_dir", tmp_path / "most")
    said = run_script("data_prep/prepare.py", tmp_path / "raw.jsonl", "--test_size", 1, "--output_dir", tmp_path / "all").stdout
    assert "train.jsonl is empty: every row is held out" in said
    with pytest.raises(UserError, match="more than 1"):
        parse_args(Args, "", [str(tmp_path / "raw.jsonl"), "--test_size", "0.7", "--validation_size", "0.5"])


def test_topics_keep_their_shares_and_appended_rows_move_none():
    """Each of 30 topics of 12 to 432 rows within four rows of its share (a hash alone leaves 9 off); a prefix is split alike."""
    topics = [f"t{t}" for t in range(30) for _ in range(12 + t * t // 2)]
    random.Random(0).shuffle(topics)
    places = [hashed(str(i), 1) for i in range(len(topics))]
    found = stratified(places, topics, [1] * len(topics), 0.2, 0.1)
    for name in set(topics):
        mine = collections.Counter(s for s, t in zip(found, topics, strict=True) if t == name)
        assert abs(mine["test"] - 0.2 * mine.total()) <= 4 and abs(mine["validation"] - 0.1 * mine.total()) <= 4, (name, mine)
    assert stratified(places[:700], topics[:700], [1] * 700, 0.2, 0.1) == found[:700]
    # A row taken away moves a few in a hundred of its topic, and none of the others.
    fewer = stratified(places[1:], topics[1:], [1] * (len(topics) - 1), 0.2, 0.1)
    moved = [t for a, b, t in zip(fewer, found[1:], topics[1:], strict=True) if a != b]
    assert set(moved) <= {topics[0]} and len(moved) <= 0.06 * topics.count(topics[0])


def test_near_duplicates_never_straddle(tmp_path):
    long = [r["question"] for r in bench_prepare.real_rows() if len(r["question"]) > 150][:40]
    twins = [
        {"question": start + q, "answer": f"Answer {i}{start}."} for i, q in enumerate(long) for start in ("", "Now: ", "So, ")
    ]
    _, rows = run(tmp_path, twins, near_duplicates="group", test_size=0.4)
    where = collections.defaultdict(set)
    for split in ("train", "test"):
        for row in rows[split]:
            where[re.search(r"Answer (\d+)", json.dumps(row))[1]].add(split)
    assert len(where) == 40 and all(len(splits) == 1 for splits in where.values())
    assert {"train"} in where.values() and {"test"} in where.values()


def test_questions_on_one_passage_are_no_duplicates_and_share_a_split(tmp_path):
    real = [r["question"] for r in bench_prepare.real_rows()]
    passages = [" ".join(real[20 * i : 20 * i + 20]) for i in range(12)]
    rows = [
        {"context": passage, "question": f"What of {d} is said there?", "answer": f"That {d} is rare."}
        for passage in passages
        for d in ("asthma", "gout", "malaria")
    ]
    manifest, made = run(tmp_path, rows, test_size=0.4)
    assert not manifest["counts"]["near-duplicate"] and not manifest["counts"]["duplicate"]
    where = collections.defaultdict(list)
    for split in ("train", "test"):
        for row in made[split]:
            assert "context" not in row
            text = row["question"] if split == "test" else row["conversations"][0]["value"]
            where[text.split("\n\n")[0]].append(split)
    assert len(where) == 12 and all(len(set(splits)) == 1 and len(splits) == 3 for splits in where.values())


def test_caps_selection_and_mix(tmp_path):
    manifest, rows = run(tmp_path, exam(40), max_per_topic=8, test_size=0)
    assert manifest["counts"]["over the cap"] == 24 and len(rows["train"]) == 16
    answers = ["Yes.", "Rest, fluids and paracetamol are enough in most patients; see a doctor if the fever lasts three days."]
    real = [r["question"] for r in bench_prepare.real_rows()[:20]]
    open_rows = [{"question": q, "answer": answers[i % 2]} for i, q in enumerate(real)]
    manifest, rows = run(tmp_path, open_rows, select=6, test_size=0, near_duplicates="off")
    chosen = [row["conversations"][1]["value"] for row in rows["train"]]
    assert chosen == [answers[1]] * 6 and manifest["selection"]["mean_quality_chosen"] > manifest["selection"]["mean_quality_all"]
    talk = [[{"from": "human", "value": f"hi {d}"}, {"from": "gpt", "value": "hello"}] for d in DISEASES[:9]]
    general = write(tmp_path / "general.jsonl", [{"id": d, "conversations": t} for d, t in zip(DISEASES, talk, strict=False)])
    manifest, rows = run(tmp_path, exam(40), mix=f"{general}:0.1", test_size=0, near_duplicates="off")
    assert sum(row["source"] == "general" for row in rows["train"]) == manifest["counts"]["added: mixed in"] == 4


# ---------------------------------------------------------------------------------------------- pairs and feedback


def test_rows_that_a_model_wrote_still_say_so(tmp_path):
    """synthesize.py's rows prepared with others: each keeps the mark and its generator, in every split, and no other gets one."""
    rows = [{"question": f"How is {d} treated?", "answer": f"As {d} is, with care."} for d in DISEASES]
    rows = [row | ({"synthetic": True, "generator": "writer"} if i % 2 else {"synthetic": False}) for i, row in enumerate(rows)]
    manifest, files = run(tmp_path, rows, test_size=0.3)
    made = [row for name in ("train", "test") for row in files[name]]
    marked = {row.get("generator") for row in made if row.get("synthetic")}
    assert len(made) == len(rows) and sum("synthetic" in row for row in made) == len(rows) // 2 and marked == {"writer"}
    assert "synthetic" not in json.dumps(manifest["readings"]), "it is carried, so it is not listed as unused"


def test_a_pair_gives_two_feedback_rows_in_one_split(tmp_path):
    manifest, rows = run(tmp_path, PAIRS, task="feedback", test_size=0.4)
    assert manifest["counts"]["added: second rows of pairs"] == len(PAIRS)
    prompts = [{row["prompt"] for row in rows[split]} for split in ("train", "test")]
    assert prompts[0] and prompts[1] and not prompts[0] & prompts[1]
    for row in rows["train"] + rows["test"]:
        assert row["label"] == row["completion"].startswith("See a doctor")
    assert len(rows["train"]) + len(rows["test"]) == 2 * len(PAIRS)


@pytest.mark.parametrize("answer", ["letter", "letter_and_text"])
def test_multiple_choice_gives_pairs_and_feedback(tmp_path, answer):
    manifest, rows = run(tmp_path, exam(), task="preference", answer=answer, test_size=0.2)
    key = {row["question"]: row["answer"] for row in exam()}
    for row in rows["train"] + rows["test"]:
        letter = key[row["prompt"].split("\n")[0]]
        assert row["chosen"][0] == letter != row["rejected"][0] and (len(row["chosen"]) == 1) == (answer == "letter")
        assert ("text of the correct option" in row["prompt"]) == (answer != "letter")
    assert manifest["balance"]["pairs"] == len(rows["train"]) and "chosen_mean_characters" in manifest["balance"]
    manifest, _ = run(tmp_path, exam(), task="feedback", answer=answer, test_size=0.2)
    assert manifest["balance"]["desirable"] == manifest["balance"]["undesirable"] == len(rows["train"])


def test_length_bias_and_kto_weights_are_told(tmp_path):
    manifest, _ = run(tmp_path, [row | {"chosen": row["chosen"] * 3} for row in PAIRS], test_size=0)
    assert manifest["balance"]["chosen_longer_share"] == 1 and "longer" in manifest["balance"]["length_bias"]
    graded = [
        {"pergunta": f"Is {d} a disease?", "resposta_bruta": f"Say {i}.", "correta": int(i % 4 == 0)}
        for i, d in enumerate(DISEASES)
    ]
    manifest, _ = run(tmp_path, graded, test_size=0)
    assert manifest["balance"]["kto"] == {"desirable_weight": 1.0, "undesirable_weight": round(5 / 15, 4)}


def test_a_mix_is_refused_for_pairs(tmp_path):
    general = write(tmp_path / "general.jsonl", PAIRS)
    with pytest.raises(UserError, match="the rows are of task preference"):
        run(tmp_path, PAIRS, mix=f"{general}:0.1")
    assert not (tmp_path / "out").exists()


def test_too_long_is_refused_for_text(tmp_path, tiny_model):
    rows = [{"text": f"Notes on {d}, and what is known of it. " * 30} for d in DISEASES]
    with pytest.raises(UserError, match="text rows are cut"):
        run(tmp_path, rows, task="text", tokenizer=tiny_model, max_length=16, too_long="reject")
    assert not (tmp_path / "out").exists()


def test_labels_may_be_left_out_of_the_question(tmp_path):
    rows = [{"text": f"Where does {d} show first, as case {i}?", "label": "AB"[i % 2]} for i, d in enumerate(DISEASES)]
    options = {"near_duplicates": "off", "test_size": 0.5, "labels_in_prompt": False}
    [problem] = Args(inputs=["hf:a/b"], **options).problems()
    assert re.search("labels_in_prompt: .* give an instruction", problem)
    _, made = run(tmp_path, rows, instruction="Which kind?", **options)
    asked = [row["conversations"][0]["value"] for row in made["train"]] + [scoring_prompt(row) for row in made["test"]]
    assert sorted(asked) == sorted(f"{row['text']}\n\nWhich kind?" for row in rows)
    assert {row["conversations"][1]["value"] for row in made["train"]} == {"A", "B"} == set(made["test"][0]["labels"])


def test_an_explanation_that_is_not_taught_is_told(tmp_path, capsys):
    rows = [row | {"explanation": f"Because of {i}."} for i, row in enumerate(exam())]
    manifest, _ = run(tmp_path, rows)
    assert manifest["explanations_not_taught"] == {str(tmp_path / "raw.jsonl"): "explanation"}
    assert "--answer explained teaches" in capsys.readouterr().out
    manifest, made = run(tmp_path, rows, "explained", answer="explained")
    assert manifest["explanations_not_taught"] == {} and "note:" not in capsys.readouterr().out
    assert "Because of" in made["train"][0]["conversations"][1]["value"]
    pairs = [
        {"question": f"What to do in {d}?", "answer": f"Treat {d} at once.", "explanation": f"It {i}."}
        for i, d in enumerate(DISEASES)
    ]
    run(tmp_path, pairs, "pairs")
    assert "the answer is taught alone" in capsys.readouterr().out


def test_an_option_that_nothing_reads_is_told(tmp_path, capsys):
    """An instruction over questions and answers would look as if it had been taken."""
    rows = [{"question": f"What to do in {d}?", "answer": f"Treat {d} at once."} for d in DISEASES]
    options = {"instruction": "Answer in one sentence.", "labels_in_prompt": False, "trailing_user": "drop"}
    manifest, _ = run(tmp_path, rows, **options)
    assert manifest["options_without_effect"] == ["labels_in_prompt (of classification)", "instruction (of mcq, classification)"]
    assert "warning: no input is of a shape that reads these options" in capsys.readouterr().out
    read, _ = run(tmp_path, exam(), "exam", instruction="Answer with the letter.")
    assert read["options_without_effect"] == [] and "warning" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, said",
    [
        ({"explode": "perguntas"}, "explode: no input has a column perguntas; there are question, answer"),
        ({"pairs": {"question": "resposta"}}, "pairs: no input has a column resposta"),
        ({"near_threshold": 0.5, "near_duplicates": "off"}, "near_threshold: near_duplicates is off"),
        ({"leak_threshold": 0.5}, "leak_threshold: there are no eval_files"),
        ({"min_answer": 5, "clean": ["nfc"]}, "min_answer: is of the cleaning rule short_answer"),
        ({"licences": {"other.csv": "MIT"}}, "licences: other.csv is not among the inputs"),
    ],
)
def test_an_option_of_what_is_not_there_is_refused(tmp_path, options, said):
    """Each passed in silence, and the rows came out as if it had not been given."""
    rows = [{"question": f"What to do in {d}?", "answer": f"Treat {d} at once."} for d in DISEASES]
    told = Args(inputs=[write(tmp_path / "raw.jsonl", rows)], **options).problems()
    if not told:
        with pytest.raises(UserError) as error:
            run(tmp_path, rows, **options)
        told = error.value.problems
    assert any(said in problem for problem in told)


@pytest.mark.parametrize("near", ["drop", "group", "off"])
def test_a_conversation_that_grows_from_row_to_row_stays_in_one_split(tmp_path, near):
    """Its beginnings were test rows of the conversations that were trained on; a greeting alone binds nothing."""
    draw = random.Random(1)

    def words(n):
        return " ".join("".join(draw.choices("abcdefghilmnoprstu", k=6)) for _ in range(n))

    rows = []
    for _ in DISEASES:
        turns = [(role, words(12)) for _ in range(4) for role in ("user", "assistant")]
        hello = [("user", "Hello doctor"), ("assistant", "Good morning, how can I help you?"), ("user", words(12))]
        for one in [*(turns[: 2 * n] for n in range(1, 5)), [*hello, ("assistant", words(12))]]:
            rows.append({"messages": [{"role": role, "content": text} for role, text in one]})
    _, made = run(tmp_path, rows, near_duplicates=near, test_size=0.4)
    where = collections.defaultdict(set)
    for split in ("train", "test"):
        for row in made[split]:
            where[row["conversations"][0]["value"]].add(split)
    assert len(where) == len(DISEASES) + 1 and where.pop("Hello doctor") == {"train", "test"}
    assert all(len(splits) == 1 for splits in where.values()) and {"train"} in where.values() and {"test"} in where.values()


def test_columns_to_ignore_that_no_input_has_are_told(tmp_path, capsys):
    rows = [{"question": f"What to do in {d}?", "answer": f"Treat {d} at once.", "meta": {"votes": 3}} for d in DISEASES]
    run(tmp_path, rows, ignore=["vots", "meta.votes"])
    assert "ignore: the first rows of no input have a column vots;" in capsys.readouterr().out


def test_flags_beside_a_reading_of_every_input_are_refused(tmp_path):
    """--fields was passed over where --reading named the file."""
    raw = tmp_path / "raw.jsonl"
    raw.write_text("".join(json.dumps({"question": f"What to do in {d}?", "answer": f"Treat {d}."}) + "\n" for d in DISEASES))
    reading = tmp_path / "reading.yaml"
    reading.write_text(f"{raw}: {{shape: qa, fields: {{question: question, answer: answer}}}}\n")
    common = {"inputs": [str(raw)], "reading": str(reading), "output_dir": str(tmp_path / "out")}
    with pytest.raises(UserError, match=r"fields, explode: .*reading\.yaml says of every input how it is read"):
        prepare(Args(**common, fields={"answer": "question"}, explode="answer"))
    prepare(Args(**common))


def test_an_instruction_becomes_the_system_turn_of_a_row_with_a_history(tmp_path):
    rows = [
        {
            "instruction": "Answer as a doctor.",
            "input": f"And {d}?",
            "output": f"Treat {d}.",
            "history": [["Hello, I ask of many.", "Ask."]],
        }
        for d in DISEASES
    ]
    _, made = run(tmp_path, rows, instruction_as_system=True, test_size=0.0, near_duplicates="off")
    for row in made["train"]:
        said = [(turn["from"], turn["value"]) for turn in row["conversations"]]
        assert said[:3] == [("system", "Answer as a doctor."), ("human", "Hello, I ask of many."), ("gpt", "Ask.")]
        assert said[3][1].startswith("And ")
    assert len(made["train"]) == len(DISEASES)


@pytest.mark.parametrize("task", ["classification", "preference"])
def test_written_training_rows_are_protected_by_their_own_text(tmp_path, task):
    """A conversation asks with labels and an instruction around the question; the raw row has neither."""
    rows = [{"text": f"Where does {d} show first, as case {i}?", "label": "AB"[i % 2]} for i, d in enumerate(DISEASES)]
    rows = rows if task == "classification" else exam()
    options = {"task": "auto" if task == "classification" else task, "near_duplicates": "off"}
    _, first = run(tmp_path, rows, "first", test_size=0.3, **options)
    protected = [str(tmp_path / "first" / f"{name}.jsonl") for name in ("train", "test")]
    with pytest.raises(UserError, match=f"{len(rows)} x leak"):
        run(tmp_path, rows, "again", eval_files=protected, test_size=1, **options)
    manifest, second = run(tmp_path, rows, "rest", eval_files=protected[:1], test_size=1, **options)
    assert manifest["counts"]["test"] == len(first["test"])
    texts = lambda rows: sorted(str(r.get("text") or r.get("prompt")) for r in rows)  # noqa: E731
    assert texts(second["test"]) == texts(first["test"])


LONG = "and then it is told at great length " * 40
GRADED = [
    {"prompt": f"What to do in {d}?", "completion": f"Answer {n} on {d}. {LONG if (i, n) == (2, 1) else ''}", "score": n}
    for i, d in enumerate(DISEASES)
    for n in range(3)
]


@pytest.mark.parametrize(
    ("rows", "task", "written"),
    [
        ([p | ({"rejected": LONG} if i == 2 else {}) for i, p in enumerate(PAIRS)], "preference", len(PAIRS) - 1),
        ([p | ({"chosen": LONG} if i == 2 else {}) for i, p in enumerate(PAIRS)], "feedback", 2 * len(PAIRS) - 2),
        (GRADED, "preference", 2 * len(DISEASES) - 1),  # the two other answers of that question still meet
    ],
)
def test_pairs_and_feedback_are_counted_and_left_out_where_training_would_refuse_them(tmp_path, tiny_model, rows, task, written):
    from transformers import AutoTokenizer

    options = {"task": task, "tokenizer": tiny_model, "test_size": 0, "near_duplicates": "off", "system": "Answer as a doctor."}
    if "score" in rows[0]:
        options |= {"shape": "graded", "good_score": 1}
    told, _ = run(tmp_path, rows, "told", max_length=128, **options)
    assert told["tokens"]["rows longer than max_length"] == 1 and not told["reasons"].get("longer than max_length")
    manifest, files = run(tmp_path, rows, "left_out", max_length=128, too_long="reject", **options)
    assert manifest["reasons"]["longer than max_length"] == 1 and len(files["train"]) == written
    renderer = Renderer(set_template(AutoTokenizer.from_pretrained(tiny_model), "qwen3"))
    longest = max(trained_lengths(renderer, files["train"]))
    assert longest <= 128
    _, files = run(tmp_path, rows, "shorter", max_length=longest - 1, too_long="reject", **options)
    assert max(trained_lengths(renderer, files["train"])) < longest


def trained_lengths(renderer, rows):
    """Tokens of each row as dpo.py and kto.py see it."""
    for row in rows:
        prompt = prompt_messages(row["prompt"])
        answers = [row[name] for name in ("chosen", "rejected", "completion") if name in row]
        yield len(renderer.encode_prompt(prompt)) + max(len(renderer.encode_answer(prompt, answer)) for answer in answers)


def test_rows_that_give_no_pair_say_so(tmp_path):
    with pytest.raises(UserError, match="needs pairs, graded answers or multiple choice"):
        run(tmp_path, [{"question": "q?", "answer": "An answer."}], task="preference")
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------------------------------------- options, leaks, personal data


def test_unknown_keys_are_told_at_once_with_their_lines(tmp_path):
    (tmp_path / "c.yaml").write_text("inputs: [a]\ntestsize: 0.1\nseed: 1\nshapes: mcq\nseed: 2\n")
    done = run_script("data_prep/prepare.py", "--config", tmp_path / "c.yaml", code=2)
    for words in (
        ":2: unknown key 'testsize', did you mean 'test_size'?",
        ":4: unknown key 'shapes'",
        ":5: key 'seed' stands twice",
    ):
        assert f"c.yaml{words}" in done.stderr
    assert "--test_size" in run_script("data_prep/prepare.py", "a.csv", "--tes_size", 1, code=2).stderr


def test_lists_are_written_as_words_or_as_yaml(tmp_path):
    one, two = (write(tmp_path / f"{name}.jsonl", exam()) for name in "ab")
    for words in ([one, two], [json.dumps([one, two])]):
        args = parse_args(Args, "", [one, "--eval_files", *words, "--seed", "1", "--exclude", "x*"])
        assert (args.inputs, args.eval_files, args.exclude, args.seed) == ([one], [one, two], ["x*"], 1)


def test_rows_of_protected_ids_are_left_out(tmp_path):
    data = {str(i): {"QUESTION": row["question"], "final_decision": row["topic"]} for i, row in enumerate(exam(40))}
    (tmp_path / "all.json").write_text(json.dumps(data))
    (tmp_path / "test.json").write_text(json.dumps({str(i): "yes" for i in range(30)}))
    options = {"shape": "classification", "fields": {"text": "QUESTION", "label": "final_decision"}, "test_size": 0}
    manifest, rows = run(
        tmp_path, tmp_path / "all.json", eval_files=[str(tmp_path / "test.json")], near_duplicates="off", **options
    )
    assert manifest["leaks"] == {"id": 30} and len(rows["train"]) == 10


def test_planted_leaks_are_caught():
    """300 real exam questions planted in five disguises, among 3,000 real ones that are none."""
    found = bench_prepare.leaks(300, 1700)
    assert min(found["recall"].values()) >= 0.98 and found["precision"] >= 0.95, found


def test_planted_personal_data_are_found_and_medical_numbers_stay():
    found = bench_prepare.personal(60, 1500)
    assert found["recall"] >= 0.99 and found["precision"] >= 0.95, found


def test_marks_are_consistent_within_a_row():
    from data_prep.cleaning.privacy import TYPES, mask

    known = {}
    first = mask("Dr. João Lima viu a Sra. Ana Souza, CPF 529.982.247-25.", known, TYPES)
    assert first == "Dr. [NAME] viu a Sra. [NAME_2], CPF [CPF]."
    assert mask("A Sra. Ana Souza e o Dr. João Lima.", known, TYPES) == "A Sra. [NAME_2] e o Dr. [NAME]."
    assert mask("CPF 529.982.247-24 and vitamin D. This helps.", known, TYPES) == "CPF [CPF_2] and vitamin D. This helps."
    assert mask("529 982 247 24 and vitamin D.", known, TYPES) == "529 982 247 24 and vitamin D."


@pytest.mark.parametrize(
    "rule, before, after",
    [
        ("mojibake", "infecÃ§Ã£o", "infecção"),
        ("nfc", "ac\u0327a\u0303o", "ação"),
        ("html", "a<br>b <b>c</b> &amp; p < 0.05", "a\nb c & p < 0.05"),
        ("whitespace", "a\u00a0 b\r\n\r\n\r\n  c", "a b\n\nc"),
        ("boilerplate", "Take rest.\nClick here for more", "Take rest."),
    ],
)
def test_each_cleaning_rule_alone(rule, before, after):
    from data_prep.cleaning.clean import RULES, clean_text

    counted = set()
    assert clean_text(before, [rule], counted) == after and counted == {rule}
    assert clean_text(before, [r for r in RULES if r != rule]) != after


def test_lost_characters_and_empty_answers_are_rejected_and_the_rules_switch_off(tmp_path):
    bad = [
        {"question": "Is it lost?", "answer": "A\ufffd."},
        {"question": "Is it short at all?", "answer": "Yes"},
        {"question": "Is it?", "answer": "..."},
    ]
    good = [{"question": f"What is {d}?", "answer": f"It is {d}, a disease."} for d in DISEASES]
    manifest, _ = run(tmp_path, good + bad, min_answer=5, near_duplicates="off", test_size=0)
    assert manifest["counts"]["rejected"] == 3 and len(manifest["reasons"]) == 2
    manifest, _ = run(tmp_path, good + bad, min_answer=5, near_duplicates="off", test_size=0, clean=["nfc"])
    assert manifest["counts"]["rejected"] == 1


# ---------------------------------------------------------------------------------------------- lengths, killed runs


def test_lengths_cut_rows_and_preview(tmp_path, tiny_model, capsys):
    rows = [
        {"question": f"What is {d}? " + "really " * (400 * (i == 3)), "answer": f"A disease called {d}."}
        for i, d in enumerate(DISEASES)
    ]
    manifest, _ = run(tmp_path, rows, tokenizer=tiny_model, max_length=128, test_size=0, preview=1, near_duplicates="off")
    tokens = manifest["tokens"]
    assert (
        tokens["rows cut before their answer"] == tokens["rows longer than max_length"] == tokens["rows without end of turn"] == 1
    )
    assert tokens["rows without a trained token"] == 0
    said = capsys.readouterr().out
    assert re.search(r"\033\[1;4;32mA disease called \w+\.<\|im_end\|>\033\[0m", said)
    manifest, _ = run(tmp_path, rows, tokenizer=tiny_model, max_length=128, too_long="reject", test_size=0, near_duplicates="off")
    assert manifest["reasons"] == {"longer than max_length": 1}


@pytest.mark.parametrize("task", ["preference", "feedback"])
def test_preview_shows_answers_as_the_preference_scripts_see_them(tmp_path, tiny_model, capsys, task):
    pairs = [{**PAIRS[0], "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": PAIRS[0]["prompt"]}]}]
    run(tmp_path, pairs, tokenizer=tiny_model, test_size=0, preview=2, task=task)
    said = capsys.readouterr().out
    assert "system\nBe kind.<|im_end|>\n<|im_start|>user\nWhat to do in asthma?<|im_end|>\n<|im_start|>assistant\n" in said
    assert "\033[1;4;32mSee a doctor about asthma.<|im_end|>\033[0m" in said and "\033[1;4;31mNothing 0.<|im_end|>\033[0m" in said
    assert ("label False" in said) == (task == "feedback")


def test_killed_and_run_again_gives_the_same_bytes(tmp_path):
    bench_prepare.make(tmp_path, 3000)
    whole = subprocess.run(bench_prepare.command(tmp_path, "whole"), capture_output=True)
    assert not whole.returncode, whole.stderr[-2000:]
    process = subprocess.Popen(bench_prepare.command(tmp_path, "killed"), stdout=subprocess.DEVNULL)
    kill_when(process, lambda: any(p.stat().st_size for p in (tmp_path / "killed").glob(".prepare-rows.tmp")))
    assert not (tmp_path / "killed/train.jsonl").exists() and list((tmp_path / "killed").glob(".*.tmp"))
    subprocess.run(bench_prepare.command(tmp_path, "killed"), check=True, capture_output=True)
    assert sorted(p.name for p in (tmp_path / "killed").iterdir()) == sorted(p.name for p in (tmp_path / "whole").iterdir())
    for name in ("train.jsonl", "test.jsonl", "rejects.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_an_error_leaves_earlier_output_whole(tmp_path):
    run(tmp_path, exam())
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    with pytest.raises(UserError):
        run(tmp_path, [{"foo": 1}])
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}


def test_help_needs_no_slow_library():
    """--help and the checks of options import neither torch nor transformers nor presidio."""
    code = "import sys; sys.argv = ['x', 'no.csv']; import data_prep.prepare as p\n"
    code += "try: p.main()\nexcept p.UserError as e: print(e)\n"
    code += (
        "print([m for m in ('torch', 'transformers', 'presidio_analyzer', 'spacy', 'pandas', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]" and "no.csv" in done.stdout, done
