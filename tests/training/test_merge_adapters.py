"""merge_adapters.py: the new adapter answers as the weighted sum of the given ones, whatever their rank and scale."""

import json

import pytest
from conftest import ROOT, answer_at_once, run_script


@pytest.fixture(scope="module")
def two(tiny_model, tmp_path_factory) -> list:
    """Two adapter folders of other ranks, layers and scales, the first rsLoRA; their weights far from zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = []
    torch.manual_seed(3)
    configs = [dict(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], use_rslora=True)]
    configs += [dict(r=8, lora_alpha=4, target_modules=["down_proj", "v_proj"])]
    for number, config in enumerate(configs):
        folder = tmp_path_factory.mktemp(f"adapter{number}")
        model = AutoModelForCausalLM.from_pretrained(ROOT / tiny_model)
        model = get_peft_model(model, LoraConfig(**config, task_type="CAUSAL_LM"))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, 0, 0.1)
        model.peft_config["default"].base_model_name_or_path = tiny_model
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(ROOT / tiny_model).save_pretrained(folder)
        made.append(folder)
    return made


def deltas(folder) -> dict:
    """What an adapter adds to each layer's weight, by its formula."""
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text())
    scale = config["lora_alpha"] / (config["r"] ** 0.5 if config["use_rslora"] else config["r"])
    weights = load_file(folder / "adapter_model.safetensors")
    names = [name.removesuffix(".lora_A.weight") for name in weights if name.endswith(".lora_A.weight")]
    return {n: scale * weights[f"{n}.lora_B.weight"].float() @ weights[f"{n}.lora_A.weight"].float() for n in names}


def test_the_new_adapter_adds_the_weighted_sum(two, tiny_model, tmp_path):
    import torch

    done = run_script("scripts/merge_adapters.py", *two, "--weights", 0.25, 2, "--output_dir", tmp_path / "sum")
    first, second, made = (deltas(folder) for folder in (*two, tmp_path / "sum"))
    assert made.keys() == first.keys() | second.keys() and "rank 12" in done.stdout
    for name, delta in made.items():
        wanted = 0.25 * first.get(name, torch.zeros(())) + 2 * second.get(name, torch.zeros(()))
        torch.testing.assert_close(delta, wanted, atol=1e-5, rtol=1e-3)
    config = json.loads((tmp_path / "sum/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == tiny_model and not list(tmp_path.glob(".*.tmp"))
    assert (tmp_path / "sum/chat_template.jinja").exists() and len(
        json.loads((tmp_path / "sum/run.json").read_text())["data"]
    ) == 2


def test_adapters_that_cancel_out_and_weights_that_are_no_numbers_are_refused(two, tmp_path):
    """What rounding leaves of a sum of zero is no adapter."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in two[0].iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    words = [two[0], copy, "--output_dir", tmp_path / "sum", "--weights"]
    assert "cancel out" in run_script("scripts/merge_adapters.py", *words, 0.7, -0.7, code=1).stderr
    assert "finite" in answer_at_once("scripts/merge_adapters.py", *words, 1, ".nan").stderr
    assert not (tmp_path / "sum").exists()


def test_what_cannot_be_added_is_refused_at_once(two, tmp_path):
    dora = tmp_path / "dora"
    dora.mkdir()
    for file in two[0].iterdir():
        (dora / file.name).write_bytes(file.read_bytes())
    config = json.loads((dora / "adapter_config.json").read_text()) | {"use_dora": True, "base_model_name_or_path": "a/b"}
    (dora / "adapter_config.json").write_text(json.dumps(config))
    words = [two[0], f"{two[0]}/", dora, "--weights", 1, 0, "--output_dir", tmp_path]
    said = answer_at_once("scripts/merge_adapters.py", *words).stderr
    assert all(part in said for part in ("use_dora", "named twice", "2 for 3", "weight 0", "several bases", "there already")), (
        said
    )
