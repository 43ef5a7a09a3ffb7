"""GRPO's reward functions, and what the GPU-side calls pass to Unsloth. No model is loaded."""

import ast
import inspect
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import grpo
import pytest
from common.arguments import parse_args
from common.errors import UserError
from conftest import ROOT
from training import rewards

OPTIONS = json.dumps({"A": "rest", "B": "surgery"})


def args_of(*flags):
    words = ["--model", str(ROOT / "models/tiny-qwen3"), "--data", str(ROOT / "pyproject.toml"), *flags]
    return parse_args(grpo.Args, "", words)


def scores(args, *texts, tokenizer=None):
    """Rewards of answers to a question whose right answer is A: a list a function, and the weights."""
    functions, weights = rewards.functions(args, SimpleNamespace(tokenizer=tokenizer))
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    columns = {"options": [OPTIONS] * len(texts), "gold": ["A"] * len(texts)}
    return [f(prompts=None, completions=completions, **columns) for f in functions], weights


def test_without_any_the_right_answer_is_rewarded(tiny_model):
    assert scores(args_of(), "A", "B", "no idea") == ([[1.0, 0.1, 0.0]], [1.0])


def test_several_rewards_are_weighed(tiny_model):
    flags = [
        "--rewards",
        "right_letter",
        "format",
        "length",
        "--reward_weights",
        "1",
        "0.2",
        "0.1",
        "--max_completion_length",
        "4",
    ]
    tokenizer = lambda text, **more: {"input_ids": text.split()}  # noqa: E731
    found, weights = scores(args_of(*flags), "A.", "The answer is A", "dunno", tokenizer=tokenizer)
    assert found == [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.75, 0.0, 0.75]] and weights == [1.0, 0.2, 0.1]


def test_a_function_of_ones_own_and_rules(tiny_model, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def polite(completions, **rest):\n    return [1.0 for _ in completions]\n")
    (tmp_path / "rules.yaml").write_text("rules:\n  - {name: dose, type: regex, pattern: mg, weight: 2}\n")
    monkeypatch.chdir(tmp_path)
    args = args_of("--rewards", "mine:polite", "--rules", "rules.yaml")
    assert scores(args, "5 mg", "none") == ([[1.0, 1.0], [1.0, 0.0]], [1.0, 1.0])
    with pytest.raises(UserError, match="mine:rude"):
        rewards.by_name("mine:rude")
    sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    "returned, words",
    [
        ("[1.0]", r"gave \[1.0\] for 2 answers"),
        ("1.0", r"gave 1.0 for 2 answers"),
        ("['1', '0']", "one finite number an answer"),
        ("[float('nan'), 1]", "one finite number an answer"),
        ("[rest['reference']] * 2", r"failed at .*scored.py:2 \(KeyError: 'reference'\).* options, gold"),
    ],
)
def test_a_function_of_ones_own_that_cannot_be_used_is_named(tiny_model, tmp_path, monkeypatch, returned, words):
    (tmp_path / "scored.py").write_text(f"def own(completions, **rest):\n    return {returned}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "scored", raising=False)
    with pytest.raises(UserError, match=f"rewards: scored:own .*{words}"):
        scores(args_of("--rewards", "scored:own"), "A", "B")


def test_answers_may_go_unscored_and_a_function_may_wait_for_its_scores(tiny_model, tmp_path, monkeypatch):
    from training import callbacks

    (tmp_path / "scored.py").write_text("async def own(completions, **rest):\n    return [None, 1]\n")
    (tmp_path / "broken.py").write_text("def own(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "scored", raising=False)
    assert scores(args_of("--rewards", "scored:own"), "A", "B")[0] == [[None, 1]]
    with pytest.raises(UserError, match=r"broken:own cannot be had \(SyntaxError"):
        rewards.by_name("broken:own")
    assert callbacks.figures({"reward": None}) == "" and callbacks.figures({"reward": 0.5}) == "  reward 0.500"


def test_a_reward_model_reads_by_its_own_template_whatever_the_policys_is(tiny_model, tmp_path):
    """Ids and turns of the policy's are other words to it, and its scores would be of nothing; without a head it is none."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from data_prep.chat_template import Renderer

    folder, own = tmp_path / "reward", AutoTokenizer.from_pretrained(ROOT / tiny_model)
    model = AutoModelForSequenceClassification.from_pretrained(ROOT / tiny_model, num_labels=1)
    get_peft_model(model, LoraConfig(task_type="SEQ_CLS", target_modules=["q_proj"])).save_pretrained(folder)
    own.save_pretrained(folder)
    args = args_of("--reward_model", str(folder))
    asked, said = [[{"role": "user", "content": "Bile?"}]], [[{"role": "assistant", "content": "The liver."}]]
    other = AutoTokenizer.from_pretrained(ROOT / tiny_model)
    other.chat_template = own.chat_template.replace("<|im_start|>", "<|im_start|>the ")
    assert Renderer(own).encode_prompt(asked[0]) != Renderer(other).encode_prompt(asked[0])
    (by_own,), (by_other,) = (rewards.functions(args, Renderer(one))[0] for one in (own, other))
    assert by_own(asked, said) == by_other(asked, said)

    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"task_type": "CAUSAL_LM"}))
    with pytest.raises(UserError, match=r"reward_model: .* no folder of reward.py"):
        args_of("--reward_model", str(folder))


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--rewards", "nice"], "rewards: nice is neither"),
        (["--rewards", "format", "--reward_weights", "1", "2"], "2 weights for 1 rewards"),
        (["--rewards", "reward_model"], "reward_model:"),
        (["--rules", "none.yaml"], "rules: there is no file"),
    ],
)
def test_what_cannot_work_is_refused(tiny_model, flags, words):
    with pytest.raises(UserError, match=words):
        args_of(*flags)


def set_by_unsloth() -> set[str]:
    """Keywords that FastLlamaModel.get_peft_model passes to LoraConfig itself, read from its source."""
    import importlib.util

    folder = Path(importlib.util.find_spec("unsloth").submodule_search_locations[0])
    tree = ast.parse((folder / "models/llama.py").read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "get_peft_model"]
    calls = [
        node.value
        for node in ast.walk(functions[-1])
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "arguments" and isinstance(node.value, ast.Call)
    ]
    named = {arg.arg for arg in functions[-1].args.args}
    return {keyword.arg for keyword in calls[0].keywords if keyword.arg} - named


@pytest.mark.parametrize("case", ["reward", "dora", "pissa"])
def test_nothing_is_passed_that_unsloth_sets_itself(case, tiny_model, tmp_path, monkeypatch):
    """On a GPU: `task_type` twice is a TypeError, after the model was loaded."""
    import reward
    from training import adapters

    passed = {}

    def get_peft_model(model, **more):
        passed.update(more)
        return model

    fake = SimpleNamespace(FastLanguageModel=SimpleNamespace(get_peft_model=get_peft_model))
    monkeypatch.setitem(sys.modules, "unsloth", fake)
    model = SimpleNamespace(
        config=SimpleNamespace(),
        save_pretrained=lambda folder: None,
        peft_config={"default": SimpleNamespace()},
        named_modules=list,
    )
    words = ["--model", str(ROOT / tiny_model), "--data", str(ROOT / "pyproject.toml"), "--output_dir", str(tmp_path)]
    if case == "reward":
        monkeypatch.setattr(reward, "has_cuda", lambda: True)
        monkeypatch.setattr(reward.models, "load_model", lambda *a, **k: (model, None))
        reward.load_model(parse_args(reward.Args, "", words), SimpleNamespace(pad_token_id=0))
    else:
        import sft

        monkeypatch.setattr(adapters, "has_cuda", lambda: True)
        adapters.attach(model, parse_args(sft.Args, "", [*words, "--adapter", case]))
        assert passed.get("use_dora") or passed.get("init_lora_weights") == "pissa_niter_16"
    monkeypatch.undo()
    assert set_by_unsloth() >= {"task_type"} and not set(passed) & set_by_unsloth()
    assert inspect.isfunction(get_peft_model) and passed
