"""One number a completion: the weighted mean of the reward functions that apply to its sample.

A function that does not apply is left out of the mean instead of filled in, so the total stays in
0-1 for every kind and its parts can be read as they are. (Under the original rules a report counts
up to 1.617, as published.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from statistics import fmean

from chexone_ray.answers import Answer, parse
from chexone_ray.background import on_tasks
from chexone_ray.config import RewardConfig
from chexone_ray.config.tables import SHIPPED_SCORER
from chexone_ray.errors import ChexoneError
from chexone_ray.kinds import form
from chexone_ray.records import Sample
from chexone_ray.rewards import boxes, format, options, original, reasoning, report

Reward = Callable[[Answer, Sample], "float | None"]

_NO_ANSWER = Answer("", None, 0)


@dataclass(frozen=True)
class Scored:
    """`parts` holds the functions that apply and have a weight; `total` is their weighted mean."""

    total: float
    parts: dict[str, float]


@lru_cache(maxsize=64)
def rewards_of(weights: RewardConfig) -> dict[str, Reward]:
    """Name, which is the field of `RewardConfig`, -> function, of those with a weight.

    Raises ChexoneError where reports are scored by RadCliQ and its function cannot be imported, or
    lacks a package.
    """
    scorer = _radcliq_scorer(weights)
    if weights.rules == "original":
        table: dict[str, Reward] = {
            "format": original.format_reward,
            "options": original.options_reward,
            "boxes": original.boxes_reward,
        }
        if scorer is not None:
            table["report"] = partial(original.report_reward, scorer=scorer)
    else:
        table = {
            "format": format.reward,
            "options": options.reward,
            "boxes": boxes.reward,
            "report": partial(report.reward, scorer=scorer),
            "trace_agreement": reasoning.agreement,
            "trace_factuality": reasoning.factuality,
            "trace_repetition": reasoning.no_repetition,
            "trace_length": partial(reasoning.length, bounds=weights.trace_words),
        }
    return {name: reward for name, reward in table.items() if getattr(weights, name)}


def _radcliq_scorer(weights: RewardConfig) -> original.Scorer | None:
    if weights.radcliq_scorer is None:
        return None
    if weights.radcliq_scorer == SHIPPED_SCORER and weights.radcliq is not None:
        from chexone_ray.metrics.learned import radcliq

        radcliq.check(weights.radcliq)
    scorer: Callable[..., original.Components] = load_scorer(weights.radcliq_scorer)
    return scorer if weights.radcliq is None else partial(scorer, models=weights.radcliq)


def load_scorer(path: str) -> original.Scorer:
    """The function that `rewards.radcliq_scorer` names. Raises ChexoneError where there is none."""
    module, _, name = path.partition(":")
    try:
        found: original.Scorer = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ChexoneError(
            f"rewards.radcliq_scorer={path}: {error}: name a function of an installed module as "
            "module:function, or score reports by rules"
        ) from error
    return found


def score(text: str, sample: Sample, weights: RewardConfig) -> Scored:
    """Score one completion. Where nothing applies the total is 0 and `parts` is empty; `applicable`
    tells beforehand."""
    answer = parse(text, sample.mode, weights.rules)
    parts: dict[str, float] = {}
    total = 0.0
    mass = 0.0
    for name, reward in rewards_of(weights).items():
        value = reward(answer, sample)
        if value is not None:
            weight = getattr(weights, name)
            parts[name] = value
            total += weight * value
            mass += weight
    return Scored(total / mass if mass else 0.0, parts)


def applicable(sample: Sample, weights: RewardConfig) -> tuple[str, ...]:
    """Names of the reward functions that count for this sample, known without a completion."""
    return tuple(
        name
        for name, reward in rewards_of(weights).items()
        if reward(_NO_ANSWER, sample) is not None
    )


def refuse_unscored(samples: Iterable[Sample], weights: RewardConfig) -> None:
    """Raises ChexoneError before a run for rows that it could not score: of kinds, or under the
    original rules of tasks, that are not known (the published code stops there, hours into a run),
    or to which no reward with a weight applies."""
    original_rules = weights.rules == "original"
    unscored: Counter[str] = Counter()
    scored: dict[tuple[str, str, str], bool] = {}
    for sample in samples:
        which = (sample.kind, sample.task, sample.mode)
        if which not in scored:
            known = original.known(sample.task) if original_rules else form(sample.kind) is not None
            scored[which] = known and bool(applicable(sample, weights))
        if not scored[which]:
            unscored[sample.task if original_rules else sample.kind] += 1
    if unscored:
        what = "tasks" if original_rules else "kinds"
        raise ChexoneError(
            f"rewards.rules={weights.rules} has no reward with a weight for {unscored.total()} "
            f"rows of the {what} {dict(unscored.most_common(5))}: "
            "leave them out (filter.kinds) or give their reward a weight"
        )


def part_means(scored: Iterable[Scored]) -> dict[str, float]:
    """Mean of each part over the completions to which it applies, by name; without any, empty."""
    values: dict[str, list[float]] = defaultdict(list)
    for one in scored:
        for name, value in one.parts.items():
            values[name].append(value)
    return {name: fmean(numbers) for name, numbers in sorted(values.items())}


def score_group(texts: Sequence[str], sample: Sample, weights: RewardConfig) -> tuple[Scored, ...]:
    """Score all completions of one prompt, in order."""
    _score_together(texts, sample, weights)
    return tuple(score(text, sample, weights) for text in texts)


def _score_together(texts: Sequence[str], sample: Sample, weights: RewardConfig) -> None:
    """Has the shipped scorer keep the components of all completions, so that its networks run once
    a group. Nothing for other scorers and rows."""
    if weights.radcliq_scorer != SHIPPED_SCORER or weights.radcliq is None:
        return
    by_task = weights.rules == "original"
    if not (original.is_report(sample.task) if by_task else form(sample.kind) == "report"):
        return
    from chexone_ray.metrics.learned import radcliq

    answers = (parse(text, sample.mode, weights.rules).answer for text in texts)
    reference = sample.answer if by_task else sample.reference or sample.answer
    radcliq.score_together([answer for answer in answers if answer], reference, weights.radcliq)


def score_rollouts(
    groups: Sequence[tuple[Sample, Sequence[str]]],
    weights: RewardConfig,
    *,
    groups_per_task: int = 64,
    timeout_s: float = 600.0,
) -> list[tuple[Scored, ...]]:
    """Score many groups on Ray tasks of `groups_per_task`; the order of `groups` is kept.

    Needs a running Ray. What fits one task is scored here, since sending it costs more. Says every
    30 s what it waits for, and raises ChexoneError after `timeout_s`.
    """
    if len(groups) <= groups_per_task:
        return _score_batch(groups, weights)
    starts = range(0, len(groups), groups_per_task)
    batches = on_tasks(
        partial(_score_batch, weights=weights),
        [groups[at : at + groups_per_task] for at in starts],
        timeout_s=timeout_s,
        what="rewards of completions",
    )
    return [scored for batch in batches for scored in batch]


def _score_batch(
    groups: Sequence[tuple[Sample, Sequence[str]]], weights: RewardConfig
) -> list[tuple[Scored, ...]]:
    return [score_group(texts, sample, weights) for sample, texts in groups]
