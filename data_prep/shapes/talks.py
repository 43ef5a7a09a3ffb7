"""Columns of any name that hold conversations, and what answers one that ends with the user's turn."""

from data_prep.shapes.columns import Column, share
from data_prep.shapes.fitting import candidates, fits
from data_prep.templates.marks import ends_unanswered, marked_turns
from data_prep.values.turns import blocks_of, messages_of, role_of
from data_prep.words.phrases import meanings


def by_values(stored: str, free: dict[str, Column]) -> list[str]:
    """A column of any name that holds conversations: messages, or a text with a template's marks where nothing else is asked.

    A text that is called a conversation is one where both sides speak, or where it ends with the mark of an answer.
    """
    if stored == "dialogue" and (begun := [c for c in free if unanswered(c, free)]):
        return begun
    if stored == "dialogue" and not any(candidates(n, free) for n in ("question", "instruction", "answer", "output")):
        return [
            c.name
            for c in free.values()
            if len(c.values) > 1
            and (share(c.values, lambda v: marked_turns(str(v), pairs=True)) >= 0.95 or (_is_called_talk(c) and _both_speak(c)))
        ]
    if stored != "messages":
        return []
    taken = ("prompt", "chosen", "rejected", "conversations", "completion")
    asked = bool(candidates("question", free) or candidates("instruction", free))
    turns = [c.name for c in free.values() if c.kind == "turns" and not (asked and "history" in meanings(c.name))]
    return [c for c in turns if fits("conversations", free[c]) and not set(meanings(c)) & set(taken)] or [
        c for c in turns if answer_beside(c, free)
    ]


def _is_called_talk(column: Column) -> bool:
    return column.kind == "text" and bool({"conversations", "messages", "dialogue"} & set(meanings(column.name)))


def _both_speak(column: Column) -> bool:
    """Whether nearly every text is turns of both sides, with a known speaker at its begin and before each turn."""
    return share(column.values, lambda v: {"human", "gpt"} <= {role_of(t.role, {}) for t in blocks_of(str(v), {})}) >= 0.95


def unanswered(column: str, free: dict[str, Column]) -> str:
    """The one column that answers a `context` whose texts end with the mark of an answer (`Answer:`); "" where none does."""
    c = free[column]
    if c.kind != "text" or not {"context", "dialogue", "history"} & set(meanings(column)):
        return ""
    if share(c.values, lambda v: ends_unanswered(str(v))) < 0.95 or any(
        candidates(n, free) for n in ("question", "score", "label", "chosen", "rejected", "options")
    ):
        return ""
    called = dict.fromkeys(a for n in ("answer", "completion", "output") for a in candidates(n, free))
    return next(iter(called)) if len(called) == 1 and free[next(iter(called))].kind == "text" else ""


def answer_beside(column: str, free: dict[str, Column]) -> str:
    """The column that answers a prompt of messages, which ends with the user's; "" where there is none, or it is marked."""
    asks = {"prompt", "question", "input"} & set(meanings(column))
    if not asks or share(free[column].values, _ends_with_the_user) < 0.95:
        return ""
    if any(candidates(n, free) for n in ("score", "label", "chosen", "rejected")):
        return ""
    return next((cs[0] for n in ("answer", "completion", "output") if (cs := candidates(n, free))), "")


def _ends_with_the_user(value) -> bool:
    return role_of(messages_of(value)[-1].role, {}) == "human"
