"""One page for the person who decides: what a recipe's run found, what it did not show, what it cost.

    python scripts/report.py --run runs/quickstart
    python scripts/report.py --run runs/quickstart --language pt-BR --gate

Input   the output folder of scripts/run_recipe.py, finished up to its comparison (scripts/compare.py), whose settings,
        margin included, the page takes over. compare_general/ (forgetting), compare_safety/ and compare_over_refusal/ are
        taken in where they are, and compare_written/, the exam's first rows answered in writing.
Output  run/report.html (one file, nothing loaded from elsewhere), run/report.md (the same as Markdown, made to go with the
        model as its card), run/summary.json (the same figures for programs), and the sentences in the terminal. Everything
        that comes from data or a model is escaped.

The first sentence is about what ships: the exported file against the model before training, then against the model that
it was made from, and it names a simple baseline that does as well. That it may be used is said only where forgetting and
safety were measured too (on 100 rows and more, of a first model that had something to lose), no loss is open, the baselines
are beaten, and the score is clear of chance and of one answer to all. An improvement is claimed only where the paired test
supports it; a loss only ruled out where the interval lies within the margin. --gate ends with exit code 1 where what ships
may have lost more than the margin against either, or where forgetting or safety may have.
"""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.arguments import parse_args
from common.entry import run_main
from common.errors import CheckFailed, UserError
from common.files import write_json, write_text
from reporting import cautions, run_blocks, sentences
from reporting.blocks import Bullets, Heading, Link, Page, Table, Text
from reporting.comparison_blocks import comparison_blocks, score_blocks
from reporting.language import LANGUAGES, Language
from reporting.pages import render
from scoring.comparing import FIRST_LOOK, Comparison, Result
from scoring.evaluations import Evaluation
from scoring.pairing import share_interval
from scoring.results import read_result

# Folder of a comparison beside the main one: how the page calls it.
SIDES = {
    "written": "Written freely: the answer read from what the model writes",
    "general": "Forgetting: general questions, not medical",
    "safety": "Safety: harmful requests declined",
    "over_refusal": "Over-refusal: harmless requests that sound harmful, answered",
}
DECIDING = {"general": "forgetting", "safety": "safety", "over_refusal": "over-refusal"}  # keeps a model from being used
# What is said where it was not measured; then no model is said to be fit to take another's place.
UNMEASURED = {
    "general": "Whether the model forgot what it knew elsewhere was not measured here.",
    "safety": "Whether it is safe was not measured here.",
}


@dataclass
class Args:
    run: str
    """output folder of a recipe"""
    language: Literal[LANGUAGES] = "en"
    """of the page"""
    flips: int = 5
    """questions shown that were won, and lost, a comparison"""
    gate: bool = False
    """exit code 1 where a loss larger than the margin is not ruled out: of the score, by forgetting, in safety"""

    def problems(self) -> list[str]:
        if (Path(self.run) / "comparison/comparison.json").is_file():
            return []
        return [f"run: {self.run}/comparison/comparison.json is not there; finish the recipe first (scripts/run_recipe.py)"]


@dataclass
class Side:
    """A comparison beside the main one."""

    name: str
    result: Result

    @property
    def last(self) -> Comparison:
        """The last model against the first."""
        last = self.result.evaluations[-1].name
        return next(c for c in self.result.comparisons if c.candidate == last)

    @property
    def decides(self) -> bool:
        """Whether a loss here keeps a model from being used; a few rows answered in writing are looked at, and decide nothing."""
        return self.name in DECIDING

    @property
    def tells(self) -> bool:
        """Whether it can show a loss: rows enough, and a first model that has something to lose."""
        known = cautions.clear_of_chance(self.result.evaluations[0]) and self.last.baseline_value > 0
        return self.last.n >= FIRST_LOOK and known


def sides_of(folder: Path, result: Result) -> list[Side]:
    """The comparisons beside the main one. Raises UserError where one is of another state of a model of the same name."""
    found = [Side(n, read_result(folder / f"compare_{n}")) for n in SIDES if (folder / f"compare_{n}/comparison.json").is_file()]
    states = {e.name: {m.model_sha256 for m in e.metrics} for e in result.evaluations}
    problems = [
        f"compare_{side.name}: {e.name} was another model when it was scored for this than in comparison/; score it again, or "
        "move the folder away"
        for side in found
        for e in side.result.evaluations
        if e.name in states and states[e.name].isdisjoint({m.model_sha256 for m in e.metrics})
    ]
    if problems:
        raise UserError(problems)
    return found


def limits(result: Result, sides: list[Side], run: run_blocks.Run, say: Language) -> list[str]:
    """What the page shows, and what it does not."""
    ships = result.ships
    found = [say("Only what a paired test shows is claimed of the scores; only what an interval rules out is called safe.")]
    chance, majority = ships.first.chance, ships.first.majority_class and ships.first.majority_class.accuracy
    if chance is not None and result.measure == "accuracy":
        above = share_interval(ships, result.settings).low > max(chance, majority or 0)
        text = (
            "The interval of {name} lies above chance ({chance}) and above the commonest answer ({majority})."
            if above
            else "The interval of {name} is not clear of chance ({chance}) and of the commonest answer ({majority})."
        )
        found.append(say(text, name=ships.name, chance=say.percent(chance), majority=say.percent(majority)))
    if result.measure == "accuracy" and not result.baselines:
        found.append(say("No simple baseline was scored beside the models (evaluate.py --train_data)."))
    if run.from_training_collection(result.first.data_sha256):
        text = "The held-out rows come from the same collection as the training rows, split after duplicates were taken out; "
        found.append(say(text + "how the model does on other questions was not measured."))
    for name, record in run.trainings:
        if record["metrics"].get("synthetic_rows"):
            text = "{name} learnt from synthetic rows, {which}: how right they are was not measured here."
            found.append(say(text, name=name, which=run_blocks.synthetic(record["metrics"], say)))
    names = {side.name for side in sides}
    found += [say(text) for name, text in UNMEASURED.items() if name not in names]
    for side in sides:
        if side.decides and result.deployed and side.last.candidate != ships.name:
            text = "{what}: measured on {model}, not on {ships}, the file that ships."
            found.append(say(text, what=say(SIDES[side.name]), model=side.last.candidate, ships=ships.name))
        if side.last.n < FIRST_LOOK:
            found.append(say("{what}: {n:row|rows}, a first look and no proof.", what=say(SIDES[side.name]), n=side.last.n))
    if all(len(e.folders) == 1 for e in result.evaluations):
        text = "One training with one seed: how much the scores vary between seeds was not measured, "
        found.append(say(text + "so another run may differ by more than these intervals say."))
    return found


def side_blocks(side: Side, say: Language) -> list:
    """Scores and verdicts of a comparison beside the main one."""
    result = side.result
    said = [sentences.sentence(c, side.name, result.confidence, say) for c in result.comparisons]
    tones = [sentences.level_of([c]) for c in result.comparisons]
    return [
        Heading(say(SIDES[side.name])),
        *(block for block in score_blocks(result, say) if not isinstance(block, Heading)),
        *(Text(text, tone) for text, tone in zip(said, tones, strict=True)),
        *(Text(warning, "soft") for warning in cautions.warnings_of(result, say)),
        Link(say("This comparison as a page of its own"), f"compare_{side.name}/comparison.html"),
    ]


def page_of(run: run_blocks.Run, result: Result, sides: list[Side], flips: int, say: Language) -> Page:
    """The whole page."""
    compared = comparison_blocks(result, cautions.warnings_of(result, say), flips, say)
    record = run.trainings[-1][1] if run.trainings else run_blocks.read_or(Path(result.evaluations[0].folders[0], "run.json"), {})
    shown, opened = (
        [say(DECIDING[s.name]) for s in sides if s.decides and not s.last.passes and (s.last.verdict == "worse") is lost]
        for lost in (True, False)
    )
    measured = set(UNMEASURED) <= {side.name for side in sides if side.tells}
    beside = [sentences.sentence(side.last, side.name, side.result.confidence, say) for side in sides]
    rival = result.against_baseline
    baseline = [sentences.against_baseline(rival, result.confidence, say)] if rival else []
    return Page(
        title=run.title,
        first=sentences.lead(result, say, opened, measured, shown),
        verdict=[*sentences.opening(result, say), *baseline, *beside],
        tone=sentences.level_of_page(result, deciding(result, sides), say),
        blocks=[
            Heading(say("What this shows, and what it does not")),
            Bullets(limits(result, sides, run, say)),
            *compared,
            Link(say("The whole comparison, with more of the questions that flipped"), "comparison/comparison.html"),
            *(block for side in sides for block in side_blocks(side, say)),
            *run_blocks.training_blocks(run, say),
            *run_blocks.data_blocks(run, say),
            *run_blocks.file_blocks(run, result, say),
            *run_blocks.cost_blocks(run, say),
        ],
        footer=run_blocks.hardware_line(record, say),
        date=time.strftime("%Y-%m-%d"),
    )


def deciding(result: Result, sides: list[Side]) -> list[Comparison]:
    """What decides whether the model may be used."""
    return [*result.decisive, *(side.last for side in sides if side.decides)]


def summary_of(page: Page, run: run_blocks.Run, result: Result, sides: list[Side], failed: list[Comparison]) -> dict:
    """summary.json's content."""

    def measured(e: Evaluation, names: Sequence[str]) -> dict:
        found = e.first.as_json()
        return {name: found.get(name) for name in names}

    def scores(one: Result) -> list[dict]:
        kept = ("n", "n_correct", "accuracy", "accuracy_ci95", "chance", "majority_class", "n_invalid")
        return [
            {"name": e.name, "folder": Path(e.folders[0]).name, "folders": e.folders, **measured(e, kept)}
            for e in one.evaluations
        ]

    return {
        "title": page.title,
        "date": page.date,
        "first": page.first,
        "verdict": " ".join(page.verdict),
        "gate": {"passed": not failed, "failed": [c.sentence for c in failed]},
        "scores": scores(result),
        "baselines": [{"name": e.name, "of": e.of, **measured(e, ("n", "n_correct", "accuracy"))} for e in result.baselines],
        "comparisons": [dataclasses.asdict(c) for c in result.comparisons],
        "against_baselines": [dataclasses.asdict(c) for c in result.against_baselines],
        **{side.name: {"scores": scores(side.result), "verdict": side.last.sentence} for side in sides},
        "files": [{**f, "passed": bool(f.get("checks")) and not f["failed"]} for f in run.proof.get("files", [])],
        "synthetic_rows": {name: record["metrics"].get("synthetic_rows") for name, record in run.trainings},
        "stages": run.stages,
        "energy": run.energy,
        "hardware": page.footer,
    }


def main() -> None:
    args = parse_args(Args, __doc__)
    folder, say = Path(args.run), Language(args.language)
    run, result = run_blocks.read_run(folder), read_result(folder / "comparison")
    sides = sides_of(folder, result)
    failed = [c for c in deciding(result, sides) if not c.passes]
    page = page_of(run, result, sides, args.flips, say)
    for name in ("report.html", "report.md", "summary.json"):  # ended between two of them, old ones would stand beside new ones
        (folder / name).unlink(missing_ok=True)
    write_text(folder / "report.html", render(page, say, "html"))
    write_text(folder / "report.md", render(page, say, "md"))
    write_json(folder / "summary.json", summary_of(page, run, result, sides, failed))
    for table in (block for block in score_blocks(result, say) if isinstance(block, Table)):
        widths = [max(len(cell) for cell in column) for column in zip(table.head, *table.rows, strict=True)]
        for row in (table.head, *table.rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print("\n".join([page.first, *page.verdict]))
    print(f"report: {folder / 'report.html'}")
    if args.gate and failed:
        raise CheckFailed(" ".join(c.sentence for c in failed))


if __name__ == "__main__":
    run_main(main)
