"""What can be told before an export begins: tools, architecture, tokenizer. Reads headers, imports no torch.

export_gguf.py refuses with these before it merges; a training script warns with `before_training` before it trains, so that
nobody learns after a night's run that its result cannot be exported.
"""

import importlib.util
import json
import re
from pathlib import Path

from common.errors import UserError
from common.machine import available_memory, free_bytes, human
from common.models import adapter_config, local_folder
from export.needs import needs_of
from llamacpp.tools import find_converter, find_quantizer, known_architectures

ELSEWHERE = "a newer llama.cpp may (--llama_cpp DIR); scripts/export_gguf.py --merge_only saves safetensors"


def before_training(model: str, output_dir: str | Path, adapter: str = "") -> list[str]:
    """Why the result of a training that is about to start could not be exported to GGUF; empty where it could.

    Args:
        model: what is trained: folder, adapter folder or hub id (one that is not in the local cache is not looked into).
        output_dir: where the run goes; the export goes beside it, so its disk must hold both.
        adapter: kind by its name in adapters.py.

    Takes a tenth of a second. Nothing here is an error: training is worth something without a GGUF.
    """
    if adapter in ("prefix", "prompt"):
        return [f"a {adapter} adapter cannot be exported: it adds no weights that could be merged, and llama.cpp has none such"]
    base = adapter_config(model).get("base_model_name_or_path") or model
    found = tools()
    folder = local_folder(base)
    if folder:
        found += unknown_architecture(folder) + short_sighted(folder) + tokenizer_problems(local_folder(model) or folder)
        need, free, available = needs_of(folder, ["q8_0", "q4_k_m"]), free_bytes(Path(output_dir)), available_memory()
        if need.disk > free:
            found.append(f"an export needs about {human(need.disk)} of disk at {output_dir}, {human(free)} are free")
        if available and need.memory > available:
            found.append(f"an export needs about {human(need.memory)} of memory, {human(available)} are available")
    return found


def tools(llama_cpp: str | None = None, proof: bool = True, quantise: bool = True) -> list[str]:
    """What is missing of the converter, the quantiser and what the proof runs on."""
    problems = []
    finders = [find_converter, *([find_quantizer] if quantise else [])]
    for find in finders:
        try:
            find(llama_cpp)
        except UserError as error:
            problems += error.problems
    needed = {
        "gguf": "the converter and the reading of files",
        **({"cyllama": "the proof", "xllamacpp": "the proof"} if proof else {}),
    }
    said = " ".join(problems)
    problems += [
        f"{name} ({use}) is missing; run: make setup"
        for name, use in needed.items()
        if importlib.util.find_spec(name) is None and name not in said
    ]
    return problems


def unknown_architecture(folder: Path, converter: Path | None = None) -> list[str]:
    """A problem where llama.cpp's converter does not know the model's architecture, or it writes no text."""
    if converter is None:
        try:
            converter = find_converter()
        except UserError:
            return []
    names = read_config(folder).get("architectures") or ["(none named)"]
    known = known_architectures(converter)
    return [
        f"model: {folder} is a {name}: it scores texts and writes none, so it is no model for a GGUF to chat with"
        if name.endswith(("ForSequenceClassification", "ForTokenClassification"))
        else f"model: llama.cpp's converter does not know the architecture {name}; {ELSEWHERE}"
        for name in names
        if known and (name not in known or name.endswith(("ForSequenceClassification", "ForTokenClassification")))
    ]


def short_sighted(folder: Path) -> list[str]:
    """A problem where llama.cpp lets every token look at all before it, and the model was made to look at the nearest ones."""
    config = read_config(folder)
    window, context = config.get("sliding_window"), config.get("max_position_embeddings")
    if "Phi3ForCausalLM" not in (config.get("architectures") or []) or not window or not context or window >= context:
        return []
    return [
        f"model: {folder} looks back {window:,} tokens (sliding_window), and llama.cpp computes Phi-3 without that, so past them "
        f'a GGUF answers otherwise: write "max_position_embeddings": {window} into its config.json for a GGUF of that context, '
        "or use scripts/export_gguf.py --merge_only"
    ]


def read_config(folder: Path) -> dict:
    """config.json of a model folder; UserError where it cannot be read."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"model: {folder / 'config.json'} cannot be read ({error}); is the folder complete?") from None


def multimodal(folder: Path) -> bool:
    """Whether the model sees or hears too; of such a model only the text part goes into a GGUF."""
    return bool({"vision_config", "audio_config"} & set(read_config(folder)))


def tokenizer_problems(folder: Path) -> list[str]:
    """What llama.cpp would read otherwise: a byte-level tokenizer that says byte_fallback (GGUF imports do)."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return [f"model: {folder} holds no tokenizer.json; save the tokenizer beside the model"]
    text = path.read_bytes()  # searched, not parsed: Qwen's is 11 MB; inside a token these quotes would be escaped
    pieces = re.search(rb'"byte_fallback"\s*:\s*true', text)
    if pieces and re.search(rb'"type"\s*:\s*"ByteLevel"', text):
        return [
            f"model: {path} works on bytes but says byte_fallback, so llama.cpp would read another tokenizer and abort; this "
            "is what an import from a GGUF leaves: mend it as scripts/make_model.py does, and train with it mended"
        ]
    return []
