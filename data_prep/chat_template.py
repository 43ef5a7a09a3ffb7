"""The one place that turns conversations into text, token ids and a mask of what is trained.

Preparing, training, scoring, chatting and exporting all call this file, so that a model is asked exactly as
it was taught. It imports neither torch nor transformers: the caller hands in the tokenizer.

    messages = to_messages(row)                      # ShareGPT -> [{"role", "content"}, ...]
    encode(messages, tokenizer)                      # {"input_ids": [...], "labels": [...]}, -100 = not trained
    encode_prompt(messages, tokenizer)               # [...], ends where the model begins to answer
    scoring_prompt(row)                              # the question as the model sees it (multiple choice, classes)

What is trained: in every assistant turn, each token after the generation prompt up to and including the token
that ends the turn. With thinking off Qwen3's empty think block belongs to the prompt; with thinking on it is
trained. Control tokens written as text inside a message (`<|im_end|>`) stay text, they never become control
tokens: the template sees stand-ins, and the text between control tokens is tokenised with its literals split.
"""

import bisect
import importlib.util
import re
from pathlib import Path

ROLES = {"system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
IGNORED = -100  # the label that PyTorch's cross entropy leaves out

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

INSTRUCTIONS = {
    ("mcq", "en"): "Answer with the letter of the correct option only.",
    ("mcq", "pt"): "Responda apenas com a letra da alternativa correta.",
    ("classification", "en"): "Which of these labels fits the text? Answer with the label only.",
    ("classification", "pt"): "Qual destes rótulos descreve o texto? Responda apenas com o rótulo.",
}


class TemplateError(ValueError):
    """A conversation or a template that cannot be rendered; the message says what to change."""


def template_source(name: str) -> str:
    """Jinja source of a named template.

    Raises TemplateError for a name that is not in TEMPLATES.
    """
    if name in WRITTEN:
        return WRITTEN[name]
    if name not in TRL_TEMPLATES:
        raise TemplateError(f"template: {name!r} is not known; choose one of {', '.join(TEMPLATES)}")
    folder = Path(importlib.util.find_spec("trl").submodule_search_locations[0]) / "chat_templates"
    return (folder / f"{TRL_TEMPLATES[name]}.jinja").read_text(encoding="utf-8")


def set_template(tokenizer, name: str = "auto"):
    """Give the tokenizer the named template and return it; "auto" keeps its own and refuses to guess one.

    Raises TemplateError where "auto" finds no template.
    """
    if name != "auto":
        tokenizer.chat_template = template_source(name)
    elif not tokenizer.chat_template:
        raise TemplateError("this tokenizer has no chat template; pass --template qwen3 (or another by name)")
    return tokenizer


def to_messages(row: dict) -> list[dict]:
    """ShareGPT (`conversations` of `from`, `value`) or `messages` row to a list of {"role", "content"}.

    Raises TemplateError naming what is missing or which role is not known.
    """
    turns = row.get("conversations") or row.get("messages")
    if not isinstance(turns, list) or not turns:
        raise TemplateError("needs `conversations` (ShareGPT) or `messages`, a list of at least one turn")
    messages = []
    for number, turn in enumerate(turns, 1):
        role = turn.get("from", turn.get("role")) if isinstance(turn, dict) else None
        content = turn.get("value", turn.get("content")) if isinstance(turn, dict) else None
        if role not in ROLES:
            raise TemplateError(f"turn {number}: role {role!r} is not one of {', '.join(ROLES)}")
        if not isinstance(content, str):
            raise TemplateError(f"turn {number}: the text must be a string, not {type(content).__name__}")
        messages.append({"role": ROLES[role], "content": content})
    return messages


def prompt_messages(prompt) -> list[dict]:
    """The prompt of a preference or feedback row, a string or a list of messages, as messages that end with the user.

    Raises TemplateError where it is neither, is empty, or ends with an assistant turn.
    """
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    try:
        messages = to_messages({"messages": prompt})
    except TemplateError as error:
        raise TemplateError(f"prompt: {error}") from None
    if messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        raise TemplateError("prompt: must end with a user's turn that holds text")
    return messages


def answer_text(answer, name: str = "completion") -> str:
    """An answer, a string or a list of one assistant message, as text. Raises TemplateError where it is neither."""
    if isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], dict):
        answer = answer[0].get("content", answer[0].get("value"))
    if not isinstance(answer, str) or not answer.strip():
        raise TemplateError(f"{name}: must be a text, or a list of one assistant message, and not empty")
    return answer


def scoring_prompt(row: dict, language: str = "en") -> str:
    """The question as the model sees it, for a multiple-choice or a classification row.

    Multiple choice: {"question", "options": {"A": "...", ...}, "answer": "A"}; classification: {"text",
    "labels": [...], "label"}. `instruction` in the row replaces the default sentence of the row's language.
    """
    task = "mcq" if "options" in row else "classification"
    instruction = row.get("instruction") or INSTRUCTIONS[task, row.get("language", language)]
    if task == "mcq":
        options = "\n".join(f"{letter}. {text}" for letter, text in row["options"].items())
        return f"{row['question']}\n\n{options}\n\n{instruction}"
    return f"{row['text']}\n\n{instruction}\n" + "; ".join(row["labels"])


class Renderer:
    """Renders and masks for one tokenizer; what it derives from the template is computed once.

    Args:
        tokenizer: a fast Hugging Face tokenizer with a chat template (`set_template` gives it one).
        thinking: "off" puts Qwen3's empty think block into the prompt, "on" lets the model write its own.
    """

    def __init__(self, tokenizer, thinking: bool | str = "off"):
        if thinking not in (True, False, "on", "off"):
            raise TemplateError(f"thinking: {thinking!r} is neither 'on' nor 'off'")
        self.tokenizer = set_template(tokenizer)
        self.thinking = thinking in (True, "on")
        self.special = sorted(
            {str(t) for t in tokenizer.all_special_tokens}
            | {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special},
            key=len,
            reverse=True,
        )
        self.special_pattern = re.compile("(" + "|".join(map(re.escape, self.special)) + ")")
        self.header, self.end = self._markers()
        # Whatever a message must not be able to fake: the control tokens, and a header that is plain text (without its outer
        # space: some templates strip a message's, and would not strip a stand-in's).
        plain = [h.strip() for h in self._headers if not self.special_pattern.search(h)]
        self.guarded = re.compile("|".join(map(re.escape, self.special + plain)))
        self.guarded_names = self.special + plain
        self._space_first = self._puts_space_first_only()

    def _apply(self, messages, generate: bool = False, thinking: bool | None = None) -> str:
        thinking = self.thinking if thinking is None else thinking
        try:
            return self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=generate, enable_thinking=thinking
            )
        except Exception as error:  # jinja's own class, told by its module so that jinja2 is not imported for it
            if not type(error).__module__.startswith("jinja2"):
                raise
            raise TemplateError(f"the chat template refuses this conversation: {error}") from None

    def _markers(self) -> tuple[re.Pattern, str]:
        """How this template opens and ends an assistant turn, found by rendering a probe; sets the space before an answer."""
        user, answer = {"role": "user", "content": "qzxuser"}, {"role": "assistant", "content": "qzxanswer"}
        headers = set()
        for thinking in (True, False) if not self.thinking else (True,):
            before = self._apply([user])
            headers.add(self._apply([user], generate=True, thinking=thinking)[len(before) :])
        headers.discard("")
        opened, _, rest = self._apply([user, answer]).partition("qzxanswer")
        if not headers:  # Llama 2: the user's turn ends with the words that let the model begin, " [/INST]"
            closing, between = before.partition("qzxuser")[2], opened.partition("qzxuser")[2]
            headers = {closing} if closing.strip() and closing.strip() == between.strip() and closing not in rest else set()
        end = self.special_pattern.search(rest)
        if not headers or not end:
            raise TemplateError(
                "this chat template has no generation prompt, or ends no turn with a special token, so what is "
                "trained cannot be told; pass --template qwen3 (or another by name)"
            )
        self._headers = sorted(headers, key=len, reverse=True)
        used = next((h for h in self._headers if opened.endswith((h, h + " "))), self._headers[0])
        self._lead, self._anchor = (" " if opened.endswith(used + " ") else ""), used[-1]
        return re.compile("|".join(map(re.escape, self._headers))), end.group()

    def _puts_space_first_only(self) -> bool:
        """Whether text after a control token is tokenised otherwise than the same text alone (SentencePiece's newer way)."""
        ids = lambda text: self.tokenizer(text, add_special_tokens=False)["input_ids"]  # noqa: E731
        return ids(f"{self.end}word") != ids(self.end) + ids("word")

    def _guard(self, messages) -> tuple[list[dict], dict[str, str]]:
        """Messages with control tokens in their text replaced by stand-ins, and the stand-ins' meanings."""
        if not any(self.guarded.search(m["content"]) for m in messages):
            return messages, {}
        text = "".join(m["content"] for m in messages)
        free = (chr(c) for c in range(0x10F000, 0x10FFFE) if chr(c) not in text)
        stand_ins = {name: next(free) for name in self.guarded_names}
        guarded = [{**m, "content": self.guarded.sub(lambda hit: stand_ins[hit.group()], m["content"])} for m in messages]
        return guarded, {char: name for name, char in stand_ins.items()}

    def render(self, messages: list[dict], generate: bool = False) -> str:
        """The text of a conversation, as `tokenizer.apply_chat_template` gives it."""
        return self._apply(messages, generate)

    def _pieces(self, text: str, stand_ins: dict[str, str]) -> list[tuple[str, bool]]:
        """Text cut at the template's own control tokens: (piece, may it hold control tokens)."""
        if not stand_ins:
            return [(text, True)]
        back = re.compile("[" + "".join(stand_ins) + "]")
        pieces = [(p, bool(self.special_pattern.fullmatch(p))) for p in self.special_pattern.split(text) if p]
        return [(p if control else back.sub(lambda hit: stand_ins[hit.group()], p), control) for p, control in pieces]

    def _inside(self, text: str, before: str) -> tuple[list[int], list[tuple[int, int]]] | None:
        """Ids and offsets of plain text as they are after the character `before`; None where a token spans both.

        SentencePiece tokenizers put a space before whatever stands first: a text tokenised alone would get one too many.
        """
        out = self.tokenizer(before + text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True)
        kept = [(i, a - 1, b - 1) for i, (a, b) in zip(out["input_ids"], out["offset_mapping"], strict=True) if b > 1 or a > 0]
        if any(a < 0 for _, a, _ in kept):
            return None
        return [i for i, _, _ in kept], [(a, b) for _, a, b in kept]

    def _tokenize(self, text: str, stand_ins: dict[str, str]) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids and the characters (start, end) of the rendered, guarded text that each stands for."""
        ids, offsets, at = [], [], 0
        for piece, control in self._pieces(text, stand_ins):
            inside = self._inside(piece, "\n") if self._space_first and at and not control else None
            if inside is None:
                out = self.tokenizer(
                    piece, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=not control
                )
                inside = out["input_ids"], out["offset_mapping"]
            ids += inside[0]
            offsets += [(at + a, at + b) for a, b in inside[1]]
            at += len(piece)
        return ids, offsets

    def encode(self, messages: list[dict], max_length: int | None = None) -> dict:
        """Token ids and labels of a conversation.

        Returns {"input_ids": list[int], "labels": list[int], "truncated": bool}; labels are -100 where nothing
        is trained. Longer than `max_length` tokens is cut on the right.
        """
        guarded, stand_ins = self._guard(messages)
        text = self._apply(guarded)
        spans = []  # characters trained, [start, end)
        at = 0
        while (opening := self.header.search(text, at)) is not None:
            stop = text.find(self.end, opening.end())
            at = len(text) if stop < 0 else stop + len(self.end)
            spans.append((opening.end(), at))
        if stand_ins:  # the stand-ins are one character each: measure spans in the text with the literals back
            lengths = [0]
            for char in text:
                lengths.append(lengths[-1] + len(stand_ins.get(char, char)))
            spans = [(lengths[a], lengths[b]) for a, b in spans]
        ids, offsets = self._tokenize(text, stand_ins)
        labels = [IGNORED] * len(ids)
        starts = [a for a, _ in offsets]
        for begin, stop in spans:
            for i in range(bisect.bisect_left(starts, begin), len(ids)):
                if offsets[i][0] >= stop:
                    break
                labels[i] = ids[i]
        truncated = max_length is not None and len(ids) > max_length
        return {"input_ids": ids[:max_length], "labels": labels[:max_length], "truncated": truncated}

    def encode_prompt(self, messages: list[dict]) -> list[int]:
        """Token ids of a conversation that ends with the generation prompt: what the model continues."""
        guarded, stand_ins = self._guard(messages)
        return self._tokenize(self._apply(guarded, generate=True), stand_ins)[0]

    def encode_answer(self, messages: list[dict], answer: str) -> list[int]:
        """Token ids of an answer after `encode_prompt(messages)`, with the token that ends the turn."""
        prompt = self.encode_prompt(messages)
        whole = self.encode([*messages, {"role": "assistant", "content": answer}])
        end = max((i for i, label in enumerate(whole["labels"]) if label != IGNORED), default=-1) + 1
        if whole["input_ids"][: len(prompt)] == prompt and end > len(prompt):
            return whole["input_ids"][len(prompt) : end]
        # The answer's first characters merge with the header's last token: a model that generates cannot do that.
        return [*self.decode_text(answer), self.tokenizer.convert_tokens_to_ids(self.end)]

    def decode_text(self, text: str) -> list[int]:
        """Token ids of plain text that follows the prompt (an option to be scored); never control tokens."""
        inside = self._inside(self._lead + text, self._anchor)
        if inside is not None:
            return inside[0]
        return self.tokenizer(self._lead + text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def encode(messages: list[dict], tokenizer, thinking: str = "off", max_length: int | None = None) -> dict:
    """`Renderer.encode` for one conversation."""
    return Renderer(tokenizer, thinking).encode(messages, max_length)


def encode_prompt(messages: list[dict], tokenizer, thinking: str = "off") -> list[int]:
    """`Renderer.encode_prompt` for one conversation."""
    return Renderer(tokenizer, thinking).encode_prompt(messages)
