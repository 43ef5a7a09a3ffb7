"""GRPO (reinforcement learning): the model answers several times, and what a reward prefers becomes likelier.

    python data_prep/prepare.py raw/exam.jsonl --test_size 1 --eval_files data/bode/test.jsonl --output_dir data/exam
    python scripts/grpo.py --model runs/bode/sft --data data/exam/test.jsonl --output_dir runs/bode/grpo
    python scripts/grpo.py --model runs/bode/sft --data prompts.jsonl --reward_model runs/bode/reward     # RLHF
    python scripts/grpo.py --model models/smollm2-135m-instruct --data questions.jsonl --dry_run

Input   JSONL of scoring rows, multiple choice or classification, as data_prep/prepare.py writes them to test.jsonl
        (--eval_files keeps out those that you will be scored on): the reward is 1 for the right answer, read by the same
        rules as in evaluate.py, and `format_reward` for a wrong one that can be read. With --reward_model (a folder of
        reward.py) the rows need a `prompt` only, or are scoring rows, and the reward is the model's number.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl.
        Logged beside the loss: reward (mean), reward_std, completions/mean_length, entropy.

Start from an SFT model that is right now and then: where all answers of a question get the same reward nothing is learnt
(frac_reward_zero_std is the share of such questions). The reward is all that is asked for: look at the answers, for a
reward model is easily flattered.

Defaults: 8 answers a question, 5e-6, no KL term (beta 0, as in TRL and Yu et al. 2025, arXiv 2503.14476, whose
token-level loss is used; Shao et al. 2024, arXiv 2402.03300, had 0.04), temperature 1. At a larger rate
all answers become one.
"""

import json
from dataclasses import dataclass, field
from typing import Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import read_rows
from common.models import find_model, has_cuda, is_adapter, load_tokenizer
from scoring import answers, tasks
from training import adapters, loop, memory

from data_prep.chat_template import TEMPLATES, Renderer, TemplateError, prompt_messages, set_template


@dataclass
class Args:
    model: str
    """hub id, model folder, or an SFT adapter folder to go on from"""
    data: str
    """scoring rows, or prompts where a reward model scores (JSONL)"""
    eval_data: str | None = None
    """held-out rows of the same shape; their mean reward is logged at every epoch's end"""
    reward_model: str | None = None
    """folder of reward.py whose score is the reward; without it a right answer is"""
    output_dir: str = "runs/grpo"
    """where the adapter and the run's records go"""
    num_generations: int = 8
    """answers a question; their mean reward is the yardstick"""
    max_completion_length: int = 128
    """longest answer in tokens"""
    temperature: float = 1.0
    """of sampling the answers"""
    beta: float = 0.0
    """weight of the distance to the first policy (KL); 0: none, and no reference model in memory"""
    format_reward: float = 0.1
    """reward of a wrong answer that can be read"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the tokenizer's own"""
    enable_thinking: bool = False
    """let the model think first; off, Qwen3's empty think block is part of the prompt"""
    max_length: int = 1024
    """longest prompt in tokens; a longer one is refused"""
    adapter: Literal[adapters.MERGEABLE] = "qlora"
    """what is trained: low-rank updates on NF4 (qlora) or 16-bit weights (lora), or another kind of training/adapters.py"""
    load_in_4bit: bool | None = None
    """the frozen weights in NF4; without a value as the adapter wants it"""
    lora_r: int = 16
    """rank of the adapters; an adapter folder keeps its own"""
    lora_alpha: int = 16
    """scale of the adapters"""
    lora_dropout: float = 0.0
    """dropout in the adapters"""
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
    per_device_train_batch_size: int = 8
    """answers a forward pass; with accumulation a multiple of num_generations"""
    gradient_accumulation_steps: int = 4
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
        found = loop.problems(self) + check_at_least(self, 0, "beta", "format_reward")
        found += check_at_least(self, 2, "num_generations") + check_at_least(self, 1, "max_completion_length")
        if self.temperature <= 0:
            found.append(f"temperature: {self.temperature} must be above 0, or all answers are the same")
        answers_a_step = self.per_device_train_batch_size * self.gradient_accumulation_steps
        if answers_a_step % max(self.num_generations, 1):
            found.append(
                f"num_generations: {self.num_generations} does not divide per_device_train_batch_size x "
                f"gradient_accumulation_steps = {answers_a_step}"
            )
        if self.reward_model and not is_adapter(self.reward_model):
            found.append(f"reward_model: {self.reward_model} is no folder of reward.py")
        return found


# ---------------------------------------------------------------------------------------------- data


def check_row(row: dict) -> list[str]:
    """Problems of one row, told without a tokenizer; a row of another method names its script."""
    if tasks.task_of(row) in tasks.CHOICE:
        return tasks.check_row(row)
    if "prompt" not in row:
        return [f"is neither a scoring row nor a prompt: {loop.kind_of_row(row)}"]
    try:
        prompt_messages(row["prompt"])
    except TemplateError as error:
        return [str(error)]
    return []


def make_dataset(rows: list[dict], renderer: Renderer, args: Args, path: str):
    """Rows as prompt (messages) and what the reward needs, and their counts.

    Raises UserError for prompts longer than max_length, for rows without an answer where none is scored by a model, and
    for control tokens written in a prompt: TRL renders prompts itself, and would take them for real.
    """
    asked = [tasks.messages_of(r) if tasks.task_of(r) in tasks.CHOICE else prompt_messages(r["prompt"]) for r in rows]
    ids = [renderer.encode_prompt(messages) for messages in asked]
    loop.refuse_long_rows(rows, [len(i) for i in ids], args.max_length, path)
    names = [row.get("id", number) for number, row in enumerate(rows, 1)]
    open_rows = [n for n, row in zip(names, rows, strict=True) if tasks.gold_of(row) is None]
    if open_rows and not args.reward_model:
        raise UserError(
            f"{path}: {len(open_rows)} rows have no right answer to reward, first {open_rows[:3]}; pass --reward_model"
        )
    tokenizer, thinking = renderer.tokenizer, args.enable_thinking
    theirs = [
        tokenizer.apply_chat_template(m, add_generation_prompt=True, enable_thinking=thinking, return_dict=False) for m in asked
    ]
    unlike = [n for n, a, b in zip(names, ids, theirs, strict=True) if a != b]
    if unlike:
        raise UserError(
            f"{path}: {len(unlike)} prompts hold control tokens as text, first {unlike[:3]}; take them out in data_prep"
        )
    made = [
        {"prompt": m, "options": json.dumps(tasks.options_of(row)), "gold": tasks.gold_of(row) or ""}
        for m, row in zip(asked, rows, strict=True)
    ]
    tokens, longest = sum(map(len, ids)), max(map(len, ids)) + args.max_completion_length
    return made, {"rows": len(rows), "tokens": tokens, "trained_tokens": 0, "truncated_rows": 0, "longest_row": longest}


# ---------------------------------------------------------------------------------------------- rewards


def answer_reward(args: Args):
    """Function of TRL's shape: 1 for the right answer, format_reward for a readable wrong one, 0 else."""

    def right_answer(completions, options, gold, **rest):
        read = [answers.extract(c[0]["content"], json.loads(o)) for c, o in zip(completions, options, strict=True)]
        return [1.0 if a == g else args.format_reward if a else 0.0 for a, g in zip(read, gold, strict=True)]

    return right_answer


def model_reward(args: Args, renderer: Renderer):
    """Function of TRL's shape: the reward model's number for each conversation, rendered as it was in its training."""
    import torch
    from peft import AutoPeftModelForSequenceClassification

    scorer = AutoPeftModelForSequenceClassification.from_pretrained(args.reward_model, num_labels=1, dtype=loop.dtype())
    scorer.eval().requires_grad_(False)
    pad = renderer.tokenizer.pad_token_id
    scorer.config.pad_token_id = pad
    if has_cuda():
        scorer.cuda()

    def reward_model(prompts, completions, **rest):
        rows = [
            renderer.encode_prompt(p) + renderer.encode_answer(p, c[0]["content"])
            for p, c in zip(prompts, completions, strict=True)
        ]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows], device=scorer.device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=scorer.device)
        with torch.no_grad():
            return scorer(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()

    return reward_model


# ---------------------------------------------------------------------------------------------- model and trainer


def make_trainer(args: Args, model, renderer: Renderer, train, held_out):
    """TRL's GRPOTrainer over adapters that Unsloth attaches; an adapter folder as model is trained further."""
    from trl import GRPOConfig, GRPOTrainer

    model = adapters.attach(model, args)
    config = GRPOConfig(
        num_generations=args.num_generations,
        max_completion_length=args.max_completion_length,
        temperature=args.temperature,
        beta=args.beta,
        chat_template_kwargs={"enable_thinking": args.enable_thinking},
        **(loop.trainer_config(args, held_out) | {"per_device_eval_batch_size": args.num_generations}),
    )
    with loop.float32_adapters(model):
        return GRPOTrainer(
            model=model,
            reward_funcs=model_reward(args, renderer) if args.reward_model else answer_reward(args),
            args=config,
            processing_class=renderer.tokenizer,
            train_dataset=loop.tokenised(train),
            eval_dataset=loop.tokenised(held_out),
        )


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
    train, counts = make_dataset(rows, renderer, args, args.data)
    held_out = make_dataset(held_out_rows, renderer, args, args.eval_data)[0] if held_out_rows else None
    print(f"rows:  {counts['rows']} questions, {counts['tokens']} tokens, {args.num_generations} answers each")
    print(f"prompt: {tokenizer.decode(renderer.encode_prompt(train[0]['prompt']))[-300:]!r}\nright: {train[0]['gold']!r}")
    run["memory"] = memory.plan(args, "grpo", counts["longest_row"])
    if args.dry_run:
        return loop.show_config(args)

    model = loop.load_model(args, run, args.max_length + args.max_completion_length)
    trainer = make_trainer(args, model, renderer, train, held_out)
    names = [row.get("id", number) for number, row in enumerate(rows, 1)]
    metrics = loop.train(trainer, run, args, names)
    loop.finish(trainer, tokenizer, run, args, {**counts, **metrics})


if __name__ == "__main__":
    run_main(main)
