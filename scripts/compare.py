"""Compare evaluations of the same rows: is the difference real, how large, and is a loss ruled out.

    python scripts/compare.py runs/x/eval_base runs/x/eval_sft --output_dir runs/x/comparison
    python scripts/compare.py runs/x/eval_base runs/x/eval_sft runs/x/eval_q8_0 --output_dir runs/x/comparison --gate
    python scripts/compare.py runs/x/eval_base 'runs/x/seed_*/eval_sft' --output_dir runs/x/comparison    # three seeds

Input   two or more output folders of scripts/evaluate.py, the first being the one that the others are compared with. A
        pattern, or folders with commas between, is one model trained with several seeds. Simple baselines that
        evaluate.py scored (baselines.jsonl) are taken in as rows of their own; where the models' answers of one differ, as
        their own choice with the question hidden does, each model is compared with its own.
Output  output_dir/comparison.json  {"verdict": sentences, "alpha", "margin", "confidence_level", "measure", "n", "protocol",
            "task", "data_sha256", "warnings": [...],
            "models", "baselines": [{"name", "folders", "n", "n_correct", "accuracy", "accuracy_ci95", ...}],
                a baseline with "of": the model whose own it is, or "" where it stands for all
            "comparisons", "against_baselines": [{"baseline", "candidate", "baseline_value", "candidate_value", "difference",
                "difference_ci", "won", "lost", "p_value", "p_holm", "significant", "p_margin", "p_margin_holm", "ruled_out",
                "largest_loss", "verdict", "margin", "test", "interval", "minimal_detectable_difference", "rows_needed",
                "sentence", "won_ids", "lost_ids", ...}]}
            measure: accuracy, rouge_l, bits_per_byte or judged; shares are fractions, differences are fractions (0.1: 10 points)
        output_dir/comparison.md    the same for people; comparison.html with plots and the questions that flipped

Method. Rows are paired by id. Shares: McNemar's exact test (binomial, two-sided), and the score interval of a paired
difference (Tango 1998), by which a loss larger than --margin is ruled out or not (non-inferiority). Open answers are
compared by the mean ROUGE-L of their rows, judged ones by the mean of their marks, texts by bits per byte: percentile
bootstrap over rows, and the sign-flip permutation test (scipy). Rows that share a `case` are drawn and flipped together.
Several seeds: bootstrap over rows and seeds (Owen 2007). Holm's correction over all pairs with the first model,
neighbours in the order given, and the last GGUF with the last model that is none, once for the differences and once for the
losses ruled out; the intervals shown are not corrected. The smallest difference that so many rows show with 80 % power
(Connor 1987), and the rows that would rule out the margin with 80 % power, were both models equal (Nam 1997): at alpha
divided by the number of tests, rows of one case and seeds taken into account. A row without a valid answer counts as wrong.

A verdict is better; not_worse (a larger loss than the margin is ruled out); worse_within_margin; worse; or not_shown (too
few rows to rule the loss out). --gate ends with exit code 1 unless the last model's verdict against the first, its
neighbour, and what a GGUF was made from, is one of the first three. For bits per byte the margin is in percent of the
first model's.

Different test sets, protocols, prompts, templates or ways to draw answers are refused, naming which; --allow template (or
another) compares all the same and says so first in every report.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import CheckFailed
from common.files import write_json, write_text
from reporting import cautions, sentences
from reporting.blocks import Page
from reporting.comparison_blocks import comparison_blocks
from reporting.language import LANGUAGES, Language
from reporting.pages import render
from scoring import comparing, results
from scoring.evaluations import EQUAL, check_folders, read_evaluations


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "evaluations"
    evaluations: list[str] = field(default_factory=list)
    """output folders of scripts/evaluate.py, the first model's first; a pattern or a,b,c is one model of several seeds"""
    output_dir: str = "runs/comparison"
    """where comparison.json, .md and .html go"""
    names: list[str] = field(default_factory=list)
    """names in the report; without them the models' own"""
    alpha: float = comparing.Settings.alpha
    """significance level; intervals are of 1 - alpha"""
    margin: float = 2.0
    """largest loss accepted, in points; state it before you look"""
    gate: bool = False
    """exit code 1 where the last model may have lost more than the margin"""
    resamples: int = 10000
    """bootstrap samples and permutations"""
    seed: int = 3407
    """seed of both"""
    allow: list[Literal[tuple(EQUAL)]] = field(default_factory=list)
    """differences to let pass; every report says so"""
    flips: int = 50
    """questions shown that were won, and lost, a comparison"""
    language: Literal[LANGUAGES] = "en"
    """of comparison.md and .html"""

    def problems(self) -> list[str]:
        found = [] if len(self.evaluations) > 1 else ["evaluations: give at least two folders of scripts/evaluate.py"]
        found += check_folders(self.evaluations)
        if self.names and len(self.names) != len(self.evaluations):
            found.append(f"names: {len(self.names)} names for {len(self.evaluations)} models")
        found += comparing.level_problems(self.alpha, self.margin)
        return found + check_at_least(self, 100, "resamples") + check_at_least(self, 0, "flips")


def page_of(result: comparing.Result, flips: int, say: Language) -> Page:
    """The page of a comparison."""
    many = len(result.evaluations) > sentences.MOST_NAMES
    told = result.decisive if many else result.comparisons  # the table holds all
    said = [sentences.sentence(c, result.kind, result.confidence, say) for c in told]
    names = [e.name for e in result.evaluations]
    shown = say("{first} and {n:other|others}", first=names[0], n=len(names) - 1) if many else " · ".join(names)
    leads = result.kind not in sentences.SIDES
    return Page(
        title=say("Comparison: {names}", names=shown),
        first=sentences.lead(result, say) if leads else said[0],
        verdict=said if leads else said[1:],
        tone=sentences.level_of_page(result, result.decisive, say) if leads else sentences.level_of(result.decisive),
        blocks=comparison_blocks(result, cautions.warnings_of(result, say), flips, say),
        footer=say("Made by scripts/compare.py."),
        date=time.strftime("%Y-%m-%d"),
    )


def main() -> None:
    args = parse_args(Args, __doc__)
    found = read_evaluations(args.evaluations, args.names, args.allow)
    settings = comparing.Settings(args.alpha, args.margin / 100, args.resamples, args.seed)
    result = comparing.compare(found, settings)
    english, say, out = Language(), Language(args.language), Path(args.output_dir)
    for c in result.comparisons:
        c.sentence = sentences.sentence(c, result.kind, result.confidence, english)
    for c in result.against_baselines:
        c.sentence = sentences.against_baseline(c, result.confidence, english)
    told, warnings = [c.sentence for c in result.comparisons + result.against_baselines], cautions.warnings_of(result, english)
    for page in ("comparison.html", "comparison.md"):  # ended between two files, an old page would stand beside new figures
        (out / page).unlink(missing_ok=True)
    write_json(out / "comparison.json", results.to_json(result, told, warnings))
    page = page_of(result, args.flips, say)
    write_text(out / "comparison.html", render(page, say, "html"))
    write_text(out / "comparison.md", render(page, say, "md"))
    first = [] if result.kind in sentences.SIDES else [sentences.lead(result, english)]
    print("\n".join([*first, *told, *warnings]))
    print(f"done: {out} (comparison.json, comparison.md, comparison.html)")
    if args.gate:
        last = found[-1].name
        failed = [c for c in result.comparisons if c.candidate == last and not c.passes]
        if failed:
            raise CheckFailed(" ".join(c.sentence for c in failed))


if __name__ == "__main__":
    run_main(main)
