"""Questions with their answers in a page whose elements' classes say which is which (`<div class="faq-question">`), or that
unfolds each answer below its question (`<details>`)."""

import copy
import itertools
import re

from data_prep.documents.asked_text import MOST_BESIDE
from data_prep.documents.exam.layout import SIGN
from data_prep.tables.records import Bad
from data_prep.values.html_text import text_of_tree
from data_prep.words.names import words_of
from data_prep.words.phrases import asks as is_asked

ASKS = set("question questao pergunta pregunta enunciado stem frage domanda".split())
TELLS = set("answer ans resposta respuesta gabarito solution solucao antwort risposta reponse".split())
FEWEST = 3
ASKED, TOLD, ENDED = "\ue000", "\ue001", "\ue002"  # signs that no page holds, where a question and an answer begin, and it ends
PAIR = re.compile(f"{ASKED}([^{TOLD}{ASKED}]*){TOLD}([^{ENDED}]*){ENDED}")


def classed_pairs(root) -> list[tuple[int, dict | Bad]]:
    """(line, question and answer) where elements of one class ask and those of another answer, in turns; [] for any other page.

    What stands between a question and its answer belongs to the question; what stands elsewhere is Bad.
    """
    names = {name for node in root.iter() for name in (node.get("class") or "").split() if isinstance(node.tag, str)}
    asking, telling = ({name for name in names if words & set(words_of(name))} for words in (ASKS, TELLS))
    for asks in sorted(asking):
        for tells in sorted(telling - {asks}):
            if _in_turns(root, asks, tells) and (rows := _rows_of_classes(copy.deepcopy(root), asks, tells)):
                return rows
    return _rows_of_details(copy.deepcopy(root))


def _in_turns(root, asks: str, tells: str) -> list[tuple]:
    """(element that asks, element that answers) where they take turns and none is within another; else []."""
    found = [node for node in root.iter() if {asks, tells} & set((node.get("class") or "").split())]
    kinds = [asks in node.get("class").split() for node in found]
    inside = any(other in node.iterancestors() for other, node in itertools.pairwise(found))
    fits = len(found) >= 2 * FEWEST and kinds == [True, False] * (len(found) // 2) and not inside
    return list(zip(found[::2], found[1::2], strict=True)) if fits else []


def _rows_of_classes(root, asks: str, tells: str) -> list[tuple[int, dict | Bad]]:
    pairs = _in_turns(root, asks, tells)
    for question, answer in pairs:
        question.text = ASKED + (question.text or "")
        answer.text, answer.tail = TOLD + (answer.text or ""), ENDED + (answer.tail or "")
    return _rows(root, [question for question, _ in pairs])


def _rows_of_details(root) -> list[tuple[int, dict | Bad]]:
    """The rows where nearly all that a page unfolds are answers below what asks; none of it is within another."""
    folded = [(node, summary) for node in root.iter("details") if (summary := node.find("summary")) is not None]
    asked = [(node, summary) for node, summary in folded if is_asked("".join(summary.itertext()).strip())]
    inside = any(next(node.iterancestors("details"), None) is not None for node, _ in folded)
    if inside or len(asked) < FEWEST or len(asked) < 0.8 * len(folded):
        return []
    for node, summary in asked:
        summary.text, summary.tail = ASKED + (summary.text or ""), TOLD + (summary.tail or "")
        node.tail = ENDED + (node.tail or "")
    return _rows(root, [summary for _, summary in asked])


def _rows(root, asked: list) -> list[tuple[int, dict | Bad]]:
    """The rows of a page with signs around its questions and answers; it is no page any more."""
    text = text_of_tree(root).replace(SIGN, "")
    said = [(hit[1].strip(), hit[2].strip()) for hit in PAIR.finditer(text)]
    beside = PAIR.sub("", text).strip()
    if len(said) != len(asked) or not all(q and a for q, a in said) or len(beside) > MOST_BESIDE * len(text):
        return []
    rows = [(node.sourceline or 1, {"question": q, "answer": a}) for node, (q, a) in zip(asked, said, strict=True)]
    return [*rows, (1, Bad("no question with its answer", beside))] if beside else rows
