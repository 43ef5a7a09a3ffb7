"""metrics.json's measured part, and the table that the terminal shows of it. Used by evaluate.py."""

from scoring import contamination, measures, tasks

CONSTANT = 0.9  # share of one answer among the predictions that is warned of
UNFINISHED = 0.05  # share of answers cut short that is warned of


def summary(records: list[dict], task: str, protocol: str) -> dict:
    """metrics.json's measured part."""
    if task == "perplexity":
        return {**measures.perplexity(records), "by_source": {}}
    found = {
        **measures.share(records),
        "n_too_long": sum(bool(r.get("too_long")) for r in records),
        "by_topic": measures.grouped(records, "topic"),
        "by_source": measures.grouped(records, "source"),
    }
    cases = {r["case"] if r.get("case") not in (None, "") else ("row", r["id"]) for r in records}
    if len(cases) < len(records):
        found["n_cases"] = len(cases)
    for key in ("origin", "exam", "year"):
        if any(key in r for r in records):
            found[f"by_{key}"] = measures.grouped(records, key)
    if any("difficulty" in r for r in records):
        found["by_difficulty"] = measures.thirds(records, "difficulty")
    scored = [r for r in records if not r.get("too_long")]
    if task in tasks.CHOICE:
        found["classes"] = measures.classes(records)
        found["predicted"] = measures.distribution(records, "prediction")
        found["gold"] = measures.distribution(records, "gold")
    # Only letters are answers of one length: over texts, confidence measures their lengths (seen: 0.82 where text_norm had 0.05).
    if protocol == "letter" and (numbers := [r for r in scored if r["scores"]]):
        found["calibration"] = measures.calibration(numbers)
        if all("option_mass" in r for r in numbers):
            found["option_mass"] = round(sum(r["option_mass"] for r in numbers) / len(numbers), 6)
    if protocol in tasks.LIKELIHOOD or any("sample_answers" in r or "rotations" in r for r in scored):
        tied = [r for r in scored if measures.tied(r)]
        found["n_tied"], found["n_tied_correct"] = len(tied), sum(r["correct"] for r in tied)
    if task == "open" and protocol != "judge":
        found["texts"] = measures.texts(records)
    if generated := [r for r in scored if "finished" in r]:
        found["n_unfinished"] = sum(not r["finished"] for r in generated)
    if sampled := [r for r in scored if "sample_answers" in r]:
        found["samples"] = measures.samples(sampled)
    if turned := [r for r in scored if "rotations" in r]:
        found["position_bias"] = measures.position_bias(turned)
    return found


def show(metrics: dict) -> None:
    """The table at the end."""
    if metrics["task"] == "perplexity":
        print(
            f"\n{metrics['n']} texts, {metrics['tokens']} tokens: perplexity {metrics['perplexity']:.2f} per token, "
            f"{metrics['bits_per_byte']:.4f} bits per byte"
        )
        return
    if judge := metrics.get("judge"):
        print(
            f"\n{metrics['n']} answers, judge {judge['model']}: {100 * judge['score']:.1f} of 100, {judge['n_unread']} not marked"
        )
        if people := judge.get("people"):
            known, kappa = people.get("n_kappa", people["n"]), people.get("kappa", "not measured: too few")
            print(f"agreement with people on {known} answers: kappa {kappa}")
            if own := people.get("own_style"):
                low, high = own["ci95"]
                print(
                    f"its own answers: it marks {own['n']} of them {own['difference']:+.3f} beside those of others, as people "
                    f"mark them (95 % interval {low:+.3f} to {high:+.3f})"
                )
            answers = people["n"] + people.get("n_unread", 0)
            if (many := people.get("n_marks", 0)) > answers:
                unlike = f"{people.get('n_disputed')} by the mean of unlike marks"
                print(f"note: people gave {many} marks to {answers} answers; each counts once, {unlike}")
        else:
            print("note: how far this judge agrees with physicians was not measured; --human_marks does it")
        return
    beside = f" {'chance':>8} {'commonest':>10}" if metrics["majority_class"] else ""
    print(f"\n{'':42} {'rows':>6} {tasks.CALLED.get(metrics['task'], 'right'):>8}   {'95 % interval':16}{beside}".rstrip())
    show_share("the model", metrics)
    for number, baseline in enumerate(metrics.get("baselines") or ()):
        print("simple rules on the same rows, to be beaten:\n" if not number else "", end="")
        show_share(f"  {baseline['name']}", baseline)
    for key in ("by_topic", "by_source", "by_origin", "by_exam", "by_year", "by_difficulty"):
        if len(parts := metrics.get(key, {})) > 1:
            print(f"the model {key.replace('_', ' ')}:")
            for name, part in parts.items():
                show_share(f"  {name}", part)
    for line in signs_of_contamination(contamination.read(metrics.get("contamination"))):
        print(line)
    if metrics["majority_class"]:
        print("chance: a blind guess; commonest: always the answer that is right most often")
    if "classes" in metrics:
        print(
            f"macro F1 {metrics['classes']['macro']['f1']:.3f}"
            + (f", expected calibration error {metrics['calibration']['ece']:.3f}" if "calibration" in metrics else "")
            + (f", probability on the options {metrics['option_mass']:.1%}" if "option_mass" in metrics else "")
        )
    if "texts" in metrics:
        print("  ".join(f"{name} {value:.1f}" for name, value in metrics["texts"].items()))
    if "position_bias" in metrics:
        show_positions(metrics["position_bias"])
    if "samples" in metrics:
        print(
            "one answer alone: {accuracy_mean:.1%} (standard deviation {accuracy_sd:.1%} over {num_samples})".format(
                **metrics["samples"]
            )
        )
    print(f"protocol {metrics['protocol']}, {metrics['n_invalid']} answers invalid, {metrics['n_too_long']} prompts too long")
    for warning in warnings_of(metrics):
        print(f"note: {warning}")


def show_share(name: str, part: dict) -> None:
    """A line of the table."""
    low, high = part["accuracy_ci95"]
    beside = f"{part['chance']:8.1%} {part['majority_class']['accuracy']:10.1%}" if part["majority_class"] else ""
    print(f"{name[:42]:42} {part['n']:6} {part['accuracy']:8.1%}   {low:6.1%} to {high:6.1%} {beside}".rstrip())


def show_positions(bias: dict) -> None:
    print(
        "answers by position "
        + ", ".join(f"{p:.1%}" for p in bias["answered_by_position"])
        + f"; the same answer in all rotations: {bias['same_answer_in_all']:.1%} of rows"
        + " ({:.1%} to {:.1%})".format(*bias["same_answer_in_all_ci95"])
    )


def signs_of_contamination(found: contamination.Signs) -> list[str]:
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


def warnings_of(metrics: dict) -> list[str]:
    """What makes a score say less than it seems to."""
    found, n = [], metrics["n"]
    if metrics["protocol"] == "letter" and metrics["n_invalid"] > CONSTANT * n:
        found.append("what it would write begins with none of the letters; --protocol generate reads what it writes")
    elif spread := metrics.get("predicted"):
        answer, times = max(spread.items(), key=lambda item: item[1])
        if times > CONSTANT * n:
            found.append(f"one answer, {answer!r}, stands in {times} of {n} predictions; such a score says little of the model")
    if cases := metrics.get("n_cases"):
        found.append(
            f"the {n} rows are of {cases} cases, and rows of one case go together: the intervals here count rows and are too "
            "narrow; scripts/compare.py draws whole cases"
        )
    if tied := metrics.get("n_tied"):
        several, order = "likeliest options (the first counts, as in lm-evaluation-harness)", "order of their options"
        if metrics["protocol"] not in tasks.LIKELIHOOD:
            several, order = "answers given equally often (the first counts)", "order of the answers"
        found.append(
            f"{tied} of {n} rows have several {several}; so {metrics['n_tied_correct']} of them are right by the {order}"
        )
    if metrics.get("n_unfinished", 0) > UNFINISHED * n:
        found.append(
            f"{metrics['n_unfinished']} of {n} answers were cut at {metrics['max_new_tokens']} tokens; raise --max_new_tokens"
        )
    if metrics["protocol"] in tasks.LIKELIHOOD:
        found.append("scored by likelihood: which option is likeliest, not what the model writes; --protocol generate asks it to")
    return found
