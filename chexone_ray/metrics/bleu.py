"""BLEU (Papineni et al. 2002) as a function of summable counts, in 0-1.

`bleu_counts` gives what one pair adds; `bleu_value` maps summed counts to the score. Summed over
all pairs it is corpus BLEU, of one pair by itself sentence BLEU; those averaged are another number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from chexone_ray.metrics.ngrams import ngrams, shared
from chexone_ray.metrics.summable import Array

Smoothing = Literal["none", "epsilon", "exp", "method1", "add-k"]

ORDER = 4
"""The longest n-grams that are counted."""
WIDTH = 2 * ORDER + 2
"""Columns of the counts: clipped matches of 1 to 4 words, n-grams of 1 to 4 words in the
prediction, words of the prediction, words of the closest reference."""
_TINY, _SMALL = 1e-15, 1e-9
_METHOD1 = 0.1


def bleu_counts(predicted: Sequence[str], references: Sequence[Sequence[str]]) -> list[int]:
    """The `WIDTH` counts of one prediction, as tokens, against one or more references.

    With several, an n-gram is matched as often as in the reference that has it most often, and the
    length is that of the reference closest in length, the shorter one of two. ValueError without a
    reference.
    """
    if not references:
        raise ValueError("BLEU needs at least one reference: got none")
    said = len(predicted)
    matches = [0] * ORDER
    for n in range(1, min(ORDER, said) + 1):
        wanted = ngrams(references[0], n)
        for reference in references[1:]:
            wanted |= ngrams(reference, n)
        matches[n - 1] = shared(ngrams(predicted, n), wanted)
        if not matches[n - 1]:
            break  # nothing shorter is shared, so nothing longer is
    totals = [max(said - n, 0) for n in range(ORDER)]
    closest = min((len(reference) for reference in references), key=lambda m: (abs(m - said), m))
    return [*matches, *totals, said, closest]


def bleu_value(
    sums: Array,
    n: int = ORDER,
    smooth: Smoothing = "none",
    *,
    effective_order: bool = False,
    k: float = 1.0,
) -> Array:
    """BLEU-n of counts (..., WIDTH) -> (...); 0 where no word is shared, also for empty texts.

    `smooth`, which decides what a precision without a match is:
      none     0, and so BLEU is 0.
      epsilon  COCO-caption's: 1e-15 over 1e-9 more n-grams, also where there are matches.
      exp      sacrebleu's default: 1/2, 1/4, ... matches, halved at every order without one.
      method1  nltk's and fast_bleu's: 0.1 matches.
      add-k    `k` matches and n-grams more from two words on (Lin and Och 2004).
    `effective_order` leaves out orders longer than the prediction, as sacrebleu's sentence BLEU.
    """
    if sums.shape[-1] != WIDTH or not 1 <= n <= ORDER:
        raise ValueError(
            f"BLEU-{n} of {sums.shape[-1]} counts: wanted {WIDTH}, n from 1 to {ORDER}"
        )
    matches, totals = sums[..., :n], sums[..., ORDER : ORDER + n]
    said, meant = sums[..., -2], sums[..., -1]
    if smooth == "epsilon":
        precisions = (matches + _TINY) / (totals + _SMALL)
        score = np.prod(precisions, axis=-1) ** (1 / n)
        ratio = (said + _TINY) / (meant + _SMALL)
        return np.where(matches[..., 0] > 0, score * np.exp(np.minimum(0, 1 - 1 / ratio)), 0.0)
    precisions = _precisions(matches, totals, smooth, k)
    counted = totals > 0 if effective_order else np.ones_like(totals, dtype=bool)
    if effective_order and smooth == "add-k":
        counted = np.ones_like(counted)  # with k added no order is without n-grams
    with np.errstate(divide="ignore"):
        logs = np.where(counted, np.log(precisions), 0.0).sum(axis=-1)
    mean = logs / np.maximum(counted.sum(axis=-1), 1)
    brevity = np.minimum(0, 1 - meant / np.maximum(said, 1))
    return np.where(matches[..., 0] > 0, np.exp(mean + brevity), 0.0)


def _precisions(matches: Array, totals: Array, smooth: Smoothing, k: float) -> Array:
    """Smoothed share of matches of every order, 0 where there are neither n-grams nor smoothing."""
    if smooth == "add-k":
        added = np.where(np.arange(matches.shape[-1]) > 0, k, 0.0)
        matches, totals = matches + added, totals + added
    elif smooth == "exp":
        missed = (matches == 0) & (totals > 0)
        matches = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), matches)
    elif smooth == "method1":
        matches = np.where(matches == 0, _METHOD1, matches)
    return matches / np.maximum(totals, 1)
