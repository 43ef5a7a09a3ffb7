"""What a GPU would train with, run on a processor: every script under the trainers that Unsloth generates for CUDA.

One process for all cases (gpu_trainers.py), because importing and generating takes most of the time.
"""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

METHODS = ("sft", "cpt", "dpo", "simpo", "orpo", "kto", "reward", "distill")
CASES = (*METHODS, "cpt:stream", "sft:resume", "dpo:resume", "sft:packing", "sft:nan", "sft:prefix")
CASES += ("dpo:ahead", "kto:ahead", "grpo:stop", "grpo:adapter", "grpo:pad", "rloo")


@pytest.fixture(scope="module")
def results(tiny_model, tmp_path_factory) -> dict[str, dict]:
    """What each case reported, by its name."""
    folder = tmp_path_factory.mktemp("gpu_trainers")
    command = [sys.executable, "tests/training/gpu_trainers.py", folder, tiny_model, *CASES]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, env=os.environ | {"TMPDIR": str(folder)}
    )
    lines = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert len(lines) == len(CASES) + 1, done.stdout[-2000:] + done.stderr[-2000:]
    return {line["case"]: line for line in lines}


def result_of(results, case) -> dict:
    assert "failed" not in results[case], results[case]["failed"]
    return results[case]


@pytest.mark.parametrize("method", METHODS)
def test_each_method_trains_two_steps_and_evaluates(results, method):
    found = result_of(results, method)
    assert found["trainer"].startswith("Unsloth") and found["metrics"]["steps"] == 2
    steps = [r for r in found["records"] if "loss" in r]
    held_out = [r for r in found["records"] if "eval_loss" in r]
    assert [r["step"] for r in steps] == [1, 2] and all(0 < float(r["loss"]) < 20 and r["grad_norm"] > 0 for r in steps)
    assert held_out and 0 < held_out[-1]["eval_loss"] < 20 and found["eval_batch"] == 4


def test_precisions_and_vllm_reach_unsloths_loaders(results):
    """In grpo.py, whose load_model is that of all methods but reward.py's, with more arguments."""
    found = results["loading"]
    eight, fast = found["load_in_8bit"], found["fast_inference"]
    assert eight["load_in_8bit"] and not eight["load_in_4bit"] and not eight["fast_inference"]
    assert found["load_in_fp8"]["1"] == "row" and found["load_in_fp8"]["0"].endswith("tiny-qwen3")
    assert fast["fast_inference"] and fast["load_in_4bit"] and fast["gpu_memory_utilization"] == 0.5
    assert fast["max_lora_rank"] == 8 and fast["max_seq_length"] == 1024 + 128


def test_a_stream_is_trained_in_full_chunks(results):
    steps = [r for r in result_of(results, "cpt:stream")["records"] if "loss" in r]
    assert [r["num_input_tokens_seen"] for r in steps] == [4 * 128, 8 * 128] and all(r["grad_norm"] > 0 for r in steps)


def test_distillation_is_evaluated_before_the_first_step(results):
    held_out = [r for r in result_of(results, "distill")["records"] if "eval_loss" in r]
    assert [r["step"] for r in held_out] == [0, 2]


def test_a_student_answers_a_token_at_a_time_though_activations_are_recomputed(results):
    """Without a cache it would read its whole answer anew for each: TRL's choice where activations are recomputed."""
    assert result_of(results, "distill")["narrowest"] == 1


def test_a_students_answers_leave_the_checkpointing_that_offloads(results):
    """Unsloth's is reentrant; TRL, which turns it off for each answer, would turn on another."""
    found = result_of(results, "distill")
    assert found["layers"] and found["reentrant"]


def test_dpo_begins_at_ln_2(results):
    first = next(r for r in result_of(results, "dpo")["records"] if "loss" in r)
    assert float(first["loss"]) == pytest.approx(0.6931, abs=1e-3)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_reference_asked_ahead_says_the_same(results, method):
    """precompute_ref_log_probs ended in a traceback: TRL keeps its figures by the `map` that our rows did not have."""
    each, ahead = (
        [r["loss"] for r in result_of(results, case)["records"] if "loss" in r] for case in (method, f"{method}:ahead")
    )
    assert len(each) == 2 and [float(loss) for loss in ahead] == pytest.approx([float(loss) for loss in each], abs=1e-3)


@pytest.mark.parametrize("method", ["sft", "cpt"])
def test_tokens_are_counted_and_sft_joins_rows_without_padding(results, method):
    found = result_of(results, method)
    tokens = [r["num_input_tokens_seen"] for r in found["records"] if "loss" in r]
    assert 0 < tokens[0] < tokens[1]
    assert found["padding_free"] == (method == "sft")  # UnslothTrainer, which cpt.py needs for its rates, pads


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_resumed_run_takes_the_step_that_the_whole_one_took(results, method):
    found = result_of(results, f"{method}:resume")
    whole, resumed = ([r["loss"] for r in found[name] if "loss" in r] for name in ("whole", "resumed"))
    assert resumed == pytest.approx(whole, abs=1e-5) and len(whole) == 2


def test_packed_documents_and_their_labels_are_those_that_were_encoded(results):
    found = result_of(results, "sft:packing")
    assert found["documents"] > 4 and all(found["same"]) and found["held_out"] <= 4


def test_a_loss_that_is_no_number_names_the_batch_alone(results):
    error = result_of(results, "sft:nan")["error"]
    assert "the loss is nan at step 1" in error and error.count("q") == 4, error


def test_virtual_tokens_are_trained(results):
    """With Unsloth's own model their gradients are None, and nothing says so."""
    steps = [r for r in result_of(results, "sft:prefix")["records"] if "loss" in r]
    assert len(steps) == 2 and all(r["grad_norm"] > 0 for r in steps) and not results["sft:prefix"]["padding_free"]


def test_rloo_is_rewarded_and_leaves_the_first_policy(results):
    """Rewards that differ give a gradient at once; the first policy is held apart, or the distance to it would stay 0."""
    found = result_of(results, "rloo")
    first, second = (r for r in found["records"] if "loss" in r)
    assert found["trainer"] == "UnslothRLOOTrainer" and 0 < first["reward_std"] and 0 < first["reward"] < 1
    assert first["grad_norm"] > 0 and first["kl"] == 0 != second["kl"]
    assert any("eval_reward" in r for r in found["records"])


def test_grpo_stops_by_the_reward_and_larger_is_better(results):
    found = result_of(results, "grpo:stop")
    assert found["watched"] == "eval_reward" and found["larger"] is True and found["metrics"]["best_checkpoint"]
    assert any("eval_reward" in r for r in found["records"])


def test_grpo_measures_the_distance_to_the_adapter_that_it_goes_on_from(results):
    """Unsloth's trainer measures the one to the model beneath, which is far from 0 at the first step."""
    first, second = (float(r["kl"]) for r in result_of(results, "grpo:adapter")["records"] if "loss" in r)
    assert first == pytest.approx(0, abs=1e-6) and second > first


def test_grpo_scores_prompts_whole_where_the_tokenizer_pads_with_the_turns_end(results):
    found = result_of(results, "grpo:pad")
    assert found["whole"] == found["rows"] > 0
