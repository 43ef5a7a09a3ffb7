"""What an export is to make, what its training says of it, and whether it can be done here."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import UserError
from common.files import read_told
from common.machine import available_memory, folder_bytes, free_bytes, human
from common.models import adapter_config, is_adapter, local_folder
from export import preflight
from export.needs import Needs, needs_of
from llamacpp.tools import find_converter

STAGES = (
    "sft",
    "dpo",
    "orpo",
    "kto",
    "simpo",
    "cpt",
    "grpo",
    "rloo",
    "distill",
    "merged",
    "adapter",
)  # a run's folder names the file then


@dataclass
class Plan:
    """One export; fields as in scripts/export_gguf.py. kind: files, adapter (alone) or merged (a folder)."""

    model: str
    base: str
    out: Path
    name: str
    quantizations: list[str]
    data: str | None
    max_tokens: int
    gates: dict | None
    verify: bool
    keep_work: bool
    num_ctx: int
    llama_cpp: str | None
    kind: str

    def rows(self) -> str | None:
        """Rows for the proof: those asked for, else the training's held-out rows, else those beside its training rows."""
        config = training_config(self.model)
        of = Path(trained) if (trained := first_file(config.get("data"))) else None
        beside = [str(of.with_name(f"{n}.jsonl")) for n in ("validation", "test")] if of else []
        held_out = (p for p in [config.get("eval_data"), *beside] if p and Path(p).is_file())
        return self.data or next((p for p in held_out if Path(p).stat().st_size), None)  # a split of no rows is an empty file

    def training_rows(self) -> str | None:
        data = first_file(training_config(self.model).get("data"))
        return data if data and Path(data).is_file() else None

    def untuned(self) -> str | None:
        """What the training began with: an adapter's base, or what a full fine-tuning's run.json names."""
        if is_adapter(self.model):
            return self.base
        began = training_config(self.model).get("model")
        return began if began and not is_adapter(began) and local_folder(began) else None

    def compares(self) -> bool:
        """Whether the untuned model is made too, for its answers to be compared."""
        return self.verify and bool(self.rows()) and bool(self.untuned())


@dataclass
class Problems:
    """wrong: nothing helps but other input. short: disk or memory would not suffice, by the estimate."""

    wrong: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)


def training_config(model: str) -> dict:
    """The settings that the model was trained with, where its run.json tells."""
    return read_told(Path(model, "run.json")).get("config") or {}


def first_file(data: list[str] | str | None) -> str | None:
    """The training's file of rows, the first of several."""
    return data[0] if isinstance(data, list) and data else data or None


def plan_needs(plan: Plan, folder: Path) -> Needs:
    """Disk and memory of this export."""
    adapter = is_adapter(plan.model)
    config = adapter_config(plan.model)
    whole = bool(config.get("modules_to_save") or config.get("trainable_token_indices")) or preflight.multimodal(folder)
    tokens = plan.max_tokens * plan.verify
    if plan.kind == "merged":
        return needs_of(folder, ["bf16"], proof_tokens=0, merged=False, untuned=False, whole=whole)
    if plan.kind == "adapter":
        return needs_of(
            folder, ["bf16"] if plan.verify else ["q4_0"], proof_tokens=tokens, merged=False, untuned=False, whole=whole
        )
    return needs_of(folder, plan.quantizations, proof_tokens=tokens, merged=adapter, untuned=plan.compares(), whole=whole)


def check_before(plan: Plan) -> Problems:
    """Tools, architecture, tokenizer, disk and memory: every problem at once."""
    found = Problems()
    gguf = plan.kind != "merged"
    found.wrong += preflight.tools(plan.llama_cpp, plan.verify, plan.kind == "files") if gguf else []
    folder = local_folder(plan.base)
    if not folder:
        return found
    if gguf:
        if preflight.multimodal(folder):
            print(f"note: {plan.base} sees or hears too; only its text part goes into the GGUF (no mmproj file is made)")
        with contextlib.suppress(UserError):  # that it is missing stands in the problems already
            found.wrong += preflight.unknown_architecture(folder, find_converter(plan.llama_cpp))
        found.wrong += preflight.short_sighted(folder) + preflight.tokenizer_problems(Path(plan.model))
    need, free = plan_needs(plan, folder), free_bytes(plan.out) + folder_bytes(plan.out / ".work")
    if need.disk > free:
        found.short.append(
            f"output_dir: {human(need.disk)} of disk are needed for {plan.out}, {human(free)} are free; "
            "free some, choose another disk, or fewer quantisations"
        )
    available = available_memory()
    if available and need.memory > available:
        found.short.append(f"model: about {human(need.memory)} of memory are needed, {human(available)} are available")
    return found
