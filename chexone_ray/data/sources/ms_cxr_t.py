"""MS-CXR-T: pairs of MIMIC-CXR films and how five findings changed between them.

`MS_CXR_T_temporal_image_classification_v1.0.0.csv` at the root, one row a pair. The images are
those of MIMIC-CXR-JPG, under `images_uri`. The table does not say which study the previous film
belongs to: MIMIC's metadata table tells it where it lies under `images_uri`, else the patient's
files do. Every pair counts as test, whatever `archive_splits` says: others test on this set. The
pairs of sentences, which have no image, are not read.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import mimic_films, tables
from chexone_ray.data.sources.losses import Losses, Row
from chexone_ray.data.sources.mimic_films import Film
from chexone_ray.data.sources.pending import PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Phrase, Study

DATASET = "ms_cxr_t"
FINDINGS = ("consolidation", "edema", "pleural effusion", "pneumonia", "pneumothorax")
COLUMNS = {name: f"{name.replace(' ', '_')}_progression" for name in FINDINGS}
TABLE = Table(
    ("MS_CXR_T_temporal_image_classification_v1.0.0.csv",),
    ("dicom_id", "previous_dicom_id", "study_id", "subject_id", *COLUMNS.values()),
)
_CHANGES: dict[str, Literal["better", "same", "worse"]] = {
    "improving": "better",
    "stable": "same",
    "worsening": "worse",
}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All pairs as studies, by patient and number, and what was left out by reason.

    Raises ChexoneError where the table, a column or `images_uri` is missing.
    """
    root = mimic_films.films_root(source)
    known = mimic_films.known_films(root)

    @cache
    def listed(subject: str) -> dict[str, Film]:
        return mimic_films.films_of_subject(root, subject)

    losses = Losses()
    found: dict[str, PendingStudy] = {}
    for row in tables.rows(source.uri, TABLE):
        if not all(row[name] for name in TABLE.columns[:4]):
            losses.lose("row_without_id", row.place)
            continue
        film = Film(row["subject_id"], row["study_id"], row["dicom_id"])
        film = known.get(film.dicom_id, film)
        prior = known.get(row["previous_dicom_id"])
        prior = prior or listed(film.subject).get(row["previous_dicom_id"])
        name = f"{film.study}/{film.dicom_id}"
        phrases = _phrases(row, losses)
        if name in found:
            losses.lose("duplicate_row", row.place)
        elif prior is None:
            losses.lose("prior_film_not_found", row.place)
        elif not phrases:
            losses.lose("row_without_change", row.place)
        else:
            images = (
                ImageRef(prior.uri(root), prior.view, role="prior"),
                ImageRef(film.uri(root), film.view),
            )
            study = Study(
                dataset=DATASET,
                patient=film.subject,
                study=name,
                images=images,
                archive_split="test",
            )
            found[name] = PendingStudy(study, pixel_phrases=phrases, default_view="frontal")
    return in_order(found.values()), losses


def _phrases(row: Row[str], losses: Losses) -> tuple[Phrase, ...]:
    """One phrase without text a finding that was compared."""
    told = {label: row[column].lower() for label, column in COLUMNS.items() if row[column]}
    for change in told.values():
        if change not in _CHANGES:
            losses.lose("unknown_change", row.place)
    return tuple(
        Phrase(text="", label=label, change=_CHANGES[change])
        for label, change in told.items()
        if change in _CHANGES
    )


SPEC = Spec(
    title="MS-CXR-T",
    access="credentialed",
    images=mimic_films.IMAGES,
    labels="change of 5 findings against an earlier film, by radiologists",
    tables=(TABLE,),
    read=studies,
    images_elsewhere=True,
    patients="mimic",
)
