#!/usr/bin/env python3
"""Unsloth's GPU-side trainers, built and run on a processor: what test_gpu_trainers.py starts, once for several cases.

    python tests/training/gpu_trainers.py FOLDER MODEL sft sft:packing dpo      # one JSON line a case on stdout

On a CUDA card Unsloth replaces TRL's trainers by generated ones (padding-free batches, its own losses and prediction
steps). Without a card it takes another path, so that tests on a processor never meet them. `gpu_side_trainers` brings them
here, with a plain transformers model in place of Unsloth's kernels.
"""

import contextlib
import json
import os
import sys
import traceback
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]


def gpu_side_trainers() -> None:
    """Import Unsloth and install the trainers that it generates for a GPU."""
    # Not where this file is imported: tests/gpu/run.py takes its rows, and its processes must train as a user's do.
    os.environ |= {"UNSLOTH_ALLOW_CPU": "1", "HF_HUB_OFFLINE": "1", "UNSLOTH_COMPILE_DISABLE": "1"}
    import unsloth  # noqa: F401
    from unsloth.models import rl
    from unsloth.trainer import _patch_trl_trainer

    rl.patch_trl_disable_gradient_checkpointing()
    rl.patch_trl_fused_lm_head_devices()
    rl.patch_trl_fused_lm_head_kernel()
    rl.patch_trl_rl_trainers()
    _patch_trl_trainer()


def plain_models() -> None:
    """Replace Unsloth's loading and adapters by transformers' and PEFT's, in float32."""
    import torch
    from common.models import adapter_config
    from peft import PeftModel
    from training import adapters, distillation, trainer
    from transformers import AutoModelForCausalLM

    config_of = trainer.trainer_config
    trainer.supports_bf16 = lambda: False
    trainer.trainer_config = lambda *args, **more: config_of(*args, **more) | {"fp16": False, "optim": "adamw_torch"}
    trainer.dtype = lambda: torch.float32

    def load_model(args, *more):
        base = adapter_config(args.model).get("base_model_name_or_path", args.model)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        model._unsloth_user_float32 = True
        if base != args.model:
            model = PeftModel.from_pretrained(model, args.model, is_trainable=True)
        model.for_training, model.for_inference = (lambda *a, **k: model.train()), (lambda *a, **k: model.eval())
        return model

    def attach(model, args, **more):
        from peft import LoraConfig, get_peft_model

        if isinstance(model, PeftModel):
            return model
        if args.adapter in adapters.VIRTUAL:
            return adapters._by_peft(model, args)
        made = get_peft_model(model, LoraConfig(r=4, target_modules=args.target_modules, task_type="CAUSAL_LM"))
        made.for_training, made.for_inference = (lambda *a, **k: made.train()), (lambda *a, **k: made.eval())
        return made

    def load_teacher(args):
        """The student's model with other last layers."""
        teacher = load_model(args).requires_grad_(False).eval()
        teacher.model.layers[-1].apply(lambda m: m.weight.data.normal_(std=0.1) if isinstance(m, torch.nn.Linear) else None)
        return teacher

    trainer.load_model, adapters.attach, distillation.load_teacher = load_model, attach, load_teacher


def rows_of(method: str) -> list[dict]:
    """16 rows of the method's shape, of uneven length."""
    rows = []
    for i in range(16):
        ask, good, bad = f"Case {i}: which organ?{' Really?' * (i % 3)}", f"It is organ {i % 4}, dear colleague.", "dunno"
        choice = {"task": "mcq", "id": f"q{i}", "question": ask, "options": {"A": "x", "B": "y"}, "answer": "A", "language": "en"}
        turns = [{"from": "human", "value": ask}, {"from": "gpt", "value": good}]
        shapes = {
            "sft": {"id": f"q{i}", "conversations": turns},
            "distill": {"id": f"q{i}", "conversations": turns},
            "cpt": {"id": f"q{i}", "text": f"{ask} {good}"},
            "kto": {"id": f"q{i}", "prompt": ask, "completion": (good, bad)[i % 2], "label": i % 2 == 0},
            "grpo": choice,
            "rloo": choice,
        }
        rows.append(shapes.get(method, {"id": f"q{i}", "prompt": ask, "chosen": good, "rejected": bad}))
    return rows


FLAGS = """--max_steps 2 --logging_steps 1 --save_steps 1 --per_device_train_batch_size 4 --gradient_accumulation_steps 1
    --max_length 128 --gradient_checkpointing false --adapter lora --learning_rate 1e-3 --warmup_steps 0""".split()


class Case:
    """A method with its rows, model and trainer under Unsloth's GPU side."""

    def __init__(self, name: str, folder: Path, model: str, *flags: str):
        from common.arguments import parse_args
        from common.files import read_rows
        from common.models import load_tokenizer
        from training import pairs, pipeline, trainer

        self.method, self.out = name, folder / "_".join([name, *(f.strip("-") for f in flags if f.startswith("--"))])
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows_of(name)))
        held_out = folder / f"{name}_held_out.jsonl"
        held_out.write_text("".join(json.dumps(row) + "\n" for row in rows_of(name)[:4]))
        where = ["--model", model, "--data", str(data), "--eval_data", str(held_out), "--output_dir", str(self.out)]
        teacher = folder / "teacher"  # named alone: it is the student's weights that are loaded, and changed
        teacher.is_symlink() or teacher.symlink_to(ROOT / model)
        rules = folder / "rules.yaml"  # no two random answers are of one length
        rules.write_text("rules:\n  - {name: long, type: length, unit: characters, min: 400, max: 500, slack: 400}\n")
        more = {
            "grpo": ["--num_generations", "4", "--max_completion_length", "8", "--rules", str(rules)],
            "rloo": ["--max_completion_length", "8", "--rules", str(rules)],
            "distill": ["--teacher", str(teacher), "--max_new_tokens", "8", "--lmbda", "1", "--gradient_checkpointing", "true"],
        }.get(name, [])
        self.script = script = __import__(name)
        self.args = args = parse_args(script.Args, "", [*where, *FLAGS, *more, *flags])
        self.tokenizer = load_tokenizer(model)
        pipeline.pad_apart(self.tokenizer)
        make = getattr(script, "make_dataset", pairs.make_dataset)
        if getattr(args, "streaming", False):
            self.data = script.stream_dataset(16, self.tokenizer, args)
        else:
            self.data = make(read_rows(data), self.tokenizer, args, str(data))
        self.run = pipeline.begin(args)
        loaded = script.load_model(args, self.tokenizer) if hasattr(script, "load_model") else trainer.load_model(args)
        held_out_rows = make(read_rows(held_out), self.tokenizer, args, str(held_out)).rows
        self.trainer = script.make_trainer(args, loaded, self.tokenizer, self.data.rows, held_out_rows)

    def train(self) -> dict:
        from training import loop

        return loop.train(self.trainer, self.run, self.args, self.data.ids, self.data.rows)

    def records(self) -> list[dict]:
        return [json.loads(line) for line in (self.out / "metrics.jsonl").read_text().splitlines()]


class Reached(BaseException):
    """A loader of Unsloth was called; holds its arguments. No Exception: common/loading.py makes errors of those."""

    def __init__(self, arguments: dict):
        self.arguments = arguments


def loading(folder: Path, model: str) -> dict:
    """What reaches Unsloth's loaders of each precision and of vLLM, after its own checks on a card that has them all."""
    import importlib.util

    import torch
    from common import models
    from common.arguments import parse_args
    from unsloth.models import loader

    def reached(*names, **arguments):
        raise Reached(arguments | {str(i): name for i, name in enumerate(names)})

    find = importlib.util.find_spec
    card = {
        models: {"has_cuda": lambda: True},
        torch.cuda: {"get_device_capability": lambda *given: (9, 0)},
        loader: {
            "ALLOW_BITSANDBYTES": True,
            "fast_inference_setup": lambda name, config: (True, name),  # imports vLLM
            "apply_unsloth_gradient_checkpointing": lambda use, *more: use,  # pins memory
            "_get_fp8_mode_and_check_settings": lambda *given: "row",  # asks for a driver
            "_offline_quantize_to_fp8": reached,
        },
        loader.FastModel: {"from_pretrained": reached},
        loader.FastQwen3Model: {"from_pretrained": reached},
    }
    data = folder / "loading.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows_of("grpo")))
    found = {}
    with contextlib.ExitStack() as patched:
        for owner, names in card.items():
            patched.enter_context(mock.patch.multiple(owner, **names))
        for flags in (["--load_in_8bit", "--adapter", "lora"], ["--load_in_fp8", "--adapter", "rslora"], ["--fast_inference"]):
            if flags == ["--fast_inference"]:  # vLLM's stand-in is its name alone
                stand_in = lambda name, *more: find("json") if name == "vllm" else find(name, *more)  # noqa: E731
                patched.enter_context(mock.patch.object(importlib.util, "find_spec", stand_in))
            script = __import__("grpo")
            args = parse_args(script.Args, "", ["--model", model, "--data", str(data), "--lora_r", "8", *flags])
            try:
                script.load_model(args, None)
            except Reached as call:
                found[flags[0].strip("-")] = {name: value for name, value in call.arguments.items() if _plain(value)}
    return found


def _plain(value) -> bool:
    return isinstance(value, bool | int | float | str)


def two_steps(case: Case) -> dict:
    """Train, evaluate, save."""
    metrics, collator = case.train(), case.trainer.data_collator
    kind = type(case.trainer)
    return {
        "trainer": kind.__name__,
        "padding_free": bool(getattr(collator, "padding_free", False)),
        "eval_batch": case.trainer.args.per_device_eval_batch_size,
        "metrics": metrics,
        "records": case.records(),
    }


def resume(case: Case) -> dict:
    """Train, then again from the first checkpoint."""
    import shutil

    case.train()
    whole = case.records()
    shutil.rmtree(case.out / "checkpoint-2")
    again = Case(case.method, case.out.parent, case.args.model)
    again.train()
    return {"whole": whole, "resumed": again.records()}


def packing(case: Case) -> dict:
    """Whether each packed document and its labels are as encoded, and how many rows a batch of training and evaluation holds."""
    from data_prep.chat_template import Renderer, to_messages

    renderer = Renderer(case.tokenizer)
    encoded = [renderer.encode(to_messages(row)) for row in rows_of("sft")]
    expected = {tuple(e["input_ids"]): list(e["labels"]) for e in encoded}
    batch = next(iter(case.trainer.get_train_dataloader()))
    ids, labels, at, same = batch["input_ids"][0].tolist(), batch["labels"][0].tolist(), 0, []
    for length in batch["packed_seq_lengths"].tolist():
        document = ids[at : at + length]
        same.append(labels[at + 1 : at + length] == expected.get(tuple(document), [None])[1:])
        at += length
    return {"same": same, "documents": len(same), "held_out": len(next(iter(case.trainer.get_eval_dataloader()))["input_ids"])}


def nan(case: Case) -> dict:
    """What is said of a loss that is not finite: the rows of the batch alone, though they are joined without padding."""
    import torch
    from common.errors import CheckFailed

    norm = next(p for n, p in case.trainer.model.named_parameters() if n.endswith("model.norm.weight"))
    with torch.no_grad():
        norm[3] = float("nan")
    try:
        case.train()
    except CheckFailed as error:
        return {"error": str(error)}
    return {"error": ""}


def early_stopping(case: Case) -> dict:
    metrics = case.train()
    args = case.trainer.args
    return {
        "metrics": metrics,
        "records": case.records(),
        "watched": args.metric_for_best_model,
        "larger": args.greater_is_better,
    }


def distilled(case: Case) -> dict:
    """`two_steps`, with the least tokens that the student was shown at once, and how its layers recompute in the end."""
    widths = []
    case.trainer.model.get_base_model().register_forward_pre_hook(
        lambda module, given, named: widths.append(named["input_ids"].shape[1]), with_kwargs=True
    )
    found = two_steps(case) | {"narrowest": min(widths)}
    how = [
        m._gradient_checkpointing_func.keywords
        for m in case.trainer.model.modules()
        if hasattr(m, "_gradient_checkpointing_func")
    ]
    return found | {"reentrant": all(keywords["use_reentrant"] for keywords in how), "layers": len(how)}


def scored(case: Case) -> dict:
    """How many of the sequences whose answers are scored hold a prompt as it was asked, and how many there are."""
    from scoring import tasks

    from data_prep.chat_template import Renderer

    rows, found = [], []
    # Answers are written by the model beneath the adapter's wrapper, so what passes here is what is scored.
    hook = case.trainer.model.register_forward_pre_hook(
        lambda module, given, named: rows.extend(named["input_ids"].tolist()), with_kwargs=True
    )
    case.train()
    hook.remove()
    renderer = Renderer(case.tokenizer)
    asked = [renderer.encode_prompt(tasks.messages_of(row)) for row in rows_of("grpo")]
    for row in rows:
        found.append(any(row[i : i + len(ids)] == list(ids) for ids in asked for i in range(len(row) - len(ids) + 1)))
    return {"whole": sum(found), "rows": len(rows)}


CHECKS = {"resume": resume, "packing": packing, "nan": nan, "stop": early_stopping, "pad": scored}
CHECKS |= {"distill": distilled}  # of a method; else two_steps
MORE_FLAGS = {
    "packing": ["--packing", "true"],
    "stop": ["--early_stopping_patience", "1"],
    "prefix": ["--adapter", "prefix"],
    "stream": ["--streaming"],
    "adapter": ["--beta", "0.1"],
    "ahead": ["--trainer", "{precompute_ref_log_probs: true}"],
}


def away_from_the_base(folder: Path, model: str) -> str:
    """An adapter of the model that changes much."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(model), config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return str(folder)


def padded_by_its_end(folder: Path, model: str) -> str:
    """The model with a tokenizer whose padding token is its end token, as TRL makes it where there is none (Llama 3)."""
    import shutil

    from transformers import AutoTokenizer

    shutil.copytree(model, folder, dirs_exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(folder)
    return str(folder)


MODELS = {"adapter": away_from_the_base, "pad": padded_by_its_end}


def main() -> None:
    folder, model, *cases = sys.argv[1:]
    gpu_side_trainers()
    print("RESULT " + json.dumps({"case": "loading"} | loading(Path(folder), model)), flush=True)
    plain_models()
    for name in cases:
        method, _, check = name.partition(":")
        try:
            place = Path(folder) / (check or "steps")
            place.mkdir(parents=True, exist_ok=True)
            start = MODELS[check](place / "start", model) if check in MODELS else model
            result = CHECKS.get(check or method, two_steps)(Case(method, place, start, *MORE_FLAGS.get(check, [])))
        except Exception:  # each case is a test of its own
            result = {"failed": traceback.format_exc()}
        print("RESULT " + json.dumps({"case": name} | result), flush=True)


if __name__ == "__main__":
    main()
