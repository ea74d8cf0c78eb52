"""NIH ChestX-ray14: one study an image; 14 labels text-mined from reports, boxes of 8 findings.

`Data_Entry_2017[_v2020].csv` and optionally `BBox_List_2017.csv`, `train_val_list.txt`,
`test_list.txt` at the root; the images anywhere below it (`images_001/images/` to `images_012/`).
Boxes count in pixels of the released 1024 x 1024 PNG.
"""

from __future__ import annotations

from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import box_of_size, number
from chexone_ray.data.sources.losses import Losses, Places, Row, lose_strangers
from chexone_ray.data.sources.pending import PendingStudy, in_order
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.splits import TRAIN_VAL
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Study

DATASET = "nih_chestxray14"
PATIENTS = "nih"
"""The films of other data sets have these patient numbers too, where they tell them."""
ENTRIES = Table(
    ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv", "sample_labels.csv"),
    ("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "View Position"),
)
# Two headers are broken over their commas: "Bbox [x,y,w,h]" is four columns.
BOXES = Table(
    ("BBox_List_2017.csv",), ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"), True
)
LISTS = {
    TRAIN_VAL: Table(("train_val_list.txt",), (), True),
    "test": Table(("test_list.txt",), (), True),
}
FINDINGS = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Effusion": "pleural effusion",
    "Emphysema": "emphysema",
    "Fibrosis": "pulmonary fibrosis",
    "Hernia": "hernia",
    "Infiltration": "infiltration",
    "Mass": "mass",
    "Nodule": "nodule",
    "Pleural_Thickening": "pleural thickening",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}
NO_FINDING = "No Finding"
_VIEWS = {"PA": "PA", "AP": "AP"}
_BOX_NAMES = FINDINGS | {"Infiltrate": "infiltration"}


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by patient and follow-up number, and what was left out by reason.

    A finding that is not in an image's list is 0: the labels are the complete list of what the text
    mining found. Raises ChexoneError where a table, a column or one of the two lists is missing.
    """
    root = source.uri
    losses = Losses()
    boxes, lost = _boxes(root, losses)
    split_of, lines = _splits(root, losses) if archive_splits else ({}, {})
    places = tables.files_by_name(root, ".png")
    found: dict[str, PendingStudy] = {}
    for row in tables.rows(root, ENTRIES):
        name = row["Image Index"]
        if not name or not row["Patient ID"]:
            losses.lose("row_without_id", row.place)
        elif name in found:
            losses.lose("duplicate_row", row.place)
        else:
            uri = places.get(name, storage.join(root, "images", name))
            study = Study(
                dataset=DATASET,
                patient=row["Patient ID"].zfill(8),
                study=name.removesuffix(".png"),
                images=(ImageRef(uri, _VIEWS.get(row["View Position"], "")),),
                date=row["Follow-up #"].zfill(4),
                archive_split=split_of.get(name, ""),
                labels=_labels(row, losses),
                lost_boxes=tuple((label, 0) for label in sorted(lost.get(name, ()))),
            )
            found[name] = PendingStudy(study, tuple(box for box, _ in boxes.get(name, ())))
    for name in sorted(boxes.keys() - found.keys()):
        for _, place in boxes[name]:
            losses.lose("box_without_image", place)
    lose_strangers(lines, found.keys(), "split_without_study", losses)
    return in_order(found.values()), losses


def _labels(row: Row[str], losses: Losses) -> dict[str, int | None]:
    named = [name.strip() for name in row["Finding Labels"].split("|") if name.strip()]
    unknown = [name for name in named if name not in FINDINGS and name != NO_FINDING]
    if unknown or not named:
        losses.lose("unknown_label", row.place)
        return {}
    present = {FINDINGS[name] for name in named if name != NO_FINDING}
    states: dict[str, int | None] = {name: int(name in present) for name in FINDINGS.values()}
    return states | {"no finding": int(not present)}


def _boxes(
    root: str, losses: Losses
) -> tuple[dict[str, list[tuple[Box, str]]], dict[str, set[str]]]:
    """Image -> its boxes and their places; image -> the findings that have lost a box."""
    lost: dict[str, set[str]] = defaultdict(set)
    boxes: dict[str, list[tuple[Box, str]]] = defaultdict(list)
    for row in tables.rows_if_there(root, BOXES):
        label = _BOX_NAMES.get(row["Finding Label"])
        box = label and box_of_size(label, *(number(row[name]) for name in BOXES.columns[2:]))
        known = boxes[row["Image Index"]] if box else []
        if not box:
            losses.lose("box_row", row.place)
            lost[row["Image Index"]] |= {label} if label else set()
        elif any(box == other for other, _ in known):
            losses.lose("duplicate_row", row.place)
        else:
            known.append((box, row.place))
    return boxes, lost


def _splits(root: str, losses: Losses) -> tuple[dict[str, str], Places]:
    """Image -> the split of the list that names it first, and its line; empty without the lists.

    Raises ChexoneError where only one is there: a hash would part the films of the other, across
    the set's own split.
    """
    found = {split: tables.find(root, table.names) for split, table in LISTS.items()}
    missing = [LISTS[split].names[0] for split, uri in found.items() if uri is None]
    if len(missing) == 1:
        raise ChexoneError(
            f"{storage.join(root, missing[0])} is missing beside the other list: fetch it, or set "
            "archive_splits=false"
        )
    split_of: dict[str, str] = {}
    places: Places = defaultdict(list)
    for split, uri in found.items():
        for place, line in tables.lines(uri):
            name = line.strip()
            if name in split_of:
                losses.lose("duplicate_row", place)
                continue
            split_of[name] = split
            places[name].append(place)
    return split_of, places


SPEC = Spec(
    title="NIH ChestX-ray14",
    access="open",
    images="images_*/images/<Image Index> or any folder below the root",
    labels="14 findings, text-mined from reports (noisy); 984 boxes drawn by a radiologist",
    patients=PATIENTS,
    tables=(ENTRIES, BOXES, *LISTS.values()),
    read=studies,
)
