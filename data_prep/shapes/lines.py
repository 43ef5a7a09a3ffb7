"""Texts whose lines are no prose: code, logs, forms to fill in, trees, lists. Each is told by the share of lines of its kind."""

import csv
import re
from typing import NamedTuple

from data_prep.values.html_text import WIDE

FEWEST = 20  # lines
CODE = re.compile(  # how a line of a program, of a style sheet or of a page's source begins, ends or assigns
    r"[ \t]*(?:\d+[:|][ \t]*)?(?:[\])}>{(/;,]+$|//|/\*|\*/|</?[A-Za-z][\w.-]*(?:[ \t/>]|$)|#include\b|@\w+$"
    r"|(?:import|from|const|let|var|def|class|function|return|export|public|private|elif|else|try|except|finally|if|for|while"
    r"|switch|case)\b.*[\w\])}'\"][:{(;,]$|import[ \t][\w{*.\"']|[\w.\[\]'\"$-]+[ \t]*(?:[-+*|]?=|:=)[ \t]*\S"
    r"|[\w.$]+\([^()]*\)[;{]?$|[\w'\"-]+[ \t]*:[ \t]*[^ \t].*[,;{]$)"
    r"|.*(?:=\{|=>|className=|style=|\);$|\{$|\}[;,)]*$|/>$)"
)
TIMED = re.compile(
    r"[ \t]*[\[(]?(?:\d{4}-\d\d-\d\d[T ]\d{1,2}:\d\d|\d{1,2}:\d\d:\d\d|(?:\d{1,2}:)?\d\d:\d\d[.,]\d{3}"
    r"|(?:DEBUG|INFO|WARN(?:ING)?|ERROR)\b)"
)
BLANK = re.compile(  # to be written into, to be ticked, or to be chosen from: ( none / dry / wet )
    r".*(?:_{4,}|＿{2,}|(?:\.{8,}|…{4,}|·{6,})(?![ \t]*\d)|[□☐]|\[[ \t]\]|\([ \t]{1,5}\)"
    r"|[(（][^()（）]+(?:[ \t]/[ \t][^()（）]+){2,}[)）])"
)
FILLED = re.compile(  # to be ticked on paper, or filled by a program: |NAME|, {{name}}; a list of tasks has other boxes
    r".*(?:\([ \t.]{1,5}\)|\|[A-Z][^a-z|\n]{2,40}\||\{\{[^{}\n]{1,40}\}\}|@{3})"
)
LINK = re.compile(r"[ \t]*(?:(?:[-*•]|\d{1,3}[.)])[ \t]*)?(?:!?\[[^\]\n]*\]\()?https?://\S+[ \t]*$")
IDENTIFIED = re.compile(r".*[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
DRAWN = re.compile(r"[ \t]*[─-╿]")
TREE = re.compile(r"[ \t│|]*(?:[├└]|→[ \t]*\[|│[ \t]*$)")
QUOTED = re.compile(r"""[ \t]*[\['"(].*['"][ \t]*,[ \t]*$""")  # an item of a list as a program writes it
LISTED = re.compile(r"[^:.!?\n]{2,60}:[ \t]+[^:.!?,\n]+(?:,[^:.!?,\n]+)+$")  # a name with the things that go with it
JUDGED = re.compile(r"[ \t]*\d+[ \t]+-?\d+[ \t]+\D")  # TREC's: the question's number, the passage's mark, the passage
MARKED_WORD = re.compile(r"\s*\S+\s+(?:O|[BI]-\S+)(?:\s.*)?")


def filled(text: str) -> list[str]:
    """The lines of a text that are not empty."""
    return [line for line in text.splitlines() if line.strip()]


class Kind(NamedTuple):
    name: str
    line: re.Pattern
    share: float  # of a text's lines
    fewest: int = FEWEST  # lines of a text

    def holds(self, text: str) -> bool:
        """Whether so many lines of a text are of this kind, and they are more than a few."""
        lines = filled(text)
        return len(lines) >= self.fewest and sum(bool(self.line.match(line)) for line in lines) >= self.share * len(lines)


KINDS = (
    Kind("items of a list, each in quotes with a comma behind it", QUOTED, 0.9),
    Kind("names, each with a list behind it", LISTED, 0.9),
    Kind("lines with two numbers before each text, as of judged passages", JUDGED, 0.9),
    Kind("a word with its mark on each line, as marked entities stand", MARKED_WORD, 0.9),
    Kind("the lines of a program or of a page's source", CODE, 0.6),
    Kind("lines with times before them, as of a log or of subtitles", TIMED, 0.3),
    Kind("a form to fill in, with blanks or boxes on its lines", BLANK, 0.3, fewest=10),
    Kind("a form to fill in, with boxes or names for what fills them", FILLED, 0.2),
    Kind("a tree or an index, drawn with lines", TREE, 0.6),
    Kind("a table that is drawn with lines", DRAWN, 0.6),
    Kind("links, with little beside them", LINK, 0.4),
    Kind("lines with identifiers, as those of a log", IDENTIFIED, 0.3),
)

CLOZE = re.compile(r"\{\{c\d+::")
OPTION_NAME = r"(?:option|choice|op[çc][ãa]o|opci[óo]n|alternativa|opzione|variante?|se[çc]enek|opsi|选项|вариант)[ _]?"
NAMED_OPTIONS = re.compile(rf"{OPTION_NAME}(?:1|A)\b.*{OPTION_NAME}(?:2|B)\b", re.I)  # as a table's line of names has them
KEYED = re.compile(r"(?m)^[ \t]*(?:正确|参考|标准)?答案[ \t]*[:：]?[ \t]*[A-HＡ-Ｈ]")
NAMES = re.compile(r"[^\W\d][\w .-]{0,30}(?:[,;][^\W\d][\w .-]{0,30})+")


def _has_names_above(text: str) -> bool:
    """Whether a text's first line names columns, and every line below has as many cells, parted as a program writes them."""
    lines = filled(text)
    if len(lines) < FEWEST or not NAMES.fullmatch(lines[0].strip()):
        return False
    sign = "," if "," in lines[0] else ";"
    try:
        counts = [len(cells) for cells in csv.reader(lines, delimiter=sign)]
    except csv.Error:
        return False
    return sum(count == counts[0] for count in counts) >= 0.95 * len(lines)


BARRED = re.compile(r"(?:[^|\n]*\|){3}")
RULED = re.compile(r"[ \t]*(?:(?:[_=+\s-]*\|){3}[|_=+\s-]*|\|[_=+-]{3,}\|?[ \t]*)$")
OF_MARKDOWN = re.compile(r"(?m)^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*\|")


def is_barred(text: str) -> bool:
    """Whether many lines of a text are cells between bars, with lines of bars and dashes alone among them: a table that is drawn.
    One of Markdown has its own such line, one of a page none."""
    lines = filled(text)
    barred, ruled = (sum(bool(form.match(line)) for line in lines) for form in (BARRED, RULED))
    return len(lines) >= FEWEST and barred >= 0.4 * len(lines) and ruled > 1 and not OF_MARKDOWN.search(text)


SPAN = re.compile(r"(?m)^[ \t]*\[\d+(?:[.,]\d+)?s?[ \t]*(?:-|–|-->|→)[ \t]*\d+(?:[.,]\d+)?s?\]")  # `[0.00 - 18.14]`, in seconds
HANDLE = re.compile(r"(?m)^[ \t]*@([\w.-]+):?[ \t]+\S")
QUERY = re.compile(  # upper case, as SQL's words are written
    r"(?m)^[ \t]*(?:(SELECT|INSERT INTO|CREATE|ALTER|DROP|UPDATE|DELETE FROM)|FROM|WHERE|(?:[A-Z]+ )?JOIN|GROUP BY|ORDER BY"
    r"|HAVING|VALUES|AND|ON|UNION|LIMIT)\b"
)


ANSWERED = re.compile(  # `3. (B) Soro`, `4. - C`, `5. Resposta: D`: an article as a line's first word is no letter
    r"[ \t]*\d{1,3}[ \t]*[.):–-][ \t]*[-–]?[ \t]*(?:[^\W\d_]{3,10}[ \t]*:[ \t]*)?(?:\([A-E]\)|[A-E]\))(?:[ \t]|$)"
    r"|[ \t]*\d{1,3}[ \t]*[.):–-][ \t]*[-–]?[ \t]*(?:[^\W\d_]{3,10}[ \t]*:[ \t]*)?[A-E][ \t]*$"
)


def _of_letters(text: str) -> bool:
    """Whether half of a text's lines are a number with a letter behind it, which a text may follow."""
    lines = filled(text)
    answered = sum(bool(ANSWERED.match(line)) for line in lines)
    return answered >= 10 and answered >= 0.5 * len(lines)


def _of_handles(text: str) -> bool:
    """Whether most lines begin with one of a few names behind an @ that come again: turns of a conversation."""
    lines = len(filled(text))
    names = HANDLE.findall(text)
    often = {name for name in names if names.count(name) >= 3}
    return len(names) >= 10 and len(names) >= 0.6 * lines and 2 <= len(often) <= 8


def _of_queries(text: str) -> bool:
    """Whether much of a text is SQL."""
    lines = len(filled(text))
    words = QUERY.findall(text)
    return len(words) >= 0.3 * lines and sum(map(bool, words)) >= 3


OTHERS = (  # what a text holds that is not told by the share of its lines
    ("notes with gaps whose answers stand in them ({{c1::…}})", lambda text: len(CLOZE.findall(text)) >= 5),
    ("a table, whose line of names calls options", lambda text: any(map(NAMED_OPTIONS.search, text.splitlines()[:5]))),
    ("a table, below a line of names (save it as .csv)", _has_names_above),
    ("answers, each under a mark", lambda text: len(KEYED.findall(text)) >= 10),
    ("lines with times before them, as of a log or of subtitles", lambda text: len(SPAN.findall(text)) >= 5),
    ("turns of a conversation, each behind @ and a name", _of_handles),
    ("queries of a database", _of_queries),
    ("the letters of an exam's key", _of_letters),
)


def of_single_words(text: str) -> bool:
    """Whether nearly all lines of a text hold a word or two: a list, or a document whose lines were lost."""
    lines = filled(text)
    short = sum(len(line.split()) <= 2 and len(WIDE.findall(line)) <= 2 for line in lines)
    return len(lines) >= 50 and short >= 0.95 * len(lines)
