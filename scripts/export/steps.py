"""The steps of an export, each a process of its own: what it prints goes to the log, its time and memory are kept."""

import contextlib
import fcntl
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from common.entry import IMPORTING_THRESHOLD
from common.errors import CheckFailed, UserError
from common.files import into_place, link_all_but, write_json
from common.machine import NOT_USED, part_command, run_measured
from common.models import adapter_config, local_folder
from export.tokenizer_files import for_converter, name_within
from export.weight_files import read_index, weight_files

RUN_SCRIPT = """import gc, runpy, sys
gc.set_threshold(*{threshold})
sys.modules.update(dict.fromkeys({names!r}))  # import_less
sys.path[0], sys.argv = {folder!r}, sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass
class Steps:
    """Runs steps; `seconds` and `memory` (GB) by step."""

    log: Path
    seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        print(f"{name} ...", end=" ")
        sys.stdout.flush()

    def end(self, name: str, seconds: float, memory: float) -> None:
        self.seconds[name], self.memory[name] = seconds, memory
        print(f"{seconds:.0f} s, {memory:.1f} GB")

    def run(self, name: str, command: list) -> None:
        """Raises UserError (the step's exit code was 2) or CheckFailed with the last lines that the step printed."""
        self.begin(name)
        at = self.log.stat().st_size if self.log.exists() else 0
        code, seconds, memory = run_measured(command, self.log)
        if code == 0:
            self.end(name, seconds, memory)
            return
        print("failed")
        said = self.log.read_bytes()[at:].decode(errors="replace").strip().splitlines()
        last = [line for line in said if line.startswith(("error:", "check failed:"))] or said[-3:]
        said = " ".join(last).removeprefix("error: ").removeprefix("check failed: ")
        killed = " (killed: did the memory run out?)" if code == -9 else ""
        text = f"{name} failed{killed}: {said} (all of it: {self.log})"
        raise UserError(text) if code == 2 else CheckFailed(text)


def converter_command(script: Path, *args) -> list:
    """A script of llama.cpp's converter in a Python of its own that imports no more than needed."""
    run = RUN_SCRIPT.format(threshold=IMPORTING_THRESHOLD, names=NOT_USED, folder=str(script.parent))
    return [sys.executable, "-c", run, script, *args]


def without_mtp(model: Path) -> list[str]:
    """The converter's flag for a Qwen3.5 or Qwen3-Next folder without the layers that predict several tokens.

    transformers leaves them out when it saves such a model, and the converter then looks for them in vain.
    """
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    of = any(name.startswith(("Qwen3_5", "Qwen3Next")) for name in config.get("architectures") or [])
    has = of and any("mtp." in name for path in weight_files(model) for name in read_index(path))
    return ["--no-mtp"] if of and not has else []


@dataclass
class Tools:
    """What converts and quantises: llama.cpp's converter, and the user's llama-quantize or (None) the wheel's library."""

    converter: Path
    quantizer: Path | None

    def convert(self, steps: Steps, what: str, model: Path, out: Path, name: str, outtype: str, more: list | None = None) -> None:
        """One Hugging Face folder to a 16-bit GGUF by llama.cpp's converter."""
        name, model = name_within(name, model), for_converter(model, out.with_name(f"{out.stem}-links"))
        args = [model, "--outtype", outtype, "--outfile", out, "--model-name", name, *without_mtp(model), *(more or [])]
        steps.run(f"convert {what}{outtype}", converter_command(self.converter / "convert_hf_to_gguf.py", *args))

    def quantize(self, steps: Steps, what: str, source: Path, out: Path, quantization: str) -> None:
        """One 16-bit GGUF to a quantised one."""
        own = part_command("llamacpp.library", source, out, quantization)
        theirs = [self.quantizer, source, out, quantization.upper()]
        steps.run(f"quantise {what}{quantization}", theirs if self.quantizer else own)


@contextlib.contextmanager
def work_folder(out: Path, keep: bool) -> Iterator[Path]:
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
                into_place(work, out / "work")
            shutil.rmtree(work, ignore_errors=True)
            (out / ".lock").unlink(missing_ok=True)


def adapter_as(model: Path, folder: Path, **changed) -> Path:
    """A copy of an adapter folder (links to its files) whose adapter_config.json says something else."""
    link_all_but(model, "adapter_config.json", folder)
    write_json(folder / "adapter_config.json", adapter_config(model) | changed)
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
