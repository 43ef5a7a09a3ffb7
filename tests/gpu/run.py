#!/usr/bin/env python3
"""One command that tries this collection on a CUDA card and measures it; what ends is written at once, what is written is kept.

    python tests/gpu/run.py                         # all, on a card; start it again after a limit, it goes on where it stopped
    python tests/gpu/run.py --wheels .whl           # on a bare machine without a network: installs the wheels carried there
    python tests/gpu/run.py --rehearse              # the whole course on a processor with tiny shapes; its figures mean nothing
    python tests/gpu/run.py --only methods memory   # some of: methods, resume, speed, fit, memory, scoring

    methods   all eight in 4 bits: the loss of the first and the last step; a merge; reward -> GRPO
    resume    a run broken off after a checkpoint ends as an unbroken one
    speed     ours, ours packed, bare Unsloth + TRL, plain transformers + PEFT: useful tokens a second and peak memory, at 512
              and 2048 tokens a row, 1.7B and 8B; after 5 warm steps
    fit       8B at 2048 tokens within 8 GB, 14B within 16 GB, the rest of the card forbidden
    memory    the estimate against the measured peak
    scoring   rows a second of evaluate.py

Weights are random in the shapes of Qwen3: speed and memory are those of the trained models. Output: one JSON line a task in
--results (tests/gpu/results.jsonl), with card, versions and date. Last run on a card: never.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT), str(ROOT / "tests/training")]
from common.entry import run_main  # noqa: E402

METHODS = ("cpt", "sft", "dpo", "kto", "simpo", "orpo", "reward", "grpo")
PARTS = ("methods", "resume", "speed", "fit", "memory", "scoring")
SHAPES = {  # name -> hidden, layers, inner, heads
    "1.7b": (2048, 28, 6144, 16),
    "8b": (4096, 36, 12288, 32),
    "14b": (5120, 40, 17408, 40),
}
MAKE = """
import sys, torch
from pathlib import Path
from shutil import copy
from transformers import AutoConfig, AutoModelForCausalLM
tiny, out, hidden, layers, inner, heads = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])
given = AutoConfig.from_pretrained(tiny)
values = given.to_dict() | dict(hidden_size=hidden, num_hidden_layers=layers, intermediate_size=inner, num_attention_heads=heads,
                                num_key_value_heads=8, head_dim=128, tie_word_embeddings=hidden < 4096)
values.pop("layer_types", None)
with torch.device("cuda"):
    model = AutoModelForCausalLM.from_config(type(given)(**values), dtype=torch.bfloat16)
model.save_pretrained(out)
for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
    copy(tiny / name, out)
"""


def arguments() -> argparse.Namespace:
    """By the standard library: on a bare machine nothing else is there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--rehearse", action="store_true", help="run the course on a processor, every shape the tiny one")
    parser.add_argument("--wheels", help="folder of wheels to install first, without a network")
    parser.add_argument("--folder", default="runs/gpu", help="models, rows and runs")
    parser.add_argument("--results", default="tests/gpu/results.jsonl", help="where each task's line goes")
    return parser.parse_args()


@dataclass
class Task:
    """One process."""

    name: str
    command: list[str]
    out: Path
    """the run's folder"""
    memory_gb: float = 0
    """all that it may take of the card; 0: everything"""


@dataclass
class Result:
    """What a task gave; None where it gave none."""

    task: str
    ok: bool
    seconds: float
    losses: list[float] | None = None
    tokens_per_second: float | None = None
    peak_gb: float | None = None
    estimated_gb: float | None = None
    figures: dict | None = None
    error: str | None = None


class Course:
    """The tasks of all parts, their models and rows."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.folder = args, ROOT / args.folder / ("rehearsal" if args.rehearse else "card")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.steps = 2 if args.rehearse else 12

    def model(self, shape: str) -> str:
        """Folder of a model of this shape, made once."""
        tiny = ROOT / "models/tiny-qwen3"
        if not (tiny / "config.json").exists():
            subprocess.run(
                [sys.executable, "scripts/make_model.py", "--name", "tiny_qwen3", "--output_dir", str(tiny)], cwd=ROOT, check=True
            )
        if self.args.rehearse or shape == "tiny":
            return str(tiny)
        out = self.folder / f"qwen3-{shape}"
        if not (out / "config.json").exists():
            subprocess.run([sys.executable, "-c", MAKE, str(tiny), str(out), *map(str, SHAPES[shape])], check=True)
        return str(out)

    def rows(self, method: str) -> str:
        import gpu_trainers

        path = self.folder / f"{method}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in gpu_trainers.rows_of(method) * 4))
        return str(path)

    def long_rows(self, tokens: int, mixed: bool = False) -> str:
        """Conversations of about `tokens` tokens; mixed: MedMCQA's lengths, 30 to 200, for packing."""
        path = self.folder / f"long{tokens}{'m' if mixed else ''}.jsonl"
        sizes = [30 + 37 * i % 170 for i in range(256)] if mixed else [tokens - 40] * 128
        turns = [[{"from": "human", "value": "?"}, {"from": "gpt", "value": "pain " * size}] for size in sizes]
        path.write_text("".join(json.dumps({"id": i, "conversations": t}) + "\n" for i, t in enumerate(turns)))
        return str(path)

    def train(self, name: str, method: str, model: str, data: str, *flags, memory_gb: float = 0) -> Task:
        out = self.folder / name
        command = [f"scripts/{method}.py", "--model", model, "--data", data, "--output_dir", str(out), "--logging_steps", "1"]
        return Task(name, [*command, "--max_steps", str(self.steps), *map(str, flags)], out, memory_gb)

    def tasks(self) -> Iterator[Task]:
        """In order, each made when the one before has ended: a model too large for the card stops no task before it."""
        for part in self.args.only:
            yield from getattr(self, part)()

    def methods(self) -> list[Task]:
        small = ["--save_steps", 4, "--learning_rate", 2e-4, "--max_length", 256, "--gradient_accumulation_steps", 1]
        small += ["--per_device_train_batch_size", 4]
        grpo = ["--num_generations", 4, "--max_completion_length", 16]
        made = [self.train(m, m, self.model("tiny"), self.rows(m), *small, *(grpo if m == "grpo" else [])) for m in METHODS]
        scored = self.train(
            "grpo_reward", "grpo", self.model("tiny"), self.rows("grpo"), *small, *grpo, "--reward_model", self.folder / "reward"
        )
        out = self.folder / "merged"
        merge = ["scripts/export_gguf.py", "--model", str(self.folder / "sft"), "--merge_only", "--output_dir", str(out)]
        return [*made, scored, Task("merge", merge, out)]

    def resume(self) -> list[Task]:
        flags = ["--save_steps", 1, "--max_length", 256, "--gradient_accumulation_steps", 1]
        whole = self.train("whole", "sft", self.model("tiny"), self.rows("sft"), *flags)
        return [whole, self.train("resumed", "sft", self.model("tiny"), self.rows("sft"), *flags)]

    def speed(self) -> Iterator[Task]:
        for shape in ("1.7b",) if self.args.rehearse else ("1.7b", "8b"):
            for tokens in (64,) if self.args.rehearse else (512, 2048):
                rows, name, model = self.long_rows(tokens), f"{shape}_{tokens}", self.model(shape)
                flags = ["--max_length", tokens, "--save_steps", 0, "--gradient_accumulation_steps", 1]
                yield self.train(f"ours_{name}", "sft", model, rows, *flags)
                for other in ("bare_sft", "plain_sft"):
                    command = [f"tests/benchmarks/{other}.py", model, rows, str(self.steps), "random"]
                    yield Task(f"{other}_{name}", [*command, str(self.folder / other)], self.folder / other)
            short = self.long_rows(200, mixed=True)
            flags = ["--max_length", 2048, "--save_steps", 0]
            yield self.train(f"short_{shape}", "sft", self.model(shape), short, *flags)
            if not self.args.rehearse:  # packing needs a card
                yield self.train(f"packed_{shape}", "sft", self.model(shape), short, *flags, "--packing", "true")

    def fit(self) -> Iterator[Task]:
        flags = ["--max_length", 64 if self.args.rehearse else 2048, "--save_steps", 0, "--per_device_train_batch_size", 1]
        for shape, gigabytes in (("8b", 8), ("14b", 16)):
            yield self.train(f"fit_{shape}", "sft", self.model(shape), self.long_rows(2048), *flags, memory_gb=gigabytes)

    def memory(self) -> Iterator[Task]:
        rows = self.long_rows(1024)
        for batch in (2,) if self.args.rehearse else (2, 8):
            flags = [
                "--max_length",
                64 if self.args.rehearse else 1024,
                "--save_steps",
                0,
                "--per_device_train_batch_size",
                batch,
            ]
            yield self.train(f"memory_{batch}", "sft", self.model("1.7b"), rows, *flags)

    def scoring(self) -> list[Task]:
        out = self.folder / "scored"
        command = ["scripts/evaluate.py", "--model", self.model("1.7b"), "--data", self.rows("grpo"), "--output_dir", str(out)]
        return [Task("scoring", command, out)]


LIMITED = """import runpy, sys, torch
if float(sys.argv[1]) and torch.cuda.is_available():
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, float(sys.argv[1]) * 1e9 / total))
sys.argv = sys.argv[2:]
sys.path[0] = str(__import__("pathlib").Path(sys.argv[0]).resolve().parent)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(task: Task) -> Result:
    """Run one task in a process of its own."""
    start = time.monotonic()
    command = [sys.executable, *task.command]
    if task.memory_gb:
        command = [sys.executable, "-c", LIMITED, str(task.memory_gb), *task.command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    result = Result(task.name, done.returncode == 0, round(time.monotonic() - start, 1))
    if not result.ok:
        result.error = (done.stdout[-500:] + done.stderr[-1500:]).strip()
        return result
    if (task.out / "metrics.jsonl").exists():
        _read_training(task.out, result)
        if task.name == "resumed":
            result.figures = {"largest_difference": _difference(task.out, task.out.parent / "whole")}
    elif task.name.startswith(("bare", "plain")):
        result.figures = json.loads(done.stdout.splitlines()[-1])
        result.tokens_per_second = result.figures["tokens"] / result.figures["seconds"]
    elif (task.out / "metrics.json").exists():
        result.figures = json.loads((task.out / "metrics.json").read_text(encoding="utf-8"))
    return result


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
    """Break `resumed` off after its first checkpoint: the whole run's, taken over."""
    import shutil

    if task.name == "resumed" and not task.out.exists():
        shutil.copytree(folder / "whole" / "checkpoint-1", task.out / "checkpoint-1")
    elif task.name != "resumed":
        shutil.rmtree(task.out, ignore_errors=True)


def line_of(result: Result) -> str:
    """What is printed of a task."""
    speed = f"{result.tokens_per_second:.0f} tokens/s" if result.tokens_per_second else ""
    peak = f"{result.peak_gb} GB (estimated {result.estimated_gb})" if result.peak_gb else ""
    state = "ok" if result.ok else "FAILED"
    return f"{result.task:20} {state} {result.seconds:.0f} s  {speed}  {peak}  {result.error or ''}"


def install(wheels: str, site: Path) -> None:
    """Install a folder's wheels into a folder of their own, for this process and all that it starts."""
    flags = "-m pip install -q --no-index --no-deps --no-compile --target".split()
    subprocess.run([sys.executable, *flags, str(site), *sorted(map(str, Path(wheels).glob("*.whl")))], check=True)
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"


def main() -> None:
    args = arguments()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(ROOT / args.folder / "cache")
    if args.wheels:
        install(args.wheels, ROOT / args.folder / "site")
    import torch
    from common.runs import hardware, versions

    if not args.rehearse and not torch.cuda.is_available():
        sys.exit("no CUDA card is seen; --rehearse runs the course on a processor")
    results = ROOT / args.results
    about = {"date": time.strftime("%Y-%m-%d"), "hardware": hardware(), "versions": versions(), "rehearsal": args.rehearse}
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    ended = {line["task"] for line in lines if line["ok"] and line["about"]["rehearsal"] == args.rehearse}
    course, failed = Course(args), 0
    for task in course.tasks():
        if task.name in ended:
            print(f"{task.name:20} done before")
            continue
        before(task, course.folder)
        result = run(task)
        failed += not result.ok
        with open(results, "a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(result) | {"about": about}) + "\n")
        print(line_of(result), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    run_main(main)
