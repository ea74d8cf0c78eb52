"""VinBigData: VinDr-CXR's training films on Kaggle, 14 boxed findings, one study an image.

`train.csv` at the root (a row a box and reader), files `train/<image_id>.dicom`.
"""

from __future__ import annotations

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.sources.vindr_boxes import read_box_files
from chexone_ray.records import ImageRef, Study

DATASET = "vinbigdata"
TABLE = Table(("train.csv",), ("image_id", "class_name", "x_min", "y_min", "x_max", "y_max"))


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by image id, and what was left out by reason.

    A finding that no reader boxed is absent, one that only some did is uncertain. Raises
    ChexoneError where the table or a column is missing.
    """
    losses = Losses()
    boxes = read_box_files(tables.require(source.uri, TABLE.names, CSV_STEP), losses)
    found = []
    for name in sorted(boxes.boxes):
        states = boxes.states(name)
        study = Study(
            dataset=DATASET,
            patient=name,
            study=name,
            images=(ImageRef(storage.join(source.uri, "train", f"{name}.dicom")),),
            labels=states | {"no finding": int(not any(states.values()))},
            boxes_complete=boxes.is_complete(name),
            lost_boxes=boxes.lost_boxes(name),
        )
        found.append(PendingStudy(study, boxes.boxes[name], default_view="PA"))
    return found, losses


SPEC = Spec(
    title="VinBigData",
    access="kaggle",
    images="train/<image_id>.dicom",
    labels="14 findings, boxed by three radiologists each",
    uncertain=True,
    split_unit="film",
    tables=(TABLE,),
    read=studies,
)
