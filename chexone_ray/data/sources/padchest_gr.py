"""PadChest-GR: reports of PadChest's films sentence by sentence, with a box for each finding.

`grounded_reports_20240819.json` (a list of studies; boxes in 0-1) and `master_table.csv`, plain or
as `master_table.csv.zip` (patient and split of a study), at the root; the PNG files
anywhere below it. The film before is `PreviousImageID` in the list or `prior_imageID` in the table,
and lies in a folder of its own. `extra_boxes`, the second reader's or a doubtful place, are not
used; the words of `progression` were not seen in full, and an unknown one is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import json_files, padchest, tables
from chexone_ray.data.sources.cells import corners
from chexone_ray.data.sources.losses import Losses, Places, Row, lose_strangers
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy, in_order, on_image
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.splits import is_split_name
from chexone_ray.records import Box, ImageRef, Phrase, Study

DATASET = "padchest_gr"
REPORTS = Table(("grounded_reports_20240819.json",), ())
MASTER = Table(("master_table.csv", "master_table.csv.zip"), ("StudyID", "PatientID", "split"))
_CHANGES: dict[str, Literal["better", "same", "worse"]] = {
    "improved": "better",
    "improving": "better",
    "stable": "same",
    "unchanged": "same",
    "no change": "same",
    "worsened": "worse",
    "worsening": "worse",
}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All studies, by patient and number, and what was left out by reason.

    Every sentence is a phrase, with or without a place, in the report's order. Raises ChexoneError
    where a table or a column is missing or the reports are no list.
    """
    root = source.uri
    losses = Losses()
    patients: dict[str, Row[str]] = {}
    rows: Places = defaultdict(list)
    for entry in tables.rows(root, MASTER):
        patients.setdefault(entry["StudyID"], entry)
        rows[entry["StudyID"]].append(entry.place)
    places = tables.files_by_name(root, ".png")
    found: dict[str, PendingStudy] = {}
    told: set[str] = set()
    reports = tables.require(root, REPORTS.names, CSV_STEP)
    for item in json_files.read_list(reports, losses, of="studies"):
        name, image = (str(item.get(key) or "") for key in ("StudyID", "ImageID"))
        row: Mapping[str, str] = patients.get(name, {})
        told.add(name)
        if not name or not image:
            losses.lose("row_without_id", item.place)
        elif name in found:
            losses.lose("duplicate_row", item.place)
        elif not row.get("PatientID"):
            losses.lose("study_without_patient", item.place)
        else:
            prior = str(item.get("PreviousImageID") or row.get("prior_imageID") or "")
            texts, phrases = _sentences(item, losses)
            changed = any(phrase.change for phrase in phrases)
            images = _images(root, places, image, prior if changed else "")
            split = row["split"] if is_split_name(row["split"]) else ""
            study = Study(
                dataset=DATASET,
                patient=row["PatientID"],
                study=name,
                images=images,
                archive_split=split if archive_splits else "",
                findings=" ".join(texts),
            )
            placed = tuple(on_image(phrase, len(images) - 1) for phrase in phrases)
            found[name] = PendingStudy(
                study, pixel_phrases=placed, canonical=True, default_view="frontal"
            )
    lose_strangers(rows, told, "row_without_report", losses)
    return in_order(found.values()), losses


def _images(root: str, places: dict[str, str], image: str, prior: str) -> tuple[ImageRef, ...]:
    """The film, after the one before it where that is named."""
    film = ImageRef(places.get(image, storage.join(root, image)))
    if not prior:
        return (film,)
    return (ImageRef(places.get(prior, storage.join(root, prior)), role="prior"), film)


def _sentences(row: Row[Any], losses: Losses) -> tuple[list[str], list[Phrase]]:
    """All sentences, and the phrases that they make; one that loses a box is no phrase."""
    texts: list[str] = []
    phrases: list[Phrase] = []
    findings = row.get("findings")
    for item in findings if isinstance(findings, list) else ():
        told = item.get("sentence_en") if isinstance(item, dict) else None
        text = " ".join(str(told or "").split())
        if not text:
            losses.lose("sentence_without_text", row.place)
            continue
        texts.append(text)
        labels, locations = _names(item.get("labels")), _names(item.get("locations"))
        label = padchest.finding_of(labels[0]) if len(labels) == 1 else ""
        region = locations[0].removeprefix("loc ") if len(locations) == 1 else ""
        places = [corners(box) for box in item.get("boxes") or () if isinstance(box, list)]
        boxes = tuple(Box(label, box) for box in places if box)
        for _ in range(len(places) - len(boxes)):
            losses.lose("box_row", row.place)
        if len(boxes) == len(places):
            phrases.append(Phrase(text, boxes, label, region, _change(item, losses, row.place)))
    return texts, phrases


def _change(
    item: dict[str, Any], losses: Losses, place: str
) -> Literal["", "better", "same", "worse"]:
    told = str(item.get("progression") or "").strip().lower()
    if told and told not in _CHANGES:
        losses.lose("unknown_change", place)
    return _CHANGES.get(told, "")


def _names(cell: object) -> list[str]:
    """The names of a list, lower case and once each."""
    names = (" ".join(str(name).lower().split()) for name in cell) if isinstance(cell, list) else ()
    return list(dict.fromkeys(name for name in names if name))


SPEC = Spec(
    title="PadChest-GR",
    access="agreement",
    images="<ImageID> in any folder below the root, 16-bit PNG; that of the film before as well",
    labels="sentences of reports in English, with boxes by radiologists",
    tables=(REPORTS, MASTER),
    read=studies,
    patients="padchest",
    uncertain=True,
)
