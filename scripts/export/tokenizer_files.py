"""The tokenizer of a merged model: the adapter's, with the files that llama.cpp's converter wants beside it."""

import json
import shutil
from pathlib import Path

from common.files import write_text


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
