"""Blocks of a recipe's run beside its comparison: trainings, data, exported files, cost. Read from the run's folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from common.files import read_json, read_rows, sha256
from common.hashes import by_hash
from common.synthetic import names_of
from reporting import sentences
from reporting.blocks import Curve, Details, Heading, Part, Pre, Table, Text
from reporting.language import Language
from scoring.comparing import Result
from scoring.results import read_comparison

TRAININGS = ("cpt.py", "sft.py", "dpo.py", "kto.py", "simpo.py", "orpo.py", "reward.py", "grpo.py", "rloo.py", "distill.py")


@dataclass
class Run:
    """A recipe's output folder as it was found; what is not there is empty."""

    folder: Path
    title: str
    stages: list[dict]
    trainings: list[tuple[str, dict]]
    """folder name and run.json, in the order of the stages"""
    prepared: list[tuple[str, dict]]
    """folder name and manifest.json of each preparation"""
    proof: dict
    """gguf/verification.json"""
    choice: dict
    """ships/choice.json"""

    @property
    def energy(self) -> float | None:
        """GPU energy of all stages that counted it, Wh."""
        counted = [s["energy_wh"] for s in self.stages if s.get("energy_wh")]
        return sum(counted) if counted else None

    def from_training_collection(self, test_sha256: str | None) -> bool:
        """Whether the scored rows and training rows were split from one collection."""
        tests = [self.folder / name / "test.jsonl" for name, m in self.prepared if m["counts"].get("train")]
        return any(path.is_file() and sha256(path) == test_sha256 for path in tests)


def read_or(path: Path, default):
    return read_json(path) if path.is_file() else default


def read_run(folder: Path) -> Run:
    """All that the page takes from the folder."""
    manifest = read_or(folder / "manifest.json", {"title": folder.name, "stages": []})
    order = {s["name"]: i for i, s in enumerate(manifest["stages"])}
    trained = [
        (order.get(path.parent.name, len(order)), path.parent.name, record)
        for path in folder.glob("*/run.json")
        if (record := read_or(path, {})).get("script") in TRAININGS and (path.parent / "metrics.jsonl").is_file()
    ]
    return Run(
        folder,
        manifest["title"],
        manifest["stages"],
        [(name, record) for _, name, record in sorted(trained, key=lambda t: t[:2])],
        [(p.parent.name, m) for p in sorted(folder.glob("*/manifest.json")) if "counts" in (m := read_or(p, {}))],
        read_or(folder / "gguf/verification.json", {}),
        read_or(folder / "ships/choice.json", {}),
    )


# ---------------------------------------------------------------------------------------------- training


def training_blocks(run: Run, say: Language) -> list:
    """Loss and facts of each training."""
    if not run.trainings:
        return []
    found = [Heading(say("Training"))]
    for name, record in run.trainings:
        curve = loss_curve(run.folder / name / "metrics.jsonl", say)
        found += [Heading(name, 3), curve, Table([say("what"), say("value")], facts(record, curve, say))]
    return found


def loss_curve(path: Path, say: Language) -> Curve:
    """The training loss by step, and the held-out loss where there is one."""
    records = read_rows(path)
    losses = [(r["step"], float(r["loss"])) for r in records if "loss" in r]
    held_out = [(r["step"], float(r["eval_loss"])) for r in records if "eval_loss" in r]
    steps = max((s for s, _ in losses), default=1)
    title = say("Loss by step; dots: on held-out rows")
    return Curve(title, losses or [(1, 0.0)], held_out, say("step {n}", n=1), say("step {n}", n=steps))


def facts(record: dict, curve: Curve, say: Language) -> list[list[str]]:
    """A training's settings and measures, as rows of a table."""
    config, metrics = record["config"], record["metrics"]
    method = record["script"].removesuffix(".py").upper()
    memory = ", ".join(f"{say.number(gigabytes, 'g')} GB {kind}" for kind, gigabytes in record["peak_memory_gb"].items())
    held_out = say("; held out {loss}", loss=say.number(curve.dots[-1][1], ".3f")) if curve.dots else ""
    rows = say(
        "{rows}, {tokens} tokens, {cut:row|rows} cut",
        rows=say.number(metrics["rows"], ","),
        tokens=say.number(metrics["tokens"], ","),
        cut=metrics["truncated_rows"],
    )
    parameters = say("{n} trained parameters", n=say.number(metrics["trainable_parameters"], ","))
    return [
        [say("started from"), str(config["model"])],
        [say("method"), f"{method}, {config['adapter']}, {parameters}"],
        [say("learning rate, steps, seed"), f"{say.number(config['learning_rate'], 'g')}; {metrics['steps']}; {config['seed']}"],
        [say("rows"), rows],
        *([[say("synthetic rows"), synthetic(metrics, say)]] if metrics.get("synthetic_rows") else []),
        [say("last loss"), say.number(curve.line[-1][1], ".3f") + held_out],
        [say("time, peak memory"), f"{metrics['train_seconds']:.0f} s, {memory}"],
    ]


def synthetic(metrics: dict, say: Language) -> str:
    """How many of a training's rows a model wrote, and which model."""
    number, rows = sum(metrics["synthetic_rows"].values()), metrics["rows"]
    counts = {"n": say.number(number, ","), "rows": say.number(rows, ","), "share": say.percent(number / rows)}
    return say("{n} of {rows} ({share}), written by {names}", **counts, names=names_of(metrics["synthetic_rows"]))


# ---------------------------------------------------------------------------------------------- data


def data_blocks(run: Run, say: Language) -> list:
    """The funnel of each preparation, a column each; what is zero everywhere is left out. Licences."""
    counts = [manifest["counts"] for _, manifest in run.prepared]
    names = dict.fromkeys(key for c in counts for key, value in c.items() if isinstance(value, int) and value)
    rows = [[say(name.replace("_", " ")), *(say.number(c.get(name, 0), ",") for c in counts)] for name in names]
    licences = sorted({f"{what}: {name}" for _, m in run.prepared for what, name in m.get("licences", {}).items()})
    named = "; ".join(licences) or say("none; name them with --licences in data_prep/prepare.py")
    table = [Table([say("rows"), *(name for name, _ in run.prepared)], rows)] if rows else []
    return [Heading(say("Data")), *table, Text(say("Licences named in preparing: {named}.", named=named), "soft")]


# ---------------------------------------------------------------------------------------------- files


def file_blocks(run: Run, result: Result, say: Language) -> list:
    """The exported files with what export_gguf.py's proof said of each, and four answers of the one that was scored."""
    found, files = [], run.proof.get("files", [])
    if files:
        rows = [[f["file"], say.number(f["bytes"] / 1e6, ".0f"), file_checks(f, say)] for f in files]
        tones = ["bad" if f["failed"] else "good" if f.get("checks") else "warn" for f in files]
        head = [say("file"), "MB", say("checks against the model that was trained")]
        found = [Heading(say("The exported files")), Table(head, rows, tones), *choice_blocks(run.choice, say)]
    if result.deployed is None or result.measure != "accuracy":
        return found
    rows = result.deployed.rows[0]
    shown = [i for right in (True, False) for i in by_hash([i for i in rows if rows[i].correct is right])[:2]]
    said = say(
        "Two answers of {file} that were right and two that were not, drawn by the hash of their ids:", file=result.deployed.name
    )
    found.append(Text(said))
    for i in shown:
        row, right = rows[i], rows[i].correct
        given = say("no valid answer") if row.prediction is None else row.prediction
        summary = say("{id}: answered {given}, key {gold}", id=i, given=given, gold=row.gold)
        found.append(Details(summary, [Part(say("question, as it was asked"), row.prompt)], "good" if right else "bad"))
    return found


def choice_blocks(choice: dict, say: Language) -> list:
    """Why this file ships (scripts/choose_file.py); nothing where there was no choice."""
    if choice.get("rows_needed"):
        text = (
            "{file}, the largest, ships untried: the rows to choose by are too few to rule out a loss of more than "
            "{margin:point|points}; {n} could."
        )
        margin = say.number(choice["margin"], "g")
        return [Text(say(text, file=choice["file"], n=choice["rows_needed"], margin=margin), "warn")]
    if not choice.get("tried"):
        return []
    text = (
        "{file} ships: on {n:row|rows} that no score here uses it is the smallest for which a loss of more than "
        "{margin:point|points} is ruled out."
        if choice["settled"]
        else "{file}, the largest, ships: on {n:row|rows} that no score here uses, a loss of more than "
        "{margin:point|points} is not ruled out for a smaller one."
    )
    tried = [read_comparison(c) for c in choice["tried"]]
    said = [Text(sentences.sentence(c, "score", 1 - choice["alpha"], say), "soft") for c in tried]
    return [Text(say(text, file=choice["file"], n=choice["n"], margin=say.number(choice["margin"], "g"))), *said]


def file_checks(f: dict, say: Language) -> str:
    """What the proof of one file said, with its figures."""
    checks = f.get("checks", {})
    ratio = (checks.get("perplexity") or {}).get("ratio") if isinstance(checks.get("perplexity"), dict) else checks.get("ratio")
    named = [
        ("mean KL to the full model {value}", checks.get("kl"), ".4f"),
        ("same best token {value}", checks.get("top1"), ".1%"),
        ("perplexity x {value}", ratio, ".3f"),
    ]
    figures = [say(text, value=say.number(value, form)) for text, value, form in named if isinstance(value, float)]
    if f["failed"]:
        return "; ".join([say("failed: {what}", what="; ".join(f"{k}, {v}" for k, v in f["failed"].items())), *figures])
    return "; ".join([say("every check passed") if checks else say("not verified"), *figures])


# ---------------------------------------------------------------------------------------------- cost


def cost_blocks(run: Run, say: Language) -> list:
    """Seconds, memory and energy of the stages, and their commands."""
    if not run.stages:
        return []
    energy = run.energy
    head = [say("stage"), say("seconds"), say("peak memory, GB"), *([say("GPU energy, Wh")] if energy else [])]
    rows = [
        [
            s["name"],
            f"{s['seconds']:.0f}",
            say.number(s["peak_memory_gb"], "g"),
            *([say.number(s["energy_wh"], "g") if s.get("energy_wh") else ""] if energy else []),
        ]
        for s in run.stages
    ]
    total = [say("all"), f"{sum(s['seconds'] for s in run.stages):.0f}", "", *([say.number(energy, ".2f")] if energy else [])]
    found = [Heading(say("Cost")), Table(head, [*rows, total])]
    if energy:
        text = "The cards counted all that ran on them meanwhile; the rest of the machine is not in it."
        found.append(Text(say(text), "soft"))
    commands = "\n".join(s["command"] if isinstance(s["command"], str) else " ".join(s["command"]) for s in run.stages)
    return [*found, Text(say("The stages' commands, each to be pasted as it is:")), Pre(commands)]


def hardware_line(record: dict, say: Language) -> str:
    """Machine and versions, from a run.json."""
    hardware = record.get("hardware")
    if not hardware:
        return ""
    processor = say("{n} processor cores ({machine}), no GPU", n=hardware.get("cores"), machine=hardware.get("machine"))
    versions = ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items())
    return re.sub(r"\s+", " ", f"{hardware.get('gpu') or processor}. {versions}.")
