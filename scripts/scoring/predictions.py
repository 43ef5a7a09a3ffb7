"""A line of predictions.jsonl and of baselines.jsonl, with named fields; a field that does not apply is not written."""

import collections
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.files import read_rows
from common.stored import Stored, why
from pydantic import ValidationError


class Turned(Stored):
    """What was answered with the options moved on; positions from 0, null where the answer is invalid."""

    answer: str | None
    position: int | None
    gold_position: int


class Prediction(Stored):
    """What a model made of one row. `prediction` is null where no valid answer was read."""

    id: Any
    prediction: str | None = None
    gold: str | None = None
    correct: bool = False
    options: list[str] = []
    topic: Any = None
    source: Any = None
    case: Any = None
    origin: Any = None
    exam: Any = None
    number: Any = None
    year: Any = None
    difficulty: Any = None
    too_long: bool = False
    """the prompt did not fit, so nothing was asked"""
    scores: dict[str, float] | None = None
    """log-likelihood of each option"""
    option_mass: float | None = None
    """probability that falls on the options at all"""
    output: str | None = None
    finished: bool | None = None
    """whether a written answer ended by itself; null where none was written"""
    outputs: list[str] = []
    rotations: list[Turned] = []
    sample_answers: list[str | None] = []
    rouge_l: float | None = None
    judged: float | None = None
    """the judge's mark, 0 to 1; 0 where it could not be read"""
    judge_read: bool | None = None
    judge_details: list[Any] = []
    tokens: int | None = None
    bytes: int | None = None
    nats: float | None = None
    prompt: str = ""

    def json_line(self) -> str:
        return json.dumps(self.as_json(), ensure_ascii=False) + "\n"

    @property
    def is_tied(self) -> bool:
        """Whether several options share the highest score, as options of one text do, or several answers came equally often."""
        given = self.sample_answers or [turn.answer for turn in self.rotations]
        weights = self.scores or collections.Counter(answer for answer in given if answer is not None)
        return bool(weights) and list(weights.values()).count(max(weights.values())) > 1


class BaselinePrediction(Prediction):
    """What a simple rule (`baseline`) answered."""

    baseline: str


def read_predictions(path: Path, needs: Sequence[str] = (), kind: type[Prediction] = Prediction) -> list[Prediction]:
    """Rows of predictions.jsonl or baselines.jsonl. UserError names file and line, also of a row without one of `needs`."""
    found = []

    def check(row: dict) -> list[str]:
        lacking = [f"lacks {name}" for name in needs if row.get(name) is None and (name != "prediction" or name not in row)]
        try:
            found.append(kind.model_validate(row, strict=True, extra="ignore"))
        except ValidationError as error:
            return lacking or [f"is damaged, or was written by another version ({why(error)})"]
        return lacking

    read_rows(path, check)
    return found
