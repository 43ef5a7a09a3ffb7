"""What an adapter folder says of itself: kind, base, whether it can be merged."""

import json
from pathlib import Path

from common.errors import UserError
from common.models import check_model_name, is_adapter

# PEFT's tuners that have merge(). LoRA stands for qlora, lora, rslora, dora, pissa and loftq too, PEANuT for peanut.
MERGEABLE = {"LORA", "PEANUT", "IA3", "LOHA", "LOKR", "OFT", "BOFT", "HRA", "VERA", "FOURIERFT"}


FOUR_BIT = ("-unsloth-bnb-4bit", "-bnb-4bit")


def folder_problems(output_dir: str | Path) -> list[str]:
    """A folder that holds something else than an earlier merge is not replaced."""
    folder = Path(output_dir)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "merge.json").is_file():
        return [f"output_dir: {output_dir} is there and holds no earlier merge, so it is not replaced; choose another"]
    return [f"output_dir: {output_dir} is a file; choose a folder"] if folder.is_file() else []


def base_of(adapter: str | Path) -> str:
    """Name of the 16-bit base: what the training was started from, else what adapter_config.json names."""
    adapter = Path(adapter)
    named = read_adapter(adapter)["base_model_name_or_path"]
    try:
        asked = json.loads((adapter / "run.json").read_text(encoding="utf-8"))["config"]["model"]
    except (OSError, KeyError, ValueError):
        return named
    # Trained in 4 bits, Unsloth may have loaded (and noted) a repository of 4-bit weights in the place of the one asked for.
    if not asked or not named.endswith(FOUR_BIT):
        return named
    further = is_adapter(asked)  # an adapter trained on from another: ask that one
    return base_of(asked) if further and Path(asked).resolve() != adapter.resolve() else named if further else asked


def read_adapter(adapter: str | Path) -> dict:
    """adapter_config.json; UserError where it cannot be read."""
    path = Path(adapter) / "adapter_config.json"
    try:
        return {"base_model_name_or_path": None, **json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"model: {path} cannot be read ({error}); is the folder complete?") from None


def adapter_problems(adapter: str | Path, base: str | None = None) -> list[str]:
    """Why this adapter cannot be merged, told from its files alone."""
    config = read_adapter(adapter)
    kind, task, name = config.get("peft_type"), config.get("task_type"), base or base_of(adapter)
    found = []
    if kind not in MERGEABLE:
        found.append(f"model: {adapter} is a {kind} adapter; it adds no weights that could be merged, so no GGUF can hold it")
    if task not in (None, "CAUSAL_LM"):
        reward = " (a reward model, as scripts/reward.py makes)" if task == "SEQ_CLS" else ""
        found.append(
            f"model: {adapter} is a {task} adapter{reward}: it writes no text, so there is nothing to merge for a chat model"
        )
    if not list(Path(adapter).glob("adapter_model.*")):
        found.append(f"model: {adapter} holds no adapter_model.safetensors; is the run finished?")
    if not name:
        return [*found, f"base: {adapter} names no base model; pass it with --base"]
    found += check_model_name(name, "base")
    if name.endswith(FOUR_BIT) or quantized(name):
        found.append(
            f"base: {name} is stored in 4 bits, and merging into it would round the adapter away; "
            "pass the 16-bit model with --base"
        )
    return found


def quantized(model: str | Path) -> bool:
    """Whether a local folder's config says that its weights are quantised."""
    try:
        return bool(json.loads((Path(model) / "config.json").read_text(encoding="utf-8")).get("quantization_config"))
    except (OSError, ValueError):
        return False
