"""The four modes: what a form's fields mean, and which answer a vote prefers to which.

A vote's value is one of
  {"skipped": true}                                   any mode: the rater would not judge
  {"preferred": answer id} or {"tie": "good" | "bad"} pairs
  {"ranks": {"answer id": rank}}                      rank; 1 is best, equal ranks are ties, no rank is left out
  {"good": true | false}                              thumbs
  {"scores": {"criterion": 1 to scale}, "remark": ""} rubric
"""

import itertools
import re
from pathlib import Path
from typing import NamedTuple

from annotation.store import Task, Vote
from common.errors import UserError

from data_prep.common.once import load_yaml

MODES = ("pairs", "rank", "thumbs", "rubric")
MAX_REMARK = 4000  # characters


class BadVote(ValueError):
    """A form that is no vote: a field missing or out of bounds. The message is a key of annotation/words.py."""


class Criterion(NamedTuple):
    name: str
    en: str
    pt: str


class Rubric(NamedTuple):
    criteria: list[Criterion]
    scale: int


class Outcome(NamedTuple):
    """One answer against another by one rater: 1 the first is better, 0.5 a tie, 0 the second.

    `tie` says "good", "bad" or "" (equal ranks or marks); `together` is how many comparisons the same vote holds.
    """

    rater: int
    question: str
    shared: bool
    first: int
    second: int
    score: float
    tie: str
    together: int


class Mark(NamedTuple):
    """One answer judged by itself: `value` by `criterion` ("good" in thumbs, 0 or 1; else a criterion's name)."""

    rater: int
    question: str
    shared: bool
    answer: int
    criterion: str
    value: float


def read_rubric(path: str | Path) -> Rubric:
    """Criteria of a YAML file; UserError names every entry that is wrong."""
    import yaml

    try:
        content = load_yaml(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"rubric: {path}: cannot be read: {' '.join(str(error).split())}") from None
    entries = content.get("criteria") if isinstance(content, dict) else None
    scale = content.get("scale", 5) if isinstance(content, dict) else 5
    if not isinstance(entries, list) or not entries or set(content) - {"criteria", "scale"}:
        raise UserError(f"rubric: {path}: must hold `criteria`, a list, and may hold `scale`; see scripts/annotation/rubric.yaml")
    problems = [] if isinstance(scale, int) and 2 <= scale <= 9 else [f"{path}: scale: {scale!r} is not 2 to 9 (one key each)"]
    criteria = []
    for number, entry in enumerate(entries, 1):
        name = entry.get("name") if isinstance(entry, dict) else None
        words = [entry.get(key) for key in ("en", "pt")] if isinstance(entry, dict) else []
        if not isinstance(name, str) or not re.fullmatch(r"\w{1,40}", name) or name in [c.name for c in criteria]:
            problems.append(f"{path}: criterion {number}: needs a `name` of its own, of letters, digits and _")
        elif not any(words) or any(w is not None and not isinstance(w, str) for w in words) or set(entry) - {"name", "en", "pt"}:
            problems.append(f"{path}: criterion {name}: needs `en`, `pt` or both, as text, and nothing else")
        else:
            criteria.append(Criterion(name, words[0] or words[1], words[1] or words[0]))
    if problems:
        raise UserError(problems)
    return Rubric(criteria, scale)


# ---------------------------------------------------------------------------------------------- from a form


def value_of(form: dict[str, str], mode: str, task: Task, rubric: Rubric) -> dict:
    """A form's fields as a vote's value; answers are named by their place on the page. Raises BadVote."""
    choice = form.get("choice", "")
    if choice == "skip":
        return {"skipped": True}
    if mode == "pairs":
        if choice in ("both_good", "both_bad"):
            return {"tie": choice.removeprefix("both_")}
        if choice not in ("1", "2"):
            raise BadVote("choose")
        return {"preferred": task.answers[int(choice) - 1][0]}
    if mode == "thumbs":
        if choice not in ("good", "bad"):
            raise BadVote("choose")
        return {"good": choice == "good"}
    if mode == "rank":
        size = len(task.answers)
        given = [_number(form.get(f"rank_{place}"), size) for place in range(1, size + 1)]
        dense = {rank: number for number, rank in enumerate(sorted(set(given)), 1)}
        return {"ranks": {str(i): dense[rank] for (i, _), rank in zip(task.answers, given, strict=True)}}
    scores = {c.name: _number(form.get(f"score_{c.name}"), rubric.scale) for c in rubric.criteria}
    remark = form.get("remark", "").strip()
    if len(remark) > MAX_REMARK:
        raise BadVote("too_long")
    return {"scores": scores, "remark": remark}


def _number(text: str | None, most: int) -> int:
    if text is None or not re.fullmatch(r"[0-9]", text) or not 1 <= int(text) <= most:
        raise BadVote("choose_all")
    return int(text)


# ---------------------------------------------------------------------------------------------- out of the file


def is_value(value, mode: str, shown: list[int]) -> bool:
    """Whether a vote's value is one that the mode's form makes of these answers; another would count for some answer as well."""
    if not isinstance(value, dict):
        return False
    if value == {"skipped": True}:
        return True
    if mode == "pairs":
        ways = [{"tie": "good"}, {"tie": "bad"}, *({"preferred": i} for i in shown)]
        return value in ways
    if mode == "thumbs":
        return set(value) == {"good"} and isinstance(value["good"], bool)
    marks = value.get("ranks" if mode == "rank" else "scores")
    if set(value) - {"ranks", "scores", "remark"} or not isinstance(marks, dict) or not marks:
        return False
    whole = all(isinstance(mark, int) and not isinstance(mark, bool) and 1 <= mark <= 9 for mark in marks.values())
    return whole and (mode == "rubric" or set(marks) == {str(i) for i in shown})


def check_votes(votes: list[Vote], mode: str, path: Path) -> None:
    """UserError where a vote is none of this mode's: the file was edited, or is of another version."""
    if wrong := [vote for vote in votes if not is_value(vote.value, mode, vote.shown)]:
        first = wrong[0]
        raise UserError(
            f"{path}: {len(wrong)} of {len(votes)} votes are none of mode {mode}, first that of rater {first.rater} on question "
            f"{first.question}: {str(first.value)[:80]}; was the file edited? Take the last whole copy"
        )


# ---------------------------------------------------------------------------------------------- to comparisons


def marks_of(votes: list[Vote]) -> list[Mark]:
    """Judgements of single answers (thumbs, rubric)."""
    found = []
    for vote in votes:
        values = vote.value.get("scores") or ({"good": float(vote.value["good"])} if "good" in vote.value else {})
        found += [Mark(vote.rater, vote.question, vote.shared, vote.shown[0], name, float(v)) for name, v in values.items()]
    return found


def outcomes_of(votes: list[Vote], mode: str) -> list[Outcome]:
    """Comparisons that the votes hold: one a pair, all pairs of a ranking, marks by one rater on one question."""
    if mode in ("pairs", "rank"):
        return [outcome for vote in votes if not vote.value.get("skipped") for outcome in _compared(vote)]
    means: dict[tuple[int, str, bool], dict[int, list[float]]] = {}
    for mark in marks_of(votes):
        means.setdefault((mark.rater, mark.question, mark.shared), {}).setdefault(mark.answer, []).append(mark.value)
    found = []
    for (rater, question, shared), values in means.items():
        mean = {answer: sum(v) / len(v) for answer, v in values.items()}
        pairs = list(itertools.combinations(sorted(mean), 2))
        for a, b in pairs:
            found.append(Outcome(rater, question, shared, a, b, _score(mean[a] - mean[b]), "", len(pairs)))
    return found


def _compared(vote: Vote) -> list[Outcome]:
    head = (vote.rater, vote.question, vote.shared)
    if "ranks" in vote.value:
        ranks = {int(i): rank for i, rank in vote.value["ranks"].items()}
        pairs = list(itertools.combinations(sorted(ranks), 2))
        return [Outcome(*head, a, b, _score(ranks[b] - ranks[a]), "", len(pairs)) for a, b in pairs]
    a, b = sorted(vote.shown)
    if "tie" in vote.value:
        return [Outcome(*head, a, b, 0.5, vote.value["tie"], 1)]
    return [Outcome(*head, a, b, float(vote.value["preferred"] == a), "", 1)]


def _score(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)
