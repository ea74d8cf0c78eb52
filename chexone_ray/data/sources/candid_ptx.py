"""CANDID-PTX: films with reports and masks of pneumothoraces, rib fractures and chest tubes.

`Pneumothorax_reports.csv` and optionally `Rib_fracture_mask_rle.csv` and `chest_tube.csv` at the
root, images anywhere below it as `<SOPInstanceUID>.dcm`. Masks are coded as in SIIM-ACR.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.siim_acr import boxes_of, union
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import ImageRef, Study

DATASET = "candid_ptx"
REPORTS = Table(
    ("Pneumothorax_reports.csv",),
    ("SOPInstanceUID", "StudyInstanceUID", "EncodedPixels", "Report"),
)
_MASKS = ("anon_SOPUID", "mask_rle")
FRACTURES = Table(("Rib_fracture_mask_rle.csv", "acute_rib_fracture.csv"), _MASKS, True)
TUBES = Table(("chest_tube.csv",), _MASKS, True)
Codes = dict[str, dict[str, str]]
"""Image -> its masks, each with the place of its row."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by id, and what was left out by reason.

    Raises ChexoneError where a table or a column is missing.
    """
    root = source.uri
    losses = Losses()
    lungs: Codes = defaultdict(dict)
    rows: dict[str, dict[str, str]] = {}
    for row in tables.rows(root, REPORTS):
        name = row["SOPInstanceUID"]
        if not name or not row["StudyInstanceUID"]:
            losses.lose("row_without_id", row.place)
            continue
        if row["EncodedPixels"] in lungs[name]:
            losses.lose("duplicate_row", row.place)
        lungs[name].setdefault(row["EncodedPixels"], row.place)
        rows.setdefault(name, row)
    masks = {"pneumothorax": lungs}
    masks |= {"fracture": _codes(root, FRACTURES, rows.keys(), losses)}
    masks |= {"chest tube": _codes(root, TUBES, rows.keys(), losses)}
    places = tables.files_by_name(root, ".dcm")
    found = []
    for name in sorted(rows):
        states: dict[str, int | None] = {}
        boxes = []
        for label, coded in masks.items():
            codes = coded.get(name, {})
            mask = union(codes) if codes else None
            if mask is not None:
                states[label] = int(mask.any())
                boxes += boxes_of(mask, label)
            else:
                for place in codes.values():
                    losses.lose("unparsable_row", place)
        study = Study(
            dataset=DATASET,
            patient=rows[name]["StudyInstanceUID"],
            study=name,
            images=(ImageRef(places.get(f"{name}.dcm", storage.join(root, f"{name}.dcm"))),),
            labels=states,
            boxed=tuple(states),
        )
        report = rows[name]["Report"]
        found.append(PendingStudy(study, tuple(boxes), report=report, default_view="frontal"))
    return found, losses


def _codes(root: str, table: Table, images: Collection[str], losses: Losses) -> Codes:
    """The masks of those images in one optional table."""
    codes: Codes = defaultdict(dict)
    for row in tables.rows_if_there(root, table):
        image, code = row["anon_SOPUID"], row["mask_rle"]
        if image not in images:
            losses.lose("mask_without_image", row.place)
        elif code in codes[image]:
            losses.lose("duplicate_row", row.place)
        else:
            codes[image][code] = row.place
    return codes


SPEC = Spec(
    title="CANDID-PTX",
    access="agreement",
    images="<SOPInstanceUID>.dcm in any folder below the root",
    labels="masks of pneumothorax, rib fracture and chest tube by radiologists; reports",
    uncertain=True,
    split_unit="study",
    tables=(REPORTS, FRACTURES, TUBES),
    read=studies,
)
