"""One page on a finished run, for the person who decides what to do with the model: report.html and summary.json.

    python scripts/report.py --run runs/quickstart

Input   a recipe's output folder: eval_*/ (metrics, predictions), comparison/, sft/ (run.json, metrics.jsonl),
        data/manifest.json, gguf/verification.json, manifest.json and logs/ask.log of run_recipe.py.
Output  run/report.html (one file, nothing loaded from elsewhere), run/summary.json (the same figures for programs), and
        the table in the terminal. Everything that comes from data or a model is escaped.

The words follow the numbers: an improvement is claimed only where the paired test supports it.
"""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import common


@dataclass
class Args:
    run: str
    """output folder of a recipe"""

    def problems(self) -> list[str]:
        needed = ("comparison/comparison.json", "eval_base/metrics.json", "eval_sft/metrics.json", "sft/run.json")
        return [
            f"run: {self.run}/{name} is not there; finish the recipe first (scripts/run_recipe.py)"
            for name in needed
            if not (Path(self.run) / name).is_file()
        ]


def read_json(path: Path, default=None):
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def score(name: str, metrics: dict) -> dict:
    """A row of the table of scores."""
    low, high = metrics["accuracy_ci95"]
    return {
        "name": name,
        "n": metrics["n"],
        "right": metrics["n_correct"],
        "accuracy": metrics["accuracy"],
        "low": low,
        "high": high,
        "chance": metrics["chance"],
        "majority": metrics["majority_class"]["accuracy"],
    }


def loss_curve(path: Path) -> dict:
    """The training loss as the points of an SVG line, 580 by 155 units."""
    losses = [(r["step"], float(r["loss"])) for r in map(json.loads, path.read_text().splitlines()) if "loss" in r]
    steps, top = max(s for s, _ in losses), max(v for _, v in losses)
    points = " ".join(f"{50 + 580 * s / steps:.1f},{170 - 155 * v / top:.1f}" for s, v in losses)
    return {"points": points, "top": f"{top:.2f}", "steps": steps, "last": losses[-1][1]}


def flips(run: Path, most: int = 5) -> list[tuple[str, list[dict]]]:
    """Questions won and lost by training, the first few of each."""
    rows = {r["id"]: r for r in map(json.loads, (run / "data/test.jsonl").read_text(encoding="utf-8").splitlines())}
    before, after = (
        {r["id"]: r for r in map(json.loads, (run / f"{name}/predictions.jsonl").read_text(encoding="utf-8").splitlines())}
        for name in ("eval_base", "eval_sft")
    )
    found = {"Won": [], "Lost": []}
    for key, a in after.items():
        if a["correct"] != before[key]["correct"]:
            question = rows[key].get("question") or rows[key].get("text", "")
            found["Won" if a["correct"] else "Lost"].append(
                {"question": question[:300], "before": before[key]["prediction"], "after": a["prediction"], "gold": a["gold"]}
            )
    return [(f"{kind}: {len(rows)}, the first {min(most, len(rows))}", rows[:most]) for kind, rows in found.items() if rows]


def gather(run: Path) -> dict:
    """All that the page shows, from the files of the run."""
    manifest = read_json(run / "manifest.json", {"title": run.name, "stages": []})
    base, tuned = (read_json(run / f"{name}/metrics.json") for name in ("eval_base", "eval_sft"))
    comparison, sft = read_json(run / "comparison/comparison.json"), read_json(run / "sft/run.json")
    pair = comparison["comparisons"][0]
    scores = [score("before", base), score("after SFT", tuned)]
    curve = loss_curve(run / "sft/metrics.jsonl")
    prepared = read_json(run / "data/manifest.json", {})
    proof = read_json(run / "gguf/verification.json", {})
    verdict = comparison["verdict"].replace("eval_sft", "the tuned model").replace("eval_base", "the model before training")
    verdict = verdict[0].upper() + verdict[1:]
    shown = ["The paired test above is the only claim that this page makes of the scores."]
    chance, majority = tuned["chance"], tuned["majority_class"]["accuracy"]
    above = tuned["accuracy_ci95"][0] > max(chance, majority)
    shown.append(
        f"The tuned model's interval lies {'above' if above else 'not clearly above'} both chance ({percent(chance)}) "
        f"and always giving the commonest answer ({percent(majority)})."
    )
    shown.append(
        "The held-out questions come from the same collection as the training rows, split by hash after "
        "duplicates were taken out; how the model does on other questions was not measured."
    )
    shown.append("Whether the model forgot what it knew elsewhere, and whether it is safe, was not measured here.")
    shown.append("One run with one seed: how much the score varies between seeds was not measured.")
    return {
        "title": manifest["title"],
        "date": time.strftime("%Y-%m-%d"),
        "verdict": verdict,
        "scores": scores,
        "chance": base["chance"],
        "difference": describe(pair),
        "shown": shown,
        "pair": pair,
        "topics": [
            {"topic": topic, "n": part["n"], "accuracy": [part["accuracy"], tuned["by_topic"][topic]["accuracy"]]}
            for topic, part in base["by_topic"].items()
        ],
        "flips": flips(run),
        "curve": curve,
        "training": training_table(sft, curve),
        "data": data_table(prepared),
        "files": file_table(proof),
        "answers": answers(run / "logs/ask.log"),
        "stages": manifest["stages"],
        "hardware": hardware_line(sft["hardware"]),
        "versions": list(sft["versions"].items()),
    }


def describe(pair: dict) -> str:
    """The figures of a comparison, in points, and what it could have seen at all."""
    low, high = pair["difference_ci95"]
    least = pair["minimal_detectable_difference"]
    seen = (
        f"The smallest difference that this many questions could have shown (80 % power): {100 * least:.1f} points."
        if least is not None
        else "The two differ in so few questions that no difference could have been shown."
    )
    return (
        f"Difference {100 * pair['difference']:+.1f} points (95 % interval {100 * low:+.1f} to {100 * high:+.1f}, paired "
        f"bootstrap); {pair['won']} questions won, {pair['lost']} lost, exact McNemar p = {pair['p_value']:.2g}. {seen}"
    )


def training_table(sft: dict, curve: dict) -> list[tuple[str, str]]:
    config, metrics = sft["config"], sft["metrics"]
    return [
        ("base model", config["model"]),
        ("method", f"SFT, {config['adapter']}, rank {config['lora_r']}, {metrics['trainable_parameters']:,} trained parameters"),
        ("learning rate, epochs, seed", f"{config['learning_rate']}, {config['num_train_epochs']}, {config['seed']}"),
        (
            "rows",
            f"{metrics['rows']}, {metrics['trained_tokens']:,} of {metrics['tokens']:,} tokens trained, "
            f"{metrics['truncated_rows']} rows cut",
        ),
        ("last loss", f"{curve['last']:.3f}"),
        (
            "time, peak memory",
            f"{metrics['train_seconds']:.0f} s, "
            + ", ".join(f"{gigabytes} GB {kind}" for kind, gigabytes in sft["peak_memory_gb"].items()),
        ),
    ]


def data_table(prepared: dict) -> list[tuple[str, str]]:
    return [(key.replace("_", " "), f"{value:,}") for key, value in prepared.get("counts", {}).items() if isinstance(value, int)]


def file_table(proof: dict) -> list[dict]:
    """The exported files with what export_gguf.py's proof said of each."""
    found = []
    for f in proof.get("files", []):
        checks = f.get("checks", {})
        figures = "; ".join(
            text
            for key, text in (
                ("kl", f"mean KL to the full model {checks.get('kl', 0):.4f}"),
                ("top1", f"same best token {percent(checks.get('top1', 0))}"),
                ("ratio", f"perplexity x {checks.get('ratio', 0):.3f}"),
            )
            if isinstance(checks.get(key), float)
        )
        said = (
            "failed: " + "; ".join(f"{k}, {v}" for k, v in f["failed"].items())
            if f["failed"]
            else ("every check passed" if checks else "not verified")
        )
        found.append(
            {
                "name": f["file"],
                "mb": f"{f['bytes'] / 1e6:.0f}",
                "passed": bool(checks) and not f["failed"],
                "checks": f"{said}{'; ' if figures else ''}{figures}",
            }
        )
    return found


def answers(log: Path) -> str:
    """What the deployed file answered, as the chat printed it."""
    return re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8")).strip() if log.is_file() else ""


def hardware_line(hardware: dict) -> str:
    return hardware.get("gpu") or f"{hardware['cores']} processor cores ({hardware['machine']}), no GPU"


def write_html(page: dict, path: Path) -> None:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["percent"] = percent
    template = environment.from_string((Path(__file__).parent / "report.html.jinja").read_text(encoding="utf-8"))
    common.write_text(path, template.render(**page))


def main() -> None:
    args = common.parse_args(Args, __doc__)
    run = Path(args.run)
    page = gather(run)
    write_html(page, run / "report.html")
    kept = ("title", "date", "verdict", "scores", "pair", "shown", "files", "stages", "hardware")
    common.write_json(run / "summary.json", {k: page[k] for k in kept} | {"versions": dict(page["versions"])})
    print(f"{'':10} {'right':>12} {'accuracy':>9}   {'95 % interval':18} {'chance':>7} {'majority':>9}")
    for s in page["scores"]:
        print(
            f"{s['name']:10} {s['right']:>5} of {s['n']:<4} {percent(s['accuracy']):>9}   "
            f"{percent(s['low']) + ' to ' + percent(s['high']):18} {percent(s['chance']):>7} {percent(s['majority']):>9}"
        )
    print(page["difference"])
    print(page["verdict"])
    for f in page["files"]:
        print(f"{f['name']}: {f['mb']} MB, {f['checks']}")
    print(f"report: {run / 'report.html'}")


if __name__ == "__main__":
    common.run(main)
