"""Forms that are made to hold an answer, and what they hold: <answer>B</answer>, \\boxed{B}, {"answer": "B"}."""

import re

from scoring.option_text import by_text, own_end
from scoring.phrases import JOINED

# Forms that prompts ask for, a tag that is never closed among them.
ANSWER_TAG = re.compile(r"<(answer|resposta|final_answer|final)>(.*?)(?:</\1>|$)", re.S | re.I)
ANSWER_MARK = re.compile(r"</?(?:answer|resposta|final_answer|final)>", re.I)
BOXED = re.compile(r"\\boxed\{\s*((?:[^{}]|\{[^{}]*\})*)\}")
# A key of JSON that holds the answer: one of these nouns, alone or with what tells which ("correct_option", "resposta_final").
KEY = (
    r"(?:(?:final|correct|best|selected|chosen|predicted|model|my)[ _-])?(?:answer|response|choice|option|letter|prediction|"
    r"selection|resposta|respuesta|alternativa|opção|opcao|opción|opcion|letra|gabarito|escolha|réponse|reponse|risposta|"
    r"antwort|cevap|答案|选项|答え|解答|回答|정답|답)(?:[ _-](?:final|correc?t[ao]?|certa|escolhida|elegida|letter|"
    r"letra|choice|option|key|label))?"
)
JSON_KEYS = re.compile(rf"[\"']{KEY}[\"']\s*:\s*[\"']?([^\"',}}\n]{{1,200}})", re.I)
# What follows a letter that opens a value: a mark that is no part of a name ("B-cell", "C. difficile"), or nothing.
VALUE = re.compile(
    r"^\W*(?:(?:option|alternativa|letra|opção|answer|resposta)\W+)?([A-Ja-j])(?=[)\]:,]|\.(?!\s?[a-z]{3,}\W*$)|-(?!\w)|\s|\W*$)",
    re.I,
)


def _inner(text: str, options: dict[str, str]) -> str | None:
    """The option that the content of an answer tag, a box or a JSON value is."""
    text = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r"\1", text).strip()
    if exact := by_text(text, options, True):
        return exact
    letters = [key for key in options if len(key) == 1]
    hit = VALUE.match(text) or re.match(r"^\W*([A-Ja-j])(?=[.-])", text)
    if hit and hit[1].upper() in letters and _set_off(hit, text, options) and not JOINED.match(text[hit.end(1) :].lstrip(")]. ")):
        return hit[1].upper()
    return None if letters else by_text(text, options, False)


def _set_off(hit: re.Match, text: str, options: dict[str, str]) -> bool:
    """Whether the letter that opens a value is an answer: before its option's text, or no word ("A patient with")."""
    rest = text[hit.end(1) :]
    word = hit[1] in "AEIOaeio" and re.match(r"\s+\w", rest)
    return own_end(rest, options[hit[1].upper()]) > 0 or (hit.re is VALUE and not word)


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
