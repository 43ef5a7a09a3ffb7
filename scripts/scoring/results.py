"""comparison.json: written by compare.py, read back by report.py with the evaluations that it names."""

import dataclasses
from pathlib import Path

from common.errors import UserError
from common.files import read_json, reading
from scoring.comparing import Comparison, Result, Settings
from scoring.evaluations import EQUAL, Evaluation, baselines_of, read_evaluations
from scoring.statistics import Interval

# What of metrics.json stands in comparison.json for programs; the folders hold all of it.
KEPT = (
    "n n_correct n_invalid accuracy accuracy_ci95 chance majority_class predicted precision model by_topic by_source by_origin "
    "by_exam by_year by_difficulty calibration option_mass texts bits_per_byte perplexity judge position_bias"
).split()


def to_json(result: Result, sentences: list[str], warnings: list[str]) -> dict:
    """comparison.json's content."""
    first = result.first
    return {
        "verdict": " ".join(sentences),
        "warnings": warnings,
        **dataclasses.asdict(result.settings),
        "confidence_level": round(result.confidence, 6),
        "measure": result.measure,
        **{name: getattr(first, name) for name in ("n", "protocol", "task", "data_sha256", "template_sha256")},
        "models": [_model(e) for e in result.evaluations],
        "baselines": [{**_model(e), "of": e.of} for e in result.baselines],
        "comparisons": [comparison_json(c) for c in result.comparisons],
        "against_baselines": [comparison_json(c) for c in result.against_baselines],
    }


def _model(e: Evaluation) -> dict:
    accuracies = [m.accuracy for m in e.metrics if m.accuracy is not None]
    seeds, measured = {"accuracy_by_seed": accuracies} if len(accuracies) > 1 else {}, e.first.as_json()
    return {"name": e.name, "folders": e.folders, **seeds, **{key: measured.get(key) for key in KEPT}}


def comparison_json(c: Comparison) -> dict:
    return {**dataclasses.asdict(c), "difference_ci": list(c.difference_ci), "won": c.won, "lost": c.lost}


def read_result(folder: Path) -> Result:
    """The comparison in a folder, with its evaluations; raises UserError where one of them is gone or has changed."""
    stored = read_json(folder / "comparison.json")
    if "margin" not in stored:
        raise UserError(f"{folder}: was made by an older version; run scripts/compare.py again")
    with reading(folder / "comparison.json"):
        models = [{**m, "folders": list(map(str, m["folders"])), "name": str(m["name"])} for m in stored["models"]]
        settings = Settings(**{f.name: stored[f.name] for f in dataclasses.fields(Settings)})
        told = [[read_comparison(c) for c in stored[kind]] for kind in ("comparisons", "against_baselines")]
    missing = [f for m in models for f in m["folders"] if not Path(f, "predictions.jsonl").is_file()]
    if missing:
        raise UserError(
            f"{folder}: names evaluations that are not here: {', '.join(missing)}; start in the same folder as before"
        )
    everything = list(EQUAL)  # compare.py has judged that
    evaluations = read_evaluations([",".join(m["folders"]) for m in models], [m["name"] for m in models], everything)
    changed = [e.name for e, m in zip(evaluations, models, strict=True) if _model(e) != m]
    if changed:
        raise UserError(f"{folder}: {', '.join(changed)} was scored again since; run scripts/compare.py again")
    return Result(evaluations, baselines_of(evaluations), *told, settings)


def read_comparison(stored: dict) -> Comparison:
    """A comparison as it was written."""
    names = {f.name for f in dataclasses.fields(Comparison)}
    kept = {k: v for k, v in stored.items() if k in names}
    return Comparison(**{**kept, "difference_ci": Interval(*kept["difference_ci"])})
