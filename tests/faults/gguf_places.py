"""A GGUF file damaged in place, by what stands there: keys, values, tokens, tensors' names, shapes, types, places, weights.

    python tests/faults/gguf_places.py x.gguf --trials 300 --stages evaluate,serve

Each trial turns a bit, or writes zeros, ones or chance, at one place; runs evaluate.py (or serve.py, and asks it once) in a fork
of this process; and puts the bytes back. Good is one error that names the file, or an answer: nothing in a GGUF tells that
a number in it is another than it was. Bad is a traceback, an end by a signal without a word, a server that hangs.
"""

import argparse
import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from stages import ROOT, classification_rows
from warm import Forked, alive_in, wait_until

PATIENCE = 120  # seconds
GOOD = ("answered", "refused", "said no")


@dataclass(frozen=True)
class Place:
    """Bytes of one kind in a GGUF."""

    kind: str
    name: str
    begin: int
    end: int


def places_of(path: Path) -> dict[str, list[Place]]:
    """Every place of a header by kind, and where the weights lie."""
    from llamacpp.files import LIST, TEXT, HeaderReader, read_header

    found: dict[str, list[Place]] = {}

    def note(kind: str, name: str, begin: int, end: int) -> None:
        found.setdefault(kind, []).append(Place(kind, name, begin, end))

    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = HeaderReader(data)
        tensors, fields = reader.counts()
        note("counts", "of tensors and fields", 4, reader.at)
        for _ in range(fields):
            begin, name = reader.at, reader.text()
            note("key", name, begin, reader.at)
            note("type of a value", name, reader.at, reader.at + 4)
            kind, begin = reader.number("I"), reader.at
            reader.value(kind)
            what = "list" if kind == LIST else "text" if kind == TEXT else "number"
            note("length of a list" if kind == LIST else what, name, begin, begin + 12 if kind == LIST else reader.at)
            if kind == LIST:
                note("tokenizer list", name, begin + 12, reader.at)
        for _ in range(tensors):
            begin, name = reader.at, reader.text()
            note("name of a tensor", name, begin, reader.at)
            begin, count = reader.at, reader.number("I")
            reader.at += 8 * count
            note("shape of a tensor", name, begin, reader.at)
            note("type of a tensor", name, reader.at, reader.at + 4)
            note("place of a tensor", name, reader.at + 4, reader.at + 12)
            reader.at += 12
    for tensor in read_header(path).tensors:
        note("weights", tensor.name, tensor.offset, tensor.offset + tensor.layout()[1])
    return found


def damaged(path: Path, places: dict[str, list[Place]], dice: random.Random) -> tuple[str, int, bytes]:
    """Damage one place; what was done, where, and the bytes that stood there."""
    place = dice.choice(places[dice.choice(sorted(places))])
    size = min(place.end - place.begin, dice.choice((1, 4, 8, 64, 4096)))
    at = place.begin + dice.randrange(place.end - place.begin - size + 1)
    with open(path, "r+b") as file:
        file.seek(at)
        before = file.read(size)
        way = dice.choice(("bit", "bit", "zeros", "ones", "chance"))
        spot = dice.randrange(size)
        after = {
            "bit": before[:spot] + bytes([before[spot] ^ 1 << dice.randrange(8)]) + before[spot + 1 :],
            "zeros": bytes(size),
            "ones": b"\xff" * size,
            "chance": dice.randbytes(size),
        }[way]
        file.seek(at)
        file.write(after)
    return f"{place.kind}, {place.name}: {way} at {at - place.begin} of {place.end - place.begin}, {size} bytes", at, before


def scored(path: Path, work: Path) -> tuple[str, str]:
    """Verdict of evaluate.py, and what it printed."""
    words = ["scripts/evaluate.py", "--model", str(path), "--data", str(work / "test.jsonl"), "--output_dir", str(work / "out")]
    return ended(Forked([*words, "--max_length", "512"], work / "printed.txt"), path, work)


def served(path: Path, work: Path) -> tuple[str, str]:
    """Verdict of serve.py: it refuses, or answers one question (or says that it cannot) and ends."""
    printed = work / "printed.txt"
    printed.write_text("")
    process = Forked(["scripts/serve.py", "--model", str(path), "--port", "0", "--num_ctx", "256"], printed)
    wait_until(lambda: process.poll() is not None or "Ctrl-C" in printed.read_text(errors="replace"), PATIENCE)
    if process.poll() is not None:
        return ended(process, path, work)
    said = printed.read_text(errors="replace")
    if "chat page: " not in said:
        return ended(process, path, work)
    url = said.split("chat page: ")[1].split()[0]
    body = json.dumps({"messages": [{"role": "user", "content": "What is 2+2?"}], "max_tokens": 4}).encode()
    call = urllib.request.Request(url + "/v1/chat/completions", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(call, timeout=PATIENCE) as answer:
            told = f"answered {answer.status}"
    except OSError as error:
        told = f"{type(error).__name__}: {error}"
    if not wait_until(lambda: process.poll() is not None, 1):
        process.send_signal(signal.SIGINT)
    verdict, said = ended(process, path, work)
    if verdict == "answered" and not told.startswith("answered"):
        verdict = "said no" if told.startswith("HTTPError") else f"no answer: {told}"  # llama.cpp says what is wrong
    return verdict, said + told


def ended(process: Forked, path: Path, work: Path) -> tuple[str, str]:
    """How it ended."""
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        code = None
    for pid in alive_in(process.pid):
        os.kill(pid, signal.SIGKILL)
    if code is None:
        process.wait()
    said = (work / "printed.txt").read_text(errors="replace")
    if code is None:
        return "hung", said
    if "Traceback" in said:
        return "traceback", said
    if code < 0 or code > 128:
        return f"ended by {signal.Signals(-code if code < 0 else code - 128).name}", said
    return ("answered" if code == 0 else "refused" if path.name in said else "the error names no file"), said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", help="a small GGUF with a chat template")
    parser.add_argument("--trials", type=int, default=200, help="a stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", default="evaluate,serve")
    args = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
    os.environ["OMP_NUM_THREADS"] = "1"
    os.chdir(ROOT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import cyllama.llama.llama_cpp, scipy.stats, sklearn.metrics, transformers.utils.chat_template_utils, xllamacpp  # noqa: E401, F401, I001

    log = ROOT / "runs" / "faults" / "gguf.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="gguf-")  # a TemporaryDirectory would be removed by the first fork that ends
    try:
        path, work, bad = Path(folder) / "damaged.gguf", Path(folder) / "work", 0
        path.write_bytes(Path(args.gguf).read_bytes())
        places = places_of(path)
        for stage in args.stages.split(","):
            found: Counter = Counter()
            for number in range(args.trials):
                work.mkdir()
                (work / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in classification_rows(4)))
                what, at, before = damaged(path, places, random.Random(f"{args.seed} {stage} {number}"))
                verdict, said = {"evaluate": scored, "serve": served}[stage](path, work)
                with open(path, "r+b") as file:
                    file.seek(at)
                    file.write(before)
                shutil.rmtree(work)
                found[verdict] += 1
                if verdict not in GOOD:
                    bad += 1
                    print(f"{number} {what}: {verdict} {said[-300:]!r}", flush=True)
                with open(log, "a", encoding="utf-8") as file:
                    record = {
                        "stage": stage,
                        "seed": f"{args.seed} {number}",
                        "fault": what,
                        "verdict": verdict,
                        "printed": said[-2000:],
                    }
                    file.write(json.dumps(record) + "\n")
            print(stage, dict(found), flush=True)
    finally:
        shutil.rmtree(folder)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
