"""Which card is used, and what is said where none can be: torch decides, not nvidia-smi. A card is stood in for by its names."""

import os
import stat
import sys

import pytest
import torch
from common import card
from common.errors import CheckFailed, UserError
from common.loading import loading
from common.models import exact_name
from conftest import run_script
from training import memory


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """An nvidia-smi of two cards, first on the PATH; the file of what it was asked."""
    asked, program = tmp_path / "asked", tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\necho "4000, 8000"\necho "9000, 16000"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return asked


@pytest.fixture
def no_mask(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("UNSLOTH_FORCE_CPU", raising=False)
    yield
    os.environ.pop("UNSLOTH_FORCE_CPU", None)


def test_memory_is_the_machines_where_torch_does_not_see_the_card_that_nvidia_smi_shows(smi, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not memory.free().gpu
    monkeypatch.setitem(sys.modules, "torch", None)  # as in a recipe's dry run, which imports none
    monkeypatch.setattr(card, "has_cuda", lambda: False)
    assert not memory.free().gpu


def test_memory_is_the_cards_where_torch_sees_one_and_there_is_no_nvidia_smi(monkeypatch):
    """Of the process's own card where several train."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: ((1, 2), (3, 4))[device])
    assert memory.free() == memory.Memory(True, 3.0, 4.0)


@pytest.mark.parametrize("mask, asked", [(None, ""), ("1", "-i 1"), ("GPU-5a, 0", "-i GPU-5a")])
def test_nvidia_smi_is_asked_for_the_card_that_is_shown(smi, monkeypatch, no_mask, mask, asked):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(card, "has_cuda", lambda: True)
    if mask:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
    assert memory.free() == memory.Memory(True, 4000.0 * 2**20, 8000.0 * 2**20)
    assert smi.read_text().strip().endswith(f"nounits {asked}".strip())


def test_a_plan_is_made_for_the_processor_where_torch_sees_no_card(smi, tiny_model, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "Yes."}]}\n' * 20)
    flags = ["--model", tiny_model, "--data", rows, "--output_dir", tmp_path / "out", "--dry_run"]
    said = run_script("scripts/sft.py", *flags, env=dict(os.environ)).stdout
    assert "GPU memory" not in said and "GB of memory" in said


def test_a_driver_that_is_too_old_is_refused_in_words(tmp_path, monkeypatch, no_mask):
    """Unsloth's own import ends in a traceback there, after our first line said that it trains on the processor."""
    (tmp_path / "version").write_text("NVRM version: 470")
    monkeypatch.setattr(card, "DRIVER", (tmp_path / "version",))
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(UserError, match=r"CUDA 13.0, cannot use it.*CUDA_VISIBLE_DEVICES="):
        card.settle.__wrapped__()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", " -1")  # what the message says goes on
    card.settle.__wrapped__()
    assert os.environ["UNSLOTH_FORCE_CPU"] == "1"


@pytest.mark.parametrize("here", ["NVIDIA", "Intel", "AMD", "none"])
def test_a_torch_that_sees_no_cuda_trains_on_the_processor(tmp_path, monkeypatch, no_mask, capsys, here):
    """Unsloth would take another maker's card, of which nothing here knows, or end in a traceback."""
    (tmp_path / "there").write_text("")
    monkeypatch.setattr(card, "DRIVER", (tmp_path / "there",) if here == "NVIDIA" else ())
    monkeypatch.setattr(card, "AMD", tmp_path / ("there" if here == "AMD" else "nowhere"))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: here == "Intel")
    monkeypatch.setattr(torch.version, "cuda", None)
    card.settle.__wrapped__()
    assert os.environ.get("UNSLOTH_FORCE_CPU") == (None if here == "none" else "1")
    assert ("is not used" in capsys.readouterr().out) == (here == "NVIDIA")


def test_with_a_card_nothing_is_settled(monkeypatch, no_mask):
    monkeypatch.setattr(card, "has_cuda", lambda: True)
    card.settle.__wrapped__()
    assert "UNSLOTH_FORCE_CPU" not in os.environ


def test_the_model_that_is_named_is_the_one_that_is_loaded(tiny_model, tmp_path, monkeypatch):
    """On a card Unsloth takes a repository of its own in its place; an adapter on such a one is scored in 16 bits."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    exact = {"use_exact_model_name": True}
    assert exact_name("Qwen/Qwen3-1.7B", True) == exact_name("Qwen/Qwen3-1.7B", False) == exact_name(tiny_model, True) == exact
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "unsloth/qwen3-1.7b-unsloth-bnb-4bit"}')
    assert exact_name(str(tmp_path), False) == {} and exact_name(str(tmp_path), True) == exact
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert exact_name(str(tmp_path), False) == exact


def test_a_model_computes_where_its_embeddings_may_not_lie():
    """Of a model that a card hardly holds Unsloth leaves them in the machine's memory; the meta device stands for the card."""
    model = torch.nn.Sequential(torch.nn.Embedding(4, 4), torch.nn.Linear(4, 4, device="meta"))
    assert card.device_of(model) == torch.device("meta") and card.device_of(model[0]) == torch.device("cpu")


def test_each_process_loads_a_plain_model_onto_its_own_card(tiny_model, monkeypatch):
    from common import models
    from transformers import AutoModelForCausalLM

    asked = {}
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *emulated: emulated != (False,))  # a T4
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda model, **keywords: asked.update(keywords))
    models.load_plain(tiny_model, True)
    assert asked["device_map"] == {"": 1} and asked["dtype"] == torch.float16
    assert asked["quantization_config"].bnb_4bit_compute_dtype == torch.float16


TOO_SMALL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    ValueError("Unsloth: x does not fit in GPU memory (cuda:0 has 1.00 GB free), so transformers placed part of it on the CPU"),
    MemoryError(),
]


@pytest.mark.parametrize("error", TOO_SMALL, ids=lambda error: type(error).__name__)
def test_a_card_too_small_for_the_model_is_no_damaged_file(error):
    from types import SimpleNamespace

    args = SimpleNamespace(model="x", adapter="lora", load_in_4bit=None, load_in_8bit=False, load_in_fp8=False)
    with pytest.raises(CheckFailed, match=r"not enough memory to load x.*--adapter qlora, or take a smaller"):
        with memory.enough_for_the_model(args, None), loading("x"):
            raise error
    with pytest.raises(ValueError, match="else"), memory.enough_for_the_model(args, None):
        raise ValueError("something else")


def test_memory_that_a_card_lacks_is_told_in_a_line():
    code = "raise RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB')"
    code = f"import sys; sys.path.insert(0, 'scripts')\nfrom common.entry import run_main\ndef main(): {code}\nrun_main(main)"
    said = run_script("-c", code, code=2).stderr
    assert said.startswith("error: not enough memory (CUDA out of memory. Tried") and "Traceback" not in said
