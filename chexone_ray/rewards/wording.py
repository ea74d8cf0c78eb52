"""Whether a text is said once and in sentences: factors against a report that is repeated and
against its words in any order. Pure and deterministic.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from chexone_ray.metrics.factuality import repetition
from chexone_ray.metrics.tokens import words

REPEATED = 0.75
"""What a text that only repeats itself loses."""
SALAD = 0.7
"""What words of the reference in no order of it lose."""
FEW = 8
"""Fewer shared different words than that are no salad: "Cardiomegaly. Left effusion."."""
_BORROWED = (0.5, 0.8)
"""Shares of the answer's words that the reference holds, between which the loss grows to all."""
_PAIRED = (0.12, 0.3)
"""Shares of the borrowed words that follow each other as in the reference, between which it ends.
Sentences that change places keep nearly all, a shuffled report has below 0.1."""


def said_once(answer: str, reference: str) -> float:
    """1 - `REPEATED` x the four-word runs of the answer that came before, beyond their share in
    the reference."""
    distinct, usual = 1.0 - _repeated(answer), 1.0 - _repeated(reference)
    return 1.0 - REPEATED * (1.0 - min(distinct / usual, 1.0))


def in_order(answer: str, reference: str) -> float:
    """1 - `SALAD` for the words of the reference in another order; 1 for other words, or where
    pairs of them follow each other as in the reference."""
    (said, said_pairs), (meant, meant_pairs) = _sets(answer), _sets(reference)
    shared = len(said & meant)
    if shared < FEW:
        return 1.0
    borrowed = shared / len(said)
    paired = len(said_pairs & meant_pairs) / (shared - 1)
    return 1.0 - SALAD * _ramp(borrowed, *_BORROWED) * (1.0 - _ramp(paired, *_PAIRED))


@lru_cache(maxsize=4_096)
def _sets(text: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Different words, and different pairs of words that follow each other."""
    said = words(text)
    return frozenset(said), frozenset(pairwise(said))


@lru_cache(maxsize=4_096)
def _repeated(text: str) -> float:
    return repetition(text)


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
