"""Write down what a Hugging Face model does, for GGUF files to be compared with. Used by verify_gguf.py and export/merge.py.

python -m ... export.proof.reference MODEL FOLDER MAX_TOKENS [DATA [TRAIN_DATA [BASE]]]   (a step of export_gguf.py)
With BASE, MODEL is an adapter on it that is not merged.
"""

import json
import sys
from pathlib import Path

from common.entry import run_main
from common.errors import UserError
from common.files import read_rows, sha256
from common.machine import import_less, release_memory
from common.models import load_tokenizer, local_folder
from export.proof.record import LOG_PROBS, Document, Reference, Rendered, Tokenised
from export.proof.texts import CONVERSATIONS, NASTY, TEXTS
from export.tokenizer_files import space_scheme

from data_prep.chat_template import Renderer, TemplateError, scoring_prompt, to_messages

LONGEST = 512  # tokens of a document made of a row
FAR, FAR_COMPARED = 2304, 128  # tokens of the one long document, and how many of its last are compared


def conversation(row: dict) -> list[dict] | None:
    """A row's conversation with its answer, or None for plain text."""
    if "conversations" in row or "messages" in row:
        return to_messages(row)
    if "options" in row or "labels" in row:
        ask, say = scoring_prompt(row), row.get("answer", row.get("label"))
    elif "question" in row:
        ask, say = row["question"], row["answer"]
    else:
        return None
    system = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    return [*system, {"role": "user", "content": ask}, {"role": "assistant", "content": say}]


def text_of(row: dict) -> str:
    """What a row says, of whatever shape it is, one string a line."""

    def strings(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                yield from strings(part)

    return "\n".join(strings(row))


def documents(renderer: Renderer | None, tokenizer, rows: list[dict], max_tokens: int) -> list[Document]:
    """Rows, then built-in texts, as documents of at most LONGEST tokens, max_tokens together."""
    found, total = [], 0
    for row in [*rows, *({"text": text} for text in TEXTS)]:
        messages = conversation(row)
        if messages and renderer:
            encoded = renderer.encode(messages, LONGEST)
            document = Document(encoded["input_ids"], encoded["labels"])
        else:
            text = "\n".join(m["content"] for m in messages) if messages else row.get("text") or row.get("prompt", "")
            ids = tokenizer(text, add_special_tokens=False)["input_ids"][:LONGEST]
            document = Document(ids, [-100] * len(ids))
        if len(document.ids) > 1 and total + len(document.ids) <= max_tokens:
            found.append(document)
            total += len(document.ids)
    return found


def long_document(tokenizer, rows: list[dict], context: int) -> Document | None:
    """One document past position 2,048, where a wrong rope or a cut context shows; None where the context is short."""
    if context < FAR:
        return None
    texts = [*TEXTS, *(text_of(row) for row in rows)]
    ids, at = [], 0
    while len(ids) < FAR:
        ids += tokenizer(texts[at % len(texts)] + "\n\n", add_special_tokens=False)["input_ids"]
        at += 1
    return Document(ids[:FAR], [-100] * FAR, first=FAR - FAR_COMPARED)


def opener(renderer: Renderer) -> int | None:
    """The last control token that the template writes before an answer."""
    control = [piece.rstrip() for piece, control in renderer.pieces(CONVERSATIONS["single"]) if control]
    return renderer.tokenizer.convert_tokens_to_ids(control[-1]) if control else None


def renderer_of(tokenizer, model_name: str) -> Renderer | None:
    """None without a template. Raises UserError naming the model where its template is none that can be told."""
    try:
        return Renderer(tokenizer) if tokenizer.chat_template else None
    except TemplateError as error:
        raise UserError(f"model: {model_name}: {error}") from None


def make_reference(
    model_name: str, folder: Path, data: str | None, max_tokens: int, train: str | None = None, base: str | None = None
) -> None:
    """Write down what the Hugging Face model does: tokens, template, log probabilities (float16), facts of its config.

    Args:
        data: held-out rows; on them probabilities are compared. train: training rows; of the first 50 the tokens are.
        base: what `model_name` is an adapter on, which stays unmerged.
    """
    from export.proof.adapted import open_adapted
    from export.proof.expected import expected_fields, rope_remark, vocabulary_of
    from export.proof.float32 import open_in_float32

    rows = read_rows(data)[:200] if data else []
    tokenizer = load_tokenizer(model_name)
    renderer = renderer_of(tokenizer, model_name)
    model = open_adapted(model_name, base, len(tokenizer)) if base else open_in_float32(model_name)
    place = local_folder(base or model_name)
    turn_end = tokenizer.convert_tokens_to_ids(renderer.end) if renderer else None
    vocabulary = vocabulary_of(place, tokenizer, model, turn_end, opener(renderer) if renderer else None)
    expected = expected_fields(place, model)
    of_rope = rope_remark(model)
    found = documents(renderer, tokenizer, rows, max_tokens)
    far = long_document(tokenizer, rows, int(expected.fields.get("context_length", 0)))
    found += [far] if far else []
    folder.mkdir(parents=True, exist_ok=True)
    write_log_probs(model, found, folder, set(vocabulary.ends))
    del model
    release_memory()  # before the rows of a training, which may be many
    trained = [text_of(row) for row in read_rows(train)[:50]] if train else []
    read = NASTY + [tokenizer.decode(d.ids) for d in found] + trained
    source = json.loads(tokenizer.backend_tokenizer.to_str())
    theirs, remark = as_llama_cpp(source)
    Reference(
        model=model_name,
        data=data,
        data_sha256=sha256(data) if data else None,
        documents=found,
        texts=tokenised(tokenizer, source, theirs, read),
        conversations=rendered(renderer) if renderer else {},
        vocabulary=vocabulary,
        expected=expected,
        remark="; ".join(filter(None, (of_rope, remark))),
    ).save(folder)


def write_log_probs(model, found: list[Document], folder: Path, ends: set[int]) -> None:
    """LOG_PROBS, and in each document where its rows begin and where the model itself would end its answer."""
    import numpy
    from export.proof.float32 import log_probs

    row = 0
    with open(folder / LOG_PROBS, "wb") as kept:  # not a memory map: its pages would count as this process's memory
        for document in found:
            document.row, at = row, document.first
            for piece in log_probs(model, document.ids, document.first):
                for position, probabilities in enumerate(piece.numpy(), at):
                    probabilities.astype(numpy.float16).tofile(kept)
                    following = position + 1
                    trained = following < len(document.labels) and document.labels[following] in ends
                    if trained and int(probabilities.argmax()) in ends:
                        document.ends.append(following)
                at += len(piece)
            row += len(document.ids) - document.first


def as_llama_cpp(tokenizer: dict) -> tuple[dict, str]:
    """A tokenizer.json as llama.cpp can read it, and what its user ought to know of the difference.

    llama.cpp has no Unicode normaliser (Qwen's: NFC). Of SentencePiece's space before a text (src/llama-vocab.cpp) it knows
    two kinds: before every piece between control tokens, whatever that begins with, or none.
    """
    changed, remark, scheme = dict(tokenizer), "", space_scheme(tokenizer)
    if (tokenizer["normalizer"] or {}).get("type") == "NFC":
        changed["normalizer"] = None
    if scheme == "first":
        changed["pre_tokenizer"] = tokenizer["pre_tokenizer"] | {"prepend_scheme": "never"}
        remark = "llama.cpp puts no space before the first word of a text outside of the chat template; write one there"
    elif scheme == "always":
        spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        changed["pre_tokenizer"] = None
        changed["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, spaces]}
    return changed, remark


def tokenised(tokenizer, source: dict, theirs: dict, strings: list[str]) -> list[Tokenised]:
    """Token ids of each string, read both ways. `source`: its tokenizer.json; `theirs`: `as_llama_cpp` of that."""
    from tokenizers import Tokenizer

    as_theirs = Tokenizer.from_str(json.dumps(theirs)) if theirs != source else None
    found = []
    for text in strings:
        reads, otherwise = {}, False
        for way in ("special", "plain"):
            reads[way] = tokenizer(text, add_special_tokens=False, split_special_tokens=way == "plain")["input_ids"]
            if as_theirs:
                as_theirs.encode_special_tokens = way == "plain"
                ids = as_theirs.encode(text, add_special_tokens=False).ids
                otherwise |= ids != reads[way]
                reads[way] = ids
        found.append(Tokenised(text=text, otherwise=otherwise, **reads))
    return found


def rendered(renderer: Renderer) -> dict[str, Rendered]:
    """Text and token ids of the conversations; `pieces`: the text cut at the template's own control tokens."""
    found = {}
    for name, messages in CONVERSATIONS.items():
        try:
            text = renderer.render(messages, generate=True)
        except Exception:  # a template may refuse a role (Gemma has no system turn); then there is nothing to compare
            continue
        found[name] = Rendered(messages, text, renderer.encode_prompt(messages), renderer.pieces(messages))
    return found


if __name__ == "__main__":
    import_less()
    named, where, most, *rows = sys.argv[1:]
    data, train, base = ([*rows, "", "", ""][n] or None for n in range(3))
    run_main(lambda: make_reference(named, Path(where), data, int(most), train, base))
