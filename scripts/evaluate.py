"""Score a model on rows with known answers: what it gets right, with intervals, beside chance.

    python scripts/evaluate.py --model runs/x/sft --data data/bode/test.jsonl --output_dir runs/x/eval_sft
    python scripts/evaluate.py --model x-q4_k_m.gguf --data test.jsonl --output_dir e --protocol generate
    python scripts/evaluate.py --model http://127.0.0.1:8080/v1 --data test.jsonl --output_dir e
    python scripts/evaluate.py --model runs/x/sft --data general --output_dir runs/x/general_sft   # forgetting
    python scripts/evaluate.py --model runs/x/sft --data test.jsonl --train_data train.jsonl --output_dir e  # and a bag of words
    python scripts/compare.py runs/x/eval_base runs/x/eval_sft --output_dir runs/x/comparison      # afterwards

Input   scoring rows (JSONL) of one task, told by the rows: multiple choice, classification, open answers, safety,
        perplexity (shapes and protocols: scripts/scoring/tasks.py). `--data general` is a fixed non-medical set.
Output  output_dir/metrics.json      n, n_correct, accuracy, accuracy_ci95 (Wilson), chance, majority_class, n_invalid,
            n_cases (where rows share one), n_too_long, n_unfinished, n_tied (options equally likely, answers equally often),
            n_tied_correct, protocol, task, predicted (how often each answer), by_topic, by_source, by_origin, by_exam,
            by_year, by_difficulty (thirds), baselines, contamination (signs of it), option_mass (letter: probability on the
            options at all), samples, classes (precision, recall, F1, confusion matrix), calibration (letter), texts (BLEU,
            chrF, ROUGE), position_bias, judge,
            model, model_name, precision, shots, permutations, num_samples, temperature, max_new_tokens, data_sha256,
            rows_sha256, prompts_sha256, template_sha256, model_sha256, seconds_a_row; for perplexity
            nats_per_token, perplexity, bits_per_byte in the place of shares; n_trained_on: rows that stand in --train_data
        output_dir/predictions.jsonl id, prediction (null: invalid), gold, correct, scores or output, prompt, ...; one
                                     line a row, in the order of the data
        output_dir/baselines.jsonl   simple rules' answers to the same rows (scripts/scoring/baselines.py)
        output_dir/run.json          configuration, versions, hardware, time, memory

auto takes the letter for multiple choice, the label's text for classes, free text else. Killed and started again, it
goes on; other settings in the same folder are refused. A row that cannot be scored (no gold, gold not among the
options, an id twice) is refused before anything is loaded; a prompt longer than max_length, or than the model's own
window, is never cut: it counts as not answered. --permutations k asks each question k times with the options moved on,
takes the answer with the highest mean probability (free text: the most frequent), and reports what the position does.
--num_samples k draws k answers with --temperature and takes the most frequent; the spread of single ones is reported.
--enable_thinking needs free text: a letter's likelihood where the think block belongs says nothing, so auto asks for text.
Weights are those of 16 bits (on a processor computed in float32), before and after training alike, with the adapter
merged in, as export_gguf.py merges it; --load_in_4bit scores the NF4 weights that QLoRA trained on. What was used
stands in metrics.json as `precision`, and compare.py says where two models differ in it.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import hold, read_json, sha256, write_json, write_text
from common.hashes import model_sha256, text_sha256
from common.machine import watched
from common.models import adapter_config, check_model_name
from common.runs import begin_run, finish_run
from llamacpp.files import gguf_problems, is_gguf
from scoring import (
    asking,
    baselines,
    contamination,
    engines,
    going_on,
    judge,
    judge_trust,
    predict,
    row_files,
    scores,
    summary,
    tasks,
)
from scoring.asking import Asked
from scoring.engines_url import Url, is_url
from scoring.evaluations import model_name
from scoring.predictions import Prediction

from data_prep.chat_template import TEMPLATES


@dataclass
class Args:
    model: str
    """hub id, model folder, adapter folder, GGUF file, or an OpenAI-compatible URL (http://.../v1)"""
    data: str
    """scoring rows (JSONL) of one task; `general`: a fixed non-medical set; MedSafetyBench's CSV files, HealthBench's JSONL"""
    output_dir: str
    """where metrics.json and predictions.jsonl go"""
    protocol: Literal[tasks.PROTOCOLS] = "auto"
    """how an answer is taken, see scripts/scoring/tasks.py"""
    shots: int = 0
    """examples before each question, the same for all"""
    shots_data: str | None = None
    """training rows (JSONL) that the examples are drawn from"""
    permutations: int = 1
    """times each question is asked, its options moved one place on each time"""
    num_samples: int = 1
    """answers drawn for each question (free text), of which the most frequent is taken"""
    temperature: float = 0.0
    """of drawing; 0 takes the likeliest token"""
    train_data: str | None = None
    """training rows (JSONL): simple baselines learn from them, and scored rows that stand among them are told"""
    question_hidden: bool = True
    """multiple choice by likelihood: score the options with the question hidden as well, as a baseline"""
    contamination_rows: int = 0
    """rows looked at for signs that the model met them in its pre-training (scripts/scoring/contamination.py); 0: none"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the model's own"""
    enable_thinking: bool = False
    """let the model think first; off, Qwen3's empty think block is part of the prompt, as in training"""
    load_in_4bit: bool = False
    """score NF4 weights, as QLoRA trained; without it unquantised ones"""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """arithmetic; auto: 16 bits on a GPU and where the processor computes in bfloat16, else float32 (exact, but slower)"""
    max_length: int = 2048
    """longest prompt in tokens; longer ones, or such as the model has no room for, count as not answered"""
    max_new_tokens: int = 0
    """longest free answer in tokens; 0: 128 for safety, 512 else, and 4096 more for thinking, half the model's window at most"""
    batch_tokens: int = 0
    """tokens a forward pass; less takes less memory. 0: 2048, on a GPU what half of its free memory takes"""
    url_model: str = "default"
    """the model's name at the URL"""
    concurrency: int = 8
    """requests at a time to the URL"""
    judge: str | None = None
    """the model that marks free answers (protocol judge): a URL, a GGUF or a folder"""
    judge_model: str = "default"
    """the judge's name at its URL"""
    judge_against: str | None = None
    """output folder of another model's evaluation: the judge compares the two answers, in both orders"""
    human_marks: str | None = None
    """marks people gave, to measure the judge by (JSONL: id, output, mark from 0 to 1; model: who wrote it); their mean"""
    limit: int = 0
    """score the first so many rows only; 0: all"""
    detectable: float = 0.0
    """points: rows with options so few that a difference of this size would go unseen are refused; 0: any number will do"""
    seed: int = 3407
    """seed of the examples' draw and of sampling"""

    def problems(self) -> list[str]:
        found = [] if is_url(self.model) else check_model_name(self.model)
        found += gguf_problems(self.model) if Path(self.model).is_file() else []
        for name in ("data", "shots_data", "train_data", "human_marks"):
            path = getattr(self, name)
            files = row_files.data_files(path) if name == "data" else [path] if path else []
            missing = [file for file in files if not Path(file).is_file()]
            found += [f"{name}: there is no file {file}; data_prep/prepare.py makes it" for file in missing]
        if bool(self.shots) != bool(self.shots_data):
            found.append("shots: --shots N and --shots_data FILE, the training rows that give the examples, belong together")
        if (self.protocol == "judge") != bool(self.judge):
            found.append("judge: --protocol judge and --judge MODEL belong together")
        for name in ("metrics.json", "predictions.jsonl") if self.judge_against else ():
            if not Path(self.judge_against, name).is_file():
                found.append(f"judge_against: {self.judge_against} holds no {name}; is the evaluation finished?")
        if self.judge_against and self.human_marks:
            found.append("human_marks: are of single answers, and with --judge_against the judge marks pairs; give one of them")
        if self.num_samples > 1 and self.temperature <= 0:
            found.append("num_samples: without --temperature all answers would be the same; 0.7 is usual")
        if self.num_samples > 1 and self.permutations > 1:
            found.append("num_samples: choose either several samples or several permutations")
        return (
            found
            + check_at_least(self, 1, "max_length", "permutations", "num_samples", "concurrency")
            + check_at_least(
                self, 0, "limit", "shots", "max_new_tokens", "temperature", "detectable", "contamination_rows", "batch_tokens"
            )
        )


def named(args: Args) -> str:
    """What a reader calls the model: its own name, an adapter's after its base model's."""
    if is_url(args.model):
        return f"{args.url_model} at {args.model.split('//')[1].split('/')[0]}"
    base = adapter_config(args.model).get("base_model_name_or_path")
    return f"{model_name(base)} + {model_name(args.model)}" if base else model_name(args.model)


# ---------------------------------------------------------------------------------------------- who answers and marks


JUDGED = "judge.partial.jsonl"


def judge_sha256(args: Args) -> str:
    """Who marks, and beside whose answers: marks of two judges do not compare."""
    against = Path(args.judge_against, "predictions.jsonl") if args.judge_against else None
    named = [args.judge, args.judge_model, model_sha256(args.judge), sha256(against) if against else None]
    return text_sha256(json.dumps(named))


def judge_answers(
    args: Args, asked: Asked, records: list[Prediction], output_dir: Path
) -> tuple[list[Prediction], scores.JudgeScore]:
    """The predictions with the judge's marks, and what these say."""
    judge_file = output_dir / JUDGED
    as_judge = dataclasses.replace(args, model=args.judge, url_model=args.judge_model, load_in_4bit=False)
    judging = judge.Judge(
        load_engine(as_judge, output_dir / "judge"), args.judge, args.max_length, args.batch_tokens, args.judge_model, judge_file
    )
    marked = judge.mark_all(judging, {row["id"]: row for row in asked.rows}, records, asked.others)
    found = judge_trust.summary(judging, marked, asked.rows, asked.marks)
    judging.engine.close()
    return marked, found


def score_baselines(args: Args, engine, asked: Asked, output_dir: Path) -> list[scores.BaselineScore]:
    """Score the simple rules that fit the task, and write their answers."""
    rows, task, found = asked.rows, asked.task, []
    if task == "classification" and args.train_data:
        found.append(baselines.tfidf(rows, args.train_data))
    if task == "mcq":
        found.append(baselines.longest_option(rows))
        if args.train_data:
            found.append(baselines.commonest_letter(rows, args.train_data))
        if asked.protocol in tasks.LIKELIHOOD and args.question_hidden:
            blank = [baselines.hidden(row) for row in rows]
            prompts = [engine.encode(tasks.messages_of(row, asked.shots)) for row in blank]
            once = dataclasses.replace(args, permutations=1)
            partial = output_dir / "question_hidden.partial.jsonl"
            what = "the same rows with the question hidden"
            records, _ = predict.run_batches(engine, blank, prompts, asked.shots, asked.protocol, once, partial, what)
            found.append(baselines.Baseline(baselines.OPTIONS_ONLY, {r.id: r.prediction for r in records}))
            partial.unlink()
    return baselines.write_baselines(output_dir, rows, [one for one in found if one])


def load_engine(args: Args, output_dir: Path):
    """The model that answers."""
    if is_url(args.model):
        return Url(args.model, args.url_model, args.concurrency)
    if is_gguf(args.model):
        from scoring.engines_llama import Gguf

        return Gguf(args.model, args.template, args.enable_thinking, args.max_length, output_dir / "llama.log")
    return engines.HuggingFace(args.model, args.template, args.enable_thinking, args.dtype, args.load_in_4bit, args.max_length)


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    args = parse_args(Args, __doc__)
    asked = asking.read(args)
    asking.tell_unused_of(args, asked)
    with hold(args.output_dir, "evaluate.py", ".evaluate.lock"):  # two would write between each other's lines
        score(args, asked)


def refuse_silence(args: Args, records: list[Prediction]) -> None:
    """UserError for a server that wrote nothing at all: 0 right would be a score of its settings."""
    if not any(record.output for record in records):
        raise UserError(
            f"model: {args.model} wrote nothing in all of {len(records)} answers, so there is no score: its thoughts took all "
            f"tokens (--max_new_tokens), or it calls tools; delete {args.output_dir} to ask again"
        )


def messages_of(asked: Asked) -> list[list[dict]]:
    """What is said to the model for each row; a text whose perplexity is measured is said to nobody."""
    return [] if asked.protocol == "perplexity" else [tasks.messages_of(row, asked.shots) for row in asked.rows]


def score(args: Args, asked: Asked) -> None:
    """From the model's loading to the written scores."""
    rows, protocol, output_dir = asked.rows, asked.protocol, Path(args.output_dir)
    partial = output_dir / "predictions.partial.jsonl"
    settings = going_on.settings_of(args, asked)
    if going_on.check_folder(output_dir, settings):
        (output_dir / JUDGED).unlink(missing_ok=True)
        partial.unlink(missing_ok=True)  # killed between the last two steps
        print(f"already done: {output_dir}")
        return summary.show(scores.read(output_dir))

    if files := [model for model in (args.model, args.judge) if model and is_gguf(model)]:
        watched(f"model: {' or '.join(files)}", output_dir / "llama.log")
    run = begin_run()
    run.begun_with = read_json(output_dir / "settings.json")["versions"]
    print(f"loading {args.model}")
    engine = load_engine(args, output_dir)
    print(f"loaded ({engine.precision}); scores {len(rows)} rows of {args.data}: {asked.task}, protocol {protocol}")
    args.batch_tokens = going_on.batch_tokens(args, engine, output_dir)
    messages = messages_of(asked)
    prompts = [engine.encode(one) for one in messages] or [[]] * len(rows)
    records, seconds = predict.run_batches(engine, rows, prompts, asked.shots, protocol, args, partial)
    if is_url(args.model) and protocol in tasks.FREE:
        refuse_silence(args, records)
    judged = None
    if protocol == "judge":
        records, judged = judge_answers(args, asked, records, output_dir)
    beside = {
        **({"judge": judged} if judged else {}),
        "baselines": score_baselines(args, engine, asked, output_dir),
        "contamination": contamination.look(engine, rows, args.contamination_rows, args.batch_tokens),
        "n_trained_on": None if asked.trained_on is None else len(asked.trained_on),
        "seconds_a_row": seconds,
        "model_sha256": settings["model_sha256"],  # as it was when it began to answer
    }
    engine.close()
    place = {row["id"]: i for i, row in enumerate(rows)}
    records.sort(key=lambda record: place[record.id])
    measured = summary.summary(records, asked.task, protocol).as_fields()
    end(args, run, records, scores.Metrics(**measured, **beside, **how_asked(args, asked, engine, messages)))


def how_asked(args: Args, asked: Asked, engine, messages: list[list[dict]]) -> dict[str, Any]:
    """Fields of `Metrics` that say what was scored, and how: what compare.py holds two evaluations against each other by."""
    task, protocol = asked.task, asked.protocol
    return {
        "task": task,
        "protocol": protocol,
        **{name: getattr(args, name) for name in ("model", "data", "shots", "permutations", "num_samples")},
        "temperature": args.temperature if protocol in tasks.FREE else 0.0,
        "model_name": named(args),
        "precision": engine.precision,
        "shot_ids": asked.shot_ids,
        "max_new_tokens": predict.new_tokens(protocol, args, task, engine.window) if protocol in tasks.FREE else None,
        "data_sha256": asked.data_sha256,
        "template_sha256": engine.template_sha256,
        "rows_sha256": text_sha256("\n".join(str(row["id"]) for row in asked.rows)),
        "prompts_sha256": text_sha256(json.dumps([args.permutations, messages], ensure_ascii=False)),
        **({"judge_sha256": judge_sha256(args)} if protocol == "judge" else {}),
    }


def end(args: Args, run, records: list[Prediction], metrics: scores.Metrics) -> None:
    """Write predictions, record and scores, the last of which says that all is there; take away what a kill would need."""
    output_dir = Path(args.output_dir)
    write_text(output_dir / "predictions.jsonl", "".join(r.json_line() for r in records))
    finish_run(
        run,
        args,
        output_dir,
        [*row_files.data_files(args.data), *filter(None, (args.shots_data, args.train_data))],
        {name: getattr(metrics, name) for name in ("n", "accuracy", "accuracy_ci95", "protocol")},
    )
    write_json(output_dir / "metrics.json", metrics.as_json())
    (output_dir / "predictions.partial.jsonl").unlink()
    (output_dir / JUDGED).unlink(missing_ok=True)
    summary.show(metrics)
    print(f"done: {output_dir} (metrics.json, predictions.jsonl)")


if __name__ == "__main__":
    run_main(main)
