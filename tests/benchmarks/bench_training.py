"""Training, same rows, model and settings: scripts/sft.py against bare Unsloth + TRL and against plain transformers + PEFT.

    python tests/benchmarks/bench_training.py                    # 50 steps, 3 rounds: about 15 minutes on 2 quiet cores
    python tests/benchmarks/bench_training.py --steps 20 --rounds 1
    python tests/benchmarks/bench_training.py --llamafactory ~/lf/bin/python   # an environment with LLaMA-Factory 0.9.5

The contenders take turns (A B C A B C ...), so that a drift of the machine's speed falls on all; ratios are taken within a
round, and the median printed. All get the same batches, rows of like length together, as sft.py has them; `random` adds the two
others with the random order that they have by default. Tokens are useful ones, padding not counted; seconds are those of
trainer.train(), loading not counted; memory is the whole process's peak.

The machine's own matrix rate (a product of 1024 x 1024 matrices, the better of float32 and bfloat16) is measured before each
round. A token of QLoRA needs 4 operations a frozen weight (2 forward, 2 back to the activations) and 6 a trained one;
attention's own products are left out. Their quotient is the share of the rate that training reaches, over the whole run and
after its first 5 steps.
Writes tests/benchmarks/results/training.json.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from common.arguments import parse_args  # noqa: E402
from common.entry import run_main  # noqa: E402
from common.files import write_json  # noqa: E402
from common.models import EMBEDDED_MODEL  # noqa: E402
from common.runs import hardware, versions  # noqa: E402

RATE = """
import time, torch
device = "cuda" if torch.cuda.is_available() else "cpu"
n, kinds = (8192, [torch.bfloat16]) if device == "cuda" else (1024, [torch.float32, torch.bfloat16])
def rate(kind):
    a, b = (torch.randn(n, n, device=device).to(kind) for _ in "ab")
    took = []
    while len(took) < 20 and sum(took) < 10:  # a processor without bfloat16 takes many seconds for one
        torch.cuda.synchronize() if device == "cuda" else None
        start = time.perf_counter()
        a @ b
        torch.cuda.synchronize() if device == "cuda" else None
        took.append(time.perf_counter() - start)
    return 2 * n**3 / min(took)
print(max(map(rate, kinds)))
"""


@dataclass
class Args:
    model: str = EMBEDDED_MODEL
    """model folder"""
    data: str = "data/quickstart/train.jsonl"
    """ShareGPT rows"""
    steps: int = 50
    """optimiser steps a run, 8 rows each"""
    rounds: int = 3
    """runs of each contender"""
    random: bool = False
    """the two others with random batches as well"""
    only: list[str] | None = None
    """contenders to run, of ours, bare, plain, llamafactory"""
    llamafactory: str | None = None
    """Python of an environment that has LLaMA-Factory; without it that one is left out"""


def measured(command: list[str], env: dict | None = None, python: str = sys.executable) -> tuple[str, float]:
    """What a Python command printed, and the peak memory of its process in GB. Raises SystemExit where it fails."""
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([python, *command], cwd=ROOT, stdout=told, stderr=errors, env=os.environ | (env or {}))
        _, status, used = os.wait4(process.pid, 0)
        told.seek(0), errors.seek(0)
        if status:
            sys.exit(f"{command} failed:\n{errors.read()[-3000:]}")
        return told.read(), used.ru_maxrss * 1024 / 1e9


def ours(args: Args, out: str) -> dict:
    flags = ["--model", args.model, "--data", args.data, "--max_steps", str(args.steps), "--save_steps", "0"]
    flags += ["--logging_steps", "1", "--output_dir", out]
    _, memory = measured(["scripts/sft.py", "--config", "recipes/quickstart/sft.yaml", *flags])
    metrics = json.loads((Path(out) / "run.json").read_text())["metrics"]
    lines = [json.loads(line) for line in (Path(out) / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "loss" in line]
    late = lines[min(5, len(lines) // 2)]  # the first steps choose and lay out oneDNN's products
    steady = (lines[-1]["num_input_tokens_seen"] - late["num_input_tokens_seen"]) / max(
        lines[-1]["seconds"] - late["seconds"], 0.1
    )
    tokens, losses = lines[-1]["num_input_tokens_seen"], [float(line["loss"]) for line in lines]
    return {"seconds": metrics["train_seconds"], "tokens": tokens, "losses": losses, "memory_gb": memory, "steady": steady}


def other(script: str, sampling: str, *more: str):
    def run(args: Args, out: str) -> dict:
        command = [f"tests/benchmarks/{script}.py", args.model, args.data, str(args.steps), sampling, out, *more]
        told, memory = measured(command, python=args.llamafactory if script.startswith("llama") else sys.executable)
        return json.loads(told.splitlines()[-1]) | {"memory_gb": memory}

    return run


def matrix_weights(model: str) -> tuple[int, int]:
    """(frozen matrix weights, LoRA weights at rank 16) of a Llama or Qwen shape."""
    c = json.loads((ROOT / model / "config.json").read_text())
    hidden, inner, heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
    head = c.get("head_dim") or hidden // heads
    q, kv = head * heads, head * c["num_key_value_heads"]
    shapes = [(hidden, q), (hidden, kv), (hidden, kv), (q, hidden), (hidden, inner), (hidden, inner), (inner, hidden)]
    frozen = c["num_hidden_layers"] * sum(a * b for a, b in shapes) + hidden * c["vocab_size"]
    return frozen, c["num_hidden_layers"] * sum(16 * (a + b) for a, b in shapes)


def main() -> None:
    args = parse_args(Args, __doc__)
    contenders = {"ours": ours, "bare": other("bare_sft", "group_by_length"), "plain": other("plain_sft", "group_by_length")}
    contenders["plain, bf16"] = other("plain_sft", "group_by_length", "bf16")  # as Unsloth has it; else norms in float32
    if args.llamafactory:
        contenders["llamafactory"] = other("llamafactory_sft", "group_by_length")
    if args.random:
        contenders |= {"bare, random": other("bare_sft", "random"), "plain, random": other("plain_sft", "random")}
    contenders = {name: run for name, run in contenders.items() if not args.only or name.split(",")[0] in args.only}
    results, rates = {name: [] for name in contenders}, []
    for number in range(args.rounds):
        rates.append(float(measured(["-c", RATE])[0]))
        for name, run in contenders.items():
            with tempfile.TemporaryDirectory() as folder:
                found = run(args, f"{folder}/out")
            found["tokens_per_second"] = found["tokens"] / found["seconds"]
            results[name].append(found)
            print(
                f"{number + 1}/{args.rounds}  {name:<14} {found['tokens_per_second']:7.1f} tokens/s  "
                f"{found['memory_gb']:.2f} GB  mean loss {statistics.mean(found['losses']):.4f}",
                flush=True,
            )
    frozen, trained = matrix_weights(args.model)
    operations = 4 * frozen + 6 * trained
    summary = {"matrix_gflops": statistics.median(rates) / 1e9, "operations_per_token": operations}
    if "ours" in results:
        for what, name in (("share_of_matrix_rate", "tokens_per_second"), ("share_after_5_steps", "steady")):
            shares = [r[name] * operations / rate for r, rate in zip(results["ours"], rates, strict=True)]
            summary[what] = statistics.median(shares)
        for name, runs in results.items():
            if name == "ours":
                continue
            pairs = list(zip(results["ours"], runs, strict=True))
            apart = [abs(a - b) for a, b in zip(pairs[0][0]["losses"], pairs[0][1]["losses"], strict=True)]
            summary[f"ours / {name}"] = {
                "speed": statistics.median(a["tokens_per_second"] / b["tokens_per_second"] for a, b in pairs),
                "memory": statistics.median(a["memory_gb"] / b["memory_gb"] for a, b in pairs),
                "mean_loss_difference": statistics.mean(apart) / statistics.mean(pairs[0][1]["losses"]),
            }
    print(json.dumps(summary, indent=2))
    about = {"date": time.strftime("%Y-%m-%d"), "hardware": hardware(), "versions": versions()}
    about |= {"settings": vars(args), "summary": summary, "runs": results}
    write_json(ROOT / "tests/benchmarks/results/training.json", about)


if __name__ == "__main__":
    run_main(main)
