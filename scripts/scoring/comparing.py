"""Comparisons of evaluations: differences with intervals, tests, and a verdict against a margin stated beforehand.

A verdict is one of
  better               the paired test shows a gain
  not_worse            no difference shown, and the interval rules out a loss larger than the margin (non-inferiority:
                       Piaggio et al. 2012, JAMA 308:2594)
  worse_within_margin  the test shows a loss, and the interval rules out one larger than the margin
  worse                the test shows a loss, and one larger than the margin is not ruled out
  not_shown            no difference shown, but a loss larger than the margin is not ruled out either: too few rows
"""

import itertools
from dataclasses import dataclass, field

from scoring import statistics
from scoring.evaluations import MEASURES, Evaluation, baselines_of, measured_by
from scoring.statistics import Interval

FIRST_LOOK = 100  # rows; fewer are "a first look", whatever the test says


@dataclass
class Settings:
    """How the comparisons are made. `margin` is a fraction: of the rows, or of the first model's bits per byte."""

    alpha: float = 0.05
    margin: float = 0.02
    resamples: int = 10000
    seed: int = 3407


@dataclass
class Comparison:
    """One model against another on the same rows. Shares and differences are fractions (0.1: 10 points)."""

    baseline: str
    candidate: str
    measure: str
    n: int
    baseline_value: float
    candidate_value: float
    difference: float
    difference_ci: Interval
    interval: str
    """tango, bootstrap (over rows), cluster_bootstrap, hierarchical_bootstrap (rows and seeds)"""
    test: str
    """mcnemar, sign_flip, hierarchical_bootstrap"""
    p_value: float
    minimal_detectable_difference: float | None
    rows_needed: int | None
    """rows with which a loss larger than the margin would be ruled out four times in five, were the models equal"""
    won_ids: list = field(repr=False)
    lost_ids: list = field(repr=False)
    margin: float = 0.02
    """in the unit of the measure"""
    p_holm: float = 1.0
    tests: int = 1
    significant: bool = False
    verdict: str = "not_shown"
    seeds: int = 1
    clusters: int | None = None
    sentence: str = ""

    @property
    def more_is_better(self) -> bool:
        return self.measure != "bits_per_byte"

    @property
    def largest_loss(self) -> float:
        """The largest loss that the interval leaves, positive, in the unit of the measure."""
        return max(0.0, -self.difference_ci.low if self.more_is_better else self.difference_ci.high)

    @property
    def won(self) -> int:
        return len(self.won_ids)

    @property
    def lost(self) -> int:
        return len(self.lost_ids)

    @property
    def passes(self) -> bool:
        """Whether a loss larger than the margin is ruled out."""
        return self.verdict in ("better", "not_worse", "worse_within_margin")


@dataclass
class Result:
    """All comparisons of some evaluations; the first is what the others are compared with."""

    evaluations: list[Evaluation]
    baselines: list[Evaluation]
    comparisons: list[Comparison]
    against_baselines: list[Comparison]
    settings: Settings

    @property
    def first(self) -> dict:
        return self.evaluations[0].first

    @property
    def measure(self) -> str:
        return self.evaluations[0].measure

    @property
    def kind(self) -> str:
        """What the sentences speak of: general, safety, or the task."""
        return "general" if self.evaluations[0].is_general else str(self.first.get("task"))

    @property
    def confidence(self) -> float:
        return 1 - self.settings.alpha

    def between(self, baseline: str, candidate: str) -> Comparison | None:
        return next((c for c in self.comparisons if (c.baseline, c.candidate) == (baseline, candidate)), None)

    @property
    def deployed(self) -> Evaluation | None:
        """What ships: the last GGUF file among the models, none where none was scored."""
        files = [e for e in self.evaluations[1:] if e.is_gguf]
        return files[-1] if files else None

    @property
    def tuned(self) -> Evaluation:
        """The last model that is no file made for shipping."""
        return ([e for e in self.evaluations[1:] if not e.is_gguf] or self.evaluations[1:])[-1]

    @property
    def ships(self) -> Evaluation:
        """What the page is about: the file, or the tuned model where no file was scored."""
        return self.deployed or self.tuned

    @property
    def decisive(self) -> list[Comparison]:
        """What decides about it: against the first model, and against the one that it was made from."""
        pairs = [(self.evaluations[0].name, self.ships.name), (self.tuned.name, self.ships.name)]
        return [c for a, b in pairs if a != b and (c := self.between(a, b))]


def level_problems(alpha: float, margin: float) -> list[str]:
    """What is wrong with a significance level (a share) and a margin (points) that a user gave."""
    found = [] if 0 < alpha < 1 else [f"alpha: {alpha} is not between 0 and 1; 0.05 is usual"]
    return found if 0 < margin < 100 else [*found, f"margin: {margin} is not between 0 and 100 points"]


def compare(evaluations: list[Evaluation], settings: Settings) -> Result:
    """Every model against the first and its neighbour, and what ships against the model that it was made from.

    Baselines against every trained model are a family of their own.
    """
    result = Result(evaluations, baselines_of(evaluations), [], [], settings)
    first, *rivals = evaluations
    pairs = [(first, e) for e in rivals] + list(itertools.pairwise(rivals))
    if result.ships is not result.tuned and not any(a is result.tuned and b is result.ships for a, b in pairs):
        pairs.append((result.tuned, result.ships))  # of several files, the last has another file before it
    result.comparisons += [compare_pair(a, b, settings, len(pairs)) for a, b in pairs]
    correct_for_many(result.comparisons, settings.alpha)
    if strongest := max(result.baselines, key=lambda b: b.first["accuracy"], default=None):
        result.against_baselines += [compare_pair(strongest, e, settings, len(rivals)) for e in rivals]
        correct_for_many(result.against_baselines, settings.alpha)
    return result


def correct_for_many(comparisons: list[Comparison], alpha: float) -> None:
    """Fill in what depends on all comparisons of a family: Holm's p-values and the verdicts."""
    for c, adjusted in zip(comparisons, statistics.holm([c.p_value for c in comparisons]), strict=True):
        c.p_holm, c.tests, c.significant = adjusted, len(comparisons), adjusted < alpha
        c.verdict = verdict_of(c)


def verdict_of(c: Comparison) -> str:
    """See the module's docstring."""
    within = c.largest_loss < c.margin
    if not c.significant:
        return "not_worse" if within else "not_shown"
    if (c.difference > 0) == c.more_is_better:
        return "better"
    return "worse_within_margin" if within else "worse"


def compare_pair(one: Evaluation, two: Evaluation, settings: Settings, tests: int) -> Comparison:
    """The comparison of two evaluations, one of so many tests; p-values are corrected by `correct_for_many`."""
    import numpy

    ids = [i for i in one.rows[0] if i in two.rows[0]]
    measure, alpha = two.measure, settings.alpha
    values = one.values(ids), two.values(ids)
    before, after = map(statistics.value_of, values)
    clusters, clustered = clusters_of(two, ids)  # a simple baseline's rows know no case
    # Differences of the rows, scaled so that their mean is the difference of the measure.
    scale = len(ids) / values[0][..., 1].mean(axis=0).sum()
    differences = (values[1][..., 0].mean(axis=0) - values[0][..., 0].mean(axis=0)) * scale
    seeds = max(map(len, values))
    interval, p_value, how, test = _interval_and_test(values, differences, measure, clusters, clustered, seeds, settings)
    share = measure == "accuracy"
    discordant = float(numpy.abs(differences).mean())
    least = (
        statistics.minimal_detectable(len(ids), discordant, alpha / tests)
        if share
        else round(statistics.detectable_mean(differences, alpha / tests), 4) or None
    )
    margin = settings.margin * (before if measure == "bits_per_byte" else 1)
    up = differences if MEASURES.get(measured_by(two.first), ("", True))[1] else -differences
    variance = float(differences.var())
    needed = round((1.96 + 0.84) ** 2 * variance / margin**2) if variance and margin else None
    return Comparison(
        baseline=one.name,
        candidate=two.name,
        measure=measure,
        n=len(ids),
        baseline_value=round(before, 6),
        candidate_value=round(after, 6),
        difference=round(after - before, 6),
        difference_ci=Interval(*(round(v, 6) for v in interval)),
        interval=how,
        test=test,
        p_value=p_value,
        minimal_detectable_difference=least,
        rows_needed=needed,
        won_ids=[i for i, d in zip(ids, up, strict=True) if d > 0],
        lost_ids=[i for i, d in zip(ids, up, strict=True) if d < 0],
        margin=margin,
        seeds=seeds,
        clusters=int(clusters.max()) + 1 if clustered else None,
    )


def _interval_and_test(values, differences, measure, clusters, clustered, seeds, settings) -> tuple[Interval, float, str, str]:
    """Interval, p-value and the names of both methods, by what the rows are: independent, of shared cases, of several seeds.

    Where shares are resampled, Tango's interval is taken in as well: few rows that differ would leave resampling too sure.
    """
    won, lost = float(differences.clip(min=0).sum()), float(-differences.clip(max=0).sum())
    score = statistics.tango(won, lost, len(differences), settings.alpha) if measure == "accuracy" else None
    if score and not clustered and seeds == 1:
        return score, statistics.mcnemar(round(won), round(lost)), "tango", "mcnemar"
    draws = statistics.bootstrap_differences(*values, clusters, settings.resamples, settings.seed)
    interval = statistics.percentile_interval(draws, settings.alpha)
    if score:
        interval = Interval(min(interval.low, score.low), max(interval.high, score.high))
    p_value = statistics.sign_flip(differences, clusters, settings.resamples, settings.seed)
    if seeds > 1:
        return interval, max(p_value, statistics.bootstrap_p(draws)), "hierarchical_bootstrap", "hierarchical_bootstrap"
    return interval, p_value, "cluster_bootstrap" if clustered else "bootstrap", "sign_flip"


def clusters_of(evaluation: Evaluation, ids: list):
    """A number for each row, the same for rows of one `case`, numpy [rows]; and whether any two rows share one."""
    import numpy

    numbers: dict = {}
    cases = [evaluation.rows[0][i].get("case") for i in ids]
    keys = [("case", case) if case not in (None, "") else ("row", i) for case, i in zip(cases, ids, strict=True)]
    found = numpy.array([numbers.setdefault(key, len(numbers)) for key in keys])
    return found, len(numbers) < len(ids)
