"""Run a recipe: its stages in order, each one command that could be pasted into a terminal; finished ones are skipped.

    python scripts/run_recipe.py recipes/quickstart --output_dir runs/quickstart
    python scripts/run_recipe.py recipes/quickstart --dry_run         # which stages would run, why, what they need, how long
    python scripts/run_recipe.py recipes/quickstart --from_stage sft  # this one and all after it, again
    python scripts/run_recipe.py recipes/quickstart --only report
    python scripts/run_recipe.py recipes/quickstart --seeds 3         # every training three times, every one scored
    python scripts/run_recipe.py recipes/dr_bode --rehearse           # the same stages, a tiny model, a few rows, no network
    python scripts/run_recipe.py recipes/dr_bode --variables '{model: Qwen/Qwen3-0.6B, rows: 2000}'

Input   a folder with recipe.yaml: `title`; `stages`, a list of {name, command, inputs, outputs, when}; `variables`, names
        and their values (a list: names of the same data, tried in turn; a mapping: a value for each `settings`);
        `rehearsal`, the values that --rehearse takes instead; `seeds`; `extends`, a folder whose recipe this one changes.
        In commands and paths {name} is a variable, {recipe} that folder and {out} the output folder. A stage whose `when`
        comes out empty, or as no or false, is left out. A relative path starts at the project's root.
Output  what the stages write; manifest.json (command, time, peak memory, the GPUs' energy where they count it, versions and
        hashes of every stage, the commit of every hub id); logs/STAGE.log (what it printed); previous/ (what a stage run
        again had written before); seeds/SEED/ (the further seeds).

A stage is skipped when its command, the code it runs (without comments and docstrings), the packages that code imports, its
inputs and its outputs are what they were when it last ended well. Where one runs again, the comparisons and pages after it
are moved aside first: none stands beside what it does not tell of. Hub ids are asked for before anything runs, and stay at
the commit found; a gated or missing one is one error. Killed anywhere and started again, the recipe goes on where it was.
SIGTERM, SIGHUP and Ctrl-C end the stage with the runner; a second runner in the same folder is refused. A stage that fails
stops the chain with its last lines and the command to retry, and its exit code.

Why not Snakemake or DVC: both skip what stands, run what can run side by side, and Snakemake also on clusters; who knows them
may run our commands from a Snakefile, for every stage is a plain one. Here stages form one line on one GPU. What we need they
do not do: read a stage's flags before the first runs (a misspelt one costs no night), tell memory and hours, rehearse with other
variables, pin hub commits, take an unfinished training on at its checkpoint (both delete a failed rule's outputs first).
"""

import contextlib
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from chain import estimate, hub, process, records
from chain.fingerprint import Fingerprint, fingerprint, why_run
from chain.recipe import Recipe, command_args, read, text_of
from chain.seeds import LAST
from chain.stages import Stage
from common import runs
from common.arguments import parse_args, tell_unused
from common.entry import run_main
from common.errors import UserError
from common.files import hold
from common.paths import ROOT
from common.runs import run_step
from training import recipe_memory

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
    variables: dict[str, str | int | float | bool | list | dict | None] = field(default_factory=dict)
    """values for the recipe's variables, for instance '{model: Qwen/Qwen3-0.6B}'"""
    seeds: int | list[int] = 0
    """train and score with so many seeds, or with these, for instance '[1, 2, 3]'; 0: as the recipe says, else one"""
    from_stage: str | None = None
    """run this stage and all after it, finished or not"""
    only: str | None = None
    """run this stage alone, finished or not"""
    force: bool = False
    """run every stage again"""
    update_hub: bool = False
    """take the hub's newest commits in the place of those that this folder's earlier runs used"""
    tokens_per_second: float | None = None
    """your card's training rate, where you know it, for the hours that --dry_run prints"""
    dry_run: bool = False
    """check the whole chain and print what would run"""

    def problems(self) -> list[str]:
        found = []
        if not (Path(self.recipe) / "recipe.yaml").is_file():
            found.append(f"recipe: {self.recipe} holds no recipe.yaml; recipes/ has the ready ones")
        if signs := sorted(set(self.output_dir or "") & set(",[]{}*?")):
            found.append(
                f"output_dir: {self.output_dir} has {' and '.join(signs)}, by which commands tell lists; choose another name"
            )
        found += [
            f"variables: {name}: {value} is a list; name one file, or a folder with all of them"
            for name, value in self.variables.items()
            if isinstance(value, list)
        ]
        if isinstance(self.seeds, int) and self.seeds < 0:
            found.append(f"seeds: {self.seeds} is no number of seeds")
        if self.tokens_per_second is not None and self.tokens_per_second <= 0:
            found.append(f"tokens_per_second: {self.tokens_per_second} is no rate")
        return found


@dataclass
class Run:
    """One call: what is run, where, and what stands from before."""

    args: Args
    folder: Path
    out: Path
    recipe: Recipe
    title: str
    manifest: records.Manifest

    @property
    def names(self) -> list[str]:
        return [s.name for s in self.recipe.stages]

    def asked_for(self, name: str) -> bool:
        later = self.names[self.names.index(self.args.from_stage) :] if self.args.from_stage else []
        return self.args.force or name == self.args.only or name in later


def prepare(args: Args, folder: Path, out: Path) -> Run:
    """Read the recipe and ask for its hub ids. Raises UserError with every problem of the chain."""
    manifest = records.read_manifest(out / "manifest.json")
    if args.update_hub:
        manifest.revisions, manifest.chosen = {}, {}
    chooser = hub.Chooser(manifest.chosen, manifest.revisions, {}, [], [])
    recipe = read(folder, out, args.rehearse, {k: text_of(v) for k, v in args.variables.items()}, args.seeds, chooser)
    said, problems = hub.check(recipe, manifest.revisions, {p for s in recipe.stages for p in s.outputs})
    problems = [*chooser.problems, *problems]
    manifest.chosen = chooser.chosen
    hub.pin(recipe, manifest.revisions)
    title = recipe.title + (" (rehearsal: a random model, a few rows; the scores mean nothing)" if args.rehearse else "")
    print("\n".join([title, *(f"  {line}" for line in [*chooser.said, *said])]) + "\n")
    if args.dry_run:
        print("".join(f"would stop here: {problem}\n" for problem in problems))
    else:
        hub.stop_if(problems)
    run = Run(args, folder, out, recipe, title, manifest)
    for asked in ("from_stage", "only"):
        if getattr(args, asked) and getattr(args, asked) not in run.names:
            raise UserError(f"{asked}: there is no stage {getattr(args, asked)}; the stages are {', '.join(run.names)}")
    return run


def put_pages_away(run: Run, stage: Stage) -> None:
    """Move aside the comparisons and pages of an earlier run that come after this stage: ended here, it would leave them beside
    what they do not tell of."""
    for later in run.recipe.stages[run.names.index(stage.name) + 1 :]:
        if Path(later.script).name in LAST and (place := records.move_aside(later, run.out)):
            print(f"  what {later.name} wrote before told of an earlier state: {place}")


def run_stage(run: Run, stage: Stage, mark: Fingerprint, clean: bool) -> None:
    """Run a stage and record it; `clean`: what it wrote before no longer stands and is moved aside."""
    put_pages_away(run, stage)
    if clean and (place := records.move_aside(stage, run.out)):
        why = records.why_anew(run.out, stage, mark)
        print(f"  what it wrote before: {place}" + (f"; it begins anew, for {why}" if why else ""))
    records.note_start(run.out, stage, mark)
    took = process.run(stage, run.out / "logs" / f"{stage.name}.log")
    record = records.Record(
        stage.name,
        mark,
        took.seconds,
        took.peak_memory_gb,
        took.energy_wh,
        records.hashes(stage),
        runs.versions(),
        getattr(command_args(stage.command), "seed", None) if stage.trains else None,
    )
    keep(run, record)
    print(f"  {record.seconds:.0f} s, peak memory {record.peak_memory_gb} GB\n")


def keep(run: Run, record: records.Record) -> None:
    run.manifest.records[record.name] = record
    run.manifest.write(run.title, run.folder, run.recipe)
    (run.out / "running.json").unlink(missing_ok=True)


def go(run: Run) -> None:
    """All stages that have to run, in order."""
    stages = run.recipe.stages
    for number, stage in enumerate(stages, 1):
        if run.args.only and stage.name != run.args.only:
            continue
        before, head = run.manifest.records.get(stage.name), f"[{number}/{len(stages)}] {stage.name}:"
        mark = fingerprint(stage, run.out, run.manifest.revisions)
        asked = run.asked_for(stage.name)
        reason = "asked for" if asked else why_run(mark, stage, before)
        if reason is None:
            print(f"{head} done before ({before.seconds:.0f} s), skipped")
        elif run.args.dry_run:
            print(f"{head} {reason}\n$ {shlex.join(stage.command)}")
        elif not asked and (ended := records.ended_unrecorded(run.out, stage, mark)):
            keep(run, ended)
            print(f"{head} had ended when its runner was killed; taken over ({ended.seconds:.0f} s)")
        else:
            print(f"{head} {reason}")
            run_stage(run, stage, mark, clean=asked or not records.may_go_on(run.out, stage, mark))


def staged(stages: list[Stage]) -> list[recipe_memory.Stage]:
    """The stages with their scripts' arguments, for the memory and disk that they need."""
    parsed = [(s.name, Path(s.script).stem, command_args(s.command)) for s in stages]
    return [recipe_memory.Stage(*stage) for stage in parsed if stage[2] is not None]


def seen_from_root(folder: Path) -> Path:
    """The recipe's folder, that was named where the user stands, as it is called at the project's root, where all else begins."""
    if Path.cwd() == ROOT:
        return folder
    print(f"note: relative paths of variables and output_dir start at the project's root, {ROOT}")
    whole = folder.resolve()
    return whole.relative_to(ROOT) if whole.is_relative_to(ROOT) else whole


def main() -> None:
    args = parse_args(Args, __doc__)
    tell_unused(args, {"tokens_per_second": "" if args.dry_run else "hours are told by --dry_run"})
    folder = seen_from_root(Path(args.recipe))
    out = Path(args.output_dir or f"runs/{folder.resolve().name}{'-rehearsal' if args.rehearse else ''}")
    os.chdir(ROOT)
    process.end_on_signals()
    if args.rehearse and not Path(TINY_MODEL, "config.json").is_file():
        run_step("scripts/make_model.py", "--name", "tiny_qwen3", "--output_dir", TINY_MODEL)
    with contextlib.nullcontext() if args.dry_run else hold(out, "run_recipe.py", ".runner.lock"):
        run = prepare(args, folder, out)
        go(run)
    if args.dry_run:
        print(
            "\n".join(
                ["\nmemory and disk, at most (rows as long as max_length):", *recipe_memory.lines(staged(run.recipe.stages))]
            )
        )
        times = estimate.hours(run.recipe, out, args.tokens_per_second)
        head = ["\ntime of training and of scoring by likelihood, a guess:", *estimate.sources()]
        print("\n".join([*head, *times, estimate.left_out(run.recipe, times)]))
        return
    total = sum(run.manifest.records[name].seconds for name in run.names if name in run.manifest.records)
    print(f"all stages done: {total / 60:.1f} minutes in all, {out}")


if __name__ == "__main__":
    run_main(main)
