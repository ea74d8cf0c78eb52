"""RSNA Pneumonia Detection Challenge: one study an image, boxes of lung opacities.

`stage_2_train_labels.csv` (a row a box), `stage_2_detailed_class_info.csv` (a class an image, rows
repeated) and `stage_2_train_images/<patientId>.dcm`. The films are part of NIH ChestX-ray14 under
other names, so the two must not be split apart, and a `patientId` is one film: NIH's patients have
several. Whose they are is in RSNA's `pneumonia-challenge-dataset-mappings_2018.json`, a list of
{"subset_img_id": patientId, "img_id": "<NIH patient>_<number>.png", ...}. These keys are those that
published code reads; the file itself was not at hand.
"""

from __future__ import annotations

import re
from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.cells import box_of_size, number
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.nih_chestxray14 import PATIENTS
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Box, ImageRef, Study

DATASET = "rsna_pneumonia"
BOXES = Table(("stage_2_train_labels.csv",), ("patientId", "x", "y", "width", "height", "Target"))
CLASSES = Table(("stage_2_detailed_class_info.csv",), ("patientId", "class"))
MAPPING = Table(("pneumonia-challenge-dataset-mappings_2018.json",), (), True)
LABEL = "lung opacity"
_NIH_NAME = re.compile(r"(\d{8})_\d{3}(?:\.png)?")
_STATES: dict[str, dict[str, int | None]] = {
    "Normal": {LABEL: 0, "no finding": 1},
    "No Lung Opacity / Not Normal": {LABEL: 0, "no finding": 0},
    "Lung Opacity": {LABEL: 1, "no finding": 0},
}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by id, and what was left out by reason.

    A film is its own patient without the mapping. Raises ChexoneError where a table or a column is
    missing or the mapping is no list.
    """
    root = source.uri
    losses = Losses()
    states: dict[str, dict[str, int | None]] = {}
    places: dict[str, str] = {}
    for row in tables.rows(root, CLASSES):
        if row["class"] in _STATES and row["patientId"]:
            states[row["patientId"]] = _STATES[row["class"]]
            places.setdefault(row["patientId"], row.place)
        else:
            losses.lose("unknown_label", row.place)
    boxes: dict[str, list[Box]] = defaultdict(list)
    for row in tables.rows(root, BOXES):
        if row["Target"] != "1":
            continue
        box = box_of_size(LABEL, *(number(row[name]) for name in BOXES.columns[1:5]))
        if box is None or row["patientId"] not in states:
            losses.lose("box_row", row.place)
        elif box in boxes[row["patientId"]]:
            losses.lose("duplicate_row", row.place)
        else:
            boxes[row["patientId"]].append(box)
    patients = _patients(root, losses)
    for name in sorted(states.keys() - patients.keys()) if patients else ():
        losses.lose("film_without_patient", places[name])
    found = [
        PendingStudy(
            Study(
                dataset=DATASET,
                patient=patients.get(name, name),
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
    return found, losses


def _patients(root: str, losses: Losses) -> dict[str, str]:
    """Film -> NIH's patient, from the mapping; empty without it."""
    uri = tables.find(root, MAPPING.names)
    if uri is None:
        return {}
    patients: dict[str, str] = {}
    for entry in json_files.read_list(uri, losses, of="films"):
        name = _NIH_NAME.fullmatch(str(entry.get("img_id")))
        if name is None or not entry.get("subset_img_id"):
            losses.lose("unparsable_row", entry.place)
        else:
            patients[str(entry["subset_img_id"])] = name[1]
    return patients


SPEC = Spec(
    title="RSNA Pneumonia Detection Challenge",
    access="kaggle",
    images="stage_2_train_images/<patientId>.dcm",
    labels="lung opacity suspicious for pneumonia, boxed by radiologists",
    patients=PATIENTS,
    split_unit="patient with the mapping file, else film",
    tables=(BOXES, CLASSES, MAPPING),
    read=studies,
)
