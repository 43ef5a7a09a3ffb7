"""Examples of a chatbot's intents as Rasa's training files hold them, in Markdown (`## intent:pain`, `- it hurts`) or YAML.

Each example is a text whose label is its intent. Synonyms, tables and patterns of such a file are no examples, and listed as Bad.
"""

import itertools
import re

from data_prep.common.errors import UserError
from data_prep.tables.records import Bad
from data_prep.values.turns import role_of, speakers_of

KINDS = ("intent", "synonym", "regex", "lookup")
HEAD = re.compile(rf"^[ \t]*#{{1,6}}[ \t]*({'|'.join(KINDS)})[ \t]*:[ \t]*(\S.*?)[ \t]*$", re.M)
ITEM = re.compile(r"[ \t]*[-*+][ \t]+(\S.*?)[ \t]*")
COMMENT = re.compile(r"<!--.*?-->", re.S)
ENTITY = re.compile(r"\[([^\[\]\n]+)\](?:\((?![^()\n]*//)[^()\n]+\)|\{[^{}\n]*\})")  # [two days](duration); no link


def intents_in(text: str) -> list[tuple[int, dict | Bad]]:
    """(line, text with its label, or Bad) of a Markdown text of such headings and their lists alone, else []."""
    text = COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment.group()), text)
    heads = list(HEAD.finditer(text))
    if not heads or text[: heads[0].start()].strip():
        return []
    found = []
    for hit, following in itertools.pairwise([*heads, None]):
        body = text[hit.end() : following.start() if following else None]
        first = text.count("\n", 0, hit.start()) + 1
        lines = [(first + n, line) for n, line in enumerate(body.split("\n")) if line.strip()]
        if hit[1] == "intent" and not all(ITEM.fullmatch(line) for _, line in lines):
            return []
        found += [(at, _row(hit[1], hit[2], line)) for at, line in lines]
    return found if _are_examples([row for _, row in found]) else []


def intents_of_yaml(value, shown: str) -> list[tuple[int, dict | Bad]]:
    """(number, row or Bad) of what YAML holds under `nlu`, else []. Raises UserError for what stands beside these examples."""
    parts = value.get("nlu") if isinstance(value, dict) else None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) and _kind(part) for part in parts):
        return []
    if more := sorted(value.keys() - {"version", "nlu"}):
        raise UserError(
            f"{shown}: holds {', '.join(more)} beside the examples of its intents (nlu), of which rows to sort texts would know "
            "nothing. Leave in the file what is meant"
        )
    rows = [_row(_kind(part), part[_kind(part)], said) for part in parts for said in _examples(part, shown)]
    if not _are_examples(rows):
        raise UserError(f"{shown}: not two intents with several examples each, of what their user says; write them as a table")
    return list(enumerate(rows, 1))


def _kind(part: dict) -> str:
    named = [kind for kind in KINDS if isinstance(part.get(kind), str)]
    return named[0] if len(named) == 1 else ""


def _examples(part: dict, shown: str) -> list[str]:
    """The lines of a part's examples, `- ` before each, or its list of texts (or of objects with a `text`)."""
    said = part.get("examples", [])
    if isinstance(said, str):
        return [line for line in said.split("\n") if line.strip()]
    texts = [item.get("text") if isinstance(item, dict) else item for item in said]
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{shown}: examples of {part[_kind(part)]} are neither lines nor texts")
    return [f"- {line}" for text in texts for line in text.split("\n") if line.strip()]


def _row(kind: str, name: str, line: str) -> dict | Bad:
    if kind != "intent":
        return Bad(f"of a {kind}, no example of an intent", line)
    if not (item := ITEM.fullmatch(line)):
        return Bad("no item of a list of examples", line)
    return {"text": ENTITY.sub(r"\1", item[1]), "label": name}


def _are_examples(rows: list[dict | Bad]) -> bool:
    """Whether two intents or more have several examples each for the most part, none of them an answer: `- Bot: …`, `- utter_…`.

    Where an intent has one item alone, this can as well be what is answered.
    """
    rows = [row for row in rows if isinstance(row, dict)]
    labels = [row["label"] for row in rows]
    several = sum(labels.count(label) > 1 for label in set(labels))
    answers = any(
        row["text"].startswith(("utter_", "action_")) or any(role_of(s, {}) == "gpt" for s in speakers_of(row["text"]))
        for row in rows
    )
    return len(set(labels)) > 1 and several >= 0.5 * len(set(labels)) and not answers
