"""Variance and the rule that keeps prompts, worked out by hand."""

from __future__ import annotations

import pytest

from chexone_ray.config import FilterConfig, SamplingConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Sample
from chexone_ray.variance import Group, group_of, histogram, keep, select


def sample(number: int, kind: str = "presence") -> Sample:
    return Sample(
        id=f"{kind}-{number}",
        dataset="d",
        task="t",
        kind=kind,
        split="train",
        patient="p",
        study="s",
        images=(),
        question="q",
        answer="a",
    )


def group(number: int, kind: str, rewards: tuple[float, ...]) -> Group:
    return group_of(sample(number, kind), rewards)


def test_population_variance() -> None:
    found = group(1, "presence", (1.0, 0.0, 0.0, 0.0))
    assert (found.mean, found.variance) == (0.25, 0.1875)
    assert group(2, "presence", (0.5, 1.0)).variance == 0.0625


def test_equal_rewards_have_exactly_no_variance() -> None:
    # the mean of these is not 0.1 in floating point, so the plain formula gives 1.9e-34
    assert group(1, "presence", (0.1,) * 3).variance == 0.0
    assert keep([group(1, "presence", (0.1,) * 3)], 0.0, {}) == set()


def test_threshold_is_on_the_std_and_strict() -> None:
    groups = [
        group(1, "presence", (0.0, 1.0)),  # std 0.5
        group(2, "presence", (0.25, 0.75)),  # std 0.25
        group(3, "presence", (0.5, 0.5)),  # std 0
    ]
    assert keep(groups, 0.0, {}) == {"presence-1", "presence-2"}
    assert keep(groups, 0.25, {}) == {"presence-1"}
    assert keep(groups, 0.5, {}) == set()


def test_quota_takes_the_highest_variance_and_breaks_ties_by_id() -> None:
    groups = [
        group(3, "presence", (0.0, 1.0)),
        group(1, "presence", (1.0, 0.0)),
        group(2, "presence", (0.0, 0.5)),
        group(7, "side", (0.0, 0.1)),
        group(8, "side", (0.0, 0.2)),
    ]
    assert keep(groups, 0.0, {"presence": 1}) == {"presence-1", "side-7", "side-8"}
    assert keep(groups, 0.0, {"presence": 2, "side": 1}) == {"presence-1", "presence-3", "side-8"}
    assert keep(groups, 0.0, {"presence": 9}) == {g.id for g in groups}


def test_failed_groups_are_not_kept_but_counted() -> None:
    failed = Group("side-1", "side", 0.0, 0.0, (), "image: truncated")
    groups = [failed, group(2, "side", (0.0, 1.0)), group(3, "side", (0.3, 0.3))]
    kept = keep(groups, 0.0, {})
    assert kept == {"side-2"}
    table = histogram(groups, kept)["side"]
    assert table["prompts"] == 2
    assert (table["failed"], table["zero"], table["kept"]) == (1, 1, 1)
    assert table["mean_reward"] == pytest.approx(0.4)
    assert table["mean_std"] == pytest.approx(0.25)
    assert table["bins"] == [0] * 9 + [1]  # std 0.5 belongs to the last bin


def test_bins_are_a_tenth_of_half() -> None:
    groups = [group(i, "k", (0.0, r)) for i, r in enumerate((0.02, 0.12, 0.2, 0.98))]
    # std is half of each: 0.01, 0.06, 0.1, 0.49 in bins of 0.05
    assert histogram(groups, set())["k"]["bins"] == [1, 1, 1, 0, 0, 0, 0, 0, 0, 1]


def test_one_sample_is_refused() -> None:
    config = FilterConfig(
        output_uri="out", model_uri="m", manifest_uri="x", sampling=SamplingConfig(n=1)
    )
    with pytest.raises(ChexoneError, match=r"filter\.sampling\.n=1"):
        select(config)
