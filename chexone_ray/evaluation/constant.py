"""Image-blind baselines: answers that a system could give without looking at the picture.

Each is fitted on training rows and answers in the model's own notation, so it goes through the same
parser and the same metrics as every model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chexone_ray import boxes
from chexone_ray.evaluation.kinds import positive_labels
from chexone_ray.records import Box, Sample

Answerer = Callable[[Sample], str]

_MAX_FIT_BOXES = 400


def majority(train: Sequence[Sample]) -> Answerer:
    """The most frequent training answer, whatever is asked; ties go to the alphabet."""
    counts = Counter(sample.answer for sample in train)
    answer = min(counts, key=lambda text: (-counts[text], text))
    return lambda sample: answer


def all_positive(train: Sequence[Sample]) -> Answerer:
    """A report that states every label that any training report states."""
    labels = sorted({label for sample in train for label in positive_labels(sample.answer)})
    report = " ".join(f"There is {label.lower()}." for label in labels)
    return lambda sample: report


def best_fixed_box(train: Sequence[Sample], by_label: bool) -> Answerer:
    """The training box, a label or over all, that overlaps the training boxes best on average."""
    pools: dict[str, list[Box]] = {}
    for sample in train:
        for box in sample.boxes:
            pools.setdefault(box.label if by_label else "", []).append(box)
    best = {label: _medoid(pool) for label, pool in pools.items()}
    return lambda sample: _fixed_answer(sample, best, by_label)


def _fixed_answer(
    sample: Sample, best: Mapping[str, tuple[float, float, float, float]], by_label: bool
) -> str:
    label = sample.boxes[0].label if sample.boxes else ""
    xyxy = best.get(label if by_label else "") or next(iter(best.values()))
    return boxes.encode([Box(label or "finding", xyxy)])


def _medoid(pool: Sequence[Box]) -> tuple[float, float, float, float]:
    corners = np.array([box.xyxy for box in pool])[:_MAX_FIT_BOXES]
    chosen = corners[pairwise_iou(corners, corners).mean(axis=1).argmax()]
    x1, y1, x2, y2 = (float(v) for v in chosen)
    return (x1, y1, x2, y2)


def pairwise_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of every pair of xyxy boxes: (N, 4) and (M, 4) -> (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    area = [np.prod(side[:, 2:] - side[:, :2], axis=-1) for side in (first, second)]
    return common / np.maximum(area[0][:, None] + area[1][None, :] - common, 1e-12)


def baselines_of(kind: str, train: Sequence[Sample]) -> dict[str, Answerer]:
    """The baselines that make sense for a kind, by the name that the table shows."""
    if not train:
        return {}
    if kind == "findings":
        return {"all positive": all_positive(train), "majority": majority(train)}
    if kind == "grounding":
        if not any(sample.boxes for sample in train):
            return {}
        return {
            "best fixed box": best_fixed_box(train, by_label=False),
            "best fixed box a label": best_fixed_box(train, by_label=True),
        }
    return {"majority": majority(train)}
