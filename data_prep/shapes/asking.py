"""Which of the readings that fit is taken, and what is asked, with the lines to paste, where none may be."""

import dataclasses
import itertools
import re
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.documents.exam_key import OWN_KEY
from data_prep.documents.exam_text import holds_key, looks_like_exam, read_exam
from data_prep.documents.texts import NUMBER_HEAD
from data_prep.shapes.columns import (
    Column,
    candidates,
    explains,
    fits,
    is_case,
    joined_labels,
    option_columns,
    put_aside,
    share,
    sorts,
)
from data_prep.shapes.keys import FOUND, unclear
from data_prep.shapes.nested import intents
from data_prep.shapes.reading import Reading, Wish, to_paste, yaml_line
from data_prep.shapes.rules import REACH, RULE_OF, STORED, Candidate
from data_prep.tables.turn_rows import single_turns
from data_prep.values.choices import LINE, split_stem
from data_prep.values.strict import cell, from_literal, is_missing
from data_prep.values.turns import role_of, speakers_of
from data_prep.words import alphabets
from data_prep.words.names import IDS, OF_A_MODEL, RIGHT, plain, words_of
from data_prep.words.phrases import meanings


def choose(found: list[Candidate], columns, sample: list[dict], wish: Wish, shown: str, strict: bool, said: bool) -> Candidate:
    """The best candidate. Raises UserError where there is none, two are in reach, or what matters would go unused.

    `said`: the user named shape and columns, so that unused ones are listed and no reason to stop.
    """
    if not found:
        raise UserError(_no_shape(columns, wish, shown))
    best, *others = sorted(found, key=lambda c: -c.score)
    if not strict:
        return best
    close = [c for c in others if best.score - c.score <= REACH]
    if close:
        shapes = sorted([best, *close], key=lambda c: c.reading.shape)
        lines = "\n       or\n".join(pasted(c.reading, c.unused) for c in shapes)
        kinds = " or ".join(c.reading.shape for c in shapes)
        raise UserError(f"{shown}: its rows can be {kinds} (fields: {', '.join(map(str, columns))}). Paste one:\n{lines}")
    for name, more in best.rivals.items():
        both = [best.reading.fields[name], *more]
        readings = [dataclasses.replace(best.reading, fields={**best.reading.fields, name: c}) for c in both]
        lines = "\n       or\n".join(pasted(r, [c for c in both if c != r.fields[name]]) for r in readings)
        raise UserError(f"{shown}: {name} can be {' or '.join(map(str, both))}. Paste one:\n{lines}")
    if best.key and best.key.base == "?":
        raise unclear(shown, best.key)
    if not said:
        _check_marks(best, shown)
        _check_contents(best, columns, sample, shown)
    if best.unused and not said:
        raise UserError(_left_out(best, columns, shown))
    if not said:
        _check_answers(best, columns, shown)
    rate = best.key.rate if best.key else 1.0
    sure = rate * (0.99 if not others else min(0.99, 0.5 + (best.score - others[0].score) / 6))
    return best._replace(reading=dataclasses.replace(best.reading, confidence=round(sure, 2)))


def _check_marks(best: Candidate, shown: str) -> None:
    """Raises UserError where few rows mark one option as right: several may be right at once, which multiple choice is not."""
    if best.key and best.key.base == "marked" and best.key.rate < FOUND:
        raise UserError(
            f"{shown}: {best.key.told}; the others mark none or several, and would be left out, as multiple choice here has one "
            f"right option. Bring those of several into another form; or, where the few are meant, paste:\n{pasted(best.reading)}"
        )


def _check_contents(best: Candidate, columns: dict[str, Column], sample: list[dict], shown: str) -> None:
    """Raises UserError where the texts are not what the shape makes of them: exams or dialogues in plain text."""
    text = columns.get(best.reading.fields.get("text", ""))
    if best.reading.shape == "text" and text and _looks_like_exam(text):
        why = next((why for value in text.values[:20] if (why := read_exam(str(value)).why)), "")
        raise UserError(
            f"{shown}: its text holds questions with lettered options, which plain text would lose with their keys"
            + (f" ({why})" if why else "")
            + ". An exam is read where its numbers and letters follow one another and each question has its key: a mark on the "
            "right option (`X b)`, `b) … *`), a line below (`Answer: B`), or one table of all numbers (`1 B`), in it or in a "
            f"file of its own (`keys: {{{Path(shown).name}: FILE}}`). Bring it into that form or into a table of questions, "
            f"options and answers; or, where text is meant, paste:\n{pasted(best.reading)}"
        )
    label = columns.get(best.reading.fields.get("label", ""))
    if best.reading.shape == "classification" and label and (two := joined_labels(label)):
        raise UserError(
            f"{shown}: {label.name} holds several labels in one cell ({two!r}), and a classification here has one: each "
            f"combination would be a label of its own. Where that is meant, paste:\n{pasted(best.reading)}"
        )
    if best.reading.shape == "text" and text and share(text.values, _turns_in) >= 0.3:
        raise UserError(
            f"{shown}: its text holds dialogues, of which plain text loses whose turn is whose. Bring each into a row, or "
            "leave only dialogues in it, with an empty line between; or, where text is meant, "
            f"paste:\n{pasted(best.reading)}"
        )
    if best.reading.shape == "text" and text and (what := _no_prose(text)):
        raise UserError(
            f"{shown}: its text holds {what}, which plain text would mix up. Bring them into a table of questions and "
            f"answers; or, where text is meant, paste:\n{pasted(best.reading)}"
        )
    case = columns.get(best.reading.fields.get("context", ""))
    if case and _blank_below(case, sample):
        raise UserError(
            f"{shown}: {case.name} is empty in {1 - case.filled:.0%} of the rows, each time below one that has it, as merged "
            "cells come out: those questions would be asked without it. Write it into all its rows; or, where they have none, "
            f"paste:\n{pasted(best.reading, [], {'context': case.name})}"
        )
    asked = columns.get(best.reading.fields.get("instruction", best.reading.fields.get("question", "")))
    if best.reading.shape in ("qa", "alpaca") and asked and share(asked.values, _holds_dialogue) >= 0.3:
        raise UserError(
            f"{shown}: {asked.name} holds whole dialogues, whose answers would become the user's words. Bring the turns "
            f"apart into messages; or, where the text is meant as one question, paste:\n{pasted(best.reading)}"
        )


def _blank_below(column: Column, sample: list[dict]) -> bool:
    """Whether a column is filled in the first row and then hardly ever in two rows one after another."""
    filled = [not is_missing(cell(raw, column.name)) for raw in sample]
    pairs = sum(a and b for a, b in itertools.pairwise(filled))
    return filled[0] and 3 <= sum(filled) <= 0.6 * len(filled) and pairs <= 0.1 * sum(filled)


def _check_answers(best: Candidate, columns: dict[str, Column], shown: str) -> None:
    """Raises UserError where what would be learnt as answers are names of answers, which stand elsewhere."""
    told = columns.get(best.reading.fields.get("answer", ""))
    letters = told and len(told.values) >= 5 and share(told.values, lambda v: LETTER.fullmatch(str(v))) >= 0.9
    if best.reading.shape == "qa" and told and (letters or share(told.values, _is_of_ids) >= 0.9):
        raise UserError(
            f"{shown}: {told.name} holds whole numbers or letters alone ({str(told.values[0])[:20]!r}), as keys of "
            f"options, names of answers elsewhere and marks are. Where they are the answers, paste:\n{pasted(best.reading)}"
        )


INTENTS = re.compile(r"(?im)^#*[ \t]*(?:-[ \t]*)?intent[ \t]*:")
NUMBERS = re.compile(r"(?im)^[ \t]*(?:id|dialog(?:ue)?|conversation|case|caso)[ \t]*[=:#][ \t]*\d+[ \t]*$")
HEADS = re.compile(r"(?im)^[^\w\n]{0,8}quest[ãa]o\s+(?:n[ºo.]*\s*)?\d")
ASKS = re.compile(
    r"(?im)^[^\w\n]{0,8}(?:pergunta|quest[ãa]o|question|pregunta|domanda|frage|问题?|問題?|질문)\b[^\n:：]{0,20}[:：]"
)
ANSWERS = re.compile(
    r"(?im)^[^\w\n]{0,8}(?:resposta|answer|respuesta|risposta|antwort|réponse|答案?|回答|답변)\b[^\n:：]{0,20}[:：]|^[^\w\n]{0,8}\d+[.)].*\n[^\w\n]{0,8}→"
)
EXAM_KEYS = re.compile(r"(?im)^[^\w\n]{0,8}(?:gabarito|gab|resp|alternativa correta|correct option|ans)\b[^\n:：]{0,20}[:：]")
BOX = r"[ \t]*(?:[-*•][ \t]+)?"
OPEN, TICKED = rf"{BOX}(?:\[[ \t]?\]|☐).*\n", rf"{BOX}(?:\[[ \t]?[xX✓][ \t]?\]|[☑☒✅]).*\n"
BOXES = re.compile(rf"(?m)^(?!{BOX}[\[☐☑☒✅]).*\n\s*?(?:(?:{OPEN})+{TICKED}(?:{OPEN})*|{TICKED}(?:{OPEN}){{2,}})")
KEYS = re.compile(r"(?<![\w.])\d{1,3}[ \t]?[-–.:)][ \t]?[A-E](?!\w)")


def _no_prose(column: Column) -> str:
    """What the texts of a column hold in the place of prose, as NO_PROSE calls it; "" for prose."""
    return next((what for what, holds in NO_PROSE if share(column.values, lambda v, holds=holds: holds(str(v))) >= 0.3), "")


def _asks_only(text: str) -> bool:
    """Whether nearly every line of a text is a question: what answers them stands elsewhere, in the file's name perhaps."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return len(lines) >= 5 and sum(line.endswith(("?", "？", "؟")) for line in lines) >= 0.9 * len(lines)


def _in_pairs_of_lines(text: str) -> bool:
    """Whether a text is of blocks of two lines, with an empty line between them, the first of which is no heading."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text.strip())]
    pairs = [block for block in blocks if block.count("\n") == 1 and not block.startswith("#")]
    return len(blocks) >= 20 and len(pairs) >= 0.8 * len(blocks)


BY_NUMBERS = re.compile(r"(?m)^[ \t]*1[.)] .+\n[ \t]*2[.)] .+\n[ \t]*3[.)] ")
RUN_ON = re.compile(r"\bA\b[^\n]{1,300}?\bB\b[^\n]{1,300}?\bC\b[^\n]{1,300}?(?:\bD\b|$)")


def _in_cells(text: str) -> bool:
    """Whether nearly every line of a text has the same number of tabs, as the lines of a table have."""
    tabs = [line.count("\t") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return (
        len(tabs) >= 5 and max(tabs) > 0 and tabs.count(max(set(tabs), key=tabs.count)) >= 0.9 * len(tabs) and tabs.count(0) < 3
    )


def _runs_on(text: str) -> bool:
    """Whether much of a text is options one after another on one line, each behind its bare letter."""
    runs = [hit.end() - hit.start() for hit in RUN_ON.finditer(text)]
    return len(runs) >= 10 and sum(runs) >= 0.3 * len(text)


NO_PROSE = (
    ("questions with their answers, each under a mark", lambda text: ASKS.search(text) and ANSWERS.search(text)),
    ("the lines of a table, whose cells tabs part (save it as .tsv, with a line of names above)", _in_cells),
    ("answers, each under a mark", lambda text: len(ANSWERS.findall(text)) >= 10),
    ("answers to an exam", lambda text: len(EXAM_KEYS.findall(text)) >= 3),
    ("options with boxes, of which one is ticked", lambda text: len(BOXES.findall(text)) >= 3),
    ("the letters of an exam's key", lambda text: len(KEYS.findall(text)) >= max(10, len(text) // 30 + 1) or holds_key(text)),
    (
        "questions with numbered options and their answers",
        lambda t: min(len(BY_NUMBERS.findall(t)), len(ANSWERS.findall(t))) >= 2,
    ),
    ("options by their letters, all on one line", _runs_on),
    ("examples of intents", lambda text: len(INTENTS.findall(text)) >= 3),
    ("records, each below a line with its number", lambda text: len(NUMBERS.findall(text)) >= 10),
    ("the numbered questions of an exam", lambda text: len(HEADS.findall(text)) >= 10),
    ("questions alone, a line each, with no answer beside them", _asks_only),
    ("pairs of lines, as questions and answers stand", _in_pairs_of_lines),
)


def _is_of_ids(value) -> bool:
    """Whether an answer is a whole number, or several: what is measured or counted has a unit or a word beside it."""
    return bool(re.fullmatch(r"\s*-?\d+(?:\s*[,;]\s*-?\d+)*\s*", str(value)))


LETTER = re.compile(r"\s*\(?(?:[A-Za-z]|[IVX]{1,4})\)?\.?\s*")


TAGGED = re.compile(
    r"<\|?(user|human|patient|bot|assistant|doctor|gpt|ai|model)\|?>|\[(user|human|patient|bot|assistant|doctor)\]", re.I
)


def _holds_dialogue(value) -> bool:
    """Whether a text holds turns of both sides: `<user>: … <bot>: …`, or lines that begin with a speaker."""
    said = [next(g for g in hit.groups() if g) for hit in TAGGED.finditer(str(value))] + speakers_of(str(value))
    sides = {role_of(speaker, {}) for speaker in said}
    return len(said) > 2 and {"human", "gpt"} <= sides


ALONE = re.compile(r"\s*[A-ZÀ-Ý][\wÀ-ÿ]{2,}(?: [A-Z]?\d+)?\s*")  # a speaker on a line of its own: DOCTOR O721


def _turns_in(value) -> bool:
    """Whether a text marks turns of both sides as templates do, or its lines begin with them or are them, three times each."""
    marked = {role_of(next(g for g in hit.groups() if g), {}) for hit in TAGGED.finditer(str(value))}
    if {"human", "gpt"} <= marked:
        return True
    alone = [line for line in str(value).splitlines() if ALONE.fullmatch(line)]
    sides = [role_of(speaker, {}) for speaker in (*speakers_of(str(value)), *(line.split()[0] for line in alone))]
    return min(sides.count("human"), sides.count("gpt")) >= 3


EXAM = re.compile(
    r"(?i)\b(?:quest[ãa]o|question|pregunta)\s*(?:n[ºo.]*\s*)?[\d|]|\bassinale\b|\balternativas?\b"
    r"|\bwhich of the following\b|\bgabarito\b"
)


def _looks_like_exam(column: Column) -> bool:
    """Whether a text column holds multiple-choice questions: several in a text that speaks like an exam, or one in most texts.

    Guidelines have lists of a), b), c) too, but do not number questions or ask to mark an alternative.
    """
    for value in map(str, column.values[:20]):
        letters = [next(g for g in hit.groups() if g).upper() for hit in LINE.finditer(value)]
        runs = sum(letters[i : i + 4] == ["A", "B", "C", "D"] for i in range(len(letters)))
        keyed = letters.count("A") >= 3 and len(OWN_KEY.findall(value)) >= 3
        if keyed or (runs >= 3 and len(EXAM.findall(value)) >= 3) or looks_like_exam(value):
            return True
        lines = sum(bool(line.strip()) for line in value.splitlines())
        others = [len(run) for run in alphabets.runs(value)]
        if len(others) >= 10 and sum(others) >= 0.4 * lines and len(NUMBER_HEAD.findall(value)) >= len(others) / 2:
            return True  # in another alphabet
    return len(column.values) > 1 and share(column.values, lambda v: len(split_stem(str(v))[1]) >= 3) >= 0.5


def pasted(reading: Reading, ignore: list[str] = (), further: dict[str, str] | None = None) -> str:
    needs = STORED.get(reading.shape, tuple(n[0] for n in RULE_OF[reading.shape].needs))
    more = ("options", "answer") if reading.shape == "mcq" and reading.base != "apart" else ("answer",) if reading.base else ()
    fields = {
        n: reading.fields.get(n, "YOUR_FIELD") for n in (*needs, *more) if n in reading.fields or n not in ("options", "answer")
    }
    lines = [yaml_line("shape", reading.shape), yaml_line("fields", fields | (further or {}))]
    lines += [yaml_line(name, value) for name in ("explode", "pairs") if (value := getattr(reading, name))]
    if ignore:
        lines.append(yaml_line("ignore", ignore))
    return to_paste(*lines)


# What is put aside in an object -> the shape that it makes of a text, and what the text is then.
ASIDE = (("options", "mcq", "question"), ("label", "classification", "text"), ("answer", "qa", "question"))


def _left_out(best: Candidate, columns: dict[str, Column], shown: str) -> str:
    """A column that matters goes nowhere: the lines that leave it out on purpose, and those that use it."""
    told = "; ".join(f"{c} ({columns[c].told}, for instance {str(columns[c].values[0])[:40]!r})" for c in best.unused[:6])
    told += "".join(f"; {c} holds several labels in one cell" for c in best.unused if joined_labels(columns[c]))
    ways = [pasted(best.reading, best.unused)]
    one = best.unused[0]
    if best.reading.shape in ("mcq", "qa") and ("text" in meanings(one) or is_case(columns[one])):
        ways.insert(0, pasted(best.reading, best.unused[1:], {"context": one}))
    fields = best.reading.fields
    asked, answer = (fields.get("question") or fields.get("instruction")), fields.get("answer") or fields.get("output")
    if best.reading.shape in ("qa", "alpaca") and fits("score", columns[one]) and not RIGHT & set(words_of(answer)):
        ways.append(pasted(Reading("graded", {"question": asked, "completion": answer, "score": one}), best.unused[1:]))
    elif best.reading.shape in ("text", "qa") and fits("label", columns[one]) and _comes_again(columns[one]):
        text = fields.get("text") or fields.get("question")
        ways.append(pasted(Reading("classification", {"text": text, "label": one}), best.unused[1:]))
    text = fields.get("text") or fields.get("question") or "YOUR_FIELD"
    for column in (columns[c] for c in best.unused):
        if (aside := put_aside(column)) and best.reading.shape in ("qa", "text"):
            shape, asked = next(way for name, *way in ASIDE if name in aside)
            ways.append(pasted(Reading(shape, {asked: text, **aside}), []))
        elif column.kind == "object" and best.reading.shape == "text" and (parts := _parts(column)):
            ways += [pasted(Reading("qa", {"question": text, "answer": f"{column.name}.{part}"})) for part in parts[:4]]
        elif column.kind in ("list", "object") and fits("options", column):
            key = fields.get("answer", "YOUR_FIELD")
            ways.append(pasted(Reading("mcq", {"question": text, "options": column.name, "answer": key}), []))
    return (
        f"{shown}: read as {best.reading.shape}, these columns would go unused, though they look like answers, options, marks, "
        f"labels or roles: {told}. Paste one:\n" + "\n       or\n".join(ways)
    )


def _parts(column: Column) -> list[str]:
    """The names in a column's objects that all of them have, with a text each."""
    objects = [v for v in map(from_literal, column.values[:20]) if isinstance(v, dict)]
    return [k for k in objects[0] if all(isinstance(o.get(k), str) and o[k].strip() for o in objects)] if objects else []


def ask_of_intents(columns: dict[str, Column], shown: str) -> None:
    """Raises UserError where the rows are intents of a chatbot, several answers to each of which are in reach."""
    if not (found := intents(columns)):
        return
    text, tag, answers = found["text"], found["label"], found["answer"]
    sorts = pasted(Reading("classification", {"text": text, "label": tag}, explode=text), [answers])
    pairs = pasted(Reading("qa", {"question": text, "answer": answers}, explode=text))
    raise UserError(
        f"{shown}: its rows are intents, whose {text} have several {answers} to choose from. Paste one: to sort texts into the "
        f"intents, or to learn the answers of those that have one alone (the others are left out and counted):\n{sorts}"
        f"\n       or\n{pairs}"
    )


def ask_of_pairs(pairs: dict[str, str], shown: str) -> UserError:
    """What to ask of numbered questions with their answers in one row."""
    return UserError(
        f"{shown}: its rows hold several questions with their answers ({', '.join(pairs)}). Where each stands by itself, paste "
        f"the line below; where a later one goes on with those before, bring them into turns (messages):\n"
        + to_paste(yaml_line("pairs", pairs))
    )


def ask_of_turns(columns: dict[str, Column], sample: list[dict], shown: str) -> None:
    """Raises UserError where the rows are single turns that are joined to no conversation: why not, and the lines."""
    turns = single_turns(list(columns), sample)
    if turns is None:
        return
    speaker, text, differ = turns
    labels = [c for c in dict.fromkeys((*differ, speaker, *columns)) if c != text and c in columns and sorts(columns[c])]
    lines = [pasted(Reading("classification", {"text": text, "label": c}), [o for o in labels if o != c]) for c in labels]
    lines = lines or [pasted(Reading("text", {"text": text}))]
    why = (
        f"{', '.join(differ)} differ from turn to turn of one conversation, and a conversation has one value of each. For "
        "conversations leave these columns out of the file"
        if differ
        else "no column says which conversation a turn belongs to, or the sides of its speakers are not known. For "
        "conversations give it conversation_id, and speakers such as patient and doctor"
    )
    raise UserError(
        f"{shown}: its rows are single turns ({speaker} says {text}), and {why}. For single sentences with a label paste one:\n"
        + "\n       or\n".join(lines)
    )


def _by_lengths(columns: dict[str, Column]) -> tuple[str, dict[str, str]] | None:
    """What to suggest where no name says anything: the only column of long texts as text, with a label where there is but one."""
    long = [c.name for c in columns.values() if c.kind == "text" and c.length >= 100]
    others = [c for c in columns.values() if c.name not in long and not IDS.match(plain(c.name))]
    if len(long) != 1 or OF_A_MODEL & set(words_of(long[0])) or any(c.kind == "text" and c.length >= 30 for c in others):
        return None
    if len(others) == 1 and fits("label", others[0]) and 1 < others[0].distinct <= len(others[0].values) / 5:
        return "classification", {"text": long[0], "label": others[0].name}
    return "text", {"text": long[0]}


def _by_lot(lacking: list[str], free: list[Column]) -> dict[str, str]:
    """Columns to name in the lines for what no column is called like: the one that asks, then the longest; their order kept.

    The lines are to be mended; with a column's name in each place they say how, and run as they stand.
    """
    longest = sorted(sorted(free, key=lambda c: -c.length)[: len(lacking)], key=free.index)
    asking = [c for c in free if share(c.values, lambda v: str(v).rstrip().endswith("?")) >= 0.5]
    if "question" in lacking and asking and lacking[0] == "question":
        longest = [asking[0], *(c for c in longest if c is not asking[0])]
    return {name: c.name for name, c in zip(lacking, longest, strict=False)}


ANSWER_WORDS = {"answer", "answers", "response", "resposta", "respostas", "respuesta", "respuestas"}
SUMS_UP = {"summary", "summaries", "resumo", "resumos", "sumario", "resumen", "abstractive"}
KEYED = (
    "Its objects are texts under names (a glossary, say). Where a name asks and its text answers, or the texts are meant alone,"
)


def _likelier(columns: dict[str, Column], texts: list[str]) -> str:
    """What a file can be whose names say no shape: texts that are compared, a text and its summary, a question and its class."""
    if set(columns) == {"_key", "_value"}:
        keyed = pasted(Reading("qa", {"question": "_key", "answer": "_value"}))
        alone = pasted(Reading("text", {"text": "_value"}))
        if share(columns["_key"].values, lambda v: str(v).isdigit()) >= 0.95:
            return f"Its texts stand under running numbers. Paste:\n{alone}"
        return f"{KEYED} paste one:\n{keyed}\n       or\n{alone}"
    labels = [c.name for c in columns.values() if c.name not in texts or c.length <= 30]
    labels = [c for c in labels if not IDS.match(plain(c)) and _sorts_few(columns[c])]
    long = [c for c in texts if c not in labels and columns[c].length > 20 and not explains(columns[c])]
    sums = [c for c in long if SUMS_UP & set(words_of(c))]
    if len(sums) == 1 and len(long) == 2:
        whole = next(c for c in long if c not in sums)
        return (
            f"It seems that {sums[0]} sums up {whole}. As its answer that is learnt for any text: ask for a summary with "
            f"--system. Paste:\n{pasted(Reading('qa', {'question': whole, 'answer': sums[0]}))}"
        )
    answered = any("question" in meanings(c) for c in long) and any(ANSWER_WORDS & set(words_of(c)) for c in long)
    if len(labels) != 1 or len(long) not in (1, 2) or answered:
        return ""
    *context, text = long
    lines = pasted(Reading("classification", {"text": text, "label": labels[0]}), [], {"context": context[0]} if context else {})
    if context:
        return f"It seems that {context[0]} and {text} together are sorted by {labels[0]}. Paste and mend:\n{lines}"
    return f"No column answers {text}; it can be sorted by {labels[0]}. Paste and mend:\n{lines}"


def _comes_again(column: Column) -> bool:
    """Whether values of a column come again, or it has too few to tell."""
    return len(column.values) < 20 or column.distinct <= len(column.values) // 2


def _sorts_few(column: Column) -> bool:
    """Whether a column has few values, each of which comes again."""
    rows = len(column.values)
    return (
        column.kind in ("text", "bool", "number")
        and rows >= 20
        and 2 <= column.distinct
        and _comes_again(column)
        and column.length <= 60
    )


def _no_shape(columns: dict[str, Column], wish: Wish, shown: str) -> str:
    has = ", ".join(map(str, columns)) or "none"
    shape, options = wish.shape, bool(option_columns(columns) or candidates("options", columns))
    if shape == "auto":
        near = ("mcq", "qa", "classification", "text") if options else ("qa", "classification", "text")
        shape = max(near, key=lambda s: sum(bool(candidates(names[0], columns)) for names in RULE_OF[s].needs))
    needs = [names[0] for names in RULE_OF[shape].needs] + (["options", "answer"] if shape == "mcq" else [])
    fields = dict(wish.fields)
    for name in needs:
        if name not in fields and (called := candidates(name, columns)):
            fields[name] = called[0]
    if wish.shape == "auto" and not fields and (likely := _by_lengths(columns)):
        shape, fields = likely
        needs = list(fields)
    texts = [c.name for c in columns.values() if c.kind == "text" and not IDS.match(plain(c.name))]
    if wish.shape == "auto" and not options and (hint := _likelier(columns, texts)):
        return f"{shown}: no shape fits its fields ({has}). {hint}"
    lacking = [n for n in needs if n not in fields and not (n == "options" and options)]
    if shape != "mcq" or "answer" not in lacking:  # a key is not told by its length
        fields |= _by_lot(lacking, [columns[c] for c in texts if c not in fields.values()])
    lines = pasted(
        Reading(shape, {n: fields.get(n, "YOUR_FIELD") for n in needs if not (n == "options" and n not in fields and options)})
    )
    if wish.shape == "auto":
        bare = " Give it a line of names, where its first line is a row." if any(len(str(c)) > 60 for c in columns) else ""
        if shape == "mcq" and "answer" in lacking and len(lacking) == 1:
            bare += " They are questions with options, and no column holds the key; add one, or name it."
        if shape != "mcq" and len(texts) == len(columns) == 1:
            return (
                f"{shown}: no shape fits its one field. Where it is text, paste:\n{pasted(Reading('text', {'text': texts[0]}))}"
            )
        if shape != "mcq" and set(needs) - fields.keys():
            why = "no two of them hold texts, as questions and answers are; leave it out, or give --shape and --fields"
            return f"{shown}: no shape fits its fields ({has}): {why}.{bare}"
        return f"{shown}: no shape fits its fields ({has}).{bare} Paste and mend:\n{lines}"
    why = (
        f"needs {', '.join(lacking)}"
        if lacking
        else "finds no column whose values name the options"
        if shape == "mcq"
        else "does not fit the values"
    )
    return f"{shown}: shape {shape} {why}; its fields: {has}. Paste and mend:\n{lines}"
