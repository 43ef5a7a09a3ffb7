"""Fields that names give only together: `front` and `back`, `user_content` and `assistant_content`, symptoms and a disease."""

import re

from data_prep.shapes.columns import Column, of_texts, share
from data_prep.shapes.fitting import candidates
from data_prep.shapes.rules import STRONG_LABELS
from data_prep.shapes.unused import sorts
from data_prep.tables.turn_rows import CONVERSATION
from data_prep.words.names import (
    CLASSES,
    CORRECT,
    IDS,
    MEANINGS,
    SENT_TO,
    SENTENCES,
    SYMPTOMS,
    TERMS,
    TOGETHER,
    is_telling,
    plain,
    words_of,
)
from data_prep.words.phrases import asks, meanings, of_phrase
from data_prep.words.said import side_named

OTHERS = (
    "answer",
    "output",
    "completion",
    "chosen",
    "rejected",
    "instruction",
    "history",
    "options",
    "conversations",
    "messages",
)


def named_together(columns: dict[str, Column]) -> dict[str, str]:
    """The fields that columns give together where none alone says them; {} where they do not, or say them twice."""
    return _pair(columns) or _topic(columns) or _sides(columns) or _sorted(columns)


def _pair(columns: dict[str, Column]) -> dict[str, str]:
    """Question and answer under one of the pairs of names that say so together, where nothing else is called either."""
    spelt = {plain(c): c for c in columns}
    both = [pair for pair in TOGETHER if set(pair) <= spelt.keys()] or _meanings_of_terms(columns, spelt)
    called = {c for name in ("question", "answer") for c in candidates(name, columns)}
    if len(both) == 1 and not called - {spelt[name] for name in both[0]}:
        return {"question": spelt[both[0][0]], "answer": spelt[both[0][1]]}
    if {"f", "b"} <= spelt.keys() and share(columns[spelt["f"]].values, asks) >= 0.8:  # front and back
        return {"question": spelt["f"], "answer": spelt["b"]} if _is_prose(columns[spelt["b"]], 1) else {}
    if "_value" in columns and set(columns) == {"_key", "_value"} and share(columns["_key"].values, asks) >= 0.8:
        return {"question": "_key", "answer": "_value"} if _is_prose(columns["_value"], 3) else {}
    return {}


def _meanings_of_terms(columns: dict[str, Column], spelt: dict[str, str]) -> list[tuple[str, str]]:
    """The pair of names of a glossary whose meanings say their language (`turkishMeaning`), where it has them in one."""
    terms = [name for name in spelt if name in TERMS]
    told = [plain(c) for c in columns if set(words_of(c)) & MEANINGS and columns[c].kind == "text"]
    return [(terms[0], told[0])] if len(terms) == len(told) == 1 and len(words_of(spelt[told[0]])) <= 2 else []


def _topic(columns: dict[str, Column]) -> dict[str, str]:
    """TREC's topics: the description is the question that the query's keywords stand for."""
    spelt = {plain(c): c for c in columns}
    if not {"query", "description", "answer"} <= spelt.keys():
        return {}
    query, description = (columns[spelt[name]] for name in ("query", "description"))
    in_full = share(description.values, asks) >= 0.95 and share(query.values, asks) <= 0.05
    names = ("text", "label") if columns[spelt["answer"]].sorts_by_truth else ("question", "answer")
    return dict(zip(names, (description.name, spelt["answer"]), strict=True)) if in_full else {}


def _sides(columns: dict[str, Column]) -> dict[str, str]:
    """What the user's side says and what the other answers, each in the one column that is called so, both of them prose."""
    sides = {name: side for name in columns if (side := side_named(name))}
    called = {c for name in OTHERS for c in candidates(name, columns)} - {c for c in sides if "answer" in of_phrase(c)}
    if called or any(_of_conversations(c) for c in columns.values()):
        return {}
    asked = (
        [c for c, side in sides.items() if side == "human"] or candidates("question", columns) or candidates("prompt", columns)
    )
    told, system = ([c for c, side in sides.items() if side == kind] for kind in ("gpt", "system"))
    if len(asked) != 1 or len(told) != 1 or len(system) > 1 or not all(_is_prose(columns[c]) for c in (*asked, *told)):
        return {}
    return {"question": asked[0], "answer": told[0]} | ({"system": system[0]} if system else {})


def _of_conversations(column: Column) -> bool:
    """Whether a column names conversations and comes again: its rows go on with one another."""
    return bool(CONVERSATION.fullmatch(plain(column.name))) and column.distinct < column.looked_at


def _is_prose(column: Column, words: int = 0) -> bool:
    """Whether a column holds texts that differ. What is called `doctor` alone can hold names: its texts must be longer."""
    least = words or (5 if len(words_of(column.name)) == 1 else 2)
    long = share(
        column.values, lambda v: len(str(v).split()) >= least or len(re.findall(r"[\u3040-\u9fff]", str(v))) >= 2 * least
    )
    return column.kind == "text" and long >= 0.6 and column.distinct >= column.looked_at / 2


WRONG = (
    "incorrect",
    "incorret",
    "wrong",
    "errad",
    "errat",
    "sbagliat",
    "falsch",
    "distractor",
    "distrator",
)  # so such words begin
RIGHTLY = set(map(plain, f"correct correcta correcto correta correto certa certo right {CORRECT}".split()))
REST = set("altre otras outras other autres andere".split())
SEVERAL = set(
    "risposte respuestas respostas answers options opzioni opciones opcoes reponses antworten alternativas choices".split()
)


def wrong_options(columns: dict[str, Column], right: str = "") -> tuple[list[str], str]:
    """(columns of wrong options: one of lists, or several of a text each; the column of the right one); ([], "") for none."""
    called = [c for c in columns.values() if _says_wrong(words_of(c.name))]
    lists, texts = ([c.name for c in called if c.kind in kinds] for kinds in (("list",), ("text", "number")))
    wrong = lists if len(lists) == 1 and not texts else texts if len(texts) > 1 and not lists else []
    others = {name: c for name, c in columns.items() if name not in wrong}
    right = right or next(iter(candidates("answer", others)), "") or _called_right(others)
    one = others.get(right)
    if not wrong or not one or one.kind not in ("text", "number") or one.length > 200:  # an essay is no option
        return [], ""
    if share(one.values, lambda v: re.fullmatch(r"\s*\(?[A-Ja-j]\)?\s*", str(v))) >= 0.5:  # it names one that stands elsewhere
        return [], ""
    same = lists or all(columns[c].kind == one.kind for c in wrong)  # `wrong_count` is a number beside a text
    return (wrong, right) if same else ([], "")


def _called_right(columns: dict[str, Column]) -> str:
    """The column that is called right (`correcta`), as a mark is where no wrong ones stand beside it; "" for none."""
    return next((c.name for c in columns.values() if plain(c.name) in RIGHTLY and c.kind in ("text", "number")), "")


def _says_wrong(words: list[str]) -> bool:
    words = list(map(plain, words))
    return any(word.startswith(WRONG) for word in words) or bool(REST & set(words) and SEVERAL & set(words))


def _numbers_rows(column: Column) -> bool:
    """Whether a column only says which row this is, or whose: `id`, `note_id` and `patient_id` of codes without a space."""
    coded = words_of(column.name)[-1:] in (["id"], ["uuid"]) and share(column.values, lambda v: len(str(v).split()) == 1) == 1
    return bool(IDS.match(plain(column.name))) or coded


def _of_symptoms(name) -> bool:
    """Whether a column is called symptoms or complaints, all of them perhaps."""
    return plain(name) in SYMPTOMS or (len(words := words_of(name)) == 2 and words[0] in ALL and words[1] in SYMPTOMS)


ALL = set("all todos todas tous tutti".split())


def _says_of_it(column: Column) -> bool:
    """Whether a column says something of a text beside its class: the entities or slots that stand in it."""
    listed = column.kind in ("list", "object", "mixed") and not _of_symptoms(column.name)
    return listed and not is_telling(column.name) and not meanings(column.name)


def _sorted(columns: dict[str, Column]) -> dict[str, str]:
    """A text and the few classes that it is sorted into, where a file holds these two columns alone and both are called so."""
    columns = {name: c for name, c in columns.items() if not _numbers_rows(c) and c.kind != "empty" and not _says_of_it(c)}
    texts = [n for n in columns if _of_symptoms(n) or plain(n) in SENTENCES or {"text", "question"} & set(meanings(n))]
    if not texts and (labels := [n for n in columns if plain(n) in STRONG_LABELS]):  # a tweet, a comment, a note beside its label
        texts = [n for n in columns if n not in labels and not meanings(n) and columns[n].length >= 20]
    if len(columns) != 2 or len(texts) != 1:
        return {}
    label = next(name for name in columns if name not in texts)
    symptoms = _of_symptoms(texts[0])
    called = plain(label) in CLASSES | STRONG_LABELS or (symptoms and ("label" in meanings(label) or plain(label) == "code"))
    sent_to = symptoms and plain(label) in SENT_TO  # of any other text it may be the topic alone
    listed = columns[texts[0]].kind == "list" and share(columns[texts[0]].values, of_texts) >= 0.95
    fits = (columns[texts[0]].kind == "text" or (symptoms and listed)) and sorts(columns[label], topics=sent_to)
    return {"text": texts[0], "label": label} if (called or sent_to) and fits else {}
