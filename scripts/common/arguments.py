"""Arguments of a script: the one parser (data_prep/common/arguments.py), a check of bounds. Imports no torch."""

from data_prep.common.arguments import given, parse_args, tell_unused

__all__ = ["check_at_least", "given", "parse_args", "tell_unused"]


def check_at_least(args, least: float, *names: str) -> list[str]:
    """Problems of the named fields that are smaller than `least`."""
    return [f"{name}: {getattr(args, name)} is less than {least}" for name in names if getattr(args, name) < least]
