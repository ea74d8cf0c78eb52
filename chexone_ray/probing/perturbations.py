"""What is done to a film or a trace to see whether the answer rests on it. Pure.

Pixels are uint8 (H, W, 3), boxes canonical corners in 0-1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chexone_ray.boxes import Corners
from chexone_ray.images import Pixels

RING = 0.25
"""Width of a box's surroundings, as a share of its shorter side."""
ALIKE = 0.25
"""Share of the free places, those of the most similar brightness, among which chance chooses."""
OPENING = "\\boxed"
"""What forces the answer. Without the brace: tokenizers of the Qwen family split the text right
before it and join it with what follows, so with it the model would be asked in the middle of a
token that it was not trained to see cut."""

Rectangle = tuple[int, int, int, int]
"""(x1, y1, x2, y2) in pixels, half-open."""

_WORD_END = re.compile(r"\S+\s*")
_BRACE = re.compile(r"\\[{}]|[{}]")


def blank(pixels: Pixels) -> Pixels:
    """A film of the same size with its mean grey everywhere."""
    return np.full_like(pixels, round(float(pixels.mean())))


def in_pixels(corners: Corners, width: int, height: int) -> Rectangle:
    """Every pixel that the box touches, one at the least, inside the film."""
    x1, y1, x2, y2 = corners
    left, top = (min(int(np.floor(v * n)), n - 1) for v, n in ((x1, width), (y1, height)))
    left, top = max(left, 0), max(top, 0)
    # A corner of 0.3 on 100 pixels is 30.000000000000004 in floating point.
    right, bottom = (int(np.ceil(v * n - 1e-6)) for v, n in ((x2, width), (y2, height)))
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def occlude(
    pixels: Pixels, rectangles: Sequence[Rectangle], others: Sequence[Rectangle] = ()
) -> Pixels:
    """A copy in which each rectangle is filled with the median of its surroundings, by channel.

    The surroundings are a ring around it; the rectangles themselves and `others`, such as further
    lesions, are no part of one unless nothing else is left of it.
    """
    height, width = pixels.shape[:2]
    hidden = np.zeros((height, width), dtype=bool)
    for x1, y1, x2, y2 in (*rectangles, *others):
        hidden[y1:y2, x1:x2] = True
    filled = pixels.copy()
    for x1, y1, x2, y2 in rectangles:
        margin = max(1, round(RING * min(x2 - x1, y2 - y1)))
        ring = np.zeros_like(hidden)
        ring[max(0, y1 - margin) : y2 + margin, max(0, x1 - margin) : x2 + margin] = True
        ring[y1:y2, x1:x2] = False
        around = ring & ~hidden if (ring & ~hidden).any() else ring
        source = pixels[around] if around.any() else pixels.reshape(-1, pixels.shape[-1])
        filled[y1:y2, x1:x2] = np.rint(np.median(source, axis=0)).astype(np.uint8)
    return filled


def control_regions(
    pixels: Pixels,
    rectangles: Sequence[Rectangle],
    avoid: Sequence[Rectangle],
    rng: np.random.Generator,
) -> list[Rectangle] | None:
    """One region a rectangle, of its size, inside the film, that overlaps with none of `rectangles`
    and `avoid` and with no other region; None where one of them has no such place.

    Chance chooses among the free places that are most like the rectangle in mean brightness, so
    that a lesion is not compared with the black corner of a film.
    """
    height, width = pixels.shape[:2]
    bright = _summed(pixels.mean(axis=-1))
    taken = np.zeros((height, width))
    for x1, y1, x2, y2 in (*rectangles, *avoid):
        taken[y1:y2, x1:x2] = 1
    found: dict[int, Rectangle] = {}
    # The largest is the hardest to place.
    by_size = sorted(range(len(rectangles)), key=lambda i: -_area(rectangles[i]))
    for at in by_size:
        x1, y1, x2, y2 = rectangles[at]
        size = (x2 - x1, y2 - y1)
        free_y, free_x = np.nonzero(_window_sums(_summed(taken), *size) == 0)
        if not len(free_x):
            return None
        means = _window_sums(bright, *size)
        distance = np.abs(means[free_y, free_x] - means[y1, x1])
        alike = np.argsort(distance, kind="stable")[: max(1, round(ALIKE * len(distance)))]
        chosen = alike[rng.integers(len(alike))]
        x, y = int(free_x[chosen]), int(free_y[chosen])
        found[at] = (x, y, x + size[0], y + size[1])
        taken[y : y + size[1], x : x + size[0]] = 1
    return [found[at] for at in range(len(rectangles))]


def cut(trace: str, share: float) -> str:
    """The first `share` of the trace's words, rounded, with the space between them as it is."""
    words = list(_WORD_END.finditer(trace))
    num = int(share * len(words) + 0.5)
    return trace[: words[num - 1].end()].rstrip() if num else ""


def forced(trace: str) -> str:
    """What the assistant has said where it is made to answer after `trace`."""
    return f"{trace} {OPENING}" if trace else OPENING


def forced_text(trace: str, completion: str) -> str:
    """The whole text of a forced answer, up to the end of the box that was opened for it.

    What the model goes on to say behind that box is no answer to this cut. A box that the length
    limit left open is closed.
    """
    said = completion.lstrip()
    if not said.startswith("{"):
        return forced(trace) + completion
    depth = 0
    for brace in _BRACE.finditer(said):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return forced(trace) + said[: brace.end()]
    return forced(trace) + said + "}" * depth


def _area(rectangle: Rectangle) -> int:
    x1, y1, x2, y2 = rectangle
    return (x2 - x1) * (y2 - y1)


def _summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Summed-area table (H + 1, W + 1) of values (H, W)."""
    return np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _window_sums(summed: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Sums of all windows of that size by their upper left corner."""
    return (
        summed[height:, width:]
        - summed[:-height, width:]
        - summed[height:, :-width]
        + summed[:-height, :-width]
    )
