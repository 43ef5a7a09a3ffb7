"""What a Word document says, in its order: paragraphs and tables, those in content controls, insertions and text boxes too.

python-docx gives the paragraphs and tables that stand in the body itself, and of a paragraph the runs alone.
"""

from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph

HOLDERS = {qn(f"w:{name}") for name in ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml")}
SKIPPED = {qn("w:del"), qn("w:moveFrom"), qn("w:pPr"), qn("w:rPr")}
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # the same once more, for old programs
BOX, PARAGRAPH, TABLE = qn("w:txbxContent"), qn("w:p"), qn("w:tbl")
SIGNS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
GALLERY, CONTENTS = qn("w:docPartGallery"), "Table of Contents"


def blocks_of(holder, parent):
    """The paragraphs and tables of a body, a cell or a text box, in their order; no table of contents, which has titles twice."""
    for node in holder:
        if node.tag == PARAGRAPH:
            yield Paragraph(node, parent)
            for box in _boxes(node):
                yield from blocks_of(box, parent)
        elif node.tag == TABLE:
            yield Table(node, parent)
        elif node.tag in HOLDERS and not any(g.get(qn("w:val")) == CONTENTS for g in node.iter(GALLERY)):
            yield from blocks_of(node, parent)


def said_in(paragraph: Paragraph) -> str:
    """The text of a paragraph, with what was inserted and without what was struck out or stands in a box beside it."""
    return "".join(_said(paragraph._p)).strip()


def _said(node):
    for child in node:
        if child.tag == qn("w:t"):
            yield child.text or ""
        elif child.tag in SIGNS:
            yield SIGNS[child.tag]
        elif child.tag not in SKIPPED and child.tag not in (FALLBACK, BOX):
            yield from _said(child)


def _boxes(node):
    """The text boxes of a paragraph, each once."""
    for child in node:
        if child.tag == BOX:
            yield child
        elif child.tag != FALLBACK:
            yield from _boxes(child)


MOST_IN_ROW, MOST_LINES = 600, 6  # characters and paragraphs of a cell: more is a page that a table lays out
ENDS = (".", ";", ":", ",", "?", "!")


def lines_of(table: Table, bars: bool = False) -> str:
    """A table, a row a line, its cells set apart by tabs. A cell that spans several places is said at the first of them.

    With `bars`, as a running text shows it: bars between cells, and the paragraphs of a cell behind one another.
    """
    seen, lines = set(), []
    for row in table.rows:
        cells = []
        for cell in row.cells:
            cells.append("" if cell._tc in seen else _of_cell(cell))
            seen.add(cell._tc)
        lines.append(_barred(cells) if bars else "\t".join(cells).rstrip("\t"))
    return "\n".join(line for line in lines if line)


def _of_cell(cell) -> str:
    return "\n".join(filter(None, (lines_of(b) if isinstance(b, Table) else said_in(b) for b in blocks_of(cell._tc, cell))))


def _barred(cells: list[str]) -> str:
    """The cells of a row between bars; what is alone in its row, or longer than a cell of a table, stays as it is written."""
    said = [cell.strip() for cell in cells if cell.strip()]
    if len(said) < 2 or any(len(cell) > MOST_IN_ROW or cell.count("\n") >= MOST_LINES for cell in said):
        return "\n".join(said)
    rows = [[" ".join(line.split()) for line in cell.split("\n") if line.strip()] for cell in cells]
    closed = [" ".join(line if line.endswith(ENDS) or line is lines[-1] else f"{line};" for line in lines) for lines in rows]
    while closed and not closed[-1]:
        closed.pop()
    return " | ".join(closed)
