"""Rows that a page's script holds, which the page shows one at a time: a quiz or cards for the browser."""

import collections
import json
import re

from data_prep.common.errors import UserError

BEGIN, END = re.compile(r"<script\b([^<>]{0,500})>", re.I), re.compile(r"</script", re.I)
OTHER = re.compile(r"\btype\s*=\s*[\"']?(?!module|text/javascript|application/javascript)", re.I)  # linked data, templates
LIST = re.compile(r"[=:(]\s*(?=\[\s*\{)")
OBJECT = re.compile(r"\{\s*[\"']?(\w+)[\"']?\s*:\s*(?=[\"'`\d\[])")
FEWEST = 20  # objects of one kind: fewer are settings of the page


def rows_in_scripts(page: str, shown: str, visible: int) -> list[tuple[int, dict]]:
    """(line, row) of the JSON lists in a page's scripts, where they outweigh the `visible` characters; [] where none does.

    Raises UserError where what outweighs the page is no JSON.
    """
    scripts = _scripts(page)
    found: list[tuple[int, dict]] = []
    size = 0
    for begin, code in scripts:
        at = 0
        while hit := LIST.search(code, at):
            rows, at = _list_at(code, hit.end())
            if rows:
                found += [(page.count("\n", 0, begin + hit.end()) + 1, row) for row in rows]
                size += at - hit.end()
    if found and len(found) >= FEWEST and size > visible:
        return found
    for begin, code in scripts:
        first, many = next(iter(collections.Counter(OBJECT.findall(code)).most_common(1)), ("", 0))
        if many >= FEWEST and len(code) > 2 * visible:
            raise UserError(
                f"{shown}:{page.count(chr(10), 0, begin) + 1}: its script holds {many} objects that begin with {first!r}, more "
                "than the page shows, and no JSON; save them as JSON. Where the page's own text is meant, save it as .txt"
            )
    return []


def _scripts(page: str) -> list[tuple[int, str]]:
    """(place, code) of each script that a browser runs."""
    found, at = [], 0
    while (begin := BEGIN.search(page, at)) and (end := END.search(page, begin.end())):
        at = end.end()
        if not OTHER.search(begin[1]):
            found.append((begin.end(), page[begin.end() : end.start()]))
    return found


def _list_at(code: str, at: int) -> tuple[list[dict], int]:
    """The objects of the JSON list that begins there, and where to look on."""
    try:
        rows, end = json.JSONDecoder().raw_decode(code, at)
    except (ValueError, RecursionError):
        return [], at + 1
    return (rows, end) if all(isinstance(row, dict) for row in rows) else ([], end)
