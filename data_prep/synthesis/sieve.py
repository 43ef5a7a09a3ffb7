"""The filter's stages in their order, each refusal kept with its stage and reason."""

from collections.abc import Callable
from typing import NamedTuple

from data_prep.synthesis import checks
from data_prep.synthesis.candidates import Candidate, Reject
from data_prep.synthesis.inputs import asked_of, read_jsonl

UNCHECKED = "budget"


def content_of(candidate: Candidate) -> dict:
    parts = ("question", "options", "answer", "reasoning", "turns", "evidence")
    return {name: getattr(candidate, name) for name in parts if getattr(candidate, name)}


def leak_check(eval_files: list[str], threshold: float):
    """Function: candidates -> how each leaks a protected row, or ""."""
    from data_prep.cleaning.duplicates import Protected, fold, signatures

    rows = [(f"{path}:{n}", *asked_of(row)) for path in eval_files for n, row in enumerate(read_jsonl(path), 1)]
    protected = Protected([row for row in rows if row[1].strip()], threshold)

    def reasons(candidates: list[Candidate]) -> list[str]:
        if not rows or not candidates:
            return [""] * len(candidates)
        asked = [fold(c.asked()) for c in candidates]
        found = []
        for candidate, text, numbers in zip(candidates, asked, protected.candidates(signatures(asked)), strict=True):
            rest = " | ".join(sorted(candidate.options.values())) or candidate.said()
            hit = protected.match(text, rest, numbers)
            found.append(f"repeats an evaluation row ({hit[0]})" if hit else "")
        return found

    return reasons


def duplicate_reasons(candidates: list[Candidate]) -> list[str]:
    from data_prep.cleaning.duplicates import fold

    seen, found = set(), []
    for candidate in candidates:
        key = (candidate.kind, fold(candidate.asked()))
        found.append("asks what an earlier one asks" if key in seen else "")
        seen.add(key)
    return found


def near_reasons(candidates: list[Candidate], seeds: list[str], threshold: float) -> list[str]:
    """Of questions that are near one another the first of each kind stays; none may be near a seed."""
    from data_prep.cleaning.duplicates import Groups, fold, near_pairs, signatures

    if not candidates:
        return []
    matrix = signatures([fold(t) for t in [*seeds, *(c.asked() for c in candidates)]])
    groups = Groups(len(matrix))
    for pairs in near_pairs(matrix, threshold):
        groups.join(pairs)
    first, found = {}, []
    for candidate, group in zip(candidates, groups.lowest()[len(seeds) :].tolist(), strict=True):
        if group < len(seeds):
            found.append("like a seed question")
        else:
            found.append("like an earlier one" if (candidate.kind, group) in first else "")
            first.setdefault((candidate.kind, group), candidate)
    return found


class Settings(NamedTuple):
    """What the filter needs beside the candidates."""

    asker: checks.Asker
    leaks: Callable[[list[Candidate]], list[str]]
    seeds: list[str]
    near_threshold: float


def filtered(
    settings: Settings, candidates: list[Candidate], rejects: list[Reject]
) -> tuple[list[Candidate], list[tuple[str, int]]]:
    """The candidates that hold, and the funnel: (stage, how many are left after it). Refusals go to `rejects`."""
    asker, funnel = settings.asker, [("of good form", len(candidates))]

    def stage(name: str, shown: str, left: list[Candidate], reasons: list[str | None]) -> list[Candidate]:
        """Those without a reason; None stands for what the budget left unchecked, which is not kept."""
        kept = []
        for candidate, reason in zip(left, reasons, strict=True):
            if reason == "":
                kept.append(candidate)
                continue
            why = (name, reason) if reason else (UNCHECKED, "not checked: the budget of tokens was spent")
            where = candidate.passage.id if candidate.passage else ""
            rejects.append(Reject(*why, candidate.kind, where, content_of(candidate)))
        funnel.append((shown, len(kept)))
        return kept

    left = stage("language", "in the passage's language", candidates, [checks.language(c) for c in candidates])
    left = stage("grounding", "grounded in the passage", left, [checks.grounding(c) if c.passage else "" for c in left])
    left = stage("personal data", "without personal data", left, [checks.personal(c) for c in left])
    left = stage("leak", "no evaluation row", left, settings.leaks(left))
    left = stage("duplicate", "not asked before", left, duplicate_reasons(left))
    ask = asker.caller.map
    left = stage("self-consistency", "self-consistent", left, ask(lambda c: checks.consistency(asker, c), left))
    shown = "not too easy" if asker.base else "not too easy (not checked: no --base)"
    left = stage("too easy", shown, left, ask(lambda c: checks.too_easy(asker, c), left))
    left = stage("near-duplicate", "kept", left, near_reasons(left, settings.seeds, settings.near_threshold))
    return left, funnel
