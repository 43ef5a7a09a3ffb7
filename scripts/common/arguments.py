"""Arguments of a script: a dataclass filled from a YAML file and flags."""

import dataclasses
import difflib
import json
import sys
import typing
from pathlib import Path

from common.errors import UserError


def parse_args(cls, doc: str, argv: list[str] | None = None):
    """Fill the dataclass `cls` from `--config FILE.yaml` and flags; flags win, an unknown key is an error.

    A YAML file may also stand first without `--config`; a boolean flag may stand without a value; what stands before
    the flags goes to the field that `cls.POSITIONAL` names. Where `cls` has a method `problems()` that returns a list of
    strings, all of them come in one UserError.
    """
    from jsonargparse import (
        ArgumentError,
        ArgumentParser,
        set_parsing_settings,  # docstrings under the fields become the help texts
    )

    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0].endswith((".yaml", ".yml")) and not argv[0].startswith("-"):
        argv.insert(0, "--config")
    types = typing.get_type_hints(cls)
    hints = {field.name: types[field.name] for field in dataclasses.fields(cls)}
    named = next((i for i, arg in enumerate(argv) if arg.startswith("-")), len(argv))
    if named and hasattr(cls, "POSITIONAL"):
        words, first = argv[:named], f"--{cls.POSITIONAL}"
        argv = [first, json.dumps(words) if hints[cls.POSITIONAL] == list[str] else " ".join(words), *argv[named:]]
    booleans = {f"--{name}" for name, hint in hints.items() if hint is bool}
    argv = [
        part
        for i, arg in enumerate(argv)
        for part in ([arg, "true"] if arg in booleans and (i + 1 == len(argv) or argv[i + 1].startswith("--")) else [arg])
    ]
    parser = ArgumentParser(description=doc, exit_on_error=False, formatter_class=_manual_formatter())
    parser.add_argument("--config", action="config", help="YAML file whose keys are the flags below; flags win")
    parser.add_class_arguments(cls)
    _check_config_keys(argv, list(hints))
    try:
        values = parser.parse_args(argv)
    except ArgumentError as error:
        message = " ".join(str(error).split())
        for flag in (a.split("=")[0] for a in argv if a.startswith("--") and a.split("=")[0] in message):
            near = difflib.get_close_matches(flag[2:], hints, 1)
            message += f" (did you mean --{near[0]}?)" if near and flag[2:] not in hints else ""
        raise UserError(f"{message}; see --help") from None
    args = cls(**{name: values[name] for name in hints})
    problems = args.problems() if hasattr(args, "problems") else []
    if problems:
        raise UserError(problems)
    return args


def _manual_formatter():
    """Help that keeps the docstring's line breaks: the docstring is the manual."""
    import argparse

    import jsonargparse

    class Manual(jsonargparse.DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
        pass

    return Manual


def _check_config_keys(argv: list[str], fields: list[str]) -> None:
    """All unknown or repeated keys of the YAML files in one error, with the line of each."""
    import yaml

    problems = []
    for i, arg in enumerate(argv):
        name = (
            arg[len("--config=") :]
            if arg.startswith("--config=")
            else (argv[i + 1] if arg == "--config" and i + 1 < len(argv) else None)
        )
        if name is None or not Path(name).is_file():
            continue  # a missing file is jsonargparse's own clear error
        try:
            node = yaml.compose(Path(name).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            problems.append(f"{name}: not valid YAML: {' '.join(str(error).split())}")
            continue
        if node is None:
            problems.append(f"{name}: is empty; write at least one `key: value`, or leave --config out")
            continue
        if not isinstance(node, yaml.MappingNode):
            problems.append(f"{name}: must hold `key: value` lines")
            continue
        seen = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.value not in fields:
                near = difflib.get_close_matches(key.value, fields, 1)
                problems.append(f"{name}:{line}: unknown key {key.value!r}" + (f", did you mean {near[0]!r}?" if near else ""))
            elif key.value in seen:
                problems.append(f"{name}:{line}: key {key.value!r} stands twice; keep one")
            seen.add(key.value)
    if problems:
        raise UserError(problems)


def check_at_least(args, least: float, *names: str) -> list[str]:
    """Problems of the named fields that are smaller than `least`."""
    return [f"{name}: {getattr(args, name)} is less than {least}" for name in names if getattr(args, name) < least]
