"""Scored rows that stand in the training rows are told, whatever their options' order, and others are not taken for them."""

import json

import pytest
from scoring import asking, tasks, trained_on

LONG = "Which drug is given first to an adult in anaphylactic shock?"
EXAM = {"id": "e1", "question": LONG, "options": {"A": "adrenaline", "B": "hydrocortisone"}, "answer": "A"}
SHORT = {"id": "e2", "question": "Which is true?", "options": {"A": "adrenaline", "B": "hydrocortisone"}, "answer": "B"}


def said(question: str, answer: str = "x") -> dict:
    return {"id": "t", "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]}


@pytest.mark.parametrize(
    ("row", "training", "found"),
    [
        (EXAM, said(tasks.user_text(EXAM)), True),
        (EXAM, said(tasks.user_text(EXAM).upper()), True),
        (EXAM, {**EXAM, "id": "t", "options": {"A": "hydrocortisone", "B": "adrenaline"}, "answer": "B"}, True),
        (EXAM, said(LONG, "Adrenaline."), True),  # taught as a question with an answer
        (EXAM, {**EXAM, "id": "t", "options": {"A": "water", "B": "salt"}}, False),  # another question of the same stem
        (EXAM, said("Which drug is given first to a child in shock?"), False),
        (SHORT, said("Which is true?"), False),  # many questions are called so
        (SHORT, said(tasks.user_text(SHORT)), True),
        ({"id": "e1", "text": "Rash of the arm", "labels": ["Skin", "Bone"], "label": "Skin"}, said("Rash of the leg"), False),
    ],
)
def test_a_question_is_known_again(tmp_path, row, training, found):
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(training) + "\n" + json.dumps(said("Something else?")) + "\n")
    assert trained_on.ids_in([row], str(path)) == ([row["id"]] if found else [])


def test_it_is_said_before_a_model_is_loaded(tmp_path, capsys):
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(said(tasks.user_text(EXAM))) + "\n")

    class Args:
        train_data = str(path)

    assert asking.trained_on_of(Args, [EXAM, SHORT]) == ["e1"]
    assert "note: 1 of 2 scored rows stand in" in capsys.readouterr().out
    Args.train_data = None
    assert asking.trained_on_of(Args, [EXAM]) is None
