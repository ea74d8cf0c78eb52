"""VQA-Med 2019 (ImageCLEF): questions about images of MedPix, of which chest films are read.

Text files of lines `image|question|answer` (test: `image|category|question|answer`), with the
images beside them in a folder of each part. The set has no field for chest films. An image counts
as one where its own answers say both that it is a plain film and that it shows the chest. The
training and validation parts ask both about every image; the test part asks one question an image
only, so of it nothing can be told to be a chest film.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.question_rows import QuestionBook, answered, text_name
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef

DATASET = "medvqa_2019"


@dataclass(frozen=True)
class Part:
    """One part of the set: its split, folder, text file and folder of images."""

    split: str
    folder: str
    lines: str
    images: str

    @property
    def table(self) -> Table:
        """The text file, below its folder or at the root."""
        names = (f"{self.folder}/{self.lines}", self.lines)
        return Table(names, (), optional=self.split != "train")


PARTS = (
    Part("train", "ImageClef-2019-VQA-Med-Training", "All_QA_Pairs_train.txt", "Train_images"),
    Part("validate", "ImageClef-2019-VQA-Med-Validation", "All_QA_Pairs_val.txt", "Val_images"),
    Part(
        "test",
        "VQAMed2019Test",
        "VQAMed2019_Test_Questions_w_Ref_Answers.txt",
        "VQAMed2019_Test_Images",
    ),
)
_FILM = "xr - plain film"
_CHEST = frozenset({"lung, mediastinum, pleura", "heart and great vessels"})


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All chest films with their questions, by name, and what was left out by reason.

    Raises ChexoneError where the training part is missing.
    """
    losses = Losses()
    book = QuestionBook(losses)
    place_of: dict[str, str] = {}
    for part in PARTS:
        find = tables.find if part.table.optional else _require
        uri = find(source.uri, part.table.names)
        if uri is None:
            continue
        folder = storage.join(uri.rpartition("/")[0], part.images)
        for image, rows in _chest_films(uri, losses).items():
            place_of.setdefault(image, storage.join(folder, f"{image}.jpg"))
            for question, answer, place in rows:
                row = answered(text_name(question), question, answer)
                book.add(image, part.split if archive_splits else "", row, place)
    return book.studies(DATASET, lambda image: (ImageRef(place_of[image]),)), losses


def _require(root: str, names: tuple[str, ...]) -> str | None:
    return tables.require(root, names, CSV_STEP)


def _chest_films(uri: str, losses: Losses) -> dict[str, list[tuple[str, str, str]]]:
    """Image -> its (question, answer, place), where its answers say that it is a chest film.

    Taken apart by `text.split`: answers hold quotes, so the file is no CSV.
    """
    rows: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for place, line in tables.lines(uri):
        cells = [" ".join(cell.split()) for cell in line.split("|")]
        if len(cells) not in (3, 4) or not cells[0]:
            losses.lose("row_without_id" if len(cells) in (3, 4) else "unparsable_row", place)
            continue
        rows[cells[0]].append((cells[-2], cells[-1], place))
    found = {}
    for image, asked in rows.items():
        told = {answer.lower() for _, answer, _ in asked}
        if _FILM in told and told & _CHEST:
            found[image] = asked
        else:
            for _, _, place in asked:
                losses.lose("question_not_about_a_chest_film", place)
    return found


SPEC = Spec(
    title="VQA-Med 2019 (ImageCLEF)",
    access="open",
    images="Train_images/, Val_images/, VQAMed2019_Test_Images/ beside the text files",
    labels="questions and answers made from the notes of MedPix",
    tables=tuple(part.table for part in PARTS),
    read=studies,
    patients="medpix",
    split_unit="film",
)
