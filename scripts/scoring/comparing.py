"""Comparisons of evaluations: differences with intervals, tests, and a verdict against a margin stated beforehand.

A verdict is one of
  better               the paired test shows a gain
  not_worse            no difference shown, and the interval rules out a loss larger than the margin (non-inferiority:
                       Piaggio et al. 2012, JAMA 308:2594)
  worse_within_margin  the test shows a loss, and the interval rules out one larger than the margin
  worse                the test shows a loss, and one larger than the margin is not ruled out
  not_shown            no difference shown, but a loss larger than the margin is not ruled out either: too few rows
Both questions, whether there is a difference and whether the loss is ruled out, are corrected for all comparisons (`family`).
"""

import itertools
from dataclasses import dataclass, field

from scoring import statistics
from scoring.evaluations import Evaluation, baselines_of
from scoring.pairing import Paired, Settings
from scoring.scores import Metrics
from scoring.statistics import Interval

FIRST_LOOK = 100  # rows; fewer are "a first look", whatever the test says


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
    """that the two are equal"""
    p_margin: float
    """that the loss is as large as the margin: the smallest alpha at which the interval rules it out"""
    minimal_detectable_difference: float | None
    """at alpha over the number of tests, as `rows_needed`"""
    rows_needed: int | None
    """rows with which a loss larger than the margin would be ruled out four times in five, were the models equal"""
    won_ids: list = field(repr=False)
    lost_ids: list = field(repr=False)
    margin: float = 0.02
    """in the unit of the measure"""
    p_holm: float = 1.0
    p_margin_holm: float = 1.0
    tests: int = 1
    significant: bool = False
    ruled_out: bool = False
    """a loss larger than the margin"""
    largest_loss: float = 1.0
    """that is not ruled out, corrected as the tests are; the margin, where all larger ones are"""
    verdict: str = "not_shown"
    seeds: int = 1
    clusters: int | None = None
    sentence: str = ""

    @property
    def more_is_better(self) -> bool:
        return self.measure != "bits_per_byte"

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
    def first(self) -> Metrics:
        return self.evaluations[0].first

    @property
    def measure(self) -> str:
        return self.evaluations[0].measure

    @property
    def kind(self) -> str:
        """What the sentences speak of: general, safety, or the task."""
        return "general" if self.evaluations[0].is_general else str(self.first.task)

    @property
    def confidence(self) -> float:
        return 1 - self.settings.alpha

    def between(self, baseline: str, candidate: str) -> Comparison | None:
        return next((c for c in self.comparisons if (c.baseline, c.candidate) == (baseline, candidate)), None)

    def strongest_baseline(self, e: Evaluation) -> Evaluation | None:
        """The best of the baselines that this model is compared with; of several seeds their mean counts."""

        def share(baseline: Evaluation) -> float:
            return sum(metrics.accuracy for metrics in baseline.metrics) / len(baseline.metrics)

        return max((b for b in self.baselines if b.of in ("", e.name)), key=share, default=None)

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
    def against_baseline(self) -> Comparison | None:
        """What ships against the strongest simple baseline."""
        return next((c for c in self.against_baselines if c.candidate == self.ships.name), None)

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

    The strongest baseline of each trained model against it are a family of their own.
    """
    result = Result(evaluations, baselines_of(evaluations), [], [], settings)
    first, *rivals = evaluations
    pairs = [(first, e) for e in rivals] + list(itertools.pairwise(rivals))
    if result.ships is not result.tuned and not any(a is result.tuned and b is result.ships for a, b in pairs):
        pairs.append((result.tuned, result.ships))  # of several files, the last has another file before it
    result.comparisons += family([Paired(a, b, settings) for a, b in pairs])
    strongest = [(result.strongest_baseline(e), e) for e in rivals]
    result.against_baselines += family([Paired(b, e, settings) for b, e in strongest if b])
    return result


def family(paired: list[Paired]) -> list[Comparison]:
    """Comparisons that are read together: Holm's correction over both of their questions, then the verdicts.

    A loss is ruled out at the level that Holm's steps have come to. What stays open gets the bound that goes with these
    steps: at alpha over the number that stay open (Strassburger and Bretz 2008, Statistics in Medicine 27:4914-4927).
    """
    equal, margins = (statistics.holm([getattr(p, name) for p in paired]) for name in ("p_value", "p_margin"))
    found = [_comparison(p, e, m, len(paired)) for p, e, m in zip(paired, equal, margins, strict=True)]
    opened = [p for p, c in zip(paired, found, strict=True) if not c.ruled_out]
    for p, c in zip(paired, found, strict=True):
        c.largest_loss = p.largest_loss(p.settings.alpha / len(opened)) if not c.ruled_out else c.margin
        c.largest_loss = round(max(c.largest_loss, c.margin), 6)
        c.verdict = verdict_of(c)
    return found


def verdict_of(c: Comparison) -> str:
    """See the module's docstring."""
    if not c.significant:
        return "not_worse" if c.ruled_out else "not_shown"
    if (c.difference > 0) == c.more_is_better:
        return "better"
    return "worse_within_margin" if c.ruled_out else "worse"


def _comparison(p: Paired, p_equal: float, p_margin: float, tests: int) -> Comparison:
    """Without what depends on the other comparisons' outcome."""
    alpha, (won, lost) = p.settings.alpha, p.won_and_lost
    interval, test = p.methods
    return Comparison(
        baseline=p.one.name,
        candidate=p.two.name,
        measure=p.measure,
        n=len(p.ids),
        baseline_value=round(p.before, 6),
        candidate_value=round(p.after, 6),
        difference=round(p.after - p.before, 6),
        difference_ci=Interval(*(round(v, 6) for v in p.interval(alpha))),
        interval=interval,
        test=test,
        p_value=p.p_value,
        p_holm=p_equal,
        p_margin=p.p_margin,
        p_margin_holm=p_margin,
        tests=tests,
        significant=p_equal < alpha,
        ruled_out=p_margin < alpha,
        minimal_detectable_difference=p.detectable(alpha / tests),
        rows_needed=p.rows_needed(alpha / tests),
        won_ids=won,
        lost_ids=lost,
        margin=p.margin,
        seeds=p.seeds,
        clusters=int(p.clusters.max()) + 1 if p.clustered else None,
    )
