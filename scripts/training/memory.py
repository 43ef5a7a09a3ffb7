"""Whether a training run fits: its estimated peak memory (training/peak.py) and disk, what is free, and what to change.

No torch, no GPU, no weights.
"""

import contextlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from common import card
from common.errors import CheckFailed
from common.machine import free_bytes
from export import preflight
from training import adapters, peak

from data_prep.common.errors import is_memory_problem

GIGA = 1e9
TIGHT = 0.85  # of what is free; above it fragmentation and the longest batch decide


class Memory(NamedTuple):
    """Where training will run."""

    gpu: bool
    free: float
    """bytes"""
    total: float
    """bytes"""

    @property
    def name(self) -> str:
        return "GPU memory" if self.gpu else "memory"


class Choice(NamedTuple):
    """Whether NF4 weights are dequantised once, and why."""

    dequantize_nf4: bool
    reason: str


@dataclass
class Plan:
    """What a run was estimated to need."""

    estimate: peak.Estimate
    free: float
    """bytes"""
    verdict: str
    """fits, tight, or does not fit"""
    dequantize_nf4: bool

    def record(self) -> dict:
        """The plan for run.json."""
        parts = asdict(self.estimate) | {"total": self.estimate.total}
        return {
            "estimated_gb": {name: round(value / GIGA, 3) for name, value in parts.items()},
            "free_gb": round(self.free / GIGA, 2),
            "verdict": self.verdict,
            "nf4_dequantized": self.dequantize_nf4,
        }


def choose(config: dict | None, args, method: str, longest: int, gpu: bool, free_memory: float) -> Choice:
    """Set args.gradient_checkpointing where it has no value, and choose whether NF4 weights are dequantised once.

    The rule is measured on a processor (tests/benchmarks/RESULTS-training.md): recomputing costs a third of the speed,
    dequantising in every pass a fifteenth, so both are done only where memory is short. A GPU recomputes and stays in NF4:
    memory is what it lacks.
    """
    given = args.gradient_checkpointing
    four = adapters.in_4bit(args) and args.adapter in adapters.BY_UNSLOTH and method != "reward"
    if gpu or config is None:
        args.gradient_checkpointing = gpu if given is None else given
        return Choice(False, "on a GPU memory is saved first" if gpu else "the memory it needs is not known")
    ways = [(recompute, once) for recompute in (False, True) for once in ((True, False) if four else (False,))]
    for recompute, once in ways:
        if given is not None and recompute != given:
            continue
        args.gradient_checkpointing = recompute
        if peak.estimate(config, args, method, longest, gpu, once).total <= TIGHT * free_memory:
            return Choice(once, "the quickest that fits in memory")
    return Choice(False, "the leanest way there is")


def disk(config: dict, args) -> float:
    """Bytes that the run takes: the result, and two checkpoints with their optimizer beside a third that is being written."""
    trainable = peak.trained(config, args)
    tokenizer = 15e6
    return (4 * trainable + tokenizer) + (3 * (12 * trainable + tokenizer) if args.save_steps > 0 else 0)


def verdict(need: float, free_memory: float) -> str:
    """fits, tight, or does not fit."""
    return "fits" if need <= TIGHT * free_memory else "tight" if need <= free_memory else "does not fit"


def free() -> Memory:
    """The memory of the card that will train, else of the machine."""
    if found := card.memory():
        return Memory(True, *found)
    import psutil

    memory = psutil.virtual_memory()
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # each holds a model of its own
    return Memory(False, memory.available / processes, memory.total / processes)


def memory_suggestions(args, need: peak.Estimate) -> list[str]:
    """What to change to need less memory, the most useful first."""
    found = []
    large = need.variable > 0.2 * need.total
    if large and (smaller := args.smaller_batch()):
        rows, passes = smaller
        found.append(f"--per_device_train_batch_size {rows} --gradient_accumulation_steps {passes} (the same training, slower)")
    if args.gradient_checkpointing is False and large:
        found.append("--gradient_checkpointing true")
    if not adapters.in_4bit(args):
        found.append("--adapter qlora")
    if large:
        found.append(f"a smaller --max_length than {args.max_length}")
    if need.answering > 0.1 * need.total:
        found.append(
            "a smaller --max_completion_length, or fewer --gradient_accumulation_steps (a step's answers are written together)"
        )
    return [*found, "a smaller model"]


@contextlib.contextmanager
def enough_for_the_model(args, plan: Plan | None):
    """Around what loads the model and makes its trainer. Raises CheckFailed where the memory does not hold them."""
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:
        if not is_memory_problem(error):
            raise
        what = "the card's memory (nvidia-smi shows them)" if card.memory() else "the memory"
        ways = [f"end other programs that hold {what}", *(["pass --adapter qlora"] if not adapters.in_4bit(args) else [])]
        need = f" (about {plan.estimate.weights / GIGA:.1f} GB of weights alone)" if plan else ""
        raise CheckFailed(f"not enough memory to load {args.model}{need}: {', '.join(ways)}, or take a smaller model") from None


def plan(args, method: str, longest: int) -> Plan | None:
    """Print what the training needs, what is free, whether it fits and what to change. `longest`: tokens of a sequence.

    Sets args.gradient_checkpointing where it has no value, see `choose`.
    None, with a line that says so, for a model whose config.json this arithmetic does not know.
    """
    here = free()
    try:
        config = peak.read_config(args.model)
        choice = choose(config, args, method, longest, here.gpu, here.free)
        need = peak.estimate(config, args, method, longest, here.gpu, choice.dequantize_nf4, here.free)
    except (KeyError, OSError, ValueError) as error:
        choose(None, args, method, longest, here.gpu, here.free)
        print(f"memory: not estimated, {args.model} is of a shape that the arithmetic does not know ({error})")
        return None
    weights = "NF4, dequantised once" if choice.dequantize_nf4 else "NF4" if adapters.in_4bit(args) else "as --adapter says"
    weights = "int8" if args.load_in_8bit else "FP8" if args.load_in_fp8 else weights
    print(f"choice: weights {weights}; activations {'recomputed' if args.gradient_checkpointing else 'kept'} ({choice.reason})")
    result = Plan(need, here.free, verdict(need.total, here.free), choice.dequantize_nf4)
    parts = ", ".join(f"{name.replace('_', ' ')} {value / GIGA:.2f}" for name, value in asdict(need).items() if value)
    print(
        f"memory: about {need.total / GIGA:.1f} GB of {here.name}, {here.free / GIGA:.1f} of {here.total / GIGA:.1f} GB "
        f"are free: {result.verdict} ({parts})"
    )
    if result.verdict != "fits":
        print("        change first: " + "; then ".join(memory_suggestions(args, need)))
    room, needed = free_bytes(Path(args.output_dir)), disk(config, args)
    short = "" if needed < room else "; make room, or set save_steps 0"
    print(f"disk:   about {needed / GIGA:.2f} GB, {room / GIGA:.1f} GB are free{short}")
    if method not in ("reward", "cpt"):  # what is trained in hours should not fail at the last step
        for warning in preflight.before_training(args.model, args.output_dir, args.adapter):
            print(f"export: {warning}")
    return result
