"""Fixtures that every test file shares: the model folders and a way to run a script as a user does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm_start
from filelock import FileLock
from scripted_server import ScriptedServer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]


# A shell script's `pytest &` ignores SIGINT, and so would every program started here; what Ctrl-C does is part of the tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Two workers on two cores: with a thread each they do not wait for one another in the middle of a product.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) >= (os.cpu_count() or 1):
    os.environ.setdefault("OMP_NUM_THREADS", "1")
LONGEST = ("test_quickstart.py", "test_export_gguf.py", "test_training.py", "test_export_resume.py", "test_export_kinds.py")


OWN_ROWS = {  # by recipe: the variables that only a user can fill in
    "classification": {"rows": "recipes/rehearsal/labelled.csv"},
    "my_exam": {"rows": "recipes/rehearsal/my_exam.csv"},
    "guidelines": {"guides": "recipes/rehearsal/text.jsonl", "exam": "recipes/rehearsal/labelled.csv"},
    "preferences_from_people": {"votes": "recipes/rehearsal"},
}


def pytest_collection_modifyitems(items):
    """The longest files first, so that none is left to one worker at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


# In CI nothing skips but what needs a card, a program that no package brings, or data that is not part of the project.
MAY_SKIP = ("CUDA card", "Ollama is not installed", "../shared/data is absent")
skipped = []


def pytest_runtest_logreport(report):
    if report.skipped and not hasattr(report, "wasxfail") and not any(word in str(report.longrepr) for word in MAY_SKIP):
        skipped.append(report)


pytest_collectreport = pytest_runtest_logreport


def pytest_sessionfinish(session):
    if os.environ.get("CI") and skipped and session.exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    if os.environ.get("CI") and skipped:
        terminalreporter.write_line(f"{len(skipped)} tests skipped that must not skip in CI", red=True)


def run_script(*args, code: int = 0, timeout: float = 3600, before: tuple = (), **kwargs) -> subprocess.CompletedProcess:
    """Run `python scripts/x.py ...` from the project's root and assert its exit code; `before`: words before `python`.

    A trainer with nothing of the kind starts warm (warm_start.py).
    """
    words = list(map(str, args))
    if not before and not kwargs and warm_start.fits(words):
        done = warm_start.run(words)
    else:
        done = subprocess.run(
            [*before, sys.executable, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            **kwargs,
        )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


# What takes seconds to import. A script answers --help and every mistake in its input before it imports any of these.
HEAVY = {"torch", "transformers", "unsloth", "trl", "peft", "datasets", "pandas", "scipy", "sklearn", "matplotlib", "spacy"}


def answer_at_once(*args, code: int = 2, **kwargs) -> subprocess.CompletedProcess:
    """`run_script`, asserting that nothing heavy was imported and no traceback printed; stderr without Python's import log."""
    done = run_script("-X", "importtime", *args, code=code, **kwargs)
    lines = done.stderr.splitlines(keepends=True)
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "os" in imported or "re" in imported, "Python told nothing of its imports"
    assert not imported & HEAVY, f"imported before the input was checked: {sorted(imported & HEAVY)}"
    done.stderr = "".join(line for line in lines if not line.startswith("import time:"))
    assert "Traceback" not in done.stderr, done.stderr
    return done


# In a new network namespace even 127.0.0.1 is down; llama.cpp's server is asked there. SIOCSIFFLAGS of netdevice(7), IFF_UP.
LOOPBACK = """import fcntl, os, socket, struct, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh22x", b"lo", 1))
os.execv(sys.argv[1], sys.argv[1:])
"""


def run_without_network(log: Path, *args, **kwargs) -> subprocess.CompletedProcess:
    """`run_script` where no network is, asserting that nothing outside this machine was asked for.

    In a network namespace of its own where the system lets us have one; what Python code asks for is written to `log` too.
    """
    alone = ("unshare", "--net") if os.getuid() == 0 else ("unshare", "--map-root-user", "--net")
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        alone = ()
    else:
        alone = (*alone, sys.executable, "-c", LOOPBACK)
    path = os.pathsep.join(filter(None, (str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH"))))
    done = run_script(*args, before=alone, env={**os.environ, "PYTHONPATH": path, "NETWORK_LOG": str(log)}, **kwargs)
    asked = log.read_text(encoding="utf-8") if log.exists() else ""
    assert not asked, asked[-3000:]
    return done


def wait_for(process: subprocess.Popen, seen):
    """What `seen()` gives as soon as it is true; fails where the process has ended without it, however long a machine takes."""
    while True:
        code = process.poll()  # before the look: what a process wrote last is seen
        if found := seen():
            return found
        assert code is None, f"it ended (exit {code}) before what was waited for was seen"
        time.sleep(0.002)


def kill_when(process: subprocess.Popen, seen) -> None:
    """End a process by SIGKILL as soon as `seen()` is true; fails where it ended before."""
    try:
        wait_for(process, seen)
    finally:
        process.kill()
        process.wait()


def kill_after_checkpoint(command: list, output_dir: Path, step: int) -> None:
    """Start a training script, its flags naming `output_dir`, and kill it with SIGKILL when the checkpoint of `step` is whole."""
    words = [sys.executable, *map(str, command)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kill_when(process, (output_dir / f"checkpoint-{step}/trainer_state.json").exists)
    assert not (output_dir / "run.json").exists(), "it ended before it was killed"


def ends_the_same_after_a_kill(flags: list, folder: Path, step: int) -> None:
    """Assert that a training killed after the checkpoint of `step` ends, started again, with the same adapter.

    `flags` are the script and its flags but for --output_dir; the adapter is compared bit for bit with a run left alone.
    """
    whole, killed = ([*flags, "--output_dir", folder / name] for name in ("whole", "killed"))
    run_script(*whole)
    kill_after_checkpoint(killed, folder / "killed", step)
    assert "goes on from" in run_script(*killed).stdout
    one, two = ((folder / name / "adapter_model.safetensors").read_bytes() for name in ("whole", "killed"))
    assert one == two


def _model(name: str, folder: str) -> str:
    (ROOT / "models").mkdir(exist_ok=True)
    with FileLock(ROOT / "models" / f".{name}.lock"):  # two test processes may want it at once
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


@pytest.fixture
def server():
    """A scripted OpenAI-compatible server whose `answer` the test sets."""
    with ScriptedServer() as server:
        yield server


SUBJECTS = ["Anatomy", "Dental", "Pharmacology", "Surgery"]


@pytest.fixture(scope="session")
def tiny_rows(tmp_path_factory) -> Path:
    """Folder with train.jsonl (32 conversations) and test.jsonl (16 scoring rows): a class told by one word of the text.

    Eight of the training rows say that a model wrote them.
    """
    from data_prep.chat_template import scoring_prompt

    folder = tmp_path_factory.mktemp("rows")
    scoring = [
        {
            "id": f"row{i}",
            "task": "classification",
            "text": f"Question {i} about {SUBJECTS[i % 4].lower()}, case {i * 7}.",
            "labels": SUBJECTS,
            "label": SUBJECTS[i % 4],
            "source": "test",
            "topic": SUBJECTS[i % 4],
            "language": "en",
        }
        for i in range(48)
    ]
    train = [
        {"id": r["id"], "conversations": [{"from": "human", "value": scoring_prompt(r)}, {"from": "gpt", "value": r["label"]}]}
        for r in scoring[:32]
    ]
    for row in train[::4]:
        row |= {"synthetic": True, "generator": "writer"}
    for name, rows in (("train", train), ("test", scoring[32:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


SFT = [
    "--per_device_train_batch_size",
    4,
    "--gradient_accumulation_steps",
    1,
    "--learning_rate",
    5e-3,
    "--max_length",
    256,
    "--logging_steps",
    1,
]


def sft_command(model: str, rows: Path, out: Path) -> list:
    """The training that `tiny_sft` is: 8 steps of QLoRA, a checkpoint after 4 of them."""
    data = rows / "train.jsonl"
    return ["scripts/sft.py", "--model", model, "--data", data, "--eval_data", data, "--output_dir", out, "--save_steps", 4, *SFT]


@pytest.fixture(scope="session")
def tiny_sft(tiny_model, tiny_rows, tmp_path_factory) -> Path:
    """Adapter folder of a finished SFT run (8 steps, QLoRA) of the tiny model on the tiny rows."""
    out = tmp_path_factory.mktemp("runs") / "sft"
    done = run_script(*sft_command(tiny_model, tiny_rows, out))
    (out.parent / "printed.txt").write_text(done.stdout)
    return out
