"""A training from its first step to the saved model: resuming, records, out of memory, the model card.

Importing this file imports neither torch nor unsloth.
"""

import errno
import json
import os
import sys
from pathlib import Path

from common.errors import CheckFailed
from common.files import reading, whole_lines, write_json, write_text
from common.hashes import weights_sha256
from common.hub import push
from common.models import BASE_WEIGHTS, adapter_config
from common.runs import Run, finish_run, first_process
from training import callbacks, checkpoints, model_card
from training.data_files import files_of

from data_prep.common.errors import is_memory_problem
from data_prep.common.files import on_disk

LOCK = ".train.lock"  # in the output folder, held while a training writes there
NO_NUMBERS = "probability tensor contains either `inf`, `nan`"  # torch.multinomial


def train(trainer, run: Run, args, ids: list, rows=None) -> dict:
    """Train, from the last checkpoint where there is one; returns the metrics of the run.

    Writes `metrics.jsonl` (one line a log step) and `loss.png`, and prints a line for each step logged. `ids` name the
    tokenised `rows`, in order. Raises CheckFailed for a loss that is not finite, or explodes, naming the batch's rows, and for
    a full disk; out of memory the script starts itself anew with a smaller batch (`restart_with_smaller_batch`).
    """
    output_dir = Path(args.output_dir)
    checkpoint = checkpoints.last(output_dir)
    log = output_dir / "metrics.jsonl"
    _prepare(trainer, run, args, checkpoint, log)
    callbacks.refuse_nan(trainer, ids, rows)
    before = checkpoints.sizes(trainer.model)
    try:
        result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except (RuntimeError, MemoryError) as error:  # CUDA's is a RuntimeError too
        if NO_NUMBERS in str(error):  # GRPO and RLOO draw answers before there is a loss
            raise CheckFailed(
                "the model's probabilities are no numbers, so it can answer nothing: its weights are broken, or learning_rate is "
                "too high; start again from a checkpoint before that, or from a model that evaluate.py can score"
            ) from None
        if not is_memory_problem(error):
            raise
        restart_with_smaller_batch(args, log)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise CheckFailed(
            f"the disk of {output_dir} is full; the last whole checkpoint stands: make room and start the same command again"
        ) from None
    if first_process():
        for line in callbacks.unlearnt(log, args.WATCHED, args.LARGER_IS_BETTER):
            print(line)
        if before and checkpoints.sizes(trainer.model) == before:
            print("warning: no weight has changed, the result is the model it began with: every step's rate or gradient was 0")
        callbacks.draw_loss(log, output_dir / "loss.png")
        for path in (log, output_dir / "loss.png"):
            on_disk(path)
    best = trainer.state.best_model_checkpoint
    return {
        "train_loss": round(_mean_loss(trainer.state.log_history) if checkpoint else result.training_loss, 4),
        "steps": trainer.state.global_step,
        "tokens_seen": trainer.state.num_input_tokens_seen or None,  # padding left out; counted by sft.py and cpt.py
        "train_seconds": round(result.metrics["train_runtime"], 1),
        "trainable_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "best_checkpoint": Path(best).name if best else None,
    }


def _mean_loss(logged: list[dict]) -> float:
    """Mean loss of all steps, from what was logged; the trainer's own leaves out those before it went on, and divides by all."""
    total, before = 0.0, 0
    for record in logged:
        if "loss" in record:  # the mean of the steps since the last such record
            total, before = total + float(record["loss"]) * (record["step"] - before), record["step"]
    return total / before if before else 0.0


def _prepare(trainer, run: Run, args, checkpoint: Path | None, log: Path) -> None:
    """Settings and log as they were at the checkpoint; the callbacks."""
    from transformers import EarlyStoppingCallback, PrinterCallback

    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    with reading(log):
        kept = [line.decode() for line in whole_lines(log) if json.loads(line)["step"] <= step]
    if first_process():
        write_json(run.settings_file, run.settings | {"versions": run.begun_with})
        write_text(log, "".join(kept))
    checkpoints.save_in_order()
    trainer.remove_callback(PrinterCallback)
    if checkpoint:
        print(f"goes on from {checkpoint}")
        checkpoints.resume_from(checkpoint, trainer)
    trainer.add_callback(callbacks.watch(log, step))
    if args.early_stopping_patience:
        trainer.add_callback(EarlyStoppingCallback(args.early_stopping_patience))


def restart_with_smaller_batch(args, log: Path) -> None:
    """Start this script anew with half the rows a forward pass or fewer, and more passes: the effective batch stays.

    Raises CheckFailed where fewer rows will not do. A new process, because memory that an allocator holds is not
    given back; it goes on from the last checkpoint.
    """
    if "WORLD_SIZE" in os.environ:
        raise CheckFailed("out of memory in one of several processes; halve per_device_train_batch_size and start again")
    if not (smaller := args.smaller_batch()):
        raise CheckFailed(
            f"out of memory at per_device_train_batch_size {args.per_device_train_batch_size}, the least; lower max_length "
            f"(now {args.max_length}), turn gradient_checkpointing on, take a smaller model, or lower lora_r; --dry_run "
            "estimates what is needed"
        )
    rows, passes = smaller
    print(f"out of memory: {rows} rows a forward pass from here on, {passes} passes a step; the effective batch stays")
    with open(log, "a", encoding="utf-8") as file:
        file.write(json.dumps({"step": 0, "out_of_memory": {"per_device_train_batch_size": rows}}) + "\n")
    sys.stdout.flush()
    flags = ["--per_device_train_batch_size", str(rows), "--gradient_accumulation_steps", str(passes)]
    os.execv(sys.executable, [sys.executable, *sys.argv, *flags])


def finish(trainer, tokenizer, run: Run, args, metrics: dict, plan=None) -> None:
    """Save the model, run.json and the model card; only the first of several processes writes. `plan`: memory.Plan."""
    sharded = checkpoints.is_sharded(trainer.model)
    weights = trainer.accelerator.get_state_dict(trainer.model) if sharded else None  # all processes take part
    if not trainer.is_world_process_zero():
        return
    files = files_of(args.data) + files_of(args.eval_data)
    evaluations = [m for m in trainer.state.log_history if f"eval_{args.WATCHED}" in m]
    if evaluations:
        first, last = ({k.removeprefix("eval_"): v for k, v in evaluations[i].items() if k.startswith("eval_")} for i in (0, -1))
        metrics = metrics | ({"held_out_before": first} if evaluations[0]["step"] == 0 else {}) | {"held_out": last}
    checkpoints.save_model(trainer.model, tokenizer, args.output_dir, weights)
    write_text(Path(args.output_dir, "README.md"), model_card.card(args, run, metrics, files))
    base = adapter_config(args.output_dir).get("base_model_name_or_path")
    more = {BASE_WEIGHTS: weights_sha256(base)} if base else {}
    finish_run(run, args, args.output_dir, files, metrics, memory=plan.record() if plan else None, **more)
    print(f"done:  {args.output_dir} (model or adapter, tokenizer, README.md, run.json, metrics.jsonl, loss.png)")
    if args.push_to_hub:
        ignore = ("checkpoint-*/**", "settings.json", LOCK)
        url = push(Path(args.output_dir), args.hub_model_id, args.hub_private_repo, ignore=ignore)
        print(f"pushed: {url}")
