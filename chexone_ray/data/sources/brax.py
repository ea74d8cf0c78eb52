"""BRAX: Brazilian studies with CheXpert's 14 labels, no reports.

`master_spreadsheet_update.csv` (or `master_spreadsheet.csv`) at the root; a row names its image as
PNG and as DICOM, and the first of the two that the archive holds is read.
"""

from __future__ import annotations

from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import label_state
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.metrics.labeller import LABELS
from chexone_ray.records import ImageRef, Study

DATASET = "brax"
TABLE = Table(
    ("master_spreadsheet_update.csv", "master_spreadsheet.csv"),
    (
        "PngPath",
        "DicomPath",
        "PatientID",
        "AccessionNumber",
        "StudyDate",
        "ViewPosition",
        *(label.title() for label in LABELS),
    ),
)
_PATHS = ("PngPath", "DicomPath")
_VIEWS = {"PA": "PA", "AP": "AP", "L": "lateral", "RL": "lateral", "LL": "lateral"}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and date, and what was left out by reason.

    Raises ChexoneError where the table or a column is missing.
    """
    root = source.uri
    losses = Losses()
    table = tables.rows(root, TABLE)
    column = _path_column(root, table)
    films: dict[tuple[str, str], dict[str, dict[str, str]]] = defaultdict(dict)
    for row in table:
        key = (row["PatientID"], row["AccessionNumber"])
        if not all((*key, row[column])):
            losses.lose("row_without_id", row.place)
            continue
        if row[column] in films[key]:
            losses.lose("duplicate_row", row.place)
        films[key].setdefault(row[column], row)
    found = [
        PendingStudy(
            Study(
                dataset=DATASET,
                patient=patient,
                study=study,
                images=tuple(
                    ImageRef(storage.join(root, path), _VIEWS.get(row["ViewPosition"], ""))
                    for path, row in sorted(rows.items())
                ),
                date=min(row["StudyDate"] for row in rows.values()),
                labels={
                    label: label_state(next(iter(rows.values())).get(label.title(), ""))
                    for label in LABELS
                },
            )
        )
        for (patient, study), rows in films.items()
    ]
    return in_order(found), losses


def _path_column(root: str, table: tables.Rows) -> str:
    """PNG or DICOM, by the first row."""
    told = ((row[column], column) for row in table.rows[:1] for column in _PATHS)
    places = ((storage.join(root, path), column) for path, column in told if path)
    return tables.first_there(places, _PATHS[0])


SPEC = Spec(
    title="BRAX",
    access="credentialed",
    images="the paths of the table, under the root",
    labels="14 labels with uncertainty, by rules from Portuguese reports",
    uncertain=True,
    tables=(TABLE,),
    read=studies,
)
