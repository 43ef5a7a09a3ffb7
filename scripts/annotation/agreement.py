"""Statistics of votes: win rate with clustered intervals, Bradley-Terry strengths, Krippendorff's alpha.

Plain numpy and scipy. The variance clustered both ways is that of Cameron, Gelbach and Miller 2011 (eq. 2.11): V = V_question +
V_rater - V_(question and rater), each with the factor G / (G - 1); ten lines stand in the place of statsmodels, which nothing
else here needs. Alpha is ours too: the library `krippendorff` is under the GPL. Tests hold both to those libraries' figures.
"""

from typing import NamedTuple

from scoring.statistics import Interval, wilson


class WinRate(NamedTuple):
    """Mean score (win 1, tie 0.5) with two intervals: for these raters, and for raters like these (None: one rater)."""

    rate: float
    these_raters: Interval
    raters_like_these: Interval | None
    p_value: float
    """that it is one half, for these raters"""


def clustered_variance(values, clusters) -> float:
    """Variance of a mean whose values are correlated within clusters; infinite for one cluster."""
    import numpy as np

    values = np.asarray(values, float)
    _, which = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    groups = which.max() + 1
    if groups < 2:
        return float("inf")
    sums = np.bincount(which, values - values.mean())
    return float((sums**2).sum() / len(values) ** 2 * groups / (groups - 1))


def win_rate(scores: list[float], questions: list[str], raters: list[int]) -> WinRate:
    """Win rate of scores 0, 0.5, 1 with 95 % intervals by t with (clusters - 1) degrees of freedom, within 0 and 1.

    For these raters: clustered by question. For raters like these: clustered by question and by rater, degrees of freedom by
    the fewer of the two; with two or three raters it is wide, for that is what two or three raters tell about others. Where
    nothing varies the interval is Wilson's for so many questions (of so many raters, where these are fewer).
    """
    import numpy as np

    mean, n_questions, n_raters = float(np.mean(scores)), len(set(questions)), len(set(raters))
    by_question = clustered_variance(scores, questions)
    these = _interval(mean, by_question, n_questions)
    p_value = p_of_half(mean, by_question, n_questions)
    if n_raters < 2:
        return WinRate(mean, these, None, p_value)
    both = [f"{q} {r}" for q, r in zip(questions, raters, strict=True)]
    by_rater = clustered_variance(scores, raters)
    variance = by_question + by_rater - clustered_variance(scores, both) if n_questions > 1 else float("inf")
    variance = max(variance, by_question, by_rater)  # the difference may come out too small, even negative
    return WinRate(mean, these, _interval(mean, variance, min(n_questions, n_raters)), p_value)


def p_of_half(mean: float, variance: float, clusters: int) -> float:
    """Two-sided p-value that a mean is one half: by t as the intervals are, where nothing varies by the sign test."""
    from scipy.stats import binomtest, t

    if clusters < 2:
        return 1.0
    if variance < 1e-12:
        return float(binomtest(round(mean * clusters), clusters).pvalue)
    return 2 * float(t.sf(abs(mean - 0.5) / variance**0.5, clusters - 1))


def half_width(variance: float, clusters: int) -> float:
    """Half of the 95 % interval of a mean, by t with (clusters - 1) degrees of freedom."""
    from scipy.stats import t

    return float(t.ppf(0.975, clusters - 1)) * variance**0.5


def _interval(mean: float, variance: float, clusters: int) -> Interval:
    if clusters < 2:
        return Interval(0.0, 1.0)
    if variance < 1e-12:
        low, high = wilson(round(mean * clusters), clusters)
        return Interval(min(low, mean), max(high, mean))
    half = half_width(variance, clusters)
    return Interval(max(0.0, mean - half), min(1.0, mean + half))


def bradley_terry(names: list[str], wins: dict[tuple[str, str], float], prior: float = 0.1) -> dict[str, float]:
    """Log strengths with mean 0: the first of two wins with probability 1 / (1 + exp(second - first)).

    Args:
        names: all systems.
        wins: (winner, loser) -> wins, a tie being half a win to each.
        prior: wins added to each side of every pair, so that a system that never lost has a finite strength.

    By Hunter's minorisation (2004, Annals of Statistics 32), to 1e-10.
    """
    import numpy as np

    matrix = np.array([[wins.get((a, b), 0.0) + (prior if a != b else 0.0) for b in names] for a in names])
    strengths = np.ones(len(names))
    for _ in range(100_000):
        met = (matrix + matrix.T) / (strengths[:, None] + strengths[None, :])
        new = matrix.sum(1) / met.sum(1)
        new /= np.exp(np.log(new).mean())
        moved, strengths = np.abs(np.log(new / strengths)).max(), new
        if moved < 1e-10:
            break
    return {name: float(value) for name, value in zip(names, np.log(strengths), strict=True)}


def alpha(votes: list[tuple[int, str, float]], level: str) -> float | None:
    """Krippendorff's alpha of (rater, unit, value); None where no unit has two raters, or all values are the same.

    `level` is "nominal", "ordinal" or "interval". 1 is full agreement, 0 what chance gives; 0.8 is usually asked for, 0.667 the
    least for tentative conclusions (Krippendorff 2004; by the coincidence matrix of his 2011 paper, section C and D).
    """
    import numpy as np

    by_unit: dict[str, dict[int, float]] = {}
    for rater, unit, value in votes:
        by_unit.setdefault(unit, {})[rater] = value
    units = [list(values.values()) for values in by_unit.values() if len(values) > 1]
    values = sorted({value for unit in units for value in unit})
    if len(values) < 2:
        return None
    place, together = {value: i for i, value in enumerate(values)}, np.zeros((len(values), len(values)))
    for unit in units:
        counts = np.bincount([place[value] for value in unit], minlength=len(values))
        together += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    totals = together.sum(0)
    chance = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    distances = _distances(np.array(values), totals, level)
    return float(1 - (together * distances).sum() / (chance * distances).sum())


def _distances(values, totals, level: str):
    """Squared distance of every two values."""
    import numpy as np

    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "ordinal":  # how many judgements lie between, half of both ends counted
        middle = np.cumsum(totals) - totals / 2
        return (middle[:, None] - middle[None, :]) ** 2
    return (values[:, None] - values[None, :]) ** 2
