"""What a reader should know before the figures: warnings of scores that say less than they seem to, and doubts."""

from reporting.language import Language
from scoring.comparing import Result
from scoring.evaluations import EQUAL, Evaluation
from scoring.pairing import Settings, share_interval
from scoring.scores import People
from scoring.summary import CONSTANT, UNFINISHED

FEWEST = 10  # rows; of fewer it says nothing that one answer is given to all


def one_answer(e: Evaluation, say: Language) -> str | None:
    """A warning where nearly all of a model's predictions are one answer."""
    spread = e.first.predicted
    n = sum(spread.values())
    if n < FEWEST:
        return None
    answer, times = max(spread.items(), key=lambda item: item[1], default=("", 0))
    if times / n <= CONSTANT:
        return None
    return say(
        "{model} gives one answer nearly always: “{answer}” in {share} of {n:row|rows}; its score says little.",
        model=e.name,
        answer=answer,
        share=say.percent(times / n),
        n=n,
    )


def cut_of(e: Evaluation) -> int:
    """How many answers of the first seed were cut before they said anything that counts."""
    rows = e.rows[0].values()
    return sum(row.finished is False and (row.prediction is None or e.measure != "accuracy") for row in rows)


def is_cut(e: Evaluation) -> bool:
    """Whether so many answers were cut that the score is one of the room they had."""
    return cut_of(e) > UNFINISHED * len(e.rows[0])


def trained_on(result: Result) -> int:
    """How many of the scored rows stand in the training rows, where any model was scored beside these."""
    return max(m.n_trained_on or 0 for e in result.evaluations for m in e.metrics)


def unread(e: Evaluation, say: Language) -> list[str]:
    """Warnings where many rows count as wrong for another reason than a wrong answer, or as right for none."""
    n, found = len(e.rows[0]), []
    many = UNFINISHED * n
    if is_cut(e):
        text = (
            "{model}: {cut} of {n:answer|answers} {cut:?was|were} cut at {tokens:token|tokens} before {cut:?it|they} "
            "ended (--max_new_tokens)."
        )
        found.append(say(text, model=e.name, cut=cut_of(e), n=n, tokens=e.first.max_new_tokens))
    if (invalid := e.first.n_invalid - cut_of(e)) > many and e.measure == "accuracy":
        found.append(
            say(
                "{model}: {k} of {n:answer|answers} could not be read and {k:?counts|count} as wrong.",
                model=e.name,
                k=invalid,
                n=n,
            )
        )
    if (tied := e.first.n_tied) > many:
        text = (
            "{model}: in {k} of {n:row|rows} several options are equally likely; {right} of these {right:?is|are} right "
            "by their order alone."
        )
        found.append(say(text, model=e.name, k=tied, n=n, right=e.first.n_tied_correct))
    return found


def allowed_differences(one: Evaluation, two: Evaluation, say: Language) -> list[str]:
    """In what two evaluations differ that must be equal: it was let pass, or they would not have been compared."""
    return [say(what) for key, what in EQUAL.values() if getattr(one.first, key) != getattr(two.first, key)]


def warnings_of(result: Result, say: Language) -> list[str]:
    """What was let pass, and what a reader should know before the figures."""
    first, found = result.evaluations[0], []
    for other in result.evaluations[1:]:
        said = "{one} and {two} differ in their {what}, which was allowed: the difference may come from that."
        found += [say(said, one=first.name, two=other.name, what=what) for what in allowed_differences(first, other, say)]
        one, two = first.first.precision, other.first.precision
        if one != two:
            found.append(say("{a} was scored in {one}, {b} in {two}.", a=first.name, one=one, b=other.name, two=two))
    found += filter(None, (one_answer(e, say) for e in result.evaluations))
    found += [text for e in result.evaluations for text in unread(e, say)]
    if known := trained_on(result):
        text = (
            "{k} of {n:scored row|scored rows} {k:?stands|stand} in the training rows: what {k:?it shows|they show} was "
            "learnt by heart, for all that is known."
        )
        found.append(say(text, k=known, n=first.first.n))
    chance = first.first.chance
    if chance is not None and not any(map(clear_of_chance, result.evaluations)):
        text = say("No model here is shown to be better than chance ({chance}).", chance=say.percent(chance))
        if first.is_general:
            text += " " + say("What was not there cannot be forgotten, so this says little.")
        found.append(text)
    if result.measure == "judged":
        found.append(judge_agreement(first, say))
    if result.first.protocol in ("letter", "text", "text_norm"):
        found.append(say("Scored by likelihood: which option the model finds likeliest, not what it would write."))
    return found


def people_of(e: Evaluation) -> People | None:
    """The judge beside people, where its agreement with them was measured."""
    people = e.first.judge and e.first.judge.people
    return people if people and people.kappa is not None else None


def agrees_with_people(e: Evaluation) -> bool:
    """Whether the judge is shown to agree with people more than by chance."""
    people = people_of(e)
    return bool(people) and people.kappa_ci95.low > 0 and (people.kappa_p or 0.0) < Settings.alpha


def judge_agreement(e: Evaluation, say: Language) -> str:
    """What is known of the judge."""
    if not (people := people_of(e)):
        return say("How far the judge agrees with physicians was not measured: these are a model's opinions.")
    low, high = (say.number(end, ".2f") for end in people.kappa_ci95)
    text = "The judge agrees with people's marks of {n:answer|answers} by a kappa of {kappa} (95 % interval {low} to {high})."
    n = people.n if people.n_kappa is None else people.n_kappa
    said = say(text, n=n, kappa=say.number(people.kappa, ".2f"), low=low, high=high)
    if own := people.own_style:
        low, high = (say.number(100 * end, "+.1f") for end in own.ci95)
        text = "Its own answers it marks {difference} points beside those of others, as people mark them ({low} to {high})."
        said += " " + say(text, difference=say.number(100 * own.difference, "+.1f"), low=low, high=high)
    return said


def doubts_of(result: Result, say: Language) -> list[str]:
    """What keeps a score from settling anything: what ships was asked otherwise than the first, or its judge is not known.

    Nor does a score of what gives one answer to nearly all rows, or of what is not clear of guessing, however much worse
    the first model was.
    """
    ships = result.ships
    unlike = allowed_differences(result.evaluations[0], ships, say)
    unknown = result.measure == "judged" and not agrees_with_people(result.evaluations[0])
    found = [say("the difference in {what}", what=what) for what in unlike]
    found += [say("the judge's agreement with physicians")] if unknown else []
    found += [say("one answer to nearly all rows")] if one_answer(ships, say) and not beats_one_answer(ships) else []
    found += [say("the rows that it was trained on")] if trained_on(result) > UNFINISHED * result.first.n else []
    found += [say("the answers that were cut")] if any(map(is_cut, (result.evaluations[0], ships))) else []
    return found + ([say("whether it does better than chance")] if not clear_of_chance(ships) else [])


def beats_one_answer(e: Evaluation) -> bool:
    """Whether a share lies above that of one answer to all rows; then giving one nearly always is no fault."""
    commonest = e.first.majority_class.accuracy if e.first.majority_class else 0
    return share_interval(e, Settings()).low > commonest


def clear_of_chance(e: Evaluation) -> bool:
    """Whether a share's interval lies above chance, in every seed; true where there is no chance to hold it against."""
    chance = e.first.chance
    if chance is None:
        return True
    return share_interval(e, Settings()).low > chance and all(m.accuracy_ci95.low > m.chance for m in e.metrics)
