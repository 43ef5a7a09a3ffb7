"""Compare evaluations of the same rows: is the difference real, how large, and what could have been seen at all.

    python scripts/compare.py runs/x/eval_base runs/x/eval_sft --output_dir runs/x/comparison
    python scripts/compare.py runs/x/eval_base runs/x/eval_sft runs/x/eval_dpo --output_dir runs/x/comparison

Input   two or more output folders of scripts/evaluate.py, the first being the one that the others are compared with.
Output  output_dir/comparison.json  {"verdict": sentence, "alpha", "n", "protocol", "task", "data_sha256",
            "models": [{"name", "folder", "accuracy", "accuracy_ci95", "n_correct", "n_invalid", "chance",
                        "majority_class", "precision"}, ...],
            "comparisons": [{"from", "to", "difference", "difference_ci95", "won", "lost", "p_value", "p_holm",
                             "significant", "minimal_detectable_difference", "words", "won_ids", "lost_ids"}, ...],
            "warnings": [...]}      shares are fractions, differences are fractions (0.1 = 10 points)
        output_dir/comparison.md    the same for people; comparison.html with plots and the questions that flipped

Method. Rows are paired by id. McNemar's exact test (binomial, two-sided) on the rows that only one model answers
right; 95 % percentile interval of the difference from 10000 bootstrap samples of rows (Efron and Tibshirani 1993),
seed fixed; Holm's correction where several comparisons are made (Holm 1979), over all pairs with the first model and
neighbours in the order given. The smallest difference this test could have shown with 80 % power is computed from
n and from the share of rows in which the two models differ (Connor 1987), at alpha divided by the number of tests.
A row without a valid answer counts as wrong.

Different test sets, protocols, prompts or templates are refused, naming which; --allow template (or another) compares
all the same and says so first in every report.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import common
import comparison_report

# What must be equal, by the key of metrics.json, and how the refusal calls it.
EQUAL = {
    "data": ("data_sha256", "test set"),
    "rows": ("rows_sha256", "scored rows"),
    "protocol": ("protocol", "protocol"),
    "template": ("template_sha256", "chat template"),
    "prompts": ("prompts_sha256", "prompts"),
}
POWER = 0.8


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "evaluations"
    evaluations: list[str] = field(default_factory=list)
    """output folders of scripts/evaluate.py, the baseline first"""
    output_dir: str = "runs/comparison"
    """where comparison.json, .md and .html go"""
    names: list[str] = field(default_factory=list)
    """names in the report; without them the folders' names"""
    alpha: float = 0.05
    """significance level"""
    resamples: int = 10000
    """bootstrap samples"""
    seed: int = 3407
    """seed of the bootstrap"""
    allow: list[Literal[tuple(EQUAL)]] = field(default_factory=list)
    """differences to let pass; every report says so"""
    flips: int = 50
    """questions shown that were won, and lost, a comparison"""

    def problems(self) -> list[str]:
        found = [] if len(self.evaluations) > 1 else ["evaluations: give at least two folders of scripts/evaluate.py"]
        found += [
            f"evaluations: {folder} holds no {name}; is the evaluation finished?"
            for folder in self.evaluations
            for name in ("metrics.json", "predictions.jsonl")
            if not Path(folder, name).is_file()
        ]
        if self.names and len(self.names) != len(self.evaluations):
            found.append(f"names: {len(self.names)} names for {len(self.evaluations)} folders")
        if not 0 < self.alpha < 1:
            found.append(f"alpha: {self.alpha} is not between 0 and 1; 0.05 is usual")
        return found + common.check_at_least(self, 100, "resamples") + common.check_at_least(self, 0, "flips")


# ---------------------------------------------------------------------------------------------- reading and refusing


def read(args: Args) -> list[dict]:
    """Each evaluation as {"name", "folder", "metrics", "rows": {id: prediction}}; raises UserError if not comparable."""
    found = []
    for i, folder in enumerate(args.evaluations):
        metrics = json.loads(Path(folder, "metrics.json").read_text(encoding="utf-8"))
        rows = {row["id"]: row for row in common.read_rows(Path(folder, "predictions.jsonl"))}
        name = args.names[i] if args.names else Path(folder).name
        found.append({"name": name, "folder": str(folder), "metrics": metrics, "rows": rows})
    if len({e["name"] for e in found}) < len(found):
        for e in found:
            e["name"] = e["folder"]
    problems = [
        f"{e['folder']}: accuracy cannot be compared, its task is {e['metrics'].get('task')}"
        for e in found
        if "correct" not in next(iter(e["rows"].values()))
    ]
    first = found[0]
    for other in found[1:]:
        for kind, (key, what) in EQUAL.items():
            one, two = first["metrics"].get(key), other["metrics"].get(key)
            if one != two and kind not in args.allow:
                shown = f"{one} and {two}" if kind == "protocol" else f"{str(one)[:12]}... and {str(two)[:12]}..."
                problems.append(
                    f"{first['folder']} and {other['folder']}: different {what} ({shown}); score both alike, "
                    f"or pass --allow '[{kind}]' and have the report say so"
                )
        if set(first["rows"]) != set(other["rows"]) and "rows" not in args.allow:
            missing = len(set(first["rows"]) ^ set(other["rows"]))
            problems.append(f"{first['folder']} and {other['folder']}: {missing} ids stand in only one of them")
    if problems:
        raise common.UserError(problems)
    return found


def warnings_of(args: Args, evaluations: list[dict]) -> list[str]:
    """What was let pass, and what a reader should know before the figures."""
    first, found = evaluations[0], []
    for other in evaluations[1:]:
        for kind in args.allow:
            if first["metrics"].get(EQUAL[kind][0]) != other["metrics"].get(EQUAL[kind][0]):
                found.append(
                    f"{first['name']} and {other['name']} differ in their {EQUAL[kind][1]}, which was allowed: "
                    "the difference may come from that."
                )
        if (one := first["metrics"].get("precision")) != (two := other["metrics"].get("precision")):
            found.append(f"{first['name']} was scored in {one}, {other['name']} in {two}.")
    return found


# ---------------------------------------------------------------------------------------------- statistics


def mcnemar(won: int, lost: int) -> float:
    """Exact two-sided p-value of McNemar's test: of won + lost rows, half are won if the models are equal."""
    from scipy.stats import binomtest

    return float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def bootstrap(differences, resamples: int, seed: int, alpha: float) -> list[float]:
    """Percentile interval of the mean of paired differences (-1, 0, 1) by resampling rows.

    Resampling n rows of three kinds is a multinomial draw of their counts, which is what is drawn.
    """
    import numpy

    n = len(differences)
    won, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    counts = numpy.random.default_rng(seed).multinomial(n, [won / n, lost / n, (n - won - lost) / n], size=resamples)
    low, high = numpy.quantile((counts[:, 0] - counts[:, 1]) / n, [alpha / 2, 1 - alpha / 2])
    return [round(float(low), 6), round(float(high), 6)]


def minimal_detectable(n: int, discordant: float, alpha: float) -> float | None:
    """Smallest difference of two paired shares that McNemar's test shows with 80 % power (Connor 1987).

    `discordant` is the share of rows that only one model answers right. None where no difference would be shown.
    """
    from scipy.stats import norm

    a, b = norm.ppf(1 - alpha / 2), norm.ppf(POWER)
    discordant = max(discordant, 1 / n)

    def power_reached(d):
        return d * n**0.5 >= a * discordant**0.5 + b * max(discordant - d * d, 0) ** 0.5

    if not power_reached(discordant):
        return None
    low, high = 0.0, discordant
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if power_reached(middle) else (middle, high)
    return round(high, 4)


def pair(one: dict, two: dict, args: Args, tests: int) -> dict:
    """The comparison of two evaluations, one of so many tests; p-values are corrected by `compare`."""
    ids = [i for i in one["rows"] if i in two["rows"]]
    differences = [int(two["rows"][i]["correct"]) - int(one["rows"][i]["correct"]) for i in ids]
    won, lost = (
        [i for i, d in zip(ids, differences, strict=True) if d > 0],
        [i for i, d in zip(ids, differences, strict=True) if d < 0],
    )
    return {
        "from": one["name"],
        "to": two["name"],
        "n": len(ids),
        "difference": round(sum(differences) / len(ids), 6),
        "difference_ci95": bootstrap(differences, args.resamples, args.seed, args.alpha),
        "won": len(won),
        "lost": len(lost),
        "p_value": mcnemar(len(won), len(lost)),
        "minimal_detectable_difference": minimal_detectable(len(ids), (len(won) + len(lost)) / len(ids), args.alpha / tests),
        "won_ids": won,
        "lost_ids": lost,
    }


def compare(evaluations: list[dict], args: Args) -> dict:
    """comparison.json's content."""
    pairs = [(0, i) for i in range(1, len(evaluations))] + [(i - 1, i) for i in range(2, len(evaluations))]
    comparisons = [pair(evaluations[a], evaluations[b], args, len(pairs)) for a, b in pairs]
    for comparison, adjusted in zip(comparisons, holm([c["p_value"] for c in comparisons]), strict=True):
        comparison["p_holm"] = adjusted
        comparison["significant"] = adjusted < args.alpha
        comparison["words"] = words(comparison, len(comparisons))
    kept = (
        "n",
        "accuracy",
        "accuracy_ci95",
        "n_correct",
        "n_invalid",
        "chance",
        "majority_class",
        "precision",
        "model",
        "by_topic",
        "by_source",
        "calibration",
    )
    first = evaluations[0]["metrics"]
    return {
        "verdict": " ".join(c["words"] for c in comparisons),
        "warnings": warnings_of(args, evaluations),
        "alpha": args.alpha,
        **{k: first.get(k) for k in ("n", "protocol", "task", "data_sha256", "template_sha256")},
        "models": [{"name": e["name"], "folder": e["folder"], **{k: e["metrics"].get(k) for k in kept}} for e in evaluations],
        "comparisons": comparisons,
    }


def points(value: float) -> str:
    return f"{100 * value:+.1f}"


def words(c: dict, tests: int) -> str:
    """What may be said of one comparison, and no more."""
    low, high = c["difference_ci95"]
    p = "p < 0.0001" if c["p_holm"] < 0.0001 else f"p = {c['p_holm']:.4f}"
    figures = (
        f"{points(c['difference'])} points (95 % interval {points(low)} to {points(high)}), {c['won']} rows won and "
        f"{c['lost']} lost of {c['n']}, exact McNemar {p}{f', Holm-corrected for {tests} tests' if tests > 1 else ''}"
    )
    if c["significant"]:
        return f"{c['to']} is {'better' if c['difference'] > 0 else 'worse'} than {c['from']}: {figures}."
    least = c["minimal_detectable_difference"]
    seen = (
        f"with {c['n']} rows and so many that differ, a difference of about {100 * least:.1f} points would have been "
        "shown four times in five"
        if least is not None
        else f"the two differ in so few of the {c['n']} rows that no difference could have been shown"
    )
    return f"No difference shown between {c['from']} and {c['to']}: {figures}; {seen}."


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    args = common.parse_args(Args, __doc__)
    evaluations = read(args)
    result = compare(evaluations, args)
    output_dir = Path(args.output_dir)
    markdown = comparison_report.markdown(result)
    page = comparison_report.page(result, [e["rows"] for e in evaluations], args.flips)
    common.write_text(output_dir / "comparison.html", page)
    common.write_text(output_dir / "comparison.md", markdown)
    common.write_json(output_dir / "comparison.json", result)
    print(markdown.partition("## By topic")[0].strip())
    print(f"done: {output_dir} (comparison.json, comparison.md, comparison.html)")


if __name__ == "__main__":
    common.run(main)
