"""One step on a card that is none: Unsloth's kernels for a GPU, interpreted, give the loss that the processor's road gives."""

import json
import math
import os
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow  # a minute a method
PAIR = {"chosen": "It is the liver, dear colleague.", "rejected": "No idea."}
ROWS = {
    "sft": {"conversations": [{"from": "human", "value": "Which organ makes bile?"}, {"from": "gpt", "value": PAIR["chosen"]}]},
    "dpo": {"prompt": "Which organ makes bile?", **PAIR},
    "kto": {"prompt": "Which organ makes bile?", "completion": PAIR["chosen"], "label": True},
}
FLAGS = "--logging_steps 1 --max_steps 1 --max_length 64 --per_device_train_batch_size 2 --gradient_accumulation_steps 1"


def first_loss(folder, method, tiny_model, *runner: str) -> float:
    """Loss of a method's first step, run as it is or through a stand-in; the adapter has changed by that step."""
    made = [ROWS[method] | {"id": f"q{i}"} for i in range(4)]
    for number, row in enumerate(made):
        if method == "kto" and number % 2:
            row |= {"completion": PAIR["rejected"], "label": False}
        elif method != "sft":
            row["prompt"] += " Really?" * number
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    out = folder / f"{method}{len(runner)}"
    files = ["--model", tiny_model, "--data", folder / "rows.jsonl", "--output_dir", out, "--lr_scheduler_type", "constant"]
    command = [sys.executable, *runner, f"scripts/{method}.py", *files, *FLAGS.split()]
    env = os.environ | {"UNSLOTH_CPU_BF16": "0"}
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "no weight has changed" not in done.stdout + done.stderr
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return next(record["loss"] for record in records if "loss" in record)


def test_sft_has_the_loss_of_the_processors_road(tmp_path, tiny_model):
    """In fp16 as on a T4: the fused loss, norms, rotary embedding, products with NF4 and adapters, checkpointing."""
    on_card = first_loss(tmp_path, "sft", tiny_model, "tests/gpu/stand_in.py", "7.5")
    assert on_card == pytest.approx(
        first_loss(tmp_path, "sft", tiny_model), abs=0.002
    )  # 5e-5; 0.027 where NF4 is unpacked a fifth too large


@pytest.mark.parametrize("method, loss", [("dpo", math.log(2)), ("kto", 0.5)])
def test_a_policy_begins_as_its_reference(tmp_path, tiny_model, method, loss):
    assert first_loss(tmp_path, method, tiny_model, "tests/gpu/stand_in.py", "7.5") == pytest.approx(loss, abs=0.002)
