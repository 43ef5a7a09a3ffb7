"""Signs that a model met the scored questions in its pre-training. Used by evaluate.py (--contamination_rows).

Contamination itself is not measured: nobody can look into what a model read. Two signs are looked for, both in plain text,
without a chat template:
  order         the file's own order of the options, after the question alone, is the likeliest of its rotations: by chance
                for one in k of k options (after Oren et al. 2023, arXiv 2310.17623, who turn whole data sets). Options in
                an order that can be told (numbers, the alphabet, "all of the above") are left out; "mild, moderate, severe"
                cannot be told, so a small excess says little
  continuation  given the first half of the question, the model writes its next eight words exactly
A model that shows neither may have met the rows all the same.
"""

import re

from common.hashes import by_hash
from scoring import predict, statistics
from scoring.scores import Continuation, Order, Signs

WORDS = 8  # that a continuation must have right; chance does not write them
ORDERED = re.compile(r"\b(?:above|below|both|acima|abaixo|anteriores|ambas|ambos)\b|^\W*[A-E](?:\W+(?:and|e|&)\W+)[A-E]\b", re.I)
NUMBER = re.compile(r"^\W*\d")


def look(engine, rows: list[dict], count: int, batch_tokens: int) -> Signs | None:
    """The signs in `count` rows, drawn by the hash of their ids; None for no rows, and for an engine that is a URL."""
    if not count:
        return None
    if not hasattr(engine, "first_token"):
        print("note: signs of contamination are not looked for: a URL takes no plain text and gives no likelihoods of texts")
        return None
    drawn = by_hash(rows, lambda row: str(row["id"]))[:count]
    return Signs(order=order(engine, drawn, batch_tokens), continuation=continuation(engine, drawn, batch_tokens))


def stem(row: dict) -> str:
    """The question, without instruction or options."""
    return str(row.get("question") or row.get("text") or row.get("prompt") or "").strip()


def plain(engine, text: str) -> list[int]:
    """The text's tokens as a text begins."""
    return [engine.first_token, *engine.option(text)]


def is_free(options: dict[str, str]) -> bool:
    """Whether nothing but memory could tell in which order these options stand."""
    texts = list(options.values())
    return not any(map(ORDERED.search, texts)) and sum(bool(NUMBER.match(text)) for text in texts) < 2 and texts != sorted(texts)


def rotations(options: dict[str, str]) -> list[str]:
    """The list of options in each of its rotations, the file's own first."""
    letters, texts = list(options), list(options.values())
    turned = (texts[by:] + texts[:by] for by in range(len(texts)))
    return ["".join(f"\n{letter}. {text}" for letter, text in zip(letters, one, strict=True)) for one in turned]


def order(engine, rows: list[dict], batch_tokens: int) -> Order | None:
    """How often the file's own order of the options is the likeliest; None where no row has options to turn."""
    asked = [row for row in rows if row.get("options") and is_free(row["options"])]
    requests = [(plain(engine, stem(row)), [engine.option(text) for text in rotations(row["options"])]) for row in asked]
    kept = [i for i, (prompt, lists) in enumerate(requests) if len(prompt) + max(map(len, lists)) <= longest(engine)]
    if not kept:
        return None
    lengths = [len(requests[i][0]) + sum(map(len, requests[i][1])) for i in kept]
    engine.reserve(max(lengths))
    engine.share_prefix([requests[i][0] for i in kept])
    first = 0
    for batch in predict.make_batches(lengths, batch_tokens):
        found = engine.log_likelihoods([requests[kept[j]] for j in batch])
        first += sum(scores[0] > max(scores[1:]) for scores in found)
    n, chance = len(kept), sum(1 / len(requests[i][1]) for i in kept) / len(kept)
    return Order(
        n=n,
        own_first=first,
        share=round(first / n, 6),
        ci95=statistics.wilson(first, n),
        chance=round(chance, 6),
        p_value=greater(first, n, chance),
    )


def continuation(engine, rows: list[dict], batch_tokens: int) -> Continuation | None:
    """How often the second half of a question is written word for word; None where all questions are too short."""
    halves = [(" ".join(words[: len(words) // 2]), words[len(words) // 2 :][:WORDS]) for words in (stem(r).split() for r in rows)]
    asked = [(plain(engine, half), rest) for half, rest in halves if len(rest) == WORDS]
    room = max((len(engine.option(" " + " ".join(rest))) for _, rest in asked), default=0) + 4
    asked = [(prompt, rest) for prompt, rest in asked if len(prompt) + room <= longest(engine)]
    if not asked:
        return None
    lengths = [len(prompt) + room for prompt, _ in asked]
    engine.reserve(max(lengths))
    exact = 0
    for batch in predict.make_batches(lengths, batch_tokens):
        written = engine.generate([asked[i][0] for i in batch], room)
        exact += sum(text.split()[:WORDS] == asked[i][1] for i, (text, _) in zip(batch, written, strict=True))
    n = len(asked)
    return Continuation(n=n, exact=exact, share=round(exact / n, 6), ci95=statistics.wilson(exact, n), words=WORDS)


def longest(engine) -> float:
    """Tokens that this engine takes in one sequence."""
    return getattr(engine, "longest", engine.window)


def greater(count: int, n: int, chance: float) -> float:
    """One-sided p-value of the exact binomial test: that so many come by chance."""
    from scipy.stats import binomtest

    return float(binomtest(count, n, chance, alternative="greater").pvalue)
