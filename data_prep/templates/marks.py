"""Conversations that stand in one text with the marks of a chat template: `<|im_start|>user`, `[INST]`, `### Human:` and others.

The marks say whose turn is whose. What they leave unclear, text before the first or a side that is missing, is no conversation.
"""

import itertools
import re
from typing import NamedTuple

from data_prep.words.names import plain
from data_prep.words.said import ROLE_OF

WORDS = {  # of templates alone; in a plain text they can begin any line
    **dict.fromkeys("instruction instrução instrucción input entrada prompt context contexto".split(), "human"),
    **dict.fromkeys("response respuesta output saída salida completion inst".split(), "gpt"),
    **dict.fromkeys("questão pregunta domanda frage 问题 問 問題 질문".split(), "human"),
    **dict.fromkeys("risposta antwort réponse 答案 回答 답변".split(), "gpt"),
}
SIDE_OF = ROLE_OF | {plain(word): side for word, side in WORDS.items()} | {"inst": "human", "/inst": "gpt"}


class Form(NamedTuple):
    """How a family of templates opens a turn, and whether its marks are its own, so that any word in one names a speaker."""

    opens: re.Pattern
    own: bool = False
    before: re.Pattern = re.compile(r"\Z")  # what stands before the first turn, in the place of a system turn


FORMS = (
    Form(re.compile(r"<\|im_start\|>[ \t]*([\w-]+)[ \t]*\n?"), own=True),  # ChatML, Qwen
    Form(re.compile(r"<\|start_header_id\|>\s*([\w-]+)\s*<\|end_header_id\|>\s*"), own=True),  # Llama 3
    Form(re.compile(r"<start_of_turn>[ \t]*([\w-]+)[ \t]*\n"), own=True),  # Gemma
    Form(re.compile(r"\[(/?INST)\][ \t]*")),  # Llama 2, Mistral
    Form(re.compile(r"<\|(\w+)\|>[ \t]*\n?")),  # Zephyr, Phi
    Form(re.compile(r"\[\|(\w+)\|\][ \t]*")),
    Form(re.compile(r"<(\w+)>:[ \t]*")),
    Form(re.compile(r"(?<!#)#{2,4}[ \t]*([A-Za-zÀ-ÿ]+)[ \t]*:[ \t]*"), before=re.compile("")),  # Alpaca, Guanaco
    Form(re.compile(r"(?:(?<=\s)|(?<=</s>))(USER|ASSISTANT):[ \t]+"), before=re.compile("A chat between ")),  # Vicuna
)
# Question and answer, each at the begin of a line, after one line at most: in a column of conversations alone.
PAIRS = Form(
    re.compile(
        r"^[ \t]*(?:\*\*)?(pergunta|quest[ãa]o|question|instruction|pregunta|domanda|frage|问题?|問題?|질문"
        r"|resposta|respuesta|answer|risposta|antwort|réponse|答案?|回答|답변)[ \t]*[:：](?:\*\*)?[ \t]*",
        re.M | re.I,
    ),
    before=re.compile(r"[^\n:]{0,300}\Z"),
)
ENDS = r"(?:<\|(?:im_end|eot_id|eom_id|end|eos|endoftext|end_of_text|begin_of_text|startoftext)\|>|<end_of_turn>|</?s>|<[be]os>)"
EDGE = re.compile(rf"^(?:\s*{ENDS})+|(?:{ENDS}\s*)+$")
SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>\s*", re.S)


def marked_turns(text: str, pairs: bool = False) -> list[tuple[str, str]]:
    """(side or speaker, text) of each turn; [] where a text is no conversation in such marks, of both sides at least.

    `pairs`: the text is known to be a conversation, so that `Question:` and `Answer:` are marks as well.
    """
    for form in (*FORMS, PAIRS) if pairs else FORMS:
        hits = [hit for hit in form.opens.finditer(text) if form.own or plain(hit[1]) in SIDE_OF or hit[1] == "/INST"]
        sides = [SIDE_OF.get(hit[1].casefold() if "INST" in hit[1] else plain(hit[1]), hit[1]) for hit in hits]
        if not {"human", "gpt"} <= set(sides) or (not form.own and ("gpt", "gpt") in itertools.pairwise(sides)):
            continue  # an answer with a heading of its own is cut by no mark
        before = EDGE.sub("", text[: hits[0].start()]).strip()
        if not form.before.match(before):
            return []
        ends = [hit.start() for hit in hits[1:]] + [len(text)]
        said = [EDGE.sub("", text[hit.end() : end].strip()).strip() for hit, end in zip(hits, ends, strict=True)]
        turns = list(zip(sides, said, strict=True))
        if system := SYSTEM.match(said[0]):
            turns[:1] = [("system", system[1].strip()), (sides[0], said[0][system.end() :])]
        return ([("system", before)] if before else []) + turns
    return []


def ends_unanswered(text: str) -> bool:
    """Whether a text is turns under `Question:` and `Answer:`, of which the last answer is still to come."""
    hits = list(PAIRS.opens.finditer(text))
    sides = [SIDE_OF.get(plain(hit[1])) for hit in hits]
    if sides[:1] != ["human"] or len(sides) % 2 or any(pair[0] == pair[1] for pair in itertools.pairwise(sides)):
        return False
    return not text[hits[-1].end() :].strip() and not text[: hits[0].start()].strip()
