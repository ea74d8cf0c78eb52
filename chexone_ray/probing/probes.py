"""What each row is asked beside the plain question: the film and the trace, changed.

A `Case` is a row with what its probes need from other rows of the split: a film of another patient,
the boxes of the film, the report of the study.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from chexone_ray import images
from chexone_ray.evaluation.same_answer import same_answer
from chexone_ray.images import Pixels
from chexone_ray.kinds import form
from chexone_ray.metrics.tokens import holds
from chexone_ray.probing import perturbations
from chexone_ray.probing.perturbations import Rectangle
from chexone_ray.records import Box, ImageRef, Request, Sample

PLAIN, SAMPLE, INSTRUCT, BLANK, SWAP, LESION, CONTROL = (
    "plain",
    "sample",
    "instruct",
    "blank image",
    "swapped image",
    "lesion occluded",
    "control occluded",
)
_Alike: TypeAlias = tuple[str, ...]
"""Data set, kind and views."""
_Asked: TypeAlias = tuple[_Alike, tuple[str, ...]]
"""The same and the question with its options."""
OCCLUDED_KINDS = ("grounding", "presence", "side")
"""Kinds whose answer a box on the film bears out."""
MAX_PARTNERS = 64
"""Patients kept of each data set, kind and views, among whom chance chooses the swapped film; as
many of each answer to a question, and as many answers."""


@dataclass(frozen=True)
class Case:
    """A row that is probed; of boxes, `image` counts the images of the row."""

    sample: Sample
    partner: tuple[ImageRef, ...] = ()
    """Films of another patient, of the same views and kind of question; empty where none is."""
    lesions: tuple[Box, ...] = ()
    """What the answer rests on; empty where that is not known."""
    others: tuple[Box, ...] = ()
    """All other boxes on the films."""
    reports: tuple[Sample, ...] = ()
    """Rows of the same study whose answer is a report of it."""
    other_truth: bool = False
    """True where the partner's films have another right answer to the question; else that is not
    known."""


def cut_name(share: float) -> str:
    """The probe whose trace is cut to `share`, as figures name it."""
    return f"trace cut to {share * 100:g} %"


def cases(chosen: Sequence[Sample], rows: Iterable[Sample], seed: int) -> list[Case]:
    """The chosen rows, in order, with what `rows`, all of their split, tell about them.

    The swapped film depends on the seed and the row alone; one with another right answer to the
    same question comes first, as a film with the same one changes nothing.
    """
    films = {image.uri for sample in chosen for image in sample.images}
    studies = {_study(sample) for sample in chosen}
    boxes: dict[str, dict[Box, None]] = defaultdict(dict)
    reports: dict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    partners = _Partners(chosen)
    for row in rows:
        for box in row.boxes:
            uri = row.images[box.image].uri
            if uri in films:
                boxes[uri][replace(box, image=0)] = None
        if form(row.kind) == "report" and _study(row) in studies:
            reports[_study(row)].append(row)
        partners.add(row)
    made = []
    for sample in chosen:
        lesions, others = _sorted_out(sample, boxes)
        partner, other_truth = partners.of(sample, seed)
        made.append(
            Case(
                replace(sample, mode="reasoning"),
                partner,
                lesions,
                others,
                tuple(reports[_study(sample)]),
                other_truth,
            )
        )
    return made


class _Partners:
    """The films that the chosen rows' own can be swapped for."""

    def __init__(self, chosen: Iterable[Sample]) -> None:
        self._asked = {(_alike(sample), _question(sample)) for sample in chosen}
        self._films: dict[_Alike, dict[str, tuple[ImageRef, ...]]] = defaultdict(dict)
        self._answers: dict[_Asked, dict[str, dict[str, tuple[ImageRef, ...]]]] = defaultdict(dict)

    def add(self, row: Sample) -> None:
        """Keep the films of a row, if there are not enough of its like."""
        if not row.images:
            return
        alike = _alike(row)
        _keep(self._films[alike], row)
        if (asked := (alike, _question(row))) in self._asked:
            answers = self._answers[asked]
            if row.answer in answers or len(answers) < MAX_PARTNERS:
                _keep(answers.setdefault(row.answer, {}), row)

    def of(self, sample: Sample, seed: int) -> tuple[tuple[ImageRef, ...], bool]:
        """Films of another patient, and whether they are known to have another right answer."""
        if not sample.images:
            return (), False
        chance = random.Random(f"{seed}/{sample.id}")
        alike = _alike(sample)
        other = {
            (patient, answer): films
            for answer, found in self._answers[alike, _question(sample)].items()
            if not same_answer(sample, sample.answer, answer)
            for patient, films in found.items()
            if patient != sample.patient
        }
        if other:
            return other[chance.choice(sorted(other))], True
        others = sorted(patient for patient in self._films[alike] if patient != sample.patient)
        return (self._films[alike][chance.choice(others)], False) if others else ((), False)


def _keep(found: dict[str, tuple[ImageRef, ...]], row: Sample) -> None:
    if len(found) < MAX_PARTNERS:
        found.setdefault(row.patient, row.images)


def _study(sample: Sample) -> tuple[str, str, str]:
    return sample.dataset, sample.patient, sample.study


def _alike(sample: Sample) -> _Alike:
    views = (f"{image.role} {image.view}" for image in sample.images)
    return sample.dataset, sample.kind, *views


def _question(sample: Sample) -> tuple[str, ...]:
    return sample.question, *sample.options


def _sorted_out(
    sample: Sample, boxes: dict[str, dict[Box, None]]
) -> tuple[tuple[Box, ...], tuple[Box, ...]]:
    """The boxes of the row's films: those that its answer rests on, and the others."""
    known = [
        replace(box, image=at)
        for at, image in enumerate(sample.images)
        for box in boxes.get(image.uri, ())
    ]
    if sample.kind not in OCCLUDED_KINDS:
        return (), tuple(known)
    if sample.boxes:
        lesions = list(sample.boxes)
    else:
        lesions = [box for box in known if holds(sample.question, box.label)]
    return tuple(lesions), tuple(box for box in known if box not in lesions)


def blanked(request: Request) -> Request:
    """The request with every film blank, in its own mean grey."""
    return _changed(request, lambda at, pixels: perturbations.blank(pixels))


def occluded(case: Case, request: Request, seed: int) -> tuple[Request, Request] | None:
    """The request with the lesions occluded, and with control regions of their size instead.

    None for a row without lesions, or where a film has no room for the control regions.
    """
    if not case.lesions:
        return None
    digest = hashlib.sha256(f"{seed}/{case.sample.id}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    hidden: dict[int, Pixels] = {}
    controls: dict[int, Pixels] = {}
    for at in sorted({box.image for box in case.lesions}):
        pixels = images.from_png(request.images[at])
        lesions = _rectangles(case.lesions, at, pixels)
        others = _rectangles(case.others, at, pixels)
        regions = perturbations.control_regions(pixels, lesions, others, rng)
        if regions is None:
            return None
        hidden[at] = perturbations.occlude(pixels, lesions, others)
        controls[at] = perturbations.occlude(pixels, regions, (*lesions, *others))
    return (
        _changed(request, lambda at, pixels: hidden.get(at, pixels)),
        _changed(request, lambda at, pixels: controls.get(at, pixels)),
    )


def cut_requests(
    request: Request, trace: str, shares: Sequence[float]
) -> Iterator[tuple[str, str, Request]]:
    """(name, cut trace, request that has the assistant answer after it) of each share."""
    for share in shares:
        said = perturbations.cut(trace, share)
        yield (
            cut_name(share),
            said,
            replace(request, prompt=request.prompt + perturbations.forced(said)),
        )


def _rectangles(boxes: Sequence[Box], at: int, pixels: Pixels) -> list[Rectangle]:
    height, width = pixels.shape[:2]
    return [perturbations.in_pixels(b.xyxy, width, height) for b in boxes if b.image == at]


def _changed(request: Request, change: Callable[[int, Pixels], Pixels]) -> Request:
    changed = (
        images.to_png(change(at, images.from_png(data))) for at, data in enumerate(request.images)
    )
    return replace(request, images=tuple(changed))
