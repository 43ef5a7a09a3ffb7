"""What a run of a recipe leaves of itself: manifest.json, and the note on the stage that runs now."""

import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chain.fingerprint import Fingerprint, difference, digest
from chain.recipe import Recipe
from chain.stages import Stage
from common import runs
from common.files import read_json, reading, write_json


@dataclass
class Record:
    """A stage that ended well."""

    name: str
    fingerprint: Fingerprint
    seconds: float
    peak_memory_gb: float
    energy_wh: float | None
    """of the machine's GPUs; None where they do not count it"""
    outputs: dict[str, str | None]
    """path -> SHA-256"""
    versions: dict[str, str] = field(default_factory=dict)
    """of the packages it ran with"""
    seed: int | None = None


@dataclass
class Manifest:
    """manifest.json of an output folder."""

    path: Path
    records: dict[str, Record] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)
    """hub id -> the commit that this run uses"""
    chosen: dict[str, str] = field(default_factory=dict)
    """variable -> the name taken of several"""

    def write(self, title: str, folder: Path, recipe: Recipe) -> None:
        """Everything that ended well, in the recipe's order. Stages of an earlier form of the recipe are left out."""
        kept = [self.records[s.name] for s in recipe.stages if s.name in self.records]
        value = {
            "title": title,
            "recipe": str(folder),
            "variables": recipe.variables,
            "chosen": self.chosen,
            "hub": self.revisions,
            "versions": runs.versions(),
            "stages": [{"name": r.name} | asdict(r.fingerprint) | without(asdict(r), "name", "fingerprint") for r in kept],
        }
        write_json(self.path, value)


def without(value: dict, *names: str) -> dict:
    return {k: v for k, v in value.items() if k not in names}


def read_manifest(path: Path) -> Manifest:
    """The manifest of an output folder, empty where there is none; stages that an older version recorded count as not run."""
    if not path.is_file():
        return Manifest(path)
    raw, records = read_json(path), {}
    with reading(path):
        for stage in raw["stages"]:
            if "packages" in stage:
                mark = Fingerprint(**{k: stage[k] for k in ("command", "code", "packages", "inputs")})
                rest = without(stage, "command", "code", "packages", "inputs")
                records[stage["name"]] = Record(fingerprint=mark, **rest)
        return Manifest(path, records, dict(raw.get("hub", {})), dict(raw.get("chosen", {})))


# ---------------------------------------------------------------------------------------------- the stage that runs now


def note_start(out: Path, stage: Stage, mark: Fingerprint) -> None:
    write_json(out / "running.json", {"name": stage.name} | asdict(mark))


def ended_unrecorded(out: Path, stage: Stage, mark: Fingerprint) -> Record | None:
    """The record of a training that ended while its runner was killed before it could write one; None for anything else.

    A training writes run.json last. It is taken over only where the runner's note says that it was started from the same
    command, code, packages and inputs. Other stages are simply run again.
    """
    results = [Path(p, "run.json") for p in stage.outputs if Path(p).is_dir()]
    if not stage.trains or not results or not all(p.is_file() for p in results) or not may_go_on(out, stage, mark):
        return None
    run = read_json(results[0])
    return Record(
        stage.name,
        mark,
        run["seconds"],
        run["peak_memory_gb"]["ram"],
        None,
        hashes(stage),
        run["versions"],
        run["config"]["seed"],
    )


def hashes(stage: Stage) -> dict[str, str | None]:
    return {p: digest(p) for p in stage.outputs}


def may_go_on(out: Path, stage: Stage, mark: Fingerprint) -> bool:
    """Whether what lies in the stage's outputs is its own, half done by the same command, code, packages and inputs."""
    note = out / "running.json"
    return note.is_file() and read_json(note) == {"name": stage.name} | asdict(mark)


def why_anew(out: Path, stage: Stage, mark: Fingerprint) -> str | None:
    """Why a stage that was begun cannot be gone on with; None where it can, or was not begun."""
    note = out / "running.json"
    begun = read_json(note) if note.is_file() else {}
    if begun.pop("name", None) != stage.name:
        return None
    with reading(note):
        return difference(mark, Fingerprint(**begun))


def move_aside(stage: Stage, out: Path) -> Path | None:
    """Move what an earlier run of the stage left in the output folder to previous/STAGE-TIME; returns that folder.

    Nothing is deleted, and nothing outside the output folder is touched.
    """
    there = [p for p in map(Path, stage.outputs) if p.exists() and out.resolve() in p.resolve().parents]
    if not there:
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1000):
        place = out / "previous" / (f"{stage.name}-{stamp}" + (f"-{number}" if number else ""))
        if not place.exists():
            break
    for path in there:
        target = place / path.resolve().relative_to(out.resolve())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    return place
