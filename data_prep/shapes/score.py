"""What a reading takes besides its needs, what else could be its question, and its score."""

import dataclasses

from data_prep.shapes.columns import Column
from data_prep.shapes.fitting import candidates, numbered_texts, option_columns
from data_prep.shapes.keys import superseded
from data_prep.shapes.picks import marks_its_items, offers_the_answer
from data_prep.shapes.reading import Reading, Wish
from data_prep.shapes.rules import ALWAYS, Candidate, Rule
from data_prep.shapes.unused import (
    annotates,
    copies_the_row,
    explains,
    is_case,
    is_flag,
    is_passage,
    is_round,
    must_not_go_unused,
    put_aside,
    repeats,
    sorts,
    sorts_by_lists,
    splits,
    stands_in_turns,
    stands_within,
    told_by_a_model,
)
from data_prep.shapes.verdicts import is_verdict
from data_prep.words.names import plain


def take(rule: Rule, fields: dict[str, str], free: dict[str, Column]) -> None:
    """The fields that the rule may use besides its needs, each from a column that is not taken yet."""
    for name in (*rule.may, *ALWAYS):
        if name in fields:
            continue
        called = [c for c in candidates(name, free) if c not in fields.values()]
        if called and not (name == "prompt" and "prompt" in fields):
            fields[name] = called[0]


def further_questions(fields: dict, free: dict[str, Column], wish: Wish, columns: dict[str, Column], sample) -> list[str]:
    """Columns that are called like the question as well, and say something else: a title, and the whole of what was asked."""
    if "question" in wish.fields or fields["question"] not in columns:
        return []
    called = [c for c in candidates("question", free) if c not in fields.values() and free[c].kind == "text"]
    return [c for c in called if not repeats(free[c], [columns[fields["question"]]], sample)]


def _told_in(reading: Reading) -> str:
    """The column that answers; "" where none does."""
    return reading.fields.get("answer") or reading.fields.get("output") or ""


def _case_apart(column: Column, takers: list[Column], sample: list[dict]) -> bool:
    """Whether a column is what the questions are about, and they do not say it themselves."""
    return is_case(column) and not any(t.kind == "text" and stands_within(column.name, t.name, sample) for t in takers)


def scored(rule, reading: Reading, key, columns, sample, passed, rivals) -> Candidate:
    """A reading with its score: the rule's weight, less one for each column that should not go unused and does."""
    used = {*reading.fields.values(), *reading.option_columns, *reading.mark_columns, *reading.checked}
    takers = [columns[c] for c in used if c in columns]
    with_options = rule.shape == "mcq"
    spread = set() if with_options or len(options := option_columns(columns) or numbered_texts(columns)) < 3 else set(options)
    told_so = told_by_a_model(columns, reading)
    unused = [
        c.name
        for c in columns.values()
        if c.name not in used
        and c.name not in told_so
        and c.name not in passed
        and (
            (c.name in spread and c.values)
            or must_not_go_unused(c, len(sample), with_options)
            or (rule.shape in ("qa", "text") and put_aside(c))
            or ("split" not in reading.fields and splits(c))
            or (rule.shape == "qa" and is_round(c))
            or (not with_options and marks_its_items(c))
            or (rule.shape in ("qa", "alpaca") and offers_the_answer(c, _told_in(reading), sample))
            or (rule.shape in ("qa", "alpaca") and is_verdict(c))
            or (rule.shape == "text" and (annotates(c) or explains(c) or sorts(c) or sorts_by_lists(c) or is_flag(c)))
            or (
                rule.shape in ("mcq", "qa")
                and "context" not in reading.fields
                and (is_passage(c, takers, sample) or _case_apart(c, takers, sample))
            )
        )
        and not repeats(c, takers, sample)
        and not copies_the_row(c, sample)
        and not stands_in_turns(c, takers, sample)
        and not (key and superseded(c.name, key.column))
    ]
    told = [f"{name} is called so" for name, c in reading.fields.items() if plain(c) == name][:1]
    evidence = tuple(([key.told] if key else []) + told)
    return Candidate(dataclasses.replace(reading, evidence=evidence), key, rule.weight - len(unused), unused, rivals)
