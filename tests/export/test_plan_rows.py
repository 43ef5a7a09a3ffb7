"""Which rows the proof takes where none are named."""

import json

from export.plan import Plan


def test_an_empty_validation_split_is_passed_over(tmp_path):
    """prepare.py writes every split, validation.jsonl empty by default; the README's own export line met it."""
    for name, text in (("train", "{}\n"), ("validation", ""), ("test", "{}\n")):
        (tmp_path / f"{name}.jsonl").write_text(text)
    (tmp_path / "run.json").write_text(json.dumps({"script": "sft.py", "config": {"data": str(tmp_path / "train.jsonl")}}))
    plan = Plan.__new__(Plan)
    object.__setattr__(plan, "model", str(tmp_path))
    object.__setattr__(plan, "data", None)
    assert plan.rows() == str(tmp_path / "test.jsonl")
