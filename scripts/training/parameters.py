"""How many weights a model has, and how many of them an adapter trains, by formula from its config.json.

Importing this file imports no torch.
"""

from training.adapters import LAYERS


def shapes(config: dict) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of a decoder layer's linear layers, from a model's config.json."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    queries, keys = config["num_attention_heads"] * head, config.get("num_key_value_heads", config["num_attention_heads"]) * head
    sizes = [
        (hidden, queries),
        (hidden, keys),
        (hidden, keys),
        (queries, hidden),
        (hidden, inner),
        (hidden, inner),
        (inner, hidden),
    ]
    return dict(zip(LAYERS, sizes, strict=True))


def norm_parameters(config: dict) -> int:
    """Weights of all norms: two a layer, Qwen3's two of queries and keys, and the last."""
    layers, hidden = config["num_hidden_layers"], config["hidden_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    return layers * (2 * hidden + (2 * head if config.get("model_type") == "qwen3" else 0)) + hidden


def total_parameters(config: dict) -> tuple[int, int, int]:
    """Parameters of all decoder layers' linear layers, of the embeddings (input and, where untied, output), and of norms."""
    layers, hidden = config["num_hidden_layers"], config["hidden_size"]
    linear = layers * sum(a * b for a, b in shapes(config).values())
    embeddings = config["vocab_size"] * hidden * (1 if config.get("tie_word_embeddings", False) else 2)
    norms = norm_parameters(config)
    if config.get("model_type") == "qwen2" or config.get("attention_bias"):
        norms += layers * sum(shapes(config)[name][1] for name in ("q_proj", "k_proj", "v_proj"))
    return linear, embeddings, norms


def trainable_parameters(config: dict, adapter: str, r: int, targets: list[str]) -> int:
    """Trainable parameters of an adapter on a model of this config.json, by formula."""
    if adapter == "full":
        return sum(total_parameters(config))
    if adapter == "norms":
        return norm_parameters(config)
    layers, hidden, of = config["num_hidden_layers"], config["hidden_size"], shapes(config)
    if adapter == "prompt":
        return r * hidden
    if adapter == "prefix":  # keys and values of every layer
        return r * layers * 2 * of["k_proj"][1]
    sizes = [of[name] for name in targets if name in of]
    if adapter == "peanut":
        return layers * sum(2 * r * outputs for _, outputs in sizes)
    lengths = sum(outputs for _, outputs in sizes) if adapter == "dora" else 0
    return layers * (sum(r * (inputs + outputs) for inputs, outputs in sizes) + lengths)
