"""What a file must hold to pass, per quantisation; what is to be checked, and what was found."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Gate:
    """kl: largest mean KL, nats; ratio: largest perplexity ratio; top1: least agreement of best tokens; least: smallest ratio.

    A quantised file that finds the text likelier than the model is not damaged by that, and how far it is from the model the
    KL tells; a model tuned on short answers alone finds plain text so unlikely that rounding smooths it (ratio 0.80 seen).
    """

    kl: float
    ratio: float
    top1: float
    least: float = 0.0


# Set on SmolLM2-135M, whose rows are no multiple of 256 (tests/benchmarks/RESULTS-export.md): sound files measure 6e-6 (f16),
# 2e-4 (bf16), 0.0045 to 0.007 (q8_0), 0.055 to 0.11 (q4_k_m), with room of two to four times for the quantised; q3_k_m 0.20,
# iq4_xs 0.32, q4_0 0.47, q2_k 0.66, with room of two to three. From q4_k_m on downwards these gates tell ruins from files, and
# no more: a layer that was not merged moves the answers by 0.06. That the `tensors` check tells, in every type.
GATES = {
    "f16": Gate(1e-4, 1.002, 0.97, 1 / 1.002),
    "bf16": Gate(5e-4, 1.005, 0.95, 1 / 1.005),
    "q8_0": Gate(0.02, 1.02, 0.90),
    "q6_k": Gate(0.05, 1.05, 0.85),
    "q5_k_m": Gate(0.15, 1.10, 0.70),
    "q4_k_m": Gate(0.15, 1.10, 0.70),
    "q4_0": Gate(1.00, 2.20, 0.45),
    "iq4_xs": Gate(0.70, 1.80, 0.50),
    "q3_k_m": Gate(0.60, 1.80, 0.50),
    "q2_k": Gate(1.50, 3.00, 0.30),
}
SIXTEEN_BIT = ("f16", "bf16")
FLOORS = ("top1", "least")  # the other gates are ceilings


def quantization_of(path: str | Path) -> str | None:
    """The quantisation that a file name tells, longest match first."""
    return next((q for q in sorted(GATES, key=len, reverse=True) if q in Path(path).name.lower()), None)


def gate_problems(gates: dict | None) -> list[str]:
    """Unknown names among changed gates, and figures that are none."""
    names = [f.name for f in dataclasses.fields(Gate)]
    return [
        f"gates: {q}.{name} is not known; quantisations: {', '.join(GATES)}; gates: {', '.join(names)}"
        for q, changed in (gates or {}).items()
        for name in changed
        if q not in GATES or name not in names
    ]


def gate_of(quantization: str, gates: dict | None) -> tuple[Gate, list[str]]:
    """The gate that holds, and the names of those that `gates` makes easier to pass."""
    usual, changed = GATES[quantization], (gates or {}).get(quantization, {})
    moved = {name: value - getattr(usual, name) for name, value in changed.items()}
    easier = [name for name, by in moved.items() if (by < 0 if name in FLOORS else by > 0)]
    return dataclasses.replace(usual, **changed), sorted(easier)


@dataclass
class Findings:
    """Figures by check, for each check that failed a sentence, and what is no fault but ought to be known."""

    checks: dict = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def gate(self, name: str, passed: bool, figure, say: str = "") -> None:
        self.checks[name] = figure
        if not passed:
            self.failed[name] = say


@dataclass
class Checked:
    """A file and what its proof found, as verification.json holds it."""

    file: str
    quantization: str
    bytes: int
    sha256: str
    gates: dict[str, float] = field(default_factory=dict)
    loosened: list[str] = field(default_factory=list)
    checks: dict = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    peak_memory_gb: float = 0.0
    bits_per_weight: float | None = None
    tensors: dict[str, int] = field(default_factory=dict)
    fallback_tensors: int = 0
    matrices: int = 0
    remarks: list[str] = field(default_factory=list)

    def verdict(self) -> str:
        """One word or a line: passed, passed behind loosened gates, failed, not verified."""
        if self.failed:
            return "FAILED: " + ", ".join(self.failed)
        if not self.checks:
            return "not verified"
        if self.loosened:
            return f"passed, gates loosened: {', '.join(f'{n} {self.gates[n]:g}' for n in self.loosened)}"
        return "passed"


@dataclass
class Task:
    """What is checked.

    source: the 16-bit GGUF that a quantised file was made from, itself proven. own: made here, so its bytes are known.
    untuned: the untuned model in the same quantisation. lora: an adapter beside `gguf`.
    """

    gguf: str
    quantization: str
    reference: str
    out: str
    gate: Gate | None = None
    source: str | None = None
    own: bool = False
    untuned: str | None = None
    quantizer: str | None = None
    lora: str | None = None
