"""GGUF files: header, tensors, chat template. Reads nothing but the header, and imports neither torch nor llama.cpp."""

import array
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Quantization(NamedTuple):
    """How llama.cpp numbers a quantisation (llama_ftype of llama.h), and its bits per weight."""

    ftype: int
    bits: float


# Bits as llama.cpp's quantize README measures them on Llama-3.1-8B (tools/quantize/README.md); for the estimate of the disk.
QUANTIZATIONS = {
    "f16": Quantization(1, 16.0),
    "bf16": Quantization(32, 16.0),
    "q8_0": Quantization(7, 8.5),
    "q6_k": Quantization(18, 6.56),
    "q5_k_m": Quantization(17, 5.70),
    "q4_k_m": Quantization(15, 4.89),
    "q4_0": Quantization(2, 4.66),
    "iq4_xs": Quantization(30, 4.46),
    "q3_k_m": Quantization(12, 4.00),
    "q2_k": Quantization(10, 3.16),
}
SUPER_BLOCK = 256  # weights of a row that a k- or iq-quant stores together; a row of another length needs another type
LARGE = tuple(q for q in QUANTIZATIONS if "_k" in q or q.startswith("iq"))


class Tensor(NamedTuple):
    """A tensor of a GGUF: `shape` with the row's length first, `kind` as ggml numbers its types, `offset` in the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    def layout(self) -> tuple[str, int]:
        """Name of its type (Q4_K), and its size in bytes."""
        import gguf

        kind = gguf.GGMLQuantizationType(self.kind)
        block, width = gguf.GGML_QUANT_SIZES[kind]
        count = 1
        for n in self.shape:
            count *= n
        return kind.name, count // block * width


class Header(NamedTuple):
    """What a GGUF says before its weights; numbers in a list are an array.array, texts a list."""

    fields: dict
    tensors: list[Tensor]


def is_gguf(path: str | Path) -> bool:
    """Whether the path is a GGUF file, by its first four bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


# Value types of ggml/docs/gguf.md: 8 is a text, 9 a list.
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, LIST = 8, 9


class HeaderReader:
    """Reads a GGUF header from bytes, as ggml/docs/gguf.md lays it out (version 2 and 3, little-endian).

    The package gguf takes fifteen seconds for a vocabulary of 150,000, and cyllama reads no list of numbers.
    """

    def __init__(self, data):
        self.data, self.at = data, 4

    def number(self, code: str):
        value = struct.unpack_from(f"<{code}", self.data, self.at)[0]
        self.at += struct.calcsize(f"<{code}")
        return value

    def text(self) -> str:
        size = self.number("Q")
        end = self.at + size
        if end > len(self.data):
            raise ValueError("a text ends behind the file's end")
        found = self.data[self.at : end].decode("utf-8", errors="replace")
        self.at = end
        return found

    def value(self, kind: int):
        if kind == TEXT:
            return self.text()
        if kind != LIST:
            return self.number(NUMBERS[kind])
        kind, count = self.number("I"), self.number("Q")
        if kind in (TEXT, LIST):
            if count > len(self.data) - self.at:
                raise ValueError("a list ends behind the file's end")
            return [self.value(kind) for _ in range(count)]
        size = count * struct.calcsize(f"<{NUMBERS[kind]}")
        if size > len(self.data) - self.at:
            raise ValueError("a list ends behind the file's end")
        found = array.array(NUMBERS[kind].replace("?", "B"), self.data[self.at : self.at + size])
        self.at += size
        return found

    def counts(self) -> tuple[int, int]:
        """Numbers of tensors and of fields; ValueError for a version that is not known."""
        version = self.number("I")
        if version not in (2, 3):
            raise ValueError(f"GGUF version {version} is not known")
        return self.number("Q"), self.number("Q")

    def tensor(self) -> Tensor:
        name = self.text()
        shape = tuple(self.number("Q") for _ in range(min(self.number("I"), 8)))
        if 0 in shape:  # llama.cpp divides by it
            raise ValueError(f"{name} has no size")
        return Tensor(name, shape, self.number("I"), self.number("Q"))


def read_header(path: str | Path) -> Header:
    """Metadata and tensors of a GGUF. Raises ValueError where the file is broken or none, OSError where it cannot be read."""
    if not is_gguf(path):
        raise ValueError(f"{path} is no GGUF file")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            reader, fields = HeaderReader(data), {}
            tensors, count = reader.counts()
            for _ in range(count):
                key = reader.text()
                fields[key] = reader.value(reader.number("I"))
            found = [reader.tensor() for _ in range(tensors)]
            alignment = int(fields.get("general.alignment", 32)) or 32
        except (struct.error, KeyError, TypeError, ValueError, OverflowError, MemoryError, RecursionError) as error:
            raise ValueError(f"{path}: the header is broken ({type(error).__name__}: {error})") from None
        start = -(-reader.at // alignment) * alignment
    return Header(fields, [t._replace(offset=start + t.offset) for t in found])


def gguf_problems(path: str | Path, field: str = "model") -> list[str]:
    """Why a file is no whole GGUF: of another kind, its header broken, or its weights cut, as a broken download leaves them."""
    if not is_gguf(path):
        return [f"{field}: {path} is no GGUF file; scripts/export_gguf.py makes one"]
    again = "copy, download or export it again"
    try:
        tensors = read_header(path).tensors
    except (ValueError, OSError) as error:
        return [f"{field}: {path} is damaged, or was not copied whole ({error}); {again}"]
    if not tensors:
        return [f"{field}: {path} holds no weights"]
    last = max(tensors, key=lambda tensor: tensor.offset)
    try:
        end, size = last.offset + last.layout()[1], Path(path).stat().st_size
    except ValueError:
        return []  # a type that the pinned gguf does not know: llama.cpp decides
    if end <= size:
        return []
    return [f"{field}: {path} was not copied whole: its weights end at byte {end:,}, the file at {size:,}; {again}"]


def has_template(path: str | Path) -> bool:
    """Whether a GGUF holds a chat template; True too where the header cannot be read (loading it will say why)."""
    try:
        return "tokenizer.chat_template" in read_header(path).fields
    except (ValueError, OSError):
        return True


def lora_problems(model: str | Path, lora: str | Path) -> list[str]:
    """Why a GGUF is no adapter for this model."""
    try:
        adapter, base = read_header(lora), read_header(model)
    except (ValueError, OSError) as error:
        return [f"lora: {error}"]
    if adapter.fields.get("general.type") != "adapter":
        return [f"lora: {lora} is no adapter but a whole model; scripts/export_gguf.py --lora_only makes one"]
    kinds = [h.fields.get("general.architecture") for h in (adapter, base)]
    if kinds[0] != kinds[1]:
        return [f"lora: {lora} is for the architecture {kinds[0]}, {model} is a {kinds[1]}"]
    shapes = {t.name: t.shape for t in base.tensors}
    for tensor in adapter.tensors:
        name, _, side = tensor.name.rpartition(".lora_")
        width = {"a": 0, "b": 1}.get(side)  # A takes what the layer takes, B gives what it gives
        if name not in shapes or (
            width is not None and tensor.shape[width] != shapes[name][width] and name != "token_embd.weight"
        ):
            return [f"lora: {lora} does not fit {model} (at {name or tensor.name}): was it trained on another base?"]
    return []


@dataclass
class Stored:
    """How a GGUF stores its weights.

    A fallback tensor is a matrix whose rows are no multiple of 256, so that a k-quant could not hold it and llama.cpp chose a
    type of more bits.
    """

    bits_per_weight: float
    tensors: dict[str, int]
    fallback_tensors: int
    matrices: int

    def say(self, quantization: str) -> str | None:
        """A sentence where tensors fell back, else None."""
        if not self.fallback_tensors:
            return None
        return (
            f"{self.fallback_tensors} of {self.matrices} matrices could not be stored as {quantization} asks (rows of no "
            f"multiple of {SUPER_BLOCK}): {self.bits_per_weight:.2f} bits a weight, not {QUANTIZATIONS[quantization].bits:.2f}"
        )


def stored(path: str | Path, quantization: str) -> Stored:
    """How the GGUF of this quantisation stores its weights."""
    types, count, size, fallback, matrices = {}, 0, 0, 0, 0
    for tensor in read_header(path).tensors:
        kind, taken = tensor.layout()
        weights = 1
        for n in tensor.shape:
            weights *= n
        types[kind] = types.get(kind, 0) + 1
        count, size = count + weights, size + taken
        if len(tensor.shape) > 1 and kind not in ("F32", "F16", "BF16"):
            matrices += 1
            fallback += quantization in LARGE and tensor.shape[0] % SUPER_BLOCK != 0
    return Stored(round(8 * size / max(count, 1), 2), types, fallback, matrices)
