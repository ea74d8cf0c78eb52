"""Blank films, occlusion, control regions and cut traces on small cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from chexone_ray.answers import parse
from chexone_ray.images import Pixels
from chexone_ray.probing.perturbations import (
    Rectangle,
    blank,
    control_regions,
    cut,
    forced,
    forced_text,
    in_pixels,
    occlude,
)


def grey(values: list[list[int]]) -> Pixels:
    return np.repeat(np.array(values, dtype=np.uint8)[:, :, None], 3, axis=2)


def overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_a_blank_film_has_the_mean_grey() -> None:
    film = grey([[0, 10], [20, 31]])  # 61 / 4 = 15.25
    assert (blank(film) == 15).all() and blank(film).shape == film.shape
    assert film[1, 1, 0] == 31, "the film itself is as it was"


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ((0.1, 0.2, 0.3, 0.4), (10, 10, 30, 20)),  # no pixel more for 30.000000000000004
        ((0.101, 0.2, 0.309, 0.41), (10, 10, 31, 21)),  # every pixel that it touches
        ((0.0, 0.0, 1.0, 1.0), (0, 0, 100, 50)),
        ((0.5, 0.5, 0.5, 0.5), (50, 25, 51, 26)),  # one pixel at the least
        ((1.0, 1.0, 1.0, 1.0), (99, 49, 100, 50)),
        ((-0.2, -0.1, 0.1, 1.2), (0, 0, 10, 50)),
    ],
)
def test_boxes_in_pixels(corners: tuple[float, float, float, float], expected: Rectangle) -> None:
    assert in_pixels(corners, 100, 50) == expected


def test_a_box_takes_the_median_of_its_surroundings() -> None:
    film = grey([[10, 10, 10, 90], [10, 200, 200, 30], [10, 200, 200, 30], [50, 50, 50, 50]])
    # 12 pixels around: five of 10, two of 30, four of 50, one of 90; the middle two are 30 and 30.
    hidden = occlude(film, [(1, 1, 3, 3)])
    assert (hidden[1:3, 1:3] == 30).all()
    outside = np.ones((4, 4), dtype=bool)
    outside[1:3, 1:3] = False
    assert (hidden[outside] == film[outside]).all()
    assert (film[1:3, 1:3] == 200).all()


def test_other_lesions_are_no_surroundings() -> None:
    film = grey([[0, 0, 0, 0], [0, 200, 240, 240], [0, 0, 240, 240]])
    # Around the pixel: 0 0 0, 0 . 240, 0 0 240. With the other lesion left out: all 0.
    assert (occlude(film, [(1, 1, 2, 2)], [(2, 1, 4, 3)])[1, 1] == 0).all()
    whole = grey([[7, 7], [7, 9]])
    assert (occlude(whole, [(0, 0, 2, 2)]) == 7).all(), "no surroundings: the median of the film"


def test_control_regions_are_of_the_size_free_and_inside() -> None:
    rng = np.random.default_rng(3)
    film = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    lesions = [(5, 5, 15, 25), (30, 10, 50, 18)]
    others = [(0, 30, 60, 33)]
    seen = set()
    for seed in range(50):
        found = control_regions(film, lesions, others, np.random.default_rng(seed))
        assert found is not None
        for (x1, y1, x2, y2), lesion in zip(found, lesions, strict=True):
            assert (x2 - x1, y2 - y1) == (lesion[2] - lesion[0], lesion[3] - lesion[1])
            assert x1 >= 0 and x2 <= 60 and y1 >= 0 and y2 <= 40
            assert not any(overlap((x1, y1, x2, y2), box) for box in (*lesions, *others))
        assert not overlap(*found)
        assert found == control_regions(film, lesions, others, np.random.default_rng(seed))
        seen.add(tuple(found))
    assert len(seen) > 10, "chance chooses"


def test_the_only_place_is_taken_or_there_is_none() -> None:
    film = grey([[9] * 6] * 2)
    rng = np.random.default_rng(0)
    assert control_regions(film, [(0, 0, 2, 2)], [(2, 0, 4, 2)], rng) == [(4, 0, 6, 2)]
    assert control_regions(film, [(0, 0, 2, 2)], [(2, 0, 5, 2)], rng) is None
    # Two lesions need two places that do not overlap; here is only one.
    assert control_regions(film, [(0, 0, 2, 2), (2, 0, 4, 2)], [], rng) is None


def test_a_control_region_is_not_put_into_the_black_corner() -> None:
    film = np.zeros((20, 40, 3), dtype=np.uint8)
    film[:, 20:] = 120  # the body; the lesion in it
    lesion = (24, 4, 30, 10)
    for seed in range(30):
        found = control_regions(film, [lesion], [], np.random.default_rng(seed))
        assert found is not None and found[0][0] >= 20


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, ""),
        (0.25, "One  two"),  # 1.75 of 7 words
        (0.5, "One  two three.\nFour"),  # 3.5: up
        (0.75, "One  two three.\nFour five"),  # 5.25
        (1.0, "One  two three.\nFour five six seven."),
    ],
)
def test_cut(share: float, expected: str) -> None:
    assert cut("One  two three.\nFour five six seven.", share) == expected
    assert cut("", share) == ""


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("{yes}", "yes"),
        (" {yes} No, wait: \\boxed{no}", "yes"),  # what comes behind the box is another answer
        ("{\\text{left} side} and so on", "\\text{left} side"),
        ("{a \\} b} c", "a \\} b"),
        ("{An effusion on the le", "An effusion on the le"),  # the length limit
        ("yes", None),
        ("{}", None),
        ("", None),
    ],
)
def test_a_forced_answer_is_read_from_its_own_box(completion: str, expected: str | None) -> None:
    text = forced_text("The angle is blunt.", completion)
    assert text.startswith("The angle is blunt. \\boxed")
    read = parse(text, "reasoning")
    assert read.answer == expected
    if expected:
        assert read.reasoning == "The angle is blunt."
    assert forced("") == "\\boxed" and forced_text("", "{a}") == "\\boxed{a}"
