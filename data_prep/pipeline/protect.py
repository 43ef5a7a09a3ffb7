"""The questions of --eval_files, which no row may repeat, read from files of whatever shape."""

import collections
import re

from data_prep.cleaning import privacy
from data_prep.cleaning.duplicates import Protected
from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.pipeline.outputs import key_parts
from data_prep.pipeline.read import Record, file_records, input_files
from data_prep.pipeline.sources import SAMPLE
from data_prep.pipeline.tally import same_for_all
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.nested import rows_of
from data_prep.shapes.reading import Wish


def protected(args: Args) -> Protected | None:
    """The questions of the evaluation files, whatever their shape; None where none is given.

    A file of ids alone (an object `id: answer`, as PubMedQA's official test set) protects the rows that bear these ids.
    """
    if not args.eval_files:
        return None
    rows, ids, keys, unread = [], {}, {}, collections.Counter()
    for name in args.eval_files:
        for file in input_files(name):
            everything = list(file_records(file, roles=args.roles))
            records = [r for r in everything if not r.bad]
            keys |= {int(own[1], 16): f"{file.shown}:{r.line}" for r in records if (own := OWN_ID.search(str(r.raw.get("id"))))}
            unread.update(r.bad for r in everything if r.bad)
            if records and set(records[0].raw) == {"_key", "_value"}:
                ids |= {str(r.raw["_key"]): f"{file.shown}:{r.line}" for r in records}
            elif records:
                rows += _questions_of(records, file.shown, unread, args)
    if not rows and not ids:
        raise UserError(f"eval_files: {', '.join(args.eval_files)} hold no question that could be read")
    print(f"protected: {len(rows) + len(ids):,} evaluation rows" + (f", {len(ids):,} of them by their ids alone" if ids else ""))
    if unread:
        why = "; ".join(f"{n} x {reason}" for reason, n in unread.most_common(3))
        print(f"warning: {unread.total():,} evaluation rows could not be read, so nothing is held against them: {why}")
    return Protected(rows, args.leak_threshold, ids, keys)


def _questions_of(records: list[Record], shown: str, unread: collections.Counter, given: Args) -> list[tuple[str, str, str]]:
    """(place, question, the rest) of each evaluation row. Columns that go unused do not matter here.

    Rows of a test.jsonl are plain rows already, and may be of several tasks; a reading is for the others. `unread` counts
    why rows could not be read. They are masked as our own rows are, which are compared with these and quoted beside them.
    """
    args = Args(good_score=1.0, images="ignore")  # a question is protected whether or not it can be answered here
    wish = Wish(good_score=1.0, roles=dict(given.roles))
    foreign = [r.raw for r in records if not _is_scoring_row(r.raw)]
    reading = find_reading(foreign[:SAMPLE], wish, shown, strict=False) if foreign else None
    found = []
    for record in records:
        if _is_scoring_row(record.raw):
            made = [record.raw]
        else:
            made = [convert(raw, reading, args) for raw in rows_of(record.raw, reading)]
        for row in made:
            if isinstance(row, str):
                unread[same_for_all(row)] += 1
                continue
            asked, rest, _ = key_parts(row)
            if given.personal_data == "mask":
                known: dict = {}
                asked, rest = (privacy.mask(text, known, privacy.TYPES) for text in (asked, rest))
            found.append((f"{shown}:{record.line}", asked, rest))
    return found


# As write.py makes it. A conversation asks with labels and an instruction around the question: the digest is of the row alone.
OWN_ID = re.compile(r"-([0-9a-f]{16})(?:-chosen|-rejected)?$")
SCORED = {"mcq": ("question", "answer"), "classification": ("text", "label"), "open": ("question", "answer")}


def _is_scoring_row(raw: dict) -> bool:
    """Whether a row says its task and holds what a row of that task needs, as those of test.jsonl do."""
    texts = [raw.get(name) for name in SCORED.get(str(raw.get("task")), ())]
    if raw.get("task") == "mcq":
        options = raw.get("options")
        texts += [*options.values(), options.get(str(raw.get("answer")))] if isinstance(options, dict) else [None]
    return bool(texts) and all(text and isinstance(text, str) for text in texts)
