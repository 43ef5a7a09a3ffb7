"""Output folders of evaluate.py read back: one model's predictions, by one or several seeds, and what may be compared."""

import glob
import itertools
import math
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from common.errors import UserError
from common.files import reading
from common.paths import named_twice
from scoring import scores
from scoring.baselines import OPTIONS_ONLY
from scoring.predictions import BaselinePrediction, Prediction, read_predictions

# What must be equal, by the key of metrics.json, and how the refusal calls it.
EQUAL = {
    "data": ("data_sha256", "test set"),
    "rows": ("rows_sha256", "scored rows"),
    "protocol": ("protocol", "protocol"),
    "template": ("template_sha256", "chat template"),
    "prompts": ("prompts_sha256", "prompts"),
    "tokens": ("max_new_tokens", "longest free answer"),
    "samples": ("num_samples", "number of answers to a question"),
    "temperature": ("temperature", "temperature"),
    "judge": ("judge_sha256", "judge"),
}
SHORT = ("protocol", "tokens", "samples", "temperature")  # whose values a refusal shows whole; the others are hashes
# What is compared where it is no share of right answers, by task or protocol: key of metrics.json, whether more is better.
MEASURES = {"open": ("rouge_l", True), "perplexity": ("bits_per_byte", False), "judge": ("judged", True)}


@dataclass
class Evaluation:
    """One model's evaluations of one test set, one a seed. `rows` are the predictions, by id, in the order of the data."""

    name: str
    folders: list[str]
    metrics: list[scores.Metrics]
    rows: list[dict[Any, Prediction]]
    baseline: bool = False
    """a simple rule or a bag of words, no model that is for sale"""
    of: str = ""
    """the model that a baseline was scored beside, and is compared with alone; empty: it stands for all"""
    also: dict = field(default_factory=dict)

    @property
    def first(self) -> scores.Metrics:
        """The scores of the first seed; what all seeds share stands in them."""
        return self.metrics[0]

    @property
    def measure(self) -> str:
        return MEASURES.get(measured_by(self.first), ("accuracy", True))[0]

    @property
    def is_gguf(self) -> bool:
        return (self.first.precision or "").startswith("gguf")

    @property
    def is_general(self) -> bool:
        """Whether this is the fixed set that shows forgetting."""
        return self.first.data == "general"

    def values(self, ids: list):
        """What each row adds to the measure's numerator and denominator, numpy (seeds, rows, 2)."""
        import numpy

        return numpy.array([[part_of(rows[i], self.measure) for i in ids] for rows in self.rows], float)


def measured_by(metrics: scores.Metrics) -> str:
    """The key into MEASURES: the protocol where a judge marked the answers, else the task."""
    return "judge" if metrics.protocol == "judge" else str(metrics.task)


def part_of(row: Prediction, measure: str) -> tuple[float, float]:
    """What a row adds to a measure's numerator and denominator."""
    if measure == "bits_per_byte":
        return row.nats / math.log(2), row.bytes
    if measure in ("rouge_l", "judged"):
        return getattr(row, measure) or 0.0, 1
    return float(row.correct), 1


def model_name(model: str) -> str:
    """What a reader calls a model: the last part of a hub id, folder, file or address; of a linked file, the file's own."""
    if os.path.islink(model) and (target := os.readlink(model)).endswith(".gguf"):  # choose_file.py's; the hub's lead to blobs
        model = target
    return PurePosixPath(str(model).rstrip("/")).name or str(model)


def name_of_seeds(names: list[str]) -> str:
    """What several seeds of a model are called together: what their names share ("sft-s1" and "sft-s2" are sft), else all."""
    if len(set(names)) == 1:
        return names[0]
    shared = "".join(c[0] for c in itertools.takewhile(lambda c: len(set(c)) == 1, zip(*names, strict=False)))
    nexts = [name[len(shared) :] for name in names]
    if all(nexts):  # the names part within a word or a number; "qwen3" and "qwen3-b" do not
        digit, letter = any(rest[0].isdigit() for rest in nexts), any(rest[0].isalpha() for rest in nexts)
        shared = re.sub(r"\d*\Z" if digit else r"[^\W\d_]*\Z" if letter else r"\Z", "", shared)
    shared = re.sub(r"(?:(?<![^\W_])(?:seed|semente|semilla|run|s))?[\s_.+(/-]*\Z", "", shared, flags=re.I)
    return shared.rstrip(" _.+(/-") or " · ".join(dict.fromkeys(names))


def folders_of(argument: str) -> list[str]:
    """Folders that one argument names: one, several seeds' with commas between, or a pattern with `*`."""
    if Path(argument).is_dir():
        return [argument]  # whatever its name holds
    found = []
    for part in filter(None, argument.split(",")):
        found += sorted(glob.glob(part)) if any(c in part for c in "*?[") and not Path(part).is_dir() else [part]
    return found


def check_folders(arguments: list[str]) -> list[str]:
    """Problems of compare.py's arguments (strings): patterns without a folder, folders named twice or without an evaluation."""
    found = [f"evaluations: {argument} matches no folder" for argument in arguments if not folders_of(argument)]
    folders = [folder for argument in arguments for folder in folders_of(argument)]
    found += [f"evaluations: {folder} is named twice; nothing is compared with itself" for folder in named_twice(folders)]
    return found + [
        f"evaluations: {folder} holds no {name}; is the evaluation finished?"
        for folder in folders
        for name in ("metrics.json", "predictions.jsonl")
        if not Path(folder, name).is_file()
    ]


def predictions_of(path: Path, metrics: scores.Metrics) -> dict[Any, Prediction]:
    """Predictions by id. Raises UserError naming the file where a row lacks what is compared, or stands twice."""
    measure = MEASURES.get(measured_by(metrics), ("accuracy", True))[0]
    rows = read_predictions(path, {"bits_per_byte": ("nats", "bytes"), "accuracy": ("correct", "prediction")}.get(measure, ()))
    found = {row.id: row for row in rows}
    with reading(path):
        if len(found) < len(rows):
            raise ValueError("an id stands twice")
        right = sum(row.correct for row in rows) if measure == "accuracy" else metrics.n_correct
        told, here = (metrics.n, metrics.n_correct), (len(rows), right)
        if told != here and None not in (*told, *here):
            raise ValueError(f"{here[1]} of {here[0]} rows are right, by metrics.json beside it {told[1]} of {told[0]}")
    return found


def read_evaluations(arguments: list[str], names: list[str], allow: list[str]) -> list[Evaluation]:
    """The evaluations that the arguments name, each named by its model; raises UserError if they cannot be compared."""
    found = []
    for i, argument in enumerate(arguments):
        folders = folders_of(argument)
        metrics = [scores.read(folder) for folder in folders]
        rows = [predictions_of(Path(folder, "predictions.jsonl"), m) for folder, m in zip(folders, metrics, strict=True)]
        called = [m.model_name or model_name(m.model or folder) for m, folder in zip(metrics, folders, strict=True)]
        name = names[i] if names else name_of_seeds(called)
        found.append(Evaluation(name, folders, metrics, rows))
    for label in (lambda e: f"{e.name} ({Path(e.folders[0]).name})", lambda e: e.folders[0]):
        if len({e.name for e in found}) < len(found):
            for e in found:
                e.name = label(e)
    problems = [problem for e in found for problem in _seed_problems(e)]
    problems += [problem for other in found[1:] for problem in _differences(found[0], other, allow)]
    if problems:
        raise UserError(problems)
    return found


def _seed_problems(e: Evaluation) -> list[str]:
    """Problems of one evaluation by itself: seeds that are no seeds, rows without what is compared."""
    found = []
    hashes = [m.model_sha256 for m in e.metrics]
    if len(e.folders) > 1 and None not in hashes and len(set(hashes)) < len(hashes):
        found.append(f"{', '.join(e.folders)}: two of these are the same model; several folders are one model of several seeds")
    for other in range(1, len(e.folders)):
        one = Evaluation(e.name, e.folders[:1], e.metrics[:1], e.rows[:1])
        two = Evaluation(e.name, [e.folders[other]], [e.metrics[other]], [e.rows[other]])
        found += _differences(one, two, [])
    if e.measure == "rouge_l" and all(row.rouge_l is None for row in e.rows[0].values()):
        found.append(f"{e.folders[0]}: its open answers were scored without ROUGE-L by row; score it again with this version")
    return found


def _differences(first: Evaluation, other: Evaluation, allow: list[str]) -> list[str]:
    """What keeps two evaluations from being compared."""
    one_folder, two_folder, found = first.folders[0], other.folders[0], []
    for kind, (key, what) in EQUAL.items():
        one, two = getattr(first.first, key), getattr(other.first, key)
        if one != two and kind not in allow:
            shown = f"{one} and {two}" if kind in SHORT else f"{str(one)[:12]}... and {str(two)[:12]}..."
            found.append(
                f"{one_folder} and {two_folder}: different {what} ({shown}); score both alike, "
                f"or pass --allow '[{kind}]' and have the report say so"
            )
    shared = [i for i in first.rows[0] if i in other.rows[0]]
    if unlike := [i for i in shared if first.rows[0][i].gold != other.rows[0][i].gold]:
        found.append(
            f"{one_folder} and {two_folder}: {len(unlike)} rows of one id have another right answer (gold; one is {unlike[0]}): "
            "they are other questions, or another key; score both on one file"
        )
    if not shared:
        found.append(f"{one_folder} and {two_folder}: not one row stands in both, so there is nothing to compare")
    elif set(first.rows[0]) != set(other.rows[0]) and "rows" not in allow:
        missing = len(set(first.rows[0]) ^ set(other.rows[0]))
        found.append(f"{one_folder} and {two_folder}: {missing} ids stand in only one of them")
    return found


def baselines_of(evaluations: list[Evaluation]) -> list[Evaluation]:
    """The simple baselines that evaluate.py scored beside the models.

    One stands for all models where each has the same answers of it. The model's own choice, and what was fitted to other
    training rows, stand once a model (`of`).
    """
    found: dict[str, list[Evaluation]] = {}
    for e in evaluations:
        for baseline in _scored_beside(e):
            found.setdefault(baseline.name, []).append(baseline)
    kept = []
    for name, alike in found.items():
        one = name != OPTIONS_ONLY and all(_same_answers(alike[0].rows[0], other.rows[0]) for other in alike[1:])
        kept += [replace(alike[0], of="")] if one else alike
    return kept


def _scored_beside(e: Evaluation) -> list[Evaluation]:
    """The baselines in a model's folders, as its own; one whose answers differ from seed to seed has several seeds as well."""
    first, *others = (_scored_in(folder, metrics) for folder, metrics in zip(e.folders, e.metrics, strict=True))
    found = []
    for name, (metrics, rows) in first.items():
        baseline = Evaluation(name, e.folders[:1], [metrics], [rows], baseline=True, of=e.name)
        seeds = [other[name] for other in others if name in other and other[name][1].keys() == rows.keys()]
        if len(seeds) == len(others) and not all(_same_answers(rows, other) for _, other in seeds):
            measured, answered = zip(first[name], *seeds, strict=True)
            baseline = replace(baseline, folders=e.folders, metrics=list(measured), rows=list(answered))
        found.append(baseline)
    return found


def _scored_in(folder: str, metrics: scores.Metrics) -> dict[str, tuple[scores.Metrics, dict[Any, Prediction]]]:
    """Scores, and predictions by id, of each baseline that was scored in a folder."""
    path = Path(folder, "baselines.jsonl")
    if not path.is_file():
        return {}
    rows: dict[str, dict[Any, Prediction]] = {}
    for row in read_predictions(path, kind=BaselinePrediction):
        rows.setdefault(row.baseline, {})[row.id] = row
    same = {"task": metrics.task, "protocol": metrics.protocol, "data_sha256": metrics.data_sha256}
    found = {}
    for one in metrics.baselines:
        if one.name in rows:
            share = {name: value for name, value in one.as_fields().items() if name in scores.Metrics.model_fields}
            found[one.name] = scores.Metrics(**share, **same), rows[one.name]
    return found


def _same_answers(first: dict[Any, Prediction], other: dict[Any, Prediction]) -> bool:
    """Whether two baselines answer the rows that they share alike."""
    return all(first[i].prediction == other[i].prediction for i in first if i in other)
