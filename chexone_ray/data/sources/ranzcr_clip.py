"""RANZCR CLiP: catheters and tubes, and how well they lie; one study an image.

`train.csv` at the root: StudyInstanceUID, 11 columns of 0 and 1, PatientID; images
`train/<StudyInstanceUID>.jpg`. Optionally `train_annotations.csv`: a row a line that somebody drew
along a device, on a part of the films: StudyInstanceUID, label (the name of a column) and data, the
line's points as "[[x, y], [x, y]]" in pixels. The box of a device is what encloses its line.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import box_of_size, label_state
from chexone_ray.data.sources.losses import Losses, lose_strangers
from chexone_ray.data.sources.pending import PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Box, ImageRef, Study

DATASET = "ranzcr_clip"
DEVICES = {
    "endotracheal tube": ("ETT - Abnormal", "ETT - Borderline", "ETT - Normal"),
    "nasogastric tube": (
        "NGT - Abnormal",
        "NGT - Borderline",
        "NGT - Incompletely Imaged",
        "NGT - Normal",
    ),
    "central venous catheter": ("CVC - Abnormal", "CVC - Borderline", "CVC - Normal"),
    "swan-ganz catheter": ("Swan Ganz Catheter Present",),
}
"""Device -> the columns any of which says that it is there."""
TABLE = Table(
    ("train.csv",),
    ("StudyInstanceUID", "PatientID", *(name for names in DEVICES.values() for name in names)),
)
LINES = Table(("train_annotations.csv",), ("StudyInstanceUID", "label", "data"), True)
_DEVICE_OF = {column: device for device, columns in DEVICES.items() for column in columns}


@dataclass
class _Lines:
    """The devices of one film that have a line, and those of which one is lost."""

    boxes: list[Box] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)
    """Of the rows of the boxes."""

    def boxed(self, states: Mapping[str, int | None]) -> tuple[str, ...]:
        """Devices of which every line is here: those with one, and those that are absent."""
        drawn = {box.label for box in self.boxes} | {name for name in states if not states[name]}
        return tuple(name for name in DEVICES if name in drawn - self.damaged)


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by patient and id, and what was left out by reason.

    Raises ChexoneError where the table or a column is missing.
    """
    root = source.uri
    losses = Losses()
    found: dict[str, PendingStudy] = {}
    lines = _lines(root, losses)
    for row in tables.rows(root, TABLE):
        name = row["StudyInstanceUID"]
        states = {device: _state(row, columns) for device, columns in DEVICES.items()}
        if not name or not row["PatientID"]:
            losses.lose("row_without_id", row.place)
        elif name in found:
            losses.lose("duplicate_row", row.place)
        elif None in states.values():
            losses.lose("unparsable_row", row.place)
        else:
            study = Study(
                dataset=DATASET,
                patient=row["PatientID"],
                study=name,
                images=(ImageRef(storage.join(root, "train", f"{name}.jpg")),),
                labels=states,
                boxed=lines[name].boxed(states) if name in lines else (),
                lost_boxes=tuple((device, 0) for device in sorted(lines[name].damaged))
                if name in lines
                else (),
            )
            boxes = tuple(lines[name].boxes) if name in lines else ()
            found[name] = PendingStudy(study, boxes, default_view="frontal")
    places = {name: told.places for name, told in lines.items()}
    lose_strangers(places, found.keys(), "box_without_image", losses)
    return in_order(found.values()), losses


def _lines(root: str, losses: Losses) -> dict[str, _Lines]:
    """Image -> its lines; empty without the table."""
    found: dict[str, _Lines] = defaultdict(_Lines)
    seen: set[tuple[str, ...]] = set()
    for row in tables.rows_if_there(root, LINES):
        name, label, data = (row[column] for column in LINES.columns)
        device = _DEVICE_OF.get(label)
        if not name or not device:
            losses.lose("row_without_id" if not name else "unknown_label", row.place)
        elif (name, label, data) in seen:
            losses.lose("duplicate_row", row.place)
        elif box := line_box(device, data):
            found[name].boxes.append(box)
            found[name].places.append(row.place)
        else:
            losses.lose("box_row", row.place)
            found[name].damaged.add(device)
        seen.add((name, label, data))
    return found


def line_box(label: str, data: str) -> Box | None:
    """The box around the pixels of a line, None where it is none."""
    try:
        points = [(float(x), float(y)) for x, y in json.loads(data)]
    except (ValueError, TypeError):
        return None
    if len(points) < 2 or not all(map(math.isfinite, chain.from_iterable(points))):
        return None
    xs, ys = zip(*points, strict=True)
    return box_of_size(label, min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)


def _state(row: dict[str, str], columns: tuple[str, ...]) -> int | None:
    states = [label_state(row[name]) for name in columns]
    return None if None in states else int(1 in states)


SPEC = Spec(
    title="RANZCR CLiP",
    access="kaggle",
    images="train/<StudyInstanceUID>.jpg",
    labels="tubes and catheters, their position and on a part their lines, by radiologists; "
    "presence and place are asked for",
    tables=(TABLE, LINES),
    read=studies,
)
