"""Metrics as functions of summed row statistics, so that a bootstrap needs no second pass.

Each `*_value` maps sums of shape (..., S) to a metric of shape (...); NaN where it is undefined.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


def _ratio(numerator: Array, denominator: Array) -> Array:
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, np.nan)


def mean_value(sums: Array) -> Array:
    """S = 2, (sum, count): the mean; with 0/1 rows the accuracy."""
    return _ratio(sums[..., 0], sums[..., 1])


def mean_recall_value(sums: Array) -> Array:
    """S = 2C, (correct, count) a class: the mean recall over the classes that occur.

    With two classes this is the balanced accuracy, with progression classes the macro accuracy.
    """
    pairs = sums.reshape(*sums.shape[:-1], -1, 2)
    recalls = _ratio(pairs[..., 0], pairs[..., 1])
    seen = np.isfinite(recalls)
    return _ratio(np.where(seen, recalls, 0.0).sum(axis=-1), seen.sum(axis=-1).astype(float))


def micro_f1_value(sums: Array) -> Array:
    """S = 3, (true positives, false positives, false negatives): pooled F1, 0 where all are 0."""
    true, false, missed = sums[..., 0], sums[..., 1], sums[..., 2]
    return np.nan_to_num(_ratio(2 * true, 2 * true + false + missed))
