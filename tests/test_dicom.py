"""DICOM: transfer syntaxes, the greyscale pipeline against pydicom's own functions, refusals."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from chexone_ray import dicom
from chexone_ray.config import ImageConfig
from chexone_ray.errors import ImageError
from chexone_ray.images import decode, size

CONFIG = ImageConfig()
SHAPE = (84, 112)


def ramp(bits: int = 12, seed: int = 0) -> np.ndarray:
    """All values up to `bits` spread over (84, 112), in rows of rising brightness."""
    draw = np.random.default_rng(seed)
    values = np.sort(draw.integers(0, 2**bits, SHAPE[0] * SHAPE[1]))
    values[0], values[-1] = 0, 2**bits - 1
    return values.reshape(SHAPE).astype(np.uint8 if bits <= 8 else np.uint16)


def film(values: np.ndarray, bits: int = 12, /, **elements: Any) -> Dataset:
    """A projection X-ray that stores `values`; `elements` are set on top, None takes one out."""
    data = Dataset()
    data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = generate_uid()
    data.Modality = "DX"
    data.SamplesPerPixel = 1 if values.ndim == 2 else 3
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = values.shape[:2]
    data.BitsAllocated = 8 * values.dtype.itemsize
    data.BitsStored, data.HighBit = bits, bits - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    data.PixelData = values.tobytes()
    data["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
    for name, value in elements.items():
        setattr(data, name, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def written(data: Dataset) -> bytes:
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def shown(data: Dataset | bytes, no_window: Any = "percentile") -> np.ndarray:
    raw = data if isinstance(data, bytes) else written(data)
    return dicom.read(raw, 1_000_000, no_window).pixels


def reason(data: Dataset | bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data if isinstance(data, bytes) else written(data), CONFIG)
    return caught.value.reason


def lut(entries: np.ndarray, first: int, bits: int, first_vr: str = "US") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", first_vr, [len(entries) % 65_536, first, bits])
    item["LUTDescriptor"].VR = first_vr
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return Sequence([item])


# --- transfer syntaxes ---------------------------------------------------------------------------


def gdcm_encoded(data: Dataset, syntax: Any, folder: Path) -> bytes:
    """The same film compressed by GDCM, which has the encoders that pydicom lacks."""
    import gdcm

    kinds = {
        JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
    }
    (folder / "plain.dcm").write_bytes(written(data))
    reader = gdcm.ImageReader()
    reader.SetFileName(str(folder / "plain.dcm"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(folder / "compressed.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    raw = (folder / "compressed.dcm").read_bytes()
    assert pydicom.dcmread(io.BytesIO(raw)).file_meta.TransferSyntaxUID == syntax
    return raw


WINDOW: dict[str, Any] = {"WindowCenter": "2048", "WindowWidth": "4096"}


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_native_syntaxes(syntax: Any) -> None:
    data = film(ramp(), **WINDOW)
    data.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(shown(data), np.rint(ramp() * (255 / 4095)))
    assert size(written(data)) == (SHAPE[1], SHAPE[0])


def test_big_endian() -> None:
    data = film(ramp(), **WINDOW)
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    data.PixelData = ramp().astype(">u2").tobytes()
    np.testing.assert_array_equal(shown(data), np.rint(ramp() * (255 / 4095)))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_compressed_by_pydicom(syntax: Any, bits: int) -> None:
    top = 2**bits - 1
    data = film(ramp(bits), bits, WindowCenter=str((top + 1) / 2), WindowWidth=str(top + 1))
    data.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(shown(data), np.rint(ramp(bits) * (255 / top)))


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_compressed_by_gdcm(syntax: Any, bits: int, tmp_path: Path) -> None:
    top = 2**bits - 1
    data = film(ramp(bits), bits, WindowCenter=str((top + 1) / 2), WindowWidth=str(top + 1))
    np.testing.assert_array_equal(
        shown(gdcm_encoded(data, syntax, tmp_path)), np.rint(ramp(bits) * (255 / top))
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


def test_without_preamble_or_meta() -> None:
    raw = written(film(ramp(), **WINDOW))
    expected = np.rint(ramp() * (255 / 4095))
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


# --- the greyscale pipeline ----------------------------------------------------------------------


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


def test_window_by_hand() -> None:
    # LINEAR, centre 100, width 51: black up to 74.5, white above 124.5, (v - 99.5) / 50 + 0.5.
    values = np.array([[0, 74, 75, 99, 100, 124, 125, 200]], dtype=np.uint16).repeat(8, axis=0)
    data = film(values, WindowCenter="100", WindowWidth="51")
    expected = np.rint(np.array([0, 0, 0.01, 0.49, 0.51, 0.99, 1, 1]) * 255)
    np.testing.assert_array_equal(shown(data)[0], expected)


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
    provenance = dicom.read(written(film(stored)), 10**6, "percentile").provenance
    assert provenance["voi"] == "percentile" and provenance["inverted"] is False


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


def test_unused_high_bits_are_ignored() -> None:
    data = film((ramp() | 0xA000).astype(np.uint16), **WINDOW)
    np.testing.assert_array_equal(shown(data), np.rint(ramp() * (255 / 4095)))


def test_rgb_and_palette() -> None:
    colour = np.stack([ramp(8), 255 - ramp(8), ramp(8, 1)], axis=2)
    data = film(colour, 8, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    np.testing.assert_array_equal(shown(data), colour)
    palette = film(ramp(8), 8, PhotometricInterpretation="PALETTE COLOR")
    for name, table in (
        ("Red", np.arange(256)),
        ("Green", 255 - np.arange(256)),
        ("Blue", [9] * 256),
    ):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        entries = (np.asarray(table) * 257).astype("<u2").tobytes()
        setattr(palette, f"{name}PaletteColorLookupTableData", entries)
    expected = np.stack([ramp(8), 255 - ramp(8), np.full(SHAPE, 9)], axis=2)
    np.testing.assert_array_equal(shown(palette), expected)


def test_decode_puts_it_on_the_grid() -> None:
    image = decode(written(film(ramp(), **WINDOW)), CONFIG)
    assert image.pixels.shape == (84, 112, 3)
    assert image.provenance["voi"] == "linear 2048/4096"
    assert not {"PatientID", "patient"} & set(image.provenance)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"Modality": "CT"}, "modality"),
        ({"Modality": "MR"}, "modality"),
        ({"Modality": "MG"}, "modality"),
        ({"Modality": "", "SOPClassUID": pydicom.uid.CTImageStorage}, "modality"),
        ({"NumberOfFrames": 12}, "multi_frame"),
        ({"Rows": 60_000, "Columns": 60_000}, "too_large"),
        ({"Rows": 0}, "no_pixels"),
        ({"BitsStored": 20}, "unsupported_pixels"),
        ({"BitsAllocated": 32}, "unsupported_pixels"),
        ({"Rows": 100}, "truncated"),
    ],
)
def test_refusals(elements: dict[str, Any], expected: str) -> None:
    assert reason(film(ramp(), **elements)) == expected


@pytest.mark.parametrize(
    "uid",
    [
        pydicom.uid.EncapsulatedPDFStorage,
        pydicom.uid.BasicTextSRStorage,
        pydicom.uid.Comprehensive3DSRStorage,
        pydicom.uid.GrayscaleSoftcopyPresentationStateStorage,
        pydicom.uid.KeyObjectSelectionDocumentStorage,
    ],
)
def test_documents_are_refused(uid: Any) -> None:
    data = film(ramp(), SOPClassUID=uid)
    for name in ("PixelData", "Rows", "Columns"):
        delattr(data, name)
    assert reason(data) == "document"


def test_missing_pixels() -> None:
    data = film(ramp())
    del data.PixelData
    assert reason(data) == "no_pixels"
    data = film(ramp())
    del data.Rows
    assert reason(data) == "no_pixels"


def test_truncated_files() -> None:
    native = written(film(ramp(), **WINDOW))
    assert reason(native[:-500]) == "truncated"
    data = film(ramp())
    data.compress(RLELossless, generate_instance_uid=False)
    compressed = written(data)
    assert reason(compressed[:-500]) == "truncated"


def test_a_stream_larger_than_declared_is_not_decoded() -> None:
    data = film(ramp())
    data.compress(JPEG2000Lossless, generate_instance_uid=False)
    data.Rows, data.Columns = 10, 10
    assert reason(data) == "undecodable"


def test_a_deflate_bomb_is_refused() -> None:
    data = film(np.zeros((3000, 3000), dtype=np.uint16))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    raw = written(data)
    assert len(raw) < 100_000
    with pytest.raises(ImageError) as caught:
        decode(raw, ImageConfig(max_source_pixels=1_000_000))
    assert caught.value.reason == "too_large"


def test_identifiers_stay_out_of_messages_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    data = film(ramp(), PatientName="SECRET^NAME", PatientID="SECRET-4711")
    raw = written(data)
    caplog.set_level("DEBUG")
    for cut in range(200, len(raw) - 1, 977):
        try:
            decode(raw[:cut], CONFIG)
        except ImageError as error:
            assert "SECRET" not in str(error)
    assert "SECRET" not in caplog.text
    assert "SECRET" not in str(decode(raw, CONFIG).provenance)


def test_a_decoder_that_dies_is_one_error_and_the_next_film_decodes(tmp_path: Path) -> None:
    raw = gdcm_encoded(film(ramp(), **WINDOW), JPEGLosslessSV1, tmp_path)
    expected = np.rint(ramp() * (255 / 4095))
    np.testing.assert_array_equal(shown(raw), expected)
    # A table that starts with no marker takes GDCM 3.2 down (found by mutation).
    at = raw.rindex(b"\xff\xc4")
    assert reason(raw[:at] + b"\0" + raw[at + 1 :]) == "undecodable"
    np.testing.assert_array_equal(shown(raw), expected)


def test_decoding_in_threads(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    raw = gdcm_encoded(film(ramp(), **WINDOW), JPEGLosslessSV1, tmp_path)
    expected = np.rint(ramp() * (255 / 4095))
    with ThreadPoolExecutor(4) as pool:
        for pixels in pool.map(shown, [raw] * 24):
            np.testing.assert_array_equal(pixels, expected)
