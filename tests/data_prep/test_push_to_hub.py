"""What push_to_hub.py refuses before it asks the hub anything; the upload itself is tested in tests/recipes/test_hub.py."""

import hashlib
import json

import pytest
from conftest import run_script

from data_prep.common.errors import UserError
from data_prep.push_to_hub import read_manifest

ROW = b'{"id": "1", "conversations": []}\n'


@pytest.fixture
def prepared(tmp_path):
    """A folder as prepare.py leaves it, one row to train on."""
    (tmp_path / "train.jsonl").write_bytes(ROW)
    told = {"train.jsonl": {"rows": 1, "sha256": hashlib.sha256(ROW).hexdigest()}}
    note(tmp_path, outputs=told)
    return tmp_path


def note(folder, **changed):
    whole = {"outputs": {}, "options": {}, "licences": {}, "readings": {}, "personal_data": {}, "task": "sft"}
    (folder / "manifest.json").write_text(json.dumps(whole | changed))


def push(folder, *more, code=0, name="ana/rows"):
    done = run_script("data_prep/push_to_hub.py", folder, "--hub_dataset_id", name, "--dry_run", "true", *more, code=code)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("changed", [{"outputs": 5}, {"licences": None}, {"personal_data": None}, {"readings": {"a": 1}}])
def test_a_damaged_manifest_is_told(tmp_path, changed):
    note(tmp_path, **changed)
    with pytest.raises(UserError, match=r"is not one of data_prep/prepare.py"):
        read_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize("content", [b"[1]", b"{}", b"null", b"{", b"\xff"])
def test_what_is_no_manifest_is_told(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(UserError, match=r"is not one of data_prep/prepare.py"):
        read_manifest(tmp_path / "manifest.json")


def test_nothing_is_no_upload(tmp_path):
    """A card alone went to the hub, and the exit code was 0."""
    note(tmp_path)
    assert "tells of no rows" in push(tmp_path, code=2) and not (tmp_path / "README.md").exists()


@pytest.mark.parametrize("name", ["/", "ana/", "ana b/rows", "ana/linhas clínicas", "ana", "a/b/c"])
def test_a_name_that_the_hub_does_not_take_is_told_in_a_dry_run(prepared, name):
    assert "give OWNER/NAME" in push(prepared, code=2, name=name)


def test_a_card_written_by_hand_is_kept(prepared):
    assert "something else" not in push(prepared) and "something else" not in push(prepared)
    (prepared / "README.md").write_text("# Our hospital's words\n")
    assert "README.old.md" in push(prepared)
    assert (prepared / "README.old.md").read_text() == "# Our hospital's words\n"
    assert "Not for clinical use" in (prepared / "README.md").read_text()
