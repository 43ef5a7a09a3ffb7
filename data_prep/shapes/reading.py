"""A `Reading`: what the rows of one file (or sheet) are, and which column is what. Printed, recorded, mended and passed back."""

import dataclasses
import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.common.files import write_text
from data_prep.common.once import load_yaml
from data_prep.values.choices import BASES
from data_prep.values.turns import SIDES
from data_prep.words.names import NAMES

SHAPES = (
    "qa mcq classification dialogue alpaca sharegpt messages preference feedback graded text".split()
)  # what `--shape` takes, beside auto
TASKS = {"preference": "preference", "feedback": "feedback", "graded": "feedback", "text": "text"}  # of a shape; others: sft
KEY_WORDS = {
    "letter": "as a letter",
    "0": "as a number from 0",
    "1": "as a number from 1",
    "id": "as an option's own number",
    "text": "as the option's text",
    "marked": "as a mark of the right option",
    "apart": "as the right option's text, apart from the wrong ones; all are put in an order of their own",
}


@dataclass(frozen=True)
class Reading:
    """How the rows of a file are read.

    Attributes:
        shape: one of SHAPES.
        fields: our name (names.NAMES) -> the column.
        option_columns: the columns that hold one option each, in their order.
        mark_columns: the columns that mark these options as right, in the same order.
        base: how a multiple-choice key is written, one of values.BASES; "" for other shapes.
        checked: columns that give the key once more; a row in which they differ is rejected.
        explode: column whose list gives a row for each of its items.
        pairs: columns of questions and of their answers, several in a row, each of which gives a row.
        quoted: columns whose cells are JSON strings, with quotes and escapes, which are read.
        good_score: mark from which an answer is good, in feedback and graded rows.
        roles: a speaker as written -> human, gpt, system, tool, third or drop, as far as the first rows show them.
        unused: columns that go nowhere, with what they are like.
        language: of the first rows, ISO 639-1, or "und".
        known: name of the public data set that was recognised by its columns; "" otherwise.
        evidence: why it is read so, one sentence each.
        confidence: 0 to 1; below it stands another reading that lost.
    """

    shape: str
    fields: dict[str, str] = field(default_factory=dict)
    option_columns: tuple[str, ...] = ()
    base: str = ""
    checked: tuple[str, ...] = ()
    explode: str = ""
    pairs: dict[str, str] = field(default_factory=dict)
    quoted: tuple[str, ...] = ()
    good_score: float = 1.0
    roles: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    constant: dict[str, str] = field(default_factory=dict)
    language: str = "und"
    known: str = ""
    evidence: tuple[str, ...] = ()
    confidence: float = 1.0
    mark_columns: tuple[str, ...] = ()

    @property
    def used(self) -> set[str]:
        """Every column that something is taken from."""
        used = {*self.fields.values(), *self.option_columns, *self.mark_columns, *self.checked}
        used |= {*self.pairs, *self.pairs.values(), *([self.explode] if self.explode else [])}
        return used | {c.split(".")[0] for c in used}

    @functools.cached_property
    def columns(self) -> set[str]:
        """Every column that the first rows have, used or not."""
        return self.used | set(self.unused)

    @property
    def task(self) -> str:
        return TASKS.get(self.shape, "sft")

    def as_dict(self) -> dict:
        """For the manifest: what is not empty."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items() if v}

    def lines(self) -> list[str]:
        """A short table of the reading, for the screen."""
        rows = [("shape", f"{self.shape}" + (f" (known: {self.known})" if self.known else f" ({self.confidence:.0%} sure)"))]
        rows += [(name, column) for name, column in self.fields.items()]
        if self.explode:
            rows.append(("a row for each of", self.explode))
        if self.pairs:
            rows.append(("a row for each of", ", ".join(f"{q} with {a}" for q, a in self.pairs.items())))
        if self.option_columns:
            rows.append(("options", ", ".join(self.option_columns)))
        elif self.shape == "mcq" and "options" not in self.fields:
            rows.append(("options", f"written into {self.fields['question']}"))
        if self.mark_columns:
            rows.append(("marked in", ", ".join(self.mark_columns)))
        if self.base:
            rows.append(("the key is given", KEY_WORDS[self.base]))
        if self.shape in ("feedback", "graded"):
            rows.append(("good from a mark of", f"{self.good_score:g}"))
        if self.checked:
            rows.append(("checked against", ", ".join(self.checked)))
        if self.roles:
            rows.append(("roles", ", ".join(f"{raw} = {side}" for raw, side in list(self.roles.items())[:12])))
        rows.append(("language", self.language))
        if self.unused:
            told = [f"{name} ({what})" for name, what in self.unused.items()]
            rows.append(
                (f"unused, {len(told)}", ", ".join(told[:12]) + (f" and {len(told) - 12} more" if len(told) > 12 else ""))
            )
        rows += [("because", why) for why in self.evidence[:4]]
        width = max(len(name) for name, _ in rows)
        return [f"  {name:<{width}}  {value}" for name, value in rows]

    def yaml(self) -> dict:
        """What `reading.yaml` holds of it: the choices, in their order, without the evidence."""
        found = {"shape": self.shape, "fields": dict(self.fields)}
        for name in ("option_columns", "mark_columns", "checked", "explode", "pairs", "base", "roles"):
            if value := getattr(self, name):
                found[name] = list(value) if isinstance(value, tuple) else value
        if self.good_score != 1:
            found["good_score"] = self.good_score
        found["ignore"] = list(self.unused)
        return found


@dataclass(frozen=True)
class Wish:
    """What the user says of a file's reading, in flags or in reading.yaml; empty where nothing is said."""

    shape: str = "auto"
    fields: dict[str, str] = field(default_factory=dict)
    option_columns: tuple[str, ...] = ()
    mark_columns: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    base: str = "auto"
    explode: str = ""
    pairs: dict[str, str] = field(default_factory=dict)
    good_score: float | None = None
    roles: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()

    @property
    def says_what(self) -> bool:
        """Whether shape or fields are given, so that no table of known data sets is asked."""
        return self.shape != "auto" or bool(self.fields)


def write_readings(path: Path, readings: dict[str, Reading]) -> None:
    """`reading.yaml`: one entry a file (or sheet), to be mended and passed back with --reading."""
    import yaml

    head = (
        "# How each file is read. Mend it and pass it back: python data_prep/prepare.py FILES --reading reading.yaml\n"
        "# shape: " + ", ".join(SHAPES) + "\n# fields: our name -> your column; ignore: columns that are meant to go unused\n"
    )
    body = yaml.safe_dump({name: r.yaml() for name, r in readings.items()}, allow_unicode=True, sort_keys=False, width=120)
    write_text(path, head + body)


def read_readings(path: str) -> dict[str, Wish]:
    """The entries of a `reading.yaml`. Raises UserError with every problem of the file, each with its line where it has one."""
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
        node, value = yaml.compose(text, Loader=yaml.SafeLoader), load_yaml(text)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"reading: {path} cannot be read: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        raise UserError(
            f"reading: {path} must hold `FILE: {{shape: ..., fields: {{...}}}}` for each file, as --inspect writes it"
        )
    problems, known = [], {f.name for f in dataclasses.fields(Wish)}
    for key, entry in node.value:
        for name, given in entry.value:
            where = f"{path}:{name.start_mark.line + 1}"
            if name.value not in known:
                problems.append(f"{where}: unknown key {name.value!r}; there are {', '.join(sorted(known))}")
            if name.value == "fields" and isinstance(given, yaml.MappingNode):
                problems += [
                    f"{path}:{k.start_mark.line + 1}: fields: {k.value} is not one of {', '.join(NAMES)}"
                    for k, _ in given.value
                    if k.value not in NAMES
                ]
        problems += [f"{path}: {key.value}: {problem}" for problem in _wrong(value[key.value] if key.value in value else {})]
    if problems:
        raise UserError(problems)
    return {str(name): _wish(entry) for name, entry in value.items()}


KINDS = {  # of the values in an entry: those that are no words
    **dict.fromkeys(("fields", "roles", "pairs"), (dict, "{name: value}")),
    **dict.fromkeys(("option_columns", "mark_columns", "checked", "ignore"), (list, "[value, ...]")),
    "good_score": (int | float, "a number"),
}


def _wrong(entry: dict) -> list[str]:
    problems = [
        f"{name}: {entry[name]!r} must be {form}"
        for name, (kind, form) in KINDS.items()
        if entry.get(name) is not None and not isinstance(entry[name], kind)
    ]
    if problems:
        return problems
    if entry.get("shape", "auto") not in (*SHAPES, "auto"):
        problems.append(f"shape: {entry['shape']!r} is not one of {', '.join(SHAPES)}")
    if str(entry.get("base", "auto")) not in (*BASES, "auto"):
        problems.append(f"base: {entry['base']!r} is not one of {', '.join(BASES)}")
    if wrong := [side for side in (entry.get("roles") or {}).values() if side not in SIDES]:
        problems.append(f"roles: {', '.join(map(str, wrong))} is not one of {', '.join(SIDES)}")
    return problems


def _wish(entry: dict) -> Wish:
    values = {k: v for k, v in entry.items() if v is not None}
    for name in ("option_columns", "mark_columns", "checked", "ignore"):
        values[name] = tuple(map(str, values.get(name, ())))
    for name in ("shape", "base", "explode"):
        values[name] = str(values.get(name, "")) or ("" if name == "explode" else "auto")
    for name in ("fields", "roles", "pairs"):
        values[name] = {str(k): str(v) for k, v in values.get(name, {}).items()}
    return Wish(**values)


def _quoted(value) -> str:
    """A word as YAML's flow style takes it."""
    plain_word = re.fullmatch(r"[A-Za-zÀ-ÿ_][\w ]*", str(value)) and str(value) not in (
        "yes",
        "no",
        "on",
        "off",
        "null",
        "true",
        "false",
    )
    return str(value) if plain_word else repr(str(value))


def yaml_line(name: str, value) -> str:
    """`name: value` in YAML flow style on one line, as it is pasted into --config."""
    if isinstance(value, dict):
        return f"{name}: {{{', '.join(f'{_quoted(k)}: {_quoted(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"{name}: [{', '.join(map(_quoted, value))}]"
    return f"{name}: {_quoted(value)}"


PASTED = " " * 9  # what stands before each line of an error that is to be pasted into --config


def to_paste(*lines: str) -> str:
    return "\n".join(PASTED + line for line in lines)


def under_its_name(message: str, shown: str) -> str:
    """An error on one file of several, its lines as an entry of reading.yaml: in --config they would hold for all of them."""
    lines, found = message.split("\n"), []
    for before, line in zip(["", *lines], lines, strict=False):
        if not line.startswith(PASTED):
            found.append(line)
            continue
        found += [] if before.startswith(PASTED) else [f"{PASTED}{json.dumps(shown, ensure_ascii=False)}:"]
        found.append(f"{PASTED}  {line.strip().replace('answer_base:', 'base:')}")
    return "\n".join(found)
