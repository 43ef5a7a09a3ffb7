"""Every adapter kind exports or is refused by name; --lora_only, --merge_only, full fine-tuning, preference runs on top."""

import json
import subprocess

import pytest
from common.errors import CheckFailed
from common.machine import part_command
from common.models import adapter_config
from conftest import ROOT, SFT, answer_at_once, run_script
from export.adapter_folder import lora_problems
from export.proof.verify import verify_adapter
from export.steps import adapter_as, converter_command
from llamacpp.files import is_gguf, read_header
from llamacpp.tools import CONVERTER_FOLDER, INSTALL, find_converter

WHOLE = (2).to_bytes(8, "little") + b"{}"  # safetensors without a weight

if not list(CONVERTER_FOLDER.glob("*/llama.cpp/convert_hf_to_gguf.py")):
    pytest.skip(f"llama.cpp's converter is not in .tools; run: make setup, or: {INSTALL}", allow_module_level=True)


def export(*args, code=0):
    return run_script("scripts/export_gguf.py", *args, code=code)


def trained_adapter(base, folder, kind="lora", rank=4, **more):
    """An adapter folder whose weights are far from zero, as PEFT saves it."""
    import torch
    from peft import LNTuningConfig, LoraConfig, PeanutConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_pretrained(ROOT / base, dtype=torch.bfloat16)
    same = dict(r=rank, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM")
    config = PeanutConfig(**same) if kind == "peanut" else LoraConfig(**same, lora_alpha=8, **more)
    if kind == "norms":
        config = LNTuningConfig(target_modules=["input_layernorm", "q_norm", "norm"], task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and kind == "norms":
            torch.nn.init.normal_(parameter, 1, 0.3)
        elif parameter.requires_grad and "magnitude" not in name:
            torch.nn.init.normal_(parameter, 0, 0.5 if kind == "peanut" else 0.08)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(ROOT / base).save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(ROOT / base)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


KINDS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "peanut": {},
    "norms": {},
    "lora of two ranks": {"rank_pattern": {"v_proj": 8}, "alpha_pattern": {"v_proj": 32}},
    "lora and trained embeddings": {"modules_to_save": ["embed_tokens"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_kind_is_merged_as_it_answers(kind, tiny_model, tmp_path):
    """base + adapter == merged within the bound, far from the base; an adapter that does nothing is refused."""
    from export.merge import merge

    folder = trained_adapter(tiny_model, tmp_path / "adapter", kind.split()[0], **KINDS[kind])
    (tmp_path / "merged").mkdir()
    result = merge(str(folder), tiny_model, tmp_path / "merged")
    assert result.kl_adapted_to_merged <= result.bound < result.kl_merged_to_base / 5
    assert result.layer_by_layer == (kind not in ("norms", "lora and trained embeddings"))
    if kind == "lora":
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "adapter_model.safetensors")
        save_file({name: tensor * 0 for name, tensor in weights.items()}, folder / "adapter_model.safetensors")
        with pytest.raises(CheckFailed, match="the adapter holds nothing"):
            merge(str(folder), tiny_model, tmp_path / "again")


REFUSED = {
    "PREFIX_TUNING": "PREFIX_TUNING adapter; it adds no weights",
    "PROMPT_TUNING": "PROMPT_TUNING adapter; it adds no weights",
    "SEQ_CLS": "a reward model",
    "TOKEN_CLS": "TOKEN_CLS adapter: it writes no text",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_kind_that_no_gguf_can_hold_is_refused_by_name(kind, tiny_model, tmp_path):
    task = kind if kind.endswith("CLS") else "CAUSAL_LM"
    config = {"peft_type": "LORA" if task == kind else kind, "task_type": task, "base_model_name_or_path": str(ROOT / tiny_model)}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "adapter_model.safetensors").write_bytes(WHOLE)
    for way in ([], ["--merge_only"], ["--lora_only"]):
        assert REFUSED[kind] in answer_at_once("scripts/export_gguf.py", "--model", tmp_path, *way).stderr


# ---------------------------------------------------------------------------------------------- the adapter alone


@pytest.mark.slow  # half a minute each
@pytest.mark.parametrize("kind", ["rslora", "lora"])
def test_adapter_alone_is_proven_beside_its_base(kind, tiny_model, tmp_path):
    """rsLoRA scales by alpha / sqrt(r), llama.cpp by alpha / r: written as it is, it would be another adapter."""
    folder = trained_adapter(tiny_model, tmp_path / "adapter", **KINDS[kind])
    out = tmp_path / "g"
    export("--model", folder, "--lora_only", "--name", "x", "--output_dir", out, "--max_tokens", 300)
    report = json.loads((out / "verification.json").read_text())
    checks = report["files"][0]["checks"]
    assert checks["kl"] <= report["files"][0]["gates"]["kl"] == 5e-4 < checks["kl_to_base"] / 10 and checks["passages"] >= 3
    assert not (out / ".work").exists() and is_gguf(out / "x-lora-f16.gguf")
    alpha = float(read_header(out / "x-lora-f16.gguf")[0]["adapter.lora.alpha"])
    assert alpha == (16 if kind == "rslora" else 8)  # 8 * sqrt(4)


class Beside:
    """An adapter's GGUF, its base's, and what base + adapter answer in float32."""

    def __init__(self, model, folder, adapter):
        self.model, self.folder = ROOT / model, folder
        self.adapter, self.base = self.convert("lora", adapter, "adapter", "--base", self.model), self.convert("hf", self.model)
        words = [adapter, folder / "r", 300, "", "", self.model]
        subprocess.run(part_command("export.proof.reference", *words), check=True, cwd=ROOT)

    def convert(self, what, model, name="base", *more):
        out = self.folder / f"{name}.gguf"
        words = [model, "--outtype", {"lora": "f16", "hf": "bf16"}[what], "--outfile", out, *more]
        command = converter_command(find_converter() / f"convert_{what}_to_gguf.py", *words)
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        return out

    def verify(self, lora=None):
        return verify_adapter(lora or self.adapter, self.base, "bf16", self.folder / "r", self.folder / "log")

    def scaled(self, adapter, by):
        """The adapter's GGUF at another scale."""
        other = adapter_as(adapter, self.folder / f"by{by}", lora_alpha=adapter_config(adapter)["lora_alpha"] * by)
        return self.convert("lora", other, f"by{by}", "--base", self.model)


@pytest.mark.slow  # half a minute
def test_adapter_alone_of_another_scale_is_caught(tiny_model, tmp_path):
    """The proof's own proof: what the converter makes of rsLoRA left as it is does not pass."""
    adapter = trained_adapter(tiny_model, tmp_path / "adapter", use_rslora=True)
    beside = Beside(tiny_model, tmp_path, adapter)
    assert "answers otherwise than base + adapter" in beside.verify().failed["kl"]
    assert beside.verify(beside.scaled(adapter, 2)).failed == {}


@pytest.mark.slow  # half a minute
def test_adapter_of_little_training_is_proven_alone(tmp_path):
    """Sixteen bits round a part of it away in a merge (0.8 of its scale is nearest); compared with PEFT it is itself."""
    model = "models/smollm2-135m-instruct"
    adapter = trained_adapter(model, tmp_path / "adapter")
    from safetensors.torch import load_file, save_file

    weights = load_file(adapter / "adapter_model.safetensors")
    weights = {name: (w * 0.3 if "lora_B" in name else w).contiguous() for name, w in weights.items()}
    save_file(weights, adapter / "adapter_model.safetensors")
    beside = Beside(model, tmp_path, adapter)
    sound = beside.verify()
    assert not sound.failed and 5e-4 < sound.checks["kl_to_base"]
    for scale in (0.9, 1.25):
        assert "kl" in beside.verify(beside.scaled(adapter, scale)).failed


def test_adapter_that_llama_cpp_cannot_load_alone_is_refused(tiny_model, tmp_path):
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(ROOT / tiny_model), "r": 4}
    (tmp_path / "adapter_model.safetensors").write_bytes(WHOLE)
    for more, says in (
        ({"use_dora": True}, "a DoRA adapter"),
        ({"peft_type": "PEANUT"}, "a PEANUT adapter"),
        ({"modules_to_save": ["lm_head"]}, "whole layers"),
        ({"use_rslora": True, "rank_pattern": {"q_proj": 8}}, "rsLoRA adapter of more than one rank"),
    ):
        (tmp_path / "adapter_config.json").write_text(json.dumps(config | more))
        said = export("--model", tmp_path, "--lora_only", code=2).stderr
        assert says in said and "leave --lora_only out" in said


def test_adapter_that_adds_nothing_is_refused_alone(tiny_model, tmp_path):
    import torch
    from safetensors.torch import save_file

    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(ROOT / tiny_model), "r": 4}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    for last in (0.0, 1e-6):
        second = torch.zeros(8, 4, dtype=torch.bfloat16)
        second[-1, -1] = last
        weights = {"q_proj.lora_A.weight": torch.ones(4, 8), "q_proj.lora_B.weight": second}
        save_file(weights, tmp_path / "adapter_model.safetensors")
        assert ["every lora_B is zero" in said for said in lora_problems(tmp_path)] == [True] * (not last)


# ---------------------------------------------------------------------------------------------- merged folders


def test_merge_only_replaces_nothing_but_a_merge(tiny_model, tmp_path):
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(ROOT / tiny_model)}
    adapter, other = tmp_path / "adapter", tmp_path / "thesis"
    for folder in (adapter, other):
        folder.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    (adapter / "adapter_model.safetensors").write_bytes(WHOLE)
    (other / "chapter1.tex").write_text("years of work")
    assert "not replaced" in export("--model", adapter, "--merge_only", "--output_dir", other, code=2).stderr
    assert (other / "chapter1.tex").exists()
    assert "not both" in export("--model", adapter, "--merge_only", "--lora_only", code=2).stderr


@pytest.mark.slow  # a minute: every script loads a model
def test_merge_only_makes_a_model_for_every_script(tiny_model, tiny_rows, tmp_path):
    folder = trained_adapter(tiny_model, tmp_path / "run" / "sft")
    printed = export("--model", folder, "--merge_only").stdout
    merged = tmp_path / "run" / "merged"
    assert (
        "every script takes it" in printed and (merged / "merge.json").exists() and not (merged / "adapter_config.json").exists()
    )
    before = (merged / "model.safetensors").read_bytes()
    export("--model", folder, "--merge_only")
    assert (merged / "model.safetensors").read_bytes() == before, "made again it has other bytes"
    rows = ["--data", tiny_rows / "test.jsonl"]
    run_script("scripts/evaluate.py", "--model", merged, *rows, "--output_dir", tmp_path / "e", "--limit", 2)
    run_script("scripts/chat.py", "--model", merged, "--prompt", "hi", "--max_new_tokens", 3)
    train = ["--data", tiny_rows / "train.jsonl", "--output_dir", tmp_path / "further", "--max_steps", 4, *SFT]
    run_script("scripts/sft.py", "--model", merged, *train)
    out = tmp_path / "g"
    export("--model", tmp_path / "further", "--output_dir", out, "--quantization", "q8_0", "--max_tokens", 300)
    report = json.loads((out / "verification.json").read_text())
    assert report["base"] == str(merged) and not report["files"][0]["failed"]


# ---------------------------------------------------------------------------------------------- as users train them


TRAINED = ["qlora", "lora", "rslora", "dora", "pissa", "loftq", "peanut", "full", "norms", "prefix", "prompt"]


@pytest.mark.slow  # a training and an export each, a minute together
@pytest.mark.parametrize("kind", TRAINED)
def test_trained_kind_is_exported_or_refused(kind, tiny_model, tiny_rows, tmp_path):
    """scripts/sft.py --adapter KIND, then scripts/export_gguf.py, nothing between."""
    run = tmp_path / "x" / "sft"
    rate = {"full": 1e-3, "norms": 5e-2}.get(kind, 5e-3)  # few numbers learn in norms: they want a higher rate
    more = ["--max_steps", 8, "--data", tiny_rows / "train.jsonl", *SFT, "--learning_rate", rate]
    run_script("scripts/sft.py", "--model", tiny_model, "--adapter", kind, "--output_dir", run, *more)
    out = tmp_path / "x" / "gguf"
    command = ["--model", run, "--quantization", "q8_0", "--data", tiny_rows / "test.jsonl", "--max_tokens", 300]
    if kind in ("prefix", "prompt"):
        assert f"{kind.upper()}_TUNING adapter" in export(*command, code=2).stderr
        return
    export(*command)
    report = json.loads((out / "verification.json").read_text())
    loss = report["files"][0]["checks"]["task_loss"]
    assert not report["files"][0]["failed"] and loss["tuned"] < loss["untuned"] - 0.2, "the training is not in the file"
    assert (out / "x-q8_0.gguf").exists() and report["untuned"] == tiny_model


@pytest.mark.slow  # two trainings and two exports
def test_preference_on_top_of_sft_and_reward_model(tiny_sft, tiny_rows, tmp_path):
    from data_prep.chat_template import scoring_prompt

    rows = [json.loads(line) for line in (tiny_rows / "test.jsonl").read_text().splitlines()]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(
        "".join(
            json.dumps(
                {"prompt": scoring_prompt(r), "chosen": r["label"], "rejected": next(x for x in r["labels"] if x != r["label"])}
            )
            + "\n"
            for r in rows
        )
    )
    common = ["--data", pairs, "--max_steps", 2, "--max_length", 256, "--per_device_train_batch_size", 2]
    common += ["--gradient_accumulation_steps", 1, "--learning_rate", 1e-3]
    run_script("scripts/dpo.py", "--model", tiny_sft, "--output_dir", tmp_path / "dpo", *common)
    out = tmp_path / "g"
    export("--model", tmp_path / "dpo", "--output_dir", out, "--quantization", "q8_0", "--data", tiny_rows / "test.jsonl")
    report = json.loads((out / "verification.json").read_text())["files"][0]
    assert not report["failed"] and report["checks"]["task_loss"]["tuned"] < report["checks"]["task_loss"]["untuned"] - 1
    run_script("scripts/reward.py", "--model", "models/tiny-qwen3", "--output_dir", tmp_path / "reward", *common)
    assert "a reward model" in export("--model", tmp_path / "reward", code=2).stderr


def test_base_is_found_through_a_chain_of_runs(tmp_path):
    """Trained in 4 bits on a GPU, adapters name Unsloth's 4-bit repository; the run, or the one before, knows the real base."""
    from export.adapter_folder import base_of

    for name, model in (("sft", "Qwen/Qwen3-1.7B"), ("dpo", str(tmp_path / "sft"))):
        (tmp_path / name).mkdir()
        config = {"peft_type": "LORA", "base_model_name_or_path": "unsloth/qwen3-1.7b-unsloth-bnb-4bit"}
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(config))
        (tmp_path / name / "run.json").write_text(json.dumps({"config": {"model": model}}))
    assert base_of(tmp_path / "sft") == base_of(tmp_path / "dpo") == "Qwen/Qwen3-1.7B"
    (tmp_path / "dpo" / "adapter_model.safetensors").write_bytes(WHOLE)
    said = export("--model", tmp_path / "dpo", code=2).stderr
    assert "is not on this machine; --base Qwen/Qwen3-1.7B downloads it" in said
