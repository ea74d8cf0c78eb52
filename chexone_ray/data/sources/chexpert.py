"""CheXpert v1: the archive's tables -> studies of one or more views; 14 labels, no reports.

`train.csv`, `valid.csv` and, where one has it, `test.csv` or `test_labels.csv` at the root. A
table's Path begins with the name of the archive's folder, whatever the root is called here.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import film_view, label_state
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.metrics.labeller import LABELS
from chexone_ray.records import ImageRef, Study

DATASET = "chexpert"
PATIENTS = "chexpert"
"""CheXpert Plus and RadGraph's reports of this set have these patient numbers too."""
OPACITY = ("Lung Opacity", "Airspace Opacity")
"""The expert labels of the test part use the other name."""
_COLUMNS = ("Path", *(label.title() for label in LABELS if label.title() not in OPACITY))
TABLES = {
    "train": Table(("train.csv",), _COLUMNS),
    "validate": Table(("valid.csv",), _COLUMNS, True),
    "test": Table(("test.csv", "test_labels.csv"), _COLUMNS, True),
}
_FOLDERS = ("train", "valid", "test")
_NAMES = {label.title(): label for label in LABELS} | dict.fromkeys(OPACITY, "lung opacity")


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and number, and what was left out by reason.

    Study numbers say nothing of time in this release, so no study has a prior. Raises ChexoneError
    where no table is there or one lacks a column.
    """
    root = source.uri
    losses = Losses()
    films: dict[tuple[str, str], dict[str, dict[str, str]]] = defaultdict(dict)
    split_of: dict[tuple[str, str], str] = {}
    for split, spec in TABLES.items():
        for row in _rows(root, spec):
            place = _place(row["Path"])
            if place is None:
                losses.lose("row_without_id", row.place)
                continue
            key = (place.parts[1], place.parts[2])
            if str(place) in films[key]:
                losses.lose("duplicate_row", row.place)
            films[key].setdefault(str(place), row)
            split_of[key] = split
    if not films:
        raise ChexoneError(f"{storage.join(root, 'train.csv')} is missing or empty: {CSV_STEP}")
    found = [
        _study(root, key, rows, split_of[key] if archive_splits else "")
        for key, rows in sorted(films.items())
    ]
    return found, losses


def _rows(root: str, spec: Table) -> tables.Rows:
    table = tables.rows_if_there(root, spec)
    if table.uri and not set(OPACITY) & set(table.columns):
        raise ChexoneError(f'{table.uri} has no column "{OPACITY[0]}": {CSV_STEP}')
    return table


def _place(path: str) -> PurePosixPath | None:
    """`train/patient00001/study1/view1_frontal.jpg` of a Path, or None where it is none."""
    parts = PurePosixPath(path).parts
    start = next((i for i, part in enumerate(parts) if part in _FOLDERS), None)
    if start is None or len(parts) - start != 4:
        return None
    return PurePosixPath(*parts[start:])


def _study(
    root: str, key: tuple[str, str], rows: dict[str, dict[str, str]], split: str
) -> PendingStudy:
    names = sorted(rows)
    first = rows[names[0]]
    return PendingStudy(
        Study(
            dataset=DATASET,
            patient=key[0],
            study="/".join(key),
            images=tuple(ImageRef(storage.join(root, name), _view(rows[name])) for name in names),
            archive_split=split,
            labels={
                label: label_state(first[column])
                for column, label in _NAMES.items()
                if column in first
            },
        )
    )


def _view(row: dict[str, str]) -> str:
    """The expert-labelled test part tells frontal from lateral by the file's name only."""
    side = row.get("Frontal/Lateral") or row["Path"].rpartition("_")[2].partition(".")[0]
    return film_view(side, row.get("AP/PA", ""))


SPEC = Spec(
    title="CheXpert v1",
    access="registration",
    images="{train,valid,test}/patient<n>/study<n>/view<n>_{frontal,lateral}.jpg",
    labels="14 labels with uncertainty, by rules from reports; by radiologists in valid and test",
    uncertain=True,
    tables=tuple(TABLES.values()),
    read=studies,
    patients=PATIENTS,
)
