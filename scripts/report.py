"""One page on a finished run, for the person who decides what to do with the model: report.html, report.md, summary.json.

    python scripts/report.py --run runs/quickstart

Input   a recipe's output folder, by its names: comparison/ (compare.py), eval_NAME/ (evaluate.py), NAME/run.json and
        metrics.jsonl of each training, */manifest.json of data_prep, gguf/verification.json, compare_general/ (forgetting)
        and compare_safety/ where there are such, manifest.json and logs/ask.log of run_recipe.py.
Output  run/report.html (one file, nothing loaded from elsewhere), run/report.md (the same as Markdown, made to go with the
        model as its card), run/summary.json (the same figures for programs), and the table in the terminal. Everything
        that comes from data or a model is escaped.

The words follow the numbers: an improvement is claimed only where the paired test supports it.
"""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

from common.arguments import parse_args
from common.entry import run_main
from common.files import write_json, write_text
from reporting.comparison_page import percent

NAMES = {"base": "before", "deployed": "deployed file"}  # eval_NAME -> words; others are "after NAME"
TRAININGS = ("cpt.py", "sft.py", "dpo.py", "kto.py", "simpo.py", "orpo.py", "reward.py", "grpo.py")


@dataclass
class Args:
    run: str
    """output folder of a recipe"""

    def problems(self) -> list[str]:
        if (Path(self.run) / "comparison/comparison.json").is_file():
            return []
        return [f"run: {self.run}/comparison/comparison.json is not there; finish the recipe first (scripts/run_recipe.py)"]


def read_json(path: Path, default=None):
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default


def words_for(name: str) -> str:
    """eval_sft -> "after SFT"."""
    stage = name.rpartition("_")[2]
    return NAMES.get(stage, f"after {stage.upper()}")


def score(model: dict) -> dict:
    """A row of the table of scores, from an entry of comparison.json's models."""
    low, high = model["accuracy_ci95"]
    return {
        "name": words_for(model["name"]),
        "folder": model["name"],
        "n": model["n"],
        "right": model["n_correct"],
        "accuracy": model["accuracy"],
        "low": low,
        "high": high,
        "chance": model["chance"],
        "majority": (model["majority_class"] or {}).get("accuracy"),
    }


def loss_curve(path: Path) -> dict:
    """The training loss, and the held-out loss where there is one, as the points of an SVG line, 580 by 155 units."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    losses = [(r["step"], float(r["loss"])) for r in records if "loss" in r]
    held_out = [(r["step"], float(r["eval_loss"])) for r in records if "eval_loss" in r]
    steps = max(s for s, _ in losses)
    top = max([v for _, v in losses + held_out] + [1e-9])

    def place(step: int, loss: float) -> tuple[str, str]:
        return f"{50 + 580 * (step - 1) / max(steps - 1, 1):.1f}", f"{170 - 155 * max(loss, 0) / top:.1f}"

    line = " ".join(",".join(place(*point)) for point in losses)
    found = {
        "points": line,
        "dots": [place(*point) for point in held_out],
        "top": f"{top:.2f}",
        "steps": steps,
        "last": losses[-1][1],
    }
    return found | {"held_out": held_out[-1][1] if held_out else None}


def trainings(run: Path, stages: list[dict]) -> list[dict]:
    """Every training of the run in the order of its stages: method, curve, table of facts."""
    order = {s["name"]: i for i, s in enumerate(stages)}
    found = []
    for path in run.glob("*/run.json"):
        record = read_json(path)
        if record["script"] in TRAININGS and (path.parent / "metrics.jsonl").is_file():
            found.append((order.get(path.parent.name, len(order)), path.parent.name, record))
    return [
        {
            "name": name,
            "record": record,
            "curve": (curve := loss_curve(run / name / "metrics.jsonl")),
            "facts": facts(record, curve),
        }
        for _, name, record in sorted(found, key=lambda f: f[:2])
    ]


def facts(record: dict, curve: dict) -> list[tuple[str, str]]:
    config, metrics = record["config"], record["metrics"]
    method = record["script"].removesuffix(".py").upper()
    rows = f"{metrics['rows']:,}, {metrics['tokens']:,} tokens, {metrics['truncated_rows']} rows cut"
    lines = [
        ("started from", config["model"]),
        ("method", f"{method}, {config['adapter']}, {metrics['trainable_parameters']:,} trained parameters"),
        ("learning rate, steps, seed", f"{config['learning_rate']}, {metrics['steps']}, {config['seed']}"),
        ("rows", rows),
        ("last loss", f"{curve['last']:.3f}" + (f"; held out {curve['held_out']:.3f}" if curve["held_out"] is not None else "")),
    ]
    memory = ", ".join(f"{gigabytes} GB {kind}" for kind, gigabytes in record["peak_memory_gb"].items())
    return [*lines, ("time, peak memory", f"{metrics['train_seconds']:.0f} s, {memory}")]


def flips(run: Path, before: str, after: str, most: int = 5) -> list[tuple[str, list[dict]]]:
    """Questions won and lost between two evaluations, the first few of each."""
    data = next(iter(read_json(run / before / "run.json")["data"]))
    rows = {r["id"]: r for r in map(json.loads, Path(data).read_text(encoding="utf-8").splitlines())}
    one, two = (
        {r["id"]: r for r in map(json.loads, (run / name / "predictions.jsonl").read_text(encoding="utf-8").splitlines())}
        for name in (before, after)
    )
    found = {"Won": [], "Lost": []}
    for key, a in two.items():
        if key in one and a["correct"] != one[key]["correct"]:
            question = rows[key].get("question") or rows[key].get("text", "")
            found["Won" if a["correct"] else "Lost"].append(
                {"question": question[:300], "before": one[key]["prediction"], "after": a["prediction"], "gold": a["gold"]}
            )
    return [(f"{kind}: {len(rows)}, the first {min(most, len(rows))}", rows[:most]) for kind, rows in found.items() if rows]


def in_words(text: str) -> str:
    """A comparison's sentence with the folders' names as a reader knows them."""
    text = re.sub(r"\b(?:eval|general|safety)_(\w+)", lambda hit: f"the model {words_for(hit[0])}", text)
    text = text.replace("the model deployed file", "the deployed file").replace("the model before", "the model before training")
    return text[0].upper() + text[1:]


def side_table(run: Path, what: str) -> dict | None:
    """Forgetting or safety: scores before and after, and what their paired test says."""
    comparison = read_json(run / f"compare_{what}/comparison.json")
    if comparison is None:
        return None
    return {"scores": [score(m) for m in comparison["models"]], "verdict": in_words(comparison["verdict"])}


def limits(scores: list[dict], general, safety, prepared: list[dict]) -> list[str]:
    """What the page shows, and what it does not."""
    tuned = [s for s in scores if s["folder"] not in ("eval_base", "eval_deployed")][-1]
    shown = ["The paired tests above are the only claim that this page makes of the scores."]
    yardsticks = [f"chance ({percent(tuned['chance'])})"] if tuned["chance"] is not None else []
    if tuned["majority"] is not None:
        yardsticks.append(f"always giving the commonest answer ({percent(tuned['majority'])})")
    if yardsticks:
        above = tuned["low"] > max(tuned["chance"] or 0, tuned["majority"] or 0)
        shown.append(f"The tuned model's interval lies {'above' if above else 'not clearly above'} {' and '.join(yardsticks)}.")
    if len(prepared) == 1:
        shown.append(
            "The held-out questions come from the same collection as the training rows, split by hash after "
            "duplicates were taken out; how the model does on other questions was not measured."
        )
    missing = [
        what
        for what, table in (("whether the model forgot what it knew elsewhere", general), ("whether it is safe", safety))
        if not table
    ]
    if missing:
        text = " and ".join(missing)
        shown.append(f"{text[0].upper()}{text[1:]} was not measured here.")
    if safety:
        shown.append(
            f"Safety was looked at in {safety['scores'][0]['n']} requests, by phrases of refusal: a first look, no proof."
        )
    return [*shown, "One run with one seed: how much the scores vary between seeds was not measured."]


def gather(run: Path) -> dict:
    """All that the page shows, from the files of the run."""
    manifest = read_json(run / "manifest.json", {"title": run.name, "stages": []})
    comparison = read_json(run / "comparison/comparison.json")
    scores = [score(m) for m in comparison["models"]]
    first = comparison["models"][0]["name"]
    last = [m["name"] for m in comparison["models"] if m["name"] != "eval_deployed"][-1]
    pair = next(c for c in comparison["comparisons"] if (c["from"], c["to"]) == (first, last))
    trained = trainings(run, manifest["stages"])
    prepared = [(p.parent.name, m) for p in sorted(run.glob("*/manifest.json")) if "counts" in (m := read_json(p))]
    proof = read_json(run / "gguf/verification.json", {})
    general, safety = side_table(run, "general"), side_table(run, "safety")
    record = trained[-1]["record"] if trained else read_json(run / first / "run.json")
    topics = {topic for model in comparison["models"] for topic in model["by_topic"]}
    return {
        "title": manifest["title"],
        "date": time.strftime("%Y-%m-%d"),
        "verdict": in_words(pair["words"]),
        "scores": scores,
        "chance": scores[0]["chance"],
        "difference": describe(pair),
        "comparisons": [{**c, "from": words_for(c["from"]), "to": words_for(c["to"])} for c in comparison["comparisons"]],
        "warnings": [in_words(w) for w in comparison["warnings"]],
        "shown": limits(scores, general, safety, prepared),
        "pair": pair,
        "topics": [
            {
                "topic": topic or "(none)",
                "n": comparison["models"][0]["by_topic"][topic]["n"],
                "accuracy": [m["by_topic"].get(topic, {}).get("accuracy", 0) for m in comparison["models"]],
            }
            for topic in sorted(topics)
        ],
        "flips": flips(run, first, last),
        "trainings": trained,
        "prepared": [name for name, _ in prepared],
        "data": data_table(prepared),
        "licences": sorted({f"{what}: {licence}" for _, m in prepared for what, licence in m.get("licences", {}).items()}),
        "general": general,
        "safety": safety,
        "files": file_table(proof),
        "answers": answers(run / "logs/ask.log"),
        "stages": manifest["stages"],
        "energy": sum(counted) if (counted := [s["energy_wh"] for s in manifest["stages"] if s.get("energy_wh")]) else None,
        "hardware": hardware_line(record["hardware"]),
        "versions": list(record["versions"].items()),
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


def data_table(prepared: list[tuple[str, dict]]) -> list[list[str]]:
    """The funnel of each preparation, a column each; what is zero everywhere is left out."""
    counts = [manifest["counts"] for _, manifest in prepared]
    names = dict.fromkeys(key for c in counts for key, value in c.items() if isinstance(value, int) and value)
    return [[name.replace("_", " "), *(f"{c.get(name, 0):,}" for c in counts)] for name in names]


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


def render(page: dict, template: str, html: bool) -> str:
    import jinja2

    environment = jinja2.Environment(autoescape=html, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = percent
    environment.filters["cell"] = lambda text: re.sub(r"([\\|<>`*_\[\]])", r"\\\1", str(text).replace("\n", " "))
    return environment.from_string((Path(__file__).parent / "reporting" / template).read_text(encoding="utf-8")).render(**page)


def main() -> None:
    args = parse_args(Args, __doc__)
    run = Path(args.run)
    page = gather(run)
    write_text(run / "report.html", render(page, "report.html.jinja", html=True))
    write_text(run / "report.md", render(page, "report.md.jinja", html=False))
    kept = (
        "title",
        "date",
        "verdict",
        "scores",
        "pair",
        "comparisons",
        "shown",
        "general",
        "safety",
        "files",
        "stages",
        "energy",
        "hardware",
    )
    write_json(run / "summary.json", {k: page[k] for k in kept} | {"versions": dict(page["versions"])})
    print(f"{'':14} {'right':>12} {'accuracy':>9}   {'95 % interval':18} {'chance':>7} {'majority':>9}")
    for s in page["scores"]:
        chance, majority = (percent(s[k]) for k in ("chance", "majority"))
        print(
            f"{s['name']:14} {s['right']:>5} of {s['n']:<4} {percent(s['accuracy']):>9}   "
            f"{percent(s['low']) + ' to ' + percent(s['high']):18} {chance:>7} {majority:>9}"
        )
    print(page["difference"])
    print(page["verdict"])
    for f in page["files"]:
        print(f"{f['name']}: {f['mb']} MB, {f['checks']}")
    print(f"report: {run / 'report.html'}")


if __name__ == "__main__":
    run_main(main)
