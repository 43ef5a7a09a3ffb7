"""prepare.py --engine datatrove: the same files as from the default engine, however many tasks and files there are."""

import json
import os
import sys
from pathlib import Path

import pytest
from conftest import ROOT, run_script

from data_prep.common.arguments import parse_args
from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.prepare import prepare

pytest.importorskip("datatrove", reason="pip install -r requirements-dev.txt")
FILES = ("train.jsonl", "validation.jsonl", "test.jsonl", "rejects.jsonl", "report.html")
SETTINGS = ("executor", "executor_args", "engine", "tasks", "output_dir")


SIGNS = (
    "fever cough rash dyspnoea vertigo nausea syncope pruritus jaundice oedema tremor ataxia aphasia anuria cyanosis pallor "
    "headache hiccups stridor wheezing myalgia arthralgia diarrhoea melaena dysphagia ascites amenorrhoea palpitations tinnitus"
).split()


def exam(file: int, rows: int) -> list[str]:
    """Lines with all that a stage before or after the tasks changes, counts or leaves out."""
    lines = []
    for i in range(rows):
        n = (file * 7 + i) % (rows + 5)  # some stand in several files
        signs = " ".join(SIGNS[n * step % len(SIGNS)] for step in (1, 3, 5, 7, 9))
        row = {"question": f"{signs}: which organ comes first in case {n} of Dr. John Smith?", "topic": f"T{n % 3}"}
        row |= {
            "options": {"A": f"Liver {n}", "B": f"<b>Spleen</b>  {n}", "C": f"Skin {n * 7}"},
            "answer": "ABC"[(n + (i % 50 == 9)) % 3],
        }
        if i % 60 == 31:
            row["question"] += " Well."  # near its neighbour of the other files
        if i > 520:
            row |= {"mark": 1} if i % 40 == 5 else {"new": "x"}
        lines.append(json.dumps(row) if i % 149 != 13 else "{no json")
    return lines


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    for file, rows in enumerate((620, 90, 60)):  # the first is of several blocks
        (folder / f"f{file}.jsonl").write_text("\n".join(exam(file, rows)) + "\n")
    return folder


@pytest.fixture(scope="module")
def options(raw, tmp_path_factory) -> dict:
    beside = tmp_path_factory.mktemp("beside")
    (beside / "eval.jsonl").write_text("\n".join(exam(0, 30)[:12]) + "\n")
    (beside / "general.jsonl").write_text(
        "".join(json.dumps({"question": f"What is {i}?", "answer": f"It is {i}."}) + "\n" for i in range(99))
    )
    return {"inputs": [str(raw)], "eval_files": [str(beside / "eval.jsonl")], "mix": f"{beside / 'general.jsonl'}:0.02"}


@pytest.fixture(scope="module")
def expected(options, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("default") / "out"
    counts = prepare(Args(**options, output_dir=str(out)))["counts"]
    for kind in ("rejected", "duplicate", "leak", "near-duplicate", "train", "test", "added: mixed in"):
        assert counts[kind], f"the data do not try {kind}"
    return out


def check_the_same(out: Path, expected: Path, tasks: int) -> None:
    for name in FILES:
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name
    mine, theirs = (json.loads((folder / "manifest.json").read_text()) for folder in (out, expected))
    assert mine["options"]["tasks"] == tasks
    for manifest in (mine, theirs):
        manifest["options"] = {k: v for k, v in manifest["options"].items() if k not in SETTINGS}
    assert mine == theirs


@pytest.mark.parametrize("tasks, workers", [(2, 2), (5, 1)])  # fewer tasks than files, and more
def test_tasks_give_the_same_files(options, expected, tmp_path, tasks, workers):
    out = tmp_path / "out"
    prepare(Args(**options, output_dir=str(out), engine="datatrove", tasks=tasks, executor_args={"workers": workers}))
    check_the_same(out, expected, tasks)
    assert not (out / "datatrove").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: (raw / "0.jsonl").write_text('{"question": "What is a fever?", "answer": "A high temperature."}\n'),
        lambda raw: (raw / "b.jsonl").unlink(),
        lambda raw: (raw / "b.jsonl").write_text((raw / "b.jsonl").read_text() + "\n"),
        lambda raw: (raw / "b.jsonl").write_text((raw / "b.jsonl").read_text().replace("1", "2")),  # its size stays
    ],
)
def test_files_that_change_while_the_tasks_wait_in_a_queue_are_refused(tmp_path, change):
    """One file more or less, and tasks that ran before and after it would read one file twice and another never."""
    from data_prep.pipeline import engine_datatrove as engine
    from data_prep.pipeline.sources import find_sources

    raw = tmp_path / "raw"
    raw.mkdir()
    for name in "ab":
        row = {"question": f"What is remedy {name}1 taken for?", "answer": "For a pain in the knee, twice a day."}
        (raw / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    args = Args(inputs=[str(raw)], output_dir=str(tmp_path / "out"), engine="datatrove")
    engine.begin(args, find_sources(args))
    change(raw)
    with pytest.raises(UserError, match="came, went or changed since the tasks were begun"):
        for rank in (0, 1):
            engine.tell_rows(None, rank, 2, args=args, home=os.getcwd())
        prepare(args, told=True)


SBATCH = """#!/bin/bash
# As Slurm does: the script once for each number of its array, with that number in the environment; jobs run as they come.
script="${@: -1}"; last=$(grep -oP '^#SBATCH --array=0-\\K[0-9]+' "$script")
for i in $(seq 0 "$last"); do
  SLURM_JOB_ID=7 SLURM_ARRAY_TASK_ID=$i SLURM_NODELIST=here bash "$script" >> "$LOG" 2>&1 || { cat "$LOG" >&2; exit 1; }
done
echo Submitted batch job 7
"""


@pytest.mark.slow
def test_slurm_jobs_give_the_same_files(options, expected, tmp_path):
    """With a stand-in for sbatch, srun and scontrol: the scripts that datatrove writes, and what they find there."""
    programs, out = tmp_path / "bin", tmp_path / "out"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", '#!/bin/bash\nexec "${@:4}"\n'), ("scontrol", "#!/bin/bash\necho here\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    flags = [
        "--eval_files",
        *options["eval_files"],
        "--mix",
        options["mix"],
        "--engine",
        "datatrove",
        "--executor",
        "slurm",
        "--tasks",
        "2",
    ]
    flags += ["--executor_args", '{partition: cpu, time: "1:00:00"}', "--output_dir", out]
    env = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
    done = run_script("data_prep/prepare.py", *options["inputs"], *flags, env=env)
    assert "written by job 7" in done.stdout
    assert "--time=1:00:00" in (out / "datatrove/tell/launch_script.slurm").read_text()
    check_the_same(out, expected, 2)


def test_arguments_of_the_executor_keep_their_kinds():
    """One that none of the named kinds fitted made a text of all of them."""
    given = "{workers: 2, randomize_start_duration: 0.5, start_method: null}"
    flags = [str(ROOT / "recipes/rehearsal/exam.jsonl"), "--engine", "datatrove", "--executor_args", given]
    read = parse_args(Args, "", flags).executor_args
    assert read == {"workers": 2, "randomize_start_duration": 0.5, "start_method": None}


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--tasks", "4"], "tasks: of --engine datatrove only"),
        (["--engine", "datatrove", "--executor", "slurm"], "slurm needs a partition and a time"),
        (["--engine", "datatrove", "--executor", "slurm", "--executor_args", "{partition: cpu, time: 4:00:00}"], "in quotes"),
        (["--engine", "datatrove", "--tasks", "0"], "tasks: 0 must be at least 1"),
        (["--engine", "datatrove", "--executor_args", "{worker: 4}"], "worker: there are .*workers"),
    ],
)
def test_what_an_engine_lacks_is_asked_for(raw, flags, words):
    with pytest.raises(UserError, match=words):
        parse_args(Args, "", [str(raw), *flags])


def test_without_the_package_the_line_to_install_it_is_told(raw, monkeypatch):
    monkeypatch.setitem(sys.modules, "datatrove", None)
    with pytest.raises(UserError, match="pip install datatrove=="):
        parse_args(Args, "", [str(raw), "--engine", "datatrove"])


def test_the_line_to_install_is_what_the_tests_use():
    from data_prep.pipeline.options import DATATROVE

    assert DATATROVE.split()[-1] in (ROOT / "requirements-dev.txt").read_text().splitlines()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_breaks_late_is_told_and_leaves_nothing(tmp_path, workers):
    (tmp_path / "raw.jsonl").write_text("\n".join([*exam(0, 600), *["{broken"] * 90]))
    args = Args(inputs=[str(tmp_path / "raw.jsonl")], output_dir=str(tmp_path / "out"), engine="datatrove")
    args.executor_args = {"workers": workers}
    with pytest.raises(UserError, match="are no records"):
        prepare(args)
    assert not (tmp_path / "out").exists()


def test_a_task_that_is_missing_is_no_success(raw, tmp_path):
    from data_prep.pipeline import engine_datatrove as engine
    from data_prep.pipeline.sources import find_sources

    args = Args(inputs=[str(raw)], output_dir=str(tmp_path), engine="datatrove")
    engine.begin(args, find_sources(args))
    with pytest.raises(UserError, match="0 of 2 are done"):
        prepare(args, told=True)
