"""DICOM that is refused, each for its reason, and before anything large is decoded."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image as pillow
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from chexone_ray.config import ImageConfig
from chexone_ray.errors import ImageError
from chexone_ray.images import decode
from tests.films import (
    CONFIG,
    WINDOW,
    encapsulated,
    extended_jpeg,
    film,
    frame,
    gdcm_encoded,
    ramp,
    reason,
    shown,
    written,
)
from tests.memory import peak_mib, reset_peak


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


@pytest.mark.parametrize("hidden", ["", "no preamble", "far in", "no group length"])
def test_a_deflate_bomb_is_refused(hidden: str) -> None:
    data = film(np.zeros((3000, 3000), dtype=np.uint16))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    if hidden == "far in":
        data.file_meta.MediaStorageSOPInstanceUID = "1." + "2" * 3000
    raw = written(data)
    if hidden == "no preamble":
        raw = raw[132:]
    if hidden == "no group length":
        raw = raw[:132] + raw[144:]
    assert len(raw) < 100_000
    reset_peak()
    before = peak_mib()
    assert reason(raw, ImageConfig(max_source_pixels=1_000_000)) == "too_large"
    assert peak_mib() - before < 16
    assert decode(raw, CONFIG).provenance["full"] == (3000, 3000)


def test_a_deflated_film_that_ends_early() -> None:
    data = film(ramp(), **WINDOW)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert reason(written(data)[:-300]) == "truncated"


def test_very_many_elements_take_no_memory() -> None:
    """A few hundred kilobytes, deflated; each element that is kept would take some 300 bytes."""
    data = film(ramp(), **WINDOW)
    for group in range(0x0009, 0x0013, 2):
        for element in range(0x1000, 0x5000):
            data.add_new((group, element), "CS", "")
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    raw = written(data)
    assert len(raw) < 500_000
    del data
    reset_peak()
    before = peak_mib()
    shown(raw)
    assert peak_mib() - before < 16


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


def test_a_decoder_that_dies_is_one_error_and_the_next_film_decodes() -> None:
    raw = gdcm_encoded(film(ramp(), **WINDOW), JPEGLosslessSV1)
    expected = np.rint(ramp() * (255 / 4095))
    np.testing.assert_array_equal(shown(raw), expected)
    # A table that starts with no marker takes GDCM 3.2 down (found by mutation).
    at = raw.rindex(b"\xff\xc4")
    assert reason(raw[:at] + b"\0" + raw[at + 1 :]) == "undecodable"
    np.testing.assert_array_equal(shown(raw), expected)


def test_decoding_in_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    raw = gdcm_encoded(film(ramp(), **WINDOW), JPEGLosslessSV1)
    expected = np.rint(ramp() * (255 / 4095))
    with ThreadPoolExecutor(4) as pool:
        for pixels in pool.map(shown, [raw] * 24):
            np.testing.assert_array_equal(pixels, expected)


# --- body parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part", ["KNEE", "hand", "L SPINE", "C-SPINE", "LSPINE", "EXTREMITY", "ABDOMEN", "SKULL_LAT"]
)
def test_other_body_parts_are_refused(part: str) -> None:
    data = film(ramp(), BodyPartExamined=part, **WINDOW)
    assert reason(data) == "body_part"
    image = decode(written(data), ImageConfig(body_part="any"))
    assert image.provenance["body_part"] == part


@pytest.mark.parametrize(
    "part", ["CHEST", "", "THORAX", "Rib", "CHEST ABDOMEN", "CHESTABDOMEN", "TORAX", "CHARM", "1"]
)
def test_chest_and_words_of_a_hospitals_own_pass(part: str) -> None:
    named = shown(film(ramp(), BodyPartExamined=part, **WINDOW))
    assert (named == shown(film(ramp(), **WINDOW))).all()


@pytest.mark.parametrize(
    ("part", "meaning", "refused"),
    [
        ("", "Knee", True),
        ("", "Thoracic spine", True),
        ("", "Chest", False),
        ("", "Chest and Abdomen", False),
        ("CHEST", "Knee", False),
    ],
)
def test_anatomic_region_where_there_is_no_body_part(
    part: str, meaning: str, refused: bool
) -> None:
    region = Dataset()
    region.CodeMeaning = meaning
    data = film(ramp(), BodyPartExamined=part, AnatomicRegionSequence=Sequence([region]), **WINDOW)
    if refused:
        assert reason(data) == "body_part"
    else:
        shown(data)


# --- other kinds ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uid",
    [
        pydicom.uid.MPEG4HP41,
        pydicom.uid.HEVCMP51,
        pydicom.uid.JPEG2000MC,
        pydicom.uid.UID("1.2.840.10008.1.2.4.94"),
    ],
)
def test_video_and_other_syntaxes(uid: Any) -> None:
    data = encapsulated(film(ramp(), **WINDOW), uid, b"\0\0\1\xb3" * 20)
    assert reason(data) == "unsupported_pixels"


def test_a_vendors_own_syntax() -> None:
    public, private = b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0"
    assert reason(written(film(ramp())).replace(public, private)) == "unsupported_pixels"


@pytest.mark.parametrize("photometric", ["", "HSV"])
def test_unknown_polarity_is_not_guessed(photometric: str) -> None:
    assert reason(film(ramp(), PhotometricInterpretation=photometric)) == "unsupported_pixels"


def test_polarity_in_small_letters() -> None:
    dark = film(ramp(), PhotometricInterpretation="monochrome1 ", **WINDOW)
    np.testing.assert_array_equal(shown(dark), 255 - shown(film(ramp(), **WINDOW)))


def test_floating_point_pixels() -> None:
    data = film(ramp(), BitsAllocated=32)
    del data.PixelData
    data.FloatPixelData = np.zeros((84, 112), dtype=np.float32).tobytes()
    assert reason(data) == "unsupported_pixels"


@pytest.mark.parametrize("bits", [1, 12, 64])
def test_other_units_of_bits(bits: int) -> None:
    data = film(ramp(), BitsAllocated=bits, BitsStored=min(bits, 12))
    assert reason(data) == "unsupported_pixels"


# --- streams that are cut, or hide something large -----------------------------------------------


def stream(syntax: Any) -> bytes:
    """A film of noise in one encoding, without the file around it."""
    draw = np.random.default_rng(0)
    values = draw.integers(0, 4096, (84, 112)).astype(np.uint16)
    if syntax == JPEGBaseline8Bit:
        buffer = io.BytesIO()
        pillow.fromarray((values >> 4).astype(np.uint8)).save(buffer, "JPEG", quality=95)
        return buffer.getvalue()
    if syntax == JPEGExtended12Bit:
        return extended_jpeg(draw.integers(0, 4096, (11, 14)))
    data = film(values)
    if syntax in (JPEGLosslessSV1, JPEGLSLossless):
        return frame(gdcm_encoded(data, syntax))
    data.compress(syntax, generate_instance_uid=False)
    return frame(written(data))


def around(syntax: Any, content: bytes) -> Dataset:
    if syntax == JPEGBaseline8Bit:
        return encapsulated(film(ramp(8), 8), syntax, content)
    values = np.zeros((88, 112), dtype=np.uint16) if syntax == JPEGExtended12Bit else ramp()
    return encapsulated(film(values, **WINDOW), syntax, content)


COMPRESSED = [
    *(RLELossless, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLosslessSV1, JPEGLSLossless),
    JPEG2000Lossless,
]


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_a_stream_that_ends_early_is_no_half_film(syntax: Any) -> None:
    whole = stream(syntax)
    shown(around(syntax, whole))
    for share in (0.1, 0.5, 0.9):
        cut = around(syntax, whole[: int(len(whole) * share)])
        assert reason(cut) in ("truncated", "undecodable")


@pytest.mark.parametrize("syntax", COMPRESSED[1:])
def test_a_stream_larger_than_declared_is_not_decoded(syntax: Any) -> None:
    data = around(syntax, stream(syntax))
    data.Rows, data.Columns = 10, 10
    assert reason(data) == "undecodable"


def with_size(content: bytes, width: int, height: int) -> bytes:
    """A stream with another size in its header."""
    at = content.find(b"\xff\x4f\xff\x51")
    if at >= 0:
        return content[: at + 8] + struct.pack(">II", width, height) + content[at + 16 :]
    at = next(at for m in (b"\xff\xc0", b"\xff\xc3", b"\xff\xf7") if (at := content.find(m)) > 0)
    return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]


@pytest.mark.parametrize(
    "syntax", [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless]
)
def test_bombs_inside_a_stream(syntax: Any) -> None:
    bomb = with_size(stream(syntax), 60_000, 60_000)
    assert reason(around(syntax, bomb)) == "undecodable"
    honest = around(syntax, bomb)
    honest.Rows = honest.Columns = 60_000
    assert reason(honest) == "too_large"


def test_a_lossless_stream_of_too_few_bytes() -> None:
    """GDCM gives a film for it, black where the stream has nothing."""
    content = with_size(stream(JPEGLosslessSV1), 3_000, 3_000)
    data = around(JPEGLosslessSV1, content)
    data.Rows = data.Columns = 3_000
    assert reason(data) == "truncated"


def test_a_decoy_header_before_the_stream_is_not_believed() -> None:
    """The size is read from the header that the decoder reads, inside its box of a JP2 file."""
    buffer = io.BytesIO()
    pillow.fromarray(ramp(8)).save(buffer, "JPEG2000", irreversible=False)
    honest = buffer.getvalue()
    decoy = honest[honest.index(b"\xff\x4f\xff\x51") :][:60]
    at = honest.index(b"jp2c") - 4
    box = struct.pack(">I", len(decoy) + 8) + b"xml " + decoy
    bomb = honest[:at] + box + with_size(honest[at:], 30_000, 30_000)
    with pytest.raises(ImageError, match=r"holds \(30000, 30000"):
        decode(written(encapsulated(film(ramp(8), 8), JPEG2000Lossless, bomb)), CONFIG)
    junk = decoy + b"\0" * 40 + honest
    assert reason(encapsulated(film(ramp(8), 8), JPEG2000Lossless, junk)) == "undecodable"


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    buffer = io.BytesIO()
    pillow.fromarray(ramp(8)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    shown(around(JPEGBaseline8Bit, content))
    at = content.rindex(b"\xff\xda")
    many = content[:at] + content[at:-2] * 100 + b"\xff\xd9"
    assert reason(around(JPEGBaseline8Bit, many)) == "undecodable"
