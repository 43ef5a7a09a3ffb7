"""From a file's first rows and the user's wishes to its `Reading`: rules with scores, and questions where two are in reach.

    reading = find_reading(sample, wish, "raw/exam.csv")        # or UserError with the lines to paste

A wrong guess is worse than a question: what is unclear is asked, and a column that looks like an answer, an option, a mark, a
label or a role and goes nowhere stops the run.
"""

import dataclasses

from data_prep.common.errors import UserError
from data_prep.shapes.asking import choose
from data_prep.shapes.columns import (
    Column,
    annotates,
    candidates,
    explains,
    fits,
    inline_options,
    is_case,
    is_passage,
    must_not_go_unused,
    of_objects,
    option_columns,
    profile,
    put_aside,
    quoted_columns,
    repeats,
    respelt,
    share,
    sorts,
    spellings,
    with_empty,
    without_quotes,
)
from data_prep.shapes.keys import Key, find_key, options_of_rows, superseded
from data_prep.shapes.known import Known, recognise, spelt_as
from data_prep.shapes.named import named_together, wrong_options
from data_prep.shapes.nested import (
    exploded,
    items_of,
    marked_answers,
    nested_rows,
    numbered,
    one_answer_each,
    question_parts,
    side_by_side,
)
from data_prep.shapes.reading import Reading, Wish
from data_prep.shapes.rules import ALWAYS, ASKED, RULE_OF, RULES, STORED, STRONG_LABELS, Candidate, Rule
from data_prep.shapes.speakers import with_marks, with_roles
from data_prep.shapes.suggesting import ask_of_intents, ask_of_pairs, ask_of_turns
from data_prep.templates.marks import ends_unanswered, marked_turns
from data_prep.values.turns import blocks_of, messages_of, role_of
from data_prep.words.language import language_of
from data_prep.words.names import MADE_BY, RIGHT, plain, words_of
from data_prep.words.phrases import meanings


def find_reading(sample: list[dict], wish: Wish, shown: str, strict: bool = True) -> Reading:
    """The reading of a file. Raises UserError, with lines to paste, where it is unclear or would leave out what matters.

    Where `strict` is False the likeliest reading is taken and unused columns do not matter: enough to know what is asked.
    """
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
        wish = dataclasses.replace(wish, fields=wish.fields | marked.get(explode, {}))
        spelt |= (more := spellings(sample, set(wish.fields.values())))
        outer = {name for name in columns if name != explode}
        columns = profile(sample := [respelt(raw, more) for raw in sample])
        columns = {name: c._replace(around=name in outer) for name, c in columns.items()}
    if not wish.fields and not wish.explode:
        wish = dataclasses.replace(wish, fields=question_parts(columns) or named_together(columns))
    _check_fields(wish, columns, shown)
    passed = {c for c in columns if known and plain(c) in set(map(plain, known.passed.split()))} | set(wish.ignore)
    rules = [RULE_OF[wish.shape]] if wish.shape != "auto" else RULES
    found = [c for rule in rules if (c := _candidate(rule, sample, columns, wish, passed))]
    found = found or [c for rule in rules if (c := _candidate(rule, sample, with_empty(columns), wish, passed))]
    found = [c._replace(reading=dataclasses.replace(c.reading, explode=explode, pairs=pairs)) for c in found]
    if not found and wish.shape == "auto" and strict:
        ask_of_intents(columns, shown)
        ask_of_turns(columns, sample, shown)
    chosen = choose(found, columns, sample, wish, shown, strict, said)
    reading = dataclasses.replace(chosen.reading, quoted=quoted, known=known.name if known else "")
    reading = with_roles(reading, sample, wish, shown)
    reading = with_marks(reading, sample, wish, known, shown)
    used = {*reading.fields.values(), *reading.option_columns, *reading.checked, *([explode] if explode else [])}
    used |= {c.split(".")[0] for c in used}
    used |= set(MADE_BY) if "synthetic" in columns else set()
    unused = {c.name: c.told for c in columns.values() if c.name not in used}
    evidence = (
        *reading.evidence,
        *(f"every cell of {name} is a JSON string, with quotes and escapes, and is read" for name in quoted),
        *(f"{other} is {usual}, spelt in another way" for other, usual in spelt.items()),
        *((f"its columns are those of {known.name} ({known.source}, {known.licence})",) if known else ()),
    )
    values = [v for raw in sample[:60] for v in raw.values() if v]
    language = language_of([v for v in values if isinstance(v, str)] or [str(v) for v in values])
    return dataclasses.replace(reading, unused=unused, evidence=evidence, language=language)


def _known(columns: dict[str, Column], wish: Wish, sample: list[dict]) -> tuple[Wish, Known | None]:
    """The wish that a known data set's line gives, where the user says no more than a shape that it has."""
    known = recognise(list(columns)) if not wish.fields and not wish.explode else None
    if known is None or (known.readings[0].explode and nested_rows(columns) == ""):
        return wish, None
    found = next((r for r in known.readings if wish.shape in ("auto", r.shape)), None)
    if found is None or not _holds(columns, found):
        return wish, None
    found = spelt_as(found, list(columns))
    base = wish.base if wish.base != "auto" else found.base
    return dataclasses.replace(found, base=base, ignore=wish.ignore, roles=wish.roles, good_score=wish.good_score), known


def _holds(columns: dict[str, Column], found: Wish) -> bool:
    """Whether the items that a known set's line makes rows of have its fields."""
    listed = next((c for c in columns.values() if found.explode and plain(c.name) == plain(found.explode)), None)
    items = [set(map(plain, item)) for item in items_of(listed) if isinstance(item, dict)] if listed else []
    return not listed or any(set(map(plain, found.fields.values())) <= names | set(map(plain, columns)) for names in items)


def _check_fields(wish: Wish, columns: dict[str, Column], shown: str) -> None:
    has = ", ".join(map(str, columns))
    lost = [
        f"{name}: {c}" for name, c in wish.fields.items() if c not in columns and not ("." in c and c.split(".")[0] in columns)
    ]
    lost += [f"{kind}: {c}" for kind in ("option_columns", "checked") for c in getattr(wish, kind) if c not in columns]
    if lost:
        raise UserError(f"{shown}: no row has the field of {'; '.join(lost)}; its fields: {has}")


# ---------------------------------------------------------------------------------------------- one rule


def _candidate(rule: Rule, sample: list[dict], columns: dict[str, Column], wish: Wish, passed: set[str]) -> Candidate | None:
    """What the rule makes of the columns; None where a need is not met."""
    fields, rivals = dict(wish.fields), {}
    free = {name: c for name, c in columns.items() if name not in passed and name not in set(fields.values())}
    if rule.shape == "mcq":
        return _multiple_choice(rule, sample, columns, free, wish, passed)
    for names, stored in zip(rule.needs, STORED.get(rule.shape, tuple(n[0] for n in rule.needs)), strict=True):
        if stored in fields or any(n in fields for n in _instead(rule, stored, fields)):
            continue
        if rule.shape == "qa" and candidates("instruction", free):
            names = tuple(n for n in names if n not in ("input", "output"))  # such rows are Alpaca's
        name, called = next(
            ((n, cs) for n in names if (cs := [c for c in candidates(n, free) if c not in fields.values()])), ("", [])
        )
        if rule.shape == "graded" and stored == "completion":  # what was marked is an answer given, not the right one beside it
            called = [c for c in called if not RIGHT & set(words_of(c))]
        if rule.shape == "qa" and stored == "answer":
            called = [c for c in called if plain(c) != "key"]  # of options, or a row's own name
        if not called and (called := _by_values(stored, free)):
            name = stored
        if not called or (rule.shape == "classification" and not _classes(fields, called[0], name, columns, wish)):
            return None
        fields[stored] = called[0]
        called = [c for c in called if c == called[0] or not (stored == "question" and _is_title(c, called[0]))]
        if len(called) > 1 and plain(called[0]) != plain(name):
            rivals[stored] = called[1:]
    if rule.shape == "qa" and "answer" not in wish.fields and columns[fields["answer"]].kind in ("turns", "object", "mixed"):
        return None
    if rule.shape == "qa" and "question" not in wish.fields and columns[fields["question"]].kind == "turns":
        return None
    if rule.shape == "messages" and "messages" not in wish.fields and (answer := _answer_beside(fields["messages"], free)):
        fields["answer"] = answer
    if rule.shape == "dialogue" and "dialogue" not in wish.fields and (answer := _unanswered(fields["dialogue"], free)):
        fields["answer"] = answer
    _take(rule, fields, free)
    if rule.shape == "preference" and "prompt" not in fields:  # the conversation that both sides answer, under any name
        called = [c.name for c in free.values() if c.kind == "turns" and c.name not in fields.values()]
        called = called or next((cs for n in ("instruction", "question") if (cs := candidates(n, free))), [])
        fields |= {"prompt": called[0]} if len(called) == 1 else {}
    if rule.shape in ("text", "classification") and "text" not in wish.fields:
        text = columns[fields["text"]]
        longer = [c.name for c in free.values() if c.name not in fields.values() and _is_fuller(c, text)]
        rivals |= {"text": longer} if longer and not all(repeats(columns[c], [text], sample) for c in longer) else {}
    if rule.shape == "qa" and (further := _further_questions(fields, free, wish, columns, sample)):
        rivals.setdefault("question", further)
    return _scored(rule, Reading(rule.shape, fields), None, columns, sample, passed, rivals)


def _is_fuller(column: Column, text: Column) -> bool:
    """Whether a column holds more text than the one that is taken for the text: an abstract's whole article, say."""
    links = share(column.values, lambda v: str(v).startswith("http"))
    return column.kind == "text" and column.length >= 200 and column.length > 1.5 * text.length and links < 0.5


def _is_title(column: str, question: str) -> bool:
    """Whether a column is the title of the question beside it, and goes before it."""
    return "question_title" in meanings(column) and "question_title" not in meanings(question)


def _instead(rule: Rule, stored: str, fields: dict) -> tuple[str, ...]:
    """Fields that stand for a need: a conversation whose last answer is marked needs no prompt and no completion."""
    if rule.shape == "feedback" and stored in ("prompt", "completion"):
        return tuple(n for n in ("messages", "conversations") if n in fields)
    return ("answer",) if rule.shape == "graded" and stored == "completion" and "answer" in fields else ()


def _by_values(stored: str, free: dict[str, Column]) -> list[str]:
    """A column of any name that holds conversations: messages, or a text with a template's marks where nothing else is asked.

    A text that is called a conversation is one where both sides speak, or where it ends with the mark of an answer.
    """
    if stored == "dialogue" and (begun := [c for c in free if _unanswered(c, free)]):
        return begun
    if stored == "dialogue" and not any(candidates(n, free) for n in ("question", "instruction", "answer", "output")):
        return [
            c.name
            for c in free.values()
            if len(c.values) > 1
            and (share(c.values, lambda v: marked_turns(str(v), pairs=True)) >= 0.95 or (_is_called_talk(c) and _both_speak(c)))
        ]
    if stored != "messages":
        return []
    taken = ("prompt", "chosen", "rejected", "conversations", "completion")
    turns = [c.name for c in free.values() if c.kind == "turns"]
    return [c for c in turns if fits("conversations", free[c]) and not set(meanings(c)) & set(taken)] or [
        c for c in turns if _answer_beside(c, free)
    ]


def _is_called_talk(column: Column) -> bool:
    return column.kind == "text" and bool({"conversations", "messages", "dialogue"} & set(meanings(column.name)))


def _both_speak(column: Column) -> bool:
    """Whether nearly every text is turns of both sides, with a known speaker at its begin and before each turn."""
    return share(column.values, lambda v: {"human", "gpt"} <= {role_of(t.role, {}) for t in blocks_of(str(v), {})}) >= 0.95


def _unanswered(column: str, free: dict[str, Column]) -> str:
    """The one column that answers a `context` whose texts end with the mark of an answer (`Answer:`); "" where none does."""
    c = free[column]
    if c.kind != "text" or not {"context", "dialogue", "history"} & set(meanings(column)):
        return ""
    if share(c.values, lambda v: ends_unanswered(str(v))) < 0.95 or any(
        candidates(n, free) for n in ("question", "score", "label", "chosen", "rejected", "options")
    ):
        return ""
    called = dict.fromkeys(a for n in ("answer", "completion", "output") for a in candidates(n, free))
    return next(iter(called)) if len(called) == 1 and free[next(iter(called))].kind == "text" else ""


def _answer_beside(column: str, free: dict[str, Column]) -> str:
    """The column that answers a prompt of messages, which ends with the user's; "" where there is none, or it is marked."""
    asks = {"prompt", "question", "input"} & set(meanings(column))
    if not asks or share(free[column].values, _ends_with_the_user) < 0.95:
        return ""
    if any(candidates(n, free) for n in ("score", "label", "chosen", "rejected")):
        return ""
    return next((cs[0] for n in ("answer", "completion", "output") if (cs := candidates(n, free))), "")


def _ends_with_the_user(value) -> bool:
    return role_of(messages_of(value)[-1].role, {}) == "human"


def _classes(fields: dict, column: str, name: str, columns: dict[str, Column], wish: Wish) -> bool:
    """Whether a question and a label can be a classification: a label by name, of few different values."""
    if "text" not in fields or name != "label":  # the text comes first
        return True
    one = columns[column].distinct == 1 and len(columns[column].values) >= 5
    if wish.shape == "auto" and one and plain(column) not in STRONG_LABELS:
        return False  # a category of the whole file; what is called a label can stand in a file for each
    asked = {"question", "input", "prompt"} & set(meanings(fields["text"]))
    if wish.shape == "auto" and asked and plain(column) not in STRONG_LABELS:
        return False
    rows = len(columns[column].values)
    return wish.shape != "auto" or not asked or columns[column].distinct <= max(2, rows // 5)


def _take(rule: Rule, fields: dict[str, str], free: dict[str, Column]) -> None:
    """The fields that the rule may use besides its needs, each from a column that is not taken yet."""
    for name in (*rule.may, *ALWAYS):
        if name in fields:
            continue
        called = [c for c in candidates(name, free) if c not in fields.values()]
        if called and not (name == "prompt" and "prompt" in fields):
            fields[name] = called[0]


def _multiple_choice(rule, sample, columns, free, wish: Wish, passed) -> Candidate | None:
    fields = dict(wish.fields)
    if "question" not in fields:
        called = next((cs for n in ASKED if (cs := candidates(n, free))), [])
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
    reading = Reading("mcq", fields, tuple(spread))
    usable = {n: c for n, c in columns.items() if n not in passed}
    key, again = find_key(sample, usable, reading, wish.fields.get("answer", ""), wish.base)
    if key is None:
        return None
    if key.column:
        fields["answer"] = key.column
    _take(rule, fields, {n: c for n, c in free.items() if n not in again and n not in spread and n != key.column})
    if quiz := next((name for name, c in free.items() if plain(name) == "feedback" and c.kind == "text"), ""):
        fields.setdefault("explanation", quiz)  # as quizzes call it
    checked = tuple(c for c in (*wish.checked, *again) if c not in fields.values())
    reading = Reading("mcq", fields, tuple(spread), key.base, tuple(dict.fromkeys(checked)))
    further = _further_questions(fields, {n: c for n, c in free.items() if n not in spread}, wish, columns, sample)
    return _scored(rule, reading, key, columns, sample, passed, {"question": further} if further else {})


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
    _take(rule, fields, rest)
    reading = Reading("mcq", fields, tuple(wrong) if len(wrong) > 1 else (), "apart")
    rows = options_of_rows(sample, reading)
    rate = sum(bool(row) for row in rows) / max(1, len(rows))
    key = Key(right, "apart", rate, {}, f"the right option stands in {right}, the wrong ones in {', '.join(wrong)}")
    further = _further_questions(fields, rest, wish, columns, sample)
    return _scored(rule, reading, key, columns, sample, passed, {"question": further} if further else {})


def _further_questions(fields: dict, free: dict[str, Column], wish: Wish, columns: dict[str, Column], sample) -> list[str]:
    """Columns that are called like the question as well, and say something else: a title, and the whole of what was asked."""
    if "question" in wish.fields or fields["question"] not in columns:
        return []
    called = [c for c in candidates("question", free) if c not in fields.values() and free[c].kind == "text"]
    return [c for c in called if not repeats(free[c], [columns[fields["question"]]], sample)]


def _listed_options(column: Column) -> bool:
    return all(map(of_objects, column.values[:20])) and fits("options", column)


def _scored(rule, reading: Reading, key, columns, sample, passed, rivals) -> Candidate:
    """A reading with its score: the rule's weight, less one for each column that should not go unused and does."""
    used = {*reading.fields.values(), *reading.option_columns, *reading.checked}
    takers = [columns[c] for c in used if c in columns]
    with_options = rule.shape == "mcq"
    spread = set() if with_options or len(options := option_columns(columns)) < 3 else set(options)
    unused = [
        c.name
        for c in columns.values()
        if c.name not in used
        and c.name not in passed
        and (
            c.name in spread
            or must_not_go_unused(c, len(sample), with_options)
            or (rule.shape in ("qa", "text") and put_aside(c))
            or (rule.shape == "text" and (annotates(c) or explains(c) or sorts(c)))
            or (rule.shape in ("mcq", "qa") and "context" not in reading.fields and (is_passage(c, takers, sample) or is_case(c)))
        )
        and not repeats(c, takers, sample)
        and not (key and superseded(c.name, key.column))
    ]
    told = [f"{name} is called so" for name, c in reading.fields.items() if plain(c) == name][:1]
    evidence = tuple(([key.told] if key else []) + told)
    return Candidate(dataclasses.replace(reading, evidence=evidence), key, rule.weight - len(unused), unused, rivals)
