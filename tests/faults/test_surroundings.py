"""prepare.py where the surroundings are odd: little memory, a folder that may not be written, names with spaces, accents and line
ends, a narrow umask, a home that is not there, a locale without accents. It ends well, or in one error; never in a traceback."""

import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, answer_at_once, run_script

SCRIPT = [sys.executable, str(ROOT / "data_prep/prepare.py")]


# No folder is closed to root but for this.
AS_USER = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if not os.getuid() and shutil.which("setpriv") else ()


def rows(path: Path, count: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    some = [{"question": f"Questão {i}: qual é a dose?", "answer": f"A dose número {i} é {i * 7} mg."} for i in range(count)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some), encoding="utf-8")
    return path


def prepared(source: Path, out: Path, code: int = 0, **more) -> str:
    words = [*SCRIPT, str(source), "--output_dir", str(out), "--html_report", "false", "--near_duplicates", "off"]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, **more)
    assert "Traceback" not in done.stderr and done.returncode == code, done.stdout[-1000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def test_odd_names_a_narrow_umask_and_no_home(tmp_path):
    """All at once, for the same bytes as elsewhere; what was written is for its owner alone, as the umask says."""
    odd = tmp_path / "Dados da Saúde\n(nº 2), 'x'"
    prepared(rows(odd / "questões do ano.jsonl"), odd / "saída\tfinal", umask=0o077, cwd=tmp_path,
             env={"PATH": os.environ["PATH"], "HOME": "/proc/none", "LC_ALL": "C", "TMPDIR": str(tmp_path)})  # fmt: skip
    prepared(odd / "questões do ano.jsonl", tmp_path / "plain")
    made = {p.name: p for p in (odd / "saída\tfinal").iterdir()}
    assert {"train.jsonl", "test.jsonl", "rejects.jsonl", "manifest.json", "report.json"} <= set(made)
    assert all(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in made.values())
    for name in ("train.jsonl", "test.jsonl"):
        assert made[name].read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_a_letter_that_the_terminal_lacks_ends_nothing():
    """A training whose rows say "ação" ended in a traceback where its terminal knows ASCII alone."""
    said = "from data_prep.common.errors import exit_on_error; exit_on_error(lambda: print('ação'))"
    env = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "a\\xe7\\xe3o\n"), done.stderr


def test_a_folder_that_may_not_be_written_is_one_error(tmp_path):
    source, closed = rows(tmp_path / "raw.jsonl"), tmp_path / "closed"
    closed.mkdir()
    if os.getuid():
        closed.chmod(0o500)
        assert "closed" in prepared(source, closed / "out", code=2)
    else:  # nothing is closed to root but a file system that is read-only, and a file in the place of a folder
        (closed / "out").write_text("a file")
    assert "out" in prepared(source, closed / "out", code=2) and list(tmp_path.glob("**/*.tmp")) == []
    assert "/proc/out" in prepared(source, Path("/proc/out"), code=2)


def test_little_memory_is_one_error_and_nothing_half_done_stays(tmp_path):
    """190 MB of addresses: enough to begin with, too little to read with."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (190 * 2**20,) * 2)  # noqa: E731
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    said = prepared(rows(tmp_path / "raw.jsonl"), tmp_path / "out", code=2, preexec_fn=limit, env=alone)
    assert "not enough memory" in said and not (tmp_path / "out" / "manifest.json").exists()


def test_links_are_followed_and_stay(tmp_path):
    """A link as input and one as output folder: the rows lie where it leads, and it is one still."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in.jsonl").symlink_to(rows(tmp_path / "deep" / "raw.jsonl"))
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    prepared(tmp_path / "in.jsonl", tmp_path / "out")
    assert (tmp_path / "out").is_symlink() and (tmp_path / "elsewhere" / "manifest.json").is_file()
    assert (tmp_path / "in.jsonl").is_symlink() and (tmp_path / "elsewhere" / "train.jsonl").stat().st_size > 1000


def test_a_folder_that_is_deleted_meanwhile_is_one_error(tmp_path, monkeypatch, capsys):
    from data_prep import prepare
    from data_prep.common.errors import exit_on_error
    from data_prep.pipeline import write
    from data_prep.pipeline.options import Args

    out, real = tmp_path / "out", write.write_rows
    monkeypatch.setattr(write, "write_rows", lambda *given: shutil.rmtree(out) or real(*given))
    args = Args(inputs=[str(rows(tmp_path / "raw.jsonl"))], output_dir=str(out), html_report=False, near_duplicates="off")
    with pytest.raises(SystemExit) as ended:
        exit_on_error(lambda: prepare.prepare(args))
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "its folder is gone" in said and str(out) in said and "Traceback" not in said


@pytest.mark.skipif(not os.getuid() and not AS_USER, reason="root without setpriv")
def test_an_output_folder_that_may_not_be_written_is_told_before_time_is_spent(tiny_model, tiny_rows, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "file").write_text("")
    for command in (
        ["sft.py", "--model", tiny_model, "--data", tiny_rows / "train.jsonl"],
        ["export_gguf.py", "--model", tiny_model],
    ):
        for name, why in (("closed", "may not be written"), ("file", "is a file")):
            out = ["--output_dir", tmp_path / name / "out"]
            assert why in answer_at_once(f"scripts/{command[0]}", *command[1:], *out, before=AS_USER).stderr


def test_a_file_where_a_folder_is_to_be_made_is_one_error(tiny_model, tiny_rows, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "e").mkdir()
    known = {"task": "mcq", "protocol": "letter", "model": "m", "n": 1, "n_correct": 1, "n_invalid": 0, "accuracy": 1.0}
    (tmp_path / "e/metrics.json").write_text(json.dumps(known | {"accuracy_ci95": [0.2, 1.0], "chance": 0.5}))
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / "recipe.yaml").write_text("title: t\nstages:\n- {name: a, command: python scripts/make_model.py --help}\n")
    for command in (
        ["evaluate.py", "--model", tiny_model, "--data", tiny_rows / "test.jsonl"],
        ["score_table.py", tmp_path / "e"],
        ["run_recipe.py", recipe],
    ):
        done = run_script(f"scripts/{command[0]}", *command[1:], "--output_dir", tmp_path / "file", code=2)
        assert "file: is a file" in done.stderr and "Traceback" not in done.stderr
    gguf = tmp_path / "x-q8_0.gguf"
    gguf.write_bytes(b"GGUF")
    words = ["--model", tiny_model, "--gguf", gguf, "--output_dir", tmp_path / "file"]
    assert "is a file" in answer_at_once("scripts/verify_gguf.py", *words).stderr


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.skipif(not os.getuid() and not AS_USER, reason="root without setpriv")
def test_models_data_and_a_home_that_may_not_be_written_are_left_alone(tiny_model, tiny_rows, tiny_sft, tmp_path):
    """Training, scoring and export read from folders that are read-only, and need no home."""
    home, given = tmp_path / "home", tmp_path / "given"
    shutil.copytree(ROOT / tiny_model, given / "model")
    shutil.copytree(tiny_rows, given / "rows")
    shutil.copytree(tiny_sft, given / "sft")
    home.mkdir()
    before = content(given)
    for path in (*given.rglob("*"), given, home):
        path.chmod(0o500 if path.is_dir() else 0o400)
    kept = {k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "HF_HOME", "MPLCONFIGDIR")}
    flags = {"before": AS_USER, "env": kept | {"HOME": str(home)}}
    train = ["--model", given / "model", "--data", given / "rows" / "train.jsonl", "--max_steps", 1, "--max_length", 256]
    run_script("scripts/sft.py", *train, "--output_dir", tmp_path / "sft", **flags)
    score = ["--model", given / "sft", "--data", given / "rows" / "test.jsonl", "--output_dir", tmp_path / "eval"]
    run_script("scripts/evaluate.py", *score, **flags)
    export = ["--model", given / "sft", "--quantization", "q8_0", "--max_tokens", 300, "--output_dir", tmp_path / "gguf"]
    run_script("scripts/export_gguf.py", *export, **flags)
    assert content(given) == before and content(home) == {}
