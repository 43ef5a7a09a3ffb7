"""Chat templates by name: those that TRL ships with its package, and those written here. A data table, and how to read it."""

import importlib.util
import re
from functools import cache
from pathlib import Path

from data_prep.templates.messages import TemplateError

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The three below open and end turns with plain words. Alpaca: github.com/tatsu-lab/stanford_alpaca, for several turns as Unsloth
# and axolotl do it. Llama 2: the template in meta-llama/Llama-2-7b-chat-hf. Vicuna 1.1: FastChat's conversation.py.
ALPACA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}{% else %}Below is an instruction that "
    "describes a task. Write a response that appropriately completes the request.{% endif %}{{ '\n\n' }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}### Instruction:\n{{ message['content'] }}{{ '\n\n' }}"
    "{% elif message['role'] == 'assistant' %}### Response:\n{{ message['content'] }}{{ eos_token }}{{ '\n\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}### Response:{{ '\n' }}{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set system, turns = messages[0]['content'], messages[1:] %}"
    "{% else %}{% set system, turns = none, messages %}{% endif %}{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('user and assistant must alternate, the user first') }}{% endif %}"
    "{% set content = message['content'] %}{% if loop.first and system is not none %}"
    "{% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + content %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token }}{{ '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + content.strip() + ' ' }}{{ eos_token }}{% endif %}{% endfor %}"
)
VICUNA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}{% else %}A chat between a curious user "
    "and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions."
    "{% endif %}{{ ' ' }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER: {{ message['content'] }}{{ ' ' }}"
    "{% elif message['role'] == 'assistant' %}ASSISTANT: {{ message['content'] }}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
# Plain turns, as studies on base models write them ("User: ..."); an answer ends with the tokenizer's end token.
USER_ASSISTANT = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}User: {{ message['content'] }}{{ '\n' }}"
    "{% elif message['role'] == 'assistant' %}Assistant: {{ message['content'] }}{{ eos_token }}{{ '\n' }}"
    "{% else %}{{ message['content'] }}{{ '\n\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
WRITTEN = {"chatml": CHATML, "alpaca": ALPACA, "llama2": LLAMA2, "vicuna": VICUNA, "user_assistant": USER_ASSISTANT}
# Names of the templates that TRL ships with its package; "auto" keeps the tokenizer's own.
TRL_TEMPLATES = {"qwen3": "qwen3", "qwen2.5": "qwen2_5", "llama3": "llama3"}
TEMPLATES = ("auto", "qwen3", "qwen2.5", "chatml", "llama3", "alpaca", "llama2", "vicuna", "user_assistant")


@cache
def shipped() -> dict[str, str]:
    """The Jinja source of every chat template in TRL's package, by file name (`qwen3`, `qwen3_training`, ...)."""
    folder = Path(importlib.util.find_spec("trl").submodule_search_locations[0]) / "chat_templates"
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.jinja"))}


def template_source(name: str) -> str:
    """Jinja source of a named template.

    Raises TemplateError for a name that is not in TEMPLATES.
    """
    if name in WRITTEN:
        return WRITTEN[name]
    if name not in TRL_TEMPLATES:
        raise TemplateError(f"template: {name!r} is not known; choose one of {', '.join(TEMPLATES)}")
    return shipped()[TRL_TEMPLATES[name]]


def without_marks(source: str) -> str:
    """A training template without `{% generation %}`, which llama.cpp and plain Jinja do not know; it renders the same text."""
    ends = re.sub(r"\{%(-?)\s*endgeneration\s*(-?)%\}", r"{%\1 endif \2%}", source)
    return re.sub(r"\{%(-?)\s*generation\s*(-?)%\}", r"{%\1 if true \2%}", ends)


def training_twins(source: str) -> list[str]:
    """TRL's training templates that could be this template's, the one of the same text first."""
    pairs = [(text, shipped()[f"{name}_training"]) for name, text in shipped().items() if f"{name}_training" in shipped()]
    pairs.sort(key=lambda pair: pair[0].strip() != source.strip())
    return [training for text, training in pairs]
