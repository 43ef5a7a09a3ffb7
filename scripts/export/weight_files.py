"""A model folder's safetensors read and written piece by piece, so that a model need not fit the memory."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from common.errors import UserError

WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "BF16": 2, "F16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class Stored(NamedTuple):
    """Where a tensor lies: file, type by safetensors' name, shape, first byte in the file."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    begin: int

    @property
    def count(self) -> int:
        """Numbers in it."""
        count = 1
        for n in self.shape:
            count *= n
        return count


def read_index(path: Path) -> dict[str, Stored]:
    """The tensors of one safetensors file, from its header (huggingface/safetensors, "Format"). Raises UserError."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        return {name: Stored(path, t["dtype"], tuple(t["shape"]), 8 + size + t["data_offsets"][0]) for name, t in header.items()}
    except (OSError, ValueError, MemoryError, OverflowError, KeyError, TypeError, AttributeError):
        raise UserError(f"model: {path} is no whole safetensors file; was it copied to its end?") from None


def read_raw(stored: Stored) -> bytes:
    """A tensor's bytes as they lie in its file."""
    with open(stored.path, "rb") as file:
        file.seek(stored.begin)
        return file.read(stored.count * WIDTHS[stored.dtype])


def weight_files(folder: str | Path) -> list[Path]:
    """The safetensors files that a model folder's index names, else those that lie there."""
    index = Path(folder) / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        return [Path(folder) / name for name in names]
    single = Path(folder) / "model.safetensors"
    return [single] if single.is_file() else sorted(Path(folder).glob("*.safetensors"))


class WeightFiles:
    """Every tensor of a model folder by name; `read` brings a tensor, or some rows of it, into memory of its own.

    Not mapped: mapped pages would count as this process's memory.
    """

    def __init__(self, folder: str | Path):
        self.tensors: dict[str, Stored] = {}
        for path in weight_files(folder):
            self.tensors |= read_index(path)
        self.open_files = {}

    def read(self, name: str, rows: slice | list[int] | None = None):
        """A tensor in its own type, or those of its rows: torch [rows, ...]."""
        import torch

        stored = self.tensors[name]
        kind = _torch_types()[stored.dtype]
        shape = stored.shape
        if rows is None or not shape:
            return self._bytes(stored, 0, stored.count).view(kind).reshape(shape)
        wide = stored.count // shape[0]
        if isinstance(rows, slice):
            first, last, _ = rows.indices(shape[0])
            return self._bytes(stored, first * wide, (last - first) * wide).view(kind).reshape(last - first, *shape[1:])
        return torch.cat([self.read(name, slice(row, row + 1)) for row in rows])

    def _bytes(self, stored: Stored, first: int, count: int):
        import torch

        width = WIDTHS[stored.dtype]
        found = torch.empty(count * width, dtype=torch.uint8)
        file = self.open_files.setdefault(stored.path, None) or open(stored.path, "rb", buffering=0)
        self.open_files[stored.path] = file
        into, at = memoryview(found.numpy()), stored.begin + first * width
        while len(into):
            got = os.preadv(file.fileno(), [into[: 1 << 30]], at)
            if not got:
                raise UserError(f"model: {stored.path} ends too early; was it copied to its end?")
            into, at = into[got:], at + got
        return found

    def close(self) -> None:
        for file in filter(None, self.open_files.values()):
            file.close()
        self.open_files = {}


def _torch_types() -> dict:
    import torch

    return {
        "F64": torch.float64,
        "I64": torch.int64,
        "F32": torch.float32,
        "I32": torch.int32,
        "BF16": torch.bfloat16,
        "F16": torch.float16,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
        "BOOL": torch.bool,
    }


def write_shard(path: Path, names: dict[str, tuple[str, tuple[int, ...]]], make) -> None:
    """Write a safetensors file one tensor after another.

    Args:
        names: type and shape of each tensor. make: (name, type) -> its rows as torch tensors, one piece after another.
    """
    import torch

    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape) in names.items():
        size = WIDTHS[dtype]
        for n in shape:
            size *= n
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, (dtype, _) in names.items():
            for piece in make(name, dtype):
                file.write(memoryview(piece.contiguous().reshape(-1).view(torch.uint8).numpy()))
