"""What a column that goes unused is to the rows: the same once more, or something that must not be lost in silence."""

import collections
import html
import re

from data_prep.shapes.columns import LOOKED_AT, Column, objects_in, of_objects, share
from data_prep.shapes.reading import Reading
from data_prep.shapes.verdicts import keys_by_a_model
from data_prep.values.strict import Unreadable, from_literal, is_missing
from data_prep.values.turns import messages_of
from data_prep.words.names import (
    ABOUT,
    ALIASES,
    EXPLAINS,
    IDS,
    OPTION_PREFIXES,
    PROVENANCE,
    RIGHT,
    ROUNDS,
    SOURCES,
    TONGUES,
    is_telling,
    last_word,
    of_a_model,
    plain,
    words_of,
)
from data_prep.words.phrases import meanings
from data_prep.words.said import SPLITS


def repeats(column: Column, used: list[Column], sample: list[dict]) -> str:
    """The used column whose values this one gives again (as HTML, say); "" where there is none."""
    for other in used:
        pairs = [
            (raw.get(column.name), raw.get(other.name)) for raw in sample[:LOOKED_AT] if not is_missing(raw.get(column.name))
        ]
        same = sum(a == b or _bare(a) == _bare(b) or _written_in(a, b) for a, b in pairs)
        if pairs and same >= 0.95 * len(pairs):
            return other.name
    return ""


SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n+|(?<=[.!?])(?=[A-ZÀ-Þ])")


def stands_within(part: str, whole: str, sample: list[dict]) -> bool:
    """Whether nearly all sentences of one column's texts stand in another's: an abstract in the article that begins with it."""
    rows = [(str(raw.get(part)), _bare(raw.get(whole))) for raw in sample[:LOOKED_AT] if not is_missing(raw.get(part))]
    said = [(bare, text) for some, text in rows for one in SENTENCE_END.split(some) if len(bare := _bare(one)) >= 30]
    return bool(said) and sum(bare in text for bare, text in said) >= 0.9 * len(said)


def copies_the_row(column: Column, sample: list[dict]) -> bool:
    """Whether a column holds the row itself as an object once more (`raw`): all that matters in it stands beside it."""
    if column.kind != "object":
        return False
    rows = [(raw, from_literal(raw.get(column.name))) for raw in sample[:LOOKED_AT]]
    rows = [(raw, inside) for raw, inside in rows if isinstance(inside, dict)]
    matter = [(raw, inside, [k for k in inside if is_telling(k) or meanings(k)]) for raw, inside in rows]
    return bool(rows) and all(keys and all(_bare(inside[k]) == _bare(raw.get(k)) for k in keys) for raw, inside, keys in matter)


def stands_in_turns(column: Column, used: list[Column], sample: list[dict]) -> bool:
    """Whether a conversation holds what a column beside it gives: the options of its question, the disease that it names."""
    talks = [c.name for c in used if c.kind == "turns"]
    if not talks or (column.kind == "text" and (column.distinct < 3 or column.length < 4)):
        return False
    rows = [(texts, raw) for raw in sample[:LOOKED_AT] if (texts := _texts_in(raw.get(column.name)))]
    within = sum(all(t in said for t in texts) for texts, raw in rows if (said := _said(raw, talks)))
    return bool(rows) and within >= 0.95 * len(rows)


def _said(raw: dict, talks: list[str]) -> str:
    try:
        return "\n".join(turn.text for name in talks for turn in messages_of(raw.get(name)))
    except Unreadable:
        return ""


def _texts_in(value) -> list[str]:
    """A text, or those of a list or an object; [] where anything else is there."""
    inside = from_literal(value)
    items = list(inside.values()) if isinstance(inside, dict) else inside if isinstance(inside, list) else [inside]
    return [] if is_missing(value) or not all(isinstance(i, str) for i in items) else items


def _written_in(value, text) -> bool:
    """Whether a list's texts all stand in the other value: choices that the question names itself."""
    items = from_literal(value)
    return isinstance(items, list) and len(items) > 1 and all(isinstance(i, str) and i in str(text) for i in items)


def _bare(value) -> str:
    return re.sub(r"<[^<>]*>|\W", "", html.unescape(str(value))).casefold()


def annotates(column: Column) -> bool:
    """Whether a column holds lists of objects: what somebody marked in a text."""
    return column.kind == "list" and share(column.values, of_objects) >= 0.6


def explains(column: Column) -> bool:
    """Whether a column is called an explanation: beside a text alone it is what the text is to be answered with."""
    return bool(set(words_of(column.name)) & EXPLAINS)


def sorts(column: Column, topics: bool = False) -> bool:
    """Whether a column puts texts into a few classes; without `topics` one that is called a topic, or their source, does not."""
    rows, may = len(column.values), column.kind == "text" if topics else _may_sort(column)
    return may and rows >= 20 and 2 <= column.distinct <= rows // 5 and column.length <= 60


def is_flag(column: Column) -> bool:
    """Whether a column of 0 and 1 says of each row whether something is so: one of several classes, perhaps."""
    said = {str(v).strip() for v in column.values}
    return len(column.values) >= 20 and said == {"0", "1"} and _may_sort(column._replace(kind="text"))


def sorts_by_lists(column: Column) -> bool:
    """Whether a column holds lists of a few labels which come again and again: a text's classes, of which it may have several."""
    cells = [from_literal(v) for v in column.values] if column.kind == "list" else []
    labels = [label for cell in cells if isinstance(cell, list) for label in cell]
    few = len(cells) >= 20 and column.distinct > 1 and 2 <= len(set(map(str, labels))) <= len(cells) // 5
    short = all(isinstance(label, str) and len(label) <= 60 for label in labels)
    return few and short and _may_sort(column._replace(kind="text", name=column.name.rstrip("s")))


def _may_sort(column: Column) -> bool:
    named = {"topic", "language", "split", *PROVENANCE} & set(meanings(column.name))
    about = ABOUT.match(last_word(column.name)) or (SOURCES | TONGUES) & set(words_of(column.name))
    return column.kind in ("text", "bool") and not named and not about


def is_constant_so_far(column: Column, shape: str) -> bool:
    """Whether a column that is let go, as the first rows have one value of it, would sort or mark them if later ones differed:
    files are often in the order of their classes, or of their marks."""
    one = len(column.values) >= 20 and len(set(map(str, column.values))) == 1
    return one and column.length <= 60 and (is_telling(column.name) or (shape == "text" and _may_sort(column)))


def splits(column: Column) -> bool:
    """Whether a column, whatever its name, puts rows into those to train on and others, which must not be mixed again."""
    said = {str(v).strip().casefold() for v in column.values}
    return column.kind == "text" and len(said) > 1 and said <= SPLITS.keys() and "train" in {SPLITS[v] for v in said}


def is_round(column: Column) -> bool:
    """Whether a column counts the exchanges of a conversation, one a row."""
    return plain(column.name) in ROUNDS and column.kind == "number" and column.distinct > 1


def joined_labels(column: Column) -> str:
    """A cell that joins several labels (`Surgery|Neurology`, or a list) which other cells hold as well; "" where none does."""
    parts = [
        [str(label) for label in inside]
        if isinstance(inside := from_literal(v), list)
        else re.split(r"\s*[|;]\s*", str(v).strip())
        for v in column.values[:LOOKED_AT]
    ]
    often = collections.Counter(part for cell in parts for part in dict.fromkeys(cell))
    several = [cell for cell in parts if len(cell) > 1 and all(part and often[part] > 1 for part in cell)]
    return "|".join(several[0]) if column.length <= 100 and len(several) >= max(2, 0.05 * len(parts)) else ""


def put_aside(column: Column) -> dict[str, str]:
    """Options, answer and label that a column's objects hold beside where a row comes from: our name -> column.name."""
    if column.kind != "object":
        return {}
    names = dict.fromkeys(name for inside in objects_in(column.values[:20]) for name in inside)
    return {n: f"{column.name}.{name}" for n in ("options", "answer", "label") for name in names if n in meanings(name)}


def is_passage(column: Column, takers: list[Column], sample: list[dict]) -> bool:
    """Whether a column called a text is one that the questions beside it are about, and not both of them written once more."""
    if column.kind != "text" or column.length < 100 or "text" not in meanings(column.name):
        return False
    rows = [raw for raw in sample[:LOOKED_AT] if not is_missing(raw.get(column.name))]
    texts = [c.name for c in takers if c.kind == "text"]
    again = sum(all(str(raw.get(t) or "").strip() in str(raw[column.name]) for t in texts) for raw in rows)
    return again < 0.95 * len(rows)


CASES = set(  # words of its name
    "case caso cas context contexto contexte kontext vignette vignettes vinheta vineta scenario cenario escenario passage "
    "presentation presentacion apresentacao history historia anamnese anamnesis anamnesi hpi".split()
)


def is_case(column: Column) -> bool:
    """Whether a text is what the questions are about, as a patient's story is: around them, or called so in any row at all."""
    called = CASES & set(words_of(column.name)) and not ABOUT.match(last_word(column.name))
    return column.kind == "text" and column.length >= 40 and bool(column.around or called)


def about_the_item(column: Column) -> bool:
    """Whether, beside a known key, a column grades the item by number: no key and no option."""
    last = last_word(column.name)
    several = column.distinct > 2 or any(str(v) not in ("0", "1") for v in column.values)
    graded = last in ("score", "scores", "rating", "ratings", "quality") and several
    asked = {"percent", "percentage", "pct"} & set(words_of(column.name))  # how many of those who were asked knew it
    return column.kind == "number" and bool(graded or asked)


def _corrects(column: Column) -> bool:
    """Whether a column is a key that few rows have: one that puts another right there."""
    return column.filled < 0.5 and "answer" in meanings(column.name)


CHECKED = set(  # words of a mark that all rows can have: somebody looked at them
    "valid validated verified reviewed approved checked valida valido validado validada revisado revisada aprovado aprovada "
    "verificado verificada".split()
)


KEY_THINGS = set(
    "concept concepts point points term terms word words phrase phrases fact facts finding findings takeaways".split()
)
ORIGINS = set("source fonte origem fuente dataset journal publisher".split())
HAS = set("has have tem possui tiene".split())  # the first word of a flag that what is named next is there


def _is_a_rows_check(column: Column) -> bool:
    """Whether a flag that all rows have says no more than that somebody looked at them, or that they have what they hold."""
    words = words_of(column.name)
    has = (
        len(words) > 1
        and words[0] in HAS
        and {"answer", "question", "options", "explanation"} & set(meanings(" ".join(words[1:])))
    )
    checks = CHECKED & set(words) or has
    return column.kind == "bool" and all(v is True for v in column.values) and bool(checks)


def must_not_go_unused(column: Column, rows: int, with_options: bool) -> bool:
    """Whether a column looks like an answer, an option, a mark, a label or a role: by its name, or by what it holds."""
    if (
        not column.values
        or (IDS.match(plain(column.name)) and plain(column.name) != "key")
        or column.name == "_key"
        or (rows >= 20 and column.distinct == 1 and not (with_options and _corrects(column)))
        or _is_a_rows_check(column)
        or (column.kind == "number" and words_of(column.name)[-1:] in (["turns"], ["messages"]))  # how many there are
    ):
        return False
    if keys_by_a_model(column):
        return True
    words = words_of(column.name)
    if len(words) == 2 and words[0] in ORIGINS and words[1] in ("label", "rotulo"):  # how the source is called
        return False
    if words[:1] == ["key"] and words[1:] and set(words[1:]) <= KEY_THINGS:
        return False
    if with_options and words and words[0] in OPTION_PREFIXES and any("image" in ALIASES.get(w, ()) for w in words):
        return True  # an option that is a picture
    options = not with_options and column.kind in ("list", "object") and "options" in meanings(column.name)
    if column.kind == "turns" or is_telling(column.name) or options:
        return not (with_options and about_the_item(column))
    letters = share(column.values, lambda v: isinstance(v, str) and re.fullmatch(r"\s*\(?[A-Ja-j]\)?\s*", v))
    return with_options and letters >= 0.9 and column.distinct >= 2


BY_A_MODEL = set(  # words that say so of whatever is called so, in a file with a known answer
    "pred prediction predictions predicted llm llms gpt chatgpt gemini claude llama deepseek qwen mistral mixtral grok generated "
    "judge".split()
)
PREDICTED = set("pred prediction predictions predicted".split())
SAID = set("response output answer prediction completion reply resposta respuesta saida salida".split())


def told_by_a_model(columns: dict[str, Column], reading: Reading) -> set[str]:
    """Columns that hold what a model said or was marked with, where another is called the right answer or what was to be said:
    an evaluation's record, whose rows ask and answer without them."""
    answer = next((reading.fields[n] for n in ("answer", "output", "label") if n in reading.fields), "")
    words = words_of(answer)
    if reading.shape == "mcq" and (not answer or RIGHT & set(words)):
        examined = {c.name for c in columns.values() if c.name != answer and _was_marked(c)}
    else:
        examined = set()
    whose = any(of_a_model(w) for w in words if w != "output")
    if answer not in columns or whose or (reading.shape == "qa" and columns[answer].length < 5):
        return examined
    right = bool({*RIGHT, "true"} & set(words)) or (reading.shape == "alpaca" and words == ["output"])
    said = examined | {c for c in columns if c != answer and _a_model_s(words_of(c), words, right)}
    return said and said | {c for c in columns if any(_marks(columns[c], columns[s], columns[answer]) for s in said)}


def _was_marked(column: Column) -> bool:
    """Whether a column holds the letters that somebody, or a model, marked, beside options whose key is known."""
    given = of_a_model(column.name) or words_of(column.name) == ["your", "answer"]
    return given and share(column.values, lambda v: isinstance(v, str) and re.fullmatch(r"\s*\(?[A-Ja-j]\)?\s*", v)) >= 0.9


def _a_model_s(words: list[str], answer: list[str], right: bool) -> bool:
    bare = [re.sub(r"\d+$", "", w) for w in words]
    if not right:
        return bool(PREDICTED & set(bare)) and [w for w in words if w not in PREDICTED] == answer
    own = len(words) == 2 and words[0] in ("model", "modelo", "actual") and words[1] in SAID
    return own or bool(BY_A_MODEL & set(bare))


def _marks(column: Column, said: Column, answer: Column) -> bool:
    """Whether a column says no more than whether what a model said is the answer."""
    rows = list(zip(column.values, said.values, answer.values, strict=False))
    whole = len(rows) >= 5 and len(column.values) == len(said.values) == len(answer.values)
    return whole and all(str(v).casefold() in (("false", "0"), ("true", "1"))[str(a) == str(b)] for v, a, b in rows)
