"""Merge an adapter into its 16-bit base, prove that nothing was lost, and save an ordinary model folder.

A step of scripts/export_gguf.py, which runs it in a process of its own (--merge_only stops after it).

Input   an adapter folder (adapter_config.json and its weights). The base is read from run.json or adapter_config.json; it
        is read in 16 bits, whatever it was trained in. A base stored in 4 bits is refused: the merge would round the
        adapter away (measured: loss 2.79 merged into 16 bits, 3.61 into 4 bits, 3.61 without any adapter).
Output  output_dir with safetensors, config, tokenizer and chat template, and merge.json (what was compared, and how close).
        A folder there is replaced only if it is such a merge.

Each adapted weight is merged in float32 by PEFT and rounded once to 16 bits, one layer after another from the base's files
to the merged folder's, so that the model never lies in memory: a layer and its float32 copy do. Where an adapter brings
whole layers or new tokens, or transformers renames the family's weights while it loads them, the model is loaded whole.
Then the saved folder must answer as base + adapter do, and otherwise than the base: mean KL(adapted || merged) <=
0.002 + 0.05 * KL(adapted || base), all three in float32 arithmetic.
"""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from common import card
from common.arguments import parse_args
from common.entry import run_main
from common.errors import CheckFailed
from common.files import folder_beside, write_json
from common.machine import import_less, release_memory
from common.models import is_adapter, load_tokenizer, local_folder, quiet_libraries
from export.adapter_folder import adapter_problems, base_of, folder_problems
from export.proof.adapted import hollow_adapted, whole_adapted
from export.proof.float32 import as_before, compute_in_float32, log_probs, materialised, mean_kl, open_in_float32
from export.proof.reference import renderer_of
from export.proof.texts import TEXTS
from export.tokenizer_files import save_tokenizer
from export.weight_files import WeightFiles, read_index, weight_files, write_shard

TOKENS = 64  # that base + adapter and merged model are compared on
NOISE, SHARE = 0.002, 0.05  # allowed KL: rounding to bfloat16 (0.0013 measured), and a share of what the adapter does
CHUNK = 1 << 26  # numbers that are copied at once


@dataclass
class Args:
    model: str
    """adapter folder, as scripts/sft.py writes it"""
    output_dir: str = "runs/merged"
    """where the merged model goes"""
    base: str | None = None
    """16-bit base model (folder or hub id); without it what the adapter names"""

    def problems(self) -> list[str]:
        if not is_adapter(self.model):
            return [f"model: {self.model} holds no adapter_config.json; a folder without adapter needs no merge"]
        return adapter_problems(self.model, self.base) + folder_problems(self.output_dir)


@dataclass
class Answers:
    """Log probabilities [TOKENS, vocabulary] after the tokens `ids`, of base + adapter and of the base alone."""

    ids: list[int]
    adapted: object
    untuned: object


@dataclass
class Merged:
    """What was measured; merge.json. KL in nats, means over `tokens` positions."""

    base: str
    adapter: str
    dtype: str
    tokens: int
    layer_by_layer: bool
    changed_weights: int
    tokens_cut: list[str]
    kl_adapted_to_merged: float
    kl_adapted_to_base: float
    kl_merged_to_base: float
    bound: float


def base_layers(model) -> dict[str, object] | None:
    """The adapter's layers by the name of the weight that each changes; None where not every one lies in the files."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    found = {}
    for module in model.modules():
        if not isinstance(module, BaseTunerLayer):
            continue
        stored = module.get_base_layer().__dict__.get("stored")
        if not stored:
            return None
        for name, read in stored.items():
            found[read.args[0]] = (module, name)
    names = [key for key, (_, name) in found.items() if name == "weight"]
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    tied = head is not None and head.__dict__.get("stored") and embeddings.__dict__.get("stored")
    if tied and head.stored["weight"].args == embeddings.stored["weight"].args and embeddings.stored["weight"].args[0] in names:
        return None  # one weight for two layers, of which the adapter changes one
    return found


def hollow_layers(adapter: str, base: Path, vocabulary: int):
    """(base + adapter on disk, its layers by weight), or None where the model must be loaded whole."""
    model = hollow_adapted(adapter, base, vocabulary)
    layers = base_layers(model) if model is not None else None
    return (model, layers) if layers else None


def merged_weight(layer, name: str):
    """A weight of the base with the adapter in it, float32, in the machine's memory; merged where the adapter lies."""
    with materialised(layer.get_base_layer(), card.device_of(layer)) as base:
        layer.merge(safe_merge=True)
        merged = base._parameters[name].data
    layer.merged_adapters.clear()
    return merged.cpu()


def write_merged(base: Path, folder: Path, layers: dict, dtype: str) -> int:
    """The base's weight files with the adapter merged in, a layer at a time; how many numbers changed."""
    import torch

    kinds = {"BF16": torch.bfloat16, "F16": torch.float16}
    files, touched = WeightFiles(base), 0

    def pieces(name: str, kind: str):
        nonlocal touched
        stored = files.tensors[name]
        if name in layers:
            made = merged_weight(*layers[name]).to(kinds.get(kind, torch.float32))
            touched += int((made != files.read(name).to(made.dtype)).sum())
            yield made
            return
        step = max(1, CHUNK * (stored.shape[0] if stored.shape else 1) // max(stored.count, 1))
        for first in range(0, stored.shape[0] if stored.shape else 1, step):
            read = files.read(name, slice(first, first + step) if stored.shape else None)
            yield read.to(kinds[kind]) if kind in kinds else read

    narrow = all(t.dtype == "F32" for t in files.tensors.values())  # a base of float32 becomes 16 bits, as when it is loaded
    for path in weight_files(base):
        names = {n: (dtype if narrow else t.dtype, t.shape) for n, t in read_index(path).items()}
        write_shard(folder / path.name, names, pieces)
    for name in ("model.safetensors.index.json", "generation_config.json", "config.json"):
        if (base / name).is_file():
            shutil.copy(base / name, folder / name)
    if narrow:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config["dtype"] = {"BF16": "bfloat16", "F16": "float16"}[dtype]
        config.pop("torch_dtype", None)
        write_json(folder / "config.json", config)
    return touched


def merge_whole(adapter: str, base: str, folder: Path, vocabulary: int, ids: list[int]) -> tuple[Answers, int]:
    """Merge and save a model that is loaded whole; its answers, and how many numbers changed."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    model = compute_in_float32(whole_adapted(adapter, base, vocabulary))
    dtype = model.config.dtype
    answers = answers_of(model, ids)
    touched = 0
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            weights = list(module.get_base_layer().parameters(recurse=False))
            before = [w.data for w in weights]
            for weight in weights:
                weight.data = weight.data.float()
            module.merge(safe_merge=True)
            weights = list(module.get_base_layer().parameters(recurse=False))  # a norm is exchanged, not added to
            for weight, old in zip(weights, before, strict=True):
                made = weight.data.to(old.dtype)
                touched += int((made != old).sum())
                weight.data = old.copy_(made)  # in its place, so that the model is in memory once
    with torch.no_grad():
        merged = model.merge_and_unload()  # the rest: saved modules, trained tokens; merged layers are left alone
    as_before(merged)
    merged.to(dtype).save_pretrained(folder)
    return answers, touched


def answers_of(model, ids: list[int]) -> Answers:
    import torch

    adapted = torch.cat(list(log_probs(model, ids)))
    with model.disable_adapter():
        return Answers(ids, adapted, torch.cat(list(log_probs(model, ids))))


def merge(adapter: str, base: str, folder: Path) -> Merged:
    """Merge, save to `folder`, read it anew and compare.

    Raises CheckFailed where the adapter is empty, or the merged model is not base + adapter.
    """
    import torch

    tokenizer = load_tokenizer(adapter)
    renderer_of(tokenizer, adapter)  # the reference needs it, after a merge that may take an hour
    place = local_folder(base)
    cut = save_tokenizer(tokenizer, adapter, place, folder)
    ids = tokenizer("\n".join(TEXTS), add_special_tokens=True)["input_ids"][:TOKENS]
    vocabulary, template = len(tokenizer) - len(cut), bool(tokenizer.chat_template)
    hollow = hollow_layers(adapter, place, vocabulary) if place else None
    layered = hollow is not None
    if layered:
        model, layers = hollow
        answers = answers_of(compute_in_float32(model), ids)
        touched = write_merged(place, folder, layers, "F16" if model.dtype == torch.float16 else "BF16")
        del model, layers, hollow
    else:
        answers, touched = merge_whole(adapter, base, folder, vocabulary, ids)
    check_files(folder, template)
    release_memory()
    again = open_in_float32(str(folder))
    saved = torch.cat(list(log_probs(again, ids)))
    to_base = mean_kl(answers.adapted, answers.untuned)
    result = Merged(
        base=base,
        adapter=str(adapter),
        dtype=str(again.dtype).removeprefix("torch."),
        tokens=len(ids),
        layer_by_layer=layered,
        changed_weights=touched,
        tokens_cut=cut,
        kl_adapted_to_merged=mean_kl(answers.adapted, saved),
        kl_adapted_to_base=to_base,
        kl_merged_to_base=mean_kl(saved, answers.untuned),
        bound=NOISE + SHARE * to_base,
    )
    judge(result, torch.equal(saved, answers.untuned))
    return result


def judge(result: Merged, unchanged: bool) -> None:
    if unchanged:
        raise CheckFailed(
            f"{result.adapter}: the merged model answers exactly as the base does; the adapter holds nothing "
            "(was it trained?), or it is too small for 16 bits"
        )
    if not result.kl_adapted_to_merged <= result.bound:
        raise CheckFailed(
            f"{result.adapter}: the merged model is not base + adapter: mean KL "
            f"{result.kl_adapted_to_merged:.2g}, allowed {result.bound:.2g}"
        )


def check_files(folder: Path, template: bool) -> None:
    """CheckFailed where a file is missing that a model folder needs, or a shard that its index names."""
    needed = ["config.json", "tokenizer.json", "tokenizer_config.json"]
    needed += ["chat_template.jinja"] if template else []
    index = folder / "model.safetensors.index.json"
    shards = (
        set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else {"model.safetensors"}
    )
    missing = [name for name in (*needed, *sorted(shards)) if not (folder / name).is_file()]
    if missing:
        raise CheckFailed(f"{folder}: the merge did not write {', '.join(missing)}")


def main() -> None:
    args = parse_args(Args, __doc__)
    import_less()
    quiet_libraries()
    folder = Path(args.output_dir)
    with folder_beside(folder) as temporary:
        result = merge(args.model, args.base or base_of(args.model), temporary)
        write_json(temporary / "merge.json", dataclasses.asdict(result))
        shutil.rmtree(folder, ignore_errors=True)
    cut = f"; tokens beyond the vocabulary left out: {', '.join(result.tokens_cut)}" if result.tokens_cut else ""
    print(
        f"merged: {folder}; mean KL to base + adapter {result.kl_adapted_to_merged:.2g} (allowed {result.bound:.2g}), "
        f"to the base {result.kl_merged_to_base:.2g}{cut}"
    )


if __name__ == "__main__":
    run_main(main)
