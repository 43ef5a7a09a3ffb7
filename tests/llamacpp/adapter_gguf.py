"""A LoRA adapter for any Llama GGUF, as llama.cpp reads it: random, of one matrix, as strong as asked."""

import numpy
from llamacpp.files import read_header


def write_adapter(model, path, size: float, width: int | None = None) -> None:
    """An adapter of rank 2 for the first layer's output of attention. `width`: of another model than this."""
    import gguf

    header = read_header(model)
    shape = next(t.shape for t in header.tensors if t.name == "blk.0.attn_output.weight")
    wide = width or shape[0]
    writer = gguf.GGUFWriter(path, header.fields["general.architecture"])
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0)
    random = numpy.random.default_rng(1)
    for side, (rows, columns) in {"a": (2, wide), "b": (width or shape[1], 2)}.items():
        values = random.standard_normal((rows, columns)).astype(numpy.float32)
        writer.add_tensor(f"blk.0.attn_output.weight.lora_{side}", values * (size if side == "b" else 0.05))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
