"""The statistics of comparing models, each with its source; numbers in, numbers out. Imports numpy and scipy when called.

Arrays of values have the shape (seeds, rows, 2): what each row adds to a measure's numerator and denominator, so that one
code serves shares (0 or 1 over 1) and ratios of sums (bits over bytes). Kept libraries give Wilson's interval, the
binomial test, permutations and quantiles (scipy, numpy). Tango's interval, Connor's and Nam's power and the pigeonhole
bootstrap stand here because none of scipy, statsmodels and scikit-learn has them for paired rows.
"""

import math
from typing import NamedTuple

POWER = 0.8
DRAWS_AT_ONCE = 500  # bootstrap samples held in memory together


class Interval(NamedTuple):
    """Both ends, in the unit of what was measured."""

    low: float
    high: float


def wilson(right: int, n: int, confidence: float = 0.95) -> Interval:
    """Interval of a share by Wilson's score method (Wilson 1927, by scipy), a fraction, rounded to six digits."""
    from scipy.stats import binomtest

    interval = binomtest(right, n).proportion_ci(confidence, method="wilson")
    return Interval(round(float(interval.low), 6), round(float(interval.high), 6))


def mcnemar(won: int, lost: int) -> float:
    """Exact two-sided p-value of McNemar's test: of won + lost rows, half are won if the models are equal."""
    from scipy.stats import binomtest

    return float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def tango(won: float, lost: float, n: int, alpha: float) -> Interval:
    """Score interval of the difference of two paired shares (Tango 1998, Statistics in Medicine 17:891-908).

    `won` and `lost` are the rows that only the second, only the first model answers right. It holds its level where few
    rows differ; resampling them would claim certainty there.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    def score(difference: float) -> float:
        return _tango_score(won, lost, n, difference)

    z, seen = norm.ppf(1 - alpha / 2), (won - lost) / n
    edge = 1 - 1e-9
    low = brentq(lambda d: score(d) - z, -edge, seen) if score(-edge) > z and seen > -edge else -1.0
    high = brentq(lambda d: score(d) + z, seen, edge) if score(edge) < -z and seen < edge else 1.0
    return Interval(float(low), float(high))


def tango_p(won: float, lost: float, n: int, difference: float) -> float:
    """Smallest alpha at which `tango`'s interval lies above a difference: twice the one-sided p-value of its score test."""
    from scipy.stats import norm

    return min(1.0, 2 * float(norm.sf(_tango_score(won, lost, n, difference))))


def _tango_score(won: float, lost: float, n: int, difference: float) -> float:
    return (won - lost - n * difference) / (n * max(_tango_variance(won / n, lost / n, difference), 1e-12)) ** 0.5


def _tango_variance(won: float, lost: float, difference: float) -> float:
    """A row's variance where the difference is this one, from the shares won and lost (Tango's restricted estimate)."""
    b = -won - lost + (2 - won + lost) * difference
    root = max(b * b + 8 * lost * difference * (1 - difference), 0.0) ** 0.5
    return (root - b) / 2 + difference * (1 - difference)


class Spread(NamedTuple):
    """What the variance of a mean difference is made of."""

    n: int
    of_row: float
    """variance of a row's difference"""
    design: float
    """times as large as among independent rows, because rows of one case go together; at least 1"""
    of_seeds: float
    """the part that more rows do not lessen"""

    @property
    def worth(self) -> float:
        """How many independent rows of one seed would tell as much."""
        return self.of_row / (self.of_row * self.design / self.n + self.of_seeds) if self.of_row else self.n


def spread_of(deviations, clusters, draws=None) -> Spread:
    """The spread of rows' differences from what they are held to be; `draws` of their mean where seeds differ."""
    import numpy

    n, whole = len(deviations), float((deviations**2).sum())
    together = float((numpy.bincount(clusters, weights=deviations) ** 2).sum())
    design = max(1.0, together / whole) if whole else 1.0
    of_seeds = 0.0 if draws is None else max(0.0, float(draws.var()) - float(deviations.var()) * design / n)
    return Spread(n, whole / n, design, of_seeds)


class Part(NamedTuple):
    """A part of a mean's variance, and how far that part is itself known."""

    variance: float
    degrees: float
    """of freedom"""


class Error(NamedTuple):
    """What the variance of a drawn difference is made of."""

    parts: tuple[Part, ...]
    """that of its cases, and of the seeds of each model that has several; none where there is nothing to draw from"""

    @property
    def size(self) -> float:
        return math.fsum(part.variance for part in self.parts) ** 0.5 if self.parts else math.inf

    def reach(self, alpha: float) -> float:
        """Half an interval of level 1 - alpha: Student's t, of several parts the mean of theirs by what each adds.

        That is the approximation of Cochran and Cox (1957, Experimental Designs, section 4.14). Satterthwaite's degrees of
        freedom trust two seeds that happen to agree: by them up to 12 in 100 pairs of equal models differed, by these up to 6;
        of three seeds 7 and 5.
        """
        from scipy.stats import t

        if self.size in (0, math.inf):
            return self.size
        return math.fsum(part.variance * float(t.isf(alpha / 2, part.degrees)) for part in self.parts) / self.size

    def p(self, distance: float) -> float:
        """Smallest alpha at which `reach` is less than a distance."""
        from scipy.optimize import brentq

        lowest = -600.0  # a power of e: nothing is surer
        if distance <= 0 or not self.parts:
            return 1.0
        if self.reach(math.exp(lowest)) <= distance:
            return 0.0
        return math.exp(brentq(lambda power: self.reach(math.exp(power)) - distance, lowest, 0.0))


def error_of(row_draws, clusters, *models) -> Error:
    """The error of a measure's difference, as few cases or seeds leave it. `row_draws`: its bootstrap draws by rows alone, each
    model the mean of its seeds; `models`: their values, (seeds, rows, 2).

    Draws alone are too sure of few: their spread is too small by 1 / (k - 1) for k cases, and its own error is left out
    (Hesterberg 2015, The American Statistician 69:371-386).
    """
    many = int(clusters.max()) + 1
    if many < 2:
        return Error(())
    of_cases = Part(float(row_draws.var()) * many / (many - 1), many - 1)
    of_seeds = [Part(float(values_of(v).var(ddof=1)) / len(v), len(v) - 1) for v in models if len(v) > 1]
    return Error((of_cases, *of_seeds))


def rows_to_rule_out(spread: Spread, margin: float, alpha: float, share: bool) -> int | None:
    """Rows with which the interval of level 1 - alpha lies within the margin four times in five, were the models equal.

    Of shares with the variance that the score method has at the margin (Nam 1997, Biometrics 53:1422-1430): where few rows
    differ it is what decides. None where no number of rows would do, or none is needed.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    a, b = norm.ppf(1 - alpha / 2), norm.ppf(POWER)
    row, fixed = spread.of_row * spread.design, spread.of_seeds
    at_margin = _tango_variance(spread.of_row / 2, spread.of_row / 2, -margin) * spread.design if share else row
    if at_margin <= 0 or (a + b) * fixed**0.5 >= margin:
        return None

    def too_wide(per_row: float) -> float:
        return a * (at_margin * per_row + fixed) ** 0.5 + b * (row * per_row + fixed) ** 0.5 - margin

    return math.ceil(1 / brentq(too_wide, 0, 1.000001 * margin**2 / (a * a * at_margin)))


def minimal_detectable(n: float, discordant: float, alpha: float) -> float | None:
    """Smallest difference of two paired shares that McNemar's test shows with 80 % power (Connor 1987).

    `discordant` is the share of rows that only one model answers right. None where no difference would be shown.
    """
    from scipy.stats import norm

    a, b = norm.ppf(1 - alpha / 2), norm.ppf(POWER)
    discordant = max(discordant, 1 / n)

    def power_reached(d):
        return d * n**0.5 >= a * discordant**0.5 + b * max(discordant - d * d, 0) ** 0.5

    if not power_reached(discordant):
        return None
    low, high = 0.0, discordant
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if power_reached(middle) else (middle, high)
    return round(high, 4)


def rows_to_show(difference: float, alpha: float, discordant: float = 0.5) -> int:
    """Rows with which McNemar's test shows this difference of two paired shares with 80 % power (Connor 1987).

    `discordant` as above; where nothing is known yet, half: of two models whose answers have nothing in common.
    """
    from scipy.stats import norm

    a, b, discordant = norm.ppf(1 - alpha / 2), norm.ppf(POWER), max(discordant, difference)
    return math.ceil(((a * discordant**0.5 + b * (discordant - difference**2) ** 0.5) / difference) ** 2)


def detectable_mean(spread: Spread, alpha: float) -> float:
    """Smallest mean of paired differences that a two-sided test shows with 80 % power."""
    from scipy.stats import norm

    return float((norm.ppf(1 - alpha / 2) + norm.ppf(POWER)) * (spread.of_row / spread.worth) ** 0.5)


def sign_flip(differences, clusters, resamples: int, seed: int) -> float:
    """Two-sided p-value of the sign-flip permutation test (scipy): whole clusters flip, single rows where none are given.

    `clusters` holds a number from 0 for each row.
    """
    import numpy
    from scipy.stats import permutation_test

    sums = numpy.bincount(clusters, weights=differences)
    if not sums.any() or len(sums) < 2:
        return 1.0
    flips = {"permutation_type": "samples", "vectorized": True, "n_resamples": resamples}
    test = permutation_test((sums,), lambda x, axis: x.mean(axis=axis), **flips, rng=numpy.random.default_rng(seed))
    return float(test.pvalue)


def values_of(values):
    """The measure of each seed of an array (seeds, rows, 2): its ratio of sums, numpy [seeds]."""
    sums = values.sum(axis=1)
    return sums[:, 0] / sums[:, 1]


def value_of(values) -> float:
    """The measure of an array (seeds, rows, 2): the mean over seeds."""
    return float(values_of(values).mean())


def bootstrap_differences(one, two, clusters, resamples: int, seed: int):
    """Bootstrap draws of the difference between two arrays (seeds, rows, 2), numpy [resamples].

    Rows are drawn by whole clusters (Davison and Hinkley 1997, section 3.8), the same for both models; where a model has
    several seeds they are drawn as well, apart from the rows: the pigeonhole bootstrap for crossed factors (Owen 2007,
    Annals of Applied Statistics 1:386-411). With s seeds their spread is widened by s / (s - 1), as a variance is.
    """
    import numpy

    generator, many = numpy.random.default_rng(seed), int(max(clusters)) + 1
    sums = []
    for values in (one, two):
        of_cluster = numpy.zeros((len(values), many, 2))
        for s, of_seed in enumerate(values):
            for part in (0, 1):
                of_cluster[s, :, part] = numpy.bincount(clusters, weights=of_seed[:, part], minlength=many)
        sums.append(of_cluster)
    drawn = []
    for at in range(0, resamples, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, resamples - at)
        picks = generator.integers(0, many, (size, many)) + many * numpy.arange(size)[:, None]
        counts = numpy.bincount(picks.ravel(), minlength=size * many).reshape(size, many)
        means = []
        for of_cluster in sums:
            ratio = (counts @ of_cluster[:, :, 0].T) / (counts @ of_cluster[:, :, 1].T)  # (size, seeds)
            s = len(of_cluster)
            weights = numpy.ones((size, 1))
            if s > 1:
                shares = generator.multinomial(s, numpy.full(s, 1 / s), size=size) / s
                weights = 1 / s + (shares - 1 / s) * (s / (s - 1)) ** 0.5
            means.append((ratio * weights).sum(axis=1))
        drawn.append(means[1] - means[0])
    return numpy.concatenate(drawn)


def percentile_interval(draws, alpha: float) -> Interval:
    """Percentile interval of bootstrap draws (Efron and Tibshirani 1993)."""
    import numpy

    low, high = numpy.quantile(draws, [alpha / 2, 1 - alpha / 2])
    return Interval(float(low), float(high))


def bootstrap_p(draws) -> float:
    """Two-sided p-value: twice the smaller share of draws on either side of zero, never below 1 / draws."""
    smaller = min(float((draws <= 0).mean()), float((draws >= 0).mean()))
    return min(1.0, max(2 * smaller, 1 / len(draws)))
