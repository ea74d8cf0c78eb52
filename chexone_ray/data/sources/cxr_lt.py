"""CXR-LT: long-tailed labels of MIMIC-CXR films (26 in 2023, 40 and 45 in 2024).

One table a part at the root: `train.csv` (2023) or `train_labeled.csv` (2024), and where you have
labelled ones `development.csv` and `test.csv`. The images are those of MIMIC-CXR-JPG, under
`images_uri`. The names of the 2024 tables are those of its challenge; a release may name them
otherwise. Labels are of the study: 1 or 0, a blank is not mentioned.
"""

from __future__ import annotations

from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import mimic_cxr_jpg, mimic_films, tables
from chexone_ray.data.sources.cells import label_state
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.mimic_films import Film
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study

DATASET = "cxr_lt"
COLUMNS = ("dicom_id", "subject_id", "study_id")
TABLES = {
    "train": Table(("train.csv", "train_labeled.csv"), COLUMNS, True),
    "validate": Table(("development.csv",), COLUMNS, True),
    "test": Table(("test.csv",), COLUMNS, True),
}
LABELS = {
    name: name.lower()
    for name in (
        "Adenopathy", "Atelectasis", "Azygos Lobe", "Bulla", "Calcification of the Aorta",
        "Cardiomegaly", "Cardiomyopathy", "Clavicle Fracture", "Consolidation", "Edema",
        "Emphysema", "Enlarged Cardiomediastinum", "Fissure", "Fracture", "Granuloma", "Hernia",
        "Hilum", "Hydropneumothorax", "Infarction", "Infiltration", "Kyphosis",
        "Lobar Atelectasis", "Lung Lesion", "Lung Opacity", "Mass", "No Finding", "Nodule",
        "Osteopenia", "Pleural Effusion", "Pleural Other", "Pleural Thickening",
        "Pneumomediastinum", "Pneumonia", "Pneumoperitoneum", "Pneumothorax",
        "Pulmonary Embolism", "Pulmonary Hypertension", "Rib Fracture", "Round(ed) Atelectasis",
        "Scoliosis", "Subcutaneous Emphysema", "Support Devices", "Tortuous Aorta",
        "Tuberculosis",
    )
} | {"Fibrosis": "pulmonary fibrosis", "Normal": "no finding"}  # fmt: skip
"""Column -> our name; a table has those of its year."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and number, and what was left out by reason.

    Raises ChexoneError where `images_uri`, a column or every table with labels is missing.
    """
    root = mimic_films.films_root(source)
    losses = Losses()
    films: dict[tuple[str, str], dict[str, Film]] = defaultdict(dict)
    labels: dict[tuple[str, str], dict[str, int | None]] = {}
    split_of: dict[tuple[str, str], str] = {}
    for split, spec in TABLES.items():
        for row in _rows(source.uri, spec, losses):
            name, *ids = (row[column] for column in COLUMNS)
            key = (ids[0], ids[1])
            if not name or not all(key):
                losses.lose("row_without_id", row.place)
            elif name in films[key] or split_of.get(key, split) != split:
                losses.lose("duplicate_row", row.place)
            else:
                films[key][name] = Film(*key, name, mimic_cxr_jpg.view_of(row))
                split_of[key] = split
                labels.setdefault(key, _labels(row))
    if not split_of:
        uri = storage.join(source.uri, "train.csv")
        raise ChexoneError(f"{uri} is missing or has no labels: {CSV_STEP}")
    found = []
    for key, split in sorted(split_of.items()):
        images = (films[key][name] for name in sorted(films[key]))
        study = Study(
            dataset=DATASET,
            patient=key[0],
            study=key[1],
            images=tuple(ImageRef(film.uri(root), film.view) for film in images),
            archive_split=split if archive_splits else "",
            labels=labels[key],
        )
        found.append(PendingStudy(study))
    return found, losses


def _rows(root: str, spec: Table, losses: Losses) -> tuple[Row[str], ...]:
    """The rows of one part; none where its table came without labels, as those to be guessed."""
    table = tables.rows_if_there(root, spec)
    if not LABELS.keys() & set(table.columns):
        for row in table:
            losses.lose("row_without_label", row.place)
        return ()
    return table.rows


def _labels(row: dict[str, str]) -> dict[str, int | None]:
    return {name: label_state(row[column]) for column, name in LABELS.items() if column in row}


SPEC = Spec(
    title="CXR-LT",
    access="credentialed",
    images=mimic_films.IMAGES,
    labels="26, 40 or 45 findings with rare ones, by rules from reports",
    tables=tuple(TABLES.values()),
    read=studies,
    images_elsewhere=True,
    patients="mimic",
)
