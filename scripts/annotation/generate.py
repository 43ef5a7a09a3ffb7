"""Writes the answers that raters will rank: several a question, sampled, appended to a file as they come.

A folder or hub id is sampled through the scoring engine (the weights and prompts that evaluate.py scores), a GGUF file through
llama.cpp's server in this process, a URL as evaluate.py asks one.
"""

import json
import zlib
from pathlib import Path
from typing import NamedTuple

from annotation.sources import Answer, Question, without_thinking
from common.errors import UserError
from common.files import hold, lines_to_follow, read_json, write_json
from common.hashes import model_sha256
from common.machine import quiet
from llamacpp.files import is_gguf
from llamacpp.server import start_server
from scoring.engines_url import Url, is_url

from data_prep.common.files import flush_to_disk


class Sampling(NamedTuple):
    """How answers are sampled."""

    num_generations: int
    temperature: float
    max_new_tokens: int
    max_length: int
    template: str
    enable_thinking: bool
    url_model: str
    seed: int


class Drawn(NamedTuple):
    """One sampled answer; `cut`: it reached the longest length, or the server ended it."""

    text: str
    cut: bool = False


def write_answers(models: list[str], questions: list[Question], sampling: Sampling, digest: str, folder: Path) -> list[Answer]:
    """Answers of all models to all questions; what an interrupted run has written is kept.

    Raises UserError where the folder holds answers of other settings, another process writes there, or a model answers nothing.
    """
    with hold(folder, "annotate.py", ".annotate.lock"):  # two would draw the same answers twice
        return _written(models, questions, sampling, digest, folder)


def _written(models: list[str], questions: list[Question], sampling: Sampling, digest: str, folder: Path) -> list[Answer]:
    states = [model_sha256(model) for model in models]  # one trained again at the same place is another
    settings = {"models": models, "model_sha256": states, "data_sha256": digest, **sampling._asdict()}
    noted, path = folder / "generation.json", folder / "answers.jsonl"
    if noted.is_file() and (before := read_json(noted)) != settings:
        changed = "; ".join(f"{k} {before.get(k)!r} -> {v!r}" for k, v in settings.items() if before.get(k) != v)
        raise UserError(f"output_dir: {folder} holds answers of other settings ({changed}); choose another folder, or delete it")
    write_json(noted, settings)
    names = [Path(model).name if not model.startswith("http") else sampling.url_model for model in models]
    names = names if len(set(names)) == len(names) else models
    rows = [json.loads(line) for line in lines_to_follow(path)]
    done = {(row["system"], row["id"]) for row in rows}
    for model, name in zip(models, names, strict=True):
        left = [q for q in questions if (name, q.name) not in done]
        if not left:
            continue
        print(f"{model}: writes {sampling.num_generations} answers to each of {len(left)} questions")
        with open(path, "a", encoding="utf-8") as file:
            for number, (question, drawn) in enumerate(zip(left, sampled(model, left, sampling, folder), strict=True), 1):
                row = {"id": question.name, "system": name, "answers": [d.text for d in drawn], "cut": sum(d.cut for d in drawn)}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                flush_to_disk(file)
                rows.append(row)
                if number % max(1, len(left) // 10) == 0:
                    print(f"{number}/{len(left)} questions")
    answers = [Answer(row["id"], row["system"], without_thinking(text)) for row in rows for text in row["answers"]]
    if not any(answer.text for answer in answers):
        raise UserError("model: every answer is empty; try it with scripts/chat.py")
    if cut := sum(row.get("cut", 0) for row in rows):
        print(
            f"warning: {cut} of {len(answers)} answers did not end within --max_new_tokens {sampling.max_new_tokens}, and are cut"
        )
    return answers


def sampled(model: str, questions: list[Question], sampling: Sampling, folder: Path):
    """The sampled answers to each question in turn."""
    if is_url(model):
        yield from _drawn(Url(model, sampling.url_model, concurrency=1), questions, sampling)
    elif is_gguf(model):
        log = folder / "llama.log"
        with quiet(log):
            try:
                server = start_server(
                    model, sampling.max_length + sampling.max_new_tokens, enable_thinking=sampling.enable_thinking
                )
            except Exception as error:
                raise UserError(f"model: llama.cpp cannot load {model} ({error}); what it said: {log}") from None
            url = f"{server.listening_address}/v1"
            yield from _drawn(Url(url, "default", concurrency=1, quiet=True), questions, sampling)
    else:
        from scoring import engines

        engine = engines.HuggingFace(model, sampling.template, sampling.enable_thinking, "auto", False, sampling.max_length)
        yield from _drawn(engine, questions, sampling)


def _drawn(engine, questions: list[Question], sampling: Sampling):
    """Answers by an engine of scoring/; each question has a seed of its own, so that a run that goes on draws as one alone."""
    for question in questions:
        prompt = engine.encode(question.messages)  # for a server the messages; how long they are it says itself, by None
        if len(prompt) > sampling.max_length:
            raise UserError(f"data: row {question.name} has {len(prompt)} tokens; raise --max_length ({sampling.max_length})")
        seed = zlib.crc32(f"{sampling.seed} {question.name}".encode())
        found = engine.generate([prompt] * sampling.num_generations, sampling.max_new_tokens, sampling.temperature, seed)
        if any(text is None for text, _ in found):
            raise UserError(f"data: row {question.name} is longer than {engine.name} takes; shorten it")
        yield [Drawn(text, not whole) for text, whole in found]
    engine.close()
