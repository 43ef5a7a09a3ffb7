"""What a file's first rows show of its columns: how they are filled, what they hold, whether they repeat another."""

import collections
import html
import re
from typing import NamedTuple

from data_prep.values.choices import options_of, split_stem
from data_prep.values.strict import Unreadable, from_literal, is_missing, mark_of, text_of, unquoted
from data_prep.values.turns import is_turns, messages_of, speakers_of
from data_prep.words import alphabets
from data_prep.words.names import (
    ABOUT,
    ALIASES,
    EXPLAINS,
    IDS,
    NAMES,
    NO,
    OF_A_LETTER,
    OF_A_MODEL,
    OPTION_PREFIXES,
    PROVENANCE,
    SOURCES,
    SPLITS,
    YES,
    bare_name,
    is_picture,
    is_telling,
    plain,
    without_language,
    words_of,
)
from data_prep.words.phrases import NUMBERED, meanings

LOOKED_AT = 200  # values of a column


class Column(NamedTuple):
    name: str
    values: list  # of the rows that have one
    filled: float  # share of the rows that have one
    kind: str  # text, number, bool, list, turns, object, mixed or empty
    distinct: int
    length: float  # mean number of characters
    around: bool = False  # of the record around the items that are rows

    @property
    def looked_at(self) -> int:
        """The number of values of which `distinct` counts the different ones."""
        return min(len(self.values), LOOKED_AT)

    @property
    def comes_again(self) -> bool:
        """Whether values come again, as topics do and titles do not, or are too few to tell."""
        return self.looked_at < 20 or self.distinct <= self.looked_at / 2

    @property
    def told(self) -> str:
        """In words, for the list of unused columns."""
        return f"{self.kind}, {self.filled:.0%} filled" if self.kind != "empty" else "empty"


def kind_of(value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    inside = from_literal(value)
    if is_turns(inside.get("messages") if isinstance(inside, dict) else inside):
        return "turns"
    if isinstance(inside, list):
        return "list"
    if isinstance(inside, dict):
        return "object"
    return "number" if re.fullmatch(r"\s*-?\d+(?:[.,]\d+)?\s*", str(value)) else "text"


def respelt(raw: dict, spelling: dict[str, str]) -> dict:
    """A row whose columns are called as `spelling` says; where both names have a value, both stay."""
    if not spelling.keys() & raw.keys():
        return raw
    row = dict(raw)
    for other, name in spelling.items():
        if is_missing(row.get(other)) or is_missing(row.get(name)):
            value = row.pop(other, None)
            row |= {} if is_missing(value) else {name: value}
    return row


def spellings(rows: list[dict], named: set[str]) -> dict[str, str]:
    """Columns of one name in several spellings (`opcoes`, `opções`), no two filled in one row: each other -> the usual one.

    The usual one is that which the user named, or which most rows fill.
    """
    filled = collections.Counter(name for raw in rows for name, value in raw.items() if not is_missing(value))
    alike: dict[str, list[str]] = {}
    for name in filter(bare_name, filled):
        alike.setdefault(bare_name(name), []).append(name)
    found = {}
    for names in alike.values():
        if len(names) > 1 and not any(sum(not is_missing(raw.get(n)) for n in names) > 1 for raw in rows):
            usual = max(names, key=lambda n: (n in named, filled[n]))
            found |= {name: usual for name in names if name != usual}
    return found


def quoted_columns(sample: list[dict]) -> tuple[str, ...]:
    """Columns whose every text is written as a JSON string, at least one of them with an escape in it."""
    found: dict[str, bool] = {}
    for raw in sample:
        for name, value in raw.items():
            if found.get(name, True) is not None and not is_missing(value):
                inside = unquoted(value)
                found[name] = None if inside is value else found.get(name, False) or inside != value[1:-1]
    return tuple(name for name, escaped in found.items() if escaped)


def without_quotes(raw: dict, quoted: tuple[str, ...]) -> dict:
    """A row whose cells in these columns are the texts that their JSON strings write."""
    return raw | {name: unquoted(raw[name]) for name in quoted if name in raw}


def profile(sample: list[dict]) -> dict[str, Column]:
    """Every column of the sample by its name, in the order in which they come."""
    found = {}
    for name in dict.fromkeys(key for raw in sample for key in raw):
        values = [raw[name] for raw in sample if name in raw and not is_missing(raw[name])]
        kinds = collections.Counter(kind_of(v) for v in values[:LOOKED_AT])
        kind, most = kinds.most_common(1)[0] if kinds else ("empty", 0)
        if kinds and most < 0.8 * kinds.total():
            kind = "text" if set(kinds) <= {"text", "number", "bool"} else "mixed"
        texts = [str(v) for v in values[:LOOKED_AT]]
        length = sum(map(len, texts)) / max(1, len(texts))
        found[name] = Column(name, values, len(values) / max(1, len(sample)), kind, len(set(texts)), length)
    return found


def with_empty(columns: dict[str, Column]) -> dict[str, Column]:
    """The columns with empty ones taken for texts: for a file that no reading fits otherwise."""
    return {name: c._replace(kind="text") if c.kind == "empty" else c for name, c in columns.items()}


def share(values: list, test) -> float:
    """Share of values for which `test` is true and raises nothing."""
    some = values[:LOOKED_AT]
    good = 0
    for value in some:
        try:
            good += bool(test(value))
        except Unreadable:
            continue
    return good / max(1, len(some))


def _talks(value) -> bool:
    return len(set(map(plain, speakers_of(value)))) >= 2


FITS = {  # our name -> whether a column's values can be that
    "options": lambda c: c.kind in ("list", "object", "text") and share(c.values, lambda v: len(options_of(v)) > 1) >= 0.6,
    "conversations": lambda c: c.kind in ("turns", "list", "object") and share(c.values, _talks) >= 0.5,
    "messages": lambda c: c.kind in ("turns", "list", "object") and share(c.values, speakers_of) >= 0.5,
    "dialogue": lambda c: share(c.values, _talks) >= 0.5,
    "history": lambda c: c.kind in ("list", "turns") and share(c.values, messages_of) >= 0.95,
    "question_title": lambda c: c.kind == "text",
    "score": lambda c: share(c.values, lambda v: mark_of(v) is not None) >= 0.8,
    "label": lambda c: c.kind in ("text", "number", "bool") and c.length <= 100,
    "split": lambda c: share(c.values, lambda v: isinstance(v, str) and v.strip().casefold() in SPLITS) >= 0.95,
    "language": lambda c: c.kind == "text" and c.length <= 25,
    "topic": lambda c: c.kind in ("text", "number") and c.length <= 200 and c.comes_again,
    "status": lambda c: c.kind == "text" and c.length <= 40,
    **dict.fromkeys(
        ("annulled", "text_only"), lambda c: share(c.values, lambda v: str(v).strip().casefold() in YES | NO) >= 0.95
    ),
    "exam": lambda c: c.kind in ("text", "number") and c.length <= 80 and c.comes_again,
    "number": lambda c: c.kind in ("text", "number") and c.length <= 12 and (plain(c.name) not in ITEMS or is_numbering(c)),
    "year": lambda c: share(c.values, lambda v: re.fullmatch(r"(?:19|20)\d\d(?:\.0)?", str(v).strip())) >= 0.95,
    "difficulty": lambda c: c.kind == "number",
    "image": lambda c: c.kind != "empty",
    "prompt": lambda c: c.kind in ("text", "turns", "number"),
    "chosen": lambda c: c.kind in ("text", "turns", "number", "object"),
    "rejected": lambda c: c.kind in ("text", "turns", "number", "object"),
    "completion": lambda c: c.kind in ("text", "turns", "number", "object"),
    "chosen_score": lambda c: share(c.values, lambda v: mark_of(v) is not None) >= 0.8,
    "rejected_score": lambda c: share(c.values, lambda v: mark_of(v) is not None) >= 0.8,
}


ITEMS = set("questao question pergunta pregunta item".split())  # the item, or its number


def fits(name: str, column: Column) -> bool:
    if column.kind == "empty":
        return False
    if not column.values:  # nothing speaks for it but its name (`with_empty`)
        return name not in FITS
    if name in FITS:
        return FITS[name](column)
    return column.kind != "turns" and share(column.values, lambda v: text_of(v) is not None) >= 0.6


def candidates(name: str, columns: dict[str, Column]) -> list[str]:
    """Columns that are called like `name` and can be it: the very name first, then in the order of the aliases."""
    order = list(map(plain, NAMES[name].split()))
    called = [c for c in columns.values() if name in meanings(c.name) and c.name != "_key" and fits(name, c)]
    if not called and name == "image":  # image_paths, foto_questao
        return [c.name for c in columns.values() if is_picture(c.name) and fits(name, c)]
    if not called:  # question_en, choices_pt
        called = [c for c in columns.values() if name in meanings(without_language(c.name)) and fits(name, c)]
        if name in ("answer", "output"):  # `Resposta (aluno)`
            called = [c for c in called if not OF_A_MODEL & set(words_of(c.name))]
        return [c.name for c in called if c.name != "_key"]
    if "q" not in set(map(plain, columns)):
        called = [c for c in called if plain(c.name) not in OF_A_LETTER]
    if name == "question" and not all(map(is_numbering, called)):  # `Questão` beside `Enunciado`
        called = [c for c in called if not is_numbering(c)]
    rank = {alias: i for i, alias in enumerate(order)}
    return [c.name for c in sorted(called, key=lambda c: (plain(c.name) != plain(name), rank.get(plain(c.name), len(rank))))]


NUMBERING = re.compile(r"\W*(?:q|quest[ãa]o|question|pregunta|pergunta|item|n[º°o]?)?\W*\d{1,4}(?:\.0)?\W*", re.I)


def is_numbering(column: Column) -> bool:
    """Whether a column only numbers its items: 7, Q7, `Questão 7`."""
    return share(column.values, lambda v: NUMBERING.fullmatch(str(v))) >= 0.95


NOTE = re.compile(r"\s+[-–—]\s.*$")  # "Answer 1 - max 75 characters"


def option_columns(columns: dict[str, Column]) -> list[str]:
    """Columns that hold one option each (opa, opb, …; option1, …; A, B, C, D), in their order; [] where there are none."""
    found: dict[str, dict[str, str]] = {}
    for name in columns:
        hit = re.fullmatch(r"(.*?)([a-j]|\d{1,2})(?:texto?)?", plain(NOTE.sub("", NUMBERED.sub("", str(name)))))
        if hit and (hit[1] in OPTION_PREFIXES or (not hit[1] and hit[2].isalpha())):
            found.setdefault(hit[1], {})[hit[2]] = name
    best: list[str] = []
    for group in found.values():
        for run in (list("abcdefghij"), [str(i) for i in range(10)], [str(i) for i in range(1, 11)]):
            taken = [group[k] for i, k in enumerate(run) if all(x in group for x in run[: i + 1])]
            if (
                len(taken) >= 2
                and len(taken) > len(best)
                and all(columns[c].kind in ("text", "number", "bool", "empty") for c in taken)
            ):
                best = taken
    others = [name for name in columns if alphabets.is_letter(str(name))]  # أ, ب, ج, د
    if not best and alphabets.in_order([alphabets.canonical(name) for name in others]):
        return others if all(columns[c].kind in ("text", "number", "bool", "empty") for c in others) else []
    return best


def inline_options(name: str, columns: dict[str, Column]) -> bool:
    """Whether a question's options stand in its text."""
    return columns[name].kind == "text" and share(columns[name].values, lambda v: len(split_stem(str(v))[1]) >= 2) >= 0.8


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


def _written_in(value, text) -> bool:
    """Whether a list's texts all stand in the other value: choices that the question names itself."""
    items = from_literal(value)
    return isinstance(items, list) and len(items) > 1 and all(isinstance(i, str) and i in str(text) for i in items)


def objects_in(values: list) -> list[dict]:
    """The objects among values, also those that are written as text."""
    return [inside for v in values if isinstance(inside := from_literal(v), dict)]


def of_texts(value) -> bool:
    """Whether a value is a list of texts."""
    items = from_literal(value)
    return isinstance(items, list) and all(isinstance(i, str) for i in items)


def of_objects(value) -> bool:
    """Whether a value is a list of objects."""
    items = from_literal(value)
    return isinstance(items, list) and all(isinstance(i, dict) for i in items)


def annotates(column: Column) -> bool:
    """Whether a column holds lists of objects: what somebody marked in a text."""
    return column.kind == "list" and share(column.values, of_objects) >= 0.6


def explains(column: Column) -> bool:
    """Whether a column is called an explanation: beside a text alone it is what the text is to be answered with."""
    return bool(set(words_of(column.name)) & EXPLAINS)


def sorts(column: Column) -> bool:
    """Whether a column puts texts into a few classes, and is called neither a topic nor where they come from."""
    named = {"topic", "language", "split", *PROVENANCE} & set(meanings(column.name))
    if (
        named
        or column.kind not in ("text", "bool")
        or ABOUT.match(words_of(column.name)[-1])
        or SOURCES & set(words_of(column.name))
    ):
        return False
    rows = len(column.values)
    return rows >= 20 and 2 <= column.distinct <= rows // 5 and column.length <= 60


def joined_labels(column: Column) -> str:
    """A cell that joins several labels (`Surgery|Neurology`) which other cells hold as well; "" where none does."""
    parts = [re.split(r"\s*[|;]\s*", str(v).strip()) for v in column.values[:LOOKED_AT]]
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


CASES = set("case caso cas vignette vignettes vinheta vineta scenario cenario escenario passage".split())  # words of its name


def is_case(column: Column) -> bool:
    """Whether a text is what the questions are about, as a patient's story is: around them, or called so in any row at all."""
    called = CASES & set(words_of(column.name)) and not ABOUT.match(words_of(column.name)[-1])
    return column.kind == "text" and column.length >= 40 and bool(column.around or called)


def about_the_item(column: Column) -> bool:
    """Whether, beside a known key, a column grades the item by number: no key and no option."""
    last = words_of(column.name)[-1]
    return last in ("score", "scores", "rating", "ratings", "quality") and column.kind == "number" and column.distinct > 2


def _bare(value) -> str:
    return re.sub(r"<[^<>]*>|\W", "", html.unescape(str(value))).casefold()


def must_not_go_unused(column: Column, rows: int, with_options: bool) -> bool:
    """Whether a column looks like an answer, an option, a mark, a label or a role: by its name, or by what it holds."""
    if (
        not column.values
        or (IDS.match(plain(column.name)) and plain(column.name) != "key")
        or column.name == "_key"
        or (rows >= 20 and column.distinct == 1)
        or (column.kind == "number" and words_of(column.name)[-1:] in (["turns"], ["messages"]))  # how many there are
    ):
        return False
    words = words_of(column.name)
    if with_options and words and words[0] in OPTION_PREFIXES and any("image" in ALIASES.get(w, ()) for w in words):
        return True  # an option that is a picture
    options = not with_options and column.kind in ("list", "object") and "options" in meanings(column.name)
    if column.kind == "turns" or is_telling(column.name) or options:
        return not (with_options and about_the_item(column))
    letters = share(column.values, lambda v: isinstance(v, str) and re.fullmatch(r"\s*\(?[A-Ja-j]\)?\s*", v))
    return with_options and letters >= 0.9 and column.distinct >= 2
