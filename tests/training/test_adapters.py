"""Adapter kinds: what is trained is what the formula says, each learns, and PiSSA and LoftQ are saved as what they changed."""

import json
from pathlib import Path

import pytest
from conftest import ROOT, run_script
from training import adapters, parameters

KINDS = [pytest.param(kind, marks=pytest.mark.slow if kind in ("lora", "prompt") else ()) for kind in adapters.KINDS]


@pytest.fixture(scope="module")
def trained(tiny_model, tiny_rows, tmp_path_factory):
    """Function: kind -> (args, trainer after three steps, losses), made once each."""
    import unsloth  # noqa: F401  isort: skip
    import sft
    from common.arguments import parse_args
    from common.files import read_rows
    from common.models import load_tokenizer
    from training.trainer import load_model

    made = {}

    def make(kind):
        if kind not in made:
            out = tmp_path_factory.mktemp(kind)
            flags = (
                "--lora_r 4 --learning_rate 5e-3 --max_steps 3 --logging_steps 1 --save_steps 0 --per_device_train_batch_size 4"
            )
            flags += " --gradient_accumulation_steps 1 --max_length 128 --warmup_steps 0"
            flags += f" --gradient_checkpointing false --adapter {kind}"
            if kind == "full":
                flags = flags.replace("5e-3", "5e-4")
            if kind == "norms":  # few numbers, near 1
                flags = flags.replace("5e-3", "5e-2")
            data = ["--model", str(ROOT / tiny_model), "--data", str(tiny_rows / "train.jsonl"), "--output_dir", str(out)]
            args = parse_args(sft.Args, "", [*data, *flags.split()])
            tokenizer = load_tokenizer(args.model)
            rows = sft.make_dataset(read_rows(args.data), tokenizer, args, args.data).rows
            trainer = sft.make_trainer(args, load_model(args), tokenizer, rows, None)
            trainer.train()
            losses = [float(line["loss"]) for line in trainer.state.log_history if "loss" in line]
            made[kind] = args, trainer, tokenizer, losses
        return made[kind]

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_trainable_parameters_are_those_of_the_formula_and_the_loss_falls(trained, tiny_model, kind):
    args, trainer, _, losses = trained(kind)
    config = json.loads((ROOT / tiny_model / "config.json").read_text())
    counted = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    assert counted == parameters.trainable_parameters(config, kind, args.lora_r, args.target_modules)
    assert losses[-1] < losses[0]
    quantised = any(type(m).__name__ == "Linear4bit" for m in trainer.model.modules())
    assert quantised == adapters.in_4bit(args)


def test_total_parameters_are_those_of_the_formula(smollm2, tiny_model):
    from safetensors import safe_open

    for folder in (smollm2, tiny_model):
        config = json.loads((ROOT / folder / "config.json").read_text())
        with safe_open(ROOT / folder / "model.safetensors", "pt") as file:
            stored = sum(file.get_tensor(name).numel() for name in file.keys())
        assert sum(parameters.total_parameters(config)) == stored


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    """Function: kind -> folder saved as the scripts save it, and a copy of the adapter's start."""
    import shutil

    from training import checkpoints

    def save(kind):
        args, trainer, tokenizer, _ = trained(kind)
        folder = tmp_path_factory.mktemp(f"saved_{kind}")
        shutil.copytree(Path(args.output_dir, ".start"), folder / ".start")
        shutil.copytree(Path(args.output_dir, ".start"), folder / "start")
        checkpoints.save_model(trainer.model, tokenizer, folder)
        assert not (folder / ".start").exists()
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["r"] == 2 * args.lora_r and config["init_lora_weights"] is True
        return folder

    return save


LAYER = "base_model.model.model.layers.1.mlp.up_proj"


def update(folder: Path):
    """B A of one layer of a saved adapter, with its scale."""
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text())
    weights = load_file(folder / "adapter_model.safetensors")
    return config["lora_alpha"] / config["r"] * weights[f"{LAYER}.lora_B.weight"] @ weights[f"{LAYER}.lora_A.weight"]


@pytest.mark.parametrize("kind", ["pissa", "loftq"])
def test_saved_adapter_holds_the_change_alone(trained, saved, kind):
    import torch

    _, trainer, _, _ = trained(kind)
    folder = saved(kind)
    layer = trainer.model.get_submodule(LAYER)
    now = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    torch.testing.assert_close(update(folder), now.detach() - update(folder / "start"), atol=1e-5, rtol=1e-4)
    assert update(folder).abs().max() > 1e-4, "training changed nothing, so the test would prove nothing"


def test_pissa_on_the_plain_base_is_the_model_that_was_trained(trained, saved, tiny_model):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    _, trainer, tokenizer, _ = trained("pissa")
    base = AutoModelForCausalLM.from_pretrained(ROOT / tiny_model, dtype=torch.float32)
    ids = torch.tensor([tokenizer("Which organ makes bile? The liver, of course.")["input_ids"]])
    with torch.no_grad():
        before = base(ids).logits.log_softmax(-1)
        after = PeftModel.from_pretrained(base, saved("pissa"))(ids).logits.log_softmax(-1)
        now = trainer.model.eval()(ids).logits.float().log_softmax(-1)
    change = (after - before).abs().max()
    assert change > 0.1 and (after - now).abs().max() < 0.1 * change  # what bfloat16 weights leave


def test_a_reference_held_beside_pissa_leaves_the_weights_beneath(trained):
    """As DPO, KTO and RLOO hold it: PEFT would take the next directions out of them, of policy and reference alike."""
    model = trained("pissa")[1].model
    before = model.get_submodule(LAYER).base_layer.weight.clone()
    model.add_adapter("ref", model.peft_config["default"])
    model.delete_adapter("ref")
    assert before.equal(model.get_submodule(LAYER).base_layer.weight)


def test_loftq_begins_with_the_best_repair_of_nf4(trained, saved, tiny_model):
    from bitsandbytes.functional import dequantize_4bit
    from safetensors import safe_open

    args, trainer, _, _ = trained("loftq")
    stored = trainer.model.get_submodule(LAYER).base_layer.weight
    kept = dequantize_4bit(stored.data, stored.quant_state).float()
    with safe_open(ROOT / tiny_model / "model.safetensors", "pt") as file:
        lost = file.get_tensor(LAYER.removeprefix("base_model.model.") + ".weight").float() - kept
    left = (lost - update(saved("loftq") / "start")).norm()
    best = lost.svd().S[args.lora_r :].norm()  # Eckart and Young: no matrix of this rank comes nearer
    assert left < lost.norm() and abs(left - best) < 1e-3 * best


def test_saved_norms_are_those_that_were_trained(trained, tiny_model, tmp_path):
    """Read back beside their base, for scoring and chat; every norm of the model was moved, and none is trained further."""
    import unsloth  # noqa: F401  isort: skip
    import torch
    from common import models
    from training import checkpoints

    args, trainer, tokenizer, _ = trained("norms")
    checkpoints.save_model(trainer.model, tokenizer, tmp_path / "run")
    again, _ = models.load_model(str(tmp_path / "run"), 64, False)
    now = {n.replace(".default", ""): p for n, p in trainer.model.named_parameters() if p.requires_grad}
    read = {n.replace(".default", ""): p for n, p in again.named_parameters() if "ln_tuning_layers" in n}
    assert len(now) == 9 and now.keys() == read.keys()  # four a layer of two layers, and the last
    assert all(torch.allclose(now[n].float(), read[n].float(), atol=5e-3) and (now[n] - 1).abs().max() > 0.01 for n in now)
    args.model = str(tmp_path / "run")
    assert "--merge_only" in adapters.problems(args)[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pissa", "prefix", "full", "norms"])
def test_script_runs_and_the_result_is_scored(tiny_model, tiny_rows, tmp_path, kind):
    out = tmp_path / "run"
    flags = ["--adapter", kind, "--max_steps", 2, "--per_device_train_batch_size", 4, "--lora_r", 4]
    done = run_script("scripts/sft.py", "--model", tiny_model, "--data", tiny_rows / "train.jsonl", "--output_dir", out, *flags)
    assert ("plain PEFT" in done.stdout) == (kind != "full") and not (out / ".start").exists()
    run_script("scripts/evaluate.py", "--model", out, "--data", tiny_rows / "test.jsonl", "--output_dir", tmp_path / "e")
    assert json.loads((tmp_path / "e/metrics.json").read_text())["n"] == 16


def test_an_adapter_is_not_given_another_kind(tiny_sft):
    done = run_script("scripts/sft.py", "--model", tiny_sft, "--data", "README.md", "--adapter", "dora", code=2)
    assert "adapter:" in done.stderr and "--merge_only" in done.stderr


def test_nf4_unpacked_once_gives_the_same_bits(tiny_model):
    import unsloth  # noqa: F401  isort: skip
    import torch
    from common import models, processor

    model, _ = models.load_model(str(ROOT / tiny_model), 64, True)
    ids = torch.arange(1, 33)[None]
    with torch.no_grad():
        packed = model(input_ids=ids).logits
        processor.dequantize_nf4(model)
        assert not any("4bit" in type(module).__name__ for module in model.modules())
        assert torch.equal(model(input_ids=ids).logits, packed)
