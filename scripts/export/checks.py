"""What a GGUF file does, compared with a reference (export/reference.py). Runs in a process of its own: llama.cpp may abort it.

Called by verify_gguf.py with one argument, JSON of gguf, reference, gates, out (where the figures go), and untuned or lora.
"""

import json
import sys
from pathlib import Path

from common.files import write_json
from export.reference import ANSWER, CONVERSATIONS, INJECTED, LONGEST, read_log_probs
from llamacpp import library
from llamacpp.files import read_header
from llamacpp.server import request, start_server, stream_chat


def check(path: str, folder: Path, gates: dict[str, float], untuned: str | None) -> dict:
    """All figures of one file, and `failed`: the gates that it does not pass. llama.cpp may abort this process."""
    reference = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    result = {"checks": {}, "failed": {}}

    def gate(name: str, passed: bool, figure, say: str) -> None:
        result["checks"][name] = figure
        if not passed:
            result["failed"][name] = say

    check_metadata(path, reference, gate)
    if result["failed"]:  # llama.cpp aborts on a vocabulary that is not what it says it is
        return result
    model = library.Gguf(path, n_ctx=LONGEST)
    check_tokens(model, reference, gate)
    if model.n_vocab == reference["vocabulary"]:
        check_probabilities(model, reference, folder, gates, untuned, gate)
    del model
    if reference["template"]:
        check_served(path, reference, gate)
    return result


def check_metadata(path: str, reference: dict, gate) -> None:
    """Tokenizer kind, vocabulary, end token, template, as the file's header says them."""
    try:
        fields, _ = read_header(path)
    except Exception as error:  # whatever the reader says of a broken file, the finding is the same
        gate("loads", False, False, f"the file's header cannot be read ({str(error)[:200]})")
        return
    value = fields.get
    kind, pre, tokens = value("tokenizer.ggml.model"), value("tokenizer.ggml.pre"), value("tokenizer.ggml.tokens") or []
    eos = int(value("tokenizer.ggml.eos_token_id", -1))
    wrong = []
    if reference["byte_level"] and (kind != "gpt2" or pre in (None, "default")):
        wrong.append(
            f"tokenizer kind {kind}/{pre}, but the tokenizer works on bytes: it must be gpt2 with a known pre-tokenizer "
            "(a tokenizer.json with byte_fallback, as GGUF imports have, causes this)"
        )
    if len(tokens) != reference["vocabulary"]:
        wrong.append(f"{len(tokens)} tokens, the model has {reference['vocabulary']}")
    different = [i for i, (a, b) in enumerate(zip(tokens, reference["spelled"], strict=False)) if b is not None and a != b]
    if different:
        i = different[0]
        wrong.append(f"{len(different)} tokens are spelled otherwise, first {i}: {tokens[i]!r}, not {reference['spelled'][i]!r}")
    if eos != reference["eos"]:
        wrong.append(f"end token {eos}, not {reference['eos']} ({reference['eos_text']})")
    if value("tokenizer.chat_template") != reference["template"]:
        wrong.append("chat template is " + ("missing" if value("tokenizer.chat_template") is None else "not byte-equal"))
    figure = {"tokenizer": kind, "pre": pre, "tokens": len(tokens), "eos": eos, "architecture": value("general.architecture")}
    gate("metadata", not wrong, figure, "; ".join(wrong))


def check_tokens(model, reference: dict, gate) -> None:
    """Token ids of every string, control tokens read as tokens and as text."""
    # llama.cpp takes some ordinary tokens that look like ends (`</s>` in Qwen's vocabulary) for control tokens.
    added = set(reference["added"])
    taken = [t for i, t in enumerate(reference["spelled"]) if t and i not in added and model.vocab.is_control(i)]
    wrong, excused = [], 0
    for t in reference["tokens"]:
        for way in ("special", "plain"):
            if model.tokenize(t["text"], way == "special") != t[way]:
                if way == "special" and any(text in t["text"] for text in taken):
                    excused += 1
                else:
                    wrong.append((t["text"], way))
    figure = {
        "strings": 2 * len(reference["tokens"]),
        "different": len(wrong),
        "not_normalised_by_llama_cpp": sum(t["decomposed"] for t in reference["tokens"]),
        "control_tokens_of_llama_cpp_only": taken,
        "read_otherwise_for_that": excused,
    }
    gate("tokens", not wrong, figure, f"{len(wrong)} differ, first {wrong[0][0][:60]!r} read as {wrong[0][1]}" if wrong else "")
    wrong = [
        name
        for name, r in reference["rendered"].items()
        if [t for piece, control in r["pieces"] for t in model.tokenize(piece, control)] != r["ids"]
    ]
    figure = {"conversations": len(reference["rendered"]), "different": len(wrong)}
    gate("template_ids", not wrong, figure, f"ids differ: {', '.join(wrong)}")
    ends = [i for i in dict.fromkeys((reference["eos"], reference["turn_end"])) if i is not None]
    wrong = [reference["spelled"][i] for i in ends if not model.vocab.is_eog(i)]
    gate("end_token", not wrong, not wrong, f"llama.cpp does not take {', '.join(wrong)} as an end of generation")


def check_probabilities(model, reference: dict, folder: Path, gates: dict, untuned: str | None, gate) -> None:
    """KL, agreement and perplexity on the documents; loss of the answers against the untuned file."""
    import numpy

    kl, same, own, other, count, scored, at = 0.0, 0, 0.0, 0.0, 0, 0, 0
    answers, before = [], []
    for document in reference["documents"]:
        ids = numpy.array(document["ids"])
        mine = model.logits(document["ids"])
        # What documents begin with alike (a system message) is one observation, not one for each.
        new = max((shared(document["ids"], earlier) for earlier in before), default=0)
        before.append(document["ids"])
        for first in range(0, len(ids), 32):
            theirs = read_log_probs(folder, reference["vocabulary"], at + first, min(32, len(ids) - first))
            ours = mine[first : first + 32] = log_softmax(mine[first : first + 32])
            keep = slice(max(0, new - first), None)
            theirs, ours = theirs[keep], ours[keep]
            kl += float((numpy.exp(theirs) * (theirs - ours)).sum())
            same += int((theirs.argmax(1) == ours.argmax(1)).sum())
            following = ids[first + 1 : first + 33][keep]
            own -= float(ours[range(len(following)), following].sum())
            other -= float(theirs[range(len(following)), following].sum())
            scored += len(following)
            count += len(theirs)
        answers += [-float(mine[i - 1, ids[i]]) for i in answered(document)]
        at += len(ids)
    kl, same, ratio = kl / count, same / count, float(numpy.exp((own - other) / scored))
    gate("kl", kl <= gates["kl"], round(kl, 6), f"mean KL {kl:.4f}, allowed {gates['kl']}")
    gate("top1", same >= gates["top1"], round(same, 4), f"best token agrees in {same:.3f}, least {gates['top1']}")
    figure = {
        "file": round(float(numpy.exp(own / scored)), 3),
        "model": round(float(numpy.exp(other / scored)), 3),
        "ratio": round(ratio, 4),
    }
    gate(
        "perplexity",
        1 / gates["ratio"] <= ratio <= gates["ratio"],
        figure,
        f"perplexity ratio {ratio:.4f}, allowed {gates['ratio']}",
    )
    gate("compared_tokens", True, count, "")
    if not answers:
        return
    tuned = sum(answers) / len(answers)
    base, figure = None, {"tuned": round(tuned, 4), "untuned": None}
    if untuned:
        before = library.Gguf(untuned, n_ctx=LONGEST)
        if max(token for document in reference["documents"] for token in document["ids"]) < before.n_vocab:
            base = answer_loss(before, reference["documents"])
            figure["untuned"] = round(base, 4)
        else:  # tokens were added in training; the untuned model cannot read them
            figure["not_compared"] = f"the untuned model has only {before.n_vocab} tokens"
    gate(
        "task_loss",
        base is None or tuned < base,
        figure,
        f"loss of the answers {tuned:.4f}, of the untuned file {base or 0:.4f}: is the adapter in it?",
    )


def shared(a: list[int], b: list[int]) -> int:
    """How many of the first predictions of two documents are the same: as many as tokens that both begin with."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def log_softmax(logits):
    """Log probabilities of logits, numpy float32 [T, V]."""
    import numpy

    shifted = logits - logits.max(1, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(1, keepdims=True))


def answered(document: dict) -> list[int]:
    """Positions of the tokens that a document's answers hold."""
    return [i for i, label in enumerate(document["labels"]) if label != -100 and i > 0]


def answer_loss(model, found: list[dict]) -> float:
    """Mean loss (nats a token) of the answers in the documents."""
    total, count = 0.0, 0
    for document in found:
        places = answered(document)
        if places:
            rows = log_softmax(model.logits(document["ids"], places[0] - 1))
            total -= sum(float(rows[i - places[0], document["ids"][i]]) for i in places)
            count += len(places)
    return total / count


def check_served(path: str, reference: dict, gate) -> None:
    """llama.cpp's server: the template it renders, and whether an answer ends with `stop`."""
    server = start_server(path, n_ctx=2048, gpu_layers=0)
    wrong = []
    for name, r in reference["rendered"].items():
        # Asked as any client asks, so that serve.py's default (thinking off) is proven too. Where the template begins with
        # the token that llama.cpp adds by itself, llama.cpp takes it off the text; the ids tell that it is there once.
        prompt = request(server, "/apply-template", {"messages": r["messages"]})["prompt"]
        body = {"content": prompt, "add_special": True, "parse_special": True}
        same = request(server, "/tokenize", body)["tokens"] == r["ids"]
        if prompt not in (r["text"], r["text"].removeprefix(reference["bos_text"] or "")) or not (same or name == INJECTED):
            wrong.append(name)
    gate(
        "template",
        not wrong,
        {"conversations": len(reference["rendered"]), "different": len(wrong)},
        f"llama.cpp renders otherwise: {', '.join(wrong)}",
    )
    settings = {"temperature": 0, "max_tokens": 2 * ANSWER}

    def end(messages, **more):
        return stream_chat(server, messages, lambda text: None, **settings, **more)["finish_reason"]

    forced = end(CONVERSATIONS["single"], logit_bias=[[reference["eos"], 1000]])
    ended = [end(a["messages"]) for a in reference["answers"] if a["ended"]]
    figure = {"forced": forced, "model_ends": len(ended), "file_ends": ended.count("stop")}
    gate(
        "stop",
        forced == "stop" and (not ended or "stop" in ended),
        figure,
        f"the server did not stop (forced end token: {forced}; answers that the model ends: {ended})",
    )


def check_lora(base: str, lora: str, folder: Path, gates: dict[str, float]) -> dict:
    """What the base answers with the adapter beside it, next to the merged model: mean KL at the end of some passages.

    Read from llama.cpp's server, for cyllama 0.2.18 attaches no adapter.
    """
    import numpy

    reference = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    server = start_server(base, n_ctx=LONGEST + 8, gpu_layers=0, lora=lora)
    found, at = [], 0
    for document in reference["documents"]:
        ids = document["ids"]
        end = min([i for i in answered(document)] or [len(ids)])  # where the answer begins, or the text ends
        if len(found) < 16:
            settings = {"n_predict": 1, "n_probs": reference["vocabulary"], "temperature": 0, "cache_prompt": False}
            body = {"prompt": ids[:end], **settings}
            ours = numpy.full(reference["vocabulary"], -numpy.inf)
            for token in request(server, "/completion", body)["completion_probabilities"][0]["top_logprobs"]:
                ours[token["id"]] = token["logprob"]
            theirs = read_log_probs(folder, reference["vocabulary"], at + end - 1, 1)[0]
            seen = numpy.isfinite(ours)
            found.append(float((numpy.exp(theirs[seen]) * (theirs[seen] - ours[seen])).sum()))
        at += len(ids)
    kl = sum(found) / len(found)
    say = f"base + adapter is not the merged model: mean KL {kl:.3g}, allowed {gates['kl']:.3g}"
    return {"checks": {"kl": kl, "passages": len(found)}, "failed": {} if kl <= gates["kl"] else {"kl": say}}


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    inputs = Path(task["reference"]), task["gates"]
    made = check_lora(task["gguf"], task["lora"], *inputs) if "lora" in task else check(task["gguf"], *inputs, task["untuned"])
    write_json(task["out"], made)
