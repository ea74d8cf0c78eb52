"""Is the difference of two systems on the same rows due to chance?

The primary test is paired approximate randomisation (Noreen 1989; Yeh 2000) with the patient as the
unit, like the bootstrap: under the null hypothesis it makes no difference which of the two systems
a patient's answers came from. McNemar's test (1947) stands beside it for rows that are right or
wrong; it takes rows for independent, which those of one patient are not, so its p-value is too
small where patients have several rows. Holm's step-down (1979) corrects a family of tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chexone_ray.evaluation.statistics import Array, Value

MCNEMAR_EXACT_BELOW = 25
"""Discordant rows below which McNemar's test is the exact binomial one."""
_DRAWS_A_BLOCK = 256
_TIE = 1e-12


def randomisation_test(first: Array, second: Array, value: Value, draws: int, seed: int) -> float:
    """Two-sided p-value of metric(second) - metric(first) on the same patients, (P, S) each.

    Each draw swaps the totals of every patient between the systems with probability one half.
    p = (1 + number of draws whose difference is at least as large) / (1 + draws), so it is never 0.
    NaN where the difference is; a draw without a value counts as one that is as large.
    """
    if first.shape != second.shape:
        raise ValueError(f"paired totals differ in shape: {first.shape} and {second.shape}")
    start, end = first.sum(axis=0), second.sum(axis=0)
    observed = abs(float(value(end) - value(start)))
    if not math.isfinite(observed):
        return math.nan
    gain = second - first
    gain = gain[gain.any(axis=1)]  # a patient whose totals are equal changes nothing
    if not len(gain):
        return 1.0
    rng = np.random.default_rng(seed)
    bar = observed - _TIE * max(1.0, observed)
    as_large = 0
    for at in range(0, draws, _DRAWS_A_BLOCK):
        size = min(_DRAWS_A_BLOCK, draws - at)
        swapped = np.unpackbits(
            np.frombuffer(rng.bytes(size * -(-len(gain) // 8)), np.uint8).reshape(size, -1),
            axis=1,
            count=len(gain),
        )
        moved = swapped.astype(float) @ gain
        drawn = np.abs(value(end - moved) - value(start + moved))
        as_large += size - int((drawn < bar).sum())
    return (1 + as_large) / (1 + draws)


@dataclass(frozen=True)
class McNemar:
    """The test and which form of it was used."""

    p_value: float
    test: Literal["McNemar, exact binomial", "McNemar, chi-square with continuity correction"]
    only_first: int
    """Rows that only the first system has right."""
    only_second: int


def mcnemar(first: Array, second: Array) -> McNemar:
    """McNemar's test of two systems' 0/1 rows (N,), two-sided.

    Exact below `MCNEMAR_EXACT_BELOW` discordant rows; else (|b - c| - 1)^2 / (b + c), chi-square
    with one degree of freedom (Edwards 1948).
    """
    from scipy import stats

    if first.shape != second.shape or not (is_zero_one(first) and is_zero_one(second)):
        raise ValueError("McNemar's test needs 0/1 rows of both systems, equally many")
    only_first = int(((first == 1) & (second == 0)).sum())
    only_second = int(((first == 0) & (second == 1)).sum())
    total = only_first + only_second
    if total < MCNEMAR_EXACT_BELOW:
        tail = float(stats.binom.cdf(min(only_first, only_second), total, 0.5)) if total else 1.0
        return McNemar(min(1.0, 2 * tail), "McNemar, exact binomial", only_first, only_second)
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / total
    return McNemar(
        float(stats.chi2.sf(statistic, 1)),
        "McNemar, chi-square with continuity correction",
        only_first,
        only_second,
    )


def is_zero_one(rows: Array) -> bool:
    """True where every value is 0 or 1."""
    return bool(((rows == 0) | (rows == 1)).all())


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for the family that they are (Holm 1979), in the order given.

    The i-th smallest of m is multiplied by m - i (i from 0), made no smaller than those before it
    and at most 1. NaN stays NaN and is no member of the family.
    """
    members = [at for at, p in enumerate(p_values) if not math.isnan(p)]
    corrected = [math.nan] * len(p_values)
    reached = 0.0
    for passed, at in enumerate(sorted(members, key=lambda at: p_values[at])):
        reached = max(reached, min(1.0, (len(members) - passed) * p_values[at]))
        corrected[at] = reached
    return corrected
