"""Arguments of a script: the one parser (data_prep/common/arguments.py), a check of bounds, what was given. Imports no torch."""

import sys
from dataclasses import MISSING, fields

from data_prep.common.arguments import parse_args

__all__ = ["check_at_least", "given", "parse_args", "tell_unused"]


def check_at_least(args, least: float, *names: str) -> list[str]:
    """Problems of the named fields that are smaller than `least`."""
    return [f"{name}: {getattr(args, name)} is less than {least}" for name in names if getattr(args, name) < least]


def given(args, *names: str) -> list[str]:
    """Those of a dataclass's fields whose value is not the default."""
    defaults = {f.name: f.default if f.default_factory is MISSING else f.default_factory() for f in fields(args)}
    return [name for name in names if getattr(args, name) != defaults[name]]


def tell_unused(args, reasons: dict[str, str]) -> None:
    """Print which of these fields were given and change nothing. `reasons`: field -> why, "" where it does change something."""
    for name in given(args, *reasons):
        if reasons[name]:
            print(f"note: {name} changes nothing here: {reasons[name]}", file=sys.stderr)
