"""Output folders of evaluate.py read back: one model's predictions, by one or several seeds, and what may be compared."""

import glob
import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from common.errors import UserError
from common.files import Read, read_json, read_rows, reading
from common.paths import named_twice
from scoring.baselines import OPTIONS_ONLY

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
    metrics: list[dict]
    rows: list[dict[str, dict]]
    baseline: bool = False
    """a simple rule or a bag of words, no model that is for sale"""
    of: str = ""
    """the model that a baseline was scored beside, and is compared with alone; empty: it stands for all"""
    also: dict = field(default_factory=dict)

    @property
    def first(self) -> dict:
        """metrics.json of the first seed; what all seeds share stands in it."""
        return self.metrics[0]

    @property
    def measure(self) -> str:
        return MEASURES.get(measured_by(self.first), ("accuracy", True))[0]

    @property
    def is_gguf(self) -> bool:
        return str(self.first.get("precision") or "").startswith("gguf")

    @property
    def is_general(self) -> bool:
        """Whether this is the fixed set that shows forgetting."""
        return self.first.get("data") == "general"

    def values(self, ids: list):
        """What each row adds to the measure's numerator and denominator, numpy (seeds, rows, 2)."""
        import numpy

        return numpy.array([[part_of(rows[i], self.measure) for i in ids] for rows in self.rows], float)


def measured_by(metrics: dict) -> str:
    """The key into MEASURES: the protocol where a judge marked the answers, else the task."""
    return "judge" if metrics.get("protocol") == "judge" else str(metrics.get("task"))


def part_of(row: dict, measure: str) -> tuple[float, float]:
    """What a row adds to a measure's numerator and denominator."""
    if measure == "bits_per_byte":
        return row["nats"] / math.log(2), row["bytes"]
    if measure in ("rouge_l", "judged"):
        return row.get(measure) or 0.0, 1
    return float(row["correct"]), 1


def model_name(model: str) -> str:
    """What a reader calls a model: the last part of a hub id, folder, file or address; of a linked file, the file's own."""
    if os.path.islink(model) and (target := os.readlink(model)).endswith(".gguf"):  # choose_file.py's; the hub's lead to blobs
        model = target
    return PurePosixPath(str(model).rstrip("/")).name or str(model)


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


def predictions_of(path: Path, metrics: dict) -> dict[str, dict]:
    """Rows of predictions.jsonl by id. Raises UserError naming the file where a row lacks what is compared, or stands twice."""
    measure = MEASURES.get(measured_by(metrics), ("accuracy", True))[0]
    needs = {"bits_per_byte": ("nats", "bytes"), "accuracy": ("correct",)}.get(measure, ())
    rows = read_rows(path, lambda row: [f"lacks {key}" for key in ("id", *needs) if key not in row])
    with reading(path):
        found = {row["id"]: Read.of(path, row) for row in rows}
        if len(found) < len(rows) or any(type(row[key]) not in (bool, int, float) for row in rows for key in needs):
            raise ValueError("an id stands twice" if len(found) < len(rows) else f"{' or '.join(needs)} is no number")
        right = sum(row["correct"] for row in rows) if "correct" in needs else metrics.get("n_correct")
        told, here = (metrics.get("n"), metrics.get("n_correct")), (len(rows), right)
        if told != here and None not in (*told, *here):
            raise ValueError(f"{here[1]} of {here[0]} rows are right, by metrics.json beside it {told[1]} of {told[0]}")
    return found


def read_evaluations(arguments: list[str], names: list[str], allow: list[str]) -> list[Evaluation]:
    """The evaluations that the arguments name, each named by its model; raises UserError if they cannot be compared."""
    found = []
    for i, argument in enumerate(arguments):
        folders = folders_of(argument)
        metrics = [read_json(Path(folder, "metrics.json")) for folder in folders]
        rows = [predictions_of(Path(folder, "predictions.jsonl"), m) for folder, m in zip(folders, metrics, strict=True)]
        name = names[i] if names else metrics[0].get("model_name") or model_name(metrics[0].get("model") or folders[0])
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
    hashes = [m.get("model_sha256") for m in e.metrics]
    if len(e.folders) > 1 and None not in hashes and len(set(hashes)) < len(hashes):
        found.append(f"{', '.join(e.folders)}: two of these are the same model; several folders are one model of several seeds")
    for other in range(1, len(e.folders)):
        one = Evaluation(e.name, e.folders[:1], e.metrics[:1], e.rows[:1])
        two = Evaluation(e.name, [e.folders[other]], [e.metrics[other]], [e.rows[other]])
        found += _differences(one, two, [])
    if e.measure == "rouge_l" and not any("rouge_l" in row for row in e.rows[0].values()):
        found.append(f"{e.folders[0]}: its open answers were scored without ROUGE-L by row; score it again with this version")
    return found


def _differences(first: Evaluation, other: Evaluation, allow: list[str]) -> list[str]:
    """What keeps two evaluations from being compared."""
    one_folder, two_folder, found = first.folders[0], other.folders[0], []
    for kind, (key, what) in EQUAL.items():
        one, two = first.first.get(key), other.first.get(key)
        if one != two and kind not in allow:
            shown = f"{one} and {two}" if kind in SHORT else f"{str(one)[:12]}... and {str(two)[:12]}..."
            found.append(
                f"{one_folder} and {two_folder}: different {what} ({shown}); score both alike, "
                f"or pass --allow '[{kind}]' and have the report say so"
            )
    shared = [i for i in first.rows[0] if i in other.rows[0]]
    if unlike := [i for i in shared if first.rows[0][i].get("gold") != other.rows[0][i].get("gold")]:
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


def _scored_in(folder: str, metrics: dict) -> dict[str, tuple[dict, dict]]:
    """Metrics, and rows by id, of each baseline that was scored in a folder."""
    path = Path(folder, "baselines.jsonl")
    if not path.is_file():
        return {}
    rows: dict[str, dict] = {}
    for row in (Read.of(path, row) for row in read_rows(path)):
        rows.setdefault(row["baseline"], {})[row["id"]] = row
    same = {key: metrics.get(key) for key in ("task", "protocol", "data_sha256")}
    told = [Read.of(Path(folder, "metrics.json"), {**one, **same}) for one in metrics.get("baselines") or []]
    return {one["name"]: (one, rows[one["name"]]) for one in told if one["name"] in rows}


def _same_answers(first: dict[str, dict], other: dict[str, dict]) -> bool:
    """Whether two baselines answer the rows that they share alike."""
    return all(first[i].get("prediction") == other[i].get("prediction") for i in first if i in other)
