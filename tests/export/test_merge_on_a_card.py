"""The merge where a card computes the answers: there the adapter's weights lie on it, and the base's come from the disk."""

import torch
from export import merge
from export.proof.adapted import hollow_adapted


def adapter_on(model: str, folder) -> str:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(model), config).save_pretrained(folder)
    return str(folder)


def test_a_weight_is_merged_where_its_adapter_lies(tiny_model, tmp_path, monkeypatch):
    """The meta device stands for the card: it takes no tensor of the machine's memory either, and ended every merge there."""
    model = hollow_adapted(adapter_on(tiny_model, tmp_path), tiny_model, 10)
    layers = merge.base_layers(model)
    name, (layer, part) = next(iter(layers.items()))
    here = merge.merged_weight(layer, part)
    assert here.device.type == "cpu" and here.dtype == torch.float32 and torch.isfinite(here).all(), name
    for module in model.modules():  # as float32.compute_in_float32 moves what it finds in memory
        if "stored" not in module.__dict__:
            module._parameters.update(
                {n: torch.nn.Parameter(p.to("meta")) for n, p in module._parameters.items() if p is not None}
            )
    monkeypatch.setattr(torch, "isfinite", lambda tensor: torch.ones(1, dtype=torch.bool))  # meta has no values to look at
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: tensor)
    there = merge.merged_weight(layer, part)
    assert there.device.type == "meta" and there.shape == here.shape
