"""Agreement with pycocotools on random boxes, every box with a score of its own.

Where the two differ by design: pycocotools orders boxes of one score by image and box, we take them
as one operating point; a box outside the classes is an error there and left out here.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chexone_ray import boxes
from chexone_ray.metrics.detection import RANKS, class_precisions, rank_row
from chexone_ray.metrics.overlap import matched_iou, union_iou
from chexone_ray.records import Box

SIZE = 1000
CLASSES = ("mass", "edema", "fracture")
THRESHOLDS = (0.1, 0.3, 0.4, 0.5, 0.75)


def _some(rng: np.random.Generator, num: int) -> list[Box]:
    """Boxes at whole pixels, so that both hold the same numbers."""
    made = []
    for _ in range(num):
        x1, y1 = rng.integers(0, SIZE - 400, size=2)
        x2, y2 = x1 + rng.integers(50, 400), y1 + rng.integers(50, 400)
        label = CLASSES[rng.integers(len(CLASSES))]
        made.append(Box(label, tuple(float(v) / SIZE for v in (x1, y1, x2, y2))))  # type: ignore[arg-type]
    return made


def _near(rng: np.random.Generator, given: list[Box]) -> list[Box]:
    """The boxes moved by a few pixels, some of them twice, some not at all found."""
    made = []
    for other in given:
        for _ in range(rng.integers(0, 3)):
            x1, y1, x2, y2 = np.rint(np.array(other.xyxy) * SIZE + rng.integers(-40, 40, size=4))
            corners = tuple(float(v) / SIZE for v in (x1, y1, max(x2, x1 + 5), max(y2, y1 + 5)))
            made.append(Box(other.label, corners))  # type: ignore[arg-type]
    return made


def _xywh(box: Box) -> list[float]:
    x1, y1, x2, y2 = (round(v * SIZE) for v in box.xyxy)
    return [x1, y1, x2 - x1, y2 - y1]


@pytest.mark.parametrize("seed", range(3))
def test_iou(seed: int) -> None:
    rng = np.random.default_rng(seed)
    meant = _some(rng, 30)
    said = [*_near(rng, meant), *_some(rng, 10)]
    theirs = mask.iou([_xywh(b) for b in said], [_xywh(b) for b in meant], [0] * len(meant))
    mine = np.array([[boxes.iou(b, other) for other in meant] for b in said])
    np.testing.assert_allclose(mine, theirs, atol=1e-9)
    for first, second in zip(said, meant, strict=False):
        assert union_iou([first], [second]) == pytest.approx(boxes.iou(first, second), abs=1e-9)
        assert matched_iou([first], [second]) == pytest.approx(boxes.iou(first, second), abs=1e-9)


def _evaluated(
    meant: list[list[Box]], said: list[list[Box]], scores: list[np.ndarray]
) -> np.ndarray:
    """Average precision by pycocotools (T, C)."""
    truth = COCO()
    annotations: list[dict[str, Any]] = []
    for image, some in enumerate(meant):
        for other in some:
            x, y, w, h = _xywh(other)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": CLASSES.index(other.label),
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                }
            )
    truth.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(meant))],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES)],
        "annotations": annotations,
    }
    found = [
        {
            "image_id": image,
            "category_id": CLASSES.index(b.label),
            "bbox": _xywh(b),
            "score": float(score),
        }
        for image, (some, marks) in enumerate(zip(said, scores, strict=True))
        for b, score in zip(some, marks, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(found), "bbox")
        judge.params.iouThrs = np.array(THRESHOLDS)
        judge.evaluate()
        judge.accumulate()
    # (T, R, C, areas, most boxes an image): all areas, at most 100 boxes.
    return np.asarray(judge.eval["precision"][:, :, :, 0, 2].mean(axis=1))


@pytest.mark.parametrize("seed", range(8))
def test_average_precision_of_one_image(seed: int) -> None:
    """Of one image every rank has one box, so its order is a score of its own."""
    rng = np.random.default_rng(seed)
    meant = _some(rng, 8)
    said = [*_near(rng, meant), *_some(rng, 3)]
    said = [said[i] for i in rng.permutation(len(said))]
    assert max(sum(b.label == label for b in said) for label in CLASSES) <= RANKS
    theirs = _evaluated([meant], [said], [-np.arange(len(said), dtype=float)])
    theirs = np.where(theirs < 0, np.nan, theirs)  # theirs is -1 where there is no such box
    row = np.array(rank_row(said, meant, CLASSES, THRESHOLDS))
    np.testing.assert_allclose(class_precisions(row, len(CLASSES), "101"), theirs, atol=1e-9)
