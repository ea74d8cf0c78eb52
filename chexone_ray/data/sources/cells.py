"""Cells of tables, and what JSON has in their place -> numbers, label states, views and boxes."""

from __future__ import annotations

import math
from collections.abc import Iterable

from chexone_ray.records import Box

Corners = tuple[float, float, float, float]


def number(cell: object) -> float:
    """A cell as a number, NaN for any other text."""
    try:
        return float(str(cell))
    except ValueError:
        return math.nan


def label_state(text: str) -> int | None:
    """A cell of a label table: "1.0", "0.0", "-1.0" or blank."""
    value = number(text)
    return int(value) if value in (1, 0, -1) else None


def film_view(side: str, projection: str) -> str:
    """The view by two cells: frontal or lateral, and for a frontal film AP or PA where it says so.

    Another projection of a frontal film, such as LL, is a slip.
    """
    if side.lower() != "frontal":
        return side.lower()
    return projection if projection in ("AP", "PA") else "frontal"


def corners(values: Iterable[object]) -> Corners | None:
    """Four cells as a box in pixels; None where they are no numbers or make no area.

    A box may reach outside its film: `PendingStudy.complete` clips it.
    """
    numbers = [number(value) for value in values]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        return None
    x1, y1, x2, y2 = numbers
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def box_of_size(label: str, x: float, y: float, width: float, height: float) -> Box | None:
    """A box by its upper left corner and its size; None where these make no area."""
    if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
        return None
    return Box(label, (x, y, x + width, y + height))
