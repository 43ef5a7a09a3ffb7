"""Every training script on a CUDA card: 4-bit loading, loss down, resume, merge, the memory estimate against the measured peak.

    python -m pytest -m gpu -n 0 -s tests/gpu          # about 10 minutes; prints one table at the end

Last run: never. No CUDA card was at hand when this was written; on a machine without one it skips, and says so.
The model is the embedded one (learning) and a Qwen3-1.7B of random weights (memory), so that no hub is needed.
"""

import json
import subprocess
import sys

import pytest
from conftest import ROOT, run_script

pytestmark = pytest.mark.gpu
METHODS = ("cpt", "sft", "dpo", "kto", "simpo", "orpo", "reward", "grpo", "rloo")
FLAGS = ["--max_steps", 12, "--logging_steps", 1, "--save_steps", 4, "--learning_rate", 2e-4, "--max_length", 256]
FLAGS += ["--per_device_train_batch_size", 4, "--gradient_accumulation_steps", 1, "--warmup_steps", 0]
TABLE = []


@pytest.fixture(scope="module", autouse=True)
def card():
    """Name of the card; prints the table when all is done."""
    asked = [sys.executable, "-c", "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"]
    name = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    if not name:
        pytest.skip("torch sees no CUDA card")
    yield name
    print(f"\n{name}\n{'run':14} {'first loss':>10} {'last loss':>10} {'seconds':>8} {'peak GB':>8} {'estimated':>10}")
    for row in TABLE:
        print("{:14} {:10.3f} {:10.3f} {:8.1f} {:8.2f} {:10.2f}".format(*row))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Folder with a file for each method: one preference, polite full sentences over rude scraps, that a small model learns."""
    folder = tmp_path_factory.mktemp("rows")
    organs = ["liver", "heart", "kidney", "lung", "spleen", "brain", "skin", "colon"]
    made = {name: [] for name in METHODS}
    for i in range(64):
        organ = organs[i % 8]
        prompt, good, bad = f"Case {i}: which organ is meant by number {i % 8}?", f"It is the {organ}, dear colleague.", "dunno"
        made["cpt"].append({"text": f"{prompt} {good}"})
        made["sft"].append({"conversations": [{"from": "human", "value": prompt}, {"from": "gpt", "value": good}]})
        for name in ("dpo", "simpo", "orpo", "reward"):
            made[name].append({"prompt": prompt, "chosen": good, "rejected": bad})
        made["kto"].append({"prompt": prompt, "completion": (good, bad)[i % 2], "label": i % 2 == 0})
        question = {"task": "mcq", "id": f"q{i}", "question": prompt, "options": {"A": organ, "B": "none"}, "answer": "A"}
        for name in ("grpo", "rloo"):
            made[name].append(question | {"language": "en"})
    for name, lines in made.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def train(name, model, data, out, *flags):
    run_script(f"scripts/{name}.py", "--model", model, "--data", data, "--output_dir", out, *FLAGS, *flags)
    run = json.loads((out / "run.json").read_text())
    losses = [float(r["loss"]) for r in map(json.loads, (out / "metrics.jsonl").read_text().splitlines()) if "loss" in r]
    peak, estimated = run["peak_memory_gb"]["gpu"], run["memory"]["estimated_gb"]["total"]
    TABLE.append((out.name, losses[0], losses[-1], run["metrics"]["train_seconds"], peak, estimated))
    return run, losses


@pytest.mark.parametrize("name", METHODS)
def test_method_learns(smollm2, rows, tmp_path, name):
    more = ["--num_generations", 4, "--max_completion_length", 16] if name in ("grpo", "rloo") else []
    run, losses = train(name, smollm2, rows / f"{name}.jsonl", tmp_path / name, *more)
    assert run["config"]["adapter"] in ("qlora", "rslora")
    assert name in ("grpo", "rloo") or min(losses[-4:]) < losses[0]


def test_a_student_moves_toward_its_teacher(smollm2, rows, tmp_path):
    train("sft", smollm2, rows / "sft.jsonl", tmp_path / "teacher")
    teacher = ["--teacher", tmp_path / "teacher", "--teacher_load_in_4bit", "true", "--max_new_tokens", 16]
    train("distill", smollm2, rows / "sft.jsonl", tmp_path / "distill", *teacher, "--eval_data", rows / "sft.jsonl")


def test_resumed_run_ends_where_an_unbroken_one_ends(smollm2, rows, tmp_path):
    from safetensors.torch import load_file

    train("sft", smollm2, rows / "sft.jsonl", tmp_path / "whole")
    train("sft", smollm2, rows / "sft.jsonl", tmp_path / "broken")
    for left in ("run.json", "adapter_model.safetensors"):
        (tmp_path / "broken" / left).unlink()
    import shutil

    shutil.rmtree(tmp_path / "broken/checkpoint-12")
    train("sft", smollm2, rows / "sft.jsonl", tmp_path / "broken")
    one, two = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "broken"))
    assert max((one[k] - two[k]).abs().max() for k in one) < 1e-3  # sums on a GPU are not ordered


def test_merged_and_exported(smollm2, rows, tmp_path):
    train("sft", smollm2, rows / "sft.jsonl", tmp_path / "sft")
    run_script("scripts/export_gguf.py", "--model", tmp_path / "sft", "--output_dir", tmp_path / "gguf", timeout=900)


@pytest.mark.parametrize("name, flags", [("sft", []), ("sft", ["--per_device_train_batch_size", 8]), ("dpo", [])])
def test_memory_is_as_estimated(rows, tmp_path, name, flags):
    """Random weights of Qwen3-1.7B's shape, rows of full length."""
    model = tmp_path / "qwen3-1.7b"
    code = (
        "import sys, torch; from transformers import AutoConfig, AutoModelForCausalLM\n"
        "c = AutoConfig.from_pretrained(sys.argv[1])\n"
        "d = c.to_dict() | dict(hidden_size=2048, num_hidden_layers=28, intermediate_size=6144, num_attention_heads=16,"
        " num_key_value_heads=8, head_dim=128); d.pop('layer_types')\n"
        "AutoModelForCausalLM.from_config(type(c)(**d), dtype=torch.bfloat16).save_pretrained(sys.argv[2])"
    )
    run_script("scripts/make_model.py", "--name", "tiny_qwen3", "--output_dir", tmp_path / "tiny")
    run_script("-c", code, tmp_path / "tiny", model)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (model / file).write_bytes((tmp_path / "tiny" / file).read_bytes())
    long = "the patient has pain and fever " * 120
    row = {"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": long}]}
    row |= {"prompt": "?", "chosen": long, "rejected": long + " no"}
    (tmp_path / "long.jsonl").write_text((json.dumps(row) + "\n") * 64)
    sizes = ["--max_length", 1024, "--max_steps", 3, *flags]
    run, _ = train(name, model, tmp_path / "long.jsonl", tmp_path / f"{name}{len(flags)}", *sizes)
    ratio = run["memory"]["estimated_gb"]["total"] / (run["peak_memory_gb"]["gpu"] + 0.6)  # the estimate counts the context
    assert 0.9 < ratio < 1.1, f"the estimate is {ratio:.2f} of what was measured; ROOT is {ROOT}"
