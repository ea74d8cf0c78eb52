"""Phantom chest films: deterministic drawings with exact labels, masks and boxes.

`draw` makes one film of a patient (`Anatomy`) with findings (`FindingSpec`); `random_phantom` a
film of a random patient, for pretraining; `random_history` all studies of a patient, for the
archive.
They stand in for real films where none may be used; nothing learned from them holds for patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from chexone_ray.data import phantom_findings as frontal
from chexone_ray.data import phantom_lateral as lateral
from chexone_ray.data.phantom_anatomy import (
    GRADES,
    SIDED,
    TUBES,
    ZONES,
    Anatomy,
    FindingSpec,
    HeartSize,
    View,
)
from chexone_ray.data.phantom_canvas import canvas as canvas_of
from chexone_ray.data.phantom_texture import Plane, grain
from chexone_ray.records import Box

__all__ = [
    "LABELS",
    "Anatomy",
    "FindingSpec",
    "Phantom",
    "PhantomStudy",
    "draw",
    "random_history",
    "random_phantom",
    "random_study",
]

LABELS = (
    *(f"{side} {label}" for label in SIDED for side in ("right", "left")),
    "cardiomegaly",
    "pacemaker",
    "tube",
)
"""Keys of `Phantom.labels`: the sided findings, then the unsided ones."""
CURVE_STEPS = 4096
COURSES = ("better", "same", "worse")
FOLLOW_UP_SHARE = 0.6


@dataclass(frozen=True)
class Phantom:
    """One film. Masks are (H, W) bool, keyed by `FindingSpec.name`, plus "heart" and "thorax" on
    frontal views; a finding that the view does not show has neither mask nor box."""

    pixels: NDArray[np.uint8]
    boxes: tuple[Box, ...]
    """One a visible finding, label without side, in the order of `specs`, then cardiomegaly."""
    masks: dict[str, NDArray[np.bool_]]
    labels: dict[str, int]
    """Every name of `LABELS` -> 1 or 0: facts of the patient, also where the view hides them."""
    heart_size: HeartSize
    heart_ratio: float
    view: View
    specs: tuple[FindingSpec, ...]


@dataclass(frozen=True)
class PhantomStudy:
    """One visit: what is wrong, which films are taken, what changed since the visit before."""

    anatomy: Anatomy
    specs: tuple[FindingSpec, ...]
    views: tuple[View, ...]
    seed: int
    change: tuple[FindingSpec, str] | None = None
    """The finding whose course is told, as it is now, and "better", "same" or "worse"."""

    def film(self, view: View, size: int | tuple[int, int] = 224) -> Phantom:
        """The film of this visit in that view."""
        return draw(self.anatomy, self.specs, view, size, self.seed)


def _box(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def draw(
    anatomy: Anatomy,
    specs: Sequence[FindingSpec] = (),
    view: View = "PA",
    size: int | tuple[int, int] = 224,
    seed: int = 0,
) -> Phantom:
    """One film, `size` square or (height, width). Equal arguments give equal bytes.

    `seed` is the visit's: it sets noise, exposure and how the patient stands.
    """
    height, width = (size, size) if isinstance(size, int) else size
    rng = np.random.default_rng([anatomy.seed, seed, ("PA", "AP", "LATERAL").index(view)])
    angle = float(np.clip(rng.normal(0, 0.018), -0.045, 0.045))
    zoom = anatomy.scale * float(rng.uniform(0.975, 1.025))
    shift = (float(rng.uniform(-0.022, 0.022)), float(rng.uniform(-0.022, 0.022)))
    canvas = canvas_of(height, width, anatomy.centre, angle, zoom, shift)
    labels = dict.fromkeys(LABELS, 0) | {spec.name: 1 for spec in specs}
    labels["cardiomegaly"] = int(anatomy.heart_size == "enlarged")
    module = lateral if view == "LATERAL" else frontal
    plane, masks, ratio = module.render(anatomy, tuple(specs), view, canvas, rng)
    pixels = _expose(plane, anatomy, view, canvas.pixel, rng)
    boxes = [Box(s.label, _box(masks[s.name])) for s in specs if s.name in masks]
    if anatomy.heart_size == "enlarged":
        boxes.append(Box("cardiomegaly", _box(masks["heart"])))
    return Phantom(
        pixels, tuple(boxes), masks, labels, anatomy.heart_size, ratio, view, tuple(specs)
    )


def _expose(
    plane: Plane, anatomy: Anatomy, view: View, pixel: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Density -> film grey: blur, quantum noise, exposure and a film curve."""
    blur = 0.0022 / pixel
    if blur > 0.45:
        plane = ndimage.gaussian_filter(plane, blur, truncate=3.0)
    plane = plane * (anatomy.density * float(rng.uniform(0.94, 1.06)))
    plane += float(rng.uniform(-0.025, 0.025))
    strength = (0.020 if view == "AP" else 0.013) * float(rng.uniform(0.8, 1.2))
    height, width = plane.shape
    plane += grain(height, width, rng) * strength
    gain = 2.3 * float(rng.uniform(0.94, 1.06))
    levels = np.tanh((np.linspace(-0.25, 1.5, CURVE_STEPS) - 0.47) * gain)
    low, high = np.tanh((-0.02 - 0.47) * gain), np.tanh((1.18 - 0.47) * gain)
    curve = np.clip((levels - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    plane += 0.25
    plane *= CURVE_STEPS / 1.75
    return curve.take(plane.astype(np.int32), mode="clip")


def _random_specs(rng: np.random.Generator, view: View) -> tuple[FindingSpec, ...]:
    """Findings of one patient, drawn so that each one stays visible beside the others."""

    def severity() -> float:
        return float((0.16, 0.5, 0.84)[rng.integers(3)] + rng.uniform(-0.08, 0.08))

    def variant() -> int:
        return int(rng.integers(1 << 30))

    specs: list[FindingSpec] = []
    fluid = {0: ("right",), 1: ("left",), 2: ("right", "left")}.get(
        int(rng.choice(4, p=[0.09, 0.09, 0.065, 0.755])), ()
    )
    specs += [FindingSpec("pleural effusion", side, "", severity(), variant()) for side in fluid]
    free = [side for side in ("right", "left") if side not in fluid]
    air = ""
    if rng.random() < 0.22 and free:
        air = str(rng.choice(free))
        specs.append(FindingSpec("pneumothorax", air, "", severity(), variant()))
    taken: set[tuple[str, str]] = set()
    for label, share in (("consolidation", 0.22), ("nodule", 0.22)):
        places = [
            (side, zone)
            for side in ("right", "left")
            for zone in ZONES
            if (side, zone) not in taken
            and not (zone == "lower" and (side in fluid or side == "left"))
            and side != air
        ]
        if rng.random() < share and places:
            side, zone = places[rng.integers(len(places))]
            specs.append(FindingSpec(label, side, zone, severity(), variant()))
            taken |= {(side, z) for z in ZONES} if label == "consolidation" else {(side, zone)}
    if rng.random() < 0.2:
        specs.append(
            FindingSpec("pacemaker", "left" if rng.random() < 0.8 else "right", "", 0.5, variant())
        )
    if rng.random() < (0.3 if view == "AP" else 0.13):
        specs.append(FindingSpec("tube", "", str(rng.choice(TUBES)), 0.5, variant()))
    return tuple(specs)


def random_phantom(seed: int, size: int | tuple[int, int] = 112) -> Phantom:
    """A film of a random patient in a random view (PA 50 %, AP 32 %, lateral 18 %)."""
    rng = np.random.default_rng([seed, 0x1D])
    view: View = rng.choice(["PA", "AP", "LATERAL"], p=[0.5, 0.32, 0.18]).item()
    anatomy = Anatomy.from_seed(int(rng.integers(1 << 40)))
    return draw(anatomy, _random_specs(rng, view), view, size, seed)


def random_study(seed: int) -> PhantomStudy:
    """The first visit of the patient of this seed."""
    return random_history(seed)[0]


def random_history(seed: int) -> tuple[PhantomStudy, ...]:
    """All visits of one patient, oldest first: one, or two where a finding has a course.

    Between two visits one finding gets better, stays or gets worse by a grade that can be seen; all
    else stays. The first film of a visit is frontal, PA or AP; a lateral may follow a PA.
    """
    rng = np.random.default_rng([seed, 0x41])
    anatomy = Anatomy.from_seed(int(rng.integers(1 << 40)))
    view: View = "PA" if rng.random() < 0.58 else "AP"
    specs = _random_specs(rng, view)
    visits = [PhantomStudy(anatomy, specs, _views(rng, view), 0)]
    courses = [spec for spec in specs if spec.label in SIDED]
    if courses and rng.random() < FOLLOW_UP_SHARE:
        told = courses[rng.integers(len(courses))]
        now, course = _follow_up(rng, told)
        later = tuple(now if spec is told else spec for spec in specs)
        visits.append(PhantomStudy(anatomy, later, _views(rng, view), 1, (now, course)))
    return tuple(visits)


def _views(rng: np.random.Generator, view: View) -> tuple[View, ...]:
    return (view, "LATERAL") if view == "PA" and rng.random() < 0.35 else (view,)


def _follow_up(rng: np.random.Generator, spec: FindingSpec) -> tuple[FindingSpec, str]:
    """The finding at the next visit and its course; all three are about equally frequent."""
    course = str(rng.choice(COURSES))
    if (
        course != "same"
        and not 0 <= GRADES.index(spec.grade) + (1 if course == "worse" else -1) <= 2
    ):
        course = "better" if course == "worse" else "worse"
    step = {"better": -0.34, "same": 0.0, "worse": 0.34}[course]
    return replace(spec, severity=spec.severity + step), course
