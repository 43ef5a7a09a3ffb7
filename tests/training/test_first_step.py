"""The first step of sft.py, cpt.py, grpo.py and rloo.py as they log it: loss and gradient, anew from token probabilities.

Two forward passes of rows of very uneven length make the step, so that a mean of means would be another number. In float32.
"""

import json
import math

import pytest
from conftest import ROOT

WORDS = ["--adapter", "lora", "--gradient_checkpointing", "false", "--max_steps", "1", "--save_steps", "0"]


@pytest.fixture
def in_float32(tiny_model):
    import unsloth  # noqa: F401
    from unsloth_zoo.cpu import runtime

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNSLOTH_CPU_BF16", "0")
        runtime.cpu_bf16_supported.cache_clear()
        assert not runtime.cpu_bf16_supported()
        yield
    runtime.cpu_bf16_supported.cache_clear()


def trainer_of(name, rows, folder, model, *flags):
    """(args, trainer, rows as they are trained) of a script, its adapters moved away from zero."""
    import torch
    from common.arguments import parse_args
    from common.files import read_rows
    from common.models import load_tokenizer
    from training import conversations, trainer

    script = __import__(name)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--model", str(ROOT / model), "--data", str(folder / "rows.jsonl"), "--output_dir", str(folder / "out")]
    args = parse_args(script.Args, "", [*words, *WORDS, *flags])
    tokenizer = load_tokenizer(args.model)
    make_dataset = conversations.make_dataset if name == "sft" else script.make_dataset
    data = make_dataset(read_rows(args.data), tokenizer, args, args.data)
    made = script.make_trainer(args, trainer.load_model(args).float(), tokenizer, data.rows, None)
    torch.manual_seed(0)
    for key, parameter in made.model.named_parameters():
        if "lora_B.default" in key:
            parameter.data.normal_(std=0.05)
    return args, made, data.rows


def token_logps(model, ids):
    import torch

    logits = model(input_ids=torch.tensor([ids])).logits[0, :-1].double()
    return logits.log_softmax(-1).gather(-1, torch.tensor(ids[1:])[:, None])[:, 0]


def gradient_of(model, loss) -> float:
    """The norm of a loss's gradient; the gradient is forgotten."""
    loss.backward()
    found = math.sqrt(sum(float((p.grad.double() ** 2).sum()) for p in model.parameters() if p.grad is not None))
    model.zero_grad()
    return found


def check_step(made, loss: float, gradient: float):
    logged = next(record for record in made.state.log_history if "loss" in record)
    assert logged["loss"] == pytest.approx(loss, abs=2e-4) and logged["grad_norm"] == pytest.approx(gradient, rel=1e-3)


@pytest.mark.parametrize("name", ["sft", "cpt"])
def test_a_step_is_the_mean_over_all_its_trained_tokens(in_float32, tiny_model, tmp_path, name):
    answers = ["Bile.", "The liver makes bile, and stores none of it. " * 4, "No.", "The gall bladder stores it. " * 2]
    turns = [[("human", f"Question {i}?"), ("gpt", answer)] for i, answer in enumerate(answers)]
    rows = [{"conversations": [{"from": who, "value": text} for who, text in turn]} for turn in turns]
    rows = rows if name == "sft" else [{"text": answer} for answer in answers]
    passes = ["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "2"]
    _, made, encoded = trainer_of(name, rows, tmp_path, tiny_model, *passes)
    sums, counts = [], []
    for row in encoded:
        trained = [i for i, label in enumerate(row["labels"][1:]) if label != -100]
        sums.append(-token_logps(made.model, row["input_ids"])[trained].sum())
        counts.append(len(trained))
    loss = sum(sums) / sum(counts)
    means = sum(float(s.detach()) / n for s, n in zip(sums, counts, strict=True)) / len(counts)
    assert abs(float(loss.detach()) - means) > 1e-3, "the test would prove nothing"
    gradient = gradient_of(made.model, loss)
    made.train()
    check_step(made, float(loss.detach()), gradient)


def score(completions, **columns):
    """A reward that differs from answer to answer."""
    return [float(sum(map(ord, answer[0]["content"])) % 11) for answer in completions]


@pytest.mark.parametrize("name", ["grpo", "rloo"])
def test_answers_are_weighed_by_their_reward_beside_the_others(in_float32, tiny_model, tmp_path, name, monkeypatch):
    """Shao et al. 2024 with the token-level loss of Yu et al. 2025; Ahmadian et al. 2024, by whole answers."""
    import torch
    from training import rewards

    monkeypatch.setattr(rewards, "functions", lambda args, renderer: ([score], [1.0]))
    rows = [{"prompt": f"Question {i}?"} for i in range(2)]
    size = ["--num_generations", "4", "--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "2"]
    size += ["--max_completion_length", "6", "--rewards", "format", "--beta", "0"]
    _, made, _ = trainer_of(name, rows, tmp_path, tiny_model, *size)
    given, compute = [], made.compute_loss
    made.compute_loss = lambda model, inputs, *more, **rest: given.append(inputs) or compute(model, inputs, *more, **rest)
    made.train()
    answers = [
        (asked[on.bool()].tolist(), said[kept.bool()].tolist(), float(weight))
        for batch in given
        for asked, on, said, kept, weight in zip(
            *(batch[key] for key in ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "advantages")), strict=True
        )
    ]
    tokens, loss = sum(len(said) for _, said, _ in answers), 0
    for prompt in {tuple(asked) for asked, _, _ in answers}:
        group = [(said, weight) for asked, said, weight in answers if tuple(asked) == prompt]
        reward = torch.tensor(
            score([[{"content": made.processing_class.decode(said, skip_special_tokens=True)}] for said, _ in group])
        )
        wanted = (reward - reward.mean()) / (reward.std() + 1e-4) if name == "grpo" else (reward - reward.mean()) * 4 / 3
        assert len(group) == 4 and reward.std() > 0
        assert [weight for _, weight in group] == pytest.approx(wanted.tolist(), abs=1e-4)
        for (said, _), weight in zip(group, wanted, strict=True):
            logps = token_logps(made.model, [*prompt, *said])[len(prompt) - 1 :]
            loss = loss - (weight * logps.sum() / tokens if name == "grpo" else weight * logps.sum() / len(answers))
    gradient = gradient_of(made.model, loss)
    assert gradient > 0.1, "the test would prove nothing"
    check_step(made, 0.0, gradient)
