"""What evaluate.py writes to metrics.json, with named fields; a field that was not measured is not written.

`precision` is the arithmetic of the weights where it stands by itself, and the share of answers that are right within `Classes`.
Shares, probabilities and marks lie between 0 and 1; intervals are 95 %.
"""

from pathlib import Path

from common.files import damaged
from common.stored import Stored
from pydantic import Field
from scoring.statistics import Interval


class Majority(Stored):
    """What always giving the answer that is right most often would score."""

    label: str
    accuracy: float


class Share(Stored):
    """How many of `n` answers are right; chance and majority class are null where there are no options."""

    n: int
    n_correct: int
    accuracy: float
    accuracy_ci95: Interval
    chance: float | None = None
    majority_class: Majority | None = None
    n_invalid: int = 0


class BaselineScore(Share):
    """A simple rule's score beside a model's, with what the rule was made from."""

    name: str
    predicted: dict[str, int] = {}
    training_rows: int | None = None
    left_out: int | None = None
    letter: str | None = None


class MeanScore(Stored):
    precision: float
    recall: float
    f1: float


class ClassScore(MeanScore):
    """One class of `n` rows; no interval of the precision where it was never answered."""

    precision_ci95: Interval | None
    recall_ci95: Interval
    n: int


class Confusion(Stored):
    """Counts by gold (rows) and predicted label (columns), both in the order of `labels`."""

    labels: list[str]
    rows: str
    columns: str
    counts: list[list[int]]


class Classes(Stored):
    macro: MeanScore
    weighted: MeanScore
    per_class: dict[str, ClassScore]
    confusion_matrix: Confusion


class Bin(Stored):
    """Answers of one range of confidence; null where there are none."""

    low: float = Field(alias="from")
    high: float = Field(alias="to")
    n: int
    confidence: float | None
    accuracy: float | None


class Calibration(Stored):
    ece: float
    bins: list[Bin]


class PositionBias(Stored):
    """What `--permutations` shows; lists by position or by rotation."""

    answered_by_position: list[float]
    gold_by_position: list[float]
    accuracy_by_rotation: list[float]
    accuracy_by_rotation_ci95: list[Interval]
    same_answer_in_all: float
    same_answer_in_all_ci95: Interval


class Samples(Stored):
    """What `--num_samples` shows of single answers."""

    num_samples: int
    accuracy_mean: float
    accuracy_sd: float
    accuracy_by_sample: list[float]
    agreement: float


class TextScores(Stored):
    """BLEU and chrF of the corpus, mean ROUGE F1; all from 0 to 100."""

    bleu: float
    chrf: float
    rouge1: float
    rouge2: float
    rougeL: float


class Order(Stored):
    """In how many of `n` questions the file's own order of the options was the likeliest of its rotations."""

    n: int
    own_first: int
    share: float
    ci95: Interval
    chance: float
    p_value: float


class Continuation(Stored):
    """In how many of `n` questions the second half's first `words` words were written exactly."""

    n: int
    exact: int
    share: float
    ci95: Interval
    words: int


class Signs(Stored):
    """Signs of contamination that were looked for; null where no row allowed it."""

    order: Order | None = None
    continuation: Continuation | None = None


class ErrorOfModel(Stored):
    """The judge's marks of `n` answers of one model, less people's."""

    n: int
    judge_minus_people: float


class OwnStyle(Stored):
    """The judge's error on its own `n` answers, less that on others'."""

    n: int
    difference: float
    ci95: Interval


class People(Stored):
    """The judge beside people, on `n` answers that both marked. No kappa where there are too few verdicts."""

    n: int
    n_unread: int
    n_marks: int = 0
    n_disputed: int = 0
    n_kappa: int | None = None
    kappa: float | None = None
    kappa_ci95: Interval | None = None
    kappa_p: float | None = None
    error_by_model: dict[str, ErrorOfModel] = {}
    own_style: OwnStyle | None = None
    judge_minus_people: float | None = None
    error_by_length: float | None = None
    prediction_powered_mean: float | None = None
    prediction_powered_ci95: Interval | None = None


class JudgeScore(Stored):
    """What a judge gave; `people` where people's marks stand beside it."""

    model: str
    score: float
    n_unread: int
    length_correlation: float | None = None
    first_position_share: float | None = None
    people: People | None = None


class Measured(Stored):
    """What the predictions show. Shares for all tasks but perplexity, which has tokens and bits per byte."""

    n: int
    n_correct: int | None = None
    accuracy: float | None = None
    accuracy_ci95: Interval | None = None
    chance: float | None = None
    majority_class: Majority | None = None
    n_invalid: int = 0
    n_too_long: int = 0
    n_cases: int | None = None
    n_tied: int = 0
    n_tied_correct: int = 0
    n_unfinished: int = 0
    predicted: dict[str, int] = {}
    gold: dict[str, int] = {}
    by_topic: dict[str, Share] = {}
    by_source: dict[str, Share] = {}
    by_origin: dict[str, Share] = {}
    by_exam: dict[str, Share] = {}
    by_year: dict[str, Share] = {}
    by_difficulty: dict[str, Share] = {}
    classes: Classes | None = None
    calibration: Calibration | None = None
    option_mass: float | None = None
    texts: TextScores | None = None
    samples: Samples | None = None
    position_bias: PositionBias | None = None
    tokens: int | None = None
    bytes: int | None = None
    nats_per_token: float | None = None
    perplexity: float | None = None
    bits_per_byte: float | None = None


class Metrics(Measured):
    """metrics.json: what was measured, what stands beside it, and how the rows were asked."""

    task: str
    protocol: str | None = None
    model: str | None = None
    model_name: str | None = None
    data: str | None = None
    shots: int = 0
    shot_ids: list[str | int] = []
    permutations: int = 1
    num_samples: int = 1
    temperature: float = 0.0
    max_new_tokens: int | None = None
    precision: str | None = None
    data_sha256: str | None = None
    template_sha256: str | None = None
    rows_sha256: str | None = None
    prompts_sha256: str | None = None
    judge_sha256: str | None = None
    model_sha256: str | None = None
    baselines: list[BaselineScore] = []
    contamination: Signs | None = None
    judge: JudgeScore | None = None
    n_trained_on: int | None = None
    seconds_a_row: float | None = None


NEEDED = {"perplexity": ("bits_per_byte", "perplexity", "tokens")}  # by task; the others are shares
SHARE = ("n_correct", "accuracy", "accuracy_ci95")


def read(folder: str | Path) -> Metrics:
    """The scores in an output folder of evaluate.py. Raises UserError naming metrics.json and what it lacks."""
    path = Path(folder, "metrics.json")
    found = Metrics.read(path)
    lacking = [name for name in NEEDED.get(found.task, SHARE) if getattr(found, name) is None]
    if lacking:
        raise damaged(path, f"lacks {lacking[0]!r}")
    return found
