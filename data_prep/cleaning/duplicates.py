"""Duplicates, near-duplicates and leaks of evaluation rows into training rows.

Two texts are the same where they are equal after folding case, accents, punctuation and spaces; numbers and the signs
+ - < > ≤ ≥ % are words. They are near where the Jaccard similarity of their character 5-grams reaches a threshold; MinHash
signatures come from rensa (128 permutations), candidates from 16 bands of 8 rows (a pair at 0.8 is found with probability
0.95; at 0.85, 0.994). A near-duplicate is near a row that is kept, and has its `figures`: a chain of small steps erases none.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np

PERMUTATIONS, BANDS = 128, 16
MOST = 500  # kept rows of a band that a row is compared with
GRAM = 13
LONGEST = 20_000  # characters of a text that are looked at

SIGNS = str.maketrans({"≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "−": "-", "–": "-", "‐": "-", "‑": "-"})
PLAIN = SIGNS | {n: None for n in range(0x300, 0x20000) if unicodedata.combining(chr(n))}
# A hyphen is a sign where it is no part of a compound or a dash: "HBsAg-", "-5", "(-)", "Rh -,".
WORDS = re.compile(
    r"\w+(?:(?<=\d)[.,]\d+)*|[<>]=?|[+%]"
    r"|-(?:(?<=\w-)(?!\w)|(?<![\w)\]]-)(?=\d)|(?<=[(\[]-)(?=[)\]])|(?<=\w -)(?=\s*(?:[,;/)\]]|$)))"
)
# What changes a question though it changes hardly a letter: figures, signs, negations, sides.
FIGURES = re.compile(
    r"(?<!\S)(?:[+<>%-]|[<>]=|\S*\d\S*|not?|nao|without|sem|except|exceto|in?correct[ao]?s?|in?corret[ao]s?|true|false|verdadeir[ao]s?|fals[ao]s?"
    r"|left|right|direit[ao]s?|esquerd[ao]s?)(?!\S)"
)


def fold(text: str) -> str:
    """Lower case, no accents, no punctuation but signs, decimal points for commas, single spaces: "pH < 7,35" is "ph < 7.35"."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(PLAIN)
    return " ".join(WORDS.findall(text.casefold())).replace(",", ".")


def figures(folded: str) -> str:
    """The numbers, signs, negations and sides of a folded text, in their order. Texts of other ones are no near-duplicates."""
    return " ".join(FIGURES.findall(folded))


def digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def shingles(folded: str) -> list[str]:
    return [folded[i : i + 5] for i in range(max(1, len(folded) - 4))]


def signatures(folded: list[str]) -> np.ndarray:
    """MinHash signatures of folded texts: uint32, shape (texts, PERMUTATIONS)."""
    import rensa

    sets = [shingles(text[:LONGEST]) for text in folded]
    found = rensa.RMinHash.digests_from_token_sets(sets, PERMUTATIONS, 42)
    return np.asarray(found, dtype=np.uint32).reshape(len(folded), PERMUTATIONS)


def joined_signatures(beginnings: list[str], folded: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Signatures of the beginnings of texts and of the texts: as two calls of `signatures` give, with each shingle hashed once.

    A signature is the least of each hash over the shingles, so that of a whole is the lesser of those of its parts.
    """
    begun = signatures(beginnings)
    apart = np.array([not 5 <= len(part) < LONGEST for part in beginnings])  # one shingle of its own; or the whole text
    rests = [text if alone else text[len(part) - 4 :] for part, text, alone in zip(beginnings, folded, apart, strict=True)]
    cut = [rest[: LONGEST - len(text) + len(rest)] for rest, text in zip(rests, folded, strict=True)]
    others = signatures(cut)
    return begun, np.where(apart[:, None], others, np.minimum(begun, others))


def band_keys(matrix: np.ndarray, band: int) -> np.ndarray:
    """One uint64 a row for a band: rows with equal ones are candidates."""
    width = PERMUTATIONS // BANDS
    part = matrix[:, band * width : (band + 1) * width].astype(np.uint64)
    return _chained(np.zeros(len(matrix), np.uint64), part)


def _chained(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """uint64: each key with the last axis of `values` hashed into it."""
    keys = keys + np.uint64(0xCBF29CE484222325)
    for column in np.moveaxis(values, -1, 0):
        keys = (keys ^ column) * np.uint64(0x100000001B3)
        keys ^= keys >> np.uint64(29)
    return keys


def near_duplicates(matrix: np.ndarray, threshold: float, apart: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
    """For each row the number of the row that stays in its place, -1 for rows that stay.

    Args:
        matrix: signatures. threshold: of estimated Jaccard similarity with a row that stays, not with one left out.
        apart: uint64, one a row: rows of different values (of `figures`, of the right answer) are never each other's.
        order: row numbers in the order in which they are looked at, those to keep first; rows outside it stay out of this.
    """
    order = np.arange(len(matrix)) if order is None else np.asarray(order, int)
    like = np.full(len(matrix), -1)
    if not len(order):
        return like
    # uint64, shape (rows in order, BANDS): the band and what is told apart, in one number.
    keys = np.stack([_mixed(band_keys(matrix, band)[order], apart[order], band) for band in range(BANDS)], 1)
    met = np.zeros(len(order), bool)
    for column in keys.T:
        _, which, counts = np.unique(column, return_inverse=True, return_counts=True)
        met |= counts[which] > 1
    buckets: dict[int, list[int]] = {}
    for at in np.flatnonzero(met):
        mine, row = keys[at].tolist(), order[at]
        kept = np.array(sorted({i for key in mine for i in buckets.get(key, ())[:MOST]}), int)
        near = kept[(matrix[order[kept]] == matrix[row]).mean(1) >= threshold] if len(kept) else kept
        if len(near):
            like[row] = order[near[0]]
        else:
            for key in mine:
                buckets.setdefault(key, []).append(at)
    return like


def _mixed(keys: np.ndarray, apart: np.ndarray, band: int) -> np.ndarray:
    keys = (keys ^ (apart.astype(np.uint64) + np.uint64(band))) * np.uint64(0x9E3779B97F4A7C15)
    return keys ^ (keys >> np.uint64(31))


class Groups:
    """Rows joined to groups, each of which is called by its lowest row number."""

    def __init__(self, number: int):
        self.parent = np.arange(number)

    def find(self, i: int) -> int:
        parent = self.parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(self, pairs: Iterable[tuple[int, int]]) -> None:
        for a, b in pairs:
            a, b = self.find(a), self.find(b)
            if a != b:
                self.parent[max(a, b)] = min(a, b)

    def lowest(self) -> np.ndarray:
        """For each row the lowest row number of its group."""
        return np.array([self.find(i) for i in range(len(self.parent))], int)


def near_pairs(matrix: np.ndarray, threshold: float) -> Iterator[np.ndarray]:
    """Pairs of near rows (estimated Jaccard >= threshold), in blocks: each row of a bucket with the bucket's first and with its
    neighbour; a chain joins the rest."""
    for band in range(BANDS):
        keys = band_keys(matrix, band)
        order = np.argsort(keys, kind="stable")
        equal = keys[order][1:] == keys[order][:-1]
        starts = np.flatnonzero(np.concatenate(([True], ~equal)))
        first = order[np.repeat(starts, np.diff(np.append(starts, len(order))))]
        pairs = np.concatenate([np.stack([a[equal], order[1:][equal]], 1) for a in (order[:-1], first[1:])])
        for at in range(0, len(pairs), 100_000):
            block = pairs[at : at + 100_000]
            yield block[(matrix[block[:, 0]] == matrix[block[:, 1]]).mean(1) >= threshold]


def equal_pairs(values: np.ndarray, most: int = 0) -> np.ndarray:
    """Pairs of the first row of a value and another one. A value of 0 says nothing, nor does one of more than `most` rows."""
    _, first, which, times = np.unique(values, return_index=True, return_inverse=True, return_counts=True)
    few = times <= most if most else np.full(len(times), True)
    firsts, rows = first[which], np.arange(len(values))
    pairs = np.stack([firsts, rows], 1)
    return pairs[(firsts != rows) & few[which] & (values != 0)]


def grams(folded: str) -> list[int]:
    """Runs of GRAM words as numbers that hold within this process."""
    words = folded.split()
    return [hash(tuple(words[i : i + GRAM])) for i in range(len(words) - GRAM + 1)]


class Protected:
    """Evaluation questions that must not be trained on.

    match(...) tells how a training row repeats one: "exact", "13-gram" or "near", and which.
    Args: rows, a list of (id, question, rest) with rest the options or the answer; threshold, of Jaccard similarity; ids, of
    evaluation rows known by their id alone (id -> file:line); keys, of rows that prepare.py wrote (digest of the text, which
    their id ends with -> file:line).
    """

    def __init__(
        self,
        rows: list[tuple[str, str, str]],
        threshold: float,
        ids: dict[str, str] | None = None,
        keys: dict[int, str] | None = None,
    ):
        self.rows, self.threshold, self.ids, self.keys = rows, threshold, ids or {}, keys or {}
        self.folded = [fold(question) for _, question, _ in rows]
        self.exact, self.grams = {}, {}
        self.rests = [frozenset(fold(rest).split()) for _, _, rest in rows]
        often = {}
        for number, text in enumerate(self.folded):
            self.exact.setdefault(text, []).append(number)
            for gram in set(grams(text)):
                often[gram] = often.get(gram, 0) + 1
                self.grams[gram] = number
        # A run of words that several evaluation rows share is their template, no leak.
        self.grams = {gram: number for gram, number in self.grams.items() if often[gram] <= 2}
        self.sets = [frozenset(shingles(text)) for text in self.folded]
        if rows:
            self.matrix = signatures(self.folded)
            # Bands of 3 values find nearly every pair of similarity 0.5 (1 - (1 - 0.5^3)^42 = 0.996).
            self.loose = {}
            for number, keys in enumerate(self._loose_keys(self.matrix).tolist()):
                for key in keys:
                    self.loose.setdefault(key, []).append(number)
            self.known = np.fromiter(sorted(self.loose), np.uint64)

    @staticmethod
    def _loose_keys(matrix: np.ndarray) -> np.ndarray:
        """uint64, shape (rows, PERMUTATIONS // 3): one number for each band, of the band and its three values."""
        parts = matrix[:, : PERMUTATIONS // 3 * 3].reshape(len(matrix), -1, 3).astype(np.uint64)
        return _chained(np.arange(parts.shape[1], dtype=np.uint64), parts)

    def candidates(self, matrix: np.ndarray) -> list[list[int]]:
        """For each signature of a training row's question the evaluation rows that may be near it."""
        if not self.rows:
            return [[] for _ in matrix]
        keys = self._loose_keys(matrix)
        at = np.minimum(np.searchsorted(self.known, keys), len(self.known) - 1)
        hits = self.known[at] == keys
        found = []
        for i, some in enumerate(hits.any(1)):
            numbers = np.array(sorted({n for key in keys[i][hits[i]].tolist() for n in self.loose[key]}) if some else [], int)
            # Below 0.4 nothing is a leak; an estimate from 128 values is off by more than 0.15 once in 2,000 times.
            found.append(numbers[(self.matrix[numbers] == matrix[i]).mean(1) >= 0.25].tolist() if some else [])
        return found

    def _alike(self, rest: frozenset, number: int) -> float:
        """Share of words that the options (or answers) of two rows have in common; 1 where neither has any."""
        theirs = self.rests[number]
        return len(rest & theirs) / len(rest | theirs) if rest or theirs else 1.0

    def by_id(self, raw: dict) -> tuple[str, str, float] | None:
        """("id", file:line of the evaluation row, 1.0) for a raw row that bears a protected id, or None."""
        found = next((self.ids[v] for v in (str(raw.get(k)) for k in ("_key", "id", "pmid")) if v in self.ids), None)
        return ("id", found, 1.0) if found else None

    def by_key(self, key: int) -> tuple[str, str, float] | None:
        """("exact", file:line of the evaluation row, 1.0) for a row of the same digest, or None."""
        return ("exact", self.keys[key], 1.0) if key in self.keys else None

    def match(self, text: str, rest: str, candidates: list[int]) -> tuple[str, int, float] | None:
        """How a row leaks and which evaluation row: (kind, number, similarity), or None. `text` is its question, folded;
        `candidates` as above.

        "Which of the following is true?" stands in hundreds of exams: a question of under 6 words leaks only where its
        options are alike too. Where they are, a lower similarity of the questions is enough.
        """
        long = len(text.split()) >= 6
        words = frozenset(fold(rest).split()) if candidates or text in self.exact else frozenset()
        for number in self.exact.get(text, ()):
            if long or self._alike(words, number) >= 0.4:
                return "exact", number, 1.0
        for gram in grams(text):
            if gram in self.grams:
                return "13-gram", self.grams[gram], 0.0
        mine = frozenset(shingles(text)) if candidates else frozenset()
        for number in candidates:
            similarity = len(mine & self.sets[number]) / len(mine | self.sets[number])
            enough = self.threshold if long and len(self.folded[number].split()) >= 6 else 1.1
            if similarity >= enough or (similarity >= 0.4 and self._alike(words, number) >= 0.6 and (words or long)):
                return "near", number, round(similarity, 3)
        return None
