"""The first pass: every record, as a plain row or the reason why it is none, is told from duplicates and leaks and stored."""

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from data_prep.cleaning.duplicates import digest, figures
from data_prep.cleaning.split import quality
from data_prep.common.errors import UserError
from data_prep.common.files import Store
from data_prep.pipeline.options import Args
from data_prep.pipeline.outputs import TASK_OF
from data_prep.pipeline.protect import protected
from data_prep.pipeline.read import Record
from data_prep.pipeline.sources import Source, all_records, several_kinds
from data_prep.pipeline.tally import Leak, Tally
from data_prep.pipeline.told import LeakFound, LeftOut, Looks, Told, look, told_of
from data_prep.shapes.reading import Reading

AT_ONCE = 1000  # rows whose signatures are made together
RANK = {"": 0, "train": 0, "validation": 1, "test": 2}


class Earlier(NamedTuple):
    """Where a text was seen first."""

    file: str
    line: int
    answer: int
    rank: int


class Seen:
    """Where each text was seen first, by its digest: numbers side by side, as a million of objects would take 250 MB."""

    def __init__(self):
        self.at: dict[int, int] = {}
        self.files: list[str] = []
        self.file, self.line, self.answer, self.rank = array("L"), array("Q"), array("Q"), array("B")

    def get(self, key: int) -> Earlier | None:
        if (at := self.at.get(key)) is None:
            return None
        return Earlier(self.files[self.file[at]], self.line[at], self.answer[at], self.rank[at])

    def put(self, key: int, here: Earlier) -> None:
        self.at[key] = len(self.line)
        if not self.files or self.files[-1] != here.file:  # rows of a file come one after another
            self.files.append(here.file)
        self.file.append(len(self.files) - 1)
        self.line.append(here.line)
        self.answer.append(here.answer)
        self.rank.append(here.rank)


class Looked(NamedTuple):
    """What else is told of a row by itself."""

    signature: np.ndarray
    leak: LeakFound


@dataclass
class Rows:
    """The stored rows: one entry of each list for each. Digests are uint64; numbers lie side by side, for a million of rows."""

    store: Store
    keys: array | np.ndarray = field(default_factory=lambda: array("Q"))  # of the whole text
    questions: array | np.ndarray = field(default_factory=lambda: array("Q"))  # of what is asked, or of its passage
    openings: array | np.ndarray = field(default_factory=lambda: array("Q"))  # of a conversation's first exchange, or 0
    answers: array | np.ndarray = field(default_factory=lambda: array("Q"))
    figures: array | np.ndarray = field(default_factory=lambda: array("Q"))  # of the numbers, signs and negations in the text
    groups: array | np.ndarray = field(default_factory=lambda: array("q"))  # index into `names`
    scores: array | np.ndarray = field(default_factory=lambda: array("d"))  # quality, 0 to 1
    kinds: list | np.ndarray = field(default_factory=list)  # the task of the row itself
    splits: list | np.ndarray = field(default_factory=list)  # that the file puts it into, or ""
    matrix: list | np.ndarray = field(default_factory=list)  # signatures, uint32
    names: list[str] = field(default_factory=list)  # of topics or labels
    task: str = "sft"
    alive: np.ndarray = None
    family: np.ndarray = None  # lowest row number of those that share a split


class FirstPass:
    """What the first pass remembers of earlier rows; `mix` asks it as well."""

    def __init__(self, args: Args, tally: Tally, store: Store):
        self.args, self.tally, self.rows = args, tally, Rows(store)
        self.guard = protected(args)
        tally.clock.mark("reading what is protected" if self.guard else "read")
        self.seen = Seen()
        self.overruled: dict[int, Earlier] = {}
        self.contradicted: dict[int, str] = {}  # text -> where it stands with another answer
        self.groups: dict[str, int] = {}
        self.buffer: list[tuple[Told, Looked | None]] = []

    def tell(self, record: Record, reading: Reading) -> Told | None:
        """The record as a row that is no duplicate; None, with the reject listed, where it is none."""
        return self.accept(record, told_of(record, reading, self.args, self.tally))

    def accept(self, record: Record, made: Told | LeftOut) -> Told | None:
        if isinstance(made, LeftOut):
            return self.tally.reject(record, *made)
        duplicate = self._is_duplicate(made)
        self.tally.clock.mark("exact duplicates")
        return None if duplicate else made

    def _is_duplicate(self, told: Told) -> bool:
        """Whether the text was seen. Of a text in two splits of the source the row to measure with stays."""
        record, graded = told.record, told.row["task"] == "graded"
        said = int(told.row["good"]) if graded else told.answer_key  # marks of 4 and 5 say the same
        here = Earlier(record.file, record.line, said, RANK[told.split])
        earlier = self.seen.get(told.key)
        if earlier is not None and earlier.answer != said:
            self.contradicted.setdefault(told.key, f"{record.file}:{record.line}")
            self.tally.reject(record, "contradicting", f"same text as {earlier.file}:{earlier.line}, WITH ANOTHER ANSWER")
            return True
        if earlier is None or here.rank > earlier.rank:
            if earlier is not None:
                self.overruled[told.key] = here
            self.seen.put(told.key, here)
            return False
        self.tally.reject(record, "duplicate", f"same text as {earlier.file}:{earlier.line}")
        return True

    def add(self, told: Told, looked: Looked | None = None) -> None:
        """Take in a row; `looked` where its signature and its leak are known already."""
        self.buffer.append((told, looked))
        if len(self.buffer) == AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Store the buffered rows, without those that are leaks."""
        if not self.buffer:
            return
        rows, clock = self.rows, self.tally.clock
        some, looked = [told for told, _ in self.buffer], [looked for _, looked in self.buffer]
        if looked[0]:
            looks = Looks(np.stack([one.signature for one in looked]), [one.leak for one in looked])
        else:
            looks = look(some, self.args, self.guard)
        clean = [not leak for leak in self.leaks(some, looks.leaks)]
        clock.mark("signatures and leaks")
        for told, keep in zip(some, clean, strict=True):
            if keep:
                self._store(told)
        rows.matrix.append(looks.matrix[clean])
        self.buffer.clear()
        clock.mark("storing")

    def leaks(self, some: list[Told], found: list[LeakFound]) -> list[bool]:
        """For each row whether it is like a protected one; these are listed."""
        for told, leak in zip(some, found, strict=True):
            if leak:
                kind, number, similarity = leak
                where, question, _ = (number, "(known by its id)", "") if isinstance(number, str) else self.guard.rows[number]
                place = told.record.file, told.record.line
                self.tally.leaks.append(Leak(kind, similarity, *place, told.asked[:500], where, question[:500]))
                self.tally.reject(told.record, "leak", f"{kind} match with {where}")
        return [bool(leak) for leak in found]

    def _store(self, told: Told) -> None:
        rows, row = self.rows, told.row
        # The raw row is kept with the plain one: a row left out later is listed as it was read.
        rows.store.add([row, told.record])
        rows.keys.append(told.key)
        rows.questions.append(digest(told.passage or told.question))  # rows on one passage stay in one split
        rows.openings.append(told.opening)
        rows.answers.append(told.answer_key)
        rows.figures.append(digest(figures(told.folded)))
        group = row["label"] if row["task"] == "classification" else row["topic"]
        rows.groups.append(self.groups.setdefault(group, len(self.groups)))
        rows.scores.append(quality(told.asked, told.answer))
        rows.kinds.append(row["task"])
        rows.splits.append(told.split)


def told_here(first: FirstPass, sources: list[Source]):
    """(record, what it is told by or why it is left out, None) of every record, in this process."""
    for record, reading in all_records(sources):
        first.tally.clock.mark("read")
        yield record, told_of(record, reading, first.args, first.tally), None


def gather(first: FirstPass, records) -> Rows:
    """Every record, as `told_here` gives them. Raises UserError where there are no rows, or rows of two tasks."""
    args, tally, tasks = first.args, first.tally, {}
    for record, made, looked in records:
        tally.read += 1
        tally.files[record.file] += 1
        if told := first.accept(record, made):
            tasks.setdefault(TASK_OF[told.row["task"]], record.file)
            first.add(told, looked)
    first.flush()
    if not tally.read:
        raise UserError(f"inputs: {', '.join(args.inputs)} hold no rows")
    if args.task == "auto" and len(tasks) > 1:
        raise UserError(several_kinds(tasks))
    rows = first.rows
    rows.task = args.task if args.task != "auto" else next(iter(tasks), "sft")
    if rows.task != "sft" and args.mix:
        raise UserError(f"mix: the rows are of task {rows.task}; conversations can be mixed into sft rows only")
    if rows.task == "text" and args.too_long == "reject":
        raise UserError("too_long: text rows are cut to max_length in training, whatever their length; leave out too_long")
    for name in ("keys", "questions", "openings", "answers", "figures", "groups", "scores"):
        setattr(rows, name, np.array(getattr(rows, name)))
    rows.kinds, rows.splits = np.array(rows.kinds), np.array(rows.splits)
    rows.names = list(first.groups)
    rows.matrix = _in_one(rows.matrix)
    rows.alive, rows.family = np.full(len(rows.keys), True), np.arange(len(rows.keys))
    _leave_out_contradicted(rows, first, tally)
    _leave_out_overruled(rows, first, tally)
    return rows


def _in_one(parts: list[np.ndarray]) -> np.ndarray:
    """The parts below one another. Each is let go of once it is copied: they are the largest thing here."""
    whole, at = np.zeros((sum(map(len, parts)), parts[0].shape[1] if parts else 1), np.uint32), 0
    for n, part in enumerate(parts):
        whole[at : at + len(part)] = part
        at += len(part)
        parts[n] = part = None
    return whole


def leave_out(rows: Rows, tally: Tally, numbers, kind: str, reason) -> None:
    """Take rows out; `reason` gives why for a row number."""
    for i in numbers:
        rows.alive[i] = False
        tally.reject(rows.store.get(i)[1], kind, reason(i))


def _of_texts(rows: Rows, texts: dict[int, object]) -> np.ndarray:
    """Numbers of the rows that have one of these texts."""
    return np.flatnonzero(np.isin(rows.keys, np.fromiter(texts, np.uint64, len(texts))))


def _leave_out_contradicted(rows: Rows, first: FirstPass, tally: Tally) -> None:
    """Rows whose text came again with another answer: which of the two is right nobody knows here, so that neither stays."""
    where = first.contradicted
    why = "same text as {}, WITH ANOTHER ANSWER".format
    leave_out(rows, tally, _of_texts(rows, where), "contradicting", lambda i: why(where[int(rows.keys[i])]))


def _leave_out_overruled(rows: Rows, first: FirstPass, tally: Tally) -> None:
    """Rows whose text came again in a split to measure with, which stays."""
    stays = first.overruled
    numbers = [i for i in _of_texts(rows, stays) if rows.alive[i] and RANK[str(rows.splits[i])] < stays[int(rows.keys[i])].rank]
    why = "same text as {0.file}:{0.line}, in a split to measure with".format
    leave_out(rows, tally, numbers, "duplicate", lambda i: why(stays[int(rows.keys[i])]))
