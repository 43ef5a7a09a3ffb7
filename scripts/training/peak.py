"""Peak memory of a training run by part, from the model's config.json and the arguments: no torch, no GPU, no weights.

Each constant has its source beside it; tests/benchmarks/bench_memory.py measures real runs against them, and
RESULTS-memory.md holds the figures.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from common import processor
from common.models import adapter_config, is_adapter
from training import adapters, parameters

METHODS = ("cpt", "sft", "dpo", "kto", "simpo", "orpo", "reward", "grpo", "rloo", "distill")
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
OVERHEAD = {"gpu": 0.6e9, "ram": 0.64e9}  # CUDA context and workspaces; Python with torch, transformers and Unsloth imported
SEQUENCES = {"dpo": 2, "simpo": 2, "orpo": 2, "reward": 2}  # sequences a row: chosen and rejected
DIVERGENCE = 40  # bytes a word of the vocabulary: two models' logits, their logarithms, the mixture, the divergences of each
SLACK = 1.15  # measured on rows of mixed lengths over 50 steps; filled rows need less


def read_config(model: str) -> dict:
    """config.json of a folder, an adapter's base, a model known by its name, or a hub id (a small download)."""
    if model in KNOWN and not Path(model).exists():
        return KNOWN[model]
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
    of = parameters.shapes(config)
    attention = 3 * of["q_proj"][1] + 5 * of["k_proj"][1]
    layer = 2 * (9 * hidden + attention + 5 * inner) * (0.4 if full else 1)
    if not gpu:  # the norms and the rotation keep float32 copies, measured 1.4
        return tokens * 1.4 * layer * layers * (0.4 if checkpointing else 1)
    return tokens * layer * (1 if checkpointing else layers)


def logits(config: dict, tokens: int, method: str, gpu: bool, free_memory: float) -> float:
    """Bytes of the vocabulary's logits that lie in memory at once. `free_memory`: bytes, beside the weights.

    sft, cpt    GPU: Unsloth's fused loss takes 16 bytes a logit in chunks of half the free memory, 4 GiB at most, and a
                number of chunks that is a multiple of 4 (unsloth_zoo 2026.10.9, fused_losses/cross_entropy_loss.py:225-304).
                Processor: 2**24 logits at a time (unsloth_zoo/cpu/ops.py); copies of the output head were measured to take
                13.6 bytes a weight.
    dpo, kto,   chunks of TRL's fused head (TRL 1.15, dpo_trainer.py:930, trainer/utils.py:1545). GPU: Unsloth's kernel, 512
    grpo, rloo  to 4096 rows of float32 logits (unsloth_zoo/fused_losses/fused_linear.py:136-155). Processor: TRL's tiles of
                4096 x 32768, float32, with their gradient (trl/kernels/chunked_logprob.py).
    distill     both models' logits with the copies of TRL's loss. GPU: 512 rows at a time (unsloth_zoo/fused_losses/
                fused_linear.py, fused_linear_jsd). Processor: all, and copies of both output heads
                (one run: 2.8 GB estimated, 3.0 taken).
    simpo, orpo whole logits, in 16 bits and twice in float32 (trl/experimental/cpo/cpo_trainer.py:824-848): TRL's own loss
    reward      none
    """
    vocabulary, hidden = config["vocab_size"], config["hidden_size"]
    if method == "reward":
        return 0
    if method == "distill":
        return min(tokens, 512) * vocabulary * DIVERGENCE if gpu else vocabulary * (tokens * DIVERGENCE + 2 * 13.6 * hidden)
    if method in ("simpo", "orpo"):
        return tokens * vocabulary * (4 + 4 + 2)
    if method in ("sft", "cpt"):
        if not gpu:
            return 2**24 * (4 + 4) + 13.6 * vocabulary * hidden
        whole, target = 16.0 * tokens * vocabulary, max(min(free_memory / 2, 4 * 2**30), 2**20)
        return whole if whole <= target else whole / (4 * math.ceil(whole / target / 4))
    if not gpu:
        return min(tokens, 4096) * min(vocabulary, 32768) * (4 + 4)
    rows = 2 ** int(math.log2(max(tokens * hidden / vocabulary, 1)))
    return min(tokens, max(512, min(rows, 4096))) * vocabulary * 4


@dataclass
class Estimate:
    """Peak memory by part, bytes."""

    weights: float
    adapters: float
    """adapters, and the reference of DPO, KTO, RLOO and GRPO with a beta"""
    optimizer: float
    activations_or_gradients: float
    """gradients grow as activations are freed: the larger of the two"""
    logits: float
    libraries: float
    reward_model: float = 0
    """GRPO's and RLOO's, in 16 bits"""
    vllm: float = 0
    """what vLLM takes beside the weights, which it shares"""
    teacher: float = 0
    """distillation's"""
    answering: float = 0
    """GRPO's and RLOO's, beyond activations and logits: answers are written before anything is learnt from them"""

    @property
    def total(self) -> float:
        return sum(asdict(self).values())

    @property
    def variable(self) -> float:
        """What a smaller batch makes smaller."""
        return self.activations_or_gradients + self.logits


def estimate(
    config: dict, args, method: str, longest: int, gpu: bool, dequantized: bool = False, free_memory: float = math.inf
) -> Estimate:
    """Peak memory of a run.

    Args:
        config: the model's config.json.
        args: the script's arguments.
        method: as in METHODS.
        longest: tokens of the longest sequence.
        gpu: whether a GPU trains.
        dequantized: NF4 weights are dequantised once, see `choose`.
        free_memory: bytes free before the run; on a GPU Unsloth's loss takes as much as there is, up to 4 GiB.
    """
    linear, embeddings, norms = parameters.total_parameters(config)
    trainable = trained(config, args)
    full = args.adapter == "full"
    eight = args.load_in_8bit or args.load_in_fp8  # and a scale a row, or a block of 128 x 128: a thousandth
    wide = 1 if eight else 2 if dequantized or not adapters.in_4bit(args) else NF4
    weights = 4 * (linear + embeddings + norms) if full else wide * linear + 2 * (embeddings + norms)
    held = 0 if full else 4 * trainable
    if method in ("dpo", "kto") or (method in ("grpo", "rloo") and args.beta):
        held += 4 * trainable if not full else weights  # the reference: a second adapter, or a second model
    if getattr(args, "train_embeddings", False):
        trainable += embeddings
        held += 4 * embeddings
    tokens = longest * args.per_device_train_batch_size * SEQUENCES.get(method, 1)
    checkpointing = gpu if args.gradient_checkpointing is None else args.gradient_checkpointing
    kept = activations(config, tokens, checkpointing, gpu, full)
    if not gpu:
        kept = max(kept, _kept_attention(config, tokens, longest, checkpointing, kept)) * SLACK
    kept, head = max(kept, 4 * trainable), logits(config, tokens, method, gpu, free_memory - weights - held)
    return Estimate(
        weights=weights,
        adapters=held,
        optimizer=(2 if gpu and "8bit" in args.optim else 8) * trainable,
        activations_or_gradients=kept,
        logits=head,
        libraries=OVERHEAD["gpu" if gpu else "ram"],
        reward_model=_reward_model(args),
        vllm=_vllm(args, free_memory, weights),
        teacher=_teacher(args),
        answering=max(_answering(config, args, longest, gpu) - kept - head, 0),
    )


def trained(config: dict, args) -> int:
    """Trained parameters; an adapter folder is trained on with its own rank and layers, whatever the arguments say."""
    held = adapter_config(args.model)
    layers = held.get("target_modules")
    layers = layers if isinstance(layers, list) else args.target_modules
    return parameters.trainable_parameters(config, args.adapter, held.get("r") or args.lora_r, layers)


def _answering(config: dict, args, longest: int, gpu: bool) -> float:
    """Bytes while GRPO and RLOO write answers, 0 where vLLM does: TRL has all of a step written at once (grpo_config.py:1085).

    At the end keys and values of every token; at the beginning those of the prompts, and one layer's pass over them. In 16 bits,
    on a processor in 32.
    """
    answer = getattr(args, "max_completion_length", None)
    if answer is None or getattr(args, "fast_inference", False):
        return 0
    numbers = (2 if gpu else 4) * args.per_device_train_batch_size * args.gradient_accumulation_steps
    cache = numbers * config["num_hidden_layers"] * 2 * parameters.shapes(config)["k_proj"][1]  # of a token's place
    layer = numbers * 3 * (config["hidden_size"] + config["intermediate_size"])
    return max(cache * longest, (cache + layer) * (longest - answer))


def _reward_model(args) -> float:
    """Bytes of the reward model of GRPO and RLOO: its base in 16 bits (training/rewards.py); 0 where there is none."""
    folder = getattr(args, "reward_model", None)
    return 2.0 * sum(parameters.total_parameters(read_config(folder))) if folder else 0.0


def _vllm(args, free_memory: float, weights: float) -> float:
    """Bytes of vLLM's cache: it takes its share of the free memory (unsloth_zoo 2026.10.9, vllm_utils.py:2587)."""
    asked = getattr(args, "fast_inference", False) and math.isfinite(free_memory)
    return max(args.gpu_memory_utilization * free_memory - weights, 0) if asked else 0


def _teacher(args) -> float:
    """Bytes of distillation's teacher; 0 where there is none."""
    if not getattr(args, "teacher", None):
        return 0.0
    linear, embeddings, norms = parameters.total_parameters(read_config(args.teacher))
    return (NF4 if args.teacher_load_in_4bit else 2) * linear + 2 * (embeddings + norms)


def _kept_attention(config: dict, tokens: int, longest: int, checkpointing: bool, kept: float) -> float:
    """Bytes where short rows keep each head's attention, in float32 and in 16 bits (processor.optimize_for_cpu)."""
    short = min(longest, processor.SHORT_ROWS)
    heads = config["num_attention_heads"] * (1 if checkpointing else config["num_hidden_layers"])
    share = short / longest
    return share * kept + 6 * heads * tokens * share * short
