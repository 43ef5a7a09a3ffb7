"""The runner: order, skipping by hash, going on after a failure, exit codes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import run_recipe
from chain import estimate
from chain import recipe as recipes
from common import models
from common.errors import UserError
from conftest import OWN_ROWS, ROOT, run_script
from training import memory, parameters, peak

STEP = '''"""A step."""
import sys
from pathlib import Path
source, target = map(Path, sys.argv[1:3])
print("working on", source.name)
if source.read_text() == "bad":
    sys.exit(3)
target.write_text(source.read_text() + "!")
'''


@pytest.fixture
def recipe(tmp_path):
    """A recipe of two stages, a -> b -> c, over a script of its own; returns a function that runs it."""
    (tmp_path / "step.py").write_text(STEP)
    (tmp_path / "a.txt").write_text("one")
    script = str(tmp_path / "step.py")
    (tmp_path / "recipe.yaml").write_text(f"""
title: Test
stages:
  - name: first
    command: python {script} {{recipe}}/a.txt {{out}}/b.txt
    inputs: ["{{recipe}}/a.txt"]
    outputs: ["{{out}}/b.txt"]
  - name: second
    command: python {script} {{out}}/b.txt {{out}}/c.txt
    inputs: ["{{out}}/b.txt"]
    outputs: ["{{out}}/c.txt"]
""")
    (tmp_path / "out").mkdir()

    def go(*flags, code=0):
        return run_script("scripts/run_recipe.py", tmp_path, "--output_dir", tmp_path / "out", *flags, code=code)

    go.folder = tmp_path
    return go


def ran(done) -> list[str]:
    return [line.split()[-1] for line in done.stdout.splitlines() if "working on" in line]


def test_a_recipe_named_from_another_folder_is_the_one_that_lies_there(recipe):
    """It was looked for there, and then read at the project's root, where it is not."""
    words = [sys.executable, ROOT / "scripts/run_recipe.py", recipe.folder.name, "--output_dir", recipe.folder / "out"]
    done = subprocess.run(list(map(str, words)), cwd=recipe.folder.parent, capture_output=True, text=True)
    assert done.returncode == 0 and ran(done) == ["a.txt", "b.txt"], done.stderr
    assert f"start at the project's root, {ROOT}" in done.stdout and "project's root" not in recipe().stdout
    assert ran(recipe()) == [], "the same recipe, from wherever it is named"


def test_runs_in_order_then_skips_what_stands(recipe):
    assert ran(recipe()) == ["a.txt", "b.txt"]
    assert (recipe.folder / "out/c.txt").read_text() == "one!!"
    again = recipe()
    assert ran(again) == [] and again.stdout.count("skipped") == 2
    stages = json.loads((recipe.folder / "out/manifest.json").read_text())["stages"]
    assert [s["name"] for s in stages] == ["first", "second"] and all(s["peak_memory_gb"] > 0 for s in stages)
    assert "working on a.txt" in (recipe.folder / "out/logs/first.log").read_text()


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda f: (f / "a.txt").write_text("two"), ["a.txt", "b.txt"]),
        (lambda f: (f / "out/c.txt").unlink(), ["b.txt"]),
        (lambda f: (f / "out/c.txt").write_text("meddled"), ["b.txt"]),
        (lambda f: (f / "step.py").write_text(STEP.replace('+ "!"', '+ "?"')), ["a.txt", "b.txt"]),
    ],
    ids=["input", "output gone", "output changed", "code"],
)
def test_runs_again_what_no_longer_stands(recipe, change, expected):
    recipe()
    change(recipe.folder)
    assert ran(recipe()) == expected


def test_what_a_stage_that_is_left_out_would_have_made_is_done_without(recipe):
    path = recipe.folder / "recipe.yaml"
    more = """    inputs: ["{out}/b.txt", "{out}/aside.txt"]
    outputs: ["{out}/c.txt"]
"""
    aside = f"""  - name: aside
    when: "{{beside}}"
    command: python {recipe.folder / "step.py"} {{out}}/b.txt {{out}}/aside.txt
    inputs: ["{{out}}/b.txt"]
    outputs: ["{{out}}/aside.txt"]
"""
    head, second = path.read_text().split("  - name: second\n")
    second = second.split("    inputs:")[0]
    path.write_text('variables: {beside: ""}' + head + aside + "  - name: second\n" + second + more)
    assert ran(recipe()) == ["a.txt", "b.txt"] and ran(recipe()) == []
    assert ran(recipe("--variables", "{beside: yes}")) == ["b.txt", "b.txt"], "its making has the next one run again"
    # A stage whose command names it cannot go without.
    path.write_text(path.read_text().replace("{out}/b.txt {out}/c.txt", "{out}/aside.txt {out}/c.txt"))
    (recipe.folder / "out/aside.txt").unlink()
    assert "aside.txt is not there and no earlier stage makes it" in recipe(code=2).stderr


def test_stage_run_again_starts_from_a_clean_place(recipe):
    script = recipe.folder / "step.py"
    script.write_text(STEP.replace("target.write_text", "assert not target.exists(); target.write_text"))
    recipe()
    assert ran(recipe("--force")) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("flags", [(), ("--only", "first")])
def test_a_page_does_not_stand_beside_what_it_does_not_tell_of(recipe, flags):
    """After new data and a stage that failed, or one run alone, report.html still told of the old data, in green."""
    shutil.copy(recipe.folder / "step.py", recipe.folder / "report.py")
    path = recipe.folder / "recipe.yaml"
    path.write_text(
        path.read_text()
        + f"""
  - name: page
    command: python {recipe.folder}/report.py {{out}}/c.txt {{out}}/report.html
    inputs: ["{{out}}/c.txt"]
    outputs: ["{{out}}/report.html"]
"""
    )
    (recipe.folder / "out/comparison").mkdir()
    recipe()
    page = recipe.folder / "out/report.html"
    assert page.read_text() == "one!!!" and recipe().stdout.count("skipped") == 3 and page.is_file()
    (recipe.folder / "a.txt").write_text("two" if flags else "bad")
    done = recipe(*flags, code=0 if flags else 3)
    assert "what page wrote before told of an earlier state" in done.stdout and not page.exists()
    assert [old.read_text() for old in (recipe.folder / "out/previous").glob("page-*/report.html")] == ["one!!!"]
    (recipe.folder / "a.txt").write_text("two")
    recipe()
    assert page.read_text() == "two!!!"


def test_failed_stage_stops_the_chain_with_the_command_and_its_code(recipe):
    (recipe.folder / "a.txt").write_text("bad")
    done = recipe(code=3)
    assert "first failed (exit 3)" in done.stderr and "a.txt" in done.stderr
    assert not (recipe.folder / "out/c.txt").exists()
    (recipe.folder / "a.txt").write_text("good")
    assert ran(recipe()) == ["a.txt", "b.txt"]


def test_only_and_from(recipe):
    recipe()
    assert ran(recipe("--only", "first")) == ["a.txt"]
    assert ran(recipe("--from_stage", "second")) == ["b.txt"]
    assert ran(recipe("--force")) == ["a.txt", "b.txt"]
    assert "there is no stage third" in recipe("--only", "third", code=2).stderr


def test_energy_is_the_cards_own_count(recipe):
    """A library of the same calls: every reading is 3.6 kJ above the one before, on each of two cards."""
    (recipe.folder / "fake").mkdir()
    (recipe.folder / "fake/pynvml.py").write_text("""
read = {}
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(i): return i
def nvmlDeviceGetTotalEnergyConsumption(card):
    read[card] = read.get(card, 5_000_000) + 3_600_000  # millijoules
    return read[card]
""")
    env = {**os.environ, "PYTHONPATH": str(recipe.folder / "fake")}
    run_script("scripts/run_recipe.py", recipe.folder, "--output_dir", recipe.folder / "out", env=env)
    stages = json.loads((recipe.folder / "out/manifest.json").read_text())["stages"]
    assert [s["energy_wh"] for s in stages] == [2.0, 2.0]


def test_folders_and_files_with_spaces_are_one_word_and_flags_are_several(tmp_path):
    """A file's name with spaces had been two files, an output folder with spaces two words of every command."""
    folder, out, rows = tmp_path / "minha receita", tmp_path / "saída d'água", tmp_path / "prova 2024.csv"
    folder.mkdir()
    rows.touch()
    (folder / "recipe.yaml").write_text("""
variables: {rows: none.csv, fields: "{}", flags: "--limit 6 --data {out}/x.jsonl", more: "--keys '{a: b c}' "}
stages:
  - name: a
    command: python data_prep/prepare.py {rows} --fields '{fields}' {more}--output_dir {out}/a
    inputs: ["{rows}"]
    outputs: ["{out}/a"]
  - {name: b, command: "python scripts/evaluate.py --model m --output_dir {out} {flags}"}
""")
    given = {"rows": str(rows), "fields": "{question: a pergunta}"}
    first, second = recipes.read(folder, out, variables=given).stages
    assert first.command[2:] == [
        str(rows),
        "--fields",
        "{question: a pergunta}",
        "--keys",
        "{a: b c}",
        "--output_dir",
        f"{out}/a",
    ]
    assert second.command[4:] == ["--output_dir", str(out), "--limit", "6", "--data", f"{out}/x.jsonl"]
    with pytest.raises(UserError, match="No closing quotation"):
        recipes.read(folder, out, variables=given | {"flags": "--limit '6"})


def test_a_page_without_the_comparison_that_it_reads_is_told_before_anything_runs(tmp_path):
    """It was told by the last stage, after hours, in words that blamed the run."""
    text = """
stages:
  - {name: a, command: "python scripts/compare.py {out}/x {out}/y --output_dir {out}/comparação", outputs: ["{out}/comparação"]}
  - {name: b, command: "python scripts/report.py --run {out}"}
"""
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(UserError, match=r"stage 2 \(b\): report.py reads .*/comparison, which no earlier stage writes"):
        recipes.read(tmp_path, tmp_path / "out")
    (tmp_path / "recipe.yaml").write_text(text.replace("comparação", "comparison"))
    assert len(recipes.read(tmp_path, tmp_path / "out").stages) == 2


@pytest.mark.parametrize("value", ["no", "", "false", '"no"', "null", "Não"])
def test_no_leaves_a_stage_out_and_is_no_other_value(recipe, value):
    """jsonargparse gave `no`, null and a mapping the whole text of --variables as their value: the stage ran."""
    path = recipe.folder / "recipe.yaml"
    path.write_text('variables: {beside: "yes", more: ""}' + path.read_text() + '    when: "{beside}"\n')
    assert ran(recipe("--variables", f"{{beside: {value}, more: 1}}")) == ["a.txt"]


def test_variables_on_the_command_line_are_what_was_written(recipe):
    args = run_recipe.parse_args(run_recipe.Args, "", [str(recipe.folder), "--variables", "{a: yes, b: {c: d e}, f: , g: 7}"])
    assert [recipes.text_of(value) for value in args.variables.values()] == ["true", '{"c": "d e"}', "", "7"]
    with pytest.raises(UserError, match=r"has \* and ,, by which commands tell lists"):  # compare.py, the last, read two folders
        run_recipe.parse_args(run_recipe.Args, "", [str(recipe.folder), "--output_dir", "exame *, final"])
    assert "name one file" in recipe("--variables", "{beside: [a, b]}", code=2).stderr


def test_broken_chain_is_told_before_anything_runs(recipe):
    text = (recipe.folder / "recipe.yaml").read_text()
    (recipe.folder / "recipe.yaml").write_text(
        text.replace('inputs: ["{out}/b.txt"]', 'inputs: ["{out}/none.txt"]').replace("name: first", "naem: first")
    )
    done = recipe(code=2)
    assert "none.txt" in done.stderr and "stage 1" in done.stderr and not (ROOT / "out").exists()
    assert ran(done) == []


@pytest.mark.parametrize("script", ["data_prep/prepare.py", "scripts/sft.py"])
def test_flag_that_a_script_does_not_take_is_told_before_anything_runs(script):
    assert recipes.command_problems(["python", script, "--output_dir", "x"]) == []
    assert "sizee" in recipes.command_problems(["python", script, "--output_dir", "x", "--sizee", "1"])[0]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (ROOT / "recipes").glob("*/recipe.yaml")))
def test_a_recipe_s_page_takes_a_gate_and_a_language_and_its_scores_are_fair(name, monkeypatch):
    """A gate could be asked for by hand only; three recipes asked each question once, one in writing not at all."""
    monkeypatch.chdir(ROOT)
    given = {**OWN_ROWS.get(name, {}), "report_flags": "--gate --language pt-BR"}
    chain = recipes.read(Path("recipes") / name, Path("runs") / name, False, given)
    asked = {s.name: (Path(s.script).name, recipes.command_args(s.command)) for s in chain.stages}
    page = asked["report"][1]
    assert page.gate and page.language == "pt-BR"
    scores = [
        args for script, args in asked.values() if script == "evaluate.py" and Path(args.output_dir).name.startswith("eval_")
    ]
    assert len(scores) > 1 and (name in ("quickstart", "reasoning") or all(args.permutations == 2 for args in scores))
    letters = name not in ("quickstart", "reasoning", "guidelines", "medpt")
    assert not letters or {"written_base", "compare_written"} <= set(asked)
    for one in ("compare", "choose") if "margin" in chain.variables else ():
        assert asked[one][1].margin == float(chain.variables["margin"]), "stated once, for the choice and for the page"


def test_dry_run_tells_what_the_stages_need():
    told = run_script("scripts/run_recipe.py", "recipes/dr_bode", "--dry_run").stdout.partition("memory and disk")[2]
    assert re.search(r"^  sft +\d+\.\d GB .* disk: ", told, re.M) and re.search(r"^  export +\d+\.\d GB of memory", told, re.M)
    assert told.count("the largest") == 1 and "cpt" not in told
    told = run_script(
        "scripts/run_recipe.py", "recipes/dr_bode", "--dry_run", "--variables", "{model: Nobody/no-such-model}"
    ).stdout
    assert "Nobody/no-such-model: not estimated" in told


@pytest.mark.parametrize("flags, what", [([], "100 rows"), (["--max_steps", "50"], "50 steps")])
def test_hours_are_those_of_the_earlier_training(tmp_path, flags, what):
    """DPO reads a row three times (`READS`); the measured rate holds that already. Steps that are given stand for the epochs."""
    (tmp_path / "rows.jsonl").write_text(("x" * 1225 + "\n") * 100)  # 350 tokens each, by the estimate
    sizes = ["--per_device_train_batch_size", "1", "--gradient_accumulation_steps", "2", "--num_train_epochs", "1"]
    paths = ["--model", "a/b", "--data", f"{tmp_path}/rows.jsonl", "--output_dir", f"{tmp_path}/dpo"]
    command = ["python", "scripts/dpo.py", *paths, *sizes, *flags]
    chain = recipes.Recipe("T", [recipes.Stage("dpo", command)], {})
    (tmp_path / "dpo").mkdir()
    run = {"script": "dpo.py", "config": {"num_train_epochs": 1, "max_steps": -1}}
    run["metrics"] = {"tokens": 35_000, "train_seconds": 3590}
    (tmp_path / "dpo/run.json").write_text(json.dumps(run))
    [line] = estimate.hours(chain, tmp_path)
    assert f"about 60 minutes for {what} (counted; measured in" in line
    run["config"]["max_steps"] = 2  # two steps tell no rate of all rows
    (tmp_path / "dpo/run.json").write_text(json.dumps(run))
    assert estimate.measured(tmp_path, "dpo.py") is None


def test_hours_are_of_this_machine_and_name_what_they_leave_out(tmp_path, monkeypatch):
    rows = tmp_path / "test.jsonl"
    row = json.dumps({"id": 1, "question": "Q", "options": {"A": "a", "B": "b"}, "answer": "A"})
    rows.write_text((row + " " * (700 - len(row)) + "\n") * 300)  # 200 tokens each, by the estimate
    scored = (
        f"python scripts/evaluate.py --model Qwen/Qwen3-1.7B --data {rows} --permutations 2 --output_dir {tmp_path}/e".split()
    )
    written = [*scored[:-1], f"{tmp_path}/w", "--protocol", "generate"]
    chain = recipes.Recipe("T", [recipes.Stage("score", scored), recipes.Stage("write", written)], {})
    weights = sum(parameters.total_parameters(peak.KNOWN["Qwen/Qwen3-1.7B"]))
    monkeypatch.setattr(estimate, "card", lambda: "NVIDIA A100-SXM4-40GB")
    [line] = estimate.hours(chain, tmp_path)
    minutes = estimate.in_words(2 * weights * 300 * 200 * 3 / (312e12 / 5))
    assert f"about {minutes} on NVIDIA A100-SXM4-40GB for 300 rows, 3 times (counted)" in line
    assert estimate.left_out(chain, [line]) == "  not in these: write"
    scored[3] = f"{tmp_path}/ships/model.gguf"  # llama.cpp stays off the GPU
    exported = ["python", "scripts/export_gguf.py", "--model", "Qwen/Qwen3-1.7B", "--output_dir", f"{tmp_path}/ships"]
    of_a_file = recipes.Recipe("T", [recipes.Stage("export", exported), recipes.Stage("score", scored)], {})
    minutes = estimate.in_words(2 * weights * 300 * 200 * 3 / (estimate.cores() * estimate.FILE_CORE))
    assert f"about {minutes} on this processor for" in estimate.hours(of_a_file, tmp_path)[0]
    scored[5] = "general"
    assert "for 1,196 rows, 3 times (counted)" in estimate.hours(of_a_file, tmp_path)[0]
    scored[5] = str(rows)
    scored[3] = "Qwen/Qwen3-1.7B"
    monkeypatch.setattr(estimate, "card", lambda: None)
    lengths, read = estimate.lengths, []
    monkeypatch.setattr(estimate, "lengths", lambda path: read.append(path) or lengths(path))
    [line] = estimate.hours(chain, tmp_path)
    assert read == [rows], "once, though two machines are estimated"
    assert re.search(r"about .* on this processor, .* on an RTX 4060", line)
    assert "cores" in estimate.sources()[0] and "which this machine lacks" in estimate.sources()[1]


@pytest.mark.parametrize("recipe, gigabytes", [("gpu_8gb", 8), ("gpu_24gb", 24), ("dr_bode", 8)])
def test_recipes_fit_the_card_they_are_for(recipe, gigabytes):

    stages = recipes.read(ROOT / "recipes" / recipe, ROOT / "runs" / recipe).stages
    for stage in stages:
        method = stage.script.removeprefix("scripts/").removesuffix(".py")
        if method in peak.METHODS:
            args = recipes.command_args(stage.command)
            begins = next(s.command for s in stages if "--model" in s.command)
            config = peak.KNOWN[begins[begins.index("--model") + 1]]
            need = peak.estimate(config, args, method, args.max_length, gpu=True, free_memory=gigabytes * 1e9).total
            assert need < memory.TIGHT * gigabytes * 1e9, (stage.name, need)


@pytest.mark.parametrize(
    "share, checkpointing, unpacked, kept",
    [
        (2.0, None, True, True),
        (1.01, None, False, True),
        (0.6, None, False, False),
        (0.6, False, False, True),
        (2.0, True, True, False),
    ],
)
def test_settings_follow_the_memory_that_is_free(share, checkpointing, unpacked, kept):

    args = recipes.command_args(
        ["python", "scripts/sft.py", "--model", "Qwen/Qwen3-1.7B", "--output_dir", "x", "--gradient_checkpointing", "false"]
    )
    config = peak.KNOWN["Qwen/Qwen3-1.7B"]
    need = peak.estimate(config, args, "sft", 512, gpu=False).total
    args.gradient_checkpointing = checkpointing
    assert memory.choose(config, args, "sft", 512, False, share * need / memory.TIGHT)[0] == unpacked
    assert args.gradient_checkpointing != kept


def test_a_gpu_recomputes_unless_it_is_told_not_to():

    args = recipes.command_args(["python", "scripts/sft.py", "--output_dir", "x"])
    assert memory.choose(peak.KNOWN["Qwen/Qwen3-1.7B"], args, "sft", 512, True, 1e12)[0] is False
    assert args.gradient_checkpointing is True


@pytest.mark.parametrize("name, meant", [("qwen3-1.7b", "did you mean Qwen/Qwen3-1.7B?"), ("Llama", "for instance Qwen/Qwen3-1")])
def test_model_without_its_owner_is_told_before_anything_runs(tmp_path, name, meant):
    rows = "exam: recipes/rehearsal/exam.jsonl, cases: recipes/rehearsal/cases.jsonl"
    flags = ["--output_dir", tmp_path, "--variables", f"{{model: {name}, {rows}}}"]
    done = run_script("scripts/run_recipe.py", "recipes/sft", *flags, code=2)
    assert f"there is no folder {name}; a model on the hub is OWNER/NAME: {meant}" in done.stderr and ran(done) == []


def test_models_that_recipes_name_are_known_by_their_owner():
    named = {recipes.load(path.parent).variables.get("model") for path in (ROOT / "recipes").glob("*/recipe.yaml")}
    assert named - {None} <= set(models.ON_THE_HUB) == set(peak.KNOWN)
