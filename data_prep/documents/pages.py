"""Reader of HTML files: tables of questions or a script's list as rows, exams in paragraphs and lists, or the page's own text."""

import codecs
import collections
import copy
import re
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.documents.asked_text import set_apart
from data_prep.documents.classed import classed_pairs
from data_prep.documents.exam.layout import SIGN
from data_prep.documents.marked_text import asks_often
from data_prep.documents.scripted import rows_in_scripts, scripts_of
from data_prep.documents.texts import exam_rows, text_file, written_or_text
from data_prep.documents.written import at_lines
from data_prep.tables.records import one_header
from data_prep.tables.unpack import SAID, whole_bytes, whole_text
from data_prep.values.html_text import BLOCKS, CONTROLS, WIDE, text_of_tree
from data_prep.words.names import ALIASES, plain
from data_prep.words.phrases import asks

DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})|<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,40})""", re.I
)
ASIDE = "nav|footer|aside|script|style|noscript|template|select|button|iframe|svg|head".split("|")
RIGHT = re.compile(r"(?:^|[\s_-])(?:correct|right|certa|correta|correto)(?:$|[\s_-])", re.I)  # classes of an option
APART = BLOCKS | {"li", "br", "td", "th"}
HEADS = {"h1", "h2", "h3", "h4", "h5", "h6"}
STRESSED = {"b", "strong", "u", "mark", "ins"}


WHOLE = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
PART = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:div|section|article|main|table|ul|ol|dl|p|h[1-6])[\s>]", re.I | re.S)
OF_TAGS = 0.6  # of the lines of a page's part


def text_or_page(path: Path, shown: str, key: str = ""):
    """A file of text; one that is a page's source, or a part of it, is read as the page."""
    text = whole_text(path, shown)
    lines = [line for line in text.splitlines() if line.strip()]
    tagged = sum(line.lstrip().startswith("<") for line in lines)
    is_page = WHOLE.match(text) or (PART.match(text) and tagged >= OF_TAGS * len(lines) > 1)
    yield from (html_file if is_page else text_file)(path, shown, key)


def html_file(path: Path, shown: str, key: str = ""):
    """The rows of a page's tables, its exam, or its text as one record."""
    page = decoded(path, shown)
    root = _tree(page)
    if rows := _rows(root, shown):
        yield from ((line, row, 0) for line, row in rows)
        return
    if rows := classed_pairs(root):
        yield from ((line, row, 0) for line, row in rows)
        return
    text = text_of_tree(root)
    if rows := rows_in_scripts(page, shown, len(text)):
        yield from ((line, row, 0) for line, row in at_lines(page, rows))
        return
    linked = sum(len("".join(link.itertext()).split()) for link in root.iter("a"))
    if linked > 20 and linked >= 0.5 * len(text.split()):
        raise UserError(
            f"{shown}: is mostly navigation: {linked} of its {len(text.split())} words are links. Save its content as .txt or .md"
        )
    rows = list(written_or_text(text, shown, exam_rows(text, key)))
    alone = [(1, {"text": text.replace(SIGN, "")}, 0)]
    if rows == alone and asks_often(text) and (found := set_apart(heads := text_of_tree(_headed(root)).replace(SIGN, ""))):
        rows = [(line, row, 0) for line, row in at_lines(heads, found)]
    if rows == alone:
        _refuse_what_is_no_text(page, root, text, shown)
        rows = [(1, {"text": BARE_MARK.sub("", text_of_tree(_unnamed(root)).replace(SIGN, "")).strip()}, 0)]
    yield from rows


def _refuse_what_is_no_text(page: str, root, text: str, shown: str) -> None:
    """Raises UserError for a page whose text is that of a form to tick, or of the buttons around what its script fills in."""
    if (n := _groups_to_tick(root)) > 1:
        raise UserError(
            f"{shown}: holds {n} groups of options to tick, and does not say which are right, so that its questions would be "
            "plain text. Bring them into a table of questions, options and answers; or, where text is meant, save it as .txt"
        )
    code = sum(len(script) for _, script in scripts_of(page))
    if code > MOST_CODE * len(text) and _prose(text) < LEAST_PROSE:
        raise UserError(
            f"{shown}: shows {len(text):,} characters, hardly a sentence among them, beside {code:,} of script, which fills in "
            "what it is about. Save the data that it loads; or, where its own text is meant, save it as .txt"
        )
    fields = [node for node in root.iter("input") if node.get("type", "text").lower() in FIELDS]
    if fields and len(text) < FEW and _prose(text) < LEAST_PROSE:
        raise UserError(
            f"{shown}: shows {len(text):,} characters, hardly a sentence among them, beside fields to fill in, as a calculator "
            "or a search does. Where its own text is meant, save it as .txt"
        )
    if 0 < len(text.strip()) < FEW and not SENTENCE.search(text):
        raise UserError(
            f"{shown}: shows {len(text):,} characters, and no sentence among them: titles, and what stands on buttons. Where its "
            "own text is meant, save it as .txt"
        )
    if len(text) < FEW and LOADING.search(text):
        raise UserError(
            f"{shown}: shows {len(text):,} characters, and says that it is loading: what it is about comes from elsewhere. Save "
            "the data that it loads; or, where its own text is meant, save it as .txt"
        )
    if (unseen := _unseen(page, text)) > len(text):
        raise UserError(
            f"{shown}: shows {len(text):,} characters, and its script holds {unseen:,} more of text, which it fills in. Save "
            "that data; or, where the text that is shown is meant alone, save it as .txt"
        )


STRING = re.compile(r"""'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`([^`]*)`""")
WORD = re.compile(r"[(“\"]?[^\W\d_]+(?:['’-][^\W\d_]+)?[.,;:!?)”\"]*")


def _unseen(page: str, text: str) -> int:
    """How many characters of sentences a page's scripts hold that it does not show."""
    shown, unseen = "".join(filter(str.isalnum, text)), 0
    for said in dict.fromkeys("".join(hit) for _, script in scripts_of(page) for hit in STRING.findall(script)):
        words = said.split()
        prose = (
            len(said) >= 40
            and len(words) >= 6
            and said.strip()[:1].isupper()
            and sum(bool(WORD.fullmatch(w)) for w in words) >= 0.7 * len(words)
        )
        unseen += len(said) if prose and "".join(filter(str.isalnum, said)) not in shown else 0
    return unseen


LOADING = re.compile(  # a line of what a page shows until it has what it is about
    r"^\W*(?:loading|carregando|cargando|chargement|caricamento|(?:wird|werden) geladen|l[aä]dt|загрузка|加载中|読み込み中|로딩"
    r"|yükleniyor|ładowanie|memuat|جار[يٍ]? التحميل)[^.\n…]{0,30}(?:\.{3}|…)?[ \t]*$",
    re.I | re.M,
)
OFTEN = 5  # pictures of one name
FEW, FIELDS = 1000, {"text", "number", "search", "range", "date"}  # characters, and kinds of fields that are written into
SENTENCE = re.compile(r"[^\n]{24,}[.!?…]|[^\n]{60}|[\u0600-\u06ff\u0900-\u0dff\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7a3]")
MOST_CODE, LEAST_PROSE = 20, 0.3  # characters of script to one that is shown; share of these that stands in lines of sentences


def _prose(text: str) -> float:
    """Share of a text that stands in lines as long as a sentence."""
    lengths = [len(line) + len(WIDE.findall(line)) for line in text.split("\n")]
    return sum(n for n in lengths if n >= 60) / max(1, sum(lengths))


FEW_WORDS = 2
BARE_MARK = re.compile(r"^[ \t]*(?:-|\d{1,3}\.)[ \t]*(?:\n|\Z)", re.M)  # of an item with nothing in it


def _unnamed(root):
    """The page without the names of pictures that stand by themselves, but in titles: a few words that no sentence goes on
    with."""
    root = copy.deepcopy(root)
    for node in root.iter("img"):
        before, around = node.getprevious(), node.getparent()
        beside = (node.tail or "") + ((around.text if before is None else before.tail) or "")
        if len((node.get("alt") or "").split()) <= FEW_WORDS and not beside.strip() and not _inside(node, *HEADS):
            node.attrib.pop("alt", None)
    return root


def _headed(root):
    """The page with the signs of Markdown's headings before its own, and before terms and what unfolds its details."""
    root = copy.deepcopy(root)
    for node in root.iter("h1", "h2", "h3", "h4", "h5", "h6", "dt", "summary"):
        if node.tag in HEADS or next(node.iter(*HEADS), None) is None:
            node.text = f"{'#' * (int(node.tag[1]) if node.tag in HEADS else 6)} {(node.text or '').lstrip()}"
    return root


def _groups_to_tick(root) -> int:
    """How many questions of three options and more a page's form asks; a switch of yes and no is none."""
    groups = collections.Counter(node.get("name") for node in root.iter("input") if node.get("type", "").lower() == "radio")
    return sum(count >= 3 for count in groups.values())


def html_page_text(path: Path, shown: str) -> str:
    return text_of_tree(_tree(decoded(path, shown)))


def _tree(page: str):
    """The page without what is aside; a paragraph that is set apart by its type, as a right option can be, is signed."""
    import lxml.html

    root = lxml.html.document_fromstring(CONTROLS.sub("", page) or "<p></p>")
    for node in list(root.iter(*ASIDE)):
        if node.tag == "button" and _unfolds(node):
            _drop_arrows(node)
            node.tag = "span" if _inside(node, *HEADS, "dt", "summary") else "summary"
        elif node.tag == "button" and _in_sentence(node):
            node.tag = "span"
        else:
            node.drop_tree()
    _fold_spaces(root)
    pictures = collections.Counter(node.get("alt") for node in root.iter("img"))
    for node in root.iter("img"):
        if pictures[node.get("alt")] >= OFTEN:  # as a page's logo, on each of its parts
            node.attrib.pop("alt", None)
    for node in root.iter("p", "li", "div", "label"):
        said = "".join(node.itertext()).strip()
        stressed = any("".join(c.itertext()).strip() == said for c in node.iter(*STRESSED)) or _inside(node, *STRESSED)
        if said and (stressed or RIGHT.search(node.get("class") or "")) and not any(c.tag in BLOCKS for c in node):
            node.text = SIGN + (node.text or "")
    return root


FOLDED = re.compile(r"accordion|collaps|faq|question|pergunta", re.I)


def _unfolds(node) -> bool:
    """Whether a button is the heading of what it unfolds: it stands in a heading, asks, or is called so, or what is beside it
    is that alone."""
    beside = node.getnext()
    alone = beside is not None and beside.tag in BLOCKS and len(node.getparent()) == 2 and node.getprevious() is None
    named = FOLDED.search(node.get("class") or "") or node.get("aria-expanded")
    said = "".join(node.itertext()).strip()
    return bool(said and (_inside(node, *HEADS, "dt", "summary") or named or alone or asks(said)))


ARROW = re.compile(r"\s*[▶►▸▼▾▲▴⌄❯＋][\ufe0e\ufe0f]?\s*$")


def _drop_arrows(node) -> None:
    """Take the signs at the ends of a button's words that show which way it unfolds: with them its question would end in one."""
    for part in node.iter():
        part.text = ARROW.sub("", part.text or "")
        part.tail = ARROW.sub("", part.tail or "") if part is not node else part.tail


def _in_sentence(node) -> bool:
    """Whether a button is a word of a sentence, which shows more where one touches it: text stands before it and behind it."""
    before = node.getprevious()
    said = (node.getparent().text if before is None else before.tail) or ""
    follows = bool((node.tail or "").strip())
    return follows and bool(said.strip() or (before is not None and before.tag not in APART))


def _fold_spaces(root) -> None:
    """White space becomes what a browser shows of it: one space, and none between blocks. What is in <pre> keeps its own."""
    for node in root.iter():
        if not isinstance(node.tag, str) or node.tag == "pre" or _inside(node, "pre"):
            continue
        node.text = re.sub(r"\s+", " ", node.text or "")
        for child in node:
            tail, following = re.sub(r"\s+", " ", child.tail or ""), child.getnext()
            beside = {child.tag, child.tag if following is None else following.tag}
            child.tail = "" if tail == " " and beside & APART else tail


def _inside(node, *tags: str) -> bool:
    return next(node.iterancestors(*tags), None) is not None


def decoded(path: Path, shown: str) -> str:
    """A document's text in the encoding that it declares; without one, as any text is read."""
    content = whole_bytes(path, shown)
    hit = DECLARED.search(content[:4096])
    name = (hit[1] or hit[2]).decode() if hit else ""
    if SAID.get("encoding") or not name or content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return whole_text(path, shown)
    try:
        name = "cp1252" if codecs.lookup(name).name == "iso8859-1" else name  # as browsers take it
        return re.sub(r"^\s*<\?xml[^>]*\?>", "", content.decode("utf-8-sig" if codecs.lookup(name).name == "utf-8" else name))
    except LookupError:
        raise UserError(f"{shown}: declares the encoding {name}, which is not known; save it again as UTF-8") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{shown}:{line}: declares the encoding {name}, which does not fit; save it again as UTF-8, or pass --encoding"
        ) from None


# ---------------------------------------------------------------------------------------------- tables


def _rows(root, shown: str) -> list[tuple[int, dict]]:
    """(line, row) of the tables of a page that has little else; they must have one header. [] where it has no such table."""
    tables = [t for t in root.iter("table") if t.find(".//table") is None]
    found = [cells for table in tables if len(cells := _cells(table)) > 2 and len(cells[0][1]) > 1 and _is_header(*cells[0])]
    whole = len("".join(root.itertext()).split())
    inside = sum(len(" ".join(cell for _, cells, _ in table for cell in cells).split()) for table in found)
    if not found or inside < 0.6 * whole:
        return []
    header, rows = one_header([table[0][1] for table in found], shown), []
    for table in found:
        for line, cells, _ in table[1:]:
            if len(cells) != len(header):
                raise UserError(f"{shown}:{line}: a row of {len(cells)} cells below a header of {len(header)}")
            rows.append((line, dict(zip(header, cells, strict=True))))
    return rows


def _cells(table) -> list[tuple[int, list[str], bool]]:
    """(line, texts, whether all are headings) of each row; [] where a cell goes over several rows or columns."""
    if any(cell.get(span, "1") != "1" for cell in table.iter("td", "th") for span in ("rowspan", "colspan")):
        return []
    rows = [(row, [cell for cell in row if cell.tag in ("td", "th")]) for row in table.iter("tr")]
    return [
        (row.sourceline, [text_of_tree(c).replace(SIGN, "") for c in cells], all(c.tag == "th" for c in cells))
        for row, cells in rows
        if cells
    ]


def _is_header(line: int, names: list[str], headings: bool) -> bool:
    return len(set(names)) == len(names) and all(names) and (headings or sum(plain(name) in ALIASES for name in names) > 1)
