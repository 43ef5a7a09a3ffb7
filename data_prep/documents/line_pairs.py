"""Questions with their answers as two lines, the first of which asks and the second tells; empty lines may stand between."""

import re
from statistics import median

from data_prep.tables.records import Bad
from data_prep.values.html_text import COMMENT
from data_prep.values.turns import SPEAKER, looks_named

FEWEST = 5  # blocks
IN_TURN, TOLD = 10, 60  # questions that no empty lines set apart, and letters of an answer: shorter ones may be two people's talk
BLOCK = re.compile(r"\S[^\n]*(?:\n[ \t]*\S[^\n]*)*")
ASKING = re.compile(r"[?？؟]")
ASKED = re.compile(r"[?？؟][\"'”’)]?$")
LISTED = re.compile(r"[ \t]*(?:#|[-*•>|]|\(?(?:\d{1,3}|[A-Ea-e])[.):]|\[)")  # headings, items, options, cells
MOSTLY, HARDLY = 0.9, 0.1


def line_pairs(text: str) -> list[tuple[int, dict | Bad]]:
    """(place, question and answer) where nearly all blocks are of two lines of prose, the first of which asks and the second
    does not; what else stands there is Bad. [] for any other text, and where names of speakers stand before the lines."""
    text = COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment.group()), text)  # cleaning takes them out
    blocks = [(hit.start(), [line.strip() for line in hit.group().split("\n")]) for hit in BLOCK.finditer(text)]
    if len(blocks) == 1:
        blocks = _in_turn(text)
    pairs = [lines for _, lines in blocks if len(lines) == 2]
    if len(pairs) < FEWEST or len(pairs) < 0.95 * len(blocks):
        return []
    asking, telling = (sum(bool(ASKING.search(lines[n])) for lines in pairs) for n in (0, 1))
    if asking < MOSTLY * len(pairs) or telling > HARDLY * len(pairs):
        return []
    lines = [line for pair in pairs for line in pair]
    if sum(bool(LISTED.match(line)) or _names_who(line) for line in lines) > HARDLY * len(lines):
        return []
    return [(at, _row(lines)) for at, lines in blocks]


def _in_turn(text: str) -> list[tuple[int, list[str]]]:
    """Lines without an empty one as blocks that each begin with a line that asks; [] where what is told is as short as talk."""
    blocks: list[tuple[int, list[str]]] = []
    for hit in re.finditer(r"[^\n]*\S[^\n]*", text):
        line = hit.group().strip()
        if not blocks or ASKED.search(line):
            blocks.append((hit.start(), []))
        blocks[-1][1].append(line)
    told = [len(lines[1]) for _, lines in blocks if len(lines) == 2]
    return blocks if len(told) >= IN_TURN and median(told) >= TOLD else []


def _names_who(line: str) -> bool:
    hit = SPEAKER.match(line)
    return bool(hit) and (bool(hit[1]) or looks_named(hit[2].strip()))


def _row(lines: list[str]) -> dict | Bad:
    if len(lines) != 2:
        return Bad("no question and answer of a line each", "\n".join(lines))
    return {"question": lines[0], "answer": lines[1]}
