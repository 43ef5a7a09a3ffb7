"""The memory estimate: what today's trainers hold of the logits, and GRPO's reward model. Arithmetic only."""

import json

import dpo
import grpo
import pytest
import sft
from common.arguments import parse_args
from conftest import ROOT
from training import memory

QWEN = memory.KNOWN["Qwen/Qwen3-1.7B"]
SIZES = ["--per_device_train_batch_size", "4", "--max_length", "1024"]


def args_of(script, *flags):
    words = ["--model", str(ROOT / "models/tiny-qwen3"), "--data", str(ROOT / "pyproject.toml"), *SIZES, *flags]
    return parse_args(script.Args, "", words)


def test_dpo_makes_no_whole_logits(tiny_model):
    """8 sequences of 1024 tokens: whole logits in float32 with their gradient would be 12.4 GB."""
    need = memory.estimate(QWEN, args_of(dpo), "dpo", 1024, gpu=True)
    assert need.logits < 1e9 < 12e9 < 8 * 1024 * QWEN["vocab_size"] * 10


@pytest.mark.parametrize("free, most", [(24e9, 4 * 2**30), (6e9, 2.6e9)])
def test_unsloths_loss_takes_half_of_what_is_free_and_4_gib_at_most(tiny_model, free, most):
    need = memory.estimate(QWEN, args_of(sft), "sft", 1024, gpu=True, free_memory=free)
    assert 0.4e9 < need.logits <= most


def test_grpos_reward_model_is_counted(tiny_model, tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(ROOT / tiny_model)}))
    flags = ["--num_generations", "4"]
    bare = memory.estimate(QWEN, args_of(grpo, *flags), "grpo", 256, gpu=True)
    scored = memory.estimate(QWEN, args_of(grpo, *flags, "--reward_model", str(tmp_path)), "grpo", 256, gpu=True)
    stored = (ROOT / tiny_model / "model.safetensors").stat().st_size
    assert bare.reward_model == 0 and scored.total - bare.total == pytest.approx(stored, rel=0.02)
