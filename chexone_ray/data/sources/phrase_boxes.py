"""Boxes of phrases, as the tables of several sets give them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from chexone_ray.records import Phrase

Corners = tuple[float, float, float, float]


def corners(values: Iterable[object]) -> Corners | None:
    """Four numbers as a box in pixels; None where they are none or make no area.

    A box may reach outside its film: `PendingStudy.complete` clips it.
    """
    try:
        x1, y1, x2, y2 = (float(str(value)) for value in values)
    except ValueError:
        return None
    usable = all(map(math.isfinite, (x1, y1, x2, y2))) and x2 > x1 and y2 > y1
    return (x1, y1, x2, y2) if usable else None


def on_image(phrase: Phrase, number: int) -> Phrase:
    """The same phrase with its boxes on another image of the study."""
    return replace(phrase, boxes=tuple(replace(box, image=number) for box in phrase.boxes))
