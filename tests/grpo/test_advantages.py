"""Advantages worked out by hand."""

import math

import pytest

from chexone_ray.errors import ChexoneError
from chexone_ray.grpo.advantages import EPSILON, compute_advantages, mean, population_std


def test_none_only_centres() -> None:
    assert compute_advantages([[1.0, 0.0, 0.5, 0.5]], "none") == [[0.5, -0.5, 0.0, 0.0]]


def test_group_std_divides_by_the_groups_own_population_std() -> None:
    # mean 0.5, deviations +-0.5, population std 0.5
    (group,) = compute_advantages([[0.0, 1.0, 0.0, 1.0]], "group_std")
    assert group == pytest.approx([v / (0.5 + EPSILON) for v in (-0.5, 0.5, -0.5, 0.5)])


def test_global_std_keeps_the_groups_sizes_relative() -> None:
    # all rewards 0, 1, 0.4, 0.6: mean 0.5, variance (0.25 + 0.25 + 0.01 + 0.01) / 4 = 0.13
    wide, narrow = compute_advantages([[0.0, 1.0], [0.4, 0.6]], "global_std")
    divisor = math.sqrt(0.13) + EPSILON
    assert wide == pytest.approx([-0.5 / divisor, 0.5 / divisor])
    assert narrow == pytest.approx([-0.1 / divisor, 0.1 / divisor])


def test_ragged_groups_are_centred_separately() -> None:
    first, second = compute_advantages([[0.0, 1.0, 1.0], [0.2]], "none")
    assert first == pytest.approx([-2 / 3, 1 / 3, 1 / 3])
    assert second == [0.0]


@pytest.mark.parametrize("normalisation", ["group_std", "global_std", "none"])
def test_equal_rewards_give_exact_zeros(normalisation: str) -> None:
    # 0.1 * 3 has rounding error in its mean; the zeros must be exact all the same
    groups = compute_advantages([[0.1, 0.1, 0.1], [0.0, 1.0, 0.5]], normalisation)  # type: ignore[arg-type]
    assert groups[0] == [0.0, 0.0, 0.0]
    assert groups[1][0] < 0 < groups[1][1]


def test_empty_group_and_no_groups() -> None:
    assert compute_advantages([[], [0.0, 1.0]], "none") == [[], [-0.5, 0.5]]
    assert compute_advantages([], "global_std") == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite_is_refused_by_group(bad: float) -> None:
    with pytest.raises(ChexoneError, match="group 1"):
        compute_advantages([[0.0, 1.0], [0.5, bad]], "group_std")


def test_population_std() -> None:
    assert population_std([1.0, 3.0]) == 1.0
    assert population_std([0.1] * 7) == 0.0
    with pytest.raises(ValueError, match="empty"):
        population_std([])
    with pytest.raises(ValueError, match="empty"):
        mean([])
