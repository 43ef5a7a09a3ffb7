"""One state of a model told from another by its hash."""

import os

from common.hashes import LARGE, STEP, weights_sha256


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
