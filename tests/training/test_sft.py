"""SFT end to end on a tiny Qwen3: files, records, what is trained, resuming, refusals."""

import importlib
import json
import shutil

import pytest
from conftest import ROOT, kill_after_checkpoint, run_script, sft_command


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def test_writes_what_the_contract_names(tiny_sft, tiny_rows, tiny_model):
    for name in (
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
        "run.json",
        "metrics.jsonl",
        "checkpoint-4/adapter_model.safetensors",
    ):
        assert (tiny_sft / name).is_file(), name
    assert not list(tiny_sft.glob(".*")) and not (tiny_sft / "settings.json").exists()
    from transformers import AutoTokenizer

    from data_prep.chat_template import set_template

    trained_with = set_template(AutoTokenizer.from_pretrained(ROOT / tiny_model)).chat_template
    assert (tiny_sft / "chat_template.jinja").read_text(encoding="utf-8") == trained_with
    run = json.loads((tiny_sft / "run.json").read_text())
    assert run["config"]["lora_r"] == 16 and run["config"]["seed"] == 3407 and run["versions"]["unsloth"] != "absent"
    assert len(run["data"][str(tiny_rows / "train.jsonl")]["sha256"]) == 64
    # 2 layers: q 256x256, k and v 256x128, o 256x256, gate and up 256x512, down 512x256; r (in + out) each
    assert run["metrics"]["trainable_parameters"] == 2 * 16 * (512 + 384 * 2 + 512 + 768 * 3)
    assert run["metrics"]["steps"] == 8 and run["peak_memory_gb"]["ram"] > 0.3


def test_learns(tiny_sft):
    lines = [json.loads(line) for line in (tiny_sft / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 9))
    assert float(losses[-1]) < float(losses[0]) - 1
    assert any("eval_loss" in line for line in lines)


def test_first_loss_is_that_of_the_trained_tokens_alone(tiny_sft, tiny_rows, tiny_model):
    """An untrained model of V tokens starts at about ln V per trained token, whatever the prompt's length."""
    import math

    first = json.loads((tiny_sft / "metrics.jsonl").read_text().splitlines()[0])
    assert abs(float(first["loss"]) - math.log(151936)) < 1.5


def test_says_what_it_trains(tiny_sft):
    printed = (tiny_sft.parent / "printed.txt").read_text()
    assert "<|im_end|>'" in next(line for line in printed.splitlines() if line.startswith("trained:"))
    assert "<|im_start|>user" in next(line for line in printed.splitlines() if line.startswith("given:"))
    assert "step 8/8" in printed and "s left" in printed


def test_what_is_shown_of_a_row_ends_at_a_token(tiny_model):
    from training.rows import SHOWN, excerpt
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ROOT / tiny_model)
    turn = tokenizer("<|im_start|>", add_special_tokens=False)["input_ids"]
    assert excerpt(turn * SHOWN, tokenizer, last=True) == repr("<|im_start|>" * SHOWN)
    assert excerpt(turn * 200, tokenizer, last=True) == "... " + repr("<|im_start|>" * SHOWN)
    halves = tokenizer("𓀀", add_special_tokens=False)["input_ids"]
    assert len(halves) > 1, "the test would prove nothing"
    assert excerpt(turn * (SHOWN - 1) + halves, tokenizer) == repr("<|im_start|>" * (SHOWN - 1)) + " ..."


def test_finished_folder_is_refused(tiny_sft, tiny_rows, tiny_model):
    done = run_script(
        "scripts/sft.py", "--model", tiny_model, "--data", tiny_rows / "train.jsonl", "--output_dir", tiny_sft, code=2
    )
    assert "finished run" in done.stderr


def test_killed_run_goes_on_and_ends_with_the_same_weights(tiny_sft, tiny_rows, tiny_model, tmp_path):
    """With save_steps as it comes, too: a run of eight steps has a checkpoint a step."""
    out = tmp_path / "sft"
    command = sft_command(tiny_model, tiny_rows, out)
    at = command.index("--save_steps")
    del command[at : at + 2]
    kill_after_checkpoint(command, out, 3)
    changed = run_script(*command, "--learning_rate", "1e-3", code=2)
    assert "learning_rate" in changed.stderr and "other settings" in changed.stderr
    (out / "checkpoint-9").mkdir()  # as a kill in the midst of saving leaves one
    done = run_script(*command)
    assert "checkpoint-9 is incomplete" in done.stdout and "goes on from" in done.stdout
    ours, whole = weights(out), weights(tiny_sft)
    assert ours.keys() == whole.keys() and all(ours[k].equal(whole[k]) for k in whole)
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and set(steps) == set(range(1, 9))


def test_run_killed_before_its_result_was_saved_is_not_trained_further(tiny_sft, tiny_rows, tiny_model, tmp_path):
    """Four steps in the midst of an epoch, the last checkpoint written, no adapter yet: transformers would take a fifth."""
    out = tmp_path / "sft"
    shutil.copytree(tiny_sft / "checkpoint-4", out / "checkpoint-4")
    shutil.copy(tiny_sft / "metrics.jsonl", out)
    state = json.loads((out / "checkpoint-4" / "trainer_state.json").read_text())
    state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"] = True  # as with --max_steps 4
    (out / "checkpoint-4" / "trainer_state.json").write_text(json.dumps(state))
    done = run_script(*sft_command(tiny_model, tiny_rows, out), "--max_steps", 4)
    assert "goes on from" in done.stdout and "step 5" not in done.stdout, done.stdout
    ours, kept = weights(out), weights(out / "checkpoint-4")
    assert ours.keys() == kept.keys() and all(ours[k].equal(kept[k]) for k in kept)
    metrics = json.loads((out / "run.json").read_text())["metrics"]
    losses = [float(row["loss"]) for row in map(json.loads, open(out / "metrics.jsonl")) if "loss" in row]
    assert metrics["steps"] == len(losses) == 4 and abs(metrics["train_loss"] - sum(losses) / 4) < 1e-3


def test_rows_are_made_ready_in_this_process_alone(monkeypatch):
    """A worker that waits for rows lives on for good where its parent is killed."""
    from datasets import Dataset, arrow_dataset
    from training import trainer

    monkeypatch.setattr(arrow_dataset.mp, "Pool", lambda *_: pytest.fail("a worker"))
    rows = Dataset.from_dict({"a": [1, 2]}).map(lambda row: {"b": row["a"]}, num_proc=trainer.IN_PROCESS)
    assert rows.filter(lambda row: row["b"] > 1, num_proc=trainer.IN_PROCESS)["b"] == [2]
    monkeypatch.setattr(trainer, "supports_bf16", lambda: False)
    distilled = {"eval_data": "held_out.jsonl", "teacher": "another"}
    for name in ("sft", "cpt", "dpo", "kto", "simpo", "orpo", "reward", "distill"):
        more = distilled if name == "distill" else {}
        args = importlib.import_module(name).Args(model="a model", data="rows.jsonl", **more)
        assert trainer.trainer_config(args)["dataset_num_proc"] == trainer.IN_PROCESS, name
    assert "dataset_num_proc" not in trainer.trainer_config(
        importlib.import_module("grpo").Args(model="a model", data="rows.jsonl")
    )


def test_row_without_trained_token_stops_before_the_model_loads(tiny_model, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(
            json.dumps(
                {"id": f"r{i}", "conversations": [{"from": "human", "value": "word " * length}, {"from": "gpt", "value": "yes"}]}
            )
            + "\n"
            for i, length in enumerate((5, 500))
        )
    )
    done = run_script(
        "scripts/sft.py", "--model", tiny_model, "--data", rows, "--output_dir", tmp_path / "out", "--max_length", 64, code=2
    )
    assert "1 of 2 rows" in done.stderr and "r1" in done.stderr and "CPU threads" not in done.stdout
    assert not (tmp_path / "out").exists()


def test_hub_out_of_reach_is_one_line(tiny_rows, tmp_path):
    import os

    # A port nobody listens on stands for the hub, so that the test is the same with and without a network.
    done = run_script(
        "scripts/sft.py",
        "--model",
        "Qwen/Qwen3-1.7B",
        "--data",
        tiny_rows / "train.jsonl",
        code=2,
        env={**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)},
    )
    assert len(done.stderr.strip().splitlines()) == 1
    assert "cannot be reached" in done.stderr and "make_model.py" in done.stderr


@pytest.mark.parametrize("name", ["sft"])
def test_dry_run_loads_no_model(name, tiny_model, tiny_rows, tmp_path):
    done = run_script(
        f"scripts/{name}.py",
        "--model",
        tiny_model,
        "--data",
        tiny_rows / "train.jsonl",
        "--output_dir",
        tmp_path / "out",
        "--dry_run",
    )
    assert "trained:" in done.stdout and "CPU threads" not in done.stdout and not (tmp_path / "out").exists()
