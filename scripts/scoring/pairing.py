"""Two evaluations of the same rows: their difference, its test and interval, the loss that is ruled out, and the rows that would.

Which methods, by what the rows are (compare.py's head says more): independent shares, McNemar and Tango; anything else
draws rows, whole cases or seeds. Where shares are drawn, Tango's interval is taken in as well: few rows that differ would
leave drawing too sure. And Student's interval with it: few cases or seeds would, too. Fewer than six cases rule no loss out at
0.05, as they show no difference: all of k alike is one of 2 ** (k - 1) ways that chance has.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from scoring import statistics
from scoring.evaluations import MEASURES, Evaluation, measured_by
from scoring.statistics import Interval


@dataclass
class Settings:
    """How the comparisons are made. `margin` is a fraction: of the rows, or of the first model's bits per byte."""

    alpha: float = 0.05
    margin: float = 0.02
    resamples: int = 10000
    seed: int = 3407


class Paired:
    """Both models' values of the same rows, and what is computed of them."""

    def __init__(self, one: Evaluation, two: Evaluation, settings: Settings):
        self.one, self.two, self.settings = one, two, settings
        self.ids = [i for i in one.rows[0] if i in two.rows[0]]
        self.measure = two.measure
        self.values = one.values(self.ids), two.values(self.ids)
        self.before, self.after = map(statistics.value_of, self.values)
        self.clusters, self.clustered = clusters_of(two, self.ids)  # a simple baseline's rows know no case
        # Differences of the rows, scaled so that their mean is the difference of the measure.
        scale = len(self.ids) / self.values[0][..., 1].mean(axis=0).sum()
        self.differences = (self.values[1][..., 0].mean(axis=0) - self.values[0][..., 0].mean(axis=0)) * scale
        self.seeds = max(map(len, self.values))
        self.margin = settings.margin * (self.before if self.measure == "bits_per_byte" else 1)

    @property
    def share(self) -> bool:
        return self.measure == "accuracy"

    @property
    def drawn(self) -> bool:
        """Whether the interval comes from bootstrap draws, alone or beside Tango's."""
        return not self.share or self.clustered or self.seeds > 1

    @property
    def methods(self) -> tuple[str, str]:
        """Names of the interval and of the test."""
        if not self.drawn:
            return "tango", "mcnemar"
        if self.seeds > 1:
            return "hierarchical_bootstrap", "hierarchical_bootstrap"
        return "cluster_bootstrap" if self.clustered else "bootstrap", "sign_flip"

    @cached_property
    def draws(self):
        """Bootstrap draws of the difference, numpy [resamples]."""
        return statistics.bootstrap_differences(*self.values, self.clusters, self.settings.resamples, self.settings.seed)

    @cached_property
    def error(self) -> statistics.Error:
        """Of the difference, where it is drawn."""
        draws = self.draws if self.seeds == 1 else drawn_by_rows(*self.values, self.clusters, self.settings)
        return statistics.error_of(draws, self.clusters, *self.values)

    @property
    def counts(self) -> tuple[float, float, int]:
        """Rows won, rows lost, rows; parts of rows where seeds differ."""
        return float(self.differences.clip(min=0).sum()), float(-self.differences.clip(max=0).sum()), len(self.ids)

    @cached_property
    def p_value(self) -> float:
        """That the two are equal, two-sided."""
        if not self.drawn:
            won, lost, _ = self.counts
            return statistics.mcnemar(round(won), round(lost))
        flipped = statistics.sign_flip(self.differences, self.clusters, self.settings.resamples, self.settings.seed)
        if self.seeds == 1:
            return flipped
        return max(flipped, statistics.bootstrap_p(self.draws), self.error.p(abs(self.after - self.before)))

    def interval(self, alpha: float) -> Interval:
        """Of the difference, at level 1 - alpha."""
        found = [statistics.tango(*self.counts, alpha)] if self.share else []
        if self.drawn:
            # No share, mark or ROUGE differs by more than 1; what bits are at most, nothing says.
            most = max(self.before, self.after) if self.measure == "bits_per_byte" else 1
            reach, seen = self.error.reach(alpha), self.after - self.before
            found.append(statistics.percentile_interval(self.draws, alpha))
            found.append(Interval(max(-most, seen - reach), min(most, seen + reach)))
        return Interval(min(one.low for one in found), max(one.high for one in found))

    def largest_loss(self, alpha: float) -> float:
        """The largest loss that this interval leaves, not below 0, in the unit of the measure."""
        interval = self.interval(alpha)
        return max(0.0, interval.high if self.measure == "bits_per_byte" else -interval.low)

    @cached_property
    def p_margin(self) -> float:
        """Smallest alpha at which the interval leaves no loss as large as the margin."""
        found = [statistics.tango_p(*self.counts, -self.margin)] if self.share else []
        if self.drawn:
            losses = self.draws if self.measure == "bits_per_byte" else -self.draws
            found.append(max(2 * float((losses >= self.margin).mean()), 1 / len(losses)))
            gain = (self.before - self.after) if self.measure == "bits_per_byte" else self.after - self.before
            found += [self.error.p(gain + self.margin), 2.0 ** -int(self.clusters.max())]
        return min(1.0, max(found))

    @property
    def spread(self) -> statistics.Spread:
        """What the variance of the difference is made of."""
        centre = 0.0 if self.share else self.differences.mean()  # equal models' shares differ by 0 and vary by rows won and lost
        return statistics.spread_of(self.differences - centre, self.clusters, self.draws if self.seeds > 1 else None)

    def detectable(self, alpha: float) -> float | None:
        """The smallest difference that these rows show four times in five."""
        if self.share:
            return statistics.minimal_detectable(self.spread.worth, self.spread.of_row, alpha)
        return round(statistics.detectable_mean(self.spread, alpha), 4) or None

    def rows_needed(self, alpha: float) -> int | None:
        """How many rows would rule out a loss of the margin four times in five, were the models equal; None: no number would."""
        found = statistics.rows_to_rule_out(self.spread, self.margin, alpha, self.share)
        if found is None or not self.drawn:
            return found
        cases = int(self.clusters.max()) + 1
        fewest = math.floor(1 - math.log2(alpha)) + 1  # cases; all of fewer alike are too likely by chance
        return found if cases >= fewest else max(found, math.ceil(fewest * len(self.ids) / cases))

    @property
    def won_and_lost(self) -> tuple[list, list]:
        """Ids of the rows that the second model does better, and worse."""
        up = self.differences if MEASURES.get(measured_by(self.two.first), ("", True))[1] else -self.differences
        both = list(zip(self.ids, up, strict=True))
        return [i for i, d in both if d > 0], [i for i, d in both if d < 0]


def share_interval(e: Evaluation, settings: Settings) -> Interval:
    """95 % interval of one model's share: Wilson's; where rows share a case or there are several seeds, these are drawn as well.

    Never narrower than Wilson's of the mean.
    """
    import numpy

    ids = list(e.rows[0])
    clusters, clustered = clusters_of(e, ids)
    if len(e.rows) == 1 and not clustered:
        return e.first.accuracy_ci95
    values, nothing = e.values(ids), numpy.zeros((1, len(ids), 2))
    nothing[..., 1] = 1
    draws = statistics.bootstrap_differences(nothing, values, clusters, settings.resamples, settings.seed)
    share, by_rows = statistics.value_of(values), drawn_by_rows(nothing, values, clusters, settings)
    reach = statistics.error_of(by_rows, clusters, values).reach(0.05)
    ends = (
        statistics.percentile_interval(draws, 0.05),
        statistics.wilson(round(share * len(ids)), len(ids)),
        (share - reach, share + reach),
    )
    return Interval(max(0.0, min(low for low, _ in ends)), min(1.0, max(high for _, high in ends)))


def drawn_by_rows(one, two, clusters, settings: Settings):
    """Bootstrap draws of the difference of two models, each the mean of its seeds, numpy [resamples]."""
    means = [values.mean(axis=0, keepdims=True) for values in (one, two)]
    return statistics.bootstrap_differences(*means, clusters, settings.resamples, settings.seed)


def clusters_of(evaluation: Evaluation, ids: list):
    """A number for each row, the same for rows of one `case`, numpy [rows]; and whether any two rows share one."""
    import numpy

    numbers: dict = {}
    cases = [evaluation.rows[0][i].case for i in ids]
    keys = [("case", case) if case not in (None, "") else ("row", i) for case, i in zip(cases, ids, strict=True)]
    found = numpy.array([numbers.setdefault(key, len(numbers)) for key in keys])
    return found, len(numbers) < len(ids)
