"""Intervals by bootstrap over patients.

A metric is a function of summed row statistics (counts, sums), so a bootstrap draw is one weighted
sum: rows are added up by patient once, and a draw weighs whole patients (cluster bootstrap, Field
and Welsh 2007, percentile interval). Images of one patient are never treated as independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Value: TypeAlias = Callable[[Array], Array]
"""Summed statistics (..., S) -> metric (...)."""

_DRAWS_A_BLOCK = 256


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % percentile interval."""

    value: float
    low: float
    high: float


def patient_totals(rows: Array, patients: Sequence[str], order: Sequence[str]) -> Array:
    """Row statistics (N, S) summed by patient -> (P, S), patients in `order`."""
    index = {patient: i for i, patient in enumerate(order)}
    totals = np.zeros((len(order), rows.shape[1]))
    np.add.at(totals, [index[patient] for patient in patients], rows)
    return totals


def drawn_values(totals: Sequence[Array], value: Value, draws: int, seed: int) -> Array:
    """Bootstrap values (K, draws) of K systems on the same patients, totals (P, S) each.

    The same seed gives the same patients for every system and call.
    """
    if any(system.shape != totals[0].shape for system in totals):
        raise ValueError(f"paired totals differ in shape: {[system.shape for system in totals]}")
    num_patients, num_sums = totals[0].shape
    beside = np.stack(totals, axis=1).reshape(num_patients, -1)
    rng = np.random.default_rng(seed)
    share = np.full(num_patients, 1 / num_patients)
    blocks = []
    for start in range(0, draws, _DRAWS_A_BLOCK):
        size = min(_DRAWS_A_BLOCK, draws - start)
        sums = rng.multinomial(num_patients, share, size=size) @ beside
        blocks.append(value(sums.reshape(size, len(totals), num_sums)))
    return np.concatenate(blocks).T


def interval(estimate: float, drawn: Array) -> Interval:
    """A figure with the 95 % percentile interval of its bootstrap values, undefined ones aside."""
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Interval(estimate, float("nan"), float("nan"))
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Interval(estimate, float(low), float(high))


def bootstrap(totals: Array, value: Value, draws: int, seed: int) -> Interval:
    """The metric of patient totals (P, S) with its 95 % interval."""
    return interval(float(value(totals.sum(axis=0))), drawn_values([totals], value, draws, seed)[0])


def paired_difference(first: Array, second: Array, value: Value, draws: int, seed: int) -> Interval:
    """metric(second) - metric(first) on the same patients (P, S), with its 95 % interval."""
    start, end = drawn_values([first, second], value, draws, seed)
    return interval(float(value(second.sum(axis=0)) - value(first.sum(axis=0))), end - start)


def wilson(hits: int, num_rows: int) -> Interval:
    """A share with its 95 % score interval (Wilson 1927), for counts of rows taken one by one."""
    if not num_rows:
        return Interval(float("nan"), float("nan"), float("nan"))
    share, z = hits / num_rows, 1.959963984540054
    scale = 1 + z * z / num_rows
    centre = (share + z * z / (2 * num_rows)) / scale
    spread = z * math.sqrt(share * (1 - share) / num_rows + (z / (2 * num_rows)) ** 2) / scale
    return Interval(share, max(0.0, centre - spread), min(1.0, centre + spread))
