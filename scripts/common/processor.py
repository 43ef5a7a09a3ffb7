"""What makes a model quick on a processor without a GPU: attention by row length, NF4 unpacked once, oneDNN's layout.

Nothing here changes a result by more than rounding; what each brings stands in tests/benchmarks/RESULTS-training.md and
RESULTS-scoring.md. Importing this file imports no torch.
"""

import contextlib

SHORT_ROWS = 192  # tokens; see optimize_for_cpu
ONEDNN_MODELS = ("llama", "mistral", "qwen2", "qwen3")  # their code calls its linear layers and never reads their weights


def optimize_for_cpu(model) -> None:
    """Plain attention for short rows, freed memory kept for the next step, the output layer never copied (in place).

    PyTorch's fused attention takes two to six times as long as plain products up to some 200 tokens on a processor (most of
    it in the backward pass), and glibc gives every large block back to the system, which must clear it anew at each step:
    two fifths of a training step. And the last positions of several rows, cut from a longer pass, do not lie side by side:
    for those PyTorch copies the output layer's weights once a row, nine tenths of sampling from a large vocabulary.
    """
    import ctypes

    import torch

    with contextlib.suppress(OSError, AttributeError):  # a C library without it
        c = ctypes.CDLL(None)
        for parameter, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**28)):  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
            c.mallopt(parameter, value)
    head = model.get_output_embeddings()
    if head is not None:
        head.register_forward_pre_hook(lambda module, args: (args[0].contiguous(), *args[1:]))
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    if not isinstance(decoder, torch.nn.Module) or getattr(decoder.config, "_attn_implementation", None) != "sdpa":
        return  # an architecture that chose another way has a reason for it

    def choose(module, args, kwargs):
        given = next((x for x in (*args, kwargs.get("input_ids"), kwargs.get("inputs_embeds")) if x is not None), None)
        way = "eager" if given is not None and 1 < given.shape[1] <= SHORT_ROWS else "sdpa"
        if module.config._attn_implementation != way:
            module.set_attn_implementation(way)

    decoder.register_forward_pre_hook(choose, with_kwargs=True)


def dequantize_nf4(model) -> None:
    """Put plain linear layers of the same numbers in the place of bitsandbytes' 4-bit ones (in place).

    2 bytes a weight in the place of 0.52, and every result as before: each pass unpacks NF4 to these very numbers.
    """
    import torch
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    def plain(layer):
        if not isinstance(layer, Linear4bit):
            return layer
        weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(model.dtype)
        made = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias is not None, device="meta")
        made.weight, made.bias = torch.nn.Parameter(weight, requires_grad=False), layer.bias
        return made

    _exchange(model, plain)


def use_onednn_layout(model) -> None:
    """Lay the linear layers' float32 weights out as oneDNN wants them (in place), but for the output layer.

    PyTorch multiplies float32 by MKL, which on processors of AMD takes less than half of what they can do; oneDNN's
    products agree with it to float32's rounding. The output layer is left: it often shares its weights, and is asked
    for few positions only.
    """
    import torch

    class OneDNNLinear(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), 1024)
            self.bias = layer.bias

        def forward(self, x):
            return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")

    if not torch.backends.mkldnn.is_available() or model.config.model_type not in ONEDNN_MODELS:
        return
    head = model.get_output_embeddings()

    def packed(layer):
        plain = type(layer) is torch.nn.Linear and layer.weight.dtype == torch.float32
        return OneDNNLinear(layer) if plain and layer is not head else layer

    _exchange(model, packed)


def _exchange(model, by) -> None:
    """Put `by(layer)` in the place of every layer inside the model (in place); `by` returns what stays as it is."""
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            made = by(layer)
            if made is not layer:
                setattr(parent, name, made)
