"""Statistics of votes: win rate with clustered intervals, Bradley-Terry strengths, Krippendorff's alpha.

Plain numpy and scipy, but for alpha (the library `krippendorff`). The variance clustered both ways is that of Cameron, Gelbach
and Miller 2011 (eq. 2.11): V = V_question + V_rater - V_(question and rater), each with the factor G / (G - 1). Ten lines stand
in the place of statsmodels, which nothing else here needs; a test holds them to its figures.
"""

from typing import NamedTuple


class Interval(NamedTuple):
    """A 95 % interval, and over what it was taken."""

    low: float
    high: float


class WinRate(NamedTuple):
    """Mean score (win 1, tie 0.5) with two intervals: for these raters, and for raters like these (None: one rater)."""

    rate: float
    these_raters: Interval
    raters_like_these: Interval | None


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
    if n_raters < 2:
        return WinRate(mean, these, None)
    both = [f"{q} {r}" for q, r in zip(questions, raters, strict=True)]
    by_rater = clustered_variance(scores, raters)
    variance = by_question + by_rater - clustered_variance(scores, both) if n_questions > 1 else float("inf")
    variance = max(variance, by_question, by_rater)  # the difference may come out too small, even negative
    return WinRate(mean, these, _interval(mean, variance, min(n_questions, n_raters)))


def _interval(mean: float, variance: float, clusters: int) -> Interval:
    from scipy.stats import binomtest, t

    if clusters < 2:
        return Interval(0.0, 1.0)
    if variance < 1e-12:
        found = binomtest(round(mean * clusters), clusters).proportion_ci(method="wilson")
        return Interval(min(float(found.low), mean), max(float(found.high), mean))
    half = float(t.ppf(0.975, clusters - 1)) * variance**0.5
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
    least for tentative conclusions (Krippendorff 2004).
    """
    import krippendorff
    import numpy as np

    raters, units = sorted({r for r, _, _ in votes}), sorted({u for _, u, _ in votes})
    by_unit: dict[str, set[int]] = {}
    for rater, unit, _ in votes:
        by_unit.setdefault(unit, set()).add(rater)
    paired = {unit for unit, who in by_unit.items() if len(who) > 1}
    if len({value for _, unit, value in votes if unit in paired}) < 2:
        return None
    table = np.full((len(raters), len(units)), np.nan)
    for rater, unit, value in votes:
        table[raters.index(rater), units.index(unit)] = value
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement=level))
