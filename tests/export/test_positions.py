"""What the proof says of far positions: YaRN that llama.cpp rounds, and a mean that a few tokens make."""

import numpy
from export.proof import probabilities
from export.proof.expected import rope_remark
from export.proof.gates import GATES, Findings
from export.proof.record import Document


class Model:
    """A configuration, as a loaded model has it."""

    def __init__(self, config):
        self.config = config


def test_bounds_of_yarn_that_llama_cpp_rounds_are_told():
    """gpt-oss does not round them. With random weights its far positions differ by that alone: KL 1e-4, where it is 5e-8."""
    from transformers import GptOssConfig, Qwen3Config

    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512, "rope_theta": 10000.0}
    assert "truncate: false" in rope_remark(Model(GptOssConfig()))
    assert "truncate: false" in rope_remark(Model(Qwen3Config(rope_parameters={**yarn, "truncate": False})))
    assert not rope_remark(Model(Qwen3Config(rope_parameters=yarn))) and not rope_remark(Model(Qwen3Config()))


class File:
    """A file that answers as the reference does, but for one token."""

    def __init__(self, logits):
        self.logits = logits

    def logit_pieces(self, ids, first):
        yield first, self.logits


def test_a_mean_that_one_token_makes_is_told_from_a_fault_everywhere(monkeypatch):
    """A mixture of experts chooses others where two are as likely: KL 0.3 at one token in a hundred, and none elsewhere."""
    logits = numpy.zeros((100, 8), numpy.float32)
    theirs = probabilities.log_softmax(logits)
    monkeypatch.setattr(probabilities, "read_log_probs", lambda *_: theirs)
    document = Document([i % 8 for i in range(100)], [-100] * 100, row=0)
    reference = type("Reference", (), {"documents": [document], "vocabulary": type("V", (), {"size": 8})})
    said = []
    for where in (slice(50, 51), slice(None)):
        ours = logits.copy()
        ours[where, 0] += 6
        findings = Findings()
        probabilities.check_probabilities(File(ours), reference, None, GATES["bf16"], findings, False)
        said.append(findings.failed["kl"])
    assert "(median 0)" in said[0] and "(median 0)" not in said[1] and said[1].startswith("mean KL")
    assert probabilities.Sums(kl=1.0, count=1).middle() == "mean KL 1 (median 0)"
