"""Finding every box of every class: F1@t, average precision, specificity.

A vision-language model states no confidence, so F1@t is the figure to prefer. Average precision
takes the order in which an answer emits its boxes of a class as their rank, over all images: the
first ones together are the first operating point, the second ones the next. Boxes of one rank are
never ordered among each other (pycocotools breaks ties by the order of the images, so its value
changes when they are shuffled). With a different score for every box both agree.

Hits follow COCO: predictions in order of rank, each takes the free reference box that it overlaps
most, at IoU >= t. The "voc" rule looks only at the reference box it overlaps most, free or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np

from chexone_ray.boxes import clean_label, iou
from chexone_ray.metrics.label_f1 import mean_known
from chexone_ray.metrics.overlap import SLACK
from chexone_ray.metrics.signature import signature
from chexone_ray.metrics.summable import Array
from chexone_ray.records import Box

Rule = Literal["coco", "voc"]
Points = Literal["all", "101"]
"""Where precision is read: at every recall that is reached (VOC since 2010), or at 101 recalls."""
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75)
RANKS = 10
"""Boxes of one class of one row from here on share the last rank."""
MAX_LABELS = 40
"""Labels that a mean over labels may have; VinDr-CXR has 22 of boxes."""
CHARGED = "one false positive"
"""What `charged` makes of no answer to a row without reference boxes, as signatures say it."""


def hits(
    predicted: Sequence[Box], reference: Sequence[Box], threshold: float, rule: Rule = "coco"
) -> list[bool]:
    """Which predictions, first ranked first, hit a reference box of their own; labels play no part,
    boxes of different images never meet."""
    free = [True] * len(reference)
    found = []
    for box in predicted:
        overlaps = [
            iou(box, other) if box.image == other.image and (free[j] or rule == "voc") else 0.0
            for j, other in enumerate(reference)
        ]
        best = int(np.argmax(overlaps)) if overlaps else 0
        hit = bool(overlaps) and overlaps[best] >= threshold - SLACK and free[best]
        hit = hit and overlaps[best] > 0
        if hit:
            free[best] = False
        found.append(hit)
    return found


def detection_row(
    predicted: Sequence[Box], reference: Sequence[Box], threshold: float
) -> tuple[float, float, float]:
    """(TP, FP, FN) at IoU >= threshold for `micro_f1_value`: F1@t over all boxes.

    Boxes of different names (ignoring case) never match. As many pairs are matched as can be, so
    the order of emission plays no part.
    """
    # Imported here: answers seldom hold boxes at all.
    from scipy.optimize import linear_sum_assignment

    true = 0
    if predicted and reference:
        matches = np.array(
            [
                [
                    box.image == other.image
                    and _name(box) == _name(other)
                    and iou(box, other) >= max(threshold - SLACK, SLACK)
                    for other in reference
                ]
                for box in predicted
            ],
            dtype=float,
        )
        rows, columns = linear_sum_assignment(matches, maximize=True)
        true = int(matches[rows, columns].sum())
    return float(true), float(len(predicted) - true), float(len(reference) - true)


def rank_row(
    predicted: Sequence[Box],
    reference: Sequence[Box],
    classes: Sequence[str],
    thresholds: Sequence[float] = THRESHOLDS,
    rule: Rule = "coco",
) -> tuple[float, ...]:
    """Statistics of average precision: for each threshold and class the reference boxes, then hits
    and misses of each rank; S = T x C x (1 + 2 RANKS).

    Boxes whose name is none of the classes (ignoring case) are left out on both sides.
    """
    row = np.zeros((len(thresholds), len(classes), 1 + 2 * RANKS))
    for column, label in enumerate(classes):
        said = [box for box in predicted if _name(box) == label.lower()]
        meant = [box for box in reference if _name(box) == label.lower()]
        row[:, column, 0] = len(meant)
        for number, threshold in enumerate(thresholds):
            for place, hit in enumerate(hits(said, meant, threshold, rule)):
                rank = min(place, RANKS - 1)
                row[number, column, 1 + 2 * rank + (not hit)] += 1
    return tuple(row.ravel().tolist())


def class_precisions(sums: Array, num_classes: int, points: Points = "all") -> Array:
    """Sums (..., S) of `rank_row` -> average precision (..., T, C); NaN without reference boxes."""
    parts = sums.reshape(*sums.shape[:-1], -1, num_classes, 1 + 2 * RANKS)
    true = parts[..., 1::2].cumsum(axis=-1)
    false = parts[..., 2::2].cumsum(axis=-1)
    return _area(true, false, parts[..., 0], points)


def mean_precision_value(num_classes: int, points: Points = "all") -> Callable[[Array], Array]:
    """Value function of summed `rank_row`s: the mean over the classes that the reference has, then
    over thresholds (mAP); NaN where it has none."""
    return partial(_mean_precision, num_classes=num_classes, points=points)


def negative_row(
    predicted: Sequence[Box] | None, reference: Sequence[Box]
) -> tuple[float, float] | None:
    """(1 where a row without reference boxes gets none, 1) for `mean_value`: specificity.

    None as prediction, an answer that neither draws nor denies (`denied.denies`), is wrong. Rows
    with boxes: None.
    """
    return None if reference else (float(predicted is not None and not predicted), 1.0)


def charged(
    predicted: Sequence[Box],
    reference: Sequence[Box],
    denied: bool,
    labels: Sequence[str] = ("",),
) -> list[Box]:
    """The boxes that count as drawn: of a row without reference boxes that neither got a box nor
    was denied to have one, a box of the whole film for each of `labels`. So no answer is one false
    positive there, as it is one miss a box elsewhere, and failing on negatives does not pay."""
    if predicted or reference or denied:
        return list(predicted)
    return [Box(label, (0.0, 0.0, 1.0, 1.0)) for label in labels]


def labels_of(reference: Sequence[Sequence[Box]]) -> list[str]:
    """All names of the boxes, in lower case."""
    return sorted({_name(box) for boxes in reference for box in boxes} - {""})


def label_rank_rows(
    predicted: Sequence[Sequence[Box]], reference: Sequence[Sequence[Box]], threshold: float
) -> Sequence[tuple[float, ...] | None]:
    """`rank_row` of every row at one threshold, the classes being all labels of the reference
    (ignoring case), so that rows add up; for `label_precision_value`.

    None for every row where the reference has no label, or more than `MAX_LABELS`: phrases, of
    which each has a box or two, have no precision worth the memory.
    """
    labels = labels_of(reference)
    if not 0 < len(labels) <= MAX_LABELS:
        return [None] * len(reference)
    return [
        rank_row(said, meant, labels, (threshold,))
        for said, meant in zip(predicted, reference, strict=True)
    ]


def label_precision_value(sums: Array) -> Array:
    """Sums (..., S) of `label_rank_rows` -> mean over the labels that they hold (mAP)."""
    return _mean_precision(sums, sums.shape[-1] // (1 + 2 * RANKS), "all")


def precision_signature(
    thresholds: Sequence[float],
    num_classes: int | str,
    points: Points = "all",
    rule: Rule = "coco",
    **settings: str,
) -> str:
    """Such as "mAP|iou:0.4|points:all|rule:coco|rank:emission|classes:14|...|v:..."; `settings` are
    what else the boxes depend on."""
    return signature(
        "mAP",
        iou=",".join(f"{threshold:g}" for threshold in thresholds),
        points=points,
        rule=rule,
        rank="emission",
        classes=num_classes,
        no_answer_to_a_negative=CHARGED,
        **settings,
    )


def box_f1_signature(threshold: float, labelled: bool = True, **settings: str) -> str:
    """The signature of F1@t."""
    return signature(
        "box F1",
        iou=threshold,
        average="micro",
        match="most pairs",
        labels=labelled,
        no_answer_to_a_negative=CHARGED,
        **settings,
    )


def _mean_precision(sums: Array, num_classes: int, points: Points) -> Array:
    return mean_known(mean_known(class_precisions(sums, num_classes, points)))


def _name(box: Box) -> str:
    return clean_label(box.label).lower()


def _area(true: Array, false: Array, num_reference: Array, points: Points) -> Array:
    """Cumulated hits and misses (..., K) -> area under precision over recall (...)."""
    safe = np.where(num_reference > 0, num_reference, 1.0)[..., None]
    recall = true / safe
    precision = true / np.where(true + false > 0, true + false, 1.0)
    # The best precision at this recall or a larger one.
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    if points == "all":
        area = (np.diff(recall, axis=-1, prepend=0.0) * envelope).sum(axis=-1)
    else:
        read = [
            np.where(recall >= at, envelope, 0.0).max(axis=-1, initial=0.0)
            for at in np.linspace(0.0, 1.0, 101)
        ]
        area = np.mean(read, axis=0)
    return np.where(num_reference > 0, area, np.nan)
