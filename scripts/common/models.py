"""Models: find one before anything slow starts, load it through Unsloth."""

import atexit
import contextlib
import difflib
import functools
import gc
import io
import json
import os
from pathlib import Path

from common import card, processor
from common.card import has_cuda
from common.errors import UserError
from common.hashes import weights_sha256
from common.loading import loading

BASE_WEIGHTS = "base_weights_sha256"  # of run.json
FOUR_BIT = "-bnb-4bit"  # how Unsloth's repositories of 4-bit weights end
EMBEDDED_MODEL = "models/smollm2-135m-instruct"
ON_THE_HUB = [f"Qwen/Qwen3-{size}" for size in ("0.6B", "1.7B", "4B", "8B", "14B")]  # what recipes and READMEs name


PYTHONS_THRESHOLD = gc.get_threshold()


def is_adapter(model: str | Path) -> bool:
    """Whether this is an adapter folder."""
    return Path(model, "adapter_config.json").is_file()


def adapter_config(model: str | Path) -> dict:
    """adapter_config.json of an adapter folder, base_model_name_or_path always in it; {} for anything else.

    Raises UserError where the file cannot be read.
    """
    path = Path(model, "adapter_config.json")
    if not path.is_file():
        return {}
    try:
        return {"base_model_name_or_path": None, **json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"model: {path} cannot be read ({error}); is the folder complete?") from None


def damaged_files(folder: Path, field: str = "model") -> list[str]:
    """Files of a model folder that are not whole: JSON that is none, safetensors shorter or longer than their headers say,
    templates that hold no text.

    Half a copy, a full disk or a power cut leave such files; the libraries end in a traceback that names none. Weights
    themselves are not read, so a bit that turned in one goes unseen.
    """
    found = []
    for path in sorted(path for kind in ("json", "safetensors", "jinja") for path in folder.glob(f"*.{kind}")):
        try:
            if path.suffix == ".jinja":
                if not (text := path.read_text(encoding="utf-8")).strip() or "\0" in text:
                    raise ValueError("it is no text" if text.strip() else "it is empty")
                continue
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
                continue
            with open(path, "rb") as file:  # huggingface/safetensors, "Format"
                size = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(min(size, path.stat().st_size)))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            if 8 + size + max(ends, default=0) != path.stat().st_size:
                raise ValueError("its size is not what its header says")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            found.append(f"{field}: {path} is damaged ({str(error)[:120]}); was it copied to its end?")
    return found


def check_model_name(model: str, field: str = "model") -> list[str]:
    """Problems of a model argument that can be told without loading: a path that is not there, a file that is not whole."""
    path = Path(model)
    if path.is_file():
        return []
    if (path / "config.json").is_file() or is_adapter(model):
        return damaged_files(path, field)
    if path.is_dir():
        return [f"{field}: {model} holds neither config.json nor adapter_config.json; is the run finished?"]
    if model.count("/") != 1 or model.startswith((".", "/", "~", "models/", "runs/")):
        made = " (make it: python scripts/make_model.py)" if model == EMBEDDED_MODEL else ""
        return [f"{field}: there is no folder {model}{made}{'' if '/' in model else owner_lacks(model)}"]
    return []


def check_trainable_name(model: str, field: str = "model") -> list[str]:
    """Problems of a model argument of a training, as `check_model_name` tells them: a file, a GGUF for instance, is none."""
    if Path(model).is_file():
        return [f"{field}: {model} is a file, which can be scored and asked; give the folder or hub id from which it was made"]
    return check_model_name(model, field)


def base_problems(adapter: str, base: str | None) -> list[str]:
    """Why the base that an adapter names cannot be loaded, told without loading; an adapter may name itself."""
    if not base:
        return [f"model: {adapter}/adapter_config.json names no base model (base_model_name_or_path); write it there"]
    if is_adapter(base):
        return [
            f"model: the adapter {adapter} names {base} as its base, which is an adapter too; merge that one "
            "(scripts/export_gguf.py --merge_only) and write the merged folder into adapter_config.json"
        ]
    return check_model_name(base, f"the adapter {adapter} names a base model that is not here") or changed_base(adapter, base)


def changed_base(adapter: str, base: str) -> list[str]:
    """Whether other weights lie in an adapter's base folder than it was trained on: an adapter on others answers as nobody's."""
    path = Path(adapter, "run.json")
    try:
        trained_on = json.loads(path.read_text(encoding="utf-8")).get(BASE_WEIGHTS)
    except (OSError, ValueError, AttributeError):
        return []
    if not trained_on or weights_sha256(base) in (trained_on, None):
        return []
    return [
        f"model: {base} holds other weights than the adapter {adapter} was trained on; put those back, or train it again (where "
        f"they are the same numbers in other files, take {BASE_WEIGHTS} out of {path})"
    ]


def owner_lacks(model: str) -> str:
    """What to say of a name that is no folder and has no owner, as the hub's names do."""
    names = {name.partition("/")[2].casefold(): name for name in ON_THE_HUB}
    near = difflib.get_close_matches(model.casefold(), names, 1)
    meant = f"did you mean {names[near[0]]}?" if near else f"for instance {ON_THE_HUB[1]}"
    return f"; a model on the hub is OWNER/NAME: {meant}"


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
            if problems := base_problems(model, base):
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
    if is_adapter(model) and not any(path for kind in ("tokenizer*", "vocab*", "*.tiktoken") for path in Path(model).glob(kind)):
        base = adapter_config(model).get("base_model_name_or_path") or "its base"
        raise UserError(
            f"model: {model} holds no tokenizer; copy tokenizer.json, tokenizer_config.json and chat_template.jinja of {base} "
            "into it, if it was trained with these"
        )
    from transformers import AutoTokenizer

    quiet_libraries()
    with loading(model):
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
    card.settle()
    from unsloth import FastLanguageModel

    quiet_libraries()
    plain = plain_base_of(model)  # Unsloth loads every adapter to be trained further, which PEFT refuses for virtual tokens
    if plain and has_cuda():
        found, tokenizer = load_plain(plain, load_in_4bit), load_tokenizer(model)
    else:
        with loading(model):
            found, tokenizer = FastLanguageModel.from_pretrained(
                model_name=plain or model,
                max_seq_length=max_length,
                load_in_4bit=load_in_4bit,
                **exact_name(model, load_in_4bit),
                **kwargs,
            )
    if plain:
        found = with_adapter(found, model)
    if not has_cuda():
        processor.optimize_for_cpu(found)
    return found, tokenizer


def with_adapter(model, adapter: str, **kwargs):
    """The model with the adapter of a folder or hub id beside it. Raises UserError as `loading` does."""
    from peft import PeftModel

    with loading(adapter):
        return PeftModel.from_pretrained(model, adapter, **kwargs)


def exact_name(model: str, load_in_4bit: bool) -> dict[str, bool]:
    """Keywords that keep Unsloth from taking a repository of its own in the place of the one that is named.

    On a GPU it would train unsloth/Qwen3-1.7B-unsloth-bnb-4bit where Qwen/Qwen3-1.7B is asked for: other weights than those that
    are scored, pinned and recorded, and an export would find none to merge into. Where an adapter names such a base, and 16
    bits are asked for, Unsloth looks them up, unless the hub is out of reach.
    """
    from huggingface_hub import constants

    base = str(adapter_config(model).get("base_model_name_or_path") or model)
    online = not constants.HF_HUB_OFFLINE
    sixteen = base.endswith(FOUR_BIT) and not load_in_4bit and not Path(base).exists()
    return {} if sixteen and online else {"use_exact_model_name": True}


def load_plain(model: str, load_in_4bit: bool):
    """A model by transformers alone, for adapters of virtual tokens and of norms on a GPU.

    Unsloth replaces the forward of PEFT's model that inserts virtual tokens (unsloth/models/qwen3.py, pre_patch), and its
    kernel of a norm reads the weight beneath the adapter (unsloth/kernels/rms_layernorm.py): they would train, and change,
    nothing.
    """
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if not torch.cuda.is_available() or torch.cuda.is_bf16_supported(False) else torch.float16
    nf4 = nf4_config(dtype) if load_in_4bit else None
    place = {"device_map": {"": card.number()}} if torch.cuda.is_available() else {}
    with loading(model):
        return AutoModelForCausalLM.from_pretrained(model, dtype=dtype, quantization_config=nf4, **place)


def nf4_config(compute_dtype, skip_modules: tuple[str, ...] = ()):
    """NF4 with double quantisation, as QLoRA trains (arXiv 2305.14314); modules of `skip_modules` stay in 16 bits."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
        llm_int8_skip_modules=list(skip_modules) or None,
    )


def virtual_tokens_of(model: str) -> str | None:
    """The base model of a folder of virtual tokens (prefix or prompt tuning); None for anything else."""
    config = adapter_config(model)
    return config["base_model_name_or_path"] if config.get("peft_type") in ("PREFIX_TUNING", "PROMPT_TUNING") else None


def plain_base_of(model: str) -> str | None:
    """The base model of a folder of virtual tokens or norms, which Unsloth's kernels pass by; None for anything else."""
    config = adapter_config(model)
    return virtual_tokens_of(model) or (config["base_model_name_or_path"] if config.get("peft_type") == "LN_TUNING" else None)


@contextlib.contextmanager
def untold():
    """What Unsloth prints of training ("no GPU found, training on CPU", its banner) is not shown where nothing is trained.

    Where something fails it is.
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    except BaseException:
        print(printed.getvalue(), end="")
        raise


def quiet_libraries() -> None:
    """Keep the libraries' bars and advice off the screen, so that what a script says can be read."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def local_folder(model: str) -> Path | None:
    """Folder of a model on this machine: the folder itself, or a hub id's snapshot in the local cache.

    By hand: importing huggingface_hub takes a quarter of a second. The layout is documented (huggingface_hub, "Understand
    caching").
    """
    if Path(model).is_dir():
        return Path(model)
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface"))
    folder = Path(os.environ.get("HF_HUB_CACHE") or home / "hub", "models--" + model.replace("/", "--"))
    try:
        found = folder / "snapshots" / (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    return found if (found / "config.json").is_file() else None
