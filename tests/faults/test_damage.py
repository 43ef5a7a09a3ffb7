"""A few damages of every file that is read without a model; `python tests/faults/damage.py --places 200` tries more."""

import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "faults"))
import damage

FEW, SLOW_READERS = 24, 4  # places; prepare.py runs whole for each place of a raw file


@pytest.mark.parametrize("reader", damage.READERS, ids=lambda r: r.name)
def test_damaged_file_is_named_or_makes_no_difference(tmp_path, reader):
    found = damage.campaign(reader, SLOW_READERS if reader.name.startswith("raw") else FEW, 11, tmp_path)
    assert {what for what in found if what not in damage.GOOD} == set() and sum(found.values()) > 1


def test_damage_that_goes_unnamed_would_be_seen(tmp_path):
    """A reader that ends in a traceback, one that names no file, one that reads what is left as if it were whole."""
    from data_prep.common.errors import UserError

    def nameless(path):
        if path.read_bytes() != b"0123456789" * 9:
            raise UserError("something is wrong")

    make = lambda folder: damage.text(folder / "a.txt", "0123456789" * 9)  # noqa: E731
    readers = {
        "ValueError": lambda path: int(path.read_bytes()),
        "names no file": nameless,
        "another result": lambda path: path.read_bytes()[:1],
    }
    for expected, read in readers.items():
        assert any(expected in what for what in damage.campaign(damage.Reader("x", make, read), 40, 1, tmp_path))


@pytest.mark.parametrize("name", ["metrics.json", "predictions.jsonl", "baselines.jsonl"])
def test_a_key_that_is_lacking_is_named_with_its_file(tmp_path, name):
    """Each key of an evaluation in turn: compare.py makes do without it, or names it; never a KeyError's traceback."""
    from data_prep.common.errors import UserError

    path, refused = damage.make_evaluations(tmp_path, name), set()
    rows = [damage.json.loads(path.read_text())] if name == "metrics.json" else list(map(damage.json.loads, open(path)))
    for key in rows[0]:
        damage.lines(path, [{k: v for k, v in row.items() if k != key} for row in rows])
        try:
            damage.read_compared(path)
        except UserError as error:
            assert str(path.parent) in str(error) and (key in str(error) or "different" in str(error)), error
            refused.add(key)
    needed = {"metrics.json": {"n", "accuracy", "task"}, "predictions.jsonl": {"id", "correct", "prediction"}}
    assert refused >= needed.get(name, {"baseline", "id"})
