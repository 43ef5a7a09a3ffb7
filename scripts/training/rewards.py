"""Reward functions for GRPO and RLOO, of TRL's shape: (prompts, completions, columns of the rows) -> a list of numbers.

`completions` is a list of [{"role": "assistant", "content": text}]. Importing this file imports no torch.
"""

import asyncio
import functools
import importlib
import inspect
import json
import math
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from common.errors import UserError
from common.loading import loading
from common.models import has_cuda, load_tokenizer, with_adapter
from export.adapter_folder import base_of
from scoring import answers, tasks
from training.rules import load_rules
from training.trainer import dtype

from data_prep.chat_template import Renderer

BUILT_IN = ("right_answer", "right_letter", "format", "length", "reward_model")
NEED_GOLD = ("right_answer", "right_letter")  # rows without a right answer cannot be scored by these


def names_of(args) -> list[str]:
    """The reward functions asked for; without any, the reward model's where there is one, else the right answer."""
    return args.rewards or (["reward_model"] if args.reward_model else [] if args.rules else ["right_answer"])


def problems(args) -> list[str]:
    """What is wrong with the names, weights and rules, found without a model."""
    found, names = [], names_of(args)
    for name in names:
        if name not in BUILT_IN and ":" not in name:
            found.append(f"rewards: {name} is neither one of {', '.join(BUILT_IN)} nor module:function")
    if args.reward_weights and len(args.reward_weights) != len(names):
        found.append(f"reward_weights: {len(args.reward_weights)} weights for {len(names)} rewards ({', '.join(names)})")
    if ("reward_model" in names) != bool(args.reward_model):
        found.append("reward_model: give a folder of reward.py, and name reward_model among --rewards where you name any")
    if args.rules and not Path(args.rules).is_file():
        found.append(f"rules: there is no file {args.rules}")
    return found


def columns_read(args, ids: list, rows: list[dict], path: str) -> set[str]:
    """The rows' columns that rules read. Raises UserError for rows without what a reward needs: a right answer, a column."""
    unanswered = [id_ for id_, row in zip(ids, rows, strict=True) if tasks.gold_of(row) is None]
    if unanswered and set(names_of(args)) & set(NEED_GOLD):
        raise UserError(
            f"{path}: {len(unanswered)} rows have no right answer to reward, first {unanswered[:3]}; pass --reward_model"
        )
    if not args.rules:
        return set()
    rules = load_rules(args.rules)
    if wrong := [f"{path}: row {i}: {why}" for i, row in zip(ids, rows, strict=True) for why in rules.row_problems(row)]:
        raise UserError(wrong[:10])
    return rules.columns


def functions(args, renderer) -> tuple[list, list[float]]:
    """TRL's reward functions and their weights, in the order of `rewards`, the rules last. Raises UserError."""
    made = {
        "right_answer": lambda: right_answer(args),
        "right_letter": lambda: right_letter,
        "format": lambda: format,
        "length": lambda: length(args, renderer.tokenizer),
        "reward_model": lambda: from_model(args.reward_model, args.enable_thinking),
    }
    names = names_of(args)
    found = [made[name]() if name in made else by_name(name) for name in names]
    weights = list(args.reward_weights or [1.0] * len(names))
    if args.rules:
        rules = load_rules(args.rules)
        found, weights = found + rules.reward_functions(), weights + rules.weights
    return found, weights


def by_name(name: str):
    """A function of the user's own, `module:function`, the module found from the working directory too. Raises UserError."""
    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever the user's own module raises as it is read
        raise UserError(
            f"rewards: {name} cannot be had ({type(error).__name__}: {error}); give module:function, the module in this folder"
        ) from None
    finally:
        sys.path.pop(0)
    if not callable(found):
        raise UserError(f"rewards: {name} is no function")
    return checked(name, found)


def checked(name: str, function):
    """A function of the user's own that ends in one error, with its name, where it fails or gives no number an answer.

    None is TRL's word for an answer that a function does not score. Infinite or undefined numbers would teach nothing, or all.
    """

    @functools.wraps(function)  # TRL logs a reward by its function's name
    def called(**columns):
        try:
            given = function(**columns)
            given = asyncio.run(given) if inspect.iscoroutine(given) else given
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            raise UserError(
                f"rewards: {name} failed at {where.filename}:{where.lineno} ({type(error).__name__}: {error}); it is called with "
                f"{', '.join(columns)}, each by its name"
            ) from None
        listed = list(given) if isinstance(given, Iterable) else []
        if len(listed) != len(columns["completions"]) or not all(one is None or is_finite(one) for one in listed):
            raise UserError(
                f"rewards: {name} gave {str(given)[:80]} for {len(columns['completions'])} answers; it must give a list with one "
                "finite number an answer, or None for an answer that it does not score"
            )
        return listed

    return called


def is_finite(value) -> bool:
    try:
        return not isinstance(value, str) and math.isfinite(value)
    except TypeError:
        return False


def right_letter(completions, options, gold, **rest):
    """1 where the answer is the right option's letter alone, as a deployed exam form wants it, else 0."""
    texts = [c[0]["content"].strip().rstrip(".)") for c in completions]
    return [1.0 if text == g else 0.0 for text, g in zip(texts, gold, strict=True)]


def read_answers(completions, options, question=None) -> list[str | None]:
    """As evaluate.py reads them."""
    questions = question or [""] * len(completions)
    each = zip(completions, options, questions, strict=True)
    return [answers.extract(c[0]["content"], json.loads(o), q) for c, o, q in each]


def format(completions, options, question=None, **rest):
    """1 where an answer can be read, right or wrong, else 0."""
    return [float(answer is not None) for answer in read_answers(completions, options, question)]


def length(args, tokenizer):
    """1 for an empty answer, 0 for one of max_completion_length tokens: shorter is better, so weigh it low."""

    def length(completions, **rest):
        sizes = [len(tokenizer(c[0]["content"], add_special_tokens=False)["input_ids"]) for c in completions]
        return [1 - min(size / args.max_completion_length, 1) for size in sizes]

    return length


def right_answer(args):
    """1 for the right answer, `args.format_reward` for a wrong one that can be read, else 0; read as evaluate.py reads."""

    def right_answer(completions, options, gold, question=None, **rest):
        read = read_answers(completions, options, question)
        return [1.0 if a == g else args.format_reward if a else 0.0 for a, g in zip(read, gold, strict=True)]

    return right_answer


def from_model(folder: str, enable_thinking: bool):
    """The score of a reward model (folder of reward.py) for each conversation, rendered as in its training.

    By its own tokenizer and template: the policy's ids may be other words to it. Its base is loaded in 16 bits: trained in
    4 bits, the adapter may name a prequantised base, whose score head would be quantised too.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    with loading(folder):
        base = AutoModelForSequenceClassification.from_pretrained(base_of(folder), num_labels=1, dtype=dtype())
    scorer = with_adapter(base, folder).eval().requires_grad_(False)
    tokenizer = load_tokenizer(folder)
    renderer = Renderer(tokenizer, enable_thinking)
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
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
