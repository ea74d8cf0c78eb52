"""Bootstrap over patients, worked by hand and against a direct resampling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chexone_ray.evaluation.statistics import (
    bootstrap,
    paired_difference,
    patient_totals,
    wilson,
)
from chexone_ray.metrics.summable import mean_recall_value, mean_value, micro_f1_value


def test_totals_add_rows_of_a_patient() -> None:
    rows = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    totals = patient_totals(rows, ["b", "a", "b"], ["a", "b"])
    assert totals.tolist() == [[0.0, 1.0], [2.0, 2.0]]


def test_metrics_of_sums() -> None:
    assert mean_value(np.array([3.0, 4.0])) == 0.75
    assert np.isnan(mean_value(np.array([0.0, 0.0])))
    # Recalls 1/2 and 3/4; a class that does not occur is left out.
    assert mean_recall_value(np.array([1.0, 2.0, 3.0, 4.0, 0.0, 0.0])) == pytest.approx(0.625)
    # 2 * 6 / (2 * 6 + 2 + 4)
    assert micro_f1_value(np.array([6.0, 2.0, 4.0])) == pytest.approx(12 / 18)
    assert micro_f1_value(np.zeros(3)) == 0.0


def test_one_patient_has_no_spread() -> None:
    interval = bootstrap(np.array([[3.0, 4.0]]), mean_value, draws=200, seed=0)
    assert (interval.value, interval.low, interval.high) == (0.75, 0.75, 0.75)


def test_interval_agrees_with_direct_resampling() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 6, size=60)
    totals = np.stack([rng.binomial(sizes, 0.7), sizes], axis=1).astype(float)
    interval = bootstrap(totals, mean_value, draws=4000, seed=2)
    direct = []
    for _ in range(4000):
        chosen = totals[rng.integers(0, 60, size=60)].sum(axis=0)
        direct.append(chosen[0] / chosen[1])
    low, high = np.quantile(direct, (0.025, 0.975))
    assert interval.low == pytest.approx(low, abs=0.01)
    assert interval.high == pytest.approx(high, abs=0.01)
    assert interval.low < interval.value < interval.high


def test_interval_is_wider_over_patients_than_over_rows() -> None:
    """Ten equal rows a patient carry the evidence of one."""
    outcome = np.array([[10.0, 10.0]] * 20 + [[0.0, 10.0]] * 20)
    by_patient = bootstrap(outcome, mean_value, draws=1000, seed=0)
    rows = np.repeat(np.array([[1.0, 1.0], [0.0, 1.0]]), 200, axis=0)
    by_row = bootstrap(rows, mean_value, draws=1000, seed=0)
    assert (by_patient.high - by_patient.low) > 2.5 * (by_row.high - by_row.low)


def test_paired_difference_uses_the_same_patients() -> None:
    first = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    second = np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    interval = paired_difference(first, second, mean_value, draws=300, seed=0)
    # Every patient gains exactly 1, so the difference has no spread.
    assert (interval.value, interval.low, interval.high) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="shape"):
        paired_difference(first, second[:2], mean_value, draws=10, seed=0)


def test_wilson_agrees_with_scipy() -> None:
    for hits, num_rows in ((0, 10), (3, 10), (10, 10), (417, 2000)):
        found = wilson(hits, num_rows)
        expected = stats.binomtest(hits, num_rows).proportion_ci(0.95, method="wilson")
        assert found.value == hits / num_rows
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert np.isnan(wilson(0, 0).low)
