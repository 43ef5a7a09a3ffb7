"""A run's record: settings, versions, hardware, data hashes, time, memory, metrics."""

import dataclasses
import importlib.metadata
import os
import platform
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import UserError
from common.files import read_json, sha256, write_json
from common.paths import ROOT

PACKAGES = "torch transformers trl peft unsloth unsloth_zoo datasets bitsandbytes xformers accelerate tokenizers".split()


def first_process() -> bool:
    """Whether this is the only process, or the one of several (torchrun, accelerate launch) that prints and writes."""
    return os.environ.get("RANK", "0") == "0"


def run_step(*command: str) -> None:
    """Run another script of this project and stop with its exit code where it fails."""
    import subprocess

    print("$ python " + " ".join(command))
    code = subprocess.run([sys.executable, *command], cwd=ROOT).returncode
    if code:
        sys.exit(code)


@dataclass
class Run:
    """A run that has begun."""

    started: str
    """date and time, ISO 8601"""
    clock: float
    """time.monotonic() at the start, seconds"""
    settings: dict = field(default_factory=dict)
    """what may not change when the run is resumed"""
    settings_file: Path | None = None
    """where `settings` lies while the run is unfinished"""
    begun_with: dict[str, str] = field(default_factory=dict)
    """versions of the packages when the run was first started"""

    def sha256_of(self, path: str) -> str:
        """Hash of a file as it was when the run began, where it was taken then."""
        return self.settings.get("read", {}).get(path) or sha256(path)


def begin_run() -> Run:
    """A run that begins now."""
    return Run(time.strftime("%Y-%m-%dT%H:%M:%S%z"), time.monotonic())


def start_run(args, output_dir: str | Path, ignore: tuple[str, ...] = (), read: dict[str, str] | None = None, **more) -> Run:
    """Begin a run that can be resumed, and refuse a folder that holds a run of other settings or of other input.

    Args:
        args: the script's dataclass.
        output_dir: the run's folder.
        ignore: fields that may differ when an interrupted run is resumed.
        read: path -> hash of what the run reads, files and models.
        more: further settings that may not.

    Raises UserError where the folder's run is finished, or was started with other settings or other input.
    """
    run, output_dir = begin_run(), Path(output_dir)
    run.settings = {k: v for k, v in dataclasses.asdict(args).items() if k not in ignore} | more
    run.settings_file = output_dir / "settings.json"
    if (output_dir / "run.json").exists():
        raise UserError(f"output_dir: {output_dir} holds a finished run; choose another folder, or delete it")
    before = {}
    if run.settings_file.exists() and list(output_dir.glob("checkpoint-*")):
        before = read_json(run.settings_file)
        changed = [f"{k} {before.get(k)!r} -> {v!r}" for k, v in run.settings.items() if before.get(k) != v]
        if changed:
            raise UserError(
                f"output_dir: {output_dir} holds checkpoints of a run with other settings "
                f"({'; '.join(changed[:4])}); choose another folder, or delete it"
            )
        refuse_other_input(before.get("read", {}), read or {}, output_dir)
    run.settings["read"] = read or {}
    run.begun_with = begun_with(before)
    return run


def refuse_other_input(before: dict[str, str], now: dict[str, str], output_dir: Path) -> None:
    """UserError where a file or a model is not what it was when the run began: its record would speak of the new one alone."""
    if moved := [path for path, was in before.items() if now.get(path, was) != was]:
        raise UserError(
            f"output_dir: {output_dir} holds checkpoints of a run that began with another content of {', '.join(moved)}; "
            "put it back as it was, choose another folder, or delete this one"
        )


def begun_with(before: dict) -> dict[str, str]:
    """The versions that an interrupted run was begun with, by its settings.json; says where others go on now."""
    now = versions()
    begun = before.get("versions") or now
    if moved := [f"{name} {begun.get(name, 'absent')} -> {v}" for name, v in now.items() if begun.get(name) != v]:
        print(f"note: begun with other versions ({', '.join(moved)}); for a result of one, choose another output_dir")
    return begun


def finish_run(run: Run, args, output_dir: str | Path, data: list[str], metrics: dict, **more) -> None:
    """Write `run.json` beside a result: command, config, versions, hardware, data hashes, time, memory, metrics."""
    write_json(
        Path(output_dir) / "run.json",
        {
            "script": Path(sys.argv[0]).name,
            "command": ["python", *sys.argv],
            "config": dataclasses.asdict(args),
            "versions": versions(),
            **({"begun_with": run.begun_with} if run.begun_with not in ({}, versions()) else {}),
            "hardware": hardware(),
            "started": run.started,
            "seconds": round(time.monotonic() - run.clock, 1),
            "peak_memory_gb": peak_memory_gb(),
            "data": {path: {"sha256": run.sha256_of(path)} for path in data},
            "metrics": metrics,
            **more,
        },
    )
    if run.settings_file:
        run.settings_file.unlink(missing_ok=True)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def hardware() -> dict:
    """Processor, cores and, where torch is loaded and sees one, the GPU."""
    found = {"machine": platform.machine(), "system": platform.system(), "cores": os.cpu_count()}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name(0)
        found["gpu_memory_gb"] = round(torch.cuda.get_device_properties(0).total_memory / 1e9, 1)
    return found


def peak_memory_gb() -> dict[str, float]:
    """Largest resident memory of this process and, with CUDA, largest allocated and reserved GPU memory, in 10^9 bytes."""
    unit = 1 if platform.system() == "Darwin" else 1024
    peak = {"ram": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 2)}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        peak["gpu"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        peak["gpu_reserved"] = round(torch.cuda.max_memory_reserved() / 1e9, 2)
    return peak
