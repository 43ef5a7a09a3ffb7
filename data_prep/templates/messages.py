"""Rows as messages, before any template: roles, thoughts, prompts, answers, and the question of a scoring row."""

import re
from typing import NamedTuple

ROLES = {"system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking")  # as Qwen, vLLM and gpt-oss name it beside `content`

INSTRUCTIONS = {
    ("mcq", "en"): "Answer with the letter of the correct option only.",
    ("mcq", "pt"): "Responda apenas com a letra da alternativa correta.",
    ("classification", "en"): "Which of these labels fits the text? Answer with the label only.",
    ("classification", "pt"): "Qual destes rótulos descreve o texto? Responda apenas com o rótulo.",
}


class TemplateError(ValueError):
    """A conversation or a template that cannot be rendered; the message says what to change."""


class Answer(NamedTuple):
    """An assistant's turn: what it thought ("" where it says none) and what it answered."""

    thought: str
    content: str


def split_thought(message: dict) -> Answer:
    """Thought and answer of an assistant's message, from `reasoning_content` (or `reasoning`, `thinking`) or a think block.

    The block opens the text (`<think>…</think>`), or its opening stood in the prompt and a line ends with `</think>`, as
    DeepSeek-R1 and Qwen3-Thinking answer.
    """
    content = message["content"]
    found = re.match(r"\s*<(think|thinking)>(.*?)</\1>\s*", content, re.S)
    if found is None and "<think>" not in content:
        found = re.match(r"()(.*?)</think>[ \t]*(?:\n\s*|$)", content, re.S)
    block, content = (found[2].strip(), content[found.end() :]) if found else ("", content)
    thought = next((message[key] for key in THOUGHT_KEYS if isinstance(message.get(key), str) and message[key].strip()), block)
    return Answer(thought.strip(), content)


def to_messages(row: dict) -> list[dict]:
    """ShareGPT (`conversations` of `from`, `value`) or `messages` row to a list of {"role", "content"}.

    An assistant's thought, told apart from its answer, stands as `reasoning_content`.
    Raises TemplateError naming what is missing or which role is not known.
    """
    turns = row.get("conversations") or row.get("messages")
    if not isinstance(turns, list) or not turns:
        raise TemplateError("needs `conversations` (ShareGPT) or `messages`, a list of at least one turn")
    messages = []
    for number, turn in enumerate(turns, 1):
        role = turn.get("from", turn.get("role")) if isinstance(turn, dict) else None
        content = turn.get("value", turn.get("content")) if isinstance(turn, dict) else None
        if not isinstance(role, str) or role not in ROLES:
            raise TemplateError(f"turn {number}: role {role!r} is not one of {', '.join(ROLES)}")
        if not isinstance(content, str):
            raise TemplateError(f"turn {number}: the text must be a string, not {type(content).__name__}")
        message = {"role": ROLES[role], "content": content}
        if message["role"] == "assistant":
            thought, answer = split_thought({**turn, "content": content})
            if thought:
                message |= {"content": answer, "reasoning_content": thought}
        messages.append(message)
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
    """An answer, a string or a list of one assistant message, as text. Raises TemplateError where it is neither.

    A thought of the message comes before the text as a think block, which `Renderer` knows.
    """
    thought = ""
    if isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], dict):
        [message] = answer
        answer = message.get("content", message.get("value"))
        if isinstance(answer, str) and any(message.get(key) for key in THOUGHT_KEYS):
            thought, answer = split_thought({**message, "content": answer})
    if not isinstance(answer, str) or not answer.strip():
        raise TemplateError(f"{name}: must be a text, or a list of one assistant message, and not empty")
    return f"<think>\n{thought}\n</think>\n\n{answer}" if thought else answer


def scoring_prompt(row: dict, language: str = "en") -> str:
    """The question as the model sees it, for a multiple-choice or a classification row.

    Multiple choice: {"question", "options": {"A": "...", ...}, "answer": "A"}; classification: {"text",
    "labels": [...], "label"}. `instruction` in the row replaces the default sentence of the row's language; rows of a
    language that has no sentence of its own are asked in English. `labels_in_prompt: false` leaves the labels out.
    """
    task = "mcq" if "options" in row else "classification"
    instruction = row.get("instruction") or INSTRUCTIONS.get((task, row.get("language", language)), INSTRUCTIONS[task, "en"])
    if task == "mcq":
        options = "\n".join(f"{letter}. {text}" for letter, text in row["options"].items())
        return f"{row['question']}\n\n{options}\n\n{instruction}"
    labels = "\n" + "; ".join(row["labels"]) if row.get("labels_in_prompt", True) else ""
    return f"{row['text']}\n\n{instruction}{labels}"
