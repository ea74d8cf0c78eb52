"""The tables and report texts of the phantom archive, as MIMIC-CXR and VinDr-CXR lay them out."""

from __future__ import annotations

import csv
import gzip
import io
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from chexone_ray import storage
from chexone_ray.data.phantom import PhantomStudy
from chexone_ray.data.phantom_report import PhantomReport

MIMIC, VINDR = "mimic-cxr-jpg", "vindr-cxr"
PREFIX = "mimic-cxr-2.0.0"
CHEXPERT = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
METADATA = (
    "dicom_id",
    "subject_id",
    "study_id",
    "PerformedProcedureStepDescription",
    "ViewPosition",
    "Rows",
    "Columns",
    "StudyDate",
    "StudyTime",
    "ProcedureCodeSequence_CodeMeaning",
    "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)
VINDR_CLASSES = {
    "pleural effusion": "Pleural effusion",
    "pneumothorax": "Pneumothorax",
    "nodule": "Nodule/Mass",
    "consolidation": "Consolidation",
    "cardiomegaly": "Cardiomegaly",
}
DEVICE_CLASSES = {"pacemaker": "Pacemaker", "tube": "Tube"}
VINDR_LABELS = (*VINDR_CLASSES.values(), "No finding")
"""Columns of image_labels_*.csv; VinDr-CXR has 28, of which phantoms know these."""
Row: TypeAlias = tuple[str | int, ...]


@dataclass
class Tables:
    """Rows of every table; parts of several workers add up."""

    metadata: list[Row] = field(default_factory=list)
    split: list[Row] = field(default_factory=list)
    records: list[Row] = field(default_factory=list)
    chexpert: list[Row] = field(default_factory=list)
    boxes: dict[str, list[Row]] = field(default_factory=lambda: {"train": [], "test": []})
    devices: dict[str, list[Row]] = field(default_factory=lambda: {"train": [], "test": []})
    labels: dict[str, list[Row]] = field(default_factory=lambda: {"train": [], "test": []})
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tables) -> None:
        for name in ("metadata", "split", "records", "chexpert"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("boxes", "devices", "labels"):
            for part, rows in getattr(other, name).items():
                getattr(self, name)[part].extend(rows)
        self.counts.update(other.counts)


def report_text(study: PhantomStudy, report: PhantomReport) -> str:
    """A report as MIMIC-CXR lays it out: every line indented by one blank, headers in capitals."""
    views = "PA AND LATERAL" if "LATERAL" in study.views else f"{study.views[0]} VIEW"
    lines = ["FINAL REPORT", f"EXAMINATION:  CHEST ({views})", ""]
    lines += [f"INDICATION:  {report.indication}", "", f"COMPARISON:  {report.comparison}", ""]
    lines += ["FINDINGS:", "", *textwrap.wrap(report.findings, 76), ""]
    lines += ["IMPRESSION:", "", *textwrap.wrap(report.impression, 76)]
    return "".join(f" {line}\n" for line in lines)


def chexpert(study: PhantomStudy) -> tuple[str, ...]:
    """CheXpert values of a study in the order of `CHEXPERT`: 1.0, 0.0, -1.0 or blank."""
    labels = {spec.label for spec in study.specs}
    heart = {"normal": "0.0", "borderline": "-1.0", "enlarged": "1.0"}[study.anatomy.heart_size]
    stated = {
        "Cardiomegaly": heart,
        "Support Devices": _flag(bool(labels & {"pacemaker", "tube"})),
        "Lung Lesion": _flag("nodule" in labels),
        "Consolidation": _flag("consolidation" in labels),
        "Pleural Effusion": _flag("pleural effusion" in labels),
        "Pneumothorax": _flag("pneumothorax" in labels),
    }
    if heart == "0.0" and not labels - {"pacemaker", "tube"}:
        stated["No Finding"] = "1.0"
    return tuple(stated.get(name, "") for name in CHEXPERT)


def _flag(present: bool) -> str:
    return "1.0" if present else "0.0"


def _table(header: Sequence[str], rows: Iterable[Row], packed: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    data = text.getvalue().encode()
    return gzip.compress(data, mtime=0) if packed else data


def write_tables(uri: str, tables: Tables) -> None:
    files = {
        f"{MIMIC}/{PREFIX}-metadata.csv.gz": (METADATA, tables.metadata),
        f"{MIMIC}/{PREFIX}-split.csv.gz": (
            ("dicom_id", "study_id", "subject_id", "split"),
            tables.split,
        ),
        f"{MIMIC}/{PREFIX}-chexpert.csv.gz": (
            ("subject_id", "study_id", *CHEXPERT),
            tables.chexpert,
        ),
        f"{MIMIC}/cxr-record-list.csv.gz": (
            ("subject_id", "study_id", "dicom_id", "path"),
            tables.records,
        ),
    }
    places = ("class_name", "x_min", "y_min", "x_max", "y_max")
    for part in ("train", "test"):
        key = ("image_id",) if part == "test" else ("image_id", "rad_id")
        folder = f"{VINDR}/annotations"
        files[f"{folder}/annotations_{part}.csv"] = ((*key, *places), tables.boxes[part])
        files[f"{folder}/devices_{part}.csv"] = ((*key, *places), tables.devices[part])
        files[f"{folder}/image_labels_{part}.csv"] = ((*key, *VINDR_LABELS), tables.labels[part])
    for path, (header, rows) in files.items():
        data = _table(header, rows, packed=path.endswith(".gz"))
        storage.write_bytes(storage.join(uri, path), data)
