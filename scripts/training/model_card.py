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
    method = Path(sys.argv[0]).stem.upper()
    licences = []
    for folder in {Path(f).parent for f in files}:
        manifest = folder / "manifest.json"
        if manifest.is_file():
            licences += [f"{k}: {v}" for k, v in json.loads(manifest.read_text(encoding="utf-8")).get("licences", {}).items()]
    base = base_on_hub(args.model)
    front = {"base_model": base} if base else {}
    front["library_name"] = "transformers" if args.adapter == "full" else "peft"
    front["tags"] = ["unsloth", "trl", Path(sys.argv[0]).stem, "medical"]
    figures = "\n".join(
        f"| {k.replace('_', ' ')} | {v} |" for k, v in metrics.items() if not isinstance(v, dict) and v is not None
    )
    held_out = metrics.get("held_out", {})
    figures += "".join(f"\n| held out: {k} | {v:.4f} |" for k, v in held_out.items() if k in HELD_OUT)
    taken = {f: f", {n} of its rows an epoch" for f, n in metrics.get("rows_by_file", {}).items()}
    data = "\n".join(f"- `{f}`, SHA-256 `{run.sha256_of(f)}`{taken.get(f, '')}" for f in files)
    if by := metrics.get("synthetic_rows"):
        data += f"\n- {told(by, metrics['rows'])} (look whether its terms allow that; let people read a sample)"
    data += "".join(f"\n- learnt before, {said}" for said in learnt(args.model))
    settings = ", ".join(f"{k} {v}" for k, v in run.settings.items() if isinstance(v, int | float) and not isinstance(v, bool))
    teacher = (
        f"\n- teacher: `{args.teacher}` (look whether its licence binds what learns from it)" if hasattr(args, "teacher") else ""
    )
    front_matter = "\n".join(f"{k}: {json.dumps(v)}" for k, v in front.items())
    return f"""---
{front_matter}
---

# {Path(args.output_dir).name}: {method} of {args.model}

**Not for clinical use.** A research model: it was not tested on patients, it will be wrong, and it will sound sure.

- base model: {f"`{base}`" if base else "none that the hub is known to have"} (its licence holds for this one too)
- trained from: `{args.model}`{teacher}
- method: {method} with TRL and Unsloth, {args.adapter}
- settings: {settings}

## Data

{data}
- licences: {"; ".join(licences) or "none was named when the rows were prepared"}

## Figures

| | |
|---|---|
{figures}

Scores on held-out questions are made by `scripts/evaluate.py`, with intervals, and compared by `scripts/compare.py`;
versions, seeds and hardware stand in `run.json`.

## Intended use

Research on medical language models, and teaching. Not for diagnosis, treatment, triage or advice to patients.
"""
