"""The right options of an exam's questions, by every way in which its key can be given; ways that differ agree on none."""

import re
from collections import Counter

from data_prep.documents.exam.errata import annulled_in, changed_in
from data_prep.documents.exam.key import ANNULLED, Said, names_another, said_again, said_in, same_text, table_for, tables_in
from data_prep.documents.exam.questions import WHY, Asked, paragraphs


def answers_of(asked: list[Asked], before: str, after: str, key: str) -> dict[int, list[str]] | str:
    """Letters of each question by its place, `?` where two ways of giving them differ; or why there is none."""
    ways = [_marked(asked), _below(asked, before), _of_table(asked, before, after), _of_table(asked, key)]
    told = next((way for way in ways if isinstance(way, str) and way), "")
    found = [way for way in ways if isinstance(way, dict)]
    if not found or any(isinstance(way, str) and way for way in ways[2:]):
        return told or f"{len(asked)} questions are found, and no key of theirs"
    around = "\n§\n".join((before, after, key))
    keys, again, annulled, changed = {}, said_again(around), annulled_in(around), changed_in(around)
    for one in asked:
        given = [way[one.start] for way in found if one.start in way]
        given += again.get(one.number, []) if given else []
        keys[one.start] = given[0] if given and all(g == given[0] for g in given) else ["?"] if given else []
        if one.number in annulled:
            keys[one.start] = ["*"]
        elif one.number in changed and keys[one.start] not in ([changed[one.number]], ["*"]):
            keys[one.start] = ["?"]
    told = [[a for a in keys[one.start] if a != "?" and not ANNULLED.fullmatch(a)] for one in asked]
    beyond = sum(not set(letters) <= one.texts.keys() for one, letters in zip(asked, told, strict=True))
    if beyond > max(1, 0.02 * len(asked)):
        return f"its key names options that {beyond} of {len(asked)} questions do not have"
    if len(asked) >= 8 and len({str(letters) for letters in keys.values()}) == 1:
        return f"its key names the same letter for all of its {len(asked)} questions"
    if found[0] is ways[0]:
        for one in asked:
            one.options = [option._replace(text=option.bare) for option in one.options]
    if sign := _said_within(asked, keys):
        return f"its right options end in '{sign}', as no other does: whoever learns them learns this sign"
    return keys


SIGNED = re.compile(r"(?:[(\[{<][^()\[\]{}<>\n]{1,40}[)\]}>]|(?:[-–—←]|<-+|=>|->)[ \t]*[^\W\d_][^\n]{1,30})[ \t.*]*$")
FEWEST_SIGNED = 3


def _said_within(asked: list[Asked], keys: dict[int, list[str]]) -> str:
    """The words at the end of most right options, and of no other, that say which are right; "" where there are none."""
    ends = Counter()
    for one in asked:
        for letter, text in one.texts.items():
            hit = SIGNED.search(text)
            ends[hit.group().strip(" .*").casefold() if hit else "", letter in keys[one.start]] += 1
    said, times = max(((end, n) for (end, right), n in ends.items() if end and right), key=lambda e: e[1], default=("", 0))
    return said if times >= max(FEWEST_SIGNED, 0.5 * len(asked)) and not ends[said, False] else ""


def _marked(asked: list[Asked]) -> dict[int, list[str]] | str:
    """Letters where one option of nearly every question bears a mark, and the others have none."""
    counts = Counter(sum(option.marked for option in one.options) for one in asked)
    if counts[1] < 0.9 * len(asked):
        several = sum(1 < sum(option.marked for option in one.options) < len(one.options) for one in asked)
        if several and counts[1] + several >= 0.9 * len(asked):
            return (
                f"{several} of {len(asked)} questions mark several options as right, and multiple choice here has one: leave in "
                "those of one, or bring the others into another form"
            )
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
            one.explanation = paragraphs(WHY.sub("", more.strip(" .)–-*:\n")))
    wrong = [n for n, more in table.more.items() if _other_text(more, next(o for o in asked if o.number == n), table.letters[n])]
    return {one.start: ["?"] if one.number in wrong else table.letters[one.number] for one in asked}


def _other_text(more: str, asked: Asked, letters: list[str]) -> bool:
    return names_another(Said(tuple(letters), more.strip().split("\n")[0].strip(" .)–-*:")), asked.texts)
