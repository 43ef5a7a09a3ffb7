"""How much disk and memory an export takes, from a model's headers or from its shape alone. Imports no torch."""

import json
import platform
from dataclasses import dataclass
from pathlib import Path

from export.weight_files import read_index
from llamacpp.files import LARGE, QUANTIZATIONS, SUPER_BLOCK

WIDEST = 6.6  # bits per weight of the embeddings in a k-quant (llama.cpp stores them as q6_k)
FALLBACK = 8.5  # where a row is no multiple of 256, llama.cpp may store a tensor as q8_0
MAPPED = ("q8_0", "q6_k", "q5_k_m")  # on x86-64 llama.cpp reads these as they lie in the file; others it lays out anew
SLACK = 200_000_000  # tokenizer, log, Modelfile, blocks that are not full
LIBRARIES = 1_200_000_000  # torch, transformers, PEFT, llama.cpp, and a batch's activations


@dataclass
class Shape:
    """What the estimate needs of a model. Bytes in 16 bits: of the embeddings and output layer, of all else, of the widest
    tensor. `even`: rows are multiples of 256, so that k-quants fit.
    """

    others: int
    embeddings: int
    widest: int
    vocabulary: int
    even: bool = True

    @property
    def weights(self) -> int:
        return self.others + self.embeddings


@dataclass
class Needs:
    """Bytes that lie on disk at once, and bytes of memory, at most."""

    disk: int
    memory: int


def shape_of(folder: Path) -> Shape:
    """From the headers of the folder's safetensors and its config.json. Raises UserError where one is broken."""
    others = embeddings = widest = 0
    for path in folder.glob("*.safetensors"):
        for name, tensor in read_index(path).items():
            size = 2 * tensor.count
            widest = max(widest, size)
            if "embed_tokens" in name or "lm_head" in name:
                embeddings += size
            else:
                others += size
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = config | config.get("text_config", {})
    rows = {config.get("hidden_size", SUPER_BLOCK) % SUPER_BLOCK, config.get("intermediate_size", SUPER_BLOCK) % SUPER_BLOCK}
    return Shape(others, embeddings, widest, config.get("vocab_size", 0), rows == {0})


def file_bytes(shape: Shape, quantization: str) -> int:
    """About how large a GGUF of this model gets."""
    bits = QUANTIZATIONS[quantization].bits
    if quantization in LARGE and not shape.even:
        return int(shape.weights * FALLBACK / 16)
    return int((shape.others * bits + shape.embeddings * max(bits, WIDEST)) / 16)


def needs(
    shape: Shape,
    quantizations: list[str],
    proof_tokens: int = 3000,
    merged: bool = True,
    untuned: bool = True,
    whole: bool = False,
) -> Needs:
    """What an export takes.

    Disk: first the merged model beside its 16-bit GGUF; then, the merged model gone, the quantised files beside that GGUF and
    one of them quantised again; then the untuned model's 16-bit GGUF and quantised files beside those. And all the time the
    reference that the proof compares with.
    Memory: merge, reference and converter work a tensor at a time, whose float32 copy is the most that they hold; llama.cpp
    maps the file that it checks, and lays some quantised ones out anew. `whole`: an adapter for which the model is loaded whole.
    """
    files = [file_bytes(shape, q) for q in quantizations]
    sixteen = shape.weights
    first = sixteen * merged + sixteen * (1 + ("f16" in quantizations and "bf16" in quantizations))
    again = max((f for f, q in zip(files, quantizations, strict=True) if q not in ("f16", "bf16")), default=0)
    second = sum(files) + sixteen * (not {"f16", "bf16"} & set(quantizations)) + (again if proof_tokens else 0)
    third = second - again + (sixteen * (not {"f16", "bf16"} & set(quantizations)) + sum(files) if untuned else 0)
    reference = (proof_tokens + 128) * shape.vocabulary * 2 if proof_tokens else 0
    mapped = {"f16", "bf16", *(MAPPED if platform.machine() in ("x86_64", "AMD64") else ())}
    anew = max((f for f, q in zip(files, quantizations, strict=True) if q not in mapped), default=0)
    memory = LIBRARIES + max(5 * shape.widest, anew if proof_tokens else 0, int(1.2 * sixteen) if whole else 0)
    return Needs(max(first, second, third) + reference + SLACK, memory)


def needs_of(folder: Path, quantizations: list[str], **more) -> Needs:
    """`needs` of a model folder."""
    return needs(shape_of(folder), quantizations, **more)
