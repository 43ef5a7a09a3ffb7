"""Votes as training rows: preference rows for reward.py and dpo.py, feedback rows for kto.py, and single votes for a judge.

Raters who disagree: the majority decides, and what it leaves undecided is left out and counted. Weights as in InstructGPT
(Ouyang et al. 2022, arXiv 2203.02155, eq. 1): each of the K(K-1)/2 pairs of one question weighs one over their number, so a
question counts once however many answers were ranked.
"""

import collections
from typing import NamedTuple

from annotation.modes import Outcome
from annotation.results import Material


class Rows(NamedTuple):
    """Rows to write, and what was left out: reason -> how many."""

    rows: list[dict]
    left_out: dict[str, int]


def prompt_of(messages: list[dict]):
    """A single user turn as text, as data_prep writes it; else the messages."""
    return messages[0]["content"] if len(messages) == 1 and messages[0]["role"] == "user" else messages


def preference_rows(material: Material, questions: dict[str, list[dict]]) -> Rows:
    """{"id", "prompt", "chosen", "rejected", "weight", "votes", "votes_against", "raters", "source"}, by question."""
    by_pair: dict[tuple[int, int], list[Outcome]] = collections.defaultdict(list)
    for outcome in material.outcomes:
        by_pair[outcome.first, outcome.second].append(outcome)
    left_out, decided = collections.Counter(), []
    for (a, b), outcomes in sorted(by_pair.items()):
        balance = sum(o.score - 0.5 for o in outcomes)
        chosen, rejected = (a, b) if balance > 0 else (b, a)
        texts = [material.answers[i].text for i in (chosen, rejected)]
        if balance == 0:
            left_out["tie" if all(o.score == 0.5 for o in outcomes) else "raters disagree"] += 1
        elif not all(text.strip() for text in texts):
            left_out["an empty answer"] += 1
        else:
            agreeing = [o for o in outcomes if (o.score > 0.5) == (balance > 0) and o.score != 0.5]
            against = len([o for o in outcomes if o.score != 0.5]) - len(agreeing)
            decided.append((outcomes[0].question, chosen, rejected, len(agreeing), against, len(outcomes)))
    per_question = collections.Counter(question for question, *_ in decided)
    rows = [
        {
            "id": f"{question}-{chosen}-{rejected}",
            "prompt": prompt_of(questions[question]),
            "chosen": material.answers[chosen].text,
            "rejected": material.answers[rejected].text,
            "weight": round(1 / per_question[question], 6),
            "votes": agreeing,
            "votes_against": against,
            "raters": raters,
            "source": "votes",
        }
        for question, chosen, rejected, agreeing, against, raters in decided
    ]
    return Rows(rows, dict(left_out))


def feedback_rows(material: Material, questions: dict[str, list[dict]], good: float, bad: float) -> Rows:
    """{"id", "prompt", "completion", "label", "votes", "votes_against", "source"}, an answer a row.

    thumbs: as voted. pairs: preferred or both good is good, the other or both bad is bad. rank: the best rank is good, the
    worst bad, what lies between is left out. rubric: a mean of the criteria from `good` on is good, up to `bad` is bad.
    """
    opinions: dict[int, list[bool]] = collections.defaultdict(list)
    left_out = collections.Counter()
    for answer, opinion in _opinions(material, good, bad):
        if opinion is not None:
            opinions[answer].append(opinion)
        else:
            left_out["neither good nor bad"] += 1
    rows = []
    for answer, said in sorted(opinions.items()):
        row = material.answers[answer]
        if 2 * sum(said) == len(said):
            left_out["raters disagree"] += 1
        elif not row.text.strip():
            left_out["an empty answer"] += 1
        else:
            label = 2 * sum(said) > len(said)
            rows.append(
                {
                    "id": f"{row.question}-{answer}",
                    "prompt": prompt_of(questions[row.question]),
                    "completion": row.text,
                    "label": label,
                    "votes": said.count(label),
                    "votes_against": said.count(not label),
                    "source": "votes",
                }
            )
    return Rows(rows, dict(left_out))


def _opinions(material: Material, good: float, bad: float):
    """(answer, whether it is good or None) of every vote."""
    for vote in material.votes:
        value = vote.value
        if "good" in value:
            yield vote.shown[0], value["good"]
        elif "scores" in value:
            mean = sum(value["scores"].values()) / len(value["scores"])
            yield vote.shown[0], True if mean >= good else False if mean <= bad else None
        elif "tie" in value:
            yield from ((answer, value["tie"] == "good") for answer in vote.shown)
        elif "preferred" in value:
            yield from ((answer, answer == value["preferred"]) for answer in vote.shown)
        elif "ranks" in value:
            worst = max(value["ranks"].values())
            for answer in vote.shown:
                rank = value["ranks"][str(answer)]
                yield answer, None if worst == 1 or 1 < rank < worst else rank == 1


def vote_rows(material: Material) -> list[dict]:
    """Every verdict with its text, to hold a model judge against: no names, raters by number, as in result.json."""
    rows = [
        {
            "question": o.question,
            "rater": o.rater,
            "first": material.answers[o.first].text,
            "second": material.answers[o.second].text,
            "first_systems": material.answers[o.first].systems,
            "second_systems": material.answers[o.second].systems,
            "score": o.score,
            "tie": o.tie or None,
        }
        for o in material.outcomes
    ]
    return rows + [
        {
            "question": m.question,
            "rater": m.rater,
            "answer": material.answers[m.answer].text,
            "systems": material.answers[m.answer].systems,
            "criterion": m.criterion,
            "value": m.value,
        }
        for m in material.marks
    ]
