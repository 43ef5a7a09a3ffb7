"""What is asked, how an answer is read, and how right it is. Imports no torch; used by evaluate.py and compare.py.

Protocols for multiple choice and classification (the first option that scores highest is the answer):
  letter     log-likelihood of the option's letter after the prompt
  text       log-likelihood of the option's text (of the label, in classification)
  text_norm  the same divided by the characters of the text, as acc_norm of lm-evaluation-harness
  generate   free greedy text, read by `extract`; unreadable answers are counted as invalid and as wrong
  capitulo   the case study's procedure: 10 new tokens, the first letter A to E found anywhere in the output
"""

import collections
import re

from data_prep.chat_template import INSTRUCTIONS, scoring_prompt

LIKELIHOOD = ("letter", "text", "text_norm")
PROTOCOLS = ("auto", *LIKELIHOOD, "generate", "capitulo")


def task_of(row: dict) -> str:
    """The task of a scoring row, by its `task` key or else by its shape."""
    return row.get("task") or ("mcq" if "options" in row else "classification" if "labels" in row else "open")


def options_of(row: dict) -> dict[str, str]:
    """Answer -> its text: letters of a multiple-choice row, labels of a classification row."""
    return row["options"] if task_of(row) == "mcq" else {label: label for label in row["labels"]}


def gold_of(row: dict) -> str:
    return row["answer"] if task_of(row) == "mcq" else row["label"]


def check_row(row: dict) -> list[str]:
    """Problems of one scoring row (strings), none if it can be scored."""
    task = task_of(row)
    if task not in ("mcq", "classification"):
        return [f"task: {task!r} is not one of mcq, classification"]
    needed = {"mcq": ("question", "options", "answer"), "classification": ("text", "labels", "label")}[task]
    missing = [key for key in ("id", *needed) if row.get(key) in (None, "", [], {})]
    if missing:
        return [f"{row.get('id', 'a row')}: lacks {', '.join(missing)}"]
    shape = dict if task == "mcq" else list
    if not isinstance(row[needed[1]], shape) or len(row[needed[1]]) < 2 or len(set(row[needed[1]])) < len(row[needed[1]]):
        return [f"{row['id']}: {needed[1]} must hold at least two, all different"]
    if gold_of(row) not in options_of(row):
        return [f"{row['id']}: the gold answer {gold_of(row)!r} is not among {', '.join(options_of(row))}"]
    if not row.get("instruction") and (task, row.get("language", "en")) not in INSTRUCTIONS:
        return [f"{row['id']}: language {row['language']!r} has no instruction; give `instruction`, or use en or pt"]
    return []


def check_rows(rows: list[dict]) -> list[str]:
    """Problems of the rows together: ids that repeat, tasks that mix."""
    twice = [i for i, times in collections.Counter(str(row["id"]) for row in rows).items() if times > 1]
    found = [f"{len(twice)} ids stand more than once, first {', '.join(twice[:3])}; ids pair the rows of two models"
             ] if twice else []
    tasks = sorted({task_of(row) for row in rows})
    return found + ([f"tasks {' and '.join(tasks)} are mixed; score one file a task"] if len(tasks) > 1 else [])


def messages_of(row: dict) -> list[dict]:
    """The conversation that asks this row: its system message, if any, and `chat_template.scoring_prompt`."""
    system = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    return [*system, {"role": "user", "content": scoring_prompt(row)}]


def continuations(row: dict, protocol: str) -> list[str]:
    """The texts whose likelihood is taken, one an option."""
    return list(options_of(row)) if protocol == "letter" else list(options_of(row).values())


def extract(output: str, options: list[str]) -> str | None:
    """The option that a free answer names, or None."""
    text = output.strip()
    for option in options:
        if re.match(re.escape(option) + r"(?![\w])", text):
            return option
    return None


def wilson(right: int, n: int) -> list[float]:
    """95 % interval of a share by Wilson's score method (Wilson 1927, by scipy)."""
    from scipy.stats import binomtest

    interval = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return [round(float(interval.low), 6), round(float(interval.high), 6)]


def share(records: list[dict]) -> dict:
    """Accuracy of some predictions, with interval, beside chance and the majority class."""
    n, right = len(records), sum(r["correct"] for r in records)
    label, most = collections.Counter(r["gold"] for r in records).most_common(1)[0]
    return {"n": n, "n_correct": right, "accuracy": round(right / n, 6), "accuracy_ci95": wilson(right, n),
            "chance": round(sum(1 / len(r["options"]) for r in records) / n, 6),
            "majority_class": {"label": label, "accuracy": round(most / n, 6)},
            "n_invalid": sum(r["prediction"] is None for r in records)}


def grouped(records: list[dict], key: str) -> dict:
    """`share` for each value of a key of the rows."""
    groups = collections.defaultdict(list)
    for record in records:
        groups[str(record.get(key) or "none")].append(record)
    return {name: share(groups[name]) for name in sorted(groups)}
