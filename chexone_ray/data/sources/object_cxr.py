"""Object-CXR: foreign objects outlined on films; one study an image.

`train.csv` and `dev.csv` at the root: image_name and annotation, `type x1 y1 x2 y2;...` with type 0
a rectangle, 1 an ellipse (by its box) and 2 a polygon (more pairs); blank where there is none.
"""

from __future__ import annotations

import math

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import box_of_size, number
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Study

DATASET = "object_cxr"
_COLUMNS = ("image_name", "annotation")
TABLES = {
    "train": Table(("train.csv",), _COLUMNS),
    "dev": Table(("dev.csv",), _COLUMNS, True),
}
LABEL = "foreign object"
_MIN_NUMBERS = {"0": 4, "1": 4, "2": 6}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by name, and what was left out by reason.

    Raises ChexoneError where no table is there or one lacks a column.
    """
    root = source.uri
    losses = Losses()
    found: dict[str, PendingStudy] = {}
    for part, spec in TABLES.items():
        for row in tables.rows_if_there(root, spec):
            name = row["image_name"]
            if not name:
                losses.lose("row_without_id", row.place)
            elif f"{part}/{name}" in found:
                losses.lose("duplicate_row", row.place)
            else:
                found[f"{part}/{name}"] = _study(root, part, row, archive_splits, losses)
    if not found:
        raise ChexoneError(f"{storage.join(root, 'train.csv')} is missing or empty: {CSV_STEP}")
    return [found[key] for key in sorted(found)], losses


def _study(
    root: str, part: str, row: Row[str], archive_splits: bool, losses: Losses
) -> PendingStudy:
    shapes = [shape for shape in row["annotation"].split(";") if shape.strip()]
    boxes = []
    for shape in shapes:
        box = outline(shape)
        if box is None:
            losses.lose("box_row", row.place)
        else:
            boxes.append(box)
    name = row["image_name"].rpartition(".")[0]
    study = Study(
        dataset=DATASET,
        patient=name,
        study=name,
        images=(ImageRef(storage.join(root, part, row["image_name"])),),
        archive_split=part if archive_splits else "",
        labels={LABEL: int(bool(shapes))},
        boxed=(LABEL,),
        lost_boxes=((LABEL, 0),) if len(boxes) < len(shapes) else (),
    )
    return PendingStudy(study, tuple(boxes), default_view="frontal")


def outline(shape: str) -> Box | None:
    """The box around one shape, None where it is none."""
    kind, *cells = shape.split()
    numbers = [number(cell) for cell in cells]
    if not all(map(math.isfinite, numbers)):
        return None
    if len(numbers) < _MIN_NUMBERS.get(kind, len(numbers) + 1) or len(numbers) % 2:
        return None
    xs, ys = numbers[::2], numbers[1::2]
    return box_of_size(LABEL, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


SPEC = Spec(
    title="Object-CXR",
    access="open",
    images="{train,dev}/<image_name>",
    labels="foreign objects, outlined by radiologists",
    split_unit="film",
    tables=tuple(TABLES.values()),
    read=studies,
)
