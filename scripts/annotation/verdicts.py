"""result.json, with named fields: what the votes say. Shares and differences are fractions; null: nothing to compute it from."""

from common.stored import Stored
from pydantic import Field
from scoring.statistics import Interval


class MeanMark(Stored):
    """Mean of `n` marks, clustered by question."""

    mean: float
    ci95: Interval | None
    n: int


class System(Stored):
    """One system; strength by Bradley-Terry, log odds, mean 0."""

    name: str
    n_answers: int
    votes: int
    marks: dict[str, MeanMark]
    """by criterion"""
    strength: float | None
    strength_ci95: Interval | None


class Compared(Stored):
    """How often `to` was preferred to `from` (won); a tie is half a win. What follows `same_text` is absent without votes.

    win_rate_ci95: for these raters, clustered by question; win_rate_ci95_raters: for raters like these, clustered by question
    and rater. p_value: that it is one half, for these raters; p_holm: corrected for all comparisons, which significant goes by.
    same_text: questions that both answered with the same text, which nobody is asked about.
    """

    first: str = Field(alias="from")
    to: str
    n_votes: int
    n_questions: int
    n_raters: int
    won: int
    lost: int
    ties: int
    both_good: int
    both_bad: int
    same_text: int
    win_rate: float | None = None
    win_rate_ci95: Interval | None = None
    win_rate_ci95_raters: Interval | None = None
    win_rate_longer: float | None = None
    win_rate_shorter: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    significant: bool | None = None
    words: str | None = None


class Agreement(Stored):
    """Krippendorff's alpha over `n_units` judgements of two raters or more; of several criteria their mean."""

    measure: str
    level: str
    alpha: float | None
    n_units: int
    by_criterion: dict[str, float | None]
    reading: str


class Preferred(Stored):
    """How often something was preferred in `n` decided comparisons; p_value: that it is one half."""

    share: float | None
    ci95: Interval | None
    n: int
    p_value: float | None


class Position(Stored):
    first_shown_preferred: Preferred


class Length(Stored):
    longer_preferred: Preferred


class RaterRow(Stored):
    """A rater by number, without a name: how many of the votes that were given out are in."""

    rater: int
    votes: int
    given: int
    first_shown_preferred: float | None


class Verdict(Stored):
    """The whole of result.json; `words` says it in sentences."""

    kind: str
    schema_: int = Field(alias="schema")
    mode: str
    words: list[str]
    n_raters: int
    n_votes: int
    n_skipped: int
    n_mended: int
    n_questions: int
    n_shared_questions: int
    one_rater: bool
    systems: list[System]
    comparisons: list[Compared]
    agreement: Agreement
    position: Position
    length: Length
    raters: list[RaterRow]
