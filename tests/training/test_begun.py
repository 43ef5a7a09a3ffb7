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
