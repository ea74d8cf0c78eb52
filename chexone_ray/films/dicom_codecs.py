"""Compressed DICOM pixels -> stored values, by the decoder that is safe and fast for the stream."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexone_ray.errors import ImageError
from chexone_ray.films import gdcm_process, jpeg_stream

_PLUGINS = ("pylibjpeg", "pillow", "pydicom")
"""pydicom's decoders in order. What only GDCM reads goes to `gdcm_process.py`."""
_MAX_REDUCTION = 5
_J2K = b"\xff\x4f\xff\x51"
"""How a JPEG 2000 codestream starts."""


def decompress(dataset: Any, decoder: Any, enough: tuple[int, int]) -> NDArray[Any]:
    """Stored values, (H, W) or (H, W, 3), of the one frame of a pydicom dataset.

    JPEG 2000 may come out smaller by a power of two, as long as that leaves `enough` (width,
    height). The header of the compressed stream has to agree with the file's, because a small
    picture on paper could hide a huge one. Raises ImageError, and what the decoders raise.
    """
    from pydicom.encaps import get_frame
    from pydicom.uid import JPEGExtended12Bit

    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.name != "RLE Lossless":
        frame = bytes(get_frame(dataset.PixelData, 0, number_of_frames=1))
        coded = _coded(frame)
        declared = (int(dataset.Columns), int(dataset.Rows), int(dataset.SamplesPerPixel))
        if coded is None or declared != coded[:3] or not 2 <= coded[3] <= dataset.BitsAllocated:
            raise ImageError("undecodable", f"DICOM declares {declared}, its stream holds {coded}")
        if jpeg_stream.too_many_scans(frame):
            raise ImageError("undecodable", "DICOM whose JPEG stream goes over the film too often")
        if jpeg_stream.too_short(frame):
            raise ImageError("truncated", f"DICOM with {len(frame)} bytes of JPEG for {coded}")
        if set(decoder.available_plugins) <= {"gdcm"} or (
            syntax == JPEGExtended12Bit and coded[3] > 8
        ):
            return _by_gdcm(dataset, frame, coded[3])
        smaller = _reduced(dataset, frame, coded, enough)
        if smaller is not None:
            return smaller
    failures = []
    for plugin in _PLUGINS:
        if plugin not in decoder.available_plugins:
            continue
        try:
            array: NDArray[Any] = decoder.as_array(dataset, decoding_plugin=plugin)[0]
            return array
        except BaseException as error:
            # Each plugin has errors of its own and the next may succeed. The RLE decoder panics on
            # damaged streams, which is no Exception in Python.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            failures.append(f"{plugin}: {_short(error)}")
    what = f"no decoder reads this {syntax.name} stream ({', '.join(failures) or 'none is there'})"
    raise ImageError("undecodable", what)


def sizes(height: int, width: int) -> list[tuple[int, int]]:
    """(H, W) that `decompress` may give for a declared size, the full one first."""
    halves = [(1 << level) >> 1 for level in range(_MAX_REDUCTION + 1)]
    return [((height + h) >> n, (width + h) >> n) for n, h in enumerate(halves)]


def _by_gdcm(dataset: Any, frame: bytes, precision: int) -> NDArray[Any]:
    """One grey frame of JPEG Lossless, JPEG-LS or 12-bit JPEG. `precision` is that of the stream.

    The bits of a lossless stream above the stored ones are not the film's and are cut off. A lossy
    stream goes above white by its error, where cutting would leave black specks.
    """
    from pydicom.uid import JPEGExtended12Bit, JPEGLSNearLossless

    if dataset.SamplesPerPixel != 1:
        raise ImageError("unsupported_pixels", "colour DICOM in JPEG Lossless or JPEG-LS")
    syntax = dataset.file_meta.TransferSyntaxUID
    # GDCM gives JPEG-LS in the smallest unit that holds the precision of the stream.
    unit = 8 if precision <= 8 else 16
    by_stream = "JPEG-LS" in syntax.name or syntax == JPEGExtended12Bit
    try:
        data = gdcm_process.decode(
            frame,
            columns=dataset.Columns,
            rows=dataset.Rows,
            bits_allocated=unit if by_stream else dataset.BitsAllocated,
            bits_stored=precision if by_stream else dataset.BitsStored,
            signed=bool(dataset.PixelRepresentation),
            photometric=str(dataset.PhotometricInterpretation),
            syntax=str(syntax),
        )
    except gdcm_process.ChildError as error:
        raise ImageError("undecodable", f"{syntax.name} stream: {error}") from error
    pixels = dataset.Rows * dataset.Columns
    if len(data) not in (pixels, 2 * pixels):
        raise ImageError("undecodable", f"{syntax.name} stream gave {len(data)} bytes")
    stored = np.frombuffer(data, np.uint8 if len(data) == pixels else np.dtype("<u2"))
    stored = stored.reshape(dataset.Rows, dataset.Columns)
    if dataset.PixelRepresentation:
        unused = stored.dtype.itemsize * 8 - dataset.BitsStored
        signed: NDArray[Any] = (stored << unused).view(f"i{stored.dtype.itemsize}") >> unused
        return signed
    if dataset.BitsStored >= precision:
        return stored
    top = 2**dataset.BitsStored - 1
    lossy = syntax in (JPEGExtended12Bit, JPEGLSNearLossless)
    return np.minimum(stored, top).astype(stored.dtype) if lossy else stored & top


def _reduced(
    dataset: Any, frame: bytes, coded: tuple[int, int, int, int], enough: tuple[int, int]
) -> NDArray[Any] | None:
    """A grey JPEG 2000 frame from its lower wavelet levels, or None where that is not possible.

    Most of the time of a full decode goes into the finest level, which the resize would throw away.
    """
    from PIL import Image as pillow

    width, height, samples, bits = coded
    reduction = 0
    while (
        reduction < _MAX_REDUCTION
        and width >> (reduction + 1) >= enough[0]
        and height >> (reduction + 1) >= enough[1]
    ):
        reduction += 1
    start = _codestream(frame)
    if not reduction or start < 0 or samples != 1 or dataset.PixelRepresentation:
        return None
    if frame[start + 42] & 0x80 or bits != dataset.BitsStored:
        return None
    try:
        picture = pillow.open(io.BytesIO(frame[start:]), formats=("JPEG2000",))
        picture.reduce = reduction  # type: ignore[method-assign, assignment]
        picture.load()
    except Exception:  # Too few levels, or a damaged stream: the full decode tells.
        return None
    stored: NDArray[Any] = np.asarray(picture)
    if stored.shape != sizes(height, width)[reduction]:
        return None
    # Pillow fills the unit of 8 or 16 bits from the top.
    return stored >> (stored.dtype.itemsize * 8 - bits)


def _codestream(frame: bytes) -> int:
    """Where the JPEG 2000 codestream starts: at once, as the standard asks, or in the box of a JP2
    file. A search for its mark could be led to another header than the decoder's. -1 for none."""
    if frame.startswith(_J2K):
        return 0
    at = 0
    if frame[4:8] != b"jP  ":
        return -1
    while at + 16 <= len(frame):
        length, kind = int.from_bytes(frame[at : at + 4]), frame[at + 4 : at + 8]
        head = 16 if length == 1 else 8
        if length == 1:
            length = int.from_bytes(frame[at + 8 : at + 16])
        if kind == b"jp2c":
            return at + head if frame.startswith(_J2K, at + head) else -1
        if length < head:
            return -1
        at += length
    return -1


def _coded(frame: bytes) -> tuple[int, int, int, int] | None:
    """(width, height, samples, bits) in the header of a JPEG, JPEG-LS or JPEG 2000 stream."""
    at = _codestream(frame)
    if at >= 0:
        if len(frame) < at + 43:
            return None
        x1, y1, x0, y0 = struct.unpack(">IIII", frame[at + 8 : at + 24])
        samples, bits = struct.unpack(">HB", frame[at + 40 : at + 43])
        return x1 - x0, y1 - y0, samples, (bits & 0x7F) + 1
    return jpeg_stream.frame_header(frame)


def _short(error: BaseException) -> str:
    """The kind of an error without its message: those of pydicom may quote element values."""
    return type(error).__name__
