"""Each GGUF checked in a process of its own (proof/check.py), and the table of what was found."""

import dataclasses
import json
from pathlib import Path

from common.errors import CheckFailed
from common.files import sha256
from common.machine import part_command, run_measured
from export.proof.gates import Checked, Findings, Task, gate_of
from llamacpp.files import stored


def verify(
    path: str | Path,
    quantization: str,
    reference: Path,
    log: Path,
    gates: dict | None = None,
    source: str | Path | None = None,
    own: bool = False,
    untuned: str | Path | None = None,
    quantizer: str | Path | None = None,
) -> Checked:
    """Check a file in a process of its own; a process that dies fails the gate `loads`. Arguments as in Task."""
    gate, loosened = gate_of(quantization, gates)
    out = reference / f"check-{Path(path).name}.json"
    words = {"source": source, "untuned": untuned, "quantizer": quantizer}
    task = Task(str(path), quantization, str(reference), str(out), gate, own=own, **{k: v and str(v) for k, v in words.items()})
    found, memory = run_check(task, log)
    result = unproven(path, quantization)
    result.gates, result.loosened, result.peak_memory_gb = dataclasses.asdict(gate), loosened, memory
    result.checks, result.failed, result.remarks = found.checks, found.failed, result.remarks + found.remarks
    return result


def unproven(path: str | Path, quantization: str) -> Checked:
    """A file's size, hash and how it stores its weights; nothing is checked."""
    result = Checked(Path(path).name, quantization, Path(path).stat().st_size, sha256(path))
    try:
        kept = stored(path, quantization)
    except (ValueError, OSError, KeyError):  # a broken file; its check says so
        return result
    for name, value in dataclasses.asdict(kept).items():
        setattr(result, name, value)
    result.remarks = [said] if (said := kept.say(quantization)) else []
    return result


def verify_adapter(
    adapter: Path, base: Path, kind: str, reference: Path, log: Path, gates: dict[str, dict[str, float]] | None = None
) -> Checked:
    """Check a LoRA GGUF beside its base GGUF, in a process of its own; `kind`: the base's 16-bit type, whose gate holds."""
    gate, loosened = gate_of(kind, gates)
    task = Task(str(base), kind, str(reference), str(reference / "check-adapter.json"), gate, lora=str(adapter))
    found, _ = run_check(task, log)
    result = Checked(adapter.name, "f16", adapter.stat().st_size, sha256(adapter), {"kl": gate.kl})
    result.loosened = [name for name in loosened if name == "kl"]
    result.checks, result.failed = found.checks, found.failed
    return result


def run_check(task: Task, log: Path) -> tuple[Findings, float]:
    """What a process of its own found, and its largest resident memory (GB); one that dies fails the gate `loads`."""
    out = Path(task.out)
    out.unlink(missing_ok=True)
    code, _, memory = run_measured(part_command("export.proof.check", json.dumps(dataclasses.asdict(task))), log)
    if not out.exists():
        return Findings(failed={"loads": died(code, log)}), memory
    return Findings(**json.loads(out.read_text(encoding="utf-8"))), memory


def died(code: int, log: Path) -> str:
    said = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    return f"the process that checks the file {said}; what llama.cpp said is in {log}"


def table(results: list[Checked]) -> str:
    """The figures as lines for the terminal."""

    def number(value, form):
        return format(value, form) if value is not None else "-"

    lines = [f"{'file':36} {'MB':>7} {'bits':>5} {'KL':>9} {'top-1':>6} {'ppl ratio':>9} {'answer loss (untuned)':>21}  verdict"]
    for r in results:
        loss = r.checks.get("task_loss", {})
        loss = f"{loss['tuned']:.3f} ({number(loss.get('untuned'), '.3f')})" if loss.get("tuned") is not None else "-"
        bits, ratio = number(r.bits_per_weight, "5.2f"), number(r.checks.get("perplexity", {}).get("ratio"), "9.4f")
        lines.append(
            f"{r.file:36} {r.bytes / 1e6:7.1f} {bits:>5} {number(r.checks.get('kl'), '9.2g'):>9} "
            f"{number(r.checks.get('top1'), '6.3f'):>6} {ratio:>9} {loss:>21}  {r.verdict()}"
        )
        lines += [f"  {remark}" for remark in r.remarks]
        lines += [f"  {name}: {say}" for name, say in r.failed.items()]
    return "\n".join(lines)


def report_failures(results: list[Checked]) -> None:
    """Raises CheckFailed naming each file that failed, and its gates."""
    failed = [f"{r.file} ({', '.join(r.failed)})" for r in results if r.failed]
    if failed:
        raise CheckFailed("; ".join(failed))
