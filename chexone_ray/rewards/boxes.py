"""Boxes reward: overlap of all boxes, matched one to one; a right negative counts 1.

Unlike the original, every box takes part, a wrong name costs the whole pair (there 5 %), and
negatives are scored, so neither a spray of boxes nor "not detected" everywhere pays.
"""

from __future__ import annotations

from functools import lru_cache

from chexone_ray.answers import Answer, normalise
from chexone_ray.boxes import decode, match
from chexone_ray.kinds import form
from chexone_ray.metrics.denied import asked_name, denied_name, same_name
from chexone_ray.records import Box, Sample


def reward(answer: Answer, sample: Sample) -> float | None:
    """Sum of the matched IoU over max(#predicted, #reference) boxes; names must agree.

    The reference is the sample's answer in its own codec, so that a perfect answer reaches 1 in
    spite of the rounding. Without reference boxes: 1 for a denial (`denied.denies`) of the same
    name (`denied.same_name`) or of none ("None."), 0 for a box or anything else. No answer
    counts 0. None for other kinds.
    """
    if form(sample.kind) != "boxes":
        return None
    if not answer.answer:
        return 0.0
    reference = _reference(sample.answer) or sample.boxes
    if not reference:
        return float(_same_negative(answer.answer, sample.answer))
    predicted = decode(answer.answer)
    if not predicted:
        return 0.0
    overlap = sum(pair[2] for pair in match(predicted, reference, labelled=True))
    return overlap / max(len(predicted), len(reference))


@lru_cache(maxsize=16_384)
def _reference(text: str) -> tuple[Box, ...]:
    return tuple(decode(text))


def _same_negative(predicted: str, reference: str) -> bool:
    if decode(predicted):
        return False
    said, meant = denied_name(predicted), asked_name(reference)
    if said is None or not meant:
        return normalise(predicted) == normalise(reference)
    return not said or same_name(said, meant)
