"""Phantom films: same arguments same bytes, exact masks and boxes, facts that can be measured."""

from __future__ import annotations

import numpy as np
import pytest

from chexone_ray.data.phantom import (
    LABELS,
    Anatomy,
    FindingSpec,
    Phantom,
    draw,
    random_history,
    random_phantom,
)
from chexone_ray.data.phantom_anatomy import HEART_RATIOS, HeartSize, View

SIZE = 224
ONE_EACH = (
    FindingSpec("pleural effusion", "right", severity=0.5),
    FindingSpec("pleural effusion", "left", severity=0.16),
    FindingSpec("pneumothorax", "right", severity=0.16),
    FindingSpec("pneumothorax", "left", severity=0.84),
    FindingSpec("nodule", "right", "upper", 0.16, 3),
    FindingSpec("nodule", "left", "mid", 0.84, 4),
    FindingSpec("consolidation", "right", "lower", 0.16, 5),
    FindingSpec("consolidation", "left", "upper", 0.5, 6),
    FindingSpec("pacemaker", "left", variant=7),
    FindingSpec("tube", "", "endotracheal", variant=8),
    FindingSpec("tube", "", "feeding", variant=9),
)


@pytest.mark.parametrize("size", [112, (200, 160)])
def test_equal_arguments_give_equal_films(size: int | tuple[int, int]) -> None:
    first, second = random_phantom(5, size), random_phantom(5, size)
    assert np.array_equal(first.pixels, second.pixels)
    assert first.boxes == second.boxes and first.labels == second.labels
    assert first.pixels.dtype == np.uint8
    assert first.pixels.shape == ((size, size) if isinstance(size, int) else size)
    assert not np.array_equal(first.pixels, random_phantom(6, size).pixels)


@pytest.mark.parametrize("seed", range(12))
def test_boxes_hold_their_masks_tightly(seed: int) -> None:
    film = random_phantom(seed, SIZE)
    names = [spec.name for spec in film.specs if spec.name in film.masks]
    names += ["heart"] if film.heart_size == "enlarged" else []
    assert len(names) == len(film.boxes)
    for name, box in zip(names, film.boxes, strict=True):
        x1, y1, x2, y2 = (round(edge * SIZE) for edge in box.xyxy)
        mask = film.masks[name]
        assert mask.shape == film.pixels.shape
        assert mask[y1:y2, x1:x2].sum() == mask.sum() > 0
        assert all(edge.any() for edge in (mask[y1], mask[y2 - 1], mask[:, x1], mask[:, x2 - 1]))


@pytest.mark.parametrize("spec", ONE_EACH, ids=lambda spec: f"{spec.name} {spec.zone}".strip())
@pytest.mark.parametrize("view", ["PA", "AP"])
def test_a_finding_changes_the_film_where_its_mask_is(spec: FindingSpec, view: View) -> None:
    anatomy = Anatomy.from_seed(21, "normal")
    healthy, ill = draw(anatomy, (), view, SIZE, 3), draw(anatomy, (spec,), view, SIZE, 3)
    difference = np.abs(ill.pixels.astype(int) - healthy.pixels)
    inside = ill.masks[spec.name]
    assert difference[inside].mean() > 8 * max(difference[~inside].mean(), 0.5)
    assert ill.labels == healthy.labels | {spec.name: 1}
    box = ill.boxes[0]
    assert box.label == spec.label
    if spec.side and spec.label != "pacemaker":
        # The patient's right is at the viewer's left.
        assert ((box.xyxy[0] + box.xyxy[2]) / 2 < 0.5) == (spec.side == "right")


@pytest.mark.parametrize("size", ["normal", "borderline", "enlarged"])
@pytest.mark.parametrize("view", ["PA", "AP"])
def test_the_heart_mask_measures_the_ratio_that_was_set(size: HeartSize, view: View) -> None:
    low, high = HEART_RATIOS[size]
    for seed in range(4):
        film = draw(Anatomy.from_seed(seed, size), (), view, 448, seed)
        widths = [np.ptp(np.flatnonzero(film.masks[key].any(0))) + 1 for key in ("heart", "thorax")]
        assert widths[0] / widths[1] == pytest.approx(film.heart_ratio, abs=0.015)
        assert low <= film.heart_ratio <= high
        assert film.labels["cardiomegaly"] == (size == "enlarged")


def test_one_patient_looks_alike_and_another_does_not() -> None:
    def small(film: Phantom) -> np.ndarray:
        blocks = film.pixels.reshape(28, 8, 28, 8).mean((1, 3))
        return (blocks - blocks.mean()) / blocks.std()

    here, other = Anatomy.from_seed(1, "normal"), Anatomy.from_seed(2, "enlarged")
    first, again, stranger = (
        small(draw(who, (), "PA", SIZE, visit)) for who, visit in ((here, 0), (here, 1), (other, 0))
    )
    lateral = small(draw(here, (), "LATERAL", SIZE, 0))
    same = np.abs(first - again).mean()
    assert same < 0.8 * np.abs(first - stranger).mean()
    assert same < 0.5 * np.abs(first - lateral).mean()


@pytest.mark.parametrize("label", ["pleural effusion", "pneumothorax", "consolidation", "nodule"])
def test_a_worse_grade_covers_more_of_the_film(label: str) -> None:
    anatomy = Anatomy.from_seed(4, "normal")
    areas = []
    for severity in (0.16, 0.5, 0.84):
        spec = FindingSpec(label, "right", "mid", severity, 2)
        areas.append(draw(anatomy, (spec,), "PA", 112, 1).masks[spec.name].sum())
    assert areas[0] * 1.25 < areas[1] and areas[1] * 1.2 < areas[2]


def test_small_findings_can_be_seen_at_112() -> None:
    films = [random_phantom(seed, 112) for seed in range(300)]
    for film in films:
        if film.view == "LATERAL":
            continue
        for spec in film.specs:
            mask = film.masks[spec.name]
            height, width = mask.any(1).sum(), mask.any(0).sum()
            least = {"consolidation": 0.12, "nodule": 0.05, "pleural effusion": 0.04}
            assert min(height, width) >= least.get(spec.label, 0) * 112, (film.view, spec)


def test_the_mix_is_balanced_enough_to_learn() -> None:
    visits = [visit for seed in range(800) for visit in random_history(seed)]
    shares = dict.fromkeys(LABELS, 0.0)
    for visit in visits:
        for name in {spec.name for spec in visit.specs}:
            shares[name] += 1 / len(visits)
    shares.pop("cardiomegaly")
    assert all(0.08 <= share <= 0.25 for share in shares.values()), shares
    for size, least in (("normal", 0.35), ("borderline", 0.2), ("enlarged", 0.25)):
        assert np.mean([visit.anatomy.heart_size == size for visit in visits]) >= least
    courses = [visit.change[1] for visit in visits if visit.change]
    assert all(
        courses.count(course) > 0.25 * len(courses) for course in ("better", "same", "worse")
    )


def test_a_follow_up_changes_one_finding_of_the_same_patient() -> None:
    histories = [history for seed in range(120) if len(history := random_history(seed)) == 2]
    assert histories
    for before, after in histories:
        assert before.change is None and after.change is not None
        told, course = after.change
        assert before.anatomy == after.anatomy
        steps = {
            new.name: new.severity - old.severity
            for old, new in zip(before.specs, after.specs, strict=True)
        }
        step = steps.pop(told.name)
        assert all(other == 0 for other in steps.values())
        assert {"better": step < -0.3, "same": step == 0, "worse": step > 0.3}[course]
        assert 0 < told.severity < 1
