"""Plain rows as the rows that scripts read: conversations, scoring rows, preference pairs, feedback, text."""

import collections

from data_prep.chat_template import scoring_prompt
from data_prep.cleaning.duplicates import fold
from data_prep.words.names import MADE_BY, PROVENANCE

TASK_OF = {
    "mcq": "sft",
    "classification": "sft",
    "open": "sft",
    "dialogue": "sft",
    "preference": "preference",
    "graded": "feedback",
    "text": "text",
}


ANSWER_INSTRUCTIONS = {  # multiple choice that is not answered with the letter alone
    ("letter_and_text", "en"): "Answer with the letter and the text of the correct option.",
    ("letter_and_text", "pt"): "Responda com a letra e o texto da alternativa correta.",
    ("explained", "en"): "Answer with the letter and the text of the correct option, then explain why.",
    ("explained", "pt"): "Responda com a letra e o texto da alternativa correta e depois explique por quê.",
}


def prompt_text(prompt: str | list[dict]) -> str:
    """A prompt as one text, whether it is one or a list of messages."""
    return prompt if isinstance(prompt, str) else "\n".join(m["content"] for m in prompt)


def thoughtful(answer: str, thought: str, args) -> str:
    """The answer with its thinking before it, as Qwen3 writes it, where thinking is on; where it is off it is left out."""
    return f"<think>\n{thought}\n</think>\n\n{answer}" if thought and args.enable_thinking else answer


def key_parts(row: dict) -> tuple[str, str, str]:
    """(what is asked, the rest of the row, its answer) of a plain row: what duplicates and leaks are told by. The question
    stands without the context before it."""
    asked, rest, answer = _key_parts(row)
    context = row.get("context", "")
    alone = asked[len(context) :].strip() if context and asked.startswith(context) else ""
    return alone or asked, rest, answer


def _key_parts(row: dict) -> tuple[str, str, str]:
    task = row["task"]
    if task == "mcq":
        return row["question"], " | ".join(sorted(row["options"].values())), row["options"][row["answer"]]
    if task == "classification":
        return row["text"], "", row["label"]
    if task == "open":
        return row["question"], row["answer"], row["answer"]
    if task == "dialogue":
        turns = [t["value"] for t in row["conversations"] if t["from"] != "system"]
        return turns[0] if len(turns) == 2 else "\n".join(turns), "\n".join(turns[1:]), "\n".join(turns[1:])
    if task == "preference":
        both = " | ".join(sorted((str(row["chosen"]), str(row["rejected"]))))  # a pair and its opposite are of one text
        return prompt_text(row["prompt"]), both, str(row["chosen"])
    if task == "graded":
        return prompt_text(row["prompt"]), row["completion"], str(row["score"])
    return row["text"], "", ""


def opening(row: dict) -> str:
    """A conversation's first exchange, where it is long enough to be no formula; "" for other rows."""
    turns = row.get("conversations") or (row.get("prompt") if isinstance(row.get("prompt"), list) else [])
    said = [str(t.get("value", t.get("content", ""))) for t in turns if t.get("from", t.get("role")) != "system"]
    first = fold(" ".join(said[:2])) if len(said) > 1 else ""
    return first if len(first) >= LEAST_OPENING else ""


LEAST_OPENING = 120  # characters; "Hello doctor" and "How can I help you?" open conversations that have nothing in common


def origin(row: dict) -> dict:
    """Where a plain row comes from; and where a model wrote it, that, and which."""
    return {name: row[name] for name in ("source", "topic", *MADE_BY) if name in row}


def conversation(row: dict, args) -> dict:
    """A plain row as a ShareGPT conversation: asked exactly as it will be scored."""
    common = origin(row)
    if row["task"] == "dialogue":
        turns = [{"from": t["from"], "value": thoughtful(t["value"], t.get("thought", ""), args)} for t in row["conversations"]]
        return {"id": row["id"], "conversations": _with_system(turns, args.system), **common}
    if row["task"] == "graded":
        asked, reply = row["prompt"], row["completion"]
    else:
        asked = row["question"] if row["task"] == "open" else scoring_prompt(row)
        reply = row["label"] if row["task"] == "classification" else row["answer"]
    if row["task"] == "mcq" and args.answer != "letter":
        reply = f"{reply}. {row['options'][reply]}"
        if args.answer == "explained" and row.get("explanation"):
            reply += f"\n\n{row['explanation']}"
    turns = [*_asked(asked), {"from": "gpt", "value": thoughtful(reply, row.get("thought", ""), args)}]
    return {"id": row["id"], "conversations": _with_system(turns, row.get("system") or args.system), **common}


def _with_system(turns: list[dict], system: str | None) -> list[dict]:
    return [{"from": "system", "value": system}, *turns] if system and turns[0]["from"] != "system" else turns


def _asked(prompt: str | list[dict]) -> list[dict]:
    if isinstance(prompt, str):
        return [{"from": "human", "value": prompt}]
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    return [{"from": names[m["role"]], "value": m["content"]} for m in prompt]


def scoring(row: dict, args) -> dict:
    """A plain row as a row to measure with; a dialogue is a conversation whose last answer is the reference, its system turn
    `system`, as other rows have it."""
    row = {k: v for k, v in row.items() if k != "thought"}
    common = origin(row) | {name: row[name] for name in ("language", *PROVENANCE) if name in row}
    if row["task"] == "graded" and not isinstance(row["prompt"], str):
        turns = [*_asked(row["prompt"]), {"from": "gpt", "value": row["completion"]}]
        row = {"id": row["id"], "task": "dialogue", "conversations": turns, **common}
    if row["task"] == "dialogue":
        turns = _with_system([{"from": t["from"], "value": t["value"]} for t in row["conversations"]], args.system)
        *before, last = turns if turns[-1]["from"] == "gpt" else turns[:-1]
        system = {"system": before.pop(0)["value"]} if before[0]["from"] == "system" else {}
        single = len(before) == 1
        return {
            "id": row["id"],
            "task": "open",
            "question": before[0]["value"] if single else "\n".join(f"{t['from']}: {t['value']}" for t in before),
            "answer": last["value"],
            **common,
            "conversations": turns,
            **system,
        }
    if row["task"] == "graded":
        row = {"id": row["id"], "task": "open", "question": row["prompt"], "answer": row["completion"], **common}
    return row | ({"system": args.system} if args.system and "system" not in row else {})


def _prompt(row: dict, prompt: str | list[dict], args) -> str | list[dict]:
    """The prompt of a pair or of feedback: messages where it has a system turn, its own, its row's or that of --system."""
    system = row.get("system") or args.system
    if not system or (isinstance(prompt, list) and prompt[0]["role"] == "system"):
        return prompt
    return [
        {"role": "system", "content": system},
        *([{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt),
    ]


def pair(row: dict, args, pick: float) -> dict | str:
    """A preference row of a plain row, or why it gives none. Of multiple choice the right option against another one, which a
    number from 0 to 1 picks; both without an explanation, as only the right one has any and its length would betray it."""
    if row["task"] == "preference":
        sides = {"prompt": _prompt(row, row["prompt"], args)}
        sides |= {k: thoughtful(row[k], row.get(f"{k}_thought", ""), args) for k in ("chosen", "rejected")}
    elif row["task"] == "mcq":
        wrong = [letter for letter in row["options"] if letter != row["answer"]]
        said = lambda letter: letter if args.answer == "letter" else f"{letter}. {row['options'][letter]}"  # noqa: E731
        sides = {
            "prompt": _prompt(row, scoring_prompt(row), args),
            "chosen": said(row["answer"]),
            "rejected": said(wrong[int(pick * len(wrong))]),
        }
    else:
        return f"rows of shape {row['task']} hold no pair: --task preference needs pairs, graded answers or multiple choice"
    return {"id": row["id"], **sides, **origin(row)}


def feedback(row: dict, args, pick: float) -> list[dict] | str:
    """Feedback rows of a plain row: one of a graded answer, two of a pair (chosen true, rejected false); or why it gives none."""
    more = origin(row)
    if row["task"] == "graded":
        said = thoughtful(row["completion"], row.get("thought", ""), args)
        prompt = _prompt(row, row["prompt"], args)
        return [{"id": row["id"], "prompt": prompt, "completion": said, "label": row["good"], **more}]
    made = pair(row, args, pick)
    if isinstance(made, str):
        return f"rows of shape {row['task']} hold no mark: --task feedback needs graded answers, pairs or multiple choice"
    return [
        {"id": f"{made['id']}-{side}", "prompt": made["prompt"], "completion": made[side], "label": side == "chosen", **more}
        for side in ("chosen", "rejected")
    ]


def pairs_of_answers(answers: list[dict], args) -> tuple[list[dict], list[dict]]:
    """Preference rows of several graded answers to one question: the best against each that is marked lower; and the answers
    that give none (as good as the best, or no answer is worse)."""
    best, *others = sorted(answers, key=lambda row: (-row["score"], row["id"]))
    worse = [row for row in others if row["score"] < best["score"]]
    pairs = [
        {
            "id": row["id"],
            "prompt": _prompt(row, row["prompt"], args),
            "chosen": thoughtful(best["completion"], best.get("thought", ""), args),
            "rejected": thoughtful(row["completion"], row.get("thought", ""), args),
            **origin(row),
        }
        for row in worse
    ]
    return pairs, [row for row in others if row["score"] == best["score"]] + ([] if worse else [best])


LENGTH_BIAS = (
    "one side is longer far more often, which is learned in place of what is right; SimPO divides by length, or leave pairs out"
)


def balance(rows: list[dict], task: str) -> dict:
    """Label balance and length bias of preference or feedback rows, and the KTO weights that follow (arXiv 2402.01306:
    the weighted numbers of desirable and undesirable rows in a ratio from 1:1 to 4:3; here 1:1, the larger weight 1)."""

    def mean(values):
        return round(sum(values) / len(values), 1) if values else 0.0

    if task == "preference":
        longer = sum(len(r["chosen"]) > len(r["rejected"]) for r in rows) / max(1, len(rows))
        shorter = sum(len(r["chosen"]) < len(r["rejected"]) for r in rows) / max(1, len(rows))
        return {
            "pairs": len(rows),
            "chosen_mean_characters": mean([len(r["chosen"]) for r in rows]),
            "rejected_mean_characters": mean([len(r["rejected"]) for r in rows]),
            "chosen_longer_share": round(longer, 3),
            "chosen_shorter_share": round(shorter, 3),
            **({"length_bias": LENGTH_BIAS} if abs(longer - shorter) > 0.3 else {}),
        }
    labels = collections.Counter(r["label"] for r in rows)
    good, bad = labels[True], labels[False]
    weights = (
        {"desirable_weight": round(min(1.0, bad / good), 4), "undesirable_weight": round(min(1.0, good / bad), 4)}
        if good and bad
        else {}
    )
    return {
        "desirable": good,
        "undesirable": bad,
        "desirable_mean_characters": mean([len(r["completion"]) for r in rows if r["label"]]),
        "undesirable_mean_characters": mean([len(r["completion"]) for r in rows if not r["label"]]),
        "kto": weights,
    }
