"""The pixel grid of a phantom film in anatomy coordinates, and the strokes drawn on it.

Speed matters: thousands of films are drawn for pretraining. A quantity that depends on one
coordinate alone is computed on a table (`X_AXIS`, `V_AXIS`) and gathered; a small finding is drawn
on a crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chexone_ray.data.phantom_texture import Plane

Mask: TypeAlias = NDArray[np.bool_]
Index: TypeAlias = NDArray[np.intp]
Window: TypeAlias = tuple[slice, slice]

_STEPS = 2500
X_AXIS: Plane = np.arange(-_STEPS, _STEPS + 1, dtype=np.float32) / _STEPS
"""Signed distances from the midline, -1 to 1."""
V_AXIS: Plane = np.arange(-_STEPS // 2, 3 * _STEPS // 2 + 1, dtype=np.float32) / _STEPS
"""Heights, -0.5 to 1.5."""
XA_AXIS: Plane = np.abs(X_AXIS)


def ramp(value: Plane, width: float) -> Plane:
    """0 below -width/2, 1 above width/2, a smooth step between."""
    t = value * (1 / width)
    t += 0.5
    np.clip(t, 0, 1, out=t)
    smooth: Plane = 3 - 2 * t
    smooth *= t
    smooth *= t
    return smooth


def bump(value: Plane, width: float) -> Plane:
    """A smooth hill of half-width `width` around 0."""
    t = value * (1 / width)
    t *= t
    np.subtract(1, t, out=t)
    np.maximum(t, 0, out=t)
    t *= t
    return t


@dataclass(frozen=True)
class Canvas:
    """Coordinates of every pixel; all planes are (H, W)."""

    x: Plane
    """Signed distance from the midline, positive to the viewer's right."""
    v: Plane
    """Height, 0 at the top and 1 at the bottom of a square film."""
    column: Index
    row: Index
    pixel: float
    soft: float
    """Width of a sharp anatomical edge, never below about a pixel."""
    affine: tuple[float, float, float, float, float, float]
    """Pixel column and row of (x, v): a x + b v + c, d x + e v + f."""
    origin: tuple[int, int] = (0, 0)
    """Row and column of the crop in the film."""

    def of_x(self, table: Plane) -> Plane:
        """Gather a table over `X_AXIS`."""
        return np.asarray(table, np.float32).take(self.column)

    def of_v(self, table: Plane) -> Plane:
        """Gather a table over `V_AXIS`."""
        return np.asarray(table, np.float32).take(self.row)

    def window(self, x0: float, v0: float, x1: float, v1: float) -> Window:
        """Rows and columns that hold this rectangle; empty slices where it lies outside."""
        a, b, c, d, e, f = self.affine
        columns = [a * x + b * v + c for x in (x0, x1) for v in (v0, v1)]
        rows = [d * x + e * v + f for x in (x0, x1) for v in (v0, v1)]
        height, width = self.x.shape

        def span(values: list[float], start: int, stop: int) -> slice:
            low = min(max(int(np.floor(min(values))) - start - 1, 0), stop)
            return slice(low, min(max(int(np.ceil(max(values))) - start + 2, low), stop))

        return span(rows, self.origin[0], height), span(columns, self.origin[1], width)

    def crop(self, window: Window) -> Canvas:
        """The same coordinates on a part of the film."""
        rows, columns = window
        return Canvas(
            self.x[window],
            self.v[window],
            self.column[window],
            self.row[window],
            self.pixel,
            self.soft,
            self.affine,
            (self.origin[0] + rows.start, self.origin[1] + columns.start),
        )

    def stroke(self, points: Sequence[tuple[float, float]], width: float) -> Plane:
        """Coverage 0-1 of a poly-line through `points` (x, v), `width` across."""
        reach = np.float32(width)
        nearest = np.full(self.x.shape, reach * reach, np.float32)
        for (x0, v0), (x1, v1) in pairwise(points):
            window = self.window(
                min(x0, x1) - width, min(v0, v1) - width, max(x0, x1) + width, max(v0, v1) + width
            )
            px, pv = self.x[window] - x0, self.v[window] - v0
            if not px.size:
                continue
            dx, dv = x1 - x0, v1 - v0
            t = np.clip((px * dx + pv * dv) / (dx * dx + dv * dv), 0, 1)
            part = nearest[window]
            np.minimum(part, (px - t * dx) ** 2 + (pv - t * dv) ** 2, out=part)
        return ramp(width / 2 - np.sqrt(nearest), max(0.004, 0.6 * width))


def canvas(
    height: int, width: int, centre: float, angle: float, zoom: float, shift: tuple[float, float]
) -> Canvas:
    """The grid of a film; the patient is turned by `angle`, scaled by `zoom`, moved by `shift`."""
    unit = min(height, width)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    fx = ((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / (unit * zoom))[None, :]
    fv = ((np.arange(height, dtype=np.float32) + 0.5 - height / 2) / (unit * zoom))[:, None]
    x0, v0 = 0.5 + shift[0] - centre, 0.5 + shift[1]
    x: Plane = (fx * cos + x0) + fv * sin
    v: Plane = (fv * cos + v0) - fx * sin
    column = np.clip((x + 1) * _STEPS + 0.5, 0, 2 * _STEPS).astype(np.intp)
    row = np.clip((v + 0.5) * _STEPS + 0.5, 0, 2 * _STEPS).astype(np.intp)
    size = unit * zoom
    affine = (
        size * cos,
        -size * sin,
        width / 2 - 0.5 - size * (x0 * cos - v0 * sin),
        size * sin,
        size * cos,
        height / 2 - 0.5 - size * (x0 * sin + v0 * cos),
    )
    pixel = 1 / size
    return Canvas(x, v, column, row, pixel, max(0.010, 1.6 * pixel), affine)


def curve(points: Sequence[tuple[float, float]], steps: int = 4) -> list[tuple[float, float]]:
    """A smooth line through `points` (Catmull-Rom), `steps` pieces between two of them."""
    knots = np.array([points[0], *points, points[-1]])
    before, start, end, after = knots[:-3], knots[1:-2], knots[2:-1], knots[3:]
    pieces = []
    for t in np.arange(steps) / steps:
        pull = -before + 3 * start - 3 * end + after
        bend = 2 * before - 5 * start + 4 * end - after
        pieces.append(start + 0.5 * t * ((end - before) + t * (bend + t * pull)))
    line = np.stack(pieces, axis=1).reshape(-1, 2).tolist()
    return [(x, v) for x, v in line] + [points[-1]]


def cropped(planes: Any, window: Window) -> dict[str, Plane]:
    """Every array field of the dataclass `planes`, cut to `window`."""
    return {
        name: value[window]
        for name in planes.__dataclass_fields__
        if isinstance(value := getattr(planes, name), np.ndarray)
    }
