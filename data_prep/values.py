"""One strict reader of values: texts, marks, options, keys. What it does not know raises Unreadable with a true reason."""

import ast
import json
import math
import re
from typing import NamedTuple

from data_prep import alphabets
from data_prep.names import BLANK_OPTION, LETTERS, MARKS, MISSING, OPTION_LETTERS, OPTION_MARKS, OPTION_TEXTS, plain


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
    for load in (json.loads, ast.literal_eval):
        try:
            found = load(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(found, list | dict):
            return found
    return value


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


WRAPS = ("contexts", "text", "content", "value")  # of a text: PubMedQA's parquet, SQuAD's answers, parts of messages


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
            if key in value and not isinstance(value[key], dict):
                return text_of(value[key], what)
        raise Unreadable(f"{what} is an object, not a text: its names are '{', '.join(map(str, value))}'"[:200])
    raise Unreadable(f"{what} is of type {type(value).__name__}, not a text")


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


# ---------------------------------------------------------------------------------------------- options


class Option(NamedTuple):
    letter: str
    text: str  # "" where it is blank: its position counts all the same
    id: str = ""  # its number in the file, where it has one
    marked: bool | None = None  # whether the file marks it as right


LETTERED = re.compile(r"\s*[-*]?\s*(?:\(([A-Za-z])\)|([A-Za-z])\s?[).:\-–）．：、])\s*(.*)", re.S)
OPTION_NAME = re.compile(r"^(?:opcion(?:es)?|opcao|opcoes|options?|opt?|alternativa|choice|letra)(?=.)")
BARE = re.compile(r"([A-J])[ \t\u3000]+(\S.*)", re.S)  # CMExam: "A aspirin"; only where all options, in their order, are so
LINE = re.compile(r"(?m)^[ \t]*(?:[-*][ \t]*)?(?:\*\*)?(?:\(([A-Ja-j])\)|([A-Ja-j])[).:）．：、])(?:\*\*)?[ \t]*")
INLINE = (re.compile(r"(?:(?<=\s)|^)\(([A-Ja-j])\)\s*"), re.compile(r"(?:(?<=\s)|^)([A-Ja-j])\)\s*"))


def options_of(value) -> list[Option]:
    """Options of any written form, in their order. Raises Unreadable where they are none."""
    return unlettered(relettered(_options_of(value)))


def relettered(options: list[Option]) -> list[Option]:
    """Options that are lettered in another alphabet, or whose texts all are, under our letters; theirs is the id."""
    if not options or (options[0].letter.isascii() and not alphabets.lettered(options[0].text)[0]):
        return options
    own = [alphabets.canonical(o.letter) for o in options]
    if not alphabets.in_order(own):
        found = [alphabets.lettered(o.text) for o in options]
        own = [letter for letter, _ in found]
        if not alphabets.in_order(own):
            return options
        options = [o._replace(text=text) for o, (_, text) in zip(options, found, strict=True)]
    return [o._replace(letter=ours, id=letter) for o, ours, letter in zip(options, LETTERS, own, strict=False)]


def unlettered(options: list[Option]) -> list[Option]:
    """Options without a letter of their own before each text: {"A": "A) aspirin"} says it twice."""
    found = [LETTERED.fullmatch(o.text) for o in options if o.text]
    own = [o.letter for o in options if o.text] == [(m[1] or m[2]).upper() if m else "" for m in found]
    if len(found) < 2 or not own or not all(m[3].strip() for m in found):
        return options
    return [o._replace(text=LETTERED.fullmatch(o.text)[3].strip()) if o.text else o for o in options]


def _options_of(value) -> list[Option]:
    value = from_literal(value)
    if is_missing(value):
        raise Unreadable("no options")
    if isinstance(value, list | dict) and len(value) > len(LETTERS):
        raise Unreadable(f"more than {len(LETTERS)} options")
    if isinstance(value, dict):
        return _options_of_dict(value)
    if isinstance(value, list):
        if value and all(isinstance(v, dict) for v in value):
            return [_option_of_dict(v, i, value) for i, v in enumerate(value)]
        return _options_of_list(value)
    if isinstance(value, str):
        stem, options = split_stem(value)
        if options and not stem.strip():
            return options
        parts = [p.strip() for p in re.split(r"\n|\s\|\s|\|", value) if p.strip()]
        if len(parts) > 1:
            return _options_of_list(parts)
    raise Unreadable("the options are in no form that is known")


def option_text(value) -> str:
    """An option's text; "" where it is blank. Raises Unreadable for what is no text or number."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str) and value.strip().casefold() in BLANK_OPTION:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return number_text(value)
    raise Unreadable(f"an option is of type {type(value).__name__}, not a text")


def _options_of_list(values: list) -> list[Option]:
    texts = [option_text(v) for v in values]
    found = [LETTERED.fullmatch(t) for t in texts]
    letters = [(m[1] or m[2]).upper() for m in found if m]
    if texts and len(letters) == len(texts) and sorted(letters) == list(LETTERS[: len(letters)]):
        return [Option((m[1] or m[2]).upper(), m[3].strip()) for m in found]  # a key by number counts in this order
    bare = [BARE.fullmatch(t) for t in texts]
    if len(texts) > 2 and all(bare) and [m[1] for m in bare] == list(LETTERS[: len(texts)]):
        texts = [m[2].strip() for m in bare]
    return [Option(letter, text) for letter, text in zip(LETTERS, texts, strict=False)]


def _options_of_dict(value: dict) -> list[Option]:
    names = {plain(k): k for k in value}
    texts = next((value[names[n]] for n in OPTION_TEXTS if n in names and isinstance(value[names[n]], list)), None)
    if texts is not None:  # ARC and others: {"text": [...], "label": [...]}
        labels = next((value[names[n]] for n in OPTION_LETTERS if n in names and isinstance(value[names[n]], list)), None)
        if labels is None or len(labels) != len(texts):
            return _options_of_list(texts)
        return [_named(str(label), text, i) for i, (label, text) in enumerate(zip(labels, texts, strict=True))]
    keys = [alphabets.canonical(OPTION_NAME.sub("", plain(k))) for k in value]
    if all(len(k) == 1 and k.isalpha() for k in keys):
        return sorted(Option(k.upper(), option_text(v)) for k, v in zip(keys, value.values(), strict=True))
    if all(map(is_count, keys)):
        pairs = sorted(zip(map(int, keys), value.values(), strict=True), key=lambda p: p[0])
        return [Option(LETTERS[i], option_text(v), str(n)) for i, (n, v) in enumerate(pairs)]
    raise Unreadable(f"the options are an object with other names than letters: '{', '.join(map(str, value))}'"[:200])


def _named(label: str, text, position: int, marked: bool | None = None) -> Option:
    label = label.strip().strip("().:").strip()
    label = alphabets.canonical(label) if alphabets.is_letter(label) else label
    if len(label) == 1 and label.isalpha():
        return Option(label.upper(), option_text(text), "", marked)
    return Option(LETTERS[position], option_text(text), label if is_count(label) else "", marked)


def _option_of_dict(value: dict, position: int, all_of_them: list[dict]) -> Option:
    """`{letter|id|label|key, text|value|content|*_text}`, with `is_correct` or `correta` where the option is marked."""
    names = {plain(k): k for k in value}
    mark = next((names[n] for n in OPTION_MARKS if n in names), None)
    marked = None if mark is None or is_missing(value[mark]) else mark_of(value[mark]) > 0
    text = next((names[n] for n in OPTION_TEXTS if n in names and names[n] != mark), None)
    if text is None:
        text = next((k for n, k in names.items() if n.endswith(("text", "texto"))), None)
    if text is None and len(value) == 1 and len(plain(next(iter(value)))) == 1:  # {"A": "aspirin"}
        [(key, inside)] = value.items()
        return _named(str(key), inside, position)
    if text is None:
        raise Unreadable(f"an option is an object without a text: '{', '.join(map(str, value))}'"[:200])
    letter = next(
        (names[n] for n in OPTION_LETTERS if n in names and names[n] != text and not isinstance(value[names[n]], bool)), None
    )
    return _named("" if letter is None or value[letter] is None else str(value[letter]), value[text], position, marked)


def split_stem(text: str) -> tuple[str, list[Option]]:
    """A question with its options written into it, apart: lettered lines, or `(A) … (B) …` on one line; (text, []) where none."""
    for pattern in (LINE, *INLINE):
        hits = list(pattern.finditer(text))
        letters = [next(g for g in hit.groups() if g).upper() for hit in hits]
        for start in reversed([i for i, letter in enumerate(letters) if letter == "A"]):
            run = start
            while run + 1 < len(letters) and letters[run + 1] == LETTERS[run + 1 - start]:
                run += 1
            if run == start:
                continue
            ends = [hit.start() for hit in hits[start + 1 : run + 1]] + [len(text)]
            parts = [text[hit.end() : end].strip() for hit, end in zip(hits[start : run + 1], ends, strict=True)]
            if sum(map(bool, parts)) > 1:
                return text[: hits[start].start()].rstrip(), [Option(a, t) for a, t in zip(LETTERS, parts, strict=False)]
    for hits in reversed(alphabets.runs(text)):
        ends = [*(hit.start() for hit in hits[1:]), len(text)]
        parts = [text[hit.end() : end].strip() for hit, end in zip(hits, ends, strict=True)]
        own = map(alphabets.letter_of, hits)
        return text[: hits[0].start()].rstrip(), [Option(a, t, i) for a, t, i in zip(LETTERS, parts, own, strict=False)]
    return text, []


# ---------------------------------------------------------------------------------------------- keys

BASES = ("letter", "0", "1", "id", "text", "marked")
SAID = re.compile(
    r"(?:a\s+)?(?:letra|alternativa|op[cç][aã]o|opci[oó]n|option|answer|choice|gabarito|resposta|letter|item)(?:\s+(?:correta|correct|é|is))?\s*[:=]?\s*",
    re.I,
)
ONE = re.compile(r"\(?([A-Za-z])\)?\s*(?:(?:[).:]|\s[-–])\s*(.*))?", re.S)
JOIN = re.compile(r"\s*(?:,|;|/|&|\+|\be\b|\band\b|\by\b|\bou\b|\bor\b)\s*", re.I)


def fold_text(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def key_text(value) -> str:
    """A key as text: 2.0 and "2.0" are 2."""
    if isinstance(value, bool | list | dict):
        raise Unreadable("the key is no letter, number or text")
    text = "" if is_missing(value) else number_text(value) if isinstance(value, int | float) else str(value).strip()
    return re.sub(r"^(\d+)\.0+$", r"\1", text)


def key_letters(value, options: list[Option], base: str) -> list[str]:
    """Letters that a key names; [] where it is missing. Raises Unreadable where it names none of the options."""
    value = from_literal(value)
    if base == "marked":
        return [o.letter for o in options if o.marked]
    if isinstance(value, list):
        return list(dict.fromkeys(letter for v in value for letter in key_letters(v, options, base)))
    key = key_text(value)
    if not key or key == "-1":
        return []
    if base == "letter":
        if not all(o.id.isascii() for o in options):
            raise Unreadable(f"no right answer: a Latin letter beside options in another alphabet: '{key[:60]}'")
        return _by_letter(key, options)
    if base == "text":
        return _by_text(key, options)
    if base == "id":
        said = alphabets.canonical(OPTION_NAME.sub("", plain(key)))
        found = [o.letter for o in options if o.id and o.id == said]
    else:
        at = int(key) - int(base) if is_count(key) else -1
        found = [options[at].letter] if 0 <= at < len(options) else []
    if not found:
        raise Unreadable(f"no right answer: the key is not among the options: '{key[:60]}'")
    return found


def _by_text(key: str, options: list[Option]) -> list[str]:
    lettered, (own, behind) = LETTERED.fullmatch(key), alphabets.lettered(key)
    for said in (key, lettered[3] if lettered else behind):
        for same in (lambda t, s=said: t == s, lambda t, s=said: fold_text(t) == fold_text(s)):
            found = [o for o in options if o.text and same(o.text)]
            if len(found) == 1 and (said == key or not own or not found[0].id or found[0].id == own):
                return [found[0].letter]
    raise Unreadable(f"no right answer: the key is not among the options: '{key[:60]}'")


def _by_letter(key: str, options: list[Option]) -> list[str]:
    known = {o.letter: o.text for o in options}
    bare = SAID.sub("", key, count=1) if SAID.match(key) else key
    one = ONE.fullmatch(bare.strip().strip("*"))
    if one and one[1].upper() in known:
        letter, text = one[1].upper(), (one[2] or "").strip()
        if text and fold_text(text) != fold_text(known[letter]):
            raise Unreadable("no right answer: the key's letter and its text name different options")
        return [letter]
    parts = [p.strip().strip("()").upper() for p in JOIN.split(bare) if p.strip()]
    if len(parts) > 1 and all(len(p) == 1 for p in parts) and all(p in known for p in parts):
        return list(dict.fromkeys(parts))
    if re.fullmatch(r"[A-J]{2,6}", bare) and all(c in known for c in bare) and len(set(bare)) == len(bare):
        return list(bare)
    raise Unreadable(f"no right answer: the key is not among the options: '{key[:60]}'")
