"""A few hundred odd texts for each parser; `python tests/faults/fuzz.py --seconds 60` tries more."""

import random
import sys

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "faults"))
import fuzz


def test_no_text_breaks_a_parser(tmp_path):
    for target in fuzz.targets(tmp_path):
        for number in range(300):
            target.once(random.Random(f"test {target.name} {number}"))
        assert target.failed == [], target.name
    broken = fuzz.Target("x", lambda text: {"A": 1}[text[:1]])
    broken.once(random.Random(1))
    assert "KeyError" in broken.failed[0]
