"""ROUGE (Lin 2004): n-grams and the longest common subsequence of words, as F scores in 0-1.

On tokens, so that stemming and tokenisation are the caller's: with `tokenise.rouge` and, for its
stemmer, `tokenise.stemmed` the numbers are those of `rouge-score`.
"""

from __future__ import annotations

from collections.abc import Sequence

from chexone_ray.metrics.ngrams import common_length, ngrams, shared

COCO_BETA = 1.2
"""The weight that COCO-caption gives the recall."""


def rouge_n(predicted: Sequence[str], reference: Sequence[str], n: int, beta: float = 1.0) -> float:
    """F of the n-grams in common, each counted as often as it is in both; 0 where none is."""
    common = shared(ngrams(predicted, n), ngrams(reference, n))
    return f_score(common, len(predicted) - n + 1, len(reference) - n + 1, beta)


def rouge_l(predicted: Sequence[str], reference: Sequence[str], beta: float = 1.0) -> float:
    """F of the longest common subsequence of the two whole texts; 0 where one is empty."""
    return f_score(common_length(predicted, reference), len(predicted), len(reference), beta)


def f_score(common: int, said: int, meant: int, beta: float = 1.0) -> float:
    """F of `common` items among those `said` and those `meant`; beta over 1 leans to recall."""
    return _f(common / said, common / meant, beta) if common else 0.0


def _f(precision: float, recall: float, beta: float) -> float:
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
