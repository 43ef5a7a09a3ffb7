"""Scored rows that stand in the training rows: what was trained on them is not measured by them. Used by evaluate.py."""

from common.files import read_rows
from scoring import tasks

SHORTEST = 40  # characters of a question that is known again without its options: "Which is true?" is many questions


def ids_in(rows: list[dict], train_data: str) -> list:
    """Ids of the rows whose question, with its options in any order, stands in the training rows."""
    said: dict[str, list[str]] = {}
    for row in read_rows(train_data):
        turns = tasks.example_of(row)
        if turns is not None:
            text = turns[0]["content"]
            for key in {tasks.normalised(text), tasks.normalised(text.split("\n\n")[0])}:
                said.setdefault(key, []).append(tasks.normalised(text))
    return [row["id"] for row in rows if tasks.task_of(row) in tasks.ANSWERS and stands(row, said)]


def stands(row: dict, said: dict[str, list[str]]) -> bool:
    """Whether a training row asks this; `said`: texts of training questions by themselves and by their first paragraph."""
    if tasks.normalised(tasks.user_text(row)) in said:
        return True
    stem = tasks.normalised(row.get("question") or row.get("text") or "")
    options = [tasks.normalised(text) for text in tasks.options_of(row).values()]
    return any(
        all(option in text for option in options) if text != stem else len(stem) >= SHORTEST for text in said.get(stem, ())
    )
