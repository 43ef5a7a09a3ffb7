"""Notes as Anki exports them to a text: lines `#separator:tab`, `#columns:…`, `#tags column:3` above a table without names."""

import csv
import io
import re

from data_prep.common.errors import UserError
from data_prep.tables.records import Bad, header_of

SIGNS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "colon": ":"}
LINE = re.compile(r"#([a-z]+(?: column)?):(.*)")
CLOZE = re.compile(r"\{\{c\d+::")


def anki_notes(text: str, shown: str) -> list[tuple[int, dict | Bad]]:
    """(line, note) of each note of an export, [] for any other text. Of a note's two fields the first asks and the second tells.

    Raises UserError for notes whose gaps hold their answers: they ask nothing without them.
    """
    lines = text.split("\n")
    said = [hit for line in lines for hit in [LINE.fullmatch(line.rstrip("\r"))] if hit]
    above = len(said)
    if not above or said[0][1] != "separator" or not all(line.startswith("#") for line in lines[:above]):
        return []
    told = {hit[1]: hit[2].strip() for hit in said}
    sign = SIGNS.get(told["separator"].lower(), told["separator"])
    if len(sign) != 1:
        raise UserError(f"{shown}:1: a separator that is not known: {sign!r}")
    if CLOZE.search(text):
        raise UserError(
            f"{shown}: holds notes with gaps ({{{{c1::…}}}}), whose answers stand in what they ask; export the others"
        )
    rows = csv.reader(io.StringIO("\n".join(lines[above:])), delimiter=sign)
    found, line = [], above + 1
    for cells in rows:
        if any(cells):
            found.append((line, cells))
        line = above + 1 + rows.line_num
    return _named(found, told, sign)


def _named(rows: list[tuple[int, list[str]]], told: dict[str, str], sign: str) -> list[tuple[int, dict | Bad]]:
    width = max((len(cells) for _, cells in rows), default=0)
    aside = {int(n): name.removesuffix(" column") for name, n in told.items() if name.endswith(" column") and n.isdigit()}
    fields = [n for n in range(1, width + 1) if n not in aside]
    sides = dict(zip(fields, ("front", "back"), strict=True)) if len(fields) == 2 else {}
    unnamed = [(aside | sides).get(n, "") for n in range(1, width + 1)]
    names = header_of(told["columns"].split(sign) if "columns" in told else unnamed)
    return [
        (
            line,
            dict(zip(names, cells, strict=True)) if len(cells) == len(names) else Bad("has another number of cells", str(cells)),
        )
        for line, cells in rows
    ]
