"""Float32 arithmetic on 16-bit weights that stay on disk, or in memory as 16 bits; log probabilities and their KL."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

from common.errors import UserError
from common.loading import loading
from common.models import find_model, local_folder
from export.weight_files import WeightFiles

SMALL = 1 << 20  # numbers of a layer that is float32 throughout (norms, convolutions, gates)
ROWS = 2048  # of a linear layer's weight that are float32 at once
PIECE = 64  # tokens whose probabilities are held at once; the layers below the output layer run once for all


def hollow_model(folder: str | Path):
    """A causal language model whose weights stay in the folder's files; None where their names are not the model's own.

    Each parameter is one NaN seen as the whole tensor, so it takes no memory, and shows where it is read by another way than
    `module.stored`, which tells how to read it.
    (transformers renames or fuses the weights of some families while it loads them: those must be loaded whole.)
    """
    import torch
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
    from transformers.initialization import no_init_weights

    files, config = WeightFiles(folder), AutoConfig.from_pretrained(folder)
    dtype = torch.float16 if config.dtype == torch.float16 else torch.bfloat16
    with init_empty_weights(include_buffers=False), no_init_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    tied = {}
    if getattr(config.get_text_config(), "tie_word_embeddings", False) and model.get_output_embeddings() is not None:
        tied = {id(model.get_output_embeddings()): model.get_input_embeddings()}
    names = {id(module): path for path, module in model.named_modules()}
    for path, module in model.named_modules():
        stored = {}
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            key = f"{path}.{name}"
            if key not in files.tensors and name == "weight" and id(module) in tied:
                key = f"{names[id(tied[id(module)])]}.weight"
            if key not in files.tensors or files.tensors[key].shape != tuple(parameter.shape):
                return None
            stored[name] = functools.partial(files.read, key)
            hollow = torch.full((), torch.nan, dtype=dtype).expand(parameter.shape)
            module._parameters[name] = torch.nn.Parameter(hollow, requires_grad=False)
        if stored:
            module.stored = stored
    with contextlib.suppress(OSError):  # a folder without one
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model


def open_in_float32(name: str):
    """The model of a folder or hub id in float32 arithmetic: from its files layer by layer, or loaded in 16 bits.

    On a CUDA GPU where there is one: the weights then pass through it.
    """
    find_model(name)
    folder = local_folder(name)
    model = hollow_model(folder) if folder else None
    return compute_in_float32(model if model is not None else load_16bit(name))


@contextlib.contextmanager
def materialised(module, device=None):
    """Inside, the module's own parameters are in memory as float32, wherever they lie."""
    import torch

    kept = dict(module._parameters)
    for name, parameter in kept.items():
        if parameter is not None:
            data = _read(module, name)
            module._parameters[name] = torch.nn.Parameter(data.to(device or parameter.device).float(), requires_grad=False)
    try:
        yield module
    finally:
        module._parameters.update(kept)


def compute_in_float32(model):
    """Have a 16-bit model compute in float32 while its weights stay where they are (16 bits in memory, or on disk).

    The result is that of `model.float()`: each layer is widened while it runs, of embeddings only the rows in use, of linear
    layers ROWS at a time. Small layers are widened for good: another layer may read their weights without running them (the
    convolution of Qwen3.5). `as_before` undoes the rest.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() and any("stored" in m.__dict__ for m in model.modules()) else "cpu")
    torch.set_float32_matmul_precision("highest")
    narrow = (torch.bfloat16, torch.float16)
    for module in model.modules():
        own = {n: p for n, p in module._parameters.items() if p is not None}
        if device.type == "cuda":
            _move(module, device)
        if type(module) is torch.nn.Linear and (module.weight.dtype in narrow or "stored" in module.__dict__):
            module.forward = functools.partial(_linear, module)
        elif own and not isinstance(module, torch.nn.Embedding) and sum(p.numel() for p in own.values()) <= SMALL:
            _widen_for_good(module, device)
        elif own and ("stored" in module.__dict__ or any(p.dtype in narrow for p in own.values())):
            widen = _widen_rows if isinstance(module, torch.nn.Embedding) else _widen
            module.register_forward_pre_hook(functools.partial(widen, device))
            module.register_forward_hook(_narrow, always_call=True)
        elif _reads_its_base(module):
            module.register_forward_pre_hook(functools.partial(_widen_base, device))
            module.register_forward_hook(_narrow, always_call=True)
    model.reads_on = device
    return model.eval()


def _move(module, device) -> None:
    """What lies in memory (buffers, an adapter's weights) to the GPU."""
    module._buffers.update({n: b.to(device) if b is not None else None for n, b in module._buffers.items()})
    for name, parameter in module._parameters.items():
        if parameter is not None and name not in module.__dict__.get("stored", {}):
            parameter.data = parameter.data.to(device)


def _reads_its_base(module) -> bool:
    """An adapter's layer that computes with its base layer's weights (DoRA, OFT), whose base layer lies on disk."""
    base = getattr(module, "base_layer", None)
    if base is None or "stored" not in base.__dict__:
        return False
    return not hasattr(module, "lora_A") or bool(getattr(module, "lora_magnitude_vector", None))


def _read(module, name, rows=None):
    """A parameter, or rows of it, from memory or disk."""
    stored = module.__dict__.get("stored", {})
    if name in stored:
        return stored[name](rows)
    data = module._parameters[name].data
    return data if rows is None else data[rows]


def _widen_for_good(module, device) -> None:
    for name, parameter in module._parameters.items():
        if parameter is not None:
            parameter.data = _read(module, name).to(device).float()
    module.__dict__.pop("stored", None)


def _widen(device, module, args, of=None) -> None:
    of = of or module
    module._narrow = contextlib.ExitStack()
    module._narrow.enter_context(materialised(of, device if "stored" in of.__dict__ else None))


def _widen_base(device, module, args) -> None:
    _widen(device, module, args, module.base_layer)


def _widen_rows(device, module, args):
    """Of an embedding the rows in use; the ids then count those."""
    import torch

    module._narrow = contextlib.ExitStack()
    kept, padding = dict(module._parameters), module.padding_idx
    module._narrow.callback(module._parameters.update, kept)
    module._narrow.callback(setattr, module, "padding_idx", padding)
    used, where = args[0].unique(return_inverse=True)
    rows = _read(module, "weight", used.tolist() if "stored" in module.__dict__ else used)
    module._parameters["weight"] = torch.nn.Parameter(rows.to(where.device).float(), requires_grad=False)
    module.padding_idx = None  # (it concerns gradients only)
    return (where, *args[1:])


def _narrow(module, args, output) -> None:
    module.__dict__.pop("_narrow").close()


def _linear(module, x):
    import torch

    out = x.new_empty((*x.shape[:-1], module.out_features), dtype=torch.float32)
    for first in range(0, module.out_features, ROWS):
        part = slice(first, first + ROWS)
        weight = _read(module, "weight", part).to(x.device).float()
        bias = None if module.bias is None else _read(module, "bias", part).to(x.device).float()
        out[..., part] = torch.nn.functional.linear(x.float(), weight, bias)
    return out


def as_before(model) -> None:
    """Undo `compute_in_float32`."""
    for module in model.modules():
        for hooks in (module._forward_pre_hooks, module._forward_hooks, module._forward_hooks_always_called):
            hooks.clear()
        module.__dict__.pop("forward", None)


def log_probs(model, ids: list[int], first: int = 0) -> Iterator:
    """Log probabilities after each token from `first` on, torch float32 [up to PIECE tokens, vocabulary] at a time.

    The layers run once, the output layer once a piece: at 150,000 columns the probabilities of a long text fill the memory.
    `model` is one in `compute_in_float32`.
    """
    import torch

    with torch.inference_mode():
        given = torch.tensor([ids], device=model.reads_on)
        plain = model.get_base_model() if hasattr(model, "peft_config") else model
        decoder = plain.get_decoder()
        if decoder is not getattr(plain, "model", None):  # its forward may do more than ours would
            logits = model(input_ids=given, use_cache=False).logits[0, first:].float()
            yield from (_normalised(piece) for piece in logits.split(PIECE))
            return
        out = decoder(input_ids=given, use_cache=False)
        try:
            for at in range(first, len(ids), PIECE):
                piece = type(out)(**{**out, "last_hidden_state": out.last_hidden_state[:, at : at + PIECE]})
                decoder.forward = lambda *args, _piece=piece, **kwargs: _piece
                yield _normalised(plain(input_ids=given[:, at : at + PIECE], use_cache=False).logits[0].float())
        finally:
            decoder.__dict__.pop("forward", None)


def _normalised(logits):
    """Logits to log probabilities, in place and row by row: each copy of all rows takes its toll."""
    import torch

    for row in logits:
        row -= torch.logsumexp(row, -1)
    return logits.cpu()


def mean_kl(p, q) -> float:
    """Mean over positions of KL(p || q) in nats, from log probabilities [T, V]."""
    return sum(float((a.exp() * (a - b)).sum()) for a, b in zip(p, q, strict=True)) / len(p)


def load_16bit(name: str):
    """A causal language model in its own 16 bits (float32 weights become bfloat16), on the processor."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    find_model(name)
    with loading(name):
        config = AutoConfig.from_pretrained(name)
    if getattr(config, "quantization_config", None):
        raise UserError(f"base: {name} is stored in few bits; pass the 16-bit model with --base")
    dtype = torch.float16 if config.dtype == torch.float16 else torch.bfloat16
    with loading(name):
        return AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
