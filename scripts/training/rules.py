"""Rewards by rule, from a file: what an answer must hold, its length, refusals, citations of the passage.

    good: 0.8                      # from this share of the weights on an answer is good, up to `bad` it is bad (feedback rows)
    bad: 0.4
    rules:
      - {name: dose, type: regex, pattern: '\\d+ ?mg', weight: 2}                 # expect: absent turns it round
      - {name: short, type: length, unit: words, min: 10, max: 120, slack: 60}   # 1 within, falling to 0 over `slack`
      - {name: answers, type: refusal, expect: absent}                           # present: harmful requests must be declined
      - {name: cites, type: citation, field: passage, least_words: 6}            # quotes the row's passage word for word
      - {name: figures, type: numbers, field: passage}                           # every number stands in the passage

The same file serves grpo.py and rloo.py (`reward_functions`), preference pairs and feedback rows (scripts/annotate.py
--rules). Each rule gives 0 to 1; an answer's score is their weighted mean. A rule is all that is asked for: a model learns to
please the pattern, so keep several rules, and look at answers. Importing this file imports no torch.
"""

import dataclasses
import difflib
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from common.errors import UserError
from scoring.refusals import declined

from data_prep.common.once import load_yaml

LONGEST = 20_000  # characters of an answer that are looked at
QUOTED = re.compile(r"[\"“«]([^\"“”«»]{1,2000})[\"”»]")
NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Rule:
    """What all rules have. `column`: the row's field that the rule looks into, or ""."""

    name: str
    weight: float = 1.0

    @property
    def column(self) -> str:
        return getattr(self, "field", "")

    def problems(self) -> list[str]:
        return [] if self.weight > 0 else ["weight must be above 0; `expect: absent` turns a rule round"]

    def score(self, text: str, source: str) -> float:
        """0 to 1. `source`: the text of the rule's column."""
        raise NotImplementedError


@dataclass(frozen=True)
class Regex(Rule):
    """Whether a pattern (Python's `re`) is found in the answer."""

    KIND: ClassVar[str] = "regex"
    pattern: str = ""
    expect: Literal["present", "absent"] = "present"
    ignore_case: bool = True

    def problems(self) -> list[str]:
        try:
            re.compile(self.pattern)
            found = [] if self.pattern else ["needs a pattern"]
        except re.error as error:
            found = [f"pattern: {error}"]
        return super().problems() + found

    def score(self, text: str, source: str) -> float:
        found = re.search(self.pattern, text, re.I if self.ignore_case else 0) is not None
        return float(found == (self.expect == "present"))


@dataclass(frozen=True)
class Length(Rule):
    """Whether the answer's length lies between `min` and `max`; outside the score falls to 0 over `slack`."""

    KIND: ClassVar[str] = "length"
    unit: Literal["words", "characters"] = "words"
    min: int = 0
    max: int = 0
    slack: int = 0

    def problems(self) -> list[str]:
        found = [] if 0 <= self.min <= self.max and self.max else ["needs 0 <= min <= max, and max above 0"]
        return super().problems() + found + ([] if self.slack >= 0 else ["slack is below 0"])

    def score(self, text: str, source: str) -> float:
        size = len(text.split()) if self.unit == "words" else len(text)
        beyond = max(self.min - size, size - self.max, 0)
        return 1.0 if not beyond else max(0.0, 1 - beyond / (self.slack + 1))


@dataclass(frozen=True)
class Refusal(Rule):
    """Whether the answer declines, by the rule that evaluate.py reads safety rows with."""

    KIND: ClassVar[str] = "refusal"
    expect: Literal["present", "absent"] = "absent"

    def score(self, text: str, source: str) -> float:
        found = declined(text)
        return 0.0 if found is None else float(found == (self.expect == "present"))


@dataclass(frozen=True)
class Citation(Rule):
    """Whether the answer cites the row's `field`: a run of `least_words` of it word for word; an invented quotation gives 0."""

    KIND: ClassVar[str] = "citation"
    field: str = "passage"
    least_words: int = 6

    def problems(self) -> list[str]:
        return super().problems() + ([] if self.least_words > 0 else ["least_words must be above 0"])

    def score(self, text: str, source: str) -> float:
        known = f" {_folded(source)} "
        quotes = [_folded(quote) for quote in QUOTED.findall(text)]
        if any(len(quote.split()) >= self.least_words and f" {quote} " not in known for quote in quotes):
            return 0.0
        words = _folded(text).split()
        runs = (words[i : i + self.least_words] for i in range(len(words) - self.least_words + 1))
        return float(any(f" {' '.join(run)} " in known for run in runs))


@dataclass(frozen=True)
class Numbers(Rule):
    """Whether every number of the answer stands in the row's `field` (0,5 is 0.5); an answer without numbers gives 1."""

    KIND: ClassVar[str] = "numbers"
    field: str = "passage"

    def score(self, text: str, source: str) -> float:
        known = {number.replace(",", ".") for number in NUMBER.findall(source)}
        found = {number.replace(",", ".") for number in NUMBER.findall(text)}
        return len(found & known) / len(found) if found else 1.0


KINDS = {rule.KIND: rule for rule in (Regex, Length, Refusal, Citation, Numbers)}


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


@dataclass(frozen=True)
class RuleSet:
    """The rules of a file. `good` and `bad`: scores from which on, and up to which, an answer is good or bad."""

    path: str
    rules: tuple[Rule, ...]
    good: float
    bad: float

    @property
    def columns(self) -> set[str]:
        """Fields that rows must have."""
        return {rule.column for rule in self.rules if rule.column}

    @property
    def weights(self) -> list[float]:
        """One a rule, for TRL's `reward_weights`; they sum to 1."""
        total = sum(rule.weight for rule in self.rules)
        return [rule.weight / total for rule in self.rules]

    def row_problems(self, row: dict) -> list[str]:
        """What a row lacks for these rules."""
        return [f"lacks {name}, which {self.path} looks into" for name in sorted(self.columns) if not _text(row.get(name))]

    def score(self, text: str, row: dict) -> float:
        """Weighted mean of all rules, 0 to 1; an empty answer gives 0."""
        if not text.strip():
            return 0.0
        parts = [rule.score(text[:LONGEST], _text(row.get(rule.column))) for rule in self.rules]
        return sum(part * weight for part, weight in zip(parts, self.weights, strict=True))

    def reward_functions(self) -> list:
        """One function a rule, of TRL's shape and with the rule's name, which TRL logs it by; unweighted (see `weights`)."""
        return [_reward_function(rule) for rule in self.rules]


def _text(value) -> str:
    return value if isinstance(value, str) else ""


def _reward_function(rule: Rule):
    def reward(completions, **columns) -> list[float]:
        if rule.column and rule.column not in columns:
            raise UserError(f"data: rule {rule.name} looks into {rule.column}, which the rows lack")
        sources = columns.get(rule.column) or [""] * len(completions)
        texts = [completion[0]["content"][:LONGEST] for completion in completions]
        return [rule.score(t, _text(s)) if t.strip() else 0.0 for t, s in zip(texts, sources, strict=True)]

    reward.__name__ = f"rule_{rule.name}"
    return reward


# ------------------------------------------------------------------------------------------ reading


def load_rules(path: str | Path) -> RuleSet:
    """The rules of a YAML file. Raises UserError with all that is wrong, each with its rule's line."""
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        content, node = load_yaml(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"rules: {path}: cannot be read: {' '.join(str(error).split())}") from None
    entries = content.get("rules") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"rules: {path}: must hold `rules`, a list (see scripts/training/rules.py)")
    lines = next(value for key, value in node.value if key.value == "rules").value
    problems = [
        f"{path}: unknown key {key!r}; only good, bad and rules" for key in content if key not in ("good", "bad", "rules")
    ]
    good, bad = content.get("good", 0.8), content.get("bad", 0.4)
    if not all(isinstance(x, int | float) for x in (good, bad)) or not 0 <= bad < good <= 1:
        problems.append(f"{path}: good and bad: needs 0 <= bad < good <= 1")
    rules = []
    for entry, line in zip(entries, lines, strict=True):
        made = _rule(entry)
        if isinstance(made, list):
            problems += [f"{path}:{line.start_mark.line + 1}: {problem}" for problem in made]
        elif made.name in [rule.name for rule in rules]:
            problems.append(f"{path}:{line.start_mark.line + 1}: two rules are named {made.name}")
        else:
            rules.append(made)
    if problems:
        raise UserError(problems)
    return RuleSet(str(path), tuple(rules), float(good), float(bad))


def _rule(entry) -> Rule | list[str]:
    """A rule, or what is wrong with its entry."""
    if not isinstance(entry, dict) or entry.get("type") not in KINDS:
        kind = entry.get("type") if isinstance(entry, dict) else entry
        return [f"type {kind!r} is not one of {', '.join(KINDS)}"]
    kind = KINDS[entry["type"]]
    values, hints = {k: v for k, v in entry.items() if k != "type"}, typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    problems = []
    for name, value in values.items():
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            problems.append(
                f"unknown key {name!r}" + (f", did you mean {near[0]!r}?" if near else f"; {kind.KIND} has {', '.join(names)}")
            )
        elif not _fits(value, hints[name]):
            problems.append(f"{name}: {value!r} does not fit")
    if not isinstance(values.get("name"), str) or not re.fullmatch(r"\w{1,40}", values["name"]):
        problems.append("needs a `name` of letters, digits and _")
    return problems or ((rule := kind(**values)).problems() or rule)


def _fits(value, hint) -> bool:
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
