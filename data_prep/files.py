"""Files that prepare.py writes (under a temporary name, renamed when whole), its row store, its clock and its bars."""

import collections
import hashlib
import json
import os
import time
from pathlib import Path


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


def write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


class Output:
    """A JSONL file under a temporary name, with its count and hash; `finish` renames it."""

    def __init__(self, path: Path):
        self.path, self.temporary = path, path.with_name(f".{path.name}.tmp")
        self.rows, self.hash, self.file = 0, hashlib.sha256(), open(self.temporary, "wb")

    def write(self, row: dict) -> None:
        line = json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n"
        self.file.write(line)
        self.hash.update(line)
        self.rows += 1

    def finish(self) -> dict:
        self.file.close()
        os.replace(self.temporary, self.path)
        return {"rows": self.rows, "sha256": self.hash.hexdigest()}


class Store:
    """Rows on disk while they are counted and compared: one JSON line each, found again by offset."""

    def __init__(self, path: Path):
        self.file, self.offsets = open(path, "w+b"), []

    def add(self, value) -> None:
        self.offsets.append(self.file.seek(0, 2) if not self.offsets else self.end)
        line = json.dumps(value, ensure_ascii=False, default=str).encode() + b"\n"
        self.file.write(line)
        self.end = self.offsets[-1] + len(line)

    def get(self, i: int):
        self.file.seek(self.offsets[i])
        return json.loads(self.file.readline())
