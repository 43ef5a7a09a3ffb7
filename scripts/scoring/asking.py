"""What an evaluation asks, checked before a model is loaded: rows, protocol, examples, what a judge needs. For evaluate.py."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from common.arguments import tell_unused
from common.errors import UserError
from common.files import read_rows, sha256
from common.hashes import text_sha256
from llamacpp.files import is_gguf
from scoring import judge, numbered, row_files, scores, statistics, tasks, trained_on
from scoring.engines_url import is_url
from scoring.evaluations import predictions_of
from scoring.pairing import Settings


@dataclass
class Asked:
    """`rows` are those that are scored, `data_sha256` is of the whole file."""

    rows: list[dict]
    task: str
    protocol: str
    data_sha256: str
    shots: list[dict]
    """messages of the examples before each question"""
    shot_ids: list[str]
    others: dict
    """by id, the predictions of the model that a judge compares with"""
    marks: list[dict]
    """that people gave to some answers"""
    trained_on: list | None = None
    """ids of the rows that stand in the training rows; None where these were not given"""


def read(args) -> Asked:
    """All that evaluate.py's arguments ask for. Raises UserError for what cannot be asked."""
    rows, digest = rows_of(args.data)
    task = tasks.check_rows(rows, args.protocol, args.data)
    protocol = protocol_of(args, task)
    check_asking(args, rows, task, protocol)
    if args.detectable:
        check_detectable(args, len(rows[: args.limit or None]), task)
    shots, shot_ids = tasks.few_shot(args.shots_data, args.shots, args.seed, rows) if args.shots else ([], [])
    rows = rows[: args.limit or None]
    others, marks = others_of(args, rows, digest), marks_of(args, rows)
    return Asked(rows, task, protocol, digest, shots, shot_ids, others, marks, trained_on_of(args, rows))


def trained_on_of(args, rows: list[dict]) -> list | None:
    """Ids of the rows that stand in --train_data, and a note where there are any."""
    if not args.train_data:
        return None
    if found := trained_on.ids_in(rows, args.train_data):
        print(
            f"note: {len(found)} of {len(rows)} scored rows stand in {args.train_data} (one is {found[0]}): how well a model "
            "does on what it was trained on says nothing of other questions; data_prep/prepare.py --eval_files takes them out"
        )
    return found


def rows_of(data: str) -> tuple[list[dict], str]:
    """All rows, each checked, and the data's hash."""
    if data != "general" and not row_files.data_files(data)[0].endswith(".csv"):
        return row_files.rubric_rows(data) if row_files.has_rubrics(data) else read_rows(data, tasks.check_row), sha256(data)
    rows = row_files.general_rows() if data == "general" else row_files.request_rows(data)
    return rows, text_sha256(json.dumps(rows))


def protocol_of(args, task: str) -> str:
    """The protocol that was asked for, or the one that fits. Raises UserError for one that this model cannot be asked by."""
    protocol = tasks.auto_protocol(task) if args.protocol == "auto" else args.protocol
    if is_url(args.model) and protocol == "perplexity":
        raise UserError("model: a URL gives no likelihoods, so no perplexity; score a folder or a GGUF")
    if is_url(args.model) and protocol in tasks.LIKELIHOOD and args.protocol != "letter":
        if args.protocol != "auto":
            raise UserError(
                f"protocol: {protocol} needs likelihoods of whole texts, which a URL does not give; use generate or letter"
            )
        protocol = "generate"  # letter needs logprobs, which not every server gives
    if args.enable_thinking and protocol in tasks.LIKELIHOOD:
        if args.protocol != "auto":
            raise UserError(
                f"protocol: {protocol} would score the answer where the think block belongs; with --enable_thinking use generate"
            )
        protocol = "generate"
    return protocol


def check_asking(args, rows: list[dict], task: str, protocol: str) -> None:
    """Raises UserError where rows and protocol do not allow what was asked for."""
    named = [
        row["options"] for row in rows if task == "mcq" and not (protocol == "generate" and numbered.is_numbered(row["options"]))
    ]
    strange = sorted({key for options in named for key in options if key not in "ABCDEFGHIJ"})
    if strange and protocol in tasks.FREE:
        raise UserError(
            f"data: {args.data} calls options {', '.join(strange[:3])}: a free answer is read by letters from A to J, or by "
            "digits from 1 on; call them so, or score by --protocol letter"
        )
    if args.num_samples > 1 and (protocol != "generate" or task not in tasks.CHOICE):
        raise UserError(f"num_samples: needs --protocol generate and options to vote on, not {protocol} of {task}")
    if args.permutations > 1 and task not in tasks.CHOICE:
        raise UserError(f"permutations: {args.data} holds {task}, which has no options to move")
    most = min(len(tasks.options_of(row)) for row in rows) if args.permutations > 1 else 0
    if most and args.permutations > most:
        raise UserError(f"permutations: {args.permutations} is more than the {most} options of some rows")


def check_detectable(args, n: int, task: str) -> None:
    """Raises UserError where a difference of --detectable points would go unseen in most comparisons on so few rows."""
    alpha = Settings.alpha
    if task not in tasks.CHOICE:
        raise UserError(f"detectable: {args.data} holds {task}; the rows needed are known for rows with options only")
    if n >= (needed := statistics.rows_to_show(min(1, args.detectable / 100), alpha)):
        return
    least = statistics.minimal_detectable(n, 0.5, alpha)
    shown = f"show one of {100 * least:.1f} points or more" if least else "show none at all"
    raise UserError(
        f"data: {args.data} holds {n} rows, too few: a difference of {args.detectable:g} points takes {needed} to be shown four "
        f"times in five (McNemar's test at {alpha}, where two models differ on half of the rows); {n} {shown}. Bring "
        f"{math.ceil(10 * needed / n) / 10} times the rows, hold out a larger share of them (test_size), or state a larger "
        "difference beforehand (detectable)"
    )


def tell_unused_of(args, asked: Asked) -> None:
    """Print what was given and changes nothing. (What else a URL does not take is said where it is called.)"""
    models = [model for model in (args.model, args.judge) if model]  # both answer
    served = [model for model in models if is_url(model)]
    fixed = [model for model in models if is_url(model) or is_gguf(model)]
    free = asked.protocol in tasks.FREE
    tell_unused(
        args,
        {
            "load_in_4bit": f"{args.model} has the weights that it has" if args.model in fixed else "",
            "dtype": "servers and llama.cpp compute as they do" if fixed == models else "",
            "max_length": "the server alone knows how long a prompt is" if served == models else "",
            "batch_tokens": "the server makes its own batches" if served == models else "",
            "url_model": "" if is_url(args.model) else "the model is no URL",
            "concurrency": "" if served else "no URL is asked",
            "judge_model": "" if is_url(args.judge or "") else "no judge is a URL",
            "temperature": "" if free else f"{asked.protocol} draws no answers",
            "max_new_tokens": "" if free else f"{asked.protocol} writes no answers",
            "train_data": "" if asked.task in tasks.CHOICE else f"{asked.task} has no baseline that learns from rows",
        },
    )


def others_of(args, rows: list[dict], digest: str) -> dict:
    """The other model's predictions, by id; raises UserError where they are not of these rows."""
    if not args.judge_against:
        return {}
    metrics = scores.read(args.judge_against)
    if metrics.data_sha256 != digest:
        raise UserError(f"judge_against: {args.judge_against} is of another test set than {args.data}; score the same file there")
    others = predictions_of(Path(args.judge_against, "predictions.jsonl"), metrics)
    lacking = [str(row["id"]) for row in rows if row["id"] not in others or others[row["id"]].output is None]
    if lacking:
        raise UserError(
            f"judge_against: {args.judge_against} holds no free answer to {len(lacking)} of these rows, one of them "
            f"{min(lacking)}; score the same rows there with --protocol generate or judge"
        )
    return others


def marks_of(args, rows: list[dict]) -> list[dict]:
    """People's marks; raises UserError where none is of these rows."""
    marks = read_rows(args.human_marks, judge.check_mark) if args.human_marks else []
    ids = {row["id"] for row in rows}
    strange = sum(row["id"] not in ids for row in marks)
    if marks and strange == len(marks):
        raise UserError(f"human_marks: no id of {args.human_marks} is that of a scored row")
    if strange:
        print(f"note: {strange} of {len(marks)} marks in {args.human_marks} are of rows that are not scored, and are left out")
    return marks
