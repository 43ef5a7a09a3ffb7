"""Arguments of a script: the one parser (data_prep/common/arguments.py), a check of bounds, what was given. Imports no torch."""

from dataclasses import MISSING, fields

from data_prep.common.arguments import parse_args

__all__ = ["check_at_least", "given", "parse_args"]


def check_at_least(args, least: float, *names: str) -> list[str]:
    """Problems of the named fields that are smaller than `least`."""
    return [f"{name}: {getattr(args, name)} is less than {least}" for name in names if getattr(args, name) < least]


def given(args, *names: str) -> list[str]:
    """Those of a dataclass's fields whose value is not the default."""
    defaults = {f.name: f.default if f.default_factory is MISSING else f.default_factory() for f in fields(args)}
    return [name for name in names if getattr(args, name) != defaults[name]]
