"""What an adapter knows of a study from the archive's tables alone, before any image is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from chexone_ray.config import Uncertain
from chexone_ray.data.facts import UNCERTAIN_AS
from chexone_ray.data.sources.report_sections import read_sections
from chexone_ray.records import Box, ImageRef, Phrase, Study

OVERHANG_PIXELS, OVERHANG_SHARE = 2.0, 0.01
"""A box may reach so far outside its image, in pixels or as a share of the side, whichever is more,
and is clipped. One that reaches further was counted in an image of another size."""
CSV_STEP = "check that the archive is complete and source.uri is its root"


def in_order(found: Iterable[PendingStudy]) -> list[PendingStudy]:
    """Studies by patient, date and name."""
    return sorted(found, key=lambda item: (item.study.patient, item.study.date, item.study.study))


def on_image(phrase: Phrase, number: int) -> Phrase:
    """The same phrase with its boxes on another image of the study."""
    return replace(phrase, boxes=tuple(replace(box, image=number) for box in phrase.boxes))


@dataclass(frozen=True, slots=True)
class PendingStudy:
    """A study whose report is not read and whose image sizes are not known yet.

    `study.boxes` is empty and so are `study.phrases`: what has a place waits in `pixel_boxes` and
    `pixel_phrases`, in pixels of the displayed original.
    """

    study: Study
    pixel_boxes: tuple[Box, ...] = ()
    pixel_phrases: tuple[Phrase, ...] = ()
    canonical: bool = False
    """True where the table gives its boxes in 0-1 instead of pixels."""
    report_uri: str = ""
    """The report's text file, or empty where the archive has none."""
    report: str = ""
    """The report's text where the archive's table holds it."""
    default_view: str = ""
    """View of an image whose own header does not tell it."""
    lost: Mapping[int, str] = field(default_factory=dict)
    """Image number -> why it cannot be used, where that is known before it is opened."""

    def with_split(self, split: str) -> PendingStudy:
        """The same study in another archive split."""
        return replace(self, study=replace(self.study, archive_split=split))

    def with_uncertain(self, policy: Uncertain) -> PendingStudy:
        """The same study with its uncertain labels kept, set to 0 or 1, or as not mentioned, and
        those of its report to follow them."""
        if policy == "keep":
            return self
        to = UNCERTAIN_AS[policy]
        labels = {name: to if state == -1 else state for name, state in self.study.labels.items()}
        return replace(self, study=replace(self.study, labels=labels, uncertain=policy))

    def count_boxes(self, images: Mapping[int, ImageRef]) -> tuple[int, int]:
        """How many boxes lie on usable images, and how many of these reach outside too far."""
        boxes = [*self.pixel_boxes, *(box for p in self.pixel_phrases for box in p.boxes)]
        on = [(box, images[box.image]) for box in boxes if box.image in images]
        return len(on), sum(self._is_outside(box, image) for box, image in on)

    def _sizes(self, image: ImageRef) -> tuple[int, int]:
        return (1, 1) if self.canonical else (image.width, image.height)

    def _is_outside(self, box: Box, image: ImageRef) -> bool:
        for value, size in zip(box.xyxy, self._sizes(image) * 2, strict=True):
            pixels = 0.0 if self.canonical else OVERHANG_PIXELS
            overhang = max(pixels, OVERHANG_SHARE * size)
            if not -overhang <= value <= size + overhang:
                return True
        return False

    def complete(self, images: Mapping[int, ImageRef], report: str) -> Study:
        """The study with its usable images (old number -> image with its size) and its report.

        Boxes move to 0-1 and to the new image numbers; those of dropped images go, as do boxes
        without area or outside their image, phrases that lose a box and questions that lose an
        image. An image that lost a box is not completely boxed.
        """
        numbers = {old: new for new, old in enumerate(sorted(images))}

        def placed(box: Box) -> Box | None:
            image = images.get(box.image)
            if image is None or self._is_outside(box, image):
                return None
            sizes = self._sizes(image)
            x1, y1, x2, y2 = (
                min(max(value / size, 0.0), 1.0)
                for value, size in zip(box.xyxy, sizes * 2, strict=True)
            )
            inside = x2 > x1 and y2 > y1
            return Box(box.label, (x1, y1, x2, y2), numbers[box.image]) if inside else None

        phrases = []
        for phrase in self.pixel_phrases:
            boxes = tuple(box for item in phrase.boxes if (box := placed(item)))
            if len(boxes) == len(phrase.boxes):
                phrases.append(replace(phrase, boxes=boxes))
        questions = [
            replace(question, images=tuple(numbers[old] for old in question.images))
            for question in self.study.questions
            if set(question.images or range(len(self.study.images))) <= set(numbers)
        ]
        lost = {b.label for b in self.pixel_boxes if b.image in images and placed(b) is None}
        told = report or self.report
        sections = asdict(read_sections(told)) if told else {}  # else those of the table, if any
        return replace(
            self.study,
            images=tuple(images[old] for old in sorted(images)),
            boxes=tuple(box for item in self.pixel_boxes if (box := placed(item))),
            boxes_complete=self.study.boxes_complete and not lost,
            boxed=tuple(name for name in self.study.boxed if name not in lost),
            phrases=tuple(phrases),
            questions=tuple(questions),
            **sections,
        )
