"""IoU of several boxes, by hand and against counting cells of a grid."""

from __future__ import annotations

import numpy as np
import pytest

from chexone_ray import boxes
from chexone_ray.metrics.overlap import (
    accuracy_row,
    iou_row,
    matched_iou,
    overlap_signature,
    union_iou,
    without_labels,
)
from chexone_ray.records import Box


def box(x1: float, y1: float, x2: float, y2: float, label: str = "", image: int = 0) -> Box:
    return Box(label, (x1, y1, x2, y2), image)


LEFT, RIGHT = box(0, 0, 0.5, 1), box(0.5, 0, 1, 1)
WHOLE = box(0, 0, 1, 1)


def test_areas_that_overlap_count_once() -> None:
    assert union_iou([box(0, 0, 0.2, 0.2), box(0.1, 0.1, 0.3, 0.3)], [WHOLE]) == pytest.approx(0.07)
    assert union_iou([WHOLE, LEFT, LEFT], [WHOLE]) == pytest.approx(1)
    assert union_iou([box(0.2, 0.2, 0.2, 0.9)], [WHOLE]) == 0


def test_the_two_forms_differ_where_boxes_are_cut_differently() -> None:
    # Two halves cover the whole exactly, but only one of them can be matched with it.
    assert union_iou([LEFT, RIGHT], [WHOLE]) == pytest.approx(1)
    assert matched_iou([LEFT, RIGHT], [WHOLE]) == pytest.approx(0.5 / 2)
    assert union_iou([LEFT], [WHOLE]) == matched_iou([LEFT], [WHOLE]) == pytest.approx(0.5)


def test_a_missing_or_surplus_box_costs() -> None:
    assert iou_row([], [LEFT]) == iou_row([], [LEFT], "matched") == (0, 1)
    assert iou_row([LEFT], []) is None and accuracy_row([LEFT], [], 0.5) is None
    assert matched_iou([LEFT, RIGHT], [LEFT]) == pytest.approx(0.5)
    assert matched_iou([LEFT], [LEFT, RIGHT]) == pytest.approx(0.5)
    assert union_iou([LEFT, RIGHT], [LEFT]) == pytest.approx(0.5)
    assert matched_iou([], []) == union_iou([], []) == 0


def test_labels_play_a_part_only_when_asked_for() -> None:
    said, meant = [box(0, 0, 1, 1, "Edema")], [box(0, 0, 1, 1, "edema "), box(0, 0, 1, 1, "mass")]
    assert matched_iou(said, meant, labelled=True) == pytest.approx(0.5)
    assert matched_iou(said, meant[1:], labelled=True) == 0
    assert matched_iou(without_labels(said), without_labels(meant[1:]), labelled=True) == 1
    with pytest.raises(ValueError, match="drop it"):
        iou_row(said, meant, "mask", labelled=True)


def test_boxes_of_another_image_never_meet() -> None:
    there = [box(0, 0, 1, 1, image=1)]
    assert union_iou(there, [WHOLE]) == matched_iou(there, [WHOLE]) == 0
    assert union_iou([*there, WHOLE], [WHOLE, *there]) == pytest.approx(1)


def test_accuracy_holds_at_the_threshold_itself() -> None:
    said, meant = [box(0.1, 0, 0.4, 1)], [box(0.1, 0, 0.7, 1)]
    assert union_iou(said, meant) == pytest.approx(0.5)
    assert accuracy_row(said, meant, 0.5) == accuracy_row(said, meant, 0.5, "matched") == (1, 1)
    assert accuracy_row(said, meant, 0.51) == (0, 1)
    assert accuracy_row([], meant, 0.3) == (0, 1)


@pytest.mark.parametrize("seed", range(20))
def test_areas_agree_with_cells_of_a_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = 40

    def some() -> tuple[list[Box], np.ndarray]:
        drawn, grid = [], np.zeros((size, size), dtype=bool)
        for _ in range(rng.integers(0, 8)):
            x1, y1, x2, y2 = rng.integers(0, size + 1, size=4).tolist()
            (x1, x2), (y1, y2) = sorted((x1, x2)), sorted((y1, y2))
            drawn.append(box(x1 / size, y1 / size, x2 / size, y2 / size))
            grid[x1:x2, y1:y2] = True
        return drawn, grid

    (said, first), (meant, second) = some(), some()
    assert union_iou(said, [WHOLE]) == pytest.approx(first.sum() / size**2)
    either = (first | second).sum()
    expected = (first & second).sum() / either if either else 0.0
    assert union_iou(said, meant) == pytest.approx(expected)
    if len(said) == len(meant) == 1:
        assert union_iou(said, meant) == pytest.approx(boxes.iou(said[0], meant[0]))


def test_the_signature_names_the_form() -> None:
    assert overlap_signature("mIoU", "mask").startswith("mIoU|form:mask|labels:no|missing:0|v:")
    assert overlap_signature("Acc", "matched", True, 0.5).startswith(
        "Acc|iou:0.5|form:matched|labels:yes|missing:0|"
    )
