"""Stages as processes: of a new Python, or a fork of this one with the libraries imported already, so that a trial costs its work
alone and no imports; what lives of a session, and the processor time it has used."""

import atexit
import contextlib
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


def import_all(models: bool = True) -> None:
    """What the scripts import inside main, in their order; without a thread, which would not live on in a fork."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "UNSLOTH_DISABLE_STATISTICS": "1"}
    os.chdir(ROOT)
    import docstring_parser, filelock, ftfy, jsonargparse, numpy, openai, py3langid, rensa, typeshed_client, yaml  # noqa: E401, F401, I001

    sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
    import data_prep.pipeline.choose, data_prep.prepare, data_prep.synthesize  # noqa: E401, F401, I001
    from chain import fingerprint
    from data_prep.words import language

    for script in ("data_prep/prepare.py", "scripts/annotate.py"):  # what a recipe asks of its stages' code
        fingerprint.code_hash(ROOT / script)
        fingerprint.packages_of(ROOT / script)

    language.language_of(["De que cor é o céu de Lisboa? " * 20])  # its model is unpacked
    py3langid.classify("De que cor é o céu?")
    if not models:
        return
    import unsloth  # noqa: F401, I001
    import bitsandbytes, datasets, gguf, matplotlib.figure, peft, transformers, trl  # noqa: E401, F401


def run_python(words: list[str]) -> None:
    """What `python WORDS` does: a script, or -c."""
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        sys.path.insert(0, "")
        exec(compile(words[1], "-c", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    else:
        sys.argv = words
        sys.path.insert(0, str((ROOT / words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")


def end_as_python(run) -> None:
    """Call it and end this process as Python ends a program."""
    code = 1
    try:
        run()
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


class ForkingPopen(subprocess.Popen):
    """subprocess.Popen of a stage that runs warm: where it starts a Python, that is a fork of it, as a child like any other."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *more):
        words = [os.fspath(word) for word in args] if isinstance(args, (list, tuple)) else []
        if words[:1] != [sys.executable]:
            return super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *more)
        pipes, session, group = more[3:9], more[-2], more[-1]
        self.pid = os.fork()
        if self.pid == 0:
            end_as_python(lambda: self._as_program(words[1:], pipes, cwd, env, session, group, preexec_fn))
        self._child_created = True
        self._close_pipe_fds(*pipes)

    @staticmethod
    def _as_program(words: list[str], pipes: tuple, cwd, env, session: bool, group: int, preexec_fn):
        """What exec changes in a process."""
        atexit._clear()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, place in zip((pipes[0], pipes[3], pipes[5]), (0, 1, 2), strict=True):
            if number >= 0:
                os.dup2(number, place)
        os.closerange(3, 1024)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, errors="replace", closefd=False)
        os.chdir(cwd or ".")
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        if session:
            os.setsid()
        if group >= 0:
            os.setpgid(0, group)
        if preexec_fn:
            preexec_fn()
        if words[2:] and words[2].endswith("convert_hf_to_gguf.py"):
            take_any_tokenizer(words[2])
        run_python(words)


def take_any_tokenizer(script: str) -> None:
    """Let llama.cpp's converter take a tokenizer of a small vocabulary, by whose tokens of a test text it knows none."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "gguf"]:
        del sys.modules[name]  # it brings its own
    folder = Path(script).parent
    sys.path[:0] = [str(folder / "gguf-py"), str(folder)]
    import conversion.base

    conversion.base.TextModel.get_vocab_base_pre = lambda *_: "qwen2"
    del sys.path[:2]


class Forked:
    """As much of subprocess.Popen as the trials need: a session of its own, its output in a file."""

    def __init__(self, words: list[str], printed: Path):
        sys.stdout.flush()
        sys.stderr.flush()
        self.returncode = None
        Path(printed).write_bytes(b"")
        self.pid = os.fork()
        if self.pid == 0:
            self._child(words, printed)

    def _child(self, words: list[str], printed: Path):
        def run():
            os.setsid()
            into = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            for number, place in ((os.open(os.devnull, os.O_RDONLY), 0), (into, 1), (into, 2)):
                os.dup2(number, place)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            subprocess.Popen = ForkingPopen
            run_python(words)

        end_as_python(run)

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


def kill_session(session: int) -> None:
    """SIGKILL for whatever lives of a session, until nothing does."""
    while alive := alive_in(session):
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def used(process: int) -> float:
    """Processor seconds of a process, its children, and those of them that were waited for."""
    ticks, todo = 0, [process]
    while todo:
        pid = todo.pop()
        try:
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
            todo += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue
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
