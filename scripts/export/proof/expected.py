"""What a GGUF's header must say, read from config.json, the generation config and the tokenizer, not from the converter."""

import json
from pathlib import Path

from common.hashes import text_sha256
from export.proof.record import Expected, Vocabulary

# GGUF's name (ggml/docs/gguf.md), and the names that transformers' configs have for it; the first that is there holds.
FIELDS = {
    "context_length": ("max_position_embeddings", "n_positions", "n_ctx"),
    "embedding_length": ("hidden_size", "n_embd"),
    "block_count": ("num_hidden_layers", "n_layer"),
    "feed_forward_length": ("intermediate_size", "n_inner"),
    "attention.head_count": ("num_attention_heads", "n_head"),
    "attention.head_count_kv": ("num_key_value_heads",),
    "attention.key_length": ("head_dim",),
    "attention.value_length": ("head_dim",),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps", "norm_eps"),
    "attention.layer_norm_epsilon": ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"),
    "attention.sliding_window": ("sliding_window",),
    "expert_count": ("num_local_experts", "num_experts", "n_routed_experts"),
    "expert_used_count": ("num_experts_per_tok", "top_k_experts"),
    "expert_feed_forward_length": ("moe_intermediate_size",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "logit_scale": ("logits_scaling", "logit_scale"),
    "embedding_scale": ("embedding_multiplier",),
    "residual_scale": ("residual_multiplier",),
    "attention.scale": ("attention_multiplier",),
    "vocab_size": ("vocab_size",),
}
SAMPLING = {
    "temp": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "penalty_repeat": "penalty_repeat",
    "sequence": "sequence",
}


def expected_fields(folder: Path, model) -> Expected:
    """What the folder's config says. `model`: the loaded model, for numbers that its config class fills in."""
    config = model.config.get_text_config()
    found = {}
    for key, names in FIELDS.items():
        value = next((getattr(config, n) for n in names if getattr(config, n, None) is not None), None)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[key] = value
    for name in ("partial_rotary_factor", "rotary_pct"):
        if getattr(config, name, None) is not None:
            found["rope.part"] = float(getattr(config, name))
    rope = getattr(config, "rope_parameters", None) or {}
    full, sliding = rope.get("full_attention", rope), rope.get("sliding_attention", {})
    if full.get("partial_rotary_factor") is not None:
        found["rope.part"] = float(full["partial_rotary_factor"])
    found |= {
        k: v for k, v in (("rope.freq_base", full.get("rope_theta")), ("rope.freq_base_swa", sliding.get("rope_theta"))) if v
    }
    kind = full.get("rope_type", "default")
    if kind in ("linear", "yarn"):
        found |= {"rope.scaling.type": kind, "rope.scaling.factor": full["factor"]}
    if kind == "yarn":
        names = {"original_max_position_embeddings": "original_context_length", "attention_factor": "attn_factor"}
        names |= {"beta_fast": "yarn_beta_fast", "beta_slow": "yarn_beta_slow"}
        found |= {f"rope.scaling.{to}": full[name] for name, to in names.items() if full.get(name) is not None}
    before = getattr(config, "original_max_position_embeddings", None)  # Phi's, whether it scales or not
    if before and "rope.scaling.original_context_length" not in found:
        found["rope.scaling.original_context_length"] = before
    factors = rope_factors(config, full) if kind == "llama3" else None
    try:
        generation = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        generation = {}
    sampling = {to: generation[name] for to, name in SAMPLING.items() if isinstance(generation.get(name), int | float)}
    return Expected(found, factors, kind not in ("default", "linear", "yarn", "llama3"), sampling)


def rope_remark(model) -> str:
    """What llama.cpp computes otherwise of the positions, with no field in a GGUF to tell it."""
    rope = getattr(model.config.get_text_config(), "rope_parameters", None) or {}
    full = rope.get("full_attention", rope)
    if full.get("rope_type") != "yarn" or full.get("truncate", True):
        return ""
    return "llama.cpp rounds the bounds of YaRN, which this model does not (truncate: false): far positions differ a little"


def rope_factors(config, rope: dict) -> list[float]:
    """By what Llama 3's scaling divides each frequency, as rope_freqs.weight holds it; from transformers' own formula."""
    import torch
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaled = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))[0].double()
    plain = rope["rope_theta"] ** (-torch.arange(len(scaled), dtype=torch.float64) / len(scaled))
    return (plain / scaled).tolist()


def digest(parts) -> str:
    return text_sha256("\n".join(parts))


def vocabulary_of(folder: Path, tokenizer, model, turn_end: int | None, opener: int | None) -> Vocabulary:
    """The tokenizer's facts. `turn_end`: the token that ends a turn in the template; `opener`: the last before an answer.

    Phi-3's generation config calls <|assistant|> an end, lest a model that forgets <|end|> speaks twice. llama.cpp has no
    place for a third end, so the proof does not ask for it.
    """
    source = json.loads(tokenizer.backend_tokenizer.to_str())
    added = tokenizer.added_tokens_decoder
    configs = (model.config.get_text_config(), model.config, model.generation_config)

    def ids(name: str) -> list[int]:
        """The ids that tokenizer and configs name (one, several or none each)."""
        values = [getattr(tokenizer, f"{name}_token_id", None), *(getattr(c, f"{name}_token_id", None) for c in configs)]
        return sorted({i for v in values for i in (v if isinstance(v, list | tuple) else [v]) if isinstance(i, int)})

    generation = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, turn_end, *(generation if isinstance(generation, list) else [generation])} - {None}
    openers = (ends & {opener}) - {tokenizer.eos_token_id, turn_end}
    rows = model.get_output_embeddings().weight.shape[0]
    return Vocabulary(
        size=rows,
        spelled=tokenizer.convert_ids_to_tokens(list(range(min(len(tokenizer), rows)))),
        added=sorted(added),
        special=sorted(i for i, token in added.items() if token.special),
        byte_level="ByteLevel" in json.dumps([source["pre_tokenizer"], source["decoder"]]),
        merges=merges_of(source),
        scores=scores_of(folder, set(added)),
        eos=tokenizer.eos_token_id,
        ends=sorted(ends - openers),
        openers=sorted(openers),
        named={name: ids(name) for name in ("bos", "pad", "unk", "eos")},
        adds=added_around(tokenizer),
        bos_text=tokenizer.bos_token,
        template=tokenizer.chat_template,
    )


def added_around(tokenizer) -> dict[str, bool]:
    """Whether the tokenizer puts its first or last token around a text by itself."""
    ids = tokenizer("a b")["input_ids"]
    first, last = tokenizer.bos_token_id, tokenizer.eos_token_id
    return {"bos": bool(ids) and first is not None and ids[0] == first, "eos": bool(ids) and last is not None and ids[-1] == last}


def merges_of(source: dict) -> list[str | int] | None:
    """SHA-256 and number of a byte-pair tokenizer's merges, written as a GGUF does: spaces inside a part as another sign."""
    merges = source["model"].get("merges")
    if not merges or source["model"].get("byte_fallback"):
        return None
    pairs = [m if isinstance(m, list) else m.split(" ") for m in merges]
    lines = [" ".join("".join(chr(ord(c) + 256) if c == " " else c for c in part) for part in pair) for pair in pairs]
    return [digest(lines), len(lines)]


def scores_of(folder: Path, added: set[int]) -> list[str | int] | None:
    """SHA-256 and number of the scores of tokenizer.model, where the folder holds one; tokens named by hand left out."""
    if not (folder / "tokenizer.model").is_file():
        return None
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor()
    pieces.LoadFromFile(str(folder / "tokenizer.model"))
    size = pieces.GetPieceSize()
    return [digest(score_line(i, pieces.GetScore(i)) for i in range(size) if i not in added), size]


def score_line(token: int, score: float) -> str:
    return f"{token} {score:.4f}"
