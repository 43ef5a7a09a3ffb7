"""Questions with their answers in a formatted text, each under a mark: `## Question 1`, `### Answer`; `**P:** …`, `**R:** …`;
or each heading a question, and its answer beneath it.
"""

import itertools
import re
from collections import Counter

from data_prep.documents.exam.layout import SIGN, TAGS
from data_prep.tables.records import Bad
from data_prep.values.choices import split_stem
from data_prep.words.phrases import asks

ASKS = r"pergunta|quest[ãa]o|question|pregunta|frage|domanda|вопрос|[问問]|p|q"
TELLS = r"resposta|answer|respuesta|r[ée]ponse|antwort|risposta|ответ|答|r|a"
NUMBER = r"(?:[ \t]*(?:n?[º°]\.?[ \t]*)?(\d{1,4}))?"
HEADING = re.compile(rf"^[ \t]*#{{1,6}}[ \t]*(?:({ASKS})|({TELLS})){NUMBER}[ \t]*(?:[:.–—-][ \t]*(.*))?$", re.M | re.I)
BOLD = re.compile(
    rf"^[ \t>*-]*?(?:\*\*|__)(?:({ASKS})|({TELLS})){NUMBER}[ \t]*(?:[:：]?(?:\*\*|__)[:：]?)(?<=[:：*_])()", re.M | re.I
)
RULE = re.compile(r"^[ \t]*(?:[-*_=]{3,})[ \t]*$", re.M)
TITLE = re.compile(r"(?:^|\n)[ \t]*(?:#{1,6}[ \t][^\n]*|([-=*_~#+])\1+[ \t]*[^\W_][^\n]*?[ \t]*\1{2,})\s*$")  # or `-- x --`
FEWEST = 2


def pairs_in(text: str) -> list[tuple[int, dict]]:
    """(place, question and answer) where a text holds nothing but such pairs, titles aside; [] for any other.

    Questions and answers take turns, their numbers follow one another, and neither holds lettered options: those are an exam's.
    """
    text = TAGS.sub(lambda tag: " " * len(tag.group()), unfolded(text))
    hits = next((found for form in (HEADING, BOLD) if len(found := list(form.finditer(text))) >= 2 * FEWEST), [])
    if not hits or len(hits) % 2 or TITLE.sub("", RULE.sub("", text[: hits[0].start()])).strip():
        return []
    if any(bool(hit[1]) == bool(n % 2) for n, hit in enumerate(hits)):
        return []
    said = [
        f"{hit[4] or ''}\n{text[hit.end() : following.start() if following else None]}"
        for hit, following in itertools.pairwise([*hits, None])
    ]
    said = [bare(part) for part in said]
    numbers = [int(hit[3]) for hit in hits[::2] if hit[3]]
    in_order = not numbers or numbers == list(range(numbers[0], numbers[0] + len(hits) // 2))
    of_answers = [(a[3], b[3]) for a, b in zip(hits[::2], hits[1::2], strict=True) if b[3]]
    if not in_order or any(a != b for a, b in of_answers) or not all(said):
        return []
    if any(split_stem(part)[1] for part in said) or sum(len(answer) < 4 for answer in said[1::2]) > len(hits) / 8:
        return []
    pairs = zip(said[::2], said[1::2], strict=True)
    return [(hit.start(), {"question": q, "answer": a}) for hit, (q, a) in zip(hits[::2], pairs, strict=True)]


SUMMARY = re.compile(r"(?:<details>[ \t]*)?<summary>")


def unfolded(text: str) -> str:
    """A text whose `<summary>` are headings, without the tags of Markdown's folding; places stay as they are."""
    if "<summary>" not in text:
        return text
    text = SUMMARY.sub(lambda tag: "###".ljust(len(tag.group())), text)
    return TAGS.sub(lambda tag: " " * len(tag.group()), text)


def bare(part: str) -> str:
    """A part without the rules and titles that stand between it and the next."""
    part = RULE.sub("", part).strip()
    while shorter := TITLE.sub("", part).strip():
        if shorter == part:
            return part
        part = shorter
    return ""


LONE = re.compile(  # on a line apart at an answer's end: its last words, or a title
    r"\n[ \t]*\n[ \t]*(?![-*•\d])[A-ZÀ-Þ][^\n]{1,60}(?<![.!?:;,…)\d])$"
)
BLANK = re.compile(r"\n[ \t]*\n\s*")
MARKS = re.compile(r"^#{1,6} ", re.M)
HEADS = re.compile(r"^[ \t]{0,3}(#{1,6})[ \t]+(\S[^\n]*?)[ \t#]*$", re.M)
COUNTED = re.compile(rf"^(?:\d{{1,3}}[.)][ \t]+|(?:{ASKS}|问题|問題|질문)[ \t]*\d{{1,3}}[ \t]*[:：.)–-][ \t]*)", re.I)
TURNED = re.compile(r"^\?\??[ \t]*(?:\n|$)")  # alone on its line, where a card of notes in Markdown is turned
MOST_BESIDE = 0.3  # of a text, that is no question and no answer
OF_EXAM = re.compile(  # a box or bracket to tick, a key
    r"^[ \t>*-]*(?:\[[ \txX✓]?\]|[☐☑☒✅]|\([ \tVFvfxX]?\)|(?:gabarito|resposta|answer|respuesta|ans|resp|r|key)[ \t*_]*[:.=])",
    re.M | re.I,
)
ITEM = re.compile(r"[ \t]*(?:[-*+•]|\(?(?:\d{1,2}|[IVXivx]{1,4}|[A-Ja-j])[).:])[ \t]")


MOST_OF_TITLE = 60  # characters
SET_APART = re.compile(rf"^[ \t]*(?:{SIGN}[ \t]*([^\n]+?)|\*\*([^*\n]+)\*\*|__([^_\n]+)__)[ \t]*$", re.M)


def with_heads(signed: str) -> str:
    """A text whose lines that are set apart by their type are headings, those that ask below the others; sentences stay text."""

    def head(hit: re.Match) -> str:
        said = next(filter(None, hit.groups())).strip()
        if asks(said):
            return f"###### {said}"
        return hit.group() if len(said) > MOST_OF_TITLE or said.endswith((".", "!", ";", ",")) or ":" in said else f"##### {said}"

    return SET_APART.sub(head, signed).replace(SIGN, "")


def set_apart(headed: str) -> list[tuple[int, dict | Bad]]:
    """`faq_in` of a text whose headings are ours; [] where an answer ends in what may be a title of another type.

    A last answer of several blocks, where no other has any, ends with the first: the others are a page's foot.
    """
    found = [
        (at, row | {"answer": MARKS.sub("", row["answer"])}) if isinstance(row, dict) else (at, row) for at, row in faq_in(headed)
    ]
    rows = [row for _, row in found if isinstance(row, dict)]
    if any(LONE.search(row["answer"]) for row in rows):
        return []
    if rows and not any(BLANK.search(row["answer"]) for row in rows[:-1]):
        rows[-1]["answer"], *below = BLANK.split(rows[-1]["answer"], maxsplit=1)
        found += [(len(headed) - 1, Bad("no question with its answer", said)) for said in below]
    return found


def faq_in(text: str) -> list[tuple[int, dict | Bad]]:
    """(place, question and answer) where nearly all headings of one level ask, each with its answer beneath it; else [].

    Headings below theirs belong to the answers. What else stands there, as an introduction or references, is Bad.
    """
    heads = list(HEADS.finditer(text))
    asking = [hit for hit in heads if asks(hit[2].strip("*_ "))]
    level, times = Counter(len(hit[1]) for hit in asking).most_common(1)[0] if asking else (0, 0)
    if times < max(2 * FEWEST, 0.9 * len(asking)):  # a page's title may ask as well
        return []
    asked = [hit for hit in asking if len(hit[1]) == level]
    parts = [hit for hit in heads if len(hit[1]) <= level]
    if len(asked) < 0.8 * sum(len(hit[1]) == level for hit in parts):
        return []
    found, beside, places = [], [(0, text[: parts[0].start()])], {hit.start() for hit in asked}
    for hit, following in itertools.pairwise([*parts, None]):
        body = RULE.sub("", text[hit.end() : following.start() if following else None]).strip()
        if hit.start() in places:
            question = COUNTED.sub("", hit[2].strip("*_ "))
            found.append((hit.start(), {"question": question, "answer": TURNED.sub("", body)}))
        else:
            beside.append((hit.start(), body))
    answers = [row["answer"] for _, row in found]
    options = sum(all(map(ITEM.match, filter(str.strip, answer.split("\n")))) for answer in answers)
    if not all(answers) or any(split_stem(a)[1] or OF_EXAM.search(a) for a in answers) or options > len(found) / 2:
        return []
    if sum(len(answer) < 4 for answer in answers) > len(found) / 8:
        return []
    others = [(place, Bad("no question with its answer", said.strip())) for place, said in beside if said.strip()]
    if sum(len(bad.text) for _, bad in others) > MOST_BESIDE * len(text):
        return []
    return sorted([*found, *others], key=lambda one: one[0])
