"""The targets of fuzz.py, led by what their code did not run before (atheris, which is libFuzzer).

    python tests/faults/guided.py "choices.split_stem" --runs 1000000 --corpus folder

Our own modules are instrumented, libraries are not. A text is the bytes that libFuzzer mutates, or pieces that those bytes
choose; any other input is chosen by them. One target a process. atheris is no requirement: pip install atheris.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from fuzz import MEMORY
from fuzz_targets import ROOT, TEXTS, Target, targets


class Led(random.Random):
    """Dice whose falls are the bytes given, then zeros."""

    def __init__(self, data: bytes):
        super().__init__(0)
        self.data, self.at = data, 0

    def getrandbits(self, bits: int) -> int:
        start, self.at = self.at, self.at + (bits + 7) // 8
        return int.from_bytes(self.data[start : self.at], "little") & ((1 << bits) - 1)

    def random(self) -> float:
        return self.getrandbits(8) / 256


def given(target: Target, data: bytes):
    """What a target is tried on for these bytes; the first says whether a text is read from them or chosen by them."""
    if target.make in TEXTS and data[:1] < b"\x80":
        return data[1:4001].decode("utf-8", "replace")
    return target.make(Led(data[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the name of one, as fuzz.py prints it")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most so long, of the clock")
    parser.add_argument("--corpus", help="a folder for inputs that ran new code, kept between runs; else one that goes")
    args = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("guided.py needs atheris, which is not installed: pip install atheris, or fuzz.py, which is not guided")
    rooms = [folder.name for folder in (ROOT / "scripts").iterdir() if folder.is_dir()]
    scripts = [script.stem for script in (ROOT / "scripts").glob("*.py")]
    folder = tempfile.TemporaryDirectory(prefix="guided-", dir=MEMORY)
    with atheris.instrument_imports(include=["data_prep", *rooms, *scripts]):
        target = next((t for t in targets(Path(folder.name)) if t.name == args.target), None)
        if target is None:
            sys.exit(f"there is no target {args.target!r}")
        target.once(random.Random(0))  # what is imported late
    target.tried, until = 0, time.monotonic() + args.seconds

    def one(data: bytes) -> None:
        target.judge(given(target, data))
        if target.tried == args.runs or len(target.failed) == 20 or time.monotonic() > until:
            target.report("guided")
            folder.cleanup()
            os._exit(bool(target.failed))  # libFuzzer would go on

    corpus = Path(args.corpus or Path(folder.name) / "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], "-max_len=400", "-timeout=60", "-verbosity=0", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
