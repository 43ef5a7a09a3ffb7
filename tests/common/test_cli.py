"""What every script owes its user: --help and every mistake answered before anything heavy is imported, exit code 2."""

import ast
import gzip
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from common.arguments import parse_args
from conftest import OWN_ROWS, ROOT, answer_at_once, run_script

SCRIPTS = sorted(
    p
    for folder in ("scripts", "data_prep")
    for p in (ROOT / folder).glob("*.py")
    if all(word in p.read_text(encoding="utf-8") for word in ("parse_args(Args", '__name__ == "__main__"'))
)  # a script for users, not a part
READMES = sorted(path for where in ("", "data_prep/", "recipes/", "recipes/*/") for path in ROOT.glob(f"{where}README*.md"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_help_is_the_docstring_at_once(script):
    done = answer_at_once(script, "--help", code=0)
    first = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))).splitlines()[0]
    assert first in done.stdout
    flags = done.stdout.partition("CONFIG.yaml:\n")[2]
    assert flags, "the flags' heading is a sentence, not dataclasses' own text of all fields and defaults"
    assert max(map(len, flags.splitlines())) < 140 and "<factory>" not in flags


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_unknown_flag_is_refused_at_once_without_torch(script):
    assert "no_such_flag" in answer_at_once(script, "--no_such_flag", "1").stderr


def test_all_argument_problems_come_in_one_error(tmp_path):
    done = answer_at_once("scripts/sft.py", "--data", str(tmp_path / "none.jsonl"), "--lora_r", "0", "--model", "models/none")
    assert all(word in done.stderr for word in ("data:", "lora_r:", "model:"))


@pytest.mark.parametrize(
    "text, words",
    [
        (
            "learning_rat: 2e-5\nlora_rr: 3\n",
            ["bad.yaml:1", "did you mean 'learning_rate'", "bad.yaml:2", "did you mean 'lora_r'"],
        ),
        ("lora_r: 8\nlora_r: 16\n", ["bad.yaml:2", "stands twice"]),
        ("lora_r: many\n", ["lora_r"]),
        ("learning_rate: [1, 2]\n", ["learning_rate"]),
        ("", ["is empty"]),
        ("a: [\n", ["not valid YAML"]),
    ],
)
def test_bad_yaml_names_file_line_and_key(tmp_path, text, words):
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    done = answer_at_once("scripts/sft.py", "--config", str(bad))
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize(
    "line, words",
    [
        ('{"conversations": [', ["rows.jsonl:2", "not JSON"]),
        ('{"prompt": "a", "chosen": "b", "rejected": "c"}', ["rows.jsonl:2", "preference row"]),
        ('{"conversations": [{"from": "human", "value": "a"}]}', ["rows.jsonl:2", "no assistant turn"]),
        ('{"conversations": [{"from": "nurse", "value": "a"}]}', ["rows.jsonl:2", "nurse"]),
        ("[1]", ["rows.jsonl:2", "JSON object"]),
        ('[\n {"conversations": []},\n {}\n]', ["error: ", "rows.jsonl: is JSON, and no JSONL"]),
        (
            """{"image": "", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
{"image": "scan.png", "conversations": [{"from": "human", "value": "<image> a"}, {"from": "gpt", "value": "b"}]}""",
            ["error: ", "rows.jsonl:3: has a picture (image)"],
        ),
        (
            r"""{"conversations": [{"from": "human", "value": "\ud83d\ude00"}, {"from": "gpt", "value": "\\ud800"}]}
{"conversations": [{"from": "human", "value": "\ud83d\ude00"}, {"from": "gpt", "value": "\uD800"}]}""",
            ["error: ", "rows.jsonl:3: holds half of a character"],
        ),
    ],
)
def test_bad_row_names_file_and_line(tmp_path, line, words):
    good = '{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}\n'
    rows = tmp_path / "rows.jsonl"
    rows.write_text(good + line + "\n")
    # With a model named, nothing heavy stands between the arguments and the rows.
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    done = answer_at_once("scripts/sft.py", "--model", str(tmp_path / "m"), "--data", str(rows))
    assert all(word in done.stderr for word in words), done.stderr


def test_a_packed_file_and_a_model_in_one_file_are_told(tmp_path):
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    done = answer_at_once("scripts/sft.py", "--model", str(tmp_path / "m"), "--data", str(tmp_path / "rows.jsonl.gz"))
    assert "it is no text in UTF-8" in done.stderr
    models = ["--model", tmp_path / "m.gguf", "--teacher", tmp_path / "m.gguf"]
    rows = [word for flag in ("--data", "--eval_data") for word in (flag, tmp_path / "rows.jsonl.gz")]
    done = answer_at_once("scripts/distill.py", *models, *rows)
    assert done.stderr.count("is a file, which can be scored and asked") == 2


ROWS = {
    "sft.py": '{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}',
    "dpo.py": '{"prompt": "a", "chosen": "b", "rejected": "c"}',
    "kto.py": '{"prompt": "a", "completion": "b", "label": true}',
    "cpt.py": '{"text": "a"}',
}
FITS = {
    "sft.py": ["sft.py", "distill.py"],
    "dpo.py": ["dpo.py", "simpo.py", "orpo.py", "reward.py"],
    "kto.py": ["kto.py"],
    "cpt.py": ["cpt.py"],
}


METHODS = ["sft.py", "cpt.py", "dpo.py", "kto.py", "simpo.py", "orpo.py", "reward.py", "distill.py"]


@pytest.mark.parametrize("rows, script", [(rows, script) for rows in ROWS for script in METHODS if script not in FITS[rows]])
def test_rows_of_another_method_are_refused_with_the_script_that_fits(tmp_path, script, rows):
    (tmp_path / "rows.jsonl").write_text(ROWS[rows] + "\n")
    (tmp_path / "config.json").write_text("{}")
    more = ["--eval_data", str(tmp_path / "rows.jsonl"), "--teacher", "some/teacher"] if script == "distill.py" else []
    done = answer_at_once(f"scripts/{script}", "--model", str(tmp_path), "--data", str(tmp_path / "rows.jsonl"), *more)
    assert "rows.jsonl:1" in done.stderr and rows in done.stderr, done.stderr


@pytest.mark.parametrize(
    "script, flags, word",
    [
        ("dpo.py", ["--beta", "0"], "beta"),
        ("dpo.py", ["--loss_type", "robust"], "label_smoothing"),
        ("dpo.py", ["--label_smoothing", "0.1"], "label_smoothing"),
        ("dpo.py", ["--lora_dropout", "0.1"], "lora_dropout"),
        ("kto.py", ["--lora_dropout", "0.1"], "lora_dropout"),
        ("kto.py", ["--desirable_weight", "0", "--undesirable_weight", "0"], "desirable_weight, undesirable_weight"),
        ("sft.py", ["--num_train_epochs", "0"], "num_train_epochs, max_steps"),
        ("sft.py", ["--max_steps", "0"], "num_train_epochs, max_steps"),
        ("sft.py", ["--optim", "adam"], "optim"),
        ("sft.py", ["--save_steps", "1.5"], "save_steps"),
        ("cpt.py", ["--loraplus_lr_ratio", "0"], "loraplus_lr_ratio"),
        ("simpo.py", ["--simpo_gamma", "-1"], "simpo_gamma"),
        ("orpo.py", ["--beta", "-1"], "beta"),
        ("kto.py", ["--per_device_train_batch_size", "1"], "per_device_train_batch_size"),
        ("cpt.py", ["--lora_r", "0"], "lora_r"),
        ("grpo.py", ["--num_generations", "3"], "num_generations"),
        ("rloo.py", ["--beta", "-1"], "beta"),
        ("sft.py", ["--adapter", "full", "--load_in_4bit", "true"], "load_in_4bit"),
        ("sft.py", ["--adapter", "loftq", "--load_in_4bit", "false"], "load_in_4bit"),
        ("sft.py", ["--adapter", "prefix", "--lora_dropout", "0.1"], "lora_dropout"),
        ("sft.py", ["--trainer", "{no_such_field: 1}"], "trainer"),
        ("dpo.py", ["--trainer", "{learning_rate: 1}"], "trainer"),
        ("dpo.py", ["--trainer", "{label_smoothing_factor: 0.1}"], "trainer"),
        ("sft.py", ["--trainer", "{adam_beta1: abc}"], "trainer"),
        ("kto.py", ["--trainer", "{bf16: false}"], "trainer"),
        ("orpo.py", ["--max_grad_norm", "-1"], "max_grad_norm"),
        ("sft.py", ["--load_in_8bit"], "load_in_8bit"),  # on --adapter qlora
        ("dpo.py", ["--adapter", "lora", "--load_in_8bit", "--load_in_fp8"], "load_in_8bit"),
        ("reward.py", ["--adapter", "lora", "--load_in_8bit"], "load_in_8bit"),
        ("grpo.py", ["--fast_inference"], "fast_inference: vllm is not installed; run"),
        ("sft.py", ["--adapter", "norms", "--packing"], "packing"),
        ("distill.py", ["--teacher", "a/b", "--eval_data", "requirements.txt", "--beta", "1.5"], "beta"),
        ("distill.py", ["--teacher", "runs/none", "--eval_data", "requirements.txt"], "teacher"),
    ],
)
def test_values_that_cannot_work_are_refused(tmp_path, script, flags, word):
    (tmp_path / "config.json").write_text("{}")
    done = answer_at_once(f"scripts/{script}", "--model", str(tmp_path), "--data", "requirements.txt", *flags)
    assert f"{word}:" in done.stderr


@pytest.mark.parametrize(
    "script, flags, told",
    [
        ("sft", "--lora_r 8 --model {adapter}", ["lora_r"]),
        ("sft", "--lora_r 4 --model {adapter}", []),  # as the folder has it
        ("sft", "--adapter full --lora_alpha 32", ["lora_alpha"]),
        ("sft", "--adapter prompt --lora_r 8", []),  # virtual tokens
        ("sft", "--lr_scheduler_type constant --warmup_steps 0.2", ["warmup_steps"]),
        ("sft", "--hub_model_id me/model", ["hub_model_id"]),
        ("cpt", "--embedding_learning_rate 1e-6 --enable_thinking", ["embedding_learning_rate", "enable_thinking"]),
        ("grpo", "--rewards format --format_reward 0.2", ["format_reward"]),
        ("grpo", "--gpu_memory_utilization 0.8", ["gpu_memory_utilization"]),
        ("distill", "--lmbda 0 --temperature 0.7 --teacher a/b --eval_data pyproject.toml", ["temperature"]),
    ],
)
def test_what_is_given_and_changes_nothing_is_said(tmp_path, capsys, script, flags, told):
    from common.arguments import tell_unused

    (tmp_path / "adapter_config.json").write_text('{"r": 4, "base_model_name_or_path": "a/b", "peft_type": "LORA"}')
    words = f"--model c/d --data {ROOT / 'pyproject.toml'} {flags.format(adapter=tmp_path)}".split()
    args = parse_args(__import__(script).Args, "", words)
    tell_unused(args, args.unused())
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == told


@pytest.mark.parametrize(
    "script, flags, rows, words",
    [
        ("sft", "", 400, []),
        ("sft", "", 100, ["100 rows at 16 a step make 7 optimizer steps"]),
        ("sft", "--max_steps 3", 100, []),  # asked for
        ("sft", "--num_train_epochs 2", 100, []),
        ("sft", "--learning_rate 0.2", 400, ["learning_rate 0.2 is outside of 1e-07 to 0.002"]),
        ("sft", "--learning_rate 0.2 --adapter prompt", 400, []),
        ("sft", "--learning_rate 2e-3 --adapter full", 400, ["learning_rate 0.002 is outside of 1e-07 to 0.0002"]),
        ("dpo", "--learning_rate 1e-3", 400, ["learning_rate 0.001 is outside of"]),
        ("grpo", "", 40, ["10 optimizer steps"]),  # four questions a step, eight answers each
    ],
)
def test_what_teaches_little_or_spoils_is_warned_of(script, flags, rows, words):
    args = parse_args(__import__(script).Args, "", f"--model c/d --data {ROOT / 'pyproject.toml'} {flags}".split())
    said = args.warnings(rows)
    assert len(said) == len(words) and all(word in line for word, line in zip(words, said, strict=True)), said


def test_one_step_at_rate_0_is_refused():
    import sft
    from common.errors import UserError

    with pytest.raises(UserError, match="5 rows at 16 a step make 1 optimizer step, whose rate is 0"):
        sft.Args(model="c/d", data="rows.jsonl").warnings(5)
    assert len(sft.Args(model="c/d", data="rows.jsonl", warmup_steps=0).warnings(5)) == 1


def test_yaml_gives_values_and_flags_win(tmp_path):
    import sft

    config = tmp_path / "c.yaml"
    config.write_text("lora_r: 8\nlearning_rate: 1e-5\n")
    args = parse_args(sft.Args, "", [str(config), "--lora_r", "32", "--dry_run"])
    assert (args.lora_r, args.learning_rate, args.dry_run) == (32, 1e-5, True)


METHODS = ["sft", "cpt", "dpo", "kto", "simpo", "orpo", "reward", "grpo", "rloo", "distill"]


def trainer_problems(script, **fields):
    required = {"model": "x", "data": "x"} | ({"teacher": "x", "eval_data": "x"} if script == "distill" else {})
    return __import__(script).Args(**required, trainer=fields)._trainer_problems()


def test_fields_that_would_do_nothing_are_refused_by_every_method():
    """They trained as if they were not there: completion_only_loss, DPO's label_smoothing_factor, distillation's packing."""
    from training.arguments import SET_HERE
    from training.config_source import config_fields

    known = {name: set(config_fields(__import__(name).Args.CONFIG_CLASS)) for name in METHODS}
    assert set(SET_HERE) <= set().union(*known.values()), "a field that no configuration has any more"
    for name in METHODS:
        refused = __import__(name).Args.REFUSED
        assert set(refused) <= known[name]
        for field in {*refused, *(SET_HERE.keys() & known[name])}:
            assert trainer_problems(name, **{field: None}), f"{name}: {field}"
    assert not trainer_problems("sft", label_smoothing_factor=0.1)


@pytest.mark.parametrize(
    "script, flags, told",
    [
        ("chat", {"prompt": "x", "rows": 3, "base": "b"}, ["rows", "base"]),
        ("chat", {"prompt": "x", "base": "b", "compare": True, "load_in_4bit": True}, []),
        ("export_gguf", {"merge_only": True, "quantization": "q8_0", "num_ctx": 9}, ["quantization", "num_ctx"]),
        ("export_gguf", {"lora_only": True, "quantization": "q8_0", "max_tokens": 999}, ["quantization"]),
        ("export_gguf", {"verify": False, "data": "x", "hub_model_id": "a/b"}, ["data", "hub_model_id"]),
        ("export_gguf", {"quantization": "q8_0", "num_ctx": 9, "data": "x", "push_to_hub": True, "hub_model_id": "a/b"}, []),
        ("annotate", {"answers": ["a"], "temperature": 0.5, "url_model": "x"}, ["temperature", "url_model"]),
        ("annotate", {"model": ["http://x"], "temperature": 0.5, "url_model": "x", "raters": ["a"]}, []),
        ("annotate", {"answers": ["a"], "task": "preference", "good_score": 3, "rubric": "x"}, ["task", "good_score", "rubric"]),
        ("annotate", {"answers": ["a"], "mode": "rubric", "rubric": "x"}, []),
        ("annotate", {"export": "votes", "task": "feedback", "good_score": 3, "port": 1}, ["port"]),
        (
            "data_prep.synthesize",
            {"seeds": "s", "leak_threshold": 0.5, "base_model": "b"},
            ["seeds", "leak_threshold", "base_model"],
        ),
        ("data_prep.synthesize", {"kinds": ["instruct"], "seeds": "s", "mix_into": "m", "max_share": 0.1}, []),
    ],
)
def test_flags_of_another_way_are_told(capsys, script, flags, told):
    """They were taken without a word, as --quantization was by --merge_only."""
    import importlib

    from common.arguments import tell_unused

    required = {"annotate": {}, "data_prep.synthesize": {"generator": "http://x"}}.get(script, {"model": "m"})
    args = importlib.import_module(script).Args(**required, **flags)
    tell_unused(args, args.unused())
    assert sorted(line.split()[1] for line in capsys.readouterr().err.splitlines()) == sorted(told)


@pytest.mark.parametrize(
    "field, good, bad",
    [
        ("adam_beta1", (0.8, 1), ("0.8", True, None, float("nan"), b"1", {1})),
        ("neftune_noise_alpha", (5, None), ("yes",)),
        ("dataloader_num_workers", (2,), (2.5, True)),
        ("lr_scheduler_kwargs", ({"a": 1}, "{}", None), (3, [])),
        ("optim_target_modules", ("all", ["q_proj"]), (3, [1])),
        ("logging_strategy", ("steps", "epoch"), ()),
        ("parallelism_config", (None, {"a": 1}), ()),  # a class of another library takes anything
    ],
)
def test_values_of_trls_fields_are_of_the_kind_that_its_source_states(field, good, bad):
    assert not [value for value in good if trainer_problems("sft", **{field: value})]
    assert not [value for value in bad if not trainer_problems("sft", **{field: value})]


@pytest.mark.parametrize("script", METHODS)
def test_fields_of_trls_configuration_are_read_from_its_source(script):
    """As importing the class tells them, without the import."""
    import dataclasses
    import importlib

    from training.config_source import config_fields

    path = __import__(script).Args.CONFIG_CLASS
    module, _, name = path.rpartition(".")
    assert set(config_fields(path)) == {f.name for f in dataclasses.fields(getattr(importlib.import_module(module), name))}


@pytest.mark.parametrize("script", sorted((ROOT / "tests/benchmarks").glob("bench_*.py")), ids=lambda p: p.name)
def test_a_benchmark_starts_by_itself(script):
    """Outside of pytest, whose conftest.py puts scripts/ on the path."""
    assert "usage" in run_script(script, "--help").stdout.lower()


# ---------------------------------------------------------------------------------------------- recipes and README


def assert_parses(command: list[str]) -> None:
    """The command's flags and YAML keys are those of its script; files that it names need not be there yet."""
    from chain import recipe

    assert "parse_args(Args, __doc__)" in (ROOT / command[0]).read_text(encoding="utf-8")
    assert recipe.command_problems(["python", *command]) == []


def recipe_commands() -> list[tuple[str, list[str]]]:
    from chain import recipe

    found = []
    for path in sorted((ROOT / "recipes").glob("*/recipe.yaml")):
        own = OWN_ROWS.get(path.parent.name, {})
        for rehearse in (False, True):
            if rehearse and path.parent.name == "quickstart":
                continue  # it has no network to be spared
            for stage in recipe.read(path.parent, Path("runs") / path.parent.name, rehearse, own).stages:
                words = "rehearsal/" if rehearse else ""
                found.append((f"{path.parent.name}/{words}{stage.name}", stage.command[1:]))
    return found


def shell_lines(path: Path) -> list[str]:
    """Commands of a README: the lines of its bash blocks, and what its sentences quote of Python."""
    text = path.read_text(encoding="utf-8")
    blocks = [block.replace("\\\n", " ") for block in re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.S)]
    quoted = re.findall(r"(?<!`)`(python (?:scripts|data_prep)/[^`]+)`", text)
    return [line for block in blocks for line in block.splitlines() if line.strip()] + quoted


def readme_commands() -> list[tuple[str, list[str]]]:
    found = []
    for path in READMES:
        for line in shell_lines(path):
            words = shlex.split(line, comments=True)
            if words[:1] == ["python"] and words[1:2] != ["-m"]:
                words = words[1:]
            else:  # torchrun and accelerate launch name a script further on
                words = words[next((i for i, word in enumerate(words) if word.startswith("scripts/")), len(words)) :]
            if words:
                found.append((f"{path.relative_to(ROOT)}: {line[:60]}", words))
    return found


@pytest.mark.parametrize("command", [pytest.param(c, id=n) for n, c in recipe_commands() + readme_commands()])
def test_command_of_a_recipe_or_readme_parses(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert_parses(command)


@pytest.mark.parametrize("path", READMES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_readme_s_commands_name_of_the_project_is_there(path):
    words = [word for line in shell_lines(path) for word in shlex.split(line, comments=True)]
    ours = [word for word in words if word.startswith(("recipes/", "tests/", "scripts/", "data_prep/", "requirements"))]
    assert not [word for word in ours if not (ROOT / word).exists()]


@pytest.mark.parametrize("path", [p for p in READMES if p.name == "README.pt-BR.md"], ids=lambda p: str(p.relative_to(ROOT)))
def test_both_languages_hold_the_same_commands(path):
    """Word for word on the front page; elsewhere the reader's own files may have names in the reader's language."""
    ours = ("-", "python", "make", "pip", "scripts/", "data_prep/", "recipes/")
    told = [
        [[w for w in shlex.split(line, comments=True) if path.parent == ROOT or w.startswith(ours)] for line in shell_lines(p)]
        for p in (path, path.with_name("README.md"))
    ]
    assert told[0] == told[1]


def test_every_yaml_of_a_recipe_is_used():
    used = {Path(word).name for _, command in recipe_commands() for word in command if word.endswith(".yaml")}
    for path in (ROOT / "recipes").glob("*/*.yaml"):
        if path.parent.name != "benchmark":  # which is no chain of stages: scripts/benchmark.py reads its two files
            assert path.name == "recipe.yaml" or path.name in used, f"{path} is not used by its recipe"


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for path in READMES:
        for target in re.findall(r"^make (\w[\w-]*)", path.read_text(encoding="utf-8"), re.M):
            assert re.search(rf"^{target}:", makefile, re.M), f"{path.name} names make {target}"


def test_run_recipe_dry_run_names_every_stage(tmp_path):
    done = run_script("scripts/run_recipe.py", "recipes/quickstart", "--output_dir", tmp_path / "q", "--dry_run")
    assert "prepare" in done.stdout and "sft" in done.stdout and not (tmp_path / "q" / "manifest.json").exists()


def test_threads_wait_for_one_another_without_burning_the_cores():
    """And a user's own setting stays; both stand before torch or llama.cpp reads them."""
    code = (
        "import os, sys; sys.path[:0] = ['scripts', '.']; from common.entry import run_main; "
        "run_main(lambda: print(os.environ['GOMP_SPINCOUNT']))"
    )
    env = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    for more, seen in (({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")):
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env | more, capture_output=True, text=True)
        assert done.stdout.split() == [seen], done.stderr


INTERRUPTED = """import runpy, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in {late!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
sys.argv, sys.path[0] = [{script!r}, "--help"], {folder!r}
runpy.run_path({script!r}, run_name="__main__")
"""


@pytest.mark.parametrize("script", ["scripts/sft.py", "scripts/annotate.py", "data_prep/prepare.py", "data_prep/synthesize.py"])
def test_ctrl_c_while_a_script_imports_is_one_line(script):
    """As it imports its own parts, before main is called, and jsonargparse, in main."""
    late = (
        "common.entry",
        "data_prep.pipeline.options",
        "data_prep.synthesis",
        "data_prep.pipeline.sources",
        "data_prep.common.files",
        "jsonargparse",
    )
    code = INTERRUPTED.format(late=late, script=str(ROOT / script), folder=str((ROOT / script).parent))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode in (130, -2) and done.stderr == "interrupted\n", done
