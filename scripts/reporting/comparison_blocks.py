"""Blocks of a comparison: scores, differences, baselines and groups. Used by both pages."""

import re

from reporting import sentences
from reporting.asked_blocks import protocol_blocks
from reporting.blocks import Chart, Dot, Heading, Mark, Table, Text
from reporting.flip_blocks import flip_blocks
from reporting.language import Language
from scoring.comparing import Comparison, Result
from scoring.evaluations import Evaluation
from scoring.pairing import share_interval
from scoring.statistics import Interval

GROUPS = {f"by_{name}": f"By {name}" for name in ("topic", "source", "origin", "exam", "year", "difficulty")}
MOST_GROUPS = 60
VERDICT_WORDS = {
    "better": ("better", "good"),
    "not_worse": ("not worse by more than the margin", "good"),
    "worse_within_margin": ("worse, within the margin", "warn"),
    "worse": ("worse", "bad"),
    "not_shown": ("not decided", "warn"),
}


def comparison_blocks(result: Result, warnings: list[str], flips: int, say: Language) -> list:
    """All of a comparison, in the order in which it is read."""
    return [
        *(Text(warning, "warn") for warning in warnings),
        *score_blocks(result, say),
        *difference_blocks(result, say),
        *baseline_blocks(result, say),
        *distribution_blocks(result, say),
        *group_blocks(result, say),
        *protocol_blocks(result, say),
        *flip_blocks(result, flips, say),
    ]


# ---------------------------------------------------------------------------------------------- scores


def score_blocks(result: Result, say: Language) -> list:
    """The chart and the table of the models, baselines among them."""
    n, alike = result.comparisons[0].n, all(set(e.rows[0]) == set(result.evaluations[0].rows[0]) for e in result.evaluations)
    title = (
        "Scores on the same {n:held-out row|held-out rows}"
        if alike
        else "Scores, each on its own rows; compared on the {n} that they share"
    )
    title = say(title, n=n)
    if result.measure == "bits_per_byte":
        head = ["model", "texts", "bits per byte (less is better)", "perplexity a token", "precision"]
        rows = [
            [e.name, str(m.n), say.number(m.bits_per_byte, ".4f"), say.number(m.perplexity, ".2f"), str(m.precision)]
            for e in result.evaluations
            for m in [e.first]
        ]
        return [Heading(title), Table([say(h) for h in head], rows)]
    if result.measure == "rouge_l":
        head = ["model", "rows", "ROUGE-L", "ROUGE-1", "ROUGE-2", "BLEU", "chrF", "exact", "invalid", "precision"]
        return [Heading(title), Table([say(h) for h in head], [_text_row(e, say) for e in result.evaluations])]
    if result.measure == "judged":
        head = ["model", "rows", "judge's score", "invalid", "judge", "precision"]
        rows = [
            [e.name, str(m.n), say.percent(m.judge.score), str(m.n_invalid), m.judge.model, str(m.precision)]
            for e in result.evaluations
            for m in [e.first]
        ]
        return [Heading(title), Table([say(h) for h in head], rows)]
    everyone = [*result.evaluations, *result.baselines]
    right = "declined" if result.kind == "safety" else "answered" if result.kind == "over_refusal" else "right"
    head = ["model", right, "share", "95 % interval", "chance", "always the commonest answer", "invalid", "precision"]
    intervals = [share_interval(e, result.settings) for e in everyone]
    rows = [_share_row(e, interval, say) for e, interval in zip(everyone, intervals, strict=True)]
    return [Heading(title), _share_chart(everyone, intervals, say), Table([say(h) for h in head], rows)]


def _text_row(e: Evaluation, say: Language) -> list[str]:
    m = e.first
    texts = [say.number(getattr(m.texts, name)) for name in ("rougeL", "rouge1", "rouge2", "bleu", "chrf")]
    exact = f"{say.percent(m.accuracy)} ({say.interval(m.accuracy_ci95)})"
    return [e.name, str(m.n), *texts, exact, str(m.n_invalid), m.precision or ""]


def _called(e: Evaluation, say: Language) -> str:
    """A model's name, or a baseline's with the model that it was scored beside, where it stands for that one alone."""
    if not e.baseline:
        return e.name
    return f"{say(e.name)} ({e.of})" if e.of else say(e.name)


def _share_row(e: Evaluation, interval: Interval, say: Language) -> list[str]:
    m, seeds = e.first, [one.accuracy for one in e.metrics]
    majority = m.majority_class
    share = say.percent(sum(seeds) / len(seeds))
    if len(seeds) > 1:
        share += " (" + say("seeds: {each}", each=" · ".join(map(say.percent, seeds))) + ")"
    return [
        _called(e, say),
        say("{right} of {n}", right=" · ".join(str(one.n_correct) for one in e.metrics), n=m.n),
        share,
        say.interval(interval),
        say.percent(m.chance),
        f"{say.percent(majority.accuracy)} ({majority.label})" if majority else "",
        str(m.n_invalid),
        m.precision or "",
    ]


def _share_chart(everyone: list[Evaluation], intervals: list[Interval], say: Language) -> Chart:
    first, dots = everyone[0].first, []
    for e, (low, high) in zip(everyone, intervals, strict=True):
        mean = sum(m.accuracy for m in e.metrics) / len(e.metrics)
        label = f"{say.percent(mean)} ({say.interval((low, high))})"
        dots.append(Dot(_called(e, say), mean, low, high, label))
    marks = []
    if first.chance is not None:
        marks = [Mark(say("chance"), first.chance), Mark(say("commonest answer"), first.majority_class.accuracy)]
    plain = all(e.first.accuracy_ci95 == one for e, one in zip(everyone, intervals, strict=True))
    title = (
        "Share with 95 % interval (Wilson)" if plain else "Share with 95 % interval (Wilson; seeds and cases are drawn as well)"
    )
    return Chart(say(title), dots, marks, 0.0, 1.0)


# ---------------------------------------------------------------------------------------------- differences


def difference_blocks(result: Result, say: Language) -> list:
    """Chart and table of the comparisons, with the margin."""
    pairs = result.comparisons
    unit = say("bits per byte" if result.measure == "bits_per_byte" else "points")
    ends = [abs(v) for c in pairs for v in c.difference_ci] + [c.margin for c in pairs]
    reach = 1.15 * max(ends)
    dots = [Dot(f"{c.baseline} → {c.candidate}", c.difference, *c.difference_ci, f"{_points(c, say)} {unit}") for c in pairs]
    loss = pairs[0].margin if result.measure == "bits_per_byte" else -pairs[0].margin
    level = say.number(100 * result.confidence, "g")
    title = say("Difference in {unit}, with {level} % interval", unit=unit, level=level)
    marks = [Mark(say("no difference"), 0.0), Mark(say("largest loss accepted"), loss)]
    words = say(
        "A loss of up to {margin} was accepted beforehand (--margin). Tests: {test}; intervals: {interval}. ",
        margin=sentences.margin_text(pairs[0], say),
        test=", ".join(say(sentences.TESTS[name]) for name in dict.fromkeys(c.test for c in pairs)),
        interval=", ".join(say(INTERVALS[name]) for name in dict.fromkeys(c.interval for c in pairs)),
    )
    if pairs[0].tests > 1:
        text = "Differences and the losses ruled out are Holm-corrected for {tests} tests each; the intervals shown are not. "
        words += say(text, tests=pairs[0].tests)
    return [
        Heading(say("Differences")),
        Chart(title, dots, marks, -reach, reach),
        _difference_table(pairs, level, say),
        Text(words + " ".join(sentences.detectable(c, say) for c in result.decisive), "soft"),
    ]


INTERVALS = {
    "tango": "score method for paired shares (Tango 1998)",
    "bootstrap": "percentile bootstrap over rows",
    "cluster_bootstrap": "bootstrap over whole cases, never narrower than the score method",
    "hierarchical_bootstrap": "bootstrap over rows and seeds (Owen 2007), never narrower than the score method",
}


def _points(c: Comparison, say: Language) -> str:
    return say.measured(c.difference, c.measure, "+")


def _difference_table(pairs: list[Comparison], level: str, say: Language) -> Table:
    head = [
        say("from → to"),
        say("difference"),
        say("{level} % interval", level=level),
        say("won"),
        say("lost"),
        say("p (Holm)"),
        say("verdict"),
    ]
    rows = [
        [
            f"{c.baseline} → {c.candidate}",
            _points(c, say),
            f" {say('to')} ".join(say.measured(end, c.measure, "+") for end in c.difference_ci),
            str(c.won),
            str(c.lost),
            say.p(c.p_holm)[2:].removeprefix("= "),
            say(VERDICT_WORDS[c.verdict][0]),
        ]
        for c in pairs
    ]
    return Table(head, rows, [VERDICT_WORDS[c.verdict][1] for c in pairs])


def baseline_blocks(result: Result, say: Language) -> list:
    """How the models stand to the strongest simple baseline; nothing where none was scored."""
    if not result.against_baselines:
        return []
    level = say.number(100 * result.confidence, "g")
    said = [Text(sentences.against_baseline(c, result.confidence, say)) for c in result.against_baselines]
    table = _difference_table(result.against_baselines, level, say)
    table.rows = [
        [f"{say(c.baseline)} → {c.candidate}", *row[1:]] for c, row in zip(result.against_baselines, table.rows, strict=True)
    ]
    return [Heading(say("Against a simple baseline")), *said, table]


# ---------------------------------------------------------------------------------------------- what else was seen


def distribution_blocks(result: Result, say: Language) -> list:
    """How often each answer was given, beside how often it was right."""
    spreads = [(e.name, e.first.predicted) for e in result.evaluations]
    gold = result.first.gold
    if not gold or not all(spread for _, spread in spreads):
        return []
    answers = list(dict.fromkeys([*gold, *(a for _, spread in spreads for a in spread)]))[:MOST_GROUPS]
    rows = [[a, str(gold.get(a, 0)), *(str(spread.get(a, 0)) for _, spread in spreads)] for a in answers]
    head = [say("answer"), say("in the key"), *(name for name, _ in spreads)]
    return [Heading(say("Answers given")), Table(head, rows), *first_seed(result, say)]


def group_blocks(result: Result, say: Language) -> list:
    """Shares by topic, source, origin, exam, year and third of difficulty, where the rows differ in it."""
    found = []
    for key, title in GROUPS.items():
        groups = getattr(result.first, key)
        if not 1 < len(groups) <= MOST_GROUPS:
            continue
        rows = [
            [
                _group_name(key, name, say),
                str(groups[name].n),
                *(
                    f"{say.percent(part.accuracy)} ({say.interval(part.accuracy_ci95)})"
                    if (part := getattr(e.first, key).get(name))
                    else ""
                    for e in result.evaluations
                ),
            ]
            for name in groups
        ]
        found += [
            Heading(say(title)),
            Table([say(title.removeprefix("By ")), say("rows"), *(e.name for e in result.evaluations)], rows),
        ]
    if found:
        found.append(Text(say("Groups have few rows; differences between groups are not tested."), "soft"))
        found += first_seed(result, say)
    return found


def _group_name(key: str, name: str, say: Language) -> str:
    """A group as the reader's language says it; a third's name holds numbers (scoring/measures.py)."""
    if name == "none":
        return say("(none)")
    third = re.fullmatch(r"(\d/\d): (\S+) to (\S+)", name) if key == "by_difficulty" else None
    return f"{third[1]}: {say.mark(third[2])} {say('to')} {say.mark(third[3])}" if third else name


def first_seed(result: Result, say: Language) -> list:
    """Said below what shows one seed of several."""
    several = any(len(e.metrics) > 1 for e in result.evaluations)
    return [Text(say("Of several seeds this shows the first."), "soft")] if several else []
