"""One number a completion: the weighted mean of the reward functions that apply to its sample.

A function that does not apply is left out of the mean instead of filled in, so the total stays in
0-1 for every kind and its parts can be read as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from chexone_ray.answers import Answer, parse
from chexone_ray.config import RewardConfig
from chexone_ray.records import Sample
from chexone_ray.rewards import boxes, format, options, report

Reward = Callable[[Answer, Sample], "float | None"]

REWARDS: dict[str, Reward] = {
    "format": format.reward,
    "options": options.reward,
    "boxes": boxes.reward,
    "report": report.reward,
}
"""Name, which is the field of `RewardConfig`, -> function."""

_NO_ANSWER = Answer("", None, 0)


@dataclass(frozen=True)
class Scored:
    """`parts` holds the functions that apply and have a weight; `total` is their weighted mean."""

    total: float
    parts: dict[str, float]


def score(text: str, sample: Sample, weights: RewardConfig) -> Scored:
    """Score one completion. Where nothing applies the total is 0 and `parts` is empty; `applicable`
    tells beforehand."""
    answer = parse(text, sample.mode)
    parts: dict[str, float] = {}
    total = 0.0
    mass = 0.0
    for name, reward in REWARDS.items():
        weight = getattr(weights, name)
        value = reward(answer, sample) if weight else None
        if value is not None:
            parts[name] = value
            total += weight * value
            mass += weight
    return Scored(total / mass if mass else 0.0, parts)


def applicable(sample: Sample, weights: RewardConfig) -> tuple[str, ...]:
    """Names of the reward functions that count for this sample, known without a completion."""
    return tuple(
        name
        for name, reward in REWARDS.items()
        if getattr(weights, name) and reward(_NO_ANSWER, sample) is not None
    )


def score_group(texts: Sequence[str], sample: Sample, weights: RewardConfig) -> tuple[Scored, ...]:
    """Score all completions of one prompt, in order."""
    return tuple(score(text, sample, weights) for text in texts)


def score_rollouts(
    groups: Sequence[tuple[Sample, Sequence[str]]],
    weights: RewardConfig,
    *,
    groups_per_task: int = 64,
    timeout_s: float = 600.0,
) -> list[tuple[Scored, ...]]:
    """Score many groups on Ray tasks of `groups_per_task`; the order of `groups` is kept.

    Needs a running Ray. What fits one task is scored here, since sending it costs more. Raises
    ray.exceptions.GetTimeoutError after `timeout_s`.
    """
    if len(groups) <= groups_per_task:
        return _score_batch(groups, weights)
    import ray

    task = _task()
    starts = range(0, len(groups), groups_per_task)
    refs = [task.remote(list(groups[at : at + groups_per_task]), weights) for at in starts]
    batches = ray.get(refs, timeout=timeout_s)
    return [scored for batch in batches for scored in batch]


@cache
def _task() -> Any:
    """Made once: Ray keeps a copy of every remote function that is made."""
    import ray

    return ray.remote(num_cpus=1)(_score_batch)


def _score_batch(
    groups: Sequence[tuple[Sample, Sequence[str]]], weights: RewardConfig
) -> list[tuple[Scored, ...]]:
    return [score_group(texts, sample, weights) for sample, texts in groups]
