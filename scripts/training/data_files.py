"""Training rows from one file or several: each file by its weight, or streamed where a file is larger than memory.

Importing this file imports no torch.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from common.errors import UserError
from common.files import each_row, read_rows, refuse_problems
from common.paths import named_twice
from common.synthetic import synthetic_rows

WINDOW = 256  # chunks among which a stream is mixed


class Read(NamedTuple):
    """The rows of all files."""

    rows: list[dict]
    """empty where the files are streamed"""
    taken: dict[str, int]
    """file -> rows read of it, a row that is read twice counted twice; empty for one file without a weight"""
    count: int
    """of the rows, a row that is read twice counted twice"""
    synthetic: dict[str, int]
    """generator -> how many of them it wrote"""


def files_of(data: list[str] | str | None) -> list[str]:
    """The files that a `data` argument names."""
    return [data] if isinstance(data, str) else list(data or [])


def problems(args) -> list[str]:
    """What is wrong with `data` and `data_weights`, found without opening a file."""
    files, weights = files_of(args.data), args.data_weights
    found = [f"data: {path} stands twice; to read a file twice pass --data_weights" for path in named_twice(files)]
    if weights and len(weights) != len(files):
        found.append(f"data_weights: {len(weights)} for {len(files)} files of data; pass one a file")
    if not all(0 < weight < math.inf for weight in weights):
        found.append("data_weights: must be above 0; leave a file out instead")
    return found


def read(args, check: Callable[[dict], list[str]]) -> Read:
    """The rows of `args.data`, a file's as often as its weight says, and a line for each of several files.

    A weight of 2 reads every row twice an epoch, 0.5 the same half of the rows in each, drawn by the seed; 1.5 both. A row
    without an id is named by its file and number. Raises UserError with the problems of all files.
    """
    files, weights = files_of(args.data), args.data_weights or [1.0] * len(files_of(args.data))
    if len(files) == 1 and weights == [1.0]:
        rows = read_rows(files[0], check)
        return Read(rows, {}, len(rows), synthetic_rows(rows))
    rows, taken, wrong = [], {}, []
    for path, weight in zip(files, weights, strict=True):
        try:
            of = [{"id": f"{path}:{number}", **row} for number, row in enumerate(read_rows(path, check), 1)]
        except UserError as error:
            wrong += error.problems
            continue
        drawn = random.Random(args.seed).sample(range(len(of)), round(weight % 1 * len(of)))
        chosen = of * int(weight) + [of[i] for i in sorted(drawn)]
        if not chosen:
            wrong.append(f"data_weights: {weight:g} of the {len(of)} rows of {path} is none; raise it, or leave the file out")
        rows, taken[path] = rows + chosen, len(chosen)
        print(f"data:  {path}, {len(of)} rows, weight {weight:g}: {len(chosen)} are read an epoch")
    if wrong:
        raise UserError(wrong)
    return Read(rows, taken, len(rows), synthetic_rows(rows))


TAUGHT = ("conversations", "prompt", "chosen", "rejected", "completion", "label", "text", "question", "answer")


def _content(row: dict) -> str:
    """What a row teaches, without its id and where it comes from."""
    return json.dumps({key: row[key] for key in TAUGHT if key in row}, sort_keys=True)


def trained_too(rows: list[dict], held_out: list[dict], path: str | None) -> list[str]:
    """A warning where held-out rows are trained on: their figures then say nothing of others, and stop nothing early."""
    known = set(map(_content, rows)) if held_out else set()
    twice = [row for row in held_out if _content(row) in known]
    if not twice:
        return []
    first = f"the first: {twice[0].get('id', 'no id')}"
    return [
        f"warning: {len(twice)} of the {len(held_out)} rows of {path} are trained on, too ({first}); the held-out figures say "
        "little of other rows: prepare.py holds rows out"
    ]


def lack_thoughts(rows: list[dict]) -> bool:
    """Whether rows that hold answers hold no thought in any."""
    answers = [row for row in rows if {"conversations", "chosen", "completion"} & row.keys()]
    return bool(answers) and not any("<think>" in _content(row) for row in answers)


def count(files: list[str], check: Callable[[dict], list[str]]) -> Read:
    """The rows counted, each of them looked at and none kept; UserError as in `read`."""
    rows, wrong, synthetic = 0, [], Counter()
    for path in files:
        before = rows
        for row, found in each_row(path, check):
            rows += 1
            wrong += found
            synthetic += synthetic_rows([row] if isinstance(row, dict) else [])
        wrong += [f"{path}: holds no rows"] if rows == before else []
    refuse_problems(wrong)
    return Read([], {}, rows, synthetic)


def chunks(files: tuple[str, ...], encode: Callable[[dict], list[int]], max_length: int) -> Iterator[dict]:
    """Rows joined and cut into chunks of max_length tokens, all of them trained, again and again from the start.

    Endless, because transformers resumes a stream by passing over the batches that were trained: at an end it would stop.
    """
    left: list[int] = []
    for number in range(1, 10**9):
        if number == 2:
            print("data:  all rows were read; they are read again from the start")
        for path in files:
            for row, _ in each_row(path):
                left += encode(row)
                full = len(left) - len(left) % max_length
                for at in range(0, full, max_length):
                    chunk = left[at : at + max_length]
                    yield {"input_ids": chunk, "labels": chunk}
                left = left[full:]


def stream(files: list[str], encode: Callable[[dict], list[int]], max_length: int, seed: int):
    """`chunks` as a dataset for TRL, mixed within a window."""
    from datasets import Features, IterableDataset, List, Value

    ids = List(Value("int64"))
    # A tuple: datasets would take a list for shards, and mix their order.
    given = {"files": tuple(files), "encode": encode, "max_length": max_length}
    made = IterableDataset.from_generator(chunks, Features({"input_ids": ids, "labels": ids}), gen_kwargs=given)
    return made.shuffle(seed, buffer_size=WINDOW)
