"""Prove that a GGUF file is the model it claims to be: same tokens, same template, nearly the same probabilities.

    python scripts/verify_gguf.py --model runs/x/merged --gguf runs/x/gguf/x-q4_k_m.gguf --data data/x/validation.jsonl
    python scripts/verify_gguf.py --model Qwen/Qwen3-1.7B --gguf downloaded-Q4_K_M.gguf --quantization q4_k_m

Input   --model: the Hugging Face model (16 bits) that the file was made from; --gguf: one or more files, comma-separated;
        --data: held-out rows (conversations, scoring rows or texts), else a few built-in texts in English and Portuguese.
Output  a table on the screen; with --output_dir verification.json, with every figure and gate. Exit code 1 if a gate fails.

What is compared, against the model in float32 arithmetic:
  loads       llama.cpp loads the file and survives the whole check (it runs in a process of its own: llama.cpp may abort)
  metadata    tokenizer kind, vocabulary (every token), end token, chat template (byte-equal), number of logits
  tokens      token ids of nasty strings and of the rows, control tokens read as tokens and as text; no difference allowed
  template    the file's template as llama.cpp's server renders it: same text and ids as Hugging Face renders, thinking off
  end_token   llama.cpp ends an answer at the tokenizer's end token and at the token that ends a turn in the template
  kl, top1, perplexity   next-token probabilities on the rows, teacher-forced (what rows begin with alike, a system message,
              counts once); gates per quantisation, see GATES
  task_loss   with --untuned: loss of the answers is lower than that of the untuned file in the same quantisation
  stop        the end token ends generation in llama.cpp's server; where the model itself ends an answer, so does the file

GATES were set on SmolLM2-135M (q8_0: KL 0.0045, perplexity ratio 1.004; q4_k_m: 0.055, 1.07) with room of two to four
times. They catch a lost adapter, a wrong tokenizer, broken weights; they do not promise equal scores: evaluate the file too.
Another model may need others: --gates '{"q4_k_m": {"kl": 0.3}}'.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import common
import llama_tools
from gguf_reference import make_reference

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


@dataclass
class Args:
    gguf: str = ""
    """GGUF files, comma-separated"""
    model: str | None = None
    """Hugging Face folder or hub id that the files were made from"""
    reference: str | None = None
    """folder of an earlier run's reference, in the place of --model"""
    data: str | None = None
    """held-out rows (JSONL) to compare on; without it built-in texts"""
    untuned: str | None = None
    """GGUF of the untuned model, one per file, comma-separated: the tuned must have the lower loss on the answers"""
    quantization: str | None = None
    """whose gates hold, one per file, comma-separated; without it read from the file name"""
    train_data: str | None = None
    """training rows (JSONL), some of which are tokenised both ways"""
    max_tokens: int = 3000
    """tokens to compare on"""
    gates: dict[str, dict[str, float]] | None = None
    """changes to the gates, as {"q4_k_m": {"kl": 0.3}}"""
    output_dir: str | None = None
    """where verification.json and the log of llama.cpp go"""
    make_reference: bool = False
    """(internal) only write the reference of --model to --reference"""

    def problems(self) -> list[str]:
        if self.make_reference:
            return common.check_model_name(self.model)
        files = self.gguf.split(",")
        found = [f"gguf: {f} is no GGUF file" for f in files if not llama_tools.is_gguf(f)]
        if not self.gguf:
            found = ["gguf: give one or more GGUF files"]
        if (self.model is None) == (self.reference is None):
            found.append("model: give --model (or --reference, the folder of an earlier run)")
        if self.model:
            found += common.check_model_name(self.model)
        if self.reference and not (Path(self.reference) / "reference.json").is_file():
            found.append(f"reference: {self.reference} holds no reference.json")
        for name in ("data", "train_data"):
            path = getattr(self, name)
            found += [f"{name}: there is no file {path}"] if path and not Path(path).is_file() else []
        names = self.quantizations()
        if len(names) != len(files) or any(n not in GATES for n in names):
            found.append(f"quantization: give one of {', '.join(GATES)} per file (found {', '.join(map(str, names))})")
        if self.untuned and len(self.untuned.split(",")) != len(files):
            found.append("untuned: give one file per GGUF")
        found += gate_problems(self.gates)
        return found

    def quantizations(self) -> list[str | None]:
        """Quantisation of each file, given or read from its name."""
        return self.quantization.split(",") if self.quantization else [quantization_of(f) for f in self.gguf.split(",")]


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


# ---------------------------------------------------------------------------------------------- many files


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
        command = [sys.executable, Path(__file__).with_name("gguf_check.py"), json.dumps(task)]
        code, _, memory = llama_tools.run_measured(command, log)
        result = {
            "file": Path(path).name,
            "quantization": quantization,
            "bytes": Path(path).stat().st_size,
            "sha256": common.sha256(path),
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
    code = llama_tools.run_measured([sys.executable, Path(__file__).with_name("gguf_check.py"), json.dumps(task)], log)[0]
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
        raise common.CheckFailed("; ".join(failed))


def main() -> None:
    args = common.parse_args(Args, __doc__)
    llama_tools.import_less()
    if args.make_reference:
        make_reference(args.model, Path(args.reference), args.data, args.max_tokens, args.train_data)
        return
    files = args.gguf.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        reference = Path(args.reference or scratch)
        if args.model:
            make_reference(args.model, reference, args.data, args.max_tokens, args.train_data)
        log = Path(args.output_dir or reference) / "verify.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        untuned = args.untuned.split(",") if args.untuned else None
        results = verify(files, args.quantizations(), reference, untuned, args.gates, log)
        if any("loads" in r["failed"] for r in results) and not args.output_dir and not args.reference:
            print("what llama.cpp said last:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-5:]))
    if args.output_dir:
        common.write_json(Path(args.output_dir) / "verification.json", {"model": args.model, "data": args.data, "files": results})
    print(table(results))
    report_failures(results)


if __name__ == "__main__":
    common.run(main)
