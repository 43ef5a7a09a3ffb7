"""Questions with their answers in a page whose elements' classes say which is which (`<div class="faq-question">`)."""

import copy
import itertools
import re

from data_prep.documents.asked_text import MOST_BESIDE
from data_prep.documents.exam.layout import SIGN
from data_prep.tables.records import Bad
from data_prep.values.html_text import text_of_tree
from data_prep.words.names import words_of

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
            if _in_turns(root, asks, tells) and (rows := _rows(copy.deepcopy(root), asks, tells)):
                return rows
    return []


def _in_turns(root, asks: str, tells: str) -> list[tuple]:
    """(element that asks, element that answers) where they take turns and none is within another; else []."""
    found = [node for node in root.iter() if {asks, tells} & set((node.get("class") or "").split())]
    kinds = [asks in node.get("class").split() for node in found]
    inside = any(other in node.iterancestors() for other, node in itertools.pairwise(found))
    fits = len(found) >= 2 * FEWEST and kinds == [True, False] * (len(found) // 2) and not inside
    return list(zip(found[::2], found[1::2], strict=True)) if fits else []


def _rows(root, asks: str, tells: str) -> list[tuple[int, dict | Bad]]:
    """The rows; the elements get signs, and are no page any more."""
    pairs = _in_turns(root, asks, tells)
    for question, answer in pairs:
        question.text = ASKED + (question.text or "")
        answer.text, answer.tail = TOLD + (answer.text or ""), ENDED + (answer.tail or "")
    text = text_of_tree(root).replace(SIGN, "")
    said = [(hit[1].strip(), hit[2].strip()) for hit in PAIR.finditer(text)]
    beside = PAIR.sub("", text).strip()
    if len(said) != len(pairs) or not all(q and a for q, a in said) or len(beside) > MOST_BESIDE * len(text):
        return []
    rows = [(node.sourceline or 1, {"question": q, "answer": a}) for (node, _), (q, a) in zip(pairs, said, strict=True)]
    return [*rows, (1, Bad("no question with its answer", beside))] if beside else rows
