"""Group rewards -> advantages, one list of numbers a group. Pure Python, no tensors.

Legend: `_P` over prompts, `_G` over the completions of one prompt. Groups may be ragged: a prompt
whose completions were partly unusable has fewer rewards than its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from chexone_ray.errors import ChexoneError

Normalisation = Literal["group_std", "global_std", "none"]

EPSILON = 1e-4
"""Added to a standard deviation before dividing by it, as TRL does."""


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; raises `ValueError` for an empty sequence."""
    if not values:
        raise ValueError("mean of an empty sequence")
    return math.fsum(values) / len(values)


def population_std(values: Sequence[float]) -> float:
    """Standard deviation with divisor n; exactly 0 where all values are equal."""
    if not values:
        raise ValueError("standard deviation of an empty sequence")
    if min(values) == max(values):
        return 0.0
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / len(values))


def compute_advantages(
    rewards_P_G: Sequence[Sequence[float]], normalisation: Normalisation
) -> list[list[float]]:
    """Centre each group on its own mean, then divide as `normalisation` says.

    "group_std" divides by the group's population standard deviation (GRPO), "global_std" by that of
    all rewards of the step together, "none" not at all (Dr. GRPO). A group whose rewards are all
    equal gets exact zeros whatever the normalisation; an empty group stays empty.
    Raises `ChexoneError` for a reward that is not finite: it would spread over the whole step.
    """
    for index, rewards_G in enumerate(rewards_P_G):
        bad = [reward for reward in rewards_G if not math.isfinite(reward)]
        if bad:
            raise ChexoneError(
                f"rewards: group {index} holds {bad[0]}, not a finite number: "
                "check the reward functions for this question kind"
            )
    everything = [reward for rewards_G in rewards_P_G for reward in rewards_G]
    global_std = population_std(everything) if everything else 0.0
    return [_centred(rewards_G, normalisation, global_std) for rewards_G in rewards_P_G]


def _centred(
    rewards_G: Sequence[float], normalisation: Normalisation, global_std: float
) -> list[float]:
    std = population_std(rewards_G) if rewards_G else 0.0
    if std == 0.0:
        return [0.0] * len(rewards_G)
    divisor = {"group_std": std + EPSILON, "global_std": global_std + EPSILON, "none": 1.0}
    centre = mean(rewards_G)
    return [(reward - centre) / divisor[normalisation] for reward in rewards_G]
