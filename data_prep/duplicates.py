"""Duplicates, near-duplicates and leaks of evaluation rows into training rows.

Two texts are the same where they are equal after folding case, accents, punctuation and spaces. They are near where the
Jaccard similarity of their character 5-grams reaches a threshold; MinHash signatures come from rensa (128 permutations),
candidates from 16 bands of 8 rows (a pair at 0.8 is found with probability 0.95; at 0.85, 0.994).
"""

import hashlib
import re
import unicodedata

import numpy as np

PERMUTATIONS, BANDS = 128, 16
GRAM = 13


def fold(text: str) -> str:
    """Lower case, no accents, no punctuation, single spaces."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", text.casefold()))


def digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def shingles(folded: str) -> list[str]:
    return [folded[i:i + 5] for i in range(max(1, len(folded) - 4))]


def signatures(folded: list[str]) -> np.ndarray:
    """MinHash signatures of folded texts: uint32, shape (texts, PERMUTATIONS)."""
    import rensa

    sets = [shingles(text[:20_000]) for text in folded]
    found = rensa.RMinHash.digests_from_token_sets(sets, PERMUTATIONS, 42)
    return np.asarray(found, dtype=np.uint32).reshape(len(folded), PERMUTATIONS)


def band_keys(matrix: np.ndarray, band: int) -> np.ndarray:
    """One uint64 a row for a band: rows with equal ones are candidates."""
    width = PERMUTATIONS // BANDS
    part = matrix[:, band * width:(band + 1) * width].astype(np.uint64)
    key = np.full(len(matrix), np.uint64(0xCBF29CE484222325))
    for column in part.T:
        key = (key ^ column) * np.uint64(0x100000001B3)
        key ^= key >> np.uint64(29)
    return key


def near_groups(matrix: np.ndarray, threshold: float, same: np.ndarray | None = None) -> np.ndarray:
    """For each row the lowest row number of its group; near pairs (estimated Jaccard >= threshold) share a group.

    `same`, one uint64 a row, joins rows of equal value as well (the same question with another answer).
    """
    parent = np.arange(len(matrix))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for band in range(BANDS if same is None else BANDS + 1):
        keys = same if band == BANDS else band_keys(matrix, band)
        order = np.argsort(keys, kind="stable")
        equal = keys[order][1:] == keys[order][:-1]
        # Each row of a bucket is compared with the bucket's first and with its neighbour: a chain joins the rest.
        starts = np.flatnonzero(np.concatenate(([True], ~equal)))
        first = order[np.repeat(starts, np.diff(np.append(starts, len(order))))]
        pairs = np.concatenate([np.stack([a[equal], order[1:][equal]], 1) for a in (order[:-1], first[1:])])
        for at in range(0, len(pairs), 100_000):
            block = pairs[at:at + 100_000]
            close = np.full(len(block), True) if band == BANDS else (matrix[block[:, 0]] == matrix[block[:, 1]]).mean(1) >= threshold
            for a, b in block[close]:
                a, b = find(a), find(b)
                if a != b:
                    parent[max(a, b)] = min(a, b)
    return np.array([find(i) for i in range(len(parent))])


def grams(folded: str) -> list[int]:
    words = folded.split()
    return [digest(" ".join(words[i:i + GRAM])) for i in range(len(words) - GRAM + 1)]


class Protected:
    """Evaluation questions that must not be trained on.

    match(question, rest) tells how a training row repeats one: "exact", "13-gram" or "near", and which.
    Args: rows, a list of (id, question, rest) with rest the options or the answer; threshold, of Jaccard similarity.
    """

    def __init__(self, rows: list[tuple[str, str, str]], threshold: float):
        self.rows, self.threshold = rows, threshold
        self.folded = [fold(question) for _, question, _ in rows]
        self.exact, self.grams, self.buckets = {}, {}, [{} for _ in range(BANDS)]
        often = {}
        for number, text in enumerate(self.folded):
            self.exact.setdefault(self._exact_key(text, rows[number][2]), number)
            for gram in set(grams(text)):
                often[gram] = often.get(gram, 0) + 1
                self.grams[gram] = number
        # A run of words that several evaluation rows share is their template, no leak.
        self.grams = {gram: number for gram, number in self.grams.items() if often[gram] <= 2}
        self.sets = [frozenset(shingles(text)) for text in self.folded]
        if rows:
            matrix = signatures(self.folded)
            for band in range(BANDS):
                for number, key in enumerate(band_keys(matrix, band)):
                    self.buckets[band].setdefault(int(key), []).append(number)
            # Looser bands (2 values each) find pairs of lower similarity among few texts.
            self.loose = {}
            for number, row in enumerate(matrix):
                for at in range(0, PERMUTATIONS, 4):
                    self.loose.setdefault((at, *row[at:at + 4].tolist()), []).append(number)

    def _exact_key(self, folded: str, rest: str) -> str:
        # "Which of the following is true?" stands in hundreds of exams: a short question leaks only with its options.
        return folded if len(folded.split()) >= 6 else f"{folded} | {' '.join(sorted(fold(rest).split()))}"

    def match(self, question: str, rest: str, signature: np.ndarray | None = None, whole: str = "") -> tuple[str, int, float] | None:
        """How a row leaks and which evaluation row: (kind, number, similarity), or None."""
        text = fold(question)
        number = self.exact.get(self._exact_key(text, rest))
        if number is not None:
            return "exact", number, 1.0
        for gram in grams(fold(whole) if whole else text):
            if gram in self.grams:
                return "13-gram", self.grams[gram], 0.0
        if signature is not None and len(text.split()) >= 4:
            candidates = {n for at in range(0, PERMUTATIONS, 4) for n in self.loose.get((at, *signature[at:at + 4].tolist()), ())}
            mine = frozenset(shingles(text))
            best = max(((len(mine & self.sets[n]) / len(mine | self.sets[n]), n) for n in sorted(candidates)), default=(0, 0))
            short = len(text.split()) < 6 or len(self.folded[best[1]].split()) < 6
            if best[0] >= self.threshold and not short:
                return "near", best[1], round(best[0], 3)
        return None
