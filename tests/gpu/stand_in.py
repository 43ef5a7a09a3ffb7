"""A card that is none: a script runs Unsloth's road for a GPU on a processor, the kernels of that road with it.

    python tests/gpu/stand_in.py 7.5 scripts/sft.py --model models/tiny-qwen3 --data rows.jsonl --output_dir runs/x --max_steps 1

The first word is the compute capability that the card says it has (7.5: a T4, fp16; 9.0: an H100). torch.cuda's names are
answered for, every tensor stays in the machine's memory, Triton interprets its kernels, and NF4 is unpacked by bitsandbytes'
code for processors. It is slow: half a minute to some minutes for one step of a tiny model with rows of 64 tokens.

What it cannot show: speed, memory, tensors on two devices, bitsandbytes' library for CUDA, compiled kernels. Triton's interpreter
rounds bfloat16 otherwise than a card. Only for tests: it replaces much of torch in its process.
"""

import contextlib
import os
import runpy
import sys
import types

CARD = {"name": "a card that is none", "multi_processor_count": 132, "warp_size": 32, "regs_per_multiprocessor": 65536}
CARD |= {"gcnArchName": "", "uuid": "none", "L2_cache_size": 60 << 20, "max_threads_per_multi_processor": 2048}
CARD |= {"is_integrated": 0, "shared_memory_per_multiprocessor": 233472, "shared_memory_per_block_optin": 232448}
SILENT = (
    "init _lazy_init empty_cache synchronize reset_peak_memory_stats ipc_collect set_device manual_seed manual_seed_all seed_all "
    "reset_max_memory_allocated set_per_process_memory_fraction set_rng_state set_rng_state_all"
).split()
COUNTED = "max_memory_allocated memory_allocated memory_reserved max_memory_reserved".split()


class Stream:
    """A stream or an event: whatever is asked of it, it is done."""

    cuda_stream = 0

    def __init__(self, *args, **kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def __getattr__(self, name):
        return lambda *args, **kwargs: self


class Device(Stream):
    """`with torch.cuda.device(0)`."""

    idx = 0


def answer_for_cuda(major: int, minor: int, gigabytes: float = 141.0) -> None:
    """Have torch say that one card of this capability and memory is here."""
    import torch

    total = int(gigabytes * 1e9)
    card = types.SimpleNamespace(total_memory=total, major=major, minor=minor, **CARD)
    state = torch.ByteTensor(16)
    cuda = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "is_initialized": lambda: False,
        "get_device_properties": lambda *a, **k: card,
        "get_device_name": lambda *a: card.name,
        "get_device_capability": lambda *a: (major, minor),
        "is_bf16_supported": lambda including_emulation=True: major >= 8 or including_emulation,
        "mem_get_info": lambda *a: (int(0.97 * total), total),
        "memory_stats": lambda *a, **k: {},
        "is_current_stream_capturing": lambda: False,
        "get_rng_state": lambda *a: state,
        "get_rng_state_all": lambda: [state],
        "current_stream": Stream,
        "default_stream": Stream,
        "stream": lambda stream: contextlib.nullcontext(),
        "Stream": Stream,
        "Event": type("Event", (Stream,), {}),
        "device": Device,
        **{name: lambda *a, **k: None for name in SILENT},
        **{name: lambda *a, **k: 10**9 for name in COUNTED},
    }
    accelerator = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_accelerator": lambda *a, **k: torch.device("cuda"),
        "current_device_index": lambda: 0,
        "current_device_idx": lambda: 0,
        "synchronize": lambda *a: None,
    }
    for module, names in ((torch.cuda, cuda), (torch.accelerator, accelerator)):
        for name, value in names.items():
            setattr(module, name, value)
    for name in ("get_rng_state", "get_rng_state_all", "set_rng_state", "set_rng_state_all"):
        setattr(torch.cuda.random, name, cuda[name])
    torch._C._cuda_getCurrentRawStream = lambda index=0: 0
    torch.version.cuda = "13.0"


def keep_on_the_processor() -> None:
    """Have every tensor and file that is asked for on a card lie in the machine's memory."""
    import safetensors.torch
    import torch

    named, here, device_of = torch.device, torch.device("cpu", 0), torch._C.TensorBase.device.__get__

    def is_card(where, number: bool = True) -> bool:
        if isinstance(where, int) and not isinstance(where, bool):
            return number
        return str(where).startswith("cuda") and isinstance(where, str | named)

    def moved(args, kwargs, number: bool = True):
        """The arguments with the processor in the place of the card; `number`: a number names a card."""
        kwargs = {k: here if k == "device" and is_card(v) else v for k, v in kwargs.items() if k != "pin_memory"}
        return tuple(here if is_card(a, number) else a for a in args), kwargs

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, kinds, args=(), kwargs=None):
            name, kwargs = getattr(function, "__name__", ""), kwargs or {}
            if function is named:
                asked = args[0] if args else kwargs.get("type")
                return here if is_card(asked) else function(*args, **kwargs)
            if name == "pin_memory" or (name == "cuda" and args and isinstance(args[0], torch.Tensor)):
                return args[0]
            rest, kwargs = moved(args[1:], kwargs, number=name in ("to", "_to"))
            return function(*args[:1], *rest, **kwargs)

    def replaced(to):
        def to_here(self, *args, **kwargs):
            args, kwargs = moved(args, kwargs)
            return to(self, *args, **kwargs)

        return to_here

    def on_processor(open_file):
        return lambda file, *args, **kwargs: open_file(file, **(kwargs | {"device": "cpu"}))

    torch.Tensor.device = property(lambda self: here if (real := device_of(self)).type == "cpu" else real)
    torch.Tensor.pin_memory = lambda self, *args, **kwargs: self
    torch.Tensor.to = replaced(torch.Tensor.to)
    torch.nn.Module.to = replaced(torch.nn.Module.to)
    torch.nn.Module.cuda = lambda self, *args, **kwargs: self
    begin = torch.amp.autocast_mode.autocast.__init__
    torch.amp.autocast_mode.autocast.__init__ = lambda self, kind=None, *args, **kwargs: begin(
        self, "cpu" if (kind := kwargs.pop("device_type", kind)) == "cuda" else kind, *args, **kwargs
    )
    opened = safetensors.safe_open

    class Opened:
        def __new__(cls, file, framework="pt", device="cpu", **kwargs):
            return opened(file, framework, device="cpu", **kwargs)

    safetensors.safe_open, safetensors.torch.load_file = Opened, on_processor(safetensors.torch.load_file)
    Mode().__enter__()


def unpack_on_the_processor() -> None:
    """Have Unsloth's kernels unpack NF4 by bitsandbytes' code for processors, and Accelerate scale fp16 gradients there."""
    import accelerate
    import torch
    import unsloth  # noqa: F401
    from bitsandbytes.functional import dequantize_4bit

    def fast_dequantize(weight, quant_state=None, out=None, use_global_buffer=False, **kwargs):
        if quant_state is None:
            return weight
        turned = weight.shape[0] == 1
        found = dequantize_4bit(weight.data.t() if turned else weight.data, quant_state)
        found = found if out is None else out.copy_(found)
        return found.t() if turned else found

    def fast_gemv(rows, weight, quant_state, out=None):
        found = rows @ dequantize_4bit(weight, quant_state).to(rows.dtype).t()
        return found if out is None else out.copy_(found.view(out.shape))

    for module in [m for name, m in sys.modules.items() if name.startswith("unsloth")]:
        for name, function in (("fast_dequantize", fast_dequantize), ("fast_gemv", fast_gemv)):
            if name in vars(module):
                setattr(module, name, function)
    begin = accelerate.Accelerator.__init__

    def begun(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        self.native_amp = self.mixed_precision in ("fp16", "bf16")
        if self.mixed_precision == "fp16":
            self.scaler = torch.amp.GradScaler("cpu", init_scale=256.0)

    accelerate.Accelerator.__init__ = begun


class Library:
    """bitsandbytes' library for processors, with the names that Unsloth takes from that for CUDA and must not call."""

    def __init__(self, real):
        self.real = real

    def __getattr__(self, name):
        if name.startswith(("cdequantize_blockwise", "cgemm_4bit_inference")):
            return Refusing()
        return getattr(self.real, name)


class Refusing:
    restype = None

    def __call__(self, *args):
        raise RuntimeError("a CUDA kernel of bitsandbytes was called")


def main() -> None:
    capability, script = sys.argv[1:3]
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    os.environ |= {"HF_DEACTIVATE_ASYNC_LOAD": "1", "TRITON_INTERPRET": "1", "HF_HUB_OFFLINE": "1"}
    os.environ |= {"TORCHDYNAMO_DISABLE": "1", "UNSLOTH_COMPILE_DISABLE": "1"}
    import bitsandbytes.functional

    answer_for_cuda(*map(int, capability.split(".")))
    keep_on_the_processor()
    bitsandbytes.functional.lib = Library(bitsandbytes.functional.lib)
    unpack_on_the_processor()
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
