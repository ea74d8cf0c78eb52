"""Damage to DICOM files that knows their elements: values, lengths, and what is deflated."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import pydicom
from pydicom import config
from pydicom.dataelem import DataElement

_NUMBERS = (0, 1, 2, 3, 7, 8, 9, 12, 15, 16, 17, 31, 32, 64, 255, 4096, 9_000, 32_767, 65_535, -1)
_TEXTS = (
    *("", " ", "0", "-1", "1e308", "nan", "2048\\1", "MONOCHROME1", "RGB", "YBR_FULL_422"),
    *("PALETTE COLOR", "SIGMOID", "LINEAR_EXACT", "INVERSE", "CT", "KNEE", "L\\F", "\xff" * 99),
)
_JPEG_FAMILY = (50, 51, 57, 70, 80, 81, 90, 91, 100, 201, 203)
_SYNTAXES = (
    *("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"),
    *("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"),
    *(f"1.2.840.10008.1.2.4.{number}" for number in _JPEG_FAMILY),
)
_KEYWORDS = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope", "RescaleIntercept"),
    *("PixelPaddingValue", "PresentationLUTShape", "Modality", "SOPClassUID", "BodyPartExamined"),
    *("VOILUTSequence", "ModalityLUTSequence", "ViewCodeSequence", "AnatomicRegionSequence"),
    *("ViewPosition", "PatientOrientation", "PixelData", "SmallestImagePixelValue"),
    *("RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableData"),
    *("SpecificCharacterSet", "PixelAspectRatio", "ExtendedOffsetTable"),
)
_VRS = ("US", "SS", "UL", "FL", "FD", "DS", "IS", "CS", "LO", "UI", "OB", "OW", "UN", "AT", "LT")


def edit_element(data: bytes, draw: random.Random) -> bytes:
    """One to three elements taken out, or given another value or another kind of value."""
    settings = config.settings
    modes = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            for _ in range(draw.choice((1, 1, 2, 3))):
                _edit(dataset, draw)
            buffer = io.BytesIO()
            dataset.save_as(buffer)
            return buffer.getvalue()
    except Exception:  # Damaged beyond what pydicom writes.
        return data
    finally:
        settings.reading_validation_mode, settings.writing_validation_mode = modes


def _edit(dataset: Any, draw: random.Random) -> None:
    keyword = draw.choice(_KEYWORDS)
    how = draw.randrange(6)
    if how == 0:
        dataset.file_meta.TransferSyntaxUID = draw.choice(_SYNTAXES)
    elif how == 1 and keyword in dataset:
        delattr(dataset, keyword)
    elif how == 2 and "Sequence" in keyword:
        item = pydicom.Dataset()
        item.LUTDescriptor = [draw.choice(_NUMBERS) for _ in range(draw.choice((1, 3, 3, 4)))]
        item.LUTData = draw.randbytes(2 * draw.randrange(300))
        item["LUTData"].VR = "OW"
        item.CodeMeaning = draw.choice(_TEXTS)
        setattr(dataset, keyword, [item] * draw.choice((0, 1, 2)))
    elif how == 3:
        vr = draw.choice(_VRS)
        dataset[keyword] = DataElement(pydicom.datadict.tag_for_keyword(keyword), vr, None)
        dataset[keyword]._value = _value(vr, draw)
    else:
        setattr(dataset, keyword, draw.choice((draw.choice(_NUMBERS), draw.choice(_TEXTS))))


def _value(vr: str, draw: random.Random) -> Any:
    if vr in ("OB", "OW", "UN"):
        return draw.randbytes(draw.choice((0, 1, 2, 7, 400)))
    if vr in ("US", "SS", "UL", "FL", "FD", "AT"):
        numbers = [abs(draw.choice(_NUMBERS)) for _ in range(draw.choice((1, 1, 2, 3)))]
        return numbers[0] if len(numbers) == 1 else numbers
    return draw.choice(_TEXTS)


def edit_length(data: bytes, draw: random.Random) -> bytes:
    """Another length for an element that stands in the file as its keyword's tag."""
    order = draw.choice("<<<>")
    tags = [pydicom.datadict.tag_for_keyword(keyword) or 0 for keyword in _KEYWORDS]
    tags += [0x0002_0000, 0x0002_0010, 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD, 0x7FE0_0010]
    marks = [struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) for tag in tags]
    present = [at for mark in marks if (at := data.find(mark)) >= 0]
    if not present:
        return data
    at = draw.choice(present) + draw.choice((4, 6, 8))
    form = draw.choice(("H", "I"))
    size = struct.calcsize(form)
    extremes = (0, 1, 3, 8, 254, 65_534, 65_535, 2**31, 2**32 - 2, 2**32 - 1, draw.randrange(4096))
    number = draw.choice(extremes) % (1 << 8 * size)
    return data[:at] + struct.pack(order + form, number) + data[at + size :]


def deflate_again(
    data: bytes, draw: random.Random, damage: Callable[[bytes, random.Random], bytes]
) -> bytes:
    """A deflated file with damage to what is inside; other files are damaged as they are."""
    if b"1.2.840.10008.1.2.1.99" not in data[:1024]:
        return damage(data, draw)
    start = 144 + int.from_bytes(data[140:144], "little")
    try:
        inside = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    except zlib.error:
        return damage(data, draw)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return data[:start] + packer.compress(damage(inside, draw)) + packer.flush()
