"""Detection figures by hand, and against a plain loop over operating points."""

from __future__ import annotations

import numpy as np
import pytest

from chexone_ray.metrics.denied import denies, same_name
from chexone_ray.metrics.detection import (
    RANKS,
    Points,
    box_f1_signature,
    charged,
    class_precisions,
    detection_row,
    hits,
    mean_precision_value,
    negative_row,
    precision_signature,
    rank_row,
)
from chexone_ray.metrics.summable import micro_f1_value
from chexone_ray.records import Box


def box(x1: float, y1: float, x2: float, y2: float, label: str = "mass", image: int = 0) -> Box:
    return Box(label, (x1, y1, x2, y2), image)


FIRST, SECOND = box(0, 0, 0.4, 0.4), box(0.5, 0.5, 0.9, 0.9)
NEAR_FIRST = box(0, 0, 0.4, 0.3)  # IoU 0.75 with FIRST
FAR = box(0.9, 0, 1, 0.1)


def test_each_reference_box_is_hit_once() -> None:
    assert hits([FIRST, NEAR_FIRST, SECOND], [SECOND, FIRST], 0.5) == [True, False, True]
    assert hits([NEAR_FIRST, FIRST], [FIRST], 0.75) == [True, False]
    assert hits([NEAR_FIRST], [FIRST], 0.76) == [False]
    assert hits([FIRST], [], 0.5) == [False] and hits([], [FIRST], 0.5) == []
    assert hits([FIRST], [box(0, 0, 0.4, 0.4, image=1)], 0.5) == [False]
    assert hits([FAR], [FIRST], 0.0) == [False]


def test_the_two_rules_differ_where_the_nearest_box_is_taken() -> None:
    near, next_to = box(0, 0, 0.4, 0.4), box(0, 0, 0.4, 0.3)
    said = [near, box(0, 0, 0.4, 0.39)]
    assert hits(said, [near, next_to], 0.5, "coco") == [True, True]
    assert hits(said, [near, next_to], 0.5, "voc") == [True, False]


def test_f1_matches_as_many_pairs_as_can_be() -> None:
    assert detection_row([NEAR_FIRST, FAR], [FIRST, SECOND], 0.5) == (1, 1, 1)
    assert micro_f1_value(np.array([1.0, 1.0, 1.0])) == pytest.approx(0.5)
    assert detection_row([NEAR_FIRST, FAR], [FIRST, SECOND], 0.8) == (0, 2, 2)
    assert detection_row([], [FIRST], 0.5) == (0, 0, 1)
    assert detection_row([], [], 0.5) == (0, 0, 0)
    assert detection_row([box(0, 0, 0.4, 0.4, "Mass ")], [FIRST], 0.5) == (1, 0, 0)
    assert detection_row([box(0, 0, 0.4, 0.4, "edema")], [FIRST], 0.5) == (0, 1, 1)
    # The best pair would leave the other two alone; two pairs at 0.3 are possible.
    said = [box(0, 0, 1, 0.4), box(0, 0, 1, 0.8)]
    meant = [box(0, 0, 1, 0.5), box(0, 0, 1, 0.16)]
    assert detection_row(said, meant, 0.39) == (2, 0, 0)


def _ranked(order: list[bool]) -> list[Box]:
    """Boxes of which those hit one of `_APART` each, in order."""
    free = iter(_APART)
    return [next(free) if hit else FAR for hit in order]


_APART = [box(0.3 * i, 0.3 * j, 0.3 * i + 0.2, 0.3 * j + 0.2) for i in range(3) for j in range(3)]


def _precision(orders: list[list[bool]], num: int, points: Points) -> float:
    """Average precision of images, of which the first has the reference boxes it is to have."""
    left = num - sum(map(sum, orders))
    rows = []
    for number, order in enumerate(orders):
        meant = _APART[: sum(order) + (0 if number else left)]
        rows.append(rank_row(_ranked(order), meant, ("mass",), (0.5,)))
    return float(class_precisions(np.sum(rows, axis=0), 1, points)[0, 0])


def test_average_precision_by_hand() -> None:
    # Ranked: hit, miss, hit; three reference boxes. Recall 1/3, 1/3, 2/3; precision 1, 1/2, 2/3.
    expected = 1 / 3 * 1 + 1 / 3 * (2 / 3)
    assert _precision([[True, False, True]], 3, "all") == pytest.approx(expected)
    # Of the 101 recalls 0 to 0.33 read 1, 0.34 to 0.66 read 2/3, and the other 34 nothing.
    at_101 = (34 * 1 + 33 * (2 / 3)) / 101
    assert _precision([[True, False, True]], 3, "101") == pytest.approx(at_101)
    assert _precision([[]], 3, "all") == _precision([[]], 3, "101") == 0
    assert np.isnan(_precision([[False]], 0, "all"))


def test_boxes_of_one_rank_are_one_operating_point() -> None:
    # All three at once: recall 2/3 at precision 2/3, however they are ordered.
    for order in ([True, False, True], [False, True, True], [True, True, False]):
        assert _precision([[hit] for hit in order], 3, "all") == pytest.approx(4 / 9)


def _plain(orders: list[list[bool]], num: int, points: Points) -> float:
    curve = []
    for depth in range(1, max(map(len, orders)) + 1):
        kept = [hit for order in orders for hit in order[:depth]]
        curve.append((sum(kept) / num, sum(kept) / len(kept)))
    if points == "101":
        reads = [max((p for r, p in curve if r >= k / 100), default=0.0) for k in range(101)]
        return sum(reads) / 101
    area, before = 0.0, 0.0
    for recall, _ in curve:
        area += (recall - before) * max(p for r, p in curve if r >= recall)
        before = recall
    return area


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("points", ["all", "101"])
def test_average_precision_agrees_with_a_plain_loop(seed: int, points: Points) -> None:
    rng = np.random.default_rng(seed)
    orders = [(rng.random(rng.integers(0, 7)) < 0.4).tolist() for _ in range(9)] + [[False]]
    num = sum(map(sum, orders)) + 2
    # No recall may lie on a hundredth, where rounding would decide.
    num += num % 2 == 0 or num % 5 == 0
    assert _precision(orders, num, points) == pytest.approx(_plain(orders, num, points))


def test_mean_precision_of_summed_rows() -> None:
    classes = ("mass", "edema", "fracture")
    rows = [
        rank_row([FIRST, FAR], [FIRST, SECOND], classes, (0.5, 0.9)),
        rank_row([NEAR_FIRST], [FIRST], classes, (0.5, 0.9)),
        rank_row([box(0, 0, 1, 1, "Edema"), box(0, 0, 1, 1, "other")], [], classes, (0.5, 0.9)),
        rank_row([], [box(0, 0, 1, 1, "edema")], classes, (0.5, 0.9)),
    ]
    sums = np.sum(rows, axis=0)
    assert sums.shape == (2 * 3 * (1 + 2 * RANKS),)
    # Mass at 0.5: first ranks 2 hits of 2, second rank a miss; 3 reference boxes: AP = 2/3.
    # Mass at 0.9: first ranks 1 of 2, then 1 of 3: AP = 1/3 x 1/2. Edema: one miss, AP = 0.
    expected = np.array([[2 / 3, 0, np.nan], [1 / 6, 0, np.nan]])
    np.testing.assert_allclose(class_precisions(sums, 3), expected)
    value = mean_precision_value(3)
    assert value(sums) == pytest.approx((1 / 3 + 1 / 12) / 2)
    assert value(np.stack([sums, sums])).shape == (2,)
    assert np.isnan(value(np.zeros_like(sums)))
    at_101 = mean_precision_value(3, "101")(sums)
    assert at_101 == pytest.approx((67 / 101 / 2 + 34 * 0.5 / 101 / 2) / 2)


def test_late_boxes_share_the_last_rank() -> None:
    row = np.array(rank_row([FAR] * (RANKS + 4) + [FIRST], [FIRST], ("mass",), (0.5,)))
    assert row[0] == 1 and row[1::2].sum() == 1 and row[2::2].sum() == RANKS + 4
    assert row[-2:].tolist() == [1, 5]


def test_specificity() -> None:
    assert negative_row([], []) == (1, 1)
    assert negative_row([FAR], []) == (0, 1)
    assert negative_row(None, []) == (0, 1)
    assert negative_row([], [FIRST]) is None


@pytest.mark.parametrize(
    "text",
    [
        "No nodule detected.",
        "There is no pleural effusion.",
        "no evidence of pneumothorax is seen",
        "No focal consolidation",
        "A nodule is not seen.",
        "There is no pleural effusion on this film.",
        "No mass in the chest X-ray",
        "It is not seen",
        "None.",
        "Nothing detected",
        "not present",
    ],
)
def test_a_denial(text: str) -> None:
    assert denies(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "x",
        "banana",
        "I see an effusion on the left [10,20,30,40]",
        "No, I cannot see the image clearly.",
        "No image is visible.",
        "No nodule but an effusion is seen.",
        "No doubt a nodule is present",
        "No nodule. There is an effusion.",
        "Nodule is present.",
        "No other nodule except the left one is seen",
        "No idea",
    ],
)
def test_no_denial(text: str) -> None:
    assert not denies(text)


@pytest.mark.parametrize(
    ("said", "meant", "same"),
    [
        ("visible nodule", "nodule", True),
        ("lung nodule(s)", "nodule", True),
        ("nodule or mass", "nodule", True),
        ("nodule in the lungs", "nodule", True),
        ("effusion", "pleural effusion", True),
        ("mass, nodules", "nodule/mass", True),
        ("nodule", "nodule/mass", False),
        ("large nodule", "nodule", False),
        ("nodule in the left lung", "nodule", False),
        ("pericardial effusion", "pleural effusion", False),
        ("lung", "lung nodule", False),
        ("", "nodule", False),
    ],
)
def test_names_that_deny_the_same(said: str, meant: str, same: bool) -> None:
    assert same_name(said, meant) is same


def test_no_answer_to_a_negative_is_one_false_positive() -> None:
    assert charged([], [], denied=True) == [] == charged([], [FIRST], denied=False)
    assert charged([FAR], [], denied=False) == [FAR]
    said = charged([], [], denied=False)
    assert detection_row(said, [], 0.5) == (0, 1, 0)


def test_signatures() -> None:
    assert precision_signature((0.4,), 14).startswith(
        "mAP|iou:0.4|points:all|rule:coco|rank:emission|classes:14"
        "|no_answer_to_a_negative:one false positive|v:"
    )
    assert box_f1_signature(0.5).startswith(
        "box F1|iou:0.5|average:micro|match:most pairs|labels:yes|"
    )
