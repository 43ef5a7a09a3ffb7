"""One GGUF against a reference. A process of its own, run by proof/verify.py: llama.cpp may abort it.

python -m ... export.proof.check TASK          TASK: JSON of the fields of Task
"""

import dataclasses
import json
import sys
from pathlib import Path

from common.files import write_json
from export.proof.gates import SIXTEEN_BIT, Findings, Gate, Task
from export.proof.metadata import check_metadata, check_same_metadata
from export.proof.probabilities import check_probabilities, check_task_loss
from export.proof.record import Reference
from export.proof.served import check_lora, check_served
from export.proof.tensors import check_tensors
from export.proof.tokens import check_tokens
from llamacpp import library
from llamacpp.files import read_header


def check(task: Task) -> Findings:
    """All figures of one file. llama.cpp may abort this process."""
    folder, findings = Path(task.reference), Findings()
    reference = Reference.load(folder)
    try:
        header = read_header(task.gguf)
    except (ValueError, OSError) as error:
        findings.gate("loads", False, False, f"the file's header cannot be read ({str(error)[:200]})")
        return findings
    check_metadata(header, reference, findings)
    if task.source:
        check_same_metadata(header, read_header(task.source), findings)
    if findings.failed:  # llama.cpp aborts on a vocabulary that is not what it says it is
        return findings
    if task.source and task.quantization not in SIXTEEN_BIT:
        check_tensors(task.gguf, task.source, task.quantization, task.own, findings, task.quantizer)
    n_ctx = max(len(d.ids) for d in reference.documents)
    model = library.Gguf(task.gguf, n_ctx=n_ctx)
    check_tokens(model, reference, findings)
    if model.n_vocab == reference.vocabulary.size:
        # Positions and context are the 16-bit file's, where that is proven; the long document need not be read again.
        sums = check_probabilities(model, reference, folder, task.gate, findings, far=not task.source)
        del model
        check_task_loss(sums, reference, task.untuned, findings, n_ctx)
    if reference.conversations:
        check_served(task.gguf, reference, findings)
    return findings


def main() -> None:
    given = json.loads(sys.argv[1])
    task = Task(**given | {"gate": Gate(**given["gate"]) if given.get("gate") else None})
    if task.lora:
        findings = Findings()
        check_lora(task.gguf, task.lora, Path(task.reference), task.gate.kl, findings)
    else:
        findings = check(task)
    write_json(task.out, dataclasses.asdict(findings))


if __name__ == "__main__":
    main()
