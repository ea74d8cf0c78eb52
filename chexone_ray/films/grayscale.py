"""The DICOM greyscale pipeline on stored values: modality transform, VOI transform, polarity.

Formulas: DICOM PS3.3 C.11.1 (modality), C.11.2 (VOI), C.11.6 (presentation LUT shape).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
NoWindow: TypeAlias = Literal["percentile", "full_range"]
"""What happens to more than 8 bits without a window: stretch the percentiles, or the full range."""
PERCENTILES = (0.5, 99.5)
"""Share of the pixels, in percent, below black and up to white where the file has no window."""
_LARGEST = 1e9
_STRIP = 64


@dataclass(frozen=True)
class Table:
    """A look-up table: inputs below `first` take the first entry, above the end the last."""

    entries: Values
    first: int
    bits: int

    def __call__(self, values: Values) -> Values:
        at = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        found: Values = self.entries[at.astype(np.intp)]
        return found


@dataclass(frozen=True)
class Window:
    """Centre and width with the function that the file names."""

    center: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

    def __call__(self, values: Values) -> Values:
        """Values -> 0-1."""
        if self.function == "SIGMOID":
            exponent = np.clip(-4 * (values - self.center) / self.width, -700, 700)
            return np.asarray(1 / (1 + np.exp(exponent)))
        center, width = self.center, self.width
        if self.function == "LINEAR":
            center, width = center - 0.5, width - 1
        if width <= 0:
            return np.asarray(values > center, dtype=np.float64)
        return np.clip((values - center) / width + 0.5, 0.0, 1.0)


@dataclass(frozen=True)
class Grayscale:
    """What one file says about the way from stored to shown values."""

    slope: float
    intercept: float
    modality_table: Table | None
    voi_table: Table | None
    window: Window | None
    inverted: bool
    bits: int
    signed: bool
    padding: int | None

    @classmethod
    def of(cls, dataset: Any) -> Grayscale:
        """Read a pydicom dataset. What is malformed counts as absent."""
        slope = _number(dataset, "RescaleSlope") or 1.0
        intercept = _number(dataset, "RescaleIntercept") or 0.0
        shape = str(dataset.get("PresentationLUTShape", "") or "").strip().upper()
        photometric = str(dataset.get("PhotometricInterpretation", "")).strip().upper()
        padding = _number(dataset, "PixelPaddingValue")
        bits, signed = int(dataset.BitsStored), bool(dataset.PixelRepresentation)
        modality_table = _table(dataset, "ModalityLUTSequence", signed)
        negative = modality_table is None and bool(
            (_stored_ends(bits, signed) * slope + intercept).min() < 0
        )
        return cls(
            slope=slope,
            intercept=intercept,
            modality_table=modality_table,
            voi_table=_table(dataset, "VOILUTSequence", negative),
            window=_window(dataset),
            inverted=photometric == "MONOCHROME1" or shape == "INVERSE",
            bits=bits,
            signed=signed,
            padding=None if padding is None else int(padding),
        )

    @property
    def voi_name(self) -> str:
        """Which VOI transform `voi` applies: the LUT comes before the window."""
        if self.voi_table is not None:
            return "lut"
        if self.window is None:
            return "none"
        return f"{self.window.function.lower()} {self.window.center:g}/{self.window.width:g}"

    def modality(self, stored: Values) -> Values:
        """Stored values -> modality values (LUT before rescale)."""
        if self.modality_table is not None:
            return self.modality_table(stored)
        return stored * self.slope + self.intercept

    def voi(self, values: Values) -> Values | None:
        """Modality values -> 0-1, or None where the file has neither LUT nor window."""
        if self.voi_table is not None:
            return self.voi_table(values) / (2**self.voi_table.bits - 1)
        return None if self.window is None else self.window(values)

    def without_window(
        self,
        values: Values,
        counts: NDArray[np.intp],
        low: int,
        policy: NoWindow,
    ) -> tuple[Values, str]:
        """0-1 and the name of what was done. `values` and `counts` are the modality value and the
        number of pixels of each stored value from `low` on. 8-bit files keep their values."""
        if policy == "full_range" or (self.bits <= 8 and self.modality_table is None):
            ends = self.modality(_stored_ends(self.bits, self.signed))
            if self.modality_table is not None:
                ends = np.array([0.0, 2.0**self.modality_table.bits - 1])
            return _stretch(values, float(ends.min()), float(ends.max())), "full_range"
        weights = counts.copy()
        if self.padding is not None and 0 <= self.padding - low < len(weights):
            weights[self.padding - low] = 0
        if not weights.any():
            weights = counts
        return percentile_stretch(values, weights), "percentile"


def percentile_stretch(values: Values, weights: NDArray[np.intp]) -> Values:
    """`values` to 0-1 between their `PERCENTILES`, each counted as often as `weights` says; between
    the lowest and the highest that occur where those are one value. Some weight is above 0."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    marks = np.searchsorted(reached, np.array(PERCENTILES) / 100 * reached[-1])
    black, white = values[order][np.minimum(marks, len(order) - 1)]
    if white <= black:
        held = values[weights > 0]
        black, white = float(held.min()), float(held.max())
    return _stretch(values, float(black), float(white))


def _stored_ends(bits: int, signed: bool) -> Values:
    """The lowest and the highest stored value that there can be."""
    start = -(2 ** (bits - 1)) if signed else 0
    return np.array([start, start + 2**bits - 1], dtype=np.float64)


def _stretch(values: Values, black: float, white: float) -> Values:
    if white <= black:
        return np.zeros_like(values)
    return np.clip((values - black) / (white - black), 0.0, 1.0)


def _number(dataset: Any, keyword: str) -> float | None:
    """The first value of an element as a number of a size that arithmetic stays finite with."""
    try:
        value = dataset.get(keyword)
        if value is None or isinstance(value, bytes):
            return None
        if not isinstance(value, str | int | float) and hasattr(value, "__getitem__"):
            value = value[0]
        number = float(value)
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError):
        return None
    return number if abs(number) <= _LARGEST else None


def _window(dataset: Any) -> Window | None:
    center, width = _number(dataset, "WindowCenter"), _number(dataset, "WindowWidth")
    function = str(dataset.get("VOILUTFunction", "") or "LINEAR").strip().upper()
    if center is None or width is None:
        return None
    if function == "LINEAR":
        return Window(center, width, "LINEAR") if width >= 1 else None
    if width <= 0:
        return None
    if function == "SIGMOID":
        return Window(center, width, "SIGMOID")
    return Window(center, width, "LINEAR_EXACT") if function == "LINEAR_EXACT" else None


def _table(dataset: Any, keyword: str, negative: bool) -> Table | None:
    """The first item of a LUT sequence. `negative`: values below zero come in, which makes its
    first input a signed number whatever the file calls it."""
    try:
        item = dataset.get(keyword)[0]
        number, first, bits = (int(value) for value in item.LUTDescriptor)
        number = number % 65_536 or 65_536
        data = item.LUTData
        if isinstance(data, bytes):
            # Words in the byte order of the file, or bytes where 8 bits are packed.
            words = ">u2" if dataset.original_encoding[1] is False else "<u2"
            packed = len(data) < 2 * number
            entries = np.frombuffer(data, "u1" if packed else words, number).astype(np.float64)
        else:
            entries = np.atleast_1d(np.asarray(data, dtype=np.float64))[:number]
    except (TypeError, ValueError, IndexError, AttributeError, KeyError):
        return None
    if not len(entries) or not 1 <= bits <= 16:
        return None
    if negative and first >= 32_768:
        first -= 65_536
    return Table(np.minimum(entries, 2.0**bits - 1), first, bits)


# --- whole images --------------------------------------------------------------------------------


def counts(stored: NDArray[Any], low: int, number: int) -> NDArray[np.intp]:
    """How many pixels hold each of the `number` values from `low` on."""
    total = np.zeros(number, dtype=np.intp)
    for strip in _strips(stored):
        total += np.bincount(_from_zero(strip, low).ravel(), minlength=number)
    return total


def looked_up(table: NDArray[np.uint8], stored: NDArray[Any], low: int = 0) -> NDArray[np.uint8]:
    """`table[stored - low]` for whole numbers that are all inside."""
    out = np.empty(stored.shape, dtype=np.uint8)
    for strip, shown in zip(_strips(stored), _strips(out), strict=True):
        np.take(table, _from_zero(strip, low), out=shown, mode="clip")
    return out


def _strips(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Views of a few rows each, which stay in the cache and need little memory when converted."""
    return (array[top : top + _STRIP] for top in range(0, len(array), _STRIP))


def _from_zero(stored: NDArray[Any], low: int) -> NDArray[Any]:
    return stored.astype(np.int32) - low if low else stored
