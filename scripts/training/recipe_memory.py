"""Estimates memory and disk of a recipe's stages, before anything is downloaded. Imports no torch."""

from pathlib import Path
from typing import NamedTuple

from common.errors import UserError
from common.machine import free_bytes
from common.models import find_model
from export.needs import Shape, needs
from training import memory, parameters, peak


class Stage(NamedTuple):
    """A stage of a recipe that trains or exports."""

    name: str
    script: str
    """stem of its file: sft, export_gguf, ..."""
    args: object
    """the script's arguments"""


class Need(NamedTuple):
    """What a stage needs at most, bytes."""

    name: str
    place: memory.Memory
    memory: float
    disk: float


def export_needs(config: dict, args) -> tuple[float, float]:
    """(memory, disk) in bytes of an export of a model of this shape, before there is one to look at; see export/needs.py."""
    linear, embeddings, norms = parameters.total_parameters(config)
    quantizations = [q.strip() for q in args.quantization.split(",") if q.strip()]
    even = all(config[name] % 256 == 0 for name in ("hidden_size", "intermediate_size"))
    shape = Shape(2 * (linear + norms), 2 * embeddings, 2 * embeddings, config.get("vocab_size", 0), even)
    found = needs(shape, quantizations)
    return found.memory, found.disk


def stage_need(stage: Stage, config: dict, training: memory.Memory, ram: memory.Memory) -> Need:
    """What one stage needs; rows are taken to be as long as max_length allows."""
    args = stage.args
    if stage.script == "export_gguf":
        return Need(stage.name, ram, *export_needs(config, args))
    longest = args.max_length + getattr(args, "max_completion_length", 0)
    choice = memory.choose(config, args, stage.script, longest, training.gpu, training.free)
    need = peak.estimate(config, args, stage.script, longest, training.gpu, choice.dequantize_nf4, training.free).total
    return Need(stage.name, training, need, memory.disk(config, args))


def begun_with(model: str, begins: dict[str, str]) -> str:
    """The model that a chain began with; `begins`: output folder -> the model that its stage began with."""
    if Path(model).name == "model.gguf" and str(Path(model).parent) in begins:  # choose_file.py's link
        model = str(Path(model).parent)
    return begins.get(model, model)


class Needs(NamedTuple):
    """What the stages of a recipe need."""

    stages: list[Need]
    not_estimated: list[str]
    """a line for each model or stage that the arithmetic does not know"""

    @property
    def disk(self) -> float:
        """bytes, in all"""
        return sum(need.disk for need in self.stages)


def needs_of(stages: list[Stage], training: memory.Memory, ram: memory.Memory) -> Needs:
    """What each stage needs that trains or exports.

    A model that an earlier stage makes has the shape of the one that the stage began with. A model whose config.json
    cannot be had, or is of an unknown shape, gives a line that says so.
    """
    begins, configs, found = {}, {}, Needs([], [])
    for stage in (s for s in stages if s.script in (*peak.METHODS, "export_gguf")):
        model = begun_with(str(stage.args.model), begins)
        begins[str(stage.args.output_dir)] = model
        if reward := getattr(stage.args, "reward_model", None):
            stage.args.reward_model = begun_with(reward, begins)
        if model not in configs:
            try:
                configs[model] = shape_of(model)
            except (KeyError, OSError, ValueError, UserError) as error:
                configs[model] = None
                why = " ".join(str(error).split())[:80]
                found.not_estimated.append(f"  {model}: not estimated, its config.json cannot be had ({why})")
        if configs[model] is None:
            continue
        try:
            found.stages.append(stage_need(stage, configs[model], training, ram))
        except (KeyError, ValueError) as error:
            found.not_estimated.append(
                f"  {stage.name}: not estimated, {model} is of a shape that the arithmetic does not know ({error})"
            )
    return found


def lines(stages: list[Stage]) -> list[str]:
    """Lines that say what the stages of a recipe need at most, the largest marked, and what is free."""
    import psutil

    ram = memory.Memory(False, float(psutil.virtual_memory().available), float(psutil.virtual_memory().total))
    found = needs_of(stages, memory.free(), ram)
    where = next((Path(s.args.output_dir) for s in stages if s.script in (*peak.METHODS, "export_gguf")), Path())
    return found.not_estimated + (_table(found, free_bytes(where)) if found.stages else [])


def shape_of(model: str) -> dict:
    """config.json of a model: known by name, here, or from the hub."""
    if not Path(model).exists() and model not in peak.KNOWN:
        find_model(model)
    return peak.read_config(model)


def _table(needs: Needs, free_disk: float) -> list[str]:
    """A line a stage, and the disk in all."""
    most, found = max(need.memory for need in needs.stages), []
    for need in needs.stages:
        fits = memory.verdict(need.memory, need.place.free)
        found.append(
            f"  {need.name:16} {need.memory / 1e9:6.1f} GB of {need.place.name}, {need.disk / 1e9:6.2f} GB of disk: {fits}"
            + (", the largest" if need.memory == most else "")
        )
    fits = "fits" if needs.disk < free_disk else "does not fit; make room"
    return [*found, f"  disk in all      {needs.disk / 1e9:6.2f} GB, {free_disk / 1e9:.1f} GB are free: {fits}"]
