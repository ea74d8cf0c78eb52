"""Intervals by bootstrap over patients.

A metric is a function of summed row statistics (counts, sums), so a bootstrap draw is one weighted
sum: rows are added up by patient once, and a draw weighs whole patients (cluster bootstrap, Field
and Welsh 2007, percentile interval). Images of one patient are never treated as independent.

Few patients, and patients who all come out alike, tell the bootstrap nothing of the spread: see
`interval`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from chexone_ray.metrics.summable import mean_recall_value

Array: TypeAlias = NDArray[np.float64]
Value: TypeAlias = Callable[[Array], Array]
"""Summed statistics (..., S) -> metric (...)."""

MIN_PATIENTS = 5
"""Below it there is no interval: a few patients drawn over and over look more certain than they
are."""
_DRAWS_A_BLOCK = 256
_NO_SPREAD = 1e-12


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval; the ends are NaN where none can be given."""

    value: float
    low: float
    high: float
    undefined: float = 0.0
    """Share of the bootstrap draws in which the figure has no value; they are left out."""


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


def interval(
    estimate: float, drawn: Array, unseen: float, ends: tuple[float, float] = (0.0, 1.0)
) -> Interval:
    """A figure that lies between `ends`, with the 95 % percentile interval of its bootstrap values.

    `unseen` is what `unseen_share` gives; NaN stands for too few patients. Where all draws are
    alike, as of a system that is never wrong, their percentiles would have no width: then that
    share of the patients may differ, up to either end. At 0 and 1 this is Wilson's interval by
    patient. A figure without spread beyond `ends` has no interval.
    """
    finite = drawn[np.isfinite(drawn)]
    undefined = 1 - len(finite) / len(drawn) if len(drawn) else 0.0
    nothing = Interval(estimate, math.nan, math.nan, undefined)
    if math.isnan(unseen) or not len(finite):
        return nothing
    if float(np.ptp(finite)) > _NO_SPREAD:
        low, high = np.quantile(finite, [0.025, 0.975]).tolist()
        return Interval(estimate, float(low), float(high), undefined)
    least, most = ends
    if not least - _NO_SPREAD <= estimate <= most + _NO_SPREAD:
        return nothing
    low, high = estimate - unseen * (estimate - least), estimate + unseen * (most - estimate)
    return Interval(estimate, max(least, low), min(most, high), undefined)


def unseen_share(totals: Array, value: Value) -> float:
    """The largest share of patients that may be unlike all of these (P, S): the upper end of
    Wilson's interval of 0 in P. NaN below `MIN_PATIENTS`.

    A patient who adds nothing, such as one without any label to an F1, is no evidence. Mean recalls
    have the mean of the shares of their classes, as each class has patients of its own.
    """
    num_patients = int(totals.any(axis=1).sum())
    if num_patients < MIN_PATIENTS:
        return math.nan
    if value is not mean_recall_value:
        return wilson(0, num_patients).high
    of_class = (totals[:, 1::2] > 0).sum(axis=0).tolist()
    return float(np.mean([wilson(0, count).high for count in of_class if count]))


def bootstrap(totals: Array, value: Value, draws: int, seed: int) -> Interval:
    """The metric of patient totals (P, S), of 0 to 1, with its 95 % interval."""
    (drawn,) = drawn_values([totals], value, draws, seed)
    return interval(float(value(totals.sum(axis=0))), drawn, unseen_share(totals, value))


def paired_difference(first: Array, second: Array, value: Value, draws: int, seed: int) -> Interval:
    """metric(second) - metric(first) on the same patients (P, S), with its 95 % interval."""
    start, end = drawn_values([first, second], value, draws, seed)
    gain = float(value(second.sum(axis=0)) - value(first.sum(axis=0)))
    return interval(gain, end - start, unseen_of_pair(first, second, value), (-1.0, 1.0))


def unseen_of_pair(first: Array, second: Array, value: Value) -> float:
    """`unseen_share` of a difference: whoever adds to either system is evidence."""
    return unseen_share(np.maximum(np.abs(first), np.abs(second)), value)


def wilson(hits: int, num_rows: int) -> Interval:
    """A share with its 95 % score interval (Wilson 1927), for counts of rows taken one by one."""
    if not num_rows:
        return Interval(float("nan"), float("nan"), float("nan"))
    share, z = hits / num_rows, 1.959963984540054
    scale = 1 + z * z / num_rows
    centre = (share + z * z / (2 * num_rows)) / scale
    spread = z * math.sqrt(share * (1 - share) / num_rows + (z / (2 * num_rows)) ** 2) / scale
    return Interval(share, max(0.0, centre - spread), min(1.0, centre + spread))
