"""The second pass: each chosen row to the file of its split, in the form of its task; pairs of graded answers; the mix."""

import collections
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_prep.cleaning.duplicates import fold
from data_prep.cleaning.split import SPLITS, hashed
from data_prep.common.errors import UserError
from data_prep.common.files import Output, progress
from data_prep.pipeline import outputs
from data_prep.pipeline.choose import present_groups, splits_of
from data_prep.pipeline.gather import RANK, FirstPass, Rows
from data_prep.pipeline.options import Args
from data_prep.pipeline.preview import Lengths
from data_prep.pipeline.read import input_files
from data_prep.pipeline.sources import Source, reading_of
from data_prep.pipeline.tally import Tally
from data_prep.pipeline.told import look
from data_prep.shapes.nested import rows_of


@dataclass
class Written:
    """What has been written, and how much of it."""

    files: dict[str, Output]
    groups: dict[str, collections.Counter] = field(default_factory=lambda: {name: collections.Counter() for name in SPLITS})
    present: list[str] = field(default_factory=list)
    preferences: list[dict] = field(default_factory=list)  # preference and feedback rows to train on, for their balance

    def put(self, rows: list[dict], split: str, group: str, task: str) -> None:
        for row in rows:
            self.files[split].write(row)
            self.groups[split][group] += 1
            if task in ("preference", "feedback") and split == "train":
                self.preferences.append(row)


def write_rows(rows: Rows, order: np.ndarray, args: Args, tally: Tally, lengths: Lengths, out: Path) -> Written:
    """All rows of `order`. Raises UserError where nothing is left to train on."""
    written = Written({name: Output(out / f"{name}.jsonl") for name in SPLITS}, present=present_groups(rows, order))
    splits = splits_of(rows, order, args)
    labels = args.labels or [name for name in written.present if name]
    prompts: dict[tuple[str, str], list] = collections.defaultdict(list)  # (split, question): its graded answers
    with progress(len(order), "writing", " rows") as bar:
        for i in order.tolist():
            row, record = rows.store.get(i)
            row = with_id(row, rows.keys[i])
            if row["task"] == "classification":
                row = {k: v for k, v in row.items() if k != "label"} | {"labels": labels, "label": row["label"]}
            if rows.task == "preference" and row["task"] == "graded":
                prompts[splits[i], fold(outputs.prompt_text(row["prompt"]))].append((row, record))
            else:
                _write_one(row, record, splits[i], rows.task, args, tally, lengths, written)
            bar.update()
    _pair_up(prompts, args, tally, lengths, written)
    if not any(file.rows for file in written.files.values()):
        raise UserError(tally.nothing_left())
    expected = len(order) * (1 - args.test_size - args.validation_size)
    if not written.files["train"].rows and expected >= 1 and not any(rows.splits[order]):
        raise UserError(
            f"all {len(order)} rows fell into the held-out splits, so nothing is left to train on; lower test_size "
            f"({args.test_size:g}) or give more rows; a benchmark to score on alone: --test_size 1"
        )
    tally.clock.mark("writing")
    return written


def with_id(row: dict, key: int) -> dict:
    """The plain row with its id: where it comes from, and the digest of its text."""
    return {"id": f"{row['source'][:40]}-{key:016x}", **row}


def _write_one(row: dict, record, split: str, task: str, args: Args, tally: Tally, lengths: Lengths, written: Written) -> bool:
    """Whether the plain row could be written; where not, it is listed."""
    made = made_of(row, split, task, args, lengths)
    if isinstance(made, str):
        tally.reject(record, "rejected", made)
        return False
    tally.thoughts += holds_thought(row)
    written.put(made, split, row.get("label", row["topic"]), task)
    tally.added["added: second rows of pairs"] += len(made) - 1
    return True


def holds_thought(row: dict) -> bool:
    return any("thought" in name for name in row) or any("thought" in turn for turn in row.get("conversations", ()))


def made_of(row: dict, split: str, task: str, args: Args, lengths: Lengths) -> list[dict] | str:
    """The rows to write for a plain row, or why it gives none."""
    kind = row["task"]
    if task == "preference":
        found = outputs.pair(row, args, hashed(row["id"], args.seed + 2))
        if isinstance(found, str):
            return found
        return lengths.look_at_answers(found["prompt"], [found["chosen"], found["rejected"]]) or [found]
    if task == "feedback":
        made = outputs.feedback(row, args, hashed(row["id"], args.seed + 2))
        if isinstance(made, str):
            return made
        return lengths.look_at_answers(made[0]["prompt"], [one["completion"] for one in made]) or made
    if task == "text":
        answer = row["options"][row["answer"]] if kind == "mcq" else row.get("answer", "")
        text = row.get("text") or f"{row.get('question', '')}\n{answer}".strip()
        if not text:
            return f"rows of shape {kind} hold no text of their own: --task text needs text, or questions with full answers"
        return [{"id": row["id"], "text": text, **outputs.origin(row)}]
    if kind == "graded" and not row["good"]:
        return "a graded answer below the mark from which one is good"
    if kind in ("preference", "text"):
        return f"{kind} rows are not for sft; pass --task {kind}"
    if kind == "classification" and "labels" not in row:
        return "a label of a file that is mixed in: which labels to offer beside it is not told"
    if split == "test":
        return [outputs.scoring(row, args)]
    found = outputs.conversation(row, args)
    return lengths.look(found) or [found]


def _pair_up(prompts: dict, args: Args, tally: Tally, lengths: Lengths, written: Written) -> None:
    """Preference rows of graded answers: pairs within each question, of answers in one split. An answer that is too long is left
    out before, so that the others of its question still meet."""
    for (split, _), graded in prompts.items():
        same = []
        for row, record in graded:
            one = outputs.feedback(row, args, 0)[0]  # as it would be written, with its system turn and thought
            if why := lengths.look_at_answers(one["prompt"], [one["completion"]]):
                tally.reject(record, "rejected", why)
            else:
                same.append((row, record))
        if not same:
            continue
        pairs, unused = outputs.pairs_of_answers([row for row, _ in same], args)
        written.put(pairs, split, same[0][0]["topic"], "preference")
        tally.joined += bool(pairs)
        why = "as good as the chosen answer" if pairs else "no answer to the same question with another mark"
        left = {row["id"] for row in unused}
        for row, record in same:
            if row["id"] in left:
                tally.reject(record, "rejected", why)


# ---------------------------------------------------------------------------------------------- the mix


def mix(first: FirstPass, written: Written, lengths: Lengths) -> None:
    """Add general rows to training until they are the asked share of it.

    They come in the order of a hash and pass what every row passes: cleaning, masking, exact duplicates, the leak check. Rows
    that their own file holds out are not trained on. What that leaves out is listed and counted. Raises UserError where too
    few are left.
    """
    args, tally = first.args, first.tally
    path, _, share = args.mix.rpartition(":")
    wanted = round(written.files["train"].rows * float(share) / (1 - float(share)))
    found = []
    for file in input_files(path):
        source = Source(path, file.shown, file)
        reading = reading_of(source, Args(inputs=[path], roles=args.roles, good_score=args.good_score))
        for record in source.records() if reading else ():
            found += [(record._replace(raw=raw), reading) for raw in rows_of(record.raw, reading)]
    found.sort(key=lambda pair: hashed(json.dumps(pair[0].raw, sort_keys=True, default=str), args.seed))
    taken, rest = 0, iter(found)
    while taken < wanted and (some := list(itertools.islice(rest, max(1, wanted - taken)))):
        told = [t for record, reading in some if (t := first.tell(record, reading))]
        tally.added["added: mixed in"] += len(some)
        for one, leak in zip(told, first.leaks(told, look(told, first.args, first.guard).leaks), strict=True):
            if leak:
                continue
            if RANK[one.split]:
                tally.reject(one.record, "not asked for", f"its own file holds it out, in its {one.split} split")
                continue
            taken += _write_one(with_id(one.row, one.key), one.record, "train", "sft", args, tally, lengths, written)
    if taken < wanted:
        raise UserError(f"mix: {path} has {taken} rows that can be used, a share of {share} needs {wanted}; lower the share")
