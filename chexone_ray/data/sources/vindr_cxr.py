"""VinDr-CXR: annotation tables and DICOM files -> one study an image.

`annotations/annotations_{train,test}.csv` (boxes; three readers an image in train),
`annotations/image_labels_{train,test}.csv` (0/1 a class and reader; optional), files
`train/<image_id>.dicom` and `test/<image_id>.dicom`. The archive names no patients, so every image
is its own.
"""

from __future__ import annotations

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.sources.vindr_boxes import finding_name, read_box_files, vote
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study

DATASET = "vindr_cxr"
_PARTS = ("train", "test")
_SUFFIXES = (".dicom", ".dcm")
_NOT_LABELS = frozenset({"image_id", "rad_id", "rad_ID"})


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """As `read_vindr`; the films are PA."""
    return read_vindr(DATASET, source, archive_splits, "PA")


def read_vindr(
    dataset: str, source: SourceConfig, archive_splits: bool, view: str
) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by image id, and counts of what was left out by reason.

    The tables are in `annotations/` or at the root. An `image_labels` table decides which images
    there are; without one the box file does. Raises ChexoneError where a table is missing or odd.
    """
    root = source.uri
    folder = storage.join(root, "annotations")
    if not any(tables.find(folder, (f"annotations_{part}.csv",)) for part in _PARTS):
        folder = root
    found: list[PendingStudy] = []
    losses = Losses()
    for part in _PARTS:
        uri = tables.find(folder, (f"annotations_{part}.csv",))
        if uri is None:
            continue
        boxes = read_box_files(uri, losses)
        labels = _image_labels(folder, part, losses)
        names = sorted(boxes.boxes if labels is None else labels)
        boxes.lose_others(names, losses)
        first = storage.join(root, part, next(iter(names), ""))
        suffix = tables.first_there(((first + s, s) for s in _SUFFIXES), _SUFFIXES[0])
        for image_id in names:
            boxed = boxes.boxes.get(image_id, ())
            state = boxes.states(image_id) if labels is None else labels[image_id]
            image = ImageRef(storage.join(root, part, image_id + suffix))
            study = Study(
                dataset=dataset,
                patient=image_id,
                study=image_id,
                images=(image,),
                archive_split=part if archive_splits else "",
                labels=state,
                boxes_complete=boxes.is_complete(image_id),
                lost_boxes=boxes.lost_boxes(image_id),
            )
            found.append(PendingStudy(study, boxed, default_view=view))
    if not found:
        uri = storage.join(root, "annotations", "annotations_train.csv")
        raise ChexoneError(f"{uri} is missing or empty: {CSV_STEP}")
    return in_order(found), losses


def _image_labels(
    folder: str, part: str, losses: Losses
) -> dict[str, dict[str, int | None]] | None:
    """Image -> finding -> 1 (most readers), 0 (no reader) or -1 (some); None without the table."""
    table = tables.rows_if_there(folder, Table((f"image_labels_{part}.csv",), ("image_id",)))
    if not table.uri:
        return None
    columns = [name for name in table.columns if name and name not in _NOT_LABELS]
    votes: dict[str, dict[str, list[float]]] = {}
    seen: set[tuple[str, ...]] = set()
    for row in table:
        if not row["image_id"] or tuple(row.values()) in seen:
            losses.lose("duplicate_row" if row["image_id"] else "row_without_id", row.place)
            continue
        seen.add(tuple(row.values()))
        image = votes.setdefault(row["image_id"], {})
        for column in columns:
            if row.get(column):
                try:
                    value = float(row[column])
                except ValueError as error:
                    raise ChexoneError(
                        f'{table.uri} has "{row[column]}" in column "{column}": use 0 or 1'
                    ) from error
                image.setdefault(finding_name(column), []).append(value)
    return {
        image: {
            name: vote(sum(value > 0 for value in values), len(values))
            for name, values in found.items()
        }
        for image, found in votes.items()
    }


BOXES = ("image_id", "class_name", "x_min", "y_min", "x_max", "y_max")
SPEC = Spec(
    title="VinDr-CXR",
    access="credentialed",
    images="{train,test}/<image_id>.dicom",
    labels="22 boxed and 6 global findings; three readers each in train, consensus in test",
    uncertain=True,
    split_unit="film",
    tables=(
        Table(("annotations/annotations_train.csv",), BOXES, True),
        Table(("annotations/annotations_test.csv",), BOXES, True),
        Table(("annotations/image_labels_train.csv",), ("image_id",), True),
        Table(("annotations/image_labels_test.csv",), ("image_id",), True),
    ),
    read=studies,
)
