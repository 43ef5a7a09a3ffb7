"""The text of a PDF's page, also where its program wrote lines in pieces, within words too, each of which reads as a line."""

import itertools
import re
import unicodedata
from typing import NamedTuple

FEWEST, SHARE = 8, 0.05  # cuts within a line, and their share of a page's lines
NEAR = 0.5  # points between the heights of what stands on one line
GAP = re.compile(r"\S {8,}\S")  # between columns that stand side by side
MOST_GAPS = 0.2  # of the lines


class Piece(NamedTuple):
    said: str
    x: float
    y: float
    begins: bool  # whether it begins a line as pypdf reads it


def page_text(page) -> str:
    """What a page says, as pypdf reads it; where lines are in pieces, as they stand on the page, unless it has columns."""
    pieces: list[Piece] = []
    ended = False  # whether a line has ended since the last piece

    def keep(said, _, matrix, *__):
        nonlocal ended
        if said.strip():
            pieces.append(Piece(said.strip("\n"), matrix[4], matrix[5], ended or said.startswith("\n")))
            ended = False
        ended = ended or said.endswith("\n")

    text = page.extract_text(visitor_text=keep) or ""
    lines = [line for line in text.split("\n") if line.strip()]
    if cuts_in(pieces) < max(FEWEST, SHARE * len(lines)):
        return text
    whole = page.extract_text(extraction_mode="layout", layout_mode_space_vertically=False) or ""
    rows = [row for row in whole.split("\n") if row.strip()]
    same = sorted(filter(str.isalnum, whole)) == sorted(filter(str.isalnum, text))
    if not same or sum(bool(GAP.search(row.strip())) for row in rows) > MOST_GAPS * len(rows):
        return text
    return "\n".join(" ".join(row.split()) for row in rows)


def cuts_in(pieces: list[Piece]) -> int:
    """How often a piece that begins a line goes on within the sentence of the one before, further right at the same height."""
    return sum(
        b.begins and a.said.rstrip()[-1:].isalpha() and b.said.lstrip()[0].islower() and abs(a.y - b.y) < NEAR and b.x > a.x
        for a, b in itertools.pairwise(pieces)
    )


ACCENTS = {"´": "\u0301", "˜": "\u0303", "ˆ": "\u0302", "¨": "\u0308", "¸": "\u0327", "ˇ": "\u030c"}
APART = re.compile(f"([{''.join(ACCENTS)}])([^\\W\\d_])")
CEDILLA = re.compile("([cC])¸")
BY_TEX = re.compile(
    "´ı|˜[naoNAO]|¸[cC]|[cC]¸"
)  # of fonts without accented letters; an apostrophe that is typed as ´ has none of these


def with_accents(pages: list[str]) -> list[str]:
    """Pages whose accents stand before their letters, as fonts of TeX have them, with accented letters: `introducci´on`."""
    if not any(map(BY_TEX.search, pages)):
        return pages
    pages = [APART.sub(_accented, page) for page in pages]
    return [CEDILLA.sub(lambda hit: "ç" if hit[1] == "c" else "Ç", page) for page in pages]


def _accented(hit: re.Match) -> str:
    letter = unicodedata.normalize("NFC", hit[2].replace("ı", "i") + ACCENTS[hit[1]])
    return letter if len(letter) == 1 else hit.group()
