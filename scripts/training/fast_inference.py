"""Answers by vLLM in GRPO (--fast_inference), through Unsloth and on the same weights: what it needs, what is passed on.

Importing this file imports neither torch nor vllm.
"""

import importlib.util

from common.models import adapter_config, is_adapter
from training import adapters

VLLM = "vllm==0.31.0"  # wants torch 2.13.0 and takes transformers 5.17, as pinned; the newest that TRL 1.15 knows


def problems(args) -> list[str]:
    """What is wrong with `fast_inference` and `gpu_memory_utilization`, found without a card."""
    found = []
    if not 0 < args.gpu_memory_utilization < 1:
        found.append(f"gpu_memory_utilization: {args.gpu_memory_utilization} is not between 0 and 1")
    if not args.fast_inference:
        return found
    if importlib.util.find_spec("vllm") is None:
        found.append(f"fast_inference: vllm is not installed; run: pip install {VLLM}")
    if args.adapter not in adapters.BY_UNSLOTH:
        found.append(f"fast_inference: vLLM does not know {args.adapter}; pass --adapter qlora, lora or rslora")
    if args.beta and args.model and is_adapter(args.model):
        found.append(
            "fast_inference: vLLM takes no second adapter, as beta needs for the first policy; leave beta 0, or merge the first"
        )
    if args.load_in_8bit:
        found.append("fast_inference: vLLM runs no int8 weights of bitsandbytes; leave load_in_8bit out")
    return found


def loading(args) -> dict:
    """Keywords for Unsloth's from_pretrained; none without vLLM."""
    if not args.fast_inference:
        return {}
    rank = adapter_config(args.model).get("r", args.lora_r)
    return {"fast_inference": True, "gpu_memory_utilization": args.gpu_memory_utilization, "max_lora_rank": rank}
