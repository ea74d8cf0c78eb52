"""DICOM: stored values from every transfer syntax and depth, whatever the header leaves out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from chexone_ray.config import ImageConfig
from chexone_ray.images import decode, size
from tests.films import (
    CONFIG,
    SHAPE,
    WINDOW,
    encapsulated,
    extended_jpeg,
    film,
    frame,
    gdcm_encoded,
    ramp,
    shown,
    written,
)

SHOWN = np.rint(ramp() * (255 / 4095))
"""12 bits under `WINDOW`."""


def whole(bits: int) -> dict[str, Any]:
    """The window over all of `bits`."""
    return {"WindowCenter": str(2 ** (bits - 1)), "WindowWidth": str(2**bits)}


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_native_syntaxes(syntax: Any) -> None:
    data = film(ramp(), **WINDOW)
    data.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(shown(data), SHOWN)
    assert size(written(data)) == (SHAPE[1], SHAPE[0])
    assert decode(written(data), CONFIG).provenance["transfer_syntax"] == str(syntax)


def test_big_endian() -> None:
    data = film(ramp(), **WINDOW)
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    data.PixelData = ramp().astype(">u2").tobytes()
    np.testing.assert_array_equal(shown(data), SHOWN)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_compressed_by_pydicom(syntax: Any, bits: int) -> None:
    data = film(ramp(bits), bits, **whole(bits))
    data.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(shown(data), np.rint(ramp(bits) * (255 / (2**bits - 1))))


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1, JPEGLSLossless])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_compressed_by_gdcm(syntax: Any, bits: int) -> None:
    data = film(ramp(bits), bits, **whole(bits))
    np.testing.assert_array_equal(
        shown(gdcm_encoded(data, syntax)), np.rint(ramp(bits) * (255 / (2**bits - 1)))
    )


def large_ramp() -> np.ndarray:
    """Smooth, 12 bits, (1500, 1300)."""
    return ((np.add.outer(np.arange(1500), np.arange(1300)) * 4095) // 2798).astype(np.uint16)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_large_jpeg2000_is_decoded_small_and_looks_the_same(photometric: str) -> None:
    config = ImageConfig(max_pixels=65_000)
    data = film(large_ramp(), PhotometricInterpretation=photometric, **WINDOW)
    full = decode(written(data), config)
    data.compress(JPEG2000Lossless, generate_instance_uid=False)
    small = decode(written(data), config)
    assert full.provenance["decoded"] == (1300, 1500)
    assert small.provenance["decoded"] == (650, 750)
    assert (small.geometry.original_width, small.geometry.original_height) == (1300, 1500)
    assert small.geometry == full.geometry
    difference = np.abs(small.pixels.astype(int) - full.pixels)
    assert difference.mean() < 0.5 and difference.max() <= 3


def test_signed_jpeg2000_is_decoded_in_full() -> None:
    values = (large_ramp().astype(np.int32) - 2048).astype(np.int16)
    data = film(values, WindowCenter="0", WindowWidth="2000")
    config = ImageConfig(max_pixels=65_000)
    expected = decode(written(data), config).pixels
    data.compress(JPEG2000Lossless, generate_instance_uid=False)
    image = decode(written(data), config)
    assert image.provenance["decoded"] == (1300, 1500)
    np.testing.assert_array_equal(image.pixels, expected)


def test_jpeg_baseline() -> None:
    from PIL import Image as pillow

    stream = io.BytesIO()
    pillow.fromarray(ramp(8)).save(stream, "JPEG", quality=95)
    data = film(ramp(8), 8)
    data.PixelData = pydicom.encaps.encapsulate([stream.getvalue()])
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    assert np.abs(shown(data).astype(int) - ramp(8)).mean() < 2


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_depths(bits: int) -> None:
    expected = np.rint(ramp(bits) * (255 / (2**bits - 1)))
    np.testing.assert_array_equal(shown(film(ramp(bits), bits, **whole(bits))), expected)
    in_words = ramp(bits).astype(np.uint16)
    np.testing.assert_array_equal(shown(film(in_words, bits, **whole(bits))), expected)


def test_lossy_jpeg2000_and_near_lossless_jpeg_ls_are_a_grey_level_off_at_most() -> None:
    data = film(ramp(), **WINDOW)
    data.compress(JPEG2000, j2k_psnr=[70], generate_instance_uid=False)
    near = gdcm_encoded(film(ramp(), **WINDOW), JPEGLSNearLossless)
    for pixels in (shown(data), shown(near)):
        assert 0 < np.abs(pixels - SHOWN).max() <= 1


def test_12_bit_jpeg() -> None:
    blocks = np.array([[0, 1023, 2048], [4095, 100, 3000]])
    data = film(np.zeros((16, 24), dtype=np.uint16), **WINDOW)
    pixels = shown(encapsulated(data, JPEGExtended12Bit, extended_jpeg(blocks)))
    # 1023 / 4095 * 255 = 63.7, 2048: 127.53, 100: 6.2, 3000: 186.8
    expected = np.array([[0, 64, 128], [255, 6, 187]]).repeat(8, 0).repeat(8, 1)
    np.testing.assert_array_equal(pixels, expected)


def test_a_lossy_stream_goes_above_white_without_black_specks() -> None:
    """10 bits stored in a 12-bit stream: 1024 is white and a little more, not 0."""
    blocks = np.array([[0, 1023, 1024, 1030]])
    data = film(np.zeros((8, 32), dtype=np.uint16), 10, **whole(10))
    pixels = shown(encapsulated(data, JPEGExtended12Bit, extended_jpeg(blocks)))
    assert pixels[0, ::8].tolist() == [0, 255, 255, 255]


def test_8_bit_extended_jpeg() -> None:
    blocks = np.array([[0, 255], [100, 50]])
    data = film(np.zeros((16, 16), dtype=np.uint8), 8)
    pixels = shown(encapsulated(data, JPEGExtended12Bit, extended_jpeg(blocks, 8)))
    np.testing.assert_array_equal(pixels[::8, ::8], blocks)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless])
def test_one_frame_in_three_fragments(syntax: Any) -> None:
    data = film(ramp(), **WINDOW)
    stream = frame(gdcm_encoded(data, syntax) if syntax != JPEG2000Lossless else jpeg2000(data))
    cut = len(stream) // 3 // 2 * 2
    parts = stream[:cut], stream[cut : 2 * cut], stream[2 * cut :]
    np.testing.assert_array_equal(
        shown(encapsulated(film(ramp(), **WINDOW), syntax, *parts)), SHOWN
    )


def jpeg2000(data: pydicom.Dataset) -> bytes:
    data.compress(JPEG2000Lossless, generate_instance_uid=False)
    return written(data)


def test_a_jpeg2000_file_in_place_of_the_bare_stream() -> None:
    """Against the standard, but written by some: the stream inside the boxes of a JP2 file."""
    from PIL import Image as pillow

    buffer = io.BytesIO()
    pillow.fromarray(ramp(8)).save(buffer, "JPEG2000", irreversible=False)
    assert buffer.getvalue()[4:8] == b"jP  "
    data = film(ramp(8), 8)
    np.testing.assert_array_equal(
        shown(encapsulated(data, JPEG2000Lossless, buffer.getvalue())), ramp(8)
    )


# --- what the header leaves out ------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize(
    "missing", ["HighBit", "PixelRepresentation", "SamplesPerPixel", "SOPClassUID", "Modality"]
)
def test_a_missing_element_is_the_usual_one(syntax: Any, missing: str) -> None:
    data = film(ramp(), **WINDOW)
    if syntax.is_encapsulated:
        data.compress(syntax, generate_instance_uid=False)
    delattr(data, missing)
    np.testing.assert_array_equal(shown(data), SHOWN)


def test_missing_bits_stored_are_all_allocated_ones() -> None:
    data = film(ramp(16), 16, **whole(16))
    del data.BitsStored, data.HighBit
    np.testing.assert_array_equal(shown(data), np.rint(ramp(16) / 257))


def test_unused_high_bits_are_ignored() -> None:
    data = film((ramp() | 0xA000).astype(np.uint16), **WINDOW)
    np.testing.assert_array_equal(shown(data), SHOWN)


def test_a_high_bit_at_the_top_of_the_word() -> None:
    """Some old writers put 12 bits into the upper part of 16, others only say so."""
    at_the_top = film((ramp() << 4) | 9, HighBit=15, **WINDOW)
    np.testing.assert_array_equal(shown(at_the_top), SHOWN)
    np.testing.assert_array_equal(shown(film(ramp(), HighBit=15, **WINDOW)), SHOWN)
    np.testing.assert_array_equal(shown(film(ramp(), HighBit=7, **WINDOW)), SHOWN)


def test_without_preamble_or_meta() -> None:
    raw = written(film(ramp(), **WINDOW))
    expected = SHOWN
    np.testing.assert_array_equal(shown(raw[132:]), expected)
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        data = film(ramp(), **WINDOW)
        implicit = syntax == ImplicitVRLittleEndian
        del data.file_meta
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, data, implicit_vr=implicit, little_endian=True)
        bare = buffer.getvalue()
        assert bare[128:132] != b"DICM"
        np.testing.assert_array_equal(decode(bare, CONFIG).pixels[..., 0], expected)


def test_decode_puts_it_on_the_grid() -> None:
    image = decode(written(film(ramp(), **WINDOW)), CONFIG)
    assert image.pixels.shape == (84, 112, 3)
    assert image.provenance["voi"] == "linear 2048/4096"
    assert not {"PatientID", "patient"} & set(image.provenance)
