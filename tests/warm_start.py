"""Training scripts started in a process that has imported Unsloth already: importing takes 21 s of a core, eighty times over.

    done = warm_start.run(["scripts/sft.py", "--model", ...])        # as subprocess.run(..., capture_output=True, text=True)

Each worker keeps one process that imports what every trainer imports, in a script's own order, and forks for each run. A test of
what a script imports, and in which order, starts it as a user does (`run_script` with an environment or words before it).
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRAINERS = {f"scripts/{name}.py" for name in "sft cpt dpo kto simpo orpo reward grpo rloo distill".split()}
LONGEST = 3600  # seconds of a run
_kept: dict[str, object] = {}  # the process, and the environment that it was started in


def fits(args: list[str]) -> bool:
    """Whether a command is a trainer's alone, and the environment that of the kept process."""
    return bool(args) and args[0] in TRAINERS and _kept.get("env", _environment()) == _environment()


def _environment() -> dict[str, str]:
    """The environment without pytest's own word on which test runs."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def run(args: list[str]) -> subprocess.CompletedProcess:
    """A script's run to its end, in a child of the kept process."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        keeper = _keeper()
        keeper.stdin.write(json.dumps([args, str(out), str(err)]) + "\n")
        keeper.stdin.flush()
        said = keeper.stdout.readline()
        assert said, f"the kept process ended (exit {keeper.wait()})"
        code = int(said)
        return subprocess.CompletedProcess(args, code, out.read_text(errors="replace"), err.read_text(errors="replace"))


def _keeper() -> subprocess.Popen:
    if "process" not in _kept:
        _kept["env"] = _environment()
        words = [sys.executable, str(Path(__file__).resolve())]
        _kept["process"] = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(_kept["process"].kill)
    return _kept["process"]


# ---------------------------------------------------------------------------------------------- in the kept process


def keep() -> None:
    """Import, then fork for each line of stdin until there are no more; what a run ended with goes to stdout."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what importing prints is no answer
    sys.path[:] = [str(ROOT / "scripts"), *sys.path[1:]]
    from common import entry

    os.environ.update({k: v for k, v in (entry.NO_TELEMETRY | entry.SPIN).items() if k not in os.environ})
    import unsloth  # noqa: F401, I001  (before trl, transformers and peft)
    import matplotlib.pyplot  # noqa: F401
    from trl import DPOTrainer, GRPOTrainer, KTOTrainer, RewardTrainer, RLOOTrainer, SFTTrainer  # noqa: F401

    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become(*json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _become(args: list[str], out: str, err: str) -> None:
    """Run a script in this process, as `python SCRIPT ...` does, and end."""
    import runpy
    import signal

    signal.alarm(LONGEST)
    for number, name in ((0, os.devnull), (1, out), (2, err)):
        os.dup2(os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv, code = args, 0
    try:
        runpy.run_path(args[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    keep()
