"""What is said of a file that fits no shape: what it can be by its names, lengths and lists, and the lines to paste."""

import re

from data_prep.shapes.columns import Column, share
from data_prep.shapes.fitting import candidates, fits, numbered_texts, option_columns
from data_prep.shapes.leftover import single_options
from data_prep.shapes.lines import MARKED_WORD
from data_prep.shapes.named import wrong_options
from data_prep.shapes.nested import items_of
from data_prep.shapes.pasting import pasted
from data_prep.shapes.reading import Reading, Wish, to_paste, yaml_line
from data_prep.shapes.rules import RULE_OF
from data_prep.shapes.unanswered import REASONS, compared, in_turn, may_sort, of_names, to_sort, within
from data_prep.shapes.unused import explains, is_case, is_round
from data_prep.words.names import IDS, RIGHT, is_telling, of_a_model, plain, without_language, words_of
from data_prep.words.phrases import meanings


def _is_id(name) -> bool:
    """Whether a column is called as ids are; one of a table without names is not."""
    return bool(IDS.match(plain(name))) and not str(name).startswith("_column")


def _are_codes(column: Column) -> bool:
    """Whether values are names of rows by their form, or of files, or times: no space, a number in it, each another or long."""
    codes = share(column.values, lambda v: bool(re.fullmatch(r"(?=\S*\d)[\x21-\x7e]{6,}", str(v))))
    links = share(column.values, lambda v: "://" in str(v))
    return codes >= 0.95 and (column.distinct == column.looked_at or (column.length >= 20 and links < 0.5))


def _by_lengths(columns: dict[str, Column]) -> tuple[str, dict[str, str]] | None:
    """What to suggest where no name says anything: the only column of long texts as text, with a label where there is but one."""
    long = [c.name for c in columns.values() if c.kind == "text" and c.length >= 100]
    others = [c for c in columns.values() if c.name not in long and not _is_id(c.name)]
    if len(long) != 1 or of_a_model(long[0]) or any(c.kind == "text" and c.length >= 30 for c in others):
        return None
    if len(others) == 1 and fits("label", others[0]) and 1 < others[0].distinct <= others[0].looked_at / 5:
        return "classification", {"text": long[0], "label": others[0].name}
    return "text", {"text": long[0]}


def _by_lot(lacking: list[str], free: list[Column]) -> dict[str, str]:
    """Columns to name in the lines for what no column is called like: the one that asks, then the longest; their order kept.

    The lines are to be mended; with a column's name in each place they say how, and run as they stand.
    """
    told_by_models = any(of_a_model(c.name) for c in free)
    free = [c for c in free if c.filled >= 0.2]  # what few rows have is none that all need
    free = [c for c in free if "prompt" not in words_of(c.name)] or free  # what a model was asked is no answer
    if "question" in lacking:  # and what it said asks nothing; what else there is does not answer what it was asked
        free = [] if told_by_models and "answer" in lacking else [c for c in free if not of_a_model(c.name)]
    asking = [c for c in free if share(c.values, lambda v: str(v).rstrip().endswith("?")) >= 0.5]
    if lacking == ["answer"] or (asking and lacking == ["question", "answer"]):  # a patient's case stands before what is asked
        free = [c for c in free if not is_case(c) or c in asking]
    longest = sorted(sorted(free, key=lambda c: -c.length)[: len(lacking)], key=free.index)
    if len(lacking) == 2 and len(free) > 2 and not asking:  # any two of them would be a guess
        return dict.fromkeys(lacking, "YOUR_FIELD")
    if "question" in lacking and asking and lacking[0] == "question":
        longest = [asking[0], *(c for c in longest if c is not asking[0])]
    return {name: c.name for name, c in zip(lacking, longest, strict=False)}


ANSWER_WORDS = {"answer", "answers", "response", "resposta", "respostas", "respuesta", "respuestas"}
SUMS_UP = {"summary", "summaries", "resumo", "resumos", "sumario", "resumen", "abstractive"}
KEYED = (
    "Its objects are texts under names (a glossary, say). Where a name asks and its text answers, or the texts are meant alone,"
)


def _likelier(columns: dict[str, Column], texts: list[str]) -> str:
    """What a file can be whose names say no shape: texts that are compared, a text and its summary, a question and its class."""
    if set(columns) == {"_key", "_value"}:
        keyed = pasted(Reading("qa", {"question": "_key", "answer": "_value"}))
        alone = pasted(Reading("text", {"text": "_value"}))
        if share(columns["_key"].values, lambda v: str(v).isdigit()) >= 0.95:
            return f"Its texts stand under running numbers. Paste:\n{alone}"
        return f"{KEYED} paste one:\n{keyed}\n       or\n{alone}"
    labels = [c.name for c in columns.values() if c.name not in texts or c.length <= 30]
    labels = [c for c in labels if not _is_id(c) and _sorts_few(columns[c]) and not is_round(columns[c])]
    long = [c for c in texts if c not in labels and columns[c].length > 20 and not explains(columns[c])]
    sums = [c for c in long if SUMS_UP & set(words_of(c))]
    others = sorted((c for c in long if c not in sums), key=lambda c: -columns[c].length)
    if len(sums) == 1 and others and all(columns[others[0]].length >= 2 * columns[c].length for c in others[1:]):
        whole = others[0]
        return (
            f"It seems that {sums[0]} sums up {whole}. As its answer that is learnt for any text: ask for a summary with "
            f"--system. Paste:\n{pasted(Reading('qa', {'question': whole, 'answer': sums[0]}))}"
        )
    if found := _of_an_evaluation(columns, texts):
        return found
    if len(labels) > 1 and len(long) == 2:  # of pairs of texts it is told whether they fit, beside who wrote them
        labels = [c for c in labels if columns[c].sorts_by_truth or {str(v) for v in columns[c].values} == {"0", "1"}]
    answered = any("question" in meanings(c) for c in long) and any(ANSWER_WORDS & set(words_of(c)) for c in long)
    if len(labels) != 1 or len(long) not in (1, 2) or answered:
        return ""
    *context, text = long
    lines = pasted(Reading("classification", {"text": text, "label": labels[0]}), [], {"context": context[0]} if context else {})
    if context:
        return f"It seems that {context[0]} and {text} together are sorted by {labels[0]}. Paste and mend:\n{lines}"
    return f"No column answers {text}; it can be sorted by {labels[0]}. Paste and mend:\n{lines}"


def _of_an_evaluation(columns: dict[str, Column], texts: list[str]) -> str:
    """What to paste where one text is called right, beside what a model said of the question; "" of other files."""
    right = [c for c in texts if {*RIGHT, "true"} & set(words_of(c)) and not of_a_model(c)]
    asked = [c for c in texts if {"question", "prompt"} & set(meanings(c))]
    told = [c for c in columns if of_a_model(c)]
    if len(right) != 1 or len(asked) != 1 or not told:
        return ""
    lines = pasted(Reading("qa", {"question": asked[0], "answer": right[0]}))
    return (
        f"{right[0]} seems to be the right answer to {asked[0]}, beside what a model said ({told[0]}). Paste and mend:\n{lines}"
    )


def _sorts_few(column: Column) -> bool:
    """Whether a column has few values, each of which comes again."""
    rows = len(column.values)
    return (
        column.kind in ("text", "bool", "number")
        and rows >= 20
        and 2 <= column.distinct
        and column.comes_again
        and column.length <= 60
    )


def _of_listed(columns: dict[str, Column], texts: list[str]) -> str:
    """What to mend where one column holds lists of texts, as options are, or objects with an answer each; "" of other files."""
    asked = [n for n in texts if "question" in meanings(n)]
    told = {c.name: key for c in columns.values() if c.kind == "list" and (key := _told_in(c))}
    if len(asked) == 1 and len(told) == 1:
        [(listed, answer)] = told.items()
        if keys := [c.name for c in columns.values() if c.name not in (*asked, listed) and _may_name_one(c)]:
            fields = {"question": asked[0], "options": listed, "answer": keys[0]}
            return (
                f"{listed} may list options, of which {keys[0]} names the right one; as answers the wrong ones would be learnt. "
                f"Give each its text under the name text, and paste:\n{pasted(Reading('mcq', fields))}"
            )
        more = [n for n in texts if n not in asked and columns[n].length >= 20]
        fields = {"question": asked[0], "answer": answer}
        said = [n for n in more if ANSWER_WORDS & set(words_of(n))]
        lines = pasted(Reading("qa", fields, explode=listed), said, {"context": more[0]} if len(more) == 1 and not said else {})
        if said:
            lines = f"{pasted(Reading('qa', {'question': asked[0], 'answer': said[0]}))}\n       or\n{lines}"
            return f"{said[0]} may answer {asked[0]}, and {listed} lists answers too. Paste one:\n{lines}"
        return f"{listed} lists answers to one question. For a row of each paste:\n{lines}"
    lists = [c.name for c in columns.values() if c.kind == "list" and fits("options", c)]
    asking = [n for n in texts if share(columns[n].values, lambda v: str(v).rstrip().endswith("?")) >= 0.3]
    if len(lists) != 1 or len(asking) != 1:
        return ""
    wrong, right = wrong_options(columns)
    if wrong == lists:
        lines = pasted(Reading("mcq", {"question": asking[0], "answer": right, "options": lists[0]}))
        mute = share(columns[asking[0]].values, lambda v: not set("?？:") & set(str(v)[-200:]))
        doubt = f"{mute:.0%} of the texts in {asking[0]} ask nothing, and would be learnt so. " if mute >= 0.02 else ""
        return f"{doubt}Where {right} is the right option and {lists[0]} holds the wrong ones alone, paste:\n{lines}\n{APART}"
    keys = [c.name for c in columns.values() if c.kind == "number" and 2 <= c.distinct <= 10 and c.length <= 2]
    fields = {"question": asking[0], "options": lists[0], "answer": keys[0] if len(keys) == 1 else "YOUR_FIELD"}
    return f"{lists[0]} holds lists, as options are. Paste, and say which column is the key:\n{pasted(Reading('mcq', fields))}"


APART = to_paste(yaml_line("answer_base", "apart"))


def _may_name_one(column: Column) -> bool:
    """Whether a column can be a key that names one of the things a list holds: called so, and a number or a letter."""
    called = is_telling(column.name) or (ANSWER_WORDS | RIGHT) & set(words_of(column.name))
    return bool(called) and column.kind in ("number", "text") and 0 < column.length <= 2


def _told_in(column: Column) -> str:
    """The name under which all objects of a column's lists have a text that is called an answer; "" where none or several are."""
    items = items_of(column)
    objects = [i for i in items if isinstance(i, dict)]
    if not items or len(objects) < len(items):
        return ""
    called = [k for k in objects[0] if "answer" in meanings(k) or ANSWER_WORDS & set(words_of(k))]
    whole = [k for k in called if all(isinstance(o.get(k), str) and o[k].strip() for o in objects)]
    return whole[0] if len(whole) == 1 else ""


def _nearest(columns: dict[str, Column], wish: Wish, options: bool) -> tuple[str, list[str], dict[str, str]]:
    """The shape that the columns' names come nearest to, the names that it needs, and the columns that are called so."""
    shape = wish.shape
    if shape == "auto":
        near = ("mcq", "qa", "classification", "text") if options else ("qa", "classification", "text")
        keyed = int(options) + bool(candidates("answer", columns))
        shape = max(near, key=lambda s: sum(bool(candidates(n[0], columns)) for n in RULE_OF[s].needs) + keyed * (s == "mcq"))
    needs = [names[0] for names in RULE_OF[shape].needs] + (["options", "answer"] if shape == "mcq" else [])
    fields = dict(wish.fields)
    for name in needs:
        if name not in fields and (called := candidates(name, columns)):
            fields[name] = called[0]
    if wish.shape == "auto" and not fields and (likely := _by_lengths(columns)):
        shape, fields = likely
        needs = list(fields)
    return shape, needs, fields


LONG_NAME = 60  # characters: a cell of a file without a line of names


def short(name: str) -> str:
    return name if len(name) <= LONG_NAME else f"{name[:LONG_NAME]}..."


def _quoted_whole(column: Column) -> bool:
    """Whether cells hold what would be two and more of them: `label,"a text, with a comma"`."""
    return share([column.name, *column.values], lambda v: bool(re.search(r'^[^"]+,"|","', str(v)))) >= 0.9


def _hint(columns: dict[str, Column], texts: list[str], options: bool) -> str:
    """What a file can be whose names say no shape, with the lines for it; "" where nothing tells."""
    if options:
        return in_turn(columns, texts, option_columns(columns) or numbered_texts(columns))
    ways = (_of_listed, compared, _likelier, of_names)
    return next((hint for way in ways if (hint := way(columns, texts))), "")


def _may_answer(column: Column) -> bool:
    """Whether a column can be what answers another: it neither asks nor is called so, sorts nothing, and gives no reasons."""
    asks = share(column.values, lambda v: str(v).rstrip().endswith("?")) >= 0.5
    asks = asks or "question" in meanings(without_language(column.name))
    again = column.length <= 60 and column.looked_at >= 20 and column.distinct <= column.looked_at / 2
    return not (asks or again or may_sort(column) or explains(column) or REASONS & set(words_of(column.name)))


def no_shape(columns: dict[str, Column], wish: Wish, shown: str) -> str:
    has = ", ".join(short(str(c)) for c in columns) or "none"
    none, auto = f"{shown}: no shape fits its fields ({has})", wish.shape == "auto"
    if auto and (broken := _broken(columns, none, shown)):
        return broken
    options = bool(option_columns(columns) or candidates("options", columns) or len(numbered_texts(columns)) >= 3)
    shape, needs, fields = _nearest(columns, wish, options)
    texts = [c.name for c in columns.values() if c.kind == "text" and not _is_id(c.name) and not _are_codes(c)]
    if auto and (hint := _hint(columns, texts, options)):
        return f"{none}. {hint}"
    lacking = [n for n in needs if n not in fields and not (n == "options" and options)]
    if shape != "mcq" or "answer" not in lacking:  # a key is not told by its length
        least = 10 if shape == "qa" else 0  # characters: a month is no question
        free = [columns[c] for c in texts if c not in fields.values() and columns[c].length >= least]
        if auto and shape == "qa":
            free = [c for c in free if not may_sort(c) and ("question" in lacking or _may_answer(c))]
        given = _by_lot(lacking, free)
        if auto and shape == "qa" and (hint := _unanswered(columns, fields, lacking, given)):
            return f"{none}{hint}"
        fields |= given
    named = {n: fields.get(n, "YOUR_FIELD") for n in needs if not (n == "options" and n not in fields and options)}
    lines = pasted(Reading(shape, named))
    if auto:
        return _told_of_auto(columns, texts, shape, none, shown, set(needs) - fields.keys(), lacking, lines)
    why = f"needs {', '.join(lacking)}" if lacking else "does not fit the values"
    if shape == "mcq" and not lacking:
        why = "finds no column whose values name the options"
        if {"options", "answer"} <= wish.fields.keys() and wish.base == "auto":
            right, wrong = wish.fields["answer"], wish.fields["options"]
            lines += f"\n       or, where {right} is the right option and {wrong} holds the wrong ones alone:\n{lines}\n{APART}"
    return f"{shown}: shape {shape} {why}; its fields: {has}. Paste and mend:\n{lines}"


def _broken(columns: dict[str, Column], none: str, shown: str) -> str:
    """What to say of rows that are single options, lines in quotes as a whole, cells in the place of names; "" of others."""
    if single := single_options(columns):
        return f"{none}: {single}."
    if len(columns) == 1 and _quoted_whole(*columns.values()):
        return f"{shown}: each of its lines stands in quotes as a whole, so that it has one column; take the outer quotes off."
    if any(len(str(c)) > LONG_NAME for c in columns):  # lines would make a cell the name of a field
        return f"{none}. Give it a line of names, where its first line is a row."
    return ""


def _unanswered(columns: dict[str, Column], fields: dict[str, str], lacking: list[str], given: dict[str, str]) -> str:
    """What to say of questions beside a key's letters alone, and of texts that nothing answers; "" of others."""
    if (key := columns.get(fields.get("answer", ""))) and 0 < key.length <= 2:
        why = f"{key.name} holds letters or numbers, as a key does, and no column holds the options; name them, or add them"
        return f": {why}."
    hint = ""
    if len(given) < len(lacking):
        hint = to_sort(columns) or within(columns)
    elif "YOUR_FIELD" in given.values():
        hint = to_sort(columns)
    return f". {hint}" if hint else ""


def _told_of_auto(
    columns, texts: list[str], shape: str, none: str, shown: str, without: set, lacking: list[str], lines: str
) -> str:
    """What is said of a file whose shape nobody named, with the lines that come nearest to it."""
    bare = " Give it a line of names, where its first line is a row." if any(str(c).endswith(".") for c in columns) else ""
    if shape == "mcq" and lacking == ["answer"]:
        bare += " They are questions with options, and no column holds the key; add one, or name it."
    if shape != "mcq" and len(texts) == len(columns) == 1:
        if share([texts[0], *map(str, columns[texts[0]].values)], MARKED_WORD.fullmatch) >= 0.9:
            return f"{shown}: it holds a word with its mark on each line, as marked entities stand: no shape here takes them."
        return f"{shown}: no shape fits its one field. Where it is text, paste:\n{pasted(Reading('text', {'text': texts[0]}))}"
    if shape != "mcq" and without:
        why = "no two of them hold texts, as questions and answers are; leave it out, or give --shape and --fields"
        if shape == "qa" and (said := [c for c in texts if of_a_model(c)]):
            why = f"no column is called an answer but those of models ({', '.join(said[:3])}); if one is right, give --fields"
            right = [c for c in columns if {*RIGHT, "references"} & set(words_of(c)) and not of_a_model(c)]
            if "question" in lacking and (told := [c for c in right if fits("answer", columns[c])]):
                why = f"no column holds what was asked, of which {told[0]} may be the answer; add one, or name it with --fields"
        return f"{none}: {why}.{bare}"
    if shape == "qa" and (rounds := [c.name for c in columns.values() if is_round(c)]):
        bare += f" {rounds[0]} counts the exchanges of a conversation: a later one asks of those before, and means little alone."
    return f"{none}.{bare} Paste and mend:\n{lines}"
