"""One stage as a process: its output to terminal and log, its peak memory, the cards' energy; it ends when the runner ends."""

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from chain.stages import Stage
from common.errors import CheckFailed
from common.paths import ROOT

PATIENCE = 10  # seconds that a stage may take to end before it is killed
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Ended:
    """What a stage took."""

    seconds: float
    peak_memory_gb: float
    energy_wh: float | None


def energy_joules() -> float | None:
    """What the machine's NVIDIA cards have used since their driver was loaded, by their own count; None where none tells."""
    try:
        import pynvml

        pynvml.nvmlInit()
        cards = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return sum(pynvml.nvmlDeviceGetTotalEnergyConsumption(card) for card in cards) / 1000 if cards else None
    except Exception:  # no library, no driver, or a card from before the count: there is nothing to tell
        return None


def end_on_signals() -> None:
    """SIGTERM and SIGHUP end the runner as Ctrl-C does, by way of `finally`, with the shell's exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))


def follow_parent(parent: int):
    """Before a stage's program begins (Linux): the kernel ends it when the runner is gone, even by SIGKILL."""

    def ask():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it went in the meantime
            os._exit(1)

    return ask if sys.platform == "linux" else None


def end(process: subprocess.Popen) -> None:
    """End a stage and what it started: they form a process group of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(PATIENCE)
            break
        except subprocess.TimeoutExpired:
            continue


def run(stage: Stage, log: Path) -> Ended:
    """Run one stage, its output to the terminal and the log at once.

    Raises SystemExit with the stage's exit code where it fails, CheckFailed where it did not write what it promises.
    """
    command = shlex.join(stage.command)
    print(f"$ {command}")
    log.parent.mkdir(parents=True, exist_ok=True)
    start, used = time.monotonic(), energy_joules()
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, *stage.command[1:]],
            cwd=ROOT,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=follow_parent(os.getpid()),
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            for line in process.stdout:
                print("  " + line, end="")
                file.write(line)
                file.flush()
            _, status, usage = os.wait4(process.pid, 0)  # unlike wait(), tells this child's own peak memory
        except BaseException:  # the runner is being ended: it takes its stage with it
            end(process)
            raise
    code = os.waitstatus_to_exitcode(status)
    if code:
        print(
            f"\nstage {stage.name} failed (exit {code}); all it printed: {log}\nto retry it alone:\n  {command}", file=sys.stderr
        )
        sys.exit(code if code > 0 else 128 - code)
    if missing := [p for p in stage.outputs if not Path(p).exists()]:
        raise CheckFailed(f"stage {stage.name} ended well but did not write {', '.join(missing)}")
    after = energy_joules()
    unit = 1 if sys.platform == "darwin" else 1024
    return Ended(
        round(time.monotonic() - start, 1),
        round(usage.ru_maxrss * unit / 1e9, 2),
        None if None in (used, after) else round((after - used) / 3600, 2),
    )
