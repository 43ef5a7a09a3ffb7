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

import functools
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import common
import llama_tools

ROWS = 2048  # of a weight that are float32 at once
TOKENS = 64  # that base + adapter and merged model are compared on
NOISE, SHARE = 0.002, 0.05  # allowed KL: rounding to bfloat16 (0.0013 measured), and a share of what the adapter does
# PEFT's tuners that have merge(). LoRA stands for qlora, lora, rslora, dora, pissa and loftq too, PEANuT for bottleneck.
MERGEABLE = {"LORA", "PEANUT", "IA3", "LOHA", "LOKR", "OFT", "BOFT", "HRA", "VERA", "FOURIERFT"}
FOUR_BIT = ("-unsloth-bnb-4bit", "-bnb-4bit")


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
        if not common.is_adapter(self.model):
            return [f"model: {self.model} holds no adapter_config.json; a folder without adapter needs no merge"]
        return adapter_problems(self.model, self.base) + folder_problems(self.output_dir)


def folder_problems(output_dir: str | Path) -> list[str]:
    """A folder that holds something else than an earlier merge is not replaced."""
    folder = Path(output_dir)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "merge.json").is_file():
        return [f"output_dir: {output_dir} is there and holds no earlier merge, so it is not replaced; choose another"]
    return [f"output_dir: {output_dir} is a file; choose a folder"] if folder.is_file() else []


# ---------------------------------------------------------------------------------------------- what an adapter says


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
    further = common.is_adapter(asked)  # an adapter trained on from another: ask that one
    return base_of(asked) if further and Path(asked).resolve() != adapter.resolve() else named if further else asked


def read_adapter(adapter: str | Path) -> dict:
    """adapter_config.json; UserError where it cannot be read."""
    path = Path(adapter) / "adapter_config.json"
    try:
        return {"base_model_name_or_path": None, **json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError) as error:
        raise common.UserError(f"model: {path} cannot be read ({error}); is the folder complete?") from None


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
    found += common.check_model_name(name, "base")
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


# ---------------------------------------------------------------------------------------------- float32 arithmetic


def compute_in_float32(model):
    """Have a 16-bit model compute in float32 while its weights stay 16 bits: each layer is widened while it runs.

    The result is that of `model.float()`, at half the memory: of embeddings only the rows in use are widened, of linear
    layers ROWS at a time. `as_before` undoes it.
    """
    import torch

    narrow_types = (torch.bfloat16, torch.float16)

    def widen(module, args):
        module._narrow = {n: p.data for n, p in module._parameters.items() if p is not None and p.dtype in narrow_types}
        for name, data in module._narrow.items():
            if isinstance(module, torch.nn.Embedding):
                used, where = args[0].unique(return_inverse=True)
                module._parameters[name].data = data[used].float()
                module._padding, module.padding_idx = module.padding_idx, None  # (it concerns gradients only)
                return (where, *args[1:])
            module._parameters[name].data = data.float()

    def narrow(module, args, output):
        for name, data in module._narrow.items():
            module._parameters[name].data = data
        if hasattr(module, "_padding"):
            module.padding_idx = module.__dict__.pop("_padding")

    def linear(module, x):
        out = x.new_empty((*x.shape[:-1], module.out_features), dtype=torch.float32)
        for first in range(0, module.out_features, ROWS):
            part = slice(first, first + ROWS)
            bias = None if module.bias is None else module.bias[part].float()
            out[..., part] = torch.nn.functional.linear(x.float(), module.weight[part].float(), bias)
        return out

    for module in model.modules():
        if type(module) is torch.nn.Linear and module.weight.dtype in narrow_types:
            module.forward = functools.partial(linear, module)
        elif any(p is not None for p in module._parameters.values()):
            module.register_forward_pre_hook(widen)
            module.register_forward_hook(narrow, always_call=True)
    return model.eval()


def as_before(model) -> None:
    """Undo `compute_in_float32`."""
    for module in model.modules():
        for hooks in (module._forward_pre_hooks, module._forward_hooks, module._forward_hooks_always_called):
            hooks.clear()
        for name in ("_narrow", "forward"):
            module.__dict__.pop(name, None)


def log_probs(model, ids: list[int], at: slice = slice(None)):
    """Log probabilities after the tokens `at`, torch float32 [tokens, vocabulary], of a model in `compute_in_float32`."""
    import torch

    with torch.inference_mode():
        kept = torch.arange(len(ids))[at]
        given = torch.tensor([ids], device=model.device)
        logits = model(input_ids=given, use_cache=False, logits_to_keep=kept).logits[0].float()
        for row in logits:  # one at a time: at 150,000 columns each copy of all rows takes its toll
            row -= torch.logsumexp(row, -1)
        return logits


def mean_kl(p, q) -> float:
    """Mean over positions of KL(p || q) in nats, from log probabilities [T, V]."""
    return sum(float((a.exp() * (a - b)).sum()) for a, b in zip(p, q, strict=True)) / len(p)


# ---------------------------------------------------------------------------------------------- merging


def load_16bit(name: str):
    """A causal language model in its own 16 bits (float32 weights become bfloat16), on the processor."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    common.find_model(name)
    config = AutoConfig.from_pretrained(name)
    if getattr(config, "quantization_config", None):
        raise common.UserError(f"base: {name} is stored in few bits; pass the 16-bit model with --base")
    dtype = torch.float16 if config.dtype == torch.float16 else torch.bfloat16
    return AutoModelForCausalLM.from_pretrained(name, dtype=dtype)


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
    from gguf_reference import TEXTS
    from peft import PeftModel

    tokenizer = common.load_tokenizer(adapter)
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
    llama_tools.release_memory()
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
    llama_tools.release_memory()
    result["bound"] = NOISE + SHARE * result["kl_adapted_to_base"]
    if torch.equal(saved, untuned):
        raise common.CheckFailed(
            f"{adapter}: the merged model answers exactly as the base does; the adapter holds nothing "
            "(was it trained?), or it is too small for 16 bits"
        )
    if not result["kl_adapted_to_merged"] <= result["bound"]:
        raise common.CheckFailed(
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
        raise common.CheckFailed(f"{folder}: the merge did not write {', '.join(missing)}")


def main() -> None:
    args = common.parse_args(Args, __doc__)
    llama_tools.import_less()
    common.quiet_libraries()
    folder = Path(args.output_dir)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    result = merge(args.model, args.base or base_of(args.model), temporary)
    common.write_json(temporary / "merge.json", result)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(temporary, folder)
    print(
        f"merged: {folder}; mean KL to base + adapter {result['kl_adapted_to_merged']:.2g} (allowed {result['bound']:.2g}), "
        f"to the base {result['kl_merged_to_base']:.2g}"
    )
    if args.reference:
        from gguf_reference import make_reference

        make_reference(str(folder), Path(args.reference), args.data, args.max_tokens, args.train_data)


if __name__ == "__main__":
    common.run(main)
