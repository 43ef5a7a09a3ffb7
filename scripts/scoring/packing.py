"""A batch of prompts with all their options as one forward pass: its size, ids, positions and the tree mask. For engines.py."""

import itertools
from typing import Any, NamedTuple

LEAST_PREFIX = 8  # tokens; a shorter common beginning is not worth a cache
BATCH_TOKENS = 2048  # a forward pass on a processor: larger ones are no quicker there (RESULTS-scoring.md)
MOST_TOKENS = 1 << 16


class Packed(NamedTuple):
    """Tensors of (rows, width): prompts end at the same place, their options follow one after the other."""

    ids: Any
    positions: Any
    seen: Any
    """bool (rows, width, shared + width): which tokens each token sees"""
    spots: list[list[list[int]]]
    """for each row and option the places, among the last `kept`, whose logits tell its tokens"""
    kept: int


def pack(requests: list[tuple[list[int], list[list[int]]]], shared: int) -> Packed:
    """Pack (prompt, options) pairs; `shared` tokens before every prompt are in a cache. An option sees the prompt and itself."""
    import torch

    trees = [[option[:-1] for option in options] for _, options in requests]
    width, depth = max(len(prompt) for prompt, _ in requests), max(sum(map(len, tree)) for tree in trees)
    shape = (len(requests), width + depth)
    ids, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    seen = torch.zeros((len(requests), width + depth, shared + width + depth), dtype=torch.bool)
    seen[:, :, :shared] = True
    own = torch.arange(width + depth)
    seen[:, own, shared + own] = True  # a padded token sees itself: nothing at all would give NaN
    where = []
    for i, ((prompt, _), tree) in enumerate(zip(requests, trees, strict=True)):
        first = width - len(prompt)
        ids[i, first:width] = torch.tensor(prompt)
        positions[i, first:width] = torch.arange(len(prompt)) + shared
        block = slice(shared + first, shared + width)
        seen[i, first:width, block] = torch.ones(len(prompt), len(prompt)).tril().bool()
        at, spots = width, []
        for fed in tree:
            here = slice(at, at + len(fed))
            if fed:
                ids[i, here] = torch.tensor(fed)
                positions[i, here] = torch.arange(len(fed)) + shared + len(prompt)
                seen[i, here, block] = True
                seen[i, here, shared + at : shared + at + len(fed)] = torch.ones(len(fed), len(fed)).tril().bool()
            spots.append([0, *range(at - width + 1, at - width + 1 + len(fed))])
            at += len(fed)
        where.append(spots)
    return Packed(ids, positions, seen, where, depth + 1)


def shared_beginning(prompts: list[list[int]]) -> list[int]:
    """What all prompts begin with, short of a whole prompt; nothing where it is too short to be worth a cache."""
    lowest, highest = min(prompts), max(prompts)  # what these two share, all share
    equal = itertools.takewhile(lambda two: two[0] == two[1], zip(lowest, highest, strict=False))
    found = [token for token, _ in equal][: min(map(len, prompts)) - 1]
    return found if len(prompts) > 1 and len(found) >= LEAST_PREFIX else []


def tokens_that_fit(config, free: float) -> int:
    """Tokens of prompts and options that so many bytes take through a model in 16 bits, BATCH_TOKENS at least.

    A token's keys and values, which a shared beginning is copied into once more; a layer's activations; and float32 logits
    at one position in eight, where options are looked at. A guess with room: a batch that is too much is taken in halves.
    """
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    keys = 2 * 2 * (getattr(config, "num_key_value_heads", None) or config.num_attention_heads) * width * config.num_hidden_layers
    layer = 2 * (3 * config.intermediate_size + 8 * config.hidden_size)
    logits = 2 * 4 * config.vocab_size / 8
    return max(BATCH_TOKENS, min(MOST_TOKENS, int(free / (2 * keys + layer + logits))))
