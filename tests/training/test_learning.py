"""Every method moves its own held-out measure: a short form of tests/benchmarks/bench_learning.py with a tiny random model.

One preference in all: a full, polite sentence over a scrap. The organs asked of in the held-out rows were never trained.
"""

import json
import math
import re
from pathlib import Path

import pytest
from conftest import ROOT, ends_the_same_after_a_kill, run_script

ORGANS = ["liver", "heart", "kidney", "lung", "spleen", "brain", "skin", "colon", "pancreas", "thyroid"]
FLAGS = ["--max_steps", 12, "--logging_steps", 6, "--save_steps", 0, "--learning_rate", 2e-3, "--warmup_steps", 0]
FLAGS += ["--per_device_train_batch_size", 8, "--gradient_accumulation_steps", 1]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Function: script -> its training and held-out file."""
    folder = tmp_path_factory.mktemp("learning")

    def row(method, i):
        organ = ORGANS[i % 8] if i < 96 else ORGANS[8 + i % 2]
        prompt, good, bad = f"Case {i}: what of the {organ}?", f"The {organ} is well, dear colleague.", f"{organ} dunno lol"
        return {
            "sft": {"conversations": [{"from": "human", "value": prompt}, {"from": "gpt", "value": good}]},
            "cpt": {"text": f"{prompt} {good}"},
            "kto": {"prompt": prompt, "completion": (good, bad)[i % 2], "label": i % 2 == 0},
        }.get(method, {"prompt": prompt, "chosen": good, "rejected": bad})

    def write(method):
        for name, numbers in (("train", range(96)), ("held_out", range(96, 112))):
            (folder / f"{method}_{name}.jsonl").write_text("".join(json.dumps(row(method, i)) + "\n" for i in numbers))
        return folder / f"{method}_train.jsonl", folder / f"{method}_held_out.jsonl"

    return write


def held_out_of(method, tiny_model, rows, out, *flags) -> dict:
    data, held_out = rows(method)
    where = ["--model", tiny_model, "--data", data, "--eval_data", held_out, "--output_dir", out]
    run_script(f"scripts/{method}.py", *where, *FLAGS, *flags)
    found = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if any(key.startswith("eval_") for key in line)][-1]


@pytest.mark.parametrize("method", ["sft", "cpt"])
def test_held_out_loss_falls(tiny_model, rows, tmp_path, method):
    """From that of a random model, the logarithm of its vocabulary."""
    before = math.log(json.loads((ROOT / tiny_model / "config.json").read_text())["vocab_size"])
    after = held_out_of(method, tiny_model, rows, tmp_path / "out")
    assert after["eval_loss"] < 0.9 * before


@pytest.mark.parametrize("method", ["dpo", "simpo", "orpo", "reward"])
def test_held_out_pairs_are_ranked_right(tiny_model, rows, tmp_path, method):
    key = "eval_accuracy" if method == "reward" else "eval_rewards/accuracies"
    assert held_out_of(method, tiny_model, rows, tmp_path / "out")[key] >= 0.75


def test_held_out_answers_are_told_apart_by_kto(tiny_model, rows, tmp_path):
    found = held_out_of("kto", tiny_model, rows, tmp_path / "out")
    assert found["eval_rewards/chosen"] > found["eval_rewards/rejected"] + 0.1


@pytest.fixture(scope="module")
def letters(tiny_model, tmp_path_factory):
    """Words for grpo.py and rloo.py: a model that says A or B by chance, and questions whose right answer is A always."""
    from data_prep.chat_template import scoring_prompt

    folder = tmp_path_factory.mktemp("letters")
    options = {"A": "rest", "B": "surgery"}
    asked = [
        {"id": i, "task": "mcq", "question": f"Case {i * 7} of the {ORGANS[i % 10]}?", "options": options, "answer": "A"}
        for i in range(112)
    ]
    said = [
        {"id": i, "conversations": [{"from": "human", "value": scoring_prompt(q)}, {"from": "gpt", "value": "AB"[i % 2]}]}
        for i, q in enumerate(asked)
    ]
    for name, rows in (("said", said[:96]), ("train", asked[:96]), ("held_out", asked[96:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    # Full: an adapter cannot make two of 151,936 words likely while the tiny model's random output layer stands.
    flags = [*FLAGS, "--adapter", "full", "--learning_rate", 5e-3, "--max_steps", 24]
    where = ["--model", tiny_model, "--data", folder / "said.jsonl", "--output_dir", folder / "sft"]
    run_script("scripts/sft.py", *where, *flags)
    where = ["--model", folder / "sft", "--data", folder / "train.jsonl", "--eval_data", folder / "held_out.jsonl"]
    return [*where, *FLAGS, "--per_device_train_batch_size", 32, "--max_completion_length", 4]


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_rewarded_answers_become_likelier(letters, tmp_path, method):
    run_script(f"scripts/{method}.py", *letters, "--max_steps", 16, "--output_dir", tmp_path / "out")
    found = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    before = next(line["reward"] for line in found if "reward" in line)  # by chance 0.55: a wrong letter gives 0.1
    after = next(line["eval_reward"] for line in reversed(found) if "eval_reward" in line)
    assert 0.3 < before < 0.8 and after > before + 0.15 and after > 0.8


def rule_for_b(letters, folder) -> tuple[Path, Path, Path]:
    """Prompts of the letters' questions, held-out ones, and a rule that wants B."""
    from data_prep.chat_template import scoring_prompt

    rows = [json.loads(line) for line in Path(letters[letters.index("--data") + 1]).read_text().splitlines()]
    data, held_out, rules = (folder / name for name in ("prompts.jsonl", "held_out.jsonl", "rules.yaml"))
    prompts = [json.dumps({"id": row["id"], "prompt": scoring_prompt(row)}) + "\n" for row in rows]
    data.write_text("".join(prompts[:80]))
    held_out.write_text("".join(prompts[80:]))
    rules.write_text("rules:\n  - {name: b, type: regex, pattern: '^B', ignore_case: false}\n")
    return data, held_out, rules


@pytest.mark.slow
def test_answers_that_please_a_rule_become_likelier_by_grpo(letters, tmp_path):
    """Prompts without a right answer, and a rule that wants B: held-out answers go from chance to B."""
    data, held_out, rules = rule_for_b(letters, tmp_path)
    more = ["--data", data, "--eval_data", held_out, "--rules", rules, "--max_steps", 24, "--output_dir", tmp_path / "out"]
    run_script("scripts/grpo.py", *letters, *more)
    found = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    before = next(line["reward"] for line in found if "reward" in line)
    after = next(line["eval_reward"] for line in reversed(found) if "eval_reward" in line)
    assert 0.2 < before < 0.8 and after > before + 0.15 and after > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(letters, tmp_path, method):
    ends_the_same_after_a_kill([f"scripts/{method}.py", *letters, "--max_steps", 8, "--save_steps", 2], tmp_path, 2)


@pytest.mark.slow
def test_dpo_on_the_models_own_answers_in_rounds(letters, tmp_path):
    """As the README says it: each round's answers please the rule oftener than those of the round before."""
    data, _, rules = rule_for_b(letters, tmp_path)
    model, pleased = letters[letters.index("--model") + 1], []
    flags = ["--save_steps", 0, "--warmup_steps", 0, "--per_device_train_batch_size", 8, "--gradient_accumulation_steps", 1]
    flags += ["--learning_rate", 1e-3, "--max_steps", 16]
    for number in (1, 2, 3):
        pairs, answers, out = (tmp_path / f"{name}{number}" for name in ("pairs", "answers", "round"))
        answered = ["--model", model, "--data", data, "--num_generations", 4, "--max_new_tokens", 4, "--output_dir", answers]
        kind = "preference" if number < 3 else "feedback"  # where all answers please, there is no pair
        done = run_script("scripts/annotate.py", *answered, "--rules", rules, "--task", kind, "--output", pairs)
        pleased.append(float(re.search(r"rule_b (\d\.\d+)", done.stdout)[1]))
        if number < 3:
            run_script("scripts/dpo.py", "--model", model, "--data", pairs, "--output_dir", out, *flags)
            model = out
    assert pleased[0] < 0.6 and pleased[0] < pleased[1] < pleased[2] and pleased[2] > 0.7
