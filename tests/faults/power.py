"""Power cuts: a stage is killed, and what it had written since its last fsync is lost, file by file.

synced.c, built by cc and loaded before the C library, keeps a copy of every file at each fsync. After a SIGKILL each file below
the output folder that is not as its copy ends, by chance, where it first differs from it (never synced: empty), in zeros from
there on, in zeros after a part, as the copy, or as it was written: a disk keeps what it likes of the rest. Names are left as they
were: file systems with a journal keep their order.
"""

import contextlib
import ctypes
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from stages import Stage
from trial import Span, Trial, lines_of
from warm import kill_session, started, used

SOURCE = Path(__file__).with_name("synced.c")
WAYS = ("cut", "cut", "zeros", "a part", "as synced", "as written")
AT_THE_END = 0.15  # of the trials: what a stage has done is done


def built(folder: Path) -> Path | None:
    """The library; None where there is no C compiler, or no Linux."""
    if sys.platform != "linux" or not (compiler := shutil.which("cc")):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "synced.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def preload(library: Path) -> None:
    """Start this program again with the library loaded, as forks of it have it then too; nothing where it is."""
    if os.environ.get("LD_PRELOAD") != str(library):
        os.environ["LD_PRELOAD"] = str(library)
        os.execv(sys.executable, [sys.executable, *sys.argv])


def alike(one: bytes, other: bytes) -> int:
    """Length of what both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


@dataclass
class Disk:
    """What the disk has for sure: copies of files as they were synced last."""

    library: Path
    copies: Path

    @contextlib.contextmanager
    def watching(self):
        """What is started in the block, with the library loaded, leaves its copies here."""
        self.copies.mkdir(exist_ok=True)
        os.environ["SYNCED_TO"] = str(self.copies)
        try:
            yield
        finally:
            del os.environ["SYNCED_TO"]

    def place(self, path: Path) -> Path:
        """Where the copy of a file would be."""
        name = ctypes.create_string_buffer(100)
        no_file = ctypes.CDLL(str(self.library)).synced_name(-1, os.fsencode(path), name)
        return self.copies / ("none" if no_file else name.value.decode())

    def copy_of(self, path: Path) -> Path | None:
        """None where it never was synced."""
        return kept if (kept := self.place(path)).is_file() else None

    def has(self, out: Path) -> None:
        """What lies in a folder now is on the disk."""
        for path in (p for p in out.rglob("*") if p.is_file() and not p.is_symlink()):
            shutil.copyfile(path, self.place(path))

    def unsynced_lines(self, path: Path) -> int:
        """Whole lines of a file that would be lost."""
        kept = self.copy_of(path)
        return len(lines_of(path)) - (len(lines_of(kept)) if kept else 0)

    def lose(self, out: Path, dice: random.Random) -> list[str]:
        """Take from each file below a folder what was not synced; which files, and how."""
        found = []
        for path in sorted(p for p in out.rglob("*") if p.is_file() and not p.is_symlink()):
            now, kept = path.read_bytes(), self.copy_of(path)
            before = kept.read_bytes() if kept else b""
            if now == before:
                continue
            start, way = alike(now, before), dice.choice(WAYS)
            part = dice.randrange(start, len(now) + 1)
            left = {
                "cut": now[:start],
                "zeros": now[:start] + bytes(len(now) - start),
                "a part": now[:part] + bytes(len(now) - part),
                "as synced": before,
                "as written": now,
            }[way]
            path.write_bytes(left)
            found.append(f"{path.relative_to(out)} {way}{'' if kept else ' (never synced)'}")
        return found


def power_trial(
    stage: Stage, inputs: Path, work: Path, alone: dict, dice: random.Random, span: Span, warm: bool = False
) -> Trial:
    """Cut the power at a random moment, or after the stage has ended; start it again, compare."""
    moment = float("inf") if dice.random() < AT_THE_END else span.moment(dice)
    out, printed, disk = work / "out", work / "printed.txt", Disk(Path(os.environ["LD_PRELOAD"]), work / "synced")
    words = stage.words(inputs, out)
    with disk.watching():
        disk.has(out)
        process = started(words, printed, warm)
    while process.poll() is None and used(process.pid) < moment:
        time.sleep(0.01)
    ended = process.poll()
    kill_session(process.pid)
    process.wait()
    late = {name: n for name in stage.keeps if (n := disk.unsynced_lines(out / name)) > 1}
    kept = {name: lines_of(copy) for name in stage.keeps if (copy := disk.copy_of(out / name))}
    lost = disk.lose(out, dice)
    when = "after its end" if ended is not None else f"after {moment:.2f} s, {span.part(moment)} its work"
    trial = Trial(
        "power", stage.name, f"{when}; lost of: {', '.join(lost) or 'nothing'}", "", printed.read_text(errors="replace")
    )
    if ended is not None:
        done = ended == 0 and stage.result(out) == alone
        trial.verdict = "finished" if done else f"exit {ended}, and what was done is lost"
    elif late:  # one may be on its way to the disk
        trial.verdict = f"lines were written that the disk did not have before the next: {late}"
    else:
        code = started(words, printed, warm).wait(900)
        again = printed.read_text(errors="replace")
        trial.printed += "\n--- again\n" + again[-3000:]
        trial.verdict = judged(stage, out, alone, code, again, kept, lost)
    return trial


def judged(stage: Stage, out: Path, alone: dict, code: int, said: str, kept: dict[str, list[bytes]], lost: list[str]) -> str:
    """The verdict on a stage that was started again: `kept` lines were confirmed, of `lost` files something is gone."""
    if any(set(lines) - set(lines_of(out / name)) for name, lines in kept.items()):
        return "confirmed lines are lost"
    if "Traceback" in said:
        return "traceback"
    if code == 0 or (code == 2 and "finished run" in said):
        return "same" if stage.result(out) == alone else "another result, exit 0"
    broken = [Path(line.split()[0]) for line in lost]
    named = code in (1, 2) and any(p.name in said or str(p.parent) in said for p in broken)
    return "refused" if named else f"exit {code}, and the error names no file that was lost"
