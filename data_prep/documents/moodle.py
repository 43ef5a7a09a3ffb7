"""Question banks as Moodle exchanges them: its XML, GIFT and Aiken. One right option makes a row, any other item a reject.

Forms: docs.moodle.org, "Moodle XML format", "GIFT format", "Aiken format". No kept package reads them. A reader here yields
(line or place, row or Bad).
"""

import itertools
import re
from typing import NamedTuple

from data_prep.tables.records import Bad
from data_prep.words.names import LETTERS

WHOLE = 100.0  # per cent: an option that is right by itself


class Choice(NamedTuple):
    text: str
    share: float  # of the credit, in per cent; below 0 where it costs some
    why: str = ""


def _row(question: str, choices: list[Choice], why: str = "", topic: str = "") -> dict | Bad:
    """A question of one right option as a row; Bad where it is none."""
    said = f"{question} {' '.join(f'({c.share:g} %) {c.text}' for c in choices)}"
    right = [n for n, choice in enumerate(choices) if choice.share > 0]
    if not question or len(choices) < 2 or not all(choice.text for choice in choices):
        return Bad("an item without a question or without options", said)
    if len(choices) > len(LETTERS):
        return Bad(f"{len(choices)} options", said)
    if len(right) != 1 or choices[right[0]].share < WHOLE:
        return Bad(f"{'no option is' if not right else 'several options are, or one is partly,'} right", said)
    if "<img" in question or "@@PLUGINFILE@@" in said:
        return Bad("needs an image, which is not described", said)
    row = {"question": question, "options": {LETTERS[n]: choice.text for n, choice in enumerate(choices)}}
    row |= {"answer": LETTERS[right[0]], "explanation": "\n".join(filter(None, (choices[right[0]].why, why)))}
    return {name: value for name, value in (row | {"topic": topic}).items() if value}


# ---------------------------------------------------------------------------------------------- XML


def moodle_xml(root):
    """(line, row or Bad) of each item below Moodle's <quiz>; the last part of a category's path is the topic below it."""
    topic = ""
    for item in root.findall("question"):
        kind = item.get("type", "")
        if kind == "category":
            topic = _text(item, "category").rsplit("/", 1)[-1]
            continue
        question = _text(item, "questiontext")
        if kind not in ("multichoice", "truefalse"):
            yield item.sourceline, Bad(f"an item of Moodle's type {kind!r}, which is no multiple choice", question)
            continue
        choices = [Choice(_text(a), float(a.get("fraction") or 0), _text(a, "feedback")) for a in item.findall("answer")]
        yield item.sourceline, _row(question, choices, _text(item, "generalfeedback"), topic)


def _text(node, tag: str = "") -> str:
    return (node.findtext(f"{tag}/text" if tag else "text") or "").strip()


# ---------------------------------------------------------------------------------------------- GIFT

BLOCK = re.compile(r"(?<!\\)\{((?:\\.|[^{}\\])*)\}")
ANSWER = re.compile(r"([=~])[ \t]*(?:%(-?\d+(?:[.,]\d+)?)%)?((?:\\.|[^=~\\])*)", re.S)
TRUE_FALSE = re.compile(r"\s*(T|TRUE|F|FALSE)\s*(?:#.*)?", re.S)
CATEGORY = re.compile(r"^[ \t]*\$CATEGORY:[ \t]*(.*)$", re.M)
EMPTY = re.compile(r"\n[ \t]*\n")
HEAD = re.compile(r"^\s*(?:::(?:\\.|[^:\\]|:(?!:))*::)?\s*(?:\[(?:html|moodle|plain|markdown)\])?\s*", re.I)


def gift(text: str) -> list[tuple[int, dict | Bad]]:
    """(place, row or Bad) of each item of a GIFT file, or [] where braces hold other things than answers marked `=` and `~`."""
    text = re.sub(r"^[ \t]*//.*$", lambda hit: " " * len(hit.group()), text, flags=re.M)  # comments, places kept
    blocks = list(BLOCK.finditer(text))
    known = [block[1] for block in blocks if re.match(r"\s*(?:[=~#]|$)", block[1]) or TRUE_FALSE.fullmatch(block[1])]
    if sum(bool(re.match(r"\s*[=~]", said)) and "~" in said for said in known) < 2 or len(known) < 0.8 * len(blocks):
        return []
    found, topic, end = [], "", 0
    for block, following in itertools.zip_longest(blocks, blocks[1:]):
        gap, end = text[end : block.start()], block.end()
        for category in CATEGORY.finditer(gap):
            topic = category[1].strip().rsplit("/", 1)[-1]
        *others, stem = [part for part in EMPTY.split(CATEGORY.sub("", gap)) if part.strip()] or [""]
        behind = text[end : following.start() if following else None].split("\n")[0]
        if behind.strip():  # the answer stands in for a word of a sentence
            end += len(behind)
            stem = f"{stem} _____ {behind.strip()}"
        found.append((block.start(), _gift_item(stem, block[1], topic, bool(others))))
    return found


def _gift_item(stem: str, body: str, topic: str, more: bool) -> dict | Bad:
    said = f"{stem.strip()} {{{body}}}"
    if more or re.search(r"(?<!\\)[{}~]", stem):
        return Bad("what its question is is not clear: a brace is missing, or paragraphs stand before it", said)
    head = HEAD.match(stem)
    question, why = _plain(stem[head.end() :]), ""
    if "####" in body:
        body, _, why = body.partition("####")
    if said_so := TRUE_FALSE.fullmatch(body):
        choices = [Choice("True", WHOLE * (said_so[1][0] == "T")), Choice("False", WHOLE * (said_so[1][0] == "F"))]
        return _row(question, choices, _plain(why), topic)
    answers = ANSWER.findall(body)
    asks_otherwise = not body.strip() or body.lstrip().startswith("#") or any("->" in text for *_, text in answers)
    if asks_otherwise or all(sign == "=" for sign, *_ in answers):
        return Bad("an item that is no multiple choice (a number, a pair or a text is asked for)", said)
    choices = []
    for sign, share, text in answers:
        text, _, feedback = re.sub(r"\\#", "\0", text).partition("#")
        choices.append(Choice(_plain(text), float(share.replace(",", ".")) if share else WHOLE * (sign == "="), _plain(feedback)))
    return _row(question, choices, _plain(why), topic)


def _plain(text: str) -> str:
    """A text without GIFT's escapes."""
    text = re.sub(r"\\n", "\n", text.replace("\0", "\\#"))
    return " ".join(re.sub(r"\\([~=#{}:\\])", r"\1", text).split())


# ---------------------------------------------------------------------------------------------- Aiken

AIKEN = re.compile(
    r"(?P<question>\S[^\n]*)\n(?P<options>(?:[A-Z][.)][ \t]+\S[^\n]*\n){2,})ANSWER:[ \t]*(?P<answer>[A-Z])[ \t]*(?:\n\s*|$)"
)
OPTION = re.compile(r"([A-Z])[.)][ \t]+(\S[^\n]*)\n")


def aiken(text: str) -> list[tuple[int, dict | Bad]]:
    """(place, row or Bad) of each question of an Aiken file: a line, lettered lines, `ANSWER: B`; [] where one is left."""
    found, at = [], len(text) - len(text.lstrip())
    while at < len(text):
        hit = AIKEN.match(text, at)
        if hit is None:
            return []
        options = OPTION.findall(hit["options"])
        if [letter for letter, _ in options] != list(LETTERS[: len(options)]):
            found.append((at, Bad("letters that do not follow one another", hit.group())))
        else:
            choices = [Choice(said.strip(), WHOLE * (letter == hit["answer"])) for letter, said in options]
            found.append((at, _row(hit["question"].strip(), choices)))
        at = hit.end()
    return found if len(found) > 1 else []
