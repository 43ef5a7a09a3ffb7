"""Score a model on rows with known answers: what it gets right, with intervals, beside chance.

    python scripts/evaluate.py --model runs/x/sft --data data/bode/test.jsonl --output_dir runs/x/eval_sft
    python scripts/evaluate.py --model x-q4_k_m.gguf --data test.jsonl --output_dir e --protocol generate
    python scripts/evaluate.py --model http://127.0.0.1:8080/v1 --data test.jsonl --output_dir e
    python scripts/evaluate.py --model runs/x/sft --data general --output_dir runs/x/general_sft   # forgetting
    python scripts/compare.py runs/x/eval_base runs/x/eval_sft --output_dir runs/x/comparison      # afterwards

Input   scoring rows (JSONL) of one task, told by the rows: multiple choice, classification, open answers, safety,
        perplexity (shapes and protocols: scripts/scoring/tasks.py). `--data general` is a fixed non-medical set.
Output  output_dir/metrics.json      n, n_correct, accuracy, accuracy_ci95 (Wilson), chance, majority_class, n_invalid,
            n_too_long, protocol, task, by_topic, by_source, classes (precision, recall, F1, confusion matrix),
            calibration, texts (BLEU, chrF, ROUGE), position_bias, model, precision, shots, permutations, max_new_tokens,
            data_sha256, rows_sha256, prompts_sha256, template_sha256, model_sha256, seconds_a_row; for perplexity nats_per_token,
            perplexity, bits_per_byte in the place of shares
        output_dir/predictions.jsonl id, prediction (null: invalid), gold, correct, scores or output, prompt, ...; one
                                     line a row, in the order of the data
        output_dir/run.json          configuration, versions, hardware, time, memory

auto takes the letter for multiple choice, the label's text for classes, free text else. Killed and started again, it
goes on; other settings in the same folder are refused. A row that cannot be scored (no gold, gold not among the
options, an id twice) is refused before anything is loaded; a prompt longer than max_length, or than the model's own
window, is never cut: it counts as not answered. --permutations k asks each question k times with the options moved on,
takes the answer with the highest mean probability (free text: the most frequent), and reports what the position does.
Weights are those of 16 bits (on a processor computed in float32), before and after training alike, with the adapter
merged in, as export_gguf.py merges it; --load_in_4bit scores the NF4 weights that QLoRA trained on. What was used
stands in metrics.json as `precision`, and compare.py says where two models differ in it.
"""

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import read_rows, sha256, write_json, write_text
from common.models import check_model_name
from common.runs import Run, finish_run
from llamacpp.files import is_gguf
from scoring import engines, measures, predict, tasks

from data_prep.chat_template import TEMPLATES


@dataclass
class Args:
    model: str
    """hub id, model folder, adapter folder, GGUF file, or an OpenAI-compatible URL (http://.../v1)"""
    data: str
    """scoring rows (JSONL), all of one task; `general`: a fixed non-medical set"""
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
    max_new_tokens: int = 64
    """longest free answer in tokens (protocol generate)"""
    batch_tokens: int = 2048
    """tokens a forward pass; less takes less memory"""
    url_model: str = "default"
    """the model's name at the URL"""
    limit: int = 0
    """score the first so many rows only; 0: all"""
    seed: int = 3407
    """seed of the examples' draw"""

    def problems(self) -> list[str]:
        found = [] if is_url(self.model) else check_model_name(self.model)
        if Path(self.model).is_file() and not is_gguf(self.model):
            found.append(f"model: {self.model} is a file, but no GGUF; give a folder, a GGUF or a URL")
        for name in ("data", "shots_data"):
            path = getattr(self, name)
            if path and (name, path) != ("data", "general") and not Path(path).is_file():
                found.append(f"{name}: there is no file {path}; data_prep/prepare.py makes it")
        if self.shots and not self.shots_data:
            found.append("shots: needs --shots_data, the training rows that examples are drawn from")
        return (
            found
            + check_at_least(self, 1, "max_length", "max_new_tokens", "batch_tokens", "permutations")
            + check_at_least(self, 0, "limit", "shots")
        )


def is_url(model: str) -> bool:
    return model.startswith(("http://", "https://"))


# ---------------------------------------------------------------------------------------------- what is asked


def read(args: Args) -> tuple[list[dict], str, str]:
    """All rows, checked, the protocol, and the data's hash."""
    if args.data == "general":
        rows = tasks.general_rows()
        digest = engines.text_sha256(json.dumps(rows))
    else:
        rows, digest = read_rows(args.data, tasks.check_row), sha256(args.data)
    task = tasks.check_rows(rows, args.protocol, args.data)
    protocol = tasks.auto_protocol(task) if args.protocol == "auto" else args.protocol
    if is_url(args.model) and protocol == "perplexity":
        raise UserError("model: a URL gives no likelihoods, so no perplexity; score a folder or a GGUF")
    if is_url(args.model) and protocol in tasks.LIKELIHOOD:
        if args.protocol != "auto":
            raise UserError(f"protocol: {protocol} needs likelihoods, which a URL does not give; use generate")
        protocol = "generate"
    if args.permutations > 1 and task not in tasks.CHOICE:
        raise UserError(f"permutations: {args.data} holds {task}, which has no options to move")
    most = min(len(tasks.options_of(row)) for row in rows) if args.permutations > 1 else 0
    if most and args.permutations > most:
        raise UserError(f"permutations: {args.permutations} is more than the {most} options of some rows")
    return rows, protocol, digest


def load_engine(args: Args, output_dir: Path):
    """The model that answers."""
    if is_url(args.model) or is_gguf(args.model):
        from scoring import engines_llama

        if is_url(args.model):
            return engines_llama.Url(args.model, args.url_model)
        return engines_llama.Gguf(args.model, args.template, args.enable_thinking, args.max_length, output_dir / "llama.log")
    return engines.HuggingFace(args.model, args.template, args.enable_thinking, args.dtype, args.load_in_4bit, args.max_length)


# ---------------------------------------------------------------------------------------------- going on, ending


def check_folder(output_dir: Path, settings: dict) -> bool:
    """Whether the folder holds this very evaluation, finished; raises UserError where it holds another one."""
    noted = output_dir / "settings.json"
    if noted.exists():
        before = json.loads(noted.read_text(encoding="utf-8"))
        changed = [f"{k} {before.get(k)!r} -> {v!r}" for k, v in settings.items() if before.get(k) != v]
        if changed:
            raise UserError(
                f"output_dir: {output_dir} holds an evaluation with other settings "
                f"({'; '.join(changed[:4])}); choose another folder, or delete it"
            )
    elif (output_dir / "metrics.json").exists():
        raise UserError(f"output_dir: {output_dir} holds another evaluation; choose another folder, or delete it")
    write_json(noted, settings)
    return (output_dir / "metrics.json").exists()


def summary(records: list[dict], task: str, protocol: str) -> dict:
    """metrics.json's measured part."""
    if task == "perplexity":
        return {**measures.perplexity(records), "by_source": {}}
    found = {
        **measures.share(records),
        "n_too_long": sum(bool(r.get("too_long")) for r in records),
        "by_topic": measures.grouped(records, "topic"),
        "by_source": measures.grouped(records, "source"),
    }
    for key in ("origin", "year"):
        if any(key in r for r in records):
            found[f"by_{key}"] = measures.grouped(records, key)
    scored = [r for r in records if not r.get("too_long")]
    if task in tasks.CHOICE:
        found["classes"] = measures.classes(records)
        found["predicted"] = measures.distribution(records, "prediction")
        found["gold"] = measures.distribution(records, "gold")
    # Only letters are answers of one length: over texts, confidence measures their lengths (seen: 0.82 where text_norm had 0.05).
    if protocol == "letter" and (numbers := [r for r in scored if r["scores"]]):
        found["calibration"] = measures.calibration(numbers)
        if all("option_mass" in r for r in numbers):
            found["option_mass"] = round(sum(r["option_mass"] for r in numbers) / len(numbers), 6)
    if task == "open":
        found["texts"] = measures.texts(records)
    if turned := [r for r in scored if "rotations" in r]:
        found["position_bias"] = measures.position_bias(turned)
    return found


def show(metrics: dict) -> None:
    """The table at the end."""
    if metrics["task"] == "perplexity":
        print(
            f"\n{metrics['n']} texts, {metrics['tokens']} tokens: perplexity {metrics['perplexity']:.2f} per token, "
            f"{metrics['bits_per_byte']:.4f} bits per byte"
        )
        return

    def line(name, part):
        low, high = part["accuracy_ci95"]
        beside = (
            f"{part['chance']:8.1%} {part['majority_class']['accuracy']:9.1%}" if part["majority_class"] else f"{'':8} {'':9}"
        )
        print(f"{name[:28]:28} {part['n']:6} {part['accuracy']:8.1%}   {low:6.1%} to {high:6.1%} {beside}")

    what = {"safety": "declined", "open": "exact"}.get(metrics["task"], "accuracy")
    print(f"\n{'':28} {'rows':>6} {what:>8}   {'95 % interval':16} {'chance':>8} {'majority':>9}")
    line("all", metrics)
    for key in ("by_topic", "by_source"):
        for name, part in metrics[key].items() if len(metrics[key]) > 1 else ():
            line(name, part)
    if "classes" in metrics:
        print(
            f"macro F1 {metrics['classes']['macro']['f1']:.3f}"
            + (f", expected calibration error {metrics['calibration']['ece']:.3f}" if "calibration" in metrics else "")
        )
    if "texts" in metrics:
        print("  ".join(f"{name} {value:.1f}" for name, value in metrics["texts"].items()))
    if "position_bias" in metrics:
        print(
            "answers by position "
            + ", ".join(f"{p:.1%}" for p in metrics["position_bias"]["answered_by_position"])
            + f"; the same answer in all rotations: {metrics['position_bias']['same_answer_in_all']:.1%} of rows"
            + " ({:.1%} to {:.1%})".format(*metrics["position_bias"]["same_answer_in_all_ci95"])
        )
    print(f"protocol {metrics['protocol']}, {metrics['n_invalid']} answers invalid, {metrics['n_too_long']} prompts too long")


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    args = parse_args(Args, __doc__)
    rows, protocol, digest = read(args)
    task, output_dir = tasks.task_of(rows[0]), Path(args.output_dir)
    shots, shot_ids = tasks.few_shot(args.shots_data, args.shots, args.seed, rows) if args.shots else ([], [])
    rows = rows[: args.limit or None]
    settings = {k: v for k, v in dataclasses.asdict(args).items() if k not in ("output_dir", "data", "shots_data")} | {
        "protocol": protocol,
        "data_sha256": digest,
        "model_sha256": engines.fingerprint(args.model),
        "shots_sha256": engines.text_sha256(json.dumps(shots)),
    }
    partial = output_dir / "predictions.partial.jsonl"
    if check_folder(output_dir, settings):
        partial.unlink(missing_ok=True)  # killed between the last two steps
        print(f"already done: {output_dir}")
        return show(json.loads((output_dir / "metrics.json").read_text(encoding="utf-8")))

    started, clock = time.strftime("%Y-%m-%dT%H:%M:%S%z"), time.monotonic()
    engine = load_engine(args, output_dir)
    print(f"{args.model}: {len(rows)} rows of {task}, protocol {protocol}, {engine.precision}")
    asked = [] if protocol == "perplexity" else [tasks.messages_of(row, shots) for row in rows]
    prompts = [engine.encode(messages) for messages in asked] or [[]] * len(rows)
    records, seconds = predict.run_batches(engine, rows, prompts, shots, protocol, args, partial)
    engine.close()
    place = {row["id"]: i for i, row in enumerate(rows)}
    records.sort(key=lambda record: place[record["id"]])
    metrics = {
        **summary(records, task, protocol),
        "task": task,
        "protocol": protocol,
        "model": args.model,
        "precision": engine.precision,
        "data": args.data,
        "shots": args.shots,
        "shot_ids": shot_ids,
        "permutations": args.permutations,
        "max_new_tokens": predict.new_tokens(protocol, args) if protocol in ("generate", "capitulo") else None,
        "data_sha256": digest,
        "template_sha256": engine.template_sha256,
        "rows_sha256": engines.text_sha256("\n".join(str(r["id"]) for r in records)),
        "prompts_sha256": engines.text_sha256(json.dumps([args.permutations, asked], ensure_ascii=False)),
        "model_sha256": settings["model_sha256"],
        "seconds_a_row": seconds,
    }
    write_text(output_dir / "predictions.jsonl", "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))
    finish_run(
        Run(started, clock),
        args,
        output_dir,
        [p for p in (args.data, args.shots_data) if p and p != "general"],
        {k: metrics.get(k) for k in ("n", "accuracy", "accuracy_ci95", "protocol")},
    )
    write_json(output_dir / "metrics.json", metrics)
    partial.unlink()
    show(metrics)
    print(f"done: {output_dir} (metrics.json, predictions.jsonl)")


if __name__ == "__main__":
    run_main(main)
