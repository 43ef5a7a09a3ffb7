"""Stages as processes: of a new Python, or a fork of this one with the libraries imported already, so that a trial costs its work
alone and no imports; what lives of a session, and the processor time it has used."""

import atexit
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def import_all() -> None:
    """What the scripts import inside main, in their order; without a thread, which would not live on in a fork."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "UNSLOTH_DISABLE_STATISTICS": "1"}
    os.chdir(ROOT)
    import unsloth  # noqa: F401, I001
    import bitsandbytes, datasets, gguf, peft, transformers, trl  # noqa: E401, F401


class Forked:
    """As much of subprocess.Popen as the trials need: a session of its own, its output in a file."""

    def __init__(self, words: list[str], printed: Path):
        sys.stdout.flush()
        sys.stderr.flush()
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            self._child(words, printed)

    def _child(self, words: list[str], printed: Path):
        code = 1
        try:
            os.setsid()
            into = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            for number, place in ((os.open(os.devnull, os.O_RDONLY), 0), (into, 1), (into, 2)):
                os.dup2(number, place)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv = words
            sys.path.insert(0, str((ROOT / words[0]).parent))
            runpy.run_path(words[0], run_name="__main__")
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            threading._shutdown()
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float = 900) -> int:
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("fork", timeout)
            time.sleep(0.02)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def run_forked(words: list[str]) -> subprocess.CompletedProcess:
    """As subprocess.run: both streams in one."""
    with tempfile.NamedTemporaryFile() as printed:
        code = Forked(words, Path(printed.name)).wait()
        said = Path(printed.name).read_text(errors="replace")
    return subprocess.CompletedProcess(words, code, "", said)


def alive_in(session: int) -> list[int]:
    """Processes of a session that live, zombies left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(sid) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def used(session: int) -> float:
    """Processor seconds of a session's processes and of the children they have waited for."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def started(words: list[str], printed: Path, warm: bool):
    """The stage as a process of its own session, its output in a file."""
    if warm:
        return Forked(words[1:], printed)
    with open(printed, "w") as log:
        return subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def wait_until(true, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
