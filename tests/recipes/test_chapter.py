"""The study's settings and figures as they are printed, beside those of recipes/dr_bode/chapter."""

import json
from pathlib import Path

import pytest
import yaml
from chain import recipe as recipes
from chain.hub import bare
from conftest import ROOT, run_script
from reporting import score_table

PRINTED = {
    "sft": {
        "lora_r": 128,
        "lora_alpha": 256,
        "lora_dropout": 0.05,
        "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        "learning_rate": 2e-5,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 4,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.05,
        "max_grad_norm": 0.3,
        "optim": "paged_adamw_32bit",
        "template": "user_assistant",
    },
    "dpo": {
        "learning_rate": 5e-7,
        "beta": 0.5,
        "max_length": 512,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 8,
        "adapter": "lora",
    },
}
FIGURES = {"study_base": 21.60, "study_sft": 24.98, "study_dpo": 25.06}


def stages(settings: str) -> dict[str, recipes.Stage]:
    found = recipes.read(ROOT / "recipes/dr_bode", Path("runs/dr_bode"), variables={"settings": settings})
    return {stage.name: stage for stage in found.stages}


@pytest.mark.parametrize("name", PRINTED)
def test_chapter_is_the_study_field_by_field(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    args = recipes.command_args(stages("chapter")[name].command)
    assert {key: getattr(args, key) for key in PRINTED[name]} == PRINTED[name]


def test_chapter_takes_all_rows_and_holds_out_a_tenth_of_the_pairs():
    words = " ".join(stages("chapter")["prepare_cases"].command)
    assert "--select 0 " in words
    words = " ".join(stages("chapter")["prepare_preferences"].command)
    assert "--test_size 0.1 " in words and "--max_length 512 --too_long reject" in words
    assert "--select 10000 " in " ".join(stages("ours")["prepare_cases"].command)


def test_both_are_scored_by_both_protocols_and_stand_beside_the_printed_figures():
    for settings in ("chapter", "ours"):
        found = stages(settings)
        for name in ("base", "sft", "dpo"):
            study, ours = found[f"study_{name}"].command, found[f"score_{name}"].command
            assert study[study.index("--protocol") + 1] == "capitulo" and "--protocol" not in ours
            assert study[study.index("--model") + 1] == ours[ours.index("--model") + 1]
        table = found["printed"].command
        assert {f"runs/dr_bode/{n}" for n in (*FIGURES, "eval_base", "eval_sft", "eval_dpo", "eval_deployed")} <= set(table)
    published = score_table.read_published(ROOT / "recipes/dr_bode/printed.yaml")
    assert {p.folder: round(100 * p.accuracy, 2) for p in published} == FIGURES and {p.n for p in published} == {1301}


def test_another_word_for_settings_is_told():
    with pytest.raises(Exception, match="'chaptr' is not one of ours, chapter"):
        stages("chaptr")


def test_hub_names_are_those_of_the_hub():
    for path in (ROOT / "recipes").glob("*/recipe.yaml"):
        text = path.read_text()
        for old, new in (("drkodebench", "drbodebench"), ("drkode240_dataset", "drbode240_dataset")):
            assert old not in text or text.index(new) < text.index(old), path
    assert bare("hf:recogna-nlp/drbodebench@abc:train") == "recogna-nlp/drbodebench"


def test_table_stands_beside_published_figures(tmp_path):
    metrics = {"n": 1301, "n_correct": 281, "n_invalid": 4, "accuracy": 281 / 1301, "accuracy_ci95": [0.194, 0.239]}
    metrics |= {"chance": 0.2, "protocol": "capitulo", "model": "x", "task": "mcq"}
    (tmp_path / "study_base").mkdir()
    (tmp_path / "study_base/metrics.json").write_text(json.dumps(metrics))
    flags = ["--published", "recipes/dr_bode/printed.yaml", "--output_dir", tmp_path / "out"]
    said = run_script("scripts/score_table.py", tmp_path / "study_base", *flags).stdout
    assert "21.6 % (19.4 % to 23.9 % of 1301)" in said and "281 of 1301" in said
    saved = json.loads((tmp_path / "out/scores.json").read_text())["rows"][0]
    assert saved["published"][0]["accuracy"] == pytest.approx(0.216) and saved["n_invalid"] == 4
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump([{"accuracy": 0.2}, {"accuracy": 200, "source": "s"}]))
    done = run_script("scripts/score_table.py", tmp_path / "study_base", "--published", tmp_path / "bad.yaml", code=2)
    assert "entry 1" in done.stderr and "entry 2" in done.stderr


def test_a_row_of_the_table_says_how_it_was_asked():
    """Five examples before each question, or the most frequent of five answers, looked as one question asked plainly."""
    from reporting.score_table import asked
    from scoring.scores import Metrics

    def said(protocol: str, **more) -> str:
        return asked(Metrics(task="mcq", n=1, protocol=protocol, **more))

    assert said("letter") == said("letter", shots=0, permutations=1, num_samples=1) == "letter"
    assert said("letter", shots=1) == "letter, 1 example" and said("letter", permutations=3) == "letter, 3 orders"
    assert said("generate", shots=5, num_samples=3) == "generate, 5 examples, most of 3 answers"
