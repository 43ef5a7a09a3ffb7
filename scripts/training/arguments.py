"""The arguments that all training scripts share: a script's Args subclasses TrainingArgs and adds what its method needs.

Importing this file imports neither torch nor unsloth.
"""

import importlib.util
import math
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

from common.arguments import check_at_least
from common.errors import UserError
from common.hub import hub_problems
from common.machine import output_problems
from common.models import check_trainable_name
from training import adapters, checkpoints, data_files
from training.config_source import config_fields, is_of_kind, optimizers

from data_prep.chat_template import TEMPLATES


@dataclass
class TrainingArgs:
    """Names are those of transformers, TRL and PEFT; a subclass overrides defaults, and gives the reason of each."""

    CONFIG_CLASS: ClassVar[str] = "trl.trainer.sft_config.SFTConfig"
    """TRL's configuration class, which `trainer` is checked against"""
    REFUSED: ClassVar[dict[str, str]] = {"label_smoothing_factor": "it does nothing in this method"}
    """its fields that `trainer` may not set in this method, beside SET_HERE, and why"""
    WATCHED: ClassVar[str] = "loss"
    """held-out figure that early stopping follows"""
    LARGER_IS_BETTER: ClassVar[bool] = False
    LARGEST_RATE: ClassVar[float] = 2e-4
    """above it a learning rate is warned of, for low-rank adapters; forty times what preference methods have by default"""
    LEAST_ROWS: ClassVar[int] = 1
    """rows that a forward pass of this method must have"""

    model: str
    """hub id, model folder, or adapter folder to go on from"""
    data: list[str] | str
    """training rows (JSONL), one file or several"""
    data_weights: list[float] = field(default_factory=list)
    """one a file of data: how often its rows are read an epoch, 0.5: a half of them, always the same; without any all once"""
    eval_data: str | None = None
    """held-out rows of the same shape, evaluated at every epoch's end"""
    output_dir: str = "runs/training"
    """where the adapter and the run's records go"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the tokenizer's own"""
    enable_thinking: bool = False
    """let the model think first; off, Qwen3's empty think block is part of the prompt"""
    max_length: int = 1024
    """longest row in tokens"""
    adapter: Literal[adapters.KINDS] = "qlora"
    """what is trained: low-rank updates on NF4 (qlora) or 16-bit weights (lora), or another kind of training/adapters.py"""
    load_in_4bit: bool | None = None
    """load the frozen weights in NF4; without a value as the adapter needs it"""
    load_in_8bit: bool = False
    """load the frozen weights in bitsandbytes' int8, for lora and rslora; needs a CUDA GPU"""
    load_in_fp8: bool = False
    """load the frozen weights in FP8, for lora and rslora; needs an H100 or newer"""
    lora_r: int = 16
    """rank of the adapters; an adapter folder keeps its own"""
    lora_alpha: int = 16
    """scale of the adapters; the update is multiplied by lora_alpha / lora_r (rslora: / sqrt(lora_r))"""
    lora_dropout: float = 0.0
    """dropout in the adapters; Unsloth's fused kernels want 0"""
    target_modules: list[str] = field(default_factory=lambda: list(adapters.LAYERS))
    """layers that get an adapter"""
    learning_rate: float = 5e-6
    """peak learning rate"""
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    """how the learning rate falls"""
    warmup_steps: float = 0.1
    """steps to the peak; below 1 it is a share of all steps"""
    weight_decay: float = 0.0
    """AdamW's weight decay"""
    max_grad_norm: float = 1.0
    """gradients are scaled down to this norm; 0: never"""
    num_train_epochs: float = 1.0
    """passes over the data"""
    max_steps: int = -1
    """stop after so many optimizer steps; -1: by epochs"""
    per_device_train_batch_size: int = 2
    """rows a forward pass"""
    gradient_accumulation_steps: int = 8
    """forward passes an optimizer step"""
    gradient_checkpointing: bool | None = None
    """recompute activations: less memory, more time; without a value on a GPU, and where memory is short"""
    optim: str = "adamw_8bit"
    """optimizer by its transformers name; without a GPU plain AdamW replaces an 8-bit one"""
    logging_steps: int = 5
    """optimizer steps a line of metrics.jsonl"""
    save_steps: float = 0.1
    """optimizer steps a checkpoint; below 1 it is a share of all steps: killed, a run loses a tenth at most; 0: none"""
    seed: int = 3407
    """seed of adapters, order and dropout"""
    early_stopping_patience: int = 0
    """stop after so many checkpoints without a better held-out figure, and keep the best; 0: never"""
    report_to: Literal["none", "tensorboard", "wandb", "trackio"] = "none"
    """experiment tracker; wandb without a key logs offline"""
    push_to_hub: bool = False
    """upload the result with its model card when all is saved"""
    hub_model_id: str | None = None
    """repository for --push_to_hub, OWNER/NAME"""
    hub_private_repo: bool = True
    """make that repository private"""
    trainer: dict[str, Any] = field(default_factory=dict)
    """for experts: further fields of TRL's configuration class as they are, e.g. {neftune_noise_alpha: 5}"""
    dry_run: bool = False
    """check everything, show one row as trained, load no model"""

    def problems(self) -> list[str]:
        """What is wrong with the values, found without loading anything."""
        found = check_trainable_name(self.model) if self.model else []
        for name in ("data", "eval_data"):
            missing = [path for path in data_files.files_of(getattr(self, name)) if not Path(path).is_file()]
            found += [f"{name}: there is no file {path}; data_prep/prepare.py makes it" for path in missing]
        found += data_files.problems(self)
        found += check_at_least(self, 1, "lora_r", "lora_alpha", "gradient_accumulation_steps", "logging_steps")
        found += check_at_least(self, self.LEAST_ROWS, "per_device_train_batch_size")
        found += check_at_least(self, 0, "max_grad_norm", "weight_decay")
        found += ([] if self.dry_run else output_problems(self.output_dir)) + checkpoints.others_files(self.output_dir)
        if self.early_stopping_patience and not (self.eval_data and self.save_steps > 0):
            found.append("early_stopping_patience: needs eval_data to watch, and save_steps above 0 to keep the best of")
        found += check_at_least(self, 0, "save_steps", "warmup_steps", "early_stopping_patience")
        if self.save_steps > 1 and self.save_steps % 1:
            found.append(f"save_steps: {self.save_steps} is neither a number of steps nor a share of all below 1")
        if self.max_steps < 1 and (self.max_steps != -1 or self.num_train_epochs <= 0):
            found.append("num_train_epochs, max_steps: no step would be trained; give epochs above 0, or max_steps 1 or more")
        if not 0 <= self.lora_dropout < 1:
            found.append(f"lora_dropout: {self.lora_dropout} is not between 0 and 1")
        if self.optim not in optimizers():
            found.append(f"optim: transformers has no {self.optim!r}; adamw_8bit and adamw_torch are usual")
        if self.max_length < 16:
            found.append(f"max_length: {self.max_length} tokens hold no conversation; use 512 or more")
        if not 0 < self.learning_rate < 1:
            found.append(f"learning_rate: {self.learning_rate} is not between 0 and 1")
        if not self.target_modules:
            found.append("target_modules: names no layer")
        if getattr(self, "packing", False) and self.adapter in adapters.PLAIN:
            found.append(f"packing: {self.adapter} is trained on a plain model, which joins no rows")
        if self.report_to != "none" and importlib.util.find_spec(self.report_to) is None:
            found.append(f"report_to: {self.report_to} is not installed; run: pip install {self.report_to}")
        if self.push_to_hub:
            found += hub_problems(self.hub_model_id, self.hub_private_repo)
        return found + adapters.problems(self) + self._trainer_problems()

    def unused(self) -> dict[str, str]:
        """Fields that change nothing here, each with the reason, "" where it does (common.arguments.tell_unused)."""
        constant = self.lr_scheduler_type == "constant" and self.warmup_steps
        return adapters.unused(self) | {
            "warmup_steps": "constant warms up no rate, constant_with_warmup does" if constant else "",
            "hub_model_id": "" if self.push_to_hub else "nothing is uploaded without --push_to_hub",
        }

    def rows_a_step(self) -> int:
        """Rows that an optimizer step takes, all processes together."""
        return int(os.environ.get("WORLD_SIZE", "1")) * self.per_device_train_batch_size * self.gradient_accumulation_steps

    def warnings(self, rows: int) -> list[str]:
        """What will teach little or spoil the model: an unusual rate, few steps. Raises UserError where nothing can be learnt."""
        usual = (1e-7, self.LARGEST_RATE * adapters.RATE.get(self.adapter, 1))
        found = []
        if not usual[0] <= self.learning_rate <= usual[1]:
            found.append(
                f"warning: learning_rate {self.learning_rate:g} is outside of {usual[0]:g} to {usual[1]:g}, which --adapter "
                f"{self.adapter} bears in this method; a rate too high spoils the model, one too low changes nothing"
            )
        steps = math.ceil(math.ceil(rows / self.rows_a_step()) * self.num_train_epochs)
        if self.max_steps > 0 or steps >= FEW_STEPS:
            return found
        said = f"{rows} row{'s' * (rows != 1)} at {self.rows_a_step()} a step make {steps} optimizer step{'s' * (steps > 1)}"
        more = "raise num_train_epochs, lower gradient_accumulation_steps or per_device_train_batch_size, or bring more rows"
        if steps == 1 and self.warmup_steps and self.lr_scheduler_type != "constant":
            raise UserError(f"num_train_epochs: {said}, whose rate is 0 while it warms up, so nothing would be learnt; {more}")
        return [*found, f"warning: {said}, which changes little; {more}"]

    def smaller_batch(self) -> tuple[int, int] | None:
        """Rows a forward pass and passes a step: fewer at once, as many a step; None where no fewer will do."""
        rows = self.per_device_train_batch_size
        fewer = next((n for n in range(rows // 2, self.LEAST_ROWS - 1, -1) if rows % n == 0), None)
        return (fewer, self.gradient_accumulation_steps * rows // fewer) if fewer else None

    def _trainer_problems(self) -> list[str]:
        """Keys of `trainer` that TRL's configuration does not have, or that this collection sets itself; and kinds."""
        found = []
        known = config_fields(self.CONFIG_CLASS) if self.trainer else {}
        own = {f.name for f in fields(self)}
        for key, value in self.trainer.items():
            if key in own:
                found.append(f"trainer: {key} is a flag of its own; pass --{key}")
            elif why := SET_HERE.get(key) or self.REFUSED.get(key):
                found.append(f"trainer: {key} is not taken ({why})")
            elif key not in known:
                found.append(f"trainer: {self.CONFIG_CLASS.rpartition('.')[2]} has no field {key}")
            elif not is_of_kind(value, known[key]):
                found.append(f"trainer: {key} is {value!r}; it takes {known[key]}")
        return found


def reference_problems(args) -> list[str]:
    """What DPO and KTO refuse: TRL takes all dropout out of a policy that is set against its reference."""
    said = "lora_dropout: not with a reference, which would differ from the policy by chance; leave it 0"
    return [said] if args.lora_dropout else []


FEW_STEPS = 12  # one pass over two hundred rows, by sixteen

# TRL's SFT shuffles where it prepares rows; Unsloth's own preparation, which takes that place, does not.
UNSHUFFLED = {"shuffle_dataset": "rows are drawn in a random order at every epoch; this would do nothing"}
SET_HERE = {  # fields of TRL's configurations that `trainer` may not change, and why
    "bf16": "by what the machine can do",
    "fp16": "by what the machine can do",
    "data_seed": "pass --seed",
    "save_strategy": "pass --save_steps",
    "eval_strategy": "pass --eval_data",
    "load_best_model_at_end": "pass --early_stopping_patience",
    "metric_for_best_model": "pass --early_stopping_patience",
    "greater_is_better": "pass --early_stopping_patience",
    "resume_from_checkpoint": "an interrupted run is resumed by itself",
    "save_only_model": "a checkpoint without its optimizer cannot be gone on from",
    "ignore_data_skip": "a resumed run would read rows again, and others never",
    "dataloader_drop_last": "the rows of a last, smaller batch would not be trained, and not be counted",
    "auto_find_batch_size": "out of memory the script halves the batch, and doubles gradient_accumulation_steps",
    "disable_tqdm": "progress is printed a line a step",
    "hub_token": "it would stand in run.json; log in with `hf auth login`, or set HF_TOKEN",
    "chat_template_kwargs": "pass --enable_thinking",
    "model_init_kwargs": "the model is loaded by Unsloth, with flags of their own",
    "trust_remote_code": "the model is loaded by Unsloth, which runs no code of a repository",
    "eos_token": "the tokenizer's own, and the chat template's end of a turn",
    "pad_token": "the tokenizer's own",
    "is_encoder_decoder": "every model here is a decoder",
    "max_completion_length": "for encoder-decoders; pass --max_length",
    "do_train": "it changes nothing",
    "do_eval": "pass --eval_data",
    "do_predict": "it changes nothing",
} | dict.fromkeys(  # what renders, masks or cuts text: it did nothing, and said nothing
    (
        "assistant_only_loss",
        "chat_template_path",
        "completion_only_loss",
        "dataset_kwargs",
        "dataset_text_field",
        "generate_during_eval",
        "remove_unused_columns",
        "truncation_mode",
    ),
    "rows are rendered, tokenised and masked already",
)
