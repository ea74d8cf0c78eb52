"""DICOM bytes -> 8-bit pixels as a viewer would show them.

The order is the standard's: stored value -> modality LUT or rescale -> VOI LUT or window ->
inversion for MONOCHROME1 -> 8 bits. Inverting before the window shows another picture.

All steps are worked out once per stored value that can occur and applied as one table look-up: the
same numbers as whole-image floating point at a fraction of the time and memory.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chexone_ray.errors import ImageError
from chexone_ray.films import dicom_codecs, dicom_header, grayscale
from chexone_ray.films.dicom_header import BodyPart
from chexone_ray.films.grayscale import NoWindow

Enough = Callable[[int, int], tuple[int, int]]
ALL = (1 << 30, 1 << 30)
"""As large as it is."""

_ONE_SAMPLE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_DEFLATED, _EXPLICIT = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1"
_CHUNK = 1 << 20
_HEADER_LIMIT = 40_000_000
"""Pixels that a deflated file may hold where only its header is asked for."""


@dataclass(frozen=True)
class Film:
    """`pixels` uint8, (H, W) or (H, W, 3), the full (width, height), and how they came about."""

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    provenance: dict[str, Any]


def looks_like_dicom(data: bytes) -> bool:
    """True with the preamble's mark, or without one where a first element of group 2 or 8 stands
    at the start."""
    if data[128:132] == b"DICM":
        return True
    if len(data) < 16:
        return False
    for order in "<>":
        group, element, length = struct.unpack(f"{order}HHI", data[:8])
        if group in (0x0002, 0x0008) and element <= 0x0018:
            explicit = data[4:6] in (b"UL", b"OB", b"UI", b"CS", b"SH", b"LO", b"DA", b"TM")
            if explicit or length <= 1024:
                return True
    return False


def size(data: bytes) -> tuple[int, int]:
    """(width, height) in pixels from the header. Raises ImageError as `read` does."""
    with _as_image_error():
        return dicom_header.declared(_parse(data, _HEADER_LIMIT, stop_before_pixels=True))


def read(
    data: bytes,
    max_pixels: int,
    no_window: NoWindow,
    enough: Enough = lambda width, height: ALL,
    body_part: BodyPart = "chest",
) -> Film:
    """One film, ready to show.

    `max_pixels` bounds the declared size before anything is decoded. `enough` gives the smallest
    (width, height) of use for a film of a declared one: streams that can be decoded at a fraction
    of their size stop there. `no_window` says what happens to more than 8 bits without VOI LUT and
    window; 8-bit files without them hold display values already and stay as they are. `body_part`
    "chest" refuses films whose header names another. Raises ImageError with a reason code.
    """
    with _as_image_error():
        return _read(data, max_pixels, no_window, enough, body_part)


@contextmanager
def _as_image_error() -> Iterator[None]:
    """Whatever pydicom and the decoders raise on damaged bytes, even when an element is looked at,
    becomes an ImageError. It names the kind of error only: pydicom's messages quote values."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("too_large", "no memory for this DICOM file") from error
    except Exception as error:
        raise ImageError("undecodable", f"damaged DICOM ({type(error).__name__})") from error


def _read(
    data: bytes, max_pixels: int, no_window: NoWindow, enough: Enough, body_part: BodyPart
) -> Film:
    dataset = _parse(data, max_pixels, stop_before_pixels=False)
    dicom_header.refuse_others(dataset, body_part)
    size = width, height = dicom_header.declared(dataset)
    dicom_header.refuse_large(dataset, max_pixels)
    stored = _stored(dataset, enough(width, height))
    channels = stored.shape[2:]
    if stored.shape[:2] not in dicom_codecs.sizes(height, width) or channels not in ((), (3,)):
        raise ImageError("undecodable", f"DICOM pixels came out as {stored.shape}")
    provenance: dict[str, Any] = {
        "format": "DICOM",
        "transfer_syntax": str(dataset.file_meta.TransferSyntaxUID),
        "modality": str(dataset.get("Modality", "")),
        "body_part": str(dataset.get("BodyPartExamined", "")),
        "view": dicom_header.view(dataset),
        "bits": int(dataset.BitsStored),
        "decoded": (stored.shape[1], stored.shape[0]),
        "full": (width, height),
    }
    if stored.ndim == 3:
        return Film(_eight_bit_colour(stored, dataset), size, provenance | {"voi": "colour"})
    if str(dataset.PhotometricInterpretation) == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        coloured = apply_color_lut(stored, dataset)
        shown = coloured if coloured.dtype == np.uint8 else (coloured >> 8).astype(np.uint8)
        return Film(shown[..., :3], size, provenance | {"voi": "palette"})
    pixels, how = _shown(stored, dataset, no_window)
    return Film(pixels, size, provenance | how)


# --- header --------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _quiet() -> None:
    """Once a process: no value checks on reading, no complaints. pydicom's messages quote element
    values, which may identify a patient."""
    import pydicom.config

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pydicom\.")


def _parse(data: bytes, max_pixels: int, *, stop_before_pixels: bool) -> Any:
    import pydicom

    _quiet()
    has_preamble = data[128:132] == b"DICM"
    inflated = _inflated(data, max_pixels * 2 + 8 * _CHUNK)
    dataset = pydicom.dcmread(
        io.BytesIO(inflated),
        force=not has_preamble,
        stop_before_pixels=stop_before_pixels,
        specific_tags=list(dicom_header.SIZE_TAGS if stop_before_pixels else dicom_header.TAGS),
    )
    if not len(dataset):
        if has_preamble:  # pydicom drops all of a file that ends inside its compressed pixels.
            raise ImageError("truncated", "DICOM ends before its data is complete")
        raise ImageError("not_an_image", "neither PNG, JPEG nor DICOM")
    if inflated is not data:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    if not getattr(dataset, "file_meta", None) or "TransferSyntaxUID" not in dataset.file_meta:
        dataset.ensure_file_meta()
        dataset.file_meta.TransferSyntaxUID = _syntax_of(dataset)
    return dataset


def _syntax_of(dataset: Any) -> Any:
    """The native transfer syntax that fits how a file without meta information was read."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _inflated(data: bytes, limit: int) -> bytes:
    """A deflated file with its dataset inflated, up to `limit` bytes, and its meta group saying so;
    other files as they are. pydicom would inflate a bomb before any header can be read."""
    from pydicom.filereader import read_dataset
    from pydicom.values import converters

    start = 132 if data[128:132] == b"DICM" else 0
    if data[start : start + 2] != b"\x02\0":
        return data
    if data[start + 4 : start + 6].decode("latin-1") not in converters:  # Not as the standard asks.
        if _DEFLATED in data:
            raise ImageError("undecodable", "deflated DICOM with an odd meta group")
        return data
    stream = io.BytesIO(data)
    stream.seek(start)
    read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    end = stream.tell()
    if _DEFLATED not in data[start:end]:
        return data
    meta = data[:end].replace(_DEFLATED, _EXPLICIT.ljust(len(_DEFLATED), b"\0"))
    return b"".join((meta, *_inflated_chunks(data, end, limit)))


def _inflated_chunks(data: bytes, start: int, limit: int) -> Iterator[bytes]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    for at in range(start, len(data), _CHUNK):
        rest = data[at : at + _CHUNK]
        while rest and not stream.eof:
            try:
                chunk = stream.decompress(rest, _CHUNK)
            except zlib.error as error:
                raise ImageError("undecodable", "DICOM cannot be inflated") from error
            limit -= len(chunk)
            if limit < 0:
                raise ImageError("too_large", "deflated DICOM holds more than a film")
            rest = stream.unconsumed_tail
            yield chunk
    if not stream.eof:
        raise ImageError("truncated", "deflated DICOM ends before its data is complete")


# --- pixels --------------------------------------------------------------------------------------


def _stored(dataset: Any, enough: tuple[int, int]) -> NDArray[Any]:
    """Stored values, (H, W) integers or (H, W, 3) RGB, at least `enough` wide and high."""
    from pydicom.pixels import get_decoder

    if dataset.get("SamplesPerPixel") is None:
        dataset.SamplesPerPixel = 1
    if dataset.get("PixelRepresentation") is None:
        dataset.PixelRepresentation = 0
    bits = int(dataset.get("BitsAllocated") or 0)
    dataset.BitsStored = int(dataset.get("BitsStored") or 0) or bits
    if bits not in (8, 16) or dataset.BitsStored > bits:
        raise ImageError("unsupported_pixels", f"DICOM with {dataset.BitsStored} of {bits} bits")
    photometric = str(dataset.get("PhotometricInterpretation") or "").strip().upper()
    if not photometric:  # A guess would show every other film as its negative.
        raise ImageError("unsupported_pixels", "DICOM without PhotometricInterpretation")
    dataset.PhotometricInterpretation = photometric
    if dataset.SamplesPerPixel != (1 if photometric in _ONE_SAMPLE else 3):
        raise ImageError(
            "unsupported_pixels", f"DICOM with {dataset.SamplesPerPixel} samples a pixel"
        )
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        what = f"DICOM in transfer syntax {syntax}, which is not read"
        raise ImageError("unsupported_pixels", what) from error
    if syntax.is_encapsulated:
        return dicom_codecs.decompress(dataset, decoder, enough)
    needed = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * bits // 8
    held = len(dataset.PixelData)
    if held < needed and photometric != "YBR_FULL_422":
        raise ImageError("truncated", f"DICOM holds {held} of {needed} bytes of pixels")
    return _native(dataset, decoder)


def _native(dataset: Any, decoder: Any) -> NDArray[Any]:
    """Uncompressed stored values. A HighBit above the stored bits, which old files have, means that
    they sit at the top of the word, unless nothing is there; no HighBit means the usual place."""
    stored_bits = int(dataset.BitsStored)
    high = int(dataset.get("HighBit") or 0) + 1
    shift = high - stored_bits
    if shift <= 0 or high > dataset.BitsAllocated or dataset.PixelRepresentation:
        shift = 0
    dataset.BitsStored = stored_bits + shift
    array: NDArray[Any] = decoder.as_array(dataset, view_only=True)[0]
    dataset.BitsStored = stored_bits
    if shift and int(array.max()) >> stored_bits:
        return array >> shift
    return array


def _eight_bit_colour(stored: NDArray[Any], dataset: Any) -> NDArray[np.uint8]:
    if stored.dtype == np.uint8:
        return stored
    shift = max(int(dataset.BitsStored) - 8, 0)
    return np.clip(stored >> shift, 0, 255).astype(np.uint8)


def _shown(
    stored: NDArray[Any], dataset: Any, no_window: NoWindow
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Grey stored values -> uint8 (H, W) by one table over the stored values that occur."""
    first, last = int(stored.min()), int(stored.max())
    low = min(first, 0)  # Unsigned values index the table as they are.
    transform = grayscale.Grayscale.of(dataset)
    values = transform.modality(np.arange(low, last + 1, dtype=np.float64))
    shown: grayscale.Values | None = transform.voi(values)
    how: dict[str, Any] = {"voi": transform.voi_name, "inverted": transform.inverted}
    if shown is not None and last > first and np.ptp(shown[first - low :]) < 1 / 255:
        how["voi_ignored"] = transform.voi_name
        shown = None  # All one grey: the window is of another picture.
    if shown is None:
        counts = grayscale.counts(stored, low, len(values))
        shown, how["voi"] = transform.without_window(values, counts, low, no_window)
    if transform.inverted:
        shown = 1.0 - shown
    table = np.rint(np.clip(shown, 0.0, 1.0) * 255).astype(np.uint8)
    return grayscale.looked_up(table, stored, low), how
