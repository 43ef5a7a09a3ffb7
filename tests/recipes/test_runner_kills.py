"""The runner under a user's and a machine's hands: killed, ended, started twice; hashes that see what matters and no more."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from chain import fingerprint as prints
from chain import recipe as recipes
from chain import records
from chain.stages import Stage
from common.errors import UserError
from conftest import ROOT, SFT, run_script, wait_for

SLOW = '''"""A stage that says who it is, waits, and says that nothing ended it."""
import os, sys, time
from pathlib import Path
Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(600)
Path(sys.argv[1]).write_text("lived on")
'''


def chain(folder: Path, script: str, out: str = "{out}/pid.txt") -> Path:
    (folder / "step.py").write_text(script)
    (folder / "recipe.yaml").write_text(
        f"title: T\nstages:\n  - {{name: only, command: 'python {folder}/step.py {out}', outputs: ['{out}']}}\n"
    )
    return folder


def wait_for_end(pid: int) -> None:
    """Return when a process that is no child of ours has ended."""
    with contextlib.suppress(ProcessLookupError), open(os.pidfd_open(pid)) as ended:
        select.select([ended], [], [])


def start(folder: Path, out: Path) -> tuple[subprocess.Popen, int]:
    """A runner in the middle of its stage, and the stage's process id."""
    command = [sys.executable, "scripts/run_recipe.py", str(folder), "--output_dir", str(out)]
    runner = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    noted = out / "pid.txt"
    return runner, int(wait_for(runner, lambda: noted.is_file() and noted.read_text()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_stage_ends_with_the_runner(tmp_path, number):
    runner, stage = start(chain(tmp_path, SLOW), tmp_path / "out")
    runner.send_signal(number)
    code = runner.wait()
    assert code == {signal.SIGKILL: -9, signal.SIGINT: 130}.get(number, 128 + number)
    wait_for_end(stage)
    assert (tmp_path / "out/pid.txt").read_text() == str(stage), "the stage lived on"
    assert not (tmp_path / "out/manifest.json").exists()


def test_second_runner_is_refused_and_a_dead_one_holds_nothing(tmp_path):
    runner, _ = start(chain(tmp_path, SLOW), tmp_path / "out")
    refused = run_script("scripts/run_recipe.py", tmp_path, "--output_dir", tmp_path / "out", code=2)
    assert "another run_recipe.py works in" in refused.stderr and refused.stdout == ""
    assert "would run" not in run_script("scripts/run_recipe.py", tmp_path, "--output_dir", tmp_path / "out", "--dry_run").stderr
    runner.kill()
    runner.wait()
    chain(tmp_path, "import sys; open(sys.argv[1], 'w').write('done')\n")
    assert "all stages done" in run_script("scripts/run_recipe.py", tmp_path, "--output_dir", tmp_path / "out").stdout


@pytest.fixture(scope="module")
def training(tiny_model, tiny_rows, tmp_path_factory):
    """A recipe of one SFT of two steps, run once; its folder, and a function that runs it."""
    folder = tmp_path_factory.mktemp("training")
    flags = " ".join(map(str, [*SFT, "--max_steps", 2]))
    (folder / "recipe.yaml").write_text(f"""
title: One training
stages:
  - name: sft
    command: python scripts/sft.py --model {tiny_model} --data {tiny_rows}/train.jsonl --output_dir {{out}}/sft {flags}
    outputs: ["{{out}}/sft"]
""")

    def go(*more, code=0):
        return run_script("scripts/run_recipe.py", folder, "--output_dir", folder / "out", *more, code=code)

    go()
    return folder, go


def test_training_that_ended_before_its_record_is_taken_over(training, tmp_path):
    """As if the runner had been killed between the end of the training and the writing of the manifest."""
    folder, go = training
    out = folder / "out"
    manifest = json.loads((out / "manifest.json").read_text())
    stage = manifest["stages"][0]
    weights = (out / "sft/adapter_model.safetensors").read_bytes()
    (out / "manifest.json").unlink()
    note = {key: stage[key] for key in ("name", "command", "code", "packages", "inputs")}
    (out / "running.json").write_text(json.dumps(note))
    assert "taken over" in go().stdout and (out / "sft/adapter_model.safetensors").read_bytes() == weights
    assert "skipped" in go().stdout and not (out / "running.json").exists()
    again = json.loads((out / "manifest.json").read_text())["stages"][0]
    assert again["outputs"] == stage["outputs"] and again["seconds"] > 0


def test_finished_training_of_another_command_is_moved_aside_not_refused(training):
    """Without the note nobody knows what the result is of: it is kept aside, and the stage runs."""
    folder, go = training
    out = folder / "out"
    (out / "manifest.json").unlink(missing_ok=True)
    weights = (out / "sft/adapter_model.safetensors").read_bytes()
    said = go().stdout
    assert "what it wrote before" in said and "not done yet" in said
    kept = list((out / "previous").glob("sft-*/sft/adapter_model.safetensors"))
    assert len(kept) == 1 and kept[0].read_bytes() == weights and (out / "sft/run.json").is_file()
    shutil.rmtree(out / "previous")


def test_outputs_are_kept_where_the_new_run_fails(tmp_path):
    chain(tmp_path, "import sys; open(sys.argv[1], 'w').write('good')\n", "{out}/x.txt")
    run_script("scripts/run_recipe.py", tmp_path, "--output_dir", tmp_path / "out")
    (tmp_path / "step.py").write_text("import sys; sys.exit(4)\n")
    run_script("scripts/run_recipe.py", tmp_path, "--output_dir", tmp_path / "out", code=4)
    assert [p.read_text() for p in (tmp_path / "out/previous").rglob("x.txt")] == ["good"]


def test_why_a_stage_begins_anew_is_said(tmp_path):
    """Killed, then another version of a package: what it wrote is moved aside, and the reason stands beside it."""
    chain(tmp_path, "import sys; open(sys.argv[1], 'w').write('good')\n", "{out}/x.txt")
    out = tmp_path / "out"
    run_script("scripts/run_recipe.py", tmp_path, "--output_dir", out)
    stage = json.loads((out / "manifest.json").read_text())["stages"][0]
    (out / "manifest.json").unlink()
    note = {key: stage[key] for key in ("name", "command", "code", "packages", "inputs")}
    (out / "running.json").write_text(json.dumps(note | {"code": "another"}))
    assert "it begins anew, for its code changed" in run_script("scripts/run_recipe.py", tmp_path, "--output_dir", out).stdout


# ---------------------------------------------------------------------------------------------- hashes


@pytest.mark.parametrize(
    "text, same",
    [("'''Another manual.'''\nimport part\nprint( 1 )  # a comment\n", True), ("'''Doc.'''\nimport part\nprint(2)\n", False)],
)
def test_code_is_hashed_without_comments_and_docstrings(tmp_path, text, same):
    (tmp_path / "part.py").write_text("def f():\n    'Says.'\n    return 1\n")
    (tmp_path / "a.py").write_text("'''Doc.'''\nimport part\nprint(1)\n")
    before = prints.code_hash(tmp_path / "a.py")
    (tmp_path / "a.py").write_text(text)
    prints.tree_of.cache_clear()
    prints.code_hash.cache_clear()
    assert (prints.code_hash(tmp_path / "a.py") == before) == same
    (tmp_path / "part.py").write_text("def f():\n    'Says.'\n    return 2\n")
    prints.tree_of.cache_clear()
    prints.code_hash.cache_clear()
    assert prints.code_hash(tmp_path / "a.py") != before


def test_templates_and_packages_belong_to_a_stage():
    report = ROOT / "scripts/report.py"
    named = {p.name for p in prints.templates_of(prints.code_files(report))}
    assert {"page.html.jinja", "page.md.jinja"} <= named and "keys.js" not in named
    packages = prints.packages_of(ROOT / "scripts/sft.py")
    assert {"torch", "transformers", "trl", "peft", "unsloth", "unsloth_zoo"} <= set(packages)
    assert "torch" not in prints.packages_of(ROOT / "data_prep/prepare.py") and "torch" not in prints.packages_of(report)


def test_another_version_of_a_package_is_a_reason():
    stage = Stage("s", ["python", "scripts/compare.py"])
    now = prints.Fingerprint("c", "h", {"numpy": "2"}, {})
    before = records.Record("s", prints.Fingerprint("c", "h", {"numpy": "1"}, {}), 1, 1, None, {})
    assert prints.why_run(now, stage, before) == "another version: numpy 1 -> 2"
    assert prints.why_run(before.fingerprint, stage, before) is None


def test_models_and_data_of_the_command_are_inputs(tmp_path):
    (tmp_path / "rows.jsonl").write_text("{}")
    command = f"python scripts/sft.py --model qwen/qwen3-1.7b --data {tmp_path}/rows.jsonl --output_dir {tmp_path}/out/sft"
    stage = Stage("sft", command.split(), [], [f"{tmp_path}/out/sft"])
    mark = prints.fingerprint(stage, tmp_path / "out", {"qwen/qwen3-1.7b": "abc"})
    assert mark.inputs == {"qwen/qwen3-1.7b": "abc", f"{tmp_path}/rows.jsonl": prints.digest(tmp_path / "rows.jsonl")}
    listed = Stage("s", ["python", "data_prep/prepare.py", "--eval_files", f"[{tmp_path}/rows.jsonl, hf:a/b]"])
    assert prints.inputs_of(listed, tmp_path / "out") == [f"{tmp_path}/rows.jsonl", "hf:a/b"]


@pytest.mark.parametrize(
    "name, is_id",
    [
        ("qwen/qwen3-1.7b", True),
        ("Qwen/Qwen3-1.7B", True),
        ("recogna-nlp/drbodebench", True),
        ("models/tiny-qwen3", False),
        ("runs/sft", False),
        ("mine/rows.jsonl", False),
        ("tests/recipes", False),
        ("a/b/c", False),
        ("./a", False),
    ],
)
def test_hub_ids_of_any_case_are_told_from_paths(name, is_id, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert recipes.is_hub_id(name) == is_id


# ---------------------------------------------------------------------------------------------- extends, seeds


def test_extends_takes_stages_and_files_of_the_other_recipe(tmp_path):
    base, own = tmp_path / "base", tmp_path / "own"
    for folder in (base, own):
        folder.mkdir()
    (base / "sft.yaml").write_text("lora_r: 8\n")
    (base / "recipe.yaml").write_text("""
title: Base
variables: {model: a/b, keep: 1}
stages: [{name: sft, command: "python scripts/sft.py --config {recipe}/sft.yaml --model {model} --output_dir {out}/sft"}]
""")
    (own / "recipe.yaml").write_text("title: Own\nextends: ../base\nvariables: {model: c/d}\n")
    found = recipes.read(own, tmp_path / "out")
    assert found.title == "Own" and found.variables == {"model": "c/d", "keep": "1"}
    assert found.stages[0].command[3] == str(own / "../base" / "sft.yaml") and "c/d" in found.stages[0].command
    (own / "sft.yaml").write_text("lora_r: 4\n")
    assert recipes.read(own, tmp_path / "out").stages[0].command[3] == str(own / "sft.yaml")
    (own / "recipe.yaml").write_text("extends: ../base\nvariables: {modell: c/d}\n")
    with pytest.raises(UserError, match="modell is no variable of"):
        recipes.read(own, tmp_path / "out")
    (base / "recipe.yaml").write_text("extends: ../own\n")
    with pytest.raises(UserError, match="comes back to itself"):
        recipes.read(base, tmp_path / "out")


def test_seeds_train_and_score_each_under_a_folder_of_its_own():
    out = Path("runs/x")
    stages = recipes.read(ROOT / "recipes/kto", out, seeds=3).stages
    names = [s.name for s in stages]
    assert len(names) == len(set(names))
    for seed in (3408, 3409):
        copy = next(s for s in stages if s.name == f"kto_seed{seed}")
        text = " ".join(copy.command)
        assert f"--model runs/x/seeds/{seed}/sft" in text and f"--output_dir runs/x/seeds/{seed}/kto" in text
        assert copy.command[-2:] == ["--seed", str(seed)] and "runs/x/preferences/train.jsonl" in text
        score = next(s for s in stages if s.name == f"score_kto_seed{seed}")
        assert score.outputs == [f"runs/x/seeds/{seed}/eval_kto"] and "--seed" not in score.command
    assert not [n for n in names if n.startswith(("score_base_seed", "export_seed", "prepare_exam_seed"))]
    compare = stages[names.index("compare")]
    assert names.index("score_kto_seed3409") < names.index("compare") and "runs/x/seeds/3409/eval_kto" in compare.inputs
    assert compare.command[2:5] == [
        "runs/x/eval_base",
        "runs/x/eval_sft,runs/x/seeds/3408/eval_sft,runs/x/seeds/3409/eval_sft",
        "runs/x/eval_kto,runs/x/seeds/3408/eval_kto,runs/x/seeds/3409/eval_kto",
    ]
    assert [s.name for s in recipes.read(ROOT / "recipes/kto", out, seeds=1).stages] == [n for n in names if "_seed" not in n]
    with pytest.raises(UserError, match="seeds"):
        recipes.read(ROOT / "recipes/kto", out, seeds=[1, 1])


def test_each_model_is_joined_with_its_own_seeds_though_folders_share_a_name():
    out = Path("runs/x")
    train = [
        recipes.Stage(n, ["python", f"scripts/{n}.py", "--output_dir", f"{out}/{n}"], [], [f"{out}/{n}"]) for n in ("sft", "dpo")
    ]
    folders = {"sft": f"{out}/eval", "dpo": f"{out}/dpo_scores/eval"}
    score = [
        recipes.Stage(
            f"score_{n}", ["python", "scripts/evaluate.py", "--model", f"{out}/{n}", "--output_dir", place], [], [place]
        )
        for n, place in folders.items()
    ]
    compare = recipes.Stage("compare", ["python", "scripts/compare.py", *folders.values()])
    found = recipes.with_seeds([*train, *score, compare], [1, 2], out)[-1]
    assert found.command[2:] == ["runs/x/eval,runs/x/seeds/2/eval", "runs/x/dpo_scores/eval,runs/x/seeds/2/dpo_scores/eval"]


def test_two_stages_cannot_write_to_one_place(tmp_path):
    stages = [
        {"name": name, "command": "python scripts/sft.py", "outputs": [output]}
        for name, output in (("one", "{out}/sft"), ("two", "{out}/other/../sft"), ("three", "{out}/third"))
    ]
    (tmp_path / "recipe.yaml").write_text(json.dumps({"title": "Test", "stages": stages}))
    with pytest.raises(UserError) as refused:
        recipes.read(tmp_path, tmp_path / "out")
    (problem,) = refused.value.problems
    assert "stage 2 (two)" in problem and "is that of stage one" in problem


@pytest.mark.parametrize("outputs", [("{out}/sft", "{out}/sft/eval"), ("{out}/sft/eval", "{out}/sft")])
def test_an_output_within_another_stage_s_is_refused(tmp_path, outputs):
    stages = [{"name": f"s{n}", "command": "python scripts/sft.py", "outputs": [output]} for n, output in enumerate(outputs)]
    (tmp_path / "recipe.yaml").write_text(json.dumps({"title": "Test", "stages": stages}))
    with pytest.raises(UserError, match=r"stage 2 \(s1\): output .* and that of stage s0, .*, lie one within the other"):
        recipes.read(tmp_path, tmp_path / "out")


def test_a_slash_behind_a_folder_s_name_changes_nothing(tmp_path):
    commands = {
        "sft": "python scripts/sft.py --output_dir {out}/sft/",
        "score": "python scripts/evaluate.py --model {out}/sft/ --data {recipe}/test.jsonl --output_dir {out}/eval/",
        "compare": "python scripts/compare.py {out}/eval/ --output_dir {out}/comparison",
    }
    (tmp_path / "test.jsonl").write_text("{}")
    outputs = {"sft": "{out}/sft/", "score": "{out}/eval", "compare": "{out}/comparison/"}
    stages = [{"name": name, "command": command, "outputs": [outputs[name]]} for name, command in commands.items()]
    (tmp_path / "recipe.yaml").write_text(json.dumps({"title": "Test", "stages": stages, "seeds": 2}))
    found = recipes.read(tmp_path, Path("runs/x")).stages
    assert [s.name for s in found] == ["sft", "score", "sft_seed3408", "score_seed3408", "compare"]
    assert found[-1].command[2] == "runs/x/eval,runs/x/seeds/3408/eval"
