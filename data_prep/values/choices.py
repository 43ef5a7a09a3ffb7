"""Options in every form in which they are written, and the keys that name one of them. What is neither raises Unreadable."""

import contextlib
import math
import re
from typing import NamedTuple

from data_prep.values.option_letters import LETTERED, check_letters, check_places, whole
from data_prep.values.strict import Unreadable, from_literal, is_count, is_missing, mark_of, number_text
from data_prep.words import alphabets
from data_prep.words.names import LETTERS, OPTION_LETTERS, OPTION_MARKS, OPTION_TEXTS, plain, without_language
from data_prep.words.said import BLANK_OPTION


class Option(NamedTuple):
    letter: str
    text: str  # "" where it is blank: its position counts all the same
    id: str = ""  # its number in the file, where it has one
    marked: bool | None = None  # whether the file marks it as right


OPTION_NAME = re.compile(r"^(?:opcion(?:es)?|opcao|opcoes|options?|opt?|alternativa|choice|letra|respuesta|resposta)(?=.)")
BARE = re.compile(r"([A-Ja-j])[ \t\u3000]+(\S.*)", re.S)  # CMExam: "A aspirin"; only where all options, in their order, are so
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
        value = value if "\n" in value else ESCAPED.sub("\n", value)
        stem, options = split_stem(value)
        if options and not stem.strip():
            return options
        parts = [p.strip() for p in re.split(r"\n|\||/{3,}", value) if p.strip()]
        if len(parts) > 1:
            check_letters(parts)
            return _options_of_list(parts)
    raise Unreadable("the options are in no form that is known")


ESCAPED = re.compile(r"\\n(?=\s*\(?[B-J][\s).:、．])")  # a line's end as two characters, before the next option's letter


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
    texts = whole([option_text(v) for v in values])
    found = [LETTERED.fullmatch(t) for t in texts]
    letters = [(m[1] or m[2]).upper() for m in found if m]
    check_places(texts)
    if texts and len(letters) == len(texts) and sorted(letters) == list(LETTERS[: len(letters)]):
        return [Option((m[1] or m[2]).upper(), m[3].strip()) for m in found]  # a key by number counts in this order
    bare = [BARE.fullmatch(t) for t in texts]
    if len(texts) > 2 and all(bare) and (own := [m[1].upper() for m in bare]) == sorted(set(own)):
        if own != list(LETTERS[: len(texts)]):
            raise Unreadable(f"the options' letters do not follow one another: '{', '.join(own)}'")
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
        return sorted(_under(k.upper(), v) for k, v in zip(keys, value.values(), strict=True))
    if all(map(is_count, keys)):
        pairs = sorted(zip(map(int, keys), value.values(), strict=True), key=lambda p: p[0])
        return [Option(LETTERS[i], option_text(v), str(n)) for i, (n, v) in enumerate(pairs)]
    raise Unreadable(f"the options are an object with other names than letters: '{', '.join(map(str, value))}'"[:200])


def _under(letter: str, value) -> Option:
    """An option under its letter: a text, or an object of it, which may be marked (`{"text": …, "is_correct": …}`)."""
    if isinstance(value, dict):
        return _option_of_dict(value, 0, [value])._replace(letter=letter)
    return Option(letter, option_text(value))


def _named(label: str, text, position: int, marked: bool | None = None) -> Option:
    label = label.strip().strip("().:").strip()
    label = alphabets.canonical(label) if alphabets.is_letter(label) else label
    if len(label) == 1 and label.isalpha():
        return Option(label.upper(), option_text(text), "", marked)
    return Option(LETTERS[position], option_text(text), label if is_count(label) else "", marked)


def _option_of_dict(value: dict, position: int, all_of_them: list[dict]) -> Option:
    """`{letter|id|label|key, text|value|content|*_text}`, with `is_correct` or `correta` where the option is marked."""
    names = {plain(k): k for k in value}
    marks = [names[n] for n in OPTION_MARKS if n in names]
    marks = marks or [names[n] for n in ("key", "answer") if n in names and isinstance(value[names[n]], bool)]
    said = {k: mark_of(value[k]) > 0 for k in marks if not is_missing(value[k])}
    if len(set(said.values())) > 1:
        raise Unreadable(f"an option is marked as right and as wrong: '{', '.join(f'{k}: {value[k]}' for k in said)}'")
    marked = next(iter(said.values()), None)
    text = next((names[n] for n in OPTION_TEXTS if n in names and not isinstance(value[names[n]], bool)), None)
    if text is None:
        text = next((k for n, k in names.items() if n.endswith(("text", "texto"))), None)
    alone = "a" in names and "b" not in names and len(value) > 1
    if text is None and alone and isinstance(value[names["a"]], str):  # {"id": 1, "a": "aspirin"}
        text = names["a"]
    in_a_language = [k for k in value if plain(without_language(k)) in OPTION_TEXTS]
    if text is None and len(in_a_language) == 1:  # `textIt`, and not in Russian as well
        text = in_a_language[0]
    written = [k for n, k in names.items() if n not in OPTION_LETTERS and isinstance(value[k], str)]
    if text is None and marks and len(written) == 1:  # {"t": "aspirin", "correct": true}
        text = written[0]
    if text is None and len(value) == 1 and len(plain(next(iter(value)))) == 1:  # {"A": "aspirin"}
        [(key, inside)] = value.items()
        return _named(str(key), inside, position)
    if text is None:
        raise Unreadable(f"an option is an object without a text: '{', '.join(map(str, value))}'"[:200])
    letter = next(
        (names[n] for n in OPTION_LETTERS if n in names and names[n] != text and not isinstance(value[names[n]], bool)), None
    )
    return _named("" if letter is None or value[letter] is None else str(value[letter]), value[text], position, marked)


OBJECT = re.compile(
    r"(?:^|\s)(?:answer[ _])?(?:choices|options|alternativas|op[çc][õo]es|opciones)\s*[:：]\s*(\{.*\})\s*$", re.I | re.S
)


def split_stem(text: str) -> tuple[str, list[Option]]:
    """A question with its options written into it, apart: lettered lines, `(A) … (B) …` on one line, or `Options: {"A": …}` at
    its end; (text, []) where none."""
    if text.rstrip().endswith("}") and (hit := OBJECT.search(text)) and isinstance(inside := from_literal(hit[1]), dict):
        with contextlib.suppress(Unreadable):
            return text[: hit.start()].rstrip(), _options_of_dict(inside)
    for pattern in (LINE, *INLINE):
        hits = list(pattern.finditer(text))
        letters = [next(g for g in hit.groups() if g).upper() for hit in hits]
        for start in reversed([i for i, letter in enumerate(letters) if letter == "A"]):
            run = start
            while run + 1 < len(letters) and letters[run + 1] == LETTERS[run + 1 - start]:
                run += 1
            if run == start:
                continue
            # The letter that is due next stands before the others or is passed over, or one of them comes twice.
            due = run + 1 - start
            after, before = letters[run + 1 : run + 2], letters[max(0, start - 1) : start]
            if set(after) & {LETTERS[due + 1], *LETTERS[1:due]} or before == [LETTERS[due]]:
                return text, []
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


NUMBERED_LINE = re.compile(r"(?m)^[ \t]*\(?(\d)[).:）．、][ \t]*(?=\S)")
NUMBERED_KEY = re.compile(r"\s*\(?(\d{1,2})[).:）．、]\s*(\S.*)", re.S)


def split_question(text: str) -> tuple[str, list[Option]]:
    """`split_stem`, or where no letter begins an option the numbered lines at a question's end; their numbers are the ids."""
    stem, options = split_stem(text)
    hits = list(NUMBERED_LINE.finditer(text))
    begins = [i for i, hit in enumerate(hits) if hit[1] == "1"]
    run = hits[begins[-1] :] if begins else []
    if options or len(run) < 3 or [int(hit[1]) for hit in run] != list(range(1, len(run) + 1)):
        return stem, options
    parts = [text[hit.end() : end].strip() for hit, end in zip(run, [*(h.start() for h in run[1:]), len(text)], strict=True)]
    stem = text[: run[0].start()].rstrip()
    if not stem or any("\n" in part for part in parts):  # what stands below numbered statements asks about them
        return text, []
    return stem, [Option(a, t, hit[1]) for a, t, hit in zip(LETTERS, parts, run, strict=False)]


# ---------------------------------------------------------------------------------------------- keys

BASES = ("letter", "0", "1", "id", "text", "marked", "apart")
SAID = re.compile(
    r"(?:a\s+)?(?:letra|alternativa|op[cç][aã]o|opci[oó]n|option|answer|choice|gabarito|resposta|letter|item)(?:\s+(?:correta|correct|é|is))?\s*[:=]?\s*",
    re.I,
)
ONE = re.compile(r"\(?([A-Za-z])\)?\s*(?:(?:[).:]|\s[-–])\s*(.*))?", re.S)
JOIN = re.compile(r"\s*(?:,|;|/|&|\+|(?-i:\be\b)|\band\b|\by\b|\bou\b|\bor\b)\s*", re.I)  # E is an option, e an "and"


def fold_text(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def is_option_text(text: str, options: list[Option]) -> bool:
    """Whether a text is that of one of the options."""
    return fold_text(text) in [fold_text(o.text) for o in options]


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
        named = _by_letter(key, options)
        if other := _renamed(options, named):
            raise Unreadable(f"no right answer: the text of the option that the key names has a letter of its own: '{other}'")
        return named
    if base in ("text", "apart"):
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


OWN = re.compile(r"\s*\(?([A-J])[):：）]")


def _renamed(options: list[Option], named: list[str]) -> str:
    """Another letter before the text of an option that a key names, where most texts have letters of their own; "" for none."""
    own = {o.letter: hit[1] for o in options if (hit := OWN.match(o.text))}
    several = len(own) >= 3 and 2 * len(own) >= len(options) and len(set(own.values())) > 1
    return next((own[n] for n in named if own.get(n, n) != n), "") if several else ""


def _by_text(key: str, options: list[Option]) -> list[str]:
    lettered, (own, behind) = LETTERED.fullmatch(key), alphabets.lettered(key)
    if numbered := NUMBERED_KEY.fullmatch(key):
        own, behind = numbered[1], numbered[2].strip()
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
    row = bare.strip().removeprefix("(").removesuffix(")")  # CMB's "(BCD)"
    if re.fullmatch(r"[A-J]{2,6}", row) and all(c in known for c in row) and len(set(row)) == len(row):
        return list(row)
    raise Unreadable(f"no right answer: the key is not among the options: '{key[:60]}'")
