"""What the tests of data set adapters share: made-up tables and films, and how to read them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chexone_ray.config import Adapter, SourceConfig
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.registry import SOURCES
from chexone_ray.metrics.labeller import LABELS
from chexone_ray.records import ImageRef, Study

Read = tuple[list[PendingStudy], Losses]
REAL = next(
    (
        folder / "shared" / "data" / "real"
        for folder in Path(__file__).resolve().parents
        if (folder / "shared" / "data" / "real").is_dir()
    ),
    Path("absent"),
)
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/real is absent")
FILMS = "s3://films"
CHEXPERT_COLUMNS = sorted(label.title() for label in LABELS)
MIMIC_METADATA = [
    "dicom_id",
    "subject_id",
    "study_id",
    "ViewPosition",
    "Rows",
    "Columns",
    "StudyDate",
    "StudyTime",
]
LABEL_HEADER = ",".join(label.title() for label in LABELS)


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


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


def write_table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def png16(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(path)


def read(adapter: str, root: Path, films: Path | None = None, archive_splits: bool = True) -> Read:
    source = SourceConfig.model_validate(
        {"adapter": adapter, "uri": str(root), "images_uri": str(films) if films else None}
    )
    return SOURCES[adapter].read(source, archive_splits)


def read_questions(
    adapter: Adapter, uri: Path, images_uri: str | None = None, archive_splits: bool = True
) -> tuple[list[Study], Losses]:
    """Studies and counts; the questions of a study have names that differ, and known images."""
    source = SourceConfig(adapter=adapter, uri=str(uri), images_uri=images_uri)
    found, dropped = SOURCES[adapter].read(source, archive_splits)
    studies = [item.study for item in found]
    for study in studies:
        assert len({question.name for question in study.questions}) == len(study.questions) > 0
        for question in study.questions:
            assert all(number < len(study.images) for number in question.images)
            assert question.answers and all(question.answers), question
            assert not question.options or set(question.answers) <= set(question.options)
    return studies, dropped


def mimic_source(root: Path, boxes: Path | None = None) -> SourceConfig:
    return SourceConfig(
        adapter="mimic_cxr_jpg", uri=str(root), boxes_uri=str(boxes) if boxes else None
    )


def sized_film(width: int, height: int) -> dict[int, ImageRef]:
    return {0: ImageRef("x", "PA", "current", width, height)}


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


def splits(studies: list[Study]) -> dict[str, str]:
    return {study.study: study.archive_split for study in studies}


def asked(study: Study) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(question.name, question.kind, question.answers) for question in study.questions]


def by_name(found: list[Study]) -> dict[str, Study]:
    return {study.study: study for study in found}


def cells(**states: str) -> str:
    return ",".join(states.get(label.replace(" ", "_"), "") for label in LABELS)
