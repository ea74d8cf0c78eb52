"""F1 over sets of labels, as summed counts and as a mean over rows; for report labels and options.

Statistics of a row are (true positives, false positives, false negatives) of each label, flat, so
S = 3L. The four averages are those of scikit-learn's `f1_score`:

- macro: mean of the labels' F1.
- micro: F1 of the counts of all labels together.
- weighted: mean of the labels' F1, each weighing as often as the reference has it.
- samples: mean over rows of the F1 of the row's two sets; `samples_row` with `mean_value`.

An F1 without any true, false or missed positive is 0/0. `zero_division` says what it counts as: 0
(scikit-learn's default), 1, or "skip" for leaving it out of the mean (scikit-learn's NaN).
Published tables mix averages and policies, so both belong in the signature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from math import fsum
from typing import Literal

import numpy as np

from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array

Average = Literal["macro", "micro", "weighted", "samples"]
ZeroDivision = Literal[0, 1, "skip"]
UNANSWERED = "misses, or one false positive"
"""What `unanswered_row` makes of no answer, as signatures say it."""


def counts_row(
    said: AbstractSet[str], meant: AbstractSet[str], labels: Sequence[str]
) -> tuple[float, ...]:
    """(TP, FP, FN) of each label, flat; what is in neither set adds nothing.

    A label outside `labels` is no false positive of any label: a wrong answer that is no class at
    all costs the recall of the right one.
    """
    row: list[float] = []
    for label in labels:
        in_said, in_meant = label in said, label in meant
        row += (in_said and in_meant, in_said and not in_meant, in_meant and not in_said)
    return tuple(map(float, row))


def unanswered_row(meant: AbstractSet[str], labels: Sequence[str]) -> tuple[float, ...]:
    """(TP, FP, FN) of each label, flat, where there is no answer: a miss of each label that is
    meant; where none is, one false positive, spread evenly over the labels, as silence would else
    be right there."""
    held = meant & set(labels)
    share = 0.0 if held else 1 / len(labels)
    return tuple(value for label in labels for value in (0.0, share, float(label in held)))


def pooled_row(row: Sequence[float]) -> tuple[float, float, float]:
    """(TP, FP, FN) of all labels of a row together; the shares of one false positive are 1."""
    return fsum(row[::3]), fsum(row[1::3]), fsum(row[2::3])


def samples_row(
    said: AbstractSet[str],
    meant: AbstractSet[str],
    labels: Sequence[str],
    zero_division: ZeroDivision = 0,
) -> tuple[float, float]:
    """(F1 of the two sets, 1) for `mean_value`; (0, 0) where both are empty and are skipped."""
    true, false, missed = pooled_row(counts_row(said, meant, labels))
    if true + false + missed:
        return 2 * true / (2 * true + false + missed), 1.0
    return (0.0, 0.0) if zero_division == "skip" else (float(zero_division), 1.0)


def macro_value(sums: Array, zero_division: ZeroDivision = 0) -> Array:
    """Sums (..., 3L) -> mean F1 of the labels (...); NaN where all are skipped."""
    return mean_known(_label_f1(sums, zero_division))


def micro_value(sums: Array, zero_division: ZeroDivision = 0) -> Array:
    """Sums (..., 3L) -> F1 of the pooled counts (...)."""
    pooled = sums.reshape(*sums.shape[:-1], -1, 3).sum(axis=-2)
    return _label_f1(pooled, zero_division)[..., 0]


def weighted_value(sums: Array, zero_division: ZeroDivision = 0) -> Array:
    """Sums (..., 3L) -> mean F1 of the labels (...), weighed by their support TP + FN.

    Without any support it is the macro F1, as in scikit-learn.
    """
    counts = sums.reshape(*sums.shape[:-1], -1, 3)
    support = counts[..., 0] + counts[..., 2]
    total = support.sum(axis=-1)
    # A label with support is never 0/0; one without weighs nothing.
    weighed = (support * _label_f1(sums, 0)).sum(axis=-1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, weighed, macro_value(sums, zero_division))


def supported_macro_value(sums: Array) -> Array:
    """Sums (..., 3L) -> mean F1 of the labels that the reference has (...); NaN where it has none.

    What no reference states can only be got wrong: as 0 of 14 such labels would hide how good a
    perfect system is. A bootstrap draw leaves out the labels that it happened not to draw.
    """
    counts = sums.reshape(*sums.shape[:-1], -1, 3)
    has_support = counts[..., 0] + counts[..., 2] > 0
    return mean_known(np.where(has_support, _label_f1(sums, 0), np.nan))


def value_of(
    average: Literal["macro", "micro", "weighted"], zero_division: ZeroDivision = 0
) -> Callable[[Array], Array]:
    """The value function of an average, for summed `counts_row`s."""
    values = {"macro": macro_value, "micro": micro_value, "weighted": weighted_value}
    return partial(values[average], zero_division=zero_division)


def f1_signature(
    name: str, average: Average, zero_division: ZeroDivision, **settings: str | int
) -> str:
    """The signature of an F1: its average and policy first, then what the sets are made of."""
    return signature(name, average=average, zero_division=zero_division, **settings)


def _undefined(zero_division: ZeroDivision) -> float:
    return float("nan") if zero_division == "skip" else float(zero_division)


def _label_f1(sums: Array, zero_division: ZeroDivision) -> Array:
    """Sums (..., 3L) -> F1 of each label (..., L)."""
    counts = sums.reshape(*sums.shape[:-1], -1, 3)
    both = 2 * counts[..., 0] + counts[..., 1] + counts[..., 2]
    safe = np.where(both > 0, both, 1.0)
    return np.where(both > 0, 2 * counts[..., 0] / safe, _undefined(zero_division))


def mean_known(values: Array) -> Array:
    """Mean over the last axis of what is no NaN; NaN where nothing is left."""
    known = np.isfinite(values)
    total = known.sum(axis=-1)
    summed = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)
