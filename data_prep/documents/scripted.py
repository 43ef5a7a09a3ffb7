"""Rows that a page's script holds, which the page shows one at a time: a quiz or cards for the browser."""

import collections
import json
import re

from data_prep.common.errors import UserError
from data_prep.documents.script_literals import literal_at
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
    scripts = scripts_of(page)
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
            written = [(begin + at, row) for at, rows in _literal_lists(code) for row in rows]
            if len(written) >= asked:  # none that the script puts together otherwise
                return written
            line = page.count("\n", 0, begin) + 1
            raise UserError(
                f"{shown}:{line}: its script holds {asked} questions, more than the page shows, in a form that is no list of "
                "literals of one form; save them as JSON. Where the page's own text is meant, save it as .txt"
            )
    return []


def scripts_of(page: str) -> list[tuple[int, str]]:
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


def _literal_lists(code: str) -> list[tuple[int, list[dict]]]:
    """(place, objects) of the lists of questions with their answers that a script writes out; [] where their forms differ."""
    found, at = [], 0
    while hit := LIST.search(code, at):
        try:
            rows, at = literal_at(code, hit.end())
        except (ValueError, RecursionError):
            at = hit.end() + 1
            continue
        if all(isinstance(row, dict) and _asks(row) for row in rows):
            found.append((hit.end(), rows))
    shared = set.intersection(*(set(row) for _, rows in found for row in rows)) if found else set()
    return found if len(shared) >= 2 else []


def _asks(row: dict) -> bool:
    """Whether an object asks and says its answer or options; a text beside a mark is an option."""
    names = {name for key in row for name in meanings(key)}
    if "question" in names:
        return bool({"answer", "options"} & names)
    told = any(plain(key) in ANSWERS and isinstance(value, str) for key, value in row.items())
    return "text" in names and ("options" in names or told)


def _most(counts: collections.Counter, fits) -> int:
    """How often the commonest key of those that fit stands there."""
    return max((n for key, n in counts.items() if fits(key)), default=0)
