"""PadChest: one study of one or more 16-bit PNGs; findings by physicians or by a model.

`PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv[.gz]` at the root, images in
`<ImageDir>/<ImageID>`. Its reports are Spanish and stemmed, so only the labels are read.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Study

DATASET = "padchest"
TABLE = Table(
    ("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv",),
    (
        "ImageID",
        "ImageDir",
        "StudyDate_DICOM",
        "StudyID",
        "PatientID",
        "Projection",
        "MethodLabel",
        "Labels",
    ),
)
VIEWS = {"PA": "PA", "AP": "AP", "AP_horizontal": "AP", "L": "lateral"}
"""Projection -> view. COSTAL shows ribs; EXCLUDE and UNK are no chest films or unknown."""
FINDINGS = {
    "atelectasis": "atelectasis",
    "cardiomegaly": "cardiomegaly",
    "consolidation": "consolidation",
    "emphysema": "emphysema",
    "hiatal hernia": "hernia",
    "infiltrates": "infiltration",
    "mass": "mass",
    "pulmonary mass": "mass",
    "nodule": "nodule",
    "pacemaker": "pacemaker",
    "pleural effusion": "pleural effusion",
    "pleural thickening": "pleural thickening",
    "pneumonia": "pneumonia",
    "pneumothorax": "pneumothorax",
    "pulmonary edema": "edema",
    "pulmonary fibrosis": "pulmonary fibrosis",
}
"""The labels that are asked for, of 174; one that is not listed is absent."""
NORMAL = "normal"


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Counter[str]]:
    """All studies, by patient and date, and what was left out by reason.

    Labels are of the study: those of its first row that can be read. Raises ChexoneError where the
    table or a column is missing.
    """
    root = source.uri
    dropped: Counter[str] = Counter()
    table = tables.read(tables.require(root, TABLE.names, CSV_STEP), TABLE.columns, CSV_STEP)
    films: dict[tuple[str, str], dict[str, dict[str, str]]] = defaultdict(dict)
    for row in table:
        key = (row["PatientID"], row["StudyID"])
        if not all((*key, row["ImageID"])):
            dropped["row_without_id"] += 1
        elif row["Projection"] not in VIEWS:
            dropped["projection_not_used"] += 1
        else:
            dropped["duplicate_row"] += row["ImageID"] in films[key]
            films[key].setdefault(row["ImageID"], row)
    found = [_study(root, key, rows, dropped) for key, rows in films.items()]
    found.sort(key=lambda item: (item.study.patient, item.study.date, item.study.study))
    return found, +dropped


def _study(
    root: str, key: tuple[str, str], rows: dict[str, dict[str, str]], dropped: Counter[str]
) -> PendingStudy:
    images = [
        ImageRef(storage.join(root, row["ImageDir"], name), VIEWS[row["Projection"]])
        for name, row in sorted(rows.items())
    ]
    listed = [names for row in rows.values() if (names := read_list(row["Labels"])) is not None]
    if not listed:
        dropped["unknown_label"] += 1
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=key[0],
            study=key[1],
            images=tuple(images),
            date=min(row["StudyDate_DICOM"] for row in rows.values()),
            labels=states_of(listed[0]) if listed else {},
        )
    )


def read_list(text: str) -> list[str] | None:
    """A cell such as "['nodule', ' loc right', ]": its names, cleaned; None where it is no list.

    Read as a literal, never evaluated.
    """
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    return [name for item in found if (name := " ".join(str(item).lower().split()))]


def states_of(listed: list[str]) -> dict[str, int | None]:
    """The asked findings by one study's list of labels."""
    present = {FINDINGS[name] for name in listed if name in FINDINGS}
    states: dict[str, int | None] = {name: int(name in present) for name in FINDINGS.values()}
    return states | {"no finding": int(listed == [NORMAL])}


SPEC = Spec(
    title="PadChest",
    access="agreement",
    images="<ImageDir>/<ImageID>, 16-bit PNG",
    labels="174 findings: 27 % by physicians, the others by a model from Spanish reports",
    tables=(TABLE,),
    read=studies,
    patients="padchest",
)
