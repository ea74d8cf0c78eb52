"""Change of findings against the earlier film: does the answer tell the course that the reference
tells? By the labeller's words of change. Pure and deterministic.

A model that was shown one film cannot know a course, whatever the radiologist wrote: there a course
that is left untold costs nothing, one that is invented does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from chexone_ray.records import Sample

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention, Phrase

UNSAID = 0.75
"""What is left of a change that only one of the two tells, where there is an earlier film."""
INVENTED = 0.8
"""What a change leaves of which the reference tells nothing, where there is no earlier film."""
HALFWAY = 0.5
"""What is left of "unchanged" against "better" or "worse"."""
COMPARING = frozenset({"difference", "summary"})
"""Kinds beside those of progression whose question has the course: two films, or the text."""
Courses: TypeAlias = Mapping[tuple[str, str], str]
"""(label, side or "") -> "better", "same" or "worse"; new findings are "worse"."""

_RANK = ("same", "better", "worse")


def has_prior(sample: Sample) -> bool:
    """True where the model is shown an earlier film, or told of the course."""
    told = "progression" in sample.kind or sample.kind in COMPARING
    return told or any(image.role == "prior" for image in sample.images)


def courses(said: Sequence[Phrase]) -> Courses:
    """Changes of the findings that are there or may be; what has resolved is denied and counts as
    that. Of two words on one finding the worse wins, as in `labeller.changes`."""
    from chexone_ray.metrics.labeller.terms import ABSENT, HEART

    found: dict[tuple[str, str], str] = {}
    for phrase in said:
        if not phrase.change or phrase.state == ABSENT:
            continue
        label = "cardiomegaly" if phrase.label == HEART else phrase.label
        for side in phrase.sides or ("",):
            old = found.get((label, side), "same")
            found[label, side] = max(old, phrase.change, key=_RANK.index)
    return found


def same_course(
    said: Courses,
    meant: Courses,
    labels: Mapping[str, Mention],
    told: Mapping[str, Mention],
    prior: bool,
) -> float:
    """What courses leave of the reward, in 0-1, by those of answer (`said`, `labels`) and reference
    (`meant`, `told`).

    The mean over the changes that the reference tells, of labels that the answer does not deny: 1
    for the same, 0 for the opposite. With a `prior` a change that one of the two does not tell, of
    a label that the reference speaks of, is `UNSAID`. Without one the untold are left out, and one
    that is invented costs `INVENTED` of the whole.
    """
    known = {label for label, mention in labels.items() if mention.state != 0}
    known |= {label for label, _ in said}
    pairs = [(_of(said, *key), change) for key, change in meant.items() if key[0] in known]
    values = [fmean(_agree(course, change) for course in have) for have, change in pairs if have]
    spoken = {*told, *(label for label, _ in meant)}
    invented = [key for key in said if key[0] in spoken and not _of(meant, *key)]
    if prior:
        values += [UNSAID for have, _ in pairs if not have] + [UNSAID] * len(invented)
    agreed = fmean(values) if values else 1.0
    return agreed * (INVENTED if invented and not prior else 1.0)


def _of(told: Courses, label: str, side: str) -> list[str]:
    """What is told of a finding: of this side, else of no side, else of each."""
    for key in ((label, side), (label, "")):
        if key in told:
            return [told[key]]
    return [change for (name, _), change in told.items() if name == label]


def _agree(told: str, meant: str) -> float:
    if told == meant:
        return 1.0
    return HALFWAY if "same" in (told, meant) else 0.0
