"""What one rule makes of a file's columns: a reading with its score, or None."""

from collections.abc import Callable
from dataclasses import dataclass, field

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


@dataclass
class _Trial:
    """One rule as it is tried on a file's columns. `free`: columns that may be taken; `fields` and `rivals` grow."""

    rule: Rule
    sample: list[dict]
    columns: dict[str, Column]
    wish: Wish
    free: dict[str, Column]
    fields: dict[str, str]
    rivals: dict[str, list[str]] = field(default_factory=dict)

    @property
    def not_taken(self) -> list[Column]:
        return [c for c in self.free.values() if c.name not in self.fields.values()]


def candidate_of(rule: Rule, sample: list[dict], columns: dict[str, Column], wish: Wish, passed: set[str]) -> Candidate | None:
    """What the rule makes of the columns; None where a need is not met."""
    free = {name: c for name, c in columns.items() if name not in passed and name not in set(wish.fields.values())}
    if rule.shape == "mcq":
        return multiple_choice(rule, sample, columns, free, wish, passed)
    trial = _Trial(rule, sample, columns, wish, free, dict(wish.fields))
    needs = zip(rule.needs, STORED.get(rule.shape, tuple(n[0] for n in rule.needs)), strict=True)
    if not all(_met(trial, names, stored) for names, stored in needs):
        return None
    if rule.shape in BEFORE and not BEFORE[rule.shape](trial):
        return None
    take(rule, trial.fields, free)
    if rule.shape in AFTER:
        AFTER[rule.shape](trial)
    return scored(rule, Reading(rule.shape, trial.fields), None, columns, sample, passed, trial.rivals)


def _met(trial: _Trial, names: tuple[str, ...], stored: str) -> bool:
    """Whether a column, or what the user named, serves a need; it is taken, and others of its meaning are its rivals."""
    rule, fields, free = trial.rule, trial.fields, trial.free
    if stored in fields or any(n in fields for n in _instead(rule, stored, fields)):
        return True
    name, called = _called(trial, names, stored)
    if not called and (called := by_values(stored, free)):
        name = stored
    if not called or (rule.shape == "classification" and not _classes(fields, called[0], name, trial.columns, trial.wish)):
        return False
    fields[stored] = called[0]
    called = [c for c in called if c == called[0] or not (stored == "question" and _is_title(c, called[0]))]
    if len(called) > 1 and plain(called[0]) != plain(name):
        trial.rivals[stored] = called[1:]
    return True


def _called(trial: _Trial, names: tuple[str, ...], stored: str) -> tuple[str, list[str]]:
    """The first of a need's names that columns have, and these columns; without those that a shape does not mean by it."""
    free, fields, columns, shape = trial.free, trial.fields, trial.columns, trial.rule.shape
    if shape == "qa" and candidates("instruction", free):
        names = tuple(n for n in names if n not in ("input", "output"))  # such rows are Alpaca's
    name, called = next(
        ((n, cs) for n in names if (cs := [c for c in candidates(n, free) if c not in fields.values()])), ("", [])
    )
    if (shape, stored) == ("graded", "completion"):  # what was marked is an answer given, not the right one beside it
        called = [c for c in called if not RIGHT & set(words_of(c))]
    if (shape, stored) == ("qa", "answer"):
        called = [c for c in called if plain(c) != "key"]  # of options, or a row's own name
        called = [c for c in called if columns[c].kind != "bool"] or called  # `correct: false` marks what another column says
        called = [c for c in called if trial.wish.shape != "auto" or not columns[c].sorts_by_truth]
    if (shape, stored) == ("classification", "label") and not called:
        called = [c for c in candidates("answer", free) if columns[c].sorts_by_truth and not _marks_another(c, fields, free)]
    return name, called


# ---------------------------------------------------------------------------------------------- what a shape asks besides


def _is_pair(trial: _Trial) -> bool:
    """Whether question and answer are texts, where nobody named them."""
    kinds = {name: trial.columns[trial.fields[name]].kind for name in ("question", "answer") if name not in trial.wish.fields}
    return kinds.get("answer") not in ("turns", "object", "mixed") and kinds.get("question") != "turns"


def _with_answer(stored: str, found: Callable) -> Callable[[_Trial], bool]:
    """Takes the answer that stands beside a conversation, in a column of its own."""

    def added(trial: _Trial) -> bool:
        if stored not in trial.wish.fields and (answer := found(trial.fields[stored], trial.free)):
            trial.fields["answer"] = answer
        return True

    return added


def _with_prompt(trial: _Trial) -> None:
    """Takes the conversation that both sides answer, under any name."""
    if "prompt" not in trial.fields:
        called = [c.name for c in trial.not_taken if c.kind == "turns"]
        called = called or next((cs for n in ("instruction", "question") if (cs := candidates(n, trial.free))), [])
        trial.fields |= {"prompt": called[0]} if len(called) == 1 else {}


def _fuller(trial: _Trial) -> None:
    """Takes the longer text that a text stands in; others that are longer are its rivals."""
    if "text" in trial.wish.fields:
        return
    text = trial.columns[trial.fields["text"]]
    longer = [c.name for c in trial.not_taken if _is_fuller(c, text)]
    if len(longer) == 1 and stands_within(text.name, longer[0], trial.sample):
        trial.fields["text"], longer = longer[0], []
        trial.rivals.pop("text", None)
    if longer and not all(repeats(trial.columns[c], [text], trial.sample) for c in longer):
        trial.rivals["text"] = longer


def _asks_once(trial: _Trial) -> None:
    """Names further questions of a row as rivals of its question."""
    if further := further_questions(trial.fields, trial.free, trial.wish, trial.columns, trial.sample):
        trial.rivals.setdefault("question", further)


BEFORE = {"qa": _is_pair, "messages": _with_answer("messages", answer_beside), "dialogue": _with_answer("dialogue", unanswered)}
AFTER = {"preference": _with_prompt, "text": _fuller, "classification": _fuller, "qa": _asks_once}


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
