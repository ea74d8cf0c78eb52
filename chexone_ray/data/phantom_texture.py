"""Textures of the phantom films, made once a process: lung vessels and tissue mottle."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Plane: TypeAlias = NDArray[np.float32]

VESSEL_SIZE = 512
FINE_PIXEL = 0.003
"""Below this pixel size the vessel texture needs interpolation."""
VESSEL_SPAN = 0.62
"""Width of the vessel texture in the anatomy frame; the hilum is at its centre."""
MOTTLE_SIZE = 512
GRAIN_SIZE = 1024


@lru_cache(maxsize=16)
def vessels(variant: int) -> Plane:
    """A branching vessel tree of the left lung, (512, 512) in 0-1, lateral is to the right."""
    rng = np.random.default_rng([variant, 0x5E])
    canvas: Plane = np.zeros((VESSEL_SIZE, VESSEL_SIZE), np.float32)
    per_depth: dict[int, list[tuple[float, ...]]] = {}
    stack: list[tuple[float, float, float, float, float, int]] = []
    for angle in np.linspace(-1.45, 1.5, 9):
        start = 256 + rng.normal(0, 12, 2) + 14 * np.array([np.cos(angle), np.sin(angle)])
        stack.append((*start.tolist(), float(angle + rng.normal(0, 0.18)), 40.0, 9.0, 0))
    while stack:
        x, y, angle, length, width, depth = stack.pop()
        bend = rng.normal(0, 0.12)
        length *= rng.uniform(0.75, 1.25)
        x1, y1 = x + length * np.cos(angle), y + length * np.sin(angle)
        x2 = x1 + length * 0.7 * np.cos(angle + bend)
        y2 = y1 + length * 0.7 * np.sin(angle + bend)
        per_depth.setdefault(depth, []).append((width, x, y, x1, y1, x2, y2))
        if depth < 4:
            for spread in (-1, 1):
                turn = angle + bend + spread * rng.uniform(0.15, 0.5)
                stack.append((x2, y2, turn, length * 0.74, width * 0.68, depth + 1))
    for depth, lines in per_depth.items():
        layer = Image.new("L", (VESSEL_SIZE, VESSEL_SIZE))
        pen = ImageDraw.Draw(layer)
        for width, *points in lines:
            pen.line(points, fill=255, width=max(1, round(width)))
        plane = np.asarray(layer, np.float32) / 255
        canvas += ndimage.gaussian_filter(plane, 2.2 - 0.25 * depth) * (0.8 - 0.12 * depth)
    return np.clip(canvas, 0, 1.2, out=canvas)


@lru_cache(maxsize=4)
def mottle(octave: int) -> Plane:
    """Smooth periodic noise, (512, 512), zero mean, unit deviation, blobs of about 2**octave px."""
    rng = np.random.default_rng([octave, 0x33])
    noise = rng.standard_normal((MOTTLE_SIZE, MOTTLE_SIZE)).astype(np.float32)
    smooth = ndimage.gaussian_filter(noise, 2.0**octave, mode="wrap")
    return (smooth / smooth.std()).astype(np.float32)


def sample(texture: Plane, x: Plane, y: Plane) -> Plane:
    """`texture` at pixel places (x, y), wrapped at its edges, nearest neighbour."""
    height, width = texture.shape
    return texture[y.astype(np.int32) % height, x.astype(np.int32) % width]


def sample_clamped(texture: Plane, x: Plane, y: Plane, smooth: bool) -> Plane:
    """`texture` at pixel places (x, y), its edge values outside; bilinear where `smooth`."""
    height, width = texture.shape
    x = np.clip(x, 0, width - 1.001)
    y = np.clip(y, 0, height - 1.001)
    left, top = x.astype(np.intp), y.astype(np.intp)
    index = top * width + left
    if not smooth:
        return texture.take(index)
    fx, fy = (x - left).astype(np.float32), (y - top).astype(np.float32)
    flat = texture.ravel()
    upper = flat[index] * (1 - fx) + flat[index + 1] * fx
    index += width
    lower = flat[index] * (1 - fx) + flat[index + 1] * fx
    return upper * (1 - fy) + lower * fy


@lru_cache(maxsize=1)
def _grain_bank() -> Plane:
    rng = np.random.default_rng(0x6A)
    noise = rng.standard_normal((GRAIN_SIZE, GRAIN_SIZE), dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, 0.55, mode="wrap")
    return (noise / noise.std()).astype(np.float32)


def grain(height: int, width: int, rng: np.random.Generator) -> Plane:
    """Film noise of unit deviation, (height, width): a random cut of one large periodic plane."""
    bank = _grain_bank()
    rows = (np.arange(height) + rng.integers(GRAIN_SIZE)) % GRAIN_SIZE
    columns = (np.arange(width) + rng.integers(GRAIN_SIZE)) % GRAIN_SIZE
    return bank[rows[:, None], columns[None, :]]
