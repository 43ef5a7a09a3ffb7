"""Blocks of the questions that flipped: won and lost between two models, whole, with what each answered."""

import json

from common.hashes import by_hash
from reporting import sentences
from reporting.blocks import Details, Heading, Part, Text
from reporting.language import Language
from scoring.comparing import Comparison, Result
from scoring.evaluations import part_of
from scoring.predictions import Prediction


def flip_blocks(result: Result, most: int, say: Language) -> list:
    """Questions won and lost, whole, with what each model answered."""
    by_name = {e.name: e.rows for e in result.evaluations}
    found = [Heading(say("Questions that flipped"))]
    found.append(Text(say("Drawn by the hash of their ids, so that nobody chose them."), "soft"))
    for c in result.comparisons:
        found.append(Heading(f"{c.baseline} → {c.candidate}", 3))
        for word, ids, tone in (("won", c.won_ids, "good"), ("lost", c.lost_ids, "bad")):
            shown = by_hash(ids)[:most]
            found.append(Text(say("{word}: {n}, of which {shown} are shown", word=say(word), n=len(ids), shown=len(shown)), tone))
            pairs = [[[of_seed[i] for of_seed in by_name[name]] for name in (c.baseline, c.candidate)] for i in shown]
            found += [_flip(c, one, two, tone, say) for one, two in pairs]
    return found


def _flip(c: Comparison, before: list[Prediction], after: list[Prediction], tone: str, say: Language) -> Details:
    """One question; each model's answers to it, one a seed."""
    row, change = before[0], " → ".join(" · ".join(_given(one, c.measure, say) for one in seeds) for seeds in (before, after))
    if c.measure == "bits_per_byte":
        return Details(f"{row.id}: {change} {say('bits per byte')}", [], tone)
    if c.measure in ("rouge_l", "judged"):
        summary = f"{row.id}: {say(sentences.MEASURE_NAMES[c.measure])} {change}"
    else:
        summary = f"{row.id}: {change}, {say('key')} {row.gold}"
    return Details(
        summary,
        [
            Part(say("question, as it was asked"), row.prompt),
            *_options(row, say),
            Part(say("key"), str(row.gold)),
            Part(c.baseline, "\n\n".join(map(_output, before))),
            Part(c.candidate, "\n\n".join(map(_output, after))),
        ],
        tone,
    )


def _options(row: Prediction, say: Language) -> list[Part]:
    """The options, where the prompt does not list them: labels that training alone has taught."""
    options, prompt = row.options, row.prompt
    return [] if all(option in prompt for option in options) else [Part(say("options"), " · ".join(options))]


def _given(row: Prediction, measure: str, say: Language) -> str:
    """What a model gave to one row, in a word or a number."""
    if measure == "bits_per_byte":
        bits, size = part_of(row, measure)
        return say.number(bits / size, ".4f")
    if measure in ("rouge_l", "judged"):
        return say.number(100 * (getattr(row, measure) or 0), ".0f")
    return say("no valid answer") if row.prediction is None else row.prediction


def _output(row: Prediction) -> str:
    """What a model gave: its text, or its scores."""
    return row.output if row.output is not None else json.dumps(row.scores, ensure_ascii=False)
