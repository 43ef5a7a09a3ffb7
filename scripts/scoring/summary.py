"""What is measured of the predictions, and the table that the terminal shows of it. Used by evaluate.py."""

from typing import Any

from scoring import measures, tasks
from scoring.predictions import Prediction
from scoring.scores import JudgeScore, Measured, Metrics, PositionBias, Share, Signs

CONSTANT = 0.9  # share of one answer among the predictions that is warned of
UNFINISHED = 0.05  # share of answers cut short that is warned of


def summary(records: list[Prediction], task: str, protocol: str) -> Measured:
    """What the predictions show."""
    if task == "perplexity":
        return measures.perplexity(records)
    scored = [r for r in records if not r.too_long]
    return Measured(
        **measures.share(records).as_fields(),
        n_too_long=len(records) - len(scored),
        by_topic=measures.grouped(records, "topic"),
        by_source=measures.grouped(records, "source"),
        **of_groups(records),
        **(of_choices(records) if task in tasks.CHOICE else {}),
        **({"texts": measures.texts(records)} if task == "open" and protocol != "judge" else {}),
        **of_protocol(scored, protocol),
    )


def of_groups(records: list[Prediction]) -> dict[str, Any]:
    """Fields of `Measured` that need what only some rows have: cases, origin, exam, year, difficulty."""
    found: dict[str, Any] = {}
    cases = {r.case if r.case not in (None, "") else ("row", r.id) for r in records}
    if len(cases) < len(records):
        found["n_cases"] = len(cases)
    for key in ("origin", "exam", "year"):
        if any(getattr(r, key) is not None for r in records):
            found[f"by_{key}"] = measures.grouped(records, key)
    if any(r.difficulty is not None for r in records):
        found["by_difficulty"] = measures.thirds(records, "difficulty")
    return found


def of_choices(records: list[Prediction]) -> dict[str, Any]:
    """Fields of `Measured` for tasks whose rows have options or labels."""
    spreads = {"predicted": measures.distribution(records, "prediction"), "gold": measures.distribution(records, "gold")}
    return {"classes": measures.classes(records), **spreads}


def of_protocol(scored: list[Prediction], protocol: str) -> dict[str, Any]:
    """Fields of `Measured` that depend on how an answer was taken; rows that were too long are left out."""
    found: dict[str, Any] = {}
    # Only letters are answers of one length: over texts, confidence measures their lengths (seen: 0.82 where text_norm had 0.05).
    if protocol == "letter" and (numbers := [r for r in scored if r.scores]):
        found["calibration"] = measures.calibration(numbers)
        if all(r.option_mass is not None for r in numbers):
            found["option_mass"] = round(sum(r.option_mass for r in numbers) / len(numbers), 6)
    sampled, turned = [r for r in scored if r.sample_answers], [r for r in scored if r.rotations]
    if protocol in tasks.LIKELIHOOD or sampled or turned:
        tied = [r for r in scored if r.is_tied]
        found["n_tied"], found["n_tied_correct"] = len(tied), sum(r.correct for r in tied)
    if generated := [r for r in scored if r.finished is not None]:
        found["n_unfinished"] = sum(not r.finished for r in generated)
    if sampled:
        found["samples"] = measures.samples(sampled)
    if turned:
        found["position_bias"] = measures.position_bias(turned)
    return found


def show(metrics: Metrics) -> None:
    """The table at the end."""
    if metrics.task == "perplexity":
        print(
            f"\n{metrics.n} texts, {metrics.tokens} tokens: perplexity {metrics.perplexity:.2f} per token, "
            f"{metrics.bits_per_byte:.4f} bits per byte"
        )
    elif metrics.judge:
        show_judge(metrics.n, metrics.judge)
    else:
        show_table(metrics)
        show_beside(metrics)
        print(f"protocol {metrics.protocol}, {metrics.n_invalid} answers invalid, {metrics.n_too_long} prompts too long")
        for warning in warnings_of(metrics):
            print(f"note: {warning}")


def show_judge(n: int, judge: JudgeScore) -> None:
    """What a judge gave, and how far it can be trusted."""
    print(f"\n{n} answers, judge {judge.model}: {100 * judge.score:.1f} of 100, {judge.n_unread} not marked")
    if not (people := judge.people):
        return print("note: how far this judge agrees with physicians was not measured; --human_marks does it")
    known = people.n if people.n_kappa is None else people.n_kappa
    print(f"agreement with people on {known} answers: kappa {'not measured: too few' if people.kappa is None else people.kappa}")
    if own := people.own_style:
        print(
            f"its own answers: it marks {own.n} of them {own.difference:+.3f} beside those of others, as people "
            f"mark them (95 % interval {own.ci95.low:+.3f} to {own.ci95.high:+.3f})"
        )
    if people.n_marks > people.n + people.n_unread:
        counts = f"people gave {people.n_marks} marks to {people.n + people.n_unread} answers"
        print(f"note: {counts}; each counts once, {people.n_disputed} by the mean of unlike marks")


def show_table(metrics: Metrics) -> None:
    """The shares: the model, simple rules, groups of rows."""
    beside = f" {'chance':>8} {'commonest':>10}" if metrics.majority_class else ""
    print(f"\n{'':42} {'rows':>6} {tasks.CALLED.get(metrics.task, 'right'):>8}   {'95 % interval':16}{beside}".rstrip())
    show_share("the model", metrics)
    if metrics.baselines:
        print("simple rules on the same rows, to be beaten:")
    for baseline in metrics.baselines:
        show_share(f"  {baseline.name}", baseline)
    for key in ("by_topic", "by_source", "by_origin", "by_exam", "by_year", "by_difficulty"):
        if len(parts := getattr(metrics, key)) > 1:
            print(f"the model {key.replace('_', ' ')}:")
            for name, part in parts.items():
                show_share(f"  {name}", part)


def show_beside(metrics: Metrics) -> None:
    """What stands below the shares: signs of contamination, classes, texts, positions, samples."""
    for line in signs_of_contamination(metrics.contamination or Signs()):
        print(line)
    if metrics.majority_class:
        print("chance: a blind guess; commonest: always the answer that is right most often")
    if metrics.classes:
        print(
            f"macro F1 {metrics.classes.macro.f1:.3f}"
            + (f", expected calibration error {metrics.calibration.ece:.3f}" if metrics.calibration else "")
            + (f", probability on the options {metrics.option_mass:.1%}" if metrics.option_mass is not None else "")
        )
    if metrics.texts:
        print("  ".join(f"{name} {value:.1f}" for name, value in metrics.texts.as_fields().items()))
    if metrics.position_bias:
        show_positions(metrics.position_bias)
    if single := metrics.samples:
        spread = f"standard deviation {single.accuracy_sd:.1%} over {single.num_samples}"
        print(f"one answer alone: {single.accuracy_mean:.1%} ({spread})")


def show_share(name: str, part: Share | Metrics) -> None:
    """A line of the table."""
    low, high = part.accuracy_ci95
    known = part.majority_class and part.chance is not None
    beside = f"{part.chance:8.1%} {part.majority_class.accuracy:10.1%}" if known else ""
    print(f"{name[:42]:42} {part.n:6} {part.accuracy:8.1%}   {low:6.1%} to {high:6.1%} {beside}".rstrip())


def show_positions(bias: PositionBias) -> None:
    low, high = bias.same_answer_in_all_ci95
    print(
        "answers by position "
        + ", ".join(f"{p:.1%}" for p in bias.answered_by_position)
        + f"; the same answer in all rotations: {bias.same_answer_in_all:.1%} of rows ({low:.1%} to {high:.1%})"
    )


def signs_of_contamination(found: Signs) -> list[str]:
    """What scoring/contamination.py saw, a line a sign."""
    said = []
    if order := found.order:
        said.append(
            f"options likeliest in the file's own order, of its rotations: {order.own_first} of {order.n} questions, "
            f"{order.chance:.1%} by chance (p = {order.p_value:.4f}); many: they were met, or have an order of their own"
        )
    if written := found.continuation:
        said.append(f"second half of the question written word for word: {written.exact} of {written.n}")
    return said


def warnings_of(metrics: Metrics) -> list[str]:
    """What makes a score say less than it seems to."""
    found, n, likelihood = [], metrics.n, metrics.protocol in tasks.LIKELIHOOD
    if metrics.protocol == "letter" and metrics.n_invalid > CONSTANT * n:
        found.append("what it would write begins with none of the letters; --protocol generate reads what it writes")
    elif metrics.predicted:
        answer, times = max(metrics.predicted.items(), key=lambda item: item[1])
        if times > CONSTANT * n:
            found.append(f"one answer, {answer!r}, stands in {times} of {n} predictions; such a score says little of the model")
    if metrics.n_cases:
        found.append(
            f"the {n} rows are of {metrics.n_cases} cases, and rows of one case go together: the intervals here count rows and "
            "are too narrow; scripts/compare.py draws whole cases"
        )
    if metrics.n_tied:
        several, order = "likeliest options (the first counts, as in lm-evaluation-harness)", "order of their options"
        if not likelihood:
            several, order = "answers given equally often (the first counts)", "order of the answers"
        found.append(
            f"{metrics.n_tied} of {n} rows have several {several}; so {metrics.n_tied_correct} of them are right by the {order}"
        )
    if metrics.n_unfinished > UNFINISHED * n:
        found.append(f"{metrics.n_unfinished} of {n} answers were cut at {metrics.max_new_tokens} tokens; raise --max_new_tokens")
    if likelihood:
        found.append("scored by likelihood: which option is likeliest, not what the model writes; --protocol generate asks it to")
    return found
