"""Writes the answers that raters will rank: several a question, sampled, appended to a file as they come.

A folder or hub id is sampled through the scoring engine (the weights and prompts that evaluate.py scores), a GGUF file through
llama.cpp's server in this process, a URL through OpenAI's client.
"""

import json
from pathlib import Path
from typing import NamedTuple

from annotation.sources import Answer, Question, without_thinking
from common.errors import UserError
from common.files import whole_lines, write_json, write_text
from llamacpp.files import is_gguf


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


def write_answers(models: list[str], questions: list[Question], sampling: Sampling, digest: str, folder: Path) -> list[Answer]:
    """Answers of all models to all questions; what an interrupted run has written is kept.

    Raises UserError where the folder holds answers of other settings, or a model answers nothing.
    """
    settings = {"models": models, "data_sha256": digest, **sampling._asdict()}
    noted, path = folder / "generation.json", folder / "answers.jsonl"
    if noted.is_file() and (before := json.loads(noted.read_text(encoding="utf-8"))) != json.loads(json.dumps(settings)):
        changed = "; ".join(f"{k} {before.get(k)!r} -> {v!r}" for k, v in settings.items() if before.get(k) != v)
        raise UserError(f"output_dir: {folder} holds answers of other settings ({changed}); choose another folder, or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(noted, settings)
    names = [Path(model).name if not model.startswith("http") else sampling.url_model for model in models]
    names = names if len(set(names)) == len(names) else models
    lines = whole_lines(path)
    rows = [json.loads(line) for line in lines]
    write_text(path, b"".join(lines).decode())
    done = {(row["system"], row["id"]) for row in rows}
    for model, name in zip(models, names, strict=True):
        left = [q for q in questions if (name, q.name) not in done]
        if not left:
            continue
        print(f"{model}: writes {sampling.num_generations} answers to each of {len(left)} questions")
        with open(path, "a", encoding="utf-8") as file:
            for number, (question, texts) in enumerate(zip(left, sampled(model, left, sampling, folder), strict=True), 1):
                row = {"id": question.name, "system": name, "answers": texts}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                rows.append(row)
                if number % max(1, len(left) // 10) == 0:
                    print(f"{number}/{len(left)} questions")
    answers = [Answer(row["id"], row["system"], without_thinking(text)) for row in rows for text in row["answers"]]
    if not any(answer.text for answer in answers):
        raise UserError("model: every answer is empty; try it with scripts/chat.py")
    return answers


def sampled(model: str, questions: list[Question], sampling: Sampling, folder: Path):
    """The sampled answers to each question in turn."""
    if model.startswith(("http://", "https://")):
        yield from _from_url(model, sampling.url_model, questions, sampling)
    elif is_gguf(model):
        from common.machine import quiet
        from llamacpp.server import start_server

        with quiet(folder / "llama.log"):
            server = start_server(model, sampling.max_length + sampling.max_new_tokens, enable_thinking=sampling.enable_thinking)
            yield from _from_url(f"{server.listening_address}/v1", "default", questions, sampling)
    else:
        yield from _from_folder(model, questions, sampling)


def _from_url(url: str, name: str, questions: list[Question], sampling: Sampling):
    import os

    import openai

    client = openai.OpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY") or "none", max_retries=4)
    for question in questions:
        texts = []
        for number in range(sampling.num_generations):
            try:
                answer = client.chat.completions.create(
                    model=name,
                    messages=question.messages,
                    temperature=sampling.temperature,
                    max_tokens=sampling.max_new_tokens,
                    seed=sampling.seed + number,
                )
            except openai.OpenAIError as error:
                raise UserError(
                    f"model: {url} does not answer ({' '.join(str(error).split())[:200]}); what was written is kept: start again"
                ) from None
            texts.append(answer.choices[0].message.content or "")
        yield texts


def _from_folder(model: str, questions: list[Question], sampling: Sampling):
    import torch
    from scoring import engines

    engine = engines.HuggingFace(model, sampling.template, sampling.enable_thinking, "auto", False, sampling.max_length)
    pad = engine.tokenizer.pad_token_id if engine.tokenizer.pad_token_id is not None else engine.ends[0]
    for number, question in enumerate(questions):
        ids = torch.tensor([engine.encode(question.messages)], device=engine.device)
        if ids.shape[1] > sampling.max_length:
            raise UserError(f"data: row {question.name} has {ids.shape[1]} tokens; raise --max_length ({sampling.max_length})")
        torch.manual_seed(sampling.seed + number)
        with torch.inference_mode():
            out = engine.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=sampling.max_new_tokens,
                do_sample=True,
                temperature=sampling.temperature,
                top_p=1.0,
                top_k=0,
                num_return_sequences=sampling.num_generations,
                pad_token_id=pad,
                eos_token_id=engine.ends,
            )
        yield [engine.tokenizer.decode(row, skip_special_tokens=True) for row in out[:, ids.shape[1] :].tolist()]
    engine.close()
