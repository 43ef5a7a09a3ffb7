"""Base + adapter in float32 arithmetic, nothing merged: what a merge, and an adapter that is served as it is, must answer."""

from pathlib import Path

from common.models import adapter_config, find_model, local_folder, with_adapter
from export.proof.float32 import compute_in_float32, hollow_model, load_16bit


def layer_by_layer(config: dict) -> bool:
    """Whether an adapter adds to layers one by one: no whole layers, norms, tokens or biases, nothing begun from the base."""
    whole = (
        config.get("peft_type") == "LN_TUNING"
        or config.get("modules_to_save")
        or config.get("trainable_token_indices")
        or config.get("bias", "none") != "none"
    )
    begun = str(config.get("init_lora_weights", True)).lower()
    return not whole and not config.get("target_parameters") and begun in ("true", "false", "gaussian")


def hollow_adapted(adapter: str, base: str | Path, vocabulary: int):
    """Base + adapter, the base's weights on disk; None where the base must be loaded whole. `vocabulary`: the tokenizer's."""
    folder = local_folder(str(base))
    if not folder or not layer_by_layer(adapter_config(adapter)):
        return None
    model = hollow_model(folder)
    if model is None or vocabulary > model.get_input_embeddings().weight.shape[0]:
        return None
    return with_adapter(model, adapter)


def whole_adapted(adapter: str, base: str, vocabulary: int):
    """Base + adapter, in memory in 16 bits."""
    model = load_16bit(base)
    if vocabulary > model.get_input_embeddings().num_embeddings:  # tokens were added in training
        model.resize_token_embeddings(vocabulary)
    return with_adapter(model, adapter)


def open_adapted(adapter: str, base: str, vocabulary: int):
    """Base + adapter in float32 arithmetic, from the base's files layer by layer where they allow it."""
    find_model(base)
    model = hollow_adapted(adapter, base, vocabulary)
    return compute_in_float32(model if model is not None else whole_adapted(adapter, base, vocabulary))
