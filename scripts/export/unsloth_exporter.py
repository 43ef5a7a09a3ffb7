"""GGUF files by Unsloth's own save_pretrained_gguf, kept from installing and downloading. A step of export_gguf.py.

    python scripts/export_unsloth.py MODEL_OR_ADAPTER OUT NAME q8_0,q4_k_m       # (export_gguf.py --exporter unsloth does)

Left alone, Unsloth (2026.10.9, unsloth_zoo/llama_cpp.py) looks for llama.cpp, and where it finds none runs apt-get, clones
and compiles, unasked. So it is handed a folder that it takes for one: llama.cpp's converter from the wheel, a copy since
Unsloth writes its name into it, and a `llama-quantize` that calls the wheel's library; and the variables that switch
installs and downloads off are set before it is imported. It merges by itself, in 16 bits; export_gguf.py proves the files
against the model that PEFT merged.
"""

import os
import shutil
import sys
from pathlib import Path

from common import models
from common.entry import run_main
from common.errors import CheckFailed, UserError
from common.paths import SCRIPTS
from llamacpp.tools import find_converter

SHIM = """#!{python}
# What Unsloth takes for llama-quantize: IN OUT TYPE [THREADS], by the wheel's library.
import sys
sys.path.insert(0, {scripts!r})
from llamacpp.library import quantize_file
if len(sys.argv) < 4:
    print("usage: llama-quantize IN OUT TYPE [THREADS]")
    sys.exit(0)
words = [word for word in sys.argv[1:] if not word.startswith("--")]
quantize_file(words[0], words[1], words[2].lower())
"""


def llama_cpp_folder(folder: Path) -> Path:
    """A folder that Unsloth takes for an installed llama.cpp."""
    converter = find_converter()
    folder.mkdir(parents=True)
    shutil.copy(converter / "convert_hf_to_gguf.py", folder)
    for name in ("conversion", "gguf-py"):
        shutil.copytree(converter / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    for name in ("src", "ggml", "common"):  # without these it says "repo appears corrupted" and clones anew
        (folder / name).mkdir()
    shim = folder / "llama-quantize"
    shim.write_text(SHIM.format(python=sys.executable, scripts=str(SCRIPTS)), encoding="utf-8")
    shim.chmod(0o755)
    return folder


def main() -> None:
    if len(sys.argv) != 5:
        raise UserError("this is a step of scripts/export_gguf.py --exporter unsloth; run that")
    model, out, name, quantizations = sys.argv[1], Path(sys.argv[2]).absolute(), sys.argv[3], sys.argv[4].split(",")
    tools = llama_cpp_folder(out / "llama.cpp")
    os.environ |= {
        "UNSLOTH_LLAMA_CPP_PATH": str(tools),
        "UNSLOTH_LLAMA_CPP_OFFLINE": "1",
        "UNSLOTH_AUTO_INSTALL": "0",
        "HF_HUB_OFFLINE": "1",
    }
    loaded, tokenizer = models.load_model(model, 2048, load_in_4bit=False)
    loaded.save_pretrained_gguf(str(out / "made"), tokenizer, quantization_method=quantizations)
    for quantization in quantizations:
        found = [p for p in out.rglob("*.gguf") if p.stem.lower().endswith(quantization)]
        if len(found) != 1:
            made = ", ".join(p.name for p in out.rglob("*.gguf")) or "none"
            raise CheckFailed(f"Unsloth made no {quantization} file (made: {made})")
        os.replace(found[0], out / f"{name}-{quantization}.gguf")
    shutil.rmtree(out / "made", ignore_errors=True)
    shutil.rmtree(tools)


if __name__ == "__main__":
    run_main(main)
