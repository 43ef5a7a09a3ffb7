"""The table of rules by which a file's shape is told: what each shape needs, what it may use, and its weight."""

from typing import NamedTuple

from data_prep.shapes.keys import Key
from data_prep.shapes.reading import Reading
from data_prep.words.names import PROVENANCE

ALWAYS = ("topic", "language", "split")  # may stand in any file
REACH = 1.0  # two readings whose scores differ by no more are asked about


class Rule(NamedTuple):
    """A shape, what it needs (each the names that can give it, the likeliest first), what it may use, and its weight."""

    shape: str
    needs: tuple[tuple[str, ...], ...]
    may: tuple[str, ...]
    weight: float


ASKED = ("question", "prompt", "input", "instruction", "text")
RULES = (
    Rule("preference", (("chosen",), ("rejected",)), ("prompt", "input", "system", "chosen_score", "rejected_score"), 5),
    Rule("feedback", (("prompt",), ("completion",), ("label",)), ("system",), 5),
    Rule(
        "mcq",
        (ASKED,),
        (
            "context",
            "explanation",
            "thought",
            "system",
            "status",
            "annulled",
            "image",
            "text_only",
            "image_text",
            "question_title",
            "question_end",
            "statements",
            *PROVENANCE,
        ),
        5,
    ),
    Rule(
        "graded",
        (("question", "prompt", "instruction"), ("completion", "answer", "output"), ("score",)),
        ("context", "system"),
        4,
    ),
    Rule("sharegpt", (("conversations",),), ("system",), 4),
    Rule("messages", (("messages",),), ("system",), 4),
    Rule("alpaca", (("instruction",), ("output",)), ("input", "history", "system", "thought", *PROVENANCE), 4),
    Rule("dialogue", (("dialogue",),), ("system",), 3.5),
    Rule(
        "classification",
        (("text", "question", "input", "prompt"), ("label",)),
        ("context", "image", "image_text", *PROVENANCE),
        3,
    ),
    Rule(
        "qa",
        (("question", "prompt", "input"), ("answer", "completion", "output")),
        ("question_title", "history", "context", "explanation", "thought", "system", "image", "image_text", *PROVENANCE),
        3,
    ),
    Rule("text", (("text",),), (), 1),
)
RULE_OF = {rule.shape: rule for rule in RULES}
# The names under which a shape's needs are stored, whatever gave them.
STORED = {
    "mcq": ("question",),
    "graded": ("question", "completion", "score"),
    "qa": ("question", "answer"),
    "classification": ("text", "label"),
}
STRONG_LABELS = set(
    "label labels finaldecision majoritylabel class classe clase rotulo rótulo vouf verdadeirooufalso verdaderoofalso "
    "trueorfalse truefalse".split()
)


class Candidate(NamedTuple):
    reading: Reading
    key: Key | None
    score: float
    unused: list[str]  # columns that must not go unused, and do
    rivals: dict[str, list[str]]  # our name -> further columns that could be it as well
    statements: tuple[str, ...] = ()  # of the unused ones those that the options may point at by number
