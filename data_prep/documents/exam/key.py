"""The key of an exam in running text: a line of each question's own, or a table of all numbers.

A letter is taken where nothing but a sign or the line's end follows it: `Resposta: A conduta é …` names no option A.
"""

import itertools
import re
from typing import NamedTuple

from data_prep.documents.exam.errata import ANNULLED_LINE
from data_prep.words.names import LETTERS, plain

WORDS = (  # what a key is called, on a line of its own before the letter
    r"gabarito(?:[ \t]+(?:oficial|definitivo|correto|final))?|gab|resposta(?:[ \t]+(?:correta|certa|oficial|esperada))?|resp"
    r"|(?:alternativa|letra|op[çc][ãa]o|afirmativa)[ \t]+(?:correta|certa)|respuesta(?:[ \t]+correcta)?|opci[óo]n[ \t]+correcta"
    r"|r[ée]ponses?(?:[ \t]+correctes?)?|(?:correct[ \t]+)?answer(?:[ \t]+key)?|ans|(?:correct|right)[ \t]+(?:option|choice)|key"
    r"|(?:richtige[ \t]+)?(?:antwort|l[öo]sung)|risposta(?:[ \t]+(?:corretta|esatta))?|(?:prawid[łl]owa[ \t]+)?odpowied[źz]"
    r"|(?:правильный[ \t]+)?ответ|đáp[ \t]+án(?:[ \t]+đúng)?|jawaban|kunci|(?:doğru[ \t]+)?cevap|doğru[ \t]+(?:yanıt|şık|seçenek)"
    r"|(?:正确|参考|标准)?答案|正解|정답"
)
NAMED = r"(?:(?:a[ \t]+)?(?:letra|alternativa|op[çc][ãa]o|option|choice|letter|opci[óo]n)[ \t]+)?"
ENDS = r"(?=[ \t*_]*(?:$|[).,;:/&+(\]–—-]|(?:e|and|y|ou|or|et|und)[ \t]+\(?[A-J]\b))"
NULL = r"anulad[ao]s?|nul[ao]|annull?ed|annullata|annul[ée]e|cancelad[ao]"
VOID = rf"(?:quest[ãa]o[ \t]+)?(?:{NULL}|void)\b"
VOID += r"|(?:[xX]|(?<!\*)\*(?!\*)|[-–—]+)(?=[ \t*_]*$)"
LEAD = r"^[ \t>*_(\[#-]*"
SIGNS = r"(?:[ \t*_]*\.?[:：=–—-]{1,2}|(?i:(?<=gab)|(?<=resp)|(?<=ans))\.)[ \t*_]*"
BETWEEN = rf"(?:{SIGNS}|(?<=\w{{3}})[ \t]+|[ \t*_]*[.:：]?[ \t*_]*(?P<line>\n)[ \t]*\n?[ \t*_>]*)"
OWN_KEY = re.compile(
    rf"{LEAD}(?:(?:{WORDS}){BETWEEN}|r[.]?[ \t]?[:=–-][ \t*_]*){NAMED}[(\[]?"
    rf"(?:(?P<letter>[A-J]){ENDS}|(?P<bare>(?-i:[A-J]))(?=[ \t]+\w)|(?P<void>{VOID}))(?P<more>[^\n]*)$"
    r"|^[ \t>*_(\[-]*quest[ãa]o[ \t]+(?P<annulled>anulada)\b[^\n]{0,60}$",
    re.M | re.I,
)
FURTHER = re.compile(
    r"[)\]*_. \t]*(?:[,;/&+]|\b(?:e|and|y|ou|or|et|und)\b)[ \t(*]*(?-i:([A-J]))(?=[ \t]*(?:$|[).,;/&+*_]|(?:e|and|y)\b))", re.I
)
CHANGED = re.compile(
    r"(?:\b(?:para|to|por|ap[óo]s|now|agora|retificad\w*|alterad\w*|changed|mudad\w*)\b|→|->)[^\n]{0,30}?(?-i:\b([A-J])\b)", re.I
)


class Said(NamedTuple):
    """What a line says is right; `letters` is empty where the question is void."""

    letters: tuple[str, ...]
    more: str = ""  # behind the letter: the option's text, or why it is right


def said_in(text: str, options: dict[str, str]) -> list[Said]:
    """The keys that lines of a question's own give. One that no reading is sure of has the letter `?`."""
    return [said for hit in OWN_KEY.finditer(text) if (said := _said(hit, options))]


def _said(hit: re.Match, options: dict[str, str]) -> Said | None:
    if hit["annulled"] or hit["void"]:
        return None if hit["line"] and not hit["void"][0].isalpha() else Said(())  # a rule below a heading
    more = hit["more"]
    own = same_text(more, options.get((hit["letter"] or hit["bare"]).upper(), ""))
    if (hit["bare"] or (hit["line"] and more.strip(" \t)]*_."))) and not own:
        return None  # `Answer: C amoxicillin` is a key where that is option C, and else a sentence
    further, at = ([], 0) if own else _further(more)
    letters = ((hit["letter"] or hit["bare"]).upper(), *further)
    more = more[at:].strip(" \t)]*_.:;,–—-")
    changed = CHANGED.search(more)
    return Said(("?",)) if changed and changed[1] not in letters else Said(letters, more)


def _further(more: str) -> tuple[list[str], int]:
    """The letters that go on behind the first (`C, D e E`), and where they end."""
    letters, at = [], 0
    while further := FURTHER.match(more, at):
        letters.append(further[1])
        at = further.end()
    return letters, at


def same_text(one: str, other: str) -> bool:
    one, other = (" ".join(text.casefold().split()).strip(" .*_;:()") for text in (one, other))
    return bool(one) and one == other


def names_another(said: Said, options: dict[str, str]) -> bool:
    """Whether the text behind a key's letter is that of an option that the letter does not name."""
    return any(same_text(said.more, text) for letter, text in options.items() if letter not in said.letters)


# ---------------------------------------------------------------------------------------------- tables

TOKEN = re.compile(r"[0-9]+|[^\W0-9_]+|[*\u0336]")  # U+0336: a letter that is struck out
ANNULLED = re.compile(rf"[*\u0336]|x|{NULL}", re.I)
TITLES = (
    "gabarito gabaritos respostas resposta respuestas answers answer key keys solutions lösungen lösung antworten réponses "
    "soluções clave chave correct"
)
BESIDE = "oficial final correta correto questão questões question questions q nº item itens letra alternativa opção"
BESIDE += " válida mantida ª º °"
FILLERS = frozenset(map(plain, f"{TITLES} {BESIDE}".split()))
TITLE = re.compile(rf"[ \t>#*_=-]*(?:{'|'.join(TITLES.split())})(?:[ \t]+\w+){{0,3}}[ \t*_:=-]*", re.I)
ROW = re.compile(
    rf"^[ \t>*_(\[#-]*(?:quest[ãa]o|question|q)?[ \t.]*(?P<number>\d{{1,3}})[ªº]?[ \t*_]*[.):–—-]{{0,2}}[ \t*_]*"
    rf"(?:(?:{WORDS}|letra|alternativa)[ \t*_]*[:.]?[ \t*_]*)*[(\[]?(?P<letter>[A-J]){ENDS}(?P<more>[^\n]*)$",
    re.M | re.I,
)


def is_of_table(line: str) -> bool:
    """Whether a line holds numbers with their letters and the words of a key's title alone, or a row of either."""
    tokens = _of_table(line) or []
    kinds = {token.isdecimal() for token in tokens}
    return len(kinds) == 2 or len(tokens) > 3 or any(strings_in(line))


def _string(line: str) -> tuple[str, bool] | None:
    """(the letters of a line that holds letters below a key's title alone, whether it has a title); None for any other."""
    tokens = TOKEN.findall(line)
    titles = list(itertools.takewhile(lambda token: plain(token) in FILLERS, tokens))
    letters = "".join(token for token in tokens if plain(token) not in FILLERS)
    return (letters, bool(titles)) if re.fullmatch(r"[A-J]*", letters) else None


def strings_in(text: str) -> list[str]:
    """Keys that give letters without numbers (`ADCBE DCBAE`), each under a title, or where a text holds nothing else."""
    lines = [_string(line) for line in text.splitlines() if line.strip()]
    found, inside = [""], None not in lines
    for line in lines:
        inside = line is not None and (inside or line[1])
        if inside:
            letters, titled = line
            found += [""] if titled else []
            found[-1] += letters
    return [letters for letters in found if len(letters) >= 5 and letters not in LETTERS]  # ABCDE heads a sheet to fill in


def _of_table(line: str) -> list[str] | None:
    """Numbers, letters and marks of annulment of a line; None where it holds anything else, or only names annulled numbers."""
    if ANNULLED_LINE.fullmatch(line):
        return None
    tokens = [token for token in TOKEN.findall(line) if plain(token) not in FILLERS]
    return tokens if all(map(_of_key, tokens)) else None


def _of_key(token: str) -> bool:
    return token.isdecimal() or _is_letter(token) or bool(ANNULLED.fullmatch(token))


def _is_letter(token: str) -> bool:
    return len(token) == 1 and token.upper() in LETTERS[:10]


def tables_in(text: str) -> list[dict[int, list[str]]]:
    """Letters by number of each block of lines that hold nothing else; of three numbers at least, each once."""
    tables = [table for lines in _blocks(text) for table in _tables(list(itertools.chain(*lines)))]
    return [table for table in tables if sum(map(bool, table.values())) >= 3]


def said_again(text: str) -> dict[int, list[list[str]]]:
    """What each table gives a number, also one of a few numbers (`GABARITO RETIFICADO`, `3 A`), which is no key by itself.

    Fewer letters than numbers are none (`Questões 1 a 20`), nor is one letter on another line than its number, a page's.
    """
    found: dict[int, list[list[str]]] = {}
    for lines in _blocks(text):
        of_lines = [table for line in lines for table in _tables(line)]
        for table in _tables(list(itertools.chain(*lines))):
            have = sum(map(bool, table.values()))
            if 2 * have > len(table) and (have > 1 or table in of_lines) and not _to_fill_in(table):
                for number, letters in table.items():
                    found.setdefault(number, []).extend([[letter.upper() for letter in letters]] if letters else [])
    return found


def _to_fill_in(table: dict[int, list[str]]) -> bool:
    """Whether a table is a sheet of `1 A B C D`; `3 A, D` alone is none."""
    several = [letters for letters in table.values() if len(letters) > 1]
    return len(several) > len(table) / 2 and (len(table) > 2 or "".join(several[0]).upper() in LETTERS)


def _blocks(text: str) -> list[list[list[str]]]:
    """Lines that hold numbers and letters of a key alone, those of each line, as far as no other line stands between them."""
    blocks: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        tokens = _of_table(line)
        if tokens is None:
            blocks.append([])
        else:
            blocks[-1].append(tokens)
    return blocks


def _tables(tokens: list[str]) -> list[dict[int, list[str]]]:
    """`1 D 2 A`, `1 B 2 C, D`, in any number of columns, or rows of numbers with a row of letters below each.

    A number that comes again begins another table.
    """
    groups = [(numeric, list(some)) for numeric, some in itertools.groupby(tokens, key=str.isdecimal)]
    if groups and not groups[0][0]:
        groups = groups[1:]
    pairs = [(numbers, letters) for (_, numbers), (_, letters) in zip(groups[::2], [*groups[1::2], (False, [])], strict=False)]
    rows = bool(pairs) and all(len(numbers) == len(letters) for numbers, letters in pairs)
    tables: list[dict[int, list[str]]] = [{}]
    for numbers, letters in pairs:
        if rows:
            found = [(int(n), [letter]) for n, letter in zip(numbers, letters, strict=True)]
        else:  # a number without a letter has none, or is a page's
            found = [(int(n), []) for n in numbers[:-1]] + [(int(numbers[-1]), letters)]
        for number, own in found:
            if tables[-1].get(number):
                tables.append({})
            if own or number not in tables[-1]:
                tables[-1][number] = own
    return tables


class Table(NamedTuple):
    """Letters by number; where there are none, why."""

    letters: dict[int, list[str]]
    why: str = ""
    more: dict[int, str] = {}


def table_for(text: str, numbers: list[int]) -> Table:
    """The one table of a text that holds these numbers and no others, but those that are lacking between them."""
    tables = [table for table in tables_in(text) if not _to_fill_in(table)]
    whole = [t for t in tables if t.keys() >= set(numbers)]
    if not whole and len(tables) > 1 and len(set().union(*tables)) == sum(map(len, tables)):
        whole = [t for t in [dict(itertools.chain.from_iterable(t.items() for t in tables))] if t.keys() >= set(numbers)]
    if len({str(sorted(t.items())) for t in whole}) > 1:
        return Table({}, "it holds several keys that differ")
    if not whole:
        rows = commented(text, numbers)
        strings = set() if rows.letters or tables else set(strings_in(text))
        if len(strings) == 1 and numbers == list(range(1, len(letters := strings.pop()) + 1)):
            return Table({n: [letter] for n, letter in zip(numbers, letters, strict=True)})
        return rows if rows.letters or not tables else Table({}, f"its key {_told(tables[0])}, its questions {_told(numbers)}")
    table = whole[0]
    if min(table) != min(numbers) or max(table) != max(numbers):
        return Table({}, f"its key {_told(table)}, its questions {_told(numbers)}")
    if sum(bool(table[n]) for n in numbers) < 0.8 * len(numbers):
        return Table({}, "many numbers of its key have no letter")
    return Table({n: [letter.upper() for letter in table[n]] for n in numbers})


def _told(numbers) -> str:
    return f"has the numbers {min(numbers)} to {max(numbers)} ({len(numbers)} of them)"


def is_key(text: str) -> bool:
    """Whether a file beside an exam holds its key: a table, lines of three numbers and more, one after another, or letters."""
    numbers = [int(hit["number"]) for hit in ROW.finditer(text)]
    follow = len(numbers) >= 3 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return follow or bool(tables_in(text) or strings_in(text))


def commented(text: str, numbers: list[int]) -> Table:
    """`1. B – text` or `1) Letra B. Why …` for each number, each once and in order; what stands behind and below is kept."""
    hits = list(ROW.finditer(text))
    if [int(hit["number"]) for hit in hits] != numbers:
        return Table({})
    ends = [*(hit.start() for hit in hits[1:]), len(text)]
    more = {int(h["number"]): f"{h['more']}\n{text[h.end() : end]}" for h, end in zip(hits, ends, strict=True)}
    return Table({int(h["number"]): [h["letter"].upper(), *_further(h["more"])[0]] for h in hits}, "", more)
