"""What GRPO and RLOO share, where the model answers by itself and rewards score its answers: arguments, rows, TRL's trainer.

Importing this file imports neither torch nor unsloth.
"""

import json
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from common.arguments import check_at_least
from common.errors import UserError
from common.models import adapter_config
from scoring import tasks
from training import adapters, rewards, trainer
from training.arguments import TrainingArgs
from training.rows import Counts, TrainingData, excerpt, ids_of, kind_of_row, one_answer, refuse_long_rows, tokenised

from data_prep.chat_template import Renderer, TemplateError, prompt_messages


@dataclass
class OnPolicyArgs(TrainingArgs):
    REFUSED: ClassVar[dict[str, str]] = TrainingArgs.REFUSED | {
        "use_vllm": "Unsloth brings vLLM in: grpo.py --fast_inference",
        "use_transformers_paged": "its answers fail beside Unsloth, and training goes on without them",
        "use_transformers_continuous_batching": "its answers fail beside Unsloth, and training goes on without them",
    }
    WATCHED: ClassVar[str] = "reward"  # the loss is near 0 whatever is learnt
    LARGER_IS_BETTER: ClassVar[bool] = True
    data: list[str] | str
    """scoring rows, or prompts where a reward model scores (JSONL), one file or several"""
    eval_data: str | None = None
    """held-out rows of the same shape; their mean reward is logged at every epoch's end"""
    reward_model: str | None = None
    """folder of reward.py whose score is the reward; without it a right answer is"""
    rewards: list[str] = field(default_factory=list)
    """reward functions, summed: right_answer, right_letter, format, length, reward_model, or module:function of your own
    (of TRL's shape); without any right_answer, or reward_model where one is given"""
    reward_weights: list[float] = field(default_factory=list)
    """one a reward function; without any all weigh 1"""
    rules: str | None = None
    """file of rewards by rule (scripts/training/rules.py), added to the others"""
    adapter: Literal[adapters.MERGEABLE] = "qlora"
    num_generations: int = 8
    """answers a question; each is set against the others"""
    max_completion_length: int = 128
    """longest answer in tokens"""
    temperature: float = 1.0
    """of sampling the answers"""
    beta: float = 0.0
    """weight of the distance to the first policy (KL)"""
    format_reward: float = 0.1
    """reward of a wrong answer that can be read"""
    max_length: int = 1024
    """longest prompt in tokens; a longer one is refused"""
    per_device_train_batch_size: int = 8
    """answers a forward pass; with accumulation a multiple of num_generations"""
    gradient_accumulation_steps: int = 4

    def problems(self) -> list[str]:
        found = super().problems() + check_at_least(self, 0, "beta", "format_reward")
        found += check_at_least(self, 2, "num_generations") + check_at_least(self, 1, "max_completion_length")
        if self.temperature <= 0:
            found.append(f"temperature: {self.temperature} must be above 0, or all answers are the same")
        answers_a_step = self.per_device_train_batch_size * self.gradient_accumulation_steps
        if answers_a_step % max(self.num_generations, 1):
            found.append(
                f"num_generations: {self.num_generations} does not divide per_device_train_batch_size x "
                f"gradient_accumulation_steps = {answers_a_step}"
            )
        if self.reward_model and adapter_config(self.reward_model).get("task_type") != "SEQ_CLS":
            found.append(f"reward_model: {self.reward_model} is no folder of reward.py: it holds no adapter with a score head")
        return found + rewards.problems(self)

    def rows_a_step(self) -> int:
        return max(super().rows_a_step() // self.num_generations, 1)

    def unused(self) -> dict[str, str]:
        part_of = "" if "right_answer" in rewards.names_of(self) else "it is part of right_answer, which is not among --rewards"
        return super().unused() | {"format_reward": part_of}


def check_row(row: dict) -> list[str]:
    """Problems of one row, found without a tokenizer; a row of another method names its script."""
    if tasks.task_of(row) in tasks.CHOICE:
        return tasks.check_row(row)
    if "prompt" not in row:
        return [f"is neither a scoring row nor a prompt: {kind_of_row(row)}"]
    try:
        prompt_messages(row["prompt"])
    except TemplateError as error:
        return [str(error)]
    return []


def make_dataset(rows: list[dict], tokenizer, args: OnPolicyArgs, path: str) -> TrainingData:
    """Rows as prompt (messages), and what the rewards need: options (JSON), gold, the right answer, and the question.

    Raises UserError for prompts longer than max_length, for rows without an answer where no model scores them, and
    for control tokens written in a prompt: TRL renders prompts itself, and would take them for real.
    """
    renderer, ids = Renderer(tokenizer, args.enable_thinking), ids_of(rows)
    prompts = [tasks.messages_of(r) if tasks.task_of(r) in tasks.CHOICE else prompt_messages(r["prompt"]) for r in rows]
    tokens = [renderer.encode_prompt(messages) for messages in prompts]
    refuse_long_rows(ids, [len(t) for t in tokens], args.max_length, path)
    if not args.dry_run and any(tokenizer.pad_token_id in t for t in tokens):  # Unsloth's GRPO tells padding by its token alone
        raise UserError(f"model: {args.model} pads with {tokenizer.pad_token}, which its prompts hold; take another model")
    columns = rewards.columns_read(args, ids, rows, path)
    template = dict(add_generation_prompt=True, enable_thinking=args.enable_thinking, return_dict=False)
    by_trl = [tokenizer.apply_chat_template(messages, **template) for messages in prompts]
    unlike = [id_ for id_, a, b in zip(ids, tokens, by_trl, strict=True) if a != b]
    if unlike:
        raise UserError(
            f"{path}: {len(unlike)} prompts hold control tokens as text, first {unlike[:3]}; take them out in data_prep"
        )
    encoded = [
        {"prompt": messages, "options": json.dumps(tasks.options_of(row))}
        | {"gold": tasks.gold_of(row) or "", "question": row.get("question") or ""}
        | {name: row[name] for name in columns}
        for messages, row in zip(prompts, rows, strict=True)
    ]
    counts = Counts(len(rows), sum(map(len, tokens)), 0, 0, max(map(len, tokens)) + args.max_completion_length)
    summary = [
        f"rows:  {counts.rows} questions, {counts.tokens} tokens, {args.num_generations} answers each",
        f"prompt: {excerpt(tokens[0], tokenizer, last=True)}",
        f"right: {encoded[0]['gold']!r}",
        *one_answer([e["gold"] for e in encoded if e["gold"]] or [""], repr),
    ]
    return TrainingData(encoded, counts, ids, summary)


def load_model(args: OnPolicyArgs, tokenizer, plan=None, **more):
    """As in every method, with room for prompt and answer; `more` is handed to Unsloth."""
    return trainer.load_model(args, plan, args.max_length + args.max_completion_length, **more)


def build(kind, config, args: OnPolicyArgs, model, tokenizer, train, held_out):
    """TRL's trainer of this `kind` over adapters that Unsloth attaches; an adapter folder as model is trained further."""
    model = adapters.attach(model, args)
    functions, weights = rewards.functions(args, Renderer(tokenizer, args.enable_thinking))
    settings = config(
        **trainer.trainer_config(
            args,
            held_out,
            num_generations=args.num_generations,
            max_completion_length=args.max_completion_length,
            temperature=args.temperature,
            beta=args.beta,
            reward_weights=weights,
            chat_template_kwargs={"enable_thinking": args.enable_thinking},
            per_device_eval_batch_size=args.num_generations,
        )
    )
    with trainer.float32_adapters(model):
        made = kind(
            model=model,
            reward_funcs=functions,
            args=settings,
            processing_class=tokenizer,
            train_dataset=tokenised(train),
            eval_dataset=tokenised(held_out),
        )
    if args.beta and not getattr(args, "fast_inference", False):
        hold_reference(made.model)
    return made


def hold_reference(model) -> None:
    """Hold the first policy as a second, frozen adapter, in place, where TRL's trainer has not.

    On a GPU Unsloth takes that out of GRPO (models/rl.py, peft_pattern): the distance would be to the model beneath the
    adapter that training goes on from.
    """
    held = getattr(model, "peft_config", None)
    if not held or "ref" in held:
        return
    model.add_adapter("ref", held["default"])
    for name, value in model.named_parameters():
        if ".ref." in name:
            value.data.copy_(model.get_parameter(name.replace(".ref.", ".default.")).data)
            value.requires_grad_(False)


def keep_mode(made):
    """The trainer `made`, its model after each answering as it was before.

    Unsloth leaves it in training (models/rl.py, unsloth_unwrap_model_for_generation), and TRL, which tells by that whether rows
    are held out, would log their reward as training's.
    """
    generate = made._generate

    def in_its_mode(prompts):
        training = made.model.training
        answers = generate(prompts)
        made.model.train(training)
        return answers

    made._generate = in_its_mode
    return made
