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


@pytest.mark.parametrize("num_patients", [1, 2, 4])
def test_few_patients_have_no_interval(num_patients: int) -> None:
    totals = np.array([[3.0, 4.0], [1.0, 4.0], [2.0, 4.0], [4.0, 4.0]])[:num_patients]
    found = bootstrap(totals, mean_value, draws=200, seed=0)
    assert found.value == totals.sum(axis=0)[0] / (4 * num_patients)
    assert np.isnan(found.low) and np.isnan(found.high)
    gap = paired_difference(totals, totals[::-1], mean_value, draws=200, seed=0)
    assert gap.value == 0 and np.isnan(gap.low) and np.isnan(gap.high)


def test_what_is_never_wrong_is_not_certain() -> None:
    """All right of 20 patients, however many rows they have: Wilson's interval of 20 in 20."""
    totals = np.array([[3.0, 3.0]] * 20)
    found = bootstrap(totals, mean_value, draws=200, seed=0)
    score = stats.binomtest(20, 20).proportion_ci(0.95, method="wilson")
    assert found.value == 1 and (found.low, found.high) == pytest.approx((score.low, 1.0))
    assert found.low == pytest.approx(0.8389, abs=1e-4)
    wrong = bootstrap(totals * [0, 1], mean_value, draws=200, seed=0)
    assert wrong.value == 0 and (wrong.low, wrong.high) == pytest.approx((0.0, 1 - score.low))
    # Half right in every patient: the share that may be otherwise can be all right or all wrong.
    half = bootstrap(totals * [0.5, 1], mean_value, draws=200, seed=0)
    spread = (1 - score.low) / 2
    assert (half.low, half.high) == pytest.approx((0.5 - spread, 0.5 + spread))
    # The same of a pooled F1, where patients without a label are no evidence: 10 are left.
    counts = np.array([[2.0, 0.0, 0.0]] * 10 + [[0.0, 0.0, 0.0]] * 30)
    pooled = bootstrap(counts, micro_f1_value, draws=200, seed=0)
    assert pooled.low == pytest.approx(stats.binomtest(10, 10).proportion_ci(method="wilson").low)


def test_equal_systems_may_still_differ() -> None:
    """No patient of 20 tells the systems apart, so up to 16 % of others may, either way."""
    totals = np.array([[1.0, 1.0], [0.0, 1.0]] * 10)
    gap = paired_difference(totals, totals, mean_value, draws=200, seed=0)
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.0, -0.1611, 0.1611), abs=1e-4)


def test_rare_classes_widen_a_mean_recall() -> None:
    """6 patients of one class and 94 of the other, all right."""
    rare, common = [2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]
    found = bootstrap(np.array([rare] * 6 + [common] * 94), mean_recall_value, draws=200, seed=0)
    lows = [stats.binomtest(n, n).proportion_ci(method="wilson").low for n in (6, 94)]
    assert (found.low, found.high) == pytest.approx((sum(lows) / 2, 1.0))


def test_undefined_draws_are_told() -> None:
    """One patient of 10 has a row: (9/10)^10 = 35 % of the draws have none."""
    totals = np.array([[1.0, 2.0]] + [[1e-9, 0.0]] * 9)
    found = bootstrap(totals, mean_value, draws=4000, seed=0)
    assert found.undefined == pytest.approx(0.9**10, abs=0.03)
    assert bootstrap(np.ones((10, 2)), mean_value, draws=50, seed=0).undefined == 0


def test_an_unbounded_figure_without_spread_has_no_interval() -> None:
    found = bootstrap(np.array([[3.0, 1.0]] * 20), mean_value, draws=50, seed=0)
    assert found.value == 3 and np.isnan(found.low)


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
    first = np.array([[0.0, 1.0], [1.0, 1.0]] * 20)
    second = first.copy()
    second[:4, 0] += 1
    interval = paired_difference(first, second, mean_value, draws=4000, seed=0)
    # 4 of 40 gain 1: 0.1 +- 1.96 sqrt(0.09 / 40); drawn apart the systems would spread twice that.
    assert interval.value == pytest.approx(0.1)
    assert (interval.low, interval.high) == pytest.approx((0.025, 0.2), abs=0.026)
    with pytest.raises(ValueError, match="shape"):
        paired_difference(first, second[:2], mean_value, draws=10, seed=0)


def test_wilson_agrees_with_scipy() -> None:
    for hits, num_rows in ((0, 10), (3, 10), (10, 10), (417, 2000)):
        found = wilson(hits, num_rows)
        expected = stats.binomtest(hits, num_rows).proportion_ci(0.95, method="wilson")
        assert found.value == hits / num_rows
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert np.isnan(wilson(0, 0).low)
