"""How long the trainings of a recipe will take, roughly, before anything is downloaded: tokens by a rate that is named. No torch.

A forward and backward pass over frozen weights costs 4 operations a weight and token, 6 where the weights themselves are trained
(Kaplan et al. 2020, arXiv 2001.08361, section 2.1; frozen weights need no gradient of their own); gradient checkpointing repeats
the forward pass, 2 more. DPO and KTO read each pair or answer with the reference too. Of a card's peak a fifth is taken to be
reached: nothing here was measured on a GPU, so the hours are a guess, perhaps wrong by three times, and said to be one.
"""

import itertools
import json
import math
import subprocess
from dataclasses import dataclass
from pathlib import Path

from chain.recipe import Recipe, Stage, command_args
from common.errors import UserError
from training import adapters, recipe_memory
from training.data_files import files_of

# Dense 16-bit peak in TFLOP/s with 32-bit accumulation, from NVIDIA's data sheets and architecture white papers.
PEAKS = {
    "T4": 65,
    "RTX 3060": 25,
    "RTX 3080": 60,
    "RTX 3090": 71,
    "RTX 4060": 30,
    "RTX 4070": 58,
    "RTX 4080": 98,
    "RTX 4090": 165,
    "RTX 5090": 210,
    "L4": 121,
    "A10": 125,
    "A100": 312,
    "H100": 990,
}
SHARE = 0.2
NO_CARD = "RTX 4060"  # what is taken where there is none: the small card that the recipes are written for
ROW_TOKENS = 350  # a question and its answer, where the rows are not there to be counted
CHARACTERS = 3.5  # of Portuguese or English text a token, in Qwen's vocabulary
# Passes a row, in SFT's.
READS = {"dpo": 2 * 1.5, "kto": 1.5, "simpo": 2, "orpo": 2, "reward": 2, "grpo": 6, "rloo": 6, "distill": 4}


@dataclass
class Rate:
    """What a card does."""

    operations: float
    """a second"""
    of: str
    """where that comes from"""


def rate() -> Rate:
    """The card's operations a second: by its name, else of the card named NO_CARD."""
    name = card()
    known = next((k for k in sorted(PEAKS, key=len, reverse=True) if name and k in name), None)
    if known:
        return Rate(PEAKS[known] * 1e12 * SHARE, f"{name}: a fifth of {PEAKS[known]} TFLOP/s, not measured")
    why = f"{name} is not in the table" if name else "no GPU here"
    return Rate(
        PEAKS[NO_CARD] * 1e12 * SHARE, f"{why}; for an {NO_CARD} (8 GB): a fifth of {PEAKS[NO_CARD]} TFLOP/s, not measured"
    )


def card() -> str | None:
    try:
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.splitlines()[0].strip()
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return None


def measured(out: Path, script: str) -> tuple[float, str] | None:
    """Tokens a second, `READS` counted, of an earlier training by this script in the output folder that read all its rows."""
    for path in sorted(out.glob("*/run.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        metrics, config = run.get("metrics", {}), run.get("config", {})
        whole = config.get("max_steps", -1) <= 0 and metrics.get("train_seconds") and metrics.get("tokens")
        if run.get("script") == script and whole:
            tokens = metrics["tokens"] * config.get("num_train_epochs", 1) * READS.get(Path(script).stem, 1)
            return tokens / metrics["train_seconds"], f"measured in {path}"
    return None


def rows_of(stage: Stage, stages: list[Stage], args) -> tuple[int | None, float, str]:
    """Rows that a training reads, tokens a row, and where both come from."""
    files = [Path(path) for path in files_of(args.data)]
    data = files[0] if files else Path()
    if files and all(path.is_file() for path in files):
        of = [[len(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in files]
        weighted = list(zip(of, args.data_weights or [1.0] * len(files), strict=True))
        rows = round(sum(len(lines) * weight for lines, weight in weighted))
        text = sum(sum(lines) * weight for lines, weight in weighted)
        return rows, max(1.0, text / max(1, rows) / CHARACTERS), "counted"
    maker = next((s for s in stages if any(data == Path(p) or Path(p) in data.parents for p in s.outputs)), None)
    words = maker.command if maker else []
    cap = next((int(v) for f, v in itertools.pairwise(words) if f == "--select" and v.isdecimal()), 0)
    return cap or None, ROW_TOKENS, f"{ROW_TOKENS} tokens a row assumed"


def hours(recipe: Recipe, out: Path, tokens_per_second: float | None = None) -> list[str]:
    """One line a training: rows, tokens, hours; for rows that cannot be counted yet, the hours of 10,000."""
    speed, lines, begins = rate(), [], {}
    for stage in recipe.stages:
        args = command_args(stage.command) if stage.trains else None
        if args is None:
            continue
        model = str(args.model)
        while model in begins:
            model = begins[model]
        begins[str(args.output_dir)] = model
        method = Path(stage.script).stem
        rows, tokens, counted = rows_of(stage, recipe.stages, args)
        known = measured(out, Path(stage.script).name)
        per_second, of = (tokens_per_second, "as given") if tokens_per_second else known or by_card(model, args, speed)
        if per_second is None:
            lines.append(f"  {stage.name:16} not estimated: {of}")
            continue
        read, which = (rows or 10_000) * args.num_train_epochs, f"{rows:,} rows" if rows else "every 10,000 rows"
        if args.max_steps > 0:  # instead of the epochs, as transformers has it
            read = args.max_steps * args.per_device_train_batch_size * args.gradient_accumulation_steps
            which = f"{args.max_steps:,} steps"
        total = read * min(tokens, args.max_length) * READS.get(method, 1)
        lines.append(f"  {stage.name:16} about {in_words(total / per_second)} for {which} ({counted}; {of})")
    return lines


def by_card(model: str, args, speed: Rate) -> tuple[float | None, str]:
    try:
        config = recipe_memory.shape_of(model)
    except (KeyError, OSError, ValueError, UserError) as error:
        return None, f"{model}: its config.json cannot be had ({' '.join(str(error).split())[:80]})"
    weights = sum(adapters.total_parameters(config))
    operations = (6 if args.adapter == "full" else 4) + 2
    return speed.operations / (operations * weights), speed.of


def in_words(seconds: float) -> str:
    if seconds < 90 * 60:
        return f"{max(1, math.ceil(seconds / 60))} minutes"
    return f"{seconds / 3600:.1f} hours" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
