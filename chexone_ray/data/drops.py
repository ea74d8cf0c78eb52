"""When too much of a source is damaged: `max_drop_share`, source by source.

What a set leaves out by design counts for nothing here, however much it is: SLAKE's other organs,
PMC-VQA's figures, rows that are there twice, a film of another body part. Those reasons are named
here, and every other one means that something of the archive is broken or missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from chexone_ray.config import PrepareConfig, SourceConfig
from chexone_ray.data.blocks import Block, Letter, by_reason
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.errors import ChexoneError

BY_DESIGN = frozenset(
    {
        "box_of_unlisted_film",
        "caption_of_another_image",
        "duplicate_row",
        "explanation_not_from_film",
        "file_of_another_name",
        "film_without_question",
        "label_without_study",
        "labels_excluded",
        "labels_not_all_named",
        "patient_without_film",
        "phrase_without_finding",
        "projection_not_used",
        "question_not_about_a_chest_film",
        "question_not_about_the_chest",
        "question_not_in_english",
        "question_of_held_out_image",
        "reference_is_later",
        "row_without_change",
        "row_without_label",
        "split_without_study",
        "study_of_another_technique",
        "study_without_phrase",
        "unknown_change",
    }
)
"""Reasons of adapters for what is whole and not used: of another kind, said twice, or about films
and studies that the archive's list leaves out, as it does where one has a part of a release. A
statement of a change in a word that we do not know is kept, without the change."""
OTHER_IMAGES = frozenset({"image_body_part", "image_modality", "image_document"})
"""Images that are whole, but no chest films; every other image_* is damage."""
BOX_OUTSIDE = "box_outside_image"
REPORT_MISSING = "report_missing"
VIEW_UNKNOWN = "view_unknown"
_TOLD = 5
_PLACES = 3


class TooMuchLost(ChexoneError):
    """A run that was ended by `max_drop_share`; `letters` are what was left out until then."""

    def __init__(self, message: str, letters: Sequence[Letter] = ()) -> None:
        super().__init__(message, tuple(letters))
        self.letters = tuple(letters)

    def __str__(self) -> str:
        return str(self.args[0])


def no_study(lost: Mapping[str, int]) -> str:
    """What is to be said of a source whose tables gave no study."""
    reasons = (f"mostly {reason} ({n} times)" for reason, n in Counter(lost).most_common(1))
    return f"no study: {next(reasons, 'the tables have no row')}; see docs/data.md"


def views_unknown(count: int) -> str:
    """What is to be said of studies without a film that is known to be frontal."""
    return (
        f"nothing is asked of the films of {count} studies, as none of them is known to be frontal "
        f"({VIEW_UNKNOWN}): fill the column view of a table of your own, or set its default_view"
    )


def check_rows(
    source: SourceConfig,
    found: Sequence[PendingStudy],
    lost: Mapping[str, int],
    most: float,
    letters: Sequence[Letter] = (),
) -> None:
    """Raises TooMuchLost where the tables of a source give no study, or too many of their rows
    are damaged: of these and the images, boxes, phrases and questions that came of the others."""
    if not found:
        said = f"{source.dataset} archive {source.uri}: {no_study(lost)}"
        raise TooMuchLost(said, letters)
    damaged = Counter({reason: n for reason, n in lost.items() if reason not in BY_DESIGN})
    usable = sum(
        len(i.study.images) + len(i.pixel_boxes) + len(i.pixel_phrases) + len(i.study.questions)
        for i in found
    )
    _refuse(source.dataset, "rows of the tables", damaged, usable, most, letters)


def check_read(asked: Iterable[Block], config: PrepareConfig) -> None:
    """Raises TooMuchLost where too many images, reports or boxes of a data set are unusable."""
    asked = list(asked)
    letters = [letter for block in asked for letter in block.letters]
    usable: Counter[str] = Counter()
    lost: dict[str, Counter[str]] = {}
    for block in asked:
        usable.update(block.usable)
        for dataset in {letter.dataset for letter in block.letters}:
            found = by_reason(item for item in block.letters if item.dataset == dataset)
            lost.setdefault(dataset, Counter()).update(found)
    most = config.max_drop_share
    for dataset, reasons in sorted(lost.items()):
        damaged = {
            reason: n
            for reason, n in reasons.items()
            if reason.startswith("image_") and reason not in OTHER_IMAGES
        }
        _refuse(dataset, "images", Counter(damaged), usable[f"{dataset}/images"], most, letters)
        reports = Counter({REPORT_MISSING: reasons[REPORT_MISSING]})
        _refuse(dataset, "reports", +reports, usable[f"{dataset}/reports"], most, letters)
        outside, boxes = reasons[BOX_OUTSIDE], usable[f"{dataset}/boxes"]
        if outside > most * boxes:
            raise TooMuchLost(
                f"{dataset}: {outside} of {boxes} boxes reach outside their images, more than "
                f"max_drop_share={most}: these images are probably resized copies and the boxes "
                "count in pixels of the archive's own, so give those or scale the boxes"
                f"{_first(dataset, {BOX_OUTSIDE}, letters)}",
                letters,
            )


def read_of(asked: Iterable[Block]) -> dict[str, dict[str, int]]:
    """Data set -> how many of its images, report files and boxes could be used."""
    found: dict[str, Counter[str]] = {}
    for block in asked:
        for name, count in block.usable.items():
            dataset, _, what = name.rpartition("/")
            found.setdefault(dataset, Counter())[what] += count
        for letter in block.letters:
            if letter.reason == BOX_OUTSIDE:
                found.setdefault(letter.dataset, Counter())["boxes"] -= letter.count
    return {dataset: dict(sorted(counts.items())) for dataset, counts in sorted(found.items())}


def _refuse(
    dataset: str,
    what: str,
    damaged: Counter[str],
    usable: int,
    most: float,
    letters: Sequence[Letter],
) -> None:
    count = damaged.total()
    if count and count / (usable + count) > most:
        told = ", ".join(f"{reason} {n}" for reason, n in damaged.most_common(_TOLD))
        raise TooMuchLost(
            f"{dataset}: {count} of {usable + count} {what} are unusable ({told}), more than "
            f"max_drop_share={most}: mend the archive or raise max_drop_share"
            f"{_first(dataset, damaged, letters)}",
            letters,
        )


def _first(dataset: str, reasons: Collection[str], letters: Iterable[Letter]) -> str:
    """The first places of what was lost, as the end of a sentence; empty where none is known."""
    of_it = (item for item in letters if item.dataset == dataset and item.reason in reasons)
    places = list(dict.fromkeys(letter.place for letter in islice(of_it, _PLACES)))
    return f"; first {', '.join(places)}" if places else ""
