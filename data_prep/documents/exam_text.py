"""An exam in running text (TXT, Markdown, HTML, DOCX, PDF): numbered questions, lettered options, and a key.

It is read where all agrees: the questions' numbers follow one another, the options' letters too, and a key is found that holds
for the whole text: a mark on the right option, a line below each question, one table of all numbers, or a file beside it.
Keys that are given twice must agree. A question that does not agree is Bad; where those are more than a fifth, or no key is
found, the text is no such exam, and asked about.
"""

import itertools
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from data_prep.documents.exam_key import (
    ANNULLED,
    OWN_KEY,
    TITLE,
    TOKEN,
    Said,
    is_of_table,
    names_another,
    said_in,
    same_text,
    table_for,
    tables_in,
)
from data_prep.documents.exam_layout import SIGN, Head, chain_of, laid_out, marks_between, option_runs, runs_of
from data_prep.tables.records import Bad
from data_prep.words.names import LETTERS

FEWEST = 5  # questions of which some may be Bad; of fewer none
OUTSIDE = "text outside the questions"

WHY = re.compile(
    r"^[ \t>*_-]*(?:explanation|rationale|coment[áa]rios?|explica[çc][ãa]o|explicaci[óo]n|justificativa|retroalimentaci[óo]n)"
    r"[ \t*_]*(?:[:：]|$)[ \t*_]*",
    re.I | re.M,
)
NAMED = re.compile(r"[ \t]*([^\W\d_]\w{0,15})[ \t]*:[ \t]*(\S.{0,60})")
OURS = {"number", "question", "options", "answer", "status", "explanation", "context"}
AFTER = re.compile(r"[ \t]*(?:\*|✓|✔|✅|[(\[](?:[*✓✔✅xX]|corret[ao]|correct[ao]?|certa)[)\]])[ \t.]*$")
HEADING = re.compile(r"^[ \t]*(?:#{1,6}[ \t].*|[-*_=]{3,}|(?=.*[A-ZÀ-Þ]{4})[A-ZÀ-Þ][A-ZÀ-Þ ,/–-]{3,59})[ \t]*$", re.M)
ITEM = re.compile(r"[ \t]*(?:[IVX]{1,4}[ \t]*[.)–-]|\([ \t]*[VF]?[ \t]*\)|\d{1,2}[.)][ \t]|[-•][ \t]|[a-e]\))")
RANGE = r"\d{1,3}(?:[ \t]*(?:,|a|à|até|to|e|y|and|und|bis|[-–—])[ \t]*(?:a[ \t]+)?\d{1,3})+"
COMMON = re.compile(  # what several questions stand on
    r"^(?=[^\w\n]*(?-i:[A-ZÀ-Þ]))(?=.*\b(?:textos?|casos?|leia|lea|considere|utilize|responda|referem|read|text|case|abaixo|seguir|seguinte|following)\b)"
    rf".{{0,120}}?\b(?:quest[õo]es|preguntas|questions|itens|items|fragen|domande)\b.{{0,20}}?\b(?P<range>{RANGE})\b.*$",
    re.M | re.I,
)
CASE = re.compile(
    r"^[ \t>#*_]*(?=(?-i:[A-Z]))(?:caso(?:[ \t]+cl[íi]nico)?|(?:clinical[ \t]+)?case|cas[ \t]+clinique|fall(?:beispiel)?)"
    r"[ \t]*(?:n?[º°.]*[ \t]*\d{1,3})?[ \t*_]*(?:[:.–—-].*)?$",
    re.M | re.I,
)


NUMBER = r"[ \t–—-]*(?:p[áa]g(?:ina)?\.?|page|seite)?[ \t]*\d{1,4}(?:[ \t]*(?:de|of|/)[ \t]*\d+)?[ \t–—-]*"
UNFOLDS = r"[ \t]*(?:ver|mostrar|show|see|view|reveal|exibir)[ \t].{0,20}"
FURNITURE = re.compile(f"{TITLE.pattern}|{NUMBER}|{UNFOLDS}", re.I)  # of a page


class Option(NamedTuple):
    letter: str
    text: str
    bare: str  # without what may mark it as right
    marked: bool


@dataclass
class Asked:
    """A numbered question as it stands in the text."""

    number: int
    start: int
    stem: str
    options: list[Option]
    rest: str  # below the last option
    above: str = ""  # lines of its key between stem and options
    doubt: str = ""  # whether its last option is whole
    context: str = ""
    explanation: str = ""

    @property
    def texts(self) -> dict[str, str]:
        return {option.letter: option.text for option in self.options}


@dataclass
class Exam:
    """What is read of a text: (place, row or Bad) of each question; or why nothing is, though it has lettered options."""

    rows: list[tuple[int, dict | Bad]] = field(default_factory=list)
    why: str = ""


def exam_in(text: str, key: str = "") -> list[tuple[int, dict | Bad]]:
    """(place, row or Bad) of each question of an exam, or [] where the text is none, or none whose key it, or `key`, holds."""
    return read_exam(text, key).rows


def read_exam(text: str, key: str = "") -> Exam:
    text = laid_out(text)
    runs = runs_of(text)
    heads = chain_of(text, runs) if len(runs) > 1 else []
    told, share = sum(h is not None for h in heads), 0.8 if len(heads) >= FEWEST else 1
    if told < 2 or told < share * len(heads):
        why = f"of its {len(runs)} groups of options {told} stand below a number that follows the one before"
        return Exam([], why if runs else "")
    found = _questions(text, runs, heads)
    asked = [one for _, one in found if isinstance(one, Asked)]
    if len(asked) < share * len(found):
        bad = next(one for _, one in found if isinstance(one, Bad))
        number = len(found) - len(asked)
        return Exam([], f"{number} of its {len(found)} questions are not plain: {bad.reason} ({bad.text[:80]!r})")
    last = found[-1][1] if isinstance(found[-1][1], Asked) else None
    before, after = text[: found[0][0]], last.rest if last else text[found[-1][0] :]
    before, problem = _contexts(asked, before)
    keys = _keys(asked, before, after, key)
    if problem or isinstance(keys, str):
        return Exam([], problem or keys)
    aside = [(0, _aside(before)), (len(text) - 1, "")]
    if last:
        ends = (at for at, line in _lines(after) if TITLE.fullmatch(line) or is_of_table(line) or HEADING.match(line))
        cut = next(ends, len(after))
        last.rest, aside[1] = after[:cut], (len(text) - 1, _aside(after[cut:]))
    if sum(len(part) for _, part in aside) > found[-1][0] - found[0][0] + 3000:
        return Exam([], "more stands outside its questions than in them")
    rows = [(at, _with_key(one, keys.get(one.start)) if isinstance(one, Asked) else one) for at, one in found]
    rows, problem = _told_apart(rows)
    if problem:
        return Exam([], problem)
    if sum(isinstance(row, dict) for _, row in rows) < 0.8 * len(rows):
        return Exam([], next(row.reason for _, row in rows if isinstance(row, Bad)))
    first, end = [[(at, Bad(OUTSIDE, part))] if part else [] for at, part in aside]
    return Exam([*first, *rows, *end])


def _lines(text: str):
    """(place, line) of each line."""
    at = 0
    for line in text.split("\n"):
        yield at, line
        at += len(line) + 1


def _aside(text: str) -> str:
    """What of a text before or after the questions is neither a heading nor a key."""
    kept = [line for _, line in _lines(HEADING.sub("", text)) if not TITLE.fullmatch(line) and not is_of_table(line)]
    said = "\n".join(line for line in kept if any(map(str.isalpha, line)) and not OWN_KEY.match(line)).strip()
    return said if len(said) > 40 else ""


# ---------------------------------------------------------------------------------------------- its questions


def _questions(text: str, runs: list[list[re.Match]], heads: list[Head | None]) -> list[tuple[int, Asked | Bad]]:
    found, last = [], None
    width = statistics.quantiles([len(line) for line in text.split("\n") if line.strip()] or [0], n=10)[-1] if text else 0
    for n, (run, head) in enumerate(zip(runs, heads, strict=True)):
        following = next((h.start for h in heads[n + 1 :] if h), len(text))
        end = min(following, runs[n + 1][0].start() if n + 1 < len(runs) else len(text))
        if head is None:
            found.append((run[0].start(), Bad("lettered options without a number of their own", text[run[0].start() : end])))
            continue
        if last is not None and head.number > last + 1:
            found.append((head.start, Bad(f"no options found for the numbers {last + 1} to {head.number - 1}", "")))
        last = head.number
        alone = n + 1 == len(runs) or heads[n + 1] is not None
        asked = _asked(text, run, head, end, width)
        why = _unlike(asked, text, run, head, end) or ("" if alone else "where it ends is not known")
        found.append((head.start, Bad(f"options that are not plain: {why}", _said(asked)) if why else asked))
    return found


def _asked(text: str, run: list[re.Match], head: Head, end: int, width: float) -> Asked:
    ends = [*(hit.start() for hit in run[1:]), end]
    bodies = [text[hit.end() : stop] for hit, stop in zip(run, ends, strict=True)]
    bodies[-1], rest = _cut(bodies[-1], width)
    capitals = HEADING.match(rest) and rest.lstrip()[:1].isalpha() and not OWN_KEY.match(rest) and not TITLE.match(rest)
    open_end = not bodies[-1].rstrip(" \t").endswith((".", ";", "?", ")", "\n"))
    doubt = "capitals right below its last option" if capitals and open_end else ""
    options = [_option(hit, body) for hit, body in zip(run, bodies, strict=True)]
    stem = text[head.end : run[0].start()]
    keys = [hit for hit in OWN_KEY.finditer(stem) if not hit["line"] and not (hit["more"] or "").strip(" *_.)]")]
    above = "\n".join(hit.group() for hit in keys)
    for hit in reversed(keys):
        stem = stem[: hit.start()] + stem[hit.end() :]
    return Asked(head.number, head.start, _paragraphs(stem), options, rest, above, doubt)


def _option(hit: re.Match, body: str) -> Option:
    said = " ".join(body.replace(SIGN, "").split())
    bold = hit["sign"] == "**"  # whole, or its letter alone
    said = said.removesuffix("**") if bold and said.count("**") == 1 else said
    bare = AFTER.sub("", said).strip()
    whole = bold and "**" not in hit.group()[hit.group().index("**") + 2 :]
    signed = whole or hit["sign"] == "*" or any(sign in hit["sign"] for sign in f"xX✓✔✅☑{SIGN}")
    return Option(hit["letter"].upper(), said.strip(), bare, signed or bare != said.strip())


def _cut(body: str, width: float) -> tuple[str, str]:
    """The last option's own text, and what comes below it: from an empty line, a key, a heading, `NAME: value` on."""
    lines = body.split("\n")
    full = [n for n, line in enumerate(lines) if line.strip()]
    for before, at in itertools.pairwise(full):
        line = lines[at]
        ended = width >= 60 and len(lines[before]) < 0.6 * width and lines[before].rstrip().endswith((".", ";", "?"))
        apart = (at > before + 1 or ended) and not line.lstrip()[:1].islower()
        pair = "\n".join(lines[at : at + 4])
        other = OWN_KEY.match(pair) or TITLE.fullmatch(line) or is_of_table(line) or COMMON.match(line) or CASE.match(line)
        if apart or other or WHY.match(line) or NAMED.fullmatch(line.strip()) or HEADING.match(line):
            return "\n".join(lines[:at]), "\n".join(lines[at:])
    return body, ""


def _paragraphs(text: str) -> str:
    """Lines joined, but for those that begin an item of a list, and for paragraphs."""
    parts: list[str] = []
    empty = False
    for line in text.replace(SIGN, "").split("\n"):
        if not line.strip():
            empty = True
            continue
        apart = empty and parts and parts[-1].endswith((".", ":", "?", "!")) and not line.strip()[:1].islower()
        if parts and not apart and not ITEM.match(line):
            parts[-1] = f"{parts[-1]} {' '.join(line.split())}"
        else:
            parts.append(" ".join(line.split()))
        empty = False
    said = "\n".join(parts)
    return (said.removeprefix("** ").removesuffix("**") if said.count("**") == 1 else said).strip()


def _unlike(asked: Asked, text: str, run: list[re.Match], head: Head, end: int) -> str:
    """Why a question is none that can be trusted, or ""."""
    texts = list(asked.texts.values())
    small = [text[:1].islower() for text in texts]
    following = LETTERS[len(run)]
    marks = marks_between(text, run, run[0].start(), end)
    ends = run[-1].end() + len(text[run[-1].end() : end]) - len(asked.rest)
    if len(marks) != len(run) or any(hit["letter"] in "ABab" for hit in marks_between(text, run, head.end, run[0].start())):
        return "a letter more than once, or out of order"
    if re.search(rf"\n[ \t>*-]*(?:(?i:[(\[]?{following}[ \t]?[.)\]:-])|{following}[ \t]+\S)", text[run[-1].end() : ends]):
        return f"an option {following} that is written otherwise"
    if asked.doubt:
        return asked.doubt
    if not asked.stem or not all(texts):
        return "an empty question or option"
    if len(set(texts)) < len(texts):
        return "two options alike"
    return "a last option that may be a line of another" if small[-1] and not any(small[:-1]) and len(texts) > 2 else ""


def _said(asked: Asked) -> str:
    return f"{asked.number} {asked.stem} {' '.join(f'{letter}) {text}' for letter, text in asked.texts.items())}"


def _contexts(asked: list[Asked], before: str) -> tuple[str, str]:
    """Give questions the text that stands before several of them; (what else stands before the first, a problem or "")."""
    by_case = bool(CASE.search(before))
    gaps = [before, *(one.rest for one in asked[:-1])]
    case, until = "", 0
    for n, gap in enumerate(gaps):
        hit = COMMON.search(gap) or (CASE.search(gap) if by_case else None)
        if any(heading.group().strip(" -*_=") for heading in HEADING.finditer(gap)):
            case = ""  # another part begins
        if hit:
            line, body = hit.group().strip("#*_ \t"), _paragraphs(gap[hit.end() :])
            numbers = [] if hit.re is CASE else _range(hit["range"])
            gaps[n], until = gap[: hit.start()], numbers[-1] if numbers else 10**6
            case = f"{line}\n{body}".strip() if body or ":" in line.rstrip(":") else ""
            if not case and re.search(r"(?i)\b(?:texto?s?|casos?|case|abaixo|seguir|seguinte|following)\b", line):
                return before, f"a text that is announced is not there: {line[:80]!r}"
            if numbers and case and asked[n].number != numbers[0]:
                return before, f"a text for the questions {hit['range']} stands before question {asked[n].number}"
        asked[n].context = case if asked[n].number <= until else ""
        if n:
            asked[n - 1].rest = gaps[n]
    return gaps[0], ""


def _range(said: str) -> list[int]:
    numbers = [int(n) for n in re.findall(r"\d+", said)]
    return numbers if len(numbers) != 2 else list(range(numbers[0], numbers[1] + 1))


# ---------------------------------------------------------------------------------------------- its key


def _keys(asked: list[Asked], before: str, after: str, key: str) -> dict[int, list[str]] | str:
    """Letters of each question by its place, `?` where two ways of giving them differ; or why there is none."""
    ways = [_marked(asked), _below(asked, before), _of_table(asked, before, after), _of_table(asked, key)]
    told = next((way for way in ways if isinstance(way, str) and way), "")
    found = [way for way in ways if isinstance(way, dict)]
    if not found or any(isinstance(way, str) and way for way in ways[2:]):
        return told or f"{len(asked)} questions are found, and no key of theirs"
    keys = {}
    for one in asked:
        given = [way[one.start] for way in found if one.start in way]
        keys[one.start] = given[0] if given and all(g == given[0] for g in given) else ["?"] if given else []
    told = [[a for a in keys[one.start] if a != "?" and not ANNULLED.fullmatch(a)] for one in asked]
    beyond = sum(not set(letters) <= one.texts.keys() for one, letters in zip(asked, told, strict=True))
    if beyond > max(1, 0.02 * len(asked)):
        return f"its key names options that {beyond} of {len(asked)} questions do not have"
    if len(asked) >= 8 and len({str(letters) for letters in keys.values()}) == 1:
        return f"its key names the same letter for all of its {len(asked)} questions"
    if found[0] is ways[0]:
        for one in asked:
            one.options = [option._replace(text=option.bare) for option in one.options]
    return keys


def _marked(asked: list[Asked]) -> dict[int, list[str]] | str:
    """Letters where one option of nearly every question bears a mark, and the others have none."""
    counts = Counter(sum(option.marked for option in one.options) for one in asked)
    if counts[1] < 0.9 * len(asked):
        return ""
    return {one.start: [option.letter for option in one.options if option.marked] for one in asked}


def _below(asked: list[Asked], before: str) -> dict[int, list[str]] | str:
    """Letters where nearly every question, the last one too, has a line with its key below it."""
    said = {one.start: said_in(one.rest, one.texts) + said_in(one.above, one.texts) for one in asked}
    have = sum(map(bool, said.values()))
    if not have:
        return ""
    if said_in(before, {}) or not said[asked[-1].start]:
        return "lines with a key stand above and below its questions, so that it is not clear whose each one is"
    if have < 0.9 * len(asked):
        return f"{have} of its {len(asked)} questions have a line with their key"
    keys = {}
    for one in asked:
        given = {(s.letters or ("*",)) if not names_another(s, one.texts) else ("?",) for s in said[one.start]}
        keys[one.start] = list(given.pop()) if len(given) == 1 else ["?"] if given else []
    return keys


def _of_table(asked: list[Asked], *texts: str) -> dict[int, list[str]] | str:
    """Letters where a text before or after the questions, or another file's, holds exactly one table of all their numbers."""
    numbers = [one.number for one in asked]
    if len(set(numbers)) < len(numbers):
        return "its numbers begin again, and a table of keys names each once" if any(map(tables_in, texts)) else ""
    table = table_for("\n§\n".join(texts), numbers)
    if not table.letters:
        return table.why
    for one in asked:
        if (more := table.more.get(one.number, "")) and not same_text(more, one.texts.get(table.letters[one.number][0], "")):
            one.explanation = _paragraphs(WHY.sub("", more.strip(" .)–-*:\n")))
    wrong = [n for n, more in table.more.items() if _other_text(more, next(o for o in asked if o.number == n), table.letters[n])]
    return {one.start: ["?"] if one.number in wrong else table.letters[one.number] for one in asked}


def _other_text(more: str, asked: Asked, letters: list[str]) -> bool:
    return names_another(Said(tuple(letters), more.strip().split("\n")[0].strip(" .)–-*:")), asked.texts)


# ---------------------------------------------------------------------------------------------- its rows


def _with_key(asked: Asked, letters: list[str]) -> dict | Bad:
    if letters == ["?"]:
        return Bad("a question whose keys do not agree with one another or with its options", _said(asked))
    row = {"number": asked.number, "question": asked.stem, "options": asked.texts}
    row |= {"context": asked.context} if asked.context else {}
    if any(map(ANNULLED.fullmatch, letters)):
        row |= {"answer": None, "status": "anulada"}
    else:
        row["answer"] = ", ".join(letters) or None
    return row | _told_below(asked)


def _told_below(asked: Asked) -> dict:
    """What stands below the options: an explanation, `NAME: value` as columns of these names, or other text."""
    key = OWN_KEY.search(asked.rest)
    behind = (said_in(asked.rest, asked.texts) or [Said(())])[0].more
    rest = "\n".join(line for line in HEADING.sub("", OWN_KEY.sub("", asked.rest)).split("\n") if not FURNITURE.fullmatch(line))
    row = {"explanation": asked.explanation} if asked.explanation else {}
    if why := WHY.search(rest):
        row["explanation"], rest = _paragraphs(rest[why.end() :]), rest[: why.start()]
    elif behind and not same_text(behind, "".join(asked.texts.values())) and behind not in map(str.strip, asked.texts.values()):
        row["explanation"] = behind
    below: dict[str, str] = {}
    for line in map(str.strip, filter(str.strip, rest.split("\n"))):
        named = NAMED.fullmatch(line)
        after = "after_key" if key and asked.rest.find(line) > key.start() else "below_options"
        name, value = (named[1].casefold(), named[2]) if named and named[1].casefold() not in OURS else (after, line)
        below[name] = f"{below[name]} {value}" if name in below else value
    return row | below


def _told_apart(rows: list[tuple[int, dict | Bad]]) -> tuple[list[tuple[int, dict | Bad]], str]:
    """What stands below the key explains it where half of the questions have it. What few have is of the option above, or of
    the questions below: (rows, why these cannot be told apart or "")."""
    good = [row for _, row in rows if isinstance(row, dict)]
    after = [len(row["after_key"]) for row in good if "after_key" in row]
    explains = len(after) >= 0.5 * len(good)
    for row in good:
        if text := row.pop("after_key", ""):
            long = len(text) > 6 * statistics.median(after) + 200
            name = "explanation" if explains and not long and "explanation" not in row else "below_options"
            row[name] = f"{row[name]} {text}" if name in row else text
    below = [row for row in good if "below_options" in row]
    if len(below) >= 0.2 * len(good):
        return rows, ""  # a column, which is asked about
    if below and below[-1] is good[-1]:
        rows = [*rows, (rows[-1][0], Bad(OUTSIDE, below.pop().pop("below_options")))]
    if long := next((row for row in below if len(row["below_options"]) >= 40), None):
        return (
            rows,
            f"below question {long['number']} stands a text of which nothing says whose it is: {long['below_options'][:60]!r}",
        )
    lost = {id(row) for row in below}
    return [(at, Bad("text below its options that is no key", str(row)) if id(row) in lost else row) for at, row in rows], ""


# ---------------------------------------------------------------------------------------------- what is asked about


ANYWHERE = re.compile(r"(?<![^\s(\[])([A-Ja-j])[.)\]](?=\s)")


def looks_like_exam(text: str) -> bool:
    """Whether a text seems to hold lettered options by the ten, read by `exam_in` or not.

    Lists of a), b), c) in guidelines are rarer, and seldom number what stands above them; a question too many is answered once.
    """
    runs = [run for run in option_runs(text) if len(run) > 2]
    numbered = sum(h is not None for h in chain_of(text, runs_of(text))) if len(runs) >= 3 else 0
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
    run, beyond = 0, (-1, 0)  # the place and the number that go on
    for at, (number, letter) in enumerate(itertools.pairwise(tokens)):
        if number.isdecimal() and len(number) < 4 and len(letter) == 1 and letter.upper() in LETTERS[:10]:
            run = run + 1 if (at, int(number)) == beyond else 1
            beyond = (at + 2, int(number) + 1)
            if run >= 10:
                return True
    return any(sum(len(letters) == 1 for letters in table.values()) >= 10 for table in tables_in(text))
