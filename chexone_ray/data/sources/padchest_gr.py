"""PadChest-GR: reports of PadChest's films sentence by sentence, with a box for each finding.

`grounded_reports_20240819.json` (a list of studies; boxes in 0-1) and `master_table.csv`, plain or
as `master_table.csv.zip` (patient and split of a study), at the root; the PNG files
anywhere below it. The film before is `PreviousImageID` in the list or `prior_imageID` in the table,
and lies in a folder of its own. `extra_boxes`, the second reader's or a doubtful place, are not
used; the words of `progression` were not seen in full, and an unknown one is counted.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Literal

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import padchest, tables
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.phrase_boxes import corners, on_image
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.splits import is_split_name
from chexone_ray.errors import ChexoneError
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


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Counter[str]]:
    """All studies, by patient and number, and what was left out by reason.

    Every sentence is a phrase, with or without a place, in the report's order. Raises ChexoneError
    where a table or a column is missing or the reports are no list.
    """
    root = source.uri
    uri = tables.require(root, MASTER.names, CSV_STEP)
    dropped: Counter[str] = Counter()
    patients: dict[str, dict[str, str]] = {}
    for row in tables.read(uri, MASTER.columns, CSV_STEP):
        patients.setdefault(row["StudyID"], row)
    places = tables.files_by_name(root, ".png")
    found: dict[str, PendingStudy] = {}
    for item in _reports(root, dropped):
        name, image = (str(item.get(key) or "") for key in ("StudyID", "ImageID"))
        row = patients.get(name, {})
        if not name or not image:
            dropped["row_without_id"] += 1
        elif name in found:
            dropped["duplicate_row"] += 1
        elif not row.get("PatientID"):
            dropped["study_without_patient"] += 1
        else:
            prior = str(item.get("PreviousImageID") or row.get("prior_imageID") or "")
            texts, phrases = _sentences(item.get("findings"), dropped)
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
    return sorted(found.values(), key=lambda p: (p.study.patient, p.study.study)), +dropped


def _reports(root: str, dropped: Counter[str]) -> list[dict[str, Any]]:
    uri = tables.require(root, REPORTS.names, CSV_STEP)
    try:
        items = json.loads(tables.read_text(uri))
    except ValueError as error:
        raise ChexoneError(f"{uri} is not JSON ({error}): fetch it again") from error
    if not isinstance(items, list):
        raise ChexoneError(f"{uri} is no JSON list of studies: {CSV_STEP}")
    whole = [item for item in items if isinstance(item, dict)]
    dropped["unparsable_row"] += len(items) - len(whole)
    return whole


def _images(root: str, places: dict[str, str], image: str, prior: str) -> tuple[ImageRef, ...]:
    """The film, after the one before it where that is named."""
    film = ImageRef(places.get(image, storage.join(root, image)))
    if not prior:
        return (film,)
    return (ImageRef(places.get(prior, storage.join(root, prior)), role="prior"), film)


def _sentences(findings: object, dropped: Counter[str]) -> tuple[list[str], list[Phrase]]:
    """All sentences, and the phrases that they make; one that loses a box is no phrase."""
    texts: list[str] = []
    phrases: list[Phrase] = []
    for item in findings if isinstance(findings, list) else ():
        told = item.get("sentence_en") if isinstance(item, dict) else None
        text = " ".join(str(told or "").split())
        if not text:
            dropped["sentence_without_text"] += 1
            continue
        texts.append(text)
        labels, locations = _names(item.get("labels")), _names(item.get("locations"))
        label = padchest.finding_of(labels[0]) if len(labels) == 1 else ""
        region = locations[0].removeprefix("loc ") if len(locations) == 1 else ""
        places = [corners(box) for box in item.get("boxes") or () if isinstance(box, list)]
        boxes = tuple(Box(label, box) for box in places if box)
        dropped["box_row"] += len(places) - len(boxes)
        if len(boxes) == len(places):
            phrases.append(Phrase(text, boxes, label, region, _change(item, dropped)))
    return texts, phrases


def _change(item: dict[str, Any], dropped: Counter[str]) -> Literal["", "better", "same", "worse"]:
    told = str(item.get("progression") or "").strip().lower()
    dropped["unknown_change"] += bool(told) and told not in _CHANGES
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
