"""Arguments of a script: the one parser (data_prep/arguments.py), and a check of bounds. Imports no torch."""

from data_prep.arguments import parse_args

__all__ = ["check_at_least", "parse_args"]


def check_at_least(args, least: float, *names: str) -> list[str]:
    """Problems of the named fields that are smaller than `least`."""
    return [f"{name}: {getattr(args, name)} is less than {least}" for name in names if getattr(args, name) < least]
