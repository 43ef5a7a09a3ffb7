"""An exam in running text (TXT, Markdown, DOCX, PDF): numbered questions, lettered options, and a key somewhere in the same text.

It is read where all agrees: the questions' numbers follow one another, the options' letters too, and one way of giving the key
holds for the whole text: a mark on the right option, a line below each question, or one table of all numbers. A question
that does not agree is Bad; where those are more than a fifth, or no key is found, the text is no such exam, and asked about.
"""

import itertools
import re
from collections import Counter
from typing import NamedTuple

from data_prep.names import LETTERS, plain
from data_prep.tables import Bad

SIGN = "\u2063"  # before a paragraph that is set apart by its type (bold, underlined, coloured), where a format tells
FEWEST = 5  # questions

MARK = re.compile(
    r"^[ \t>]*(?:[-•][ \t]+)?(?P<sign>[xX✓✔✅☑*" + SIGN + r"]{0,2})[/\\]?[ \t]?(?P<open>[(\[]?)(?P<letter>[A-Ja-j])"
    r"(?P<close>[.)\]]|[ \t]?[-–:](?=[ \t]))(?:\*\*)?[ \t]*",
    re.M,
)
HEAD = re.compile(
    r"^[ \t>#*_" + SIGN + r"]*(?P<word>(?:[^\W\d_]{1,12}\.?[ \t]*(?:n?[º°]\.?)?[ \t]+)?)(?P<number>[0-9]{1,4})"
    r"(?P<close>[ \t]*[.):\]–-]{1,2}|(?=[ \t]*$)|(?=[ \t]+[^\W\d_]))[ \t*_]*",
    re.M,
)
OWN_KEY = re.compile(
    r"^[ \t>*_(\[-]*(?:Gabarito|Resposta(?: correta)?|Alternativa correta|Letra correta|Respuesta(?: correcta)?"
    r"|R[ée]ponse(?: correcte)?|(?:Correct )?Answer|Correct option|(?:Richtige )?(?:Antwort|L[öo]sung)"
    r"|Risposta(?: (?:corretta|esatta))?|(?:Prawid[łl]owa )?Odpowied[źz]"
    r"|(?:Правильный )?Ответ|Đáp án(?: đúng)?|Jawaban|Kunci|(?:Doğru )?Cevap|Doğru yanıt|答案|正解|정답)"
    r"[ \t*_]*[:：][ \t*_]*(?:letra[ \t]+)?\(?([A-J])\b[^\n]*$",
    re.M | re.I,
)
WHY = re.compile(
    r"^[ \t>*_-]*(?:explanation|rationale|coment[áa]rio|explica[çc][ãa]o|explicaci[óo]n|justificativa|retroalimentaci[óo]n)"
    r"[ \t*_]*(?:[:：]|$)[ \t*_]*",
    re.I | re.M,
)
NAMED = re.compile(r"[ \t]*([^\W\d_]\w{0,15})[ \t]*:[ \t]*(\S.{0,60})")
OURS = {"number", "question", "options", "answer", "status", "explanation"}
AFTER = re.compile(r"[ \t]*[(\[]?(?:\*|✓|✔|✅|[xX](?=[)\]])|corret[ao]|correct[ao]?|certa)[)\]]?[ \t.]*$")
HEADING = re.compile(r"^[ \t]*(?:#{1,6}[ \t].*|[-*_=]{3,}[ \t]*)$", re.M)
TOKEN = re.compile(r"[0-9]+|[^\W0-9_]+|\*")
ANNULLED = re.compile(r"\*|anulad[ao]s?|nul[ao]|annull?ed|annullata|annul[ée]e", re.I)
KEYED = re.compile(rf"[A-J]|{ANNULLED.pattern}", re.I)
PAGE = re.compile(r"(?:p[áa]g(?:ina)?|page|seite|str(?:ona)?|p|pg)?", re.I)  # before a page's number


class Asked(NamedTuple):
    """A numbered question as it stands in the text: where its parts begin and end."""

    number: int
    start: int
    stem: str
    options: list[tuple[str, str, bool]]  # letter, text, marked
    rest: str  # below the last option


class Head(NamedTuple):
    number: int
    start: int
    end: int
    style: tuple[str, str]


def exam_in(text: str) -> list[tuple[int, dict | Bad]]:
    """(place, row or Bad) of each question of an exam, or [] where the text is none, or none whose key it holds."""
    runs = _runs(text)
    heads = _chain(text, runs) if len(runs) >= FEWEST else []
    if sum(h is not None for h in heads) < max(FEWEST, 0.8 * len(heads)):
        return []
    found = _questions(text, runs, heads)
    asked = [one for _, one in found if isinstance(one, Asked)]
    at, last = found[-1]
    outside = f"{text[: found[0][0]]}\n{last.rest if isinstance(last, Asked) else text[at:]}"
    keyed = _marked(asked) or _below(asked) or _of_table(asked, outside)
    rows = [(at, _with_key(one, keyed) if isinstance(one, Asked) else one) for at, one in found]
    return rows if sum(isinstance(row, dict) for _, row in rows) >= 0.8 * len(rows) else []


def _with_key(asked: Asked, keyed: dict[int, dict]) -> dict | Bad:
    return keyed.get(asked.number) or Bad("a question whose key does not agree with it", _said(asked))


ANYWHERE = re.compile(r"(?<![^\s(\[])([A-Ja-j])[.)\]](?=\s)")


def looks_like_exam(text: str) -> bool:
    """Whether a text seems to hold lettered options by the ten, read by `exam_in` or not.

    Lists of a), b), c) in guidelines are rarer, and seldom number what stands above them; a question too many is answered once.
    """
    runs = [run for run in option_runs(text) if len(run) > 2]
    numbered = sum(h is not None for h in _chain(text, _runs(text))) if len(runs) >= 3 else 0
    if numbered >= 0.8 * len(runs) and len(runs) >= 3:
        return True
    hits = list(ANYWHERE.finditer(text))
    letters = "".join(hit[1] for hit in hits)
    spans = [hits[at.end() - 1].end() - hits[at.start()].start() for at in re.finditer("ABC|abc", letters)]
    close = max(len(runs), sum(span < 2000 for span in spans))
    return close >= 10 and len(text) / close < 2500


def holds_key(text: str) -> bool:
    """Whether ten numbers and more, one after another, have a letter each, or a text is mostly numbers with their letters."""
    tokens = TOKEN.findall(text)
    pairs = sum(a.isdecimal() and bool(re.fullmatch("[A-J]{1,3}", b)) for a, b in itertools.pairwise(tokens))
    if pairs >= 10 and 4 * pairs >= len(tokens):
        return True
    at = 0
    while at < len(tokens):
        table = _table(tokens, at) if tokens[at].isdecimal() and len(tokens[at]) < 4 else {}
        if sum(len(letters) == 1 for letters in table.values()) >= 10:
            return True
        at += max(1, len(table))
    return False


def is_of_exam(line: str) -> bool:
    """Whether a line begins a question, an option or a key; the number of a page alone does not."""
    head = HEAD.match(line)
    numbered = head and not (
        PAGE.fullmatch(head["word"].strip(" .\t")) and (head["word"].strip() or not line[head.end() :].strip())
    )
    return bool(MARK.match(line) or OWN_KEY.match(line) or numbered)


# ---------------------------------------------------------------------------------------------- where questions are


def option_runs(text: str) -> list[list[re.Match]]:
    """Option marks whose letters follow one another from A, each run of one way of writing."""
    runs, open_runs = [], {}
    for hit in MARK.finditer(text):
        style, letter = _style(hit), hit["letter"].upper()
        run = open_runs.get(style, [])
        if letter == "A":
            open_runs[style] = [hit]
            runs.append(open_runs[style])
        elif run and letter == LETTERS[len(run) : len(run) + 1]:
            run.append(hit)
        else:
            open_runs.pop(style, None)
    return [run for run in runs if len(run) > 1]


def _style(hit: re.Match) -> tuple[str, str, bool]:
    return hit["open"], hit["close"].strip(), hit["letter"].isupper()


def _runs(text: str) -> list[list[re.Match]]:
    """The runs of the commonest way of writing; lists inside stems are written otherwise."""
    runs = option_runs(text)
    common = Counter(_style(run[0]) for run in runs).most_common(1)
    return [run for run in runs if _style(run[0]) == common[0][0]]


def _chain(text: str, runs: list[list[re.Match]]) -> list[Head | None]:
    """The head of each run's question: of the one way of writing numbers in which most follow one another."""
    before = [0, *(run[-1].end() for run in runs)]
    parts = [
        [
            Head(int(h["number"]), h.start(), h.end(), (plain(h["word"]), h["close"].strip()))
            for h in HEAD.finditer(text, a, run[0].start())
        ]
        for a, run in zip(before, runs, strict=False)
    ]
    starts = dict.fromkeys((head.style, head) for part in parts[:2] for head in part[-20:])  # near the first options
    chains = [_follow(parts, style, first) for style, first in starts]
    return max(chains, key=lambda chain: sum(h is not None for h in chain), default=[])


def _follow(parts: list[list[Head]], style: tuple[str, str], first: Head) -> list[Head | None]:
    """From `first` on: in each part the one head of this style with the next number; None where there are none or two."""
    chain, last = [], None
    for part in parts:
        same = [head for head in part if head.style == style]
        if last is None and first not in same:
            chain.append(None)
            continue
        expected = first.number if last is None else last + 1
        found = [h for h in same if h.number == expected] or [h for h in same if expected < h.number <= expected + 4]
        chain.append(found[0] if len(found) == 1 else None)
        last = chain[-1].number if chain[-1] else expected
    return chain


def _questions(text: str, runs: list[list[re.Match]], heads: list[Head | None]) -> list[tuple[int, Asked | Bad]]:
    found, last = [], None
    for n, (run, head) in enumerate(zip(runs, heads, strict=True)):
        following = next((h.start for h in heads[n + 1 :] if h), len(text))
        end = min(following, runs[n + 1][0].start() if n + 1 < len(runs) else len(text))
        if head is None:
            found.append(
                (run[0].start(), Bad("lettered options without a number of their own", text[run[0].start() : end][:2000]))
            )
            continue
        if last is not None and head.number > last + 1:
            found.append((head.start, Bad(f"no options found for the numbers {last + 1} to {head.number - 1}", "")))
        last = head.number
        alone = n + 1 == len(runs) or heads[n + 1] is not None
        marks = sum(_style(hit) == _style(run[0]) for hit in MARK.finditer(text, run[0].start(), end))
        asked = _asked(text, run, head, end)
        plainly = alone and marks == len(run) and _agrees(asked)
        found.append((head.start, asked if plainly else Bad("options that are not plain", _said(asked))))
    return found


def _asked(text: str, run: list[re.Match], head: Head, end: int) -> Asked:
    ends = [*(hit.start() for hit in run[1:]), end]
    bodies = [text[hit.end() : stop] for hit, stop in zip(run, ends, strict=True)]
    bodies[-1], rest = _cut(bodies[-1])
    options = [_option(hit, body) for hit, body in zip(run, bodies, strict=True)]
    return Asked(head.number, head.start, _line(text[head.end : run[0].start()]), options, rest)


def _option(hit: re.Match, body: str) -> tuple[str, str, bool]:
    said = _line(body)
    bare = AFTER.sub("", said)
    signed = any(sign in hit["sign"] for sign in f"xX✓✔✅☑{SIGN}") or hit["sign"] == "*"
    if hit["sign"] == "**":
        signed, bare = bare.endswith("**"), bare.removesuffix("**")
    return hit["letter"].upper(), bare.strip(), signed or bare != said


def _cut(body: str) -> tuple[str, str]:
    """The last option's own text, and what comes below it: from an empty line, a key, an explanation, `NAME: value` on."""
    lines = body.split("\n")
    full = [n for n, line in enumerate(lines) if line.strip()]
    for before, at in itertools.pairwise(full):
        goes_on = lines[at].lstrip()[:1].islower()
        apart = at > before + 1 and not goes_on
        other = OWN_KEY.match(lines[at]) or WHY.match(lines[at]) or NAMED.fullmatch(lines[at].strip()) or HEADING.match(lines[at])
        if apart or other:
            return "\n".join(lines[:at]), "\n".join(lines[at:])
    return body, ""


def _line(text: str) -> str:
    return " ".join(text.replace(SIGN, "").split()).removeprefix("** ").removesuffix("**").strip()


def _agrees(asked: Asked) -> bool:
    """Whether a question has a stem and options that differ, none of which is an answer sheet's or a wrapped `E. coli`."""
    texts = [text for _, text, _ in asked.options]
    small = [text[:1].islower() for text in texts]
    return (
        bool(asked.stem)
        and all(texts)
        and len(set(texts)) == len(texts)
        and not (small[-1] and not any(small[:-1]) and len(texts) > 2)
    )


def _said(asked: Asked) -> str:
    return f"{asked.number} {asked.stem} {' '.join(f'{letter}) {text}' for letter, text, _ in asked.options)}"[:2000]


# ---------------------------------------------------------------------------------------------- its key


def _marked(asked: list[Asked]) -> dict[int, dict]:
    """Rows by number where one option of nearly every question bears a mark; the others have none."""
    counts = Counter(sum(marked for *_, marked in one.options) for one in asked)
    if counts[1] < 0.9 * len(asked):
        return {}
    return {
        one.number: _row(one, [{"letter": a, "text": text, "is_correct": marked} for a, text, marked in one.options])
        for one in asked
    }


def _below(asked: list[Asked]) -> dict[int, dict]:
    """Rows by number where every question has one line with its key below it."""
    keys = {one.number: OWN_KEY.findall(one.rest) for one in asked}
    if any(len(found) != 1 for found in keys.values()):
        return {}
    return {one.number: _keyed(one._replace(rest=OWN_KEY.sub("", one.rest)), keys[one.number]) for one in asked}


def _of_table(asked: list[Asked], outside: str) -> dict[int, dict]:
    """Rows by number where the text before or after the questions holds exactly one table of all their numbers."""
    numbers = [one.number for one in asked]
    tokens = TOKEN.findall(outside)
    at_first = [at for at, token in enumerate(tokens) if token.isdecimal() and int(token) == min(numbers)]
    tables = [table for at in at_first if (table := _table(tokens, at)).keys() >= set(numbers)]
    tables = [
        t for t in tables if sum(len(t[n]) > 2 for n in numbers) < len(numbers) / 2
    ]  # all letters everywhere: a sheet to fill in
    if len({str(table) for table in tables}) != 1 or sum(bool(tables[0][n]) for n in numbers) < 0.8 * len(numbers):
        return {}
    last = asked[-1]
    asked = [*asked[:-1], last._replace(rest="")]  # below the last question stands the key
    return {one.number: _keyed(one, tables[0][one.number]) for one in asked}


def _table(tokens: list[str], at: int) -> dict[int, list[str]]:
    """Letters by number from a place on: `1 D 2 A`, `1 B 2 C, D`, or rows of numbers with a row of letters below each."""
    table, expected = {}, int(tokens[at])
    while at < len(tokens) and tokens[at].isdecimal() and int(tokens[at]) == expected:
        numbers = [expected]
        while at + len(numbers) < len(tokens) and tokens[at + len(numbers)] == str(numbers[-1] + 1):
            numbers.append(numbers[-1] + 1)
        at += len(numbers)
        letters = list(
            itertools.takewhile(lambda t: (t.upper() in LETTERS and len(t) == 1) or ANNULLED.fullmatch(t), tokens[at:])
        )
        if len(numbers) == 1:
            table[expected] = letters
        elif len(letters) == len(numbers):
            table |= {n: [letter] for n, letter in zip(numbers, letters, strict=True)}
        else:  # numbers without a letter, and the last one's
            table |= {n: [] for n in numbers[:-1]} | {numbers[-1]: letters}
        at, expected = at + len(letters), numbers[-1] + 1
    return table


def _keyed(asked: Asked, letters: list[str]) -> dict:
    void = any(ANNULLED.fullmatch(letter) for letter in letters)
    row = _row(asked, {letter: text for letter, text, _ in asked.options})
    return row | ({"answer": None, "status": "anulada"} if void else {"answer": ", ".join(letters).upper() or None})


def _row(asked: Asked, options) -> dict:
    """A question's row. What stands below its options: an explanation, `NAME: value` as columns of these names, or other text."""
    row = {"number": asked.number, "question": asked.stem, "options": options}
    rest = HEADING.sub("", asked.rest).strip("* \t\n")
    if why := WHY.search(rest):
        row["explanation"], rest = _line(rest[why.end() :]), rest[: why.start()]
    below: dict[str, str] = {}
    for line in map(str.strip, filter(str.strip, rest.split("\n"))):
        named = NAMED.fullmatch(line)
        name, value = (named[1].casefold(), named[2]) if named and named[1].casefold() not in OURS else ("below_options", line)
        below[name] = f"{below[name]} {value}" if name in below else value
    return row | below
