"""What two sequences of words have in common: runs of n words, and the longest subsequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

Ngrams: TypeAlias = "Counter[tuple[str, ...]]"


def ngrams(tokens: Sequence[str], n: int) -> Ngrams:
    """How often each run of `n` words occurs."""
    return Counter(zip(*(tokens[start:] for start in range(n)), strict=False))


def shared(a: Ngrams, b: Ngrams) -> int:
    """N-grams in common, each counted as often as it is in both."""
    return sum([min(a[gram], b[gram]) for gram in a.keys() & b.keys()])


def common_length(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, one row of the table a step held in the bits of an
    integer (Hyyro 2004): the reward runs for every completion of a rollout."""
    places: dict[str, int] = {}
    for at, word in enumerate(a):
        places[word] = places.get(word, 0) | (1 << at)
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        hits = row & places.get(word, 0)
        row = ((row + hits) | (row - hits)) & full
    return len(a) - row.bit_count()
