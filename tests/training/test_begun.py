"""What a training finds before it begins: a folder of something else, other rows than before, an adapter, other layers."""

import json
import shutil

import cpt
import pytest
import sft
from common.arguments import parse_args
from common.errors import UserError
from common.files import read_rows, write_json
from conftest import ROOT
from training import adapters, pipeline


def sft_args(model, rows, folder, *flags):
    return sft.Args(model=str(model), data=str(rows / "train.jsonl"), output_dir=str(folder), **dict(flags))


@pytest.mark.parametrize("name", ["config.json", "adapter_config.json", "README.md", "model-00001-of-00002.safetensors"])
def test_a_folder_of_something_else_is_not_written_over(tiny_model, tiny_rows, tmp_path, name):
    """Named as output_dir, the adapter that a training went on from was lost, and so would have been a project's README."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.odt").write_text("mine")
    args = sft_args(ROOT / tiny_model, tiny_rows, out)
    assert args.problems() == []
    (out / name).write_text("{}")
    assert [name in problem for problem in args.problems()] == [True]
    (out / "settings.json").write_text("{}")
    assert args.problems() == [], "a run of ours that was interrupted goes on"


@pytest.mark.parametrize("changed", ["train.jsonl", "rules.yaml", "model"])
def test_a_run_does_not_go_on_with_another_content_of_what_it_reads(tiny_model, tiny_rows, tmp_path, changed):
    """It passed over as many rows as the first part had trained, of other rows, and its record named the new file alone."""
    rows, model = tmp_path / "rows", tmp_path / "model"
    shutil.copytree(tiny_rows, rows)
    shutil.copytree(ROOT / tiny_model, model)
    (rows / "rules.yaml").write_text("rules: []\n")
    args = sft_args(model, rows, tmp_path / "out")
    args.rules = str(rows / "rules.yaml")  # as GRPO's arguments have it
    write_json(tmp_path / "out/settings.json", pipeline.begin(args).settings)
    (tmp_path / "out/checkpoint-2").mkdir()
    pipeline.begin(args)
    path = model / "config.json" if changed == "model" else rows / changed
    path.write_text(path.read_text() + "\n")
    with pytest.raises(UserError, match=rf"another content of \S*{changed};"):
        pipeline.begin(args)


def test_settings_of_an_older_form_say_nothing_of_what_was_read(tiny_model, tiny_rows, tmp_path):
    args = sft_args(ROOT / tiny_model, tiny_rows, tmp_path)
    settings = pipeline.begin(args).settings
    del settings["read"]
    write_json(tmp_path / "settings.json", settings)
    (tmp_path / "checkpoint-2").mkdir()
    assert pipeline.begin(args).settings["read"]


def test_cpt_goes_on_from_an_adapter_without_a_flag(tiny_sft, tmp_path):
    """Its own default, rslora, was refused as if it had been asked for, with the advice to leave it out."""
    (tmp_path / "text.jsonl").write_text('{"text": "Bile is made in the liver."}\n')
    words = ["--model", str(tiny_sft), "--data", str(tmp_path / "text.jsonl"), "--output_dir", str(tmp_path / "out")]
    assert parse_args(cpt.Args, "", words).adapter == "rslora"
    with pytest.raises(UserError, match="is an adapter already"):
        parse_args(sft.Args, "", [*words, "--adapter", "dora"])


def test_layers_that_a_model_has_not_are_told(tmp_path, capsys):
    """Phi-3 fuses its projections, gpt-oss has experts in their place: adapters lie elsewhere than the flags say."""
    from peft import LoraConfig, get_peft_model
    from transformers import Phi3Config, Phi3ForCausalLM

    small = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)
    config = Phi3Config(**small, vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    model = get_peft_model(Phi3ForCausalLM(config), LoraConfig(target_modules=["qkv_proj", "o_proj"], task_type="CAUSAL_LM"))
    args = sft.Args(target_modules=["q_proj", "o_proj"])
    adapters.tell_layers(model, args)
    assert "no layer q_proj; adapters lie on o_proj, qkv_proj" in capsys.readouterr().out
    args.target_modules = ["o_proj"]
    adapters.tell_layers(model, args)
    assert capsys.readouterr().out == ""


def test_rows_with_a_byte_order_mark_are_read(tmp_path):
    """As Windows' editors write them."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "Fígado"}, ensure_ascii=False) + "\n", encoding="utf-8-sig")
    assert read_rows(path) == [{"text": "Fígado"}]


@pytest.mark.parametrize(
    "base, words", [(None, "names no base model"), ("itself", "an adapter too"), ("another", "an adapter too")]
)
def test_an_adapter_whose_base_is_no_model_is_refused(tmp_path, base, words):
    """One that names itself was looked through for good: no word, and no end."""
    from common.models import find_model
    from export.adapter_folder import adapter_problems

    folder, other = tmp_path / "itself", tmp_path / "another"
    for path, named in ((other, "Qwen/Qwen3-0.6B"), (folder, base and str(tmp_path / base))):
        write_json(path / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": named})
    with pytest.raises(UserError, match=words):
        find_model(str(folder))
    assert any(("names no base" if base is None else "an adapter itself") in p for p in adapter_problems(folder))


def test_a_model_that_has_none_of_the_layers_is_told_with_those_it_has():
    """GPT-NeoX calls all of its own: PEFT's error was a traceback."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    small = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, vocab_size=64)
    model = GPTNeoXForCausalLM(GPTNeoXConfig(**small))
    with pytest.raises(UserError, match=r"none of q_proj, .* are dense, dense_4h_to_h, dense_h_to_4h, query_key_value$"):
        adapters.attach(model, sft.Args(adapter="dora"))


def test_experts_that_trls_loss_cannot_balance_are_told(capsys):
    """It asks for num_experts, which Granite's and Phi's configurations do not have: an AttributeError at the first step."""
    from training.trainer import leave_balance_out
    from transformers import GraniteMoeHybridConfig, MixtralConfig, Qwen3Config

    config, other = GraniteMoeHybridConfig(router_aux_loss_coef=0.1), MixtralConfig(router_aux_loss_coef=0.1)
    leave_balance_out(other)
    leave_balance_out(Qwen3Config())
    assert other.router_aux_loss_coef == 0.1 and capsys.readouterr().out == ""
    leave_balance_out(config)
    assert config.router_aux_loss_coef == 0 and "TRL has none for granitemoehybrid" in capsys.readouterr().out


def test_the_loss_that_balances_experts_is_told(capsys):
    """DPO's first loss lay above ln 2, and nothing said why."""
    from dpo import Args
    from orpo import Args as Orpo
    from training.trainer import tell_balance
    from transformers import MixtralConfig, Qwen3Config

    mixture = MixtralConfig(router_aux_loss_coef=0.02)
    tell_balance(mixture, Args(model="x", data="x"))
    assert "note:  the loss holds 0.02 times the one that balances experts" in capsys.readouterr().out
    tell_balance(mixture, Args(model="x", data="x", trainer={"router_aux_loss_coef": 0.0}))
    tell_balance(mixture, Orpo(model="x", data="x"))  # TRL's ORPO has none
    tell_balance(Qwen3Config(), Args(model="x", data="x"))
    assert capsys.readouterr().out == ""


def test_a_reward_model_takes_over_an_adapter_layer_by_layer(tiny_model, tmp_path):
    """alpha_pattern, as other tools write it, scales some layers otherwise; without it they began at another strength."""
    import reward
    import torch
    from common.models import load_tokenizer
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    shape = LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], alpha_pattern={"q_proj": 64}, task_type="CAUSAL_LM"
    )
    start = get_peft_model(AutoModelForCausalLM.from_pretrained(ROOT / tiny_model, dtype=torch.float32), shape)
    start.save_pretrained(tmp_path / "start")
    weights = tmp_path / "start/adapter_model.safetensors"  # as older tools wrote them: a .bin
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    AutoTokenizer.from_pretrained(ROOT / tiny_model).save_pretrained(tmp_path / "start")
    args = reward.Args(model=str(tmp_path / "start"), data="pairs.jsonl", adapter="lora")
    model = reward.load_model(args, load_tokenizer(args.model))
    scales = {name.rpartition(".")[2]: m.scaling["default"] for name, m in model.named_modules() if hasattr(m, "lora_A")}
    assert scales == {"q_proj": 16, "v_proj": 2}
    config = json.loads((tmp_path / "start/adapter_config.json").read_text())
    write_json(tmp_path / "start/adapter_config.json", config | {"use_dora": True})
    assert any("no plain LoRA (use_dora)" in problem for problem in args.problems())
