"""What the training scripts watch: a line and a record for each log step, warnings, losses that are not finite, a picture.

Importing this file imports neither torch nor unsloth.
"""

import collections
import json
import time
from pathlib import Path

from common.errors import CheckFailed

FIGURES = {"reward": "reward", "accuracy": "accuracy", "rewards/accuracies": "accuracy"}  # shown beside the loss


def figures(record: dict) -> str:
    """What a line shows beside the loss: the reward in GRPO and RLOO, the share of pairs ranked right in preference methods."""
    return "".join(f"  {words} {float(record[name]):.3f}" for name, words in FIGURES.items() if record.get(name) is not None)


def watch(log: Path, first_step: int):
    """Callback that writes metrics.jsonl, prints a line for each log step, and stops or warns (`Trend`)."""
    from transformers import TrainerCallback

    start, trend = time.monotonic(), Trend()

    class Watch(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            if 1 <= args.warmup_steps and 2 * args.warmup_steps > state.max_steps and state.is_world_process_zero:
                said = f"warmup_steps {args.warmup_steps:g} is more than half of {state.max_steps} steps"
                print(f"warning: {said}; the learning rate hardly reaches its peak")

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step >= state.max_steps:  # the last loss, whatever logging_steps is
                control.should_log = True

        def on_log(self, args, state, control, logs=None, **kwargs):
            if not state.is_world_process_zero:
                return
            seconds = time.monotonic() - start
            record = {"step": state.global_step, "seconds": round(seconds, 1), **(logs or {})}
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            where = f"step {state.global_step}/{state.max_steps}"
            if "loss" in record:
                left = seconds / max(state.global_step - first_step, 1) * (state.max_steps - state.global_step)
                tokens = record.get("num_input_tokens_seen")
                speed = f"  {tokens / seconds:.0f} tokens/s" if tokens and not first_step else ""
                rate = f"learning rate {float(record['learning_rate']):.2e}"
                print(f"{where}  loss {float(record['loss']):.4f}{figures(record)}  {rate}{speed}  {left:.0f} s left")
                trend.check(record)
            elif held_out := {name.removeprefix("eval_"): value for name, value in record.items() if name.startswith("eval_")}:
                loss = f"  held-out loss {float(held_out['loss']):.4f}" if "loss" in held_out else "  held out"
                print(f"{where}{loss}{figures(held_out)}")

    return Watch


def unlearnt(log: Path, name: str, larger_is_better: bool) -> list[str]:
    """A warning where metrics.jsonl's loss, or reward, is no better in the last third of a run than in the first."""
    logged = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    values = [float(record[name]) for record in logged if record.get(name) is not None]  # a reward is None where none was given
    third = len(values) // 3
    if not third or max(map(abs, values)) < 0.01:
        return []
    first, last = (sum(part) / third for part in (values[:third], values[-third:]))
    if last > first if larger_is_better else last < first:
        return []
    way = "rise" if larger_is_better else "fall"
    return [
        f"warning: the {name} did not {way} ({first:.4f} in the first third of the run, {last:.4f} in the last): look at "
        "learning_rate, at the number of steps, and at the rows; score the result before it is used"
    ]


class Trend:
    """The loss and the chosen answers' likelihood since the start."""

    def __init__(self):
        self.loss: float | None = None
        self.chosen: float | None = None
        self.warned = False

    def check(self, record: dict) -> None:
        """Raises CheckFailed for a loss that explodes; warns once where the chosen answers become less likely."""
        loss, chosen = float(record["loss"]), record.get("logps/chosen")
        self.loss = loss if self.loss is None else self.loss
        if loss > 2 * abs(self.loss) + 2:  # from 2.0, a usual start, to 6.0: far beyond the noise of a batch
            raise CheckFailed(
                f"the loss explodes: {self.loss:.3f} at the start, {loss:.3f} at step {record['step']}; "
                "lower learning_rate (a tenth is a good try) or raise warmup_steps"
            )
        if chosen is None:
            return
        self.chosen = float(chosen) if self.chosen is None else self.chosen
        if not self.warned and float(chosen) < self.chosen - 0.2 * abs(self.chosen):
            self.warned = True
            print(
                f"warning: the chosen answers become less likely (logps/chosen {self.chosen:.1f} -> {float(chosen):.1f}), "
                "the early sign of a model that babbles; lower learning_rate, or set rpo_alpha (DPO), cpo_alpha (SimPO)"
            )


def refuse_nan(trainer, ids: list, rows=None) -> None:
    """Make the trainer stop at the first loss that is not finite, naming the rows of that batch by `ids`, in place.

    `rows`: the tokenised rows that `ids` name, where packing has replaced the trainer's own.
    """
    import torch

    collate, compute = trainer.data_collator, trainer.compute_loss
    recent = collections.deque(maxlen=64)  # the loader is a batch or two ahead of the loss

    def remember(features, *more):
        recent.extend(features)
        return collate(features, *more)

    remember.__dict__.update(getattr(collate, "__dict__", {}))  # Unsloth asks the collator whether it is padding-free

    def rows_of(inputs) -> list:
        sequences = sequences_of(inputs)
        if rows is not None and "packed_seq_lengths" in inputs:
            return [id_ for id_, row in zip(ids, rows, strict=True) if first_tokens(row) in sequences]
        batch = [tokens for feature in recent if (tokens := first_tokens(feature)) and any(_begins(s, tokens) for s in sequences)]
        return [id_ for id_, row in zip(ids, trainer.train_dataset, strict=False) if first_tokens(row) in batch]

    def checked(model, inputs, *more, **rest):
        outcome = compute(model, inputs, *more, **rest)
        loss = outcome[0] if isinstance(outcome, tuple) else outcome
        if not torch.isfinite(loss).all():
            rows = ", ".join(map(str, rows_of(inputs))) or "unknown"
            raise CheckFailed(
                f"the loss is {float(loss.detach())} at step {trainer.state.global_step + 1}, rows {rows}; look at them, lower "
                "learning_rate, and start again from the last checkpoint"
            )
        return outcome

    trainer.data_collator, trainer.compute_loss = remember, checked


def sequences_of(inputs: dict) -> list[list[int]]:
    """Token sequences of a batch: its rows, or, where documents are joined without padding, each document."""
    lines = [row for value in inputs.values() if getattr(value, "ndim", 0) == 2 for row in value.tolist()]
    lengths = inputs.get("packed_seq_lengths")
    if lengths is None:
        return lines
    found = []
    for line in lines:
        at = 0
        for length in lengths.tolist():
            found.append(line[at : at + length])
            at += length
    return found


def first_tokens(feature: dict) -> list[int] | None:
    """The first token list of a row, in the columns of any method."""
    names = ("input_ids", "prompt_ids", "chosen_ids", "prompt_input_ids")
    return next((list(feature[name]) for name in names if name in feature), None)


def _begins(sequence: list[int], tokens: list[int]) -> bool:
    return sequence[: len(tokens)] == tokens


def draw_loss(log: Path, picture: Path) -> None:
    """The training and the held-out loss by step, as a PNG."""
    from matplotlib.figure import Figure

    records = [json.loads(line) for line in log.read_text().splitlines()]
    axes = (figure := Figure(figsize=(7, 3.5), layout="constrained")).subplots()
    for name, label, style in (("loss", "training", "-"), ("eval_loss", "held out", "o--")):
        if points := [(r["step"], float(r[name])) for r in records if name in r]:
            axes.plot(*zip(*points, strict=True), style, label=label)
    axes.set(xlabel="optimizer step", ylabel="loss")
    axes.legend()
    figure.savefig(picture, dpi=120)
