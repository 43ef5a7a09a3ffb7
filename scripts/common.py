"""Plumbing that every script needs: arguments, errors, rows, runs, models. What only training needs is in training.py.

Importing this file imports neither torch nor unsloth, so that `--help` and every check answer at once.
"""

import atexit
import dataclasses
import difflib
import functools
import gc
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import resource
import sys
import time
import typing
import warnings
from pathlib import Path

import processor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for data_prep.chat_template, the one file that both rooms share
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # versions are pinned, so the warning has nothing to add
# At import bitsandbytes warns that an optional kernel is not there, torchao that it uses an old torch call.
for name in ("bitsandbytes", "torchao", "torch.utils._pytree"):
    logging.getLogger(name).setLevel(logging.ERROR)

warnings.filterwarnings("ignore", category=FutureWarning, module="huggingface_hub")  # about variables that others set

EMBEDDED_MODEL = "models/smollm2-135m-instruct"
PYTHONS_THRESHOLD = gc.get_threshold()
# Importing the libraries makes millions of objects that stay: looking them through for garbage took a fifth of the time.
IMPORTING_THRESHOLD = (50_000, 10, 10)
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

    A YAML file may also stand first without `--config`; a boolean flag may stand without a value; what stands before
    the flags goes to the field that `cls.POSITIONAL` names. Where `cls` has a method `problems()` that returns a list of
    strings, all of them come in one UserError.
    """
    from jsonargparse import (
        ArgumentError,
        ArgumentParser,
        set_parsing_settings,  # docstrings under the fields become the help texts
    )

    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0].endswith((".yaml", ".yml")) and not argv[0].startswith("-"):
        argv.insert(0, "--config")
    types = typing.get_type_hints(cls)
    hints = {field.name: types[field.name] for field in dataclasses.fields(cls)}
    named = next((i for i, arg in enumerate(argv) if arg.startswith("-")), len(argv))
    if named and hasattr(cls, "POSITIONAL"):
        words, first = argv[:named], f"--{cls.POSITIONAL}"
        argv = [first, json.dumps(words) if hints[cls.POSITIONAL] == list[str] else " ".join(words), *argv[named:]]
    booleans = {f"--{name}" for name, hint in hints.items() if hint is bool}
    argv = [
        part
        for i, arg in enumerate(argv)
        for part in ([arg, "true"] if arg in booleans and (i + 1 == len(argv) or argv[i + 1].startswith("--")) else [arg])
    ]
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
        name = (
            arg[len("--config=") :]
            if arg.startswith("--config=")
            else (argv[i + 1] if arg == "--config" and i + 1 < len(argv) else None)
        )
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
    gc.set_threshold(*IMPORTING_THRESHOLD)
    if not first_process():
        sys.stdout = open(os.devnull, "w")
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
        raise UserError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); data_prep/prepare.py makes such files"
        ) from None
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


def first_process() -> bool:
    """Whether this is the only process, or the one of several (torchrun, accelerate launch) that prints and writes."""
    return os.environ.get("RANK", "0") == "0"


def check_at_least(args, least: float, *names: str) -> list[str]:
    """Problems of the named fields that are smaller than `least`."""
    return [f"{name}: {getattr(args, name)} is less than {least}" for name in names if getattr(args, name) < least]


def run_step(*command: str) -> None:
    """Run another script of this project and stop with its exit code where it fails."""
    import subprocess

    print("$ python " + " ".join(command))
    code = subprocess.run([sys.executable, *command], cwd=ROOT).returncode
    if code:
        sys.exit(code)


def start_run(args, output_dir: str | Path, ignore: tuple[str, ...] = (), **more) -> dict:
    """Note the start of a run, and refuse a folder that holds a run of other settings.

    `ignore` names the fields that may differ when an interrupted run is continued, `more` adds settings that may not.
    Raises UserError where the folder's run is finished, or was started with other settings.
    """
    config = {k: v for k, v in dataclasses.asdict(args).items() if k not in ignore} | more
    output_dir = Path(output_dir)
    if (output_dir / "run.json").exists():
        raise UserError(f"output_dir: {output_dir} holds a finished run; choose another folder, or delete it")
    noted = output_dir / "settings.json"
    if noted.exists() and list(output_dir.glob("checkpoint-*")):
        before = json.loads(noted.read_text(encoding="utf-8"))
        changed = [f"{k} {before.get(k)!r} -> {v!r}" for k, v in config.items() if before.get(k) != v]
        if changed:
            raise UserError(
                f"output_dir: {output_dir} holds checkpoints of a run with other settings "
                f"({'; '.join(changed[:4])}); choose another folder, or delete it"
            )
    return {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "clock": time.monotonic(), "noted": noted, "settings": config}


def finish_run(run: dict, args, output_dir: str | Path, data: list[str], metrics: dict, **more) -> None:
    """Write `run.json` beside a result: command, config, versions, hardware, data hashes, time, memory, metrics."""
    write_json(
        Path(output_dir) / "run.json",
        {
            "script": Path(sys.argv[0]).name,
            "command": ["python", *sys.argv],
            "config": dataclasses.asdict(args),
            "versions": versions(),
            "hardware": hardware(),
            "started": run["started"],
            "seconds": round(time.monotonic() - run["clock"], 1),
            "peak_memory_gb": peak_memory_gb(),
            "data": {path: {"sha256": sha256(path)} for path in data},
            "metrics": metrics,
            **more,
        },
    )
    run["noted"].unlink(missing_ok=True)


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


def is_adapter(model: str | Path) -> bool:
    """Whether this is an adapter folder."""
    return Path(model, "adapter_config.json").is_file()


def adapter_config(model: str | Path) -> dict:
    """adapter_config.json of an adapter folder; {} for anything else."""
    return json.loads(Path(model, "adapter_config.json").read_text(encoding="utf-8")) if is_adapter(model) else {}


def check_model_name(model: str, field: str = "model") -> list[str]:
    """Problems of a model argument that can be told without loading: a path that is not there."""
    path = Path(model)
    if path.is_file() or (path / "config.json").is_file() or is_adapter(model):
        return []
    if path.is_dir():
        return [f"{field}: {model} holds neither config.json nor adapter_config.json; is the run finished?"]
    if model.count("/") != 1 or model.startswith((".", "/", "~", "models/", "runs/")):
        made = " (make it: python scripts/make_model.py)" if model == EMBEDDED_MODEL else ""
        return [f"{field}: there is no folder {model}{made}"]
    return []


@functools.cache
def find_model(model: str) -> None:
    """Make sure that a model can be loaded before anything slow starts; a folder is found at once.

    For a hub id asks the hub, once. Where it does not answer, a copy in the local cache is used offline; without
    one UserError says in one line what to do. An adapter folder's base model is looked for likewise.
    """
    path = Path(model)
    if path.exists():
        if is_adapter(model):
            base = adapter_config(model)["base_model_name_or_path"]
            problems = check_model_name(base, f"the adapter {model} names a base model that is not here")
            if problems:
                raise UserError(problems)
            find_model(base)
        return
    import huggingface_hub

    instead = f"or pass --model {EMBEDDED_MODEL}, which `python scripts/make_model.py` makes offline"
    cached = any(
        isinstance(huggingface_hub.try_to_load_from_cache(model, name), str) for name in ("config.json", "adapter_config.json")
    )
    try:
        url = f"{huggingface_hub.constants.ENDPOINT}/api/models/{model}"
        status = huggingface_hub.utils.get_session().head(url, timeout=10, follow_redirects=True).status_code
    except Exception as error:  # whatever the network's failure is, the answer is the same
        if not cached:
            raise UserError(
                f"model: {model} is no folder here, and the hub cannot be reached "
                f"({type(error).__name__}); check the network, {instead}"
            ) from None
        print(f"the hub cannot be reached; {model} is taken from the local cache")
        huggingface_hub.constants.HF_HUB_OFFLINE = True
        return
    if status in (401, 403, 404) and not cached:
        raise UserError(
            f"model: the hub does not give {model} (HTTP {status}): check the name; for a gated model accept "
            f"its terms and run `hf auth login`; {instead}"
        )


def load_tokenizer(model: str):
    """The tokenizer of a hub id, a folder or an adapter folder (UserError as in `find_model`)."""
    find_model(model)
    from transformers import AutoTokenizer

    quiet_libraries()
    tokenizer = AutoTokenizer.from_pretrained(model)
    _settle()
    return tokenizer


@functools.cache
def _settle() -> None:
    """Once, when the libraries are imported: what lives by now is no garbage, what comes after is looked through as ever.

    A training step gains a twentieth by it (medians of five runs: 633 against 600 tokens/s).
    """
    gc.freeze()
    gc.set_threshold(*PYTHONS_THRESHOLD)
    atexit.register(gc.unfreeze)  # or bitsandbytes takes at the end what was frozen for a leak


def load_model(model: str, max_length: int, load_in_4bit: bool, **kwargs):
    """Model and tokenizer through Unsloth's FastLanguageModel, from a hub id, a folder or an adapter folder.

    Raises UserError as `find_model` does.
    """
    find_model(model)
    from unsloth import FastLanguageModel

    quiet_libraries()
    virtual = virtual_tokens_of(model)  # Unsloth loads every adapter to be trained further, which PEFT refuses for these
    found, tokenizer = FastLanguageModel.from_pretrained(
        model_name=virtual or model, max_seq_length=max_length, load_in_4bit=load_in_4bit, **kwargs
    )
    if virtual:
        from peft import PeftModel

        found = PeftModel.from_pretrained(found, model)
    if not has_cuda():
        processor.quicken(found)
    return found, tokenizer


def virtual_tokens_of(model: str) -> str | None:
    """The base model of a folder of virtual tokens (prefix or prompt tuning); None for anything else."""
    config = adapter_config(model)
    return config["base_model_name_or_path"] if config.get("peft_type") in ("PREFIX_TUNING", "PROMPT_TUNING") else None


def quiet_libraries() -> None:
    """Keep the libraries' bars and advice off the screen, so that what a script says can be read."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
