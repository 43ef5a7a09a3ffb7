"""prepare() with files that foreign hands made: splits kept apart, the mix, thinking, readings, names, what others left in the folder."""

import json

import pytest
from conftest import run_script

from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.prepare import prepare

DRUGS = (
    "aspirin heparin insulin digoxin warfarin codeine morphine atropine lithium quinine colchicine rifampicin amoxicillin "
    "gentamicin vancomycin furosemide captopril losartan metformin prednisone"
).split()


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def run(tmp_path, *inputs, name="out", **options):
    """(manifest, {file: rows}) of inputs prepared in this process; nothing is masked unless it is asked for."""
    options = {"personal_data": "keep", "html_report": False} | options
    manifest = prepare(Args(inputs=list(map(str, inputs)), output_dir=str(tmp_path / name), **options))
    files = {n: (tmp_path / name / f"{n}.jsonl").read_text().splitlines() for n in ("train", "validation", "test", "rejects")}
    return manifest, {n: [json.loads(line) for line in lines] for n, lines in files.items()}


def questions(n=20, **more):
    return [
        {"question": f"What is {d} given for in adults?", "answer": f"For what {d} helps, number {i}."} | more
        for i, d in enumerate(DRUGS[:n])
    ]


def asked(rows):
    return {row["question"] if "question" in row else row["conversations"][0]["value"] for row in rows}


def test_a_split_column_keeps_its_splits_apart(tmp_path):
    names = ["train", "Training", "dev", "validation", "test"]
    rows = [row | {"split": names[i % 5]} for i, row in enumerate(questions())]
    manifest, made = run(tmp_path, write(tmp_path / "a.jsonl", rows), test_size=0.5)
    truth = {
        name: {row["question"] for row in rows if row["split"] in also}
        for name, also in (("train", names[:2]), ("validation", names[2:4]), ("test", names[4:]))
    }
    assert {name: asked(made[name]) for name in truth} == truth
    assert manifest["readings"][str(tmp_path / "a.jsonl")]["fields"]["split"] == "split"


@pytest.mark.parametrize("values", [("train", "test"), ("Training", "dev")])
def test_a_column_of_splits_by_another_name_is_asked_about(tmp_path, values):
    rows = [row | {"data_part": values[i % 2]} for i, row in enumerate(questions())]
    with pytest.raises(UserError, match=r"or splits: data_part .*\n.*\n +fields: {.*, answer: answer, split: data_part}"):
        run(tmp_path, write(tmp_path / "a.jsonl", rows))


def test_a_column_without_rows_to_train_on_is_none_of_splits(tmp_path):
    rows = [row | {"data_part": ("test", "dev")[i % 2]} for i, row in enumerate(questions())]
    _, made = run(tmp_path, write(tmp_path / "a.jsonl", rows))
    assert sum(map(len, made.values())) == len(rows)


def test_parts_of_objects_are_read_wherever_a_column_is(tmp_path):
    rows = [
        {**row, "meta": {"split": ("train", "test")[i % 2], "area": f"T{i % 3}", "nota": i % 5}}
        for i, row in enumerate(questions())
    ]
    fields = {"question": "question", "answer": "answer", "split": "meta.split", "topic": "meta.area"}
    manifest, made = run(tmp_path, write(tmp_path / "a.jsonl", rows), shape="qa", fields=fields)
    assert asked(made["test"]) == {row["question"] for row in rows[1::2]} and set(manifest["groups"]) == {"T0", "T1", "T2"}
    options = {"shape": "graded", "fields": {"question": "question", "completion": "answer", "score": "meta.nota"}}
    with pytest.raises(UserError, match=r"the marks of meta\.nota go from 0 to 4"):
        run(tmp_path, tmp_path / "a.jsonl", **options)
    _, made = run(tmp_path, tmp_path / "a.jsonl", good_score=3, test_size=0, **options)
    assert sum(row["label"] for row in made["train"]) == 8
    exam = [{"data": {"q": row["question"], "o": ["x", "y", row["answer"]], "a": "C"}} for row in questions()]
    fields = {"question": "data.q", "options": "data.o", "answer": "data.a"}
    _, made = run(tmp_path, write(tmp_path / "exam.jsonl", exam), shape="mcq", fields=fields, test_size=1)
    assert {(row["question"], row["options"][row["answer"]]) for row in made["test"]} == {
        (row["question"], row["answer"]) for row in questions()
    }
    texts = [{"data": {"body": row["answer"]}} for row in questions()]
    _, made = run(
        tmp_path, write(tmp_path / "texts.jsonl", texts), fields={"text": "data.body"}, test_size=0, near_duplicates="off"
    )
    assert {row["text"] for row in made["train"]} == {row["answer"] for row in questions()}


def test_pairs_of_graded_answers_stay_in_the_split_of_their_answers(tmp_path):
    rows = [
        {"question": row["question"], "answer": f"{split} {said} {row['answer']}", "score": mark, "split": split}
        for row in questions()
        for split in ("train", "test")
        for said, mark in (("Right:", 1), ("Wrong:", 0))
    ]
    _, made = run(tmp_path, write(tmp_path / "a.jsonl", rows), shape="graded", task="preference")
    for split in ("train", "test"):
        assert len(made[split]) == 20
        assert all(row[side].startswith(split) for row in made[split] for side in ("chosen", "rejected"))


def test_of_a_text_in_two_splits_the_row_to_measure_with_stays(tmp_path):
    one, *rest = questions()
    value = {
        "train": [one, *rest[:9]],
        "test": [*rest[9:], one, {**rest[0], "answer": rest[0]["answer"].replace("number", "Number")}],
    }
    (tmp_path / "a.json").write_text(json.dumps(value))
    manifest, made = run(tmp_path, tmp_path / "a.json")
    assert manifest["counts"]["duplicate"] == 2
    assert asked(made["test"]) == {row["question"] for row in [*rest[9:], one, rest[0]]}
    assert asked(made["train"]) == {row["question"] for row in rest[1:9]}


def test_a_folder_of_the_hub_gives_its_splits(tmp_path, monkeypatch):
    """`hf:owner/name` may be a local folder, too: all splits, kept apart; one by name; a configuration by name."""
    folder = tmp_path / "owner" / "name"
    folder.mkdir(parents=True)
    write(folder / "train.jsonl", questions(12))
    write(folder / "test.jsonl", questions()[12:])
    monkeypatch.chdir(tmp_path)
    _, made = run(tmp_path, "hf:owner/name")
    assert asked(made["test"]) == {row["question"] for row in questions()[12:]} and len(made["train"]) == 12
    manifest, made = run(tmp_path, "hf:owner/name:test", name="two", test_size=0)
    assert len(made["train"]) == 8 and manifest["inputs"] == {"hf:owner/name:test": {"rows": 8}}
    with pytest.raises(UserError, match="the hub does not give it"):
        run(tmp_path, "hf:owner/name:no_such_config:test", name="three")


def test_rows_of_the_mix_pass_every_check(tmp_path):
    protect = write(
        tmp_path / "eval.jsonl",
        [{"question": "Which nerve is compressed in the carpal tunnel of the wrist?", "answer": "Median."}],
    )
    talk = [
        ("Which nerve is compressed in the carpal tunnel of the wrist?", "The median nerve."),
        ("What is my tax number, please tell me?", "It is CPF 529.982.247-25, my dear."),
        (questions()[0]["question"], questions()[0]["answer"]),
        *((f"Write a line of verse on {d}, please.", f"O {d}, thou art  fair.") for d in DRUGS[:6]),
    ]
    general = [{"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]} for q, a in talk]
    options = {"mix": f"{write(tmp_path / 'general.jsonl', general)}:0.2", "eval_files": [protect], "personal_data": "mask"}
    manifest, made = run(tmp_path, write(tmp_path / "a.jsonl", questions()), test_size=0, near_duplicates="off", **options)
    mixed = [row for row in made["train"] if row["source"] == "general"]
    assert len(mixed) == 5 and len(made["train"]) == 25
    text = json.dumps(made["train"])
    assert "carpal" not in text and "529" not in text and "art  fair" not in text
    left = {row["kind"] for row in made["rejects"] if row["file"].endswith("general.jsonl")}
    assert left <= {"leak", "duplicate"} and manifest["counts"]["added: mixed in"] == 5 + len(made["rejects"])
    options["mix"] = f"{tmp_path / 'general.jsonl'}:0.29"  # needs 8 of 9, and two cannot be used
    with pytest.raises(UserError, match=r"mix: .* has 7 rows that can be used"):
        run(tmp_path, tmp_path / "a.jsonl", test_size=0, near_duplicates="off", name="two", **options)


def test_the_mix_trains_no_row_that_its_own_file_holds_out_and_no_label(tmp_path):
    data = write(tmp_path / "a.jsonl", questions())
    verses = [{"question": f"Write a line of verse on {d}, please.", "answer": f"O {d}, thou art fair."} for d in DRUGS[:12]]
    general = [row | {"split": ("train", "test")[i % 2]} for i, row in enumerate(verses)]
    general += [row | {"split": "test"} for row in questions(4)]
    options = {"test_size": 0.3, "near_duplicates": "off"}
    wanted = round(len(run(tmp_path, data, **options)[1]["train"]) / 3)
    _, made = run(tmp_path, data, mix=f"{write(tmp_path / 'general.jsonl', general)}:0.25", **options)
    mixed = asked([row for row in made["train"] if row["source"] == "general"])
    assert len(mixed) == wanted and mixed <= {row["question"] for row in verses[::2]}
    labels = [{"text": row["question"], "label": "verse"} for row in verses]
    with pytest.raises(UserError, match=r"mix: .* has 0 rows that can be used"):
        run(tmp_path, data, mix=f"{write(tmp_path / 'labels.jsonl', labels)}:0.1", name="labels", **options)


def test_every_row_of_a_test_file_protects_whatever_its_task(tmp_path, capsys):
    choice, open_row, label = questions(3)
    rows = [
        {"task": "mcq", "question": choice["question"], "options": {"A": "Pain.", "B": "Fever."}, "answer": "B"},
        {"task": "open", **open_row, "language": "en"},
        {"task": "classification", "text": label["question"], "labels": ["drug", "organ"], "label": "drug"},
    ]
    data = write(tmp_path / "a.jsonl", questions())
    for order in (rows, rows[::-1], [rows[1], rows[2], rows[0]]):
        options = {"eval_files": [write(tmp_path / "test.jsonl", order)], "near_duplicates": "off", "test_size": 0}
        manifest, made = run(tmp_path, data, **options)
        assert manifest["leaks"] == {"exact": 3}
        assert asked(made["train"]) == {row["question"] for row in questions()[3:]}
    assert "could not be read" not in capsys.readouterr().out
    foreign = [{"question": row["question"], "options": ["x", "y"], "answer": "B"} for row in questions(4)]
    foreign[0]["options"] = ["x"]
    run(tmp_path, data, eval_files=[write(tmp_path / "exam.jsonl", foreign)], near_duplicates="off")
    said = capsys.readouterr().out
    assert "protected: 3 evaluation rows" in said and "1 evaluation rows could not be read" in said
    assert "1 x no right answer: the key is not among the options" in said


def test_thinking_is_trained_or_left_out_and_counted(tmp_path):
    rows = [row | {"Complex_CoT": "Let me think."} for row in questions()]
    data = write(tmp_path / "a.jsonl", rows)
    manifest, made = run(tmp_path, data, test_size=0.3)
    assert manifest["thinking"] == {"left out": 20} and "think" not in json.dumps(made["train"] + made["test"])
    manifest, made = run(tmp_path, data, name="on", enable_thinking=True, test_size=0.3)
    assert manifest["thinking"] == {"trained": 20} and "think" not in json.dumps(made["test"])
    for row in made["train"]:
        assert row["conversations"][1]["value"].startswith("<think>\nLet me think.\n</think>\n\nFor what ")
    marked = [
        {"prompt": r["question"], "completion": f"<think>hm</think>{r['answer']}", "label": bool(i % 2)}
        for i, r in enumerate(rows)
    ]
    _, made = run(tmp_path, write(tmp_path / "b.jsonl", marked), name="feedback", test_size=0)
    assert all(row["completion"].startswith("For what") for row in made["train"])


def test_prompts_of_messages_reach_the_rows(tmp_path):
    prompt = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
    ]
    rows = [
        {"prompt": [*prompt, {"role": "user", "content": q["question"]}], "completion": q["answer"], "label": i % 2}
        for i, q in enumerate(questions())
    ]
    data = write(tmp_path / "a.jsonl", rows)
    _, made = run(tmp_path, data, test_size=0)
    assert {json.dumps(row["prompt"]) for row in made["train"]} == {json.dumps(row["prompt"]) for row in rows}
    _, made = run(tmp_path, data, name="sft", task="sft", test_size=0.3)
    assert all([t["from"] for t in row["conversations"]] == ["system", "human", "gpt", "human", "gpt"] for row in made["train"])


@pytest.mark.parametrize("own", [True, False])
def test_a_system_turn_is_trained_and_measured_with_as_one(tmp_path, own):
    """Of a conversation, too: it is no part of the question, and --system is for every row that has none."""
    before = [{"from": "system", "value": "Be brief."}] if own else []
    rows = [
        {"conversations": [*before, {"from": "human", "value": row["question"]}, {"from": "gpt", "value": row["answer"]}]}
        for row in questions()
    ]
    options = {} if own else {"system": "Be brief."}
    _, made = run(tmp_path, write(tmp_path / "a.jsonl", rows), test_size=0.5, **options)
    for row in made["train"] + made["test"]:
        assert [t["from"] for t in row["conversations"]] == ["system", "human", "gpt"]
    assert {row["system"] for row in made["test"]} == {"Be brief."}
    assert asked(made["test"]) < {row["question"] for row in questions()} and made["train"]


def test_system_reaches_pairs_and_feedback(tmp_path):
    system, rows = {"role": "system", "content": "Be brief."}, questions()
    marked = [{"prompt": r["question"], "completion": r["answer"], "label": i % 2} for i, r in enumerate(rows)]
    graded = [{"question": r["question"], "answer": f"{r['answer']} {n}", "score": n} for r in rows for n in (0, 1)]
    exam = [{"question": r["question"], "options": ["x", r["answer"]], "answer": "B"} for r in rows]
    for name, data, task in (
        ("b", marked, "auto"),
        ("g", graded, "preference"),
        ("e", exam, "preference"),
        ("f", exam, "feedback"),
    ):
        path = write(tmp_path / f"{name}.jsonl", data)
        options = {"task": task, "test_size": 0, "near_duplicates": "off"} | ({"shape": "graded"} if name == "g" else {})
        _, made = run(tmp_path, path, name=name, system="Be brief.", **options)
        assert made["train"] and all(row["prompt"][0] == system and len(row["prompt"]) == 2 for row in made["train"])
        _, plain = run(tmp_path, path, name=name, **options)
        assert [row["prompt"][1]["content"] for row in made["train"]] == [row["prompt"] for row in plain["train"]]


def test_ids_are_unique_however_long_a_name_is(tmp_path):
    data = write(tmp_path / f"{'a' * 83}.jsonl", questions())
    _, made = run(tmp_path, data, test_size=0)
    assert len({row["id"] for row in made["train"]}) == 20


def test_half_characters_are_rejects_and_files_of_others_stay(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".mine.tmp").write_text("x")
    (tmp_path / "out" / ".prepare-rows.tmp").write_text("left by a kill")
    lines = [json.dumps(row) for row in questions()] + ['{"question": "a?", "answer": "x\\ud800"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    manifest, made = run(tmp_path, tmp_path / "a.jsonl", html_report=True)
    assert manifest["counts"]["rejected"] == 1 and "half of a character" in made["rejects"][0]["reason"]
    assert made["rejects"][0]["row"]["answer"] == "x\ud800"
    assert {p.name for p in (tmp_path / "out").iterdir() if p.name.startswith(".")} == {".mine.tmp"}


def test_bad_lines_stand_in_the_rejects(tmp_path):
    data = tmp_path / "a.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in questions()) + "{oops\n")
    manifest, made = run(tmp_path, data)
    [bad] = made["rejects"]
    assert (bad["line"], bad["row"]) == (21, {"_line": "{oops\n"}) and "not JSON" in bad["reason"]
    assert manifest["counts"]["rows read"] == 21


def test_languages_are_told_row_by_row(tmp_path):
    told = {
        "pt": "Qual é a dose máxima diária de paracetamol em adultos saudáveis?",
        "es": "¿Cuál es la dosis máxima diaria de paracetamol en los adultos sanos?",
        "en": "What is the maximum daily dose of paracetamol in healthy adults?",
        "de": "Wie hoch ist die maximale Tagesdosis von Paracetamol bei gesunden Erwachsenen?",
    }
    rows = [{"question": text, "options": [f"{n} g", "4 g", "9 g"], "answer": "B"} for n, text in enumerate(told.values())]
    _, made = run(tmp_path, write(tmp_path / "a.jsonl", rows), test_size=1, near_duplicates="off")
    assert {row["language"]: row["question"] for row in made["test"]} == told
    spoken = {row["language"]: row.get("instruction", "") for row in made["test"]}
    assert not spoken["pt"] and not spoken["en"] and all(spoken[name].endswith("only.") for name in ("es", "de"))
    named = [row | {"idioma": "Portuguese"} for row in rows[:2]] + [row | {"idioma": "pt-BR"} for row in rows[2:]]
    _, made = run(tmp_path, write(tmp_path / "b.jsonl", named), test_size=1, near_duplicates="off", name="named")
    assert {row["language"] for row in made["test"]} == {"pt"}


def test_inspect_writes_a_reading_that_can_be_mended(tmp_path, monkeypatch):
    rows = [row | {"nota": 5 - i % 5} for i, row in enumerate(questions())]
    data = write(tmp_path / "a.jsonl", [row | {"tema": "farmacologia"} for row in questions()])
    monkeypatch.chdir(tmp_path)
    from data_prep import prepare as script

    script.inspect(Args(inputs=[data]))
    text = (tmp_path / "reading.yaml").read_text()
    assert "shape: qa" in text and "topic: tema" in text
    mended = text.replace("shape: qa", "shape: text").replace("question: question\n    answer: answer", "text: answer")
    (tmp_path / "mended.yaml").write_text(mended)
    manifest, made = run(tmp_path, data, reading=str(tmp_path / "mended.yaml"))
    assert manifest["task"] == "text" and made["train"][0]["text"].startswith("For what")
    (tmp_path / "wrong.yaml").write_text(
        mended.replace("topic:", "topics:").replace("ignore:", "ignored:").replace("shape: text", "shape: txt")
    )
    with pytest.raises(UserError) as error:
        run(tmp_path, data, reading=str(tmp_path / "wrong.yaml"))
    for words in ("topics is not one of", "unknown key 'ignored'", "'txt' is not one of"):
        assert words in str(error.value)
    (tmp_path / "kinds.yaml").write_text(f"{data}:\n  fields: [question]\n  roles: human\n  ignore: tema\n  good_score: '3'\n")
    with pytest.raises(UserError) as error:
        run(tmp_path, data, reading=str(tmp_path / "kinds.yaml"))
    assert [problem.split(": ")[2] for problem in error.value.problems] == ["fields", "roles", "ignore", "good_score"]
    (tmp_path / "marks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "marks.yaml").write_text(
        f"{tmp_path}/marks.jsonl:\n  shape: graded\n  fields: {{question: question, completion: answer, score: nota}}\n  good_score: 4\n"
    )
    _, made = run(tmp_path, tmp_path / "marks.jsonl", reading=str(tmp_path / "marks.yaml"), name="marks", test_size=0)
    assert sum(row["label"] for row in made["train"]) == 8


def test_inspect_as_a_user_runs_it(tmp_path):
    data = write(tmp_path / "a.jsonl", questions())
    import os
    import subprocess
    import sys

    from conftest import ROOT

    command = [sys.executable, str(ROOT / "data_prep/prepare.py"), "--inspect", data]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "because" in done.stdout and done.stdout.count('"task": "open"') == 3 and (tmp_path / "reading.yaml").exists()
    assert not (tmp_path / "data").exists()
    assert "--reading" in done.stdout


def test_the_page_shows_how_files_were_read_and_hides_personal_data(tmp_path):
    rows = [*questions(), {"question": "Who is it, then?", "answer": "It is  CPF 529.982.247-25, they say."}]
    data = write(tmp_path / "a.jsonl", [row | {"extra_note": "x", "year": 2020} for row in rows])
    run(tmp_path, data, personal_data="mask", html_report=True)
    page, report = ((tmp_path / "out" / f"report.{kind}").read_text() for kind in ("html", "json"))
    assert "How the files were read" in page and "extra_note" in page and "year" in page
    assert "529.982" not in page and "529.982" not in report and "[CPF]" in page
    assert "529.982" in (tmp_path / "out/rejects.jsonl").read_text() or "not masked there" in page
    run(tmp_path, data, html_report=False)
    assert not (tmp_path / "out/report.html").exists(), "the page of an earlier run stands beside other rows"


def test_a_record_whose_list_is_empty_is_a_reject(tmp_path):
    rows = [{"title": f"Of {row['question']}", "questions": [row]} for row in questions()]
    rows[3]["questions"] = []
    manifest, made = run(tmp_path, write(tmp_path / "a.jsonl", rows), test_size=0)
    assert manifest["counts"]["rows read"] == 20 and len(made["train"]) == 19
    [left] = made["rejects"]
    assert (left["line"], left["reason"], left["row"]) == (4, "no question", rows[3])


def test_a_script_says_what_it_asks(tmp_path):
    data = write(tmp_path / "a.jsonl", [row | {"label_ok": i % 2} for i, row in enumerate(questions())])
    said = run_script("data_prep/prepare.py", data, "--output_dir", tmp_path / "out", code=2).stderr
    assert "would go unused" in said and "ignore: [label_ok]" in said and not (tmp_path / "out").exists()


def test_columns_that_come_late_are_listed_and_marks_among_them_are_rejects(tmp_path):
    rows = [{"question": f"What is case number {i} about, in words?", "answer": f"Of {i} things."} for i in range(600)]
    rows[550]["nota_extra"], rows[560]["year"] = 0, 2020
    manifest, made = run(tmp_path, write(tmp_path / "a.jsonl", rows), near_duplicates="off")
    [reading] = manifest["readings"].values()
    assert reading["late"] == {"nota_extra": 1, "year": 1} and manifest["counts"]["rejected"] == 1
    assert made["rejects"][0]["reason"].endswith("and that may matter: 'nota_extra'")
