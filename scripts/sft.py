"""Supervised fine-tuning (SFT): teach a chat model to answer as the rows do, with LoRA adapters by Unsloth.

    python scripts/sft.py                                     # works anywhere; says what it chose and why
    python scripts/sft.py --model Qwen/Qwen3-1.7B --data data/bode/train.jsonl --output_dir runs/bode/sft
    python scripts/sft.py --config recipes/quickstart/sft.yaml --learning_rate 1e-4
    python scripts/sft.py --data train.jsonl --dry_run        # checks all, shows a row as trained, stops

Input   JSONL of ShareGPT rows, {"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}]},
        as data_prep/prepare.py writes them. Every assistant turn is trained, nothing else (completion-only loss).
Output  output_dir/checkpoint-N while it runs; at the end the adapter, the tokenizer with its chat template, run.json
        (configuration, versions, seed, data hashes, time, memory, metrics), README.md (model card), metrics.jsonl, loss.png.
        Started again, an interrupted run goes on from its last checkpoint.

Next    scripts/evaluate.py scores the result, scripts/export_gguf.py makes a GGUF of it, scripts/chat.py talks to it.

Defaults: 2e-4, batches of 16 and adapters on all linear layers are QLoRA's for models of 7B and 13B (Dettmers et al. 2023,
arXiv 2305.14314), which had rank 64, dropout 0.1 and a constant rate; rank 16 without dropout and a linear decay are those of
Unsloth's notebooks. Ten times the rate makes the loss jump; a tenth of it, or one epoch of under 200 rows, changes little.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.arguments import parse_args
from common.entry import run_main
from training import adapters, pipeline, quickstart
from training.arguments import UNSHUFFLED, TrainingArgs
from training.conversations import check_row, make_dataset
from training.trainer import check_packing, float32_adapters, row_joining, trainer_config


@dataclass
class Args(TrainingArgs):
    LARGEST_RATE: ClassVar[float] = 2e-3  # ten times the default
    REFUSED: ClassVar[dict[str, str]] = UNSHUFFLED
    model: str | None = None
    """hub id, model folder or adapter folder to go on from; without it Qwen3-1.7B on a GPU, else the embedded model"""
    data: list[str] | str | None = None
    """training rows (JSONL), one file or several; without any the quickstart's rows"""
    output_dir: str = "runs/sft"
    adapter: Literal[adapters.KINDS] = "qlora"
    enable_thinking: bool = False
    """train the rows' think blocks; off, Qwen3's empty think block is part of the prompt"""
    max_length: int = 2048
    """longest row in tokens; longer ones are cut on the right, and counted"""
    packing: bool = False
    """join short rows to sequences of max_length tokens, each seeing itself alone; needs a GPU, changes the rows a step"""
    learning_rate: float = 2e-4  # QLoRA's for 7B, and Unsloth's notebooks'
    warmup_steps: float = 0.03  # our choice
    weight_decay: float = 0.01  # our choice
    per_device_train_batch_size: int = 8  # one sequence a row, where preference methods have two
    gradient_accumulation_steps: int = 2


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's SFTTrainer over adapters that Unsloth attaches; an adapter folder as model is trained further."""
    from trl import SFTConfig, SFTTrainer

    model = adapters.attach(model, args)
    config = SFTConfig(
        **trainer_config(
            args,
            held_out,
            max_length=args.max_length,
            include_num_input_tokens_seen="non_padding",  # Unsloth's loss on a GPU drops TRL's own count
            **row_joining(args),
        )
    )
    with float32_adapters(model):
        trainer = SFTTrainer(model=model, args=config, train_dataset=train, eval_dataset=held_out, processing_class=tokenizer)
    check_packing(trainer, args)
    return trainer


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    # Conversations are checked, tokenised and counted as in distill.py.
    method = pipeline.Method("sft", check_row, make_dataset, make_trainer, complete=quickstart.choose_defaults)
    pipeline.run(parse_args(Args, __doc__), method)


if __name__ == "__main__":
    run_main(main)
