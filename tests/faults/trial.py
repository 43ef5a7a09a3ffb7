"""What every kind of fault has in common: a trial and its verdict, a random moment of a stage, what a stage must keep."""

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from stages import Stage
from warm import started, used

GOOD = ("same", "refused", "told", "changed", "finished")


@dataclass
class Trial:
    """One fault and what came of it."""

    kind: str
    stage: str
    fault: str
    verdict: str  # one of GOOD (finished: before the fault); or what went wrong
    printed: str = ""


@dataclass
class Span:
    """Processor seconds of a stage that is left alone: until its first file, and in all."""

    begin: float = 0.0
    total: float = 0.0

    def moment(self, dice: random.Random) -> float:
        return dice.uniform(self.begin, self.total) if dice.random() < 0.8 else dice.uniform(0, self.begin)

    def part(self, moment: float) -> str:
        return "before" if moment < self.begin else f"{(moment - self.begin) / (self.total - self.begin or 1):.0%} of"


def measured(stage: Stage, inputs: Path, work: Path, warm: bool) -> Span:
    """How much it takes on this machine."""
    span, out = Span(), work / "out"
    process = started(stage.words(inputs, out), work / "printed.txt", warm)
    while process.poll() is None:
        span.total = max(span.total, used(process.pid))
        if not span.begin and any(p.is_file() for p in out.rglob("*")):
            span.begin = span.total
        time.sleep(0.02)
    assert process.wait() == 0, (work / "printed.txt").read_text()[-2000:]
    shutil.rmtree(out)
    print(f"{stage.name}: {span.begin:.1f} of {span.total:.1f} processor seconds before it writes", flush=True)
    return span


def lines_of(path: Path) -> list[bytes]:
    """Whole lines of a file whose every line is confirmed once it is written; [] for none."""
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    return [line for line in lines if line.endswith(b"\n")]
