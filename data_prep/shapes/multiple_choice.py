"""What multiple choice makes of a file's columns: question, options in any form, and the key that names one of them."""

from data_prep.shapes.columns import Column, of_objects, share
from data_prep.shapes.fitting import candidates, fits, inline_options, mark_columns, option_columns
from data_prep.shapes.keys import Key, find_key, options_of_rows
from data_prep.shapes.named import wrong_options
from data_prep.shapes.reading import Reading, Wish
from data_prep.shapes.rules import ASKED, Candidate
from data_prep.shapes.score import further_questions, scored, take
from data_prep.shapes.statements import unnamed
from data_prep.words.names import plain
from data_prep.words.phrases import asks


def multiple_choice(rule, sample, columns, free, wish: Wish, passed) -> Candidate | None:
    fields = dict(wish.fields)
    if "question" not in fields:
        called = next((cs for n in ASKED if (cs := candidates(n, free))), []) or _cases_that_ask(free)
        if not called:
            return None
        fields["question"] = called[0]
    if wish.base == "apart":
        return _apart(rule, fields, sample, columns, free, wish, passed)
    spread = list(wish.option_columns) or ([] if "options" in fields else option_columns(free))
    if "options" not in fields and not spread:
        called = candidates("options", free) or [c.name for c in free.values() if c.kind == "list" and _listed_options(c)]
        if called:
            fields["options"] = called[0]
        elif fields["question"] not in columns or not inline_options(fields["question"], columns):
            return _apart(rule, fields, sample, columns, free, wish, passed)
    elif "options" not in fields and not wish.option_columns and (called := candidates("options", free)):
        fields["options"], spread = called[0], []
    marks = tuple(wish.mark_columns or mark_columns(free, spread))
    reading = Reading("mcq", fields, tuple(spread), mark_columns=marks)
    usable = {n: c for n, c in columns.items() if n not in passed}
    key, again = find_key(sample, usable, reading, wish.fields.get("answer", ""), wish.base)
    if key is None:
        return None
    if key.column:
        fields["answer"] = key.column
    marks = marks if key.base == "marked" else ()
    taken = {*again, *spread, *marks, key.column}
    take(rule, fields, {n: c for n, c in free.items() if n not in taken})
    if quiz := next((name for name, c in free.items() if plain(name) == "feedback" and c.kind == "text"), ""):
        fields.setdefault("explanation", quiz)  # as quizzes call it
    checked = tuple(c for c in (*wish.checked, *again) if c not in fields.values())
    reading = Reading("mcq", fields, tuple(spread), key.base, tuple(dict.fromkeys(checked)), mark_columns=marks)
    further = further_questions(fields, {n: c for n, c in free.items() if n not in spread}, wish, columns, sample)
    found = scored(rule, reading, key, columns, sample, passed, {"question": further} if further else {})
    return _with_statements(found, columns, sample, passed)


def _with_statements(found: Candidate, columns: dict[str, Column], sample: list[dict], passed: set[str]) -> Candidate:
    """The candidate, for which lists that seem to be the statements its options point at must not go unused."""
    if "statements" in found.reading.fields:
        return found
    used = {*found.reading.used, *passed, *found.unused}
    options = [[o.text for o in row] for row in options_of_rows(sample, found.reading)]
    lost = unnamed({n: c for n, c in columns.items() if n not in used}, sample, options)
    return found._replace(unused=[*lost, *found.unused], statements=tuple(lost))


def _cases_that_ask(free: dict[str, Column]) -> list[str]:
    """Columns called a case or a vignette whose texts end with what is asked, where no other column asks."""
    cases = [c for c in candidates("context", free) if plain(c) != "content"]
    return [c for c in cases if free[c].kind == "text" and share(free[c].values, asks) >= 0.8]


def _listed_options(column: Column) -> bool:
    return all(map(of_objects, column.values[:20])) and fits("options", column)


def _apart(rule, fields, sample, columns, free, wish: Wish, passed) -> Candidate | None:
    """Multiple choice whose right option stands in one column and whose wrong ones in others."""
    given = list(wish.option_columns) or [fields[n] for n in ("options",) if n in fields]
    right = fields.get("answer", "")
    named = {right: columns[right]} if right in columns else {}
    wrong, right = (given, right) if given else wrong_options(free | named, right)
    if not wrong or right in ("", fields["question"]):
        return None
    fields |= {"answer": right} | ({"options": wrong[0]} if len(wrong) == 1 else {})
    rest = {n: c for n, c in free.items() if n not in wrong and n != right}
    take(rule, fields, rest)
    reading = Reading("mcq", fields, tuple(wrong) if len(wrong) > 1 else (), "apart")
    rows = options_of_rows(sample, reading)
    rate = sum(bool(row) for row in rows) / max(1, len(rows))
    key = Key(right, "apart", rate, {}, f"the right option stands in {right}, the wrong ones in {', '.join(wrong)}")
    further = further_questions(fields, rest, wish, columns, sample)
    return scored(rule, reading, key, columns, sample, passed, {"question": further} if further else {})
