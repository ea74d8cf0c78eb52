"""SLAKE: questions about radiology images, of which the English ones on chest X-rays are read.

`train.json`, `validate.json`, `test.json` at the root, each a list of questions; images
`imgs/xmlab<n>/source.jpg`. The set's own `modality` and `location` tell a chest X-ray: of
`location`, "Lung" was seen in its files, "Chest_..." is read in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.json_files import text_of
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, answered
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef

DATASET = "slake"
PARTS = ("train", "validate", "test")


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All chest X-rays with an English question, by name, and what was left out by reason.

    Raises ChexoneError where a part is missing or is no JSON list.
    """
    losses = Losses()
    book = QuestionBook(losses)
    image_of: dict[str, str] = {}
    for part in PARTS:
        uri = tables.require(source.uri, (f"{part}.json",), CSV_STEP)
        for row in json_files.read_list(uri, losses):
            image, name = text_of(row, "img_name"), text_of(row, "qid")
            if not image or not name:
                losses.lose("row_without_id", row.place)
            elif text_of(row, "q_lang").lower() != "en":
                losses.lose("question_not_in_english", row.place)
            elif not _is_chest_film(row):
                losses.lose("question_not_about_a_chest_film", row.place)
            else:
                study = image.partition("/")[0]
                image_of.setdefault(study, image)
                closed = text_of(row, "answer_type").upper() == "CLOSED"
                question = answered(
                    name,
                    text_of(row, "question"),
                    text_of(row, "answer"),
                    closed,
                    text_of(row, "content_type"),
                )
                book.add(study, part if archive_splits else "", question, row.place)

    def images(study: str) -> tuple[ImageRef, ...]:
        return (ImageRef(storage.join(source.uri, "imgs", image_of[study])),)

    return book.studies(DATASET, images), losses


def _is_chest_film(row: Mapping[str, Any]) -> bool:
    place = text_of(row, "location").lower()
    film = text_of(row, "modality").lower().replace("-", "").replace(" ", "") == "xray"
    return film and (place == "lung" or place.startswith("chest"))


SPEC = Spec(
    title="SLAKE",
    access="open",
    images="imgs/xmlab<n>/source.jpg",
    labels="questions and answers by physicians",
    tables=tuple(Table((f"{part}.json",), ()) for part in PARTS),
    read=studies,
    split_unit="film",
)
