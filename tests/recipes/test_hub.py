"""Recipes through hub ids: a hub on this machine gives rows of the study's own schemas and a tiny model, and has every fault."""

import json
import random
from pathlib import Path

import pytest
from chain.recipe import load
from conftest import ROOT, run_script
from local_hub import TOKEN, LocalHub
from test_rehearsals import RECIPES

EXAM, CASES, PAIRS = "recogna-nlp/drbodebench", "recogna-nlp/drbode240_dataset", "recogna-nlp/dpo-mmlu-ptbr"
MEDPT, TRACES = "AKCIT/MedPT", "FreedomIntelligence/medical-o1-reasoning-SFT"


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (ROOT / "recipes/rehearsal" / name).read_text(encoding="utf-8").splitlines()]


def exam_rows() -> list[dict]:
    """The rehearsal's questions in drbodebench's schema: options with an empty last one, an image's description now and then."""
    found = []
    for number, row in enumerate(rows("exam.jsonl"), 1):
        options = {letter: row["options"].get(letter) for letter in "ABCDE"}
        image = number % 5 == 0
        found.append(
            {
                "enunciado": row["question"],
                "alternativas": options,
                "resposta": row["answer"],
                "contains_img": image,
                "img_description": "Radiografia de tórax com infiltrado." if image else None,
                "origem": "Revalida" if number % 2 else "FUVEST",
                "prova": f"Revalida {2015 + number % 8}",
                "numero": number,
            }
        )
    return found


def lines(found: list[dict]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found).encode()


@pytest.fixture(scope="module")
def hub(tiny_model):
    with LocalHub() as hub:
        hub.put("dataset", EXAM, {"questoes-Revalida+Fuvest.json": json.dumps(exam_rows(), ensure_ascii=False).encode()})
        cases = [
            {"data": [{"role": "user", "content": r["pergunta"]}, {"role": "assistant", "content": r["resposta"]}]}
            for r in rows("cases.jsonl")
        ]
        hub.put("dataset", CASES, {"train.json": lines(cases), "README.md": b"---\nlicense: mit\n---\n"})
        hub.put("dataset", PAIRS, {"data/train.jsonl": lines(rows("pairs.jsonl"))})
        hub.put("dataset", MEDPT, {"train.jsonl": lines(rows("medpt.jsonl"))})
        configs = b"---\nconfigs:\n- {config_name: en, data_files: en.json}\n- {config_name: zh, data_files: zh.json}\n---\n"
        traces = json.dumps(rows("traces.jsonl")).encode()
        hub.put("dataset", TRACES, {"README.md": configs, "en.json": traces, "zh.json": traces})
        hub.put_folder("model", "qwen/tiny-qwen3", ROOT / tiny_model)
        yield hub


def recipe(name: str, out: Path, hub: LocalHub, cache: Path, *flags, code: int = 0, **environment):
    return run_script(
        "scripts/run_recipe.py",
        f"recipes/{name}",
        "--output_dir",
        out,
        *flags,
        code=code,
        env=hub.environment(cache, **environment),
        timeout=7200,
    )


def with_variables(name: str = "sft", **values) -> list[str]:
    """A recipe's rehearsal, but model and data are those of the hub where the recipe names any."""
    source = load(ROOT / "recipes" / name)
    small = {key: value for key, value in source.rehearsal.items() if "hf:" not in str(source.variables.get(key))}
    return ["--variables", json.dumps(small | {"model": "qwen/tiny-qwen3"} | values)]


def test_exam_is_read_from_the_hub_pinned_and_not_asked_for_again(hub, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache"
    done = recipe("sft", out, hub, cache, "--only", "prepare_exam", *with_variables())
    assert f"exam: hf:{EXAM}" in done.stdout
    manifest = json.loads((out / "manifest.json").read_text())
    sha = hub.repositories["dataset", EXAM].commits[-1][0]
    assert manifest["hub"][EXAM] == sha and f"hf:{EXAM}@{sha}" in manifest["stages"][0]["command"]
    assert manifest["hub"]["qwen/tiny-qwen3"] == hub.repositories["model", "qwen/tiny-qwen3"].commits[-1][0]
    kept = [json.loads(line) for line in (out / "exam/test.jsonl").read_text().splitlines()]
    assert len(kept) == len(exam_rows()) and {row["answer"] for row in kept} <= set("ABCDE")
    hub.put("dataset", EXAM, {"questoes.json": b"[]"})  # the hub moves on: this folder stays where it is
    try:
        again = recipe("sft", out, hub, cache, "--only", "prepare_exam", *with_variables())
        assert f"@{sha}" in again.stdout and len((out / "exam/test.jsonl").read_text().splitlines()) == len(kept)
        new = hub.repositories["dataset", EXAM].commits[-1][0]
        assert new in recipe("sft", out, hub, cache, "--update_hub", "--dry_run", *with_variables()).stdout
    finally:
        hub.repositories["dataset", EXAM].commits.pop()


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"cases": "hf:nobody/nothing"}, "hf:nobody/nothing is not there, or is private"),
        ({"cases": "hf:closed/gated"}, "accept its terms at"),
        ({"model": "nobody/no-model"}, "nobody/no-model is not there, or is private"),
    ],
)
def test_missing_and_gated_sets_are_one_error_before_anything_runs(hub, tmp_path, change, expected):
    hub.put("dataset", "closed/gated", {"train.jsonl": b"{}\n"}, gated=True)
    done = recipe("sft", tmp_path / "out", hub, tmp_path / "cache", *with_variables(**change), code=2)
    assert expected in done.stderr and "--variables" in done.stderr and "nothing was run" in done.stderr
    assert not (tmp_path / "out/exam").exists() and "$ python" not in done.stdout


def test_gated_set_opens_with_a_token(hub, tmp_path):
    hub.put("dataset", "closed/cases", dict(hub.repositories["dataset", CASES].commits[-1][1]), gated=True)
    flags = ["--dry_run", *with_variables(cases="hf:closed/cases")]
    assert "would stop here" in recipe("sft", tmp_path / "out", hub, tmp_path / "cache", *flags).stdout
    said = recipe("sft", tmp_path / "out", hub, tmp_path / "cache", *flags, HF_TOKEN=TOKEN).stdout
    assert "would stop" not in said and "cases: closed/cases at" in said


def test_known_alternative_is_tried_and_said(hub, tmp_path):
    taken = hub.repositories.pop(("dataset", CASES))
    hub.repositories["dataset", "recogna-nlp/drkode240_dataset"] = taken
    try:
        said = recipe("sft", tmp_path / "out", hub, tmp_path / "cache", "--dry_run", *with_variables()).stdout
        assert "cases: hf:recogna-nlp/drkode240_dataset (hf:recogna-nlp/drbode240_dataset is not there" in said
    finally:
        hub.repositories["dataset", CASES] = hub.repositories.pop(("dataset", "recogna-nlp/drkode240_dataset"))


def test_no_hub_and_no_copy_is_one_error_with_the_way_out(tmp_path):
    with LocalHub() as gone:
        pass  # its port answers no more
    done = recipe("sft", tmp_path / "out", gone, tmp_path / "cache", *with_variables(), code=2)
    assert "the hub cannot be reached" in done.stderr and "my/folder" in done.stderr


@pytest.mark.parametrize("resets", [False, True])
def test_download_broken_in_the_middle_comes_whole(hub, tmp_path, resets):
    """An ended connection is resumed by huggingface_hub itself, a reset one by the next run; nobody gets half a file."""
    hub.breaks, hub.resets = ["model.safetensors"], resets
    code = "from huggingface_hub import snapshot_download as s; print(s('qwen/tiny-qwen3'))"
    if resets:
        run_script("-c", code, env=hub.environment(tmp_path), code=1)
    folder = Path(run_script("-c", code, env=hub.environment(tmp_path)).stdout.strip().splitlines()[-1])
    whole = hub.repositories["model", "qwen/tiny-qwen3"].commits[-1][1]["model.safetensors"]
    assert not hub.breaks and (folder / "model.safetensors").read_bytes() == whole


def test_rows_broken_in_the_middle_are_whole_or_an_error(hub, tmp_path):
    """The second start of the same command ends well, whatever the first one met."""
    out, cache = tmp_path / "out", tmp_path / "cache"
    hub.breaks, hub.resets = ["Fuvest.json"], True
    words = ["data_prep/prepare.py", f"hf:{EXAM}", "--test_size", 1, "--output_dir", out]
    try:
        run_script(*words, env=hub.environment(cache))
    except AssertionError as failed:
        assert "exit 2" in str(failed) and EXAM in str(failed) and "Traceback" not in str(failed)
        run_script(*words, env=hub.environment(cache))
    assert not hub.breaks and len((out / "test.jsonl").read_text().splitlines()) == len(exam_rows())


@pytest.mark.rehearsal
def test_training_pushes_what_it_made_with_its_card(hub, tiny_model, tiny_rows, tmp_path):
    """--push_to_hub of sft.py: weights and a card, no checkpoint, no token."""
    made, gone = hub.environment(tmp_path / "cache", HF_TOKEN=TOKEN), tmp_path / "sft"
    small = ["--max_steps", 2, "--save_steps", 1, "--max_length", 256, "--data", tiny_rows / "train.jsonl"]
    where = ["--push_to_hub", "--hub_model_id"]
    assert (
        "hf auth login" in run_script("scripts/sft.py", *small, *where, "tester/a", env=hub.environment(tmp_path), code=2).stderr
    )
    run_script("scripts/sft.py", "--model", tiny_model, *small, *where, "tester/sft", "--output_dir", gone, env=made)
    files = hub.repositories["model", "tester/sft"].commits[-1][1]
    assert files["adapter_model.safetensors"] == (gone / "adapter_model.safetensors").read_bytes()
    assert "Not for clinical use" in files["README.md"].decode() and not [f for f in files if "checkpoint" in f]
    assert not any(TOKEN.encode() in content for content in files.values())


PUSH = "import sys; sys.path.insert(0, 'scripts'); from common.entry import run_main; from common.hub import push; "


def test_a_card_that_the_hub_refuses_is_one_error(hub, tmp_path):
    folder = tmp_path / "dpo"
    folder.mkdir()
    (folder / "README.md").write_text('---\nbase_model: "runs/bode/sft"\n---\n# Card\n')
    code = PUSH + "run_main(lambda: push(sys.argv[1], 'tester/dpo', True))"
    said = run_script("-c", code, folder, env=hub.environment(tmp_path / "cache", HF_TOKEN=TOKEN), code=2).stderr
    assert "Traceback" not in said and said.startswith("error: push_to_hub: tester/dpo: Invalid metadata in README.md")
    assert f"hf upload tester/dpo {folder}" in said
    said = run_script("-c", code, folder, env=hub.environment(tmp_path / "cache", HF_TOKEN="wrong"), code=2).stderr
    assert "Traceback" not in said and "push_to_hub: tester/dpo: " in said


def test_a_card_names_the_base_that_the_hub_knows(tmp_path):
    """The card of a second stage, of a merged model and of the embedded one; none where a folder's origin is not told."""
    from common.hub import base_on_hub
    from common.models import EMBEDDED_MODEL
    from export import card

    def made(name: str, **files) -> str:
        (tmp_path / name).mkdir()
        for file, content in ({"config": {}} | files).items():
            (tmp_path / name / f"{file}.json").write_text(json.dumps(content))
        return str(tmp_path / name)

    four = {"base_model_name_or_path": "unsloth/Qwen3-1.7B-unsloth-bnb-4bit"}
    sft = made("sft", run={"config": {"model": "Qwen/Qwen3-1.7B"}}, adapter_config=four)
    dpo = made("dpo", run={"config": {"model": sft}}, adapter_config=four)
    merged = made("merged", merge={"base": "Qwen/Qwen3-1.7B", "adapter": dpo})
    assert [base_on_hub(m) for m in (dpo, merged, "a/b")] == ["Qwen/Qwen3-1.7B"] * 2 + ["a/b"]
    assert base_on_hub(made("theirs", adapter_config=four)) == "unsloth/Qwen3-1.7B-unsloth-bnb-4bit"
    assert base_on_hub(str(ROOT / EMBEDDED_MODEL)) == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert base_on_hub(made("unknown")) is None and base_on_hub("runs/gone/sft") is None
    assert base_on_hub(made("odd", run=[])) is None, "a record that is no object tells nothing"
    for base, named in (
        (dpo, {"name": "Qwen3-1.7B", "repo_url": "https://huggingface.co/Qwen/Qwen3-1.7B"}),
        ("runs/x", {"name": "x"}),
    ):
        header = card.write_metadata(card.Origin("n", base, None, [], [], [], []), tmp_path / "metadata.json")
        assert json.loads(header.read_text())["general.base_models"] == [named], "the file's header says what its card says"
    assert base_on_hub(made("circle", run={"config": {"model": str(tmp_path / "circle")}})) is None


def test_adapter_file_and_rows_are_pushed_with_their_cards(hub, tmp_path):
    random.seed(1)
    code = """
import sys
from huggingface_hub import HfApi
api = HfApi()
for kind, name in (("model", "tester/adapter"), ("dataset", "tester/rows")):
    api.create_repo(name, repo_type=kind, exist_ok=True)
    api.upload_folder(folder_path=sys.argv[1], repo_id=name, repo_type=kind)
"""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(random.randbytes(5000))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Card\n")
    run_script("-c", code, folder, env=hub.environment(tmp_path / "cache", HF_TOKEN=TOKEN))
    for key in (("model", "tester/adapter"), ("dataset", "tester/rows")):
        pushed = hub.repositories[key].commits[-1][1]
        assert {"adapter_model.safetensors", "README.md"} <= set(pushed)
        assert pushed["adapter_model.safetensors"] == (folder / "adapter_model.safetensors").read_bytes()


def test_prepared_rows_become_a_data_set_with_its_card(hub, tmp_path):
    """What may be read of medical rows leaves the machine, and nothing else; pushed again, what is gone goes there too."""
    raw = [r | {"question": f"{r['question']} CPF 529.982.247-25."} for r in rows("exam.jsonl")]
    (tmp_path / "secret name.jsonl").write_bytes(lines(raw))
    out, env = tmp_path / "mine", hub.environment(tmp_path / "cache", HF_TOKEN=TOKEN)
    made = ["data_prep/prepare.py", tmp_path / "secret name.jsonl", "--output_dir", out]
    run_script(*made, "--validation_size", 0.2)
    push = ["data_prep/push_to_hub.py", out, "--hub_dataset_id", "tester/mine"]
    assert "README.md would go" in run_script(*push, "--dry_run", env=hub.environment(tmp_path)).stdout
    run_script(*push, env=env)
    pushed = hub.repositories["dataset", "tester/mine"]
    files = pushed.commits[-1][1]
    assert pushed.private and set(files) == {"README.md", "train.jsonl", "validation.jsonl", "test.jsonl"}
    told = files["README.md"].decode()
    assert "Not for clinical use" in told and "CPF 12" in told and "secret name.jsonl: not stated" in told
    assert not any(secret in content for content in files.values() for secret in (b"529.982", str(tmp_path).encode()))
    again = run_script("-c", READ_BACK, "tester/mine", env=env).stdout
    assert again.split() == [str(len(files[f"{n}.jsonl"].splitlines())) for n in ("train", "validation", "test")]
    run_script(*made, "--test_size", 1)
    run_script(*push, env=env)
    assert set(pushed.commits[-1][1]) == {"README.md", "test.jsonl"}


READ_BACK = """
import sys
from datasets import load_dataset
rows = load_dataset(sys.argv[1])
print(len(rows["train"]), len(rows["validation"]), len(load_dataset(sys.argv[1], "scoring", split="test")))
"""


def test_rows_that_must_not_leave_are_refused(hub, tmp_path):
    env = hub.environment(tmp_path / "cache", HF_TOKEN=TOKEN)

    def refused(out: Path, *flags, name: str = "tester/never", **environment) -> str:
        push = ["data_prep/push_to_hub.py", out, "--hub_dataset_id", name, *flags]
        said = run_script(*push, code=2, env=env | environment).stderr
        assert "Traceback" not in said and ("dataset", "tester/never") not in hub.repositories
        return said

    out = tmp_path / "rows"
    run_script("data_prep/prepare.py", "recipes/rehearsal/exam.jsonl", "--output_dir", out, "--personal_data", "keep")
    with (out / "train.jsonl").open("a") as file:
        file.write("{}\n")
    said = refused(out, "--hub_private_repo", "false")
    assert "personal data kept" in said and "train.jsonl: is not what manifest.json tells" in said and "is not stated" in said
    assert "give OWNER/NAME" in refused(tmp_path, name="me") and "holds no manifest.json" in refused(tmp_path)
    assert "hf auth login" in refused(out, HF_TOKEN="")
    mixed, licence = ["--mix", "recipes/rehearsal/cases.jsonl:0.3"], ["--licences", '{"recipes/rehearsal/exam.jsonl": "mit"}']
    run_script("data_prep/prepare.py", "recipes/rehearsal/exam.jsonl", "--output_dir", out, *mixed, *licence)
    assert "licence of recipes/rehearsal/cases.jsonl is not stated" in refused(out, "--hub_private_repo", "false")
    run_script("data_prep/prepare.py", "recipes/rehearsal/exam.jsonl", "--output_dir", out)
    hub.put("dataset", "tester/public", {"README.md": b"x"})
    assert "and public" in refused(out, name="tester/public") and len(hub.repositories["dataset", "tester/public"].commits) == 1
    hub.put("model", "tester/public", {"README.md": b"x"})
    code = "import sys; sys.path.insert(0, 'scripts'); from common.hub import push; push(sys.argv[1], 'tester/public', True)"
    assert "is there already, and public" in run_script("-c", code, out, env=env, code=1).stderr
    assert len(hub.repositories["model", "tester/public"].commits) == 1
    asked = ["scripts/sft.py", "--data", out / "train.jsonl", "--push_to_hub", "--hub_model_id", "tester/public"]
    assert "and public; make it private" in run_script(*asked, env=env, code=2).stderr  # before anything is trained


@pytest.mark.rehearsal
@pytest.mark.parametrize("name", RECIPES)
def test_recipe_runs_end_to_end_through_hub_ids_and_then_offline(hub, tmp_path, name):
    """Data of the hub in all but classification and guidelines, which are given a user's own; every model by its id."""
    out, cache, variables = tmp_path / "out", tmp_path / "cache", with_variables(name)
    done = recipe(name, out, hub, cache, *variables)
    assert "all stages done" in done.stdout
    print(f"{name}: {done.stdout.strip().splitlines()[-1]}")
    summary = json.loads((out / "summary.json").read_text())
    assert len(summary["scores"]) > 1 and all(file["passed"] for file in summary["files"])
    stages = len(summary["stages"]) + 1  # the page's own stage does not stand on it
    asked = len(hub.requests)
    again = recipe(name, out, hub, cache, *variables, HF_HUB_OFFLINE="1")
    assert again.stdout.count("skipped") == stages and len(hub.requests) == asked
    forced = recipe(name, out, hub, cache, "--only", "score_base", *variables, HF_HUB_OFFLINE="1")
    assert "all stages done" in forced.stdout and len(hub.requests) == asked
