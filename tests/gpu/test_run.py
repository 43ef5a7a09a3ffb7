"""tests/gpu/run.py: its whole course on a processor with tiny shapes; and it goes on where it stopped."""

import json
import os

import pytest
from conftest import run_script


@pytest.mark.slow  # some twenty processes
def test_the_course_for_a_card_is_rehearsed(tiny_model, tmp_path):
    command = ["tests/gpu/run.py", "--rehearse", "--folder", tmp_path / "gpu", "--results", tmp_path / "results.jsonl"]
    run_script(*command, timeout=7200)
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    by_name = {line["task"]: line for line in lines}
    assert all(line["ok"] and line["about"]["rehearsal"] for line in lines), [line["error"] for line in lines]
    assert {"cpt", "grpo", "rloo", "distill", "grpo_reward", "merge", "resumed", "scoring", "memory_2", "fit_8b"} <= set(by_name)
    batches = by_name["out_of_memory"]["figures"]
    assert batches["asked"] == 48 == batches["per_device_train_batch_size"] * batches["gradient_accumulation_steps"]
    assert batches["per_device_train_batch_size"] < 48 and by_name["ours_1.7b_64"]["mfu"] > 0
    assert by_name["scoring_beside_loop"]["figures"]["times"] > 0
    assert by_name["resumed"]["figures"]["largest_difference"] < 1e-5
    assert by_name["bare_sft_1.7b_64"]["tokens_per_second"] > 0 and by_name["ours_1.7b_64"]["estimated_gb"] > 0
    assert "done before" in run_script(*command, timeout=3600).stdout


def test_without_a_card_it_says_what_to_do(tmp_path):
    env = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = run_script("tests/gpu/run.py", "--folder", tmp_path, "--results", tmp_path / "r.jsonl", code=1, env=env)
    assert "--rehearse" in done.stderr and not (tmp_path / "r.jsonl").exists()
