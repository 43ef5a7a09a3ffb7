"""tests/gpu/run.py: its whole course on a processor with tiny shapes; and it goes on where it stopped."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import run as gpu_run
from conftest import run_script
from course import PARTS, Course, Task


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


@pytest.fixture
def course(tiny_model, tmp_path):
    return Course(argparse.Namespace(folder=tmp_path / "gpu", rehearse=False, only=list(PARTS)))


def test_a_run_is_broken_off_after_a_checkpoint_that_is_kept(course):
    """Of more than two the first would be gone, and the course would end there: on a card it has twelve steps, rehearsed two."""
    whole, resumed = course.resume()
    command = dict(zip(whole.command, whole.command[1:], strict=False))
    made = range(int(command["--save_steps"]), course.steps + 1, int(command["--save_steps"]))
    assert len(made) == 2
    for step in made:
        (whole.out / f"checkpoint-{step}").mkdir(parents=True)
    gpu_run.before(resumed, course.folder)
    assert [path.name for path in resumed.out.iterdir()] == [f"checkpoint-{made[0]}"]


def test_what_another_task_begins_with_is_made_again_where_its_machine_is_gone(course, monkeypatch):
    monkeypatch.setattr(gpu_run, "run", lambda task, *more: gpu_run.Result(task.name, True, 1.0))
    tasks = {task.name: task for task in course.methods()}

    def done(name: str, *ended: str) -> bool:
        return gpu_run.one(tasks[name], course.folder, {name, *ended}, [], None) is None

    assert done("cpt") and not done("teacher") and done("teacher", "distill")
    tasks["teacher"].out.mkdir()
    assert done("teacher")


def test_one_task_that_leaves_nothing_ends_no_other(course):
    _, resumed = course.resume()
    result = gpu_run.one(resumed, course.folder, set(), [], None)
    assert not result.ok and result.task == "resumed"
    course.speed = lambda: (_ for _ in ()).throw(gpu_run.subprocess.CalledProcessError(1, "MAKE"))
    course.scoring = lambda: [Task("scoring", [], course.folder)]
    assert [getattr(t, "name", getattr(t, "task", None)) for t in gpu_run.tasks_of(course, ["speed", "scoring"])] == [
        "speed_models",
        "scoring",
    ]


def test_a_task_is_broken_off_when_the_minutes_are_over(tmp_path):
    result = gpu_run.run(Task("slow", ["-c", "import time; time.sleep(1000)"], tmp_path), seconds=0.5)
    assert not result.ok and "minutes" in result.error


def test_what_a_task_started_ends_with_it(tmp_path, monkeypatch):
    """Compilers and a training that starts itself anew are processes of their own; one that stays keeps the card's memory."""
    started, writing = tmp_path / "started", tmp_path / "writing"

    class Late(subprocess.Popen):
        def communicate(self, timeout=None):
            while not started.exists():
                time.sleep(0.05)
            raise subprocess.TimeoutExpired(self.args, timeout)

    monkeypatch.setattr(subprocess, "Popen", Late)
    inner = f"import os, time; open({str(writing)!r}, 'w').write(str(os.getpid())); os.rename({str(writing)!r}, {str(started)!r})"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner + '; time.sleep(1000)'!r}])"
    result = gpu_run.run(Task("slow", ["-c", outer], tmp_path), seconds=1)
    stat = Path("/proc", started.read_text(), "stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX":  # it was told to end
        time.sleep(0.05)
    assert not result.ok and "broken off" in result.error


def test_a_run_that_failed_is_broken_off_afresh(course):
    _, resumed = course.resume()
    (course.folder / "whole/checkpoint-6").mkdir(parents=True)
    (resumed.out / "checkpoint-9").mkdir(parents=True)
    gpu_run.before(resumed, course.folder)
    assert [path.name for path in resumed.out.iterdir()] == ["checkpoint-6"]


@pytest.mark.parametrize("four", [True, False])
def test_a_model_is_made_a_matrix_at_a_time(tiny_model, tmp_path, four):
    """Whole in 16 bits, the 8B shape fits no card of 16 GB, for which the course has a task."""
    import torch
    from transformers import AutoModelForCausalLM

    made = Course(argparse.Namespace(folder=tmp_path / "gpu", rehearse=True, only=list(PARTS))).model("8b", four)
    model = AutoModelForCausalLM.from_pretrained(made)
    found = model.model.layers[0].mlp.up_proj
    assert type(found).__name__ == ("Linear4bit" if four else "Linear") and model.dtype == torch.bfloat16
    with torch.no_grad():
        assert torch.isfinite(model(torch.arange(20)[None]).logits).all()


def test_a_smaller_card_says_what_it_would_say(tmp_path, monkeypatch):
    """Unsloth takes as much for its loss as the card says is free: under a limit alone it would ask for what is forbidden."""
    import torch

    monkeypatch.setenv("TEST_MEMORY_GB", "8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: argparse.Namespace(total_memory=141e9))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share: None)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 3_000_000_000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *device: (130_000_000_000, 141_000_000_000))
    exec(gpu_run.LIMIT, {})
    assert torch.cuda.mem_get_info() == torch.cuda.mem_get_info(0) == (5_000_000_000, 8_000_000_000)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "torch._inductor.compile_worker"])
    kept = torch.cuda.mem_get_info
    exec(gpu_run.LIMIT, {})
    assert torch.cuda.mem_get_info is kept


def test_a_package_that_lacks_is_told_before_the_first_task(tmp_path):
    (tmp_path / "pydantic.py").write_text("raise ModuleNotFoundError('no typing_inspection here')")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    flags = ["--rehearse", "--folder", tmp_path / "gpu", "--results", tmp_path / "r.jsonl"]
    done = run_script("tests/gpu/run.py", *flags, code=1, env=env)
    assert "carry what lacks" in done.stderr and "typing_inspection" in done.stderr
    assert not Path(tmp_path, "r.jsonl").exists()
