"""The greyscale pipeline of DICOM: against pydicom's own functions, and with numbers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from chexone_ray.films import dicom
from tests.films import SHAPE, WINDOW, film, lut, ramp, row, shown, written


def oracle(data: Dataset, low: float, high: float) -> np.ndarray:
    """pydicom's modality and VOI functions on the whole image, scaled from [low, high]."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    array = apply_voi_lut(apply_modality_lut(data.pixel_array, data), data)
    return np.rint((array.astype(np.float64) - low) / (high - low) * 255)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(2048, 4096), (1500.5, 801), (300, 10), (-200, 900)])
def test_window_functions_equal_pydicom(function: str, center: float, width: float) -> None:
    data = film(ramp(), VOILUTFunction=function, WindowCenter=str(center), WindowWidth=str(width))
    np.testing.assert_array_equal(shown(data), oracle(data, 0, 4095))


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (0.5, 10), (-1, 4095), (2.5, 0)])
def test_rescale_comes_before_the_window(slope: float, intercept: float) -> None:
    data = film(
        ramp(),
        RescaleSlope=str(slope),
        RescaleIntercept=str(intercept),
        WindowCenter="900",
        WindowWidth="1200",
    )
    low, high = intercept, 4095 * slope + intercept
    np.testing.assert_array_equal(shown(data), oracle(data, low, high))


def test_signed_values() -> None:
    values = (ramp().astype(np.int32) - 2048).astype(np.int16)
    data = film(values, WindowCenter="0", WindowWidth="2000")
    np.testing.assert_array_equal(shown(data), oracle(data, -2048, 2047))


def test_modality_lut_sequence() -> None:
    table = (np.sqrt(np.arange(4096) / 4095) * 65_535).astype(np.uint16)
    data = film(ramp(), ModalityLUTSequence=lut(table, 0, 16))
    data.WindowCenter, data.WindowWidth = "32768", "65536"
    np.testing.assert_array_equal(shown(data), np.rint(table[ramp()] / 65_535 * 255))


def test_voi_lut_sequence_wins_over_the_window() -> None:
    table = (4095 - np.arange(4096)).astype(np.uint16)
    data = film(ramp(), VOILUTSequence=lut(table, 0, 12), **WINDOW)
    np.testing.assert_array_equal(shown(data), oracle(data, 0, 4095))
    np.testing.assert_array_equal(shown(data), np.rint((4095 - ramp()) / 4095 * 255))


def test_voi_lut_with_an_offset_clamps_at_its_ends() -> None:
    table = np.linspace(0, 1023, 1000).astype(np.uint16)
    data = film(ramp(), VOILUTSequence=lut(table, 500, 10))
    np.testing.assert_array_equal(
        shown(data), np.rint(table[np.clip(ramp().astype(int) - 500, 0, 999)] / 1023 * 255)
    )


def test_first_of_several_windows() -> None:
    several = film(ramp(), WindowCenter=["1000", "2048"], WindowWidth=["500", "4096"])
    one = film(ramp(), WindowCenter="1000", WindowWidth="500")
    np.testing.assert_array_equal(shown(several), shown(one))


def test_inversion_comes_after_the_window() -> None:
    window: dict[str, Any] = {"WindowCenter": "1000", "WindowWidth": "500"}
    upright = shown(film(ramp(), **window))
    inverted = shown(film(ramp(), PhotometricInterpretation="MONOCHROME1", **window))
    np.testing.assert_array_equal(inverted, 255 - upright)
    # The defect that this order avoids shows another picture altogether.
    wrong = shown(film((4095 - ramp()).astype(np.uint16), **window))
    assert np.abs(inverted.astype(int) - wrong).mean() > 50


def test_presentation_shape_inverts_once() -> None:
    plain = shown(film(ramp(), **WINDOW))
    by_shape = film(ramp(), PresentationLUTShape="INVERSE", **WINDOW)
    np.testing.assert_array_equal(shown(by_shape), 255 - plain)
    by_shape.PhotometricInterpretation = "MONOCHROME1"
    np.testing.assert_array_equal(shown(by_shape), 255 - plain)


def test_no_window_policies() -> None:
    values = ramp().astype(np.int32) // 8 + 1000
    values[0, 0], values[-1, -1] = 0, 4095
    stored = values.astype(np.uint16)
    stretched = shown(film(stored))
    low, high = np.percentile(values, [0.5, 99.5], method="inverted_cdf")
    expected = np.rint(np.clip((values - low) / (high - low), 0, 1) * 255)
    np.testing.assert_array_equal(stretched, expected)
    assert np.ptp(stretched[1:-1]) > 240
    whole = shown(film(stored), "full_range")
    np.testing.assert_array_equal(whole, np.rint(values / 4095 * 255))


def test_padding_does_not_shift_the_percentiles() -> None:
    values = ramp() // 4 + 1000
    bare = shown(film(values))
    padded = values.copy()
    padded[:, :20] = 4000
    shifted = shown(film(padded))
    kept = shown(film(padded, PixelPaddingValue=4000))
    assert np.abs(kept[:, 20:].astype(int) - bare[:, 20:]).mean() < 5
    assert np.abs(shifted[:, 20:].astype(int) - bare[:, 20:]).mean() > 50


def test_8_bit_without_window_stays_as_it_is() -> None:
    values = ramp(8) // 2 + 20
    np.testing.assert_array_equal(shown(film(values, 8)), values)


@pytest.mark.parametrize("window", [("1000", "0"), ("60000", "10"), ("1000", "-5")])
def test_useless_windows_are_ignored(window: tuple[str, str]) -> None:
    data = film(ramp(), WindowCenter=window[0], WindowWidth=window[1])
    np.testing.assert_array_equal(shown(data), shown(film(ramp())))


def test_constant_film() -> None:
    assert np.ptp(shown(film(np.full(SHAPE, 700, dtype=np.uint16)))) == 0


# --- by hand -------------------------------------------------------------------------------------


def greys(values: np.ndarray, bits: int = 12, /, **elements: Any) -> list[int]:
    """The shown greys of one row."""
    first: list[int] = shown(film(values, bits, **elements))[0].tolist()
    return first


def test_linear_window_has_half_pixel_offsets() -> None:
    # Centre 100, width 51: (v - 99.5) / 50 + 0.5; black up to 74.5, white above 124.5.
    window = {"WindowCenter": "100", "WindowWidth": "51"}
    values = row(0, 74, 75, 99, 100, 124, 125, 200)
    # 0.01, 0.49, 0.51, 0.99 times 255: 2.55, 124.95, 130.05, 252.45
    assert greys(values, **window) == [0, 0, 3, 125, 130, 252, 255, 255]
    assert greys(values, VOILUTFunction="linear ", **window) == [0, 0, 3, 125, 130, 252, 255, 255]


def test_linear_window_of_width_one_is_a_step() -> None:
    # Black up to 99.5, white above.
    assert greys(row(0, 99, 100, 4095), WindowCenter="100", WindowWidth="1") == [0, 0, 255, 255]


def test_linear_exact_window_has_none() -> None:
    # Centre 100, width 50: (v - 100) / 50 + 0.5; 85: 0.2, 105: 0.6, 115: 0.8.
    window = {"WindowCenter": "100", "WindowWidth": "50", "VOILUTFunction": "LINEAR_EXACT"}
    assert greys(row(0, 75, 85, 105, 115, 125, 200), **window) == [0, 0, 51, 153, 204, 255, 255]


def test_linear_exact_window_may_be_narrower_than_one() -> None:
    window = {"WindowCenter": "100", "WindowWidth": "0.5", "VOILUTFunction": "LINEAR_EXACT"}
    assert greys(row(0, 99, 101, 200), **window) == [0, 0, 255, 255]


def test_sigmoid_window() -> None:
    # 1 / (1 + exp(-4 (v - 100) / 40)); 80: 1 / (1 + e^2) = 0.1192, 120: 0.8808, 90: 0.2689,
    # 60: 0.0180, 140: 0.9820; times 255: 30.4, 224.6, 68.6, 4.6, 250.4.
    window = {"WindowCenter": "100", "WindowWidth": "40", "VOILUTFunction": "SIGMOID"}
    assert greys(row(60, 80, 90, 120, 140), **window) == [5, 30, 69, 225, 250]
    inverted = greys(row(60, 80, 90, 120, 140), PhotometricInterpretation="MONOCHROME1", **window)
    assert inverted == [250, 225, 186, 30, 5]


@pytest.mark.parametrize(
    "polarity",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
        {"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "INVERSE"},
    ],
)
def test_inversion_after_the_window_by_hand(polarity: dict[str, str]) -> None:
    # The window as above: 0.01, 0.49, 0.51, 0.99 become 0.99, 0.51, 0.49, 0.01. Inverted first,
    # the stored 4020, 3996, 3995, 3971 would all be white.
    window = {"WindowCenter": "100", "WindowWidth": "51"}
    assert greys(row(0, 75, 99, 100, 124, 200), **window, **polarity) == [255, 252, 130, 125, 3, 0]


def test_rescale_by_hand() -> None:
    # Modality values 2v - 1000: -1000, 0, 500, 1000; window 0 to 1000 by LINEAR_EXACT.
    window = {"WindowCenter": "500", "WindowWidth": "1000", "VOILUTFunction": "LINEAR_EXACT"}
    rescale = {"RescaleSlope": "2", "RescaleIntercept": "-1000"}
    assert greys(row(0, 500, 700, 1000), **window, **rescale) == [0, 0, 102, 255]
    falling = {"RescaleSlope": "-1", "RescaleIntercept": "1000"}
    assert greys(row(0, 200, 600, 1000), **window, **falling) == [255, 204, 102, 0]


def test_signed_values_by_hand() -> None:
    # Window -100 to 100: -60 is 0.2, 20 is 0.6.
    window = {"WindowCenter": "0", "WindowWidth": "200", "VOILUTFunction": "LINEAR_EXACT"}
    values = row(-2048, -100, -60, 20, 100, 2047, dtype=np.int16)
    assert greys(values, **window) == [0, 0, 51, 153, 255, 255]


def test_modality_lut_then_voi_lut_then_inversion() -> None:
    # Stored 10-14 -> 100, 200, 300, 400, 500 -> from 200 on 0, 63, 127, 255 of 8 bits, by hundreds.
    modality = lut(np.array([100, 200, 300, 400, 500]), 10, 16)
    entries = np.repeat([0, 63, 127, 255], 100)
    chain = {"ModalityLUTSequence": modality, "VOILUTSequence": lut(entries, 200, 8)}
    chain |= {"RescaleSlope": "7", "RescaleIntercept": "3"}  # The LUT takes its place.
    assert greys(row(0, 10, 11, 12, 13, 14, 99), **chain) == [0, 0, 0, 63, 127, 255, 255]
    chain["PhotometricInterpretation"] = "MONOCHROME1"
    assert greys(row(0, 10, 11, 12, 13, 14, 99), **chain) == [255, 255, 255, 192, 128, 0, 0]


# --- look-up tables in the forms that files have -------------------------------------------------


TABLE = np.array([0, 51, 102, 153, 204, 255])


@pytest.mark.parametrize("data_vr", ["OW", "US"])
def test_lut_data_as_words_and_as_numbers(data_vr: str) -> None:
    table = lut(TABLE, 100, 8, data_vr=data_vr)
    assert greys(row(0, 100, 101, 104, 105, 900), VOILUTSequence=table) == [0, 0, 51, 204, 255, 255]


def test_lut_data_packed_in_bytes() -> None:
    table = lut(TABLE, 100, 8)
    table[0].LUTData = bytes(TABLE.tolist())
    assert greys(row(0, 100, 101, 104, 105, 900), VOILUTSequence=table) == [0, 0, 51, 204, 255, 255]


def test_lut_in_a_big_endian_file() -> None:
    values = row(0, 101, 104, 900)
    data = film(values, VOILUTSequence=lut(TABLE, 100, 8))
    data.VOILUTSequence[0].LUTData = TABLE.astype(">u2").tobytes()
    data.PixelData = values.astype(">u2").tobytes()
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    assert shown(data)[0].tolist() == [0, 51, 204, 255]


def test_lut_of_65536_entries_is_written_as_0() -> None:
    table = lut(np.arange(65_536), 0, 16)
    assert table[0].LUTDescriptor[0] == 0
    assert greys(row(0, 257, 65_535), 16, VOILUTSequence=table) == [0, 1, 255]
    assert greys(row(0, 257, 65_535), 16, ModalityLUTSequence=table, **whole16()) == [0, 1, 255]


def whole16() -> dict[str, str]:
    return {"WindowCenter": "32768", "WindowWidth": "65536"}


def test_lut_of_one_entry() -> None:
    flat = film(ramp(), VOILUTSequence=lut(np.array([77]), 0, 8))
    np.testing.assert_array_equal(shown(flat), shown(film(ramp())))  # Useless: as if it were not.


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
@pytest.mark.parametrize(("first", "first_vr"), [(-2, "SS"), (65_534, "US")])
def test_a_signed_first_input(first: int, first_vr: str, syntax: Any) -> None:
    table = lut(TABLE, first, 8, first_vr)
    data = film(row(-9, -2, -1, 0, 3, 9, dtype=np.int16), VOILUTSequence=table)
    data.file_meta.TransferSyntaxUID = syntax or data.file_meta.TransferSyntaxUID
    assert shown(data)[0].tolist() == [0, 0, 51, 102, 255, 255]


def test_the_first_input_is_signed_where_the_rescale_goes_below_zero() -> None:
    # Stored 0-9 are -5 to 4; 65534 is how -2 reads as a number without sign.
    table = lut(TABLE, 65_534, 8)
    values = row(0, 3, 4, 5, 8, 9)
    assert greys(values, VOILUTSequence=table, RescaleIntercept="-5", RescaleSlope="1") == [
        *(0, 0, 51, 102, 255, 255)
    ]


def test_the_first_input_is_unsigned_after_a_modality_lut() -> None:
    modality = lut(np.array([65_533, 65_534, 65_535]), -1, 16, "SS")
    values = row(-1, 0, 1, dtype=np.int16)
    tables = {"ModalityLUTSequence": modality, "VOILUTSequence": lut(TABLE[:2], 65_534, 8)}
    assert greys(values, **tables) == [0, 0, 51]


# --- no window -----------------------------------------------------------------------------------


def test_percentiles_by_hand() -> None:
    # 0-999 once each: half a percent of 1000 pixels are 5, so black is the 5th lowest, 4, and white
    # the 995th, 994. (202 - 4) / 990 = 0.2, (499 - 4) / 990 = 0.5.
    values = np.arange(1000, dtype=np.uint16).reshape(25, 40)
    pixels = shown(film(values)).ravel()
    assert pixels[[0, 3, 4, 202, 598, 994, 999]].tolist() == [0, 0, 0, 51, 153, 255, 255]
    inverted = shown(film(values, PhotometricInterpretation="MONOCHROME1")).ravel()
    assert inverted[[0, 4, 202, 598, 994]].tolist() == [255, 255, 204, 102, 0]
    rescaled = shown(film(values, RescaleSlope="-3", RescaleIntercept="50")).ravel()
    assert rescaled[[0, 202, 598, 994]].tolist() == [255, 204, 102, 0]


def test_full_range_by_hand() -> None:
    # 12 bits: 819 is a fifth of 4095; signed from -2048 on.
    assert shown(film(row(0, 819, 4095)), "full_range")[0].tolist() == [0, 51, 255]
    signed = row(-2048, -1229, 2047, dtype=np.int16)
    assert shown(film(signed), "full_range")[0].tolist() == [0, 51, 255]
    one = film(row(0, 819, 4095), PhotometricInterpretation="MONOCHROME1")
    assert shown(one, "full_range")[0].tolist() == [255, 204, 0]


def test_provenance_says_what_was_done() -> None:
    def provenance(**elements: Any) -> dict[str, Any]:
        return dicom.read(written(film(ramp(), **elements)), 10**6, "percentile").provenance

    assert provenance()["voi"] == "percentile"
    assert provenance(**WINDOW)["voi"] == "linear 2048/4096"
    assert provenance(VOILUTSequence=lut(TABLE, 0, 8), **WINDOW)["voi"] == "lut"
    useless = provenance(WindowCenter="60000", WindowWidth="10")
    assert (useless["voi"], useless["voi_ignored"]) == ("percentile", "linear 60000/10")
    assert provenance(PresentationLUTShape="INVERSE")["inverted"] is True


@pytest.mark.parametrize("number", ["1e300", "-1e300", "nan", "inf", "many", ""])
@pytest.mark.parametrize(
    "keyword", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"]
)
def test_absurd_numbers_count_as_absent(keyword: str, number: str) -> None:
    from pydicom import config

    elements = dict(WINDOW)
    data = film(ramp(), **elements)
    if keyword in elements:
        elements.pop(keyword)
    config.settings.writing_validation_mode = config.IGNORE
    try:
        data.add_new(keyword, "DS", "1")
        data[keyword]._value = number
        raw = written(data)
    finally:
        config.settings.writing_validation_mode = config.RAISE
    np.testing.assert_array_equal(shown(raw), shown(film(ramp(), **elements)))
