"""What was written, a glance at it: the first row of a file, shortened. Wrong columns and broken words are seen there at once."""

import itertools
import json
from pathlib import Path

LONGEST = 240  # characters of one text
FIELDS = ("prompt", "question", "options", "labels", "answer", "label", "chosen", "rejected", "completion")
TEXTS = 3  # rows of running text that are shown, each from its middle: beginnings and ends are not what goes wrong


# Lists 25 to 29 in tests/benchmarks/RESULTS-prepare.md: 20 to 40 %, whatever the list before had taught.
UNSEEN = (
    "  Read some of it before you train on it: of documents that nobody here had seen, one in three came out with lines that\n"
    "  are no part of its prose, or as no prose at all. What is no text is passed over by --exclude."
)


def glance(path: Path) -> list[str]:
    """Lines to print, each a name and what stands under it, as JSON writes it; none for an empty file."""
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in itertools.islice(lines, TEXTS)]
    if not rows:
        return []
    if all("text" in row and "label" not in row and "labels" not in row for row in rows):
        return [*_aligned([(row["id"], _middle(row["text"])) for row in rows]), UNSEEN]
    row = rows[0]
    if "conversations" in row:
        return _aligned([(turn["from"], _ends(turn["value"])) for turn in row["conversations"][:6]])
    said = [(name, _ends(row[name])) for name in ("text", *FIELDS) if row.get(name) is not None]
    return _aligned(said)


def _aligned(pairs: list[tuple[str, str]]) -> list[str]:
    width = min(24, max(len(name) for name, _ in pairs))
    return [f"  {name[:width]:{width}}  {said}" for name, said in pairs]


def _ends(value) -> str:
    """The beginning and the end of a value."""
    said = json.dumps(value, ensure_ascii=False)
    return said if len(said) <= LONGEST else f"{said[: LONGEST // 2]} […] {said[-LONGEST // 2 :]}"


def _middle(text: str) -> str:
    """Whole words from the middle of a text."""
    if len(text) <= LONGEST:
        return json.dumps(text, ensure_ascii=False)
    begin = len(text) // 2 - LONGEST // 2
    inner = text[begin : begin + LONGEST].partition(" ")[2].rpartition(" ")[0]
    return f"[…] {json.dumps(inner or text[begin : begin + LONGEST], ensure_ascii=False)} […]"
