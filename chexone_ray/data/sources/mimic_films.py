"""Films of MIMIC-CXR that other data sets describe: where they are under `source.images_uri`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import mimic_cxr_jpg, tables
from chexone_ray.data.sources.spec import Table
from chexone_ray.errors import ChexoneError

METADATA = Table(mimic_cxr_jpg.METADATA.names, ("dicom_id", "subject_id", "study_id"), True)
IMAGES = "MIMIC-CXR-JPG's, under images_uri: files/p10/p10000032/s50414267/<dicom_id>.jpg"
_PATH = re.compile(r"(?:^|/)p(\d+)/s(\d+)/([^/]+?)(?:\.\w+)?$")


@dataclass(frozen=True)
class Film:
    """Whose film it is, of which study, and its view where that is known."""

    subject: str
    study: str
    dicom_id: str
    view: str = ""

    def uri(self, root: str) -> str:
        """Where it is; `prepare` tries the other suffixes."""
        folder = mimic_cxr_jpg.study_folder(self.subject, self.study)
        return storage.join(root, folder, f"{self.dicom_id}.jpg")


def films_root(source: SourceConfig) -> str:
    """`images_uri`. Raises ChexoneError where it is not set."""
    if source.images_uri is None:
        raise ChexoneError(
            f"{source.adapter} has no images of its own: set images_uri to MIMIC-CXR-JPG's root"
        )
    return source.images_uri


def film_of_path(path: str) -> Film | None:
    """The film of a path such as files/p10/p10000032/s50414267/<dicom_id>.jpg, or None."""
    found = _PATH.search(path)
    return Film(*found.groups()) if found else None


def known_films(root: str) -> dict[str, Film]:
    """dicom_id -> film by the metadata table under `root`; empty where there is none."""
    return {
        row["dicom_id"]: Film(
            row["subject_id"], row["study_id"], row["dicom_id"], mimic_cxr_jpg.view_of(row)
        )
        for row in tables.rows_if_there(root, METADATA)
        if all(row[name] for name in METADATA.columns)
    }


def films_of_subject(root: str, subject: str) -> dict[str, Film]:
    """dicom_id -> film by the files that are there of one patient."""
    folder = storage.join(root, f"files/p{subject[:2]}/p{subject}")
    films = (film_of_path(uri) for uri in storage.list_files(folder))
    return {film.dicom_id: film for film in films if film}
