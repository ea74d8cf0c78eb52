"""One phantom film as a DICOM file: the encodings that chest X-ray archives hold."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

VARIANTS = ("plain", "inverted", "rle", "jpeg2000", "jpeg", "rescaled")
"""12-bit explicit little endian; 12-bit MONOCHROME1; 12-bit RLE, MONOCHROME1; 12-bit JPEG 2000
lossless; the 8-bit JPEG stream itself; 12-bit implicit little endian with a rescale."""


def dicom_bytes(
    pixels: NDArray[np.uint8],
    jpeg: bytes,
    variant: int,
    dicom_id: str,
    patient: str,
    study: str,
    day: str,
    view: str,
) -> bytes:
    """A digital X-ray file that shows `pixels` (H, W) when its window is applied.

    `jpeg` is the same film as a baseline JPEG, `variant` chooses from `VARIANTS` (modulo), `day` is
    YYYYMMDD. The file needs pydicom to write, and pylibjpeg-openjpeg for JPEG 2000.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import (
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        JPEG2000Lossless,
        JPEGBaseline8Bit,
        RLELossless,
    )

    kind = VARIANTS[variant % len(VARIANTS)]
    data = _header(dicom_id, patient, study)
    data.StudyDate = day
    data.ViewPosition = view
    data.ImagerPixelSpacing = [_spacing(pixels), _spacing(pixels)]
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    if kind == "jpeg":
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        _describe(data, pixels, 8, inverted=False, offset=0)
        data.LossyImageCompression = "01"
        data.PixelData = encapsulate([jpeg])
        data["PixelData"].VR = "OB"
        return _written(data)
    inverted = kind in ("inverted", "rle")
    stored = np.rint(pixels * (4095 / 255)).astype(np.uint16)
    if inverted:
        stored = 4095 - stored
    implicit = kind == "rescaled"
    data.file_meta.TransferSyntaxUID = (
        ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    )
    _describe(data, pixels, 12, inverted, offset=-1024 if implicit else 0)
    data.PixelData = stored.tobytes()
    data["PixelData"].VR = "OW"
    if kind == "rle":
        data.compress(RLELossless, generate_instance_uid=False)
    elif kind == "jpeg2000":
        data.compress(JPEG2000Lossless, generate_instance_uid=False)
    return _written(data)


def _header(dicom_id: str, patient: str, study: str) -> Any:
    """A data set with what does not depend on the pixels."""
    from pydicom.dataset import Dataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation

    data = Dataset()
    data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = _uid("image", dicom_id)
    data.StudyInstanceUID = _uid("study", study)
    data.SeriesInstanceUID = _uid("series", dicom_id)
    data.Modality = "DX"
    data.PatientID = patient
    data.PatientName = ""
    data.StudyID = study
    data.BodyPartExamined = "CHEST"
    data.BurnedInAnnotation = "NO"
    return data


def _describe(data: Any, pixels: NDArray[np.uint8], bits: int, inverted: bool, offset: int) -> None:
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    data.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated = 8 if bits == 8 else 16
    data.BitsStored = bits
    data.HighBit = bits - 1
    data.PixelRepresentation = 0
    data.RescaleIntercept = str(offset)
    data.RescaleSlope = "1"
    data.RescaleType = "US"
    data.WindowCenter = str(2 ** (bits - 1) + offset)
    data.WindowWidth = str(2**bits)


def _written(data: Any) -> bytes:
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _uid(kind: str, name: str) -> str:
    """A made-up unique identifier under the root for UUIDs."""
    digest = hashlib.sha256(f"{kind} {name}".encode()).digest()[:16]
    return f"2.25.{int.from_bytes(digest)}"


def _spacing(pixels: NDArray[np.uint8]) -> str:
    """Millimetres a pixel of a film about 40 cm wide."""
    return f"{400 / min(pixels.shape):.6g}"
