"""Findings on frontal phantom films: what each adds to the density, and exactly where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from chexone_ray.data.phantom_anatomy import Anatomy, FindingSpec
from chexone_ray.data.phantom_canvas import X_AXIS, XA_AXIS, Canvas, Mask, bump, curve, ramp
from chexone_ray.data.phantom_frontal import (
    AP_RISE,
    Frontal,
    density,
    layout,
    lung_markings,
    monitor_leads,
    side_marker,
    texture_place,
    wall_table,
)
from chexone_ray.data.phantom_texture import Plane, mottle, sample

SIGN = {"right": -1.0, "left": 1.0}
"""The patient's left is at the viewer's right."""
MARKER_SHARE = 0.7
"""Share of the frontal films with a side marker."""
LEADS_SHARE = 0.6
"""Share of the AP films with monitor leads."""
Extent: TypeAlias = tuple[float, float, float, float]


def effusion(film: Frontal, spec: FindingSpec) -> Plane:
    """Coverage of fluid whose meniscus climbs at the chest wall."""
    c, a = film.canvas, film.anatomy
    height = 0.090 + 0.30 * spec.severity
    rel = np.clip(XA_AXIS / a.half_width, 0, 1.05)
    level = a.dome + 0.09 - (AP_RISE * 0.6 if film.ap else 0.0) - height * (0.40 + 0.60 * rel**3)
    level = np.where(X_AXIS * SIGN[spec.side] > 0, level, 9.0).astype(np.float32)
    return ramp(c.v - c.of_x(level), 0.03) * ramp(film.wall, c.soft) * (film.below < 0.02)


def pneumothorax(film: Frontal, spec: FindingSpec) -> tuple[Plane, Plane, Mask]:
    """Free air over the retracted lung. Returns added density, coverage without markings, mask."""
    c, a = film.canvas, film.anatomy
    depth = 0.060 + 0.13 * spec.severity
    retracted = wall_table(a, a.apex + 1.7 * depth, a.half_width - 0.95 * depth)
    gap = np.abs(c.x) - c.of_v(retracted)
    cover = film.lung * c.of_x((X_AXIS * SIGN[spec.side] > 0).astype(np.float32))
    cover *= ramp(0.70 - c.v, 0.10)
    air = ramp(gap, c.soft) * cover
    line = bump(gap, max(0.0075, 0.75 * c.soft)) * cover
    collapsed = ramp(-gap, 0.02) * cover
    return 0.16 * line - 0.11 * air + (0.03 + 0.05 * spec.severity) * collapsed, air, air > 0.5


def focal_place(anatomy: Anatomy, ap: bool, spec: FindingSpec) -> tuple[float, float]:
    """Centre (x, v) of a nodule or consolidation in the lung zone of its spec."""
    rng = np.random.default_rng([spec.variant, 0xF0])
    height = {"upper": 0.28, "mid": 0.44, "lower": 0.60}[spec.zone] + rng.uniform(-0.025, 0.025)
    reach = anatomy.half_width * rng.uniform(0.55, 0.68) * (0.88 if spec.zone == "upper" else 1.0)
    return SIGN[spec.side] * reach, height - 0.035 * (ap and spec.zone == "lower")


def patch(c: Canvas, spec: FindingSpec, cx: float, cy: float) -> Plane:
    """Coverage of an airspace patch with a soft, uneven edge around (cx, cy)."""
    rng = np.random.default_rng([spec.variant, 0xC0])
    size = 0.066 + 0.100 * spec.severity
    stretch = rng.uniform(0.88, 1.14)
    lumps = sample(mottle(4), texture_place(c.x, 420, rng), texture_place(c.v, 420, rng))
    radius = np.hypot((c.x - cx) / (size * stretch), (c.v - cy) / (size / stretch))
    return ramp(1 - radius - 0.10 * lumps, 0.55)


def consolidation(film: Frontal, spec: FindingSpec) -> tuple[Plane, Mask]:
    c = film.canvas
    cover = patch(c, spec, *focal_place(film.anatomy, film.ap, spec)) * film.lung
    cover *= 1 - 0.75 * film.heart
    rng = np.random.default_rng([spec.variant, 0xC1])
    grain = sample(mottle(2), texture_place(c.x, 420, rng), texture_place(c.v, 420, rng))
    return cover * (0.30 + 0.03 * grain), cover > 0.5


def nodule_radius(spec: FindingSpec) -> float:
    return 0.026 + 0.042 * spec.severity


def nodule(film: Frontal, spec: FindingSpec) -> tuple[Plane, Mask]:
    c = film.canvas
    cx, cy = focal_place(film.anatomy, film.ap, spec)
    radius = nodule_radius(spec)
    r = np.hypot(c.x - cx, c.v - cy)
    cover = ramp(radius - r, max(0.014, c.soft))
    return cover * (0.20 + 0.07 * bump(r, radius * 1.2)), r < radius


def pacemaker(film: Frontal, spec: FindingSpec) -> tuple[Plane, Mask]:
    """Generator below the clavicle and one lead to the right ventricle."""
    c = film.canvas
    rng = np.random.default_rng([spec.variant, 0x9A])
    sign = SIGN[spec.side or "left"]
    cx, cy = sign * rng.uniform(0.225, 0.255), rng.uniform(0.235, 0.265)
    dx, dy = np.abs(c.x - cx), np.abs(c.v - cy)
    corner = np.hypot(np.clip(dx - 0.024, 0, None), np.clip(dy - 0.018, 0, None))
    can = ramp(0.022 - corner, 0.008)
    bottom = film.dome_top - 0.055
    course = [
        (cx, cy - 0.02),
        (cx - sign * 0.04, cy - 0.055),
        (sign * 0.09, 0.205),
        (sign * 0.03, 0.235),
        (-0.035, 0.28),
        (-0.050, 0.42),
        (-0.046, bottom - 0.09),
        (-0.030, bottom - 0.025),
        (0.02, bottom),
        (0.10, bottom - 0.005),
    ]
    lead = c.stroke(curve(course), max(0.0085, 1.2 * c.pixel))
    return 0.42 * can + 0.30 * np.maximum(lead - can, 0), (can > 0.5) | (lead > 0.5)


def tube(film: Frontal, spec: FindingSpec) -> tuple[Plane, Mask]:
    """Endotracheal tube that ends above the carina, or feeding tube that ends in the stomach."""
    c = film.canvas
    rng = np.random.default_rng([spec.variant, 0x7B])
    if spec.zone == "feeding":
        base = film.dome_top
        end = (rng.uniform(0.14, 0.20), base + rng.uniform(0.11, 0.14))
        course = [
            (0.004, -0.6),
            (0.008, 0.20),
            (0.014, 0.45),
            (0.022, base - 0.04),
            (0.034, base + 0.03),
            (0.07, base + 0.085),
            end,
        ]
        line = c.stroke(curve(course), max(0.012, 1.5 * c.pixel))
        return 0.30 * line, line > 0.5
    tip = rng.uniform(0.285, 0.315)
    line = c.stroke([(0.002, -0.6), (0.004, 0.1), (0.0, tip)], max(0.017, 1.7 * c.pixel))
    return 0.42 * line, line > 0.5


LOCAL: dict[str, Callable[[Frontal, FindingSpec], tuple[Plane, Mask]]] = {
    "consolidation": consolidation,
    "nodule": nodule,
    "pacemaker": pacemaker,
    "tube": tube,
}


def _extent(film: Frontal, spec: FindingSpec) -> Extent:
    """A rectangle (x0, v0, x1, v1) that surely holds the finding."""
    if spec.label == "tube":
        return (-0.05, -0.7, 0.25, 1.0)
    if spec.label == "pacemaker":
        return (-0.35, 0.1, 0.35, 0.8)
    cx, cy = focal_place(film.anatomy, film.ap, spec)
    reach = 0.24 if spec.label == "consolidation" else 0.07
    return (cx - reach, cy - reach, cx + reach, cy + reach)


def render(
    anatomy: Anatomy,
    specs: tuple[FindingSpec, ...],
    view: str,
    canvas: Canvas,
    rng: np.random.Generator,
) -> tuple[Plane, dict[str, Mask], float]:
    """Density, masks by finding name (plus "heart" and "thorax") and the cardiothoracic ratio."""
    film = layout(anatomy, view, canvas)
    masks: dict[str, Mask] = {"heart": film.heart_mask, "thorax": film.thorax_mask}
    fluid: Plane | None = None
    airless: Plane | None = None
    pleural: list[Plane] = []
    for spec in specs:
        if spec.label == "pleural effusion":
            cover = effusion(film, spec)
            masks[spec.name] = (cover > 0.5) & (film.below < 0) & (np.abs(canvas.x) > 0.05)
            fluid = cover if fluid is None else np.maximum(fluid, cover)
        elif spec.label == "pneumothorax":
            change, air, masks[spec.name] = pneumothorax(film, spec)
            airless = air if airless is None else np.maximum(airless, air)
            pleural.append(change)
    plane = density(film, fluid, rng)
    if fluid is not None:
        airless = 0.85 * fluid if airless is None else np.maximum(airless, 0.85 * fluid)
    plane += lung_markings(film, airless)
    for change in pleural:
        plane += change
    for spec in specs:
        if spec.label in LOCAL:
            window = canvas.window(*_extent(film, spec))
            change, mask = LOCAL[spec.label](film.crop(window), spec)
            plane[window] += change
            masks[spec.name] = np.zeros(plane.shape, np.bool_)
            masks[spec.name][window] = mask
    if film.ap and rng.random() < LEADS_SHARE:
        plane += monitor_leads(film, rng)
    if rng.random() < MARKER_SHARE:
        letter, window = side_marker(film, rng)
        plane[window] += letter
    return plane, masks, film.heart_ratio
