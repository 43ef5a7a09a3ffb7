"""Notes in Markdown as prose: what a program says above a note and draws in it is set aside, links and marks are their words."""

import re

from data_prep.tables.records import Bad
from data_prep.words.phrases import meanings

FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\n((?:[^\n]*\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
OF_FRONT = re.compile(
    r"[ \t]*(?:#.*|-(?:[ \t].*)?|[^\s:][^:\n]{0,40}:(?:[ \t].*)?)?"
)  # a name with its value, an item, a comment
WRAPPED = re.compile(r"[ \t]{2,}\S.*")
TITLE = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.M)
ROWS = {"question", "answer", "options", "dialogue", "messages", "conversations"}  # a note has a category of its own
DRAWING = re.compile(
    r"^[ \t]*(```|~~~)[ \t]*(?:mermaid|plantuml|dot|graphviz|excalidraw|dataviewjs?)\b[^\n]*\n.*?^[ \t]*\1[ \t]*$", re.M | re.S
)
PICTURE = re.compile(r"!\[([^\]\n]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:[ \t]+\"[^\"\n]*\")?\)|!\[\[[^\]\n]*\]\]")
BARE_PICTURE = re.compile(r"[ \t]*(?:[-*+•][ \t]*)?")
PAGE_OF_NOTES = re.compile(r"\[\[([^\[\]|\n]+?)(?:\|([^\[\]\n]+))?\]\]")
STRESSED = re.compile(r"(?<![=\w])==(?=[^\s=])([^=\n]+?)(?<=[^\s=])==(?![=\w])")
HIDDEN = re.compile(r"%%[^%]{1,2000}?%%")
FENCE = re.compile(
    r"^[ \t]*:{3,}[ \t]*(?:[A-Za-z][\w-]*)?[ \t]*(?:\{[^{}\n]*\})?[ \t]*([^\n]*?)[ \t]*$", re.M
)  # `:::spoiler Details`
OF_PAGE = re.compile(r"^[ \t]*(?:\[TOC\]|\[\[_?TOC_?\]\])[ \t]*\n|[ \t]?\[(?:color|time|name)=[^\]\n]{1,40}\]", re.M | re.I)
ADDRESS = re.compile(
    r"^[ ]{0,3}\[([^\]\[^][^\]\[]*)\]:[ \t]+<?[^\s<>]+>?[ \t]*(?:\"[^\"\n]*\")?[ \t]*$\n?", re.M
)  # `[name]: https://…`
WITHIN = re.compile(  # a link to a place of the note itself, or to what a program of this machine opens
    r"(?<!!)\[([^\[\]\n]+)\]\((#[^()\s]*|(?!https?:|mailto:|tel:)[A-Za-z][A-Za-z0-9+.-]*:[^()\s]*)\)"
)
OVER_LINES = re.compile(r"(?<!!)\[([^\[\]]{1,300})\]\(#[^()\s]*\)")
ITEM = re.compile(r"(?:[-*+•]|\d{1,3}[.)])?[ \t]*")
TAGS = re.compile(r"^[ \t]*#[^\s#]+(?:[ \t]+#[^\s#]+)+[ \t]*$\n?", re.M)  # two and more, as a program sorts notes by them
NAMED_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\[([^\[\]\n]*)\]")


def without_front(text: str) -> tuple[str, Bad | None]:
    """A note without the names and values that a program keeps above it, and these. Its title stays, where the text has no other;
    lines keep their numbers. What asks or answers there is no such thing."""
    hit = FRONT.match(text)
    lines = hit[1].split("\n") if hit else []
    names = [line.partition(":")[0].strip() for line in lines if ":" in line]
    if not names or not all(OF_FRONT.fullmatch(line) or WRAPPED.fullmatch(line) for line in lines):
        return text, None
    if any(ROWS & set(meanings(name)) for name in names):
        return text, None
    rest, title = text[hit.end() :], TITLE.search(hit[1])
    above = f"# {title[1]}" if title and title[1] not in rest[:500] else ""
    return above + "\n" * hit.group().count("\n") + rest, Bad("what a program says of a note, above it", hit[1].strip())


def as_prose(text: str) -> tuple[str, list[Bad]]:
    """A note's text with the words of its links and marks alone, and the drawings in code that it holds. A picture is what it is
    called, a line with nothing but an unnamed one is none."""
    drawn = [Bad("a drawing in code, within a note", hit.group().strip()) for hit in DRAWING.finditer(text)]
    lines = []
    for line in DRAWING.sub("", text).split("\n"):
        said = PICTURE.sub(lambda hit: hit[1] or "", line) if "![" in line else line
        if said == line or not BARE_PICTURE.fullmatch(said):
            lines.append(said)
    text = _without_addresses("\n".join(lines))
    for form, words in ((HIDDEN, ""), (PAGE_OF_NOTES, _called), (STRESSED, r"\1"), (OF_PAGE, ""), (FENCE, r"\1"), (TAGS, "")):
        text = form.sub(words, text)
    return _without_ways(text), drawn


def _without_ways(text: str) -> str:
    """The text with the words of links that lead to a place within it, or to another program; a line with nothing else is a way
    through the note (`[Back to top](#)`, its contents) where the words are a number, lead to its top or stand elsewhere too."""
    if "](" not in text:
        return text
    kept = []
    for line in text.split("\n"):
        links = WITHIN.findall(line)
        alone = links and ITEM.fullmatch(WITHIN.sub("", line).strip(" \t|·,—–"))
        if not (alone and all(to == "#" or words.strip(" .)").isdigit() or text.count(words) > 1 for words, to in links)):
            kept.append(WITHIN.sub(r"\1", line))
    return OVER_LINES.sub(r"\1", "\n".join(kept))


def _called(hit: re.Match) -> str:
    return (hit[2] or hit[1].partition("#")[0] or hit[1].lstrip("#")).strip()


def _without_addresses(text: str) -> str:
    """The text without the addresses that it names apart (`[name]: https://…`), and with the words of the links that use them."""
    names = {hit[1].casefold() for hit in ADDRESS.finditer(text)}
    if not names:
        return text

    def words(hit: re.Match) -> str:
        return hit[1] if (hit[2] or hit[1]).casefold() in names else hit.group()

    text = NAMED_LINK.sub(words, ADDRESS.sub("", text))
    return NAMED_LINK.sub(words, text)  # what a link's words were may have been a picture that is a link itself
