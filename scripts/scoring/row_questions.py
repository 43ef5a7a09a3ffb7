"""What a row of chat.py's --data asks: all up to its question, as training and scoring have it, and the right answer."""

from typing import NamedTuple

from common.errors import UserError
from common.files import read_rows
from scoring import tasks

from data_prep.chat_template import TemplateError, prompt_messages, scoring_prompt, to_messages


class Asked(NamedTuple):
    messages: list[dict]
    """the system message and the turns before, where the row has them; the question last"""
    gold: str | None


def questions_of(path: str, count: int) -> list[Asked]:
    """What a file's first `count` rows ask. Raises UserError naming those that ask nothing."""
    found, problems = [], []
    for number, row in enumerate(read_rows(path)[:count], 1):
        try:
            found.append(question_of(row))
        except TemplateError as error:
            problems.append(f"{path}: row {number}: {error}")
    if problems:
        raise UserError(problems)
    return found


def question_of(row: dict) -> Asked:
    """A row's first question and its right answer. Raises TemplateError for a row that asks nothing."""
    if "conversations" in row or "messages" in row:
        return of_conversation(to_messages(row))
    if wrong := tasks.rubric_problems({"id": "the row", **row}):
        raise TemplateError("; ".join(wrong))
    system = [{"role": "system", "content": row["system"]}] if tasks.is_text(row.get("system")) else []
    asked = prompt_messages(of_options(row) if "options" in row or "labels" in row else of_text(row))
    return Asked([*system, *(row.get("history") or []), *asked], row.get("answer", row.get("label")))


def of_conversation(messages: list[dict]) -> Asked:
    """All up to the user's first turn: the system message, and a greeting where there is one."""
    first = next((i for i, message in enumerate(messages) if message["role"] == "user"), None)
    if first is None:
        raise TemplateError("no turn of the conversation is the user's, so nothing is asked")
    after = messages[first + 1 : first + 2]
    return Asked(messages[: first + 1], after[0]["content"] if after else None)


def of_options(row: dict) -> str:
    """The text that asks a question with options, or a text with labels."""
    options, labels = row.get("options", {}), row.get("labels", [])
    if not isinstance(options, dict) or not isinstance(labels, list) or not all(map(tasks.is_text, [*options.values(), *labels])):
        raise TemplateError("options must be letter: text, labels a list of texts")
    named = "question" if "options" in row else "text"
    if not tasks.is_text(row.get(named)):
        raise TemplateError(f"{named}: must be text that is not empty")
    return scoring_prompt(row)


def of_text(row: dict):
    """The question of any other row; a prompt may be a list of messages."""
    named = next((key for key in ("question", "prompt", "text") if row.get(key)), None)
    if named is None:
        raise TemplateError(f"holds no question, prompt, text or conversations; it has {', '.join(list(row)[:6]) or 'no keys'}")
    if named != "prompt" and not tasks.is_text(row[named]):
        raise TemplateError(f"{named}: must be text that is not empty")
    return row[named]
