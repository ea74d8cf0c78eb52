"""CIDEr-D (Vedantam et al. 2015) as in COCO-caption: n-grams weighed by how rare they are.

The rarity comes from the references that are scored with: another subset of the test set gives
another score to the same pair, so it is no sum over pairs and two sets are never to be compared.
Usual scale, 0-10; with the references of one pair only every weight, and so the score, is 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from chexone_ray.metrics.ngrams import Ngrams, ngrams
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array

ORDER = 4
SIGMA = 6.0
"""Spread of the penalty on another length, in words."""
SIGNATURE = signature("CIDEr-D", n=ORDER, sigma=SIGMA, tok="ptb", idf="these-references", scale=10)
"""Of `cider` on tokens of `tokenise.ptb`."""
_Vector = dict[tuple[str, ...], float]


def cider(
    predictions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> Array:
    """CIDEr-D of N predictions, each with its references, all as tokens -> (N,).

    ValueError where a prediction has no reference.
    """
    counted = [[_count(one) for one in several] for several in references]
    if len(counted) != len(predictions) or not all(counted):
        raise ValueError(f"{len(predictions)} predictions need references: got {len(counted)}")
    documents: Ngrams = Counter()
    for several in counted:
        documents.update({gram for one in several for orders in one for gram in orders})
    top = math.log(len(counted)) if counted else 0.0
    idf = {gram: top - math.log(number) for gram, number in documents.items()}
    scores = np.zeros(len(predictions))
    for at, (prediction, several) in enumerate(zip(predictions, counted, strict=True)):
        said = _count(prediction)
        scores[at] = sum(_similar(said, meant, idf, top) for meant in several) / len(several)
    return 10 * scores


def _count(tokens: Sequence[str]) -> list[Ngrams]:
    return [ngrams(tokens, n) for n in range(1, ORDER + 1)]


def _similar(said: list[Ngrams], meant: list[Ngrams], idf: _Vector, top: float) -> float:
    """Mean over the orders of the cosine clipped to the reference, less for another length."""
    apart = said[1].total() - meant[1].total()  # COCO-caption's lengths are counts of word pairs
    total = 0.0
    for ours, theirs in zip(said, meant, strict=True):
        a = {gram: number * idf.get(gram, top) for gram, number in ours.items()}
        b = {gram: number * idf[gram] for gram, number in theirs.items()}
        size = math.hypot(*a.values()) * math.hypot(*b.values())
        if size:
            total += sum(min(a[gram], b[gram]) * b[gram] for gram in a.keys() & b.keys()) / size
    return total / ORDER * math.exp(-(apart**2) / (2 * SIGMA**2))
