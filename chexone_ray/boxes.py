"""Boxes: canonical form, geometry, one text codec per model family, IoU and matching.

Canonical boxes are (x1, y1, x2, y2) floats in 0-1 of the displayed original, half-open, origin at
the upper left. Codecs:

- `percent`: `<|ref|>name<|/ref|><|box|>(x1,y1),(x2,y2)<|/box|>`, 0-100 (published).
- `thousand`: a JSON list of {"bbox_2d": [x1, y1, x2, y2], "label": name}, 0-1000 (Qwen3-VL).
- `pixels`: the same list in pixels of the resized image (Qwen2.5-VL); needs the `Geometry`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

from chexone_ray.records import Box

Codec = Literal["percent", "thousand", "pixels"]
Corners = tuple[float, float, float, float]

_NUMBER = r"-?\d{1,9}(?:\.\d{1,9})?"
_MARKED = re.compile(r"<\|ref\|>([^<|]*)<\|/ref\|>|<\|box\|>([^<|]*)<\|/box\|>")
_MARKS = re.compile(r"[<>|]")
_PERCENT = re.compile(
    rf"\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*,?\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)"
)
_FEW = 3
_OBJECT = re.compile(r"\{[^{}]*\}")
_NEGATIVE = re.compile(r"\s*no\s+([^.]{1,80}?)\s+detected\.?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Geometry:
    """Sizes in pixels of the displayed original and of the resized image that the model sees.

    The resize keeps the whole picture, so canonical coordinates are the same in both.
    """

    original_width: int
    original_height: int
    resized_width: int
    resized_height: int

    def to_resized(self, xyxy: Corners) -> Corners:
        """Canonical corners -> pixels of the resized image."""
        return _scale(xyxy, self.resized_width, self.resized_height)

    def from_resized(self, xyxy: Corners) -> Corners:
        """Pixels of the resized image -> canonical corners."""
        return _scale(xyxy, 1 / self.resized_width, 1 / self.resized_height)

    def to_original(self, xyxy: Corners) -> Corners:
        """Canonical corners -> pixels of the displayed original."""
        return _scale(xyxy, self.original_width, self.original_height)

    def from_original(self, xyxy: Corners) -> Corners:
        """Pixels of the displayed original -> canonical corners."""
        return _scale(xyxy, 1 / self.original_width, 1 / self.original_height)


def encode(boxes: Iterable[Box], codec: Codec = "percent", geometry: Geometry | None = None) -> str:
    """Boxes as text, sorted by (x1, y1). Reversed corners are swapped and the rest clipped to the
    image; a side that rounds to nothing is widened to one step, which the original does not do,
    because such a box could never be hit. Raises ValueError for corners that are not finite."""
    ordered = sorted(
        ((_tidy(box.xyxy), clean_label(box.label)) for box in boxes),
        key=lambda item: (int(item[0][0] * 1000), int(item[0][1] * 1000)),
    )
    if codec == "percent":
        return "".join(
            f"<|ref|>{label}<|/ref|><|box|>({x1},{y1}),({x2},{y2})<|/box|>"
            for (x1, y1, x2, y2), label in (
                (_steps(tuple(_percent(v) for v in xyxy), 100, 100), label)  # type: ignore[arg-type]
                for xyxy, label in ordered
            )
        )
    width, height = _extent(codec, geometry)
    items = []
    for xyxy, label in ordered:
        x1, y1, x2, y2 = (round(v) for v in _scale(xyxy, width, height))
        items.append({"bbox_2d": list(_steps((x1, y1, x2, y2), width, height)), "label": label})
    return json.dumps(items, ensure_ascii=False)


def decode(text: str, codec: Codec = "percent", geometry: Geometry | None = None) -> list[Box]:
    """Boxes in the order of the text. What is not a box is passed over; reversed corners are
    swapped and the rest clipped, so a box outside the image stays as a box of no area."""
    if codec == "percent":
        return _decode_percent(text)
    width, height = _extent(codec, geometry)
    found = []
    for match in _OBJECT.finditer(text):
        try:
            item = json.loads(match.group())
            x1, y1, x2, y2 = (float(v) for v in item["bbox_2d"])
            corners = _tidy((x1 / width, y1 / height, x2 / width, y2 / height))
        except (ValueError, TypeError, KeyError):
            continue
        found.append(Box(str(item.get("label", "")), corners))
    return found


def clean_label(label: str) -> str:
    """A label without the marks of the codecs, on one line; `encode` cleans what it is given."""
    return " ".join(_MARKS.sub(" ", label).split())


def negative(label: str) -> str:
    """The sentence that stands for "nothing to box"."""
    return f"No {label} detected."


def negative_label(text: str) -> str | None:
    """The label of a sentence like `negative` makes, or None where the text is something else."""
    found = _NEGATIVE.fullmatch(text)
    return found.group(1) if found else None


def iou(a: Box, b: Box) -> float:
    """Intersection over union, in 0-1; 0 where either box has no area. Labels play no part."""
    return _iou(a.xyxy, b.xyxy)


def match(
    predicted: Sequence[Box], reference: Sequence[Box], labelled: bool = False
) -> list[tuple[int, int, float]]:
    """One-to-one pairs (predicted index, reference index, IoU) with the largest sum of IoU.

    min(#predicted, #reference) pairs, those of IoU 0 included, by predicted index. With `labelled`,
    boxes of different names (ignoring case) overlap by 0.
    """
    overlaps = [
        [0.0 if labelled and not same_label(p, r) else _iou(p.xyxy, r.xyxy) for r in reference]
        for p in predicted
    ]
    if not overlaps or not overlaps[0]:
        return []
    if len(overlaps) == 1:
        row = overlaps[0]
        best = max(range(len(row)), key=row.__getitem__)
        return [(0, best, row[best])]
    if len(overlaps[0]) == 1:
        best = max(range(len(overlaps)), key=lambda i: overlaps[i][0])
        return [(best, 0, overlaps[best][0])]
    if max(len(overlaps), len(overlaps[0])) <= _FEW:
        return _best_order(overlaps)
    # Imported here: answers seldom hold so many boxes.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return [(int(i), int(j), overlaps[i][j]) for i, j in zip(rows, columns, strict=True)]


def _best_order(overlaps: list[list[float]]) -> list[tuple[int, int, float]]:
    """The assignment by trying all: faster than the solver up to `_FEW` boxes a side."""
    if len(overlaps) > len(overlaps[0]):
        turned = _best_order([list(column) for column in zip(*overlaps, strict=True)])
        return sorted((i, j, overlap) for j, i, overlap in turned)
    best = max(
        permutations(range(len(overlaps[0])), len(overlaps)),
        key=lambda order: sum(row[j] for row, j in zip(overlaps, order, strict=True)),
    )
    return [(i, j, overlaps[i][j]) for i, j in enumerate(best)]


def same_label(a: Box, b: Box) -> bool:
    """True where both boxes carry the same name, ignoring case and space at the ends."""
    return a.label == b.label or a.label.strip().lower() == b.label.strip().lower()


def _iou(a: Corners, b: Corners) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    return intersection / (
        (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection
    )


def _scale(xyxy: Corners, x: float, y: float) -> Corners:
    return (xyxy[0] * x, xyxy[1] * y, xyxy[2] * x, xyxy[3] * y)


def _tidy(xyxy: Corners) -> Corners:
    """Corners in order and inside 0-1; ValueError where one is not finite."""
    if not all(map(math.isfinite, xyxy)):
        raise ValueError(f"box corners {xyxy} are not finite")
    x1, y1, x2, y2 = (min(max(v, 0.0), 1.0) for v in xyxy)
    return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def _percent(value: float) -> int:
    """The published quantisation: 1,000 bins, 999 the last, a tenth of it, rounded half to even."""
    return round(min(int(value * 1000), 999) / 10)


def _steps(
    corners: tuple[int, int, int, int], width: int, height: int
) -> tuple[int, int, int, int]:
    """Integer corners whose sides are at least one step long."""
    x1, y1, x2, y2 = corners
    if x1 == x2:
        x1, x2 = (x1, x1 + 1) if x1 < width else (x1 - 1, x1)
    if y1 == y2:
        y1, y2 = (y1, y1 + 1) if y1 < height else (y1 - 1, y1)
    return x1, y1, x2, y2


def _extent(codec: Codec, geometry: Geometry | None) -> tuple[int, int]:
    if codec == "thousand":
        return 1000, 1000
    if geometry is None:
        raise ValueError('codec "pixels" needs the geometry of the image')
    return geometry.resized_width, geometry.resized_height


def _decode_percent(text: str) -> list[Box]:
    found = []
    label = ""
    for mark in _MARKED.finditer(text):
        if mark.group(2) is None:
            label = mark.group(1).strip()
            continue
        for numbers in _PERCENT.findall(mark.group(2)):
            x1, y1, x2, y2 = (float(v) / 100 for v in numbers)
            found.append(Box(label, _tidy((x1, y1, x2, y2))))
    return found
