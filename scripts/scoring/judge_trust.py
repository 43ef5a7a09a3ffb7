"""How far a judge can be trusted: its biases, and its agreement with people. Used by evaluate.py's protocol judge.

Biases: by length, by position, and, where people's marks name the model that wrote each answer, by whose answer it is, the
judge's own among them (Panickssery et al. 2024, arXiv 2404.13076). Where people marked some of the answers (several marks of
one answer count as one, their mean), agreement is Cohen's kappa with a bootstrap interval, and the mean is prediction-powered
(Angelopoulos et al. 2023, arXiv 2301.09633; tuned as in arXiv 2311.01453): its interval holds whatever the judge's bias, also of
few marks.
"""

from typing import Any, NamedTuple

from scoring.evaluations import model_name
from scoring.judge import Judge, mark_outputs
from scoring.predictions import Prediction
from scoring.scores import ErrorOfModel, JudgeScore, OwnStyle, People
from scoring.statistics import wilson


class Marked(NamedTuple):
    """An answer that people marked, with the mean of their marks (0 to 1) and the model that wrote it, if they say."""

    id: Any
    output: str
    mark: float
    model: str | None = None


def summary(judge: Judge, records: list[Prediction], rows: list[dict], human: list[dict]) -> JudgeScore:
    """metrics.json's `judge`: score, what could not be read, biases, agreement with people."""
    marks, read = [r.judged for r in records], [r for r in records if r.judge_read]
    found = {
        "model": judge.name,
        "score": round(sum(marks) / len(marks), 6),
        "n_unread": len(records) - len(read),
        "length_correlation": rank_correlation([len(r.output or "") for r in read], [r.judged for r in read]),
    }
    pairs = [r.judge_details for r in read if len(r.judge_details) == 2]
    if pairs and all(isinstance(v, int) and not isinstance(v, bool) for pair in pairs for v in pair):
        firsts = [v == 1 for pair in pairs for v in pair if v]
        found["first_position_share"] = round(sum(firsts) / len(firsts), 6) if firsts else None
    if human:
        by_id = {row["id"]: row for row in rows}
        given = marks_of_each([h for h in human if h["id"] in by_id])
        wrote = {(h["id"], h["output"]): h.get("model") for h in human}
        answers = [Marked(*answer, sum(each) / len(each), wrote[answer]) for answer, each in given.items()]
        disputed = sum(len(set(each)) > 1 for each in given.values())
        counts = {"n_marks": sum(map(len, given.values())), "n_disputed": disputed}
        found["people"] = agreement(judge, records, by_id, answers).model_copy(update=counts)
    return JudgeScore(**found)


def marks_of_each(human: list[dict]) -> dict[tuple, list[float]]:
    """The marks of each answer, by its row's id and its text: a mark given twice is no second answer."""
    marks: dict[tuple, list[float]] = {}
    for row in human:
        marks.setdefault((row["id"], row["output"]), []).append(row["mark"])
    return marks


def rank_correlation(one: list[float], two: list[float]) -> float | None:
    """Spearman's correlation; None where one does not vary."""
    from scipy.stats import spearmanr

    if len(set(one)) < 2 or len(set(two)) < 2:
        return None
    return round(float(spearmanr(one, two).statistic), 4)


def agreement(judge: Judge, records: list[Prediction], rows: dict, human: list[Marked]) -> People:
    """The judge on the answers that people marked: kappa, its bias, and the mean of all answers by both together."""
    known = [h for h in human if h.id in rows]
    marked = mark_outputs(judge, [rows[h.id] for h in known], [h.output for h in known])
    both = [(h, m.mark) for h, m in zip(known, marked, strict=True) if m.mark is not None]
    counts = {"n": len(both), "n_unread": len(known) - len(both)}
    if len(both) < 2:
        return People(**counts)
    # Half for, half against is no verdict to agree with.
    decided = [(h.mark > 0.5, mark >= 0.5) for h, mark in both if h.mark != 0.5]
    agreed = {}
    if len(decided) > 1 and len({mark for pair in decided for mark in pair}) > 1:  # of one verdict alone kappa says nothing
        kappa, low, high = kappa_interval(*zip(*decided, strict=True))
        agreed = {"n_kappa": len(decided), "kappa": kappa, "kappa_ci95": (low, high), "kappa_p": more_than_chance(decided)}
    # What could not be read counts as 0 among the records, so it does here: the judge must be the same on both sides.
    # The others are answers that no person marked: an answer on both sides would make the interval too narrow.
    seen = {(h.id, h.output) for h in known}
    others = [r.judged for r in records if (r.id, r.output) not in seen]
    mean, low, high = ppi_mean([h.mark for h in known], [m.mark or 0.0 for m in marked], others)
    errors = [mark - h.mark for h, mark in both]
    return People(
        **counts,
        **agreed,
        **own_style(judge, [(h.model, error) for (h, _), error in zip(both, errors, strict=True)]),
        judge_minus_people=round(sum(mark for _, mark in both) / len(both) - sum(h.mark for h, _ in both) / len(both), 6),
        error_by_length=rank_correlation([len(h.output) for h, _ in both], errors),
        prediction_powered_mean=mean,
        prediction_powered_ci95=(low, high),
    )


def own_style(judge: Judge, errors: list[tuple[str | None, float]], resamples: int = 2000, seed: int = 3407) -> dict[str, Any]:
    """Fields of `People`: judge less people by the model that wrote the answer, and on the judge's own answers beside others'.

    Empty where fewer than two models are named; no `own_style` where none of them is the judge.
    """
    import numpy

    by_model: dict[str, list[float]] = {}
    for model, error in errors:
        if model:
            by_model.setdefault(model, []).append(error)
    if len(by_model) < 2:
        return {}
    means = {name: ErrorOfModel(n=len(v), judge_minus_people=round(sum(v) / len(v), 6)) for name, v in by_model.items()}
    own = {name for name in by_model if model_name(name) in map(model_name, judge.names)}
    mine, others = (
        numpy.array([e for name, v in by_model.items() if (name in own) is wanted for e in v]) for wanted in (True, False)
    )
    if min(len(mine), len(others)) < 2:  # one answer says nothing of how they vary
        return {"error_by_model": means}
    generator = numpy.random.default_rng(seed)
    drawn = [generator.choice(mine, len(mine)).mean() - generator.choice(others, len(others)).mean() for _ in range(resamples)]
    low, high = numpy.quantile(drawn, [0.025, 0.975])
    difference = round(float(mine.mean() - others.mean()), 6)
    ends = round(float(low), 6), round(float(high), 6)
    return {"error_by_model": means, "own_style": OwnStyle(n=len(mine), difference=difference, ci95=ends)}


def kappa_interval(one: list[bool], two: list[bool], resamples: int = 2000, seed: int = 3407) -> tuple[float, float, float]:
    """Cohen's kappa (scikit-learn) with its 95 % percentile bootstrap interval over answers.

    Never narrower than Wilson's interval of the share in agreement makes it: drawn again, a few answers that all agree all agree.
    """
    import numpy
    from sklearn.metrics import cohen_kappa_score

    def kappa(a, b) -> float:
        if (a == b).all():
            return 1.0
        return float(cohen_kappa_score(a, b))

    def of_share(share: float) -> float:
        by_chance = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
        return (share - by_chance) / (1 - by_chance) if by_chance < 1 else 1.0

    a, b, generator = numpy.array(one), numpy.array(two), numpy.random.default_rng(seed)
    drawn = [kappa(a[pick], b[pick]) for pick in generator.integers(0, len(a), (resamples, len(a)))]
    low, high = numpy.quantile(drawn, [0.025, 0.975])
    ends = [of_share(share) for share in wilson(int((a == b).sum()), len(a))]
    return round(kappa(a, b), 4), round(min(float(low), ends[0]), 4), round(max(float(high), min(ends[1], 1.0)), 4)


def more_than_chance(decided: list[tuple[bool, bool]]) -> float:
    """One-sided p-value that people and judge agree by chance (Fisher's exact test)."""
    from scipy.stats import fisher_exact

    table = [[sum(pair == (p, m) for pair in decided) for m in (True, False)] for p in (True, False)]
    return round(float(fisher_exact(table, alternative="greater").pvalue), 6)


def ppi_mean(people: list[float], machine: list[float], machine_alone: list[float]) -> tuple[float, float, float]:
    """Mean mark with 95 % interval from few answers marked by people and machine and many by the machine alone.

    A judge that is seldom wrong is right on all of a few answers, whose errors then seem not to vary: at 30 marks that interval
    held the truth 82 times in 100, at ten 49 times. So the interval counts one answer more of each way that two can mark (the
    plus four of Agresti and Caffo 2000, The American Statistician 54:280-288, which is Wilson's where people mark alone), with
    Student's t.
    """
    import numpy
    from scipy.stats import t

    y, f, more = (numpy.array(v, float) for v in (people, machine, machine_alone))
    mean, _ = _powered(y, f, more)
    centre, error = _powered(numpy.append(y, [0, 0, 1, 1]), numpy.append(f, [0, 1, 0, 1]), more)
    reach = t.ppf(0.975, len(y) - 1) * error
    low, high = min(mean, max(0.0, centre - reach)), max(mean, min(1.0, centre + reach))
    return tuple(round(float(v), 6) for v in (mean, low, high))


def _powered(y, f, more) -> tuple[float, float]:
    """The mean by people's marks `y`, the machine's of the same answers and of `more`, and its standard error.

    The weight of the machine's marks is the one of least variance, between 0 (people alone) and 1.
    """
    import numpy

    if not len(more):  # people marked every answer, so the machine adds nothing
        f, more = 0 * f, numpy.zeros(1)
    n, many = len(y), len(more)
    spread = numpy.var(numpy.concatenate([f, more]))
    covariance = float(numpy.mean((y - y.mean()) * (f - f.mean())))
    weight = min(1.0, max(0.0, covariance / ((1 + n / many) * spread))) if spread > 0 else 0.0
    error = (weight**2 * more.var() / many + (y - weight * f).var(ddof=1) / n) ** 0.5
    return weight * more.mean() + (y - weight * f).mean(), error
