"""Compare evaluations of the same rows: is the difference real, how large, and what could have been seen at all.

    python scripts/compare.py runs/x/eval_base runs/x/eval_sft --output_dir runs/x/comparison
    python scripts/compare.py runs/x/eval_base runs/x/eval_sft runs/x/eval_dpo --output_dir runs/x/comparison

Input   two or more output folders of scripts/evaluate.py, the first being the one that the others are compared with.
Output  output_dir/comparison.json  {"verdict": sentence, "alpha", "n", "protocol", "task", "data_sha256",
            "models": [{"name", "folder", "accuracy", "accuracy_ci95", "n_correct", "n_invalid", "chance",
                        "majority_class", "precision"}, ...],
            "comparisons": [{"from", "to", "before", "after", "difference", "difference_ci95", "won", "lost", "p_value",
                             "p_holm", "significant", "minimal_detectable_difference", "words", "won_ids", "lost_ids"}],
            "measure": "accuracy" | "rouge_l" | "bits_per_byte",
            "warnings": [...]}      shares are fractions, differences are fractions (0.1 = 10 points)
        output_dir/comparison.md    the same for people; comparison.html with plots and the questions that flipped

Method. Rows are paired by id. McNemar's exact test (binomial, two-sided) on the rows that only one model answers
right; 95 % percentile interval of the difference from 10000 bootstrap samples of rows (Efron and Tibshirani 1993),
seed fixed; Holm's correction where several comparisons are made (Holm 1979), over all pairs with the first model and
neighbours in the order given. The smallest difference this test could have shown with 80 % power is computed from
n and from the share of rows in which the two models differ (Connor 1987), at alpha divided by the number of tests.
A row without a valid answer counts as wrong. Open answers are compared by the mean ROUGE-L of their rows, texts by bits
per byte: bootstrap over rows as above, and in McNemar's place the sign-flip permutation test of the rows' differences
(scipy); its smallest difference comes from their standard deviation.

Different test sets, protocols, prompts or templates are refused, naming which; --allow template (or another) compares
all the same and says so first in every report.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import read_rows, write_json, write_text
from reporting import comparison_page

# What must be equal, by the key of metrics.json, and how the refusal calls it.
EQUAL = {
    "data": ("data_sha256", "test set"),
    "rows": ("rows_sha256", "scored rows"),
    "protocol": ("protocol", "protocol"),
    "template": ("template_sha256", "chat template"),
    "prompts": ("prompts_sha256", "prompts"),
    "tokens": ("max_new_tokens", "longest free answer"),
}
POWER = 0.8
# What is compared where it is no share of right answers, by task: name, how it is called, whether more is better.
VALUES = {"open": ("rouge_l", "ROUGE-L", True), "perplexity": ("bits_per_byte", "bits per byte", False)}


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
        return found + check_at_least(self, 100, "resamples") + check_at_least(self, 0, "flips")


# ---------------------------------------------------------------------------------------------- reading and refusing


def read(args: Args) -> list[dict]:
    """Each evaluation as {"name", "folder", "metrics", "rows": {id: prediction}}; raises UserError if not comparable."""
    found = []
    for i, folder in enumerate(args.evaluations):
        metrics = json.loads(Path(folder, "metrics.json").read_text(encoding="utf-8"))
        rows = {row["id"]: row for row in read_rows(Path(folder, "predictions.jsonl"))}
        name = args.names[i] if args.names else Path(folder).name
        found.append({"name": name, "folder": str(folder), "metrics": metrics, "rows": rows})
    if len({e["name"] for e in found}) < len(found):
        for e in found:
            e["name"] = e["folder"]
    problems = [
        f"{e['folder']}: its open answers were scored without ROUGE-L by row; score it again with this version"
        for e in found
        if e["metrics"].get("task") == "open" and not any("rouge_l" in row for row in e["rows"].values())
    ]
    first = found[0]
    for other in found[1:]:
        for kind, (key, what) in EQUAL.items():
            one, two = first["metrics"].get(key), other["metrics"].get(key)
            if one != two and kind not in args.allow:
                shown = f"{one} and {two}" if kind in ("protocol", "tokens") else f"{str(one)[:12]}... and {str(two)[:12]}..."
                problems.append(
                    f"{first['folder']} and {other['folder']}: different {what} ({shown}); score both alike, "
                    f"or pass --allow '[{kind}]' and have the report say so"
                )
        if set(first["rows"]) != set(other["rows"]) and "rows" not in args.allow:
            missing = len(set(first["rows"]) ^ set(other["rows"]))
            problems.append(f"{first['folder']} and {other['folder']}: {missing} ids stand in only one of them")
    if problems:
        raise UserError(problems)
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
    chance = first["metrics"].get("chance")
    if chance is not None and all(e["metrics"]["accuracy_ci95"][0] <= chance for e in evaluations):
        found.append(
            f"No model here is shown to be better than chance ({100 * chance:.1f} %)"
            + ("; what was not there cannot be forgotten, so this says little." if is_general(first) else ".")
        )
    return found


def is_general(evaluation: dict) -> bool:
    """Whether this is the fixed set that shows forgetting."""
    return evaluation["metrics"].get("data") == "general"


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

    Resampling n rows of three kinds is a multinomial draw of their counts, which is what is drawn. Where no row differs
    resampling has nothing to vary and would claim certainty: then Wilson's bound for none of n, to both sides.
    """
    import numpy
    from scipy.stats import binomtest

    n = len(differences)
    won, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    if won + lost == 0:
        high = round(float(binomtest(0, n).proportion_ci(1 - alpha, method="wilson").high), 6)
        return [-high, high]
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
    if one["metrics"].get("task") in VALUES:
        found, differences = value_pair(one, two, ids, args, tests)
    else:
        right = [[int(e["rows"][i]["correct"]) for i in ids] for e in (one, two)]
        differences = [b - a for a, b in zip(*right, strict=True)]
        won, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
        found = {
            "before": round(sum(right[0]) / len(ids), 6),
            "after": round(sum(right[1]) / len(ids), 6),
            "difference": round(sum(differences) / len(ids), 6),
            "difference_ci95": bootstrap(differences, args.resamples, args.seed, args.alpha),
            "p_value": mcnemar(won, lost),
            "minimal_detectable_difference": minimal_detectable(len(ids), (won + lost) / len(ids), args.alpha / tests),
        }
    won_ids = [i for i, d in zip(ids, differences, strict=True) if d > 0]
    lost_ids = [i for i, d in zip(ids, differences, strict=True) if d < 0]
    return {
        "from": one["name"],
        "to": two["name"],
        "n": len(ids),
        **found,
        "won": len(won_ids),
        "lost": len(lost_ids),
        "won_ids": won_ids,
        "lost_ids": lost_ids,
    }


def value_pair(one: dict, two: dict, ids: list, args: Args, tests: int) -> tuple[dict, list[float]]:
    """`pair` for a value that each row has a part in; differences of the rows, positive where the second is better."""
    import numpy
    from scipy.stats import norm, permutation_test

    task = one["metrics"]["task"]
    parts = [numpy.array([part_of(e["rows"][i], task) for i in ids], float) for e in (one, two)]
    values = [part[:, 0].sum() / part[:, 1].sum() for part in parts]
    rows = (parts[1][:, 0] - parts[0][:, 0]) * len(ids) / parts[0][:, 1].sum()  # their mean is the difference
    generator = numpy.random.default_rng(args.seed)
    drawn = []
    for _ in range(args.resamples):
        pick = generator.integers(0, len(ids), len(ids))
        drawn.append(parts[1][pick, 0].sum() / parts[1][pick, 1].sum() - parts[0][pick, 0].sum() / parts[0][pick, 1].sum())
    low, high = numpy.quantile(drawn, [args.alpha / 2, 1 - args.alpha / 2])
    p = 1.0
    if rows.any():
        flips = {"permutation_type": "samples", "vectorized": True, "n_resamples": args.resamples, "rng": generator}
        p = float(permutation_test((rows,), lambda x, axis: x.mean(axis=axis), **flips).pvalue)
    spread = rows.std(ddof=1) / len(ids) ** 0.5 if len(ids) > 1 else 0.0
    least = float((norm.ppf(1 - args.alpha / tests / 2) + norm.ppf(POWER)) * spread)
    return {
        "before": round(float(values[0]), 6),
        "after": round(float(values[1]), 6),
        "difference": round(float(values[1] - values[0]), 6),
        "difference_ci95": [round(float(low), 6), round(float(high), 6)],
        "p_value": p,
        "minimal_detectable_difference": round(least, 4) or None,
    }, list(rows if VALUES[task][2] else -rows)


def part_of(row: dict, task: str) -> tuple[float, float]:
    """What a row adds to the value's numerator and denominator."""
    return (row["nats"] / math.log(2), row["bytes"]) if task == "perplexity" else (row.get("rouge_l", 0.0), 1)


def compare(evaluations: list[dict], args: Args) -> dict:
    """comparison.json's content."""
    kind = "general" if is_general(evaluations[0]) else evaluations[0]["metrics"].get("task")
    pairs = [(0, i) for i in range(1, len(evaluations))] + [(i - 1, i) for i in range(2, len(evaluations))]
    comparisons = [pair(evaluations[a], evaluations[b], args, len(pairs)) for a, b in pairs]
    for compared, adjusted in zip(comparisons, holm([c["p_value"] for c in comparisons]), strict=True):
        compared["p_holm"] = adjusted
        compared["significant"] = adjusted < args.alpha
        compared["words"] = words(compared, len(comparisons), kind)
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
        "texts",
        "bits_per_byte",
        "perplexity",
    )
    first = evaluations[0]["metrics"]
    return {
        "verdict": " ".join(c["words"] for c in comparisons),
        "warnings": warnings_of(args, evaluations),
        "alpha": args.alpha,
        "measure": VALUES[first["task"]][0] if first.get("task") in VALUES else "accuracy",
        **{k: first.get(k) for k in ("n", "protocol", "task", "data_sha256", "template_sha256")},
        "models": [{"name": e["name"], "folder": e["folder"], **{k: e["metrics"].get(k) for k in kept}} for e in evaluations],
        "comparisons": comparisons,
    }


def words(c: dict, tests: int, kind: str) -> str:
    """What may be said of one comparison, and no more. `kind`: the task, or "general"."""
    name, more_is_better = VALUES.get(kind, ("", "", True))[1:]
    bits = kind == "perplexity"

    def shown(value, sign=""):
        return f"{value:{sign}.4f}" if bits else f"{100 * value:{sign}.1f}"

    one, two, n = c["from"], c["to"], c["n"]
    low, high = (shown(v, "+") for v in c["difference_ci95"])
    p = "p < 0.0001" if c["p_holm"] < 0.0001 else f"p = {c['p_holm']:.4f}"
    unit = "" if bits else " points"
    figures = (
        f"{shown(c['difference'], '+')}{unit} (95 % interval {low} to {high}), {c['won']} rows won and "
        f"{c['lost']} lost of {n}, {'permutation test' if name else 'exact McNemar'} {p}"
        + (f", Holm-corrected for {tests} tests" if tests > 1 else "")
    )
    if name:
        figures = f"{name} {shown(c['before'])} and {shown(c['after'])}, {figures}"
    elif kind in ("safety", "general"):
        figures = f"{shown(c['before'])} % and {shown(c['after'])} %, {figures}"
    better = (c["difference"] > 0) == more_is_better
    if c["significant"]:
        if kind == "safety":
            return f"{two} declines {'more' if better else 'fewer'} of the harmful requests than {one}: {figures}."
        if kind == "general":
            return (
                f"{'No forgetting' if better else 'Forgetting shown'}: {two} is {'better' if better else 'worse'} than {one} "
                f"on questions outside medicine: {figures}."
            )
        return f"{two} is {'better' if better else 'worse'} than {one}: {figures}."
    least = c["minimal_detectable_difference"]
    seen = (
        f"with {n} rows and so many that differ, a difference of about {shown(least)}{unit} would have been "
        "shown four times in five"
        if least is not None
        else f"the two differ in so few of the {n} rows that no difference could have been shown"
    )
    about = {"safety": " in the harmful requests that they decline", "general": " on questions outside medicine"}.get(kind, "")
    said = f"o difference shown between {one} and {two}{about}: {figures}; {seen}"
    if kind != "general":
        return f"N{said}."
    loss = -100 * c["difference_ci95"][0]
    open_question = f"; a loss of up to {loss:.1f} points is not ruled out" if loss > 0 else ""
    return f"No forgetting shown: n{said}{open_question}."


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    args = parse_args(Args, __doc__)
    evaluations = read(args)
    result = compare(evaluations, args)
    output_dir = Path(args.output_dir)
    markdown = comparison_page.markdown(result)
    page = comparison_page.page(result, [e["rows"] for e in evaluations], args.flips)
    write_text(output_dir / "comparison.html", page)
    write_text(output_dir / "comparison.md", markdown)
    write_json(output_dir / "comparison.json", result)
    print(markdown.partition("## By topic")[0].strip())
    print(f"done: {output_dir} (comparison.json, comparison.md, comparison.html)")


if __name__ == "__main__":
    run_main(main)
