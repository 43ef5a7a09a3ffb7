"""Where the project lies, and paths that lead to one place."""

from collections.abc import Iterable
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
ROOT = SCRIPTS.parent


def named_twice(paths: Iterable[str]) -> list[str]:
    """Those of the paths that lead where an earlier one leads, however they are spelt."""
    seen: set[Path] = set()
    found = []
    for path in paths:
        place = Path(path).resolve()
        if place in seen:
            found.append(path)
        seen.add(place)
    return found
