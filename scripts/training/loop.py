"""Plumbing that the training scripts share: checks, TRL's common arguments, the loop's records, saving. No method lives here.

Importing this file imports neither torch nor unsloth.
"""

import contextlib
import errno
import json
import os
import sys
from pathlib import Path

from common import models, processor, runs
from common.arguments import check_at_least
from common.errors import CheckFailed, UserError
from common.files import write_json, write_text
from common.models import check_model_name, has_cuda
from common.runs import finish_run, first_process
from training import adapters, callbacks, checkpoints, model_card

# What may differ when an interrupted run is continued; the effective batch must stay, `start_run` sees to that.
MAY_CHANGE = ("dry_run", "logging_steps", "save_steps", "report_to", "per_device_train_batch_size", "gradient_accumulation_steps")

# ---------------------------------------------------------------------------------------------- checks


def problems(args) -> list[str]:
    """Problems of the fields that every training script has, told without loading anything."""
    found = check_model_name(args.model) if args.model else []
    for name in ("data", "eval_data"):
        path = getattr(args, name)
        if path and not Path(path).is_file():
            found.append(f"{name}: there is no file {path}; data_prep/prepare.py makes it")
    found += check_at_least(
        args, 1, "lora_r", "lora_alpha", "per_device_train_batch_size", "gradient_accumulation_steps", "logging_steps"
    )
    if args.early_stopping_patience and not (args.eval_data and args.save_steps > 0):
        found.append("early_stopping_patience: needs eval_data to watch, and save_steps above 0 to keep the best of")
    if args.max_length < 16:
        found.append(f"max_length: {args.max_length} tokens hold no conversation; use 512 or more")
    if not 0 < args.learning_rate < 1:
        found.append(f"learning_rate: {args.learning_rate} is not between 0 and 1")
    if not args.target_modules:
        found.append("target_modules: names no layer")
    return found + adapters.problems(args)


def kind_of_row(row: dict) -> str:
    """What a row that does not fit seems to be, and the script that takes such rows."""
    kinds = (
        ("conversations", "a conversation, for sft.py"),
        ("messages", "a conversation, for sft.py"),
        ("chosen", "a preference row, for dpo.py, simpo.py, orpo.py or reward.py"),
        ("completion", "a feedback row, for kto.py"),
        ("options", "a scoring row, for evaluate.py"),
        ("labels", "a scoring row, for evaluate.py"),
        ("text", "a text row, for cpt.py"),
    )
    return next((f"it looks like {what}" for key, what in kinds if key in row), f"it has {', '.join(list(row)[:6]) or 'no keys'}")


def refuse_long_rows(rows: list[dict], lengths: list[int], max_length: int, path: str) -> None:
    """UserError where rows are longer than max_length tokens: an answer without its end teaches never to stop."""
    long = [row.get("id", number) for number, (row, n) in enumerate(zip(rows, lengths, strict=True), 1) if n > max_length]
    if long:
        raise UserError(
            f"{path}: {len(long)} of {len(rows)} rows are longer than max_length {max_length} tokens (the longest "
            f"has {max(lengths)}), first {long[:3]}; raise --max_length or shorten them in data_prep"
        )


# ---------------------------------------------------------------------------------------------- before training


def start_run(args) -> dict:
    """`runs.start_run`: out of memory, rows a pass and passes a step change, their product never."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    batch = processes * args.per_device_train_batch_size * args.gradient_accumulation_steps
    return runs.start_run(args, args.output_dir, MAY_CHANGE, effective_batch=batch)


def trainer_config(args, held_out=None) -> dict:
    """The arguments that every TRL trainer of this collection gets alike, as keywords for its config class."""
    if args.report_to == "wandb" and not (os.environ.get("WANDB_API_KEY") or (Path.home() / ".netrc").exists()):
        os.environ.setdefault("WANDB_MODE", "offline")  # never ask for a key in the middle of a run
    return dict(
        output_dir=args.output_dir,
        seed=args.seed,
        data_seed=args.seed,
        learning_rate=args.learning_rate,
        lr_scheduler_type=args.lr_scheduler_type,
        warmup_steps=args.warmup_steps,
        weight_decay=args.weight_decay,
        # Unsloth's stand-in on a processor, fused AdamW, makes a step 6 % longer than the plain one (RESULTS-training.md).
        optim="adamw_torch" if ("8bit" in args.optim or "paged" in args.optim) and not has_cuda() else args.optim,
        max_grad_norm=1.0,
        num_train_epochs=args.num_train_epochs,
        max_steps=args.max_steps,
        per_device_train_batch_size=args.per_device_train_batch_size,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        gradient_checkpointing=args.gradient_checkpointing,
        bf16=_bf16(),
        fp16=not _bf16(),
        logging_steps=args.logging_steps,
        logging_first_step=True,
        report_to=args.report_to,
        disable_tqdm=True,
        save_strategy="steps" if args.save_steps > 0 else "no",
        save_steps=max(args.save_steps, 1),
        save_total_limit=2,
        ddp_find_unused_parameters=False,  # every adapter is used in every pass
        logging_nan_inf_filter=False,  # it would show the mean in the place of a NaN
        **_evaluation(args, held_out),
    )


def _evaluation(args, held_out) -> dict:
    """Held-out loss at every epoch's end, or, to stop early by it, at every checkpoint, the best of which is kept."""
    if held_out is None:
        return {"eval_strategy": "no"}
    if not args.early_stopping_patience:
        return {"eval_strategy": "epoch"}
    best = {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
    return {"eval_strategy": "steps", "eval_steps": args.save_steps, **best}


def _bf16() -> bool:
    from unsloth import is_bfloat16_supported

    return is_bfloat16_supported()


def dtype():
    """The 16-bit type that this machine trains in, as Unsloth tells it; float32 on a processor without bfloat16."""
    import torch

    return torch.bfloat16 if _bf16() else torch.float16 if torch.cuda.is_available() else torch.float32


def load_model(args, run: dict, max_length: int | None = None):
    """The model that `args` names, its frozen weights as the adapter wants them, through Unsloth's FastLanguageModel.

    In full fine-tuning the weights are float32 and the arithmetic 16 bits: in bfloat16 an update under 1/256 of a
    weight is lost. On a processor NF4 is unpacked once where `run`'s memory plan has room for it.
    """
    import torch

    more = {}
    if args.adapter == "full":
        more = {"full_finetuning": True, **({"float32_mixed_precision": True} if has_cuda() else {"dtype": torch.float32})}
    model = models.load_model(args.model, max_length or args.max_length, adapters.in_4bit(args), **more)[0]
    if run["memory"] and run["memory"]["nf4_unpacked"]:
        processor.dequantize_nf4(model)
    return model


def tokenised(rows: list[dict] | None):
    """Rows that are tokenised already, as a dataset that TRL's trainers leave as it is; None for no rows.

    TRL's preference trainers render and tokenise text by themselves, with no way to hand in tokens. Their `map` and
    `filter` do nothing here, so that there is one rendering, and none of the hashing of the whole model that `map` does.
    """
    from datasets import Dataset

    class Tokenised(Dataset):
        def map(self, *args, **kwargs):
            return self

        filter = map

    return Tokenised.from_list(rows) if rows else None


@contextlib.contextmanager
def float32_adapters(model):
    """Keep adapters in float32 while TRL builds its trainer.

    TRL casts QLoRA's adapters to bfloat16, where an update under 1/256 of a weight is lost, and PEFT reads a
    checkpoint back as float32, so that a resumed run would differ. Unsloth keeps float32 on a GPU.
    """
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.is_floating_point():
            parameter.data = parameter.data.float()
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    four = getattr(base, "is_loaded_in_4bit", False)
    if four:  # what TRL asks before it casts; cast back afterwards, a weight that FSDP shares out would be of two types
        base.is_loaded_in_4bit = False
    yield
    if four:
        base.is_loaded_in_4bit = True


def show_config(args) -> None:
    """Print the resolved configuration as YAML that --config takes."""
    import dataclasses

    import yaml

    print("--- resolved configuration\n" + yaml.safe_dump(dataclasses.asdict(args), allow_unicode=True, sort_keys=False), end="")


def show_sample(encoded: dict, tokenizer) -> None:
    """Print one row as it is trained: what is given, and what is learnt."""
    given = [t for t, label in zip(encoded["input_ids"], encoded["labels"], strict=True) if label == -100]
    learnt = [t for t, label in zip(encoded["input_ids"], encoded["labels"], strict=True) if label != -100]
    print(f"given: {tokenizer.decode(given)[-300:]!r}\ntrained: {tokenizer.decode(learnt)[:300]!r}")


# ---------------------------------------------------------------------------------------------- training and saving


def train(trainer, run: dict, args, names: list) -> dict:
    """Train, from the last checkpoint where there is one; returns the metrics of the run.

    Writes `metrics.jsonl` (one line a log step) and `loss.png`, and prints a line for each step logged. `names` are the
    training rows' ids, in order. Raises CheckFailed for a loss that is no number, or explodes, naming the batch's rows, and
    for a disk that is full; out of memory the script starts itself anew with half the batch (`smaller_batch`).
    """
    from transformers import EarlyStoppingCallback, PrinterCallback

    output_dir = Path(args.output_dir)
    checkpoint = checkpoints.last(output_dir)
    if checkpoint:
        print(f"goes on from {checkpoint}")
    log = output_dir / "metrics.jsonl"
    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    kept = [line for line in log.read_text().splitlines() if json.loads(line)["step"] <= step] if log.exists() else []
    if first_process():
        write_json(run["noted"], run["settings"])
        write_text(log, "".join(line + "\n" for line in kept))

    trainer.remove_callback(PrinterCallback)
    if checkpoint:
        checkpoints.resume_from(checkpoint, trainer)
    trainer.add_callback(callbacks.watch(log, step))
    if args.early_stopping_patience:
        trainer.add_callback(EarlyStoppingCallback(args.early_stopping_patience))
    callbacks.refuse_nan(trainer, names)
    try:
        result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except (RuntimeError, MemoryError) as error:  # a GPU's is a RuntimeError too
        words = ("out of memory", "not enough memory", "allocate memory", "could not create a primitive")  # the last is oneDNN's
        if not isinstance(error, MemoryError) and not any(w in str(error) for w in words):
            raise
        smaller_batch(args, log)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise CheckFailed(
            f"the disk of {output_dir} is full; the last whole checkpoint stands: make room and start the same command again"
        ) from None
    if first_process():
        callbacks.draw_loss(log, output_dir / "loss.png")
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return {
        "train_loss": round(result.training_loss, 4),
        "steps": trainer.state.global_step,
        "train_seconds": round(result.metrics["train_runtime"], 1),
        "trainable_parameters": trained,
        "best_checkpoint": Path(trainer.state.best_model_checkpoint).name if trainer.state.best_model_checkpoint else None,
    }


def smaller_batch(args, log: Path) -> None:
    """Start this script anew with half the rows a forward pass and twice the passes: the effective batch stays.

    Raises CheckFailed where there is nothing to halve. A new process, because memory that an allocator holds is not
    given back; it goes on from the last checkpoint.
    """
    rows, passes = args.per_device_train_batch_size, args.gradient_accumulation_steps
    if "WORLD_SIZE" in os.environ:
        raise CheckFailed("out of memory in one of several processes; halve per_device_train_batch_size and start again")
    if rows == 1:
        raise CheckFailed(
            f"out of memory with one row a forward pass; lower max_length (now {args.max_length}), turn gradient_checkpointing "
            "on, take a smaller model, or lower lora_r; --dry_run estimates what is needed"
        )
    half, passes = (rows // 2, passes * 2) if rows % 2 == 0 else (1, passes * rows)
    print(f"out of memory: {half} rows a forward pass from here on, {passes} passes a step; the effective batch stays")
    with open(log, "a", encoding="utf-8") as file:
        file.write(json.dumps({"step": 0, "out_of_memory": {"per_device_train_batch_size": half}}) + "\n")
    sys.stdout.flush()
    flags = ["--per_device_train_batch_size", str(half), "--gradient_accumulation_steps", str(passes)]
    os.execv(sys.executable, [sys.executable, *sys.argv, *flags])


def finish(trainer, tokenizer, run: dict, args, metrics: dict) -> None:
    """Save the model, run.json and the model card; only the first of several processes writes."""
    sharded = checkpoints.is_sharded(trainer.model)
    weights = trainer.accelerator.get_state_dict(trainer.model) if sharded else None  # all processes take part
    if not trainer.is_world_process_zero():
        return
    files = [p for p in (args.data, getattr(args, "eval_data", None)) if p]
    held_out = [m for m in trainer.state.log_history if "eval_loss" in m]
    if held_out:
        metrics = metrics | {"held_out": {k.removeprefix("eval_"): v for k, v in held_out[-1].items() if k.startswith("eval_")}}
    checkpoints.save_model(trainer.model, tokenizer, args.output_dir, weights)
    write_text(Path(args.output_dir, "README.md"), model_card.card(args, run, metrics, files))
    finish_run(run, args, args.output_dir, files, metrics, memory=run["memory"])
    print(f"done:  {args.output_dir} (model or adapter, tokenizer, README.md, run.json, metrics.jsonl, loss.png)")
