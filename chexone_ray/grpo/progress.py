"""The numbers of one GRPO step, for the metric lines. Pure.

Rewards are averaged over every group that was sampled in the step, dropped ones included, so that
refilling does not flatter them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from chexone_ray.grpo.advantages import mean
from chexone_ray.grpo.batches import PackCounts
from chexone_ray.grpo.rollouts import Haul, RolloutGroup
from chexone_ray.rewards.score import part_means


def step_metrics(
    step: int,
    haul: Haul,
    counts: PackCounts,
    trainer: Mapping[str, float],
    times: Mapping[str, float],
) -> dict[str, float]:
    """One metric row. `trainer` is rank 0's row, names as they are; `times` are seconds."""
    groups = [*haul.groups, *haul.flat_groups]
    completions = [c for group in groups for c in group.completions]
    lengths = [float(len(c.token_ids)) for c in completions]
    staleness = [float(step - 1 - c.weight_version) for g in haul.trained for c in g.completions]
    return {
        **reward_means(groups),
        "grpo/reward_std": mean([group.reward_std for group in groups]),
        "grpo/zero_variance_share": len(haul.flat_groups) / len(groups),
        "grpo/num_groups": len(haul.trained) - counts.num_groups_without_room,
        "grpo/num_refills": haul.refills,
        "grpo/num_failed_prompts": haul.failures.total(),
        "grpo/num_groups_without_room": counts.num_groups_without_room,
        "grpo/completion_tokens": mean(lengths),
        "grpo/unfinished_share": mean([float(c.finish_reason == "length") for c in completions]),
        "grpo/staleness": mean(staleness),
        "grpo/staleness_max": max(staleness),
        "grpo/num_rollout_tokens": sum(lengths),
        "grpo/num_train_tokens": counts.num_train_tokens,
        "grpo/pack_fill": counts.fill,
        "grpo/rollout_s": haul.rollout_s,
        "grpo/score_s": haul.score_s,
        **{f"grpo/{name}": seconds for name, seconds in times.items()},
        "grpo/rollout_tokens_per_s": sum(lengths) / max(haul.rollout_s, 1e-9),
        **trainer,
    }


def reward_means(groups: Sequence[RolloutGroup]) -> dict[str, float]:
    """Mean reward over all completions: in total, by reward part and by question kind."""
    values: dict[str, list[float]] = defaultdict(list)
    for group in groups:
        for scored in group.scores:
            values["grpo/reward"].append(scored.total)
            values[f"grpo/reward/kind/{group.sample.kind}"].append(scored.total)
    parts = part_means(scored for group in groups for scored in group.scores)
    means = {name: mean(numbers) for name, numbers in sorted(values.items())}
    return means | {f"grpo/reward/part/{part}": value for part, value in parts.items()}
