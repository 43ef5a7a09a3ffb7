"""Simple baselines beside a model's score: what a language model must beat to be worth its cost. Used by evaluate.py.

Classification, with training rows (--train_data): TF-IDF of words and pairs of words, logistic regression (scikit-learn).
Multiple choice: always the longest option; always the letter that is right most often in the training rows; the option that
the model itself finds likeliest with the question hidden, which shows what the options alone give away (Balepur et al.
2024, arXiv 2402.12483).
"""

import collections
import itertools
from dataclasses import dataclass, field
from pathlib import Path

from common.files import read_rows, write_text
from scoring import measures, tasks
from scoring.predictions import BaselinePrediction
from scoring.scores import BaselineScore

TFIDF = "TF-IDF and logistic regression"
LONGEST = "always the longest option"
COMMONEST = "always the letter commonest in training"
OPTIONS_ONLY = "the model's own choice, question hidden"
HIDDEN = {"en": "(The question is hidden.)", "pt": "(A pergunta está oculta.)"}


@dataclass
class Baseline:
    """A rule's answers, by id."""

    name: str
    predictions: dict
    facts: dict = field(default_factory=dict)
    """what it was made from"""


def pairs_of(path: str, tested: list[dict]) -> tuple[list[str], list[str], int]:
    """Questions and answers of the training rows, and how many were left out because they are tested or unusable."""
    ids, asked = {str(row["id"]) for row in tested}, {tasks.user_text(row) for row in tested}
    texts, answers, left_out = [], [], 0
    for row in read_rows(path):
        turns = tasks.example_of(row)
        if turns is None or str(row.get("id")) in ids or turns[0]["content"] in asked:
            left_out += 1
            continue
        texts.append(turns[0]["content"])
        answers.append(turns[1]["content"].strip())
    return texts, answers, left_out


def shared_ends(texts: list[str]):
    """A function that cuts off what all these texts begin and end with, in whole words."""
    words = [text.split() for text in texts]

    def shared(lists: list[list[str]]) -> int:
        lowest, highest = min(lists), max(lists)
        return len(list(itertools.takewhile(lambda two: two[0] == two[1], zip(lowest, highest, strict=False))))

    before, after = shared(words), shared([one[::-1] for one in words])
    return lambda text: " ".join(text.split()[before : -after or None])


def tfidf(rows: list[dict], train_data: str) -> Baseline | None:
    """The bag of words fitted to the training rows whose answer is one of the labels; None where there are not two classes."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from threadpoolctl import threadpool_limits

    texts, answers, left_out = pairs_of(train_data, rows)
    labels = {label for row in rows for label in row["labels"]}
    kept = [(text, answer) for text, answer in zip(texts, answers, strict=True) if answer in labels]
    if len({answer for _, answer in kept}) < 2:
        print(f"note: no bag of words beside the model: the answers in {train_data} are not the test's labels")
        return None
    # What every prompt repeats (instruction, labels) says nothing and takes weight from the words that do.
    cut = shared_ends([text for text, _ in kept] + [tasks.user_text(row) for row in rows])
    pipeline = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(max_iter=2000, tol=1e-3))
    grid = {"tfidfvectorizer__ngram_range": [(1, 1), (1, 2)], "logisticregression__C": [1, 10, 100]}
    fewest = min(collections.Counter(answer for _, answer in kept).values())
    model = pipeline
    if fewest >= 3:  # the settings by cross-validation on the training rows, so that the rival is no straw man
        model = GridSearchCV(pipeline, grid, cv=3)
    with threadpool_limits(1):  # products this small take sixty times as long on two busy cores as on one
        model.fit([cut(text) for text, _ in kept], [answer for _, answer in kept])
    chances = model.predict_proba([cut(tasks.user_text(row)) for row in rows])
    predictions = {}
    for row, chance in zip(rows, chances, strict=True):  # of the row's own labels, as the model is asked
        own = {c: p for c, p in zip(model.classes_, chance, strict=True) if c in row["labels"]}
        predictions[row["id"]] = max(own, key=own.get) if own else None
    return Baseline(TFIDF, predictions, {"training_rows": len(kept), "left_out": left_out + len(texts) - len(kept)})


def longest_option(rows: list[dict]) -> Baseline:
    """The option with the most characters; of equal ones the first."""
    return Baseline(LONGEST, {row["id"]: max(row["options"], key=lambda k: len(row["options"][k])) for row in rows})


def commonest_letter(rows: list[dict], train_data: str) -> Baseline | None:
    """The letter that answers most training rows; None where their answers are no letters."""
    _, answers, _ = pairs_of(train_data, rows)
    letters = collections.Counter(answer[:1] for answer in answers if len(answer) == 1 or answer[1:2] in ").:")
    if not letters:
        return None
    letter = letters.most_common(1)[0][0]
    predictions = {row["id"]: letter if letter in row["options"] else None for row in rows}
    return Baseline(COMMONEST, predictions, {"letter": letter, "training_rows": sum(letters.values())})


def hidden(row: dict) -> dict:
    """The row with its question hidden."""
    return {**row, "question": HIDDEN.get(row.get("language", "en"), HIDDEN["en"])}


def write_baselines(folder: Path, rows: list[dict], found: list[Baseline]) -> list[BaselineScore]:
    """Write baselines.jsonl; the entries of metrics.json."""
    lines, entries = [], []
    for baseline in found:
        records = [
            BaselinePrediction(
                baseline=baseline.name,
                id=row["id"],
                prediction=baseline.predictions.get(row["id"]),
                gold=tasks.gold_of(row),
                correct=baseline.predictions.get(row["id"]) == tasks.gold_of(row),
                options=list(tasks.options_of(row)),
            )
            for row in rows
        ]
        lines += records
        predicted = measures.distribution(records, "prediction")
        share = measures.share(records).as_fields()
        entries.append(BaselineScore(name=baseline.name, **share, predicted=predicted, **baseline.facts))
    if found:
        write_text(folder / "baselines.jsonl", "".join(line.json_line() for line in lines))
    return entries
