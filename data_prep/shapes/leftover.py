"""What is asked of a file that fits a shape, where a column that matters would go unused."""

from data_prep.shapes.columns import Column, objects_in, share
from data_prep.shapes.contents import LETTER
from data_prep.shapes.fitting import fits
from data_prep.shapes.pasting import pasted
from data_prep.shapes.reading import Reading
from data_prep.shapes.rules import Candidate
from data_prep.shapes.unused import is_case, is_round, joined_labels, put_aside, splits
from data_prep.words.names import MARKS_WRONG, RIGHT, is_telling, name_and_language, of_a_model, without_language, words_of
from data_prep.words.phrases import meanings

# What is put aside in an object -> the shape that it makes of a text, and what the text is then.
ASIDE = (("options", "mcq", "question"), ("label", "classification", "text"), ("answer", "qa", "question"))


def left_out(best: Candidate, columns: dict[str, Column], shown: str) -> str:
    """A column that matters goes nowhere: the lines that leave it out on purpose, and those that use it."""
    told = [f"{c} ({columns[c].told}, for instance {str(columns[c].values[0])[:40]!r})" for c in best.unused[:6]]
    told += [f"{c} holds several labels in one cell" for c in best.unused if joined_labels(columns[c])]
    doubt = _no_mark(columns[best.unused[0]])
    told += [*filter(None, (doubt, *_of_the_answer(best, columns)))]
    ways = [*_of_the_first(best, columns, doubt), *_of_objects(best, columns)]
    return (
        f"{shown}: read as {best.reading.shape}, these columns would go unused, though they look like answers, options, marks, "
        f"labels, roles or splits: {'; '.join(told)}. Paste one:\n" + "\n       or\n".join(ways)
    )


def _no_mark(column: Column) -> str:
    """Why a column is offered neither as a grade of the answers nor as classes; "" for others."""
    if is_round(column):
        return f"{column.name} counts the exchanges of a conversation, of which a later one means little alone"
    if MARKS_WRONG & set(words_of(column.name)) and fits("score", column):
        return (
            f"{column.name} seems to mark what is wrong: to grade answers, give its opposite in a column of its own (`correct`)"
        )
    return ""


def _asked_and_answered(best: Candidate) -> tuple[str | None, str | None]:
    fields = best.reading.fields
    return fields.get("question") or fields.get("instruction"), fields.get("answer") or fields.get("output")


def _of_the_answer(best: Candidate, columns: dict[str, Column]) -> list[str]:
    """What to say of answers that look like keys, and of rows that look like one option each."""
    found, (_, answer) = [], _asked_and_answered(best)
    alone = "as keys of options do, which would be learnt as answers without them"
    if best.reading.shape == "qa" and answer and share(columns[answer].values, lambda v: LETTER.fullmatch(str(v))) >= 0.9:
        found.append(f"and {answer} holds letters alone, {alone}")
    elif best.reading.shape == "qa" and answer and len(best.unused) > 1 and columns[answer].kind == "number":
        found.append(f"and {answer} holds numbers alone, {alone}")
    if best.reading.shape in ("qa", "text") and (single := single_options(columns)):
        found.append(f"and {single}")
    return found


def _of_the_first(best: Candidate, columns: dict[str, Column], doubt: str) -> list[str]:
    """The lines that leave all unused columns out, and those that use the first of them: as split, context, grade or classes."""
    first, *others = best.unused
    shape, column, (asked, answer) = best.reading.shape, columns[first], _asked_and_answered(best)
    ways = [pasted(best.reading, best.unused)]
    if shape in ("mcq", "qa") and ("text" in meanings(first) or is_case(column)):
        ways.insert(0, pasted(best.reading, others, {"context": first}))
    if first in best.statements:
        ways.insert(0, pasted(best.reading, others, {"statements": first}))
    if to_split := splits(column):
        ways.insert(0, pasted(best.reading, others, {"split": first}))
    if doubt:
        return ways
    if shape == "qa":
        ways += _wrong_answers(best, columns) + _other_answers(best, columns)
    if shape in ("qa", "alpaca") and fits("score", column) and not RIGHT & set(words_of(answer)):
        ways.append(pasted(Reading("graded", {"question": asked, "completion": answer, "score": first}), others))
    elif shape in ("text", "qa") and _may_sort(column) and not to_split:
        text = best.reading.fields.get("text") or best.reading.fields.get("question")
        ways.append(pasted(Reading("classification", {"text": text, "label": first}), others))
    return ways


def _is_wrong(column: Column) -> bool:
    """Whether a column's texts are called wrong: answers that nothing but a better one is to be set against."""
    return bool(MARKS_WRONG & set(words_of(column.name))) and column.kind == "text" and column.length >= 20


def _wrong_answers(best: Candidate, columns: dict[str, Column]) -> list[str]:
    """The lines that set the answer against one that is called wrong (`Hallucinated Answer`), as a pair."""
    asked, answer = _asked_and_answered(best)
    found = [c for c in best.unused if _is_wrong(columns[c]) and {"answer", "answers"} & set(words_of(c))]
    pairs = [(c, Reading("preference", {"prompt": asked, "chosen": answer, "rejected": c})) for c in found[:1]]
    return [pasted(reading, [o for o in best.unused if o != c]) for c, reading in pairs]


def _other_answers(best: Candidate, columns: dict[str, Column]) -> list[str]:
    """The lines that learn another column that is called an answer, to the question of its language where it names one."""
    asked, answer = _asked_and_answered(best)
    found = []
    for column in (columns[c] for c in best.unused):
        bare, language = name_and_language(column.name)
        called = {"answer", "answers"} & set(words_of(bare)) or "answer" in meanings(bare)
        if not called or column.kind != "text" or column.length < 20 or of_a_model(column.name) or _is_wrong(column):
            continue
        own = [
            c for c in columns if language and name_and_language(c)[1] == language and "question" in meanings(without_language(c))
        ]
        if len(own) == 1 or not language:
            fields = {"question": own[0] if own else asked, "answer": column.name}
            found.append(pasted(Reading("qa", fields), [c for c in (*best.unused, answer) if c != column.name]))
    return found


def _of_objects(best: Candidate, columns: dict[str, Column]) -> list[str]:
    """The lines that use what unused lists and objects hold."""
    shape, fields, ways = best.reading.shape, best.reading.fields, []
    text = fields.get("text") or fields.get("question") or "YOUR_FIELD"
    for column in (columns[c] for c in best.unused):
        if (aside := put_aside(column)) and shape in ("qa", "text"):
            made, asked = next(way for name, *way in ASIDE if name in aside)
            ways.append(pasted(Reading(made, {asked: text, **aside}), []))
        elif column.kind == "object" and shape == "text" and (parts := _parts(column)):
            ways += [pasted(Reading("qa", {"question": text, "answer": f"{column.name}.{part}"})) for part in parts[:4]]
        elif _may_be_options(column, shape):
            key = fields.get("answer", "YOUR_FIELD")
            ways.append(pasted(Reading("mcq", {"question": text, "options": column.name, "answer": key}), []))
    return ways


def _may_be_options(column: Column, shape: str) -> bool:
    """Whether a column's lists can be options, by its name or as they are what a question's answer stands in."""
    listed = column.kind in ("list", "object") and fits("options", column)
    return listed and ("options" in meanings(column.name) or (shape in ("qa", "alpaca") and not is_telling(column.name)))


def _may_sort(column: Column) -> bool:
    """Whether a column can be the classes of its texts; what a model said of them is none."""
    return fits("label", column) and column.comes_again and not of_a_model(column.name)


def _parts(column: Column) -> list[str]:
    """The names in a column's objects that all of them have, with a text each."""
    objects = objects_in(column.values[:20])
    return [k for k in objects[0] if all(isinstance(o.get(k), str) and o[k].strip() for o in objects)] if objects else []


def graded_by(found: list[Candidate], columns: dict[str, Column]) -> Reading | None:
    """Questions whose answers a column of 0 and 1 may mark as right and wrong, where one reading answers and one sorts by it."""
    marks = {c.reading.fields["label"] for c in found if c.reading.shape == "classification"}
    answered = [c.reading.fields for c in found if c.reading.shape == "qa"]
    marks = [c for c in marks if fits("score", columns[c]) and columns[c].distinct == 2]
    if len(marks) != 1 or len(answered) != 1 or "answer" not in answered[0]:
        return None
    return Reading("graded", {"question": answered[0]["question"], "completion": answered[0]["answer"], "score": marks[0]})


FEWEST_QUESTIONS = 5  # whose options stand a row each


def single_options(columns: dict[str, Column]) -> str:
    """What to say of rows that are one option each, one of which a mark names for each question; "" of other rows."""
    whole = [c for c in columns.values() if c.filled == 1]
    marks = [c for c in whole if is_telling(c.name) and {str(v).casefold() for v in c.values} in ({"true", "false"}, {"0", "1"})]
    for mark in marks:
        for of in (c for c in whole if c is not mark and c.length <= 40):
            right: dict[str, list[bool]] = {}
            for question, said in zip(of.values, mark.values, strict=True):
                right.setdefault(str(question), []).append(str(said).casefold() in ("true", "1"))
            groups = list(right.values())[:-1]  # the last may go on below what was looked at
            if len(groups) >= FEWEST_QUESTIONS and share(groups, lambda g: 2 <= len(g) <= 10 and sum(g) == 1) >= 0.9:
                return (
                    f"its rows are single options, of which {mark.name} marks one for each {of.name}, and what is asked stands "
                    "elsewhere: bring each question and its options into one row"
                )
    return ""
