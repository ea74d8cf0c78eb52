"""VQA-RAD: questions of clinicians about radiology images, of which those on the chest are read.

`VQA_RAD Dataset Public.json` at the root, a list of questions; images in `VQA_RAD Image Folder/`.
Images of the chest are X-rays, the set's paper says. A question is of the test part where its
`phrase_type` begins with "test"; most of the images of that part have training questions too.
"""

from __future__ import annotations

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.json_files import text_of
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, answered
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef

DATASET = "vqa_rad"
TABLE = Table(("VQA_RAD Dataset Public.json",), ())
FOLDER = "VQA_RAD Image Folder"


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images of the chest with their questions, by name, and what was left out by reason.

    Raises ChexoneError where the file is missing or is no JSON list.
    """
    losses = Losses()
    book = QuestionBook(losses)
    image_of: dict[str, str] = {}
    uri = tables.require(source.uri, TABLE.names, CSV_STEP)
    for row in json_files.read_list(uri, losses):
        image, name = text_of(row, "image_name"), text_of(row, "qid")
        if not image or not name:
            losses.lose("row_without_id", row.place)
        elif text_of(row, "image_organ").upper() != "CHEST":
            losses.lose("question_not_about_the_chest", row.place)
        else:
            part = "test" if text_of(row, "phrase_type").startswith("test") else "train"
            closed = text_of(row, "answer_type").upper() == "CLOSED"
            question = answered(
                name,
                text_of(row, "question"),
                text_of(row, "answer"),
                closed,
                text_of(row, "question_type"),
            )
            study = image.partition(".")[0]
            image_of.setdefault(study, image)
            book.add(study, part if archive_splits else "", question, row.place)

    def images(study: str) -> tuple[ImageRef, ...]:
        return (ImageRef(storage.join(source.uri, FOLDER, image_of[study])),)

    return book.studies(DATASET, images), losses


SPEC = Spec(
    title="VQA-RAD",
    access="open",
    images=f"{FOLDER}/synpic<n>.jpg",
    labels="questions and answers by clinicians",
    tables=(TABLE,),
    read=studies,
    patients="medpix",
    split_unit="film",
)
