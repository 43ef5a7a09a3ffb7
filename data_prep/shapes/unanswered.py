"""What is said of texts that no column answers: pairs that are compared, classes to sort by, names and what is said of each."""

import re

from data_prep.shapes.columns import Column, objects_in, of_texts, share
from data_prep.shapes.pasting import pasted
from data_prep.shapes.reading import Reading
from data_prep.shapes.unused import explains, is_round, splits
from data_prep.words.names import (
    IDS,
    PROVENANCE,
    SOURCES,
    SYMPTOMS,
    TONGUES,
    is_picture,
    name_and_language,
    of_a_model,
    plain,
    words_of,
)
from data_prep.words.phrases import meanings

MOST_WAYS = 4  # of sorting the same texts that are offered
REASONS = set("why reason reasons motivo motivos razon note notes notas observacao observacoes obs".split())
NUMBERED = re.compile(r"(.*\D)_?([12ab])", re.I)


def compared(columns: dict[str, Column], texts: list[str]) -> str:
    """What to say of rows that are two texts of one kind (`sentence_1`, `sentence_2`) beside marks; "" of others."""
    parts = [(hit[1].casefold(), hit[2].casefold(), c) for c in texts if (hit := NUMBERED.fullmatch(c))]
    pairs = [(a, b) for stem, n, a in parts for other, m, b in parts if stem == other and (n, m) in (("1", "2"), ("a", "b"))]
    pairs, paired = sorted(pairs, key=lambda pair: len(pair[0])), {c for pair in pairs for c in pair}
    if len(pairs) > 1 and all(plain(a).endswith(plain(pairs[0][0])) for a, _ in pairs):  # `processed_question_1` once more
        texts = [c for c in texts if c in pairs[0] or c not in paired]
        pairs = pairs[:1]
    others = [c for c in texts if c not in pairs[0]] if pairs else []
    if len(pairs) != 1 or any(columns[c].length >= 20 for c in others):
        return ""
    [(one, two)] = pairs
    marks = [c.name for c in columns.values() if c.name not in paired and c.values and c.length <= 30 and not _is_no_class(c)]
    told = f"{one} and {two} are two texts that are compared; neither answers the other. "
    if len(marks) != 1:
        return told + f"Where one column said how they compare ({', '.join(marks) or 'none does'}), they could be sorted by it."
    lines = pasted(Reading("classification", {"text": two, "label": marks[0]}), [], {"context": one})
    return f"{told}To sort them by {marks[0]}, paste:\n{lines}"


def to_sort(columns: dict[str, Column]) -> str:
    """What to say of one text a row that nothing answers, beside the classes that it can be sorted into; "" of other files."""
    labels = [c for c in columns.values() if may_sort(c) and not of_a_model(c.name)]
    labels.sort(key=lambda c: not {"label", "labels"} & set(words_of(c.name)))
    texts = [c for c in columns.values() if c not in labels and _may_be_sorted(c)]
    longest = sorted(texts, key=lambda c: -c.length)
    asked = [c for c in texts if {"question", "text"} & set(meanings(c.name))] or longest[:1]
    if not labels or len(asked) != 1 or any(c.length >= max(20, asked[0].length / 2) for c in texts if c is not asked[0]):
        return ""
    if any(c.kind in ("object", "list") and c.length > 10 * asked[0].length for c in columns.values()):
        return ""  # the texts lie in there
    [text], names = asked, [c.name for c in labels]
    split = next(({"split": c.name} for c in columns.values() if splits(c) or plain(c.name) == "split"), {})
    ways = [
        pasted(Reading("classification", {"text": text.name, "label": name}), [o for o in names if o != name], split)
        for name in names[:MOST_WAYS]
    ]
    more = f" (or by {', '.join(names[MOST_WAYS:])})" if names[MOST_WAYS:] else ""
    return f"No column answers {text.name}; its rows can be sorted{more}. Paste one:\n" + "\n       or\n".join(ways)


def may_sort(column: Column) -> bool:
    """Whether a column puts rows into a few classes, as far as so few of them tell."""
    few = column.kind in ("text", "bool") and column.length <= 40 and 2 <= column.distinct <= max(2, column.looked_at / 3)
    return few and not _is_no_class(column)


def _is_no_class(column: Column) -> bool:
    """Whether a column says which row this is, where it comes from, in what language, or to which split it belongs."""
    words, named = set(words_of(column.name)), {"language", "split", "status", *PROVENANCE} & set(meanings(column.name))
    where = (TONGUES | SOURCES) - {"domain"}  # of knowledge, as a subject is
    return bool(named or words & where or _names_rows(column) or is_round(column) or splits(column))


def _names_rows(column: Column) -> bool:
    return bool(IDS.match(plain(column.name))) or words_of(column.name)[-1:] in (["id"], ["uuid"])


def _may_be_sorted(column: Column) -> bool:
    if plain(column.name) in SYMPTOMS and column.kind == "list":
        return share(column.values, of_texts) >= 0.95
    why = explains(column) or REASONS & set(words_of(column.name))
    return column.kind == "text" and column.filled >= 0.2 and column.length >= 10 and not why and not _names_rows(column)


def of_names(columns: dict[str, Column], texts: list[str]) -> str:
    """What to say of names that differ in each row with a text of each, or several (a disease, its description, its cause), and
    nothing else but lists and numbers."""
    whole = [c for c in columns.values() if c.name in texts and c.values and not is_picture(c.name)]
    if len(whole) < 2:
        return ""
    name, *said = sorted(whole, key=lambda c: c.length)
    asks = {"question", "instruction", "input", "prompt"} & {our for c in whole for our in meanings(c.name)}
    short = name.length <= 60 and name.distinct >= 0.95 * name.looked_at and not asks
    if not short or any(c.length < max(40, 2 * name.length) for c in said):
        return ""
    said = [c.name for c in columns.values() if c in said][:MOST_WAYS]
    keyed = [pasted(Reading("qa", {"question": name.name, "answer": c})) for c in said]
    alone = [pasted(Reading("text", {"text": c})) for c in said]
    return (
        f"Its rows are names with texts of each (a glossary, say). Where {name.name} asks and {' or '.join(said)} answers, or "
        "one of these is meant alone, paste one:\n" + "\n       or\n".join([*keyed, *alone])
    )


def within(columns: dict[str, Column]) -> str:
    """What to say of texts that lie in the parts of an object; "" where there are none, or a column of texts beside it."""
    if any(c.kind == "text" and c.length >= 100 for c in columns.values()):
        return ""
    for column in (c for c in columns.values() if c.kind == "object"):
        inside = objects_in(column.values[:50])
        parts = [k for k in dict.fromkeys(k for o in inside for k in o) if _is_text_of(inside, k)]
        if parts:
            ways = "\n       or\n".join(pasted(Reading("text", {"text": f"{column.name}.{k}"})) for k in parts[:MOST_WAYS])
            return f"Its texts lie in {column.name} ({', '.join(map(str, parts))}). To learn one part of each, paste:\n{ways}"
    return ""


def _is_text_of(objects: list[dict], part: str) -> bool:
    said = [o[part] for o in objects if isinstance(o.get(part), str)]
    return len(said) >= 0.8 * len(objects) and sum(map(len, said)) >= 80 * len(said) > 0


def in_turn(columns: dict[str, Column], texts: list[str], options: list[str]) -> str:
    """What to say where what looks like options are long texts: several answers to one question, of which nothing tells the
    better; "" of others."""
    if len(options) < 2 or any(columns[c].kind not in ("text", "empty") for c in options):
        return ""
    long = [c for c in options if columns[c].length >= 150]
    asked = [c for c in texts if c not in options and ({"question", "input", "prompt"} & set(meanings(c)))]
    if len(long) < len(options) or not asked:
        return ""
    ways = [pasted(Reading("qa", {"question": asked[0], "answer": c}), [o for o in options if o != c]) for c in options[:2]]
    own = {c: name_and_language(c) for c in columns}  # the same once more in a language that their names say
    for language in dict.fromkeys(said for _, said in own.values() if said):
        like = [next((c for c, of in own.items() if of == (name, language)), "") for name in (asked[0], options[0])]
        ways += [pasted(Reading("qa", {"question": like[0], "answer": like[1]}))] if all(like) else []
    return (
        f"{', '.join(options)} are answers to {asked[0]}, and nothing tells which is the better. To learn one of them, paste:\n"
        + "\n       or\n".join(ways)
    )
