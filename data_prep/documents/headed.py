"""Dialogues of a text that stand below a line with their number each: `id=7`, `Dialogue 7`, `Case 7`."""

import itertools
import re

from data_prep.documents.written import at_lines
from data_prep.values.turns import SPEAKER, role_of, speakers_of

WORD = (
    r"(?:dialogue|dialog|di[áa]logo|conversation|conversa(?:ci[óo]n)?|consultation|consulta|session|sess[ãa]o|case|caso"
    r"|sample|对话|病例)"
)
HEAD = re.compile(
    rf"^[ \t#*]*(?:(?:id|n[º°]|no\.?)|{WORD}[ \t]*(?:id|n[ºo°.]+|number)?)[ \t]*[=:#]?[ \t]*(\d[\w.-]{{0,30}})[ \t:.*]*$",
    re.M | re.I,
)
HEADINGS = re.compile(
    r"^[ \t#*]*(?:description|descri[çc][ãa]o|dialogue|dialog|di[áa]logo|conversation|conversa|对话|疾病|病情描述)[ \t:：*]*$",
    re.M | re.I,
)


def headed_dialogues(text: str) -> list[tuple[int, dict]]:
    """(line, record) of each such dialogue; what stands between its number and the first speaker is its `heading`.

    [] where the text does not begin with such a line, where more than one number in twenty comes again, or where fewer than
    nine in ten parts hold both sides: the others become rejects.
    """
    heads = list(HEAD.finditer(text))
    if len(heads) < 2 or text[: heads[0].start()].strip() or len({hit[1] for hit in heads}) < 0.95 * len(heads):
        return []
    records, whole = [], 0
    for hit, following in itertools.pairwise([*heads, None]):
        body = text[hit.end() : following.start() if following else None]
        at = _first_turn(body)
        whole += {"human", "gpt"} <= {role_of(speaker, {}) for speaker in speakers_of(body[at:])}
        heading = HEADINGS.sub("", body[:at]).strip()
        record = {"id": hit[1], "dialogue": body[at:].strip()} | ({"heading": heading} if heading else {})
        records.append((hit.start(), record))
    if whole < 0.9 * len(heads):
        return []
    return at_lines(text, records)


def _first_turn(body: str) -> int:
    """Where the first speaker of a known side begins to speak."""
    at = 0
    for line in body.splitlines(keepends=True):
        hit = SPEAKER.match(line)
        if hit and role_of((hit[1] or hit[2]).strip(), {}, both_sides=False):
            return at
        at += len(line)
    return 0
