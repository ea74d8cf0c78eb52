"""Tests of a difference: worked by hand and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from chexone_ray.evaluation.significance import holm, mcnemar, randomisation_test
from chexone_ray.evaluation.statistics import Array
from chexone_ray.metrics.summable import mean_value, micro_f1_value


def test_three_patients_by_hand() -> None:
    """All three gain 1 of 1: of the 8 ways to swap, the two of all or none are as large."""
    first = np.array([[0.0, 1.0]] * 3)
    second = np.array([[1.0, 1.0]] * 3)
    p = randomisation_test(first, second, mean_value, draws=40_000, seed=0)
    assert p == pytest.approx(2 / 8, abs=0.01)
    assert p * 40_001 == pytest.approx(round(p * 40_001)), "(1 + count) / (1 + draws)"
    # All equal: no evidence at all; a difference of nothing but p is never 0.
    assert randomisation_test(first, first, mean_value, draws=10, seed=0) == 1.0
    many = np.repeat(second, 40, axis=0)
    none = np.repeat(first, 40, axis=0)
    assert randomisation_test(none, many, mean_value, draws=99, seed=0) == 0.01


def test_agrees_with_scipy_on_a_mean() -> None:
    """scipy goes through all 2^11 swaps of the patients' differences."""
    rng = np.random.default_rng(3)
    rows = rng.integers(1, 4, size=11).astype(float)
    first = np.stack([rng.binomial(rows.astype(int), 0.4), rows], axis=1).astype(float)
    second = np.stack([rng.binomial(rows.astype(int), 0.8), rows], axis=1).astype(float)

    def difference(a: Array, b: Array, axis: int) -> Array:
        return np.asarray((b.sum(axis=axis) - a.sum(axis=axis)) / rows.sum())

    exact = stats.permutation_test(
        (first[:, 0], second[:, 0]),
        difference,
        permutation_type="samples",
        n_resamples=np.inf,
        alternative="two-sided",
        vectorized=True,
    ).pvalue
    assert 0.01 < exact < 0.5
    p = randomisation_test(first, second, mean_value, draws=30_000, seed=1)
    assert p == pytest.approx(exact, abs=0.01)


def test_agrees_with_all_swaps_of_a_pooled_f1() -> None:
    """A metric that is no mean of the patients' own values."""
    rng = np.random.default_rng(5)
    first, second = rng.integers(0, 5, size=(2, 8, 3)).astype(float)
    observed = abs(micro_f1_value(second.sum(axis=0)) - micro_f1_value(first.sum(axis=0)))
    as_large = 0
    for mask in range(2**8):
        swap = np.array([[mask >> i & 1] for i in range(8)], dtype=bool)
        a, b = np.where(swap, second, first), np.where(swap, first, second)
        drawn = abs(micro_f1_value(b.sum(axis=0)) - micro_f1_value(a.sum(axis=0)))
        as_large += drawn >= observed - 1e-12
    p = randomisation_test(first, second, micro_f1_value, draws=30_000, seed=1)
    assert p == pytest.approx(as_large / 2**8, abs=0.01)


def test_rows_of_one_patient_are_one_piece_of_evidence() -> None:
    by_row = np.array([[0.0, 1.0]] * 60), np.array([[1.0, 1.0]] * 60)
    by_patient = np.array([[0.0, 20.0]] * 3), np.array([[20.0, 20.0]] * 3)
    assert randomisation_test(*by_row, mean_value, draws=999, seed=0) == 0.001
    assert randomisation_test(*by_patient, mean_value, draws=999, seed=0) > 0.2


def test_undefined_values_and_shapes() -> None:
    empty = np.zeros((2, 2))
    assert math.isnan(randomisation_test(empty, empty, mean_value, draws=10, seed=0))
    with pytest.raises(ValueError, match="shape"):
        randomisation_test(empty, np.zeros((3, 2)), mean_value, draws=10, seed=0)


def rows(only_first: int, only_second: int, both: int) -> tuple[Array, Array]:
    first = [1.0] * only_first + [0.0] * only_second + [1.0] * both
    second = [0.0] * only_first + [1.0] * only_second + [1.0] * both
    return np.array(first), np.array(second)


def test_mcnemar_exact_for_few_discordant_rows() -> None:
    found = mcnemar(*rows(1, 7, 20))
    # 2 * (1 + 8) / 2^8
    assert found.p_value == pytest.approx(18 / 256)
    assert (found.only_first, found.only_second, found.test) == (1, 7, "McNemar, exact binomial")
    for b, c in ((0, 0), (3, 3), (0, 5), (9, 15)):
        expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
        assert mcnemar(*rows(b, c, 4)).p_value == pytest.approx(expected)


def test_mcnemar_chi_square_for_many() -> None:
    found = mcnemar(*rows(10, 30, 5))
    # (|10 - 30| - 1)^2 / 40 = 9.025
    assert found.p_value == pytest.approx(float(stats.chi2.sf(9.025, 1)))
    assert found.p_value == pytest.approx(0.00266, abs=1e-5)
    assert found.test == "McNemar, chi-square with continuity correction"
    exact = stats.binomtest(10, 40, 0.5).pvalue
    assert found.p_value == pytest.approx(exact, abs=0.001)
    assert mcnemar(*rows(20, 20, 0)).p_value == 1.0
    with pytest.raises(ValueError, match="0/1 rows"):
        mcnemar(np.array([0.5]), np.array([1.0]))


def test_holm_by_hand() -> None:
    # Sorted .01 .03 .04 by 3, 2, 1: .03, .06, .04 raised to .06.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    corrected = holm([0.02, math.nan, 0.02])
    assert math.isnan(corrected[1])
    assert (corrected[0], corrected[2]) == (0.04, 0.04), "NaN does not count in the family"
    assert holm([]) == []


def test_false_alarms_without_a_difference() -> None:
    """Two systems that are equally good, each right on all five rows of a patient or on none: the
    test by patient keeps to its level of .05, the one by row does not."""
    rng = np.random.default_rng(8)
    by_patient = by_row = 0
    for trial in range(200):
        right = rng.integers(0, 2, size=(2, 40)).astype(float)
        first, second = (np.stack([5 * r, np.full(40, 5.0)], axis=1) for r in right)
        by_patient += randomisation_test(first, second, mean_value, 199, seed=trial) <= 0.05
        by_row += mcnemar(*np.repeat(right, 5, axis=1)).p_value <= 0.05
    assert 2 <= by_patient <= 18, "10 expected, standard deviation 3"
    assert by_row > 40
