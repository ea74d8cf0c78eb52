"""Colour DICOM: secondary captures in RGB and YBR, palettes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from chexone_ray.errors import ImageError
from chexone_ray.films import dicom
from tests.films import SHAPE, WINDOW, encapsulated, film, ramp, reason, row, shown, written

COLOUR = np.stack([ramp(8), 255 - ramp(8), ramp(8, 1)], axis=2)


def rgb(values: np.ndarray = COLOUR, bits: int = 8, /, **elements: Any) -> Dataset:
    elements = {"PhotometricInterpretation": "RGB", "PlanarConfiguration": 0} | elements
    return film(values, bits, **elements)


def test_rgb_is_shown_as_it_is() -> None:
    np.testing.assert_array_equal(shown(rgb()), COLOUR)
    np.testing.assert_array_equal(shown(rgb(SOPClassUID="1.2.840.10008.5.1.4.1.1.7")), COLOUR)
    # Windows and polarity are for grey films.
    np.testing.assert_array_equal(shown(rgb(PresentationLUTShape="INVERSE", **WINDOW)), COLOUR)


def test_rgb_by_planes() -> None:
    data = rgb(PlanarConfiguration=1)
    data.PixelData = np.moveaxis(COLOUR, 2, 0).tobytes()
    np.testing.assert_array_equal(shown(data), COLOUR)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_rgb(syntax: Any) -> None:
    data = rgb()
    data.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(shown(data), COLOUR)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_rgb_keeps_the_high_bits(bits: int) -> None:
    deep = (COLOUR.astype(np.uint16) << (bits - 8)) | 3
    np.testing.assert_array_equal(shown(rgb(deep, bits)), COLOUR)


def test_ybr_by_hand() -> None:
    # R = Y + 1.402 Cr, G = Y - 0.344 Cb - 0.714 Cr, B = Y + 1.772 Cb, with 128 taken off Cb and Cr.
    ybr = np.zeros((8, 3, 3), dtype=np.uint8)
    ybr[:, 0], ybr[:, 1], ybr[:, 2] = (90, 128, 128), (100, 128, 178), (100, 178, 128)
    expected = [[90, 90, 90], [170, 64, 100], [100, 83, 189]]
    pixels = shown(rgb(ybr, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(pixels[0].astype(int) - expected).max() <= 1


def test_ybr_with_half_the_colour() -> None:
    # Y1 Y2 Cb Cr for each two pixels.
    data = rgb(np.zeros((8, 4, 3), dtype=np.uint8), PhotometricInterpretation="YBR_FULL_422")
    data.PixelData = bytes([90, 30, 128, 128, 100, 100, 128, 178]) * 8
    expected = [[90, 90, 90], [30, 30, 30], [170, 64, 100], [170, 64, 100]]
    assert np.abs(shown(data)[0].astype(int) - expected).max() <= 1
    data.PixelData = data.PixelData[:-16]
    assert reason(data) in ("truncated", "undecodable")


def test_colour_jpeg() -> None:
    smooth = np.stack([ramp(8), ramp(8) // 2, 255 - ramp(8)], axis=2)
    stream = io.BytesIO()
    pillow.fromarray(smooth).save(stream, "JPEG", quality=95, subsampling=0)
    for photometric in ("YBR_FULL_422", "YBR_FULL"):
        data = rgb(smooth, PhotometricInterpretation=photometric)
        pixels = shown(encapsulated(data, JPEGBaseline8Bit, stream.getvalue()))
        assert np.abs(pixels.astype(int) - smooth).mean() < 2


# --- palettes ------------------------------------------------------------------------------------

TABLES = {"Red": [0, 10, 20, 30], "Green": [255, 200, 100, 0], "Blue": [9, 9, 9, 9]}


def palette(values: np.ndarray, first: int, bits: int) -> Dataset:
    """Four colours for the stored values from `first` on, as entries of 8 or 16 bits."""
    stored_bits = 8 * values.dtype.itemsize
    data = film(values, stored_bits, PhotometricInterpretation="PALETTE COLOR")
    for name, table in TABLES.items():
        entries = bytes(table) if bits == 8 else (np.array(table) * 257).astype("<u2").tobytes()
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [4, first, bits])
        setattr(data, f"{name}PaletteColorLookupTableData", entries)
    return data


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("first", "dtype"), [(0, np.uint8), (100, np.uint8), (1000, np.uint16)])
def test_palette_by_hand(first: int, dtype: Any, bits: int) -> None:
    values = row(first, first + 1, first + 2, first + 3, first + 50, dtype=dtype)
    pixels = shown(palette(values, first, bits))
    assert pixels[0].tolist() == [
        *([0, 255, 9], [10, 200, 9], [20, 100, 9]),
        *([30, 0, 9], [30, 0, 9]),  # Above the end: the last colour.
    ]


def test_palette_of_segments() -> None:
    # Discrete: one entry 0. Linear: three steps up to 765 * 64.25.
    data = palette(row(0, 1, 2, 3, dtype=np.uint8), 0, 16)
    segments = np.array([0, 1, 0, 1, 3, 255 * 257], dtype="<u2").tobytes()
    for name in TABLES:
        delattr(data, f"{name}PaletteColorLookupTableData")
        setattr(data, f"Segmented{name}PaletteColorLookupTableData", segments)
    assert shown(data)[0].tolist() == [[0] * 3, [85] * 3, [170] * 3, [255] * 3]


def test_palette_without_tables_is_refused() -> None:
    assert reason(film(ramp(8), 8, PhotometricInterpretation="PALETTE COLOR")) == "undecodable"


def test_other_numbers_of_samples_are_refused() -> None:
    four = np.zeros((*SHAPE, 4), dtype=np.uint8)
    data = rgb(four[..., :3], SamplesPerPixel=4, PhotometricInterpretation="ARGB")
    data.PixelData = four.tobytes()
    assert reason(data) == "unsupported_pixels"
    assert reason(rgb(PhotometricInterpretation="MONOCHROME2")) == "unsupported_pixels"


@pytest.mark.parametrize("photometric", ["RGB", "PALETTE COLOR"])
def test_colour_counts_three_times_against_the_limit(photometric: str) -> None:
    data = rgb() if photometric == "RGB" else palette(ramp(8), 0, 16)
    raw, values = written(data), 3 * SHAPE[0] * SHAPE[1]
    dicom.read(raw, values, "percentile")
    with pytest.raises(ImageError, match="too_large"):
        dicom.read(raw, values - 1, "percentile")
