"""From a file's first rows and the user's wishes to its `Reading`: rules with scores, and questions where two are in reach.

    reading = find_reading(sample, wish, "raw/exam.csv")        # or UserError with the lines to paste

A wrong guess is worse than a question: what is unclear is asked, and a column that looks like an answer, an option, a mark, a
label or a role and goes nowhere stops the run.
"""

import dataclasses
from typing import NamedTuple

from data_prep.common.errors import UserError
from data_prep.shapes.asking import choose
from data_prep.shapes.asking_rows import ask_of_intents, ask_of_pairs, ask_of_turns
from data_prep.shapes.candidate import candidate_of
from data_prep.shapes.columns import Column, profile, with_empty
from data_prep.shapes.known import Known, recognise, spelt_as
from data_prep.shapes.named import named_together
from data_prep.shapes.nested import (
    exploded,
    items_of,
    marked_answers,
    nested_rows,
    numbered,
    one_answer_each,
    question_parts,
    side_by_side,
    texts_that_ask,
)
from data_prep.shapes.reading import Reading, Wish
from data_prep.shapes.rules import RULE_OF, RULES, Candidate, Rule
from data_prep.shapes.speakers import with_marks, with_roles
from data_prep.shapes.spelling import quoted_columns, respelt, spellings, without_quotes
from data_prep.shapes.tongues import ask_of_tongues, tongues_of
from data_prep.shapes.unused import is_constant_so_far
from data_prep.values.strict import strings
from data_prep.words.language import language_of
from data_prep.words.names import MADE_BY, plain


class Table(NamedTuple):
    """A file's first rows as its reading is told from them: names spelt in one way, lists within rows spread out."""

    sample: list[dict]
    columns: dict[str, Column]
    wish: Wish
    known: Known | None
    quoted: tuple[str, ...]  # columns whose texts are JSON strings
    spelt: dict[str, str]  # another spelling of a column -> the usual one
    explode: str
    pairs: dict[str, str]
    said: bool  # the shape and its columns are given: what else there is is listed alone


def _table_of(sample: list[dict], wish: Wish, shown: str, strict: bool) -> Table:
    """Raises UserError, with lines to paste, where pairs of columns may be questions of one row or several."""
    if quoted := quoted_columns(sample):
        sample = [without_quotes(raw, quoted) for raw in sample]
    spelt = spellings(sample, set(wish.fields.values()))
    columns = profile(sample := [respelt(raw, spelt) for raw in sample])
    said = wish.shape != "auto" and bool(wish.fields)  # the user named the shape and its columns: what else there is is listed
    wish, known = _known(columns, wish, sample)
    said = said or (known is not None and wish.shape != known.readings[0].shape)
    marked = {} if wish.explode or wish.fields else marked_answers(columns) or one_answer_each(columns)
    pairs = wish.pairs or (
        {} if wish.explode or wish.fields or known or wish.shape not in ("auto", "qa") else side_by_side(columns)
    )
    if numbered(pairs) and not wish.pairs and strict:
        raise ask_of_pairs(pairs, shown)
    inside = {c.split(".")[0] for c in wish.fields.values() if "." in c and c not in columns}  # parts that the user names
    within = {name: c for name, c in columns.items() if name not in inside}
    explode = "" if pairs else wish.explode or nested_rows(within) or next(iter(marked), "")
    sample = exploded(sample, explode, pairs)
    if pairs:
        columns = profile(sample)
    if explode:
        asks = texts_that_ask(columns[explode]) if explode in columns and not wish.fields else {}
        wish = dataclasses.replace(wish, fields=wish.fields | marked.get(explode, asks))
        spelt |= (more := spellings(sample, set(wish.fields.values())))
        outer = {name for name in columns if name != explode}
        columns = profile(sample := [respelt(raw, more) for raw in sample])
        columns = {name: c._replace(around=name in outer) for name, c in columns.items()}
    return Table(sample, columns, wish, known, quoted, spelt, explode, pairs, said)


def find_reading(sample: list[dict], wish: Wish, shown: str, strict: bool = True) -> Reading:
    """The reading of a file. Raises UserError, with lines to paste, where it is unclear or would leave out what matters.

    Where `strict` is False the likeliest reading is taken and unused columns do not matter: enough to know what is asked.
    """
    sample, columns, wish, known, quoted, spelt, explode, pairs, said = _table_of(sample, wish, shown, strict)
    ways = {} if wish.fields or pairs else tongues_of({n: c for n, c in columns.items() if n not in wish.ignore})
    if not wish.fields and not wish.explode:
        wish = dataclasses.replace(wish, fields=question_parts(columns) or named_together(columns))
    _check_fields(wish, columns, shown)
    passed = {c for c in columns if known and plain(c) in set(map(plain, known.passed.split()))} | set(wish.ignore)
    rules = [RULE_OF[wish.shape]] if wish.shape != "auto" else RULES
    if len(ways) > 1 and strict:
        each = {language: _candidates(rules, sample, columns, wish, passed | others) for language, others in ways.items()}
        if all(each.values()):
            raise ask_of_tongues(each, ways, columns, shown)
    passed |= next(iter(ways.values()), set())
    found = _candidates(rules, sample, columns, wish, passed) or _candidates(rules, sample, with_empty(columns), wish, passed)
    found = [c._replace(reading=dataclasses.replace(c.reading, explode=explode, pairs=pairs)) for c in found]
    if not found and wish.shape == "auto" and strict:
        ask_of_intents(columns, shown)
        ask_of_turns(columns, sample, wish, shown)
    chosen = choose(found, columns, sample, wish, shown, strict, said)
    reading = dataclasses.replace(chosen.reading, quoted=quoted, known=known.name if known else "")
    reading = with_roles(reading, sample, wish, shown)
    reading = with_marks(reading, sample, wish, known, shown)
    evidence = (
        *reading.evidence,
        *(f"every cell of {name} is a JSON string, with quotes and escapes, and is read" for name in quoted),
        *(f"of the columns in several languages those in {language} are read" for language in list(ways)[:1]),
        *(f"{other} is {usual}, spelt in another way" for other, usual in spelt.items()),
        *((f"its columns are those of {known.name} ({known.source}, {known.licence})",) if known else ()),
    )
    used = reading.used | (set(MADE_BY) if "synthetic" in columns else set())
    unused = {c.name: c.told for c in columns.values() if c.name not in used}
    let_go = [] if said or known else [c for c in columns.values() if c.name in unused and c.name not in passed]
    constant = {c.name: str(c.values[0]) for c in let_go if is_constant_so_far(c, reading.shape)}
    language = language_of([text for raw in sample[:60] for text in strings(raw)])  # a conversation's turns tell it too
    return dataclasses.replace(reading, unused=unused, constant=constant, evidence=evidence, language=language)


def _candidates(rules: list[Rule], sample: list[dict], columns: dict[str, Column], wish: Wish, passed) -> list[Candidate]:
    """What the rules make of the columns that are not passed over."""
    return [c for rule in rules if (c := candidate_of(rule, sample, columns, wish, passed))]


def _known(columns: dict[str, Column], wish: Wish, sample: list[dict]) -> tuple[Wish, Known | None]:
    """The wish that a known data set's line gives, where the user says no more than a shape that it has."""
    known = recognise(list(columns)) if not wish.fields and not wish.explode else None
    if known is None or (known.readings[0].explode and nested_rows(columns) == ""):
        return wish, None
    found = next((r for r in known.readings if wish.shape in ("auto", r.shape)), None)
    if found is None or not _holds(columns, found, known.alone):
        return wish, None
    found = spelt_as(found, list(columns))
    base = wish.base if wish.base != "auto" else found.base
    return dataclasses.replace(found, base=base, ignore=wish.ignore, roles=wish.roles, good_score=wish.good_score), known


def _holds(columns: dict[str, Column], found: Wish, alone: bool) -> bool:
    """Whether the items that a known set's line makes rows of have its fields, and where they stand `alone` no others."""
    listed = next((c for c in columns.values() if found.explode and plain(c.name) == plain(found.explode)), None)
    items = [set(map(plain, item)) for item in items_of(listed) if isinstance(item, dict)] if listed else []
    fields = set(map(plain, found.fields.values()))
    return not listed or any(fields <= names | set(map(plain, columns)) and not (alone and names - fields) for names in items)


def _check_fields(wish: Wish, columns: dict[str, Column], shown: str) -> None:
    has = ", ".join(map(str, columns))
    lost = [
        f"{name}: {c}" for name, c in wish.fields.items() if c not in columns and not ("." in c and c.split(".")[0] in columns)
    ]
    lost += [
        f"{kind}: {c}" for kind in ("option_columns", "mark_columns", "checked") for c in getattr(wish, kind) if c not in columns
    ]
    if lost:
        raise UserError(f"{shown}: no row has the field of {'; '.join(lost)}; its fields: {has}")
