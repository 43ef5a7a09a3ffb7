"""The preference losses are those of the papers: recomputed from token log-probabilities in float64, a few lines each.

The trainer is the script's own (`make_trainer`), the batch its own first one; the adapters are moved away from their start,
so that policy and reference differ. In-process, in float32, for the agreement asked is 1e-4.
"""

import json

import pytest
from conftest import ROOT


def slow(flags):
    """The same test with other settings, outside the daily run: every trainer takes seconds to build."""
    return pytest.param(flags, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def trainers(tiny_model, tmp_path_factory):
    """Function: script name -> (script module, args, trainer whose adapters were moved, its first batch)."""
    import unsloth  # noqa: F401
    import torch  # isort: skip
    from common import models
    from common.arguments import parse_args
    from common.models import load_tokenizer
    from training import pairs as preference_pairs
    from unsloth_zoo.cpu import runtime

    with pytest.MonkeyPatch.context() as patch:  # for this process alone: a script that a test starts must not inherit it
        patch.setenv("UNSLOTH_CPU_BF16", "0")
        runtime.cpu_bf16_supported.cache_clear()
        assert not runtime.cpu_bf16_supported()  # Unsloth keeps the answer until the cache is cleared
    folder = tmp_path_factory.mktemp("losses")
    pairs = [
        {
            "id": i,
            "prompt": f"Question {i}: which organ makes bile?",
            "chosen": f"The liver, lobe {i}.",
            "rejected": f"No idea{' at all' * i}",
        }
        for i in range(4)
    ]
    feedback = [
        {"id": (r["id"], k), "prompt": r["prompt"], "completion": r[k], "label": k == "chosen"}
        for r in pairs
        for k in ("chosen", "rejected")
    ][:6]
    made = {}

    def make(name, *flags):
        if (name, flags) in made:
            return made[name, flags]
        script = __import__(name)
        args = parse_args(
            script.Args,
            "",
            [
                "--model",
                str(ROOT / tiny_model),
                "--data",
                str(ROOT / "pyproject.toml"),
                "--output_dir",
                str(folder / name),
                "--adapter",
                "lora",
                "--gradient_checkpointing",
                "false",
                "--per_device_train_batch_size",
                "4",
                *flags,
            ],
        )
        tokenizer = load_tokenizer(args.model)
        data = script if name == "kto" else preference_pairs
        rows = data.make_dataset(feedback if name == "kto" else pairs, tokenizer, args, "rows").rows
        if name == "reward":
            model = script.load_model(args, tokenizer).float()
        else:
            model, _ = models.load_model(args.model, 256, False, dtype=torch.float32)
        trainer = script.make_trainer(args, model, tokenizer, rows, None)
        torch.manual_seed(0)
        trainer.model.eval()
        for key, p in trainer.model.named_parameters():
            if "lora_B.default" in key:
                p.data.normal_(std=0.1)
        batch = next(iter(trainer.get_train_dataloader()))
        made[name, flags] = args, trainer, batch
        return made[name, flags]

    yield make
    runtime.cpu_bf16_supported.cache_clear()


def answer_logps(model, ids, mask, answer):
    """Sums over the answer's tokens of log p(token | before), float64, and the number of those tokens, per row."""
    import torch

    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
    logp = logits[:, :-1].double().log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    answer = answer[:, 1:].double()
    return (logp * answer).sum(-1), answer.sum(-1)


def trainer_loss(trainer, batch):
    loss = trainer.compute_loss(trainer.model, dict(batch))
    return (loss[0] if isinstance(loss, tuple) else loss).item()


def both_logps(trainer, batch):
    """Policy and reference log-probabilities of a batch; the reference is the adapter named ref."""
    ids, mask, answer = batch["input_ids"], batch["attention_mask"], batch["completion_mask"]
    policy, _ = answer_logps(trainer.model, ids, mask, answer)
    trainer.model.set_adapter("ref")
    reference, _ = answer_logps(trainer.model, ids, mask, answer)
    trainer.model.set_adapter("default")
    assert (policy - reference).abs().min() > 1e-3, "the test would prove nothing"
    return policy, reference


ROBUST = ("--loss_type", "robust", "--label_smoothing", "0.2")
DROPPED = ("--lora_dropout", "0.1")
AHEAD = ("--trainer", "{precompute_ref_log_probs: true}")


@pytest.mark.parametrize(
    "flags", [("--rpo_alpha", "0.5", *AHEAD), *map(slow, [(), ("--beta", "0.5"), ("--loss_type", "ipo"), ROBUST])]
)
def test_dpo(trainers, flags):
    from torch.nn.functional import logsigmoid

    args, trainer, batch = trainers("dpo", *flags)
    policy, reference = both_logps(trainer, batch)
    n = len(policy) // 2  # chosen answers first, rejected after them
    margin = (policy - reference)[:n] - (policy - reference)[n:]
    loss = -logsigmoid(args.beta * margin)  # Rafailov et al. 2023, equation 7
    if args.loss_type == "robust":  # Chowdhury et al. 2024
        flipped = args.label_smoothing
        loss = ((1 - flipped) * loss + flipped * logsigmoid(-args.beta * margin)) / (1 - 2 * flipped)
    if args.loss_type == "ipo":  # Azar et al. 2023, equation 17, on log-ratios a token as TRL takes them
        tokens = batch["completion_mask"][:, 1:].sum(-1)
        ratio = (policy - reference) / tokens
        loss = (ratio[:n] - ratio[n:] - 1 / (2 * args.beta)) ** 2
    loss = loss.mean()
    if args.rpo_alpha:
        loss = loss - args.rpo_alpha * policy[:n].sum() / batch["completion_mask"][:n, 1:].sum()
    assert trainer_loss(trainer, batch) == pytest.approx(float(loss), abs=1e-4)
    assert ("ref_chosen_logps" in batch) == (flags[-2:] == AHEAD)


@pytest.mark.parametrize("flags", [("--desirable_weight", "1.5", "--undesirable_weight", "0.7", *AHEAD), slow(())])
def test_kto(trainers, flags):
    import torch

    args, trainer, batch = trainers("kto", *flags)
    policy, reference = both_logps(trainer, batch)
    moved = {k: batch[f"KL_{k}"] for k in ("input_ids", "attention_mask", "completion_mask")}
    kl = float(torch.sub(*both_logps(trainer, moved)).mean().clamp(min=0))  # z0 of equation 7
    good = torch.as_tensor(batch["label"]).bool()
    ratio = policy - reference
    value = torch.where(good, torch.sigmoid(args.beta * (ratio - kl)), torch.sigmoid(args.beta * (kl - ratio)))
    weight = torch.where(good, args.desirable_weight, args.undesirable_weight)
    loss = (weight * (1 - value)).mean()  # Ethayarajh et al. 2024, equation 8
    assert good.any() and not good.all()
    assert trainer_loss(trainer, batch) == pytest.approx(float(loss), abs=1e-4)


def pair_logps(trainer, batch):
    found = []
    for name in ("chosen", "rejected"):
        ids, labels = batch[f"{name}_input_ids"], batch[f"{name}_labels"]
        found.append(answer_logps(trainer.model, ids, batch[f"{name}_attention_mask"], labels != -100))
    return found


SIMPO = ("--beta", "2.5", "--simpo_gamma", "1.5", "--cpo_alpha", "0.5", *DROPPED)
ORPO = ("--beta", "0.5", *DROPPED)
REWARD = ("--center_rewards_coefficient", "0.1", *DROPPED)


@pytest.mark.parametrize("flags", [SIMPO, slow(())])
def test_simpo(trainers, flags):
    from torch.nn.functional import logsigmoid

    args, trainer, batch = trainers("simpo", *flags)
    (chosen, n_chosen), (rejected, n_rejected) = pair_logps(trainer, batch)
    margin = args.beta * (chosen / n_chosen - rejected / n_rejected) - args.simpo_gamma
    loss = -logsigmoid(margin).mean()  # Meng et al. 2024, equation 6
    loss = loss - args.cpo_alpha * chosen.sum() / n_chosen.sum()
    assert trainer_loss(trainer, batch) == pytest.approx(float(loss), abs=1e-4)


def test_simpo_and_orpo_hold_no_reference(trainers):
    for name, *flags in (("simpo", *SIMPO), ("orpo", *ORPO)):
        trainer = trainers(name, *flags)[1]
        assert list(trainer.model.peft_config) == ["default"] and getattr(trainer, "ref_model", None) is None


def test_adapters_have_the_dropout_that_was_asked_for(trainers):
    """TRL takes all dropout out unless it is told not to, whatever lora_dropout says."""
    import torch

    for name, *flags in (("simpo", *SIMPO), ("orpo", *ORPO), ("reward", *REWARD)):
        dropouts = [m.p for m in trainers(name, *flags)[1].model.modules() if isinstance(m, torch.nn.Dropout)]
        assert dropouts and set(dropouts) == {0.1}, name


@pytest.mark.parametrize("flags", [ORPO, slow(())])
def test_orpo(trainers, flags):
    from torch import exp, log1p
    from torch.nn.functional import logsigmoid

    args, trainer, batch = trainers("orpo", *flags)
    (chosen, n_chosen), (rejected, n_rejected) = pair_logps(trainer, batch)
    chosen, rejected = chosen / n_chosen, rejected / n_rejected
    log_odds = (chosen - log1p(-exp(chosen))) - (rejected - log1p(-exp(rejected)))
    loss = (-chosen - args.beta * logsigmoid(log_odds)).mean()  # Hong et al. 2024, equations 6 and 7
    assert trainer_loss(trainer, batch) == pytest.approx(float(loss), abs=1e-4)


@pytest.mark.parametrize("flags", [REWARD, slow(("--center_rewards_coefficient", "0"))])
def test_reward_model(trainers, flags):
    import torch
    from torch.nn.functional import logsigmoid

    args, trainer, batch = trainers("reward", *flags)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    with torch.no_grad():
        hidden = trainer.model.base_model.model.model(input_ids=ids, attention_mask=mask).last_hidden_state.double()
    last = hidden[torch.arange(len(ids)), mask.sum(-1) - 1]
    head = trainer.model.base_model.model.score.modules_to_save["default"].weight.double()
    chosen, rejected = (last @ head.T)[:, 0].chunk(2)  # the score at the answer's last token
    loss = -logsigmoid(chosen - rejected).mean()  # Bradley-Terry; Ouyang et al. 2022, equation 1
    loss = loss + args.center_rewards_coefficient * ((chosen + rejected) ** 2).mean()
    assert (chosen - rejected).abs().min() > 1e-3, "the test would prove nothing"
    assert trainer_loss(trainer, batch) == pytest.approx(float(loss), abs=1e-4)


def test_dpo_begins_at_ln_2_with_the_sft_policy_as_reference(tiny_sft, tmp_path):
    """Going on from an SFT adapter, the first loss is ln 2: the reference is that policy, not the bare base."""
    import math

    from conftest import run_script

    rows = tmp_path / "pairs.jsonl"
    pairs = [{"id": i, "prompt": f"Name organ {i}.", "chosen": "The liver.", "rejected": "No."} for i in range(8)]
    rows.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    out = tmp_path / "dpo"
    run_script(
        "scripts/dpo.py",
        "--model",
        tiny_sft,
        "--data",
        rows,
        "--output_dir",
        out,
        "--max_steps",
        3,
        "--logging_steps",
        1,
        "--learning_rate",
        1e-3,
        "--per_device_train_batch_size",
        4,
        "--gradient_accumulation_steps",
        1,
    )
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [float(line["loss"]) for line in lines if "loss" in line]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-4) and losses[2] < losses[0]
    assert (out / "adapter_model.safetensors").exists() and not (out / "ref").exists()


def test_reward_model_begins_with_the_sft_adapter_and_a_new_head(tiny_sft, trainers):
    import reward
    import torch
    from common.arguments import parse_args
    from common.models import load_tokenizer
    from safetensors.torch import load_file

    words = f"--model {tiny_sft} --data {ROOT / 'pyproject.toml'} --output_dir {tiny_sft / 'no'} --adapter lora".split()
    args = parse_args(reward.Args, "", words)
    model = reward.load_model(args, load_tokenizer(args.model))
    taught, held = load_file(tiny_sft / "adapter_model.safetensors"), dict(model.named_parameters())
    name = next(k for k in taught if "lora_B" in k)
    assert torch.equal(held[name.replace("lora_B.weight", "lora_B.default.weight")].float(), taught[name].float())
    assert taught[name].abs().max() > 0 and model.base_model.model.score.modules_to_save["default"].weight.abs().max() > 0
