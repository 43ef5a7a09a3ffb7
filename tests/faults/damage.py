"""Files damaged by the thousand, read in this process: what needs no model, so that many places can be tried.

    python tests/faults/damage.py --places 200

Every file that a script of ours reads by itself is cut, emptied, zeroed, has a bit turned, two pieces swapped, one put in
twice, or (JSON) a key taken out, at random places. Good is the same result, or one error (UserError) that names the file or its
folder. Where the damage stands in the content itself (a letter of a text, a digit, a key that nobody needs), another result is
right: `changed` counts those, for nobody could tell. Anything else is a failure: another kind of error, an error that names no
file, another result after a cut.
"""

import argparse
import csv
import gzip
import io
import json
import random
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
WAYS = ("cut", "flip", "flip", "flip near the start", "swap", "twice", "empty", "zeros", "lacks a key", "lacks a key")
GOOD = ("same", "refused", "changed")


@dataclass(frozen=True)
class Reader:
    """A file that is read: `make(folder)` writes all that is needed and returns the path to be damaged."""

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    cut: str = "never whole"
    """`rows`: a cut between two rows leaves a whole file of fewer rows; `anywhere`: one in a line does, too"""


def damage(content: bytes, dice: random.Random) -> tuple[str, bytes]:
    """What was done, and the content after it."""
    way, n = dice.choice(WAYS), len(content)
    at, other = dice.randrange(n), dice.randrange(n)
    if way == "cut":
        return f"cut at byte {at} of {n}", content[:at]
    if way == "empty":
        return way, b""
    if way == "lacks a key":
        return without_a_key(content, dice)
    if way == "zeros":  # what some file systems leave after a power cut
        return way, bytes(n)
    if way in ("swap", "twice"):
        size = dice.choice((1, 8, 64))
        one, two = content[at : at + size], content[other : other + size]
        put = content[:at] + two + content[at + size :] if way == "swap" else content[:at] + one + content[at:]
        return f"{way}: {size} bytes at {at} and {other} of {n}", put
    at = at if way == "flip" else dice.randrange(min(n, 64))
    return f"bit turned in byte {at} of {n}", content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :]


def without_a_key(content: bytes, dice: random.Random) -> tuple[str, bytes]:
    """JSON, or the lines of JSONL, without one key of one of the objects in it; nothing is done to other files."""
    try:
        whole = content.decode()
        lines = whole.splitlines(keepends=True) if whole.startswith("{") and whole.count("\n{") else [whole]
        at = dice.randrange(len(lines))
        value, objects = json.loads(lines[at]), []
        todo = [value]
        while todo:
            one = todo.pop()
            objects += [one] if isinstance(one, dict) and one else []
            todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
        of = dice.choice(objects)
        del of[key := dice.choice(list(of))]
    except (ValueError, IndexError):  # UnicodeDecodeError is a ValueError
        return "nothing", content
    lines[at] = json.dumps(value, ensure_ascii=False) + "\n"
    return f"{key} taken out of line {at + 1}", "".join(lines).encode()


def outcome(read: Callable, path: Path, alone: str, what: str, cut: str, after: bytes) -> str:
    from data_prep.common.errors import UserError

    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            found = repr(read(path))
    except UserError as error:
        return "refused" if path.name in str(error) or path.parent.name in str(error) else f"names no file: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:160]}"
    if found == alone:
        return "same"
    shorter = what.startswith("cut") and (cut == "anywhere" or (cut == "rows" and after.endswith((b"\n", b"}"))))
    return "changed" if shorter or not what.startswith(("cut", "empty", "zeros")) else "another result"


def campaign(reader: Reader, places: int, seed: int, folder: Path) -> Counter:
    """Verdicts of so many damages; what failed is a key of its own, with what was done."""
    found: Counter = Counter()
    path = reader.make(folder)
    content = path.read_bytes()
    with redirect_stdout(io.StringIO()):
        alone = repr(reader.read(path))
    kept = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for number in range(places):
        dice = random.Random(f"{seed} {reader.name} {number}")
        what, after = damage(content, dice)
        if after == content:
            continue
        for p in [p for p in folder.rglob("*") if p.is_file() and p not in kept]:
            p.unlink()
        for p, c in kept.items():
            if not p.is_file() or p.read_bytes() != c:
                p.write_bytes(c)
        path.write_bytes(after)
        verdict = outcome(reader.read, path, alone, what, reader.cut, after)
        found[verdict if verdict in GOOD else f"{what}: {verdict}"] += 1
    return found


# ---------------------------------------------------------------------------------------------- what is read


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def lines(path: Path, rows: list[dict]) -> Path:
    return text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def questions(n: int = 12) -> list[dict]:
    return [{"question": f"Questão {i}: qual é a dose?", "answer": f"A dose número {i} é {i * 7} mg."} for i in range(n)]


def make_rows(folder: Path) -> Path:
    turns = [
        {"from": "human", "value": "Olá, doutora: qual é a dose usual deste remédio em adultos com febre?"},
        {"from": "gpt", "value": "Em adultos, a dose usual é de meio grama a um grama, de seis em seis horas."},
    ]
    return lines(folder / "train.jsonl", [{"id": f"r{i}", "conversations": turns} for i in range(8)])


def read_sft_rows(path: Path):
    import sft
    from common.files import read_rows

    return read_rows(path, sft.check_row)


def make_settings(folder: Path) -> Path:
    (folder / "checkpoint-2").mkdir()
    return text(folder / "settings.json", json.dumps({"learning_rate": 0.0002, "model": "models/tiny", "seed": 3407}, indent=2))


def read_settings(path: Path):
    from common.runs import start_run

    @dataclass
    class Args:
        learning_rate: float = 0.0002
        model: str = "models/tiny"
        seed: int = 3407

    start_run(Args(), path.parent)
    return "goes on"


def make_evaluations(folder: Path, damaged: str) -> Path:
    from common.files import write_json
    from scoring.predictions import Prediction
    from scoring.summary import summary

    for name, right in (("one", 5), ("two", 7)):
        rows = [
            {"id": f"q{i}", "prompt": f"{i}?", "gold": "A", "prediction": "A" if i < right else "B", "options": ["A", "B"]}
            | {"correct": i < right, "scores": {"A": -0.4, "B": -1.2}, "topic": f"t{i % 2}", "option_mass": 0.9}
            for i in range(10)
        ]
        lines(folder / name / "predictions.jsonl", rows)
        found = summary([Prediction(**row) for row in rows], "mcq", "letter").as_json()
        rule = {"name": "longest option", "predicted": {"A": 10}} | {k: found[k] for k in ("n", "n_correct", "accuracy")}
        rule |= {k: found[k] for k in ("accuracy_ci95", "chance", "majority_class", "n_invalid")}
        kept = ("id", "prediction", "gold", "correct", "options")
        lines(folder / name / "baselines.jsonl", [{"baseline": rule["name"]} | {k: row[k] for k in kept} for row in rows])
        said = {"task": "mcq", "protocol": "letter", "data_sha256": "1f", "model": name, "precision": "float32"}
        write_json(folder / name / "metrics.json", found | said | {"baselines": [rule]})
    return folder / "two" / damaged


def read_compared(path: Path):
    """All that compare.py does with them, and what evaluate.py shows of them again."""
    import compare
    from reporting.language import Language
    from reporting.pages import render
    from scoring import comparing, evaluations, results, scores, summary

    say = Language()
    found = evaluations.read_evaluations([str(path.parent.parent / "one"), str(path.parent)], [], [])
    result = comparing.compare(found, comparing.Settings(0.05, 0.02, 100, 1))
    for c in result.comparisons:
        c.sentence = compare.sentences.sentence(c, result.kind, result.confidence, say)
    for c in result.against_baselines:
        c.sentence = compare.sentences.against_baseline(c, result.confidence, say)
    summary.show(scores.read(path.parent))
    return json.dumps(results.to_json(result, [], [])), render(compare.page_of(result, 5, say), say, "md")


def make_votes(folder: Path) -> Path:
    import sqlite3

    from annotation.sources import Answer, Material, Question
    from annotation.store import Store

    asked = [Question(f"q{i}", [{"role": "user", "content": f"Pergunta {i}?"}], "", "pt") for i in range(6)]
    store = Store(folder)
    answers = [Answer(q.name, system, f"{system} diz {q.name}") for q in asked for system in "ab"]
    store.create(Material(asked, answers, False), "pairs", {}, 1.0, 1)
    token = store.add_raters(["Ana"], {}, "pt", 1)["Ana"]
    rater = store.rater(token)
    for _ in range(4):
        task = store.task(rater)
        store.record(rater, task, {"preferred": task.answers[0][0]})
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    text(folder / "links.txt", "Ana\thttp://127.0.0.1/r/x\n")
    return store.path


def read_votes(path: Path):
    from annotation.store import Store

    store = Store(path.parent)
    return store.settings(), store.votes(), store.answers(), store.questions(), store.counts()


RECIPE = """title: Um teste
variables:
  model: models/tiny
  flags: --limit 4
rehearsal: {model: models/other}
stages:
  - name: score
    command: python scripts/evaluate.py --model {model} --data data/x.jsonl --output_dir {out}/eval {flags}
    outputs: ["{out}/eval"]
  - name: compare
    when: "{flags}"
    command: python scripts/compare.py {out}/eval {out}/eval --output_dir {out}/comparison
    inputs: ["{out}/eval"]
    outputs: ["{out}/comparison"]
"""


def read_recipe(path: Path):
    from chain.recipe import read

    return read(path.parent, path.parent / "out")


def make_manifest(folder: Path) -> Path:
    mark = {"command": "python x", "code": "1f", "packages": {"torch": "2"}, "inputs": {"a": "2e"}}
    stage = {"name": "sft", **mark, "seconds": 3.0, "peak_memory_gb": 1.0, "energy_wh": None, "outputs": {"b": "3d"}}
    return text(
        folder / "manifest.json", json.dumps({"title": "t", "hub": {"a/b": "c0"}, "chosen": {}, "stages": [stage] * 2}, indent=2)
    )


def read_manifest(path: Path):
    from chain.records import read_manifest

    return read_manifest(path)


def make_config(folder: Path) -> Path:
    return text(
        folder / "sft.yaml",
        "# uma configuração\nmodel: models/x\nlora_r: 8\nlearning_rate: 2e-4\ntrainer: {max_grad_norm: 0.3}\n",
    )


def read_config(path: Path):
    import sft
    from common.arguments import parse_args

    unchecked = type("Args", (sft.Args,), {"problems": lambda self: [], "__module__": sft.__name__, "__doc__": ""})
    return parse_args(unchecked, "", ["--config", str(path)])


def make_adapter(folder: Path, damaged: str) -> Path:
    import numpy
    from safetensors.numpy import save_file

    text(folder / "config.json", json.dumps({"model_type": "qwen3", "hidden_size": 8}))
    text(folder / "tokenizer.json", json.dumps({"model": {"vocab": {"a": 0}}}))
    text(folder / "adapter_config.json", json.dumps({"base_model_name_or_path": str(folder), "peft_type": "LORA", "r": 8}))
    save_file({f"w{i}": numpy.arange(16, dtype="float32") for i in range(4)}, folder / "adapter_model.safetensors")
    return folder / damaged


def read_adapter(path: Path):
    from common.models import check_model_name

    from data_prep.common.errors import UserError

    if problems := check_model_name(str(path.parent)):
        raise UserError(problems)
    return "whole"


def make_checkpoint(folder: Path, damaged: str) -> Path:
    for step in (2, 4):
        here = folder / f"checkpoint-{step}"
        here.mkdir()
        make_adapter(here, "config.json")
        text(here / "trainer_state.json", json.dumps({"global_step": step}))
        with zipfile.ZipFile(here / "optimizer.pt", "w") as archive:
            archive.writestr("data.pkl", bytes(range(200)))
    return folder / "checkpoint-4" / damaged


def read_checkpoint(path: Path):
    """The older checkpoint is a good answer to a damaged newer one."""
    from training.checkpoints import last

    assert last(path.parent.parent) in (path.parent, path.parent.parent / "checkpoint-2")
    return "goes on"


def make_gguf(folder: Path) -> Path:
    import gguf
    import numpy

    path = folder / "x.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_chat_template("{{ messages }}")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "ç"])
    writer.add_array("tokenizer.ggml.scores", [0.5, 1.0, 2.0])
    writer.add_tensor("token_embd.weight", numpy.zeros((4, 32), numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read_gguf(path: Path):
    """Its callers turn ValueError and OSError, which read_header says it raises, into their own errors."""
    from llamacpp.files import read_header

    from data_prep.common.errors import UserError

    try:
        return read_header(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{path.name}: {error}") from None


def make_table(folder: Path, ending: str) -> Path:
    """Raw rows for prepare.py, in one of the formats that it reads."""
    import pyarrow
    import pyarrow.parquet

    path, some = folder / f"raw.{ending}", questions()
    if ending in ("jsonl", "jsonl.gz", "zip"):
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some).encode()
        if ending == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("inner.jsonl", content)
        else:
            path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    elif ending == "json":
        text(path, json.dumps(some, ensure_ascii=False))
    elif ending == "csv":
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["question", "answer"])
            writer.writeheader()
            writer.writerows(some)
    elif ending == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(some), path)
    elif ending == "arrow":
        table = pyarrow.Table.from_pylist(some)
        with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    elif ending == "xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        for row in [("question", "answer"), *((r["question"], r["answer"]) for r in some)]:
            book.active.append(row)
        book.save(path)
    elif ending == "docx":
        import docx

        document = docx.Document()
        for row in some:
            document.add_paragraph(row["question"] + " " + row["answer"])
        document.save(path)
    return path


def read_table(path: Path):
    from data_prep.pipeline.options import Args
    from data_prep.prepare import prepare

    options = {"shape": "text", "fields": {"text": "text"}} if path.suffix == ".docx" else {}
    out = path.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            prepare(Args(inputs=[str(path)], output_dir=str(out), html_report=False, near_duplicates="off", **options))
        return sorted(p.read_text(encoding="utf-8") for p in out.glob("t*.jsonl"))
    finally:
        shutil.rmtree(out, ignore_errors=True)


TABLES = ("jsonl", "jsonl.gz", "json", "csv", "zip", "parquet", "arrow", "xlsx", "docx")
LOOSE = ("jsonl", "csv")  # a row that is cut short is a reject, or a shorter text
ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json")
CHECKPOINT = ("trainer_state.json", "optimizer.pt", "adapter_model.safetensors")
READERS = [
    Reader("rows of sft.py", make_rows, read_sft_rows, cut="rows"),
    Reader("settings.json", make_settings, read_settings),
    Reader("metrics.json", lambda f: make_evaluations(f, "metrics.json"), read_compared),
    Reader("predictions.jsonl", lambda f: make_evaluations(f, "predictions.jsonl"), read_compared),
    Reader("baselines.jsonl", lambda f: make_evaluations(f, "baselines.jsonl"), read_compared),
    Reader("votes.sqlite", make_votes, read_votes),
    Reader("recipe.yaml", lambda f: text(f / "mine" / "recipe.yaml", RECIPE), read_recipe, cut="anywhere"),
    Reader("manifest.json", make_manifest, read_manifest),
    Reader("--config", make_config, read_config, cut="anywhere"),
    *(Reader(n, lambda f, n=n: make_adapter(f, n), read_adapter) for n in ADAPTER),
    *(Reader(f"checkpoint/{n}", lambda f, n=n: make_checkpoint(f, n), read_checkpoint) for n in CHECKPOINT),
    Reader("GGUF header", make_gguf, read_gguf),
    *(Reader(f"raw .{e}", lambda f, e=e: make_table(f, e), read_table, "anywhere" if e in LOOSE else "rows") for e in TABLES),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=200, help="damages a file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="readers whose name holds this")
    args = parser.parse_args()
    failed = 0
    print("| file | tried | same | refused | changed | failed |\n|---|---|---|---|---|---|")
    for reader in [r for r in READERS if args.only in r.name]:
        with tempfile.TemporaryDirectory(prefix="damage-") as folder:
            found = campaign(reader, args.places, args.seed, Path(folder))
        bad = {k: n for k, n in found.items() if k not in GOOD}
        failed += sum(bad.values())
        print(
            f"| {reader.name} | {sum(found.values())} | {' | '.join(str(found[k]) for k in GOOD)} | {sum(bad.values())} |",
            flush=True,
        )
        for what in bad:
            print(f"  FAILED {what}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
