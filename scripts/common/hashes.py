"""SHA-256 of texts and models, and an order that nobody chose."""

import hashlib
import json
import os

LARGE, STEP, PIECE = 1 << 28, 1 << 22, 1 << 14  # bytes: from where on a file is sampled, how often, how much each time


def text_sha256(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def by_hash(items: list, of=str) -> list:
    """The items in an order that nobody chose: by the hash of a text of each."""
    return sorted(items, key=lambda item: text_sha256(of(item)))


def model_sha256(model: str) -> str:
    """Hash that tells one state of a model from another: adapters whole, with the weights of the base folder that they name;
    large files by size and a piece of each 4 MB."""
    digest = hashlib.sha256(os.path.basename(model).encode())
    paths = (
        [model]
        if os.path.isfile(model)
        else [
            os.path.join(model, name)
            for name in sorted(os.listdir(model) if os.path.isdir(model) else [])
            if name.endswith((".safetensors", ".bin", ".jinja", "config.json", "tokenizer.json"))
        ]
    )
    for path in paths:
        add_file(digest, path)
    digest.update((weights_sha256(base_named(model)) or "").encode())
    return digest.hexdigest()


def base_named(model: str) -> str:
    """The base that an adapter folder names; empty for anything else, and for an adapter that cannot be read or names itself."""
    try:
        with open(os.path.join(model, "adapter_config.json"), encoding="utf-8") as file:
            base = json.load(file).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        return ""
    return base if isinstance(base, str) and os.path.abspath(base) != os.path.abspath(model) else ""


def weights_sha256(folder: str) -> str | None:
    """Hash that tells one state of a model folder's weights from another, as in `model_sha256`; None for what is no folder."""
    if not os.path.isdir(folder):
        return None
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        if name.endswith((".safetensors", ".bin")):
            add_file(digest, os.path.join(folder, name))
    return digest.hexdigest()


def add_file(digest, path: str) -> None:
    """A file's name, size and content into a digest; of a large one a piece of each 4 MB, as reading 16 GB takes a minute.

    Training or merging changes layers all over a file, so some piece differs.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        digest.update(f"{os.path.basename(path)} {size}".encode())
        if size < LARGE:
            digest.update(file.read())
            return
        for start in [*range(0, size, STEP), max(0, size - PIECE)]:
            file.seek(start)
            digest.update(file.read(PIECE))
