"""Do two answers to one row say the same? Read as accuracy and the reward read them. Pure.

What says nothing, a refusal or a text that no rule of its kind can read, is the same as another
such and as nothing else: a model that gives up on a blank film has changed its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chexone_ray.answers import choice_of, normalise
from chexone_ray.boxes import decode
from chexone_ray.evaluation.kinds import is_denial
from chexone_ray.evaluation.refusals import refused
from chexone_ray.kinds import form
from chexone_ray.metrics.labels import RULES
from chexone_ray.metrics.overlap import matched_iou
from chexone_ray.records import Sample
from chexone_ray.rewards.reading import read

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention

SAME_IOU = 0.5
"""Matched IoU from which two answers of boxes are the same, and an answer is right."""
SAME_RULE = {
    "options": "set or class as accuracy reads it, else normalised text",
    "text": "normalised",
    "reports": f"labels present or uncertain, normality stated, sides where both tell, {RULES}",
    "boxes": f"matched IoU >= {SAME_IOU:g}, or both denied",
    "says_nothing": "same as its like alone",
}
"""The rule as signatures say it."""


def same_answer(sample: Sample, first: str, second: str) -> bool:
    """Whether two answers to a row say the same: its options or class, or normalised text; of
    reports the labels stated or held possible, with no other side, and whether all is normal; of
    boxes a matched IoU of half or more, or a denial on both sides."""
    silent = says_nothing(sample, first), says_nothing(sample, second)
    if any(silent):
        return all(silent)
    which = form(sample.kind)
    if which == "report":
        return _same_report(read(first).labels, read(second).labels)
    if which == "boxes":
        drawn, again = decode(first), decode(second)
        if not (drawn and again):
            return bool(drawn) == bool(again)
        return matched_iou(drawn, again, labelled=True) >= SAME_IOU
    chosen = choice_of(first, sample)
    if not chosen:  # neither names an option: it may still be another text
        return normalise(first) == normalise(second)
    return chosen == choice_of(second, sample)


def says_nothing(sample: Sample, answer: str) -> bool:
    """True for a refusal, a report without a label that can be read, and what is neither a box nor
    the denial of one."""
    which = form(sample.kind)
    if which == "boxes":
        return not (decode(answer) or is_denial(sample, answer))
    if which == "report" and not read(answer).labels:
        return True
    if sample.options and choice_of(answer, sample):  # an option may read "Unable to tell"
        return False
    return refused(answer, sample.kind, sample.options)


def _same_report(first: Mapping[str, Mention], second: Mapping[str, Mention]) -> bool:
    from chexone_ray.metrics.labeller import ABSENT

    # What is denied and what is passed over are alike: normality has a label of its own.
    told, again = (
        {label: mention for label, mention in labels.items() if mention.state != ABSENT}
        for labels in (first, second)
    )
    return told.keys() == again.keys() and all(
        mention.state == other.state
        and (mention.sides == other.sides or not (mention.sides and other.sides))
        for mention, other in ((mention, again[label]) for label, mention in told.items())
    )
