"""The metric row of a step, numbers worked out by hand."""

from dataclasses import replace

import pytest

from chexone_ray.grpo.batches import PackCounts
from chexone_ray.grpo.progress import step_metrics
from chexone_ray.grpo.rollouts import Haul, RolloutGroup
from chexone_ray.records import Completion
from chexone_ray.rewards.score import Scored
from tests.samples import sample

SAMPLE = sample("presence", "yes")


def group(kind: str, *totals: float, version: int = 4, finish: str = "stop") -> RolloutGroup:
    return RolloutGroup(
        id=kind,
        sample=replace(SAMPLE, kind=kind),
        prompt="",
        prompt_token_ids=(1, 2),
        images=(),
        completions=tuple(Completion("", (1, 2, 3), (0.0,) * 3, finish, version) for _ in totals),
        scores=tuple(Scored(total, {"format": 1.0, "options": 2 * total - 1}) for total in totals),
    )


def test_row_by_hand() -> None:
    haul = Haul(
        wanted=2,
        groups=[group("presence", 0.5, 1.0), group("side", 1.0, 0.0, version=3, finish="length")],
        flat_groups=[group("presence", 1.0, 1.0)],
        refills=1,
        rollout_s=2.0,
    )
    haul.failures["engine: lost"] = 1
    counts = PackCounts(12, 20, 0.5, 0)
    row = step_metrics(5, haul, counts, {"grpo/kl": 0.25}, {"train_s": 1.5})
    assert row["grpo/reward"] == pytest.approx(4.5 / 6)
    assert row["grpo/reward/kind/presence"] == pytest.approx(3.5 / 4)
    assert row["grpo/reward/kind/side"] == 0.5
    assert row["grpo/reward/part/format"] == 1.0
    assert row["grpo/reward/part/options"] == pytest.approx(2 * 0.75 - 1)
    assert row["grpo/reward_std"] == pytest.approx((0.25 + 0.5 + 0.0) / 3)
    assert row["grpo/zero_variance_share"] == pytest.approx(1 / 3)
    # two completions of version 4 at step 5 are fresh, two of version 3 are one step old
    assert row["grpo/staleness"] == 0.5 and row["grpo/staleness_max"] == 1
    assert row["grpo/unfinished_share"] == pytest.approx(1 / 3)
    assert row["grpo/completion_tokens"] == 3 and row["grpo/num_rollout_tokens"] == 18
    assert row["grpo/rollout_tokens_per_s"] == 9
    assert row["grpo/num_groups"] == 2 and row["grpo/num_failed_prompts"] == 1
    assert row["grpo/kl"] == 0.25 and row["grpo/train_s"] == 1.5


def test_a_step_of_flat_groups_trains_on_no_more_than_wanted() -> None:
    haul = Haul(wanted=1, flat_groups=[group("side", 1.0, 1.0), group("side", 0.0, 0.0)])
    assert len(haul.trained) == 1
    assert step_metrics(5, haul, PackCounts(0, 0, 0.0, 0), {}, {})["grpo/zero_variance_share"] == 1
