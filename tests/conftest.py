"""Fixtures that every test file shares: the model folders and a way to run a script as a user does."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]


def run_script(*args, code: int = 0, timeout: float = 600, **kwargs) -> subprocess.CompletedProcess:
    """Run `python scripts/x.py ...` from the project's root and assert its exit code."""
    done = subprocess.run([sys.executable, *map(str, args)], cwd=ROOT, capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL, **kwargs)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def _model(name: str, folder: str) -> str:
    if not (ROOT / folder / "config.json").exists():
        run_script("scripts/make_model.py", "--name", name, "--output_dir", folder)
    return folder


@pytest.fixture(scope="session")
def smollm2() -> str:
    """Folder of the embedded SmolLM2-135M-Instruct (real weights), made once."""
    return _model("smollm2", "models/smollm2-135m-instruct")


@pytest.fixture(scope="session")
def tiny_model() -> str:
    """Folder of a random two-layer Qwen3 with the real Qwen tokenizer, made once."""
    return _model("tiny_qwen3", "models/tiny-qwen3")
