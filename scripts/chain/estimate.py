"""How long a recipe will take, roughly, before anything is downloaded: tokens by a rate that is named. No torch.

A forward and backward pass over frozen weights costs 4 operations a weight and token, 6 where the weights themselves are trained
(Kaplan et al. 2020, arXiv 2001.08361, section 2.1; frozen weights need no gradient of their own); on a GPU gradient checkpointing
repeats the forward pass, 2 more. DPO and KTO read each pair or answer with the reference too. Scoring by likelihood is a forward
pass over the prompt for each permutation, 2 operations a weight and token, and one with the question hidden. Of a card's peak a
fifth is taken to be reached: nothing here was measured on a GPU, so the hours are a guess, perhaps wrong by three times, and said
to be one. A processor's rate was measured with the 135M model and is taken to grow with its cores.

A GGUF is scored on the processor (llamacpp/library.py). Left out, and named: preparing, export and the choice of a file
(downloads, disk, llama.cpp), answers written freely.
"""

import functools
import itertools
import json
import math
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from chain.recipe import Recipe, command_args
from chain.stages import Stage
from common.errors import UserError
from common.machine import cores
from scoring import tasks
from scoring.row_files import general_rows
from training import parameters, recipe_memory
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
# Operations a second and core in training and in scoring: 134 tokens/s of the quickstart, 95 GFLOP/s in RESULTS-scoring.md, both
# on two cores without AVX-512; 43 % of 818 GFLOP/s in RESULTS-training.md and 71 tokens in 0.037 s on two with avx512_bf16.
PLAIN_CORE, BF16_CORE = (36e9, 47e9), (176e9, 260e9)
FILE_CORE = 60e9  # llama.cpp: 470 tokens/s of the 135M model's q4_k_m on two cores with avx512_bf16, which it does not use
ROW_TOKENS = 350  # a question and its answer, where the rows are not there to be counted
SCORED_TOKENS = 200  # a question with its options
CHARACTERS = 3.5  # of Portuguese or English text a token, in Qwen's vocabulary
# Passes a row, in SFT's.
READS = {"dpo": 2 * 1.5, "kto": 1.5, "simpo": 2, "orpo": 2, "reward": 2, "grpo": 6, "rloo": 6, "distill": 4}


@dataclass
class Rate:
    """What a card or a processor does."""

    name: str
    training: float
    """operations a second"""
    scoring: float
    of: str
    """where they come from"""
    recomputes: bool = True
    """whether training repeats the forward pass"""


@dataclass
class Work:
    """What a stage passes through its model."""

    tokens: float
    """counted as SFT's, or as one forward pass's"""
    rows: str
    """in words"""
    counted: str
    """where both come from"""


def rates() -> list[Rate]:
    """Of the card that is here, by its name; without one of this processor, and beside it of the card named NO_CARD."""
    name = card()
    known = next((k for k in sorted(PEAKS, key=len, reverse=True) if name and k in name), NO_CARD)
    peak = PEAKS[known] * 1e12 * SHARE
    of = f"a fifth of its {PEAKS[known]} TFLOP/s, not measured"
    if name and known in name:
        return [Rate(name, peak, peak, of)]
    instead = Rate(
        f"an {known} (8 GB)",
        peak,
        peak,
        f"{f'for {name}, which is not in the table' if name else 'which this machine lacks'}; {of}",
    )
    return [instead] if name else [processor(), instead]


@functools.cache
def processor() -> Rate:
    try:
        wide = "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        wide = False
    training, scoring = (cores() * rate for rate in (BF16_CORE if wide else PLAIN_CORE))
    files = cores() * FILE_CORE / 1e9
    speed = f"{training / 1e9:.0f} GFLOP/s in training, {scoring / 1e9:.0f} in scoring, {files:.0f} by llama.cpp"
    of = f"{cores()} cores {'with' if wide else 'without'} avx512_bf16: {speed}, as two such did with a 135M model"
    return Rate("this processor", training, scoring, of, recomputes=False)


def of_files() -> Rate:
    """What this processor does where llama.cpp scores a file, which is asked to stay off the GPU."""
    return replace(processor(), scoring=cores() * FILE_CORE)


@functools.cache
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


def rows_of(
    data: list[str] | str, weights: list[float] | None, assumed: int, stages: list[Stage]
) -> tuple[int | None, float, str]:
    """Rows that a stage reads, tokens a row, and where both come from."""
    if data == "general":
        general = [len(json.dumps(row, ensure_ascii=False)) for row in general_rows()]
        return len(general), sum(general) / len(general) / CHARACTERS, "counted"
    files = [Path(path) for path in files_of(data)]
    first = files[0] if files else Path()
    if files and all(path.is_file() for path in files):
        of = [lengths(path) for path in files]
        weighted = list(zip(of, weights or [1.0] * len(files), strict=True))
        rows = round(sum(len(lines) * weight for lines, weight in weighted))
        text = sum(sum(lines) * weight for lines, weight in weighted)
        return rows, max(1.0, text / max(1, rows) / CHARACTERS), "counted"
    maker = next((s for s in stages if any(first == Path(p) or Path(p) in first.parents for p in s.outputs)), None)
    words = maker.command if maker and first.stem == "train" else []
    cap = next((int(v) for f, v in itertools.pairwise(words) if f == "--select" and v.isdecimal()), 0)
    return cap or None, assumed, f"{assumed} tokens a row assumed"


def lengths(path: Path) -> list[int]:
    """Characters of each line."""
    with open(path, encoding="utf-8") as file:
        return [len(line.rstrip("\n")) for line in file]


def hours(recipe: Recipe, out: Path, tokens_per_second: float | None = None) -> list[str]:
    """A line for each training and scoring: rows, tokens, hours (of a number that is named where rows cannot be counted yet)."""
    here, lines, begins = rates(), [], {}
    for stage in recipe.stages:
        args, method = command_args(stage.command), Path(stage.script).stem
        if args is None or not hasattr(args, "model") or not hasattr(args, "output_dir"):
            continue
        model = recipe_memory.begun_with(str(args.model), begins)
        begins[str(args.output_dir)] = model
        if not stage.trains and not scored_by_likelihood(method, args):
            continue
        known = earlier(stage, out, tokens_per_second)
        try:
            work = work_of(stage, args, recipe.stages)
            weights = 0 if known else sum(parameters.total_parameters(recipe_memory.shape_of(model)))
        except (KeyError, OSError, ValueError, UserError) as error:
            why = f"{model}: its config.json cannot be had ({' '.join(str(error).split())[:80]})"
            lines.append(f"  {stage.name:16} not estimated: {why}")
            continue
        if known:
            each, of = in_words(work.tokens / known[0]), f"{work.counted}; {known[1]}"
        else:
            able = [of_files()] if str(args.model).endswith(".gguf") else here
            each = ", ".join(f"{in_words(work.tokens * seconds_a_token(stage, args, weights, r))} on {r.name}" for r in able)
            of = work.counted
        lines.append(f"  {stage.name:16} about {each} for {work.rows} ({of})")
    return lines


def sources() -> list[str]:
    """Where the rates come from."""
    here, machine = rates(), processor()
    alone = [] if machine in here else [machine]  # files are scored by it in any case
    return [f"  {rate.name}: {rate.of}" for rate in [*here, *alone]]


def left_out(recipe: Recipe, lines: list[str]) -> str:
    """Which stages are in no line."""
    told = {line.split()[0] for line in lines}
    return "  not in these: " + ", ".join(stage.name for stage in recipe.stages if stage.name not in told)


def scored_by_likelihood(method: str, args) -> bool:
    """Whether a stage scores rows with options, whose cost does not hang on what a model writes."""
    if method != "evaluate" or args.protocol not in ("auto", *tasks.LIKELIHOOD) or args.enable_thinking or args.num_samples > 1:
        return False
    path = Path(args.data)
    if path.suffix != ".jsonl" or not path.is_file():
        return args.data == "general" or path.suffix == ".jsonl"
    with open(path, encoding="utf-8") as file:
        return tasks.task_of(json.loads(file.readline())) in tasks.CHOICE


def work_of(stage: Stage, args, stages: list[Stage]) -> Work:
    """What a training or scoring passes through its model, and of how many rows."""
    assumed = ROW_TOKENS if stage.trains else SCORED_TOKENS
    rows, tokens, counted = rows_of(args.data, getattr(args, "data_weights", None), assumed, stages)
    usual = 10_000 if stage.trains else 1_000
    which = f"{rows:,} rows" if rows else f"every {usual:,} rows"
    if not stage.trains:
        if args.limit:
            rows = min(rows or args.limit, args.limit)
            which = f"{rows:,} rows"
        times = args.permutations + args.question_hidden
        often = f", {times} times" if times > 1 else ""
        return Work((rows or usual) * times * min(tokens, args.max_length), which + often, counted)
    read = (rows or usual) * args.num_train_epochs
    if args.max_steps > 0:  # instead of the epochs, as transformers has it
        read = args.max_steps * args.per_device_train_batch_size * args.gradient_accumulation_steps
        which = f"{args.max_steps:,} steps"
    return Work(read * min(tokens, args.max_length) * READS.get(Path(stage.script).stem, 1), which, counted)


def seconds_a_token(stage: Stage, args, weights: float, rate: Rate) -> float:
    """What a machine needs, by the operations a weight and token."""
    if not stage.trains:
        return 2 * weights / rate.scoring
    return ((6 if args.adapter == "full" else 4) + 2 * rate.recomputes) * weights / rate.training


def earlier(stage: Stage, out: Path, tokens_per_second: float | None) -> tuple[float, str] | None:
    """A training's tokens a second where they are given or were measured, and where that comes from."""
    if not stage.trains:
        return None
    return (tokens_per_second, "as given") if tokens_per_second else measured(out, Path(stage.script).name)


def in_words(seconds: float) -> str:
    if seconds < 90 * 60:
        minutes = max(1, math.ceil(seconds / 60))
        return f"{minutes} minute{'s' * (minutes > 1)}"
    return f"{seconds / 3600:.1f} hours" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
