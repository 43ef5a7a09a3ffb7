"""Float32 arithmetic on 16-bit weights, at the memory of the 16 bits; log probabilities and their KL."""

import functools

from common.errors import UserError
from common.models import find_model

ROWS = 2048  # of a weight that are float32 at once


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


def load_16bit(name: str):
    """A causal language model in its own 16 bits (float32 weights become bfloat16), on the processor."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    find_model(name)
    config = AutoConfig.from_pretrained(name)
    if getattr(config, "quantization_config", None):
        raise UserError(f"base: {name} is stored in few bits; pass the 16-bit model with --base")
    dtype = torch.float16 if config.dtype == torch.float16 else torch.bfloat16
    return AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
