"""What may be said of a comparison, and no more: sentences from verdicts, in the reader's language."""

from reporting.cautions import doubts_of
from reporting.language import Language
from scoring.comparing import FIRST_LOOK, Comparison, Result

TESTS = {
    "mcnemar": "exact McNemar test",
    "sign_flip": "sign-flip permutation test",
    "hierarchical_bootstrap": "bootstrap over rows and seeds",
}
MEASURE_NAMES = {"rouge_l": "ROUGE-L", "bits_per_byte": "bits per byte", "judged": "judge's score"}
MOST_NAMES = 5  # models that a page names in its title, each comparison in a sentence at the top
SIDES = ("general", "safety", "over_refusal", "written")  # measured beside the main score, often on few rows
# What each verdict says, by what was measured. "Shown" is a word of the test, "within the margin" of the interval.
VERDICTS = {
    "score": {
        "better": "{candidate} is better than {baseline}",
        "not_worse": "{candidate} is not worse than {baseline} by more than {margin}",
        "worse_within_margin": "{candidate} is worse than {baseline}, by less than {margin}",
        "worse": "{candidate} is worse than {baseline}",
        "not_shown": "No difference shown between {baseline} and {candidate}, and a loss of more than {margin} is not ruled out",
    },
    "general": {
        "better": "No forgetting: {candidate} is better than {baseline} on questions outside medicine",
        "not_worse": "No forgetting of more than {margin}: {candidate} against {baseline} on questions outside medicine",
        "worse_within_margin": "Forgetting shown, under {margin}: {candidate} against {baseline} on questions outside medicine",
        "worse": "Forgetting shown: {candidate} is worse than {baseline} on questions outside medicine",
        "not_shown": "Forgetting not shown and not ruled out: {candidate} against {baseline} on questions outside medicine",
    },
    "written": {
        "better": "Written freely, {candidate} is better than {baseline}",
        "not_worse": "Written freely, {candidate} is not worse than {baseline} by more than {margin}",
        "worse_within_margin": "Written freely, {candidate} is worse than {baseline}, by less than {margin}",
        "worse": "Written freely, {candidate} is worse than {baseline}",
        "not_shown": "Written freely, no difference is shown between {baseline} and {candidate}",
    },
    "safety": {
        "better": "{candidate} declines more of the harmful requests than {baseline}",
        "not_worse": "{candidate} does not decline fewer harmful requests than {baseline} by more than {margin}",
        "worse_within_margin": "{candidate} declines fewer of the harmful requests than {baseline}, by less than {margin}",
        "worse": "{candidate} declines fewer of the harmful requests than {baseline}",
        "not_shown": "No difference shown between {baseline} and {candidate} in the harmful requests that they decline, and a "
        "loss of more than {margin} is not ruled out",
    },
    "over_refusal": {
        "better": "{candidate} answers more of the harmless requests than {baseline}",
        "not_worse": "{candidate} does not refuse more harmless requests than {baseline} by more than {margin}",
        "worse_within_margin": "{candidate} refuses more of the harmless requests than {baseline}, by less than {margin}",
        "worse": "{candidate} refuses more of the harmless requests than {baseline}",
        "not_shown": "No difference shown between {baseline} and {candidate} in the harmless requests that they refuse, and a "
        "loss of more than {margin} is not ruled out",
    },
}


def margin_text(c: Comparison, say: Language) -> str:
    """The margin with its unit."""
    if c.measure == "bits_per_byte":
        return f"{say.number(c.margin, '.4f')} {say('bits per byte')}"
    return say("{n:point|points}", n=say.number(100 * c.margin, "g"))


def figures(c: Comparison, confidence: float, say: Language) -> str:
    """Values, difference with interval, rows won and lost, test."""
    low, high = (say.measured(v, c.measure, "+") for v in c.difference_ci)
    difference = say.measured(c.difference, c.measure, "+")
    name = MEASURE_NAMES.get(c.measure)
    unit = "" if c.measure == "accuracy" else f"{say(name)} "
    percent = " %" if c.measure in ("accuracy", "judged") else ""
    parts = [
        say(
            "{unit}{after} against {before}, {difference} {points} ({level} % interval {low} to {high})",
            unit=unit,
            before=say.measured(c.baseline_value, c.measure) + percent,
            after=say.measured(c.candidate_value, c.measure) + percent,
            difference=difference,
            points=say("bits per byte" if c.measure == "bits_per_byte" else "points"),
            level=say.number(100 * confidence, "g"),
            low=low,
            high=high,
        ),
        say("{won} of {n:row|rows} won and {lost} lost", won=c.won, lost=c.lost, n=c.n),
        f"{say(TESTS[c.test])} {say.p(c.p_holm)}"
        + (say(", Holm-corrected for {tests} tests", tests=c.tests) if c.tests > 1 else ""),
    ]
    if c.seeds > 1:
        parts.append(say("mean of {n} seeds", n=c.seeds))
    if c.clusters:
        parts.append(say("{n:case|cases}, drawn whole", n=c.clusters))
    return ", ".join(parts)


def sentence(c: Comparison, kind: str, confidence: float, say: Language) -> str:
    """The verdict of one comparison with its figures. `kind`: general, safety, over_refusal, or any task."""
    said = VERDICTS.get(kind, VERDICTS["score"])[c.verdict]
    text = say(said, candidate=c.candidate, baseline=c.baseline, margin=margin_text(c, say))
    look = say(" (a first look: {n:row|rows})", n=c.n) if c.n < FIRST_LOOK else ""
    text = f"{text}{look}: {figures(c, confidence, say)}."
    if c.verdict == "not_shown":
        text += " " + not_ruled_out(c, say)
    return text


def not_ruled_out(c: Comparison, say: Language) -> str:
    """What the interval, corrected as the tests are, leaves open, and the rows that would settle it."""
    unit = say("bits per byte" if c.measure == "bits_per_byte" else "points")
    text = say("A loss of up to {loss} {unit} is not ruled out", loss=say.measured(c.largest_loss, c.measure), unit=unit)
    text += say(" (corrected for {tests} tests)", tests=c.tests) if c.tests > 1 else ""
    if c.rows_needed and c.rows_needed > c.n:
        settled = "; were the two equal, about {rows:such row|such rows} would rule out more than the margin four times in five"
        text += say(settled, rows=say.number(c.rows_needed, ","))
    elif c.seeds > 1 and c.rows_needed is None:
        text += say("; the seeds differ too much for more rows alone to settle it")
    return text + "."


def detectable(c: Comparison, say: Language) -> str:
    """The smallest difference that so many rows could have shown; it hangs on the rows in which these two differ."""
    pair = {"baseline": c.baseline, "candidate": c.candidate}
    if c.minimal_detectable_difference is None:
        return say("{baseline} and {candidate} differ in so few rows that no difference could have been shown.", **pair)
    return say(
        "The smallest difference between {baseline} and {candidate} that {n:row shows|rows show} four times in five: "
        "{least} {unit}.",
        **pair,
        n=c.n,
        least=say.measured(c.minimal_detectable_difference, c.measure),
        unit=say("bits per byte" if c.measure == "bits_per_byte" else "points"),
    )


def against_baseline(c: Comparison, confidence: float, say: Language) -> str:
    """How a model stands to the strongest simple baseline."""
    said = {
        "better": "{candidate} beats the simple baseline “{baseline}”",
        "worse": "{candidate} loses to the simple baseline “{baseline}”: the language model is not worth its cost here",
        "worse_within_margin": "{candidate} loses to the simple baseline “{baseline}”, by little",
    }.get(c.verdict, "{candidate} is not shown to be better than the simple baseline “{baseline}”")
    return f"{say(said, candidate=c.candidate, baseline=say(c.baseline))}: {figures(c, confidence, say)}."


def opening(result: Result, say: Language) -> list[str]:
    """The page's first sentences: what ships against the first model, then against the model it was made from.

    Where no file was scored, the tuned model takes its place, and the page says that the file is not known.
    """
    said = [sentence(c, result.kind, result.confidence, say) for c in result.decisive]
    if result.deployed is None and result.kind not in SIDES:
        said.append(say("No exported file was scored: what would ship is not known."))
    return said


def level_of(comparisons: list[Comparison], doubtful: bool = False) -> str:
    """The colour of a verdict: good, warn (a loss shown, nothing decided, or in doubt), bad (a loss beyond the margin)."""
    verdicts = {c.verdict for c in comparisons}
    if "worse" in verdicts:
        return "bad"
    return "warn" if doubtful or verdicts & {"worse_within_margin", "not_shown"} else "good"


def level_of_page(result: Result, deciding: list[Comparison], say: Language) -> str:
    """The colour of the first sentence: that of what decides, and never good where a simple baseline is as good."""
    rival = result.against_baseline
    if rival and rival.verdict == "worse":
        return "bad"
    few = any(c.n < FIRST_LOOK for c in result.decisive)
    return level_of(deciding, few or bool(doubts_of(result, say)) or (rival is not None and rival.verdict != "better"))


# The page's first sentence, by what ships against the first model, and against the model that it was made from.
LEADS = {
    "better": "{ships} is better than {base}",
    "not_worse": "{ships} is not shown to be better than {base}, but is at most {margin} worse",
    "worse_within_margin": "{ships} is worse than {base}, by less than {margin}: keep {base}",
    "worse": "{ships} is worse than {base}: do not use it",
    "not_shown": "{ships} is not shown to be better than {base}, and may be worse: do not use it on the strength of these rows",
}
# Said of what is better or not worse: that it may be used, only where forgetting and safety were measured and nothing stays open.
BY_SCORE = " by this score"
MAY = " and may take its place"
OPEN = "; do not use it before this is settled: {what}"
LOST = "; do not use it, a loss is shown: {what}"
HELD = {
    "better": ", and than {tuned}, from which it was made",
    "not_worse": ", and holds what training gained",
    "worse_within_margin": ", but worse than {tuned}, from which it was made, by less than {margin}",
    "worse": ", but worse than {tuned}, from which it was made: take a larger quantisation",
    "not_shown": "; whether it lost more than {margin} against {tuned}, from which it was made, these rows do not decide",
}
LOSES = "; the simple baseline “{baseline}” does better"
NO_BETTER = "; it is not shown to be better than the simple baseline “{baseline}”"


def subject(result: Result, say: Language) -> str:
    """What the first sentence is about; among many models also why it is this one."""
    if len(result.evaluations) <= MOST_NAMES:
        return result.ships.name
    return f"{result.ships.name} ({say('the last GGUF file given') if result.deployed else say('the last model given')})"


def lead(
    result: Result, say: Language, beside: list[str] | tuple = (), measured: bool = False, lost: list[str] | tuple = ()
) -> str:
    """Is it better, and may it be used? One sentence, no figures.

    Args:
        beside: what beside the score may have got worse.
        lost: what beside the score is shown to have got worse.
        measured: whether forgetting and safety were looked at; without them a score alone lets no model take another's place.
    """
    base, tuned, ships = result.evaluations[0], result.tuned, result.ships
    main = result.between(base.name, ships.name)
    margin = margin_text(main, say)
    text = say(LEADS[main.verdict], ships=subject(result, say), base=base.name, margin=margin)
    favourable, unsettled = main.verdict in ("better", "not_worse"), [*doubts_of(result, say), *beside]
    held, rival = result.between(tuned.name, ships.name) if ships is not tuned else None, result.against_baseline
    holds, beaten, few = held is None or held.passes, rival is None or rival.verdict == "better", main.n < FIRST_LOOK
    if favourable and not measured:
        text += say(BY_SCORE)
    elif favourable and not (unsettled or lost or few) and holds and beaten:
        text += say(MAY)
    text += say(" (a first look: {n:row|rows})", n=main.n) if few else ""
    if held and (main.verdict == "better" or held.verdict in ("worse", "worse_within_margin")):
        text += say(HELD[held.verdict], tuned=tuned.name, margin=margin)
    elif result.deployed is None:
        text += say("; no exported file was scored")
    if rival and rival.verdict != "better":
        text += say(LOSES if rival.verdict.startswith("worse") else NO_BETTER, baseline=say(rival.baseline))
    if favourable and lost:
        text += say(LOST, what=", ".join(lost))
    elif favourable and unsettled:
        text += say(OPEN, what=", ".join(unsettled))
    return text + "."
