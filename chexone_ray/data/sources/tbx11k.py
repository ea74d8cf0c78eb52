"""TBX11K: films for tuberculosis with boxes of active, latent and uncertain TB, one study an image.

`annotations/json/TBX11K_train.json` and `TBX11K_val.json` (COCO; the test part has no public
truth), images `imgs/{health,sick,tb}/<name>.png` of 512 x 512 pixels, to which the boxes refer. A
film in `tb/` without a box is of a kind that nobody could tell; what else is abnormal, as on the
films in `sick/`, has no box. The archive names no patients.
"""

from __future__ import annotations

import json
from collections import defaultdict

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.cells import box_of_size, number
from chexone_ray.data.sources.json_files import objects
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Box, ImageRef, Study

DATASET = "tbx11k"
TABLES = {
    "train": Table(("annotations/json/TBX11K_train.json",), (), True),
    "val": Table(("annotations/json/TBX11K_val.json",), (), True),
}
CLASSES = {
    "ActiveTuberculosis": "active tuberculosis",
    "ObsoletePulmonaryTuberculosis": "latent tuberculosis",
    "PulmonaryTuberculosis": "tuberculosis",
}
"""COCO category -> label; the last is TB whose kind is uncertain."""
LABEL = CLASSES["PulmonaryTuberculosis"]
KINDS = tuple(name for name in CLASSES.values() if name != LABEL)


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by name, and what was left out by reason.

    Raises ChexoneError where no part is there or one is no COCO file.
    """
    root = source.uri
    losses = Losses()
    found: dict[str, PendingStudy] = {}
    for split, spec in TABLES.items():
        uri = tables.find(root, spec.names)
        if uri is None:
            continue
        images, boxes = _read(uri, losses)
        for name, place in images:
            study = name.removesuffix(".png")
            if study in found:
                losses.lose("duplicate_row", place)
            else:
                known = _study(root, name, boxes.get(name, []))
                found[study] = known.with_split(split if archive_splits else "")
    if not found:
        uri = storage.join(root, "annotations/json/TBX11K_train.json")
        raise ChexoneError(f"{uri} is missing or empty: {CSV_STEP}")
    return [found[name] for name in sorted(found)], losses


def _read(uri: str, losses: Losses) -> tuple[list[tuple[str, str]], dict[str, list[Box]]]:
    """(file name, place) of one part in its order, and the boxes by file name."""
    try:
        coco = json.loads(tables.read_text(uri))
        classes = {str(item["id"]): CLASSES.get(item["name"]) for item in coco["categories"]}
        items, marks = (
            list(objects(coco[key], uri, key, losses)) for key in ("images", "annotations")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ChexoneError(f"{uri} is no COCO file ({error!r}): {CSV_STEP}") from error
    named: dict[str, tuple[str, str]] = {}
    for item in items:
        name = str(item.get("file_name") or "").removeprefix("imgs/")
        key = str(item.get("id"))
        if not name or "id" not in item:
            losses.lose("row_without_id", item.place)
            continue
        if key in named:
            losses.lose("duplicate_row", named[key][1])
        named[key] = (name, item.place)
    boxes: dict[str, list[Box]] = defaultdict(list)
    for mark in marks:
        name, _ = named.get(str(mark.get("image_id")), ("", ""))
        label = classes.get(str(mark.get("category_id")))
        sides = [number(value) for value in mark.get("bbox") or ()]
        box = box_of_size(label, *sides) if label and len(sides) == 4 else None
        if not name or box is None:
            losses.lose("box_row", mark.place)
        elif box in boxes[name]:
            losses.lose("duplicate_row", mark.place)
        else:
            boxes[name].append(box)
    return list(named.values()), boxes


def _study(root: str, name: str, boxes: list[Box]) -> PendingStudy:
    """Labels by the boxes, and by the folder where there is none."""
    seen = {box.label for box in boxes}
    folder = name.partition("/")[0]
    states: dict[str, int | None]
    if boxes:
        # Beside a box of uncertain kind, the other kinds are not ruled out.
        rest = None if LABEL in seen else 0
        states = {kind: 1 if kind in seen else rest for kind in KINDS} | {LABEL: 1}
        states["no finding"] = 0
    elif folder == "tb":
        states = {LABEL: 1, "no finding": 0}
    else:
        states = dict.fromkeys((*KINDS, LABEL), 0)
        states["no finding"] = int(folder == "health")
    study = Study(
        dataset=DATASET,
        patient=name.removesuffix(".png"),
        study=name.removesuffix(".png"),
        images=(ImageRef(storage.join(root, "imgs", name)),),
        labels=states,
        boxes_complete=folder == "health",
        boxed=() if folder == "tb" and not boxes else (*KINDS, LABEL),
    )
    return PendingStudy(study, tuple(boxes), default_view="frontal")


SPEC = Spec(
    title="TBX11K",
    access="open",
    images="imgs/{health,sick,tb}/<name>.png",
    labels="active, latent and uncertain tuberculosis, boxed by radiologists",
    tables=tuple(TABLES.values()),
    read=studies,
    split_unit="film",
)
