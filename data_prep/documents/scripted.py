"""Rows that a page's script holds, which the page shows one at a time: a quiz or cards for the browser."""

import collections
import json
import re

from data_prep.common.errors import UserError
from data_prep.words.names import plain
from data_prep.words.phrases import meanings

BEGIN, END = re.compile(r"<script\b([^<>]{0,500})>", re.I), re.compile(r"</script", re.I)
OTHER = re.compile(r"\btype\s*=\s*[\"']?(?!module|text/javascript|application/javascript)", re.I)  # linked data, templates
LIST = re.compile(r"([=:(])\s*(?=\[\s*\{)")
KEY = re.compile(r"[{,]\s*[\"']?([^\W\d]\w{0,30})[\"']?\s*:\s*(?=[\"'`])")
VALUE = re.compile(r"[{,]\s*[\"']?([^\W\d]\w{0,30})[\"']?\s*:\s*(?=[\"'`\d\[])")
ANSWERS = set("answer resposta respuesta risposta antwort reponse gabarito".split())  # beside which `text` asks
FEWEST, FEWEST_OTHERS = 20, 5  # objects of a list; questions of what is no JSON


def rows_in_scripts(page: str, shown: str, visible: int) -> list[tuple[int, dict]]:
    """(place, row) of the JSON lists in a page's scripts that outweigh its `visible` characters; [] where none does.

    Such a list has one form, and is a variable's value, or its objects have a question: a page's state holds lists of all kinds.
    Raises UserError where questions are there in a list that is no JSON.
    """
    scripts = _scripts(page)
    lists = [(begin + at, rows) for begin, code in scripts for at, rows in _lists(code, visible)]
    if lists:
        keys = list(lists[0][1][0])
        return [(at, row) for at, rows in lists if list(rows[0]) == keys for row in rows]
    for begin, code in scripts:
        texts, values = (collections.Counter(pattern.findall(code)) for pattern in (KEY, VALUE))
        asked = _most(texts, lambda key: "question" in meanings(key))
        told = _most(values, lambda key: {"answer", "options"} & set(meanings(key)))
        if _most(texts, lambda key: plain(key) in ANSWERS) >= FEWEST_OTHERS:
            asked = max(asked, _most(texts, lambda key: plain(key) in ("text", "texto")))
        if min(asked, told) >= FEWEST_OTHERS and len(code) > visible:
            line = page.count("\n", 0, begin) + 1
            raise UserError(
                f"{shown}:{line}: its script holds {asked} questions, more than the page shows, in a form that is no JSON; save "
                "them as JSON. Where the page's own text is meant, save it as .txt"
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


def _lists(code: str, visible: int):
    """(place, objects) of each JSON list of objects of one form that has more characters than the page shows."""
    at = 0
    while hit := LIST.search(code, at):
        try:
            rows, at = json.JSONDecoder().raw_decode(code, hit.end())
        except (ValueError, RecursionError):
            at = hit.end() + 1
            continue
        if len(rows) >= FEWEST and at - hit.end() > visible and all(isinstance(row, dict) for row in rows):
            forms = collections.Counter(tuple(row) for row in rows).most_common(1)
            asks = any("question" in meanings(key) for key in forms[0][0])
            if forms[0][1] >= 0.9 * len(rows) and (hit[1] != ":" or asks):
                yield hit.end(), rows


def _most(counts: collections.Counter, fits) -> int:
    """How often the commonest key of those that fit stands there."""
    return max((n for key, n in counts.items() if fits(key)), default=0)
