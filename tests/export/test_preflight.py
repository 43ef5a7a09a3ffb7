"""What an export says and reckons before it begins."""

import json

import pytest
from export.needs import LIBRARIES, Shape, file_bytes, needs
from export.preflight import short_sighted, tokenizer_problems
from export.tokenizer_files import for_converter, name_within


def test_a_window_that_llama_cpp_does_not_compute_is_refused(tmp_path):
    phi = {"architectures": ["Phi3ForCausalLM"], "sliding_window": 2047, "max_position_embeddings": 4096}
    (tmp_path / "config.json").write_text(json.dumps(phi))
    (said,) = short_sighted(tmp_path)
    assert "looks back 2,047 tokens" in said and '"max_position_embeddings": 2047' in said
    for other in ({"sliding_window": 262144}, {"sliding_window": None}, {"max_position_embeddings": 2047}):
        (tmp_path / "config.json").write_text(json.dumps(phi | other))
        assert not short_sighted(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(phi | {"architectures": ["Gemma3ForCausalLM"]}))
    assert not short_sighted(tmp_path), "whose windows llama.cpp computes"


@pytest.mark.parametrize(("scheme", "pieces", "told"), [("first", True, True), ("always", True, False), ("first", False, False)])
def test_the_converter_is_told_of_a_space_before_the_first_word_alone(scheme, pieces, told, tmp_path):
    model, links = tmp_path / "m", tmp_path / "links"
    model.mkdir()
    before = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False}
    made = {"model": {"byte_fallback": pieces}, "pre_tokenizer": before, "post_processor": {"single": ["SpecialToken"]}}
    (model / "tokenizer.json").write_text(json.dumps(made))
    (model / "tokenizer_config.json").write_text(json.dumps({"add_prefix_space": True}))
    assert tokenizer_problems(model) == []
    folder = for_converter(model, links)
    assert (folder == links) == told
    assert json.loads((folder / "tokenizer_config.json").read_text())["add_prefix_space"] is not told


PHI3 = ["<unk>", "<s>", "</s>", "<|endoftext|>"]


@pytest.mark.parametrize(
    ("rstrip", "others", "name", "said"),
    [
        (True, PHI3, "clinic", "clinic (Phi-3)"),
        (True, PHI3, "my-Phi3-run", "my-Phi3-run"),
        (True, ["<|endoftext|>"], "clinic", "clinic"),
        (True, ["<|endoftext|>"], "after-phi-3", "after-Phi 3"),
        (False, PHI3, "qwen-like-phi3", "qwen-like-Phi 3"),
        (False, PHI3, "clinic", "clinic"),
    ],
)
def test_the_name_tells_llama_cpp_whether_control_tokens_take_spaces(rstrip, others, name, said, tmp_path):
    added = [{"content": t, "rstrip": rstrip and t == "<|end|>", "special": True} for t in ("<|end|>", *others)]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    assert name_within(name, tmp_path) == said


BEGINS = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]


@pytest.mark.parametrize(
    ("pieces", "processor", "config", "told"),
    [
        (True, None, {}, True),
        (True, {"type": "TemplateProcessing", "single": BEGINS[1:]}, {}, True),
        (True, {"type": "TemplateProcessing", "single": BEGINS}, {}, False),
        (True, {"type": "Sequence", "processors": [{"type": "TemplateProcessing", "single": BEGINS}]}, {}, False),
        (True, None, {"add_bos_token": True}, False),
        (False, None, {}, False),
    ],
)
def test_the_converter_is_told_that_no_text_begins_with_a_token(pieces, processor, config, told, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "tokenizer.json").write_text(json.dumps({"model": {"byte_fallback": pieces}, "post_processor": processor}))
    (model / "tokenizer_config.json").write_text(json.dumps(config | {"eos_token": "</s>"}))
    found = for_converter(model, tmp_path / "links")
    assert (found != model) == told
    if told:
        assert json.loads((found / "tokenizer_config.json").read_text()) == {"eos_token": "</s>", "add_bos_token": False}
        assert (found / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()


def test_the_converter_is_told_of_added_tokens(tmp_path):
    (tmp_path / "tokenizer.model").touch()
    added = {"id": 262144, "content": "<image_soft_token>", "special": True}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {}, "added_tokens": [added]}))
    (tmp_path / "tokenizer_config.json").write_text("{}")
    found = for_converter(tmp_path, tmp_path / "links")
    assert json.loads((found / "tokenizer_config.json").read_text()) == {"added_tokens_decoder": {"262144": added}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": {}}))
    assert for_converter(tmp_path, tmp_path / "links2") == tmp_path, "what stands there holds"


def test_only_what_llama_cpp_lays_out_anew_counts_as_memory(monkeypatch):
    """q8_0 is read as it lies in the file on x86-64 (a file of 313 MB took no memory of its own), and laid out anew on ARM."""
    shape = Shape(others=14_000_000_000, embeddings=2_000_000_000, widest=1_000_000, vocabulary=0)
    memory = lambda *quantizations: needs(shape, list(quantizations)).memory - LIBRARIES  # noqa: E731
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert memory("q8_0") == memory("bf16") == 5_000_000
    assert memory("q8_0", "q4_k_m") == memory("q4_k_m") == file_bytes(shape, "q4_k_m")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert memory("q8_0", "q4_k_m") == file_bytes(shape, "q8_0")


def test_the_converter_is_told_that_phi_4_works_on_bytes(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {}, "pre_tokenizer": {"type": "ByteLevel"}}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "TokenizersBackend"}))
    for architecture, told in (("Phi3ForCausalLM", True), ("LlamaForCausalLM", False)):
        (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
        found = for_converter(tmp_path, tmp_path / f"links-{told}")
        said = json.loads((found / "tokenizer_config.json").read_text())["tokenizer_class"]
        assert said == ("GPT2Tokenizer" if told else "TokenizersBackend")
