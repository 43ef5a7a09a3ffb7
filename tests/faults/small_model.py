"""A model folder with the first tokens of its vocabulary alone: what stages read and write a hundred times should be small."""

import json
import shutil
from pathlib import Path

TOKENS = 4096


def with_fewer_tokens(model: Path, folder: Path) -> None:
    """Copy the folder of a model with a byte-level BPE; the converter of llama.cpp does not know such a tokenizer."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    kept = {token: number for token, number in tokenizer["model"]["vocab"].items() if number < TOKENS}
    merges = [m for m in tokenizer["model"]["merges"] if m[0] in kept and m[1] in kept and "".join(m) in kept]
    tokenizer["model"] |= {"vocab": kept, "merges": merges}
    moved = {token["id"]: TOKENS + place for place, token in enumerate(tokenizer["added_tokens"])}
    for token in tokenizer["added_tokens"]:
        token["id"] = moved[token["id"]]
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    rows = [*range(TOKENS), *moved]
    for name in ("config.json", "generation_config.json"):
        config = json.loads((folder / name).read_text(encoding="utf-8"))
        for key, value in config.items():
            if key.endswith("_token_id"):
                config[key] = [moved[v] for v in value] if isinstance(value, list) else moved[value]
        config |= {"vocab_size": len(rows)} if "vocab_size" in config else {}
        (folder / name).write_text(json.dumps(config, indent=2), encoding="utf-8")
    weights = load_file(folder / "model.safetensors")
    weights = {k: w[rows].clone() if k.endswith(("embed_tokens.weight", "lm_head.weight")) else w for k, w in weights.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
