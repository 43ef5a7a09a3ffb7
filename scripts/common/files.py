"""Rows, hashes, and files written whole."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.errors import UserError
from data_prep.common.files import HALF, into_place
from data_prep.common.once import load_json


def read_rows(path: str | Path, check=None, most: int = 10) -> list[dict]:
    """Rows of a JSONL file, every problem of the file in one error.

    Args:
        path: file of one JSON object per line, UTF-8, with or without a byte order mark.
        check: function row -> list of problems with that row (strings), or None.
        most: how many problems are printed; all are counted.

    Raises UserError naming file and line: unreadable, empty, not JSON, not an object, or what `check` says.
    """
    rows, problems = [], []
    for row, found in each_row(path, check):
        problems += found
        rows.append(row)
    refuse_problems(problems, most)
    if not rows:
        raise UserError(f"{path}: holds no rows")
    return rows


def each_row(path: str | Path, check=None) -> Iterator[tuple[Any, list[str]]]:
    """Rows of a JSONL file one at a time, each with its problems, that name file and line; a line that is no JSON is None.

    Raises UserError for a file that cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = load_json(line)
                except (ValueError, RecursionError) as error:  # a number of 5,000 digits and 10,000 brackets are no JSON either
                    if line.strip() in ("[", "{"):  # one object or list over many lines: each would be a problem
                        raise UserError(
                            f"{path}: is JSON, and no JSONL (one object a line); data_prep/prepare.py makes that of it"
                        ) from None
                    where = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
                    yield None, [f"{path}:{number}: not JSON ({getattr(error, 'msg', error)}{where})"]
                    continue
                found = ["must be a JSON object"] if not isinstance(row, dict) else (_checked(row, check) if check else [])
                if "\\ud" in line.lower() and HALF.search(json.dumps(row, ensure_ascii=False)):
                    found = [
                        *found,
                        "holds half of a character (a lone surrogate), which no tokenizer takes; prepare.py lists such rows",
                    ]
                yield row, [f"{path}:{number}: {problem}" for problem in found]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise UserError(f"{path}: cannot be read ({why}); data_prep/prepare.py makes such files, also from packed ones") from None


PICTURES = ("image", "images", "image_path")  # LLaVA's, TRL's and datasets' names


def _checked(row: dict, check) -> list[str]:
    """What `check` says of a row; a picture, which no script here shows to a model, is a problem of every row."""
    held = [name for name in PICTURES if row.get(name)]
    return check(row) + [f"has a picture ({name}), which no model here sees; leave the row out, or {name}" for name in held]


def refuse_problems(problems: list[str], most: int = 10) -> None:
    """UserError with the first `most` of the problems and the number of the others; nothing where there are none."""
    if problems:
        more = [f"... and {len(problems) - most} more problems"] if len(problems) > most else []
        raise UserError(problems[:most] + more)


@contextlib.contextmanager
def reading(path: str | Path):
    """What a file's content breaks in the block becomes a UserError that names the file.

    Half a copy, a full disk, a power cut or a bit that turned leave JSON that is none, or that lacks what was in it.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        why = f"lacks {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise damaged(path, why) from None


def damaged(path: str | Path, why: str) -> UserError:
    """The error of a file of ours that is not as it was written."""
    return UserError(f"{path}: is damaged, or was written by another version ({why[:200]})")


class Read(dict):
    """A JSON object from a file: a key that is asked for and lacking is a UserError that names the file."""

    path: str | Path = ""

    @classmethod
    def of(cls, path: str | Path, content) -> "Read":
        found = cls(content)
        found.path = path
        return found

    def __missing__(self, key):
        raise damaged(self.path, f"lacks {key!r}")


def read_json(path: str | Path) -> Read:
    """A JSON object from a file, those within it `Read` too. Raises UserError as `reading` does."""
    with reading(path):
        found = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=functools.partial(Read.of, path))
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
        return found


def read_told(path: str | Path) -> dict:
    """A JSON object from a file that need not be there; {} where it is not, or is damaged: then it tells nothing."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def whole_lines(path: str | Path) -> list[bytes]:
    """Lines of a JSONL file that another run was appending to, without the last one where a kill cut it; [] for no file.

    Cut at line ends alone: str.splitlines() would cut inside a text that holds U+2028 or U+0085, too.
    """
    lines = Path(path).read_bytes().splitlines(keepends=True) if Path(path).is_file() else []
    return lines[:-1] if lines and not lines[-1].endswith(b"\n") else lines


def lines_to_follow(path: Path) -> list[bytes]:
    """`whole_lines` of a file that is to be appended to, which holds nothing else then: the next would follow what a kill cut."""
    lines = whole_lines(path)
    write_text(path, b"".join(lines).decode())
    return lines


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: str | Path, text: str) -> None:
    """Write a file under a temporary name of this process's own beside it, then rename.

    Readers see all of it or nothing; it is on the disk before it is renamed, so a power cut leaves no empty file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_beside(folder: Path):
    """An empty folder beside `folder`, moved into its place where the block ends well. A killed run's is removed first."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    into_place(temporary, folder)


def link_all_but(folder: Path, name: str, links: Path) -> None:
    """A new folder `links` with a link to each file of `folder`, except the one called `name`."""
    links.mkdir()
    for file in folder.iterdir():
        if file.is_file() and file.name != name:
            (links / file.name).symlink_to(file.resolve())


def write_json(path: str | Path, value) -> None:
    """`write_text` for JSON, readable by people."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def hold(out: str | Path, script: str, name: str):
    """Hold an output folder for this process, by a lock file in it; the system lets go when the process ends, however it ends.

    Returns a context that lets go at its end. Raises UserError where another process of that script holds the folder.
    """
    from filelock import FileLock, Timeout

    Path(out).mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(Path(out, name)).acquire(timeout=0)
    except Timeout:
        raise UserError(f"output_dir: another {script} works in {out}; wait for it, end it, or choose another folder") from None
