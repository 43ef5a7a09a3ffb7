"""The graphics card: whether torch can use the one that is here, how much of its memory is free, what Unsloth is told of it.

Importing this file imports no torch.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path

from common.errors import UserError

# Where NVIDIA's driver shows itself, on Linux and under WSL; the same places as in unsloth_zoo/device_type.py.
DRIVER = (Path("/proc/driver/nvidia/version"), Path("/usr/lib/wsl/lib/nvidia-smi"))
AMD = Path("/dev/kfd")
QUERY = ["nvidia-smi", "--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits"]


def has_cuda() -> bool:
    """Whether torch sees a CUDA device (imports torch)."""
    import torch

    return torch.cuda.is_available()


def number() -> int:
    """Which of the cards that torch sees is this process's: where several train each has one."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def device_of(model):
    """Where a model computes, and where all that is given to it must be; its first weight may lie elsewhere.

    Of a model that a card hardly holds Unsloth leaves the embeddings in the machine's memory (unsloth/models/_utils.py,
    offload_embedding_if_tight).
    """
    places = [parameter.device for parameter in model.parameters()]
    return next((place for place in places if place.type != "cpu"), places[0])


def shown() -> str | None:
    """The first of CUDA_VISIBLE_DEVICES, "" where it hides every card, None where it says nothing."""
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    first = None if mask is None else mask.split(",")[0].strip()
    return "" if first == "-1" else first


@functools.cache
def settle() -> None:
    """Before Unsloth is imported: where torch sees no CUDA device, have it train on the processor, as we say it does.

    Left to itself it ends in a traceback where a card is here that torch cannot use, and takes another maker's, of which
    nothing here knows. Raises UserError where this torch was made for such a card: a driver that is too old, most likely.
    """
    if has_cuda():
        return
    import torch

    driver = any(path.exists() for path in DRIVER)
    if driver and shown() != "":
        made_for = torch.version.cuda
        if made_for:
            raise UserError(
                f"this machine has an NVIDIA card, and torch {torch.__version__}, made for CUDA {made_for}, cannot use it; is "
                "its driver too old? `nvidia-smi` tells what it can do; update it, or install the torch that fits it "
                "(pytorch.org/get-started). To train and score on the processor put CUDA_VISIBLE_DEVICES= before the command"
            )
        print(f"note:  the NVIDIA card of this machine is not used: torch {torch.__version__} is a build for processors")
    if driver or AMD.exists() or torch.accelerator.is_available():
        os.environ.setdefault("UNSLOTH_FORCE_CPU", "1")


def memory() -> tuple[float, float] | None:
    """Free and total bytes of the card that will train; None where none will.

    By torch where it is imported, which knows the card and the process's limits; else by nvidia-smi, which starts nothing on it.
    """
    if torch := sys.modules.get("torch"):
        if not torch.cuda.is_available():
            return None
        free, total = torch.cuda.mem_get_info(number())
        return float(free), float(total)
    try:
        which = ["-i", shown()] if shown() else []
        line = subprocess.run([*QUERY, *which], capture_output=True, text=True, timeout=10).stdout.splitlines()[0]
        free, total = (float(part) * 2**20 for part in line.split(","))
    except (OSError, IndexError, ValueError, subprocess.TimeoutExpired):
        return None
    return (free, total) if has_cuda() else None
