"""The model card that a training leaves beside its model. Importing this file imports neither torch nor unsloth."""

import json
import sys
from pathlib import Path

from common.hub import base_on_hub
from common.runs import Run
from common.synthetic import learnt, told

HELD_OUT = ("loss", "accuracy", "reward", "rewards/accuracies")  # held-out figures that the card shows


def card(args, run: Run, metrics: dict, files: list[str]) -> str:
    """The model card: base, data and licences, method, figures, what it is for and what not."""
    script, base = Path(sys.argv[0]).stem, base_on_hub(args.model)
    front = {"base_model": base} if base else {}
    front["library_name"] = "transformers" if args.adapter == "full" else "peft"
    front["tags"] = ["unsloth", "trl", script, "medical"]
    front_matter = "\n".join(f"{k}: {json.dumps(v)}" for k, v in front.items())
    settings = ", ".join(f"{k} {v}" for k, v in run.settings.items() if isinstance(v, int | float) and not isinstance(v, bool))
    teacher = (
        f"\n- teacher: `{args.teacher}` (look whether its licence binds what learns from it)" if hasattr(args, "teacher") else ""
    )
    return f"""---
{front_matter}
---

# {Path(args.output_dir).name}: {script.upper()} of {args.model}

**Not for clinical use.** A research model: it was not tested on patients, it will be wrong, and it will sound sure.

- base model: {f"`{base}`" if base else "none that the hub is known to have"} (its licence holds for this one too)
- trained from: `{args.model}`{teacher}
- method: {script.upper()} with TRL and Unsloth, {args.adapter}
- settings: {settings}

## Data

{_data(args.model, run, metrics, files)}
- licences: {"; ".join(_licences(files)) or "none was named when the rows were prepared"}

## Figures

| | |
|---|---|
{_figures(metrics)}

Scores on held-out questions are made by `scripts/evaluate.py`, with intervals, and compared by `scripts/compare.py`;
versions, seeds and hardware stand in `run.json`.

## Intended use

Research on medical language models, and teaching. Not for diagnosis, treatment, triage or advice to patients.
"""


def _data(model: str, run: Run, metrics: dict, files: list[str]) -> str:
    """A line for each file that was learnt from, and for rows that a model wrote."""
    taken = {f: f", {n} of its rows an epoch" for f, n in metrics.get("rows_by_file", {}).items()}
    data = "\n".join(f"- `{f}`, SHA-256 `{run.sha256_of(f)}`{taken.get(f, '')}" for f in files)
    if by := metrics.get("synthetic_rows"):
        data += f"\n- {told(by, metrics['rows'])} (look whether its terms allow that; let people read a sample)"
    return data + "".join(f"\n- learnt before, {said}" for said in learnt(model))


def _licences(files: list[str]) -> list[str]:
    """What the manifests beside the files name."""
    found = []
    for folder in {Path(f).parent for f in files}:
        manifest = folder / "manifest.json"
        if manifest.is_file():
            found += [f"{k}: {v}" for k, v in json.loads(manifest.read_text(encoding="utf-8")).get("licences", {}).items()]
    return found


def _figures(metrics: dict) -> str:
    """A row of the table for each figure."""
    plain = {k.replace("_", " "): v for k, v in metrics.items() if not isinstance(v, dict) and v is not None}
    held_out = {f"held out: {k}": f"{v:.4f}" for k, v in metrics.get("held_out", {}).items() if k in HELD_OUT}
    return "\n".join(f"| {name} | {value} |" for name, value in (plain | held_out).items())
