"""The filter: what is checked without a model (grounding by span and number, language, personal data), and what a model is asked.

Each check returns why a candidate is refused, or "". A check that asks a model reads its answer strictly: what is neither yes nor
no refuses.
"""

import re
from pathlib import Path
from typing import NamedTuple

from data_prep.cleaning.duplicates import digest, fold
from data_prep.common.errors import UserError
from data_prep.synthesis.calls import Caller, Model
from data_prep.synthesis.candidates import Candidate, without_thinking
from data_prep.synthesis.inputs import read_utf8

PROMPTS = Path(__file__).parent / "prompts"
NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?![\w]*\d)")
LEAST_EVIDENCE = 4  # words
SILENT = "asked again, the generator says nothing (thinking that does not end?)"


class Asker(NamedTuple):
    """Who is asked by which prompts: the generator checks itself, the base answers with the passage hidden (None: not asked)."""

    caller: Caller
    generator: Model
    base: Model | None
    prompts: dict[str, str]

    def ask(self, name: str, candidate: Candidate, model: Model | None = None, max_tokens: int = 300, **parts: str) -> str:
        prompt = fill(self.prompts, name, candidate.language, **parts)
        said = without_thinking(self.caller.ask(model or self.generator, prompt, 0.0, max_tokens))
        if not said:
            with self.caller.lock:
                self.caller.silent["base" if model else "judge"] += 1
        return said


def read_prompts(folder: str | None) -> dict[str, str]:
    """Prompts by file name; a user's folder stands before ours, file by file. UserError for a file of an unknown name."""
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(PROMPTS.glob("*.txt"))}
    for path in sorted(Path(folder).glob("*.txt")) if folder else []:
        if path.name not in found:
            raise UserError(f"prompts: {path} is none of {', '.join(found)}")
        text = read_utf8(path)
        if lacking := set(re.findall(r"\{[a-z]+\}", found[path.name])) - set(re.findall(r"\{[a-z]+\}", text)):
            raise UserError(f"prompts: {path} lacks {', '.join(sorted(lacking))}, which is filled in")
        found[path.name] = text
    return found


def fill(prompts: dict[str, str], name: str, language: str, **parts: str) -> str:
    """A prompt with its parts put in, each once: braces in a passage stay what they are."""
    text = prompts[f"{name}.{'pt' if language == 'pt' else 'en'}.txt"]
    return re.sub(r"\{(" + "|".join(parts) + r")\}", lambda hit: parts[hit[1]], text)


# ------------------------------------------------------------------------------------------ without a model


def numbers(text: str) -> set[str]:
    """Numbers of a text, 0,5 and 0.5 alike, without separators of thousands."""
    found = set()
    for hit in NUMBER.findall(text):
        plain = re.sub(r"[.,](?=\d{3}(?!\d))", "", hit).replace(",", ".")
        found.add(plain.rstrip("0").rstrip(".") if "." in plain else plain)
    return found


def grounding(candidate: Candidate) -> str:
    """Whether the quoted evidence stands in the passage, and every number of the answer does."""
    passage = fold(candidate.passage.text)
    quotes = [fold(part) for part in re.split(r"\s*(?:\.\.\.|…|\n)\s*", candidate.evidence) if fold(part)]
    if sum(len(quote.split()) for quote in quotes) < LEAST_EVIDENCE:
        return "evidence too short to prove anything"
    if not all(f" {quote} " in f" {passage} " for quote in quotes):
        return "evidence that is not in the passage"
    if foreign := numbers(candidate.said()) - numbers(candidate.passage.text):
        known = numbers(candidate.question)  # an age that the question names may be repeated
        if foreign - known:
            return "a number that is not in the passage"
    return ""


def language(candidate: Candidate) -> str:
    """Whether it is written in the passage's language; short texts are not judged."""
    import py3langid

    text = f"{candidate.asked()} {candidate.said()}"
    if len(text) < 80:
        return ""
    found = py3langid.classify(text)[0]
    return "" if found == candidate.language else f"written in {found}, the passage in {candidate.language}"


def personal(candidate: Candidate) -> str:
    """Whether any of its texts holds personal data."""
    from data_prep.cleaning import privacy

    found = sorted({kind for text in candidate.texts() if text for _, _, kind in privacy.find(text)})
    return f"personal data: {', '.join(found)}" if found else ""


# ------------------------------------------------------------------------------------------ by asking


def listed(options: dict[str, str]) -> str:
    return "\n".join(f"{letter}. {text}" for letter, text in options.items())


def turned(candidate: Candidate, by: int) -> tuple[dict[str, str], str]:
    """Options moved `by` places on, letters in order, and the letter of the right one."""
    letters, texts = list(candidate.options), list(candidate.options.values())
    moved = [texts[(i - by) % len(texts)] for i in range(len(texts))]
    return dict(zip(letters, moved, strict=True)), letters[(letters.index(candidate.answer) + by) % len(letters)]


def letter_of(text: str, options: dict[str, str]) -> str:
    """The letter an answer names: it opens the text, set off from it, or no other stands alone in it; else "".

    "A" and "E" are words too, so in the middle of a text they count only before ".", ")" or ":".
    """
    opened = re.match(r"\W*([A-Z])(?=\W*$|[.):*]|\s+-)", text)
    if opened and opened[1] in options:
        return opened[1]
    alone = re.findall(r"(?<![\w'’])([A-Z](?=[.):*]|\s*$)|[B-DF-Z](?![\w'’]))", text)
    found = {letter for letter in alone if letter in options}
    return found.pop() if len(found) == 1 else ""


def yes(text: str) -> bool:
    return re.match(r"\W*(?:yes|sim)\b", text, re.I) is not None


def consistency(asker: Asker, candidate: Candidate) -> str:
    """Asked again without the key, the generator agrees; and what is stated is supported by the passage.

    Multiple choice is asked in two new orders: of a judge that guesses one in 16 is agreed with, not one in four.
    """
    passage = candidate.passage.text if candidate.passage else ""
    if candidate.kind == "mcq":
        for more in (0, 1):
            options, key = turned(candidate, 1 + (digest(candidate.question) + more) % (len(candidate.options) - 1))
            text = asker.ask(
                "choose", candidate, max_tokens=16, passage=passage, question=candidate.question, options=listed(options)
            )
            if not text:
                return SILENT
            if letter_of(text, options) != key:
                return "asked again, the generator chooses another option"
        return ""
    question = candidate.question or candidate.turns[0]["content"]
    if candidate.passage:
        said = asker.ask("supported", candidate, max_tokens=16, passage=passage, question=question, answer=candidate.said())
        if not said:
            return SILENT
        if not yes(said):
            return "not supported by the passage, says the generator asked again"
    if candidate.kind == "dialogue":
        return ""
    if candidate.passage:
        other = asker.ask("answer", candidate, passage=passage, question=question)
    else:
        other = asker.ask("closed", candidate, question=question)
    return "" if same(asker, candidate, other) else "asked again, the generator answers something else"


def same(asker: Asker, candidate: Candidate, other: str) -> bool:
    """Whether another answer says the same: equal texts do, an empty or withheld one does not, else the judge is asked."""
    one, two = fold(candidate.answer), fold(other)
    if not two or "NOT ANSWERED" in other:
        return False
    if one == two:
        return True
    return yes(asker.ask("same", candidate, max_tokens=16, question=candidate.question, answer=candidate.answer, other=other))


def too_easy(asker: Asker, candidate: Candidate) -> str:
    """Whether the base answers with the passage hidden: multiple choice in two orders, so that luck passes 1 in 16."""
    if asker.base is None or candidate.kind == "dialogue":
        return ""
    reason = "the base answers it without the passage"
    if candidate.kind == "mcq":
        for by in (0, 1 + digest(candidate.question) % (len(candidate.options) - 1)):
            options, key = turned(candidate, by)
            prompt = f"{candidate.question}\n\n{listed(options)}"
            if letter_of(asker.ask("closed", candidate, asker.base, 64, question=prompt), options) != key:
                return ""
        return reason
    other = asker.ask("closed", candidate, asker.base, question=candidate.question)
    return reason if same(asker, candidate, other) else ""
