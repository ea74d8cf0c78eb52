"""COVIDx CXR: films of several public collections; one study an image.

`train.txt` and `test.txt` at the root, four words a line: patient, file, class, collection; images
under `train/` and `test/`.
"""

from __future__ import annotations

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study

DATASET = "covidx"
PARTS = ("train", "val", "test")
TABLES = tuple(Table((f"{part}.txt",), (), optional=part != "train") for part in PARTS)
LABEL = "covid-19"
_STATES: dict[str, dict[str, int | None]] = {
    "positive": {LABEL: 1},
    "negative": {LABEL: 0},
    "covid-19": {LABEL: 1},
    "pneumonia": {LABEL: 0, "pneumonia": 1},
    "normal": {LABEL: 0, "pneumonia": 0, "no finding": 1},
}
"""Class -> labels; later releases say positive and negative only."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by part and file name, and what was left out by reason.

    Raises ChexoneError where no list is there.
    """
    root = source.uri
    losses = Losses()
    found: dict[tuple[str, str], PendingStudy] = {}
    for part, table in zip(PARTS, TABLES, strict=True):
        for place, line in tables.lines(tables.find(root, table.names)):
            words = line.rsplit(maxsplit=3)  # a patient's name may hold spaces
            if len(words) != 4:
                losses.lose("unparsable_row", place)
                continue
            patient, file, kind, collection = words
            if kind.lower() not in _STATES:
                losses.lose("unknown_label", place)
            elif (part, file) in found:
                losses.lose("duplicate_row", place)
            else:
                study = Study(
                    dataset=DATASET,
                    patient=f"{collection}/{patient}",
                    study=f"{part}/{file}",
                    images=(ImageRef(storage.join(root, part, file)),),
                    archive_split=part if archive_splits else "",
                    labels=_STATES[kind.lower()],
                )
                found[part, file] = PendingStudy(study, default_view="frontal")
    if not found:
        raise ChexoneError(f"{storage.join(root, 'train.txt')} is missing or empty: {CSV_STEP}")
    return [found[key] for key in sorted(found)], losses


SPEC = Spec(
    title="COVIDx CXR",
    access="kaggle",
    images="{train,val,test}/<file>",
    labels="COVID-19, by laboratory test; in older releases other pneumonia and normal films",
    split_unit="patient; of films of RSNA the film",
    tables=TABLES,
    read=studies,
)
