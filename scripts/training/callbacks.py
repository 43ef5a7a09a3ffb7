"""What the training scripts watch while they train: lines and metrics.jsonl, warnings, losses that are no numbers, a picture.

Importing this file imports neither torch nor unsloth.
"""

import json
import time
from pathlib import Path

from common.errors import CheckFailed


def told(record: dict) -> str:
    """What a line says beside the loss: the reward in GRPO, the share of pairs ranked right in preference methods."""
    names = {"reward": "reward", "accuracy": "accuracy", "rewards/accuracies": "accuracy"}
    return "".join(f"  {words} {float(record[name]):.3f}" for name, words in names.items() if name in record)


def watch(log: Path, first_step: int):
    """Callback that writes metrics.jsonl, prints a line for each log step, and warns of what preference methods do wrong."""
    from transformers import TrainerCallback

    begin = {"clock": time.monotonic(), "loss": None, "chosen": None}

    class Watch(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            if not state.is_world_process_zero:
                return
            seconds = time.monotonic() - begin["clock"]
            record = {"step": state.global_step, "seconds": round(seconds, 1), **(logs or {})}
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            where = f"step {state.global_step}/{state.max_steps}"
            if "loss" in record:
                left = seconds / max(state.global_step - first_step, 1) * (state.max_steps - state.global_step)
                speed = (
                    f"  {float(record['num_tokens']) / seconds:.0f} tokens/s"
                    if record.get("num_tokens") and not first_step
                    else ""
                )
                rate = f"learning rate {float(record['learning_rate']):.2e}"
                print(f"{where}  loss {float(record['loss']):.4f}{told(record)}  {rate}{speed}  {left:.0f} s left")
                self.check(record)
            elif "eval_loss" in record:
                held_out = {name.removeprefix("eval_"): value for name, value in record.items()}
                print(f"{where}  held-out loss {float(held_out['loss']):.4f}{told(held_out)}")

        def check(self, record):
            loss, chosen = float(record["loss"]), record.get("logps/chosen")
            begin["loss"] = loss if begin["loss"] is None else begin["loss"]
            if loss > 2 * abs(begin["loss"]) + 2:  # from 2.0, a usual start, to 6.0: far beyond the noise of a batch
                raise CheckFailed(
                    f"the loss explodes: {begin['loss']:.3f} at the start, {loss:.3f} at step {record['step']}; "
                    "lower learning_rate (a tenth is a good try) or raise warmup_steps"
                )
            if chosen is None:
                return
            begin["chosen"] = float(chosen) if begin["chosen"] is None else begin["chosen"]
            if begin["chosen"] is not False and float(chosen) < begin["chosen"] - 0.2 * abs(begin["chosen"]):
                print(
                    f"warning: the chosen answers become less likely (logps/chosen "
                    f"{begin['chosen']:.1f} -> {float(chosen):.1f}), "
                    "the early sign of a model that babbles; lower learning_rate, or set rpo_alpha (DPO), cpo_alpha (SimPO)"
                )
                begin["chosen"] = False

    return Watch


def refuse_nan(trainer, names: list) -> None:
    """Make the trainer stop at the first loss that is no finite number, naming the rows of that batch."""
    import collections

    import torch

    collate, compute = trainer.data_collator, trainer.compute_loss
    recent = collections.deque(maxlen=64)  # the loader is a batch or two ahead of the loss

    def remember(features, *more):
        recent.extend(features)
        return collate(features, *more)

    def ids_of(feature):
        return next(
            (list(feature[k]) for k in ("input_ids", "prompt_ids", "chosen_ids", "prompt_input_ids") if k in feature), None
        )

    def rows_of(inputs) -> list:
        lines = [row for value in inputs.values() if getattr(value, "ndim", 0) == 2 for row in value.tolist()]
        batch = [ids for feature in recent if (ids := ids_of(feature)) and any(row[: len(ids)] == ids for row in lines)]
        return [name for name, row in zip(names, trainer.train_dataset, strict=False) if ids_of(row) in batch]

    def checked(model, inputs, *more, **rest):
        told_loss = compute(model, inputs, *more, **rest)
        loss = told_loss[0] if isinstance(told_loss, tuple) else told_loss
        if not torch.isfinite(loss).all():
            rows = ", ".join(map(str, rows_of(inputs))) or "not to be told"
            raise CheckFailed(
                f"the loss is {float(loss.detach())} at step {trainer.state.global_step + 1}, rows {rows}; look at them, lower "
                "learning_rate, and start again from the last checkpoint"
            )
        return told_loss

    trainer.data_collator, trainer.compute_loss = remember, checked


def draw_loss(log: Path, picture: Path) -> None:
    """The training and the held-out loss by step, as a PNG."""
    from matplotlib.figure import Figure

    records = [json.loads(line) for line in log.read_text().splitlines()]
    axes = (figure := Figure(figsize=(7, 3.5), layout="constrained")).subplots()
    for name, label, style in (("loss", "training", "-"), ("eval_loss", "held out", "o--")):
        if points := [(r["step"], float(r[name])) for r in records if name in r]:
            axes.plot(*zip(*points, strict=True), style, label=label)
    axes.set(xlabel="optimiser step", ylabel="loss")
    axes.legend()
    figure.savefig(picture, dpi=120)
