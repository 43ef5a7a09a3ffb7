"""The first pass on many processes or machines, by datatrove's executors.

    python data_prep/prepare.py raw --engine datatrove --tasks 8
    python data_prep/prepare.py raw --engine datatrove --tasks 64 --executor slurm \\
        --executor_args '{partition: cpu, time: "4:00:00"}'

What looks at one row alone is split into tasks: reading, conversion, cleaning, masking, language, digests, MinHash signatures,
leaks. What needs all rows runs once, afterwards, in the order read: exact duplicates, near-duplicates, caps, the choice, the
split, the mix, writing. The same files come out, byte for byte, as from the default engine.

Signatures are ours, not datatrove's `MinhashDedup*`: it joins what shares a bucket into clusters without comparing, so that a
chain of small steps, or a question that differs in a dose or a negation, would be erased as one. Here a near-duplicate is
near a row that is kept, and has its figures (`duplicates.py`); that needs 0.6 kB of memory a row, on one machine.

With as many files as tasks, or more, each task reads its own files. With fewer, every task reads all files and works on its
share of the blocks of rows. Tasks find the inputs by their paths, so several machines need a disk that they share; files that
change before all is done are refused.
"""

import base64
import contextlib
import functools
import heapq
import io
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from datatrove import executor
from loguru import logger

from data_prep.common.errors import UserError
from data_prep.common.files import Output, write_text
from data_prep.pipeline.gather import FirstPass, Looked
from data_prep.pipeline.options import Args
from data_prep.pipeline.protect import protected
from data_prep.pipeline.read import Record, sha256
from data_prep.pipeline.sources import Source, find_sources
from data_prep.pipeline.tally import Example, Tally
from data_prep.pipeline.told import LeftOut, Told, look, told_of

ROOT = Path(__file__).resolve().parents[2]
if "SLURM_JOB_ID" not in os.environ:
    logger.disable("datatrove")  # its logs would come to the screen, between our lines
BLOCK = 200  # records
FOLDER = "datatrove"  # in output_dir: rows between the two steps, and datatrove's logs
INPUTS = "inputs.json"


@dataclass
class Batch:
    """BLOCK records of one source, told; one JSON line."""

    source: int
    block: int
    made: list[list]  # [record, Told without it | LeftOut]
    signatures: str  # uint32, base64, of those that are Told
    columns: int  # of the signatures
    leaks: list
    late: dict[str, int]
    cleaned: dict[str, int]
    personal: dict[str, int]
    examples: list[dict]


# ---------------------------------------------------------------------------------------------- in each task


def tell_rows(data, rank: int, world_size: int, *, args: Args, home: str) -> None:
    """datatrove's pipeline step: this task's share of the rows, told, in `datatrove/rows/RANK.jsonl`."""
    os.chdir(home)
    with contextlib.redirect_stdout(io.StringIO()):  # the readings were told before
        sources = find_sources(args)
        check_inputs(args, sources, lambda path, taken: path.stat().st_size == taken.size)
        guard = protected(args)
    out = Output(rows_of(args) / f"{rank:05}.jsonl")
    for number, source in enumerate(sources):
        whole = len(sources) >= world_size
        if not source.has_rows or (whole and number % world_size != rank):
            continue
        records = source.records()
        for block in itertools.count():
            if not (some := list(itertools.islice(records, BLOCK))):
                break
            if whole or block % world_size == rank:
                out.write(vars(_batch(number, block, source, some, args, guard)))
    out.finish()


def _batch(number: int, block: int, source: Source, some: list[Record], args: Args, guard) -> Batch:
    tally = Tally(None, most=sys.maxsize)
    source.late.clear()
    records = [one for record in some for one in source.exploded(record)]
    made = [told_of(record, source.reading, args, tally) for record in records]
    told = [one for one in made if isinstance(one, Told)]
    matrix, leaks = look(told, args, guard)
    return Batch(
        number,
        block,
        [[record, one[1:] if isinstance(one, Told) else one] for record, one in zip(records, made, strict=True)],
        base64.b64encode(matrix.tobytes()).decode(),
        matrix.shape[1],
        leaks,
        dict(source.late),
        dict(tally.cleaned),
        dict(tally.personal),
        [asdict(example) for example in tally.examples],
    )


# ---------------------------------------------------------------------------------------------- afterwards


def told_elsewhere(first: FirstPass, sources: list[Source]) -> Iterator[tuple[Record, Told | LeftOut, Looked | None]]:
    """What the tasks told, in the order read, as `gather.told_here` gives it."""
    check_inputs(first.args, sources, lambda path, taken: sha256(path) == taken.sha256)
    files = sorted(rows_of(first.args).glob("*.jsonl"))
    if len(files) != first.args.tasks:
        raise UserError(f"tasks: {len(files)} of {first.args.tasks} are done; look into {first.args.output_dir}/{FOLDER}")
    for batch in heapq.merge(*map(_batches, files), key=lambda batch: (batch.source, batch.block)):
        first.tally.cleaned.update(batch.cleaned)
        first.tally.personal.update(batch.personal)
        sources[batch.source].late.update(batch.late)
        for example in batch.examples:
            first.tally.keep(Example(**example))
        matrix = np.frombuffer(base64.b64decode(batch.signatures), np.uint32).reshape(-1, batch.columns)
        looks = iter([Looked(*pair) for pair in zip(matrix, batch.leaks, strict=True)])
        first.tally.clock.mark("read")
        for raw, rest in batch.made:
            record = Record(*raw)
            if len(rest) == len(LeftOut._fields):
                yield record, LeftOut(*rest), None
            else:
                yield record, Told(record, *rest), next(looks)


def _batches(path: Path) -> Iterator[Batch]:
    with open(path, "rb") as file:
        for line in file:
            yield Batch(**json.loads(line))


# ---------------------------------------------------------------------------------------------- the executors


def rows_of(args: Args) -> Path:
    return Path(args.output_dir) / FOLDER / "rows"


class Taken(NamedTuple):
    """A file as it was when the tasks were begun."""

    size: int
    sha256: str


def begin(args: Args, sources: list[Source]) -> None:
    """An empty folder for the tasks' rows, and what they are to read: they run hours later where a queue is long."""
    clear(args)
    rows_of(args).mkdir(parents=True)
    taken = {shown: Taken(path.stat().st_size, sha256(path)) for shown, path in _files(args, sources).items()}
    write_text(rows_of(args) / INPUTS, json.dumps(taken))


def check_inputs(args: Args, sources: list[Source], same: Callable[[Path, Taken], bool]) -> None:
    """UserError where the files are not those that were begun with; with one more or less, tasks would share rows wrongly."""
    taken = {shown: Taken(*of) for shown, of in json.loads((rows_of(args) / INPUTS).read_text(encoding="utf-8")).items()}
    files = _files(args, sources)
    if changed := sorted(
        shown
        for shown in taken.keys() | files.keys()
        if shown not in taken or shown not in files or not same(files[shown], taken[shown])
    ):
        raise UserError(f"inputs: {', '.join(changed)} came, went or changed since the tasks were begun; start again")


def _files(args: Args, sources: list[Source]) -> dict[str, Path]:
    return {s.shown: s.file.path for s in sources if s.file} | {name: Path(name) for name in args.eval_files}


def run_tasks(args: Args, sources: list[Source]) -> None:
    """Every task, here (local) or on a Ray cluster; returns when all are done."""
    begin(args, sources)
    step = functools.partial(tell_rows, args=args, home=os.getcwd())
    try:
        if args.executor == "ray":
            import ray

            ray.init(ignore_reinit_error=True)
        _executor(args, step, "tell", args.tasks).run()
    except BaseException:
        clear(args)
        raise


def submit(args: Args, sources: list[Source], finish: Callable[[Args], None]) -> str:
    """Two jobs to Slurm: the tasks, and `finish`, which needs all rows, after them. Returns the number of the second."""
    begin(args, sources)
    home = os.getcwd()
    tasks = _executor(args, functools.partial(tell_rows, args=args, home=home), "tell", args.tasks)
    last = _executor(args, functools.partial(write_rows, args=args, home=home, finish=finish), "write", 1, depends=tasks)
    last.run()
    return last.job_id


def write_rows(data, rank: int, world_size: int, *, args: Args, home: str, finish: Callable[[Args], None]) -> None:
    """datatrove's last step on Slurm: all that needs all rows."""
    os.chdir(home)
    finish(args)


def _executor(args: Args, step, name: str, tasks: int, **more):
    of_all = {"tasks": tasks, "logging_dir": str(Path(args.output_dir, FOLDER, name).resolve()), "skip_completed": False}
    if args.executor == "slurm":
        paths = f"export PYTHONPATH={ROOT}:$PYTHONPATH PATH={Path(sys.executable).parent}:$PATH"
        of_all |= {"env_command": paths, "job_name": f"prepare_{name}"}
        given = dict(args.executor_args)
        # Without it a job that waits for one that failed waits for ever.
        given["sbatch_args"] = {"kill-on-invalid-dep": "yes"} | given.get("sbatch_args", {})
        return executor.SlurmPipelineExecutor([step], **of_all | given | more)
    if args.executor == "ray":
        return executor.RayPipelineExecutor([step], **of_all | dict(args.executor_args))
    workers = min(tasks, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    return executor.LocalPipelineExecutor([step], **of_all | {"workers": workers} | dict(args.executor_args))


def clear(args: Args) -> None:
    """Remove what the tasks wrote; of Slurm's jobs the logs stay."""
    for name in ("rows",) if "SLURM_JOB_ID" in os.environ else ("rows", "tell", "write"):
        shutil.rmtree(Path(args.output_dir, FOLDER, name), ignore_errors=True)
    with contextlib.suppress(OSError):
        Path(args.output_dir, FOLDER).rmdir()
