"""What every TRL trainer of this collection gets alike: configuration, model, float32 adapters.

Importing this file imports neither torch nor unsloth.
"""

import contextlib
import os
from pathlib import Path

from common import models, processor
from common.arguments import given
from common.errors import UserError
from common.models import has_cuda
from training import adapters
from training.config_source import config_fields

# dataset_num_proc. datasets starts a worker even for 1, and one that waits for good where its parent is killed (SIGKILL); None is
# what Unsloth takes for "as many as there are cores".
IN_PROCESS = 0


def trainer_config(args, eval_dataset=None, **method) -> dict:
    """Keywords for a TRL configuration class: what all methods set alike, then `method`'s, then the user's `trainer`."""
    if args.report_to == "wandb" and not (os.environ.get("WANDB_API_KEY") or (Path.home() / ".netrc").exists()):
        os.environ.setdefault("WANDB_MODE", "offline")  # never ask for a key in the middle of a run
    # Unsloth replaces it by fused AdamW on a processor, a step 6 % longer than plain AdamW's (RESULTS-training.md).
    optim = "adamw_torch" if ("8bit" in args.optim or "paged" in args.optim) and not has_cuda() else args.optim
    if optim != args.optim and given(args, "optim"):
        print(f"note:  optim: without a GPU {optim} takes the place of {args.optim}")
    ours = dict(
        output_dir=args.output_dir,
        seed=args.seed,
        data_seed=args.seed,
        learning_rate=args.learning_rate,
        lr_scheduler_type=args.lr_scheduler_type,
        warmup_steps=args.warmup_steps,
        weight_decay=args.weight_decay,
        optim=optim,
        max_grad_norm=args.max_grad_norm,
        num_train_epochs=args.num_train_epochs,
        max_steps=args.max_steps,
        per_device_train_batch_size=args.per_device_train_batch_size,
        per_device_eval_batch_size=args.per_device_train_batch_size,  # what trains fits, without gradients, too
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        gradient_checkpointing=args.gradient_checkpointing,
        bf16=supports_bf16(),
        fp16=not supports_bf16(),
        logging_steps=args.logging_steps,
        logging_first_step=True,
        report_to=args.report_to,
        disable_tqdm=True,
        save_strategy="steps" if args.save_steps > 0 else "no",
        save_steps=args.save_steps or 1,
        save_total_limit=2,
        ddp_find_unused_parameters=False,  # every adapter is used in every pass
        logging_nan_inf_filter=False,  # it would log the mean instead of a NaN
        **_evaluation(args, eval_dataset),
    )
    if "dataset_num_proc" in config_fields(args.CONFIG_CLASS):
        ours["dataset_num_proc"] = IN_PROCESS
    return ours | method | args.trainer


def row_joining(args) -> dict:
    """How SFT fills a batch: packed, joined without padding (Unsloth's choice on a GPU), or rows of like length.

    Where rows are joined, like lengths gain nothing and make the order less random. Virtual tokens stand before a row, so
    rows cannot be joined; nor can they for a plain model, which does not know of Unsloth's joining.
    """
    strategy = "random" if has_cuda() and args.adapter not in adapters.PLAIN else "group_by_length"
    joined = {"padding_free": False} if args.adapter in adapters.PLAIN else {}
    return {"packing": args.packing, "eval_packing": False, "train_sampling_strategy": strategy} | joined


def check_packing(trainer, args) -> None:
    """UserError where Unsloth turned packing off for this model (unsloth/trainer.py, PADDING_FREE_BLOCKLIST and hybrids)."""
    if args.packing and not trainer.args.packing:
        raise UserError("packing: Unsloth packs no rows for this architecture; leave --packing out")


def _evaluation(args, eval_dataset) -> dict:
    """Evaluate at every epoch's end, or, to stop early, at every checkpoint, of which the best is kept."""
    if eval_dataset is None:
        return {"eval_strategy": "no"}
    if not args.early_stopping_patience:
        return {"eval_strategy": "epoch"}
    best = {"metric_for_best_model": f"eval_{args.WATCHED}", "greater_is_better": args.LARGER_IS_BETTER}
    return {"eval_strategy": "steps", "eval_steps": args.save_steps, "load_best_model_at_end": True, **best}


def supports_bf16() -> bool:
    """Whether this machine trains in bfloat16, as Unsloth finds it."""
    from unsloth import is_bfloat16_supported

    return is_bfloat16_supported()


def dtype():
    """torch.bfloat16, float16 on a GPU without it, float32 on a processor without it."""
    import torch

    return torch.bfloat16 if supports_bf16() else torch.float16 if torch.cuda.is_available() else torch.float32


def load_model(args, plan=None, max_length: int | None = None, **more):
    """The model that `args` names, its frozen weights as the adapter needs them, through Unsloth's FastLanguageModel.

    `more` goes to from_pretrained as it is.

    In full fine-tuning the weights are float32 and the arithmetic 16 bits: in bfloat16 an update under 1/256 of a
    weight is lost. On a processor NF4 is dequantised once where `plan` (memory.Plan) has room for it.
    """
    import torch

    if args.adapter == "full":
        more |= {"full_finetuning": True, **({"float32_mixed_precision": True} if has_cuda() else {"dtype": torch.float32})}
    more |= {name: True for name in ("load_in_8bit", "load_in_fp8") if getattr(args, name)}
    if args.adapter in adapters.PLAIN and has_cuda():
        return models.load_plain(args.model, adapters.in_4bit(args))
    model = models.load_model(args.model, max_length or args.max_length, adapters.in_4bit(args), **more)[0]
    leave_balance_out(model.config)
    tell_balance(model.config, args)
    if plan and plan.dequantize_nf4:
        processor.dequantize_nf4(model)
    if args.load_in_fp8:  # Unsloth loads a copy in FP8 from a temporary folder, which the adapter must not name as its base
        model.name_or_path = args.model
    return model


def leave_balance_out(config) -> None:
    """Train a mixture of experts without the loss that keeps its experts equally busy where TRL cannot compute it, and say so.

    TRL 1.15 asks a configuration for num_experts, and the layers for what they chose; Granite's and Phi's have neither.
    """
    if getattr(config, "router_aux_loss_coef", None) and not hasattr(config, "num_experts"):
        config.router_aux_loss_coef = 0.0
        print(f"note:  the loss that balances experts (router_aux_loss_coef) is left out: TRL has none for {config.model_type}")


def tell_balance(config, args) -> None:
    """Say that a mixture of experts' loss holds the one that balances them: DPO's first loss is then no ln 2."""
    weight = args.trainer.get("router_aux_loss_coef", getattr(config, "router_aux_loss_coef", 0.0))
    if (
        weight
        and hasattr(config, "num_experts")
        and "router_aux_loss_coef" in set(config_fields(args.CONFIG_CLASS)) - set(args.REFUSED)
    ):
        print(
            f"note:  the loss holds {weight:g} times the one that balances experts, which is their number for a token or more: "
            "every loss is larger by that, DPO's first one than 0.693 too; --trainer '{router_aux_loss_coef: 0}' leaves it out"
        )


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
    if four:  # what TRL asks before it casts; cast back afterwards, a weight that FSDP shards would be of two types
        base.is_loaded_in_4bit = False
    yield
    if four:
        base.is_loaded_in_4bit = True
