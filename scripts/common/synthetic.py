"""Rows that a model wrote: how many of the training rows say `synthetic`, and which model they name."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from common.files import read_json


def synthetic_rows(rows: Iterable[dict]) -> Counter[str]:
    """Rows that say `synthetic`, as data_prep/synthesize.py writes them, by their generator."""
    return Counter(str(row.get("generator") or "a model that they do not name") for row in rows if row.get("synthetic"))


def names_of(synthetic: dict[str, int]) -> str:
    """The generators with their rows, in one line."""
    return ", ".join(f"{' '.join(name.split())} ({n})" for name, n in synthetic.items())


def told(synthetic: dict[str, int], rows: int) -> str:
    """How many of `rows` rows are synthetic, and by which models."""
    number = sum(synthetic.values())
    return f"{number} of {rows} rows are synthetic ({number / rows:.1%}), written by {names_of(synthetic)}"


def learnt(model: str) -> list[str]:
    """`told` of each training that made a model folder, the last first: a model tuned further has still learnt from them."""
    found, seen = [], set()
    while (record := Path(model, "run.json")).is_file() and model not in seen:
        seen.add(model)
        run = read_json(record)
        if by := run.get("metrics", {}).get("synthetic_rows"):
            found.append(f"{Path(model).name}: {told(by, run['metrics']['rows'])}")
        model = str(run.get("config", {}).get("model", ""))
    return found
