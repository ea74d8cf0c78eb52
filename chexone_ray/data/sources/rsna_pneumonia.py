"""RSNA Pneumonia Detection Challenge: one study an image, boxes of lung opacities.

`stage_2_train_labels.csv` (a row a box), `stage_2_detailed_class_info.csv` (a class an image, rows
repeated) and `stage_2_train_images/<patientId>.dcm`. The films are part of NIH ChestX-ray14 under
other names, so the two must not be split apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy, box_of_size
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Box, ImageRef, Study

DATASET = "rsna_pneumonia"
BOXES = Table(("stage_2_train_labels.csv",), ("patientId", "x", "y", "width", "height", "Target"))
CLASSES = Table(("stage_2_detailed_class_info.csv",), ("patientId", "class"))
LABEL = "lung opacity"
_STATES: dict[str, dict[str, int | None]] = {
    "Normal": {LABEL: 0, "no finding": 1},
    "No Lung Opacity / Not Normal": {LABEL: 0, "no finding": 0},
    "Lung Opacity": {LABEL: 1, "no finding": 0},
}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Counter[str]]:
    """All images as studies, by id, and what was left out by reason.

    Raises ChexoneError where a table or a column is missing.
    """
    root = source.uri
    dropped: Counter[str] = Counter()
    states: dict[str, dict[str, int | None]] = {}
    for row in _rows(root, CLASSES):
        if row["class"] in _STATES and row["patientId"]:
            states[row["patientId"]] = _STATES[row["class"]]
        else:
            dropped["unknown_label"] += 1
    boxes: dict[str, list[Box]] = defaultdict(list)
    for row in _rows(root, BOXES):
        if row["Target"] != "1":
            continue
        box = box_of_size(LABEL, row["x"], row["y"], row["width"], row["height"])
        if box is None or row["patientId"] not in states:
            dropped["box_row"] += 1
        elif box in boxes[row["patientId"]]:
            dropped["duplicate_row"] += 1
        else:
            boxes[row["patientId"]].append(box)
    found = [
        PendingStudy(
            Study(
                dataset=DATASET,
                patient=name,
                study=name,
                images=(ImageRef(storage.join(root, "stage_2_train_images", f"{name}.dcm")),),
                labels=states[name],
                boxed=(LABEL,),
            ),
            tuple(boxes.get(name, ())),
            default_view="frontal",
        )
        for name in sorted(states)
    ]
    return found, +dropped


def _rows(root: str, table: Table) -> tables.Table:
    return tables.read(tables.require(root, table.names, CSV_STEP), table.columns, CSV_STEP)


SPEC = Spec(
    title="RSNA Pneumonia Detection Challenge",
    access="kaggle",
    images="stage_2_train_images/<patientId>.dcm",
    labels="lung opacity suspicious for pneumonia, boxed by radiologists",
    tables=(BOXES, CLASSES),
    read=studies,
)
