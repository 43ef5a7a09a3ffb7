"""Rows inside rows: a list of questions or of answers in a record, a question that is an object; one row for each."""

import re

from data_prep.shapes.columns import Column, objects_in, of_texts
from data_prep.shapes.reading import Reading
from data_prep.shapes.spelling import respelt, slip_of, without_quotes
from data_prep.values.strict import from_literal, is_missing
from data_prep.values.turns import TEXT_KEYS, is_turns
from data_prep.words.names import ENDINGS, LANGUAGES, bare_name, plain, words_of
from data_prep.words.phrases import meanings


def exploded(rows: list[dict], column: str, pairs: dict[str, str] | None = None) -> list[dict]:
    """A row for each item of the column's list, or for each pair; an item that is an object gives its own columns."""
    return [part for raw in rows for part in explode_row(raw, column, pairs)] if column or pairs else rows


def explode_row(raw: dict, column: str, pairs: dict[str, str] | None = None) -> list[dict]:
    """A row for each item of the column's list, or for each pair of columns; without any the row itself, so that it is counted
    and its reason listed."""
    if pairs:
        rest = {k: v for k, v in raw.items() if k not in pairs and k not in pairs.values()}
        found = [{"question": raw.get(q), "answer": raw.get(a)} for q, a in pairs.items()]
        return [rest | pair for pair in found if not all(map(is_missing, pair.values()))] or [raw]
    items = from_literal(raw.get(column)) if column else None
    items = [items] if isinstance(items, dict) else items
    if not isinstance(items, list) or not items:
        return [raw]
    rest = {k: v for k, v in raw.items() if k != column}
    return [{**rest, **item} if isinstance(item, dict) else {**rest, column: item} for item in items]


def rows_of(raw: dict, reading: Reading) -> list[dict]:
    """A record as the rows that a reading makes of it: one for each item of its list, names in the reading's spelling."""
    raw = without_quotes(raw, reading.quoted) if reading.quoted else raw
    columns, rows = reading.columns, explode_row(raw, reading.explode, reading.pairs)
    late = set().union(*rows) - columns
    if not late:
        return rows
    known = {bare_name(c): c for c in columns if bare_name(c)}
    usual = {n: known[bare_name(n)] for n in late if bare_name(n) in known}
    usual |= {n: slip for n in late - usual.keys() if (slip := slip_of(n, columns)) and all(_is_list(r, n, slip) for r in rows)}
    return [respelt(row, usual) for row in rows]


def _is_list(row: dict, *names: str) -> bool:
    """Whether what a row has under these names is a list."""
    return all(isinstance(row[n], list) for n in names if not is_missing(row.get(n)))


def side_by_side(columns: dict[str, Column]) -> dict[str, str]:
    """Columns of questions with their answers, several in a row (`Dose_Question`, `Dose_Answer`); {} where they are not all so.

    Numbered ones are: whether the second question goes on with the first is not told (`numbered`).
    """
    sides: dict[tuple, dict[str, str]] = {}
    for name in columns:
        words = words_of(re.sub(r"(\d+)", r" \1 ", str(name)))
        side = [(i, s) for i, w in enumerate(words) for s in ("question", "answer") if w in SIDES_OF_PAIRS[s]]
        if len(side) == 1:
            [(i, asks)] = side
            sides.setdefault(tuple(words[:i] + words[i + 1 :]), {})[asks] = name
    whole = [pair for stem, pair in sides.items() if len(pair) == 2 and stem and not set(stem) & OTHER_THAN_A_STEM]
    texts = all(columns[c].kind == "text" and columns[pair["question"]].length >= 5 for pair in whole for c in pair.values())
    return {pair["question"]: pair["answer"] for pair in whole} if len(whole) == len(sides) > 1 and texts else {}


SIDES_OF_PAIRS = {"question": set("question pergunta pregunta".split()), "answer": set("answer resposta respuesta".split())}
OTHER_THAN_A_STEM = {*ENDINGS, *LANGUAGES, "original", "translated", "type", "id", "length", "good", "bad", "chosen", "rejected"}


def numbered(pairs: dict[str, str]) -> bool:
    return any(re.search(r"\d", name) for name in pairs)


def intents(columns: dict[str, Column]) -> dict[str, str]:
    """A chatbot's intents by our names, {"text": patterns, "label": tag, "answer": responses}; {} for other files."""
    spelt = {plain(c): c for c in columns}
    found = {our: next((spelt[n] for n in names.split() if n in spelt), "") for our, names in INTENTS.items()}
    if not all(found.values()):
        return {}
    listed, told = (columns[found[n]] for n in ("text", "answer"))
    texts = [c.kind == "list" and all(map(of_texts, c.values)) for c in (listed, told)]
    return found if texts[0] and (texts[1] or told.kind == "text") else {}


INTENTS = {
    "text": "patterns examples padroes exemplos patrones ejemplos userqueries queries utterances questions questionvariants "
    "variants perguntas preguntas variacoes",
    "label": "tag tags intent intencao intencion",
    "answer": "responses respostas respuestas response answer resposta respuesta",
}


def one_answer_each(columns: dict[str, Column]) -> dict[str, dict[str, str]]:
    """The patterns of a chatbot's intents -> their fields, where every intent has one answer; else {}."""
    found = intents(columns)
    told = columns[found["answer"]] if found else None
    if told is None or (told.kind == "list" and not all(len(from_literal(v)) == 1 for v in told.values)):
        return {}
    return {found["text"]: {"question": found["text"], "answer": found["answer"], "topic": found["label"]}}


def question_parts(columns: dict[str, Column]) -> dict[str, str]:
    """Fields for a question that is an object with its options, as ARC's are (`question: {stem, choices}`); {} where none is."""
    for column in columns.values():
        if column.kind == "object" and "question" in meanings(column.name):
            keys = dict.fromkeys(key for inside in objects_in(column.values) for key in inside)
            found = {n: f"{column.name}.{key}" for n in ("question", "options") for key in keys if n in meanings(key)}
            if len(found) == 2:
                return found
    return {}


def marked_answers(columns: dict[str, Column]) -> dict[str, dict[str, str]]:
    """A column that lists answers to the row's prompt, each a text with its mark -> the field for that text; {} where none."""
    found = {}
    for column in columns.values() if any({"question", "prompt"} & set(meanings(c)) for c in columns) else ():
        items = items_of(column)
        if "completion" not in meanings(column.name) or not all(isinstance(i, dict) for i in items):
            continue
        marks = {key for i in items for key in i if "score" in meanings(key)}
        text = next((key for key in TEXT_KEYS if items and all(isinstance(i.get(key), str) for i in items)), "")
        if len(marks) == 1 and text:
            found[column.name] = {"completion": text}
    return found if len(found) == 1 else {}


def nested_rows(columns: dict[str, Column]) -> str:
    """A column that holds lists of questions with their answers, or one as an object; "" for none, or where rows are such."""
    if any("question" in meanings(c) and columns[c].kind == "text" for c in columns):
        return ""
    found = []
    for column in columns.values():
        if {"conversations", "messages", "dialogue", "history"} & set(meanings(column.name)):
            continue  # a question there goes on with the answer before it
        items = items_of(column)
        if column.kind == "object" and "question" not in meanings(column.name):  # the whole row lies in it
            items = objects_in(column.values[:50])
        if items and all(isinstance(i, dict) for i in items) and not any(is_turns([i]) for i in items[:20]):
            names = {name for i in items for key in i for name in meanings(key)}
            if texts_that_ask(column):
                names.add("question")
            if "question" in names and {"answer", "options"} & names:
                found.append(column.name)
    return found[0] if len(found) == 1 else ""


def texts_that_ask(column: Column) -> dict[str, str]:
    """The field that asks in a list of questions whose objects call it a text, `questions: [{text, answers}]`; {} in others."""
    items = [i for i in items_of(column) if isinstance(i, dict)]
    called = dict.fromkeys(key for i in items for key in i if {"text", "prompt"} & set(meanings(key)))
    asks = "question" in meanings(column.name) and not any("question" in meanings(key) for i in items for key in i)
    return {"question": next(iter(called))} if asks and len(called) == 1 else {}


def items_of(column: Column) -> list:
    """What the first lists of a column hold."""
    return [item for v in column.values[:50] if isinstance(inside := from_literal(v), list) for item in inside]
