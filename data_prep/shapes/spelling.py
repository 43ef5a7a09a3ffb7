"""How a file's rows spell their columns and cells: two names for one column, cells that are written as JSON strings."""

import collections

from data_prep.values.strict import is_missing, unquoted
from data_prep.words.names import bare_name


def respelt(raw: dict, spelling: dict[str, str]) -> dict:
    """A row whose columns are called as `spelling` says; where both names have a value, both stay."""
    if not spelling.keys() & raw.keys():
        return raw
    row = dict(raw)
    for other, name in spelling.items():
        if is_missing(row.get(other)) or is_missing(row.get(name)):
            value = row.pop(other, None)
            row |= {} if is_missing(value) else {name: value}
    return row


def spellings(rows: list[dict], named: set[str]) -> dict[str, str]:
    """Columns of one name in several spellings (`opcoes`, `opções`), no two filled in one row: each other -> the usual one.

    The usual one is that which the user named, or which most rows fill.
    """
    filled = collections.Counter(name for raw in rows for name, value in raw.items() if not is_missing(value))
    alike: dict[str, list[str]] = {}
    for name in filter(bare_name, filled):
        alike.setdefault(bare_name(name), []).append(name)
    found = {}
    for names in alike.values():
        if len(names) > 1 and not any(sum(not is_missing(raw.get(n)) for n in names) > 1 for raw in rows):
            usual = max(names, key=lambda n: (n in named, filled[n]))
            found |= {name: usual for name in names if name != usual}
    return found | _slips(rows, filled, named)


SLIPS = 0.02  # of the rows that fill the usual name, at most


def _slips(rows: list[dict], filled: collections.Counter, named: set[str]) -> dict[str, str]:
    """Names that few rows have in the place of one with an s more or less (`incorrectAnswer`), for lists alone."""
    found = {}
    for rare in (n for n in filled if n not in named):
        usual = slip_of(rare, filled.keys())
        lists = all(isinstance(raw[n], list) for raw in rows for n in (rare, usual) if not is_missing(raw.get(n)))
        both = any(not is_missing(raw.get(rare)) and not is_missing(raw.get(usual)) for raw in rows)
        if usual and filled[rare] <= SLIPS * filled[usual] and lists and not both:
            found[rare] = usual
    return found


def slip_of(name, columns) -> str:
    """The column whose name is this one with an s more or less; "" where there is none."""
    return next((n for n in (f"{name}s", str(name).removesuffix("s")) if n != name and n in columns), "")


def quoted_columns(sample: list[dict]) -> tuple[str, ...]:
    """Columns whose every text is written as a JSON string, at least one of them with an escape in it."""
    found: dict[str, bool] = {}
    for raw in sample:
        for name, value in raw.items():
            if found.get(name, True) is not None and not is_missing(value):
                inside = unquoted(value)
                found[name] = None if inside is value else found.get(name, False) or inside != value[1:-1]
    return tuple(name for name, escaped in found.items() if escaped)


def without_quotes(raw: dict, quoted: tuple[str, ...]) -> dict:
    """A row whose cells in these columns are the texts that their JSON strings write."""
    return raw | {name: unquoted(raw[name]) for name in quoted if name in raw}
