"""Adapters that the training scripts share: which kinds there are, what they refuse, attaching and saving them.

  qlora, lora    low-rank updates (Hu et al. 2021, arXiv 2106.09685) on NF4 weights with doubly quantised constants
                 (Dettmers et al. 2023, arXiv 2305.14314), or on 16-bit ones
  rslora         the same, scaled by lora_alpha / sqrt(lora_r) (Kalajdzievski 2023, arXiv 2312.03732)
  dora           direction and length trained apart (Liu et al. 2024, arXiv 2402.09353): slower, a little better at small ranks
  pissa          begins with the weights' own largest singular directions (Meng et al. 2024, arXiv 2404.02948), 16 bits only
  loftq          begins with what NF4 lost (Li et al. 2023, arXiv 2310.08659), one safetensors file only
  full           every weight trained, in 16 bits
  prefix         virtual tokens before every layer's keys and values (Li and Liang 2021, arXiv 2101.00190)
  prompt         virtual tokens before the embedded prompt (Lester et al. 2021, arXiv 2104.08691)
  peanut     a small network with a bend beside each layer: PEFT's PEANuT, the kept kin of Houlsby's adapters
  norms      the norms' weights alone (Zhao et al. 2023, arXiv 2312.11420), kin of BitFit (Ben Zaken et al. 2021, arXiv
             2106.10199): today's models have few biases or none, so norms stand in their place; wants a higher rate

Unsloth's fused kernels know the first three; the others run through plain PEFT, and say so. PiSSA and LoftQ begin away
from zero; they are saved as ordinary LoRA of twice the rank, their start taken off, so that they merge into the model as it is.
Importing this file imports neither torch nor unsloth.
"""

import contextlib
from pathlib import Path

from common.arguments import given
from common.errors import UserError
from common.files import into_place, write_json
from common.models import adapter_config, has_cuda, is_adapter, plain_base_of

KINDS = ("qlora", "lora", "rslora", "dora", "pissa", "loftq", "full", "prefix", "prompt", "peanut", "norms")
LOW_RANK = KINDS[:6]
MERGEABLE = (*KINDS[:7], "peanut")
BY_UNSLOTH = KINDS[:3]
VIRTUAL = ("prefix", "prompt")
PLAIN = (*VIRTUAL, "norms")  # on a GPU Unsloth's own forward passes them by, so a plain model is loaded
IN_16_BITS = ("lora", "pissa", "full", "peanut", "norms")
IN_8_BITS = ("lora", "rslora")  # on load_in_8bit and load_in_fp8
RATE = {"full": 0.1, "norms": 100, "prefix": 100, "prompt": 100}  # usual learning rates beside those of low-rank updates
PRICE = {
    "dora": "a weight norm a step: about half the speed",
    "pissa": "singular values at the start, seconds to minutes",
    "loftq": "singular values at the start, seconds to minutes",
    "prefix": "longer attention, and no export: llama.cpp knows no virtual tokens",
    "prompt": "longer prompts, and no export: llama.cpp knows no virtual tokens",
    "peanut": "the layer's change is computed anew each step",
    "norms": "all layers pass gradients on, few numbers learn",
}
LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def in_4bit(args) -> bool:
    """Whether the frozen weights are loaded in NF4."""
    if args.load_in_8bit or args.load_in_fp8:
        return False
    return args.adapter not in IN_16_BITS if args.load_in_4bit is None else args.load_in_4bit


def problems(args) -> list[str]:
    """Combinations that cannot work, told before anything is loaded."""
    found = []
    if args.load_in_4bit and args.adapter in IN_16_BITS:
        other = {"lora": "; LoRA on NF4 is --adapter qlora"}.get(args.adapter, "")
        found.append(f"load_in_4bit: {args.adapter} needs 16-bit weights{other}")
    if args.load_in_4bit is False and args.adapter in ("qlora", "loftq"):
        found.append(f"load_in_4bit: {args.adapter} is made for NF4 weights; in 16 bits pass --adapter lora")
    found += _problems_of_8_bits(args)
    if args.lora_dropout and args.adapter not in LOW_RANK:
        found.append(f"lora_dropout: {args.adapter} has none; leave it 0")
    if args.adapter == "loftq" and Path(args.model or "", "model.safetensors.index.json").is_file():
        found.append(f"adapter: loftq needs a model in one model.safetensors, {args.model} has several; pass --adapter qlora")
    if args.model and plain_base_of(args.model):
        kind = adapter_config(args.model)["peft_type"]
        merge = ", or merge it (scripts/export_gguf.py --merge_only)" if kind == "LN_TUNING" else ""
        return [f"model: {args.model} is a {kind} adapter, which cannot be trained further; start from its base model{merge}"]
    asked = args.adapter not in ("qlora", "lora") and given(args, "adapter")  # a script's default is nobody's wish
    if asked and args.model and is_adapter(args.model):
        kind = adapter_config(args.model).get("peft_type", "LORA")
        found.append(
            f"adapter: {args.model} is an adapter already ({kind}) and is trained further as it is; leave --adapter out, "
            "or merge it first (scripts/export_gguf.py --merge_only)"
        )
    return found


def _problems_of_8_bits(args) -> list[str]:
    """What load_in_8bit and load_in_fp8 cannot be told together with."""
    eight = [name for name in ("load_in_8bit", "load_in_fp8") if getattr(args, name)]
    found = []
    if eight and args.adapter not in IN_8_BITS:
        found.append(f"{eight[0]}: {args.adapter} has other weights; pass --adapter lora or rslora")
    if len(eight) + bool(args.load_in_4bit) > 1:
        found.append(f"{eight[0]}: weights are loaded in one precision; leave the others out")
    if args.load_in_fp8 and args.model and is_adapter(args.model):
        found.append(f"load_in_fp8: {args.model} is an adapter, whose base Unsloth does not load in FP8; merge it first")
    return found


def unused(args) -> dict[str, str]:
    """Fields of an adapter's shape that change nothing, with the reason: by an adapter folder's own values, or by its kind."""
    own = adapter_config(args.model or "")
    if own:
        shape = {"lora_r": "r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout", "target_modules": "target_modules"}
        kept = [name for name in shape if getattr(args, name) != own.get(shape[name])]
        return {name: f"{args.model} keeps its own, {own.get(shape[name])}" for name in kept}
    without = {"full": ("lora_r", "lora_alpha", "target_modules"), "peanut": ("lora_alpha",)}
    without |= {"norms": without["full"]} | dict.fromkeys(VIRTUAL, ("lora_alpha", "target_modules"))
    return dict.fromkeys(without.get(args.adapter, ()), f"--adapter {args.adapter} has none")


def attach(model, args, **more):
    """The model with new adapters as `args` says; a model that has some, or is trained in full, comes back as it is.

    `more` goes to Unsloth's get_peft_model as it is.
    """
    from peft import PeftModel

    if isinstance(model, PeftModel) or args.adapter == "full":
        return model
    with layers_found(model, args):
        model = _attached(model, args, **more)
    if args.adapter not in PLAIN:
        tell_layers(model, args)
    return model


def _attached(model, args, **more):
    if args.adapter in BY_UNSLOTH or (args.adapter in ("dora", "pissa") and has_cuda()):
        from unsloth import FastLanguageModel

        asked = dict(
            r=args.lora_r,
            lora_alpha=args.lora_alpha,
            lora_dropout=args.lora_dropout,
            bias="none",
            target_modules=args.target_modules,
            use_rslora=args.adapter == "rslora",
            random_state=args.seed,
            max_seq_length=args.max_length,
            use_gradient_checkpointing="unsloth" if args.gradient_checkpointing else False,
        )
        # On a GPU Unsloth attaches these two as well, with its checkpointing; its fused kernels leave DoRA's layers out.
        asked |= {"dora": {"use_dora": True}, "pissa": {"init_lora_weights": "pissa_niter_16"}}.get(args.adapter, {})
        model = FastLanguageModel.get_peft_model(model, **(asked | more))
        if args.adapter == "pissa":
            _keep_start(model, args)
        return model
    return _by_peft(model, args)


@contextlib.contextmanager
def layers_found(model, args):
    """UserError naming the model's linear layers where it has none of target_modules (GPT-NeoX, Falcon)."""
    import torch
    from peft.utils.error import NoMatchingPeftModuleError

    try:
        yield
    except NoMatchingPeftModuleError:
        output = model.get_output_embeddings()
        linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and module is not output]
        has = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
        raise UserError(
            f"target_modules: the model has none of {', '.join(args.target_modules)}; its linear layers are {has}"
        ) from None


def tell_layers(model, args) -> None:
    """Print which of target_modules the model has no layer of, and where adapters lie: on a fused layer, or on experts."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    held = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)}
    if held and (lacking := [name for name in args.target_modules if name not in held]):
        print(f"note:  target_modules: this model has no layer {', '.join(lacking)}; adapters lie on {', '.join(sorted(held))}")


def _by_peft(model, args):
    from peft import LNTuningConfig, LoraConfig, PeanutConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
    from transformers import set_seed

    print(f"adapter: {args.adapter} through plain PEFT, Unsloth's fused kernels do not know it ({PRICE[args.adapter]})")
    low_rank = dict(
        r=args.lora_r,
        lora_alpha=args.lora_alpha,
        lora_dropout=args.lora_dropout,
        target_modules=args.target_modules,
        task_type="CAUSAL_LM",
    )
    config = {
        "dora": lambda: LoraConfig(**low_rank, use_dora=True),
        "pissa": lambda: LoraConfig(**low_rank, init_lora_weights="pissa_niter_16"),
        "loftq": lambda: LoraConfig(**low_rank),
        "prefix": lambda: PrefixTuningConfig(num_virtual_tokens=args.lora_r, task_type="CAUSAL_LM"),
        "prompt": lambda: PromptTuningConfig(num_virtual_tokens=args.lora_r, task_type="CAUSAL_LM"),
        "peanut": lambda: PeanutConfig(r=args.lora_r, target_modules=args.target_modules, task_type="CAUSAL_LM"),
        "norms": lambda: LNTuningConfig(target_modules=_norms_of(model), task_type="CAUSAL_LM"),
    }[args.adapter]()
    set_seed(args.seed)
    model.config.use_cache = False
    if args.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model = get_peft_model(model, config)
    if args.adapter == "loftq":
        _repair_nf4(model, _weights_file(args.model))
    if args.adapter in ("pissa", "loftq"):
        _keep_start(model, args)
    return model


def _keep_start(model, args) -> None:
    """Save where PiSSA and LoftQ begin, and let no further adapter begin like it.

    PiSSA takes its directions out of the base's weights; the second adapter that DPO, KTO and RLOO hold as their reference
    is made of the first's configuration, and would take out the next ones, of policy and reference alike.
    """
    model.save_pretrained(Path(args.output_dir, ".start"))
    model.peft_config["default"].init_lora_weights = True


def _norms_of(model) -> list[str]:
    """Last names of the model's norms, as PEFT looks for them."""
    return sorted({name.rpartition(".")[2] for name, module in model.named_modules() if type(module).__name__.endswith("Norm")})


def _repair_nf4(model, weights: Path) -> None:
    """Begin every adapter with the best low-rank approximation of what NF4 lost of its layer's weight.

    LoftQ with one iteration (Li et al. 2023, algorithm 1). PEFT's replace_lora_weights_loftq does this on CUDA only, and
    leaves the adapters' scale out.
    """
    import torch
    from bitsandbytes.functional import dequantize_4bit
    from peft.tuners.lora.bnb import Linear4bit
    from safetensors import safe_open

    with safe_open(weights, "pt") as file, torch.no_grad():
        for name, layer in model.named_modules():
            if not isinstance(layer, Linear4bit):
                continue
            stored = layer.base_layer.weight
            kept = dequantize_4bit(stored.data, stored.quant_state).float()
            lost = file.get_tensor(name.removeprefix("base_model.model.") + ".weight").to(kept.device).float() - kept
            left, sizes, right = torch.linalg.svd(lost, full_matrices=False)
            rank, root = layer.r["default"], sizes.sqrt()
            scale = layer.scaling["default"] ** 0.5
            layer.lora_A["default"].weight.copy_(root[:rank, None] * right[:rank] / scale)
            layer.lora_B["default"].weight.copy_(left[:, :rank] * root[:rank] / scale)


def _weights_file(model: str) -> Path:
    """The one safetensors file of a folder or a hub id, which LoftQ compares NF4 with; UserError where there are several."""
    path = Path(model, "model.safetensors")
    if not Path(model).exists():
        import huggingface_hub

        try:
            path = Path(huggingface_hub.hf_hub_download(model, "model.safetensors"))
        except huggingface_hub.errors.EntryNotFoundError:
            path = Path(model, "is in several files")
    if not path.is_file():
        raise UserError(f"adapter: loftq needs a model in one model.safetensors, {model} has none; pass --adapter qlora or pissa")
    return path


def subtract_initial_adapter(folder: Path, start: Path) -> None:
    """Rewrite a saved adapter A B as the LoRA [A A0] [B -B0] of twice the rank: what training changed, nothing else.

    Peft's conversion for PiSSA does the same, and does not take LoftQ. Meng et al. 2024, appendix C.
    """
    import torch
    from safetensors.torch import load_file, save_file

    now, before = load_file(folder / "adapter_model.safetensors"), load_file(start / "adapter_model.safetensors")
    made = {
        name: torch.cat([tensor, before[name]], dim=0) if ".lora_A." in name else torch.cat([tensor, -before[name]], dim=1)
        for name, tensor in now.items()
    }
    config = adapter_config(folder)
    config |= {"r": 2 * config["r"], "lora_alpha": 2 * config["lora_alpha"], "init_lora_weights": True}
    save_file(made, folder / ".new.safetensors", metadata={"format": "pt"})
    into_place(folder / ".new.safetensors", folder / "adapter_model.safetensors")
    write_json(folder / "adapter_config.json", config)
