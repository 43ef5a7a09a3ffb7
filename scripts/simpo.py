"""SimPO: preference optimisation without a reference model, on the length-normalised likelihood of the answers.

    python scripts/simpo.py --model runs/bode/sft --data data/bode/preferences.jsonl --output_dir runs/bode/simpo
    python scripts/simpo.py --config recipes/simpo/simpo.yaml --simpo_gamma 1.0
    python scripts/simpo.py --model models/smollm2-135m-instruct --data pairs.jsonl --dry_run

Input   JSONL of preference rows, {"prompt": ..., "chosen": ..., "rejected": ...}, each a string or a list of messages,
        as data_prep/prepare.py --task preference writes them. An answer's tokens are trained, the prompt's are not.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.
        Logged beside the loss: rewards/accuracies (share of pairs ranked right), logps/chosen and logps/rejected.

Reference. There is none, in the loss or in memory: a pair's reward is beta times the mean log-probability of an answer's
tokens, and the chosen one must win by the margin gamma. Start from an SFT model: nothing else holds the policy.

Defaults: beta 2.0, gamma 1.0 (Meng et al. 2024, arXiv 2405.14734, table 8: beta 2.0 to 2.5, gamma / beta about 0.5);
1e-6 is theirs for full fine-tuning, 5e-6 suits adapters. The learning rate matters most: at 1e-5 and more the paper's
repository reports repeated and incoherent text. `cpo_alpha` (CPO's alpha) holds the chosen answers' likelihood up.
"""

from dataclasses import dataclass, field
from typing import Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.files import read_rows
from common.models import find_model, load_tokenizer
from training import adapters, loop, memory

from data_prep.chat_template import IGNORED, TEMPLATES, Renderer, TemplateError, answer_text, prompt_messages, set_template


@dataclass
class Args:
    model: str
    """hub id, model folder, or an SFT adapter folder to go on from"""
    data: str
    """preference rows (JSONL)"""
    eval_data: str | None = None
    """held-out rows of the same shape; their loss and accuracy are logged at every epoch's end"""
    output_dir: str = "runs/simpo"
    """where the adapter and the run's records go"""
    beta: float = 2.0
    """scale of the reward, the mean log-probability of a token"""
    simpo_gamma: float = 1.0
    """margin by which the chosen answer's reward must be larger"""
    cpo_alpha: float = 0.0
    """weight of the chosen answers' own likelihood in the loss (CPO's alpha); 0 is the paper's SimPO"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the tokenizer's own"""
    enable_thinking: bool = False
    """let the model think first; off, Qwen3's empty think block is part of the prompt"""
    max_length: int = 1024
    """longest prompt and answer in tokens; a longer row is refused, for its answer would be cut"""
    adapter: Literal[adapters.MERGEABLE] = "qlora"
    """what is trained: low-rank updates on NF4 (qlora) or 16-bit weights (lora), or another kind of training/adapters.py"""
    load_in_4bit: bool | None = None
    """the frozen weights in NF4; without a value as the adapter wants it"""
    lora_r: int = 16
    """rank of the adapters; an adapter folder keeps its own"""
    lora_alpha: int = 16
    """scale of the adapters"""
    lora_dropout: float = 0.0
    """dropout in the adapters; TRL switches it off"""
    target_modules: list[str] = field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
    """layers that get an adapter"""
    learning_rate: float = 5e-6
    """peak learning rate"""
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    """how the learning rate falls"""
    warmup_steps: float = 0.1
    """steps to the peak; below 1 it is a share of all steps"""
    weight_decay: float = 0.0
    """AdamW's weight decay"""
    num_train_epochs: float = 1.0
    """times over the data"""
    max_steps: int = -1
    """stop after so many optimiser steps; -1: by epochs"""
    per_device_train_batch_size: int = 2
    """pairs a forward pass"""
    gradient_accumulation_steps: int = 8
    """forward passes an optimiser step"""
    gradient_checkpointing: bool | None = None
    """recompute activations: less memory, more time; without a value on a GPU, and where memory asks for it"""
    optim: str = "adamw_8bit"
    """optimiser by its transformers name"""
    logging_steps: int = 5
    """optimiser steps a line of metrics.jsonl"""
    save_steps: int = 200
    """optimiser steps a checkpoint; 0: none"""
    seed: int = 3407
    """seed of adapters, order and dropout"""
    early_stopping_patience: int = 0
    """stop after so many checkpoints without a lower held-out loss, and keep the best; 0: never"""
    report_to: Literal["none", "tensorboard", "wandb", "trackio"] = "none"
    """experiment tracker; wandb without a key logs offline"""
    dry_run: bool = False
    """check everything, show one row as trained, load no model"""

    def problems(self) -> list[str]:
        found = loop.problems(self)
        if self.beta <= 0:
            found.append(f"beta: {self.beta} must be above 0; 2.0 is usual")
        return found + check_at_least(self, 0, "simpo_gamma", "cpo_alpha")


# ---------------------------------------------------------------------------------------------- data


def check_row(row: dict) -> list[str]:
    """Problems of one row, told without a tokenizer; a row of another method names its script."""
    missing = [key for key in ("prompt", "chosen", "rejected") if key not in row]
    if missing:
        return [f"lacks {', '.join(missing)}: {loop.kind_of_row(row)}; SimPO needs prompt, chosen and rejected"]
    try:
        prompt_messages(row["prompt"])
        chosen, rejected = answer_text(row["chosen"], "chosen"), answer_text(row["rejected"], "rejected")
    except TemplateError as error:
        return [str(error)]
    return ["chosen and rejected are the same text, so there is nothing to prefer"] if chosen == rejected else []


def make_dataset(rows: list[dict], renderer: Renderer, max_length: int, path: str):
    """Rows as prompt_ids, chosen_ids and rejected_ids, and their counts.

    Raises UserError for rows longer than max_length: their answer would be cut, and with it its end.
    """
    encoded = [
        {
            "prompt_ids": renderer.encode_prompt(prompt_messages(row["prompt"])),
            **{
                f"{name}_ids": renderer.encode_answer(prompt_messages(row["prompt"]), answer_text(row[name], name))
                for name in ("chosen", "rejected")
            },
        }
        for row in rows
    ]
    longest = [len(e["prompt_ids"]) + max(len(e["chosen_ids"]), len(e["rejected_ids"])) for e in encoded]
    loop.refuse_long_rows(rows, longest, max_length, path)
    counts = {
        "rows": len(rows),
        "tokens": sum(len(ids) for e in encoded for ids in e.values()),
        "trained_tokens": sum(len(e["chosen_ids"]) + len(e["rejected_ids"]) for e in encoded),
        "truncated_rows": 0,
        "longest_row": max(longest),
    }
    return encoded, counts


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's CPOTrainer with the SimPO loss over adapters that Unsloth attaches; an adapter folder is trained further."""
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    model = adapters.attach(model, args)
    config = CPOConfig(
        loss_type="simpo",
        beta=args.beta,
        simpo_gamma=args.simpo_gamma,
        cpo_alpha=args.cpo_alpha,
        max_length=args.max_length,
        dataset_num_proc=1,
        remove_unused_columns=False,
        **loop.trainer_config(args, held_out),
    )
    with loop.float32_adapters(model):
        return CPOTrainer(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=pair_columns(train),
            eval_dataset=pair_columns(held_out),
        )


def pair_columns(encoded: list[dict] | None):
    """Rows in the columns of TRL's CPO and ORPO trainers: whole sequences, labels -100 on the prompt."""
    rows = []
    for e in encoded or []:
        row = {"prompt_input_ids": e["prompt_ids"], "prompt_attention_mask": [1] * len(e["prompt_ids"])}
        for name in ("chosen", "rejected"):
            ids = e["prompt_ids"] + e[f"{name}_ids"]
            labels = [IGNORED] * len(e["prompt_ids"]) + e[f"{name}_ids"]
            row |= {f"{name}_input_ids": ids, f"{name}_attention_mask": [1] * len(ids), f"{name}_labels": labels}
        rows.append(row)
    return loop.tokenised(rows)


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    args = parse_args(Args, __doc__)
    rows = read_rows(args.data, check_row)
    held_out_rows = read_rows(args.eval_data, check_row) if args.eval_data else []
    find_model(args.model)
    run = loop.start_run(args)

    if not args.dry_run:
        import unsloth  # noqa: F401  (first: it patches trl, transformers and peft)

    tokenizer = set_template(load_tokenizer(args.model), args.template)
    renderer = Renderer(tokenizer, args.enable_thinking)
    train, counts = make_dataset(rows, renderer, args.max_length, args.data)
    held_out = make_dataset(held_out_rows, renderer, args.max_length, args.eval_data)[0] if held_out_rows else None
    print(f"rows:  {counts['rows']} pairs, {counts['tokens']} tokens, {counts['trained_tokens']} of them trained")
    for name in ("prompt", "chosen", "rejected"):
        print(f"{name}: {tokenizer.decode(train[0][f'{name}_ids'])[-300:]!r}")
    run["memory"] = memory.plan(args, "simpo", counts["longest_row"])
    if args.dry_run:
        return loop.show_config(args)

    model = loop.load_model(args, run)
    trainer = make_trainer(args, model, tokenizer, train, held_out)
    names = [row.get("id", number) for number, row in enumerate(rows, 1)]
    metrics = loop.train(trainer, run, args, names)
    loop.finish(trainer, tokenizer, run, args, {**counts, **metrics})


if __name__ == "__main__":
    run_main(main)
