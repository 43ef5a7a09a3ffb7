"""What is put before the raters: questions with their answers, from evaluation folders, JSONL files or generated answers.

An answer is shown without what would tell its model apart: think blocks are taken out when it is read, and names of models
in its text are hidden on the page (`hide_names`). What is exported is the answer as it was read.
"""

import collections
import itertools
import json
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from common.errors import UserError
from common.files import read_rows, sha256
from common.hashes import text_sha256
from scoring import asking, scores, tasks
from scoring.outputs import CONTROL, FINAL_CHANNEL, UNFINISHED, without_reasoning
from scoring.predictions import read_predictions

from data_prep.chat_template import TemplateError, answer_text, prompt_messages

JUDGED = ("answer", "completion", "output")  # keys of an answer in a file of answers
MAX_SHOWN = 20_000  # characters of a text on the page; 100 kB of a model that never stopped must not lock up a phone
FAMILIES = (  # "Claude" stays in the name of Claude Bernard
    r"qwen(?:[\d.]+)?|smol\s?lm\d*|(?:code)?llama(?:[\d.]+)?|(?:med)?gemma\d*|mistral|mixtral|deepseek|chat\s?gpt|gpt-?[\d.]+\w?|grok|"
    r"claude(?!\s+bernard)|gemini|open\s?ai|anthropic|alibaba(?: cloud)?|hugging\s?face|dr\.? bode|sabi[aá]-?\d*|phi-\d[\w.]*"
)
# Characters that reorder or hide the text around them: they are shown by name.
INVISIBLE = re.compile(r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff]")


class Question(NamedTuple):
    """One question: the row's id, its messages, the reference answer as text, the row's language or ""."""

    name: str
    messages: list[dict]
    reference: str
    language: str


class Answer(NamedTuple):
    """One answer of one system to the question of that name."""

    question: str
    system: str
    text: str


class Material(NamedTuple):
    """All that is voted on. `tested`: the questions are rows that models are scored on, not to be trained on."""

    questions: list[Question]
    answers: list[Answer]
    tested: bool


def question_of(row: dict, number: int) -> Question:
    """A row of prompts, scoring rows or conversations as a question. Raises TemplateError where it asks nothing."""
    name, task = str(row.get("id", number)), tasks.task_of(row)
    if task in tasks.CHOICE and ("question" in row or "text" in row):
        gold = tasks.gold_of(row)
        reference = f"{gold}. {row['options'][gold]}" if task == "mcq" and gold in row.get("options", {}) else str(gold or "")
        return Question(name, tasks.messages_of(row), reference, str(row.get("language") or ""))
    turns = row.get("conversations") or row.get("messages")
    reference = str(row.get("answer") or row.get("reference") or "")
    if turns:
        last = turns[-1]
        if last.get("from", last.get("role")) in ("gpt", "assistant"):
            turns, reference = turns[:-1], str(last.get("value", last.get("content")))
        messages = prompt_messages(turns)
    else:
        messages = [*(row.get("history") or []), *prompt_messages(row.get("prompt") or row.get("question") or "")]
        if row.get("system"):
            messages = [{"role": "system", "content": row["system"]}, *messages]
    return Question(name, messages, reference, str(row.get("language") or ""))


def read_questions(path: str) -> list[Question]:
    """Questions of a JSONL file, every problem of it in one UserError."""

    def check(row: dict) -> list[str]:
        try:
            question_of(row, 0)
        except (TemplateError, AttributeError, TypeError) as error:
            return [f"asks nothing ({error}); a row needs `prompt`, `question`, or `conversations`"]
        return []

    questions = [question_of(row, number) for number, row in enumerate(read_rows(path, check), 1)]
    twice = [name for name, times in collections.Counter(q.name for q in questions).items() if times > 1]
    if twice:
        raise UserError(f"{path}: {len(twice)} ids stand more than once, first {', '.join(twice[:3])}; make them unique")
    return questions


def read_material(paths: list[str], data: str | None) -> Material:
    """Answers from output folders of evaluate.py and from JSONL files of {"id", "prompt", "answer"}, one system each.

    Rows are joined by id. With `data` a row may carry no prompt; one that it carries must be the data's.
    Raises UserError with every problem: no written answers, questions that do not match, rows that are not there.
    """
    names = [Path(path).stem if Path(path).is_file() else Path(path).name for path in paths]
    names = names if len(set(names)) == len(names) else list(paths)
    questions: dict[str, Question] = {q.name: q for q in read_questions(data)} if data else {}
    where = dict.fromkeys(questions, data)
    answers, problems, tested = [], [], False
    for path, system in zip(paths, names, strict=True):
        folder = Path(path).is_dir()
        tested = tested or folder
        try:
            found, mine = (_of_folder if folder else _of_file)(path, system, data)
        except UserError as error:
            problems += error.problems
            continue
        for question in found:
            name = question.name
            if name not in questions and not data:
                questions[name], where[name] = question, path
            elif name in questions:
                questions[name], differing = _joined(questions[name], question, where[name])
                problems += [f"{path}: row {name} {one}; ids pair the answers" for one in differing]
        answers += mine
    problems += _unmatched(questions, answers, dict(zip(names, paths, strict=True))) if not problems else []
    if problems:
        raise UserError(problems[:10] + ([f"... and {len(problems) - 10} more"] if len(problems) > 10 else []))
    asked = {a.question for a in answers}
    if unused := len(questions) - len(asked):
        print(f"note: {unused} questions of {data or 'the test rows'} have no answers and are left out")
    return Material([q for q in questions.values() if q.name in asked], answers, tested)


def _joined(first: Question, later: Question, where: str) -> tuple[Question, list[str]]:
    """Two rows of one id as one question, and in what they contradict each other; what a row does not carry it cannot."""
    differing = []
    if first.messages and later.messages and first.messages != later.messages:
        pairs = itertools.zip_longest(later.messages, first.messages, fillvalue={"content": ""})
        one, other = next((a["content"], b["content"]) for a, b in pairs if a != b)
        differing.append(f"asks something else ({one[:60]!r}, not {other[:60]!r}) than the same id in {where}")
    if first.reference and later.reference and first.reference != later.reference:
        differing.append(
            f"has another reference ({later.reference[:60]!r}, not {first.reference[:60]!r}) than rows of that id before it"
        )
    return first._replace(reference=first.reference or later.reference), differing


def _of_folder(folder: str, system: str, data: str | None) -> tuple[list[Question], list[Answer]]:
    """Questions and answers of an evaluation; with `data` its questions are those, if it was scored on that file."""
    metrics_file, predictions = Path(folder, "metrics.json"), Path(folder, "predictions.jsonl")
    if not metrics_file.is_file() or not predictions.is_file():
        raise UserError(f"answers: {folder} holds no metrics.json and predictions.jsonl; is the evaluation finished?")
    metrics, rows = scores.read(folder), read_predictions(predictions)
    if not any(row.output for row in rows):
        raise UserError(
            f"answers: {folder} was scored by likelihood ({metrics.protocol}), so no answer was written; "
            "score it again with --protocol generate, or let --model write answers"
        )
    if twice := [name for name, times in collections.Counter(str(row.id) for row in rows).items() if times > 1]:
        raise UserError(f"{predictions}: {len(twice)} ids stand more than once, first {twice[0]}; score the model again")
    # Requests from a CSV, and `general`, are hashed as rows: no file of questions can have that hash.
    noted = metrics.data_sha256 if Path(metrics.data or "").suffix not in ("", ".csv") else None
    if data and noted and noted != sha256(data):
        raise UserError(
            f"answers: {folder} was scored on {metrics.data}, and {data} is not that file, or not as it was (data_sha256 "
            "differs); give the file as it was scored"
        )
    questions = [] if data else _asked(folder, metrics)
    answers = [Answer(str(row.id), system, without_thinking(row.output or "")) for row in rows]
    return questions, answers


def _asked(folder: str, metrics: scores.Metrics) -> list[Question]:
    """The rows that an evaluation asked, found by the path and the hash that it noted."""
    path = metrics.data or ""
    if path != "general" and not Path(path).exists():
        raise UserError(f"answers: {folder} was scored on {path}, which is not here; give the file as it was by --data")
    rows, digest = asking.rows_of(path)
    if digest != metrics.data_sha256:
        raise UserError(f"answers: {folder} was scored on {path}, which has changed since; give the file as it was by --data")
    return [question_of(row, number) for number, row in enumerate(rows, 1)]


def _of_file(path: str, system: str, data: str | None) -> tuple[list[Question], list[Answer]]:
    """What each row of a file asks, and its answer; with `data` a row may ask nothing, and has no messages then."""

    def texts_of(row: dict) -> list:
        return [row[key] for key in JUDGED if row.get(key)] or [None]

    def asked(row: dict) -> Question:
        # Here `answer` is what is judged, not a reference; a reference has its own key.
        row = {k: v for k, v in row.items() if k != "answer"}
        asking = ("prompt", "question", "conversations", "messages", *(["text"] if "labels" in row else []))
        if data and not any(row.get(key) for key in asking):
            return Question(str(row["id"]), [], str(row.get("reference") or ""), "")
        return question_of(row, 0)

    def check(row: dict) -> list[str]:
        found = [] if row.get("id") not in (None, "") else ["lacks id, which pairs the answers of two systems"]
        try:
            first, *others = texts_of(row)
            answer_text(first, "answer")
            if any(other != first for other in others):
                found.append("holds two of answer, completion and output, which differ; keep the one that is judged")
            if not found:
                asked(row)
        except (TemplateError, AttributeError, TypeError) as error:
            found.append(str(error))
        return found

    if not Path(path).is_file():
        raise UserError(f"answers: there is neither folder nor file {path}")
    rows = read_rows(path, check)
    answers = [Answer(str(row["id"]), system, without_thinking(answer_text(texts_of(row)[0]))) for row in rows]
    return [asked(row) for row in rows], answers


def _unmatched(questions: dict[str, Question], answers: list[Answer], paths: dict[str, str]) -> list[str]:
    """Problems of systems that did not answer the same questions, or answered unknown ones."""
    by_system = collections.defaultdict(set)
    for answer in answers:
        by_system[answer.system].add(answer.question)
    problems = [
        f"{paths[system]}: {len(names - set(questions))} answers are to questions that are not in the data, "
        f"first {sorted(names - set(questions))[0]}"
        for system, names in by_system.items()
        if names - set(questions)
    ]
    all_names = set().union(*by_system.values())
    return problems + [
        f"{paths[system]}: {len(all_names - names)} questions that others answered are not answered here, "
        f"first {sorted(all_names - names)[0]}"
        for system, names in by_system.items()
        if all_names - names
    ]


def without_thinking(text: str) -> str:
    """The answer without reasoning and marks of channels, its markdown kept; empty where reasoning never ended."""
    if found := FINAL_CHANNEL.match(text):
        text = text[found.end() :]
    text = CONTROL.sub("", without_reasoning(text))
    return (text[: found.start()] if (found := UNFINISHED.search(text)) else text).strip()


def names_pattern(more: list[str]) -> re.Pattern:
    """Matches names of model families, and those that the user adds."""
    own = "|".join(re.escape(name) for name in sorted(more, key=len, reverse=True) if name.strip())
    return re.compile(rf"(?<!\w)(?:{own + '|' if own else ''}{FAMILIES})(?!\w)", re.I)


def shown(text: str, names: re.Pattern, hidden: str) -> tuple[str, int]:
    """A text as the page shows it: names hidden, reordering characters visible, cut at MAX_SHOWN; and its whole length."""
    text = names.sub(hidden, unicodedata.normalize("NFC", text))
    length = len(text)
    return INVISIBLE.sub(lambda hit: f"⟨U+{ord(hit.group()):04X}⟩", text[:MAX_SHOWN]), length


def material_sha256(material: Material) -> str:
    """Hash of all questions and answers, which tells one collection of votes from another."""
    return text_sha256(json.dumps([material.questions, sorted(material.answers)]))
