"""Do two answers to one row say the same? Read as accuracy and the reward read them. Pure.

What says nothing, a refusal or what is neither a box nor the denial of one, is the same as another
such and as nothing else: a model that gives up on a blank film has changed its answer. Of a report
without a label that can be read, the words are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chexone_ray.answers import choice_of, normalise
from chexone_ray.boxes import decode
from chexone_ray.evaluation.kinds import is_denial
from chexone_ray.evaluation.refusals import READING, refused
from chexone_ray.kinds import form
from chexone_ray.metrics.labels import RULES
from chexone_ray.metrics.overlap import matched_iou
from chexone_ray.records import Sample
from chexone_ray.rewards.course import Courses
from chexone_ray.rewards.reading import read

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention

SAME_IOU = 0.5
"""Matched IoU from which two answers of boxes are the same, and an answer is right."""
SAME_RULE = {
    "options": f"set or class as accuracy reads it, else normalised text, {READING}",
    "text": "normalised",
    "reports": "labels present or uncertain, normality stated, sides and course where both tell, "
    f"else normalised text, {RULES}",
    "boxes": f"matched IoU >= {SAME_IOU:g}, or both denied",
    "says_nothing": "same as its like alone",
}
"""The rule as signatures say it."""


def same_answer(sample: Sample, first: str, second: str) -> bool:
    """Whether two answers to a row say the same: its options or class, or normalised text; of
    reports the labels stated or held possible, with no other side or course, and whether all is
    normal, or without labels the normalised text; of boxes a matched IoU of half or more, or a
    denial on both sides."""
    silent = says_nothing(sample, first), says_nothing(sample, second)
    if any(silent):
        return all(silent)
    which = form(sample.kind)
    if which == "report":
        told, again = read(first), read(second)
        if not (told.labels or again.labels):
            return normalise(first) == normalise(second)
        return _same_report(told.labels, again.labels) and _same_course(told.courses, again.courses)
    if which == "boxes":
        drawn, redrawn = decode(first), decode(second)
        if not (drawn and redrawn):
            return bool(drawn) == bool(redrawn)
        return matched_iou(drawn, redrawn, labelled=True) >= SAME_IOU
    chosen = choice_of(first, sample)
    if not chosen:  # neither names an option: it may still be another text
        return normalise(first) == normalise(second)
    return chosen == choice_of(second, sample)


def says_nothing(sample: Sample, answer: str) -> bool:
    """True for a refusal, and what is neither a box nor the denial of one."""
    which = form(sample.kind)
    if which == "boxes":
        return not (decode(answer) or is_denial(sample, answer))
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


def _same_course(first: Courses, second: Courses) -> bool:
    """True where no change that both tell of a finding, and of its side, is another."""
    both = {label for label, _ in first} & {label for label, _ in second}
    return all(first[key] == second[key] for key in first.keys() & second.keys()) and all(
        _changes(first, label) == _changes(second, label) for label in both
    )


def _changes(told: Courses, finding: str) -> set[str]:
    return {change for (label, _), change in told.items() if label == finding}
