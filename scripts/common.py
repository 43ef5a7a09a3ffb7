"""Plumbing that every script needs: arguments, errors, rows, models, run files. No method lives here.

Importing this file imports neither torch nor unsloth, so that `--help` and every check answer at once.
"""

import dataclasses
import difflib
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import sys
import time
import typing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for data_prep.chat_template, the one file that both rooms share

EMBEDDED_MODEL = "models/smollm2-135m-instruct"
PACKAGES = "torch transformers trl peft unsloth unsloth_zoo datasets bitsandbytes xformers accelerate tokenizers".split()


class UserError(Exception):
    """The user's input is wrong (exit code 2). Takes one problem or a list; each says what to do next."""

    def __init__(self, problems: str | list[str]):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class CheckFailed(Exception):
    """A check of the result failed (exit code 1)."""


# ---------------------------------------------------------------------------------------------- arguments

def parse_args(cls, doc: str, argv: list[str] | None = None):
    """Fill the dataclass `cls` from `--config FILE.yaml` and flags; flags win, an unknown key is an error.

    A YAML file may also stand first without `--config`; a boolean flag may stand without a value. Where `cls`
    has a method `problems()` that returns a list of strings, all of them come in one UserError.
    """
    from jsonargparse import ArgumentParser, ArgumentError
    from jsonargparse import set_parsing_settings  # docstrings under the fields become the help texts

    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0].endswith((".yaml", ".yml")) and not argv[0].startswith("-"):
        argv.insert(0, "--config")
    hints = typing.get_type_hints(cls)
    booleans = {f"--{name}" for name, hint in hints.items() if hint is bool}
    argv = [part for i, arg in enumerate(argv) for part in (
        [arg, "true"] if arg in booleans and (i + 1 == len(argv) or argv[i + 1].startswith("--")) else [arg])]
    parser = ArgumentParser(description=doc, exit_on_error=False, formatter_class=_manual_formatter())
    parser.add_argument("--config", action="config", help="YAML file whose keys are the flags below; flags win")
    parser.add_class_arguments(cls)
    _check_config_keys(argv, list(hints))
    try:
        values = parser.parse_args(argv)
    except ArgumentError as error:
        message = " ".join(str(error).split())
        for flag in (a.split("=")[0] for a in argv if a.startswith("--") and a.split("=")[0] in message):
            near = difflib.get_close_matches(flag[2:], hints, 1)
            message += f" (did you mean --{near[0]}?)" if near and flag[2:] not in hints else ""
        raise UserError(f"{message}; see --help") from None
    args = cls(**{name: values[name] for name in hints})
    problems = args.problems() if hasattr(args, "problems") else []
    if problems:
        raise UserError(problems)
    return args


def _manual_formatter():
    """Help that keeps the docstring's line breaks: the docstring is the manual."""
    import argparse

    import jsonargparse

    class Manual(jsonargparse.DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
        pass

    return Manual


def _check_config_keys(argv: list[str], fields: list[str]) -> None:
    """All unknown or repeated keys of the YAML files in one error, with the line of each."""
    import yaml

    problems = []
    for i, arg in enumerate(argv):
        name = arg[len("--config="):] if arg.startswith("--config=") else (
            argv[i + 1] if arg == "--config" and i + 1 < len(argv) else None)
        if name is None or not Path(name).is_file():
            continue  # a missing file is jsonargparse's own clear error
        try:
            node = yaml.compose(Path(name).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            problems.append(f"{name}: not valid YAML: {' '.join(str(error).split())}")
            continue
        if node is None:
            problems.append(f"{name}: is empty; write at least one `key: value`, or leave --config out")
            continue
        if not isinstance(node, yaml.MappingNode):
            problems.append(f"{name}: must hold `key: value` lines")
            continue
        seen = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.value not in fields:
                near = difflib.get_close_matches(key.value, fields, 1)
                problems.append(f"{name}:{line}: unknown key {key.value!r}" + (f", did you mean {near[0]!r}?" if near else ""))
            elif key.value in seen:
                problems.append(f"{name}:{line}: key {key.value!r} stands twice; keep one")
            seen.add(key.value)
    if problems:
        raise UserError(problems)


def run(main) -> None:
    """Call a script's main and turn its errors into exit codes: 1 a check failed, 2 wrong input."""
    # Progress is read through pipes as well (run_recipe streams it), so a line must not wait in a buffer.
    sys.stdout.reconfigure(line_buffering=True)
    try:
        main()
    except UserError as error:
        print("error: " + "\n       ".join(error.problems), file=sys.stderr)
        sys.exit(2)
    except CheckFailed as error:
        print(f"check failed: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


# ---------------------------------------------------------------------------------------------- rows and files

def read_rows(path: str | Path, check=None, most: int = 10) -> list[dict]:
    """Rows of a JSONL file, every problem of the file in one error.

    Args:
        path: file of one JSON object per line, UTF-8.
        check: function row -> list of problems with that row (strings), or None.
        most: how many problems are printed; all are counted.

    Raises UserError naming file and line: unreadable, empty, not JSON, not an object, or what `check` says.
    """
    rows, problems = [], []
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    problems.append(f"{path}:{number}: not JSON ({error.msg} at column {error.colno})")
                    continue
                found = ["must be a JSON object"] if not isinstance(row, dict) else (check(row) if check else [])
                problems += [f"{path}:{number}: {problem}" for problem in found]
                rows.append(row)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); "
                        "data_prep/prepare.py makes such files") from None
    if problems:
        more = [f"... and {len(problems) - most} more problems"] if len(problems) > most else []
        raise UserError(problems[:most] + more)
    if not rows:
        raise UserError(f"{path}: holds no rows")
    return rows


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: str | Path, text: str) -> None:
    """Write a file under a temporary name beside it, then rename: readers see all of it or nothing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def write_json(path: str | Path, value) -> None:
    """`write_text` for JSON, readable by people."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


# ---------------------------------------------------------------------------------------------- runs

def start_run() -> dict:
    """What `finish_run` needs to know from the start of a run."""
    return {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "clock": time.monotonic()}


def finish_run(run: dict, script: str, args, output_dir: str | Path, data: list[str | Path], metrics: dict, **more) -> dict:
    """Write `run.json` beside a result: command, config, versions, hardware, data hashes, time, memory, metrics."""
    record = {
        "script": script, "command": [Path(sys.executable).name, *sys.argv], "config": dataclasses.asdict(args),
        "versions": versions(), "hardware": hardware(), "started": run["started"],
        "seconds": round(time.monotonic() - run["clock"], 1), "peak_memory_gb": peak_memory_gb(),
        "data": {str(path): {"sha256": sha256(path)} for path in data}, "metrics": metrics, **more,
    }
    write_json(Path(output_dir) / "run.json", record)
    return record


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
    """Largest resident memory of this process and, with CUDA, largest allocated GPU memory, in 10^9 bytes."""
    unit = 1 if platform.system() == "Darwin" else 1024
    peak = {"ram": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 2)}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        peak["gpu"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return peak


# ---------------------------------------------------------------------------------------------- models

def has_cuda() -> bool:
    """Whether torch sees a CUDA device (imports torch)."""
    import torch

    return torch.cuda.is_available()


def check_model_name(model: str, field: str = "model") -> list[str]:
    """Problems of a model argument that can be told without loading: a path that is not there."""
    path = Path(model)
    if path.is_file() or (path / "config.json").is_file() or (path / "adapter_config.json").is_file():
        return []
    if path.is_dir():
        return [f"{field}: {model} holds neither config.json nor adapter_config.json; is the run finished?"]
    if model.count("/") != 1 or model.startswith((".", "/", "~", "models/", "runs/")):
        made = " (make it: python scripts/make_model.py)" if model == EMBEDDED_MODEL else ""
        return [f"{field}: there is no folder {model}{made}"]
    return []


def load_model(model: str, max_length: int, load_in_4bit: bool, **kwargs):
    """Model and tokenizer through Unsloth's FastLanguageModel, from a hub id, a folder or an adapter folder.

    Raises UserError, in one line, where the hub cannot be reached or has no such model.
    """
    from unsloth import FastLanguageModel

    quiet_libraries()
    try:
        return FastLanguageModel.from_pretrained(
            model_name=model, max_seq_length=max_length, load_in_4bit=load_in_4bit, **kwargs)
    except (OSError, RuntimeError) as error:
        if Path(model).exists() and not _is_hub_error(error):
            raise
        raise UserError(f"model: {model} is neither a folder here nor to be had from the hub ({_first_line(error)}); "
                        f"check the name and the network, or pass --model FOLDER ({EMBEDDED_MODEL} works offline, "
                        "python scripts/make_model.py makes it)") from None


def _is_hub_error(error: BaseException) -> bool:
    text = f"{type(error).__name__} {error}"
    return any(sign in text for sign in ("huggingface.co", "Hub", "offline", "Connection", "resolve"))


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:160]


def quiet_libraries() -> None:
    """Keep the libraries' bars and advice off the screen, so that what a script says can be read."""
    import logging

    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
