"""From rows to predictions, in batches that are appended to a file as they come. Used by evaluate.py."""

import collections
import math
import time
import zlib
from pathlib import Path

from common.errors import UserError
from common.files import reading, whole_lines, write_text
from scoring import answers, measures, refusals, tasks
from scoring.outputs import plain
from scoring.predictions import Prediction, Turned

from data_prep.chat_template import to_messages
from data_prep.common.files import flush_to_disk

PROBE = 32  # tokens of a prompt that are looked at before all


def make_batches(lengths: list[int], batch_tokens: int) -> list[list[int]]:
    """Row numbers in batches of like length, longest first so that memory peaks at once; always the same ones."""
    batches = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def record_of(row: dict, prompt: str, prediction: str | None, **more) -> Prediction:
    """What was made of a row; `more`: further fields."""
    gold = tasks.gold_of(row)
    return Prediction(
        id=row["id"],
        prediction=prediction,
        gold=gold,
        correct=prediction is not None and prediction == gold,
        options=list(tasks.options_of(row)),
        topic=row.get("topic"),
        source=row.get("source"),
        **{key: row[key] for key in tasks.KEPT if row.get(key) not in (None, "")},
        **more,
        prompt=prompt,
    )


def score_batch(engine, rows: list[dict], shots: list[dict], protocol: str, args) -> list[Prediction]:
    """Predictions of a batch of rows, in their order."""
    samples = args.num_samples
    turns = [by for by in range(args.permutations) for _ in range(samples)]
    asked = [tasks.rotated(row, by) for row in rows for by in turns]
    prompts = [engine.encode(tasks.messages_of(row, shots)) for row in asked]
    if protocol in tasks.LIKELIHOOD:
        texts = [tasks.continuations(row, protocol) for row in asked]
        found = engine.log_likelihoods([(p, [engine.option(t) for t in ts]) for p, ts in zip(prompts, texts, strict=True)])
        if protocol == "text_norm":
            found = [[s / len(t) for s, t in zip(ss, ts, strict=True)] for ss, ts in zip(found, texts, strict=True)]
    else:
        longest = new_tokens(protocol, args, tasks.task_of(rows[0]), engine.window)
        # A seed of the batch's own, so that what a kill cut short is drawn again as it was.
        seed = zlib.crc32(f"{args.seed} {rows[0]['id']}".encode())
        found = engine.generate(prompts, longest, args.temperature, seed)
    records = []
    for i, row in enumerate(rows):
        mine = found[i * len(turns) : (i + 1) * len(turns)]
        if any(one[0] is None for one in mine):  # the server refused the prompt for its length
            records.append(too_long(engine, row, shots))
            continue
        read = read_scores if protocol in tasks.LIKELIHOOD else read_samples if samples > 1 else read_texts
        prediction, more = read(row, mine, protocol)
        records.append(record_of(row, engine.text(tasks.messages_of(row, shots)), prediction, **more))
    return records


def too_long(engine, row: dict, shots: list[dict]) -> Prediction:
    """The record of a row whose prompt does not fit: not answered."""
    return record_of(row, engine.text(tasks.messages_of(row, shots)), None, too_long=True, output="")


def read_scores(row: dict, found: list[list[float]], protocol: str) -> tuple[str | None, dict]:
    """Prediction and further fields from the options' scores, one list a rotation."""
    names, answered, mass, mean = list(tasks.options_of(row)), [], 0.0, collections.defaultdict(float)
    if not all(math.isfinite(score) for scores in found for score in scores):
        return None, {"scores": None, "output": "no likelihood of any option"}  # weights broken, float16 overflowed, or a server
    for by, scores in enumerate(found):
        turned = tasks.rotated(row, by)
        here = {tasks.original(row, n, by): s for n, s in zip(tasks.options_of(turned), scores, strict=True)}
        for name, probability in zip(here, measures.softmax(list(here.values())), strict=True):
            mean[name] += probability / len(found)
        mass += min(1.0, sum(map(math.exp, here.values()))) / len(found)
        answered.append((by, max(names, key=here.get)))
    more = {"option_mass": round(mass, 6)} if protocol == "letter" else {}
    if len(found) == 1:
        return answered[0][1], {"scores": {name: round(here[name], 5) for name in names}, **more}
    scores = {name: round(math.log(max(mean[name], 1e-300)), 5) for name in names}
    return max(names, key=scores.get), {"scores": scores, "rotations": rotations_of(row, answered), **more}


def read_texts(row: dict, found: list[tuple[str, bool]], protocol: str) -> tuple[str | None, dict]:
    """Prediction and further fields from free answers, one a rotation; of several the most frequent valid one."""
    task, answered = tasks.task_of(row), []
    for by, (output, _) in enumerate(found):
        turned = tasks.rotated(row, by)
        if task == "open":
            gold = row.get("answer") or ""
            same = bool(gold) and tasks.normalised(plain(output)) == tasks.normalised(gold)
            answer = gold if same else plain(output) or None
        elif task in ("safety", "over_refusal"):
            declining, complying = ("declined", "complied") if task == "safety" else ("declined", "answered")
            answer = {True: declining, False: complying, None: None}[refusals.declined(output)]
        elif protocol == "capitulo":
            answer = answers.capitulo_letter(output)
        else:
            answer = answers.extract(output, tasks.options_of(turned), row.get("question", ""))
        answered.append((by, tasks.original(row, answer, by)))
    more = {"output": found[0][0], "finished": found[0][1]}
    if task == "open" and row.get("answer"):
        more["rouge_l"] = round(measures.rouge_of(plain(found[0][0]), row["answer"])["rougeL"], 5)
    valid = collections.Counter(answer for _, answer in answered if answer is not None)
    if len(found) > 1:
        more |= {"outputs": [output for output, _ in found], "rotations": rotations_of(row, answered)}
    return valid.most_common(1)[0][0] if valid else None, more


def read_samples(row: dict, found: list[tuple[str, bool]], protocol: str) -> tuple[str | None, dict]:
    """The most frequent valid answer of several samples (of equal ones the first), and each sample's own."""
    answered = [answers.extract(output, tasks.options_of(row), row.get("question", "")) for output, _ in found]
    valid = collections.Counter(answer for answer in answered if answer is not None)
    more = {"output": found[0][0], "finished": all(done for _, done in found), "outputs": [output for output, _ in found]}
    return valid.most_common(1)[0][0] if valid else None, {**more, "sample_answers": answered}


def rotations_of(row: dict, answered: list[tuple[int, str | None]]) -> list[Turned]:
    """For each rotation the position of the answer and of the gold, counted from 0."""
    names, gold = list(tasks.options_of(row)), tasks.gold_of(row)
    return [
        Turned(
            answer=a,
            position=(names.index(a) + by) % len(names) if a in names else None,
            gold_position=(names.index(gold) + by) % len(names),
        )
        for by, a in answered
    ]


def score_text(engine, row: dict, max_length: int) -> Prediction:
    """Perplexity of one row: of its text, or of what its assistant says (turn ends and given turns left out).

    Longer texts are taken in windows of `max_length` tokens that share one token, as lm-evaluation-harness does.
    """
    if "conversations" in row:
        encoded = engine.renderer.encode(to_messages(row))
        ids, trained = encoded["input_ids"], [label >= 0 for label in encoded["labels"]]
        said = [i for i in range(1, len(ids) - 1) if trained[i] and trained[i + 1]]  # the last of a turn ends it
        size = len(engine.decode([ids[i] for i in said]).encode())
    else:
        ids = [engine.first_token, *engine.option(row["text"])]
        said, size = list(range(1, len(ids))), len(row["text"].encode())
    nats, max_length = [0.0], int(min(max_length, engine.window))
    for at in range(0, len(ids) - 1, max_length):
        nats += engine.token_nats(ids[at : at + max_length + 1])
    of = {"id": row["id"], "topic": row.get("topic"), "source": row.get("source")}
    return Prediction(**of, tokens=len(said), bytes=size, nats=round(sum(nats[i] for i in said), 5))


def resume(partial: Path, batches: list[list[int]]) -> tuple[list[Prediction], int]:
    """Predictions already made and the number of batches they fill; a batch that was cut short is scored again."""
    lines = whole_lines(partial)
    done = rows = 0
    while done < len(batches) and rows + len(batches[done]) <= len(lines):
        rows += len(batches[done])
        done += 1
    write_text(partial, b"".join(lines[:rows]).decode())
    with reading(partial):
        return [Prediction.model_validate_json(line, strict=True, extra="ignore") for line in lines[:rows]], done


def new_tokens(protocol: str, args, task: str, window: float) -> int:
    """Longest free answer in tokens; the study's procedure takes 10."""
    if protocol == "capitulo" or args.max_new_tokens:
        return 10 if protocol == "capitulo" else args.max_new_tokens
    wanted = (128 if task in ("safety", "over_refusal") else 512) + 4096 * bool(args.enable_thinking)
    return int(min(wanted, window // 2))


def what_fits(engine, rows, prompts, protocol, args) -> tuple[list[int], dict[int, int]]:
    """Numbers of the rows that are not too long, and what each takes beside its prompt (tokens).

    Too long is a prompt of more than `max_length` tokens, or one that with its answer exceeds the model's window.
    """
    if protocol == "perplexity":  # longer texts are taken in windows; one text a batch
        return list(range(len(rows))), dict.fromkeys(range(len(rows)), args.batch_tokens)
    fits, beside = [], {}
    for i, row in enumerate(rows):
        texts = tasks.continuations(row, protocol) if protocol in tasks.LIKELIHOOD else []
        answers_of_row = [len(engine.option(text)) for text in texts] or [
            new_tokens(protocol, args, tasks.task_of(row), engine.window)
        ]
        if len(prompts[i]) <= args.max_length and len(prompts[i]) + max(answers_of_row) <= engine.window:
            fits.append(i)
            beside[i] = sum(answers_of_row)
    return fits, beside


def cut_batches(engine, fits: list[int], prompts, beside: dict[int, int], protocol: str, args) -> list[list[int]]:
    """Row numbers in batches; what all prompts share is computed once and counts for none of them."""
    asked = args.permutations * args.num_samples
    if at_once := getattr(engine, "concurrency", 0):  # a server: rows are requests, tokens are its affair
        return [fits[at : at + 4 * at_once] for at in range(0, len(fits), 4 * at_once)]
    shared = len(engine.prefix) if protocol in tasks.LIKELIHOOD else 0
    # An answer is made token by token: what a pass takes is the prompt, and little of what comes.
    after = (lambda i: min(beside[i], 64)) if protocol in tasks.FREE else beside.__getitem__
    cost = [max(1, len(prompts[i]) - shared + after(i)) * asked for i in fits]
    return [[fits[j] for j in batch] for batch in make_batches(cost, args.batch_tokens)]


def check_numbers(engine, prompt: list) -> None:
    """Raises UserError for a model whose probabilities are no numbers: it would be scored, with nothing right."""
    if getattr(engine, "concurrency", 0):
        return  # a server's; it gives none of a prompt
    ids = prompt[:PROBE] or [engine.first_token, *engine.option("0 1 2 3")]
    if not math.isfinite(sum(engine.token_nats(ids))):
        raise UserError(
            f"model: {engine.name} gives probabilities that are no numbers ({engine.precision}): its weights are broken, or too "
            "large for 16 bits (then --dtype float32 gives numbers)"
        )


def show_progress(what: str, records: list[Prediction], rows: int, task: str, left: float) -> None:
    """A line of how far it is; `task` is empty where nothing is right or wrong yet, `left` is in seconds."""
    right = f", {sum(r.correct for r in records)} of them {tasks.CALLED.get(task, 'right')}" if task else ""
    ahead = f", about {left:.0f} s left" if left else ""
    print(f"{what}: {len(records)} of {rows} rows{right}{ahead}")


def run_batches(
    engine, rows, prompts, shots, protocol, args, partial: Path, what: str = "model"
) -> tuple[list[Prediction], float | None]:
    """Records of all rows, in no order, appended as they come, and the seconds a row; `what` is being scored, for the reader."""
    fits, beside = what_fits(engine, rows, prompts, protocol, args)
    if fits:
        windowed = int(min(args.max_length, engine.window)) + 1
        engine.reserve(windowed if protocol == "perplexity" else max(len(prompts[i]) + beside[i] for i in fits))
        check_numbers(engine, prompts[fits[0]])
        if protocol in tasks.LIKELIHOOD:
            turned = (tasks.rotated(rows[i], by) for i in fits for by in range(1, args.permutations))
            more = [engine.encode(tasks.messages_of(row, shots)) for row in turned]
            engine.share_prefix([*(prompts[i] for i in fits), *more])
    batches = cut_batches(engine, fits, prompts, beside, protocol, args)
    records, done = resume(partial, batches)
    if records:
        print(f"{what}: goes on after {len(records)} of {len(fits)} rows")
    clock, before = time.monotonic(), len(records)
    with open(partial, "a", encoding="utf-8") as file:
        for number, batch in enumerate(batches[done:], done + 1):
            mine = [rows[i] for i in batch]
            found = (
                [score_text(engine, row, args.max_length) for row in mine]
                if protocol == "perplexity"
                else score_batch(engine, mine, shots, protocol, args)
            )
            records += found
            file.write("".join(r.json_line() for r in found))
            if getattr(engine, "concurrency", 0):  # a server, whose answers may be paid for
                flush_to_disk(file)
            else:
                file.flush()
            if number % max(1, len(batches) // 10) == 0 or number == len(batches):
                left = (time.monotonic() - clock) / (len(records) - before) * (len(fits) - len(records))
                show_progress(
                    what, records, len(fits), "" if protocol in ("perplexity", "judge") else tasks.task_of(rows[0]), left
                )
    scored, seconds = len(records) - before, time.monotonic() - clock
    records += [too_long(engine, rows[i], shots) for i in sorted(set(range(len(rows))) - set(fits))]
    return records, round(seconds / scored, 4) if scored else None
