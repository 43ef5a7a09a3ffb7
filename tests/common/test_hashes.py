"""One state of a model told from another by its hash."""

import json
import os

import pytest
from common.hashes import LARGE, STEP, model_sha256, weights_sha256


def test_a_change_in_the_middle_of_a_large_file_is_seen(tmp_path):
    size, layer = LARGE + STEP + 5, 9 << 20
    path = tmp_path / "model.safetensors"
    with open(path, "wb") as file:
        os.truncate(file.fileno(), size)  # sparse: takes no disk
    before = weights_sha256(str(tmp_path))
    assert weights_sha256(str(tmp_path)) == before
    with open(path, "r+b") as file:
        file.seek(size // 2)
        file.write(b"\1" * layer)
    changed = weights_sha256(str(tmp_path))
    assert changed != before
    with open(path, "r+b") as file:
        file.seek(size - 1)
        file.write(b"\1")
    assert weights_sha256(str(tmp_path)) != changed


def test_an_adapter_on_other_base_weights_is_another_model(tmp_path):
    """Without a training's record of its base, such an adapter's evaluation was "already done" after the base had changed."""
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"1")
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    before = model_sha256(str(adapter))
    assert model_sha256(str(adapter)) == before
    (base / "model.safetensors").write_bytes(b"2")
    assert model_sha256(str(adapter)) != before


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"base_model_name_or_path": "someone/on-the-hub"}', "itself"])
def test_a_base_that_is_no_folder_adds_nothing(tmp_path, config):
    (tmp_path / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(tmp_path)}) if config == "itself" else config
    )
    assert model_sha256(str(tmp_path)) == model_sha256(str(tmp_path))
