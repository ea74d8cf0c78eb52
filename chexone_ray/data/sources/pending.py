"""What an adapter knows of a study from the archive's tables alone, before any image is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from chexone_ray.config import Uncertain
from chexone_ray.data.facts import UNCERTAIN_AS
from chexone_ray.data.sources.report_sections import read_sections
from chexone_ray.records import Box, ImageRef, Phrase, Question, Study

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

    def _placed(self, box: Box, images: Mapping[int, ImageRef]) -> Box | None:
        """The box in 0-1 of its image, under the number that is new; None where it is lost."""
        image = images.get(box.image)
        if image is None or self._is_outside(box, image):
            return None
        sizes = self._sizes(image)
        x1, y1, x2, y2 = (
            min(max(value / size, 0.0), 1.0)
            for value, size in zip(box.xyxy, sizes * 2, strict=True)
        )
        number = sorted(images).index(box.image)
        return Box(box.label, (x1, y1, x2, y2), number) if x2 > x1 and y2 > y1 else None

    def _keeps(self, question: Question, images: Mapping[int, ImageRef]) -> bool:
        return set(question.images or range(len(self.study.images))) <= set(images)

    def losses(self, images: Mapping[int, ImageRef]) -> Iterator[tuple[str, str]]:
        """(reason, place in the study) of each question and phrase that `complete` leaves out for
        want of an image or a box."""
        for question in self.study.questions:
            if not self._keeps(question, images):
                yield "question_of_missing_image", question.name
        for number, phrase in enumerate(self.pixel_phrases):
            if any(self._placed(box, images) is None for box in phrase.boxes):
                yield "phrase_of_lost_box", f"phrases[{number}]"

    def complete(self, images: Mapping[int, ImageRef], report: str) -> Study:
        """The study with its usable images (old number -> image with its size) and its report.

        Boxes move to 0-1 and to the new image numbers; those of dropped images go, as do boxes
        without area or outside their image, phrases that lose a box and questions that lose an
        image; `losses` tells those. An image that lost a box is not completely boxed, and
        `lost_boxes` tells of which finding, beside those that the adapter could not read.
        """
        numbers = {old: new for new, old in enumerate(sorted(images))}
        phrases = []
        for phrase in self.pixel_phrases:
            boxes = tuple(box for item in phrase.boxes if (box := self._placed(item, images)))
            if len(boxes) == len(phrase.boxes):
                phrases.append(replace(phrase, boxes=boxes))
        questions = [
            replace(question, images=tuple(numbers[old] for old in question.images))
            for question in self.study.questions
            if self._keeps(question, images)
        ]
        placed = [(box, self._placed(box, images)) for box in self.pixel_boxes]
        out = ((box.label, box.image) for box, place in placed if place is None)
        gone = dict.fromkeys((*self.study.lost_boxes, *out))
        lost_boxes = tuple((label, numbers[old]) for label, old in gone if old in numbers)
        lost = {label for label, _ in lost_boxes}
        told = report or self.report
        sections = asdict(read_sections(told)) if told else {}  # else those of the table, if any
        return replace(
            self.study,
            images=tuple(images[old] for old in sorted(images)),
            boxes=tuple(place for _, place in placed if place),
            boxes_complete=self.study.boxes_complete and not lost,
            boxed=tuple(name for name in self.study.boxed if name not in lost),
            lost_boxes=lost_boxes,
            phrases=tuple(phrases),
            questions=tuple(questions),
            **sections,
        )
