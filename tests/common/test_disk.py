"""A disk that takes no more is one clear error, whichever library was writing."""

import resource

import pytest
from conftest import ROOT, run_script

from data_prep.errors import disk_problem

TRAIN = ["--max_steps", 1, "--max_length", 256]


def small_files(most: int):
    """In a new process: no file may grow beyond `most` bytes (RLIMIT_FSIZE), as on a full disk, and needing no rights."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def test_prepare_says_that_the_disk_is_full(tmp_path):
    command = ["data_prep/prepare.py", ROOT / "recipes/rehearsal/exam.jsonl", "--output_dir", tmp_path / "out"]
    said = run_script(*command, code=2, preexec_fn=small_files(1000)).stderr
    assert "File too large" in said and "start the same command again" in said and "Traceback" not in said
    run_script(*command)


@pytest.mark.parametrize("most", [100, 20_000, 1_000_000])  # the settings, a checkpoint's adapter, the tokenizer
def test_training_says_that_the_disk_is_full(tiny_model, tiny_rows, tmp_path, most):
    command = ["scripts/sft.py", "--model", tiny_model, "--data", tiny_rows / "train.jsonl", *TRAIN, "--output_dir", tmp_path]
    said = run_script(*command, code=2, preexec_fn=small_files(most)).stderr
    assert "start the same command again" in said and "Traceback" not in said, said


def test_only_a_disk_is_taken_for_one():
    assert disk_problem(OSError(28, "No space left on device", "a.bin")) == "a.bin: No space left on device"
    assert disk_problem(ValueError("no such label")) is None and disk_problem(FileNotFoundError(2, "gone", "x")) is None
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as cause:
            raise RuntimeError("could not save") from cause
    except RuntimeError as error:
        assert disk_problem(error) == "cannot write: No space left on device"
