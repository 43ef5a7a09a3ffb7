"""The argument parser of every script: a dataclass whose fields are the YAML keys and the flags.

    args = parse_args(Args, __doc__)

Importing this file imports neither jsonargparse nor yaml, so that it costs nothing where no argument is read.
"""

import dataclasses
import difflib
import itertools
import json
import os
import re
import sys
import types
import typing
from collections.abc import Iterable
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.common.once import repeated_keys


def parse_args(cls, doc: str, argv: list[str] | None = None):
    """Fill the dataclass `cls` from `--config FILE.yaml` and flags; flags win, an unknown key is an error.

    Args:
        cls: dataclass; docstrings under its fields are their help. `cls.POSITIONAL` (ClassVar) names the field that takes the
            words before the flags; its method `problems()` returns what is wrong with the values, as a list of strings.
        doc: the script's docstring, which is its manual: `--help` shows it with its line breaks.
        argv: words of the command line; without it those of this process.

    A YAML file of flags may stand first without `--config`, a boolean flag without a value, and a list's values as words. A
    value that begins with `~/` is a path in the home folder.
    Raises UserError with every problem: unknown and repeated keys with file and line, then values, then `problems()`.
    """
    import jsonargparse

    jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True)
    hints = typing.get_type_hints(cls)
    hints = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    argv = _as_flags(list(sys.argv[1:] if argv is None else argv), hints, getattr(cls, "POSITIONAL", ""))
    words = f"[{cls.POSITIONAL} ...] " if hasattr(cls, "POSITIONAL") else ""
    usage = f"%(prog)s [CONFIG.yaml] {words}[--flag value ...]"
    how = {"exit_on_error": False, "allow_abbrev": False, "formatter_class": _manual_formatter()}  # `--lo` is no flag
    parser = jsonargparse.ArgumentParser(usage=usage, description=doc, **how)
    if (cls.__doc__ or "").startswith(f"{cls.__name__}("):  # dataclasses' own: every field and default in one line
        cls.__doc__ = "flags, each also a key of CONFIG.yaml"
    parser.add_argument("--config", action="config", metavar="FILE", help="YAML file whose keys are the flags below; flags win")
    parser.add_class_arguments(cls)
    if problems := [problem for path in _configs(argv) for problem in config_problems(path, list(hints))]:
        raise UserError(problems)
    try:
        values = parser.parse_args(argv)
    except jsonargparse.ArgumentError as error:
        raise UserError(_explained(str(error), argv, list(hints))) from None
    args = cls(**{name: _at_home(values[name]) for name in hints})
    if problems := args.problems() if hasattr(args, "problems") else []:
        raise UserError(problems)
    return args


def _at_home(value):
    """A path with the home folder in the place of `~/`, which no shell expands in a YAML file or after `--flag=`."""
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value


def given(args, *names: str) -> list[str]:
    """Those of a dataclass's fields whose value is not the default."""
    missing = dataclasses.MISSING
    defaults = {f.name: f.default if f.default_factory is missing else f.default_factory() for f in dataclasses.fields(args)}
    return [name for name in names if getattr(args, name) != defaults[name]]


def tell_unused(args, reasons: dict[str, str]) -> None:
    """Print which of these fields were given and change nothing. `reasons`: field -> why, "" where it does change something."""
    for name in given(args, *reasons):
        if reasons[name]:
            print(f"note: {name} changes nothing here: {reasons[name]}", file=sys.stderr)


def config_problems(path: str | Path, names: list[str]) -> list[str]:
    """Unknown and repeated keys of a YAML file, each with its line; [] for a file that is not there."""
    import yaml

    if not Path(path).is_file():
        return []  # a missing file is jsonargparse's own clear error
    try:
        node = yaml.compose(Path(path).read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return [f"{path}: not valid YAML: {' '.join(str(error).split())}"]
    if node is None:
        return [f"{path}: is empty; write at least one `key: value`, or leave --config out"]
    if not isinstance(node, yaml.MappingNode):
        return [f"{path}: must hold `key: value` lines"]
    problems = []
    for key, _ in node.value:
        where = f"{path}:{key.start_mark.line + 1}"
        if key.value not in names:
            near = difflib.get_close_matches(str(key.value), names, 1)
            problems.append(f"{where}: unknown key {key.value!r}" + (f", did you mean {near[0]!r}?" if near else ""))
    twice = [f"{path}:{key.start_mark.line + 1}: key {key.value!r} stands twice; keep one" for key in repeated_keys(node)]
    return problems + twice


def _as_flags(argv: list[str], hints: dict, positional: str) -> list[str]:
    """The words as jsonargparse takes them: words before the flags named, booleans with a value, lists as JSON."""
    named = next((i for i, word in enumerate(argv) if _is_flag(word)), len(argv))
    words, rest = argv[:named], argv[named:]
    front = []
    first = words[0] if words and words[0].endswith((".yaml", ".yml")) else ""
    if first and not (_is_list(hints.get(positional)) and _holds_rows(first, hints)):
        front, words = ["--config", words[0]], words[1:]
    if positional:
        rest, more = _beside_values(rest, hints)
        if words := [*words, *more]:
            front += [f"--{positional}", *(words if _is_list(hints[positional]) else [" ".join(words)])]
        words = []
    found, taking = [], None  # taking: the list's values so far, its flag before them
    for i, word in enumerate(argv := [*words, *front, *rest]):
        if taking is not None and not _is_flag(word):
            taking.append(word)
            continue
        found += _list_words(taking, hints)
        taking = None
        name = word[2:] if word.startswith("--") else ""
        if _is_list(hints.get(name)):
            taking = [word]
        else:
            found.append(word)
            if hints.get(name) is bool and (i + 1 == len(argv) or _is_flag(argv[i + 1])):
                found.append("true")
    return found + _list_words(taking, hints)


MOST_IN_A_FLAG = 20  # values of one flag, whose name is misspelt, in a YAML file of flags


def _holds_rows(path: str, names: Iterable[str]) -> bool:
    """Whether a YAML file holds rows in the place of flags: a list of objects, or one, or many texts or parts, under a key that
    is no flag's name."""
    import yaml

    try:
        value = yaml.load(Path(path).read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return False
    if isinstance(value, dict) and not value.keys() & set(names):
        rows = any(isinstance(part, list) and part and all(isinstance(row, dict) for row in part) for part in value.values())
        return rows or any(isinstance(part, list | dict) and len(part) > MOST_IN_A_FLAG for part in value.values())
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _beside_values(argv: list[str], hints: dict) -> tuple[list[str], list[str]]:
    """(flags with their values; words that are no flag's value): `--shape mcq a.csv`, `--ignore '[x]' a.csv`."""
    kept, words, left = [], [], 0.0
    for word, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        if _is_flag(word):
            left = 0 if "=" in word else _takes(word.removeprefix("--"), following, hints)
            kept.append(word)
        elif left:
            left -= 1
            kept.append(word)
        else:
            words.append(word)
    return kept, words


def _takes(name: str, following: str, hints: dict) -> float:
    """How many words a flag takes, the word after it being known."""
    if name not in hints and name != "config":
        return float("inf")  # an unknown flag is told as such, with what follows it
    if hints.get(name) is bool:
        return following.casefold() in ("true", "false", "yes", "no")
    return float("inf") if _is_list(hints.get(name)) and not following.startswith("[") else 1


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not re.fullmatch(r"-(\d|\.\d).*|-", word)


def _is_list(hint) -> bool:
    """Whether it takes a list; `list[str] | str` does too."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return any(typing.get_origin(kind) is list for kind in kinds)


def _list_words(taking: list[str] | None, hints: dict) -> list[str]:
    """A list's flag and its values as one JSON word; what is written as a list stays, a lacking value is argparse's error.

    One word stays a word where the field takes one (`list[str] | str`).
    """
    if taking is None:
        return []
    flag, *words = taking
    alone = len(words) == 1 and (words[0].startswith("[") or isinstance(hints[flag[2:]], types.UnionType))
    if not words or alone:
        return taking
    return [flag, json.dumps(words)]


def _configs(argv: list[str]) -> list[str]:
    """The YAML files that the words name."""
    pairs = zip(argv, [*argv, None][1:], strict=True)
    named = [a.partition("=")[2] if a.startswith("--config=") else b if a == "--config" else None for a, b in pairs]
    return [name for name in named if name]


def _explained(message: str, argv: list[str], names: list[str]) -> str:
    """jsonargparse's message in one line, with the name that was probably meant, or the YAML line of the value."""
    message = " ".join(message.split())
    for flag in (word.partition("=")[0] for word in argv if word.startswith("--")):
        near = difflib.get_close_matches(flag[2:], names, 1)
        if flag in message and flag[2:] not in [*names, "config", "help"] and near:
            message += f" (did you mean --{near[0]}?)"
    key = re.search(r'key "(\w+)"', message)
    for path in _configs(argv) if key else []:
        for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig").splitlines() if Path(path).is_file() else [], 1):
            if line.startswith(f"{key[1]}:") and not any(word.partition("=")[0] == f"--{key[1]}" for word in argv):
                message = f"{path}:{number}: {message}"
    return f"{message}; see --help"


def _manual_formatter():
    """Help that keeps the docstring's line breaks: the docstring is the manual. A flag's kind stands where its value does."""
    import argparse

    import jsonargparse

    kinds = {"int": "INT", "float": "FLOAT", "str": "TEXT", "list": "ITEM ...", "dict": "{KEY: VALUE}"}

    class Manual(jsonargparse.DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
        def _get_help_string(self, action):
            return re.sub(r"(, )?type: %\(type\)s(?(1)|, )", "", super()._get_help_string(action))

        def _expand_help(self, action):
            return re.sub(r" \(default: (null|\[\]|\{\}|)\)$", "", super()._expand_help(action))

        def _get_default_metavar_for_optional(self, action):
            named = (self._get_type_str(action) or "").removeprefix("Union[")
            return next((kind for name, kind in kinds.items() if named.startswith(name)), "VALUE")

        def _format_action_invocation(self, action):
            words = re.sub(r", --\S+\+ .*", "", super()._format_action_invocation(action))  # jsonargparse's --data+ beside --data
            return words.replace("[ITEM,...]", "ITEM ...")

    return Manual
