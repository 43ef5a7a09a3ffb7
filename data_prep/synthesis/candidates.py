"""What a generator wrote, read into candidates; and whether its form is that of a row. Nothing is repaired."""

import json
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from data_prep.chat_template import scoring_prompt

NEEDED = {  # texts that an item of each kind has, beside its evidence, options or turns
    "qa": ("question", "answer"),
    "mcq": ("question", "answer"),
    "dialogue": (),
    "cot": ("question", "reasoning", "answer"),
    "instruct": ("question", "answer"),
}
KINDS = tuple(NEEDED)
# The row is used without its passage, so a question that points to it cannot be answered.
POINTS = re.compile(
    r"\b(?:the|this|given|above|following)\s+(?:passage|text|excerpt|paragraph)\b"
    r"|\b(?:this|present|given|above|according to the|in the)\s+(?:article|document|study|table|authors?)\b"
    r"|\b(?:[oa]|n[oa]|d[oa]|pel[oa]|[nd]?este)\s+(?:trecho|texto|parágrafo)\b"
    r"|\b(?:[nd]?est[ea]|presente|segundo [oa]|conforme [oa]|de acordo com [oa])\s+"
    r"(?:artigo|documento|estudo|tabela|autor(?:es)?)\b",
    re.I,
)
META = re.compile(r"\b(?:as an ai|language model|modelo de linguagem|lorem ipsum|\[?insert)\b|^\W*(?:\.\.\.|n/a|none)\W*$", re.I)


class Passage(NamedTuple):
    """A text that questions are made of: its id, its row's source and topic, its language ("pt", "en", ...)."""

    id: str
    text: str
    source: str
    topic: str
    language: str


@dataclass
class Candidate:
    """One generated row before the filter. `passage` is None for self-instruct."""

    kind: str
    passage: Passage | None
    language: str
    question: str = ""
    answer: str = ""
    evidence: str = ""
    reasoning: str = ""
    options: dict[str, str] = field(default_factory=dict)
    turns: list[dict] = field(default_factory=list)

    def asked(self) -> str:
        """What duplicates and leaks are told by."""
        return self.turns[0]["content"] if self.kind == "dialogue" else self.question

    def said(self) -> str:
        """What the row would teach: the answer, the right option's text, the physician's turns."""
        if self.kind == "dialogue":
            return "\n".join(turn["content"] for turn in self.turns if turn["role"] == "assistant")
        if self.kind == "mcq":
            return self.options[self.answer]
        return f"{self.reasoning}\n{self.answer}".strip()

    def texts(self) -> list[str]:
        """Every text of the row."""
        return [self.question, self.answer, self.reasoning, *self.options.values(), *(t["content"] for t in self.turns)]

    def conversation(self) -> list[dict]:
        """ShareGPT turns."""
        if self.kind == "dialogue":
            names = {"user": "human", "assistant": "gpt"}
            return [{"from": names[turn["role"]], "value": turn["content"]} for turn in self.turns]
        asked, said = self.question, f"{self.reasoning}\n\n{self.answer}".strip()
        if self.kind == "mcq":
            row = {"question": self.question, "options": self.options}
            asked, said = scoring_prompt(row, "pt" if self.language == "pt" else "en"), self.answer
        return [{"from": "human", "value": asked}, {"from": "gpt", "value": said}]


class Reject(NamedTuple):
    """What was not kept: the stage that refused it, why, and what the generator wrote."""

    stage: str
    reason: str
    kind: str
    passage: str
    content: object


def without_thinking(text: str) -> str:
    """What is said after thinking; nothing where the thinking never ended."""
    return re.sub(r"^.*</think>|^\s*<think>.*", "", text, flags=re.S | re.I).strip()


def read_items(text: str) -> list | str:
    """The items of a generator's answer, or why there are none."""
    text = without_thinking(text)
    start = text.find("{")
    if start < 0:
        return "no JSON"
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start:])
    except json.JSONDecodeError:
        return "JSON that does not parse"
    items = found.get("items") if isinstance(found, dict) else None
    return items if isinstance(items, list) and items else "no list of items"


def read_candidates(text: str, kind: str, passage: Passage | None, language: str) -> list[Candidate | Reject]:
    """Candidates of one answer; items of the wrong form as rejects."""
    where = passage.id if passage else ""
    items = read_items(text)
    if isinstance(items, str):
        return [Reject("form", items, kind, where, text[:4000])]
    found = []
    for item in items:
        made = read_item(item, kind, passage, language)
        found.append(Reject("form", made, kind, where, item) if isinstance(made, str) else made)
    return found


def read_item(item, kind: str, passage: Passage | None, language: str) -> Candidate | str:
    """One item as a candidate, or what is wrong with its form."""
    if not isinstance(item, dict):
        return "an item that is no object"
    texts = {name: item.get(name) for name in (*NEEDED[kind], *(["evidence"] if passage else []))}
    if lacking := [name for name, text in texts.items() if not isinstance(text, str) or not text.strip()]:
        return f"lacks {', '.join(lacking)}"
    candidate = Candidate(kind, passage, language, **{name: text.strip() for name, text in texts.items()})
    if kind == "mcq" and (problem := _read_options(item.get("options"), candidate)):
        return problem
    if kind == "dialogue" and (problem := _read_turns(item.get("turns"), candidate)):
        return problem
    return form_problem(candidate) or candidate


def _read_options(options, candidate: Candidate) -> str:
    if not isinstance(options, dict) or not 3 <= len(options) <= 6 or not all(isinstance(v, str) for v in options.values()):
        return "options are not three to six texts by letter"
    options = {str(letter).strip().upper(): text.strip() for letter, text in options.items()}
    if sorted(options) != [chr(65 + i) for i in range(len(options))]:
        return "options are not lettered A, B, C ..."
    folded = [re.sub(r"\W+", " ", text.casefold()).strip() for text in options.values()]
    if len(set(folded)) < len(folded) or "" in folded:
        return "options that do not differ"
    if any(
        re.search(
            r"\b(?:all|none|both) of (?:the )?(?:above|these)|todas as (?:anteriores|alternativas)|nenhuma das"
            r"|\b(?:answer|option)\b.* is\b|\bresposta\b.* é\b",
            t,
        )
        for t in folded
    ):
        return "an option about the other options"
    key = candidate.answer.strip().rstrip(".)").upper()
    if key not in options:
        return "a key that is no option's letter"
    candidate.options, candidate.answer = dict(sorted(options.items())), key
    lengths = {letter: len(text) for letter, text in options.items()}
    others = [n for letter, n in lengths.items() if letter != key]
    return "the right option is told by its length" if lengths[key] > 3 * max(others) and lengths[key] > 60 else ""


def _read_turns(turns, candidate: Candidate) -> str:
    if not isinstance(turns, list) or not 4 <= len(turns) <= 16:
        return "not four to sixteen turns"
    for number, turn in enumerate(turns):
        role = ("user", "assistant")[number % 2]
        if not isinstance(turn, dict) or turn.get("role") != role:
            return "turns that do not alternate, the user first"
        if not isinstance(turn.get("content"), str) or not turn["content"].strip():
            return "an empty turn"
    candidate.turns = [{"role": t["role"], "content": t["content"].strip()} for t in turns]
    return "" if turns[-1]["role"] == "assistant" else "the last turn is not the assistant's"


def repeats(question: str, answer: str) -> bool:
    """Whether the answer is the question again, or the larger part of it."""
    asked, said = (" ".join(re.findall(r"\w+", text.casefold())) for text in (question, answer))
    return said in asked and len(said) > 0.6 * len(asked)


def form_problem(candidate: Candidate) -> str:
    """What is wrong with the words of a candidate whose parts are all there."""
    asked = candidate.asked()
    if len(asked.split()) < 4 or len(asked) > 2000:
        return "a question of fewer than 4 words or more than 2000 characters"
    if any(POINTS.search(text) for text in ([t["content"] for t in candidate.turns] or [candidate.question])):
        return "points to the passage, which the row does not show"
    if any(META.search(text) for text in candidate.texts() if text):
        return "a placeholder or the generator speaking of itself"
    if candidate.kind in ("qa", "cot", "instruct") and (len(candidate.answer) < 2 or len(candidate.answer) > 6000):
        return "an answer too short or too long"
    if candidate.kind in ("qa", "cot") and not re.search(r"[?？؟;]", asked):
        return "asks nothing: no question mark"
    if candidate.kind in ("qa", "cot", "instruct") and repeats(candidate.question, candidate.answer):
        return "an answer that says the question again"
    if candidate.kind == "cot" and len(candidate.reasoning.split()) < 8:
        return "no reasoning"
    return ""
