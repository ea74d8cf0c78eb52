"""Options reward: agreement of the options chosen, or of a closed answer."""

from __future__ import annotations

from chexone_ray.answers import Answer, choice_of, chosen_options
from chexone_ray.kinds import form
from chexone_ray.records import Sample


def reward(answer: Answer, sample: Sample) -> float | None:
    """Jaccard index of the options chosen and those of the reference: shared over all named.

    A closed answer without options is one choice, so the reward is then 1 for the same words and
    0 otherwise. No answer counts 0. None for other kinds.
    """
    if form(sample.kind) != "options":
        return None
    reference = chosen_options(sample.answer, sample.options)
    chosen = choice_of(answer.answer or "", sample)
    together = chosen | reference
    return len(chosen & reference) / len(together) if together else 0.0
