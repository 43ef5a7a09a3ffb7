"""Faults planted into GGUF files: fields changed, tensors swapped, scaled, emptied. For the tests of the proof."""

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy
from llamacpp.files import LIST, NUMBERS, TEXT, HeaderReader, Tensor, read_header

KINDS = {"u32": 4, "i32": 5, "f32": 6, "bool": 7, "text": TEXT, "u64": 10}


def encoded(kind: int, value) -> bytes:
    """A value as GGUF writes it, without its type."""
    if kind == TEXT:
        text = value.encode()
        return struct.pack("<Q", len(text)) + text
    if kind == LIST:
        inner, values = value
        if inner in NUMBERS:
            body = numpy.asarray(values, f"<{NUMBERS[inner]}").tobytes()
        else:
            body = b"".join(encoded(inner, v) for v in values)
        return struct.pack("<IQ", inner, len(values)) + body
    return struct.pack(f"<{NUMBERS[kind]}", value)


@dataclass
class Planted:
    """A GGUF in memory: fields as (type, bytes), tensors with their bytes; `write` lays it out anew."""

    fields: dict[str, tuple[int, bytes]]
    tensors: dict[str, Tensor]
    data: dict[str, bytes] = field(default_factory=dict)
    source: Path | None = None

    @classmethod
    def read(cls, path: Path) -> "Planted":
        header = read_header(path)
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            reader, fields = HeaderReader(data), {}
            _, count = reader.counts()
            for _ in range(count):
                key, kind = reader.text(), reader.number("I")
                begin = reader.at
                reader.value(kind)
                fields[key] = kind, data[begin : reader.at]
        return cls(fields, {t.name: t for t in header.tensors}, {}, path)

    def value(self, key: str):
        return read_header(self.source).fields[key]

    def set(self, key: str, value, kind: str | None = None) -> None:
        """A field to another value, of its own type where it is there."""
        number = KINDS[kind] if kind else self.fields[key][0]
        self.fields[key] = number, encoded(number, value)

    def set_list(self, key: str, values) -> None:
        inner = struct.unpack_from("<I", self.fields[key][1])[0]
        self.fields[key] = LIST, encoded(LIST, (inner, values))

    def drop(self, *keys: str) -> None:
        for key in keys:
            del self.fields[key]

    def bytes_of(self, name: str) -> bytes:
        if name not in self.data:
            tensor = self.tensors[name]
            with open(self.source, "rb") as file:
                file.seek(tensor.offset)
                self.data[name] = file.read(tensor.layout()[1])
        return self.data[name]

    def weights(self, name: str):
        """A BF16, F16 or F32 tensor as float32, numpy [rows, width] or [width]."""
        tensor, raw = self.tensors[name], self.bytes_of(name)
        kind = tensor.layout()[0]
        if kind == "BF16":
            found = (numpy.frombuffer(raw, numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
        else:
            found = numpy.frombuffer(raw, numpy.float16 if kind == "F16" else numpy.float32).astype(numpy.float32)
        return found.reshape(tensor.shape[::-1]).copy()

    def put(self, name: str, values) -> None:
        """Weights back into a tensor, rounded to its type."""
        kind, values = self.tensors[name].layout()[0], numpy.ascontiguousarray(values, numpy.float32)
        if kind == "BF16":
            bits = values.view(numpy.uint32)
            self.data[name] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16).tobytes()
        else:
            self.data[name] = values.astype(numpy.float16 if kind == "F16" else numpy.float32).tobytes()

    def add(self, name: str, values) -> None:
        """A float32 tensor that was not there."""
        values = numpy.asarray(values, numpy.float32)
        self.tensors[name] = Tensor(name, values.shape[::-1], 0, 0)
        self.data[name] = values.tobytes()

    def swap(self, one: str, two: str) -> None:
        self.data[one], self.data[two] = self.bytes_of(two), self.bytes_of(one)

    def write(self, path: Path, alignment: int = 32) -> None:
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.fields))
        for key, (kind, raw) in self.fields.items():
            head += encoded(TEXT, key) + struct.pack("<I", kind) + raw
        at, bodies = 0, []
        for name, tensor in self.tensors.items():
            body = self.bytes_of(name)
            head += encoded(TEXT, name) + struct.pack("<I", len(tensor.shape))
            head += b"".join(struct.pack("<Q", n) for n in tensor.shape) + struct.pack("<IQ", tensor.kind, at)
            body += bytes(-len(body) % alignment)
            bodies.append(body)
            at += len(body)
        path.write_bytes(head + bytes(-len(head) % alignment) + b"".join(bodies))
