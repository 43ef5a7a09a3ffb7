"""What each setting of scripts/sft.py costs, how cost grows with length and rank, and how long a start takes.

    python tests/benchmarks/bench_settings.py                    # all, about 20 minutes on 2 quiet cores
    python tests/benchmarks/bench_settings.py --only '[start, rank]'

    settings   the quickstart's rows, one setting changed at a time, two turns of all, the better of each kept
    length     8 rows of so many tokens: microseconds a token, whole step
    rank       LoRA rank 4 to 256
    tokenise   rows a second through the chat template, masking and tokenizer, with one worker and with two
    start      seconds to --help, to an error in the data, of the imports, to the first step's end, of it all

Tokens are useful ones, the first 3 steps left out; memory is the process's peak. Writes tests/benchmarks/results/settings.json.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench_training import ROOT, measured
from common.arguments import parse_args
from common.entry import run_main
from common.files import write_json
from common.runs import hardware, versions

QUICK = (
    "import sys; sys.path[:0] = ['scripts', '.']; from common import processor; from common.entry import run_main; "
    "{patch}; import sft; run_main(sft.main)"
)
NO_SHORT = "processor.SHORT_ROWS = 0"
# Libraries are opened as ever; the C library itself, which holds mallopt, is not.
NO_MALLOC = "import ctypes; real = ctypes.CDLL; ctypes.CDLL = lambda *a, **k: object() if a == (None,) else real(*a, **k)"
SETTINGS = {  # name -> (flags, patch, environment)
    "as sft.py has it": ([], "", {}),
    "fused attention for short rows too": ([], NO_SHORT, {}),
    "freed memory given back": ([], NO_MALLOC, {}),
    "neither (the libraries' defaults)": ([], f"{NO_SHORT}; {NO_MALLOC}", {}),
    "NF4 unpacked in every pass": ([], "processor.dequantize_nf4 = lambda model: None", {}),
    "16-bit weights": (["--adapter", "lora"], "", {}),
    "checkpointing": (["--gradient_checkpointing", "true"], "", {}),
    "optimiser fused": (["--optim", "adamw_torch_fused"], "", {}),
    "batch 4 x 2": (["--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "2"], "", {}),
    "one thread": ([], "", {"OMP_NUM_THREADS": "1"}),
}


@dataclass
class Args:
    only: list[str] = field(default_factory=lambda: ["start", "tokenise", "rank", "length", "settings"])
    """questions to answer"""
    steps: int = 12
    """optimiser steps a run"""


def sft(steps: int, *flags: str, patch: str = "", env: dict | None = None) -> dict:
    """One run of sft.py: useful tokens a second after the third step, peak GB, seconds of it all and to the first step's end."""
    with tempfile.TemporaryDirectory() as folder:
        words = f"--config recipes/quickstart/sft.yaml --max_steps {steps} --save_steps 0 --logging_steps 1".split()
        start = time.time()
        code = QUICK.format(patch=patch or "pass")
        _, memory = measured(["-c", code, *words, "--output_dir", f"{folder}/out", *flags], env)
        whole = time.time() - start
        lines = [json.loads(line) for line in Path(folder, "out/metrics.jsonl").read_text().splitlines()]
        loading = json.loads(Path(folder, "out/run.json").read_text())
    lines = [line for line in lines if "loss" in line]
    tokens, seconds = (lines[-1][k] - lines[2][k] for k in ("num_input_tokens_seen", "seconds"))
    after = lines[-1]["seconds"] - lines[0]["seconds"]
    return {"tokens_per_second": tokens / seconds, "memory_gb": memory, "whole": whole, "steps_after_first": after} | {
        "loss": float(lines[-1]["loss"]),
        "train_seconds": loading["metrics"]["train_seconds"],
    }


def settings(args: Args) -> list[dict]:
    """The settings, two turns."""
    best: dict[str, dict] = {}
    for _ in "ab":
        for name, (flags, patch, env) in SETTINGS.items():
            found = sft(args.steps, *flags, patch=patch, env=env)
            if name not in best or found["tokens_per_second"] > best[name]["tokens_per_second"]:
                best[name] = {"setting": name} | found
    for found in best.values():
        ratio = found["tokens_per_second"] / best["as sft.py has it"]["tokens_per_second"]
        speed, memory = found["tokens_per_second"], found["memory_gb"]
        print(f"{found['setting']:36} {speed:7.1f} tokens/s  x {ratio:.2f}  {memory:.2f} GB", flush=True)
    return list(best.values())


def length(args: Args) -> list[dict]:
    """Filled rows of one length each."""
    found = []
    for tokens in (64, 128, 192, 256, 512, 1024):
        with tempfile.TemporaryDirectory() as folder:
            turns = [{"from": "human", "value": "pain " * (tokens - 40)}, {"from": "gpt", "value": "fever and rest"}]
            row = {"conversations": turns}
            Path(folder, "rows.jsonl").write_text((json.dumps(row) + "\n") * 64)
            flags = ["--data", f"{folder}/rows.jsonl", "--max_length", "2048", "--learning_rate", "1e-6"]
            found.append({"tokens": tokens} | sft(6, *flags))
        micro = 1e6 / found[-1]["tokens_per_second"]
        print(f"{tokens:5} tokens a row  {micro:7.0f} us a token  {found[-1]['memory_gb']:.2f} GB", flush=True)
    return found


def rank(args: Args) -> list[dict]:
    """LoRA ranks."""
    found = []
    for r in (4, 16, 64, 256):
        found.append({"lora_r": r} | sft(args.steps, "--lora_r", str(r), "--lora_alpha", str(r)))
        speed, memory = found[-1]["tokens_per_second"], found[-1]["memory_gb"]
        print(f"rank {r:4}  {speed:7.1f} tokens/s  {memory:.2f} GB", flush=True)
    return found


TOKENISE = """
import json, multiprocessing, sys, time
sys.path[:0] = ["scripts", "."]
from common.models import EMBEDDED_MODEL, load_tokenizer
from data_prep.chat_template import Renderer, set_template, to_messages
renderer = Renderer(set_template(load_tokenizer(EMBEDDED_MODEL)))
rows = [to_messages(json.loads(line)) for line in open("data/quickstart/train.jsonl")] * 20
found = {}
for workers in (1, 2, 1, 2):
    begin = time.time()
    if workers == 1:
        list(map(renderer.encode, rows))
    else:  # with the rows going there and the tokens coming back
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            pool.map(renderer.encode, rows, 200)
    found[workers] = max(found.get(workers, 0), len(rows) / (time.time() - begin))
print(json.dumps(found))
"""


def tokenise(args: Args) -> dict:
    """Rows of the quickstart a second, the better of two turns."""
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run([sys.executable, "-c", TOKENISE], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    for workers, rate in found.items():
        print(f"{workers} workers  {rate:7.0f} rows/s", flush=True)
    return found


def start(args: Args) -> dict:
    """Seconds of what a user waits for before training."""

    def seconds(*command: str) -> float:
        begin = time.time()
        measured(list(command))
        return time.time() - begin

    found = {
        "--help": min(seconds("scripts/sft.py", "--help") for _ in range(3)),
        "import torch": min(seconds("-c", "import torch") for _ in range(3)),
        "import unsloth": min(seconds("-c", "import unsloth") for _ in range(3)),
        "import unsloth, trl": min(seconds("-c", "import unsloth, trl; trl.SFTTrainer") for _ in range(3)),
    }
    run = sft(4)
    found["command to first step's end"] = run["whole"] - run["steps_after_first"]  # and the saving, under a second
    found["of it before the trainer starts"] = run["whole"] - run["train_seconds"]
    for name, value in found.items():
        print(f"{name:36} {value:6.2f} s", flush=True)
    return found


def main() -> None:
    args = parse_args(Args, __doc__)
    about = {"date": time.strftime("%Y-%m-%d"), "hardware": hardware(), "versions": versions()}
    path = ROOT / "tests/benchmarks/results/settings.json"
    found = json.loads(path.read_text()).get("found", {}) if path.exists() else {}
    for name in args.only:
        print(f"--- {name}", flush=True)
        found[name] = {"start": start, "tokenise": tokenise, "rank": rank, "length": length, "settings": settings}[name](args)
        write_json(path, about | {"found": found})


if __name__ == "__main__":
    run_main(main)
