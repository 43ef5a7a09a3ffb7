"""Readers of PDF and DOCX: their text as one record, or the exam or table that is written into it.

Each yields (line, record, bytes so far).
"""

import functools
import re
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.documents.exam.layout import SIGN
from data_prep.documents.pdf_heads import without_heads
from data_prep.documents.pdf_lines import SIGNS, prose_lines, whole_words, without_edges
from data_prep.documents.pdf_pieces import page_text, with_accents
from data_prep.documents.texts import exam_rows, written_or_text
from data_prep.tables.records import Bad
from data_prep.words.names import LETTERS


def pdf_file(path: Path, shown: str, key: str = ""):
    """The text of a PDF as one record, with its number of pages, or its exam. A scanned one holds none: a reject says so."""
    pages = _pages(path, shown)
    if rows := exam_rows(pdf_text(path, shown), key):
        yield from ((line, row if isinstance(row, Bad) else row | {"pages": len(pages)}, at) for line, row, at in rows)
    else:
        if sum(map(len, pages)) < FEWEST_BESIDE * len(pages):
            refuse_pictures("\n".join(pages), _pictured_pages(path), "pages with pictures", shown)
        running = without_heads(without_edges(pages, said_once=True))
        yield 1, {"text": prose_lines(whole_words("\n\n".join(running))), "pages": len(pages)}, 0


def _pictured_pages(path: Path) -> int:
    import pypdf

    pictured = 0
    for page in pypdf.PdfReader(path).pages:
        resources = page.get("/Resources")
        pictured += bool(resources is not None and resources.get_object().get("/XObject"))  # a form may hold the picture
    return pictured


FEWEST_BESIDE = 100  # characters beside a picture, of a text that is more than the names of pictures


def refuse_pictures(text: str, pictures: int, what: str, shown: str) -> None:
    """Raise UserError where what a document says stands in its pictures; one that holds no text at all is a reject."""
    said = len("".join(text.split()))
    if 0 < said < FEWEST_BESIDE * pictures:
        raise UserError(
            f"{shown}: holds {said:,} characters of text and {pictures} {what}: what it says stands in these, where nothing is "
            "read. Have its text recognised; or, where its few words are meant, save them as .txt"
        )


def pdf_text(path: Path, shown: str) -> str:
    """The text of a PDF without what stands at the edges of its pages."""
    return whole_words("\n\n".join(without_edges(_pages(path, shown))))


@functools.lru_cache(maxsize=4)  # read for its rows, for its reading and as a key
def _pages(path: Path, shown: str) -> list[str]:
    import logging

    import pypdf

    logging.getLogger("pypdf").setLevel(logging.ERROR)
    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise UserError(f"{shown}: is locked by a password; save it without one")
    pages = with_accents([page_text(page).translate(SIGNS).strip() for page in reader.pages])
    refuse_unnamed("\n".join(pages), shown)
    return pages


LINK = re.compile(r"(?:https?://|www\.)[!-~]+")
GLYPH = re.compile(r"/[cg]\d{2,5}|\(cid:\d+\)|/uni[0-9A-F]{4}")  # what stands for a character that its font does not name
FEWEST_GLYPHS = 5


def refuse_unnamed(text: str, shown: str) -> None:
    """Raise UserError where the characters of a PDF are in part numbers in its fonts: which ones these are is lost."""
    if len(found := GLYPH.findall(LINK.sub("", text))) >= FEWEST_GLYPHS:
        raise UserError(
            f"{shown}: {len(found):,} of its characters are only numbers in its fonts ('{found[0]}'), and what they say is lost. "
            "Have its text recognised, or save it as .txt from a program that shows it whole"
        )


def docx_file(path: Path, shown: str, key: str = ""):
    """The text, or the exam, of a DOCX."""
    import docx

    document = docx.Document(str(path))
    text = _written_in(document)
    rows = exam_rows(text, key)
    if not rows:
        pictures = sum(relation.reltype.endswith("/image") for relation in document.part.rels.values())
        refuse_pictures(text, pictures, "pictures", shown)
    rows = list(written_or_text(text, shown, rows))
    if [list(row) for _, row, _ in rows if isinstance(row, dict)] == [["text"]] and (lines := _table_lines(document)):
        raise UserError(f"{shown}: is a table of {lines} rows, no text; save it as .xlsx or .csv with a line of names")
    yield from ((line, row | _barred(row["text"], document), at) if _is_text(row) else (line, row, at) for line, row, at in rows)
    if notes := _notes_of(document):
        yield 1, Bad("notes at the feet of pages, whose place in the text is lost", notes), 0


def _notes_of(document) -> str:
    """What a document says at the feet of its pages and at its end, a line each."""
    from lxml import etree

    said = []
    for relation in document.part.rels.values():
        if relation.reltype.endswith(("/footnotes", "/endnotes")):
            root = etree.fromstring(relation.target_part.blob)
            said += ["".join(note.itertext("{*}t")).strip() for note in root]
    return "\n".join(filter(None, said))


MOST_IN_TABLES = 0.9  # of the lines; where more are a table's, its tabs stay, by which it is told


def _is_text(row) -> bool:
    return isinstance(row, dict) and list(row) == ["text"]


def _barred(text: str, document) -> dict:
    """A running text whose tables have bars between their cells: tabs become spaces, and cells one sentence."""
    lines = [line for line in text.split("\n") if line.strip()]
    tabbed = sum("\t" in line for line in lines)
    if not tabbed or tabbed > MOST_IN_TABLES * len(lines):
        return {"text": text}
    return {"text": _written_in(document, bars=True).replace(SIGN, "")}


LONG_TABLE, OF_TEXT = 10, 0.9  # rows, and the share of a document's characters


def _table_lines(document) -> int:
    """The rows of a document's tables where nearly all of its text stands in tables of several columns; else 0."""
    from docx.table import Table

    from data_prep.documents.word_text import blocks_of, lines_of, said_in

    blocks = list(blocks_of(document.element.body, document._body))
    tables = [block for block in blocks if isinstance(block, Table) and len(block.columns) > 1]
    inside = sum(len(lines_of(table)) for table in tables)
    beside = sum(len(said_in(block)) for block in blocks if not isinstance(block, Table))
    rows = sum(len(table.rows) for table in tables)
    return rows if rows >= LONG_TABLE and inside >= OF_TEXT * (inside + beside) else 0


def docx_text(path: Path) -> str:
    """The text of a DOCX: paragraphs and tables in their order, a table's row a line with tabs."""
    import docx

    return _written_in(docx.Document(str(path)))


def _written_in(document, bars: bool = False) -> str:
    """The document's text, its tables with `bars` or tabs.

    Word counts lists by itself, so that their numbers and letters stand in no text: they are written out where a list is
    lettered. A paragraph that is set apart by its type (as the right option of an exam can be) is signed for `exam_in`.
    """
    from docx.table import Table

    from data_prep.documents.word_text import blocks_of, lines_of, said_in

    lists, parts = _Lists(document), []
    for block in blocks_of(document.element.body, document._body):
        if isinstance(block, Table):
            parts.append(lines_of(block, bars))
        elif said := said_in(block):
            parts.append((SIGN if _set_apart(block) else "") + lists.mark(block) + said)
    return "\n\n".join(filter(None, parts))


def _set_apart(paragraph) -> bool:
    """Whether all that is written in a paragraph is bold, underlined, marked or coloured, one of them throughout."""
    runs = [run for run in paragraph.runs if run.text.strip(" \t.,;:)(")]
    ways = (
        lambda run: run.bold,
        lambda run: run.underline,
        lambda run: run.font.highlight_color is not None,
        lambda run: run.font.color is not None and run.font.color.rgb is not None and str(run.font.color.rgb) != "000000",
    )
    return bool(runs) and any(all(way(run) for run in runs) for way in ways)


class _Lists:
    """The numbers and letters that Word gives to a document's lists, where one of them is lettered."""

    def __init__(self, document):
        from docx.oxml.ns import qn

        self.qn, self.counts, self.levels = qn, {}, {}
        root = next((r.target_part for r in document.part.rels.values() if r.reltype.endswith("/numbering")), None)
        if root is None:
            return
        numbering = root.element
        abstract = {a.get(qn("w:abstractNumId")): a for a in numbering.findall(qn("w:abstractNum"))}
        for num in numbering.findall(qn("w:num")):
            kind = abstract.get(num.find(qn("w:abstractNumId")).get(qn("w:val")))
            for level in () if kind is None else kind.findall(qn("w:lvl")):
                shape = level.find(qn("w:numFmt"))
                self.levels[num.get(qn("w:numId")), level.get(qn("w:ilvl"))] = None if shape is None else shape.get(qn("w:val"))
        used = {self._place(p) for p in document.paragraphs}
        if not any(str(self.levels.get(place)).endswith("Letter") for place in used):
            self.levels = {}

    def _place(self, paragraph) -> tuple[str, str] | None:
        style = paragraph.style.element.pPr if paragraph.style is not None else None
        for properties in (paragraph._p.pPr, style):
            number = None if properties is None else properties.find(self.qn("w:numPr"))
            if number is not None and (of := number.find(self.qn("w:numId"))) is not None:
                level = number.find(self.qn("w:ilvl"))
                return of.get(self.qn("w:val")), "0" if level is None else level.get(self.qn("w:val"))
        return None

    def mark(self, paragraph) -> str:
        """`3. ` or `b) ` of a paragraph of a list; a level begins anew below each paragraph of a higher one."""
        place = self._place(paragraph) if self.levels else None
        kind = self.levels.get(place)
        if kind is None or kind == "bullet":
            return ""
        number = self.counts[place] = self.counts.get(place, 0) + 1
        for other in [o for o in self.counts if o[0] == place[0] and o[1] > place[1]]:
            del self.counts[other]
        if not kind.endswith("Letter"):
            return f"{number}. "
        letter = LETTERS[number - 1 : number] or "?"
        return f"{letter.lower() if kind.startswith('lower') else letter}) "
