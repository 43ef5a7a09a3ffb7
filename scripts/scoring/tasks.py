"""What is asked: tasks, their rows' checks, prompts, few-shot examples and rotations. Imports no torch.

Tasks, told by the rows' `task` or shape:
  mcq             {"id", "question", "options": {"A": ...}, "answer": "A"}
  classification  {"id", "text", "labels": [...], "label"}
  open            {"id", "question", "answer"}: free answers, by exact match, BLEU, chrF, ROUGE; with or in the place of the
                  answer "rubric": [{"criterion", "points"}], for a judge; "history": messages before the question.
                  HealthBench's own JSONL is taken as it is
  safety          {"id", "task": "safety", "prompt"}: harmful requests, the share that is declined (refusals.declined)
                  also a CSV of MedSafetyBench, or a folder of them, with its column harmful_medical_request
  over_refusal    {"id", "task": "over_refusal", "prompt"}: harmless requests that sound harmful, the share that is answered
  perplexity      {"id", "text"} or {"id", "conversations"}: of the text, or of the assistant's turns

Protocols for multiple choice and classification (the first option that scores highest is the answer):
  letter     log-likelihood of the option's letter after the prompt
  text       log-likelihood of the option's text (of the label, in classification)
  text_norm  the same divided by the characters of the text, as acc_norm of lm-evaluation-harness
  generate   free greedy text, read by answers.extract; what cannot be read is counted as invalid, and as wrong
  judge      free text, marked by another model (scripts/scoring/judge.py); open answers only
  capitulo   the case study's procedure: 10 new tokens, the first letter A to E found anywhere in the output
"""

import collections
import itertools
import math
import random
import re

from common.errors import UserError
from common.files import read_rows

from data_prep.chat_template import INSTRUCTIONS, TemplateError, scoring_prompt, to_messages

LIKELIHOOD = ("letter", "text", "text_norm")
FREE = ("generate", "capitulo", "judge")
PROTOCOLS = ("auto", *LIKELIHOOD, *FREE)
NEEDED = {
    "mcq": ("question", "options", "answer"),
    "classification": ("text", "labels", "label"),
    "open": ("question",),
    "safety": ("prompt",),
    "over_refusal": ("prompt",),
    "perplexity": (),
}
FITTING = {  # protocols by task; generate alone for those that are not here
    "mcq": ("auto", *LIKELIHOOD, "generate", "capitulo"),
    "classification": ("auto", "text", "text_norm", "generate"),
    "open": ("auto", "generate", "judge"),
    "perplexity": ("auto",),
}
CHOICE = ("mcq", "classification")
# Of a row, where it has them: rows of one case are drawn together; accuracy is also told by origin, exam, year and difficulty.
KEPT = ("case", "origin", "exam", "number", "year", "difficulty")
CALLED = {
    "safety": "declined",
    "over_refusal": "answered",
    "open": "exact",
}  # what a right answer is called where it is not "right"
ANSWERS = {"mcq": "answer", "classification": "label", "open": "answer"}


def task_of(row: dict) -> str:
    """The task of a scoring row, by its `task` key or else by its shape."""
    shapes = (
        ("options", "mcq"),
        ("labels", "classification"),
        ("answer", "open"),
        ("rubric", "open"),
        ("text", "perplexity"),
        ("conversations", "perplexity"),
    )
    return row.get("task") or next((task for key, task in shapes if key in row), "none")


def options_of(row: dict) -> dict[str, str]:
    """Answer -> its text: letters of a multiple-choice row, labels of a classification row, else nothing."""
    return row["options"] if "options" in row else {label: label for label in row.get("labels", [])}


def gold_of(row: dict) -> str | None:
    by_task = {"safety": "declined", "over_refusal": "answered"}
    return by_task.get(task_of(row)) or row.get(ANSWERS.get(task_of(row)))


TEXTS = ("text", "answer", "instruction", "system", "language")  # fields that are texts where a row has them, whatever its task


def check_row(row: dict) -> list[str]:
    """Problems of one scoring row (strings), none if it can be scored."""
    task = task_of(row)
    if not isinstance(task, str) or task not in NEEDED:
        return [f"task: {task!r} is not one of {', '.join(NEEDED)}"]
    missing = [key for key in ("id", *NEEDED[task]) if row.get(key) in (None, "", [], {})]
    if task == "open" and row.get("answer") in (None, "") and not row.get("rubric"):
        missing.append("answer")
    if task == "perplexity" and not (row.get("text") or row.get("conversations")):
        missing.append("text or conversations")
    if missing:
        return [f"{row.get('id', 'a row')}: lacks {', '.join(missing)}"]
    if row.get("difficulty") not in (None, "") and not is_number(row["difficulty"]):
        return [f"{row['id']}: difficulty {row['difficulty']!r} must be a number"]
    if not isinstance(row["id"], str | int):
        return [f"id: {str(row['id'])[:40]} must be a text or a whole number"]
    texts = dict.fromkeys((*(key for key in NEEDED[task] if key not in ("options", "labels")), *TEXTS))
    wrong = [key for key in texts if key in row and row[key] is not None and not is_text(row[key])]
    if wrong:
        return [f"{row['id']}: {' and '.join(wrong)} must be text that is not empty"]
    if task == "perplexity" and "conversations" in row:
        return _conversation_problems(row)
    return _choice_problems(row, task) if task in CHOICE else rubric_problems(row)


def _conversation_problems(row: dict) -> list[str]:
    """Problems of a row whose assistant's turns are measured."""
    try:
        messages = to_messages(row)
    except TemplateError as error:
        return [f"{row['id']}: {error}"]
    said = any(m["role"] == "assistant" and m["content"].strip() for m in messages)
    return [] if said else [f"{row['id']}: the assistant says nothing, so there is nothing to score"]


def _choice_problems(row: dict, task: str) -> list[str]:
    """Problems of a row's options or labels, and of its gold answer among them."""
    name, shape = ("options", dict) if task == "mcq" else ("labels", list)
    if not isinstance(row[name], shape):
        return [f"{row['id']}: {name} must be {'letter: text' if task == 'mcq' else 'a list of texts'}"]
    texts = list(options_of(row).values()) if task == "mcq" else row["labels"]
    if len(texts) < 2 or not all(map(is_text, texts)):
        return [f"{row['id']}: {name} must hold at least two texts"]
    if len(set(texts)) < len(texts):
        return [f"{row['id']}: {name} holds one {'label' if name == 'labels' else 'text'} twice"]
    if (listed := row.get("labels_in_prompt", True)) is not True and not (listed is False and row.get("instruction")):
        return [f"{row['id']}: labels_in_prompt must be true, or false with an instruction of the row's own"]
    if gold_of(row) not in options_of(row):
        return [f"{row['id']}: the gold answer {gold_of(row)!r} is not among {', '.join(options_of(row))}"]
    if not row.get("instruction") and (task, row.get("language", "en")) not in INSTRUCTIONS:
        return [f"{row['id']}: language {row['language']!r} has no instruction; give `instruction`, or use en or pt"]
    return []


def rubric_problems(row: dict) -> list[str]:
    """Problems of a row's rubric: a list of {"criterion": text, "points": number}, some points above zero; and of its history."""
    rubric, turns = row.get("rubric"), row.get("history") or []
    roles = ("system", "user", "assistant")
    if not isinstance(turns, list) or not all(
        isinstance(t, dict) and t.get("role") in roles and is_text(t.get("content")) for t in turns
    ):
        return [f"{row['id']}: history must be a list of messages, each with a role and content"]
    if rubric is None:
        return []
    whole = isinstance(rubric, list) and all(
        isinstance(one, dict) and is_text(one.get("criterion")) and isinstance(one.get("points"), int | float) for one in rubric
    )
    if not whole or not any(one["points"] > 0 for one in rubric):
        return [f"{row['id']}: rubric must be a list of criterion and points, some of them above zero"]
    return []


def is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_text(value) -> bool:
    return isinstance(value, str) and bool(value.strip())


def check_rows(rows: list[dict], protocol: str, path: str) -> str:
    """The one task of all rows; raises UserError for ids that repeat, tasks that mix, a protocol the task has not."""
    twice = [i for i, times in collections.Counter(str(row["id"]) for row in rows).items() if times > 1]
    found = (
        [
            f"{path}: {len(twice)} ids stand more than once, first {', '.join(twice[:3])}; ids pair the rows of two "
            "models, so make them unique"
        ]
        if twice
        else []
    )
    tasks = sorted({task_of(row) for row in rows})
    if len(tasks) > 1:
        found.append(f"{path}: tasks {' and '.join(tasks)} are mixed; score one file a task")
    fit = FITTING.get(tasks[0], ("auto", "generate"))
    if tasks[0] == "open" and protocol != "judge" and not all(row.get("answer") for row in rows):
        found.append(f"protocol: some rows of {path} have a rubric and no answer; score them with --protocol judge --judge MODEL")
    if protocol not in fit:
        found.append(f"protocol: {protocol} does not fit {tasks[0]} ({path}); use one of {', '.join(fit)}")
    if found:
        raise UserError(found)
    if against := contradicting(rows):
        print(
            f"note: {len(against)} rows of {path} have the question and the options of another row, but another right answer "
            f"(the first are {against[0]} and {against[1]}): they cannot all be right, and no model can answer them all"
        )
    return tasks[0]


def contradicting(rows: list[dict]) -> list:
    """Ids of the rows with options whose question and options, in whatever order, another row has with another right answer."""
    alike: dict[tuple, dict[str, list]] = {}
    for row in rows:
        if task_of(row) in CHOICE:
            options = options_of(row)
            asked = (row.get("system"), row.get("instruction"), row.get("question") or row["text"], frozenset(options.values()))
            alike.setdefault(asked, {}).setdefault(options[gold_of(row)], []).append(row["id"])
    # By turns of their answers, so that the first two are of two answers.
    turns = (itertools.zip_longest(*by_answer.values()) for by_answer in alike.values() if len(by_answer) > 1)
    return [name for turn in turns for names in turn for name in names if name is not None]


def auto_protocol(task: str) -> str:
    return {"mcq": "letter", "classification": "text", "perplexity": "perplexity"}.get(task, "generate")


def user_text(row: dict) -> str:
    """The user's turn: `chat_template.scoring_prompt` where options are given, else the question."""
    return scoring_prompt(row) if task_of(row) in CHOICE else row.get("question") or row["prompt"]


def messages_of(row: dict, shots: list[dict] = ()) -> list[dict]:
    """The conversation that asks this row: its system message, if any, the examples, the question."""
    system = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    return [*system, *shots, *(row.get("history") or []), {"role": "user", "content": user_text(row)}]


def example_of(row: dict) -> list[dict] | None:
    """A training row's first question and answer as messages; None where it has no such two turns."""
    if "conversations" in row or "messages" in row:
        try:
            turns = [m for m in to_messages(row) if m["role"] != "system"][:2]
        except TemplateError:
            return None
    elif task_of(row) in ANSWERS and not check_row(row):
        turns = [{"role": "user", "content": user_text(row)}, {"role": "assistant", "content": str(gold_of(row))}]
    else:
        return None
    return turns if [t["role"] for t in turns] == ["user", "assistant"] else None


def few_shot(path: str, count: int, seed: int, tested: list[dict]) -> tuple[list[dict], list[str]]:
    """`count` examples (user and assistant messages) drawn from training rows, never from the tested ones.

    Training rows are conversations or scoring rows with gold. A row whose id or question is tested is left out and
    counted, and so is one that cannot be an example. Returns the messages and the ids; raises UserError where too few
    are left.
    """
    ids, asked = {str(row["id"]) for row in tested}, {user_text(row) for row in tested}
    stems = {str(row.get("question") or row.get("text") or row.get("prompt")) for row in tested}
    pool, left_out, unusable = [], 0, 0
    for number, row in enumerate(read_rows(path), 1):
        turns = example_of(row)
        if turns is None:
            unusable += 1
            continue
        same = str(row.get("id")) in ids or turns[0]["content"] in asked or turns[0]["content"].split("\n\n")[0] in stems
        left_out += same
        if not same:
            pool.append((str(row.get("id", number)), turns))
    if left_out:
        print(f"few-shot: {left_out} rows of {path} are tested rows and are left out of the examples")
    if unusable:
        print(f"few-shot: {unusable} rows of {path} are no question with an answer and are left out of the examples")
    if len(pool) < count:
        raise UserError(f"shots: {path} has {len(pool)} usable examples, {count} are asked for")
    drawn = random.Random(seed).sample(pool, count)
    return [turn for _, turns in drawn for turn in turns], [name for name, _ in drawn]


def rotated(row: dict, by: int) -> dict:
    """The row with its options' texts moved `by` places on; letters stay in order, the gold letter moves along."""
    if by == 0:
        return row
    if task_of(row) == "classification":
        labels = row["labels"]
        return {**row, "labels": labels[-by % len(labels) :] + labels[: -by % len(labels)]}
    letters, texts = list(row["options"]), list(row["options"].values())
    moved = [texts[(i - by) % len(texts)] for i in range(len(texts))]
    return {
        **row,
        "options": dict(zip(letters, moved, strict=True)),
        "answer": letters[(letters.index(row["answer"]) + by) % len(letters)],
    }


def original(row: dict, answer: str | None, by: int) -> str | None:
    """The original letter of a letter answered to `rotated(row, by)`; labels name themselves."""
    if answer is None or task_of(row) != "mcq" or answer not in row["options"]:
        return answer
    letters = list(row["options"])
    return letters[(letters.index(answer) - by) % len(letters)]


def continuations(row: dict, protocol: str) -> list[str]:
    """The texts whose likelihood is taken, one an option."""
    return list(options_of(row)) if protocol == "letter" else list(options_of(row).values())


def normalised(text: str) -> str:
    """For exact match of open answers: lower case, no punctuation, single spaces."""
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()
