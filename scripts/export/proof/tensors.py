"""A quantised file's weights against those of the 16-bit file that it was made from.

Quantising is arithmetic without chance, so the same 16-bit file quantised again gives the same bytes: a file that does not
have them holds other weights, however small the difference. A file that someone else made (another llama.cpp, an importance
matrix) cannot be held to that; its weights must lie within the error of their type.
"""

import tempfile
from pathlib import Path

from export.proof.gates import Findings
from llamacpp import library
from llamacpp.files import Header, Tensor, read_header

# Largest relative error (root mean square) of a tensor by its type: twice what llama.cpp's quantiser makes of normal weights.
ERRORS = {
    **{"F32": 1e-6, "F16": 1e-3, "BF16": 6e-3, "Q8_0": 0.012, "Q6_K": 0.04, "Q5_K": 0.08, "Q5_0": 0.09, "Q5_1": 0.08},
    **{"Q4_K": 0.16, "Q4_0": 0.2, "Q4_1": 0.17, "IQ4_XS": 0.17, "IQ4_NL": 0.17, "Q3_K": 0.34, "Q2_K": 0.7},
}
ROWS = 4_000_000  # weights that are unpacked at once


def check_tensors(path: str, source: str, quantization: str, own: bool, findings: Findings, quantizer: str | None = None) -> None:
    """Gate `tensors`. `own`: the file was made here, of this 16-bit file, so it must be its quantiser's work to the byte."""
    mine, theirs = read_header(path), read_header(source)
    shapes = {t.name: t.shape for t in mine.tensors}
    if shapes != {t.name: t.shape for t in theirs.tensors}:
        wrong = sorted(set(shapes) ^ {t.name for t in theirs.tensors}) or [
            t.name for t in theirs.tensors if shapes[t.name] != t.shape
        ]
        findings.gate("tensors", False, {"other_names_or_shapes": len(wrong)}, f"other tensors than the 16-bit file: {wrong[:3]}")
        return
    different = differing(path, mine, source, quantization, quantizer)
    figure = {"tensors": len(mine.tensors), "not_as_quantised_again": len(different)}
    if own or not different:
        count = f"{len(different)} of {len(mine.tensors)}"
        say = f"{count} tensors are not what quantising the 16-bit file gives, first {''.join(different[:1])}"
        findings.gate("tensors", not different, figure, say)
        return
    held = {t.name: t for t in theirs.tensors}
    far = []
    for tensor in mine.tensors:
        error = relative_error(path, tensor, source, held[tensor.name])
        if error > ERRORS.get(tensor.layout()[0], 0.2):
            far.append((tensor.name, error))
    some = partly(mine, different) if "quantize.imatrix.entries_count" not in mine.fields else []
    figure |= {"beyond_their_type": len(far), "of_other_weights": len(some)}
    say = (
        f"{far[0][0]} is {far[0][1]:.3f} off the 16-bit weights"
        if far
        else f"{some[:2]}: the others are quantised from these weights"
    )
    findings.gate("tensors", not far and not some, figure, say)


def differing(path: str, mine: Header, source: str, quantization: str, quantizer: str | None) -> list[str]:
    """Names of the tensors whose bytes are not those that quantising the 16-bit file again gives."""
    import subprocess

    with tempfile.TemporaryDirectory(dir=Path(path).parent, prefix=".again-") as folder:
        again = str(Path(folder) / "again.gguf")
        if quantizer:
            subprocess.run([quantizer, source, again, quantization.upper()], check=True, stdin=subprocess.DEVNULL)
        else:
            library.quantize_file(source, again, quantization)
        made = {t.name: t for t in read_header(again).tensors}
        with open(path, "rb") as one, open(again, "rb") as two:
            return [t.name for t in mine.tensors if not same_bytes(one, t, two, made[t.name])]


def same_bytes(one, mine: Tensor, two, theirs: Tensor) -> bool:
    if mine.kind != theirs.kind:
        return False
    left = mine.layout()[1]
    one.seek(mine.offset)
    two.seek(theirs.offset)
    while left:
        size = min(left, 1 << 24)
        a = one.read(size)
        if a != two.read(size) or len(a) < size:
            return False
        left -= size
    return True


def partly(header: Header, different: list[str]) -> list[str]:
    """Tensors of other weights in a file of which others of the same type are byte for byte the 16-bit file's."""
    by_type: dict[str, list[str]] = {}
    for tensor in header.tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) > 1:
            by_type.setdefault(tensor.layout()[0], []).append(tensor.name)
    gone = set(different)
    return [n for names in by_type.values() if not gone.issuperset(names) for n in names if n in gone]


def relative_error(path: str, mine: Tensor, source: str, theirs: Tensor) -> float:
    """Root mean square of the difference over that of the weights, unpacked ROWS weights at a time."""
    import numpy

    error = size = 0.0
    pieces = zip(unpacked(path, mine), unpacked(source, theirs), strict=True)
    for a, b in pieces:
        error += float(((a - b) ** 2).sum())
        size += float((b**2).sum())
    return float(numpy.sqrt(error / size)) if size else float(error > 0)


def unpacked(path: str, tensor: Tensor):
    """A tensor's weights as float32, some rows at a time: numpy [rows, width]."""
    import gguf
    import numpy

    kind = gguf.GGMLQuantizationType(tensor.kind)
    width = tensor.shape[0]
    count = 1
    for n in tensor.shape[1:]:
        count *= n
    wide = tensor.layout()[1] // count
    with open(path, "rb") as file:
        file.seek(tensor.offset)
        step = max(1, ROWS // width)
        for first in range(0, count, step):
            rows = min(step, count - first)
            data = numpy.frombuffer(file.read(rows * wide), numpy.uint8).reshape(rows, wide)
            yield gguf.quants.dequantize(data, kind).reshape(rows, width).astype(numpy.float32)
