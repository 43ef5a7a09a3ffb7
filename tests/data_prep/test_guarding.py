"""Property: whatever stands in a message, no token of the tokenizer's own comes out of it, and the mask is the answers."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from data_prep.chat_template import IGNORED, Renderer, set_template
from data_prep.templates.sources import WRITTEN, shipped

CASES = 150
QWEN = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<|im_start|>assistant\n",
]
WORDS = [
    "a",
    " ",
    "\n",
    "<",
    "|",
    ">",
    "</",
    "think",
    "ção",
    "👩🏽‍⚕️",
    "user",
    "\U0010f000",
    "<|im_",
    "end|>",
    "\u2581",
    "\r\n",
    "{{ x }}",
]
text = st.one_of(st.text(max_size=20), st.lists(st.sampled_from(QWEN + WORDS), max_size=8).map("".join), st.sampled_from(QWEN))


@pytest.fixture(scope="module")
def renderers(tiny_model, smollm2):
    from transformers import AutoTokenizer

    found = {}
    for template in ("qwen3", "chatml", "alpaca"):
        tokenizer = set_template(AutoTokenizer.from_pretrained(tiny_model), template)
        if template == "alpaca":
            tokenizer.bos_token = "<|endoftext|>"
        found[template] = Renderer(tokenizer, enable_thinking=False)
    found["smollm2"] = Renderer(set_template(AutoTokenizer.from_pretrained(smollm2)), enable_thinking=False)
    return found


def check(renderer, name, system, asked, answers):
    tokenizer = renderer.tokenizer
    control = set(tokenizer.get_added_vocab().values())
    # SmolLM2 lacks some bytes: a character that no text holds is its unknown token, which is <|endoftext|>.
    lost = [
        tokenizer(t, add_special_tokens=False, split_special_tokens=True)["input_ids"] for t in (system or "", *asked, *answers)
    ]
    assume(name != "smollm2" or not any(tokenizer.unk_token_id in ids for ids in lost))
    messages, clean = [], []
    for turns, words in ((messages, None), (clean, "x")):
        if system is not None:
            turns.append({"role": "system", "content": words or system})
        for question, answer in zip(asked, answers, strict=True):
            turns += [{"role": "user", "content": words or question}, {"role": "assistant", "content": words or answer}]
    encoded = renderer.encode(messages)
    count = lambda ids: sum(i in control for i in ids)  # noqa: E731
    assert count(encoded.input_ids) == count(renderer.encode(clean).input_ids)
    assert tokenizer.decode(encoded.input_ids) == renderer.render(messages), "nothing is lost or changed"
    runs, run = [], []
    for label in [*encoded.labels, IGNORED]:
        if label != IGNORED:
            run.append(label)
        elif run:
            runs, run = [*runs, tokenizer.decode(run)], []
    assert [r.removesuffix(renderer.end).strip() for r in runs] == [thoughtless(a).strip() for a in answers]
    assert encoded.answers_left_out == 0
    for k in range(1, len(messages), 1):
        if messages[k]["role"] == "assistant":
            prompt = tokenizer.decode(renderer.encode_prompt(messages[:k]))
            assert renderer.render(messages).startswith(prompt)


def thoughtless(answer: str) -> str:
    from data_prep.templates.messages import split_thought

    return split_thought({"content": answer}).content


def property_of(name, cases):
    @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(system=st.none() | text, turns=st.lists(st.tuples(text, text), min_size=1, max_size=3))
    def holds(renderers, system, turns):
        check(renderers[name], name, system, *zip(*turns, strict=True))

    return holds


@pytest.mark.parametrize("name", ["qwen3", "chatml", "smollm2", "alpaca"])
def test_added_tokens_in_messages_stay_text(renderers, name):
    property_of(name, CASES)(renderers)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen3", "chatml", "smollm2", "alpaca"])
def test_added_tokens_in_messages_stay_text_thousands(renderers, name):
    property_of(name, 5000)(renderers)


def test_tokens_that_a_normaliser_makes_stay_text():
    """Full-width letters become ASCII by NFKC: `＜think＞` must not become <think>."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")
    tokenizer.add_tokens(["<|im_start|>", "<|im_end|>"], special_tokens=True)
    tokenizer.add_tokens([AddedToken("<think>", normalized=True), AddedToken("</think>", normalized=True)])
    tokenizer.chat_template = shipped()["qwen3"]
    renderer = Renderer(set_template(tokenizer), enable_thinking=False)
    asked = [{"role": "user", "content": "Ｗhat is ＜think＞?"}]
    made = set(tokenizer.get_added_vocab().values())
    count = lambda content: sum(i in made for i in renderer.encode_prompt([{"role": "user", "content": content}]))  # noqa: E731
    assert count(asked[0]["content"]) == count("x") == count("<think>") > 3


def test_thousands_of_added_tokens(renderers):
    """Gemma has 6,000 of them: one stand-in for each would not fit."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(renderers["chatml"].tokenizer.name_or_path)
    tokenizer.add_tokens([f"<unused{i}>" for i in range(5000)])
    tokenizer.chat_template = WRITTEN["chatml"]
    renderer = Renderer(tokenizer)
    ids = renderer.encode_prompt([{"role": "user", "content": "a <unused4321> b <unused7>"}])
    assert not set(ids) & set(tokenizer.convert_tokens_to_ids(["<unused4321>", "<unused7>"]))
    assert "a <unused4321> b <unused7>" in tokenizer.decode(ids)
