"""Sheets of a workbook (XLSX): a table below its titles, merged cells, formulas whose values are not there."""

import itertools
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from data_prep.common.errors import UserError
from data_prep.tables.records import LOOKED_AT, Bad, begin_of, header_row, names_again

MERGED = re.compile(rb'<mergeCell ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
FORMULA = re.compile(rb"<c ([^>]*)><f(?: [^>]*)?(?:/>|>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>")
STRICT = b"http://purl.oclc.org/ooxml/"  # the names of a format that openpyxl finds nothing in
PIECE, OVERLAP = 2**22, 2**16


class Written(NamedTuple):
    """What a sheet's XML says besides its values."""

    merged: dict[int, dict[int, int]]  # column (from 0) -> first row -> last row, of cells that are merged downwards
    formulas: list[str]  # cells that hold a formula and no value


def sheets_of(path: Path) -> list[str]:
    """Names of a workbook's sheets."""
    import openpyxl

    with zipfile.ZipFile(path) as archive:
        if "xl/workbook.xml" in archive.namelist() and STRICT in archive.read("xl/workbook.xml"):
            raise ValueError("it is a workbook in Strict Open XML: save it as a usual .xlsx")
    book = openpyxl.load_workbook(path, read_only=True)
    names = [sheet.title for sheet in book.worksheets]
    book.close()
    return names


def _written(path: Path, part: str) -> Written:
    from openpyxl.utils import column_index_from_string

    found, carried = Written({}, []), b""
    with zipfile.ZipFile(path) as archive, archive.open(part) as file:
        while piece := file.read(PIECE):
            text = carried + piece
            for first, top, last, bottom in MERGED.findall(text):
                if first == last:
                    found.merged.setdefault(column_index_from_string(first.decode()) - 1, {})[int(top)] = int(bottom)
            cells = (hit[1] for hit in FORMULA.finditer(text) if b't="str"' not in hit[1])  # an empty text is a value
            found.formulas.extend(
                cell for c in cells if (cell := re.search(rb'r="(\w+)"', c)[1].decode()) not in found.formulas[-9:]
            )
            carried = text[-OVERLAP:]
    return found


def _filled_down(rows, merged: dict[int, dict[int, int]]):
    """(number, cells) of rows; a cell that is merged with those below stands in each of them."""
    held: dict[int, tuple] = {}
    for number, cells in rows:
        cells = list(cells)
        for column, spans in merged.items():
            if column < len(cells):
                if number in spans:
                    held[column] = (cells[column], spans[number])
                elif column in held and number <= held[column][1] and cells[column] is None:
                    cells[column] = held[column][0]
        yield number, cells


def xlsx_sheet(path: Path, shown: str, sheet: str):
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    written = _written(path, book[sheet]._worksheet_path)
    if written.formulas:
        raise UserError(
            f"{shown}: {', '.join(written.formulas[:4])} hold formulas whose values the file does not hold; open it in Excel "
            "or LibreOffice and save it"
        )
    rows = _filled_down(enumerate(book[sheet].iter_rows(values_only=True), 1), written.merged)
    before = list(itertools.islice(rows, LOOKED_AT))
    if not before:
        return
    at = header_row([cells for _, cells in before])
    last = max((spans.get(before[at][0], 0) for spans in written.merged.values()), default=0)
    at = next((i for i, (number, _) in enumerate(before) if number == last), at)  # a header of two lines: the lower one
    at, header = begin_of(before, shown, at)
    while (
        header and header[-1].startswith("_column") and all(len(c) < len(header) or c[len(header) - 1] is None for _, c in before)
    ):
        header.pop()
    for n, (number, cells) in enumerate(itertools.chain(before[at + 1 :], rows)):
        if all(c is None for c in cells):
            continue
        if why := names_again(header, cells, n == 0):
            yield number, Bad(why, str(cells)), 0
            continue
        beyond = {f"_column{i}": c for i, c in enumerate(cells[len(header) :], len(header) + 1) if c is not None}
        yield number, {k: "" if c is None else c for k, c in zip(header, cells, strict=False)} | beyond, 0
