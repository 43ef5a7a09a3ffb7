"""Which columns can be what: by what they are called, and whether their values fit."""

import itertools
import re

from data_prep.shapes.columns import Column, of_texts, share
from data_prep.values.choices import options_of, split_question
from data_prep.values.strict import is_ticked, mark_of, text_of
from data_prep.values.turns import messages_of, speakers_of
from data_prep.words import alphabets
from data_prep.words.names import (
    NAMES,
    OF_A_LETTER,
    OPTION_MARKS,
    OPTION_PREFIXES,
    is_picture,
    name_and_language,
    of_a_model,
    plain,
    without_language,
    words_of,
)
from data_prep.words.phrases import ITEM_NUMBER, NUMBERED, meanings
from data_prep.words.said import NO, SPLITS, YES


def _talks(value) -> bool:
    return len(set(map(plain, speakers_of(value)))) >= 2


ADDRESSED = re.compile(  # what tells an assistant who it is, and no system of the body ("Renal", "Aparelho locomotor")
    r"(?i)[.!?:。！？]\s*$|^(?:you|act|answer|be|voc[êe]|aja|responda|seja|eres|usted|act[úu]a|responde|vous|tu|du|sie)\b|assist|doctor|m[ée]dic[oa]"
    r"|(?:\S+\s+){5}\S|[\u3040-\u9fff\uac00-\ud7a3，、]{10}"
)


def _addresses(column: Column) -> bool:
    """Whether a column called `system` holds system prompts; what is called a prompt does."""
    return plain(column.name) != "system" or share(column.values, lambda v: ADDRESSED.search(str(v))) >= 0.5


FITS = {  # our name -> whether a column's values can be that
    "options": lambda c: c.kind in ("list", "object", "text") and share(c.values, lambda v: len(options_of(v)) > 1) >= 0.6,
    "conversations": lambda c: c.kind in ("turns", "list", "object") and share(c.values, _talks) >= 0.5,
    "messages": lambda c: c.kind in ("turns", "list", "object") and share(c.values, speakers_of) >= 0.5,
    "dialogue": lambda c: share(c.values, _talks) >= 0.5,
    "history": lambda c: c.kind in ("list", "turns") and share(c.values, messages_of) >= 0.95,
    "question_title": lambda c: c.kind == "text",
    "statements": lambda c: c.kind == "text" or (c.kind == "list" and share(c.values, of_texts) >= 0.95),
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
    "system": lambda c: c.kind == "text" and _addresses(c),
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
    called = [c for c in columns.values() if name in meanings(c.name) and c.name != "_key" and fits(name, c)]
    if not called and name in ("question", "answer"):
        called = [c for c in columns.values() if name in meanings(_first_of_one(c.name, columns)) and fits(name, c)]
    if not called and name == "options":  # a list called `answer`, beside `correct_answer`
        lists = [c for c in columns.values() if plain(c.name) == "answer" and c.kind == "list" and fits(name, c)]
        called = lists if any("answer" in meanings(c.name) for c in columns.values() if c not in lists) else []
    if not called and name == "image":  # image_paths, foto_questao
        return [c.name for c in columns.values() if is_picture(c.name) and fits(name, c)]
    if not called:  # question_en, choices_pt
        called = [c for c in columns.values() if name in meanings(without_language(c.name)) and fits(name, c)]
        if name in ("answer", "output"):  # `Resposta (aluno)`
            called = [c for c in called if not of_a_model(c.name)]
        return [c.name for c in called if c.name != "_key"]
    if "q" not in set(map(plain, columns)):
        called = [c for c in called if plain(c.name) not in OF_A_LETTER]
    if name == "question" and not all(map(is_numbering, called)):  # `Questão` beside `Enunciado`
        called = [c for c in called if not is_numbering(c)]
    if name == "answer":  # what stands beside an explanation under `reference` says where it is from
        called = [c for c in called if plain(c.name) not in REFERENCES or not cites(c)]
    rank = {plain(alias): i for i, alias in enumerate(NAMES[name].split())}
    return [c.name for c in sorted(called, key=lambda c: (plain(c.name) != plain(name), rank.get(plain(c.name), len(rank))))]


REFERENCES = {"reference", "references", "referencia"}
CITES = re.compile(
    r"(?i)https?://|www\.|\bdoi\b|\bisbn\b|§|\bpp?\.\s*\d|\b(?:p[áa]g(?:ina)?|page|seite)\.?\s*\d|\bvol(?:ume)?\.?\s*\d"
    r"|\b\d+(?:st|nd|rd|th|ª|º|e)?\.?\s*(?:ed\b|edition|edi[çc]|edici|aufl)|\b(?:chapter|cap[íi]tulo|kapitel|chapitre|section|se[çc][ãc]o"
    r"|secci[óo]n|lignes?|lines?)\s+\d|\bet al\b|\((?:19|20)\d\d\)|\b(?:п|стр|гл)\.\s?\d|第.{1,4}[章页頁]"
)


def cites(column: Column) -> bool:
    """Whether a column says where its rows come from: nothing, pages and editions, or the same few sources again and again."""
    if not column.values:
        return True
    again = column.looked_at >= 20 and column.distinct <= 0.7 * column.looked_at and column.length > 5
    return column.kind == "text" and (again or share(column.values, lambda v: CITES.search(str(v))) >= 0.3)


def _first_of_one(name: str, columns: dict[str, Column]) -> str:
    """`Answer` for `Answer_1`, where there is no second."""
    hit = re.fullmatch(r"(.*[^\W\d_])[ _-]?1", str(name))
    return hit[1] if hit and not any(re.fullmatch(rf"{re.escape(hit[1])}[ _-]?\d+", str(c)) for c in columns if c != name) else ""


def is_numbering(column: Column) -> bool:
    """Whether a column only numbers its items: 7, Q7, `Questão 7`."""
    return share(column.values, lambda v: ITEM_NUMBER.fullmatch(str(v))) >= 0.95


NOTE = re.compile(  # "Answer 1 - max 75 characters", "Answer 3\n(Optional)"
    r"\s+[-–—]\s.*$|\s*\n.*$|\s*\((?:optional|opcional|opzionale|facultatif)\)\s*$", re.I | re.S
)


def option_columns(columns: dict[str, Column]) -> list[str]:
    """Columns that hold one option each (opa, opb, …; option1, …; A, B, C, D), in their order; [] where there are none."""
    if found := _option_columns(columns) or _numbered_options(columns):
        return found
    named = [(c, *name_and_language(c)) for c in columns]
    if len({language for _, _, language in named if language}) != 1:
        return []
    own = {name: c for c, name, language in named if language}  # opcao_a_pt
    return [own[name] for name in _option_columns({name: columns[c] for name, c in own.items()})]


MARKING = {*OPTION_MARKS, "verdadeira", "verdadero", "verdadera", "gabarito"}
BESIDE = {*OPTION_PREFIXES, "is", "es", "e"}


def mark_columns(columns: dict[str, Column], options: list[str]) -> list[str]:
    """For each column of an option the one that marks it as right (`Correta A`, `option1_correct`); [] where one has none."""
    found = []
    for option in options:
        hit = re.search(r"([a-j]|\d{1,2})(?:texto?)?$", plain(NOTE.sub("", NUMBERED.sub("", str(option)))))
        own = [c.name for c in columns.values() if hit and c.name not in options and _marks(c, hit[1])]
        if len(own) != 1:
            return []
        found += own
    return found if len(set(found)) == len(options) else []


def _marks(column: Column, key: str) -> bool:
    """Whether a column is called the mark of the option of this letter or number, and holds marks alone."""
    words = words_of(re.sub(r"(\d+)", r" \1 ", str(column.name)))
    rest = [word for word in words if word not in MARKING]
    called = len(rest) < len(words) and key in rest and {word for word in rest if word != key} <= BESIDE
    return called and (column.kind == "empty" or share(column.values, lambda v: is_ticked(v) is not None) >= 0.95)


def _option_columns(columns: dict[str, Column]) -> list[str]:
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


def _numbered_options(columns: dict[str, Column]) -> list[str]:
    """Columns of texts called 1, 2, 3 … beside a question whose answer is always one of these names; [] of other files."""
    numbered = numbered_texts(columns)
    keys = [c for name, c in columns.items() if "answer" in meanings(name) and name not in numbered]
    names = {str(name).strip() for name in numbered}
    asked = any("question" in meanings(name) for name in columns)
    if len(numbered) < 3 or len(keys) != 1 or not asked or not keys[0].values:
        return []
    return numbered if share(keys[0].values, lambda v: str(v).strip() in names) >= 0.95 else []


def numbered_texts(columns: dict[str, Column]) -> list[str]:
    """Columns of texts that are called 1, 2, 3 … and no more: options perhaps, where nothing else says so."""
    called = {str(name).strip(): name for name in columns}
    run = itertools.takewhile(called.__contains__, map(str, range(1, 11)))
    return [called[n] for n in run if columns[called[n]].kind == "text"]


def inline_options(name: str, columns: dict[str, Column]) -> bool:
    """Whether a question's options stand in its text."""
    return columns[name].kind == "text" and share(columns[name].values, lambda v: len(split_question(str(v))[1]) >= 2) >= 0.8
