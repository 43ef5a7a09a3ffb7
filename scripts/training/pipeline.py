"""The course of every training script: arguments, rows, memory plan, model, trainer, training, saving.

A method hands in its functions (`Method`); `run` calls them in order. Importing this file imports neither torch nor unsloth.
"""

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common import card
from common.arguments import tell_unused
from common.errors import UserError
from common.files import hold, read_rows, sha256
from common.hashes import model_sha256
from common.models import find_model, has_cuda, load_tokenizer
from common.runs import Run, first_process, start_run
from common.synthetic import told
from training import data_files, loop, memory, trainer

from data_prep.chat_template import TemplateError, set_template

# Fields that may change when an interrupted run is resumed; the effective batch must not, `begin` sees to that.
MAY_CHANGE = (
    "dry_run",
    "logging_steps",
    "save_steps",
    "report_to",
    "push_to_hub",
    "hub_model_id",
    "hub_private_repo",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
)

NEED_CUDA = {  # and what to do without
    "packing": "; on a processor rows of like length are batched instead",
    "load_in_8bit": "; on a processor Unsloth would load 16 bits instead: leave it out, or pass --adapter qlora",
    "load_in_fp8": "; leave it out, or pass --adapter qlora",
    "fast_inference": "; leave it out, and the model answers by itself",
}


@dataclass(frozen=True)
class Method:
    """What makes a method."""

    name: str
    """as in peak.METHODS"""
    check_row: Callable[[dict], list[str]]
    """row -> problems, without a tokenizer"""
    make_dataset: Callable
    """(rows, tokenizer, args, path) -> rows.TrainingData"""
    make_trainer: Callable
    """(args, model, tokenizer, rows, eval_rows) -> a TRL trainer"""
    load_model: Callable | None = None
    """(args, tokenizer, plan) -> model; None: trainer.load_model"""
    stream: Callable | None = None
    """(number of rows, tokenizer, args) -> rows.TrainingData whose rows are read as they are trained (args.streaming)"""
    complete: Callable | None = None
    """args -> None: fills in fields that have no value, and prints them"""


def run(args, method: Method) -> None:
    """Train by `method`; `args` is the script's Args."""
    if method.complete:
        method.complete(args)
    check_card(args)
    tell_unused(args, args.unused())
    streamed, files = getattr(args, "streaming", False), data_files.files_of(args.data)
    read = data_files.count(files, method.check_row) if streamed else data_files.read(args, method.check_row)
    eval_rows = read_rows(args.eval_data, method.check_row) if args.eval_data else []
    find_model(args.model)
    with folder_held(args):
        train(args, method, begin(args), read, eval_rows)


@contextlib.contextmanager
def folder_held(args):
    """The output folder for this training alone: two would write between each other's lines and over each other's weights."""
    if args.dry_run or not first_process():
        yield
        return
    folder = Path(args.output_dir)
    there = folder.exists()
    with hold(folder, "training", loop.LOCK):
        try:
            yield
        finally:
            (folder / loop.LOCK).unlink(missing_ok=True)  # a result holds no such file
            if not there and not any(folder.iterdir()):  # a refusal leaves nothing behind
                folder.rmdir()


def train(args, method: Method, started: Run, read, eval_rows: list[dict]) -> None:
    """From checked rows to the saved model; `read` is what data_files read."""
    files, streamed = data_files.files_of(args.data), getattr(args, "streaming", False)
    if not args.dry_run:
        card.settle()
        import unsloth  # noqa: F401  (first: it patches trl, transformers and peft)

    try:
        tokenizer = set_template(load_tokenizer(args.model), args.template)
        if not args.dry_run:
            pad_apart(tokenizer)
        if streamed:
            data = method.stream(read.count, tokenizer, args)
        else:
            data = method.make_dataset(read.rows, tokenizer, args, ", ".join(files))
        held_out = method.make_dataset(eval_rows, tokenizer, args, args.eval_data).rows if eval_rows else None
    except TemplateError as error:  # of the template itself; what one row lacks has been told with its line
        raise UserError(f"model: {args.model}: {error}") from None
    if args.enable_thinking and "enable_thinking" not in str(tokenizer.chat_template) and method.name != "cpt":
        print(f"note:  enable_thinking: the chat template of {args.model} knows none, so nothing changes")
    elif args.enable_thinking and data_files.lack_thoughts(read.rows):
        print("warning: enable_thinking: no row holds a thought (<think> in its answer), so all teach to leave thoughts empty")
    print("\n".join([*data.summary, *data_files.trained_too(read.rows, eval_rows, args.eval_data)]))
    if read.synthetic:
        print(f"data:  {told(read.synthetic, read.count)}")
    for line in args.warnings(sequences(args, data)):
        print(line)
    plan = memory.plan(args, method.name, data.counts.longest_row)
    if args.dry_run:
        return show_config(args)

    with memory.enough_for_the_model(args, plan):
        model = method.load_model(args, tokenizer, plan) if method.load_model else trainer.load_model(args, plan)
        show_attention()
        fitted = make_trainer(method, args, model, tokenizer, data.rows, held_out)
    metrics = loop.train(fitted, started, args, data.ids, data.rows)
    counted = data.counts.record() | {"synthetic_rows": read.synthetic} | ({"rows_by_file": read.taken} if read.taken else {})
    loop.finish(fitted, tokenizer, started, args, counted | metrics, plan)


def make_trainer(method: Method, args, *parts):
    """The method's trainer. What TRL refuses of the user's own fields is told as such."""
    try:
        return method.make_trainer(args, *parts)
    except (ValueError, TypeError, NotImplementedError) as error:
        if not args.trainer:
            raise
        raise UserError(f"trainer: {', '.join(args.trainer)}: {' '.join(str(error).split())}") from None


def sequences(args, data) -> int:
    """How many an epoch has; joined by packing about as many as fill max_length. A stream's are given by max_steps."""
    if getattr(args, "streaming", False):
        return data.counts.rows
    return math.ceil(data.counts.tokens / args.max_length) if getattr(args, "packing", False) else len(data.rows)


def pad_apart(tokenizer) -> None:
    """Let the tokenizer pad with a token that means nothing else, in place, where it has none or pads with its end token.

    Llama 3 has none, and TRL takes the end token: Unsloth's GRPO on a GPU takes every padding token for padding, the ends
    of a prompt's turns and of the answers too. A vocabulary without a token to spare pads with its end, as in TRL.
    """
    from unsloth_zoo.pad_token import fix_pad_token

    fix_pad_token(tokenizer, allow_add=False)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token


def check_card(args) -> None:
    """UserError naming all that `args` asks of a card and this machine has not; imports torch only where something is asked."""
    asked = [f"{name}: needs a CUDA GPU{instead}" for name, instead in NEED_CUDA.items() if getattr(args, name, False)]
    if asked and not has_cuda():
        raise UserError(asked)
    if args.load_in_fp8:
        import torch

        if torch.cuda.get_device_capability() < (9, 0):  # unsloth/models/loader_utils.py, _get_fp8_mode_and_check_settings
            raise UserError("load_in_fp8: needs an H100 or a newer card; on this one pass --load_in_8bit")


def begin(args) -> Run:
    """`runs.start_run`. Out of memory, the rows a pass and the passes a step change, their product never."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    batch = processes * args.per_device_train_batch_size * args.gradient_accumulation_steps
    files = [*data_files.files_of(args.data), *data_files.files_of(args.eval_data), *filter(None, [getattr(args, "rules", None)])]
    models = filter(None, (getattr(args, name, None) for name in ("model", "teacher", "reward_model")))
    read = {path: sha256(path) for path in files} | {model: model_sha256(model) for model in models if Path(model).is_dir()}
    return start_run(args, args.output_dir, MAY_CHANGE, read, effective_batch=batch)


def show_attention() -> None:
    """Print what computes attention on a GPU, by Unsloth's own order of choice (unsloth/utils/attention_dispatch.py)."""
    if not has_cuda():
        return
    from unsloth.utils import attention_dispatch as found

    names = {"HAS_FLASH_ATTENTION": "flash-attn", "HAS_XFORMERS": "xformers"}
    kernels = [name for flag, name in names.items() if getattr(found, flag, False)]
    print(f"attention: {', '.join(kernels) or 'PyTorch (xformers and flash-attn do not load beside this build of torch)'}")


def show_config(args) -> None:
    """Print the resolved configuration as YAML that --config takes."""
    import yaml

    print("--- resolved configuration\n" + yaml.safe_dump(dataclasses.asdict(args), allow_unicode=True, sort_keys=False), end="")
