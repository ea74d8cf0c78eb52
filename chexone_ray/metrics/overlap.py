"""How far predicted boxes cover the reference's: IoU over all, mean IoU in two forms, Acc@t.

A question about a phrase may have several boxes. Two forms are in use and differ, so a figure names
its own:

- "mask": the area that all predicted boxes cover against the area that all reference boxes cover.
  Areas are exact, by coordinate compression; nothing is rasterised.
- "matched": the IoU of one-to-one pairs with the largest sum, over max(predicted, reference) boxes.

For one box a side both are its IoU. A missing prediction is 0 and stays in the mean. A row without
reference boxes has no IoU: `detection.negative_row` counts it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from chexone_ray.boxes import match
from chexone_ray.metrics.signature import signature
from chexone_ray.records import Box

Form = Literal["mask", "matched"]
SLACK = 1e-9
"""What rounding may take from an IoU that lies exactly on a threshold."""


def union_iou(predicted: Sequence[Box], reference: Sequence[Box]) -> float:
    """Area covered by both sides over area covered by either, all images together; labels play no
    part. 0 where neither side covers anything."""
    both, either = 0.0, 0.0
    for said, meant in _by_image(predicted, reference):
        first, second, union = _covered(said, meant)
        both += first + second - union
        either += union
    return both / either if either > 0 else 0.0


def matched_iou(
    predicted: Sequence[Box], reference: Sequence[Box], labelled: bool = False
) -> float:
    """Summed IoU of the best one-to-one pairs over max(predicted, reference) boxes.

    Boxes of different images never match, with `labelled` neither do those of different names; a
    surplus box costs as much as a missing one. 0 where there are no boxes at all.
    """
    total = sum(
        overlap
        for said, meant in _by_image(predicted, reference)
        for _, _, overlap in match(said, meant, labelled)
    )
    return total / max(len(predicted), len(reference), 1)


def _iou(predicted: Sequence[Box], reference: Sequence[Box], form: Form, labelled: bool) -> float:
    """IoU in a form. The mask form knows no labels; asking for them is refused."""
    if form == "mask":
        if labelled:
            raise ValueError('form "mask" pools all boxes: labelled=True has no effect, drop it')
        return union_iou(predicted, reference)
    return matched_iou(predicted, reference, labelled)


def iou_row(
    predicted: Sequence[Box],
    reference: Sequence[Box],
    form: Form = "mask",
    labelled: bool = False,
) -> tuple[float, float] | None:
    """(IoU, 1) for `mean_value`: the mean IoU. None without reference boxes."""
    return (_iou(predicted, reference, form, labelled), 1.0) if reference else None


def accuracy_row(
    predicted: Sequence[Box],
    reference: Sequence[Box],
    threshold: float,
    form: Form = "mask",
    labelled: bool = False,
) -> tuple[float, float] | None:
    """(1 where IoU >= threshold else 0, 1) for `mean_value`: Acc@t. None without reference."""
    if not reference:
        return None
    return float(_iou(predicted, reference, form, labelled) >= threshold - SLACK), 1.0


def overlap_signature(
    name: str,
    form: Form,
    labelled: bool = False,
    threshold: float | None = None,
    **settings: str,
) -> str:
    """Such as "mIoU|form:mask|labels:no|missing:0|v:..."; `name` is mIoU or Acc."""
    more = {} if threshold is None else {"iou": threshold}
    return signature(name, **more, form=form, labels=labelled, missing=0, **settings)


def without_labels(boxes: Sequence[Box]) -> list[Box]:
    """The boxes with their names dropped, for questions that name what to find."""
    return [replace(box, label="") for box in boxes]


def _by_image(
    predicted: Sequence[Box], reference: Sequence[Box]
) -> list[tuple[list[Box], list[Box]]]:
    images: dict[int, tuple[list[Box], list[Box]]] = defaultdict(lambda: ([], []))
    for box in predicted:
        images[box.image][0].append(box)
    for box in reference:
        images[box.image][1].append(box)
    return list(images.values())


def _covered(first: Sequence[Box], second: Sequence[Box]) -> tuple[float, float, float]:
    """Areas covered by the first, by the second and by either, of one image.

    All corners cut the plane into at most (2n - 1)^2 cells, each of which lies wholly inside or
    outside of every box.
    """
    corners = [box.xyxy for box in (*first, *second)]
    if not corners:
        return 0.0, 0.0, 0.0
    x1, y1, x2, y2 = np.asarray(corners, dtype=float).T
    xs, ys = np.unique([x1, x2]), np.unique([y1, y2])
    cells = np.outer(np.diff(xs), np.diff(ys))
    masks = np.zeros((2, *cells.shape), dtype=bool)
    for number, (left, upper, right, lower) in enumerate(corners):
        columns = slice(*np.searchsorted(xs, (left, right)))
        rows = slice(*np.searchsorted(ys, (upper, lower)))
        masks[int(number >= len(first)), columns, rows] = True
    areas = [float(cells[mask].sum()) for mask in (masks[0], masks[1], masks[0] | masks[1])]
    return areas[0], areas[1], areas[2]
