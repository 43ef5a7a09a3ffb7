"""A few hundred odd inputs for each parser, and command lines; fuzz.py, guided.py and fuzz_commands.py try more."""

import contextlib
import random
import sys
import time

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "faults"))
import fuzz_commands
import fuzz_targets


@pytest.mark.parametrize("name", ["answers.extract", "privacy.mask", "html_to_text", "turns"])
@pytest.mark.parametrize("text", [
    "answer " * 6000, "(A)" + "letra " * 6000, "optionl" + ",B" * 6000, "www." * 10_000, "http://u" + ":x" * 40_000,
    "prontuário12." * 9000, "<p>" + "<!--" * 30_000, "<p>" + " " * 200_000 + "x", "<ol>" + "<li>x</li>" * 12_000,
    "User: a\n" + " " * 30_000, "User: a\n" + "x\n" * 600_000 + "Bot: b",
])  # fmt: skip
def test_time_grows_with_a_text_not_with_its_square(name, text):
    """By the square each took what reads it half a minute or more."""
    [target] = [t for t in fuzz_targets.texts() if t.name == name]
    start = time.process_time()
    with contextlib.suppress(*target.allowed):
        target.call(text)
    assert time.process_time() - start < 10


def test_no_text_breaks_a_parser(tmp_path):
    for target in fuzz_targets.targets(tmp_path):
        for number in range(300):
            target.once(random.Random(f"test {target.name} {number}"))
        assert target.failed == [], target.name
    broken = fuzz_targets.Target("x", lambda text: {"A": 1}[text[:1]])
    broken.once(random.Random(1))
    assert "KeyError" in broken.failed[0]


def test_no_command_line_ends_in_a_traceback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = fuzz_commands.files(tmp_path)
    for name, (cls, manual) in fuzz_commands.scripts().items():
        target = fuzz_commands.target(name, cls, manual, tmp_path, paths)
        for number in range(5):
            target.once(random.Random(f"test {name} {number}"))
        assert target.failed == [], name
