r"""Format reward: a trace, then exactly one box with something in it.

Stricter than the original: braces have to balance, so `\boxed{{A}` counts as no box.
"""

from __future__ import annotations

from chexone_ray.answers import Answer
from chexone_ray.records import Sample


def reward(answer: Answer, sample: Sample) -> float | None:
    r"""1 for exactly one `\boxed{`, well formed and not blank, with text before it, else 0.

    None in instruct mode, where an answer needs no box.
    """
    if sample.mode == "instruct":
        return None
    return float(answer.num_boxed == 1 and bool(answer.answer) and bool(answer.reasoning))
