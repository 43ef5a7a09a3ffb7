"""Rules of a file: each kind on answers that hold and break it, and every mistake in the file with its line."""

import json

import pytest
from conftest import run_script
from training.rules import load_rules

PASSAGE = "Give 0.5 mg of adrenaline into the thigh and call for help; repeat it after 5 minutes if needed."
FILE = r"""
good: 0.7
bad: 0.3
rules:
  - {name: dose, type: regex, pattern: '\d+ ?mg', weight: 2}
  - {name: no_mark, type: regex, pattern: '\*\*', expect: absent}
  - {name: short, type: length, min: 3, max: 10, slack: 9}
  - {name: answers, type: refusal}
  - {name: cites, type: citation, least_words: 5}
  - {name: figures, type: numbers}
"""


def rules_of(tmp_path, text: str):
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
    return load_rules(tmp_path / "rules.yaml")


@pytest.mark.parametrize(
    "name, text, score",
    [
        ("dose", "Give 5 MG now.", 1),
        ("dose", "Give some now.", 0),
        ("no_mark", "Give **5 mg**.", 0),
        ("no_mark", "Give 5 mg.", 1),
        ("short", "one two three", 1),
        ("short", "word " * 10, 1),
        ("short", "word " * 15, 0.5),
        ("short", "word " * 50, 0),
        ("answers", "I'm sorry, but I can't help with that.", 0),
        ("answers", "Give adrenaline into the thigh.", 1),
        ("cites", "First, give 0,5 mg... Then: into the thigh, and call for help!", 1),
        ("cites", "Adrenaline goes to the thigh.", 0),
        ("cites", 'Into the thigh and call for help, or "give two tablets every other hour".', 0),
        ("figures", "0,5 mg, again after 5 minutes", 1),
        ("figures", "5.5 mg, again after 5 minutes", 0.5),
        ("figures", "Adrenaline.", 1),
    ],
)
def test_each_rule(tmp_path, name, text, score):
    rule = next(rule for rule in rules_of(tmp_path, FILE).rules if rule.name == name)
    assert rule.score(text, PASSAGE) == pytest.approx(score)


def test_rewards_have_trls_shape_and_the_rules_names(tmp_path):
    rules = rules_of(tmp_path, FILE)
    completions = [[{"role": "assistant", "content": text}] for text in ("Give 0.5 mg into the thigh.", "")]
    found = {f.__name__: f(prompts=[], completions=completions, passage=[PASSAGE] * 2) for f in rules.reward_functions()}
    assert found["rule_dose"] == [1.0, 0.0] and len(found) == 6 and sum(rules.weights) == pytest.approx(1)
    assert all(values[1] == 0 for values in found.values()), "an empty answer pleases no rule"
    mean = sum(w * values[0] for w, values in zip(rules.weights, found.values(), strict=True))
    assert rules.score("Give 0.5 mg into the thigh.", {"passage": PASSAGE}) == pytest.approx(mean)
    cites = next(f for f in rules.reward_functions() if f.__name__ == "rule_cites")
    with pytest.raises(Exception, match="looks into passage, which the rows lack"):
        cites(completions=completions)
    assert rules.row_problems({"prompt": "x"}) == [f"lacks passage, which {tmp_path / 'rules.yaml'} looks into"]


def test_all_mistakes_come_at_once_with_their_lines(tmp_path):
    text = """rules:
  - {name: a, type: regexp, pattern: x}
  - {name: b, type: regex, pattern: '('}
  - {name: c, type: length, maximum: 5}
  - {name: c, type: length, max: 5, unit: lines}
  - {type: refusal}
  - {name: d, type: refusal, weight: -1}
  - {name: e, type: regex, pattern: x}
  - {name: e, type: regex, pattern: y}
bad: 0.9
"""
    with pytest.raises(Exception) as error:
        rules_of(tmp_path, text)
    said = str(error.value)
    parts = (":2: type 'regexp'", ":3: pattern", ":4: unknown key 'maximum'", ":5: unit: 'lines'", ":6: needs a `name`")
    for part in (*parts, ":7: weight", ":9: two rules are named e", "good and bad"):
        assert part in said, (part, said)


@pytest.mark.parametrize("text", ["", "[]", "rules: []", "rules: {a: 1}", "rules: [", "- a"])
def test_files_that_hold_no_rules_are_refused(tmp_path, text):
    with pytest.raises(Exception, match="rules:"):
        rules_of(tmp_path, text)


def test_grpo_is_rewarded_by_rules(tmp_path, tiny_model):
    """One step on prompts with passages: every rule's reward is logged by its name; rows without a passage are refused."""
    (tmp_path / "rules.yaml").write_text(FILE, encoding="utf-8")
    data = tmp_path / "prompts.jsonl"
    data.write_text("".join(json.dumps({"prompt": f"Dose {i}?", "passage": PASSAGE}) + "\n" for i in range(8)))
    flags = ["--model", tiny_model, "--data", data, "--rules", tmp_path / "rules.yaml", "--output_dir", tmp_path / "out"]
    few = ["--num_generations", 4, "--per_device_train_batch_size", 4, "--gradient_accumulation_steps", 1]
    run_script("scripts/grpo.py", *flags, *few, "--max_completion_length", 8, "--max_steps", 1)
    logged = (tmp_path / "out/metrics.jsonl").read_text()
    assert all(f"rewards/rule_{name}/mean" in logged for name in ("dose", "no_mark", "short", "answers", "cites", "figures"))
    dry = [*flags[:-1], tmp_path / "other", "--dry_run"]
    data.write_text('{"id": "a", "prompt": "Dose?"}\n')
    assert "row a: lacks passage" in run_script("scripts/grpo.py", *dry, code=2).stderr
    (tmp_path / "rules.yaml").write_text("rules: []")
    assert "must hold `rules`" in run_script("scripts/grpo.py", *dry, code=2).stderr
