"""Frontal (PA and AP) phantom films: tissue density over the anatomy frame.

Densities add up as attenuations do; `phantom.py` turns their sum into grey values. What is wrong
with the patient is drawn by `phantom_findings.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chexone_ray.data.phantom_anatomy import HEART_RATIOS, Anatomy
from chexone_ray.data.phantom_canvas import (
    V_AXIS,
    X_AXIS,
    XA_AXIS,
    Canvas,
    Mask,
    Window,
    bump,
    cropped,
    ramp,
)
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

LUNG_AIR = 0.40
AP_RISE = 0.055
"""How much higher the diaphragm stands on AP films, taken lying or sitting."""


@dataclass(frozen=True)
class Frontal:
    """The lay-out of one frontal film; all planes are (H, W) float32."""

    anatomy: Anatomy
    canvas: Canvas
    ap: bool
    dome_top: float
    heart_ratio: float
    wall: Plane
    """Distance to the inner thorax wall, positive inside."""
    below: Plane
    """Distance below the diaphragm, positive in the abdomen."""
    lung: Plane
    """Coverage of both lungs (heart not cut out), 0-1."""
    heart: Plane
    """Coverage of the heart, 0-1."""
    thorax_mask: Mask
    heart_mask: Mask

    def crop(self, window: Window) -> Frontal:
        """The same lay-out on a part of the film."""
        return replace(self, canvas=self.canvas.crop(window), **cropped(self, window))


def wall_table(anatomy: Anatomy, start: float, half: float) -> Plane:
    """Half-width of a chest of that apex and half-width over `V_AXIS`."""
    t = np.clip((V_AXIS - start) / (0.60 - start), 0, 1)
    return half * np.sqrt(1 - (1 - t) ** 2.3) - 0.05 * half * np.clip((V_AXIS - 0.66) / 0.2, 0, 1)


def layout(anatomy: Anatomy, view: str, canvas: Canvas) -> Frontal:
    """Lay out the chest of `anatomy` on a canvas."""
    ap = view == "AP"
    soft, half = canvas.soft, anatomy.half_width
    inner = canvas.of_v(wall_table(anatomy, anatomy.apex, half))
    wall = inner - np.abs(canvas.x)
    top = anatomy.dome - (AP_RISE if ap else 0.0)
    lateral = (XA_AXIS - 0.45 * half) / (0.55 * half)
    drop = np.where(lateral > 0, 0.105 * np.abs(lateral) ** 3, 0.03 * lateral * lateral)
    below = canvas.v - canvas.of_x(top + anatomy.dome_step * ramp(X_AXIS - 0.03, 0.16) + drop)
    medial = 0.045 + 0.13 * np.clip(1 - (V_AXIS - anatomy.apex) / 0.05, 0, 1) ** 2
    chest = ramp(wall, soft) * ramp(inner - wall - canvas.of_v(medial), 2 * soft)
    lung = chest * ramp(-below, soft)
    ratio = anatomy.heart_ratio
    if ap:
        # AP projection magnifies the heart; the class must stay what it is.
        ratio = min(ratio + 0.02, HEART_RATIOS[anatomy.heart_size][1])
    heart, heart_mask = _heart(canvas, ratio, half, top)
    thorax = (wall > 0) & (canvas.v > anatomy.apex) & (below < 0.03)
    return Frontal(anatomy, canvas, ap, top, ratio, wall, below, lung, heart, thorax, heart_mask)


def heart_reach(ratio: float, half: float) -> tuple[float, float]:
    """How far the heart reaches to the patient's right and left of the midline."""
    return 0.34 * 2 * half * ratio, 0.66 * 2 * half * ratio


def _heart(canvas: Canvas, ratio: float, half: float, dome: float) -> tuple[Plane, Mask]:
    right, left = heart_reach(ratio, half)
    up = 0.20 + 0.03 * ratio / 0.45
    rel = V_AXIS - (dome - 0.055)
    right_shape = np.clip(1 - (rel / np.where(rel < 0, up * 0.85, 0.13)) ** 2, 0, 1) ** 0.6
    rel = rel - 0.018
    left_shape = np.clip(1 - np.abs(rel / np.where(rel < 0, up, 0.095)) ** 1.7, 0, 1) ** 0.60
    edge = np.where(
        canvas.x > 0,
        canvas.of_v(np.where(left_shape > 0.02, left * left_shape, -1.0)),
        canvas.of_v(np.where(right_shape > 0.02, right * right_shape, -1.0)),
    )
    edge -= np.abs(canvas.x)
    return ramp(edge, 1.6 * canvas.soft), edge >= 0


def texture_place(plane: Plane, scale: float, rng: np.random.Generator) -> Plane:
    """Texture pixels of a coordinate, at a random offset."""
    return plane * scale + float(rng.integers(4096) + 4096)


def density(film: Frontal, fluid: Plane | None, rng: np.random.Generator) -> Plane:
    """Density of the chest: lungs about 0.25, soft tissue 0.6, heart and abdomen 0.85, bone above.

    `fluid` is the coverage of pleural fluid, which takes the place of air.
    """
    a, c = film.anatomy, film.canvas
    x, v = c.x, c.v
    shoulder = 0.005 + 0.15 * np.clip((XA_AXIS - 0.085) / 0.40, 0, 1) ** 1.5
    shoulder -= ramp(0.10 - XA_AXIS, 0.06) * 0.14
    trunk = a.body_width + 0.03 * bump(V_AXIS - 0.95, 0.5) - 0.02 * bump(V_AXIS - 0.5, 0.25)
    trunk += 0.2 * ramp(0.30 - V_AXIS, 0.12)
    body = ramp(c.of_v(trunk) - np.abs(x), 0.04) * ramp(v - c.of_x(shoulder), 0.045)
    opaque = ramp(film.below, 0.03) * ramp(film.wall + 0.02, 0.06)
    silhouette = _silhouette(film)
    lung = film.lung * (1 - 0.82 * silhouette)
    if fluid is not None:
        lung *= 1 - fluid
        opaque = np.maximum(opaque, 0.8 * fluid * (1 - 0.85 * silhouette))
    flank = np.clip((XA_AXIS - 0.30) / 0.18, 0, 1)
    plane = c.of_x(0.64 - 0.18 * flank * flank) + 0.21 * opaque
    plane *= body
    plane -= lung * (0.78 * LUNG_AIR + 0.22 * LUNG_AIR * ramp(film.wall - 0.05, 0.12))
    plane += _mediastinum(film, lung, silhouette)
    plane += _bones(film) * body
    if a.breast:
        lateral = (XA_AXIS - 0.19) / 0.17
        fold = 1.15 - c.of_v(((V_AXIS - 0.62) / 0.14) ** 2) - c.of_x(lateral * lateral)
        plane += a.breast * np.clip(fold, 0, 0.6)
    window = c.window(0.02, film.dome_top - 0.05, 0.32, film.dome_top + 0.22)
    depth = (film.below[window] - 0.055) / (0.032 * a.bubble)
    bubble = ((x[window] - 0.17) / (0.07 * a.bubble)) ** 2 + depth * depth
    plane[window] -= 0.20 * ramp(1 - bubble, 0.9)
    tissue = sample(mottle(4), texture_place(x, 420, rng), texture_place(v, 420, rng))
    plane += body * 0.016 * tissue
    return plane


def side_marker(film: Frontal, rng: np.random.Generator) -> tuple[Plane, Window]:
    """A lead letter "L" near the corner over the patient's left shoulder, and where it goes."""
    x, v = float(rng.uniform(0.385, 0.42)), float(rng.uniform(0.035, 0.06))
    window = film.canvas.window(x - 0.02, v - 0.02, x + 0.05, v + 0.07)
    letter = [(x, v), (x, v + 0.040), (x + 0.024, v + 0.040)]
    return 0.75 * film.canvas.crop(window).stroke(letter, 0.0075), window


def monitor_leads(film: Frontal, rng: np.random.Generator) -> Plane:
    """Electrodes and thin wires of a monitored patient, as AP films often show."""
    c = film.canvas
    out = np.zeros(c.x.shape, np.float32)
    for side in (-1.0, 1.0):
        x, v = side * float(rng.uniform(0.19, 0.30)), float(rng.uniform(0.22, 0.34))
        window = c.window(x - 0.03, v - 0.03, x + 0.03, v + 0.03)
        disc = ramp(0.013 - np.hypot(c.x[window] - x, c.v[window] - v), 0.008)
        out[window] += 0.10 * disc
        bend = (x + side * float(rng.uniform(-0.05, 0.08)), float(rng.uniform(0.5, 0.75)))
        course = [(x, v), bend, (side * float(rng.uniform(0.1, 0.3)), 1.4)]
        out += 0.10 * c.stroke(course, max(0.006, 0.8 * c.pixel))
    return out


def _silhouette(film: Frontal) -> Plane:
    """Coverage of heart and great vessels together, 0-1."""
    c = film.canvas
    width = 0.036 + 0.010 * film.ap + 0.040 * ramp(V_AXIS - 0.37, 0.24) * ramp(0.62 - V_AXIS, 0.3)
    column = ramp(c.of_v(width) - np.abs(c.x), 0.035) * c.of_v(0.92 * ramp(V_AXIS - 0.05, 0.1))
    return np.maximum(film.heart, column)


def _mediastinum(film: Frontal, lung: Plane, silhouette: Plane) -> Plane:
    a, c = film.anatomy, film.canvas
    x, v = c.x, c.v
    out = silhouette * c.of_v(0.12 - 0.06 * ramp(V_AXIS - film.dome_top - 0.02, 0.06))
    aorta = c.of_x(bump(X_AXIS - 0.045, 0.03))
    out += 0.05 * aorta * c.of_v(ramp(V_AXIS - 0.33, 0.05) * ramp(0.8 - V_AXIS, 0.1))
    window = c.window(-0.2, 0.2, 0.2, 0.56)
    px, pv = x[window], v[window]
    knob = np.hypot(px - 0.056, (pv - 0.325) * 0.85)
    out[window] += 0.17 * ramp(a.aorta - knob, 0.02) * (1 - silhouette[window])
    for sign, height in ((-1.0, 0.435), (1.0, 0.415)):
        rise = pv - height
        r2 = ((px - sign * (0.088 + 0.15 * rise)) / 0.036) ** 2 + (rise / 0.075) ** 2
        out[window] += 0.14 * bump(r2, 1.6) * lung[window]
    # Trachea and main bronchi: air in the column.
    window = c.window(-0.1, -0.4, 0.1, 0.5)
    fork = 0.75 * np.clip(V_AXIS - 0.345, 0, 0.09)
    middle = np.abs(x[window]) - c.of_v(fork)[window]
    out[window] -= (
        0.19 * ramp(0.0145 - np.abs(middle), 0.014) * c.of_v(ramp(0.43 - V_AXIS, 0.06))[window]
    )
    return out


def _bones(film: Frontal) -> Plane:
    a, c = film.anatomy, film.canvas
    xa, half = np.abs(c.x), a.half_width
    rel = XA_AXIS / half
    arch = 0.012 * np.sin(3.3 * rel) - 0.125 * rel * rel * rel
    back = (c.v + c.of_x(arch - a.apex)) / a.rib_step + a.rib_phase * 0.4
    rib = _rib(back, 0.24, 0.45) * c.of_x(0.060 * ramp(XA_AXIS - 0.028, 0.02))
    rib *= c.of_v(ramp(0.86 - V_AXIS, 0.25))
    front = (c.v + c.of_x(0.22 * rel - a.apex - 0.20)) / (a.rib_step * 1.25) + a.rib_phase
    near = _rib(front, 0.26, 0.35) * c.of_x(0.040 * ramp(rel - 0.48, 0.12))
    near *= c.of_v(ramp(V_AXIS - 0.22, 0.06) * ramp(0.80 - V_AXIS, 0.2))
    out = (rib + near) * ramp(film.wall + 0.018, 0.014)
    out *= 1 - 0.5 * film.heart
    out *= c.of_v(a.rib_contrast * ramp(V_AXIS - a.apex + 0.03, 0.03))
    out += (
        0.05
        * bump(film.wall + 0.010, 0.016)
        * c.of_v(ramp(V_AXIS - 0.16, 0.1) * ramp(0.84 - V_AXIS, 0.1))
    )
    window = c.window(-0.4, 0.0, 0.4, 0.3)
    line = 0.205 - 0.30 * (XA_AXIS - 0.03) * (1 - 0.9 * XA_AXIS) + 0.012 * np.sin(16 * XA_AXIS)
    line -= 0.035 * film.ap
    gap = np.abs(c.v[window] - c.of_x(line)[window])
    clavicle = ramp(0.0145 - gap, 0.01) + 0.5 * bump(gap - 0.0125, 0.006)
    ends = 0.12 * ramp(XA_AXIS - 0.025, 0.02) * ramp(0.34 - XA_AXIS, 0.06)
    out[window] += clavicle * c.of_x(ends)[window]
    disc = np.abs(np.mod(V_AXIS / 0.046, 1.0) - 0.5)
    spine = c.of_x(ramp(0.031 - XA_AXIS, 0.012))
    fade = 1 - 0.55 * ramp(V_AXIS - 0.42, 0.3)
    out += spine * c.of_v((0.025 + 0.045 * ramp(disc - 0.09, 0.10)) * fade)
    out += 0.04 * c.of_x(bump(XA_AXIS, 0.007)) * c.of_v(bump(disc - 0.35, 0.12) * fade)
    medial = 0.315 if film.ap else 0.43
    _scapulae(film, xa, medial, out)
    return out


def _rib(phase: Plane, width: float, cortex: float) -> Plane:
    """A band around every whole `phase`, brighter at its edges."""
    phase -= np.rint(phase)
    np.abs(phase, out=phase)
    band = ramp(width - phase, 0.18)
    band += cortex * bump(phase - width + 0.03, 0.08)
    return band


def _scapulae(film: Frontal, xa: Plane, medial: float, out: Plane) -> None:
    """Shoulder blades: out of the lungs on PA, across the upper lungs on AP. Adds to `out`."""
    c = film.canvas
    for sign in (-1, 1):
        near, far = sorted((sign * (medial - 0.12), sign * (medial + 0.16)))
        window = c.window(near, 0.12, far, 0.52)
        v = c.v[window]
        edge = xa[window] - (medial - 0.05 + np.where(v < 0.2, -0.35 * (v - 0.2), 0.22 * (v - 0.2)))
        blade = ramp(edge, 0.012) * ramp(0.10 - edge, 0.06)
        blade *= ramp(v - 0.15, 0.03) * ramp(0.47 - v - 0.2 * np.abs(edge), 0.03)
        border = bump(edge - 0.006, 0.011) * ramp(v - 0.16, 0.03) * ramp(0.46 - v, 0.04)
        out[window] += 0.06 * blade + 0.07 * border


def lung_markings(film: Frontal, airless: Plane | None) -> Plane:
    """Density of the vessels of both lungs, none where `airless` is 1."""
    a, c = film.anatomy, film.canvas
    zoom = VESSEL_SIZE / (VESSEL_SPAN * a.vessel_scale)
    px = c.of_x((XA_AXIS - 0.075) * zoom + VESSEL_SIZE / 2)
    py = c.of_v((V_AXIS - 0.43) * (zoom * 0.92) + VESSEL_SIZE / 2)
    pair = np.concatenate([vessels(variant) for variant in a.vessel_variants], axis=1)
    px = np.clip(px, 0, VESSEL_SIZE - 2) + (c.x > 0) * np.float32(VESSEL_SIZE)
    tree = sample_clamped(pair, px, py, c.pixel < FINE_PIXEL)
    tree *= film.lung
    tree *= 0.125 - 0.09 * film.heart
    if airless is not None:
        tree *= 1 - airless
    return tree
