"""Forms that are made to hold an answer, and what they hold: <answer>B</answer>, \\boxed{B}, {"answer": "B"}."""

import re

from scoring.option_text import by_text
from scoring.phrases import JOINED

# Forms that prompts ask for, a tag that is never closed among them.
ANSWER_TAG = re.compile(r"<(answer|resposta|final_answer|final)>(.*?)(?:</\1>|$)", re.S | re.I)
ANSWER_MARK = re.compile(r"</?(?:answer|resposta|final_answer|final)>", re.I)
BOXED = re.compile(r"\\boxed\{\s*((?:[^{}]|\{[^{}]*\})*)\}")
JSON_KEYS = re.compile(
    r"[\"'](?:final_answer|correct_answer|correct_option|answer|answer_choice|choice|option|letter|resposta|resposta_final|respuesta|alternativa|letra|gabarito|prediction)"
    r"[\"']\s*:\s*[\"']?([^\"',}\n]{1,200})",
    re.I,
)


def _inner(text: str, options: dict[str, str]) -> str | None:
    """The option that the content of an answer tag, a box or a JSON value is."""
    text = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r"\1", text).strip()
    if exact := by_text(text, options, True):
        return exact
    letters = [key for key in options if len(key) == 1]
    hit = re.match(r"^\W*(?:(?:option|alternativa|letra|opção|answer|resposta)\W+)?([A-Ja-j])(?:[\)\].:,\s-]|\W*$)", text, re.I)
    if hit and hit[1].upper() in letters and not JOINED.match(text[hit.end(1) :].lstrip(")]. ")):
        return hit[1].upper()
    return None if letters else by_text(text, options, False)


def _last_boxes(text: str) -> list[str]:
    """What the last box holds, and those that stand side by side with it: "\\boxed{B} or \\boxed{C}"."""
    boxes = list(BOXED.finditer(text))
    first = len(boxes) - 1
    while first > 0 and re.fullmatch(
        r"(?:[\W_]|\b(?:and|or|e|ou|y|o)\b){0,9}", text[boxes[first - 1].end() : boxes[first].start()]
    ):
        first -= 1
    return [box[1] for box in boxes[max(first, 0) :]]


def by_form(text: str, options: dict[str, str]) -> tuple[bool, str | None]:
    """Whether a form made for the answer is there (tag, box, JSON), and the option that its last kind names."""
    boxes, tags = _last_boxes(text), [m[2] for m in ANSWER_TAG.finditer(text) if m[2].strip()]
    values = [m[1] for m in JSON_KEYS.finditer(text)]
    for found in (tags[-1:], boxes, values):
        named = {_inner(one, options) for one in found} - {None}
        if named:
            return True, named.pop() if len(named) == 1 else None
    return False, None
