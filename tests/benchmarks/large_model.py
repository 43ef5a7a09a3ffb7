"""A Qwen3 of a large one's shape with random weights, and a LoRA adapter on it, written a tensor at a time.

    python tests/benchmarks/large_model.py --shape 8b --output_dir runs/shape8b          # base/ and adapter/
    python scripts/export_gguf.py --model runs/shape8b/adapter --quantization q4_k_m --max_tokens 300
    python tests/benchmarks/large_model.py --shape 14b --dense_layers 2 --output_dir runs/shape14b

For what an export of that size takes: it knows nothing, so its best tokens hardly lead, and rounding exchanges them
(`--gates '{"bf16": {"top1": 0}, "q4_k_m": {"top1": 0}}'`). 8b needs 17 GB of disk, the export three times as much. With
--dense_layers the layers after those are zero and have no adapter: holes in the files, which take no disk, and stay zero when
merged, so a file system that compresses holds the export too. What memory an export takes depends on shapes, not on values.
With --context below 2,304 the proof has no long document.
"""

import argparse
import functools
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/gpu"))
from course import SHAPES  # noqa: E402

TINY = ROOT / "models/tiny-qwen3"
HEAD, KEY_HEADS, RANK = 128, 8, 16
POOL = (1 << 24) - 3  # odd, so that rows of a matrix differ


def tied(hidden: int) -> bool:
    """Whether a model of this width has one weight for embeddings and output layer, as Qwen3's small ones."""
    return hidden < 4096


def sizes(hidden: int, inner: int, heads: int) -> dict[str, tuple[int, int]]:
    """(out, in) of a layer's matrices by name."""
    attention = {"q_proj": (heads * HEAD, hidden), "k_proj": (KEY_HEADS * HEAD, hidden), "v_proj": (KEY_HEADS * HEAD, hidden)}
    attention["o_proj"] = (hidden, heads * HEAD)
    feed_forward = {"gate_proj": (inner, hidden), "up_proj": (inner, hidden), "down_proj": (hidden, inner)}
    return {f"self_attn.{n}": s for n, s in attention.items()} | {f"mlp.{n}": s for n, s in feed_forward.items()}


@functools.cache
def pool() -> torch.Tensor:
    return torch.empty(POOL).normal_(0, 0.02).bfloat16()


def normal(*size: int) -> torch.Tensor:
    """Numbers of the pool from a random place on, over and over: eight thousand million drawn anew take a quarter of an hour."""
    count, at = math.prod(size), int(torch.randint(POOL, ()))
    return pool().roll(-at).repeat(-(-count // POOL))[:count].view(size).clone()


def hollow(*size: int) -> torch.Tensor:
    """A tensor that is only a shape; zeros, where it is written."""
    return torch.empty(size, dtype=torch.bfloat16, device="meta")


def shards(hidden: int, layers: int, inner: int, heads: int, vocabulary: int, dense: int) -> Iterator[dict[str, torch.Tensor]]:
    """The weights, a file's at a time: embeddings, output layer, each layer."""
    yield {"model.embed_tokens.weight": normal(vocabulary, hidden), "model.norm.weight": torch.ones(hidden, dtype=torch.bfloat16)}
    if not tied(hidden):
        yield {"lm_head.weight": normal(vocabulary, hidden)}
    ones = {"input_layernorm": hidden, "post_attention_layernorm": hidden, "self_attn.q_norm": HEAD, "self_attn.k_norm": HEAD}
    for at in range(layers):
        norms = {f"model.layers.{at}.{n}.weight": torch.ones(size, dtype=torch.bfloat16) for n, size in ones.items()}
        make = normal if at < dense else hollow
        yield norms | {f"model.layers.{at}.{n}.weight": make(*size) for n, size in sizes(hidden, inner, heads).items()}


def write_holes(path: Path, weights: dict[str, torch.Tensor]) -> None:
    """A safetensors file whose hollow tensors are holes."""
    at, header = 0, {"__metadata__": {"format": "pt"}}
    for name, weight in weights.items():
        header[name] = {"dtype": "BF16", "shape": list(weight.shape), "data_offsets": [at, at + weight.nbytes]}
        at += weight.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for weight in weights.values():
            if weight.is_meta:
                file.seek(weight.nbytes, os.SEEK_CUR)
            else:
                file.write(weight.view(torch.uint8).numpy().data)
        file.truncate(8 + len(text) + at)


def write_base(folder: Path, shape: str, dense: int, context: int) -> None:
    hidden, layers, inner, heads = SHAPES[shape]
    config = json.loads((TINY / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_size": hidden, "num_hidden_layers": layers, "intermediate_size": inner, "num_attention_heads": heads}
    config |= {"num_key_value_heads": KEY_HEADS, "head_dim": HEAD, "tie_word_embeddings": tied(hidden)}
    config |= {"max_position_embeddings": context, "max_window_layers": layers, "layer_types": ["full_attention"] * layers}
    folder.mkdir(parents=True)
    of, total = {}, 0
    for number, weights in enumerate(shards(hidden, layers, inner, heads, config["vocab_size"], dense)):
        name = f"model-{number:05}.safetensors"
        write_holes(folder / name, weights)
        of |= dict.fromkeys(weights, name)
        total += sum(w.nbytes for w in weights.values())
    index = {"metadata": {"total_size": total}, "weight_map": of}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        if (TINY / name).exists():
            shutil.copy(TINY / name, folder)


def write_adapter(folder: Path, base: Path, shape: str, dense: int) -> None:
    """LoRA of rank 16 on the linear layers that are not hollow, neither matrix zero."""
    from peft import LoraConfig

    hidden, layers, inner, heads = SHAPES[shape]
    weights = {}
    changed = list(range(min(layers, dense)))
    for at in changed:
        for name, (rows, columns) in sizes(hidden, inner, heads).items():
            of = f"base_model.model.model.layers.{at}.{name}"
            weights |= {f"{of}.lora_A.weight": normal(RANK, columns), f"{of}.lora_B.weight": normal(rows, RANK)}
    modules = [n.split(".")[1] for n in sizes(hidden, inner, heads)]
    of = dict(task_type="CAUSAL_LM", base_model_name_or_path=str(base), layers_to_transform=changed)
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=modules, **of)
    config.save_pretrained(folder)
    save_file({n: w.contiguous() for n, w in weights.items()}, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(base / name, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--dense_layers", type=int, default=999)
    parser.add_argument("--context", type=int, default=4096)
    args = parser.parse_args()
    if not (TINY / "tokenizer.json").exists():
        sys.exit("first: python scripts/make_model.py --name tiny_qwen3 --output_dir models/tiny-qwen3")
    torch.manual_seed(3407)
    base = args.output_dir.resolve() / "base"
    write_base(base, args.shape, args.dense_layers, args.context)
    write_adapter(args.output_dir / "adapter", base, args.shape, args.dense_layers)


if __name__ == "__main__":
    main()
