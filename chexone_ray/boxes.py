"""Boxes: canonical form, geometry, one text codec per model family, IoU and matching.

Canonical boxes are (x1, y1, x2, y2) floats in 0-1 of the displayed original, half-open, origin at
the upper left. Codecs, each in terms of the image that the model sees:

- `percent`: `<|ref|>name<|/ref|><|box|>(x1,y1),(x2,y2)<|/box|>`, 0-100 (CheXOne, CheXagent-2).
- `thousand`: a JSON list of {"bbox_2d": [x1, y1, x2, y2], "label": name}, 0-1000 (Qwen3-VL).
- `pixels`: the same list in pixels of the resized image (Qwen2.5-VL); needs the `Geometry`.
- `thousand_marks`: `<|object_ref_start|>name<|object_ref_end|><|box_start|>(x1,y1),(x2,y2)
  <|box_end|>`, 0-1000 (Qwen2-VL).
- `thousand_yx`: a JSON list of {"box_2d": [y1, x1, y2, x2], "label": name}, 0-1000 of the film
  padded to a square (MedGemma 1.5).
- `unit`: `[x1, y1, x2, y2]`, floats of 0-1, without names (RadVLM).
- `bins`: `<obj>name<box><x1><y1><x2><y2></box></obj>`, 100 bins, read at their middle, of the film
  cropped to a square (MAIRA-2).

A `Geometry` with a crop or a padding acts on every codec; without one the model sees all.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

from chexone_ray.records import Box

Codec = Literal["percent", "thousand", "pixels", "thousand_marks", "thousand_yx", "unit", "bins"]
Corners = tuple[float, float, float, float]
Whole = tuple[int, int, int, int]

_NUMBER = r"-?(?:\d{1,9}(?:\.\d{0,20})?|\.\d{1,20})"
_NAME = r"([^<]*(?:<(?!\|)[^<]*)*)"
"""Up to the next mark, so that a name may hold "<" or "|" and lack its own closing mark."""
_MARKED = re.compile(rf"<\|ref\|>{_NAME}|<\|box\|>([^<|]*)<\|/box\|>")
_QWEN_MARKED = re.compile(rf"<\|object_ref_start\|>{_NAME}|<\|box_start\|>([^<|]*)<\|box_end\|>")
_MARKS = re.compile(r"[<>|]")
_PAIRS = re.compile(
    rf"\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*,?\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)"
)
_BRACKETS = re.compile(
    rf"\[\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\]"
)
_BINNED = re.compile(
    r"<obj>([^<]*(?:<(?!/?(?:obj|box)>)[^<]*)*)|<box>\s*<x(\d{1,2})>\s*<y(\d{1,2})>\s*<x(\d{1,2})>\s*<y(\d{1,2})>\s*</box>"
)
_BINS = 100
_FORMS = {
    "percent": "<|ref|>{label}<|/ref|><|box|>({x1},{y1}),({x2},{y2})<|/box|>",
    "thousand_marks": "<|object_ref_start|>{label}<|object_ref_end|>"
    "<|box_start|>({x1},{y1}),({x2},{y2})<|box_end|>",
    "bins": "<obj>{label}<box><x{x1}><y{y1}><x{x2}><y{y2}></box></obj>",
}
_FEW = 3
_FLAT = r"\{[^{}]*\}"
_INNER = re.compile(_FLAT)
_NESTED = rf"\{{[^{{}}]*(?:{_FLAT}[^{{}}]*)*\}}"
_OBJECT = re.compile(rf"\{{[^{{}}]*(?:{_NESTED}[^{{}}]*)*\}}")
"""Up to three objects inside each other."""
_PYTHON = re.compile(r"\"[^\"]*\"|'([^']*)'|\b(?:None|True|False)\b|[()]")
_IN_JSON = {"None": "null", "True": "true", "False": "false", "(": "[", ")": "]"}
_NEGATIVE = re.compile(r"\s*no\s+([^.]{1,80}?)\s+detected\.?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Geometry:
    """How a model sees a film: sizes in pixels of the displayed original and of the image that the
    model gets, and the part of the original that this image shows."""

    original_width: int
    original_height: int
    resized_width: int
    resized_height: int
    crop: Corners = (0.0, 0.0, 1.0, 1.0)
    """Canonical corners of the part that is shown; beyond 0-1 where the film is padded."""

    @classmethod
    def cropped(cls, width: int, height: int, side: int) -> Geometry:
        """The square in the middle of the film, as long as its shorter side, shown at `side`."""
        return cls(width, height, side, side, _square(width, height, min(width, height)))

    @classmethod
    def padded(cls, width: int, height: int, side: int) -> Geometry:
        """The film in the middle of a square as long as its longer side, shown at `side`."""
        return cls(width, height, side, side, _square(width, height, max(width, height)))

    def to_seen(self, xyxy: Corners) -> Corners:
        """Canonical corners -> fractions of the image that the model sees."""
        x, y, right, bottom = self.crop
        width, height = right - x, bottom - y
        x1, y1, x2, y2 = xyxy
        return ((x1 - x) / width, (y1 - y) / height, (x2 - x) / width, (y2 - y) / height)

    def from_seen(self, xyxy: Corners) -> Corners:
        """Fractions of the image that the model sees -> canonical corners."""
        x, y, right, bottom = self.crop
        scaled = _scale(xyxy, right - x, bottom - y)
        return (scaled[0] + x, scaled[1] + y, scaled[2] + x, scaled[3] + y)


def encode(boxes: Iterable[Box], codec: Codec = "percent", geometry: Geometry | None = None) -> str:
    """Boxes as text, sorted by (x1, y1). Reversed corners are swapped and the rest clipped to what
    the model sees; a side that rounds to nothing is widened to one step, which the original does
    not do, because such a box could never be hit. Raises ValueError for corners that are not
    finite."""
    ordered = sorted(
        ((_tidy(box.xyxy), clean_label(box.label)) for box in boxes),
        key=lambda item: (int(item[0][0] * 1000), int(item[0][1] * 1000)),
    )
    width, height = _extent(codec, geometry)
    items = []
    for xyxy, label in ordered:
        seen = _tidy(geometry.to_seen(xyxy)) if geometry else xyxy
        items.append((label, _quantised(seen, codec, width, height)))
    return _written(items, codec)


def exact(boxes: Iterable[Box]) -> str:
    """The `percent` form with up to six decimals, in the order given and without a least size.

    `decode` reads it back to 5e-9 of the film: for boxes that were decoded out of another codec,
    which whole percents would move. Raises ValueError for corners that are not finite."""
    rows = [(clean_label(box.label), *map(_fraction, _tidy(box.xyxy))) for box in boxes]
    return "".join(
        _FORMS["percent"].format(label=label, x1=x1, y1=y1, x2=x2, y2=y2)
        for label, x1, y1, x2, y2 in rows
    )


def decode(
    text: str, codec: Codec = "percent", geometry: Geometry | None = None, label: str = ""
) -> list[Box]:
    """Boxes in the order of the text, those without a name under `label`. What is not a box is
    passed over; reversed corners are swapped and the rest clipped to what the model sees, so a box
    outside it stays as a box of no area."""
    width, height = _extent(codec, geometry)
    shift = 0.5 if codec == "bins" else 0.0
    found = []
    for name, (x1, y1, x2, y2) in _read(text, codec):
        try:
            xyxy = _tidy(
                (
                    (x1 + shift) / width,
                    (y1 + shift) / height,
                    (x2 + shift) / width,
                    (y2 + shift) / height,
                )
            )
        except ValueError:
            continue
        found.append(Box(name or label, _tidy(geometry.from_seen(xyxy)) if geometry else xyxy))
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
    """True where both boxes carry the same name, ignoring case, space and the codecs' marks."""
    return a.label == b.label or clean_label(a.label).lower() == clean_label(b.label).lower()


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


def _square(width: int, height: int, side: int) -> Corners:
    """Canonical corners of the square of `side` pixels in the middle of a film."""
    x, y = (width - side) // 2, (height - side) // 2
    return (x / width, y / height, (x + side) / width, (y + side) / height)


# --- codecs --------------------------------------------------------------------------------------


def _extent(codec: Codec, geometry: Geometry | None) -> tuple[int, int]:
    """The numbers of a codec that stand for the right and the lower edge."""
    if codec == "pixels":
        if geometry is None:
            raise ValueError('codec "pixels" needs the geometry of the image')
        return geometry.resized_width, geometry.resized_height
    edge = {"percent": 100, "unit": 1, "bins": _BINS}.get(codec, 1000)
    return edge, edge


def _quantised(seen: Corners, codec: Codec, width: int, height: int) -> Whole:
    if codec == "percent":
        x1, y1, x2, y2 = (_percent(v) for v in seen)
    elif codec == "bins":
        x1, y1, x2, y2 = (min(int(v * _BINS), _BINS - 1) for v in seen)
        width = height = _BINS - 1
    elif codec == "unit":  # in hundredths
        x1, y1, x2, y2 = (round(v * 100) for v in seen)
        width = height = 100
    else:
        x1, y1, x2, y2 = (round(v) for v in _scale(seen, width, height))
    return _steps((x1, y1, x2, y2), width, height)


def _fraction(value: float) -> str:
    return f"{value * 100:.6f}".rstrip("0").rstrip(".")


def _percent(value: float) -> int:
    """The published quantisation: 1,000 bins, 999 the last, a tenth of it, rounded half to even."""
    return round(min(int(value * 1000), 999) / 10)


def _steps(corners: Whole, width: int, height: int) -> Whole:
    """Integer corners whose sides are at least one step long."""
    x1, y1, x2, y2 = corners
    if x1 == x2:
        x1, x2 = (x1, x1 + 1) if x1 < width else (x1 - 1, x1)
    if y1 == y2:
        y1, y2 = (y1, y1 + 1) if y1 < height else (y1 - 1, y1)
    return x1, y1, x2, y2


def _written(items: Sequence[tuple[str, Whole]], codec: Codec) -> str:
    if codec in ("thousand", "pixels"):
        rows = [{"bbox_2d": list(corners), "label": label} for label, corners in items]
        return json.dumps(rows, ensure_ascii=False)
    if codec == "thousand_yx":
        turned = [{"box_2d": [y1, x1, y2, x2], "label": label} for label, (x1, y1, x2, y2) in items]
        return json.dumps(turned, ensure_ascii=False)
    if codec == "unit":
        return ", ".join(
            f"[{', '.join(f'{v / 100:.2f}' for v in corners)}]" for _, corners in items
        )
    form = _FORMS[codec]
    return "".join(
        form.format(label=label, x1=x1, y1=y1, x2=x2, y2=y2) for label, (x1, y1, x2, y2) in items
    )


def _read(text: str, codec: Codec) -> Iterator[tuple[str, Corners]]:
    """(name, corners in the codec's own numbers) of all that has the form of a box."""
    if codec in ("thousand", "pixels", "thousand_yx"):
        yield from _read_objects(text, codec == "thousand_yx")
    elif codec == "unit":
        for numbers in _BRACKETS.findall(text):
            yield "", _floats(numbers)
    elif codec == "bins":
        label = ""
        for mark in _BINNED.finditer(text):
            if mark.group(2) is None:
                label = mark.group(1).strip()
            else:
                yield label, _floats(mark.groups()[1:])
    else:
        label = ""
        for mark in (_MARKED if codec == "percent" else _QWEN_MARKED).finditer(text):
            if mark.group(2) is None:
                label = mark.group(1).strip()
                continue
            for numbers in _PAIRS.findall(mark.group(2)):
                yield label, _floats(numbers)


def _read_objects(text: str, y_first: bool) -> Iterator[tuple[str, Corners]]:
    key = "box_2d" if y_first else "bbox_2d"
    for item in _objects(text, key):
        try:
            corners = _floats(item[key])
        except (ValueError, TypeError, OverflowError):
            continue
        x1, y1, x2, y2 = corners
        label = item.get("label")
        yield "" if label is None else str(label), (y1, x1, y2, x2) if y_first else corners


def _objects(text: str, key: str) -> Iterator[dict[str, Any]]:
    """The objects of `text` that hold `key`, in JSON or in Python's notation. Of what is neither,
    those inside."""
    for found in _OBJECT.finditer(text):
        whole = _parsed(found.group())
        if whole is not None:
            yield from _holding(whole, key)
            continue
        for inner in _INNER.finditer(found.group(), 1):
            yield from _holding(_parsed(inner.group()), key)


def _parsed(text: str) -> Any:
    """The value that is written, or None where there is none."""
    for written in (lambda: text, lambda: _PYTHON.sub(_in_json, text)):
        try:
            return json.loads(written())
        except (ValueError, RecursionError):
            continue
    return None


def _in_json(found: re.Match[str]) -> str:
    return _IN_JSON.get(found[0], found[0]) if found[1] is None else json.dumps(found[1])


def _holding(value: Any, key: str) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        at = waiting.pop()
        if isinstance(at, dict) and key in at:
            yield at
        elif isinstance(at, (dict, list)):
            waiting += reversed(list(at.values()) if isinstance(at, dict) else at)


def _floats(numbers: Iterable[Any]) -> Corners:
    x1, y1, x2, y2 = (float(v) for v in numbers)
    return (x1, y1, x2, y2)
