"""A power cut after a rename leaves the old file or the new one, whole: bytes are on the disk before, the name after."""

import ast
import os

import pytest
from common.files import folder_beside, write_json
from conftest import ROOT

from data_prep.common.files import Output, write_text


@pytest.fixture
def calls(monkeypatch):
    """What the system was asked for, in order: ("sync", path) and ("rename", from, to)."""
    found, sync, rename = [], os.fsync, os.replace

    def synced(number):
        found.append(("sync", os.readlink(f"/proc/self/fd/{number}")))
        sync(number)

    def renamed(old, new):
        found.append(("rename", str(old), str(new)))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    return found


def by_folder(folder):
    with folder_beside(folder) as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "weights").write_bytes(b"w" * 100)
        (temporary / "gone").symlink_to("nowhere")


def by_output(path):
    output = Output(path)
    output.write({"id": 1})
    output.finish()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("write", [lambda p: write_json(p, {}), lambda p: write_text(p, "x"), by_output, by_folder])
def test_bytes_before_the_name_and_the_name_after(tmp_path, calls, write):
    place = tmp_path / "made"
    write(place)
    (at,) = [i for i, call in enumerate(calls) if call[0] == "rename"]
    old = calls[at][1]
    assert calls[at][2] == str(place) and calls[at + 1 :] == [("sync", str(tmp_path))]
    whole = {old} | {str(p).replace(str(place), old) for p in (place.rglob("*") if place.is_dir() else ()) if p.exists()}
    assert {path for _, path in calls[:at]} == whole


def test_a_checkpoint_is_on_the_disk_before_its_last_file_is_there(tmp_path, calls, monkeypatch):
    from training import checkpoints
    from transformers import TrainerState

    monkeypatch.setattr(TrainerState, "save_to_json", None)
    checkpoints.save_in_order()
    folder = tmp_path / "checkpoint-2"
    folder.mkdir()
    for name in ("adapter_model.safetensors", "optimizer.pt", "rng_state.pth"):
        (folder / name).write_bytes(b"w" * 100)
    TrainerState(global_step=2).save_to_json(str(folder / "trainer_state.json"))
    (at,) = [i for i, call in enumerate(calls) if call[0] == "rename"]
    written = {str(p) for p in folder.iterdir()} - {str(folder / "trainer_state.json")}
    assert written | {str(folder), calls[at][1]} == {path for _, path in calls[:at]}
    assert TrainerState.load_from_json(str(folder / "trainer_state.json")).global_step == 2


def renames(path) -> list[int]:
    """Lines of a file that rename, whatever they do it by; str.replace takes two arguments, Path.replace one."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, owner = node.func.attr, getattr(node.func.value, "id", "")
            if (name in ("rename", "renames") or (name == "replace" and owner == "os")) or (
                name == "replace" and len(node.args) == 1 and not node.keywords
            ):
                found.append(node.lineno)
    return found


def test_no_writer_goes_around_it():
    files = [p for room in ("scripts", "data_prep") for p in (ROOT / room).rglob("*.py")]
    found = {str(p.relative_to(ROOT)): lines for p in files if (lines := renames(p))}
    assert list(found) == ["data_prep/common/files.py"] and len(found["data_prep/common/files.py"]) == 1, found
