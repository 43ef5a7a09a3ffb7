"""What the votes say: win rates, strengths, agreement, what position and length did. The fields of result.json: verdicts.py."""

import collections
import itertools
import random
from typing import NamedTuple

from annotation.agreement import alpha, bradley_terry, clustered_variance, half_width, win_rate
from annotation.modes import Mark, Outcome, check_votes, marks_of, outcomes_of
from annotation.store import AnswerRow, Store, Vote
from annotation.verdicts import Agreement, Compared, Length, MeanMark, Position, Preferred, RaterRow, System, Verdict
from scoring.pairing import Settings
from scoring.statistics import Interval, holm

RESAMPLES = 1000
ALPHA = Settings.alpha


class Material(NamedTuple):
    """Everything that was voted, read once."""

    mode: str
    votes: list[Vote]
    outcomes: list[Outcome]
    marks: list[Mark]
    answers: dict[int, AnswerRow]
    counts: list[tuple[str, int, int]]


class Duel(NamedTuple):
    """One vote's verdict on two systems: score 1, 0.5, 0 for `to`; difference of lengths in characters (to - from)."""

    rater: int
    question: str
    score: float
    tie: str
    longer: int


def read(store: Store) -> Material:
    mode, votes = store.settings()["mode"], store.votes()
    check_votes(votes, mode, store.path)
    return Material(mode, votes, outcomes_of(votes, mode), marks_of(votes), store.answers(), store.counts())


def result(material: Material) -> Verdict:
    """All that the votes say."""
    voted = [v for v in material.votes if not v.value.get("skipped")]
    raters = sorted({v.rater for v in voted})
    systems = sorted({name for answer in material.answers.values() for name in answer.systems})
    comparisons = [compared(material, a, b) for a, b in itertools.combinations(systems, 2)]
    found = Verdict(
        kind="human_votes",
        schema_=1,
        mode=material.mode,
        words=[],
        n_raters=len(raters),
        n_votes=len(voted),
        n_skipped=len(material.votes) - len(voted),
        n_mended=sum(v.mended > 0 for v in material.votes),
        n_questions=len({v.question for v in voted}),
        n_shared_questions=len({v.question for v in voted if v.shared}),
        one_rater=len(raters) == 1,
        systems=systems_of(material, systems),
        comparisons=read_together([c for c in comparisons if c.n_votes]),
        agreement=agreement(material),
        position=Position(first_shown_preferred=first_shown(voted)),
        length=Length(longer_preferred=longer(material)),
        raters=[
            RaterRow(
                rater=number,
                votes=done,
                given=given,
                first_shown_preferred=first_shown([v for v in voted if v.rater == number]).share,
            )
            for number, (_, done, given) in enumerate(material.counts, 1)
        ],
    )
    return found.model_copy(update={"words": words_of(found)})


# ---------------------------------------------------------------------------------------------- two systems


def duels(material: Material, first: str, second: str) -> list[Duel]:
    """All verdicts between answers of two systems; an answer that both wrote says nothing between them."""
    found = []
    for o in material.outcomes:
        a, b = material.answers[o.first], material.answers[o.second]
        for x, y, score in ((a, b, 1 - o.score), (b, a, o.score)):
            if first in x.systems and second in y.systems and not (first in y.systems and second in x.systems):
                found.append(Duel(o.rater, o.question, score, o.tie, len(y.text) - len(x.text)))
    return found


def compared(material: Material, first: str, second: str) -> Compared:
    """How often the second is preferred to the first, with intervals."""
    found = duels(material, first, second)
    same = {a.question for a in material.answers.values() if first in a.systems and second in a.systems}
    row = Compared(
        first=first,
        to=second,
        n_votes=len(found),
        n_questions=len({d.question for d in found}),
        n_raters=len({d.rater for d in found}),
        won=sum(d.score == 1 for d in found),
        lost=sum(d.score == 0 for d in found),
        ties=sum(d.score == 0.5 for d in found),
        both_good=sum(d.tie == "good" for d in found),
        both_bad=sum(d.tie == "bad" for d in found),
        same_text=len(same),
    )
    if not found:
        return row
    rate = win_rate([d.score for d in found], [d.question for d in found], [d.rater for d in found])
    low, high = rate.these_raters
    others = rate.raters_like_these
    means = {name: [d.score for d in found if keep(d.longer)] for name, keep in SIDES.items()}
    rates = {
        "win_rate": round(rate.rate, 6),
        "win_rate_ci95": Interval(round(low, 6), round(high, 6)),
        "win_rate_ci95_raters": Interval(round(others.low, 6), round(others.high, 6)) if others else None,
        **{name: round(sum(scores) / len(scores), 6) if scores else None for name, scores in means.items()},
        "p_value": rate.p_value,
        "words": f"{second} is preferred to {first} in {rate.rate:.1%} of {len(found)} votes, ties counted half "
        f"(95 % interval {low:.1%} to {high:.1%} for these raters"
        + (f", {others.low:.1%} to {others.high:.1%} for raters like these)" if others else "; one rater alone)"),
    }
    return row.model_copy(update=rates)


def read_together(comparisons: list[Compared]) -> list[Compared]:
    """The comparisons with Holm's correction over all of them: of ten pairs of equal systems, four in ten tries show one."""
    several, found = f", Holm-corrected for {len(comparisons)} comparisons" if len(comparisons) > 1 else "", []
    for row, p in zip(comparisons, holm([row.p_value for row in comparisons]), strict=True):
        shown = f"{several}." if p < ALPHA else f"; no difference is shown{several}."
        found.append(row.model_copy(update={"p_holm": p, "significant": p < ALPHA, "words": row.words + shown}))
    return found


SIDES = {"win_rate_longer": lambda longer: longer > 0, "win_rate_shorter": lambda longer: longer < 0}


def systems_of(material: Material, systems: list[str]) -> list[System]:
    """Marks and strength of every system."""
    strengths, intervals = strengths_of(material, systems) if len(systems) > 1 else ({}, {})
    rows = []
    for name in systems:
        own = {i for i, answer in material.answers.items() if name in answer.systems}
        marks: dict[str, MeanMark] = {}
        for criterion in dict.fromkeys(m.criterion for m in material.marks):
            mine = [m for m in material.marks if m.criterion == criterion and m.answer in own]
            if mine:
                marks[criterion] = mean_of([m.value for m in mine], [m.question for m in mine], material.mode == "thumbs")
        rows.append(
            System(
                name=name,
                n_answers=len(own),
                votes=sum(bool(own & set(v.shown)) for v in material.votes if not v.value.get("skipped")),
                marks=marks,
                strength=strengths.get(name),
                strength_ci95=intervals.get(name),
            )
        )
    return rows


def mean_of(values: list[float], questions: list[str], share: bool) -> MeanMark:
    """Mean with a 95 % interval clustered by question; a share's within 0 and 1."""
    if share:
        rate = win_rate(values, questions, [0] * len(values))
        return MeanMark(mean=round(rate.rate, 4), ci95=Interval(*(round(x, 4) for x in rate.these_raters)), n=len(values))
    mean, groups = sum(values) / len(values), len(set(questions))
    if groups < 2:
        return MeanMark(mean=round(mean, 4), ci95=None, n=len(values))
    half = half_width(clustered_variance(values, questions), groups)
    return MeanMark(mean=round(mean, 4), ci95=Interval(round(mean - half, 4), round(mean + half, 4)), n=len(values))


def strengths_of(material: Material, systems: list[str]) -> tuple[dict[str, float], dict[str, Interval | None]]:
    """Bradley-Terry strengths and their 95 % percentile intervals by resampling questions; empty without comparisons."""
    import numpy as np

    by_question: dict[str, list[tuple[str, str, float]]] = collections.defaultdict(list)
    for a, b in itertools.combinations(systems, 2):
        for d in duels(material, a, b):
            by_question[d.question].append((a, b, d.score))
    if not by_question:
        return {}, {}

    def fit(questions):
        wins: dict[tuple[str, str], float] = collections.defaultdict(float)
        for question in questions:
            for a, b, score in by_question[question]:
                wins[b, a] += score
                wins[a, b] += 1 - score
        return bradley_terry(systems, wins)

    draw, names = random.Random(3407), sorted(by_question)
    found = fit(names)
    samples = [fit(draw.choices(names, k=len(names))) for _ in range(RESAMPLES if len(names) > 1 else 0)]
    intervals = {
        s: Interval(*(round(float(x), 4) for x in np.quantile([one[s] for one in samples], [0.025, 0.975]))) if samples else None
        for s in systems
    }
    return {s: round(v, 4) for s, v in found.items()}, intervals


# ---------------------------------------------------------------------------------------------- agreement and bias


def agreement(material: Material) -> Agreement:
    """Krippendorff's alpha over what two raters or more have judged."""
    if material.mode in ("pairs", "rank"):
        measure, level = "which of two answers is better, or neither", "ordinal"
        votes = [(o.rater, f"{o.first} {o.second}", o.score) for o in material.outcomes]
        by_criterion = {"preference": votes}
    else:
        measure = "thumbs up or down" if material.mode == "thumbs" else "marks, by criterion; alpha is their mean"
        level = "nominal" if material.mode == "thumbs" else "ordinal"
        by_criterion = {}
        for m in material.marks:
            by_criterion.setdefault(m.criterion, []).append((m.rater, str(m.answer), m.value))
        votes = [vote for some in by_criterion.values() for vote in some]
    units = collections.Counter(unit for _, unit in {(rater, unit) for rater, unit, _ in votes})
    alphas = {name: alpha(some, level) for name, some in by_criterion.items()}
    known = [a for a in alphas.values() if a is not None]
    mean = sum(known) / len(known) if known else None
    shared = sum(times > 1 for times in units.values())
    return Agreement(
        measure=measure,
        level=level,
        alpha=None if mean is None else round(mean, 4),
        n_units=shared,
        by_criterion={name: None if a is None else round(a, 4) for name, a in alphas.items()},
        reading=reading_of(mean, shared),
    )


def reading_of(value: float | None, shared: int) -> str:
    if not shared:
        return "no answer was judged by two raters, so agreement is not known"
    if value is None:
        return "all shared judgements are the same, so alpha has nothing to measure against"
    low = "below 0.667: too little for conclusions (Krippendorff 2004)"
    return "0.8 or more: reliable" if value >= 0.8 else "0.667 to 0.8: tentative" if value >= 0.667 else low


def share_of(hits: list[tuple[bool, str]]) -> Preferred:
    """Share with a 95 % interval, and the two-sided p-value against one half; hits of one group count together."""
    if not hits:
        return Preferred(share=None, ci95=None, n=0, p_value=None)
    rate = win_rate([float(hit) for hit, _ in hits], [group for _, group in hits], [0] * len(hits))
    ci95 = Interval(*(round(x, 4) for x in rate.these_raters))
    return Preferred(share=round(rate.rate, 4), ci95=ci95, n=len(hits), p_value=round(rate.p_value, 6))


def first_shown(votes: list[Vote]) -> Preferred:
    """How often the answer that stood first was preferred; in rankings, over all pairs without a tie, one vote's together."""
    hits = []
    for vote in votes:
        of = f"{vote.rater} {vote.item}"
        if "preferred" in vote.value:
            hits.append((vote.value["preferred"] == vote.shown[0], of))
        elif "ranks" in vote.value:
            ranks = [vote.value["ranks"][str(i)] for i in vote.shown]
            hits += [(a < b, of) for a, b in itertools.combinations(ranks, 2) if a != b]
    return share_of(hits)


def longer(material: Material) -> Preferred:
    """How often the longer of two answers (characters) was preferred, without ties and equal lengths; by question."""
    hits = []
    for o in material.outcomes:
        difference = len(material.answers[o.first].text) - len(material.answers[o.second].text)
        if difference and o.score != 0.5:
            hits.append(((o.score == 1) == (difference > 0), o.question))
    return share_of(hits)


def words_of(found: Verdict) -> list[str]:
    """The result in sentences, what weakens it first."""
    words = []
    if not found.n_votes:
        return ["Nobody has voted yet."]
    if found.one_rater:
        words.append("One rater alone voted: this is one person's judgement, and agreement is not known.")
    words += [c.words for c in found.comparisons]
    if same := sum(c.same_text for c in found.comparisons):
        words.append(f"{same} questions were answered with the same text by both; nobody was asked about these.")
    if not found.one_rater:
        alpha_of = found.agreement
        value = "not known" if alpha_of.alpha is None else f"{alpha_of.alpha:.2f}"
        words.append(f"Agreement (Krippendorff's alpha, {alpha_of.n_units} shared judgements): {value}; {alpha_of.reading}.")
    for name, part in (("answer shown first", found.position.first_shown_preferred), ("longer", found.length.longer_preferred)):
        if part.n:
            beyond = "more than chance" if part.p_value < ALPHA else "no more than chance gives"
            words.append(f"The {name} was preferred in {part.share:.1%} of {part.n} decided comparisons: {beyond}.")
    return words
