"""llama.cpp's library from a wheel (cyllama): quantise, token ids, logits.

It prints a great deal, and may abort the process it runs in: keep it behind `quiet(log)`, and in a process of its own where
a result must survive it.

    with quiet("x.log"):
        model = Gguf("x-q4_k_m.gguf", n_ctx=2048)
        ids = model.tokenize("Qual é a dose?", special=False)
        logits = model.logits(ids)                 # numpy float32 [len(ids), n_vocab]; what evaluate.py scores a GGUF by
"""

import array
import sys
from pathlib import Path

from common.machine import cores
from llamacpp.files import QUANTIZATIONS, is_gguf

PIECE = 256  # tokens decoded at once: at a vocabulary of 150,000 their logits are 160 MB


def quantize_file(source: str, out: str, quantization: str) -> None:
    """Quantise a 16-bit GGUF by llama.cpp's library (cyllama), on all cores. Raises RuntimeError where it fails."""
    from cyllama.llama import llama_cpp as library

    settings = library.LlamaModelQuantizeParams()
    settings.ftype, settings.nthread = QUANTIZATIONS[quantization].ftype, cores()
    library.model_quantize(source, out, settings)


class Gguf:
    """A GGUF file in llama.cpp's library (cyllama): token ids and logits, on the processor.

    Args:
        path: the file. n_ctx: longest sequence in tokens. n_threads: 0 for all cores.

    Raises ValueError (from cyllama) where llama.cpp cannot load the file.
    """

    def __init__(self, path: str | Path, n_ctx: int = 2048, n_threads: int = 0):
        from cyllama.llama import llama_cpp as library

        class Model(library.LlamaModel):  # cyllama 0.2.18 asks the model for n_vocab in get_logits_ith and has none there
            @property
            def n_vocab(self):
                return self.get_vocab().n_vocab

        if not is_gguf(path):
            raise ValueError(f"{path} is no GGUF file")
        settings = library.LlamaModelParams()
        settings.n_gpu_layers = 0
        self.library, self.path, self.n_ctx = library, str(path), n_ctx
        self.model = Model(str(path), settings)
        self.vocab = self.model.get_vocab()
        self.n_vocab = self.vocab.n_vocab
        settings = library.LlamaContextParams()
        settings.n_ctx, settings.n_batch = n_ctx, n_ctx
        settings.n_threads = settings.n_threads_batch = n_threads or cores()
        self.context = library.LlamaContext(self.model, settings)

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Token ids without BOS; `special`: control tokens written in the text become control tokens."""
        return list(self.vocab.tokenize(text, False, special)) if text else []

    def logits(self, ids: list[int], first: int = 0):
        """Logits after each token from position `first` on, numpy float32 [len(ids) - first, n_vocab]."""
        import numpy

        return numpy.concatenate([piece for _, piece in self.logit_pieces(ids, first)])

    def logit_pieces(self, ids: list[int], first: int = 0):
        """As `logits`, PIECE tokens at a time: (position of the piece's first token, numpy float32 [tokens, n_vocab])."""
        if len(ids) > self.n_ctx:
            raise ValueError(f"{len(ids)} tokens do not fit n_ctx {self.n_ctx}")
        self.context.kv_cache_clear()
        if first:
            self._decode(ids[:first], 0, False)
        for at in range(first, len(ids), PIECE):
            yield at, self._decode(ids[at : at + PIECE], at, True)

    def logits_at(self, ids: list[int], places: set[int]):
        """(place, logits after it, numpy float32 [n_vocab]) of some places of `ids`, which fit n_ctx.

        The same to the last digit as by `logit_pieces`; what nobody asks for is not copied out, nor read after the last place.
        """
        self.context.kv_cache_clear()
        for at in range(0, max(places, default=-1) + 1, PIECE):
            piece = ids[at : at + PIECE]
            rows = sorted(place - at for place in places if at <= place < at + len(piece))
            yield from ((at + row, logits) for row, logits in zip(rows, self._decode(piece, at, True, rows), strict=True))

    def _decode(self, ids: list[int], at: int, wanted: bool, rows: list[int] | None = None):
        """Read on. Logits [len(rows), n_vocab] of some rows of those that are `wanted`, by default of all."""
        import numpy

        batch = self.library.LlamaBatch(n_tokens=len(ids), embd=0, n_seq_max=1)
        for position, token in enumerate(ids, at):
            batch.add(token, position, [0], wanted)
        self.context.decode(batch)
        rows = range(len(ids) if wanted else 0) if rows is None else rows
        out = numpy.empty((len(rows), self.n_vocab), dtype=numpy.float32)
        for i, row in enumerate(rows):
            # cyllama gives a list; array reads 152,000 numbers in 4 ms, numpy in 17.
            out[i] = numpy.frombuffer(array.array("f", self.context.get_logits_ith(row)), numpy.float32)
        return out


if __name__ == "__main__":  # export_gguf.py quantises in a process of its own: IN OUT q8_0
    quantize_file(*sys.argv[1:4])
