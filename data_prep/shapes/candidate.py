"""What one rule makes of a file's columns: a reading with its score, or None."""

from data_prep.shapes.columns import Column, share
from data_prep.shapes.fitting import candidates
from data_prep.shapes.multiple_choice import multiple_choice
from data_prep.shapes.reading import Reading, Wish
from data_prep.shapes.rules import STORED, STRONG_LABELS, Candidate, Rule
from data_prep.shapes.score import further_questions, scored, take
from data_prep.shapes.talks import answer_beside, by_values, unanswered
from data_prep.shapes.unused import repeats, stands_within
from data_prep.words.names import RIGHT, of_a_model, plain, words_of
from data_prep.words.phrases import meanings


def candidate_of(rule: Rule, sample: list[dict], columns: dict[str, Column], wish: Wish, passed: set[str]) -> Candidate | None:
    """What the rule makes of the columns; None where a need is not met."""
    fields, rivals = dict(wish.fields), {}
    free = {name: c for name, c in columns.items() if name not in passed and name not in set(fields.values())}
    if rule.shape == "mcq":
        return multiple_choice(rule, sample, columns, free, wish, passed)
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
            called = [c for c in called if columns[c].kind != "bool"] or called  # `correct: false` marks what another column says
            called = [c for c in called if wish.shape != "auto" or not columns[c].sorts_by_truth]
        if rule.shape == "classification" and stored == "label" and not called:
            called = [c for c in candidates("answer", free) if columns[c].sorts_by_truth and not _marks_another(c, fields, free)]
        if not called and (called := by_values(stored, free)):
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
    if rule.shape == "messages" and "messages" not in wish.fields and (answer := answer_beside(fields["messages"], free)):
        fields["answer"] = answer
    if rule.shape == "dialogue" and "dialogue" not in wish.fields and (answer := unanswered(fields["dialogue"], free)):
        fields["answer"] = answer
    take(rule, fields, free)
    if rule.shape == "preference" and "prompt" not in fields:  # the conversation that both sides answer, under any name
        called = [c.name for c in free.values() if c.kind == "turns" and c.name not in fields.values()]
        called = called or next((cs for n in ("instruction", "question") if (cs := candidates(n, free))), [])
        fields |= {"prompt": called[0]} if len(called) == 1 else {}
    if rule.shape in ("text", "classification") and "text" not in wish.fields:
        text = columns[fields["text"]]
        longer = [c.name for c in free.values() if c.name not in fields.values() and _is_fuller(c, text)]
        if len(longer) == 1 and stands_within(text.name, longer[0], sample):
            fields["text"], longer = longer[0], []
            rivals = {name: more for name, more in rivals.items() if name != "text"}
        rivals |= {"text": longer} if longer and not all(repeats(columns[c], [text], sample) for c in longer) else {}
    if rule.shape == "qa" and (further := further_questions(fields, free, wish, columns, sample)):
        rivals.setdefault("question", further)
    return scored(rule, Reading(rule.shape, fields), None, columns, sample, passed, rivals)


def _marks_another(name: str, fields: dict, free: dict[str, Column]) -> bool:
    """Whether a column called a mark (`correct`) may be that of another text than the question: of what a model said of it."""
    if "score" not in meanings(name):
        return False
    others = [c for c in free.values() if c.name not in (name, *fields.values()) and "explanation" not in meanings(c.name)]
    return any(of_a_model(c.name) or (c.kind == "text" and c.length >= 15 and c.distinct > len(c.values) / 2) for c in others)


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
