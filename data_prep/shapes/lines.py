"""Texts whose lines are no prose: code, logs, forms to fill in, trees, lists. Each is told by the share of lines of its kind."""

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
    r".*(?:_{4,}|＿{2,}|[□☐]|\[[ \t]\]|\([ \t]{1,5}\)|[(（][^()（）]+(?:[ \t]/[ \t][^()（）]+){2,}[)）])"
)
TREE = re.compile(r"[ \t│|]*(?:[├└]|→[ \t]*\[|│[ \t]*$)")
QUOTED = re.compile(r"""[ \t]*[\['"(].*['"][ \t]*,[ \t]*$""")  # an item of a list as a program writes it
LISTED = re.compile(r"[^:.!?\n]{2,60}:[ \t]+[^:.!?,\n]+(?:,[^:.!?,\n]+)+$")  # a name with the things that go with it
JUDGED = re.compile(r"[ \t]*\d+[ \t]+-?\d+[ \t]+\D")  # TREC's: the question's number, the passage's mark, the passage
MARKED_WORD = re.compile(r"\s*\S+\s+(?:O|[BI]-\S+)(?:\s.*)?")


class Kind(NamedTuple):
    name: str
    line: re.Pattern
    share: float  # of a text's lines

    def holds(self, text: str) -> bool:
        """Whether so many lines of a text are of this kind, and they are more than a few."""
        lines = [line for line in text.splitlines() if line.strip()]
        return len(lines) >= FEWEST and sum(bool(self.line.match(line)) for line in lines) >= self.share * len(lines)


KINDS = (
    Kind("items of a list, each in quotes with a comma behind it", QUOTED, 0.9),
    Kind("names, each with a list behind it", LISTED, 0.9),
    Kind("lines with two numbers before each text, as of judged passages", JUDGED, 0.9),
    Kind("a word with its mark on each line, as marked entities stand", MARKED_WORD, 0.9),
    Kind("the lines of a program or of a page's source", CODE, 0.6),
    Kind("lines with times before them, as of a log or of subtitles", TIMED, 0.3),
    Kind("a form to fill in, with blanks or boxes on its lines", BLANK, 0.3),
    Kind("a tree or an index, drawn with lines", TREE, 0.6),
)


def of_single_words(text: str) -> bool:
    """Whether nearly all lines of a text hold a word or two: a list, or a document whose lines were lost."""
    lines = [line for line in text.splitlines() if line.strip()]
    short = sum(len(line.split()) <= 2 and len(WIDE.findall(line)) <= 2 for line in lines)
    return len(lines) >= 50 and short >= 0.95 * len(lines)
