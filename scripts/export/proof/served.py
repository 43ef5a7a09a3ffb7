"""A GGUF in llama.cpp's server: the template that it renders, and whether its answers end."""

from pathlib import Path

from export.proof.gates import Findings
from export.proof.record import Reference, read_log_probs
from export.proof.texts import CONVERSATIONS, INJECTED
from llamacpp.server import request, start_server, stream_chat


def check_served(path: str, reference: Reference, findings: Findings) -> None:
    """Gates `template` and `stop`."""
    server = start_server(path, n_ctx=2048, gpu_layers=0)
    wrong, bos = [], reference.vocabulary.bos_text or ""
    for name, r in reference.conversations.items():
        # Asked as any client asks, so that serve.py's default (thinking off) is proven too. Where the template begins with
        # the token that llama.cpp adds by itself, llama.cpp takes it off the text; the ids tell that it is there once.
        prompt = request(server, "/apply-template", {"messages": r.messages})["prompt"]
        body = {"content": prompt, "add_special": True, "parse_special": True}
        same = request(server, "/tokenize", body)["tokens"] == r.ids
        if prompt not in (r.text, r.text.removeprefix(bos)) or not (same or name == INJECTED):
            wrong.append(name)
    figure = {"conversations": len(reference.conversations), "different": len(wrong)}
    findings.gate("template", not wrong, figure, f"llama.cpp renders otherwise: {', '.join(wrong)}")
    check_stop(server, reference, findings)


def check_stop(server, reference: Reference, findings: Findings) -> None:
    """Every end token ends an answer in the server; where the model itself ends its answer to a row, so does the file."""
    forced = {}
    for token in reference.vocabulary.ends:
        settings = {"temperature": 0, "max_tokens": 8, "logit_bias": [[token, 1000]]}
        said = stream_chat(server, CONVERSATIONS["single"], lambda text: None, **settings)
        forced[reference.vocabulary.spell(token)] = said["finish_reason"]
    ended = []
    for document in [d for d in reference.documents if d.ends][:4]:
        body = {"prompt": document.ids[: document.ends[-1]], "n_predict": 4, "temperature": 0, "cache_prompt": False}
        ended.append(request(server, "/completion", body)["stop_type"])
    figure = {"forced": "stop" if set(forced.values()) <= {"stop"} else forced}
    figure |= {"model_ends": len(ended), "file_ends": ended.count("eos")}
    passed = set(forced.values()) <= {"stop"} and (not ended or "eos" in ended)
    say = f"the server did not stop (forced end tokens: {forced}; where the model ends its answer: {ended})"
    findings.gate("stop", passed, figure, say)


def check_lora(base: str, lora: str, folder: Path, bound: float, findings: Findings) -> None:
    """What llama.cpp answers with the adapter beside its base, next to PEFT: mean KL at the end of some passages.

    The same with the adapter at scale 0 is what it does to the base. Read from llama.cpp's server, for cyllama 0.2.18 attaches
    no adapter.
    """
    reference = Reference.load(folder)
    documents = [d for d in reference.documents if not d.first][:16]
    server = start_server(base, n_ctx=max(len(d.ids) for d in documents) + 8, gpu_layers=0, loras=[lora])
    found, effects, size = [], [], reference.vocabulary.size
    for document in documents:
        end = min(document.answered() or [len(document.ids)])  # where the answer begins, or the text ends
        theirs = read_log_probs(folder, size, document.row + end - 1, 1)[0]
        for scale, into in ((1.0, found), (0.0, effects)):
            into.append(_kl(theirs, _next_token(server, document.ids[:end], size, scale)))
    kl, effect = sum(found) / len(found), sum(effects) / len(effects)
    say = f"llama.cpp answers otherwise than base + adapter: mean KL {kl:.3g}, allowed {bound:.3g}, and {effect:.3g} without it"
    findings.gate("kl", kl <= bound, kl, say)
    findings.gate("kl_to_base", True, effect)
    findings.gate("passages", True, len(found))


def _next_token(server, ids: list[int], size: int, scale: float):
    """Log-probabilities of the token after `ids`, with the adapter at a scale; -inf for what the server does not tell."""
    import numpy

    settings = {"n_predict": 1, "n_probs": size, "temperature": 0, "cache_prompt": False}
    answer = request(server, "/completion", {"prompt": ids, "lora": [{"id": 0, "scale": scale}], **settings})
    found = numpy.full(size, -numpy.inf)
    for token in answer["completion_probabilities"][0]["top_logprobs"]:
        found[token["id"]] = token["logprob"]
    return found


def _kl(theirs, ours) -> float:
    """KL of one distribution to another, in nats, over the tokens that both have; neither adds up to one by itself."""
    import numpy

    seen = numpy.isfinite(ours)
    p, q = (part - numpy.logaddexp.reduce(part) for part in (theirs[seen].astype(float), ours[seen]))
    return float((numpy.exp(p) * (p - q)).sum())
