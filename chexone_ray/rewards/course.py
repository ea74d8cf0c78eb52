"""Change of findings against the earlier film: does the answer tell the course that the reference
tells? By the labeller's words of change. Pure and deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from chexone_ray.metrics.labeller import Mention, Phrase

UNSAID = 0.75
"""What is left of a change that the answer does not tell."""
HALFWAY = 0.5
"""The same of "unchanged" against "better" or "worse"."""
Courses: TypeAlias = Mapping[tuple[str, str], str]
"""(label, side or "") -> "better", "same" or "worse"; new findings are "worse"."""

_RANK = ("same", "better", "worse")


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


def same_course(said: Courses, meant: Courses, labels: Mapping[str, Mention]) -> float:
    """Mean over the changes of the reference, of labels that the answer (`said`, `labels`) does not
    deny: 1 for the same, 0 for the opposite. A change of which the reference tells nothing costs
    nothing here."""
    if not meant:
        return 1.0
    known = {label for label, mention in labels.items() if mention.state != 0}
    known |= {label for label, _ in said}
    values = [
        _agree(_of(said, *finding), change)
        for finding, change in meant.items()
        if finding[0] in known
    ]
    return sum(values) / len(values) if values else 1.0


def _of(said: Courses, label: str, side: str) -> set[str]:
    """What the answer tells of a finding: of this side, else of no side, else of any."""
    for key in ((label, side), (label, "")):
        if side and key in said:
            return {said[key]}
    return {change for (name, _), change in said.items() if name == label}


def _agree(told: set[str], meant: str) -> float:
    if not told:
        return UNSAID
    if meant in told:
        return 1.0
    return HALFWAY if meant == "same" or "same" in told else 0.0
