"""The short part of `make faults` that CI runs; faults.py alone, for hours, finds more."""

import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "faults"))
import faults
from stages import STAGES

FILES = ["sft", "evaluate", "export", "evaluate_gguf", "compare", "choose", "report"]


@pytest.mark.slow  # not in CI yet
@pytest.mark.rehearsal
@pytest.mark.parametrize("kinds, stages, trials", [(["kill", "damage", "disk"], ["prepare"], 12), (["damage"], FILES, 14)])
def test_campaign_finds_nothing(tmp_path, kinds, stages, trials):
    done = faults.campaign(60, 7, kinds, stages, trials, tmp_path / "trials.jsonl")
    assert len(done) == trials
    assert [(t.kind, t.stage, t.fault, t.verdict, t.printed[-2000:]) for t in done if t.verdict not in faults.GOOD] == []


def test_a_fault_would_be_seen(tmp_path):
    """A stage that prints a traceback, one that ends well with other rows, one that leaves a child: each is no good verdict."""
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "rows.txt").write_text("a\nb\nc\n" * 50)
    for number, (code, verdict) in enumerate(
        [
            ("raise ValueError('what')", "traceback"),
            ("import sys; sys.exit('error: something is wrong')", "the error names no file"),
            (
                "import pathlib; o = pathlib.Path(r'{out}'); o.mkdir(); (o / 'r.txt').write_text('wrong')",
                "another result, exit 0",
            ),
        ]
    ):
        stage = faults.Stage("x", ["-c", code], ["rows.txt"], ["r.txt"])
        work = tmp_path / str(number)
        work.mkdir()
        dice, span = faults.random.Random(1), faults.Span()
        while "turned" in (trial := faults.damage_trial(stage, tmp_path / "inputs", work, {"r.txt": "1"}, dice, span)).fault:
            faults.shutil.rmtree(work)
            work.mkdir()
        assert trial.verdict == verdict


def test_a_child_that_lives_on_would_be_seen(tmp_path):
    class Late(faults.random.Random):
        def uniform(self, low, high):
            return high

        def choice(self, options):
            return options[0]  # SIGKILL

    forks = faults.Stage("x", ["-c", "import os\nos.fork()\nwhile True: pass"], [], [])
    assert faults.kill_trial(forks, tmp_path, tmp_path, {}, Late(1), faults.Span(0, 1)).verdict == "a child lived on"


def test_stages_name_files_that_are_made():
    assert len({s.name for s in STAGES}) == len(STAGES) >= 6
    assert set(FILES) | {"prepare"} == {s.name for s in STAGES}
