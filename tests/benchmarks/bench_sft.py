"""Step rate of scripts/sft.py against a bare 30-line Unsloth + TRL script, same rows, model and settings, in one run.

    python tests/benchmarks/bench_sft.py --data data/quickstart/train.jsonl

The two alternate (A B A B ...), so that a drift of the machine's speed falls on both; the ratio of each pair is taken and the
median printed. `same` gives the bare script our sampling (rows of like length together); `default` leaves it its random order.
Writes tests/benchmarks/results/sft.json. About 6 minutes on 2 cores.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import common  # noqa: E402


@dataclass
class Args:
    model: str = common.EMBEDDED_MODEL
    """model folder"""
    data: str = "data/quickstart/train.jsonl"
    """ShareGPT rows"""
    steps: int = 20
    """optimiser steps a run"""
    pairs: int = 3
    """runs of each"""


def ours(args: Args, out: str) -> dict:
    subprocess.run(
        [
            sys.executable,
            "scripts/sft.py",
            "--config",
            "recipes/quickstart/sft.yaml",
            "--model",
            args.model,
            "--data",
            args.data,
            "--max_steps",
            str(args.steps),
            "--save_steps",
            "0",
            "--output_dir",
            out,
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    metrics = json.loads((Path(out) / "run.json").read_text())["metrics"]
    return {"steps_per_second": metrics["steps"] / metrics["train_seconds"], "loss": metrics["train_loss"]}


def bare(args: Args, out: str, sampling: str) -> dict:
    done = subprocess.run(
        [sys.executable, "tests/benchmarks/bare_sft.py", args.model, args.data, str(args.steps), sampling, out],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    args = common.parse_args(Args, __doc__)
    results = {"ours": [], "bare, same sampling": [], "bare, its own sampling": []}
    for pair in range(args.pairs):
        for name, run in (
            ("ours", ours),
            ("bare, same sampling", lambda a, o: bare(a, o, "group_by_length")),
            ("bare, its own sampling", lambda a, o: bare(a, o, "random")),
        ):
            with tempfile.TemporaryDirectory() as folder:
                results[name].append(run(args, f"{folder}/out"))
                print(
                    f"{pair + 1}/{args.pairs}  {name:<24} {results[name][-1]['steps_per_second']:.3f} steps/s  "
                    f"loss {results[name][-1]['loss']:.3f}"
                )
    ratios = {
        name: statistics.median(a["steps_per_second"] / b["steps_per_second"] for a, b in zip(results["ours"], runs, strict=True))
        for name, runs in results.items()
        if name != "ours"
    }
    for name, ratio in ratios.items():
        print(f"ours / {name}: {ratio:.3f} (median of {args.pairs} pairs)")
    common.write_json(
        ROOT / "tests/benchmarks/results/sft.json",
        {
            "date": time.strftime("%Y-%m-%d"),
            "settings": vars(args),
            "hardware": common.hardware(),
            "versions": common.versions(),
            "runs": results,
            "ratios": ratios,
        },
    )


if __name__ == "__main__":
    common.run(main)
