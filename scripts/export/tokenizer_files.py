"""The tokenizer of a merged model, the adapter's, and what llama.cpp and its converter must be told of it."""

import json
import re
import shutil
from pathlib import Path

from common.files import link_all_but, write_text

NAMED_PHI3 = re.compile("phi-?3", re.IGNORECASE)


def save_tokenizer(tokenizer, adapter: str | Path, base: Path | None, folder: Path) -> list[str]:
    """Save the tokenizer to `folder`; the tokens that were left out.

    tokenizer.model (SentencePiece: Gemma, Phi-3, Mistral) is taken from the adapter's folder or the base's: transformers 5
    does not write it, and the converter reads scores and types from it. Tokens that were added behind the vocabulary without
    a row in the embeddings (Gemma's <mask>) are left out: no model knows them, and the converter refuses them.
    """
    tokenizer.save_pretrained(folder)
    places = [Path(adapter), *([base] if base else [])]
    pieces = next((p / "tokenizer.model" for p in places if (p / "tokenizer.model").is_file()), None)
    if pieces and not (folder / "tokenizer.model").exists():
        shutil.copy(pieces, folder / "tokenizer.model")
    rows = vocabulary_of(Path(adapter)) or (vocabulary_of(base) if base else None)
    return cut_tokens(folder, rows) if rows and rows < len(tokenizer) else []


def vocabulary_of(folder: Path) -> int | None:
    """Rows of the embeddings: what the adapter trained anew, else what config.json says."""
    from export.weight_files import read_index

    for path in folder.glob("adapter_model.safetensors"):
        rows = [t.shape[0] for name, t in read_index(path).items() if "embed_tokens" in name and "lora" not in name]
        return max(rows, default=None)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return config.get("vocab_size") or config.get("text_config", {}).get("vocab_size")


def cut_tokens(folder: Path, rows: int) -> list[str]:
    """Leave added tokens of ids from `rows` on out of tokenizer.json and tokenizer_config.json; their texts."""
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    gone = [t["content"] for t in tokenizer.get("added_tokens", []) if t["id"] >= rows]
    tokenizer["added_tokens"] = [t for t in tokenizer.get("added_tokens", []) if t["id"] < rows]
    write_text(path, json.dumps(tokenizer, ensure_ascii=False))
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    decoder = config.get("added_tokens_decoder", {})
    config["added_tokens_decoder"] = {i: t for i, t in decoder.items() if int(i) < rows}
    if not config["added_tokens_decoder"]:
        config.pop("added_tokens_decoder")
    for key in [k for k, v in config.items() if v in gone or (isinstance(v, dict) and v.get("content") in gone)]:
        config.pop(key)
    for key in ("extra_special_tokens", "additional_special_tokens"):
        if isinstance(config.get(key), list):
            config[key] = [t for t in config[key] if t not in gone]
    write_text(path, json.dumps(config, ensure_ascii=False, indent=2))
    return gone


def name_within(name: str, model: Path) -> str:
    """The name that a GGUF of this folder says it has.

    Phi-3's control tokens take the spaces after them along. A GGUF has no field for that: llama.cpp goes by "phi-3" or "phi3"
    in the name (src/llama-vocab.cpp), so a model of such a tokenizer must have it there, and another must not: llama.cpp then
    asks for tokens that only Phi-3 has, and does not load the file (Phi-4-mini's control tokens take spaces too).
    """
    path = model / "tokenizer.json"
    added = json.loads(path.read_text(encoding="utf-8")).get("added_tokens", []) if path.is_file() else []
    of_phi3 = {"</s>", "<unk>", "<s>", "<|endoftext|>"} <= {t["content"] for t in added}
    if of_phi3 and any(t["special"] and t["rstrip"] for t in added):
        return name if NAMED_PHI3.search(name) else f"{name} (Phi-3)"
    return NAMED_PHI3.sub("Phi 3", name)


def for_converter(model: Path, links: Path) -> Path:
    """The folder, or one of links to its files whose tokenizer_config.json says what the converter asks it.

    transformers 5 no longer writes two things of a SentencePiece tokenizer there. add_bos_token: without it llama.cpp begins
    every text with a token, and a tokenizer like Phi-3's does not. added_tokens_decoder: without it the converter takes added
    tokens (Gemma's 6,400) for words, and leaves those behind the vocabulary out. And it names every class TokenizersBackend,
    where the converter tells Phi-4-mini's tokenizer from Phi-3's by that name.
    """
    try:
        tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
        config = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return model
    more = {}
    if tokenizer["model"].get("byte_fallback") and not begins_texts(tokenizer):
        more["add_bos_token"] = False
    if (model / "tokenizer.model").is_file():
        more["added_tokens_decoder"] = {str(t["id"]): t for t in tokenizer.get("added_tokens", [])}
    more = {key: value for key, value in more.items() if key not in config}
    if space_scheme(tokenizer) == "first":
        more["add_prefix_space"] = False
    byte_level = "ByteLevel" in json.dumps([tokenizer.get("pre_tokenizer"), tokenizer.get("decoder")])
    if byte_level and config.get("tokenizer_class") == "TokenizersBackend" and is_phi(model):
        more["tokenizer_class"] = "GPT2Tokenizer"
    if not more:
        return model
    link_all_but(model, "tokenizer_config.json", links)
    write_text(links / "tokenizer_config.json", json.dumps(config | more, ensure_ascii=False, indent=2))
    return links


def space_scheme(tokenizer: dict) -> str:
    """Before which texts a SentencePiece tokenizer.json puts its space: first, always, never; "" where it does not say so."""
    before = tokenizer.get("pre_tokenizer") or {}
    return before.get("prepend_scheme", "") if tokenizer["model"].get("byte_fallback") else ""


def is_phi(model: Path) -> bool:
    path = model / "config.json"
    return path.is_file() and "Phi3ForCausalLM" in json.loads(path.read_text(encoding="utf-8")).get("architectures", [])


def begins_texts(tokenizer: dict) -> bool:
    """Whether a tokenizer.json puts a token before a text."""
    processor = tokenizer.get("post_processor") or {}
    steps = processor.get("processors", [processor])
    kinds = ("BertProcessing", "RobertaProcessing")
    return any("SpecialToken" in json.dumps(s.get("single")) or s.get("type") in kinds for s in steps)
