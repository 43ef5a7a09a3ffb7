"""Plumbing that the training scripts share: checks, TRL's common arguments, the loop's records, saving. No method lives here.

Importing this file imports neither torch nor unsloth.
"""

import contextlib
import json
import os
import shutil
import time
from pathlib import Path

import adapters
from common import UserError, check_at_least, check_model_name, has_cuda, write_json, write_text
from common import load_model as load_pretrained

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
        optim=args.optim,
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
        eval_strategy="epoch" if held_out is not None else "no",
    )


def _bf16() -> bool:
    from unsloth import is_bfloat16_supported

    return is_bfloat16_supported()


def dtype():
    """The 16-bit type that this machine trains in, as Unsloth tells it; float32 on a processor without bfloat16."""
    import torch

    return torch.bfloat16 if _bf16() else torch.float16 if torch.cuda.is_available() else torch.float32


def load_model(args, max_length: int | None = None):
    """The model that `args` names, its frozen weights as the adapter wants them, through Unsloth's FastLanguageModel.

    In full fine-tuning the weights are float32 and the arithmetic 16 bits: in bfloat16 an update under 1/256 of a
    weight is lost.
    """
    import torch

    more = {}
    if args.adapter == "full":
        more = {"full_finetuning": True, **({"float32_mixed_precision": True} if has_cuda() else {"dtype": torch.float32})}
    return load_pretrained(args.model, max_length or args.max_length, adapters.in_4bit(args), **more)[0]


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
    before = {name: p.data for name, p in model.named_parameters() if p.requires_grad}
    yield
    for name, parameter in model.named_parameters():
        if name in before:
            parameter.data = before[name].float()


def show_sample(encoded: dict, tokenizer) -> None:
    """Print one row as it is trained: what is given, and what is learnt."""
    given = [t for t, label in zip(encoded["input_ids"], encoded["labels"], strict=True) if label == -100]
    learnt = [t for t, label in zip(encoded["input_ids"], encoded["labels"], strict=True) if label != -100]
    print(f"given: {tokenizer.decode(given)[-300:]!r}\ntrained: {tokenizer.decode(learnt)[:300]!r}")


# ---------------------------------------------------------------------------------------------- training and saving


def last_checkpoint(output_dir: str | Path) -> Path | None:
    """The newest whole checkpoint of a folder. trainer_state.json is written last, so its lack tells a broken one."""
    found = sorted(Path(output_dir).glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]), reverse=True)
    for checkpoint in found:
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
            return checkpoint
        except (OSError, ValueError):
            print(f"warning: {checkpoint} is incomplete and is passed over")
    return None


def told(record: dict) -> str:
    """What a line says beside the loss: the reward in GRPO, the share of pairs ranked right in preference methods."""
    names = {"reward": "reward", "accuracy": "pairs right", "rewards/accuracies": "pairs right"}
    return "".join(f"  {words} {float(record[name]):.3f}" for name, words in names.items() if name in record)


def train(trainer, run: dict, output_dir: str | Path) -> dict:
    """Train, from the last checkpoint where there is one; returns the metrics of the run.

    Writes `metrics.jsonl` (one line a log step) and prints a line for each.
    """
    from transformers import PrinterCallback, TrainerCallback

    output_dir = Path(output_dir)
    checkpoint = last_checkpoint(output_dir)
    if checkpoint:
        print(f"goes on from {checkpoint}")
    write_json(run["noted"], run["settings"])
    log = output_dir / "metrics.jsonl"
    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    kept = [line for line in log.read_text().splitlines() if json.loads(line)["step"] <= step] if log.exists() else []
    write_text(log, "".join(line + "\n" for line in kept))
    clock = {"start": time.monotonic(), "first": step}

    class Watch(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            seconds = time.monotonic() - clock["start"]
            record = {"step": state.global_step, "seconds": round(seconds, 1), **(logs or {})}
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            if "loss" in record:
                done = state.global_step - clock["first"]
                left = seconds / max(done, 1) * (state.max_steps - state.global_step)
                print(
                    f"step {state.global_step}/{state.max_steps}  loss {float(record['loss']):.4f}{told(record)}  "
                    f"learning rate {float(record['learning_rate']):.2e}  {left:.0f} s left"
                )
            elif "eval_loss" in record:
                held_out = {name.removeprefix("eval_"): value for name, value in record.items()}
                print(f"step {state.global_step}/{state.max_steps}  held-out loss {held_out['loss']:.4f}{told(held_out)}")

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Watch)
    result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return {
        "train_loss": round(result.training_loss, 4),
        "steps": trainer.state.global_step,
        "train_seconds": round(result.metrics["train_runtime"], 1),
        "trainable_parameters": trained,
    }


def save_model(model, tokenizer, output_dir: str | Path) -> None:
    """Save adapter (or model) and tokenizer into a folder beside its place, then move the files in one by one."""
    output_dir = Path(output_dir)
    temporary = output_dir / ".saving"
    shutil.rmtree(temporary, ignore_errors=True)
    # DPO holds its reference as a second adapter; only the trained one is the result.
    model.save_pretrained(temporary, **({"selected_adapters": ["default"]} if hasattr(model, "peft_config") else {}))
    if (output_dir / ".start").is_dir():
        adapters.take_off_start(temporary, output_dir / ".start")
    tokenizer.save_pretrained(temporary)
    for file in temporary.iterdir():
        os.replace(file, output_dir / file.name)
    temporary.rmdir()
    shutil.rmtree(output_dir / ".start", ignore_errors=True)
