"""A GGUF's header against what config and tokenizer say, and a quantised file's against its 16-bit file's."""

import math

from export.proof.expected import digest, score_line
from export.proof.gates import Findings
from export.proof.record import Expected, Reference, Vocabulary
from llamacpp.files import Header

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # llama_token_type of llama.h
# What llama.cpp takes for an end by its name (src/llama-vocab.cpp), without being told.
ENDS_BY_NAME = {
    *("<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "</s>"),
    *("<|endoftext|>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>"),
    *("<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    *("<fim_pad>", "<PAD>", "[PAD]", "<|fim_repo|>", "<fim_repo>", "<repo>", "<reponame>", "<|fim_sep|>"),
}
TOKENIZER_KEYS = {
    *("model", "pre", "tokens", "token_type", "scores", "merges", "token_type_count", "add_space_prefix", "add_bos_token"),
    *("add_eos_token", "add_sep_token", "remove_extra_whitespaces", "precompiled_charsmap", "escape_whitespaces"),
    *(f"{name}_token_id" for name in ("bos", "eos", "eot", "eom", "unknown", "seperator", "padding", "cls", "mask")),
    *(f"{name}_token_id" for name in ("fim_pre", "fim_suf", "fim_mid", "fim_pad", "fim_rep", "fim_sep")),
}
DEFAULTS = {"rope.freq_base": 10000.0}  # what llama.cpp takes where the file says nothing
NEEDED = {"context_length", "embedding_length", "block_count", "attention.head_count"}
CHANGED_BY_QUANTISING = {"general.file_type", "general.quantization_version"}


def check_metadata(header: Header, reference: Reference, findings: Findings) -> None:
    """Tokenizer, end tokens, template, and every number of the architecture that config.json has too."""
    vocabulary, value = reference.vocabulary, header.fields.get
    wrong = [
        *kind_problems(header, vocabulary),
        *token_problems(header, vocabulary),
        *type_problems(header, vocabulary),
        *end_problems(header, vocabulary),
        *template_problems(header, vocabulary),
        *architecture_problems(header, reference.expected),
        *rope_problems(header, reference.expected),
        *sampling_problems(header, reference.expected),
    ]
    figure = {
        "tokenizer": value("tokenizer.ggml.model"),
        "pre": value("tokenizer.ggml.pre"),
        "tokens": len(value("tokenizer.ggml.tokens") or []),
        "eos": value("tokenizer.ggml.eos_token_id"),
        "architecture": value("general.architecture"),
        "compared": len(compared(header, reference.expected)),
        "not_compared": not_compared(header, reference.expected),
    }
    findings.gate("metadata", not wrong, figure, "; ".join(wrong))


def kind_problems(header: Header, vocabulary: Vocabulary) -> list[str]:
    kind, pre = header.fields.get("tokenizer.ggml.model"), header.fields.get("tokenizer.ggml.pre")
    if vocabulary.byte_level and (kind != "gpt2" or pre in (None, "default")):
        return [
            f"tokenizer kind {kind}/{pre}, but the tokenizer works on bytes: it must be gpt2 with a known pre-tokenizer "
            "(a tokenizer.json with byte_fallback, as GGUF imports have, causes this)"
        ]
    names = {k.removeprefix("tokenizer.ggml.") for k in header.fields if k.startswith("tokenizer.ggml.")}
    unknown = sorted(names - TOKENIZER_KEYS)
    return [f"tokenizer keys that nothing explains: {', '.join(unknown)}"] if unknown else []


def token_problems(header: Header, vocabulary: Vocabulary) -> list[str]:
    """The tokens' spelling, merges and scores."""
    fields, found = header.fields, []
    tokens = fields.get("tokenizer.ggml.tokens") or []
    if len(tokens) != vocabulary.size:
        found.append(f"{len(tokens)} tokens, the model has {vocabulary.size}")
    rows = next((t.shape[1] for t in header.tensors if t.name == "token_embd.weight" and len(t.shape) == 2), None)
    if rows is not None and rows != len(tokens):
        found.append(f"{rows} rows of embeddings for {len(tokens)} tokens")
    pairs = zip(tokens, vocabulary.spelled, strict=False)
    different = [i for i, (a, b) in enumerate(pairs) if b is not None and a != b and a.replace(" ", "▁") != b]
    if different:
        i = different[0]
        found.append(f"{len(different)} tokens are spelled otherwise, first {i}: {tokens[i]!r}, not {vocabulary.spelled[i]!r}")
    merges = fields.get("tokenizer.ggml.merges") or []
    if vocabulary.merges and [digest(merges), len(merges)] != vocabulary.merges:
        found.append(f"merges differ: {len(merges)}, the tokenizer has {vocabulary.merges[1]}")
    scores = fields.get("tokenizer.ggml.scores")
    if vocabulary.scores and scores is not None:
        added, size = set(vocabulary.added), vocabulary.scores[1]
        mine = digest(score_line(i, s) for i, s in enumerate(scores[:size]) if i not in added)
        if mine != vocabulary.scores[0]:
            found.append("scores differ from tokenizer.model's")
    return found


def type_problems(header: Header, vocabulary: Vocabulary) -> list[str]:
    """Control tokens that became text, text that became control, tokens switched off."""
    types = header.fields.get("tokenizer.ggml.token_type") or []
    if len(types) != len(header.fields.get("tokenizer.ggml.tokens") or []):
        return [f"{len(types)} token types for {len(header.fields.get('tokenizer.ggml.tokens') or [])} tokens"]
    spelled, added = vocabulary.spelled[: len(types)], set(vocabulary.added)
    special, plain = set(vocabulary.special), added - set(vocabulary.special)

    def marked(text: str | None) -> bool:
        return bool(text) and text[:1] in "<[" and text[-1:] in ">]"

    def of(tokens: set[int], *kinds: int) -> list[int]:
        return [i for i in sorted(tokens) if i < len(types) and types[i] in kinds]

    every = set(range(len(spelled)))
    wrong = {
        "control tokens are text": of(special, NORMAL, USER_DEFINED, UNUSED, BYTE),
        "ordinary tokens are control tokens": [i for i in of(every - added, CONTROL) if not marked(spelled[i])],
        "added tokens that belong to texts are control tokens": [i for i in of(plain, CONTROL) if not looks_special(spelled[i])],
        "added tokens lost their mark": of(plain, NORMAL, UNUSED, BYTE),
    }
    if vocabulary.byte_level:
        wrong["tokens are switched off"] = [i for i in of(every, UNUSED) if spelled[i] is not None]
        wrong["ordinary tokens are taken whole"] = of(every - added, USER_DEFINED)
    else:
        names = {i for i, t in enumerate(spelled) if t and len(t) == 6 and t.startswith("<0x")}
        wrong["bytes are text"] = of(names, NORMAL, UNKNOWN, CONTROL, USER_DEFINED)
    return [f"{len(ids)} {what}, first {vocabulary.spell(ids[0])}" for what, ids in wrong.items() if ids]


def looks_special(text: str | None) -> bool:
    """As the converter judges (conversion/base.py): added tokens that some models forgot to mark."""
    return bool(text) and (
        text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
        or (text[:2] in ("<|", "<｜") and text[-2:] in ("|>", "｜>"))
        or (text.startswith("<unused") and text.endswith(">"))
    )


def end_problems(header: Header, vocabulary: Vocabulary) -> list[str]:
    """The ids that the file names: end, end of turn and of message, beginning, padding, unknown."""
    value, found = header.fields.get, []
    eos = value("tokenizer.ggml.eos_token_id", -1)
    if eos != vocabulary.eos:
        found.append(f"end token {vocabulary.spell(eos)}, not {vocabulary.spell(vocabulary.eos)}")
    for name, adds in vocabulary.adds.items():
        said = value(f"tokenizer.ggml.add_{name}_token")
        if said is not None and bool(said) != adds:
            found.append(f"add_{name}_token {said}, the tokenizer {'adds' if adds else 'does not add'} one")
    allowed = set(vocabulary.ends) | {i for i, t in enumerate(vocabulary.spelled) if t == "<|eom_id|>"}
    for name in ("eot", "eom"):
        token = value(f"tokenizer.ggml.{name}_token_id")
        if token is not None and token not in allowed:
            found.append(f"{name} token {vocabulary.spell(token)} ends no answer of this model")
    named = vocabulary.named
    for key, ids in (("bos", named["bos"]), ("padding", named["pad"] + named["eos"]), ("unknown", named["unk"])):
        token = value(f"tokenizer.ggml.{key}_token_id")
        if token is not None and ids and token not in ids:
            found.append(f"{key} token {vocabulary.spell(token)}, not {vocabulary.spell(ids[0])}")
    return found


def template_problems(header: Header, vocabulary: Vocabulary) -> list[str]:
    template = header.fields.get("tokenizer.chat_template")
    found = []
    if template != vocabulary.template:
        found.append("chat template is " + ("missing" if template is None else "not byte-equal"))
    more = sorted(k for k in header.fields if k.startswith(("tokenizer.chat_template.", "tokenizer.chat_templates")))
    return [*found, f"further chat templates: {', '.join(more)}"] if more and isinstance(vocabulary.template, str) else found


def own(header: Header) -> dict:
    """Fields of the architecture, by their names without it."""
    name = f"{header.fields.get('general.architecture')}."
    return {k.removeprefix(name): v for k, v in header.fields.items() if k.startswith(name)}


def compared(header: Header, expected: Expected) -> list[str]:
    found = own(header)
    return sorted(k for k in expected.fields if k in found)


def not_compared(header: Header, expected: Expected) -> list[str]:
    """Fields of the architecture that nothing in config.json is compared with; the probabilities speak for them."""
    known = {*expected.fields, "rope.dimension_count"}
    return sorted(k for k in own(header) if k not in known)


def same(a, b) -> bool:
    """Equal as float32."""
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(float(a), float(b), rel_tol=1e-6, abs_tol=1e-12)


def architecture_problems(header: Header, expected: Expected) -> list[str]:
    found, wrong = own(header), []
    for key, value in expected.fields.items():
        if key.startswith("rope."):
            continue
        mine = found.get(key)
        if mine is None:
            wrong += [f"{key} is missing, the model has {value}"] if key in NEEDED else []
            continue
        every = list(mine) if not isinstance(mine, int | float | str) else [mine]
        if key == "block_count":
            every = [n - int(found.get("nextn_predict_layers", 0)) for n in every]
        if key.startswith("attention.layer_norm") and value == 0:
            continue
        if not any(same(n, value) for n in every):
            wrong.append(f"{key} {mine if every == [mine] else every[:3]}, the model has {value}")
    blocks = {t.name.split(".")[1] for t in header.tensors if t.name.startswith("blk.")}
    if header.tensors and len(blocks) != found.get("block_count", len(blocks)):
        wrong.append(f"weights of {len(blocks)} layers, block_count {found.get('block_count')}")
    if header.tensors and not any(k.startswith("attention.layer_norm") for k in found):
        wrong += ["no epsilon of the norms"] * any(k.startswith("attention.layer_norm") for k in expected.fields)
    return wrong


def rope_problems(header: Header, expected: Expected) -> list[str]:
    """Base, scaling and factors of the rotary positions: nothing more and nothing less than the config says."""
    found, wrong = own(header), []
    mine = {k: v for k, v in found.items() if k.startswith("rope.")}
    part = expected.fields.get("rope.part", 1.0)
    for key in ("rope.freq_base", "rope.freq_base_swa"):
        value = expected.fields.get(key)
        if value is not None and (key in mine or key in DEFAULTS) and not same(mine.get(key, DEFAULTS.get(key)), value):
            wrong.append(f"{key} {mine.get(key, DEFAULTS.get(key))}, the model has {value}")
    head = expected.fields.get("attention.key_length")
    if head and isinstance(mine.get("rope.dimension_count"), int) and mine["rope.dimension_count"] != int(head * part):
        wrong.append(f"rope.dimension_count {mine['rope.dimension_count']}, the model has {int(head * part)}")
    scaling = {k: v for k, v in mine.items() if k.startswith("rope.scaling.") or k.startswith("rope.scale")}
    said = {k: v for k, v in expected.fields.items() if k.startswith("rope.scaling.")}
    needed = {k: v for k, v in said.items() if "rope.scaling.type" in said or k in scaling}
    if not expected.rope_unknown:
        wrong += [f"{k} {scaling.get(k)}, the model has {v}" for k, v in needed.items() if not same(scaling.get(k, "nothing"), v)]
        wrong += [f"{k} {v}, of which the model says nothing" for k, v in scaling.items() if k not in said and v != "none"]
        factors = [t.name for t in header.tensors if t.name.startswith("rope_f")]
        if bool(factors) != bool(expected.rope_factors):
            wrong.append("rope factors are " + ("there, and the model has none" if factors else "missing"))
    return wrong


def sampling_problems(header: Header, expected: Expected) -> list[str]:
    """What the file says how to sample must be what the generation config says: llama.cpp's server obeys it."""
    name = "general.sampling."
    return [
        f"{key} {value}, the generation config says {expected.sampling.get(key.removeprefix(name), 'nothing')}"
        for key, value in header.fields.items()
        if key.startswith(name) and not same(value, expected.sampling.get(key.removeprefix(name), "nothing"))
    ]


def check_same_metadata(header: Header, source: Header, findings: Findings) -> None:
    """A quantised file's header, field by field, against that of the 16-bit file that it was made from."""
    keys = sorted((set(header.fields) | set(source.fields)) - CHANGED_BY_QUANTISING)
    wrong = [key for key in keys if not key.startswith("quantize.imatrix.") and header.fields.get(key) != source.fields.get(key)]
    say = f"{', '.join(wrong)}: not as in the 16-bit file"
    findings.gate("same_metadata", not wrong, {"fields": len(keys), "different": len(wrong)}, say)
