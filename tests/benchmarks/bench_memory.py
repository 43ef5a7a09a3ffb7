"""The memory estimate against real runs: peak resident memory of sft.py (or GPU memory, with a card) for several shapes.

    python tests/benchmarks/bench_memory.py                     # three sizes on the processor, about 20 minutes
    python tests/benchmarks/bench_memory.py --models 135m       # one size

The rows are filled to the length asked for; weights beyond the embedded model's are random, which takes the same memory.
Prints a table and writes results/memory.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
SHAPES = {  # name -> (config changes of a Qwen3, None for a folder that is there)
    "tiny": "models/tiny-qwen3",
    "135m": "models/smollm2-135m-instruct",
    "0.6b": dict(hidden_size=1024, num_hidden_layers=28, intermediate_size=3072, num_attention_heads=16, num_key_value_heads=8),
}
RUNS = [  # model, adapter, rows a pass, tokens a row, checkpointing
    ("tiny", "qlora", 8, 512, "false"),
    ("135m", "qlora", 4, 256, "false"),
    ("135m", "qlora", 8, 512, "false"),
    ("135m", "qlora", 8, 512, "true"),
    ("135m", "qlora", 8, 256, "true"),
    ("135m", "lora", 4, 512, "false"),
    ("135m", "full", 4, 256, "false"),
    ("0.6b", "qlora", 2, 256, "false"),
    ("0.6b", "qlora", 4, 512, "true"),
]


def make_model(name: str, folder: Path) -> str:
    """A folder of a Qwen3 of this shape with random weights and the real tokenizer, or one that is there."""
    if isinstance(SHAPES[name], str):
        return SHAPES[name]
    out = folder / name
    if not out.exists():
        code = f"""
import shutil, sys, torch
from transformers import AutoConfig, AutoModelForCausalLM
given = AutoConfig.from_pretrained("models/tiny-qwen3")
values = given.to_dict() | {SHAPES[name]!r} | {{"head_dim": 128}}
values.pop("layer_types")
AutoModelForCausalLM.from_config(type(given)(**values), dtype=torch.bfloat16).save_pretrained(sys.argv[1])
for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
    shutil.copy("models/tiny-qwen3/" + name, sys.argv[1])
"""
        subprocess.run([sys.executable, "-c", code, str(out)], cwd=ROOT, check=True, capture_output=True)
    return str(out)


def run(model: str, adapter: str, rows: int, length: int, checkpointing: str, folder: Path) -> dict:
    """One measured run: estimated and measured peak in 10^9 bytes."""
    data = folder / "rows.jsonl"
    text = "the patient has pain and fever " * (length // 4)
    row = {"conversations": [{"from": "human", "value": "what?"}, {"from": "gpt", "value": text}]}
    data.write_text((json.dumps(row) + "\n") * (4 * rows))
    out = folder / f"run{time.time_ns()}"
    flags = {"model": model, "data": data, "output_dir": out, "adapter": adapter, "max_length": length, "max_steps": 2}
    flags |= {"per_device_train_batch_size": rows, "gradient_accumulation_steps": 1, "save_steps": 0}
    flags |= {"gradient_checkpointing": checkpointing, "learning_rate": 1e-5}
    command = [sys.executable, "scripts/sft.py", *(str(part) for k, v in flags.items() for part in (f"--{k}", v))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-1000:] + done.stderr[-2000:])
    record = json.loads((out / "run.json").read_text())
    peak = record["peak_memory_gb"]
    parts = record["memory"]["estimated_gb"]
    return {"estimated": parts["total"], "measured": peak.get("gpu", peak["ram"]), "parts": parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(SHAPES))
    parser.add_argument("--results", default="tests/benchmarks/results/memory.json")
    args = parser.parse_args()
    found = []
    names = ("model", "adapter", "rows", "tokens", "checkpointing")
    widths = (6, 8, 5, 7, 14)
    print(
        "".join(f"{n:{w}}" for n, w in zip(names, widths, strict=True)) + f"{'estimated GB':>13} {'measured GB':>12} {'ratio':>6}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for one in RUNS:
            if one[0] not in args.models:
                continue
            result = run(make_model(one[0], Path(folder)), *one[1:], Path(folder))
            ratio = round(result["estimated"] / result["measured"], 3)
            found.append(dict(zip(names, one, strict=True)) | result | {"ratio": ratio})
            left = "".join(f"{v!s:{w}}" for v, w in zip(one, widths, strict=True))
            print(f"{left}{result['estimated']:13.2f} {result['measured']:12.2f} {ratio:6.2f}", flush=True)
    from common.files import write_json
    from common.runs import hardware, versions

    about = {"date": time.strftime("%Y-%m-%d"), "hardware": hardware(), "versions": versions()}
    write_json(ROOT / args.results, about | {"runs": found})


if __name__ == "__main__":
    main()
