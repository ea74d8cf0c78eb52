"""SIIM-ACR Pneumothorax Segmentation: one study an image, masks as run lengths -> boxes.

`train-rle.csv` at the root (its second header begins with a space), images anywhere below it
(`dicom-images-train/<study>/<series>/<ImageId>.dcm`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.pending import PendingStudy
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.records import Box, ImageRef, Study

DATASET = "siim_acr"
TABLE = Table(("train-rle.csv",), ("ImageId", "EncodedPixels"))
LABEL = "pneumothorax"
SIZE = 1024
"""Height and width of all masks."""
MIN_PIXELS = 16
"""Smaller parts of a mask are slips of the pen."""


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All images as studies, by id, and what was left out by reason.

    Several rows of an image are several masks; their union counts. Raises ChexoneError where the
    table or a column is missing.
    """
    root = source.uri
    losses = Losses()
    codes: dict[str, dict[str, str]] = defaultdict(dict)
    for row in tables.rows(root, TABLE):
        if not row["ImageId"]:
            losses.lose("row_without_id", row.place)
            continue
        if row["EncodedPixels"] in codes[row["ImageId"]]:
            losses.lose("duplicate_row", row.place)
        codes[row["ImageId"]].setdefault(row["EncodedPixels"], row.place)
    places = tables.files_by_name(root, ".dcm")
    found = []
    for name, runs in sorted(codes.items()):
        mask = union(runs)
        if mask is None:
            for place in runs.values():
                losses.lose("unparsable_row", place)
        else:
            found.append(_study(root, name, mask, places))
    return found, losses


def union(codes: Iterable[str]) -> NDArray[np.bool_] | None:
    """All masks of one image in one (SIZE, SIZE); "-1" is an empty one. None where one is none."""
    whole = np.zeros((SIZE, SIZE), dtype=np.bool_)
    for code in codes:
        mask = decode_runs(code) if code != "-1" else None
        if mask is not None:
            whole |= mask
        elif code != "-1":
            return None
    return whole


def _study(root: str, name: str, mask: NDArray[np.bool_], places: dict[str, str]) -> PendingStudy:
    file = f"{name}.dcm"
    uri = places.get(file, storage.join(root, "dicom-images-train", file))
    study = Study(
        dataset=DATASET,
        patient=name,
        study=name,
        images=(ImageRef(uri),),
        labels={LABEL: int(mask.any())},
        boxed=(LABEL,),
    )
    return PendingStudy(study, tuple(boxes_of(mask, LABEL)), default_view="frontal")


def decode_runs(text: str, size: int = SIZE) -> NDArray[np.bool_] | None:
    """Pairs "gap length" -> mask (size, size); None where they are none.

    A gap counts from the end of the run before, and the runs go down the columns: neither COCO's
    code nor the usual one of Kaggle, which counts from 1 and from the start.
    """
    try:
        numbers = [int(cell) for cell in text.split()]
    except ValueError:
        return None
    if not numbers or len(numbers) % 2 or min(numbers) < 0:
        return None
    flat = np.zeros(size * size, dtype=np.bool_)
    at = 0
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        at += gap
        if at + length > flat.size:
            return None
        flat[at : at + length] = True
        at += length
    return flat.reshape(size, size).T


def boxes_of(mask: NDArray[np.bool_], label: str) -> list[Box]:
    """The box of each connected part of a mask (H, W), in pixels, half-open."""
    from scipy import ndimage

    parts, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    boxes = []
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        rows, columns = place
        if int((parts[place] == number).sum()) >= MIN_PIXELS:
            corners = (columns.start, rows.start, columns.stop, rows.stop)
            boxes.append(Box(label, tuple(map(float, corners))))  # type: ignore[arg-type]
    return sorted(boxes, key=lambda box: box.xyxy)


SPEC = Spec(
    title="SIIM-ACR Pneumothorax Segmentation",
    access="kaggle",
    images="dicom-images-train/<study>/<series>/<ImageId>.dcm",
    labels="pneumothorax, outlined by radiologists; boxes of the connected parts",
    split_unit="film",
    tables=(TABLE,),
    read=studies,
)
