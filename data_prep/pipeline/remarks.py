"""What rows that were read without a question have in common and should not: told before they are written."""

import collections
import re

import numpy as np

from data_prep.pipeline.gather import Rows
from data_prep.pipeline.tally import Tally
from data_prep.shapes.outcome import again, cut_at_lines, letter_for_a_sign, letters_alone

MANY, OF_ALL = 20, 0.1  # questions, and the share of all, from which on one answer to them is told
ONE_PLACE, OF_OPTIONS = 0.6, 3  # share of keys from which on one place of them is told, and options that a question has at least
LOOKED_AT, ONE_LENGTH = 2000, 16  # rows, evenly spread, and the characters between the shortest and the longest: a last word


def looked_at(rows: Rows, kind: str) -> list[dict]:
    """Rows of a kind that are left, evenly spread: all of a small file."""
    of_kind = np.flatnonzero(rows.alive & (rows.kinds == kind))
    return [rows.store.get(int(i))[0] for i in of_kind[:: len(of_kind) // LOOKED_AT + 1]]


def one_answer_to_many(rows: Rows) -> str:
    """What to say where one answer in full stands below many different questions: filler learns itself, and is easy to score."""
    open_rows = np.flatnonzero(rows.alive & (rows.kinds == "open"))
    keys, first, counts = np.unique(rows.answers[open_rows], return_index=True, return_counts=True)
    if not len(keys) or counts.max() < max(MANY, OF_ALL * len(open_rows)):
        return ""
    row, _ = rows.store.get(int(open_rows[first[counts.argmax()]]))
    return (
        f"warning: {counts.max():,} of {len(open_rows):,} questions have the same answer: {row['answer'][:80]!r}. Is it filler? "
        "Such rows are learnt, and those of the test are scored, as any other"
    )


def nameless_labels(rows: Rows) -> str:
    """What to say where all labels of texts are numbers: what they stand for is in another place, and is not learnt."""
    texts = rows.alive & (rows.kinds == "classification")
    names = sorted({rows.names[i] for i in np.unique(np.asarray(rows.groups)[texts]).tolist()})
    if not names or not all(re.fullmatch(r"-?\d+(?:\.\d+)?", name) for name in names):
        return ""
    return (
        f"warning: the labels are numbers alone ({', '.join(names[:6])}): the model is asked for a number, and nothing says what "
        "it stands for. Where the labels have names, put these into the column"
    )


def keys_at_one_place(rows: Rows) -> str:
    """What to say where most keys are one letter, as in files whose right option stands first until an app moves it."""
    letters = collections.Counter(row["answer"] for row in looked_at(rows, "mcq") if len(row["options"]) >= OF_OPTIONS)
    if letters.total() < MANY or (most := letters.most_common(1)[0])[1] < ONE_PLACE * letters.total():
        return ""
    letter, times = most
    return (
        f"warning: {times:,} of {letters.total():,} keys that were looked at are {letter}: a model learns the letter in place of "
        "the answer, and a test is passed by it. Nothing is moved here; put the options of each question into another order"
    )


def cut_at_one_length(rows: Rows) -> str:
    """What to say where many questions or answers end in dots at one length, as a page's list shows the beginnings of texts."""
    some = looked_at(rows, "open")
    for name in ("question", "answer"):
        ends = sorted(len(row[name]) for row in some if row[name].endswith(("...", "…")))
        if len(ends) >= max(MANY, OF_ALL * len(some)) and ends[-1] - ends[len(ends) // 20] <= ONE_LENGTH:
            return (
                f"warning: {len(ends):,} of {len(some):,} {name}s that were looked at end in dots after {ends[-1]} characters at "
                "most: they seem to be cut off where they come from, and are learnt so"
            )
    return ""


THIS_CASE = re.compile(
    r"\b(?:[dn]?est[ea]|dich[oa])\s+(?:paciente|caso|enferm[oa]|ni[ñn][oa]|crian[çc]a|fen[óo]meno)\b"
    r"|\b(?:this|the above)\s+(?:patient|case|man|woman|child|infant)\b|\b(?:ce|cette)\s+patiente?\b|\bdiese[mnrs]?\s+patient",
    re.I,
)
TOO_SHORT, OF_QUESTIONS = 110, 0.05  # characters of a question that cannot tell its case; their share from which on it is told


def cases_elsewhere(rows: Rows) -> str:
    """What to say where short questions point at a patient of whom nothing is said: they were cut from their cases."""
    some = [row for kind in ("open", "mcq") for row in looked_at(rows, kind)]
    alone = [row["question"] for row in some if not row.get("context") and len(row["question"]) <= TOO_SHORT]
    bare = [question for question in alone if THIS_CASE.search(question)]
    if len(bare) < max(MANY, OF_QUESTIONS * len(some)):
        return ""
    return (
        f"warning: {len(bare):,} of {len(some):,} questions that were looked at point at a case that is not there, for instance "
        f"{bare[0]!r}: were they cut from their cases? They are learnt so"
    )


OPTION_SIGN = re.compile(r"\s*(?:[①-⑩]|\(?[A-Ea-e1-5][).][ \t])\s*\S")


def options_elsewhere(rows: Rows) -> str:
    """What to say where most answers begin with an option's sign, and their questions have no options."""
    some = looked_at(rows, "open")
    signed = [row["answer"] for row in some if OPTION_SIGN.match(row["answer"]) and "\n" not in row["answer"].strip()]
    if len(signed) < max(MANY, 0.5 * len(some)) or len({a.strip()[:2] for a in signed}) < 2:
        return ""
    return (
        f"warning: {len(signed):,} of {len(some):,} answers that were looked at begin as options do ({signed[0][:40]!r}), and "
        "the questions have none: were they cut from their options? They are learnt so"
    )


def options_twice(rows: Rows) -> str:
    """What to say where the questions hold their options as well: these stand twice in what a model is asked."""
    some = looked_at(rows, "mcq")
    held = [row for row in some if all(len(o) > 1 and o in row["question"] for o in row["options"].values())]
    if len(held) < max(MANY, 0.5 * len(some)):
        return ""
    return (
        f"warning: {len(held):,} of {len(some):,} questions that were looked at hold their options in their text, and these "
        "are listed below once more: a model is asked with both. Take them out of one of the two columns"
    )


COUNTED = re.compile(  # a question that a number answers
    r"(?i)how (?:many|much|often|long|old)|number|grade|stage|score|class\b|degree|level|segment|phase|factor|type|day|week|month"
    r"|year|hour|quant|n[uú]mero|gra[ud]|est[aá]gi|est[aá]di|escore|n[íi]vel|fase|fator|tipo|cu[aá]nt|wie\s?viel|combien|anzahl"
    r"|сколько|几|幾|多少|몇|何"
)
FEWEST_MARKS = 5


def options_in_a_picture(rows: Rows) -> str:
    """What to say of questions whose options are 1, 2, 3 and no more, and ask for no number: marks in a picture, perhaps."""
    some = looked_at(rows, "mcq")
    bare = [r["question"] for r in some if [*r["options"].values()] == [str(i + 1) for i in range(len(r["options"]))]]
    bare = [question for question in bare if not COUNTED.search(question)]
    if len(bare) < FEWEST_MARKS:
        return ""
    return (
        f"warning: {len(bare):,} of {len(some):,} questions that were looked at have 1, 2, 3 and so on as their options, for "
        f"instance {bare[0][:100]!r}: are these marks in a picture that is not here? They are learnt so"
    )


NAMELESS_SIGN = re.compile(r"(?<![\w.])/[A-Z]\d{5}|\(cid:\d+\)|\ufffd")  # the name that a font has for a sign
FEWEST_SIGNS = 3


def signs_without_letters(rows: Rows) -> str:
    """What to say where texts hold the names that a document's font has for signs: these may be < and > of a limit."""
    some = looked_at(rows, "text")
    found = [(hit, row["text"]) for row in some for hit in NAMELESS_SIGN.finditer(row["text"])]
    if len(found) < FEWEST_SIGNS:
        return ""
    hit, text = found[0]
    return (
        f"warning: {len(found):,} signs in {len(some):,} texts that were looked at are names that a document's font has for "
        f"them, for instance {text[max(0, hit.start() - 30) : hit.end() + 10]!r}: they may be < or >, and are learnt so"
    )


AGAIN, OF_LINES, ALONE = 8, 0.02, 20  # times a line stands, and its share of a text's; lines of one and the same letter


def lines_of_no_text(rows: Rows) -> str:
    """What to say where a text has one line again and again, or many of a single letter: a page's head, or signs of a font."""
    for text in (row["text"] for row in looked_at(rows, "text")):
        if (found := again(text)).times >= AGAIN and found.share >= OF_LINES:
            return (
                f"warning: a text has the line {found.line[:60]!r} {found.times:,} times: where that is the head of its pages or "
                "a button, it is learnt in the middle of sentences. Take it out of the file, or leave it where it is a title"
            )
        if (alone := letters_alone(text)) >= ALONE:
            return (
                f"warning: {alone:,} lines of a text are one and the same letter: a font's bullets or ticks, perhaps, which are "
                "learnt as letters"
            )
        if (cut := cut_at_lines(text)) >= ALONE:
            return (
                f"warning: {cut:,} words of a text are cut in two by the ends of its lines, and are learnt so: have it taken "
                "out of its source by a program that joins them"
            )
        if (found := letter_for_a_sign(text))[1] >= ALONE:
            return (
                f"warning: {found[1]:,} times {found[0]} stands between two numbers of a text, as a font has a letter for a "
                "dash: they are learnt so"
            )
    return ""


def remarks(rows: Rows, tally: Tally) -> list[str]:
    """All warnings of what was read, a line each."""
    cut = (cut_at_one_length, cases_elsewhere, options_elsewhere, options_twice, options_in_a_picture)
    told = (one_answer_to_many, *cut, signs_without_letters, lines_of_no_text, nameless_labels, keys_at_one_place)
    return list(filter(None, (tally.many_contradict(), *(say(rows) for say in told))))
