"""Next-token probabilities of a GGUF against the reference's: KL, best tokens, perplexity, and the loss of the answers."""

from dataclasses import dataclass, field
from pathlib import Path

from export.proof.gates import Findings, Gate
from export.proof.record import Document, Reference, read_log_probs
from llamacpp import library


@dataclass
class Sums:
    """Sums over the compared positions."""

    kl: float = 0.0  # nats
    same: int = 0  # best tokens alike
    file: float = 0.0  # negative log likelihood of the text, nats
    model: float = 0.0
    scored: int = 0  # tokens that the likelihoods are of
    count: int = 0
    answers: list[float] = field(default_factory=list)  # loss of each token of the answers, by the file
    each: list[float] = field(default_factory=list)  # the KL at each position

    def middle(self) -> str:
        """What tells a fault everywhere from a few tokens, for which a mixture chose other experts at a tie."""
        import numpy

        return f"mean KL {self.kl / self.count:.2g} (median {numpy.median(self.each or [0.0]):.2g})"

    def ratio(self) -> float:
        """Perplexity of the file over that of the model."""
        import numpy

        return float(numpy.exp((self.file - self.model) / max(self.scored, 1)))


def log_softmax(logits):
    """Log probabilities of logits, numpy float32 [T, V]."""
    import numpy

    shifted = logits - logits.max(1, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(1, keepdims=True))


def shared(a: list[int], b: list[int]) -> int:
    """How many of the first predictions of two documents are the same: as many as tokens that both begin with."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def compare(model, documents: list[Document], folder: Path, vocabulary: int) -> Sums:
    """Compare on these documents. What several begin with alike (a system message) is one observation, not one for each."""
    import numpy

    sums, before = Sums(), []
    for document in documents:
        ids = numpy.array(document.ids)
        new = max(document.first, max((shared(document.ids, earlier) for earlier in before), default=0))
        before.append(document.ids)
        places = set(document.answered())
        for at, logits in model.logit_pieces(document.ids, document.first):
            ours = log_softmax(logits)
            following = ids[at + 1 : at + 1 + len(ours)]
            sums.answers += answer_losses(ours, at, ids, places)
            theirs = read_log_probs(folder, vocabulary, document.row + at - document.first, len(ours))
            keep = slice(max(0, new - at), None)
            theirs, ours, following = theirs[keep], ours[keep], following[keep]
            here = (numpy.exp(theirs) * (theirs - ours)).sum(1)
            sums.kl += float(here.sum())
            sums.each += here.tolist()
            sums.same += int((theirs.argmax(1) == ours.argmax(1)).sum())
            sums.file -= float(ours[range(len(following)), following].sum())
            sums.model -= float(theirs[range(len(following)), following].sum())
            sums.scored += len(following)
            sums.count += len(theirs)
    return sums


def check_probabilities(model, reference: Reference, folder: Path, gate: Gate, findings: Findings, far: bool) -> Sums:
    """KL, agreement and perplexity on the rows; with `far` on the long document too."""
    import numpy

    size = reference.vocabulary.size
    sums = compare(model, [d for d in reference.documents if not d.first], folder, size)
    kl, same, ratio = sums.kl / sums.count, sums.same / sums.count, sums.ratio()
    findings.gate("kl", kl <= gate.kl, round(kl, 7), f"{sums.middle()}, allowed {gate.kl:g}")
    findings.gate("top1", same >= gate.top1, round(same, 4), f"best token agrees in {same:.3f}, least {gate.top1:g}")
    figure = {
        "file": round(float(numpy.exp(sums.file / sums.scored)), 3),
        "model": round(float(numpy.exp(sums.model / sums.scored)), 3),
        "ratio": round(ratio, 4),
    }
    allowed = f"{gate.least:.3f} to {gate.ratio:g}" if gate.least else f"{gate.ratio:g}"
    findings.gate("perplexity", gate.least <= ratio <= gate.ratio, figure, f"perplexity ratio {ratio:.4f}, allowed {allowed}")
    findings.gate("compared_tokens", True, sums.count)
    long = [d for d in reference.documents if d.first]
    if far and long:
        there = compare(model, long, folder, size)
        kl = there.kl / there.count
        figure = {"from_position": long[0].first, "tokens": there.count, "kl": round(kl, 7)}
        say = f"{there.middle()} after position {long[0].first}, allowed {2 * gate.kl:g}: rope or context?"
        findings.gate("long_document", kl <= 2 * gate.kl, figure, say)  # twice: few positions, and errors add up on the way
    return sums


def check_task_loss(sums: Sums, reference: Reference, untuned: str | None, findings: Findings, n_ctx: int) -> None:
    """The file answers otherwise than the untuned file in the same quantisation; where it is less sure of the answers, a remark.

    Both see the same numbers in the same pieces, so that a file without the adapter gives the same likelihoods to the last
    digit. A loss that did not fall is no fault of the file: after SFT on long texts a letter may well be less likely.
    """
    if not sums.answers:
        return
    tuned, answers = sum(sums.answers) / len(sums.answers), []
    figure = {"tuned": round(tuned, 4), "untuned": None}
    if untuned:
        before = library.Gguf(untuned, n_ctx=n_ctx)
        documents = [d for d in reference.documents if not d.first]
        if max(token for document in documents for token in document.ids) < before.n_vocab:
            answers = [loss for document in documents for loss in losses_of(before, document)]
        else:  # tokens were added in training; the untuned model cannot read them
            figure["not_compared"] = f"the untuned model has only {before.n_vocab} tokens"
    if not answers:
        return findings.gate("task_loss", True, figure)
    base = sum(answers) / len(answers)
    figure["untuned"] = round(base, 4)
    same = max(abs(ours - theirs) for ours, theirs in zip(sums.answers, answers, strict=True)) < 1e-6
    say = f"every token of the answers is as likely as in the untuned file (loss {tuned:.4f}): the adapter is missing, or empty"
    findings.gate("task_loss", not same, figure, say)
    if not same and tuned >= base:
        findings.remarks.append(f"training made the answers of these rows no likelier (loss {tuned:.4f}, untuned {base:.4f})")


def losses_of(model, document: Document) -> list[float]:
    """Loss (nats) of each token of a document's answers, read in the pieces that `compare` reads."""
    foretelling = {place - 1 for place in document.answered()}
    found = model.logits_at(document.ids, foretelling) if foretelling else ()
    return [-float(log_softmax(logits[None])[0, document.ids[place + 1]]) for place, logits in found]


def answer_losses(log_probs, at: int, ids, places: set[int]) -> list[float]:
    """Loss (nats) of each token of the answers (at `places` of `ids`) that rows of log probabilities from `at` on foretell."""
    return [-float(row[ids[at + 1 + i]]) for i, row in enumerate(log_probs) if at + 1 + i in places]
