"""Small DICOM films for the tests: a grey ramp in any encoding, and what the reader makes of it."""

from __future__ import annotations

import io
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from chexone_ray.config import ImageConfig
from chexone_ray.errors import ImageError
from chexone_ray.films import dicom
from chexone_ray.images import decode

CONFIG = ImageConfig()
SHAPE = (84, 112)
WINDOW: dict[str, Any] = {"WindowCenter": "2048", "WindowWidth": "4096"}
"""All of 12 bits."""


def ramp(bits: int = 12, seed: int = 0) -> np.ndarray:
    """All values up to `bits` spread over (84, 112), in rows of rising brightness."""
    draw = np.random.default_rng(seed)
    values = np.sort(draw.integers(0, 2**bits, SHAPE[0] * SHAPE[1]))
    values[0], values[-1] = 0, 2**bits - 1
    return values.reshape(SHAPE).astype(np.uint8 if bits <= 8 else np.uint16)


def row(*values: int, dtype: Any = np.uint16) -> np.ndarray:
    """The same few values in each of 8 rows."""
    return np.array([values], dtype=dtype).repeat(8, axis=0)


def film(values: np.ndarray, bits: int = 12, /, **elements: Any) -> Dataset:
    """A projection X-ray that stores `values`; `elements` are set on top."""
    data = Dataset()
    data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = "2.25.1"  # The same bytes each time, for damage by seed.
    data.Modality = "DX"
    data.SamplesPerPixel = 1 if values.ndim == 2 else 3
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = values.shape[:2]
    data.BitsAllocated = 8 * values.dtype.itemsize
    data.BitsStored, data.HighBit = bits, bits - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    data.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    data["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
    for name, value in elements.items():
        setattr(data, name, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def lut(
    entries: np.ndarray, first: int, bits: int, first_vr: str = "US", data_vr: str = "OW"
) -> Sequence:
    """The one item of a modality or VOI LUT sequence."""
    item = Dataset()
    item.add_new("LUTDescriptor", first_vr, [len(entries) % 65_536, first, bits])
    item["LUTDescriptor"].VR = first_vr
    data = entries.astype("<u2").tobytes() if data_vr == "OW" else [int(v) for v in entries]
    item.add_new("LUTData", data_vr, data)
    return Sequence([item])


def written(data: Dataset) -> bytes:
    """The bytes of the file."""
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def encapsulated(data: Dataset, syntax: Any, *fragments: bytes) -> Dataset:
    """The film with one frame in `fragments` as its pixels."""
    items = [pydicom.encaps.encapsulate([fragment], has_bot=False) for fragment in fragments]
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    bodies = b"".join(item.removeprefix(EMPTY_TABLE).removesuffix(end) for item in items)
    data.PixelData = EMPTY_TABLE + bodies + end
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = syntax
    return data


EMPTY_TABLE = b"\xfe\xff\x00\xe0\0\0\0\0"
"""A basic offset table without entries."""


def frame(raw: bytes) -> bytes:
    """The compressed stream of a film's one frame."""
    pixels = pydicom.dcmread(io.BytesIO(raw)).PixelData
    return bytes(pydicom.encaps.get_frame(pixels, 0, number_of_frames=1))


def gdcm_encoded(data: Dataset, syntax: Any) -> bytes:
    """The same film compressed by GDCM, which has the encoders that pydicom lacks. Near-lossless
    JPEG-LS is off by up to 2."""
    import gdcm

    kinds = {
        JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
        JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
        JPEGLSNearLossless: gdcm.TransferSyntax.JPEGLSNearLossless,
    }
    with tempfile.TemporaryDirectory() as name:
        plain, compressed = Path(name) / "plain.dcm", Path(name) / "compressed.dcm"
        plain.write_bytes(written(data))
        reader = gdcm.ImageReader()
        reader.SetFileName(str(plain))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
        change.SetInput(reader.GetImage())
        codec = gdcm.JPEGLSCodec()
        if syntax == JPEGLSNearLossless:
            codec.SetLossless(False)
            codec.SetLossyError(2)
            change.SetUserCodec(codec)
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(compressed))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        raw = compressed.read_bytes()
    assert pydicom.dcmread(io.BytesIO(raw)).file_meta.TransferSyntaxUID == syntax
    return raw


def extended_jpeg(blocks: np.ndarray, bits: int = 12) -> bytes:
    """A sequential JPEG of 8x8 blocks of one value each, written out by hand: no encoder of 12 bits
    is at hand. With all quantisers 1, the first coefficient is 8 times value less mid-grey."""
    rows, columns = (8 * side for side in blocks.shape)
    code, last = "", 0
    for value in blocks.ravel():
        first = 8 * (int(value) - 2 ** (bits - 1))
        difference, last = first - last, first
        size = abs(difference).bit_length()
        magnitude = difference if difference > 0 else difference + 2**size - 1
        code += f"{size:05b}" + (f"{magnitude:0{size}b}" if size else "") + "0"
    code += "1" * (-len(code) % 8)
    scan = int(code, 2).to_bytes(len(code) // 8).replace(b"\xff", b"\xff\0")

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body

    sixteen_codes_of_5_bits = bytes([0, 0, 0, 0, 16]) + bytes(11) + bytes(range(16))
    one_code_of_1_bit = bytes([1]) + bytes(15) + b"\0"
    return (
        b"\xff\xd8"
        + segment(0xDB, b"\0" + b"\1" * 64)
        + segment(0xC1, struct.pack(">BHHBBBB", bits, rows, columns, 1, 1, 0x11, 0))
        + segment(0xC4, b"\x00" + sixteen_codes_of_5_bits)
        + segment(0xC4, b"\x10" + one_code_of_1_bit)
        + segment(0xDA, b"\1\1\0\0\x3f\0")
        + scan
        + b"\xff\xd9"
    )


def shown(data: Dataset | bytes, no_window: Any = "percentile") -> np.ndarray:
    """The pixels that the DICOM reader gives."""
    raw = data if isinstance(data, bytes) else written(data)
    return dicom.read(raw, 1_000_000, no_window).pixels


def reason(data: Dataset | bytes, config: ImageConfig = CONFIG) -> str:
    """Why it is refused."""
    with pytest.raises(ImageError) as caught:
        decode(data if isinstance(data, bytes) else written(data), config)
    return caught.value.reason
