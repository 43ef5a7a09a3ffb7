"""A child that C code ends by a signal is one error; whatever else becomes of it becomes of its parent."""

import signal
import subprocess
import sys

import pytest
from conftest import ROOT

CODE = """import os, signal, sys, time
sys.path[:0] = [{scripts!r}]
from common.entry import run_main
from common.machine import watched
def main():
    watched("model: x.gguf", "x.log")
    print("begun", os.getpid(), flush=True)
    {then}
run_main(main)
"""


def begin(then: str, ignored: tuple = ()) -> subprocess.Popen:
    def as_a_terminal_starts_it():  # under nohup whatever is started ignores SIGHUP, tests too
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    code, pipes = CODE.format(scripts=str(ROOT / "scripts"), then=then), {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], **pipes, text=True, cwd=ROOT, preexec_fn=as_a_terminal_starts_it)


@pytest.mark.parametrize("number", ["SIGABRT", "SIGSEGV", "SIGFPE"])
def test_a_crash_of_c_code_is_one_error(number):
    out, said = (process := begin(f"os.kill(os.getpid(), signal.{number})")).communicate()
    assert process.returncode == 2 and out.startswith("begun") and out.count("\n") == 1
    assert said == f"error: model: x.gguf ended llama.cpp ({number}): a damaged file, or none that it can run; see x.log\n"


@pytest.mark.parametrize("then, code", [("sys.exit(3)", 3), ("pass", 0), ("raise MemoryError", 2), ("sys.exit('x')", 1)])
def test_it_ends_as_its_child_does(then, code):
    process = begin(then)
    process.communicate()
    assert process.returncode == code


def test_ctrl_c_that_is_ignored_reaches_a_child_that_is_not():
    """As serve.py's, which is started by nohup or a shell's `&`."""
    listens = "signal.signal(signal.SIGINT, lambda *_: sys.exit(4)); print('now', flush=True); time.sleep(1000)"
    process = begin(listens, ignored=(signal.SIGINT,))
    process.stdout.readline(), process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 4


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGHUP, -1), (signal.SIGKILL, -9)])
def test_a_signal_reaches_the_child_and_nothing_lives_on(number, code):
    process = begin("time.sleep(1000)")
    process.stdout.readline()
    process.send_signal(number)
    said = process.communicate()[1]  # returns when the child has closed its side, too
    assert process.returncode == code and "Traceback" not in said
