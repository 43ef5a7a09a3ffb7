"""Each family's shape through the whole export: converted, quantised for real, proven. Random weights, real tokenizers."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT, run_script
from llamacpp.tools import CONVERTER_FOLDER, INSTALL

from data_prep.chat_template import template_source

if not list(CONVERTER_FOLDER.glob("*/llama.cpp/convert_hf_to_gguf.py")):
    pytest.skip(f"llama.cpp's converter is not in .tools; run: make setup, or: {INSTALL}", allow_module_level=True)

# Rows are multiples of 256, so that k-quants are real.
SHAPE = dict(hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)


def random_model(folder, kind, config):
    """A model of random weights, biases too (they begin at zero otherwise, and would hide a lost one)."""
    import torch
    import transformers

    torch.manual_seed(1)
    model = getattr(transformers, kind)(config)
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, 1.0 if "norm" in name and "gemma" not in config.model_type else 0.0, 0.05)
    model.to(torch.bfloat16).save_pretrained(folder)


def qwen25(folder, tiny_model):
    from transformers import Qwen2Config

    ids = dict(bos_token_id=151643, eos_token_id=151645, pad_token_id=151643)
    random_model(folder, "Qwen2ForCausalLM", Qwen2Config(vocab_size=151936, tie_word_embeddings=True, **ids, **SHAPE))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ROOT / tiny_model / name, folder)
    (folder / "chat_template.jinja").write_text(template_source("qwen2.5"))


def mistral(folder, smollm2):
    """Mistral's shape with a byte-level tokenizer and ChatML, as its fine-tunes have; embeddings not tied."""
    from transformers import MistralConfig

    ids = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=False)
    random_model(folder, "MistralForCausalLM", MistralConfig(vocab_size=49152, sliding_window=None, head_dim=64, **ids, **SHAPE))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(ROOT / smollm2 / name, folder)


def gemma(folder, _):
    """Gemma 3's shape with a SentencePiece tokenizer with byte fallback, made here; a turn does not end with the end token."""
    import sentencepiece
    from transformers import Gemma3TextConfig, GemmaTokenizer

    folder.mkdir()
    texts = folder / "texts"
    texts.write_text("\n".join((ROOT / name).read_text() for name in ("README.md", "README.pt-BR.md")) * 2)
    controls = ["<start_of_turn>", "<end_of_turn>"]
    sentencepiece.SentencePieceTrainer.train(
        input=str(texts),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=1536,
        byte_fallback=True,
        character_coverage=0.99,
        add_dummy_prefix=False,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        control_symbols=controls,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        minloglevel=2,
    )
    texts.unlink()
    (folder / "tokenizer.vocab").unlink()
    tokenizer = GemmaTokenizer.from_pretrained(folder, additional_special_tokens=controls)
    trl = Path(find_spec("trl").submodule_search_locations[0]) / "chat_templates"
    tokenizer.chat_template = (trl / "gemma3.jinja").read_text()
    tokenizer.save_pretrained(folder)
    shape = SHAPE | {"num_hidden_layers": 6}  # the sixth layer is the first without a sliding window; llama.cpp wants one
    config = Gemma3TextConfig(
        vocab_size=1536, head_dim=64, query_pre_attn_scalar=64, sliding_window=512, max_position_embeddings=2048, **shape
    )
    config.update({"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0})
    random_model(folder, "Gemma3ForCausalLM", config)


MODELS = {"qwen2.5": (qwen25, "tiny_model", "qwen2"), "mistral": (mistral, "smollm2", "llama"), "gemma": (gemma, None, "gemma3")}


@pytest.mark.parametrize(
    "family",
    [
        pytest.param("qwen2.5", marks=pytest.mark.slow),  # half a minute: a vocabulary of 150,000
        pytest.param("mistral", marks=pytest.mark.slow),
        "gemma",
    ],
)
def test_family_is_exported_and_proven(family, request, tmp_path):
    make, source, architecture = MODELS[family]
    make(tmp_path / "model", source and request.getfixturevalue(source))
    command = ["scripts/export_gguf.py", "--model", tmp_path / "model", "--output_dir", tmp_path / "g", "--max_tokens", 400]
    # The best token of random weights is a matter of luck; that the probabilities agree is not.
    run_script(*command, "--quantization", "bf16,q4_k_m", "--gates", '{"q4_k_m": {"top1": 0.1}, "bf16": {"top1": 0.8}}')
    sixteen, four = json.loads((tmp_path / "g" / "verification.json").read_text())["files"]
    assert not sixteen["failed"] and not four["failed"]
    assert four["checks"]["metadata"]["architecture"] == architecture
    assert sixteen["checks"]["kl"] < 5e-4, "a lost bias or a scale would show here"
    assert four["tensors"]["Q4_K"] > 5 and four["fallback_tensors"] == 0, "no real k-quants"
    assert four["checks"]["tokens"]["different"] == 0 and four["checks"]["template"]["different"] == 0
    ends = "<end_of_turn>" if family == "gemma" else "<|im_end|>"
    assert f'PARAMETER stop "{ends}"' in (tmp_path / "g" / "Modelfile").read_text()
