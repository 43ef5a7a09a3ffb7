"""What parses foreign text, on text that nobody would write: pieces of real forms in any order, repeated, cut and turned.

    python tests/faults/fuzz.py --seconds 60

Good is a result of the kind that is promised, or a UserError (ValueError where the function says so). A failure is any other
error, a result that is none of the options, and a call of more than `SLOW` seconds for at most 4,000 characters: a pattern that
backtracks would hang a score, or let one row stop a run. Not led by coverage: guided.py is.
"""

import argparse
import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a file a trial: on a disk that takes longer than to read it
SLOW = 2.0  # seconds of this process's own time
OPTIONS = {"A": "Dengue", "B": "Amoxicilina 500 mg", "C": "A e B", "D": "Nenhuma das anteriores"}
PIECES = (
    "A|B|C|D|E|a|b|(A)|[B]|**C**|A)|B.|A:|Resposta|resposta correta|Answer|answer is|letra|option|alternativa|é|is|not|não|"
    "porque|,|.|;|:|\n|\n\n| |  |\t|\\boxed{|}|<think>|</think>|{|}|[|]|(|)|\"|'|`|```json|<b>|</b>|<p|&amp;|&#x41;|<!--|"
    "-->|<script>|Dengue|Amoxicilina|500 mg|Nenhuma das|0|1|12|3.5|9,9|-|–|%|mg/dL|CPF|529.982.247-25|123|4567|"
    "11 98765-4321|@|x@y.org|http://|www.|Dr.|Dra.|Sr.|Maria|da|Silva|de|DR|PACIENTE|nascido em|1/2/1990|rua|Rua|10.0.0.1|"
    "::|prontuário|I cannot|não posso|desculpe|como IA|null|true|NaN|\u0000|\u202e|\ud800|\ufeff|\u00a0|é|ß|İ|𝕏|👍|日本|ق|"
).split("|")
KEYS = (
    "id task question text options answer labels label conversations from value messages role content prompt chosen "
    "rejected completion"
).split()


def soup(dice: random.Random) -> str:
    """Pieces in any order, mostly fewer than 300 characters; now and then some of them very often."""
    text = "".join([dice.choice(PIECES) for _ in range(dice.choice((1, 3, 8, 20, 60)))])
    if dice.random() < 0.05:
        text = (text[: dice.randrange(1, 12)] or "a") * dice.choice((20, 60, 300)) + text
    if dice.random() < 0.2 and text:
        at = dice.randrange(len(text))
        text = text[:at] + chr(dice.randrange(1, 0x3000)) + text[at + dice.randrange(3) :]
    return text[:4000]


def value(dice: random.Random, deep: int = 0):
    """A JSON value with the keys of our rows."""
    kind = dice.randrange(9 if deep < 4 else 6)
    if kind < 6:
        return (soup(dice)[:80], dice.choice(KEYS), dice.randrange(-9, 9), None, dice.random() < 0.5, 1e300)[kind]
    if kind == 6:
        return [value(dice, deep + 1) for _ in range(dice.randrange(4))]
    return {dice.choice([*KEYS, "A", "B"]): value(dice, deep + 1) for _ in range(dice.randrange(6))}


TEXTS = (soup,)  # makers of texts, which any bytes can be in their place


@dataclass
class Target:
    """A function of what `make` gives, which raises only what is allowed and whose result `fits`."""

    name: str
    call: Callable
    make: Callable = soup
    fits: Callable = lambda given, found: True
    allowed: tuple = ()
    tried: int = 0
    failed: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def once(self, dice: random.Random) -> None:
        self.judge(self.make(dice))

    def judge(self, given) -> None:
        why, spent = self._try(given)
        if spent > SLOW:  # a first import, or a collection of garbage among a whole test run's objects, is slow once
            spent = min(spent, self._try(given)[1])
        self.tried, self.slowest = self.tried + 1, max(self.slowest, spent)
        if why or spent > SLOW:
            self.failed.append(f"{why or f'{spent:.1f} s'} for {given!r:.300}")

    def report(self, how: str) -> None:
        print(f"| {self.name} | {self.tried} | {how} | {self.slowest:.2f} s | {len(self.failed)} |", flush=True)
        for what in self.failed[:5]:
            print(f"  FAILED {what}", flush=True)

    def _try(self, given: str) -> tuple[str, float]:
        """What is wrong with the answer to this text, and the processor seconds it took."""
        start, why = time.process_time(), ""
        try:
            with redirect_stdout(io.StringIO()):
                found = self.call(given)
            why = "" if self.fits(given, found) else f"gives {found!r:.80}"
        except self.allowed:
            pass
        except Exception as error:
            why = f"{type(error).__name__}: {error}"[:160]
        return why, time.process_time() - start


def targets(folder: Path) -> list[Target]:
    import sft
    from annotation.sources import names_pattern, shown
    from chain.recipe import load
    from common.files import read_rows
    from llamacpp.proxy import host_of, parsed
    from scoring import answers, judge, refusals, tasks

    from data_prep import clean, values
    from data_prep.errors import UserError
    from data_prep.html_text import html_to_text
    from data_prep.privacy import TYPES, find, mask
    from data_prep.read import file_records, input_files

    path, jsonl, names = folder / "recipe.yaml", folder / "rows.jsonl", names_pattern([])

    def recipe(text: str):
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        return load(folder)

    def written(text: str) -> Path:
        jsonl.write_bytes(text.encode("utf-8", "surrogatepass"))
        return jsonl

    def records(text: str) -> list:
        written(text)
        return [record for file in input_files(str(jsonl)) for record in file_records(file)]

    def row(dice: random.Random) -> dict:
        return {dice.choice(KEYS): value(dice, 1) for _ in range(dice.randrange(7))}

    def some_lines(dice: random.Random) -> str:
        made = [json.dumps(row(dice)) if dice.random() < 0.7 else soup(dice) for _ in range(dice.randrange(1, 4))]
        return "\n".join(made)

    problems = lambda given, found: isinstance(found, list) and all(isinstance(p, str) for p in found)  # noqa: E731
    return [
        Target("answers.extract", lambda t: answers.extract(t, OPTIONS), fits=lambda _, f: f is None or f in OPTIONS),
        Target("answers.capitulo_letter", answers.capitulo_letter, fits=lambda _, f: f is None or f in "ABCDE"),
        Target("refusals.declined", refusals.declined),
        Target("judge.read_object", judge.read_object, fits=lambda _, f: f is None or isinstance(f, dict)),
        Target("privacy.mask", lambda t: mask(t, {}, TYPES), fits=lambda t, f: bool(find(t)) or f == t),
        Target("clean.clean_text", lambda t: clean.clean_text(t, list(clean.NAMES))),
        Target("html_to_text", html_to_text),
        Target("values.split_stem", values.split_stem, allowed=(ValueError,)),
        Target("values.options_of", values.options_of, value, allowed=(ValueError,)),
        Target("sft.check_row", sft.check_row, row, problems),
        Target("tasks.check_row", tasks.check_row, row, problems),
        Target("read_rows", lambda t: read_rows(written(t), tasks.check_row), some_lines, allowed=(UserError,)),
        Target("prepare's records", records, some_lines, allowed=(UserError,)),
        Target("recipe.load", recipe, allowed=(UserError,)),
        Target("proxy.parsed", lambda t: parsed(t.encode("utf-8", "surrogatepass")), allowed=(ValueError,)),
        Target("proxy.host_of", host_of),
        Target("annotation shown", lambda t: shown(t, names, "?")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="a target, of the clock")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="targets whose name holds this")
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as folder:
        for target in [t for t in targets(Path(folder)) if args.only in t.name]:
            end = time.monotonic() + args.seconds
            while time.monotonic() < end and len(target.failed) < 20:
                target.once(random.Random(f"{args.seed} {target.name} {target.tried}"))
            target.report("by chance")
            failed += len(target.failed)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
