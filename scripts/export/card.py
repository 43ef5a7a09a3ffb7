"""What a GGUF says of itself (general.* fields) and the model card beside it: name, base, licence, data, language, purpose."""

import json
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from common.files import read_told, write_json, write_text
from common.hub import base_on_hub
from common.models import local_folder
from common.synthetic import learnt
from export.plan import Plan, training_config
from export.proof.gates import Checked

PURPOSE = "A research model: it was not tested on patients and its answers may be wrong. Not for clinical use."
SHARED = ("*.gguf", "README.md", "Modelfile", "verification.json", "verification.txt")  # what a push uploads
KEPT = ("*.FAILED.gguf", "work/*")  # and what of it stays here


@dataclass
class Origin:
    """Where a model comes from. license: the base's, None where its folder names none; data: the training's files.

    synthetic: for each training that had such rows, how many a model wrote, and which model.
    """

    name: str
    base: str
    license: str | None
    languages: list[str]
    data: list[str]
    data_licenses: list[str]
    synthetic: list[str]


def origin(plan: Plan) -> Origin:
    """From the run's record, the data's manifest, and the base's own model card."""
    data = training_config(plan.model).get("data")
    files = [data] if isinstance(data, str) else list(data or [])
    licenses = []
    for folder in sorted({Path(f).parent for f in files}):
        manifest = read_told(folder / "manifest.json")
        licenses += [f"{name}: {said}" for name, said in (manifest.get("licences") or manifest.get("licenses") or {}).items()]
    named = training_config(plan.base).get("model") if local_folder(plan.base) else None
    return Origin(plan.name, named or plan.base, license_of(plan.base), languages_of(files), files, licenses, learnt(plan.model))


def license_of(model: str) -> str | None:
    """`license:` in the head of the model card that lies in the model's folder."""
    folder = local_folder(model)
    try:
        text = (folder / "README.md").read_text(encoding="utf-8") if folder else ""
    except (OSError, UnicodeDecodeError):
        return None
    head = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:\s*[\"']?([\w.\-]+)", head[1], re.MULTILINE) if head else None
    return found[1] if found else None


def languages_of(files: list[str]) -> list[str]:
    """`language` of the first thousand rows of each file."""
    found = set()
    for path in files:
        try:
            with open(path, encoding="utf-8") as lines:
                rows = [json.loads(line) for line in islice(lines, 1000) if line.strip()]
        except (OSError, ValueError):
            continue
        found |= {row["language"] for row in rows if isinstance(row, dict) and isinstance(row.get("language"), str)}
    return sorted(found)


def write_metadata(found: Origin, path: Path) -> Path:
    """A file for the converter's --metadata."""
    hub = base_on_hub(found.base)
    base = {"name": Path(hub or found.base).name} | ({"repo_url": f"https://huggingface.co/{hub}"} if hub else {})
    said = {
        "general.name": found.name,
        "general.description": PURPOSE,
        "general.license": found.license,
        "general.languages": found.languages,
        "general.tags": ["medical", "not-for-clinical-use"],
        "general.base_models": [base],
        "general.datasets": [{"name": Path(f).parent.name or Path(f).stem} for f in found.data],
    }
    write_json(path, {key: value for key, value in said.items() if value})
    return path


def write_card(found: Origin, out: Path, files: list[Checked]) -> None:
    """README.md beside the files, with the head that the hub reads."""
    front = {
        "base_model": base_on_hub(found.base),
        "base_model_relation": "quantized",
        "license": found.license,
        "language": found.languages,
        "library_name": "gguf",
        "pipeline_tag": "text-generation",
        "tags": ["gguf", "llama.cpp", "medical"],
    }
    head = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items() if value)
    data = "\n".join(f"- `{f}`" for f in found.data) or "- not told by the run's record"
    synthetic = "".join(f"\n- {said}" for said in found.synthetic)
    best = next((f.file for f in reversed(files) if not f.failed), "FILE.gguf")
    text = f"""---
{head}
---

# {found.name}

**{PURPOSE}**

- base model: `{found.base}`; licence: {found.license or "the base's, which its folder does not name: look it up before sharing"}
- languages of the training rows: {", ".join(found.languages) or "not told"}

{table_of(files)}

The figures compare each file with the 16-bit model on held-out rows (`verification.json`, with hashes and versions). They say
that the file is the model, not that the model is right.

    llama-server -m {best}
    ollama create {found.name.lower()} -f Modelfile

## Training data

{data}{synthetic}
- licences: {"; ".join(found.data_licenses) or "none was named when the rows were prepared"}

## Intended use

Research on medical language models, and teaching. Not for diagnosis, treatment, triage or advice to patients.
"""
    write_text(out / "README.md", text)


def table_of(files: list[Checked]) -> str:
    """The files with their figures and verdicts, and what is to be remarked of them below."""
    head = "| file | MB | bits a weight | mean KL | same best token | proof |\n|---|---|---|---|---|---|\n"
    rows = "\n".join(
        f"| {f.file} | {f.bytes / 1e6:.0f} | {f.bits_per_weight or '-'} | {shown(f, 'kl')} | {shown(f, 'top1')} | {f.verdict()} |"
        for f in files
    )
    remarks = "".join(f"\n- {f.file}: {remark}" for f in files for remark in f.remarks)
    return f"{head}{rows}\n{remarks}"


def shown(file: Checked, check: str) -> str:
    value = file.checks.get(check)
    return f"{value:.3g}" if isinstance(value, float) else "-"
