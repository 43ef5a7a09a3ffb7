"""Files that prepare.py writes (under a temporary name, renamed when whole), its row store, its clock and its bars."""

import collections
import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path

from data_prep.common.errors import UserError

HALF = re.compile("[\ud800-\udfff]")  # of a character (a lone surrogate): no file in UTF-8 holds it
OURS = ".prepare-{}.tmp"  # temporary names of our own: what others keep in the folder stays


def progress(total: int, what: str, unit: str = "B"):
    """A bar with rate and time left where a person looks on."""
    import tqdm

    return tqdm.tqdm(total=total, desc=what, unit=unit, unit_scale=True, disable=None, mininterval=0.5, leave=False)


class Clock:
    """Seconds spent in each stage: `mark(name)` gives the time since the last mark to that stage. For the screen only, as
    files hold the same bytes on every run."""

    def __init__(self):
        self.spent, self.last = collections.Counter(), time.perf_counter()

    def mark(self, stage: str) -> None:
        now = time.perf_counter()
        self.spent[stage] += now - self.last
        self.last = now


@contextlib.contextmanager
def folder_to_write(name: str):
    """The output folder; where the work fails, what it left half done goes again. Raises UserError where it cannot write."""
    out = Path(name)
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        _remove_ours(out)  # what a killed run left
    except OSError as error:
        raise UserError(f"output_dir: {out} cannot be written ({error.strerror}); choose another folder") from None
    try:
        yield out
    except BaseException:
        with contextlib.suppress(OSError):  # the folder itself may be gone
            _remove_ours(out)
            if made and not any(out.iterdir()):
                out.rmdir()
        raise


def _remove_ours(out: Path) -> None:
    for left in out.glob(OURS.format("*")):
        left.unlink()


def temporary(path: Path) -> Path:
    return path.with_name(OURS.format(path.name))


def into_place(made: Path, place: Path) -> None:
    """Rename a file, or a folder of files, to its name, in an order that a power cut does not undo: what it holds is on the
    disk before it is renamed, the new name after. Both rooms rename by this alone (tests/common/test_power_cut.py).
    """
    on_disk(made)
    os.replace(made, place)
    _sync(place.parent)


def on_disk(made: Path) -> None:
    """When this returns, what a file holds, or a folder's files, is on the disk."""
    for path in [made, *(made.rglob("*") if made.is_dir() else ())]:
        if path.exists():  # a link may lead nowhere
            _sync(path)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def flush_to_disk(file) -> None:
    """When this returns, what was written to an open file is on the disk: an answer may be paid for, and come no second time."""
    file.flush()
    os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    temporary(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    into_place(temporary(path), path)


ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)  # json.dumps would make one a line


def json_line(value) -> bytes:
    """A JSON line in UTF-8; half a surrogate pair, which UTF-8 cannot hold, stays as JSON's escape."""
    try:
        return ENCODER.encode(value).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value, default=str).encode() + b"\n"


class Output:
    """A JSONL file under a temporary name, with its count and hash; `finish` renames it."""

    def __init__(self, path: Path):
        self.path, self.temporary = path, temporary(path)
        self.rows, self.hash, self.file = 0, hashlib.sha256(), open(self.temporary, "wb")

    def write(self, row: dict) -> None:
        line = json_line(row)
        self.file.write(line)
        self.hash.update(line)
        self.rows += 1

    def finish(self) -> dict:
        self.file.close()
        into_place(self.temporary, self.path)
        return {"rows": self.rows, "sha256": self.hash.hexdigest()}


class Store:
    """Rows on disk while they are counted and compared: one JSON line each, found again by offset."""

    def __init__(self, out: Path):
        self.path = out / OURS.format("rows")
        self.file, self.offsets, self.end = open(self.path, "w+b"), [], 0

    def add(self, value) -> None:
        line = json_line(value)
        self.file.write(line)
        self.offsets.append(self.end)
        self.end += len(line)

    def get(self, i: int):
        self.file.seek(self.offsets[i])
        return json.loads(self.file.readline())

    def close(self) -> None:
        self.file.close()
        self.path.unlink()
