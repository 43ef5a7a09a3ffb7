"""What a training will need, before a weight is loaded: memory by its parts, disk, and whether it fits here.

Arithmetic on the model's config.json and the arguments: no torch, no GPU. What the constants stand for is said beside each;
tests/benchmarks/bench_memory.py measures real runs against them, and RESULTS-memory.md holds the figures.
"""

import json
import os
import subprocess
from pathlib import Path

from common import processor
from common.errors import UserError
from common.machine import free_bytes
from common.models import adapter_config, find_model, is_adapter
from export import preflight
from export.needs import Shape, needs
from training import adapters

METHODS = ("cpt", "sft", "dpo", "kto", "simpo", "orpo", "reward", "grpo")
_QWEN3 = {"model_type": "qwen3", "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936}
_NUMBERS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "tie_word_embeddings")
KNOWN = {  # the models that recipes name, by their published config.json, so that a chain can be estimated offline
    name: _QWEN3 | dict(zip(_NUMBERS, numbers, strict=True))
    for name, numbers in {
        "Qwen/Qwen3-0.6B": (1024, 3072, 28, 16, True),
        "Qwen/Qwen3-1.7B": (2048, 6144, 28, 16, True),
        "Qwen/Qwen3-4B": (2560, 9728, 36, 32, True),
        "Qwen/Qwen3-8B": (4096, 12288, 36, 32, False),
        "Qwen/Qwen3-14B": (5120, 17408, 40, 40, False),
    }.items()
}
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes a weight: 4 bits, a byte of scale in 64, doubly quantised by 4 bytes in 256 blocks
GIGA = 1e9
OVERHEAD = {"gpu": 0.6e9, "ram": 0.64e9}  # CUDA context and workspaces; Python with torch, transformers and Unsloth imported
SEQUENCES = {"dpo": 2, "simpo": 2, "orpo": 2, "reward": 2}  # sequences a row: chosen and rejected
SLACK = 1.15  # measured on rows of mixed lengths over 50 steps; filled rows need less
TIGHT = 0.85  # of what is free; above it fragmentation and the longest batch decide


def read_config(model: str) -> dict:
    """config.json of a folder, an adapter's base, or a hub id (a small download)."""
    if is_adapter(model):
        return read_config(adapter_config(model)["base_model_name_or_path"])
    path = Path(model, "config.json")
    if not path.is_file():
        import huggingface_hub

        path = Path(huggingface_hub.hf_hub_download(model, "config.json"))
    config = json.loads(path.read_text(encoding="utf-8"))
    return config.get("text_config", config)


def activations(config: dict, tokens: int, checkpointing: bool, gpu: bool, full: bool = False) -> float:
    """Bytes that the backward pass needs of a forward pass over so many tokens.

    What a layer keeps of a token, in 16-bit numbers: inputs of the norms, of the seven linear layers and their adapters,
    queries, keys and values before and after the rotation, the gate's parts. Without adapters layers share their inputs,
    measured 0.4 of it. Recomputed, a layer keeps its input alone (Unsloth moves it to the processor's memory), and one
    layer is whole at a time; on a processor the allocator gives back only part of what recomputing frees, measured 0.4.
    """
    hidden, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    of = adapters.shapes(config)
    attention = 3 * of["q_proj"][1] + 5 * of["k_proj"][1]
    layer = 2 * (9 * hidden + attention + 5 * inner) * (0.4 if full else 1)
    if not gpu:  # the norms and the rotation keep float32 copies, measured 1.4
        return tokens * 1.4 * layer * layers * (0.4 if checkpointing else 1)
    return tokens * layer * (1 if checkpointing else layers)


def logits(config: dict, tokens: int, method: str, gpu: bool) -> float:
    """Bytes of the vocabulary's logits: in pieces where Unsloth's loss is at work, whole and in float32 in TRL's own."""
    if method == "reward":
        return 0
    if method in ("sft", "cpt"):
        if gpu:
            return min(tokens, 1024) * config["vocab_size"] * (4 + 4)
        # unsloth_zoo.cpu.ops takes 2**24 logits at a time; copies of the output head were measured to take 13.6 bytes a weight.
        return 2**24 * (4 + 4) + 13.6 * config["vocab_size"] * config["hidden_size"]
    return tokens * config["vocab_size"] * (4 + 4 + 2)


def estimate(config: dict, args, method: str, longest: int, gpu: bool, unpacked: bool = False) -> dict[str, float]:
    """Peak bytes by part, and the sum: `longest` is the longest sequence in tokens; `unpacked` as in `choose`.

    Parts: weights, adapters (with gradients), optimiser, activations, logits, libraries.
    """
    linear, embeddings, norms = adapters.total_parameters(config)
    rank = getattr(args, "lora_r", 0)
    trainable = adapters.trainable_parameters(config, args.adapter, rank, args.target_modules)
    full = args.adapter == "full"
    wide = 2 if unpacked or not adapters.in_4bit(args) else NF4
    weights = 4 * (linear + embeddings + norms) if full else wide * linear + 2 * (embeddings + norms)
    held = 0 if full else 4 * trainable
    if method == "dpo" or method == "kto":
        held += 4 * trainable if not full else weights  # the reference: a second adapter, or a second model
    states = 2 if gpu and "8bit" in args.optim else 8
    if getattr(args, "train_embeddings", False):
        trainable += embeddings
        held += 4 * embeddings
    tokens = longest * args.per_device_train_batch_size * SEQUENCES.get(method, 1)
    checkpointing = gpu if args.gradient_checkpointing is None else args.gradient_checkpointing
    kept, gradients = activations(config, tokens, checkpointing, gpu, full), 4 * trainable
    if not gpu:  # short rows keep each head's attention, in float32 and in 16 bits (processor.optimize_for_cpu)
        short = min(longest, processor.SHORT_ROWS)
        heads = config["num_attention_heads"] * (1 if checkpointing else config["num_hidden_layers"])
        share = short / longest
        kept = max(kept, share * kept + 6 * heads * tokens * share * short)
        kept *= SLACK  # batches of other lengths leave holes
    # Gradients grow as activations go: the larger of the two counts.
    parts = {
        "weights": weights,
        "adapters": held,
        "optimiser": states * trainable,
        "activations or gradients": max(kept, gradients),
        "logits": logits(config, tokens, method, gpu),
        "libraries": OVERHEAD["gpu" if gpu else "ram"],
    }
    return parts | {"total": sum(parts.values())}


def choose(config: dict | None, args, method: str, longest: int, gpu: bool, left: float) -> tuple[bool, str]:
    """Set args.gradient_checkpointing where it has no value, and say whether NF4 weights are unpacked once, and why.

    Returns (unpacked, words). The rule is measured on a processor (tests/benchmarks/RESULTS-training.md): recomputing costs
    a third of the speed, unpacking NF4 in every pass a fifteenth, so both are done only where memory asks for it.
    A GPU recomputes and stays in NF4: memory is what it lacks.
    """
    asked = args.gradient_checkpointing
    four = adapters.in_4bit(args) and args.adapter in adapters.BY_UNSLOTH and method != "reward"
    if gpu or config is None:
        args.gradient_checkpointing = gpu if asked is None else asked
        return False, "on a GPU memory is saved first" if gpu else "the memory it needs is not known"
    ways = [(recompute, unpacked) for recompute in (False, True) for unpacked in ((True, False) if four else (False,))]
    for recompute, unpacked in ways:
        if asked is not None and recompute != asked:
            continue
        args.gradient_checkpointing = recompute
        if estimate(config, args, method, longest, gpu, unpacked)["total"] <= TIGHT * left:
            return unpacked, "the quickest that fits in memory"
    return False, "the leanest way there is"


def disk(config: dict, args) -> float:
    """Bytes that the run leaves: the result, and two checkpoints with their optimiser."""
    trainable = adapters.trainable_parameters(config, args.adapter, args.lora_r, args.target_modules)
    tokenizer = 15e6
    return (4 * trainable + tokenizer) + (2 * (12 * trainable + tokenizer) if args.save_steps > 0 else 0)


def export_needs(config: dict, args) -> tuple[float, float]:
    """(memory, disk) in bytes of an export of a model of this shape, before there is one to look at; see export/needs.py."""
    others, embeddings = (2 * n for n in adapters.total_parameters(config))
    quantizations = [q.strip() for q in args.quantization.split(",") if q.strip()]
    found = needs(Shape(others, embeddings, embeddings, config.get("vocab_size", 0)), quantizations)
    return found.memory, found.disk


def of_chain(stages: list[dict]) -> list[str]:
    """Lines that say what the stages of a recipe need at most, the largest marked, and what is free.

    `stages` hold `name`, `script` (its stem) and `args`; a model that an earlier stage will make has the shape of the one
    that it began with. Rows are taken to be as long as max_length allows. A model whose config.json cannot be had, or is of an
    unknown shape, gives a line that says so.
    """
    where, left, _ = free()
    begins, configs, found, lines = {}, {}, [], []
    for stage in stages:
        script, args = stage["script"], stage["args"]
        if script not in (*METHODS, "export_gguf"):
            continue
        model = str(args.model)
        while model in begins:
            model = begins[model]
        begins[str(args.output_dir)] = model
        if model not in configs:
            try:
                if not Path(model).exists() and model not in KNOWN:
                    find_model(model)
                configs[model] = KNOWN.get(model) or read_config(model)
            except (KeyError, OSError, ValueError, UserError) as error:
                configs[model] = None
                lines.append(f"  {model}: not estimated, its config.json cannot be had ({' '.join(str(error).split())[:80]})")
        if configs[model] is None:
            continue
        try:
            if script == "export_gguf":
                need, room = export_needs(configs[model], args)
            else:
                longest = args.max_length + getattr(args, "max_completion_length", 0)
                unpacked, _ = choose(configs[model], args, script, longest, where == "gpu", left)
                need = estimate(configs[model], args, script, longest, where == "gpu", unpacked)["total"]
                room = disk(configs[model], args)
        except (KeyError, ValueError) as error:
            lines.append(f"  {stage['name']}: not estimated, {model} is of a shape that the arithmetic does not know ({error})")
            continue
        found.append((stage["name"], "ram" if script == "export_gguf" else where, need, room))
    if found:
        import psutil

        frees = {where: left, "ram": float(psutil.virtual_memory().available)}
        most = max(need for _, _, need, _ in found)
        for name, place, need, room in found:
            verdict = "fits" if need <= TIGHT * frees[place] else "tight" if need <= frees[place] else "does not fit"
            words = "GPU memory" if place == "gpu" else "memory"
            largest = ", the largest" if need == most else ""
            lines.append(f"  {name:16} {need / GIGA:6.1f} GB of {words}, {room / GIGA:6.2f} GB of disk: {verdict}{largest}")
        room, free_disk = sum(r for *_, r in found), free_bytes(Path(next(iter(begins))))
        short = "fits" if room < free_disk else "does not fit; make room"
        lines.append(f"  disk in all      {room / GIGA:6.2f} GB, {free_disk / GIGA:.1f} GB are free: {short}")
    return lines


def free() -> tuple[str, float, float]:
    """Where training will run and the bytes free there and in all: the first GPU by nvidia-smi, else the machine's memory."""
    try:
        asked = ["nvidia-smi", "--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits"]
        line = subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.splitlines()[0]
        left, total = (float(part) * 2**20 for part in line.split(","))
        return "gpu", left, total
    except (OSError, IndexError, ValueError, subprocess.TimeoutExpired):
        import psutil

        memory = psutil.virtual_memory()
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # each holds a model of its own
        return "ram", memory.available / processes, memory.total / processes


def memory_suggestions(args, parts: dict) -> list[str]:
    """What to turn, the first first."""
    found = []
    rows, passes = args.per_device_train_batch_size, args.gradient_accumulation_steps
    variable = parts["activations or gradients"] + parts["logits"]
    if rows > 1 and variable > 0.2 * parts["total"]:
        found.append(
            f"--per_device_train_batch_size {rows // 2} --gradient_accumulation_steps {passes * 2} (the same training, slower)"
        )
    if args.gradient_checkpointing is False and variable > 0.2 * parts["total"]:
        found.append("--gradient_checkpointing true")
    if not adapters.in_4bit(args):
        found.append("--adapter qlora")
    if variable > 0.2 * parts["total"]:
        found.append(f"a smaller --max_length than {args.max_length}")
    return [*found, "a smaller model"]


def plan(args, method: str, longest: int) -> dict | None:
    """Print what the training needs, what is free, whether it fits and what to turn; returns it for run.json.

    Sets args.gradient_checkpointing where it has no value, see `choose`.
    None, with a line that says so, for a model whose config.json this arithmetic does not know.
    """
    where, left, total = free()
    try:
        config = read_config(args.model)
        unpacked, why = choose(config, args, method, longest, where == "gpu", left)
        parts = estimate(config, args, method, longest, where == "gpu", unpacked)
    except (KeyError, OSError, ValueError) as error:
        choose(None, args, method, longest, where == "gpu", left)
        print(f"memory: not estimated, {args.model} is of a shape that the arithmetic does not know ({error})")
        return None
    need = parts["total"]
    weights = "NF4, unpacked once" if unpacked else "NF4" if adapters.in_4bit(args) else "as --adapter says"
    kept = "recomputed" if args.gradient_checkpointing else "kept"
    print(f"choice: weights {weights}; activations {kept} ({why})")
    verdict = "fits" if need <= TIGHT * left else "tight" if need <= left else "does not fit"
    shown = ", ".join(f"{name} {value / GIGA:.2f}" for name, value in parts.items() if name != "total")
    place = "GPU memory" if where == "gpu" else "memory"
    print(
        f"memory: about {need / GIGA:.1f} GB of {place}, {left / GIGA:.1f} of {total / GIGA:.1f} GB are free: {verdict} ({shown})"
    )
    if verdict != "fits":
        print("        turn first: " + "; then ".join(memory_suggestions(args, parts)))
    room, needed = free_bytes(Path(args.output_dir)), disk(config, args)
    short = "" if needed < room else "; make room, or set save_steps 0"
    print(f"disk:   about {needed / GIGA:.2f} GB, {room / GIGA:.1f} GB are free{short}")
    if method not in ("reward", "cpt"):  # what is trained in hours should not fail at the last step
        for warning in preflight.before_training(args.model, args.output_dir, args.adapter):
            print(f"export: {warning}")
    return {
        "estimated_gb": {k: round(v / GIGA, 3) for k, v in parts.items()},
        "free_gb": round(left / GIGA, 2),
        "verdict": verdict,
        "nf4_unpacked": unpacked,
    }
