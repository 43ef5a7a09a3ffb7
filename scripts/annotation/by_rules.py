"""Rules in the place of raters: every answer is scored by a file of rules, and the scores become pairs or feedback."""

import collections
import itertools
import statistics
from pathlib import Path

from annotation.rows import Rows, prompt_of
from annotation.sources import JUDGED, Material
from common.errors import UserError
from common.files import read_rows, refuse_problems
from training.rules import RuleSet


def columns_of(rules: RuleSet, data: str | None, answers: list[str]) -> dict[str, dict]:
    """By question, the row whose fields the rules look into: the data's fields, and those that only files of answers have.

    Raises UserError naming each row whose files contradict each other.
    """
    found, where, problems = {}, {}, []
    for path in [data, *answers] if rules.columns else []:
        for number, row in enumerate(read_rows(path) if path and Path(path).is_file() else [], 1):
            name = str(row.get("id", number))
            kept = {k for k, value in row.items() if value not in (None, "") and (path == data or k not in JUDGED)}
            for column in sorted(rules.columns & kept):
                first = where.setdefault((name, column), path)
                if found.setdefault(name, {}).setdefault(column, row[column]) != row[column]:
                    problems.append(f"{path}: row {name}: {column}, which {rules.path} looks into, differs from that in {first}")
    refuse_problems(problems)
    return found


def rows_by_rules(material: Material, rules: RuleSet, columns: dict[str, dict], task: str) -> Rows:
    """Preference or feedback rows, as from votes (annotation/rows.py), with the scores beside them.

    Args:
        columns: by question, the row whose fields the rules look into.
        task: "preference" (each pair of answers whose scores differ) or "feedback" (the rules' good and bad).

    Raises UserError for rows that lack what a rule looks into.
    """
    lacking = [f"{q.name}: {p}" for q in material.questions for p in rules.row_problems(columns.get(q.name, {}))]
    if lacking:
        raise UserError([f"data: row {problem}" for problem in lacking[:10]])
    texts: dict[str, dict[str, float]] = {q.name: {} for q in material.questions}
    for answer in material.answers:
        texts[answer.question][answer.text] = rules.score(answer.text, columns.get(answer.question, {}))
    left_out, rows = collections.Counter(), []
    for question in material.questions:
        scored, prompt = list(texts[question.name].items()), prompt_of(question.messages)
        made = (_pairs if task == "preference" else _feedback)(scored, rules, left_out)
        for number, row in enumerate(made, 1):
            weight = {"weight": round(1 / len(made), 6)} if task == "preference" else {}
            rows.append({"id": f"{question.name}-{number}", "prompt": prompt, **row, **weight, "source": "rules"})
    return Rows(rows, dict(left_out))


def means(material: Material, rules: RuleSet, columns: dict[str, dict]) -> str:
    """The mean score of all answers, and each rule's own: what a training on the rows is to raise."""
    given = [(answer.text, columns.get(answer.question, {})) for answer in material.answers]
    whole = statistics.mean(rules.score(text, row) for text, row in given)
    texts, fields = [[{"content": text}] for text, _ in given], {name: [row[name] for _, row in given] for name in rules.columns}
    each = [f"{f.__name__} {statistics.mean(f(completions=texts, **fields)):.3f}" for f in rules.reward_functions()]
    return f"mean score of {len(given)} answers {whole:.3f} ({', '.join(each)})"


def _pairs(scored: list[tuple[str, float]], rules: RuleSet, left_out) -> list[dict]:
    found = []
    for one, two in itertools.combinations(scored, 2):
        (chosen, high), (rejected, low) = sorted((one, two), key=lambda pair: -pair[1])
        if high - low < 1e-9:
            left_out["equal scores"] += 1
        elif not rejected.strip():
            left_out["an empty answer"] += 1
        else:
            scores = {"chosen_score": round(high, 4), "rejected_score": round(low, 4)}
            found.append({"chosen": chosen, "rejected": rejected, **scores})
    return found


def _feedback(scored: list[tuple[str, float]], rules: RuleSet, left_out) -> list[dict]:
    found = []
    for text, score in scored:
        if not text.strip():
            left_out["an empty answer"] += 1
        elif rules.bad < score < rules.good:
            left_out["neither good nor bad"] += 1
        else:
            found.append({"completion": text, "label": score >= rules.good, "score": round(score, 4)})
    return found
