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
from collections.abc import Collection

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.cells import box_of_size, number
from chexone_ray.data.sources.losses import Losses, Places, lose_strangers
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

    A film is its own patient without the mapping. One that the table of boxes lacks, or that lost a
    box, may have more. Raises ChexoneError where a table or a column is missing or the mapping is
    no list.
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
    boxes, whole = _boxes(root, states.keys(), losses)
    patients, entries = _patients(root, losses)
    lose_strangers(entries, states.keys(), "patient_without_film", losses)
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
                boxed=(LABEL,) if name in whole else (),
                lost_boxes=((LABEL, 0),) if boxes.get(name) and name not in whole else (),
            ),
            tuple(boxes.get(name, ())),
            default_view="frontal",
        )
        for name in sorted(states)
    ]
    return found, losses


def _boxes(
    root: str, films: Collection[str], losses: Losses
) -> tuple[dict[str, list[Box]], set[str]]:
    """Film -> its boxes, and the films that the table knows and that lost none."""
    boxes: dict[str, list[Box]] = defaultdict(list)
    told: set[str] = set()
    empty: set[str] = set()
    damaged: set[str] = set()
    for row in tables.rows(root, BOXES):
        name = row["patientId"]
        told.add(name)
        if row["Target"] != "1":
            if name not in films or name in empty:
                losses.lose("duplicate_row" if name in empty else "film_not_found", row.place)
            empty.add(name)
            continue
        box = box_of_size(LABEL, *(number(row[cell]) for cell in BOXES.columns[1:5]))
        if box is None or name not in films:
            losses.lose("box_row", row.place)
            damaged.add(name)
        elif box in boxes[name]:
            losses.lose("duplicate_row", row.place)
        else:
            boxes[name].append(box)
    return boxes, told - damaged


def _patients(root: str, losses: Losses) -> tuple[dict[str, str], Places]:
    """Film -> NIH's patient, from the mapping, and its entries; empty without it."""
    patients: dict[str, str] = {}
    places: Places = {}
    uri = tables.find(root, MAPPING.names)
    if uri is None:
        return patients, places
    for entry in json_files.read_list(uri, losses, of="films"):
        name = _NIH_NAME.fullmatch(str(entry.get("img_id")))
        if name is None or not entry.get("subset_img_id"):
            losses.lose("unparsable_row", entry.place)
        elif str(entry["subset_img_id"]) in patients:
            losses.lose("duplicate_row", entry.place)
        else:
            patients[str(entry["subset_img_id"])] = name[1]
            places[str(entry["subset_img_id"])] = [entry.place]
    return patients, places


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
