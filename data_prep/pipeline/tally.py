"""What a run counts while rows go through it: rows read, left out and why, changed by cleaning and masking, leaks to read."""

import collections
import re
from dataclasses import dataclass, field

from data_prep.common.files import Clock, Output

LEFT_OUT = ("rejected", "not asked for", "duplicate", "contradicting", "leak", "near-duplicate", "over the cap", "not selected")
MOST_EXAMPLES, OF_A_KIND = 24, 2
CONTRADICT = 0.05  # the share of rows from which on it is told
FEW, MOSTLY = 20, 0.9  # rows of a file, and the share of them that is rejected where it is misread

SAME_FILE = (
    ". They are rows of eval_files: was one file given both to learn from and to be measured by, as recipes/sft's `cases` and "
    "`exam`? Of one file recipes/my_exam holds a part out: run_recipe.py recipes/my_exam --variables '{rows: FILE}'"
)

NO_IMAGE = ("needs an image", "speaks of an image")
AS_TEXT = "; where their texts stand without the pictures, pass --images ignore"


DIFFERS = re.compile(r":? '(?!\{)")  # what a row holds; in braces stands an option's form


def same_for_all(reason: str) -> str:
    """A reason without what differs from row to row (`values.Unreadable`), to be counted."""
    return DIFFERS.split(reason)[0]


@dataclass
class Example:
    """A passage before and after the rules that changed it first. Personal data are hidden on both sides."""

    where: str
    rules: list[str]
    before: str
    after: str


@dataclass
class Leak:
    """A row that was left out because it is like a protected one."""

    kind: str  # exact, 13-gram, near or id
    similarity: float
    file: str
    line: int
    question: str
    evaluation: str
    evaluation_question: str


@dataclass
class Tally:
    rejects: Output | None
    read: int = 0
    kinds: collections.Counter = field(default_factory=collections.Counter)  # of LEFT_OUT
    files: collections.Counter = field(default_factory=collections.Counter)  # rows read, by file
    rejected: dict[str, collections.Counter] = field(default_factory=dict)  # reasons, by file
    added: collections.Counter = field(default_factory=collections.Counter)  # rows that come to those read
    cleaned: collections.Counter = field(default_factory=collections.Counter)  # rows, by rule
    personal: collections.Counter = field(default_factory=collections.Counter)  # marks set, by type
    thoughts: int = 0  # rows with thinking beside their answers
    joined: int = 0  # answers that gave one row together
    examples: list[Example] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    shown: collections.Counter = field(default_factory=collections.Counter)
    clock: Clock = field(default_factory=Clock)
    most: int = MOST_EXAMPLES

    def reject(self, record, kind: str, reason: str) -> None:
        """List a row that is left out: as it was read, with its file, line and reason."""
        raw, file, line = record[:3]
        self.rejects.write({"kind": kind, "reason": reason, "file": file, "line": line, "row": raw})
        self.kinds[kind] += 1
        if kind == "rejected":
            self.rejected.setdefault(file, collections.Counter())[same_for_all(reason)] += 1

    def wants_example(self, rules: list[str]) -> bool:
        return self.shown[", ".join(rules)] < OF_A_KIND and len(self.examples) < self.most

    def example(self, record, rules: list[str], before: str, after: str) -> None:
        """Keep the passage that the rules changed first, for the report. Both texts come masked."""
        at = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
        at = max(0, at - 70)
        cut = [("…" if at else "") + text[at : at + 260] + ("…" if len(text) > at + 260 else "") for text in (before, after)]
        self.keep(Example(f"{record.file}:{record.line}", rules, *cut))

    def keep(self, example: Example) -> None:
        if self.wants_example(example.rules):
            self.shown[", ".join(example.rules)] += 1
            self.examples.append(example)

    def count(self, splits: dict[str, int]) -> dict[str, int]:
        """Rows in and out. Nothing may vanish between reading and writing: what does not add up is an error."""
        counts = {
            "rows read": self.read,
            **{name: n for name, n in self.added.items() if n},
            **{kind: self.kinds.get(kind, 0) for kind in LEFT_OUT},
            "joined into a pair": self.joined,
            **splits,
        }
        came = sum(n for name, n in counts.items() if name == "rows read" or name.startswith("added"))
        if 2 * came != sum(counts.values()) or sum(counts[kind] for kind in LEFT_OUT) != self.rejects.rows:
            raise AssertionError(f"rows do not add up: {counts}, rejects {self.rejects.rows}")
        return counts

    def misread(self) -> list[str]:
        """A line for each file of which nearly every row was rejected: the reading is wrong, or the file is of another kind."""
        found = []
        for file, reasons in self.rejected.items():
            if self.files[file] >= FEW and MOSTLY * self.files[file] <= (n := reasons.total()) < self.files[file]:
                why = "; ".join(f"{many} x {reason}" for reason, many in reasons.most_common(3))
                found.append(f"{file}: {n:,} of {self.files[file]:,} rows are rejected ({why})")
        return found

    def many_contradict(self) -> str:
        """What to say where many rows ask the same and are answered otherwise: what they differ by may have gone unused."""
        many = self.kinds["contradicting"]
        if many < FEW or many < CONTRADICT * self.read:
            return ""
        return (
            f"warning: {many:,} of {self.read:,} rows are left out: others say the same with another key or label. Do they "
            "differ by something that goes unused, such as the case that a question is about? (--fields '{..., context: COLUMN}')"
        )

    @property
    def reasons(self) -> collections.Counter:
        """Why rows were rejected, of all files together."""
        return sum(self.rejected.values(), collections.Counter())

    def nothing_left(self) -> str:
        why = "; ".join(f"{n} x {reason}" for reason, n in self.reasons.most_common(3))
        others = "; ".join(f"{n} x {kind}" for kind, n in self.kinds.items() if kind != "rejected" and n)
        same = self.kinds["leak"] >= MOSTLY * self.read
        pictures = all(reason.startswith(NO_IMAGE) for reason in self.reasons) and self.reasons
        hint = SAME_FILE if same else AS_TEXT if pictures else ""
        names = [*self.files][:3] + ([f"{len(self.files) - 3:,} more"] if len(self.files) > 3 else [])
        return f"{', '.join(names)}: no row of {self.read} is left: " + "; ".join(part for part in (why, others) if part) + hint
