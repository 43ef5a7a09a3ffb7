"""Blocks of how the rows were asked: protocol, one prompt whole, and signs that a model had met them before."""

from reporting.blocks import Details, Heading, Part, Text
from reporting.language import Language
from scoring.comparing import Result
from scoring.scores import Signs


def protocol_blocks(result: Result, say: Language) -> list:
    """Protocol, test set, and one prompt whole."""
    text = say(
        "Task {task}, protocol {protocol}, {n:row|rows}, test set {hash}, significance level {alpha}.",
        task=result.first.task,
        protocol=result.first.protocol,
        n=result.first.n,
        hash=str(result.first.data_sha256)[:12],
        alpha=say.number(result.settings.alpha, "g"),
    )
    found = [Heading(say("How it was asked")), Text(text)]
    mass = [(e.name, e.first.option_mass) for e in result.evaluations if e.first.option_mass is not None]
    if mass:
        each = "; ".join(f"{name} {say.percent(share)}" for name, share in mass)
        found.append(Text(say("Probability that falls on the options at all, mean over rows: {each}.", each=each)))
    shown = next((row.prompt for row in result.evaluations[0].rows[0].values() if row.prompt), None)
    if shown:
        found.append(Details(say("One prompt, whole"), [Part(result.evaluations[0].name, shown)], whole=True))
    unknown = say("Whether a model met these rows in its pre-training was not measured.")
    return [*found, Text(unknown, "soft"), *signs_of_contamination(result, say)]


def signs_of_contamination(result: Result, say: Language) -> list:
    """What was looked for and seen in each model (scoring/contamination.py): a sign is warned of, none proves nothing."""
    found = []
    for e in result.evaluations:
        looked = e.first.contamination or Signs()
        if order := looked.order:
            text = (
                "{model}, given the question alone, finds the file's own order of the options the likeliest of its rotations in "
                "{n} of {of:question|questions} ({share}; {chance} by chance, exact binomial test {p})."
            )
            sign = order.p_value < result.settings.alpha
            counts = {"n": order.own_first, "of": order.n, "share": say.percent(order.share)}
            chance = {"chance": say.percent(order.chance), "p": say.p(order.p_value)}
            said = [say(text, model=e.name, **counts, **chance)]
            said += [say("It met them, or they stand in an order of their own.")] if sign else []
            found.append(Text(" ".join(said), "warn" if sign else "soft"))
        if written := looked.continuation:
            text = "{model}, given the first half of a question, writes the next {words} words exactly in {n} of {of}."
            counts = {"words": written.words, "n": written.exact, "of": written.n}
            found.append(Text(say(text, model=e.name, **counts), "warn" if written.exact else "soft"))
    if found:
        found.append(Text(say("These are signs that were looked for; a model without them may have met the rows too."), "soft"))
    return found
