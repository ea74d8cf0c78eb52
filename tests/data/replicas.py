"""What the tests of data set adapters share: made-up tables and films, and how to read them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.registry import SOURCES

Read = tuple[list[PendingStudy], Losses]


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_rows(path: Path, header: str, *rows: str, delimiter: str = ",") -> None:
    """Rows whose cells are parted by "; " in the test, so that a cell may hold a comma."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(row.split("; ") for row in rows)
    write(path, text.getvalue().rstrip("\n"))


def png16(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(path)


def read(adapter: str, root: Path, films: Path | None = None, archive_splits: bool = True) -> Read:
    source = SourceConfig.model_validate(
        {"adapter": adapter, "uri": str(root), "images_uri": str(films) if films else None}
    )
    return SOURCES[adapter].read(source, archive_splits)


def film(root: Path, subject: str, study: str, name: str) -> str:
    return str(root / f"files/p{subject[:2]}/p{subject}/s{study}/{name}.jpg")


def write_mimic(root: Path) -> Path:
    """MIMIC-CXR-JPG's metadata with made-up numbers; the films have no files."""
    write(
        root / "mimic-cxr-2.0.0-metadata.csv",
        "dicom_id,subject_id,study_id,ViewPosition",
        "a1-a,10000001,50000001,AP",
        "a1-b,10000001,50000001,PA",
        "a2,10000001,50000002,XTABLE",
        "b1,10000002,50000003,",
        ",10000002,50000003,PA",
    )
    return root
