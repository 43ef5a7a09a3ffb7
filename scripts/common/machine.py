"""The machine: memory, disk, cores, processes, what C code prints."""

import contextlib
import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from common.errors import UserError
from common.paths import SCRIPTS

CRASHES = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)
own_process = False  # set by common/entry.py
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of glibc's malloc.h
NOT_USED = ("sklearn", "scipy", "pandas", "bitsandbytes", "torchao", "triton")


def import_less() -> None:
    """Keep transformers and PEFT from importing what an export does not use; called before they are imported.

    transformers imports scikit-learn (and with it pandas) for assisted generation, PEFT imports bitsandbytes and torchao for
    weights in few bits, torch imports triton for compiling: 250 MB and two seconds, measured. None in sys.modules is how
    Python says that a package is not there.
    """
    for name in NOT_USED:
        sys.modules.setdefault(name, None)


def release_memory() -> None:
    """Give back what is no longer used: Python's cycles, and what the C library (glibc) holds on to."""
    gc.collect()
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError):  # musl has none
            ctypes.CDLL(None).malloc_trim(0)


def few_heaps() -> None:
    """For a process that serves for days, called before it has other threads.

    The C library (glibc) gives each thread a heap of its own, and once a large piece was freed the large ones come from these
    heaps too and leave holes. So here: two heaps, and pieces from 256 KiB on from the system, to which they return.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError):  # musl has none
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 256 * 1024)


def cores() -> int:
    """Threads for llama.cpp: OMP_NUM_THREADS, as for torch, else the cores that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return (
        int(asked)
        if asked.isdecimal() and int(asked)
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


def end_with_parent() -> None:
    """In a new process (Popen's preexec_fn): be killed when the parent is, so that a killed export leaves none behind.

    Linux has a call for it (prctl(2), PR_SET_PDEATHSIG); elsewhere the child runs to its end, into a removed folder.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def watched(what: str, log: str | Path, keyboard: bool = False) -> None:
    """Go on in a child of this process, before anything has begun a thread. This one waits for it and ends as it does.

    llama.cpp aborts, or divides by zero, over a file that it cannot run, and takes the process with it without a word: that is a
    UserError here. The child has a group of its own, so that what is sent to this process reaches it once; with `keyboard`, where
    it reads a terminal, it stays in this group, to which the terminal sends Ctrl-C: this process takes none. Does nothing in a
    process that is not the script's own: a notebook, or a test, that calls its main.
    """
    if not own_process:
        return None
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        if not keyboard:
            os.setpgid(0, 0)
        return end_with_parent()

    def hand_on(number, _):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    def stop(*_):  # Ctrl-Z, which a group of its own does not get; the line after next is done when the shell says `fg`
        hand_on(signal.SIGSTOP, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        hand_on(signal.SIGCONT, None)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hand_on)  # what is ignored here, under nohup, the child ignores, or has a handler of its own for
    if keyboard:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    elif signal.getsignal(signal.SIGTSTP) != signal.SIG_IGN:
        signal.signal(signal.SIGTSTP, stop)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if -code in CRASHES:
        raise UserError(
            f"{what} ended llama.cpp ({signal.Signals(-code).name}): a damaged file, or none that it can run; see {log}"
        )
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def run_measured(command: list, log: str | Path) -> tuple[int, float, float]:
    """Run a command, what it prints appended to a log: exit code (negative: a signal's), seconds, peak memory in GB."""
    start = time.monotonic()
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=file, stderr=file, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    return process.returncode, round(time.monotonic() - start, 1), round(memory, 2)


@contextlib.contextmanager
def quiet(log: str | Path):
    """Send what C code prints (file descriptors 1 and 2) to a log file; Python's own prints stay on the screen.

    Inside, `sys.stdout` and `sys.stderr` still write to where they wrote before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    before = sys.stdout, sys.stderr
    shown = []
    for stream, number in zip(before, (1, 2), strict=True):
        try:
            shown.append(stream.fileno())  # inside another quiet() descriptor 1 is the log already
        except (OSError, ValueError, AttributeError):
            shown.append(number)
    screen = [os.fdopen(os.dup(number), "w", buffering=1, encoding="utf-8") for number in shown]
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = screen
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        os.close(kept[0])
        os.close(kept[1])
        for stream in screen:  # last: what is still to be written may find nobody who reads it
            stream.close()


def human(size: float) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.1f} GB"


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write where the path is, or will be."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def output_problems(output_dir: str | Path) -> list[str]:
    """Why nothing could be written to a folder that is there, or will be; told before hours are spent."""
    path = Path(output_dir).absolute()
    while not os.path.exists(path):
        path = path.parent
    if path.is_dir() and os.access(path, os.W_OK | os.X_OK):
        return []
    why = "may not be written" if path.is_dir() else "is a file"
    return [f"output_dir: {output_dir} cannot be made or written to ({path} {why}); choose another"]


def folder_bytes(path: Path) -> int:
    """Bytes of the files below a folder; 0 where there is none."""
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink()) if path.is_dir() else 0


def available_memory() -> int | None:
    """Bytes of memory that a new process may use, within a container's limit; None where the system does not tell."""
    found = []
    try:
        found.append(next(int(line.split()[1]) * 1024 for line in open("/proc/meminfo") if line.startswith("MemAvailable")))
    except (OSError, StopIteration):
        pass
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path(limit).read_text()))  # what is used of it includes the page cache, which is given back
        except (OSError, ValueError):  # `max`: no limit
            continue
    return min(found) if found else None


RUN_PART = """import runpy, sys
sys.path[0], part = sys.argv[1:3]
del sys.argv[1:3]
runpy.run_module(part, run_name="__main__", alter_sys=True)
"""


def part_command(module: str, *args) -> list[str]:
    """Command that runs a part of scripts/ in a process of its own: part_command("export.merge", "--model", folder)."""
    return [sys.executable, "-c", RUN_PART, str(SCRIPTS), module, *map(str, args)]
