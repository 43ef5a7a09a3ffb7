"""Score a model on rows with known answers: what it gets right, with intervals, beside chance.

    python scripts/evaluate.py --model runs/x/sft --data data/bode/test.jsonl --output_dir runs/x/eval_sft
    python scripts/evaluate.py --model models/smollm2-135m-instruct --data test.jsonl --output_dir e --protocol generate
    python scripts/compare.py runs/x/eval_base runs/x/eval_sft --output_dir runs/x/comparison       # afterwards

Input   scoring rows (JSONL) of one task, told by the rows:
        {"id", "task": "mcq", "question", "options": {"A": ...}, "answer": "A"}
        {"id", "task": "classification", "text", "labels": [...], "label"}; each may have system, topic, source, language
Output  output_dir/metrics.json      n, n_correct, accuracy, accuracy_ci95, chance, majority_class, n_invalid, protocol,
                                     task, by_topic, by_source, data_sha256, template_sha256, model, precision, ...
        output_dir/predictions.jsonl id, prediction (null: invalid), gold, correct, scores or output, prompt, ...; one
                                     line a row, in the order of the data
        output_dir/run.json          configuration, versions, hardware, time, memory

Protocols are told in scripts/scoring.py; auto takes the letter for multiple choice and the label's text for classes.
Killed and started again, it goes on; other settings in the same folder are refused. A row that cannot be scored
(no gold, gold not among the options, an id twice) is refused before anything is loaded; a prompt longer than
max_length is never cut: it counts as not answered, and is counted.
Weights are those of 16 bits (on a processor computed in float32), before and after training alike, with the adapter
merged in, as export_gguf.py merges it; --load_in_4bit scores the NF4 weights that QLoRA trained on. What was used
stands in metrics.json as `precision`, and compare.py says where two models differ in it.
"""

import dataclasses
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import common
import engines
import scoring

from data_prep.chat_template import TEMPLATES


@dataclass
class Args:
    model: str
    """hub id, model folder or adapter folder"""
    data: str
    """scoring rows (JSONL), all of one task"""
    output_dir: str
    """where metrics.json and predictions.jsonl go"""
    protocol: Literal[scoring.PROTOCOLS] = "auto"
    """how an answer is taken, see scripts/scoring.py"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the model's own"""
    thinking: Literal["on", "off"] = "off"
    """off: Qwen3's empty think block is part of the prompt, as in training"""
    load_in_4bit: bool = False
    """score NF4 weights, as QLoRA trained; without it unquantised ones"""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """arithmetic; auto: 16 bits on a GPU, float32 on a processor"""
    max_length: int = 2048
    """longest prompt in tokens; longer ones count as not answered"""
    max_new_tokens: int = 64
    """longest free answer in tokens (protocol generate)"""
    batch_tokens: int = 2048
    """tokens a forward pass; less takes less memory"""
    limit: int = 0
    """score the first so many rows only; 0: all"""

    def problems(self) -> list[str]:
        found = common.check_model_name(self.model)
        if not Path(self.data).is_file():
            found.append(f"data: there is no file {self.data}; data_prep/prepare.py makes it")
        return found + common.check_at_least(self, 1, "max_length", "max_new_tokens", "batch_tokens") \
            + common.check_at_least(self, 0, "limit")


def choose_protocol(args: Args, task: str) -> str:
    """The protocol of this task; raises UserError for one that the task has not."""
    if args.protocol == "auto":
        return "letter" if task == "mcq" else "text"
    if task != "mcq" and args.protocol in ("letter", "capitulo"):
        raise common.UserError(f"protocol: {args.protocol} needs multiple choice, {args.data} holds {task}; use text")
    return args.protocol


def make_batches(lengths: list[int], batch_tokens: int) -> list[list[int]]:
    """Row numbers in batches of like length, longest first so that memory peaks at once; always the same ones."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batches = []
    for i in order:
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def record_of(row: dict, prompt: str, prediction: str | None, **more) -> dict:
    """One line of predictions.jsonl."""
    gold = scoring.gold_of(row)
    return {"id": row["id"], "prediction": prediction, "gold": gold, "correct": prediction == gold,
            "options": list(scoring.options_of(row)), "topic": row.get("topic"), "source": row.get("source"), **more,
            "prompt": prompt}


def score_batch(engine, rows: list[dict], prompts: list[list[int]], protocol: str, max_new_tokens: int) -> list[dict]:
    """Predictions of a batch of rows, in their order."""
    texts = [engine.text(prompt) for prompt in prompts]
    if protocol in scoring.LIKELIHOOD:
        asked = [scoring.continuations(row, protocol) for row in rows]
        scores = engine.log_likelihoods([(p, [engine.option(t) for t in ts])
                                         for p, ts in zip(prompts, asked, strict=True)])
        if protocol == "text_norm":
            scores = [[s / len(t) for s, t in zip(ss, ts, strict=True)] for ss, ts in zip(scores, asked, strict=True)]
        found = []
        for row, text, values in zip(rows, texts, scores, strict=True):
            named = {name: round(value, 5) for name, value in zip(scoring.options_of(row), values, strict=True)}
            found.append(record_of(row, text, max(named, key=named.get), scores=named))
        return found
    answers = engine.generate(prompts, 10 if protocol == "capitulo" else max_new_tokens)
    return [record_of(row, text, scoring.extract(answer, list(scoring.options_of(row))), output=answer)
            for row, text, (answer, _) in zip(rows, texts, answers, strict=True)]


def resume(output_dir: Path, settings: dict, batches: list[list[int]]) -> tuple[list[dict], int]:
    """Predictions already in the folder and the batches they cover; a batch that was cut short is scored again.

    Raises UserError where the folder's predictions were made with other settings.
    """
    noted, partial = output_dir / "settings.json", output_dir / "predictions.partial.jsonl"
    if noted.exists():
        before = json.loads(noted.read_text(encoding="utf-8"))
        changed = [f"{k} {before.get(k)!r} -> {v!r}" for k, v in settings.items() if before.get(k) != v]
        if changed:
            raise common.UserError(f"output_dir: {output_dir} holds an evaluation with other settings "
                                   f"({'; '.join(changed[:4])}); choose another folder, or delete it")
    common.write_json(noted, settings)
    lines = partial.read_text(encoding="utf-8").splitlines(keepends=True) if partial.exists() else []
    whole = sum(line.endswith("\n") for line in lines)
    done = rows = 0
    while done < len(batches) and rows + len(batches[done]) <= whole:
        rows += len(batches[done])
        done += 1
    common.write_text(partial, "".join(lines[:rows]))
    return [json.loads(line) for line in lines[:rows]], done


def summary(records: list[dict], protocol: str, task: str) -> dict:
    """metrics.json's measured part."""
    return {**scoring.share(records), "protocol": protocol, "task": task,
            "n_too_long": sum(bool(r.get("too_long")) for r in records),
            "by_topic": scoring.grouped(records, "topic"), "by_source": scoring.grouped(records, "source")}


def show(metrics: dict) -> None:
    """The table at the end."""
    def line(name, part):
        low, high = part["accuracy_ci95"]
        print(f"{name[:28]:28} {part['n']:6} {part['accuracy']:8.1%}   {low:6.1%} to {high:6.1%} "
              f"{part['chance']:8.1%} {part['majority_class']['accuracy']:9.1%}")

    print(f"\n{'':28} {'rows':>6} {'accuracy':>8}   {'95 % interval':16} {'chance':>8} {'majority':>9}")
    line("all", metrics)
    for name, part in metrics["by_topic"].items() if len(metrics["by_topic"]) > 1 else ():
        line(name, part)
    print(f"protocol {metrics['protocol']}, {metrics['n_invalid']} answers invalid, "
          f"{metrics['n_too_long']} prompts too long")


def main() -> None:
    args = common.parse_args(Args, __doc__)
    rows = common.read_rows(args.data, scoring.check_row)
    if problems := scoring.check_rows(rows):
        raise common.UserError([f"{args.data}: {problem}" for problem in problems])
    rows = rows[:args.limit or None]
    task = scoring.task_of(rows[0])
    protocol = choose_protocol(args, task)
    output_dir = Path(args.output_dir)

    started, clock = time.strftime("%Y-%m-%dT%H:%M:%S%z"), time.monotonic()
    engine = engines.HuggingFace(args.model, args.template, args.thinking, args.dtype, args.load_in_4bit, args.max_length)
    settings = {k: v for k, v in dataclasses.asdict(args).items() if k not in ("output_dir", "data", "model")} | {
        "protocol": protocol, "data_sha256": common.sha256(args.data), "model_sha256": engines.fingerprint(args.model),
        "template_sha256": engine.template_sha256}
    prompts = [engine.encode(scoring.messages_of(row)) for row in rows]
    fits = [i for i, prompt in enumerate(prompts) if len(prompt) <= args.max_length]
    cost = {i: len(prompts[i]) + (sum(len(engine.option(t)) - 1 for t in scoring.continuations(rows[i], protocol))
                                  if protocol in scoring.LIKELIHOOD else args.max_new_tokens) for i in fits}
    batches = [[fits[j] for j in batch] for batch in make_batches([cost[i] for i in fits], args.batch_tokens)]
    records, done = resume(output_dir, settings, batches)
    print(f"{args.model}: {len(rows)} rows of {task}, protocol {protocol}, {engine.precision}"
          + (f"; goes on after {len(records)} rows" if records else ""))
    if protocol in scoring.LIKELIHOOD and fits:
        engine.share_prefix([prompts[i] for i in fits])
    scoring_clock, before = time.monotonic(), len(records)
    with open(output_dir / "predictions.partial.jsonl", "a", encoding="utf-8") as file:
        for number, batch in enumerate(batches[done:], done + 1):
            found = score_batch(engine, [rows[i] for i in batch], [prompts[i] for i in batch], protocol,
                                args.max_new_tokens)
            records += found
            file.write("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in found))
            file.flush()
            if number % max(1, len(batches) // 10) == 0 or number == len(batches):
                seconds = time.monotonic() - scoring_clock
                left = seconds / (len(records) - before) * (len(fits) - len(records))
                print(f"{len(records)}/{len(fits)} rows  accuracy {sum(r['correct'] for r in records) / len(records):.1%}"
                      f"  {left:.0f} s left")
    seconds = time.monotonic() - scoring_clock
    scored = len(records) - before
    records += [record_of(rows[i], engine.text(prompts[i]), None, too_long=True) for i in set(range(len(rows))) - set(fits)]
    place = {row["id"]: i for i, row in enumerate(rows)}
    records.sort(key=lambda record: place[record["id"]])
    metrics = {**summary(records, protocol, task), "model": args.model, "precision": engine.precision,
               "data": args.data, **{k: settings[k] for k in ("data_sha256", "template_sha256", "model_sha256")},
               "prompts_sha256": engines.text_sha256("\n".join(r["prompt"] for r in records)),
               "rows_sha256": engines.text_sha256("\n".join(str(r["id"]) for r in records)),
               "seconds_a_row": round(seconds / scored, 4) if scored else None}
    common.write_text(output_dir / "predictions.jsonl",
                      "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))
    common.write_json(output_dir / "metrics.json", metrics)
    common.finish_run({"started": started, "clock": clock, "noted": output_dir / ".none"}, args, output_dir,
                      [args.data], {k: metrics[k] for k in ("n", "accuracy", "accuracy_ci95", "protocol")})
    os.remove(output_dir / "predictions.partial.jsonl")
    show(metrics)
    print(f"done: {output_dir} (metrics.json, predictions.jsonl)")


if __name__ == "__main__":
    common.run(main)
