"""Choose the file that ships: the smallest quantisation that is not worse than the tuned model, on rows that no score uses.

    python scripts/choose_file.py --model runs/x/sft --gguf_dir runs/x/gguf --data choice/test.jsonl --output_dir runs/x/ships
    python scripts/evaluate.py --model runs/x/ships/model.gguf --data test.jsonl --output_dir runs/x/eval_deployed   # then

Input   the tuned model; the files that scripts/export_gguf.py made of it and found sound (verification.json); scoring rows
        (JSONL) that are neither trained on nor used for the final score: the best of several files looks better on the rows
        that it was chosen by.
Output  output_dir/model.gguf    a link to the file that ships
        output_dir/Modelfile     that of the export, for this file
        output_dir/choice.json   {"file", "settled": a loss is ruled out for it, "margin", "alpha" of each test, "n",
                                 "rows_needed": more than 0 where the rows were too few to try a file by,
                                 "tried": [the comparisons, as in comparison.json, the smallest file first]}
        output_dir/eval_*        the evaluations (scripts/evaluate.py)

The tuned model is scored, then the files from the smallest up, until a loss larger than --margin is ruled out for one
(compare.py's verdicts; alpha divided by the files that may be tried). The largest file is not tried: it ships where no
smaller one is shown to be good enough, and the final score tells what it lost. A single file ships untried; so does the
largest, with a warning, where the rows are so few that they rule nothing out even if both answer alike.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import CheckFailed, UserError
from common.files import into_place, read_json, read_rows, reading, sha256, write_json, write_text
from common.machine import end_with_parent
from common.models import check_model_name
from common.paths import ROOT
from reporting import sentences
from reporting.language import Language
from scoring import comparing, statistics, tasks
from scoring.evaluations import read_evaluations
from scoring.results import comparison_json

LINK = "model.gguf"


@dataclass
class Args:
    model: str
    """the tuned model, folder or adapter, that the files were made from"""
    gguf_dir: str
    """output folder of scripts/export_gguf.py"""
    data: str
    """scoring rows (JSONL) to choose by"""
    output_dir: str
    """where the link, choice.json and the evaluations go"""
    margin: float = 2.0
    """largest loss accepted, in points; state it before you look"""
    alpha: float = comparing.Settings.alpha
    """significance level; intervals are of 1 - alpha"""
    limit: int = 0
    """the first so many rows only; 0: all"""
    batch_tokens: int = 0
    """tokens a forward pass; 0: as scripts/evaluate.py chooses"""

    def problems(self) -> list[str]:
        found = check_model_name(self.model)
        if not Path(self.gguf_dir, "verification.json").is_file():
            found.append(f"gguf_dir: {self.gguf_dir} holds no verification.json; scripts/export_gguf.py makes it")
        if not Path(self.data).is_file():
            found.append(f"data: there is no file {self.data}; data_prep/prepare.py --test_size 1 makes it")
        found += comparing.level_problems(self.alpha, self.margin)
        return found + check_at_least(self, 0, "limit", "batch_tokens")


@dataclass
class Proof:
    """What an export's verification.json tells."""

    sound: list[Path]
    """the whole models that no check failed, the smallest first"""
    made_of: str | None
    """the model that the files were made of"""


def read_proof(folder: Path) -> Proof:
    """Raises UserError where no file is sound, or one is not the file that was proven."""
    with reading(folder / "verification.json"):
        record = read_json(folder / "verification.json")
        names = [f["file"] for f in record["files"] if not f["failed"] and "-lora-" not in f["file"]]
    for left_out in (f["file"] for f in record["files"] if f["file"] not in names):
        print(f"note: {left_out} is left out: it failed its proof, or is an adapter alone")
    if not record.get("verified", True):
        raise UserError(f"gguf_dir: {folder} holds files that were never proven (--verify false); export again without it")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise UserError(f"gguf_dir: {folder} lacks {', '.join(missing)}, which its verification.json names; export again")
    proven = {f["file"]: f.get("sha256") for f in record["files"]}
    if changed := [name for name in names if proven[name] and sha256(folder / name) != proven[name]]:
        raise UserError(f"gguf_dir: {folder}: {', '.join(changed)} is not the file that was proven; export again")
    if not names:
        raise UserError(f"gguf_dir: {folder} holds no model that passed its proof")
    return Proof(sorted((folder / name for name in names), key=lambda path: path.stat().st_size), record.get("model"))


def tell_other_model(args: Args, made_of: str | None) -> None:
    """Print where the files were made of another model than the one that they are to be held against."""
    if made_of and Path(made_of).resolve() != Path(args.model).resolve():
        print(f"warning: model: the files in {args.gguf_dir} were made of {made_of}, and are held against {args.model}")


def rows_needed(args: Args, alpha: float) -> int:
    """How many rows could rule the loss out, where these are too few however alike the models answer; else 0."""
    rows = read_rows(args.data, tasks.check_row)[: args.limit or None]
    if tasks.task_of(rows[0]) not in tasks.CHOICE:
        return 0
    n, margin = len(rows), args.margin / 100
    loss = -statistics.tango(0, 0, n, alpha).low
    # without rows that differ the loss is z2 / (n + z2)
    return int(n * loss / (1 - loss) * (1 - margin) / margin) + 1 if loss >= margin else 0


def score(model: Path | str, args: Args, folder: Path) -> str:
    """Score a model by scripts/evaluate.py, or find it scored; the folder. Raises CheckFailed where that fails."""
    words = ["--model", model, "--data", args.data, "--output_dir", folder, "--limit", args.limit]
    more = ["--batch_tokens", args.batch_tokens, "--question_hidden", "false"]
    command = [sys.executable, ROOT / "scripts/evaluate.py", *words, *more]
    if subprocess.run([str(word) for word in command], preexec_fn=end_with_parent).returncode:
        raise CheckFailed(f"{model} could not be scored; what is above says why")
    return str(folder)


@dataclass
class Choice:
    file: Path
    """the file that ships"""
    tried: list[comparing.Comparison] = field(default_factory=list)
    """the comparisons that were made, the smallest file first"""
    rows_needed: int = 0
    """where the rows were too few to try a file by: how many could have served"""

    @property
    def settled(self) -> bool:
        return bool(self.tried and self.tried[-1].passes)


def choose(args: Args, files: list[Path], alpha: float) -> Choice:
    """Which file ships, by comparisons at level alpha each."""
    *smaller, largest = files
    if not smaller:
        return Choice(largest)
    tried, out = [], Path(args.output_dir)
    if needed := rows_needed(args, alpha):
        print(
            f"warning: data: the rows are too few to rule out a loss of {args.margin:g} points, even where both models answer "
            f"alike: the largest file ships, untried. Give {needed} rows or more, or state a larger --margin"
        )
        return Choice(largest, rows_needed=needed)
    tuned = score(args.model, args, out / "eval_tuned")
    for path in smaller:
        found = read_evaluations([tuned, score(path, args, out / f"eval_{path.stem}")], [], [])
        settings = comparing.Settings(alpha, args.margin / 100)
        (one,) = comparing.compare(found, settings).comparisons
        one.sentence = sentences.sentence(one, "score", 1 - alpha, Language())
        print(one.sentence)
        tried.append(one)
        if one.passes:
            return Choice(path, tried)
    return Choice(largest, tried)


def publish(args: Args, choice: Choice, alpha: float) -> None:
    """The link, the Modelfile, and choice.json last."""
    out, chosen, tried = Path(args.output_dir), choice.file, choice.tried
    export = chosen.parent / "Modelfile"
    out.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(chosen.resolve(), out.resolve())
    temporary = out / f".{LINK}.{os.getpid()}.tmp"
    temporary.symlink_to(target)
    into_place(temporary, out / LINK)
    if export.is_file():
        lines = export.read_text(encoding="utf-8").splitlines(keepends=True)
        write_text(out / "Modelfile", "".join(f"FROM {target}\n" if line.startswith("FROM ") else line for line in lines))
    record = {"file": chosen.name, "settled": choice.settled, "margin": args.margin, "alpha": alpha}
    more = {"n": tried[0].n if tried else 0, "rows_needed": choice.rows_needed, "tried": [comparison_json(c) for c in tried]}
    write_json(out / "choice.json", record | more)


def main() -> None:
    args = parse_args(Args, __doc__)
    proof = read_proof(Path(args.gguf_dir))
    files = proof.sound
    tell_other_model(args, proof.made_of)
    alpha = args.alpha / max(1, len(files) - 1)  # whichever of the smaller ones is taken, the chance of a wrong one is alpha
    choice = choose(args, files, alpha)
    publish(args, choice, alpha)
    why = "the smallest that is not worse" if choice.settled else "no smaller one was shown to be good enough"
    print(f"done: {choice.file.name} ships ({'the only file' if len(files) == 1 else why}): {Path(args.output_dir) / LINK}")


if __name__ == "__main__":
    run_main(main)
