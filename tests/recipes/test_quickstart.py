"""The quickstart, end to end with the real embedded model, at reduced size: fewer rows, a few training steps."""

import json
import re
import shutil

import pytest
import yaml
from conftest import ROOT, run_script


@pytest.fixture(scope="module")
def quickstart(smollm2, tmp_path_factory):
    """Output folder and terminal text of a small run of recipes/quickstart, and a function that runs it again."""
    folder = tmp_path_factory.mktemp("quickstart")
    recipe, out = folder / "recipe", folder / "out"
    shutil.copytree(ROOT / "recipes/quickstart", recipe)
    chain = recipe / "recipe.yaml"
    # 500 tokens of the proof, where 3,000 are usual: a perplexity scatters more, so its gate is looser here.
    (recipe / "gates.yaml").write_text("gates: {q4_k_m: {ratio: 1.3}}\nmax_tokens: 500\n")
    text = chain.read_text().replace("--name sft", f"--name sft --config {recipe}/gates.yaml")
    assert "--max_per_label 16" in text and "--margin 3" in text
    chain.write_text(text.replace("--max_per_label 16", "--max_per_label 3").replace("--margin 3", "--margin 20"))
    for name, changes in (("prepare", {"max_per_label": 12}), ("sft", {"max_steps": 4, "logging_steps": 1})):
        path = recipe / f"{name}.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))

    def go(*flags):
        return run_script("scripts/run_recipe.py", recipe, "--output_dir", out, *flags)

    return out, go().stdout, go


def test_every_stage_leaves_what_it_promises(quickstart):
    out, printed, _ = quickstart
    for name in (
        "data/train.jsonl",
        "data/test.jsonl",
        "data/manifest.json",
        "eval_base/metrics.json",
        "sft/adapter_model.safetensors",
        "eval_sft/predictions.jsonl",
        "eval_deployed/metrics.json",
        "comparison/comparison.html",
        "gguf/sft-q8_0.gguf",
        "gguf/sft-q4_k_m.gguf",
        "gguf/verification.json",
        "ships/model.gguf",
        "ships/choice.json",
        "report.html",
        "report.md",
        "summary.json",
    ):
        assert (out / name).is_file(), name
    assert "all stages done" in printed and "Traceback" not in printed


def test_no_held_out_question_was_trained_on(quickstart):
    out = quickstart[0]
    train = (out / "data/train.jsonl").read_text()
    held_out = [json.loads(line) for line in (out / "data/test.jsonl").read_text().splitlines()]
    assert len(held_out) >= 16 and not any(json.dumps(row["text"])[1:-1] in train for row in held_out)
    to_choose_by = [json.loads(line)["text"] for line in (out / "choice/test.jsonl").read_text().splitlines()]
    assert len(to_choose_by) == 24 and not any(json.dumps(text)[1:-1] in train for text in to_choose_by)
    assert not {row["text"] for row in held_out} & set(to_choose_by)


def test_both_models_were_scored_on_the_same_rows(quickstart):
    out = quickstart[0]
    base, tuned = (json.loads((out / f"{name}/metrics.json").read_text()) for name in ("eval_base", "eval_sft"))
    for key in ("n", "data_sha256", "protocol", "chance"):
        assert base[key] == tuned[key]
    assert base["chance"] == pytest.approx(1 / 8)
    low, high = tuned["accuracy_ci95"]
    assert 0 <= low <= tuned["accuracy"] <= high <= 1


def test_report_says_what_the_figures_say(quickstart):
    out = quickstart[0]
    summary = json.loads((out / "summary.json").read_text())
    page = (out / "report.html").read_text()
    for score in summary["scores"]:
        assert f"{100 * score['accuracy']:.1f} %" in page
    assert "Not for clinical use" in page and summary["comparisons"][1]["sentence"] in page.replace("&#39;", "'").replace(
        "&lt;", "<"
    )
    assert not re.search(r'(src|href)="?(https?:)?//', page), "the page must load nothing"
    base, tuned, deployed = (s["n_correct"] for s in summary["scores"])
    first, ships, _ = summary["comparisons"]
    assert len(first["won_ids"]) - len(first["lost_ids"]) == tuned - base
    assert len(ships["won_ids"]) - len(ships["lost_ids"]) == deployed - base
    # The first sentence is about the file that ships.
    choice = json.loads((out / "ships/choice.json").read_text())
    assert choice["file"] in ("sft-q4_k_m.gguf", "sft-q8_0.gguf") and choice["n"] == 24
    assert f"{choice['file']} ships: on 24 rows" in page or f"{choice['file']}, the largest, ships: on 24 rows" in page
    assert summary["first"].startswith(choice["file"]) and summary["first"] in page.replace("&#39;", "'")


def test_second_run_repeats_nothing(quickstart):
    out, _, go = quickstart
    before = (out / "manifest.json").read_bytes()
    again = go()
    stages = len(json.loads(before)["stages"])
    assert again.stdout.count("skipped") == stages and (out / "manifest.json").read_bytes() == before
