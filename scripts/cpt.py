"""Continued pre-training (CPT): let a model read a domain's raw text before it is taught to answer.

    python scripts/cpt.py --model Qwen/Qwen3-1.7B-Base --data data/bode/text.jsonl --output_dir runs/bode/cpt
    python scripts/cpt.py --model Qwen/Qwen3-1.7B --data text.jsonl --train_embeddings --embedding_learning_rate 1e-5
    python scripts/cpt.py --model Qwen/Qwen3-1.7B --data books.jsonl notes.jsonl --streaming --max_steps 5000
    python scripts/cpt.py --model models/smollm2-135m-instruct --data text.jsonl --dry_run

Input   JSONL of text rows, {"text": ...}, as data_prep/prepare.py --task text writes them. Every token is trained, and an
        end-of-text token after each row; a row longer than max_length is read in chunks of max_length tokens, in order.
        Chunks are full but the last of each row, and rows of like length share a batch, so there is no --packing. --streaming
        joins rows to full chunks, and mixes them within a window only: have data_prep mix a file whose order means something.
        Unsloth's UNSLOTH_TOKEN_BUDGET=N (environment, GPU) runs a batch in passes of N tokens at most.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.

Next    scripts/sft.py --model runs/bode/cpt goes on from the result.

Defaults: rank-stabilised scaling (Kalajdzievski 2023, arXiv 2312.03732), alpha 32, 5e-5, and with train_embeddings the input and
output embeddings trained in full at a rate 2 to 10 times lower are those of Unsloth's continued pre-training notebooks; rank 64
is our choice, theirs is 128. At the rate of SFT the embeddings forget the old language faster than they learn the new.
"""

import functools
import os
from dataclasses import dataclass
from typing import ClassVar, Literal

from common.arguments import parse_args
from common.entry import run_main
from common.models import is_adapter
from training import adapters, data_files, pipeline
from training.arguments import UNSHUFFLED, TrainingArgs
from training.rows import Counts, TrainingData, excerpt, ids_of, kind_of_row
from training.trainer import float32_adapters, trainer_config

from data_prep.chat_template import TEMPLATES


@dataclass
class Args(TrainingArgs):
    LARGEST_RATE: ClassVar[float] = 2e-3
    REFUSED: ClassVar[dict[str, str]] = UNSHUFFLED | {"packing": "texts are joined to rows of max_length already"}
    output_dir: str = "runs/cpt"
    template: Literal[TEMPLATES] = "auto"
    """chat template to save with the tokenizer for the steps that follow; auto keeps its own"""
    max_length: int = 2048
    """tokens read at a time; a longer row is read in chunks"""
    adapter: Literal[adapters.BY_UNSLOTH] = "rslora"  # the scaling that high ranks need
    lora_r: int = 64  # new knowledge needs more room than a new manner
    lora_alpha: int = 32
    train_embeddings: bool = False
    """train the input and output embeddings in full: for a new language or script; needs memory for both"""
    embedding_learning_rate: float = 1e-5
    """peak learning rate of the embeddings"""
    streaming: bool = False
    """read, tokenise and join the rows as they are trained, for files larger than memory; needs max_steps"""
    loraplus_lr_ratio: float | None = None
    """LoRA+: the second matrix of each adapter learns so many times faster (Hayou et al. 2024, arXiv 2402.12354, take 16)"""
    learning_rate: float = 5e-5  # Unsloth's for continued pre-training
    warmup_steps: float = 0.03
    weight_decay: float = 0.01
    per_device_train_batch_size: int = 8  # one sequence a row, where preference methods have two
    gradient_accumulation_steps: int = 2

    def problems(self) -> list[str]:
        found = super().problems()
        if self.streaming and self.max_steps <= 0:
            found.append("streaming: needs max_steps above 0, for nobody knows where a stream ends")
        if self.streaming and self.data_weights:
            found.append("data_weights: a stream reads each file once, then all again; leave them out")
        if self.streaming and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            found.append("streaming: one process reads; leave it out where several train")
        if self.train_embeddings and is_adapter(self.model):
            found.append(f"train_embeddings: {self.model} is an adapter already, trained further as it is; merge it first")
        for name in ("embedding_learning_rate", "loraplus_lr_ratio"):
            if (value := getattr(self, name)) is not None and value <= 0:
                found.append(f"{name}: {value} must be above 0")
        return found

    def unused(self) -> dict[str, str]:
        return super().unused() | {
            "embedding_learning_rate": "" if self.train_embeddings else "no embeddings are trained without --train_embeddings",
            "enable_thinking": "text has no turns to think in",
        }


# ---------------------------------------------------------------------------------------------- data


def check_row(row: dict) -> list[str]:
    """Problems of one row, found without a tokenizer; a row of another method names its script."""
    if not isinstance(row.get("text"), str):
        return [f"has no `text`: {kind_of_row(row)}; continued pre-training needs text rows"]
    return [] if row["text"].strip() else ["its text is empty"]


def encode(row: dict, tokenizer) -> list[int]:
    """A text's tokens and the end. Control tokens written in it are text; only the end is a control token."""
    return [*tokenizer(row["text"], add_special_tokens=False, split_special_tokens=True)["input_ids"], tokenizer.eos_token_id]


def stream_dataset(count: int, tokenizer, args: Args) -> TrainingData:
    """`count` rows, joined and cut into chunks of max_length tokens as they are trained."""
    files = data_files.files_of(args.data)
    rows = data_files.stream(files, functools.partial(encode, tokenizer=tokenizer), args.max_length, args.seed)
    summary = [
        f"rows:  {count}, streamed: joined to chunks of {args.max_length} tokens, all of them trained, in the order of the "
        f"file, mixed within {data_files.WINDOW} chunks"
    ]
    return TrainingData(rows, Counts(count, None, None, 0, args.max_length), [], summary)


def make_dataset(rows: list[dict], tokenizer, args: Args, path: str) -> TrainingData:
    """Chunks of at most max_length tokens for TRL's SFTTrainer, all of them trained."""
    from datasets import Dataset

    chunks, ids = [], []
    for row, id_ in zip(rows, ids_of(rows), strict=True):
        tokens = encode(row, tokenizer)
        cut = [tokens[at : at + args.max_length] for at in range(0, len(tokens), args.max_length)]
        chunks += cut
        ids += [id_] * len(cut)
    total = sum(map(len, chunks))
    counts = Counts(len(rows), total, total, 0, max(map(len, chunks)))
    summary = [
        f"rows:  {counts.rows}, read in {len(chunks)} chunks, {total} tokens, all of them trained",
        f"first: {excerpt(chunks[0], tokenizer)}",
    ]
    return TrainingData(Dataset.from_dict({"input_ids": chunks, "labels": chunks}), counts, ids, summary)


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """Unsloth's UnslothTrainer (TRL's SFTTrainer with a learning rate for embeddings) over adapters that Unsloth attaches."""
    from unsloth import UnslothTrainer, UnslothTrainingArguments

    more = {}
    if args.train_embeddings:
        more["target_modules"] = [*args.target_modules, "embed_tokens", "lm_head"]
        # Where input and output share one matrix they must go on sharing it, or the merged model is another one.
        more["ensure_weight_tying"] = True if model.config.tie_word_embeddings else None
    model = adapters.attach(model, args, **more)
    config = UnslothTrainingArguments(
        **trainer_config(
            args,
            held_out,
            embedding_learning_rate=args.embedding_learning_rate if args.train_embeddings else None,
            loraplus_lr_ratio=args.loraplus_lr_ratio,
            max_length=args.max_length,
            include_num_input_tokens_seen="non_padding",  # Unsloth's loss on a GPU drops TRL's own count
            packing=False,
            train_sampling_strategy="random" if args.streaming else "group_by_length",  # a stream has its own order
        )
    )
    with float32_adapters(model):
        return UnslothTrainer(model=model, args=config, train_dataset=train, eval_dataset=held_out, processing_class=tokenizer)


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    pipeline.run(parse_args(Args, __doc__), pipeline.Method("cpt", check_row, make_dataset, make_trainer, stream=stream_dataset))


if __name__ == "__main__":
    run_main(main)
