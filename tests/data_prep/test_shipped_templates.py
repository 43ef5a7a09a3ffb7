"""Every chat template that TRL ships: what is trained is the answers exactly, each after the prompt that inference gives, or the
template is refused with a reason."""

import re

import pytest

from data_prep.chat_template import IGNORED, Renderer, TemplateError, set_template
from data_prep.templates.sources import shipped

TURNS = [
    {"role": "user", "content": "Dor torácica há 2 h?"},
    {"role": "assistant", "content": "ECG em 10 minutos."},
    {"role": "user", "content": "E se houver supra?"},
    {"role": "assistant", "content": "Reperfusão: ICP primária."},
    {"role": "user", "content": "E sem hemodinâmica?"},
    {"role": "assistant", "content": "Trombólise."},
]
THOUGHTS = [{**m, "reasoning_content": f"pensamento {i}"} if m["role"] == "assistant" else m for i, m in enumerate(TURNS)]
WANT_PARTS = ("idefics3", "llava_next", "smolvlm")  # content as a list of parts
REFUSED = {  # thinking off: why
    **{name: "does not begin with what it prompts for" for name in ("deepseek_r1_distill", "deepseekv3")},
    **{f"{name}_training": "does not begin with what it prompts for" for name in ("deepseek_r1_distill", "deepseekv3")},
    "glm4moe": "ends no turn with a special token",
    **{name: "given as a string|has no attribute 'text'" for name in WANT_PARTS},
    **{f"{name}_training": "given as a string|has no attribute 'text'" for name in WANT_PARTS},
}
REFUSED_THINKING = {  # an answer's thought is dropped even where it is the last
    name: why for name, why in REFUSED.items() if name != "deepseek_r1_distill_training"
}


def tokenizer_for(source: str):
    """A byte-level tokenizer with the template, and with every token between angles that the template writes as an added one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    named = set(re.findall(r"<[|｜][\w▁]+[|｜]?>|<[\w]+\|>|<(?:start|end)_of_turn>", source))
    tokenizer.add_tokens(sorted(named), special_tokens=True)
    tokenizer.add_tokens(["<think>", "</think>", "<tool_call>"])  # not special, as in Qwen3's
    tokenizer.chat_template = source
    return tokenizer


def runs(labels: list[int]) -> list[list[int]]:
    found, run = [], []
    for label in [*labels, IGNORED]:
        if label != IGNORED:
            run.append(label)
        elif run:
            found, run = [*found, run], []
    return found


def trained_at(encoded) -> list[tuple[int, list[int]]]:
    """(tokens before it, ids) of every trained run."""
    found, at = [], 0
    for run in runs(encoded.labels):
        while encoded.labels[at] == IGNORED:
            at += 1
        found.append((at, run))
        at += len(run)
    return found


@pytest.mark.parametrize("name", shipped())
def test_with_thinking_off_every_answer_is_trained_as_it_is_prompted(name):
    tokenizer = tokenizer_for(shipped()[name])
    if name in REFUSED:
        with pytest.raises(TemplateError, match=REFUSED[name]):
            Renderer(set_template(tokenizer), enable_thinking=False)
        return
    renderer = Renderer(set_template(tokenizer), enable_thinking=False)
    for messages in (TURNS[:2], TURNS[:4], TURNS):
        rows = renderer.encode_turns(messages)
        assert len(rows) == (1 if "gptoss" not in name else len(messages) // 2), "gpt-oss alone ends earlier turns otherwise"
        told = {}
        for row in rows:
            for at, run in trained_at(row):
                text = tokenizer.decode(run)
                [place] = [i for i, m in enumerate(messages) if m["role"] == "assistant" and m["content"] in text]
                asked = tokenizer.apply_chat_template(
                    messages[:place], add_generation_prompt=True, enable_thinking=False, return_dict=False
                )
                assert row.input_ids[:at] == asked, "the tokens before a trained answer are the prompt that inference gives"
                before, _, after = text.partition(messages[place]["content"])
                assert re.sub(r"<[^>]+>|final| to=user|\n", "", before) == "", before
                assert re.fullmatch(r"(?:<[^>]+>)+", after), "an answer ends with its end token"
                assert place not in told
                told[place] = text
        assert len(told) == len(messages) // 2 and not any(row.answers_left_out for row in rows)


@pytest.mark.parametrize("name", shipped())
def test_with_thinking_on_thoughts_are_trained_and_earlier_ones_follow_the_template(name):
    tokenizer = tokenizer_for(shipped()[name])
    if name in REFUSED_THINKING:
        with pytest.raises(TemplateError, match=REFUSED[name]):
            Renderer(set_template(tokenizer), enable_thinking=True)
        return
    renderer = Renderer(set_template(tokenizer), enable_thinking=True)
    rows = renderer.encode_turns(THOUGHTS)
    if name in ("gemma4", "gemma4_v2", "gemma4_v3", "gemma4_v4"):  # no thought in a last answer: none is trained, counted
        assert [row.thoughts_left_out for row in rows] == [3] and len(runs(rows[0].labels)) == 3
        return
    trained = [tokenizer.decode(run) for row in rows for run in runs(row.labels)]
    for i in (1, 3, 5):
        [text] = [t for t in trained if TURNS[i]["content"] in t]
        assert text.index(f"pensamento {i}") < text.index(TURNS[i]["content"])
    assert len(trained) == 3 and not any(row.thoughts_left_out or row.answers_left_out for row in rows)
    one = renderer.encode(THOUGHTS)
    left = one.answers_left_out
    assert len(runs(one.labels)) + left == 3 and len(rows) == 1 + left


def test_qwen3_keeps_its_own_rule_with_thinking_on():
    """Earlier thoughts go, the last stays; a template that set_template made keeps to what Qwen publishes."""
    own, ours = (tokenizer_for(shipped()["qwen3"]) for _ in range(2))
    set_template(ours)
    assert ours.chat_template != own.chat_template
    for messages in (TURNS, THOUGHTS, THOUGHTS[:5]):
        kwargs = {"tokenize": False, "enable_thinking": True, "add_generation_prompt": messages[-1]["role"] == "user"}
        assert ours.apply_chat_template(messages, **kwargs) == own.apply_chat_template(messages, **kwargs)
        assert "generation" not in ours.chat_template.replace("add_generation_prompt", ""), "llama.cpp does not know the marks"
    single = {"tokenize": False, "enable_thinking": False, "add_generation_prompt": True}
    assert ours.apply_chat_template(TURNS[:1], **single) == own.apply_chat_template(TURNS[:1], **single)


def test_thoughts_in_any_form_are_left_out_with_thinking_off():
    tokenizer = set_template(tokenizer_for(shipped()["qwen3"]))
    renderer = Renderer(tokenizer, enable_thinking=False)
    plain = renderer.encode(TURNS[:2])
    forms = [
        {"role": "assistant", "content": TURNS[1]["content"], "reasoning_content": "hm"},
        {"role": "assistant", "content": TURNS[1]["content"], "reasoning": "hm"},
        {"role": "assistant", "content": f"<think>\nhm\n</think>\n\n{TURNS[1]['content']}"},
        {"role": "assistant", "content": f"hm\n</think>\n\n{TURNS[1]['content']}"},
    ]
    for form in forms:
        encoded = renderer.encode([TURNS[0], form])
        assert encoded.labels == plain.labels and encoded.thoughts_left_out == 1
    assert plain.thoughts_left_out == 0


def test_template_is_run_in_the_sandbox_alone():
    tokenizer = tokenizer_for("x")
    tokenizer.chat_template = "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(TemplateError, match="unsafe"):
        Renderer(tokenizer)


def test_answers_left_out_are_told_once():
    import warnings

    renderer = Renderer(set_template(tokenizer_for(shipped()["qwen3"])), enable_thinking=True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert [renderer.encode(THOUGHTS).answers_left_out for _ in range(2)] == [2, 2]
    assert len(told) == 1 and "encode_turns" in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(len(runs(row.labels)) for row in renderer.encode_turns(THOUGHTS)) == 3
        renderer.encode(THOUGHTS[:2])


def unsloths() -> dict[str, str]:
    """The templates that Unsloth gives its users, read out of its source (importing it wants a GPU)."""
    import ast
    import importlib.util
    from pathlib import Path

    package = Path(importlib.util.find_spec("unsloth").submodule_search_locations[0])
    found = {}
    for node in ast.parse((package / "chat_templates.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.endswith("_template"):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return {name: text for name, text in found.items() if isinstance(text, str) and "{%" in text}


def test_unsloths_templates_train_every_answer_once():
    templates = unsloths()
    assert len(templates) > 15
    refused = []
    for name, source in templates.items():
        tokenizer = tokenizer_for(source)
        try:
            rows = Renderer(set_template(tokenizer), enable_thinking=False).encode_turns(TURNS)
        except TemplateError:
            refused.append(name)
            continue
        trained = [tokenizer.decode(run) for row in rows for run in runs(row.labels)]
        assert len(trained) == 3 and all(sum(TURNS[i]["content"] in t for t in trained) == 1 for i in (1, 3, 5)), name
    assert set(refused) <= {"gemma4_thinking_template"}
    own = tokenizer_for(templates["qwen3_template"])
    assert set_template(own).chat_template != templates["qwen3_template"], "Unsloth's Qwen3 is known by what it renders"
