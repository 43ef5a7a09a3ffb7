"""What an adapter folder says of itself: kind, base, whether it can be merged."""

import json
from pathlib import Path

from common.models import FOUR_BIT, adapter_config, check_model_name, is_adapter
from export.weight_files import read_index, read_raw

# PEFT's tuners that have merge(). LoRA stands for qlora, lora, rslora, dora, pissa and loftq too, PEANuT for
# peanut, LN_TUNING for norms.
MERGEABLE = {"LORA", "PEANUT", "IA3", "LOHA", "LOKR", "OFT", "BOFT", "HRA", "VERA", "FOURIERFT", "LN_TUNING"}
WHOLE = ("modules_to_save", "trainable_token_indices", "use_dora", "target_parameters")  # what no matrices of a layer hold


def folder_problems(output_dir: str | Path) -> list[str]:
    """A folder that holds something else than an earlier merge is not replaced."""
    folder = Path(output_dir)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "merge.json").is_file():
        return [f"output_dir: {output_dir} is there and holds no earlier merge, so it is not replaced; choose another"]
    return [f"output_dir: {output_dir} is a file; choose a folder"] if folder.is_file() else []


def base_of(adapter: str | Path) -> str | None:
    """Name of the 16-bit base: what the training was started from, else what adapter_config.json names (None: nothing)."""
    adapter = Path(adapter)
    named = adapter_config(adapter).get("base_model_name_or_path")
    try:
        asked = json.loads((adapter / "run.json").read_text(encoding="utf-8"))["config"]["model"]
    except (OSError, KeyError, ValueError):
        return named
    # Unsloth by itself loads (and notes) a repository of 4-bit weights in the place of the one asked for.
    if not asked or not named or not named.endswith(FOUR_BIT):
        return named
    further = is_adapter(asked)  # an adapter trained on from another: ask that one
    return base_of(asked) if further and Path(asked).resolve() != adapter.resolve() else named if further else asked


def adapter_problems(adapter: str | Path, base: str | None = None) -> list[str]:
    """Why this adapter cannot be merged, told from its files alone."""
    config = adapter_config(adapter)
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
    found += (
        [f"base: {name} is an adapter itself; merge it first (--merge_only)"]
        if is_adapter(name)
        else check_model_name(name, "base")
    )
    if name.endswith(FOUR_BIT) or quantized(name):
        found.append(
            f"base: {name} is stored in 4 bits, and merging into it would round the adapter away; "
            "pass the 16-bit model with --base"
        )
    return found


def beside_matrices(config: dict) -> list[str]:
    """What an adapter_config.json has beside plain LoRA's two matrices a linear layer."""
    more = [name for name in WHOLE if config.get(name)] + (["bias"] if config.get("bias", "none") != "none" else [])
    return more if config.get("peft_type") == "LORA" else [str(config.get("peft_type")), *more]


def quantized(model: str | Path) -> bool:
    """Whether a local folder's config says that its weights are quantised."""
    try:
        return bool(json.loads((Path(model) / "config.json").read_text(encoding="utf-8")).get("quantization_config"))
    except (OSError, ValueError):
        return False


def lora_problems(model: str | Path) -> list[str]:
    """Why llama.cpp could not load this adapter by itself, or would load another one than was trained."""
    config = adapter_config(model)
    wrong = {
        f"a {config.get('peft_type')} adapter": config.get("peft_type") not in ("LORA", None),
        "a DoRA adapter": config.get("use_dora"),
        "of another scale in some layers": config.get("alpha_pattern"),
        "an rsLoRA adapter of more than one rank": config.get("use_rslora") and config.get("rank_pattern"),
        "one with whole layers trained beside it": config.get("modules_to_save") or config.get("trainable_token_indices"),
        "one with trained biases": config.get("bias", "none") != "none",
    }
    if not any(wrong.values()) and adds_nothing(Path(model)):
        return [f"model: {model} adds nothing to its base: every lora_B is zero; was it trained?"]
    return [
        f"lora_only: {model} is {what}, which llama.cpp cannot load beside a model; leave --lora_only out: merged it exports"
        for what, found in wrong.items()
        if found
    ]


def adds_nothing(adapter: Path) -> bool:
    """Whether a LoRA's second matrices, which begin as zeros, are zeros still."""
    files = list(adapter.glob("adapter_model.safetensors"))
    seconds = [t for path in files for name, t in read_index(path).items() if ".lora_B." in name]
    return bool(seconds) and not any(read_raw(tensor).strip(b"\0") for tensor in seconds)
