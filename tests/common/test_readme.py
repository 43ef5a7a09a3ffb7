"""The front page's commands, run as they stand there with a tiny model and a made-up exam in the place of the reader's."""

import random
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT
from test_cli import shell_lines

MODEL = "Qwen/Qwen3-1.7B"
LEARNT = ("--max_length", "256", "--max_steps", "3")  # of a training: enough to make an adapter


def exam(path, questions: int = 60) -> None:
    """A spreadsheet of questions with options and key, as an exam's author keeps it."""
    from openpyxl import Workbook

    book, draw = Workbook(), random.Random(1)
    book.active.append(["question", "A", "B", "C", "D", "answer"])
    for i in range(questions):
        stem = f"A patient of {20 + i} years has had fever for {1 + i % 9} days and finding {i * 7919 % 997}. What is next?"
        book.active.append([stem, "chest radiograph", "blood culture", "lumbar puncture", "observation", draw.choice("ABCD")])
    book.save(path)


@pytest.mark.slow  # minutes: nine commands, most of which load a model
def test_the_front_page_s_steps_run_one_after_the_other(tiny_model, tmp_path):
    """An export line failed once that nobody had run. Recipes are rehearsed by test_rehearsals.py; nothing is installed here."""
    for name in ("scripts", "data_prep", "recipes", "models", ".tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    exam(tmp_path / "exam.xlsx")
    ran = []
    for line in shell_lines(ROOT / "README.md"):
        words = [tiny_model if word == MODEL else word for word in shlex.split(line, comments=True)]
        # A script without flags or on a file that lies beside its reader is quoted in a sentence.
        if words[0] != "python" or words[1] == "scripts/run_recipe.py" or len(words) < 3 or words[-1].startswith("mine-"):
            continue
        more = LEARNT if words[1] == "scripts/sft.py" else ()
        done = subprocess.run(
            [sys.executable, *words[1:], *more], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        ran.append(words[1])
    assert {"data_prep/prepare.py", "scripts/evaluate.py", "scripts/sft.py", "scripts/export_gguf.py", "scripts/chat.py"} <= set(
        ran
    )
    assert (tmp_path / "runs").is_dir() and not (ROOT / "runs/mine").exists()
