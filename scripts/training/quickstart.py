"""The model and the rows that sft.py takes where none are given. Imports no torch before it asks for a GPU."""

from pathlib import Path

from common import card
from common.models import EMBEDDED_MODEL, has_cuda
from common.runs import run_step

GPU_MODEL = "Qwen/Qwen3-1.7B"
EMBEDDED_DATA = "data/quickstart/train.jsonl"


def choose_defaults(args) -> None:
    """Fill in default model and data, and print the choice with its reason."""
    if args.model is None:
        card.settle()
        cuda = has_cuda()
        args.model = GPU_MODEL if cuda else EMBEDDED_MODEL
        why = "a CUDA GPU was found" if cuda else "no CUDA GPU was found, Unsloth trains on the processor"
        print(f"model: {args.model} ({why}); pass --model for another")
        if args.model == EMBEDDED_MODEL and not Path(args.model, "config.json").exists():
            run_step("scripts/make_model.py")
    if args.data is None:
        args.data = EMBEDDED_DATA
        print(f"data:  {args.data} (the quickstart's rows); pass --data for your own")
        if not Path(args.data).exists():
            run_step("data_prep/prepare.py", "--config", "recipes/quickstart/prepare.yaml")
