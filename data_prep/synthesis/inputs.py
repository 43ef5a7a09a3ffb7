"""What a synthesis reads: text rows cut into passages, seed questions and rows that nothing may repeat."""

import json
import re
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.synthesis.candidates import Passage

LEAST_PASSAGE = 200  # characters


def read_utf8(path: str | Path) -> str:
    """The text of a file. Raises UserError for one of another encoding, or that cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        where = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{where}: is no text in UTF-8; save it as UTF-8, or let data_prep/prepare.py read it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def read_jsonl(path: str) -> list[dict]:
    """Objects of a JSONL file. Raises UserError with file and line."""
    rows = []
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}:{number}: not JSON ({error})") from None
            if not isinstance(row, dict):
                raise UserError(f"{path}:{number}: must be a JSON object")
            rows.append(row)
    if not rows:
        raise UserError(f"{path}: holds no rows")
    return rows


def seed_questions(path: str) -> list[str]:
    """What the rows of a file ask; rows that ask nothing are left out."""
    return [asked for asked, _ in map(asked_of, read_jsonl(path)) if asked.strip()]


def pieces(text: str, most: int) -> list[str]:
    """The text cut at paragraphs, else at sentences, into pieces of at most `most` characters (a longer sentence stays whole)."""
    parts = [p for p in re.split(r"\n\s*\n", text.strip()) if p.strip()]
    parts = [s for p in parts for s in ([p] if len(p) <= most else re.split(r"(?<=[.!?])\s+", p))]
    found = []
    for part in parts:
        if found and len(found[-1]) + len(part) + 2 <= most:
            found[-1] += "\n\n" + part if len(part) > 200 else " " + part
        else:
            found.append(part.strip())
    return found


def read_passages(path: str, most: int, limit: int) -> tuple[list[Passage], int]:
    """Passages with their language, and how many pieces were too short. Raises UserError for rows that hold no text."""
    import py3langid

    found, short = [], 0
    for number, row in enumerate(read_jsonl(path), 1):
        if not isinstance(row.get("text"), str) or not row["text"].strip():
            raise UserError(f"{path}:{number}: holds no `text`; make text rows by data_prep/prepare.py --task text")
        name = str(row.get("id") or f"row{number}")
        for place, text in enumerate(pieces(row["text"], most), 1):
            if len(text) < LEAST_PASSAGE:
                short += 1
                continue
            code = py3langid.classify(text[:2000])[0]
            found.append(
                Passage(f"{name}#{place}", text, str(row.get("source") or Path(path).stem), str(row.get("topic") or ""), code)
            )
    if not found:
        raise UserError(f"{path}: no passage of at least {LEAST_PASSAGE} characters")
    return found[: limit or None], short


def asked_of(row: dict) -> tuple[str, str]:
    """(what a row asks, its options or answer), for seeds, leaks and duplicates."""
    turns = row.get("conversations") or row.get("messages") or []
    if turns:
        texts = [str(t.get("value", t.get("content")) or "") for t in turns if t.get("from", t.get("role")) != "system"]
        return texts[0] if texts else "", "\n".join(texts[1:])
    asked = row.get("question") or row.get("text") or row.get("prompt") or ""
    rest = (
        " | ".join(sorted(map(str, row["options"].values()))) if isinstance(row.get("options"), dict) else row.get("answer") or ""
    )
    return str(asked), str(rest)
