"""Questions that ask for the exception ("all are true EXCEPT"): there the one option that is called wrong is the answer."""

import re

from scoring.cues import LETTER, NO_ARTICLE, SET_OFF, WEAK

WRONG = r"(?:incorrec?t[ao]|errad[ao]|fals[ao]|incorrect|wrong|false|untrue)"
# The last line that asks. "NOT" and "NÃO" by capitals only: "Why is it not given?" asks for no exception.
ASKS = re.compile(rf"\b(?:exceto|excepto|except|salvo|exceção|excepción|exception|{WRONG}|(?-i:NOT|NÃO|NO))\b", re.I)
# "A alternativa incorreta é a letra C", "the exception is B", "all are correct except D".
NOUN = (
    r"(?:(?:alternativa|opção|opción|afirmativa|afirmação|afirmación|assertiva|letra|resposta|option|statement|choice|answer|one)"
    r"\s+)"
)
NAMES = re.compile(
    rf"(?:\b(?:a|o|la|el|the|única|only)\s+{NOUN}?{WRONG}|\b(?:the\s+|la\s+|única\s+|a\s+)?{WRONG}\s+{NOUN}|"
    r"\b(?:exceção|excepción|exception))\s*"
    rf"(?:(?:(?:é|es|is|seria|sería|:)\s*)+(?:(?:a|o|la|el|the)\s+)?(?:{WEAK}\s+)?){LETTER}{SET_OFF}|"
    rf"\b(?:todas?|todos|all)\b[^.!?\n]{{0,80}}\b(?:exceto|excepto|except|menos)\s+(?:for\s+)?(?:(?:a|o|la|el)\s+)?(?:{WEAK}\s+)?"
    rf"{LETTER}{SET_OFF}",
    re.I,
)
# "A alternativa B está incorreta": one verdict, and no other option is called wrong.
VERDICT = re.compile(
    rf"(?:(?:^|[.\n:;,]\s*)(?:{WEAK}\s+)?|\b{WEAK}\s+){LETTER}{NO_ARTICLE}(?:(?!\b(?-i:[A-HJ])\b)[^.;?\n]){{0,60}}?\b(?:está|esta|es|é|is|seria)\s+"
    rf"(?:(?:clearly|claramente)\s+)?{WRONG}\b(?![^.!\n]{{0,60}}\?)",
    re.I,
)
TRUE = r"(?:está|esta|es|é|is)\s+(?:correc?t[ao]|cert[ao]|verdadeir[ao]|correct|true|right)\b(?!\s+(?:answer|option|choice))"
NOT = re.compile(r"\b(?:not|não|no|nem|nor|neither)\b", re.I)


def asked_for(question: str) -> bool:
    """Whether a question asks for the option that does not fit."""
    lines = [line for line in question.strip().split("\n") if line.strip()]
    return bool(lines and ASKS.search(lines[-1]))


def called_wrong(text: str, options: dict[str, str]) -> str | None:
    """The one option that a text calls the exception, or else the one that alone gets the verdict wrong."""
    for pattern in (NAMES, VERDICT):
        found = {
            letter.upper()
            for hit in pattern.finditer(text)
            if (letter := next(filter(None, hit.groups()))) and not NOT.search(hit.group())
        } & set(options)
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def only_called_true(text: str, letter: str) -> bool:
    """Whether a text says of an option that it is true, which the exception is not."""
    return bool(re.search(rf"(?<![\w'’-]){letter}\b[^.;\n]{{0,60}}?\s{TRUE}", text))
