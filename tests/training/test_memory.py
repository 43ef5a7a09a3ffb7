"""The memory estimate: what today's trainers hold of the logits, and GRPO's reward model. Arithmetic only."""

import importlib.util
import json

import distill
import dpo
import grpo
import kto
import pytest
import rloo
import sft
from common.arguments import parse_args
from common.errors import UserError
from conftest import ROOT
from training import fast_inference, memory, peak, pipeline

QWEN = peak.KNOWN["Qwen/Qwen3-1.7B"]
SIZES = ["--per_device_train_batch_size", "4", "--max_length", "1024"]


def args_of(script, *flags):
    words = ["--model", str(ROOT / "models/tiny-qwen3"), "--data", str(ROOT / "pyproject.toml"), *SIZES, *flags]
    return parse_args(script.Args, "", words)


def test_dpo_makes_no_whole_logits(tiny_model):
    """8 sequences of 1024 tokens: whole logits in float32 with their gradient would be 12.4 GB."""
    need = peak.estimate(QWEN, args_of(dpo), "dpo", 1024, gpu=True)
    assert need.logits < 1e9 < 12e9 < 8 * 1024 * QWEN["vocab_size"] * 10


@pytest.mark.parametrize("free, most", [(24e9, 4 * 2**30), (6e9, 2.6e9)])
def test_unsloths_loss_takes_half_of_what_is_free_and_4_gib_at_most(tiny_model, free, most):
    need = peak.estimate(QWEN, args_of(sft), "sft", 1024, gpu=True, free_memory=free)
    assert 0.4e9 < need.logits <= most


def test_the_first_policy_is_counted_where_the_distance_to_it_is(tiny_model):
    """As a second adapter."""
    held, alone = (peak.estimate(QWEN, args_of(rloo, "--beta", b), "rloo", 256, gpu=True).adapters for b in ("0.05", "0"))
    assert held == 2 * alone > 0


def test_grpos_reward_model_is_counted(tiny_model, tmp_path):
    config = {"base_model_name_or_path": str(ROOT / tiny_model), "task_type": "SEQ_CLS"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    flags = ["--num_generations", "4"]
    bare = peak.estimate(QWEN, args_of(grpo, *flags), "grpo", 256, gpu=True)
    scored = peak.estimate(QWEN, args_of(grpo, *flags, "--reward_model", str(tmp_path)), "grpo", 256, gpu=True)
    stored = (ROOT / tiny_model / "model.safetensors").stat().st_size
    assert bare.reward_model == 0 and scored.total - bare.total == pytest.approx(stored, rel=0.02)


def test_an_adapter_is_counted_with_its_own_rank(tiny_model, tmp_path):
    config = {"base_model_name_or_path": str(ROOT / tiny_model), "r": 64, "target_modules": ["q_proj", "v_proj"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    found = peak.estimate(QWEN, args_of(dpo, "--model", str(tmp_path)), "dpo", 1024, gpu=True)
    assert found.adapters == 2 * 4 * 28 * 64 * ((2048 + 2048) + (2048 + 1024))


def test_the_answers_of_a_step_are_written_at_once(tiny_model):
    """32 answers of 1024 tokens after prompts of 1024, keys and values of 28 layers in 16 bits: 7.5 GB, whatever a pass holds."""
    flags = ["--max_completion_length", "1024", "--num_generations", "8", "--gradient_accumulation_steps"]
    one, eight = (peak.estimate(QWEN, args_of(grpo, *flags, passes), "grpo", 2048, gpu=True) for passes in ("2", "8"))
    written = eight.answering + eight.activations_or_gradients + eight.logits
    assert written == pytest.approx(32 * 2048 * 28 * 2 * 1024 * 2, rel=1e-6) and eight.total - one.total > 5e9
    assert "fewer --gradient_accumulation_steps" in " ".join(memory.memory_suggestions(args_of(grpo, *flags, "8"), eight))
    assert peak.estimate(QWEN, args_of(sft), "sft", 2048, gpu=True).answering == 0


def test_eight_bits_a_weight_lie_between_four_and_sixteen(tiny_model):
    sixteen, int8, fp8, nf4 = (
        peak.estimate(QWEN, args_of(sft, *flags), "sft", 1024, gpu=True).weights
        for flags in (
            ["--adapter", "lora"],
            ["--adapter", "lora", "--load_in_8bit"],
            ["--adapter", "rslora", "--load_in_fp8"],
            [],
        )
    )
    linear = 28 * (2 * 2048 * 2048 + 2 * 2048 * 1024 + 3 * 2048 * 6144)
    assert int8 == fp8 and sixteen - int8 == linear and nf4 < int8


def test_vllms_cache_is_counted(tiny_model, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: True)
    fast = args_of(grpo, "--num_generations", "4", "--fast_inference", "--gpu_memory_utilization", "0.6")
    need = peak.estimate(QWEN, fast, "grpo", 256, gpu=True, free_memory=20e9)
    assert need.vllm == pytest.approx(12e9 - need.weights)


def test_vllm_is_refused_where_a_second_adapter_would_hold_the_first_policy(tiny_model, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: True)
    asked, free = (args_of(grpo, "--num_generations", "4", "--fast_inference", "--beta", beta) for beta in ("0.1", "0"))
    monkeypatch.setattr(fast_inference, "is_adapter", lambda model: True)
    assert "takes no second adapter" in fast_inference.problems(asked)[0] and not fast_inference.problems(free)


CARD = [
    (sft, ["--load_in_8bit", "--adapter", "lora"], "load_in_8bit"),
    (sft, ["--load_in_fp8", "--adapter", "lora"], "load_in_fp8"),
    (grpo, ["--num_generations", "4", "--fast_inference"], "fast_inference"),
]


@pytest.mark.parametrize("script, flags, name", CARD)
def test_what_needs_a_card_is_refused_without_one(tiny_model, monkeypatch, script, flags, name):
    find = importlib.util.find_spec  # of all other packages: torch, imported here, asks for its own
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: name == "vllm" or find(name, *more))
    args = args_of(script, *flags)
    with pytest.raises(UserError, match=f"{name}: needs a CUDA GPU"):
        pipeline.check_card(args)


def test_fp8_is_refused_on_a_card_older_than_hopper(tiny_model, monkeypatch):
    monkeypatch.setattr(pipeline, "has_cuda", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda: (8, 9))
    with pytest.raises(UserError, match="load_in_fp8: needs an H100"):
        pipeline.check_card(args_of(sft, "--load_in_fp8", "--adapter", "lora"))


@pytest.mark.parametrize("four", ["false", "true"])
def test_distillations_teacher_is_counted(tiny_model, tmp_path, four):
    teacher = tmp_path / "teacher"
    teacher.symlink_to(ROOT / tiny_model)
    flags = ["--teacher", str(teacher), "--eval_data", str(ROOT / "pyproject.toml"), "--teacher_load_in_4bit", four]
    need = peak.estimate(QWEN, args_of(distill, *flags), "distill", 256, gpu=True)
    stored = (ROOT / tiny_model / "model.safetensors").stat().st_size
    assert need.teacher == pytest.approx(stored, rel=0.02) if four == "false" else need.teacher < 0.99 * stored


BATCHES = [(sft, 8, 2, (4, 4)), (sft, 9, 2, (3, 6)), (sft, 7, 1, (1, 7)), (sft, 1, 4, None)]
BATCHES += [(kto, 4, 1, (2, 2)), (kto, 2, 8, None), (kto, 3, 1, None)]


@pytest.mark.parametrize("script, rows, passes, smaller", BATCHES)
def test_a_smaller_batch_trains_as_many_rows_a_step(tiny_model, script, rows, passes, smaller):
    """KTO takes an answer of another row of the same pass, so one row is none of its batches."""
    flags = ["--per_device_train_batch_size", str(rows), "--gradient_accumulation_steps", str(passes)]
    args = args_of(script, *flags)
    assert args.smaller_batch() == smaller
    said = " ".join(memory.memory_suggestions(args, peak.estimate(QWEN, args, "sft", 1024, gpu=True)))
    named = "--per_device_train_batch_size {} --gradient_accumulation_steps {} ".format(*(smaller or ("", "")))
    assert (named in said) == bool(smaller)
