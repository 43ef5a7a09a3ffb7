"""One strict reader of values: texts, numbers, marks. What it does not know raises Unreadable with a true reason."""

import ast
import json
import math
import re
from collections.abc import Iterator

from data_prep.common.once import RepeatedName, load_json
from data_prep.words.said import MARKS, MISSING


class Unreadable(ValueError):
    """Why a raw row cannot become a row. What differs from row to row stands in single quotes at the end."""


def is_missing(value) -> bool:
    """None, NaN, an empty cell and the words that libraries write for them."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    if isinstance(value, str):  # no such word is long, and most texts are
        return value.isspace() if len(value) > 40 else value.strip().casefold() in MISSING
    return value in ([], {})


def number_text(value: int | float) -> str:
    """A number as people write it: 5.0 is 5."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def is_count(text: str) -> bool:
    """Whether int() reads a text as a number of options or questions: it reads no "²", and no 5,000 digits."""
    return text.isdecimal() and len(text) < 10


def from_literal(value):
    """A list or an object that is written as text (JSON or Python), read; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not (text[:1] in "[{" and text[-1:] in "]}") or len(text) < 2:
        return value
    for load in (load_json, _python):
        try:
            found = load(text)
        except RepeatedName:
            return value  # which of two is meant is not told
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(found, list | dict):
            return found
    return value


def _python(text: str):
    """A Python literal. Raises RepeatedName for a dict with a key twice."""
    tree = ast.parse(text.lstrip(" \t"), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            names = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            if len(set(names)) < len(names):
                raise RepeatedName("a key stands twice in one dict")
    return ast.literal_eval(tree)


def unquoted(value):
    """A text that is written as a JSON string, with its quotes and escapes, read; anything else as it is."""
    if isinstance(value, str) and value[:1] == '"' and value[-1:] == '"' and len(value) > 1:
        try:
            found = json.loads(value)
        except ValueError:
            return value
        return found if isinstance(found, str) else value
    return value


def cell(raw: dict, column: str):
    """A row's value in a column, None where it has none. `a.b` is the part b of the object in a, unless a column is called so."""
    if column in raw or "." not in column:
        return raw.get(column)
    value = raw
    for part in column.split("."):
        value = from_literal(value)
        value = value.get(part) if isinstance(value, dict) else None
    return value


OF_A_PART = {"type", "from", "role", "id", "lang", "language", "format"}  # what is said of a text beside it
WRAPS = ("contexts", "text", "content", "value")  # of a text: PubMedQA's parquet, SQuAD's answers, parts of messages


def strings(value) -> Iterator[str]:
    """Every text of a value, those within its lists and objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from strings(inside)


def text_of(value, what: str = "text") -> str:
    """A text, a number or a list of these as text; "" where it is missing. Raises Unreadable for anything else."""
    if is_missing(value):
        return ""
    if isinstance(value, str):
        text = value.strip()
        inside = from_literal(text) if text.startswith("[") and re.match(r"\[\s*['\"]", text) else text
        return text if inside is text or not all(isinstance(v, str) for v in inside) else _joined(inside, what)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        return _joined(value, what)
    if isinstance(value, dict):
        for key in WRAPS:
            if key in value and not isinstance(value[key], dict) and not _beside(key, value):
                return text_of(value[key], what)
        raise Unreadable(f"{what} is an object, not a text: its names are '{', '.join(map(str, value))}'"[:200])
    raise Unreadable(f"{what} is of type {type(value).__name__}, not a text")


def _beside(key: str, value: dict) -> bool:
    """Whether an object's value has a name beside it (`{"label": "dose", "value": "5 mg"}`), which the value alone loses."""
    return key == "value" and any(isinstance(v, str) and name not in OF_A_PART for name, v in value.items() if name != key)


def _joined(values: list, what: str) -> str:
    texts = []
    for value in values:
        if isinstance(value, dict) and value.get("type", "text") not in ("text", "input_text", "output_text"):
            raise Unreadable(f"{what} holds a part that is no text: '{value.get('type')}'")
        if text := text_of(value, what):
            texts.append(text)
    short = len(texts) > 1 and all(len(t) < 60 and "\n" not in t and t[-1] not in ".?!" for t in texts)
    return (", " if short else "\n\n").join(texts)


def answer_text(value, what: str = "the answer") -> str:
    """`text_of` for an answer. A list of several is no answer: which of them is meant is not ours to say."""
    written, value = value, from_literal(value)
    if isinstance(written, str) and isinstance(value, dict) and not set(WRAPS) & set(value) and '"' in written:
        return written.strip()  # an answer that is to be JSON, as a report in fields is
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        value = value["text"][:1]  # SQuAD: several spans of one answer
    if isinstance(value, list):
        value = [v[1] if _span(v) else v for v in value]
        if any(isinstance(v, list) for v in value):
            raise Unreadable(f"{what} is a list of lists")
        texts = [t for t in (text_of(v, what) for v in value) if t]
        if len(dict.fromkeys(texts)) > 1:
            raise Unreadable(f"{what} is a list of several; --explode makes a row of each")
        return texts[0] if texts else ""
    return text_of(value, what)


def _span(value) -> bool:
    """[where it starts, the text]: an answer found in a passage."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], int) and isinstance(value[1], str)


TICKS = {"x", "✓", "✔", "✅", "☑", "☒"}


def is_ticked(value) -> bool:
    """Whether a cell marks what stands beside it: x, ✓, 1, true; not where it is empty, 0 or false. Raises Unreadable."""
    if is_missing(value) or str(value).strip() in ("-", "☐"):
        return False
    if str(value).strip().casefold() in TICKS:
        return True
    if (mark := mark_of(value)) not in (0, 1):
        raise Unreadable(f"the mark is neither 0 nor 1: '{value}'")
    return mark == 1


def mark_of(value) -> float:
    """A mark: a number, or a word for good or bad. Raises Unreadable."""
    if isinstance(value, bool | int | float) and not (isinstance(value, float) and math.isnan(value)):
        return float(value)
    word = "" if value is None else str(value).strip().casefold()
    if word in MARKS:
        return MARKS[word]
    try:
        number = float(word.replace(",", "."))
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise Unreadable("no mark" if is_missing(value) else f"the mark is no number, true or false: '{value}'")
    return number
