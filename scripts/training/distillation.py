"""What distill.py hands to TRL's GKD trainer: a teacher of the same vocabulary, batches of our own tokens, and what came of it.

Importing this file imports neither torch nor unsloth.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

from common import models
from common.errors import CheckFailed, UserError
from common.files import read_json
from training import peak

from data_prep.chat_template import IGNORED


def teacher_problems(teacher: str, model: str) -> list[str]:
    """Why this cannot be the teacher of `model`, told from names and adapter_config.json alone."""
    found = models.check_trainable_name(teacher, "teacher")
    if teacher == model:
        found.append(f"teacher: {teacher} is the model itself, from which there is nothing to learn")
    if models.plain_base_of(teacher):
        found.append(f"teacher: {teacher} is an adapter that Unsloth's kernels pass by; merge it first, or take another")
    if (task := models.adapter_config(teacher).get("task_type")) not in (None, "CAUSAL_LM"):
        found.append(f"teacher: {teacher} is an adapter for {task}, it writes no text")
    return found


@functools.cache
def check_vocabulary(model: str, teacher: str) -> None:
    """UserError where the two models do not mean the same word by a number, or have output layers of another size."""
    words, others = (models.load_tokenizer(name).get_vocab() for name in (model, teacher))
    if unlike := sorted(word for word in words.keys() | others.keys() if words.get(word) != others.get(word)):
        first = f"first {unlike[0]!r}, {words.get(unlike[0])} and {others.get(unlike[0])}"
        raise UserError(f"teacher: {teacher} has another vocabulary than {model}: {len(unlike)} tokens differ, {first}")
    mine, its = (peak.read_config(name)["vocab_size"] for name in (model, teacher))
    if mine != its:
        raise UserError(f"teacher: the output layer of {teacher} has {its} rows, that of {model} {mine}; GKD needs as many")


def load_teacher(args):
    """The teacher, frozen, through Unsloth as the student: on a GPU it has replaced the classes that both are of."""
    from unsloth import FastLanguageModel

    teacher, _ = models.load_model(args.teacher, args.max_length + args.max_new_tokens, args.teacher_load_in_4bit)
    FastLanguageModel.for_inference(teacher)
    teacher.config.use_cache = False  # it writes nothing, and a cache is 0.6 GB for 4 rows of 1,024 tokens at 8B
    return teacher.requires_grad_(False).eval()


def keep_checkpointing(trainer) -> None:
    """TRL ends checkpointing for each answer and then begins transformers' own: Unsloth's, which offloads, is reentrant."""
    model, kwargs = trainer.model, trainer.args.gradient_checkpointing_kwargs
    if kwargs:
        model.gradient_checkpointing_enable = functools.partial(
            model.gradient_checkpointing_enable, gradient_checkpointing_kwargs=kwargs
        )


def answer_start(labels: list[int]) -> int:
    """Where the last answer begins: what stands before it is what the student is asked."""
    last = max(i for i, label in enumerate(labels) if label != IGNORED)
    return next((i + 1 for i in range(last, -1, -1) if labels[i] == IGNORED), 0)


@dataclass
class Collator:
    """Rows of input_ids and labels as the batch that TRL's GKD trainer takes; its own collator renders text by itself."""

    pad_token_id: int

    def __call__(self, rows: list[dict]) -> dict:
        import torch
        from trl.trainer.utils import pad

        def padded(lists, value: int, side: str = "right"):
            return pad([torch.tensor(numbers) for numbers in lists], value, side)

        ids, labels = ([row[name] for row in rows] for name in ("input_ids", "labels"))
        prompts = [i[: answer_start(label)] for i, label in zip(ids, labels, strict=True)]
        return {
            "input_ids": padded(ids, self.pad_token_id),
            "attention_mask": padded([[1] * len(i) for i in ids], 0),
            "labels": padded(labels, IGNORED),
            "prompts": padded(prompts, self.pad_token_id, "left"),
            "prompt_attention_mask": padded([[1] * len(i) for i in prompts], 0, "left"),
        }


def check_moved(output_dir: str) -> None:
    """Print the divergence from the teacher on the held-out rows, before and after; CheckFailed where it did not fall."""
    metrics = read_json(Path(output_dir, "run.json"))["metrics"]
    before, after = (metrics[name]["loss"] for name in ("held_out_before", "held_out"))
    said = f"divergence from the teacher on the held-out rows: {before:.4f} before, {after:.4f} after"
    if after >= before:
        raise CheckFailed(f"{said}: the student did not move toward it; lower learning_rate, or take more rows")
    print(said)
