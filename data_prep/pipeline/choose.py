"""Which of the stored rows are written, in which order, and into which split: near-duplicates, caps, selection, splits."""

import collections

import numpy as np

from data_prep.cleaning.duplicates import Groups, digest, equal_pairs, near_duplicates, near_pairs
from data_prep.cleaning.split import cap, hashed, select, stratified
from data_prep.common.errors import UserError
from data_prep.pipeline.gather import RANK, Rows, leave_out
from data_prep.pipeline.options import Args
from data_prep.pipeline.tally import Tally


def leave_out_near_duplicates(rows: Rows, args: Args, tally: Tally) -> None:
    """Of near-duplicates that also answer alike the first stays; twins with another answer only share a split (`family`)."""
    if not len(rows.keys):
        return
    groups = Groups(len(rows.keys))
    if args.near_duplicates != "off":
        if args.near_duplicates == "drop":
            like = _like_earlier(rows, args.near_threshold)
            leave_out(rows, tally, like, "near-duplicate", lambda i: "like {1}:{2}".format(*rows.store.get(like[i])[1]))
        for pairs in near_pairs(rows.matrix, args.near_threshold):
            groups.join(pairs)
    groups.join(equal_pairs(rows.questions))  # the same question with another answer may not straddle a split in any case
    groups.join(equal_pairs(rows.openings, MOST_ALIKE))
    rows.family = groups.lowest()
    tally.clock.mark("near-duplicates")


MOST_ALIKE = 100  # conversations with one first exchange; where there are more of them it is a formula


def _like_earlier(rows: Rows, threshold: float) -> dict[int, int]:
    """Row -> the row that stays in its place: the first, of those to measure with where the file has its own splits."""
    pairs = np.isin(rows.kinds, ("preference", "graded"))  # two answers to one question are what such rows are for
    keyed = np.isin(rows.kinds, ("mcq", "classification"))
    apart = rows.figures ^ np.where(keyed, rows.answers, np.uint64(digest("any answer")))
    order = np.flatnonzero(rows.alive & ~pairs)
    ranks = np.array([RANK[str(split)] for split in rows.splits[order]], int)
    order = order[np.argsort(-ranks, kind="stable")]  # stable: in the order read among equals
    like = near_duplicates(rows.matrix, threshold, apart, order)
    return {int(i): int(like[i]) for i in np.flatnonzero(like >= 0)}


def choose(rows: Rows, args: Args, tally: Tally) -> tuple[np.ndarray, dict]:
    """(row numbers in the order in which they are written, by hash, after caps and selection; what the selection did)."""
    place = np.array([hashed(f"{k:016x}", args.seed) for k in rows.keys])
    order = np.argsort(place, kind="stable")
    order = order[rows.alive[order]]
    for most in (args.max_per_label, args.max_per_topic):
        if most:
            over = cap(order, rows.groups, most)
            leave_out(
                rows, tally, over, "over the cap", lambda i, m=most: f"more than {m} rows of {rows.names[rows.groups[i]]!r}"
            )
            order = order[rows.alive[order]]
    picked: dict = {}
    if args.select and args.select < len(order):
        chosen = set(select(order, rows.scores, rows.groups, rows.matrix, args.select).tolist())
        picked = {
            "of": len(order),
            "scored on": "the mean of answer length, varied words, finished sentence, full question, no personal data; "
            "in turn from each topic, none like one chosen before",
            "mean_quality_all": round(float(rows.scores[order].mean()), 4),
            "mean_quality_chosen": round(float(rows.scores[sorted(chosen)].mean()), 4),
        }
        rest = [i for i in order if i not in chosen]
        leave_out(rows, tally, rest, "not selected", lambda i: f"quality {rows.scores[i]:.3f}, not among the {args.select}")
        order = order[rows.alive[order]]
    present = present_groups(rows, order)
    if len(order) and (missing := [label for label in args.labels if label not in present]):
        raise UserError(f"labels: no row has {', '.join(map(repr, missing))}")
    tally.clock.mark("choosing")
    return order, picked


def present_groups(rows: Rows, order: np.ndarray) -> list[str]:
    """Topics or labels of the rows, sorted."""
    return sorted({rows.names[g] for g in set(rows.groups[order].tolist())})


def splits_of(rows: Rows, order: np.ndarray, args: Args) -> dict[int, str]:
    """Split of every row: the file's own, else by family, in the order in which they came in, in the asked shares of each topic.

    A row without a split of its own goes where its family was put by the file; so no question straddles through our doing.
    """
    own = {i: str(rows.splits[i]) for i in order.tolist() if rows.splits[i]}
    put: dict[int, str] = {}
    for i, split in own.items():
        root = int(rows.family[i])
        if RANK[split] >= RANK[put.get(root, "")]:
            put[root] = split
    free = [i for i in order.tolist() if i not in own]
    sizes = collections.Counter(int(rows.family[i]) for i in free if int(rows.family[i]) not in put)
    roots = sorted(sizes)
    places = [hashed(f"{rows.keys[i]:016x}", args.seed + 1) for i in roots]
    topics = [int(rows.groups[i]) for i in roots]
    found = stratified(places, topics, [sizes[i] for i in roots], args.test_size, args.validation_size)
    put |= dict(zip(roots, found, strict=True))
    return own | {i: put[int(rows.family[i])] for i in free}
