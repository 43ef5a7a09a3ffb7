"""Merge an adapter into its 16-bit base, prove that nothing was lost, and save an ordinary model folder.

    python scripts/merge_adapter.py --model runs/x/sft --output_dir runs/x/merged
    python scripts/merge_adapter.py --model runs/x/sft --base Qwen/Qwen3-1.7B --output_dir runs/x/merged

Input   an adapter folder (adapter_config.json and its weights). The base is read from run.json or adapter_config.json; it
        is loaded in 16 bits, whatever it was trained in. A base stored in 4 bits is refused: the merge would round the
        adapter away (measured: loss 2.79 merged into 16 bits, 3.61 into 4 bits, 3.61 without any adapter).
Output  output_dir with safetensors, config, tokenizer and chat template, and merge.json (what was compared, and how close).
        A folder there is replaced only if it is such a merge.

Each adapted weight is merged in float32 by PEFT and rounded once to 16 bits. Then the saved folder is loaded anew and must
answer as base + adapter do, and otherwise than the base: mean KL(adapted || merged) <= 0.002 + 0.05 * KL(adapted || base),
all three in float32 arithmetic. scripts/export_gguf.py runs this in a process of its own. Peak memory is the 16-bit model
and its largest layer in float32.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from common.arguments import parse_args
from common.entry import run_main
from common.errors import CheckFailed
from common.files import write_json
from common.machine import import_less, release_memory
from common.models import is_adapter, load_tokenizer, quiet_libraries
from export.adapter_folder import adapter_problems, base_of, folder_problems
from export.float32 import as_before, compute_in_float32, load_16bit, log_probs, mean_kl

TOKENS = 64  # that base + adapter and merged model are compared on


NOISE, SHARE = 0.002, 0.05  # allowed KL: rounding to bfloat16 (0.0013 measured), and a share of what the adapter does


@dataclass
class Args:
    model: str
    """adapter folder, as scripts/sft.py writes it"""
    output_dir: str = "runs/merged"
    """where the merged model goes"""
    base: str | None = None
    """16-bit base model (folder or hub id); without it what the adapter names"""
    reference: str | None = None
    """also write what scripts/verify_gguf.py compares a GGUF with to this folder"""
    data: str | None = None
    """rows for the reference"""
    train_data: str | None = None
    """training rows for the reference"""
    max_tokens: int = 3000
    """tokens of the reference"""

    def problems(self) -> list[str]:
        if not is_adapter(self.model):
            return [f"model: {self.model} holds no adapter_config.json; a folder without adapter needs no merge"]
        return adapter_problems(self.model, self.base) + folder_problems(self.output_dir)


def merge_into(model) -> int:
    """Merge a PEFT model's adapter into its weights, each in float32 and rounded once; how many numbers changed."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    touched = 0
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            weights = [p for p in module.get_base_layer().parameters(recurse=False)]
            before = [w.data for w in weights]
            for weight in weights:
                weight.data = weight.data.float()
            module.merge(safe_merge=True)
            for weight, old in zip(weights, before, strict=True):
                made = weight.data.to(old.dtype)
                touched += int((made != old).sum())
                weight.data = old.copy_(made)  # in its place, so that the model is in memory once
    return touched


def merge_and_save(adapter: str, base: str, folder: Path) -> dict:
    """Merge and save; what base + adapter and the base alone answer, and what else is known of the merge."""
    from export.reference import TEXTS
    from peft import PeftModel

    tokenizer = load_tokenizer(adapter)
    tokenizer.save_pretrained(folder)
    ids = tokenizer("\n".join(TEXTS), add_special_tokens=True)["input_ids"][:TOKENS]
    vocabulary, template = len(tokenizer), bool(tokenizer.chat_template)
    del tokenizer
    model = load_16bit(base)
    dtype = model.dtype
    if vocabulary > model.get_input_embeddings().num_embeddings:  # tokens were added in training
        model.resize_token_embeddings(vocabulary)
    model = compute_in_float32(PeftModel.from_pretrained(model, adapter))
    adapted = log_probs(model, ids)
    with model.disable_adapter():
        untuned = log_probs(model, ids)
    touched = merge_into(model)
    merged = model.merge_and_unload()  # the rest: saved modules, trained tokens; merged layers are left alone
    as_before(merged)
    merged.to(dtype).save_pretrained(folder)
    check_files(folder, template)
    return {"ids": ids, "adapted": adapted, "untuned": untuned, "dtype": dtype, "touched": touched}


def merge(adapter: str, base: str, folder: Path) -> dict:
    """Merge, save to `folder`, load it anew and compare; returns what was measured.

    Raises CheckFailed where the adapter is empty, or the merged model is not base + adapter.
    """
    import torch
    from transformers import AutoModelForCausalLM

    made = merge_and_save(adapter, base, folder)
    release_memory()
    ids, adapted, untuned, dtype, touched = made.values()
    again = compute_in_float32(AutoModelForCausalLM.from_pretrained(folder, dtype=dtype))
    saved = log_probs(again, ids)
    result = {
        "base": base,
        "adapter": str(adapter),
        "dtype": str(dtype).removeprefix("torch."),
        "tokens": len(ids),
        "changed_weights": touched,
        "kl_adapted_to_merged": mean_kl(adapted, saved),
        "kl_adapted_to_base": mean_kl(adapted, untuned),
        "kl_merged_to_base": mean_kl(saved, untuned),
    }
    del again
    release_memory()
    result["bound"] = NOISE + SHARE * result["kl_adapted_to_base"]
    if torch.equal(saved, untuned):
        raise CheckFailed(
            f"{adapter}: the merged model answers exactly as the base does; the adapter holds nothing "
            "(was it trained?), or it is too small for 16 bits"
        )
    if not result["kl_adapted_to_merged"] <= result["bound"]:
        raise CheckFailed(
            f"{adapter}: the merged model is not base + adapter: mean KL "
            f"{result['kl_adapted_to_merged']:.2g}, allowed {result['bound']:.2g}"
        )
    return result


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
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    result = merge(args.model, args.base or base_of(args.model), temporary)
    write_json(temporary / "merge.json", result)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(temporary, folder)
    print(
        f"merged: {folder}; mean KL to base + adapter {result['kl_adapted_to_merged']:.2g} (allowed {result['bound']:.2g}), "
        f"to the base {result['kl_merged_to_base']:.2g}"
    )
    if args.reference:
        from export.reference import make_reference

        make_reference(str(folder), Path(args.reference), args.data, args.max_tokens, args.train_data)


if __name__ == "__main__":
    run_main(main)
