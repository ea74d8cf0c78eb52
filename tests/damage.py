"""Small films in every encoding that is read, and damage to them: made the same way again from the
same seed and number."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image as pillow
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
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

from tests import films
from tests.damage_dicom import deflate_again, edit_element, edit_length
from tests.films import WINDOW, film, gdcm_encoded, lut, ramp, written

Mutation = Callable[[bytes, random.Random], bytes]

_EXTREMES = (0, 1, 2, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)
_GREY, _COLOUR = ramp(8), np.stack([ramp(8), 255 - ramp(8), ramp(8, 1)], axis=2)


# --- originals -----------------------------------------------------------------------------------


def _saved(values: np.ndarray, kind: str = "PNG", mode: str = "", **options: object) -> bytes:
    picture = pillow.fromarray(values)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def _exif() -> bytes:
    exif = pillow.Exif()
    exif[0x0112], exif[0x010E] = 6, "a film"
    return exif.tobytes()


def _several() -> bytes:
    first, second = (pillow.fromarray(_COLOUR), pillow.fromarray(_COLOUR[::2, ::2]))
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    return buffer.getvalue()


def _compressed(syntax: UID, data: Dataset) -> bytes:
    options = {"j2k_psnr": [60]} if syntax == JPEG2000 else {}
    data.compress(syntax, generate_instance_uid=False, **options)
    return written(data)


def _by_gdcm(syntax: UID, data: Dataset) -> bytes:
    """GDCM writes the time of day, so only its stream is taken."""
    stream = films.frame(gdcm_encoded(data, syntax))
    return written(films.encapsulated(data, syntax, stream))


def _native(syntax: UID) -> bytes:
    data = film(ramp(), ViewPosition="PA", BodyPartExamined="CHEST", **WINDOW)
    data.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        data.PixelData = ramp().astype(">u2").tobytes()
    return written(data)


def _tables() -> bytes:
    values = (ramp().astype(np.int32) - 2048).astype(np.int16)
    table = lut(np.arange(0, 4096, 4), -500, 12, "SS")
    return written(film(values, VOILUTSequence=table, PhotometricInterpretation="MONOCHROME1"))


def _rgb() -> Dataset:
    return film(_COLOUR, 8, PhotometricInterpretation="RGB", PlanarConfiguration=0)


def _palette() -> bytes:
    data = film(_GREY, 8, PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        entries = (np.arange(256) * 257).astype("<u2").tobytes()
        setattr(data, f"{name}PaletteColorLookupTableData", entries)
    return written(data)


def _baseline() -> bytes:
    stream = _saved(_GREY, "JPEG", quality=90)
    return written(films.encapsulated(film(_GREY, 8), JPEGBaseline8Bit, stream))


def _extended() -> bytes:
    data = film(np.zeros((88, 112), dtype=np.uint16), **WINDOW)
    stream = films.extended_jpeg(ramp()[::8, ::8])
    return written(films.encapsulated(data, JPEGExtended12Bit, stream))


ORIGINALS: dict[str, Callable[[], bytes]] = {
    "png": lambda: _saved(_GREY),
    "png16": lambda: _saved(ramp(16)),
    "png rgba": lambda: _saved(_COLOUR, mode="RGBA", exif=_exif()),
    "png palette": lambda: _saved(_GREY, mode="P", transparency=3),
    "png bilevel": lambda: _saved(_GREY, mode="1"),
    "jpeg": lambda: _saved(_GREY, "JPEG", exif=_exif()),
    "jpeg progressive": lambda: _saved(_COLOUR, "JPEG", progressive=True),
    "jpeg cmyk": lambda: _saved(_COLOUR, "JPEG", mode="CMYK"),
    "mpo": _several,
    "explicit": lambda: written(film(ramp(), ViewPosition="PA", **WINDOW)),
    "implicit": lambda: _native(ImplicitVRLittleEndian),
    "big endian": lambda: _native(ExplicitVRBigEndian),
    "deflated": lambda: _native(DeflatedExplicitVRLittleEndian),
    "no preamble": lambda: _native(ImplicitVRLittleEndian)[132:],
    "no window": lambda: written(film(ramp(16), 16, PixelPaddingValue=0)),
    "tables": _tables,
    "rgb": lambda: written(_rgb()),
    "palette": _palette,
    "rle": lambda: _compressed(RLELossless, film(ramp(), **WINDOW)),
    "rle rgb": lambda: _compressed(RLELossless, _rgb()),
    "baseline": _baseline,
    "extended": _extended,
    "jpeg2000": lambda: _compressed(JPEG2000Lossless, film(ramp(), **WINDOW)),
    "jpeg2000 lossy": lambda: _compressed(JPEG2000, film(ramp(), **WINDOW)),
    "jpeg2000 rgb": lambda: _compressed(JPEG2000Lossless, _rgb()),
    "lossless": lambda: _by_gdcm(JPEGLossless, film(ramp(), **WINDOW)),
    "lossless sv1": lambda: _by_gdcm(JPEGLosslessSV1, film(ramp(), **WINDOW)),
    "jpegls": lambda: _by_gdcm(JPEGLSLossless, film(ramp(), **WINDOW)),
    "jpegls near": lambda: _by_gdcm(JPEGLSNearLossless, film(_GREY, 8)),
}
KINDS = tuple(ORIGINALS)


@cache
def original(kind: str) -> bytes:
    """A film of about 84x112 in one encoding."""
    return ORIGINALS[kind]()


# --- damage --------------------------------------------------------------------------------------


def mutant(seed: int, number: int) -> tuple[str, bytes]:
    """(kind, bytes) of one damaged film: one to three mutations of an original."""
    draw = random.Random(f"{seed} {number}")
    kind = draw.choice(KINDS)
    data = original(kind)
    for _ in range(draw.choice((1, 1, 2, 3))):
        data = _MUTATIONS[_name_for(data, draw)](data, draw)
    if data[:4] == b"\x89PNG" and draw.random() < 0.8:
        data = with_checksums(data)  # Otherwise the decoder sees no further than the first one.
    return kind, data


def _name_for(data: bytes, draw: random.Random) -> str:
    """Half of the time damage that knows the format."""
    anything = ("bits", "bytes", "insert", "cut", "drop", "repeat", "splice", "header swap")
    if draw.random() < 0.03:
        return "larger"
    if draw.random() < 0.5 or len(data) < 200:
        return draw.choice(anything)
    if data[:4] == b"\x89PNG":
        return "chunk"
    if data[:2] == b"\xff\xd8":
        return "segment"
    return draw.choice(("element", "element", "length", "segment", "inflated"))


def _place(data: bytes, draw: random.Random) -> int:
    """Most often in the header."""
    return draw.randrange(max(1, min(len(data), draw.choice((300, 1200, 1 << 30)))))


def _bits(data: bytes, draw: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(draw.choice((1, 2, 8, 64)) if out else 0):
        out[_place(data, draw)] ^= 1 << draw.randrange(8)
    return bytes(out)


def _bytes(data: bytes, draw: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(draw.choice((1, 3, 20)) if out else 0):
        out[_place(data, draw)] = draw.choice((draw.randrange(256), 0, 1, 255))
    return bytes(out)


def _insert(data: bytes, draw: random.Random) -> bytes:
    at = _place(data, draw)
    return data[:at] + draw.randbytes(draw.choice((1, 4, 100))) + data[at:]


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _drop(data: bytes, draw: random.Random) -> bytes:
    at = _place(data, draw)
    return data[:at] + data[at + draw.choice((1, 2, 8, 200)) :]


def _repeat(data: bytes, draw: random.Random) -> bytes:
    at = _place(data, draw)
    return (
        data[:at] + data[at : at + draw.choice((4, 40, 400))] * draw.choice((1, 2, 50)) + data[at:]
    )


def _splice(data: bytes, draw: random.Random) -> bytes:
    other = original(draw.choice(KINDS))
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other)) :]


def _header_swap(data: bytes, draw: random.Random) -> bytes:
    other = original(draw.choice(KINDS))
    at = draw.choice((4, 24, 132, 300, 600, len(data) // 2))
    return other[:at] + data[at:]


def _chunk(data: bytes, draw: random.Random) -> bytes:
    """One chunk of a PNG repeated, dropped, or with an extreme number in its length or its body."""
    starts, at = [], 8
    while at + 12 <= len(data):
        starts.append(at)
        at += 12 + int.from_bytes(data[at : at + 4])
    start = draw.choice(starts or [0])
    end = start + 12 + int.from_bytes(data[start : start + 4])
    how = draw.randrange(4)
    if how == 0:
        return data[:start] + data[start:end] * draw.choice((0, 2, 30)) + data[end:]
    if how == 1:
        fresh = zlib.compress(bytes(draw.choice((0, 100, 1 << 20))))
        body = struct.pack(">I", len(fresh)) + b"IDAT" + fresh + bytes(4)
        return data[:start] + body + data[start:]
    field = start if how == 2 else start + 8 + 4 * draw.randrange(4)
    return _with_number(data, field, ">I", draw)


def _segment(data: bytes, draw: random.Random) -> bytes:
    """An extreme number in a marker segment of a JPEG or JPEG 2000 stream, wherever it lies in the
    file, or the segment a second time."""
    markers = [b"\xff" + bytes([m]) for m in (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xDA, 0xDB, 0xF7, 0xE1)]
    markers += [b"\xff" + bytes([m]) for m in (0x51, 0x52, 0x5C, 0x90, 0x93)]
    present = [at for marker in markers if (at := data.find(marker)) >= 0]
    if not present:
        return _bytes(data, draw)
    at = draw.choice(present)
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
    if draw.random() < 0.2:
        return data[:at] + data[at:end] * draw.choice((0, 2, 120)) + data[end:]
    field = at + 2 + draw.randrange(max(1, min(end - at - 2, 60)))
    return _with_number(data, field, draw.choice((">I", ">H", "B")), draw)


def _with_number(data: bytes, at: int, form: str, draw: random.Random) -> bytes:
    size = struct.calcsize(form)
    number = draw.choice((*_EXTREMES, draw.randrange(1 << 32), 9_000, 20_000)) % (1 << 8 * size)
    return data[:at] + struct.pack(form, number) + data[at + size :]


def _larger(data: bytes, draw: random.Random) -> bytes:
    """One larger size in every header of the file at once, so that it is believed further in."""
    width, height = (draw.choice((300, 3_000, 6_300)) for _ in range(2))
    out = bytearray(data)

    def put(mark: bytes, skip: int, form: str, *numbers: int) -> None:
        at = data.find(mark)
        if at >= 0:
            packed = struct.pack(form, *numbers)
            out[at + skip : at + skip + len(packed)] = packed

    put(b"IHDR", 4, ">II", width, height)
    put(b"\xff\x4f\xff\x51", 8, ">II", width, height)
    if draw.random() < 0.5:
        put(b"\xff\x4f\xff\x51", 24, ">II", width, height)  # One tile.
    for marker in (0xC0, 0xC1, 0xC2, 0xC3, 0xF7):
        put(bytes((0xFF, marker, 0)), 5, ">HH", height, width)
    for order in "<>":
        for tag, number in ((0x10, height), (0x11, width)):
            for between in (b"US" + struct.pack(order + "H", 2), struct.pack(order + "I", 2)):
                put(struct.pack(order + "HH", 0x28, tag) + between, 8, order + "H", number)
    return bytes(out)


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold now."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 8 + int.from_bytes(out[at : at + 4])
        if end + 4 > len(out):
            break
        out[end : end + 4] = struct.pack(">I", zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


_MUTATIONS: dict[str, Mutation] = {
    **{"bits": _bits, "bytes": _bytes, "insert": _insert, "cut": _cut, "drop": _drop},
    **{"repeat": _repeat, "splice": _splice, "header swap": _header_swap},
    **{"chunk": _chunk, "segment": _segment, "element": edit_element, "length": edit_length},
    "larger": _larger,
    "inflated": lambda data, draw: deflate_again(data, draw, _bytes),
}
