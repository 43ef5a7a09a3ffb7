"""GGUF files: header, tensors, chat template."""

from pathlib import Path

# llama_ftype of llama.h, and bits per weight as llama.cpp's quantize README measures them on Llama-3.1-8B
# (tools/quantize/README.md); used to estimate the disk that is needed.
QUANTIZATIONS = {
    "f16": (1, 16.0),
    "bf16": (32, 16.0),
    "q8_0": (7, 8.5),
    "q6_k": (18, 6.56),
    "q5_k_m": (17, 5.70),
    "q4_k_m": (15, 4.89),
    "q4_0": (2, 4.66),
}


def is_gguf(path: str | Path) -> bool:
    """Whether the path is a GGUF file, by its first four bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def read_header(path: str | Path) -> tuple[dict, list[dict]]:
    """Metadata (arrays of texts as lists; of numbers cyllama tells only the length) and tensors ({name, type, size}) of a GGUF.

    cyllama reads them in a tenth of a second; the package gguf takes fifteen on a vocabulary of 150,000.
    Raises ValueError or RuntimeError where the file is broken.
    """
    from cyllama.llama.llama_cpp import GGUFContext

    if not is_gguf(path):
        raise ValueError(f"{path} is no GGUF file")
    context = GGUFContext.from_file(str(path))
    return context.get_all_metadata(), context.get_all_tensor_info()


def has_template(path: str | Path) -> bool:
    """Whether a GGUF holds a chat template; True too where the header cannot be read (loading it will say why)."""
    try:
        return "tokenizer.chat_template" in read_header(path)[0]
    except (ValueError, RuntimeError):
        return True


def stored(path: str | Path) -> dict:
    """How a GGUF stores its weights: {"bits_per_weight", "tensors": {type: count}, "fallback_tensors"}.

    A fallback tensor is one whose rows are no multiple of 256, so that a k-quant could not hold it and llama.cpp chose
    another type.
    """
    import gguf

    _, tensors = read_header(path)
    types, count, size, fallback = {}, 0, 0, 0
    k_quant = int(QUANTIZATIONS.get(next((q for q in QUANTIZATIONS if q in Path(path).name), ""), (0,))[0]) in (15, 17, 18)
    for tensor in tensors:
        kind = gguf.GGMLQuantizationType(tensor["type"])
        block, width = gguf.GGML_QUANT_SIZES[kind]
        types[kind.name] = types.get(kind.name, 0) + 1
        count += tensor["size"] // width * block
        size += tensor["size"]
        fallback += k_quant and kind.name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16")
    return {"bits_per_weight": round(8 * size / count, 2), "tensors": types, "fallback_tensors": fallback}
