"""Which of the readings that fit is taken, and what keeps one from being taken: rivals, marks, contents, unused columns."""

import dataclasses
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.documents.exam.read import read_exam
from data_prep.shapes.columns import Column, of_texts, share
from data_prep.shapes.contents import LETTER, blank_below, is_of_ids, is_xml, no_prose
from data_prep.shapes.exams import holds_exam
from data_prep.shapes.keys import FOUND, unclear
from data_prep.shapes.leftover import graded_by, left_out
from data_prep.shapes.pasting import pasted
from data_prep.shapes.reading import Wish
from data_prep.shapes.rules import REACH, Candidate
from data_prep.shapes.spoken import holds_dialogue, turns_in
from data_prep.shapes.suggesting import no_shape
from data_prep.shapes.unused import joined_labels
from data_prep.values.strict import from_literal
from data_prep.words.names import last_word, plain, words_of
from data_prep.words.phrases import asks


def choose(found: list[Candidate], columns, sample: list[dict], wish: Wish, shown: str, strict: bool, said: bool) -> Candidate:
    """The best candidate. Raises UserError where there is none, two are in reach, or what matters would go unused.

    `said`: the user named shape and columns, so that unused ones are listed and no reason to stop.
    """
    if not found:
        raise UserError(no_shape(columns, wish, shown))
    best, *others = sorted(found, key=lambda c: -c.score)
    if not strict:
        return best
    close = [c for c in others if best.score - c.score <= REACH]
    if close:
        shapes = sorted([best, *close], key=lambda c: c.reading.shape)
        ways = [pasted(c.reading, c.unused) for c in shapes]
        kinds = [c.reading.shape for c in shapes]
        if graded := graded_by(found, columns):
            ways, kinds = [pasted(graded), *ways], [graded.shape, *kinds]
        lines, kinds = "\n       or\n".join(ways), " or ".join(kinds)
        raise UserError(f"{shown}: its rows can be {kinds} (fields: {', '.join(map(str, columns))}). Paste one:\n{lines}")
    for name, more in best.rivals.items():
        both = [best.reading.fields[name], *more]
        readings = [dataclasses.replace(best.reading, fields={**best.reading.fields, name: c}) for c in both]
        ways = [pasted(r, [c for c in both if c != r.fields[name]]) for r in readings]
        if title := _title_of(both, columns) if name == "question" else "":  # the text alone would lose it
            body = next(r for r in readings if r.fields[name] != title)
            ways.insert(0, pasted(body, [], {"question_title": title}))
        lines = "\n       or\n".join(ways)
        raise UserError(f"{shown}: {name} can be {' or '.join(map(str, both))}. Paste one:\n{lines}")
    if best.key and best.key.base == "?":
        raise unclear(shown, best.key)
    if not said:
        _check_marks(best, shown)
        _check_contents(best, columns, sample, shown)
    if best.unused and not said:
        raise UserError(left_out(best, columns, shown))
    if not said:
        _check_answers(best, columns, shown)
    rate = best.key.rate if best.key else 1.0
    sure = rate * (0.99 if not others else min(0.99, 0.5 + (best.score - others[0].score) / 6))
    return best._replace(reading=dataclasses.replace(best.reading, confidence=round(sure, 2)))


def _title_of(both: list[str], columns: dict[str, Column]) -> str:
    """Which of two columns that ask is the title of the other, a text of twice its length at least; "" where none is."""
    if len(both) != 2:
        return ""
    title, text = sorted((columns[c] for c in both), key=lambda column: column.length)
    return title.name if title.length <= 120 and text.length >= 2 * title.length else ""


def _check_marks(best: Candidate, shown: str) -> None:
    """Raises UserError where few rows mark one option as right: several may be right at once, which multiple choice is not."""
    if best.key and best.key.base == "marked" and best.key.rate < FOUND:
        raise UserError(
            f"{shown}: {best.key.told}; the others mark none or several, and would be left out, as multiple choice here has one "
            f"right option. Bring those of several into another form; or, where the few are meant, paste:\n{pasted(best.reading)}"
        )


def _check_contents(best: Candidate, columns: dict[str, Column], sample: list[dict], shown: str) -> None:
    """Raises UserError where the values are not what the shape makes of them."""
    text = columns.get(best.reading.fields.get("text", ""))
    if best.reading.shape == "text" and text:
        _check_text(text, pasted(best.reading), shown)
    label = columns.get(best.reading.fields.get("label", ""))
    if best.reading.shape == "classification" and label and (two := joined_labels(label)):
        raise UserError(
            f"{shown}: {label.name} holds several labels in one cell ({two!r}), and a classification here has one: each "
            f"combination would be a label of its own. Where that is meant, paste:\n{pasted(best.reading)}"
        )
    case = columns.get(best.reading.fields.get("context", ""))
    if case and blank_below(case, sample):
        raise UserError(
            f"{shown}: {case.name} is empty in {1 - case.filled:.0%} of the rows, each time below one that has it, as merged "
            "cells come out: those questions would be asked without it. Write it into all its rows; or, where they have none, "
            f"paste:\n{pasted(best.reading, [], {'context': case.name})}"
        )
    asked = columns.get(best.reading.fields.get("instruction", best.reading.fields.get("question", "")))
    if best.reading.shape in ("qa", "classification") and (several := _several_in_one(asked or text)):
        one, each = pasted(best.reading), pasted(dataclasses.replace(best.reading, explode=several))
        raise UserError(
            f"{shown}: {several} lists several texts in one row. Where each is asked by itself (other words for the same), paste "
            f"the first lines; where all are one question together, the others:\n{each}\n       or\n{one}"
        )
    if best.reading.shape in ("qa", "alpaca") and asked and share(asked.values, holds_dialogue) >= 0.3:
        raise UserError(
            f"{shown}: {asked.name} holds whole dialogues, whose answers would become the user's words. Bring the turns "
            f"apart into messages; or, where the text is meant as one question, paste:\n{pasted(best.reading)}"
        )


QUESTIONS = set("questions queries perguntas preguntas duvidas consultas fragen domande".split())


def _several_in_one(column: Column | None) -> str:
    """The name of a column of which many rows list several texts that ask, or are called questions; "" of others."""
    if column is None or column.kind != "list" or not all(map(of_texts, column.values)):
        return ""
    lists = [from_literal(v) for v in column.values]
    called = last_word(column.name) in QUESTIONS
    asking = [items for items in lists if len(items) > 1 and (called or sum(map(asks, items)) > 1)]
    return column.name if len(asking) >= max(1, 0.05 * len(lists)) else ""


def _check_text(text: Column, lines: str, shown: str) -> None:
    """Raises UserError where what would be plain text is an exam, dialogues or something else that loses by it."""
    if holds_exam(text):
        why = next((why for value in text.values[:20] if (why := read_exam(str(value)).why)), "")
        raise UserError(
            f"{shown}: its text holds questions with lettered options, which plain text would lose with their keys"
            + (f" ({why})" if why else "")
            + ". An exam is read where its numbers and letters follow one another and each question has its key: a mark on the "
            "right option (`X b)`, `b) … *`), a line below (`Answer: B`), or one table of all numbers (`1 B`), in it or in a "
            f"file of its own (`keys: {{{Path(shown).name}: FILE}}`). Bring it into that form or into a table of questions, "
            f"options and answers; or, where text is meant, paste:\n{lines}"
        )
    if share(text.values, turns_in) >= 0.3:
        raise UserError(
            f"{shown}: its text holds dialogues, of which plain text loses whose turn is whose. Bring each into a row, or "
            f"leave only dialogues in it, with an empty line between; or, where text is meant, paste:\n{lines}"
        )
    if share(text.values, is_xml) >= 0.3:
        raise UserError(
            f"{shown}: its text holds whole XML documents, whose tags and fields would be learnt. Save each as an .xml file "
            f"or bring their texts into a table; or, where the tags are meant, paste:\n{lines}"
        )
    if what := no_prose(text):
        raise UserError(
            f"{shown}: its text holds {what}, which plain text would mix up. Bring them into a table of questions and "
            f"answers; or, where text is meant, paste:\n{lines}"
        )


OF_EXAMS = {"mark", "marks", "examiner", "examiners", "syllabus"}  # a rubric or points are of models' outputs too


def _check_answers(best: Candidate, columns: dict[str, Column], shown: str) -> None:
    """Raises UserError where what would be learnt as answers are names of answers, which stand elsewhere."""
    told = columns.get(best.reading.fields.get("answer", ""))
    examined = any(OF_EXAMS & set(words_of(name)) for name in columns)
    if best.reading.shape == "qa" and told and plain(told.name) in ("modelanswer", "answermodel") and not examined:
        raise UserError(
            f"{shown}: {told.name} is the right answer where it is an examiner's, and an output where a model gave it, and no "
            f"column tells which. Where it is what is to be learnt, paste:\n{pasted(best.reading)}"
        )
    letters = told and len(told.values) >= 5 and share(told.values, lambda v: LETTER.fullmatch(str(v))) >= 0.9
    if best.reading.shape == "qa" and told and (letters or share(told.values, is_of_ids) >= 0.9):
        raise UserError(
            f"{shown}: {told.name} holds whole numbers or letters alone ({str(told.values[0])[:20]!r}), as keys of "
            f"options, names of answers elsewhere and marks are. Where they are the answers, paste:\n{pasted(best.reading)}"
        )
