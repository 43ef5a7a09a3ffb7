"""How right the predictions are: shares with intervals, classes, texts, calibration, position bias, perplexity.

Figures come from kept libraries (scipy, scikit-learn, sacrebleu, rouge-score), imported where they are used.
"""

import collections
import functools
import math
import operator
import re

from scoring.outputs import plain
from scoring.predictions import Prediction
from scoring.scores import (
    Bin,
    Calibration,
    Classes,
    ClassScore,
    Confusion,
    Majority,
    MeanScore,
    Measured,
    PositionBias,
    Samples,
    Share,
    TextScores,
)
from scoring.statistics import wilson

INVALID = "(invalid)"


def share(records: list[Prediction]) -> Share:
    """Accuracy of some predictions, with interval, beside chance and the majority class (null where there is none)."""
    n, right = len(records), sum(r.correct for r in records)
    chance = majority = None
    if all(r.options for r in records):
        label, most = collections.Counter(r.gold for r in records).most_common(1)[0]
        majority = Majority(label=label, accuracy=round(most / n, 6))
        chance = round(sum(1 / len(r.options) for r in records) / n, 6)
    return Share(
        n=n,
        n_correct=right,
        accuracy=round(right / n, 6),
        accuracy_ci95=wilson(right, n),
        chance=chance,
        majority_class=majority,
        n_invalid=sum(r.prediction is None for r in records),
    )


def grouped(records: list[Prediction], key: str) -> dict[str, Share]:
    """`share` for each value of a key of the rows."""
    groups = collections.defaultdict(list)
    for record in records:
        groups[str(getattr(record, key) or "none")].append(record)
    return {name: share(groups[name]) for name in sorted(groups)}


def thirds(records: list[Prediction], key: str) -> dict[str, Share]:
    """`share` for each third of the rows by a number that they have, the lowest first; equal numbers stay together."""
    import numpy as np

    number = operator.attrgetter(key)
    edges = np.quantile([number(r) for r in records if number(r) is not None], [1 / 3, 2 / 3])
    groups = collections.defaultdict(list)
    for record in records:
        groups[0 if number(record) is None else int(np.searchsorted(edges, number(record))) + 1].append(record)

    def name(third: int, some: list[Prediction]) -> str:
        return f"{third}/3: {min(map(number, some)):g} to {max(map(number, some)):g}" if third else "none"

    return {name(third, some): share(some) for third, some in sorted(groups.items())}


def classes(records: list[Prediction]) -> Classes:
    """Precision, recall and F1 per class, macro and weighted, and the confusion matrix (scikit-learn).

    Classes are those of the gold answers; an invalid answer is a miss of its class and a column of its own. Precision
    and recall, being shares, have Wilson's interval (null for the precision of a class that was never answered).
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    gold = [str(r.gold) for r in records]
    predicted = [INVALID if r.prediction is None else str(r.prediction) for r in records]
    labels, columns = sorted(set(gold)), sorted(set(gold) | set(predicted))
    answered = collections.Counter(predicted)
    right = collections.Counter(g for g, t in zip(gold, predicted, strict=True) if g == t)

    def scored(average: str | None):
        return precision_recall_fscore_support(gold, predicted, labels=labels, average=average, zero_division=0)

    def mean(average: str) -> MeanScore:
        p, r, f, _ = scored(average)
        return MeanScore(precision=round(float(p), 6), recall=round(float(r), 6), f1=round(float(f), 6))

    per_class = {
        label: ClassScore(
            precision=round(float(p), 6),
            precision_ci95=wilson(right[label], answered[label]) if answered[label] else None,
            recall=round(float(r), 6),
            recall_ci95=wilson(right[label], int(n)),
            f1=round(float(f), 6),
            n=int(n),
        )
        for label, p, r, f, n in zip(labels, *scored(None), strict=True)
    }
    counts = confusion_matrix(gold, predicted, labels=columns).tolist()
    matrix = Confusion(labels=columns, rows="gold", columns="predicted", counts=counts)
    return Classes(macro=mean("macro"), weighted=mean("weighted"), per_class=per_class, confusion_matrix=matrix)


def distribution(records: list[Prediction], key: str) -> dict[str, int]:
    """How often each value of a key stands in the records, the most frequent first; null is (invalid)."""
    counts = collections.Counter(INVALID if (said := getattr(r, key)) is None else str(said) for r in records)
    return dict(counts.most_common())


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    parts = [math.exp(v - top) for v in values]
    return [p / sum(parts) for p in parts]


def calibration(records: list[Prediction], bins: int = 10) -> Calibration:
    """Expected calibration error over equal bins of confidence (Guo et al. 2017, arXiv 1706.04599).

    Confidence is the softmax over the options' scores at the answer given.
    """
    cells = [[] for _ in range(bins)]
    for record in records:
        confidence = max(softmax(list(record.scores.values())))
        cells[min(int(confidence * bins), bins - 1)].append((confidence, record.correct))
    shown, error = [], 0.0
    for i, cell in enumerate(cells):
        mean = sum(c for c, _ in cell) / len(cell) if cell else None
        right = sum(r for _, r in cell) / len(cell) if cell else None
        error += len(cell) * abs(mean - right) if cell else 0
        confidence, accuracy = (None if value is None else round(value, 6) for value in (mean, right))
        shown.append(Bin(low=i / bins, high=(i + 1) / bins, n=len(cell), confidence=confidence, accuracy=accuracy))
    return Calibration(ece=round(error / len(records), 6), bins=shown)


def position_bias(records: list[Prediction]) -> PositionBias:
    """What `--permutations` shows: how often each position is answered, however the options stand.

    Each record has its rotations.
    """
    places = [r for record in records for r in record.rotations]
    width = max(len(record.options) for record in records)
    n = len(places)
    rounds = list(zip(*(record.rotations for record in records), strict=True))
    right = [sum(r.position == r.gold_position for r in one) for one in rounds]
    same = sum(len({r.answer for r in record.rotations}) == 1 for record in records)
    return PositionBias(
        answered_by_position=[round(sum(r.position == p for r in places) / n, 6) for p in range(width)],
        gold_by_position=[round(sum(r.gold_position == p for r in places) / n, 6) for p in range(width)],
        accuracy_by_rotation=[round(k / len(records), 6) for k in right],
        accuracy_by_rotation_ci95=[wilson(k, len(records)) for k in right],
        same_answer_in_all=round(same / len(records), 6),
        same_answer_in_all_ci95=wilson(same, len(records)),
    )


def samples(records: list[Prediction]) -> Samples:
    """What --num_samples shows: the accuracy of single answers, its spread over the samples, and how far they agree."""
    import statistics

    rounds = list(zip(*(r.sample_answers for r in records), strict=True))
    golds = [r.gold for r in records]
    single = [sum(a == g for a, g in zip(answers_, golds, strict=True)) / len(golds) for answers_ in rounds]
    votes = [max(collections.Counter(r.sample_answers).values()) / len(rounds) for r in records]
    return Samples(
        num_samples=len(rounds),
        accuracy_mean=round(sum(single) / len(single), 6),
        accuracy_sd=round(statistics.stdev(single), 6) if len(single) > 1 else 0.0,
        accuracy_by_sample=[round(one, 6) for one in single],
        agreement=round(sum(votes) / len(votes), 6),
    )


def texts(records: list[Prediction]) -> TextScores:
    """BLEU and chrF of the corpus (sacrebleu), mean ROUGE-1, 2 and L F1 (rouge-score), all from 0 to 100."""
    import sacrebleu

    predicted, gold = [plain(r.output or "") for r in records], [r.gold for r in records]
    rouge = [rouge_of(t, g) for t, g in zip(predicted, gold, strict=True)]
    return TextScores(
        bleu=round(sacrebleu.corpus_bleu(predicted, [gold]).score, 4),
        chrf=round(sacrebleu.corpus_chrf(predicted, [gold]).score, 4),
        **{name: round(100 * sum(r[name] for r in rouge) / len(rouge), 4) for name in rouge[0]},
    )


class Words:
    """Words are runs of letters and digits of any script; the library's own rule would cut Portuguese at every accent."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.casefold())


@functools.cache
def _rouge_scorer():
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Words())


def rouge_of(predicted: str, gold: str) -> dict[str, float]:
    """ROUGE F1 of one answer, 0 to 1; nothing is stemmed."""
    return {name: score.fmeasure for name, score in _rouge_scorer().score(gold, predicted).items()}


def perplexity(records: list[Prediction]) -> Measured:
    """Perplexity per token, and bits per byte, in which tokenizers compare; of all texts together."""
    nats, tokens, size = (sum(getattr(r, key) for r in records) for key in ("nats", "tokens", "bytes"))
    return Measured(
        n=len(records),
        tokens=tokens,
        bytes=size,
        nats_per_token=round(nats / tokens, 6),
        perplexity=round(math.exp(nats / tokens), 4),
        bits_per_byte=round(nats / math.log(2) / size, 6),
        by_source={},
    )
