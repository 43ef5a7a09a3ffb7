"""Every recipe runs end to end with a tiny random model and a few rows, and asks nothing of a network: `make rehearse`."""

import json

import pytest
from conftest import ROOT, run_without_network

RECIPES = [path.parent.name for path in sorted((ROOT / "recipes").glob("*/recipe.yaml")) if path.parent.name != "quickstart"]
RECIPES.sort(key=lambda name: name not in ("dr_bode", "rlhf"))  # the longest first: none is left to one worker at the end


# Not in CI, minutes each: there the quickstart's chain, a default test, runs whole, and every other recipe's --dry_run.
@pytest.mark.rehearsal
@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_is_rehearsed(tiny_model, tmp_path, recipe):
    out = tmp_path / recipe
    command = ["scripts/run_recipe.py", f"recipes/{recipe}", "--rehearse", "--output_dir", out]
    done = run_without_network(tmp_path / "asked.txt", *command, timeout=7200)  # a hang, not a slow machine
    assert "all stages done" in done.stdout and "Traceback" not in done.stdout
    summary, page = json.loads((out / "summary.json").read_text()), (out / "report.html").read_text()
    assert "rehearsal" in summary["title"] and "the scores mean nothing" in page
    scored = {path.parent.name for path in out.glob("eval_*/metrics.json")}
    assert {score["folder"] for score in summary["scores"]} == scored and len(scored) > 1
    stages = {stage["name"]: stage for stage in summary["stages"]}
    assert sum(stage["seconds"] for stage in stages.values()) > 0
    assert all(file["passed"] for file in summary["files"]) and len(summary["files"]) == 1
    if recipe == "dr_bode":
        assert summary["general"] and summary["safety"] and "Forgetting" in page and "Safety" in page
        assert summary["over_refusal"] and summary["written"] and "Over-refusal" in page and "Written freely" in page
        assert {"cpt", "sft", "dpo", "choose"} <= set(stages)
    if "choose" in stages:  # the first sentence is about the file that ships
        assert (out / "ships/model.gguf").is_file() and summary["first"].startswith("model-q8_0.gguf")
