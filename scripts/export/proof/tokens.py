"""Token ids by llama.cpp's tokenizer, and what it takes for an end, against Hugging Face's."""

from export.proof.gates import Findings
from export.proof.metadata import ENDS_BY_NAME
from export.proof.record import Reference


def check_tokens(model, reference: Reference, findings: Findings) -> None:
    """Token ids of every string, control tokens read as tokens and as text; `model`: a library.Gguf."""
    vocabulary = reference.vocabulary
    # llama.cpp takes some ordinary tokens that look like ends (`</s>` in Qwen's vocabulary) for control tokens. Where they are
    # added (`</s>` in Phi-3's), transformers reads them even in a text whose control tokens are text; llama.cpp does not.
    added, special = set(vocabulary.added), set(vocabulary.special)
    looks = [i for i, t in enumerate(vocabulary.spelled) if t in ENDS_BY_NAME and i not in special and model.vocab.is_control(i)]
    taken = {way: [vocabulary.spelled[i] for i in looks if (i in added) == (way == "plain")] for way in ("special", "plain")}
    wrong, excused = [], 0
    for text in reference.texts:
        for way, ids in (("special", text.special), ("plain", text.plain)):
            if model.tokenize(text.text, way == "special") != ids:
                if any(t in text.text for t in taken[way]):
                    excused += 1
                else:
                    wrong.append((text.text, way))
    figure = {
        "strings": 2 * len(reference.texts),
        "different": len(wrong),
        "cannot_be_read_alike": sum(t.otherwise for t in reference.texts),
        "control_tokens_of_llama_cpp_only": taken["special"] + taken["plain"],
        "read_otherwise_for_that": excused,
    }
    say = f"{len(wrong)} differ, first {wrong[0][0][:60]!r} read as {wrong[0][1]}" if wrong else ""
    findings.gate("tokens", not wrong, figure, say)
    findings.remarks += [reference.remark] if reference.remark else []
    wrong = [
        name
        for name, conversation in reference.conversations.items()
        if [t for piece, control in conversation.pieces for t in model.tokenize(piece, control)] != conversation.ids
    ]
    plain = {n: "".join(p for p, control in c.pieces if not control) for n, c in reference.conversations.items()}
    excused = [name for name in wrong if any(t in plain[name] for t in taken["plain"])]
    wrong = [name for name in wrong if name not in excused]
    figure = {"conversations": len(reference.conversations), "different": len(wrong), "read_otherwise_for_an_end": excused}
    findings.gate("template_ids", not wrong, figure, f"ids differ: {', '.join(wrong)}")
    check_ends(model, reference, findings)


def check_ends(model, reference: Reference, findings: Findings) -> None:
    """The set of tokens that end an answer: all of the model's, and none that belongs to answers."""
    vocabulary = reference.vocabulary
    ends = {i for i in range(model.n_vocab) if model.vocab.is_eog(i)}
    missing = [vocabulary.spell(i) for i in vocabulary.ends if i not in ends]
    spelled = dict(enumerate(vocabulary.spelled))
    foreign = [vocabulary.spell(i) for i in sorted(ends - set(vocabulary.ends)) if spelled.get(i) not in ENDS_BY_NAME]
    say = f"llama.cpp does not end at {', '.join(missing)}; " if missing else ""
    say += f"llama.cpp ends at {', '.join(foreign[:3])}, which the model writes inside answers" if foreign else ""
    figure = {"model": [vocabulary.spell(i) for i in vocabulary.ends], "llama_cpp": [vocabulary.spell(i) for i in sorted(ends)]}
    figure |= {"opens_an_answer": [vocabulary.spell(i) for i in vocabulary.openers]}
    findings.gate("end_token", not missing and not foreign, figure, say.removesuffix("; "))
