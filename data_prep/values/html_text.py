"""HTML inside a text to plain text, read by lxml: paragraphs, lists with their nesting, table cells, powers.

Most texts with a `<` hold none: `a<b and c>d`, `p < 0.05`. Only whole tags of HTML's own names, with attributes written as
HTML writes them, are taken for tags; all else goes to lxml escaped, and comes back as it was.
"""

import html
import re

from data_prep.common.files import HALF

BLOCKS = frozenset(
    "p div section article header footer blockquote pre h1 h2 h3 h4 h5 h6 table thead tbody tfoot tr ul ol dl dt dd hr "
    "main nav aside figure figcaption fieldset form details summary address body".split()
)
CELLS = frozenset({"td", "th"})
OF_PAGES = (
    "li",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
)  # what a cell holds that lays out a page, in lines of its own
MOST_LINES = 3  # of a cell: options of a question would be more
SHORT = "b|i|u|s|q|a"  # could be a letter between signs: taken for a tag where it is closed, or has an attribute
NAMES = (
    "br|hr|img|wbr|input|col|p|li|td|th|tr|dt|dd|em|strong|span|sup|sub|font|small|big|code|mark|cite|center|label|abbr|strike|del"
    "|ins|tt|div|section|article|ul|ol|dl|table|thead|tbody|tfoot|h[1-6]|blockquote|pre|script|style|body|html|head|title"
)
# A backslash stands before quotes where HTML came through JSON.
VALUE = r"""(?:\\?"[^"<>]*"|\\?'[^'<>]*'|[^\s"'<>=]+)"""
ATTRIBUTES = rf"(?:\s+[a-z_:][\w:.-]*\s*=\s*{VALUE}|\s+(?:nowrap|reversed|hidden|compact|noshade|disabled))*"
TAG = re.compile(rf"<(?:{NAMES}|(?P<short>{SHORT})){ATTRIBUTES}\s*/?>|</(?P<ends>{NAMES}|{SHORT})\s*>", re.I)
COMMENT = re.compile(r"<!--.*?-->", re.S)
TAG_OR_COMMENT = re.compile(rf"{TAG.pattern}|{COMMENT.pattern}", re.I | re.S)
ENTITY = re.compile(r"&(?:[a-z]{2,8}|[a-z]{1,3}\d{1,2}|#\d{2,6}|#x[0-9a-f]{2,5});", re.I)
# What lxml does not read: at a control character it fails or stops, at half a surrogate pair it loses the rest of the text.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
BULLETS = str.maketrans(dict.fromkeys("\uf0b7\uf0a7\uf06e\uf071\uf076\uf0d8\uf0a8\uf0fc\uf09f\uf0e8", "•"))  # of fonts of symbols
LETTERED = re.compile(r"list-style(?:-type)?\s*:[^;]*?\b(upper|lower)-(?:alpha|latin)", re.I)
WIDE = re.compile(r"[\u3040-\u9fff\uac00-\ud7a3]")  # such a letter says as much as two of ours
LONGEST_POWER = 40  # letters
DROPPED = frozenset({"script", "style", "head", "title", "template"})


def html_to_text(text: str) -> str:
    """Plain text of a text that may hold HTML; entities become characters. What is no HTML stays as it is."""
    if "<" in text:
        marked = _escape_all_but_tags(text)
        if marked is not None:
            return _plain(marked)
    return html.unescape(text) if ENTITY.search(text) else text


def _escape_all_but_tags(text: str) -> str | None:
    """The text with every `<`, `>` and `&` escaped that belongs to no tag and no entity; None where there is no tag."""
    end = text.rfind("-->") + 3  # no comment ends beyond: looked for from each "<!--", that took time by the square
    tags = [*TAG_OR_COMMENT.finditer(text, 0, end), *TAG.finditer(text, end)] if end > 2 else list(TAG.finditer(text))
    closed = {m["ends"].lower() for m in tags if m["ends"]}
    tags = [m for m in tags if not m["short"] or m["short"].lower() in closed or "=" in m.group()]
    if not tags:
        return None
    parts, at = [], 0
    for tag in [*tags, None]:
        between = text[at : tag.start() if tag else len(text)]
        pieces = [between] if not ENTITY.search(between) else re.split(f"({ENTITY.pattern})", between, flags=re.I)
        parts += [p if n % 2 else html.escape(p, quote=False) for n, p in enumerate(pieces)]
        if tag:
            parts.append(tag.group())
            at = tag.end()
    return "".join(parts)


def _plain(marked: str) -> str:
    """Plain text of marked-up text whose stray signs are escaped; without any layout where lxml gives up (256 tags deep)."""
    import lxml.html

    parser = lxml.html.HTMLParser()
    root = lxml.html.fragment_fromstring(HALF.sub("\ufffd", CONTROLS.sub("", marked)), create_parent="div", parser=parser)
    if parser.error_log.filter_from_fatals():
        return html.unescape(TAG_OR_COMMENT.sub(" ", marked)).strip()
    return text_of_tree(root)


def text_of_tree(root) -> str:
    """The plain text of a parsed tree."""
    out: list[str] = []
    _walk(root, out, depth=0)
    text = re.sub(r"(?<![ \t])[ \t]*\n(?:[ \t]*\n)*", lambda hit: "\n\n" if hit.group().count("\n") > 2 else "\n", "".join(out))
    return re.sub(r"(?:^|(?<=\n)) \| ", "", text).strip("\n")


def _walk(node, out: list[str], depth: int) -> None:
    """Append the text of a node and of what it holds; `depth` counts the lists around it."""
    if node.text:
        out.append(_layout(node.text, node) if len(node) else node.text)
    number = 0
    for child in node:
        number += child.tag == "li"
        _element(child, out, depth, number)
        if child.tail:
            out.append(_layout(child.tail, child))


def _layout(text: str, beside) -> str:
    """Text, or nothing where it is only the line ends between the tags of blocks and items, or any space around a cell."""
    if not text.isspace():
        return text
    return "" if beside.tag in CELLS or (text.count("\n") == 1 and (beside.tag in BLOCKS or beside.tag == "li")) else text


def _cell(node, depth: int) -> str:
    """The text of a cell. A few lines stand in one, so that the row keeps its cells apart; more, or what lays out a page, as
    lists and titles do, stay lines, and so does a cell alone in its row."""
    out: list[str] = []
    _walk(node, out, depth)
    said = "".join(out)
    lines = [line for line in said.split("\n") if line.strip()]
    around = node.getparent()
    alone = around is None or sum(child.tag in CELLS for child in around) < 2
    of_page = len(lines) > MOST_LINES or next(node.iter(*OF_PAGES), None) is not None
    return said if alone or of_page else " ".join(said.split())


def _element(node, out: list[str], depth: int, number: int) -> None:
    """Append an element's text; `number` counts the list items of its list up to it."""
    tag = node.tag if isinstance(node.tag, str) else ""
    if not tag or tag in DROPPED:  # comments, scripts
        return
    if tag == "br":
        out.append("\n")
    elif tag == "img":
        out.append(node.get("alt") or "")
    elif tag == "sup":
        if len(text := node.text_content()) <= LONGEST_POWER:
            out.append(_power(text, "".join(out[-1:])))
        else:  # one that was never closed
            out.append("^" if re.match(r"\s*[-−–+]?\d", text) else "")
            _walk(node, out, depth)
    elif tag == "li":
        said: list[str] = []
        _walk(node, said, depth)
        first = next((n for n, piece in enumerate(said) if piece.strip()), len(said))  # a paragraph stands at its item's mark
        out += [f"\n{'  ' * max(0, depth - 1)}{_bullet(node, number)} ", *said[first:]]
    elif tag in CELLS:
        if node.getprevious() is not None:
            out.append(" | ")
        out.append(_cell(node, depth))
    elif tag in BLOCKS:
        out.append("" if tag in ("ul", "ol") else "\n")  # each item begins a line itself
        _walk(node, out, depth + (tag in ("ul", "ol")))
        out.append("\n")
    else:
        _walk(node, out, depth)


def _bullet(node, number: int) -> str:
    """The mark of a list item: a hyphen, its number, or its letter."""
    around = node.getparent()
    if around is None or around.tag != "ol":
        return "-"
    start = around.get("start") or "1"
    number += (int(start) if re.fullmatch("[0-9]{1,9}", start) else 1) - 1
    letters = LETTERED.search(around.get("style") or "")
    kind = {"upper": "A", "lower": "a"}[letters[1].lower()] if letters else around.get("type")
    if kind not in ("A", "a") or number > 26:
        return f"{number}."
    return f"{chr(ord(kind) + number - 1)})"


def _power(text: str, before: str) -> str:
    """10<sup>9</sup> is 10^9; Na<sup>+</sup> is Na+, 1<sup>st</sup> is 1st, a mark without a word before it stays as it is."""
    text = text.strip()
    if not re.search(r"[\w)\]]$", before) or not re.search(r"\d", text):
        return text
    return f"^{text}" if re.fullmatch(r"[\w.,+-]+|[−–]\d+", text) else f"^({text})"
