"""Each GGUF checked in a process of its own (export/checks.py), the gates, and the table of what was found."""

import json
from pathlib import Path

from common.errors import CheckFailed
from common.files import sha256
from common.machine import part_command, run_measured

# kl: largest mean KL in nats; ratio: largest perplexity ratio, and smallest 1/ratio; top1: least agreement of best tokens
GATES = {
    "f16": {"kl": 0.002, "ratio": 1.005, "top1": 0.95},
    "bf16": {"kl": 0.002, "ratio": 1.005, "top1": 0.95},
    "q8_0": {"kl": 0.02, "ratio": 1.02, "top1": 0.90},
    "q6_k": {"kl": 0.05, "ratio": 1.05, "top1": 0.85},
    "q5_k_m": {"kl": 0.15, "ratio": 1.10, "top1": 0.70},
    "q4_k_m": {"kl": 0.15, "ratio": 1.10, "top1": 0.70},
    "q4_0": {"kl": 0.25, "ratio": 1.20, "top1": 0.60},
}


def quantization_of(path: str) -> str | None:
    """The quantisation that a file name tells, longest match first."""
    return next((q for q in sorted(GATES, key=len, reverse=True) if q in Path(path).name.lower()), None)


def gate_problems(gates: dict | None) -> list[str]:
    """Unknown names among changed gates."""
    return [
        f"gates: {q}.{name} is not known; quantisations: {', '.join(GATES)}; gates: kl, ratio, top1"
        for q, changed in (gates or {}).items()
        for name in changed
        if q not in GATES or name not in GATES["f16"]
    ]


def verify(
    files: list[str], quantizations: list[str], reference: Path, untuned: list[str] | None, gates: dict | None, log: Path
) -> list[dict]:
    """Check each file in a process of its own; a process that dies fails the gate `loads`."""
    results = []
    for i, (path, quantization) in enumerate(zip(files, quantizations, strict=True)):
        out = reference / f"check-{i}.json"
        out.unlink(missing_ok=True)
        bounds = {**GATES[quantization], **(gates or {}).get(quantization, {})}
        task = {
            "gguf": str(path),
            "reference": str(reference),
            "gates": bounds,
            "untuned": untuned and untuned[i],
            "out": str(out),
        }
        command = part_command("export.checks", json.dumps(task))
        code, _, memory = run_measured(command, log)
        result = {
            "file": Path(path).name,
            "quantization": quantization,
            "bytes": Path(path).stat().st_size,
            "sha256": sha256(path),
            "gates": bounds,
            "peak_memory_gb": memory,
            "checks": {},
            "failed": {},
        }
        if out.exists():
            result |= json.loads(out.read_text(encoding="utf-8"))
        else:
            died = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            result["failed"] = {"loads": f"the process that checks the file {died}; what llama.cpp said is in {log}"}
        results.append(result)
    return results


def verify_adapter(adapter: Path, base: Path, reference: Path, gates: dict, log: Path) -> dict:
    """Check a LoRA GGUF beside its base GGUF, in a process of its own: {"checks", "failed"}."""
    out = reference / "check-adapter.json"
    task = {"gguf": str(base), "lora": str(adapter), "reference": str(reference), "gates": gates, "out": str(out)}
    code = run_measured(part_command("export.checks", json.dumps(task)), log)[0]
    if out.exists():
        return json.loads(out.read_text(encoding="utf-8"))
    return {"checks": {}, "failed": {"loads": f"the process that checks the adapter ended with {code}; see {log}"}}


def table(results: list[dict]) -> str:
    """The figures as lines for the terminal."""

    def number(value, form):
        return format(value, form) if value is not None else "-"

    lines = [f"{'file':36} {'MB':>7} {'bits':>5} {'KL':>9} {'top-1':>6} {'ppl ratio':>9} {'answer loss (untuned)':>21}  verdict"]
    for r in results:
        c = r["checks"]
        loss = c.get("task_loss", {})
        loss = f"{loss['tuned']:.3f} ({number(loss.get('untuned'), '.3f')})" if loss.get("tuned") is not None else "-"
        verdict = "FAILED: " + ", ".join(r["failed"]) if r["failed"] else "passed" if c else "not verified"
        bits, ratio = number(r.get("bits_per_weight"), "5.2f"), number(c.get("perplexity", {}).get("ratio"), "9.4f")
        lines.append(
            f"{r['file']:36} {r['bytes'] / 1e6:7.1f} {bits:>5} {number(c.get('kl'), '9.5f'):>9} "
            f"{number(c.get('top1'), '6.3f'):>6} {ratio:>9} {loss:>21}  {verdict}"
        )
        lines += [f"  {name}: {say}" for name, say in r["failed"].items()]
    return "\n".join(lines)


def report_failures(results: list[dict]) -> None:
    """Raises CheckFailed naming each file that failed, and its gates."""
    failed = [f"{r['file']} ({', '.join(r['failed'])})" for r in results if r["failed"]]
    if failed:
        raise CheckFailed("; ".join(failed))
