"""Lateral phantom films: the same patient from the side, facing the viewer's left.

Only findings that a lateral film shows are drawn and masked; free pleural air is not.
"""

from __future__ import annotations

import numpy as np

from chexone_ray.data.phantom_anatomy import Anatomy, FindingSpec
from chexone_ray.data.phantom_canvas import V_AXIS, Canvas, Mask, bump, curve, ramp
from chexone_ray.data.phantom_findings import nodule_radius, patch
from chexone_ray.data.phantom_frontal import texture_place
from chexone_ray.data.phantom_texture import (
    FINE_PIXEL,
    VESSEL_SIZE,
    VESSEL_SPAN,
    Plane,
    mottle,
    sample,
    sample_clamped,
    vessels,
)

SPINE = 0.215 + 0.045 * np.sin(np.pi * np.clip((V_AXIS - 0.05) / 0.9, 0, 1))
"""Distance of the spine behind the film's centre, over `V_AXIS`."""
CHEST_WALL = -0.09 - 0.23 * np.sin(0.5 * np.pi * np.clip((V_AXIS - 0.10) / 0.62, 0, 1))
"""The inside of the breast bone, over `V_AXIS`."""


def _heart(anatomy: Anatomy, canvas: Canvas) -> tuple[Plane, Mask]:
    grow = 0.62 + 0.38 * anatomy.heart_ratio / 0.435
    dx, dv = canvas.x + 0.17 - 0.03 * grow, canvas.v - (anatomy.dome - 0.09)
    along, across = 0.80 * dx + 0.60 * dv, 0.80 * dv - 0.60 * dx
    r = np.hypot(along / (0.175 * grow), across / (0.130 * grow))
    return ramp(1 - r, 0.30), r < 1


def _body(anatomy: Anatomy, c: Canvas) -> Plane:
    front = c.of_v(CHEST_WALL - 0.065 - 0.10 * ramp(0.10 - V_AXIS, 0.2))
    front -= c.of_v(0.9 * anatomy.breast * bump(V_AXIS - 0.55, 0.22))
    neck = c.of_v(0.09 * ramp(0.06 - V_AXIS, 0.12))
    back = c.of_v(SPINE + 0.125)
    body = ramp(c.x - front - neck, 0.03) * ramp(back + 0.02 - c.x, 0.05)
    arm = c.stroke([(0.10, 0.15), (-0.06, 0.0), (-0.22, -0.5)], 0.24)
    return np.maximum(body, arm)


def _bones(anatomy: Anatomy, c: Canvas, rel: Plane) -> Plane:
    """Spine, ribs, breast bone and shoulder girdle; `rel` is the distance in front of the spine."""
    disc = np.abs(np.mod(V_AXIS / 0.058, 1.0) - 0.5)
    strength = (0.03 + 0.075 * ramp(disc - 0.10, 0.06)) * (1.0 - 0.6 * np.clip(V_AXIS, 0, 1))
    out = c.of_v(strength) * ramp(0.042 - np.abs(rel), 0.014)
    out += 0.05 * bump(np.abs(rel) - 0.039, 0.007)
    out += 0.04 * bump(rel + 0.075, 0.02) * c.of_v(bump(disc - 0.3, 0.25))
    inside = ramp(rel + 0.07, 0.03) * ramp(c.x - c.of_v(CHEST_WALL - 0.01), 0.03)
    cage = inside * c.of_v(ramp(V_AXIS - 0.12, 0.06) * ramp(0.9 - V_AXIS, 0.3))
    for slope, step, weight in ((0.42, 1.0, 0.034), (0.55, 1.12, 0.026)):
        phase = (c.v - slope * rel - 0.25 * rel * rel) / (
            anatomy.rib_step * step
        ) + anatomy.rib_phase
        phase -= np.rint(phase)
        np.abs(phase, out=phase)
        band = ramp(0.20 - phase, 0.16) + 0.5 * bump(phase - 0.18, 0.07)
        out += (weight * anatomy.rib_contrast) * band * cage
    bone = c.x - c.of_v(CHEST_WALL - 0.022)
    out += 0.13 * bump(bone, 0.018) * c.of_v(ramp(V_AXIS - 0.15, 0.04) * ramp(0.55 - V_AXIS, 0.05))
    blade = c.x - c.of_v(0.13 + 0.22 * (V_AXIS - 0.1))
    out += 0.06 * bump(blade, 0.014) * c.of_v(ramp(V_AXIS - 0.06, 0.05) * ramp(0.40 - V_AXIS, 0.06))
    return out


def _layout(anatomy: Anatomy, c: Canvas) -> tuple[Plane, Plane, Plane]:
    """Distance in front of the spine, lung coverage, distance below the nearer diaphragm."""
    rel = c.of_v(SPINE.astype(np.float32)) - c.x
    front = c.x - c.of_v(CHEST_WALL.astype(np.float32))
    top = anatomy.dome + 0.005
    forward = np.clip(-c.x - 0.05, 0, None)
    backward = np.clip(c.x + 0.05, 0, None)
    below = c.v - (top + 0.9 * forward**2 + 0.16 * backward**1.2 + 0.55 * backward**2.2)
    apex = 0.10 + 1.6 * np.clip(np.abs(c.x - 0.08) - 0.02, 0, None) ** 2
    lung = (
        ramp(rel + 0.085, 0.02) * ramp(front, 0.02) * ramp(c.v - apex, 0.06) * ramp(-below, c.soft)
    )
    return rel, lung, below


def _lesions(
    anatomy: Anatomy, specs: tuple[FindingSpec, ...], c: Canvas, lung: Plane, base: Plane
) -> tuple[Plane, dict[str, Mask]]:
    """Added density and masks of all findings but fluid; `base` is used for its shape alone."""
    out = np.zeros_like(base)
    masks: dict[str, Mask] = {}
    for spec in specs:
        rng = np.random.default_rng([spec.variant, 0x1A])
        if spec.label in ("consolidation", "nodule"):
            cx = float(rng.choice([-0.10, 0.13])) + rng.uniform(-0.03, 0.03)
            cv = {"upper": 0.30, "mid": 0.45, "lower": 0.61}[spec.zone] + rng.uniform(-0.02, 0.02)
            if spec.label == "nodule":
                r = np.hypot(c.x - cx, c.v - cv)
                radius = nodule_radius(spec)
                out += (0.15 + 0.08 * bump(r, 1.2 * radius)) * ramp(radius - r, max(0.014, c.soft))
                masks[spec.name] = r < radius
            else:
                cover = patch(c, spec, cx, cv) * lung
                out += 0.25 * cover
                masks[spec.name] = cover > 0.5
        elif spec.label == "pacemaker":
            dx, dv = np.abs(c.x + 0.17), np.abs(c.v - 0.25)
            can = ramp(
                0.016 - np.hypot(np.clip(dx - 0.003, 0, None), np.clip(dv - 0.026, 0, None)), 0.008
            )
            bottom = anatomy.dome - 0.06
            course = [(-0.17, 0.22), (-0.08, 0.20), (0.02, 0.26), (0.06, 0.42)]
            course += [(0.03, bottom - 0.08), (-0.05, bottom), (-0.14, bottom - 0.005)]
            lead = c.stroke(curve(course), max(0.0085, 1.2 * c.pixel))
            out += 0.42 * can + 0.30 * np.maximum(lead - can, 0)
            masks[spec.name] = (can > 0.5) | (lead > 0.5)
        elif spec.label == "tube":
            if spec.zone == "feeding":
                base_v = anatomy.dome
                course = [
                    (0.0, -0.6),
                    (0.05, 0.1),
                    (0.10, 0.45),
                    (0.07, base_v + 0.05),
                    (0.0, base_v + 0.12),
                ]
            else:
                course = [(-0.02, -0.6), (0.0, 0.1), (0.033, 0.29)]
            line = c.stroke(curve(course), max(0.013, 1.5 * c.pixel))
            out += 0.30 * line
            masks[spec.name] = line > 0.5
    return out, masks


def render(
    anatomy: Anatomy,
    specs: tuple[FindingSpec, ...],
    view: str,
    canvas: Canvas,
    rng: np.random.Generator,
) -> tuple[Plane, dict[str, Mask], float]:
    """Density, masks by finding name plus "heart", and the patient's cardiothoracic ratio."""
    c = canvas
    rel, lung, below = _layout(anatomy, c)
    heart, heart_mask = _heart(anatomy, c)
    masks: dict[str, Mask] = {"heart": heart_mask}
    opaque = ramp(below, 0.03)
    air = lung
    for spec in specs:
        if spec.label == "pleural effusion":
            height = 0.06 + 0.42 * spec.severity
            level = 0.88 - height * (0.30 + 0.70 * np.clip(0.8 - rel * 2.2, 0, 1) ** 2)
            fluid = ramp(c.v - level, 0.03) * ramp(rel + 0.085, 0.02) * ramp(0.30 - rel, 0.15)
            masks[spec.name] = (fluid * lung) > 0.5
            air = air * (1 - fluid)
            opaque = np.maximum(opaque, 0.8 * fluid * ramp(c.x - c.of_v(CHEST_WALL), 0.02))
    body = _body(anatomy, c)
    plane: Plane = body * (0.62 + 0.20 * opaque)
    plane -= air * 0.36 * (1 - 0.55 * heart)
    plane += 0.05 * heart * (1 - opaque)
    arch = np.hypot(c.x - 0.10, c.v - 0.36)
    out = 0.09 * bump(arch - 0.095, 0.028) * ramp(0.36 - c.v, 0.08)
    out += (
        0.07
        * bump(rel - 0.065, 0.028)
        * c.of_v(ramp(V_AXIS - 0.34, 0.06) * ramp(0.85 - V_AXIS, 0.2))
    )
    out += 0.11 * bump(np.hypot((c.x - 0.055) / 0.045, (c.v - 0.44) / 0.055), 1.4)
    airway = c.x - c.of_v(-0.005 + 0.12 * V_AXIS)
    out -= 0.10 * ramp(0.017 - np.abs(airway), 0.016) * c.of_v(ramp(0.43 - V_AXIS, 0.05))
    haze = c.of_v(0.10 * ramp(0.26 - V_AXIS, 0.24))
    plane += out + body * (haze + _bones(anatomy, c, rel))
    zoom = VESSEL_SIZE / (VESSEL_SPAN * anatomy.vessel_scale)
    px = np.abs(c.x - 0.055) * zoom + VESSEL_SIZE / 2
    pv = (c.v - 0.44) * zoom + VESSEL_SIZE / 2
    tree = sample_clamped(vessels(anatomy.vessel_variants[0]), px, pv, c.pixel < FINE_PIXEL)
    plane += 0.085 * tree * air * (1 - 0.7 * heart)
    bubble = np.hypot(
        (c.x - 0.02) / (0.06 * anatomy.bubble), (below - 0.06) / (0.028 * anatomy.bubble)
    )
    plane -= 0.14 * ramp(1 - bubble, 0.8)
    plane += (
        body * 0.016 * sample(mottle(4), texture_place(c.x, 420, rng), texture_place(c.v, 420, rng))
    )
    added, more = _lesions(anatomy, specs, c, lung * (1 - 0.4 * heart), plane)
    return plane + added, masks | more, anatomy.heart_ratio
