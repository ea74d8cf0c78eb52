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
from chexone_ray.metrics.detection import average_precision, hits
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


@pytest.mark.parametrize("seed", range(4))
def test_average_precision(seed: int) -> None:
    rng = np.random.default_rng(seed)
    meant = [_some(rng, int(rng.integers(0, 6))) for _ in range(40)]
    said = [[*_near(rng, some), *_some(rng, int(rng.integers(0, 3)))] for some in meant]
    marks = rng.permutation(sum(map(len, said))).astype(float)
    scores = np.split(marks, np.cumsum([len(some) for some in said])[:-1])
    theirs = _evaluated(meant, said, scores)
    for row, threshold in enumerate(THRESHOLDS):
        for column, label in enumerate(CLASSES):
            pooled: list[float] = []
            found: list[bool] = []
            for some, others, own in zip(said, meant, scores, strict=True):
                order = [i for i in np.argsort(-own) if some[i].label == label]
                pooled += [float(own[i]) for i in order]
                reference = [b for b in others if b.label == label]
                found += hits([some[i] for i in order], reference, threshold)
            num = sum(b.label == label for others in meant for b in others)
            mine = average_precision(pooled, found, num, "101")
            assert mine == pytest.approx(theirs[row, column], abs=1e-9)
