"""ReXGradient-160K: studies of one or more 16-bit PNGs with report sections.

`metadata/{train,valid,test}_metadata_view_position.json`, each an object by study; image paths
begin with `../deid_png/`, which lies under the root here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Study

DATASET = "rexgradient"
FILES = {
    part: f"metadata/{part}_metadata_view_position.json" for part in ("train", "valid", "test")
}
VIEWS = {
    "PA": "PA",
    "POSTERO_ANTERIOR": "PA",
    "AP": "AP",
    "ANTERO_POSTERIOR": "AP",
    "LATERAL": "lateral",
    "LL": "lateral",
}
"""Oblique (LAO, RAO) and unknown views stay without one: nothing is asked about them alone."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and date, and what was left out by reason.

    Raises ChexoneError where no metadata file is there or one is no JSON object.
    """
    losses = Losses()
    found = []
    for part, name in FILES.items():
        uri = tables.find(source.uri, (name,))
        for key, entry, place in json_files.entries(uri, "by study"):
            study = _study(source.uri, key, entry, part if archive_splits else "", losses, place)
            if study is None:
                losses.lose("row_without_id", place)
            else:
                found.append(PendingStudy(study))
    if not found:
        uri = storage.join(source.uri, FILES["train"])
        raise ChexoneError(f"{uri} is missing or empty: {CSV_STEP}")
    return in_order(found), losses


def films_of(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(path under the root, view or empty) of the films that an entry lists, ReXVQA's too; it may
    list fewer views. A leading `../` is a prefix: stripping its characters would eat into names."""
    paths = entry.get("ImagePath")
    views = entry.get("ImageViewPosition") or ()
    for path, view in zip_longest(paths if isinstance(paths, list) else (), views):
        if path is not None:
            yield str(path).removeprefix("../"), VIEWS.get(str(view or "").upper(), "")


def _study(root: str, key: str, entry: Any, split: str, losses: Losses, place: str) -> Study | None:
    if not isinstance(entry, dict) or not entry.get("PatientID"):
        return None
    by_path: dict[str, str] = {}
    for path, view in films_of(entry):
        if path in by_path:
            losses.lose("duplicate_row", place)
        by_path.setdefault(path, view)
    if not by_path:
        return None
    sections = {
        name: " ".join(str(entry.get(name) or "").split())
        for name in ("Findings", "Impression", "Indication", "Comparison")
    }
    return Study(
        dataset=DATASET,
        patient=str(entry["PatientID"]),
        study=key,
        images=tuple(ImageRef(storage.join(root, path), view) for path, view in by_path.items()),
        date=str(entry.get("StudyDate") or ""),
        archive_split=split,
        findings=sections["Findings"],
        impression=sections["Impression"],
        indication=sections["Indication"],
        comparison=sections["Comparison"],
    )


SPEC = Spec(
    title="ReXGradient-160K",
    access="registration",
    images="deid_png/<patient>/<accession>/studies/.../<sop>.png, 16-bit",
    labels="none; report sections",
    uncertain=True,
    tables=tuple(Table((name,), (), optional=part != "train") for part, name in FILES.items()),
    read=studies,
    patients="rexgradient",
)
