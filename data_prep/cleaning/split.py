"""Which split a row falls into, and which rows are chosen: by hash, so that it stays where it is when rows are added."""

import collections
import hashlib
import math

import numpy as np

SPLITS = ("train", "validation", "test")


def hashed(text: str, seed: int) -> float:
    """A number from 0 to 1 that hangs on the text and the seed alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{text}".encode()).digest()[:8]) / 2**64


PULL = 0.05


def stratified(places: list[float], topics: list, sizes: list[int], test: float, validation: float) -> list[str]:
    """The split of each group of rows, in the order in which they came in: by its place (a hash, 0 to 1), so that it stays where
    it is when rows are appended, and with the asked shares in each topic.

    Each topic's threshold leans, by PULL a row, towards what the topic still lacks: its share ends within four rows of what
    was asked, whatever its size. A row inserted before others, or taken away, moves a few in a hundred of those of its topic.
    """
    splits, lacks = [], collections.defaultdict(lambda: [0.0, 0.0])
    for place, topic, size in zip(places, topics, sizes, strict=True):
        lack = lacks[topic]
        edge = test + PULL * lack[0] if 0 < test < 1 else test
        width = validation + PULL * lack[1] if 0 < validation < 1 else validation
        split = "test" if place < edge else "validation" if place < max(edge, 0) + width else "train"
        if test + validation == 1 and split == "train":
            split = "validation" if validation else "test"
        lack[0] += size * (test - (split == "test"))
        lack[1] += size * (validation - (split == "validation"))
        splits.append(split)
    return splits


def quality(question: str, answer: str) -> float:
    """A plain score of a training row, 0 to 1: a full, varied, finished answer to a question that is one.

    Mean of: answer length (log scale, full at 120 words), share of different words in its first 100, ends like a sentence,
    question of 5 words or more, no personal data marks.
    """
    words = answer.split()
    varied = len({w.casefold() for w in words[:100]}) / max(1, len(words[:100]))
    length = min(1.0, math.log1p(len(words)) / math.log1p(120))
    ends = answer.rstrip().endswith((".", "!", "?", ")", "]", ":", '"', "”")) or len(words) < 4
    return (length + varied + ends + (len(question.split()) >= 5) + ("[" not in answer)) / 5


def cap(order: np.ndarray, groups: np.ndarray, most: int) -> np.ndarray:
    """The rows of `order` that exceed `most` in their group."""
    seen, over = collections.Counter(), []
    for i in order:
        seen[groups[i]] += 1
        if seen[groups[i]] > most:
            over.append(i)
    return np.array(over, dtype=int)


def select(order: np.ndarray, scores: np.ndarray, groups: np.ndarray, matrix: np.ndarray, number: int) -> np.ndarray:
    """`number` rows of high quality that differ: best first, in turn from each topic, none with an estimated Jaccard
    similarity of 0.5 or more to one chosen before (where too few differ that much, the best of the rest fill up)."""
    queues = collections.defaultdict(list)
    for i in sorted(order, key=lambda i: -scores[i]):
        queues[groups[i]].append(i)
    queues = {g: collections.deque(q[: max(20 * number // len(queues), 50)]) for g, q in sorted(queues.items())}
    chosen, near = [], []
    while len(chosen) < number and any(queues.values()):
        for queue in queues.values():
            while queue and len(chosen) < number:
                i = queue.popleft()
                if chosen and (matrix[chosen] == matrix[i]).mean(1).max() >= 0.5:
                    near.append(i)
                    continue
                chosen.append(i)
                break
    return np.array(chosen + near[: number - len(chosen)], dtype=int)
