"""A model folder whose files are damaged inside: one error that names it, never a weight that a library made up."""

import json

import pytest
from common.errors import UserError
from common.loading import loading
from common.models import load_tokenizer, with_adapter


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of a Qwen3 of one layer without tokenizer, and of an adapter on it."""
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen3Config, Qwen3ForCausalLM

    folder = tmp_path_factory.mktemp("model")
    sizes = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1)
    model = Qwen3ForCausalLM(Qwen3Config(vocab_size=32, head_dim=8, **sizes))
    model.save_pretrained(folder / "base")
    get_peft_model(model, LoraConfig(target_modules=["q_proj"], r=2)).save_pretrained(folder / "adapter")
    return folder


def turn_a_bit(path, name: str) -> None:
    """In one letter of a tensor's name: the file stays as long as its header says."""
    content = path.read_bytes()
    at = content.index(name.encode())
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


def load(folder):
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()  # as models.quiet_libraries does
    with loading(str(folder)):
        return AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("name", ["q_proj.weight", "embed_tokens.weight"])
def test_a_weight_that_is_not_there_is_an_error(made, tmp_path, name):
    load(made / "base").save_pretrained(tmp_path)
    turn_a_bit(tmp_path / "model.safetensors", name)
    with pytest.raises(UserError, match=f"{tmp_path} lacks weights that its config.json names .*{name}"):
        load(tmp_path)


def test_an_adapter_without_a_tokenizer_is_told(made, tmp_path):
    """As PEFT alone saves one; the libraries asked for sentencepiece."""
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(made / "base")}))
    with pytest.raises(UserError, match=r"holds no tokenizer; copy tokenizer.json.* of .*base into it"):
        load_tokenizer(str(tmp_path))


def test_an_adapter_that_lacks_a_weight_is_an_error(made, tmp_path):
    model = load(made / "base")
    assert with_adapter(model, made / "adapter").peft_config
    for file in (made / "adapter").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    turn_a_bit(tmp_path / "adapter_model.safetensors", "q_proj.lora_B")
    with pytest.raises(UserError, match=f"{tmp_path} cannot be loaded .*missing adapter keys"):
        with_adapter(load(made / "base"), tmp_path)


def test_what_a_library_cannot_read_names_the_folder(made, tmp_path):
    load(made / "base").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for changed in ({"model_type": "qven3"}, {"hidden_size": 24}, {"num_attention_heads": "2"}):
        (tmp_path / "config.json").write_text(json.dumps(config | changed))
        with pytest.raises(UserError, match=f"{tmp_path} (cannot be loaded|lacks)"):
            load(tmp_path)


def test_a_new_head_and_a_full_memory_are_no_damage(made):
    from transformers import AutoModelForSequenceClassification

    with loading("x"):
        AutoModelForSequenceClassification.from_pretrained(made / "base", num_labels=1)
    with pytest.raises(RuntimeError, match="out of memory"), loading("x"):
        raise RuntimeError("CUDA out of memory")
