"""RANZCR CLiP: catheters and tubes, and how well they lie; one study an image.

`train.csv` at the root: StudyInstanceUID, 11 columns of 0 and 1, PatientID; images
`train/<StudyInstanceUID>.jpg`.
"""

from __future__ import annotations

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import label_state
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Study

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


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by patient and id, and what was left out by reason.

    Raises ChexoneError where the table or a column is missing.
    """
    root = source.uri
    losses = Losses()
    found: dict[str, PendingStudy] = {}
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
            )
            found[name] = PendingStudy(study, default_view="frontal")
    return in_order(found.values()), losses


def _state(row: dict[str, str], columns: tuple[str, ...]) -> int | None:
    states = [label_state(row[name]) for name in columns]
    return None if None in states else int(1 in states)


SPEC = Spec(
    title="RANZCR CLiP",
    access="kaggle",
    images="train/<StudyInstanceUID>.jpg",
    labels="tubes and catheters and their position, by radiologists; the presence is asked for",
    tables=(TABLE,),
    read=studies,
)
