"""A disk that takes no more, and a file that is not whole, are one clear error, whichever library met them."""

import os
import resource
import sqlite3
import subprocess
import sys

import pytest
from common.models import damaged_files
from conftest import ROOT, answer_at_once, run_script

from data_prep.common.errors import disk_problem

TRAIN = ["--max_steps", 1, "--max_length", 256]


def small_files(most: int):
    """In a new process: no file may grow beyond `most` bytes (RLIMIT_FSIZE), as on a full disk, and needing no rights."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def test_prepare_says_that_the_disk_is_full(tmp_path):
    command = ["data_prep/prepare.py", ROOT / "recipes/rehearsal/exam.jsonl", "--output_dir", tmp_path / "out"]
    said = run_script(*command, code=2, preexec_fn=small_files(1000)).stderr
    assert "File too large" in said and "start the same command again" in said and "Traceback" not in said
    run_script(*command)


@pytest.mark.parametrize("most", [20_000, *(pytest.param(n, marks=pytest.mark.slow) for n in (100, 1_000_000))])
def test_training_says_that_the_disk_is_full(tiny_model, tiny_rows, tmp_path, most):
    command = ["scripts/sft.py", "--model", tiny_model, "--data", tiny_rows / "train.jsonl", *TRAIN, "--output_dir", tmp_path]
    said = run_script(*command, code=2, preexec_fn=small_files(most)).stderr
    assert "start the same command again" in said and "Traceback" not in said, said


def test_output_that_nobody_reads_any_more_is_no_traceback(tmp_path):
    """As `prepare.py ... | head -0` and `... 2>&1 | head -0` have it."""
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "data_prep/prepare.py", ROOT / "recipes/rehearsal/exam.jsonl", "--output_dir", tmp_path / "out"]
    done = subprocess.run(command, cwd=ROOT, stdout=writes, stderr=subprocess.PIPE, text=True)
    assert subprocess.run(command, cwd=ROOT, stdout=writes, stderr=writes).returncode == 141
    os.close(writes)
    assert done.returncode == 141 and done.stderr.strip().startswith("stopped: what read the output has ended"), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_only_a_disk_is_taken_for_one():
    assert disk_problem(OSError(28, "No space left on device", "a.bin")) == "a.bin: No space left on device"
    assert disk_problem(ValueError("no such label")) is None and disk_problem(FileNotFoundError(2, "gone", "x")) is None
    assert "its folder is gone" in disk_problem(FileNotFoundError(2, "No such file or directory", "/nowhere/x"))
    for words in ("database or disk is full", "attempt to write a readonly database"):
        assert words in disk_problem(sqlite3.OperationalError(words))
    assert "out: is a folder" in disk_problem(IsADirectoryError(21, "Is a directory", ".out.tmp", None, "out"))
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as cause:
            raise RuntimeError("could not save") from cause
    except RuntimeError as error:
        assert disk_problem(error) == "cannot write: No space left on device"


@pytest.mark.parametrize(
    "script, name",
    [
        ("sft.py", "config.json"),
        ("sft.py", "tokenizer.json"),
        ("evaluate.py", "model.safetensors"),
        ("chat.py", "tokenizer_config.json"),
        ("export_gguf.py", "config.json"),
        ("export_gguf.py", "tokenizer.json"),
        ("export_gguf.py", "model.safetensors"),
    ],
)
def test_a_model_file_that_is_not_whole_is_named(tiny_model, tmp_path, script, name):
    """Half a copy: one error before anything heavy is imported, not a traceback of a library's."""
    for path in (ROOT / tiny_model).iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).unlink()
    whole = (ROOT / tiny_model / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    rows = ["--data", "recipes/rehearsal/exam.jsonl", "--output_dir", tmp_path / "e"] if script == "evaluate.py" else []
    said = answer_at_once(f"scripts/{script}", "--model", tmp_path, *rows).stderr
    assert f"{tmp_path / name} is damaged" in said


def test_a_chat_template_that_was_cut_names_the_model(tiny_model, tiny_rows, tmp_path):
    for path in (ROOT / tiny_model).iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "chat_template.jinja").write_text((ROOT / tiny_model / "chat_template.jinja").read_text()[:3270])
    command = ["scripts/sft.py", "--model", tmp_path, "--data", tiny_rows / "train.jsonl", "--output_dir", tmp_path / "o"]
    said = run_script(*command, "--dry_run", code=2).stderr
    assert f"model: {tmp_path}: the chat template refuses" in said and "Traceback" not in said


@pytest.mark.parametrize("script", ["export_gguf.py", "evaluate.py"])
@pytest.mark.parametrize("left", [b"\0" * 4000, b"", b"\xff{{"], ids=["zeros", "nothing", "no text"])
def test_a_chat_template_that_is_no_text_is_named_before_anything_runs(tiny_model, tmp_path, script, left):
    for path in (ROOT / tiny_model).iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "chat_template.jinja").write_bytes(left)
    rows = ["--data", "recipes/rehearsal/exam.jsonl", "--output_dir", tmp_path / "e"] if script == "evaluate.py" else []
    said = answer_at_once(f"scripts/{script}", "--model", tmp_path, *rows).stderr
    assert f"{tmp_path / 'chat_template.jinja'} is damaged" in said


def test_whole_models_are_taken_for_whole(tiny_model, tiny_sft, smollm2):
    assert [damaged_files(ROOT / folder) for folder in (tiny_model, tiny_sft, smollm2)] == [[], [], []]
