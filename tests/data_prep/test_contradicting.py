"""The same text with two answers: nobody here knows which is right, so that neither is trained on or scored."""

import json

import pytest

from data_prep.pipeline.options import Args
from data_prep.prepare import prepare

OPTIONS = {"A": "Aspirina", "B": "Heparina", "C": "Insulina"}


def exam(i, key="A"):
    question = f"Qual fármaco se dá primeiro ao paciente {i} com a doença de número {i * i}?"
    return {"question": question, "options": OPTIONS, "answer": key}


def letter(i, label):
    return {"text": f"A patient wrote letter {i} about an illness that has the number {i * i}.", "label": label}


def run(tmp_path, rows, **options):
    (tmp_path / "raw.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    manifest = prepare(Args(inputs=[str(tmp_path / "raw.jsonl")], output_dir=str(out), near_duplicates="off", **options))
    names = ("train", "validation", "test", "rejects")
    lines = {
        n: [json.loads(line) for line in (out / f"{n}.jsonl").read_text().splitlines()]
        for n in names
        if (out / f"{n}.jsonl").exists()
    }
    return manifest["counts"], lines


EXAM = [exam(i) for i in range(12)] + [exam(3), exam(5, "B"), exam(5, "C"), exam(5)]
LABELS = [letter(i, "heart" if i % 2 else "lung") for i in range(12)]
LABELS += [letter(3, "heart"), letter(5, "lung"), letter(5, "skin"), letter(5, "heart")]


@pytest.mark.parametrize("rows, text", [(EXAM, "paciente {} com"), (LABELS, "letter {} about")], ids=["exam", "labels"])
def test_a_text_with_two_answers_leaves_with_all_of_them(tmp_path, rows, text):
    counts, lines = run(tmp_path, rows, test_size=0)
    assert (counts["rows read"], counts["train"], counts["duplicate"], counts["contradicting"]) == (16, 11, 2, 3)
    left = json.dumps(lines["train"])
    assert text.format(5) not in left and text.format(3) in left
    told = {row["line"]: row["reason"] for row in lines["rejects"] if row["kind"] == "contradicting"}
    assert set(told) == {6, 14, 15} and all("WITH ANOTHER ANSWER" in why for why in told.values())
    assert told[6].split(",")[0].endswith("raw.jsonl:14") and told[14].split(",")[0].endswith("raw.jsonl:6")


def test_another_answer_in_a_split_to_measure_with_is_not_scored(tmp_path):
    rows = [exam(i) | {"split": "train"} for i in range(12)] + [
        exam(i + 8, "A" if i else "B") | {"split": "test"} for i in range(8)
    ]
    counts, lines = run(tmp_path, rows, test_size=0.3)
    assert (counts["contradicting"], counts["duplicate"], counts["train"], counts["test"]) == (2, 3, 8, 7)
    assert "paciente 8 com" not in json.dumps(lines["train"] + lines["test"])


def test_marks_of_two_people_contradict_each_other_where_one_is_good_and_one_is_not(tmp_path):
    def graded(i, mark):
        return {
            "question": f"What helps against illness {i * i} of list {i}?",
            "response": f"Rest, and drug {i}.",
            "rating": mark,
        }

    rows = [graded(i, 1 + i % 5) for i in range(20)] + [graded(3, 5), graded(4, 1)]
    counts, _ = run(tmp_path, rows, test_size=0, task="feedback", shape="graded", good_score=3)
    assert (counts["duplicate"], counts["contradicting"], counts["train"]) == (1, 2, 19)


def test_a_pair_and_its_opposite_leave_together(tmp_path):
    def pair(i, swapped=False):
        sides = (f"Rest, and drug {i}.", f"Nothing helps against illness {i}.")
        chosen, rejected = sides[::-1] if swapped else sides
        return {"prompt": f"What helps against illness {i * i} of list {i}?", "chosen": chosen, "rejected": rejected}

    counts, lines = run(tmp_path, [pair(i) for i in range(12)] + [pair(5, True), pair(3)], test_size=0)
    assert (counts["contradicting"], counts["duplicate"], counts["train"]) == (2, 1, 11)
    assert all(row["chosen"].startswith("Rest") for row in lines["train"]) and "illness 25 of" not in json.dumps(lines["train"])


def test_options_and_sides_that_cleaning_makes_the_same_are_rejects(tmp_path):
    rows = [exam(i) for i in range(12)]
    rows[4] = rows[4] | {"options": {"A": "Aspirina  já", "B": "Aspirina já", "C": "Insulina"}}
    counts, lines = run(tmp_path, rows, test_size=1)
    assert counts["test"] == 11 and [r["reason"] for r in lines["rejects"]] == ["two options are the same after cleaning"]
    pairs = [{"prompt": f"What of illness {i * i}?", "chosen": f"Rest {i}.", "rejected": f"Run {i}."} for i in range(12)]
    pairs[4]["rejected"] = pairs[4]["chosen"].replace(" ", "  ")
    counts, lines = run(tmp_path, pairs, test_size=0)
    assert counts["train"] == 11 and [r["reason"] for r in lines["rejects"]] == [
        "chosen and rejected are the same after cleaning"
    ]
