"""Image bytes -> 8-bit RGB on the 28-pixel grid, with the geometry to map boxes back.

Training, rollouts and serving all decode here, once, so that they cannot disagree on a pixel or on
the number of image tokens: a picture on the grid within the limits passes every later processor
unchanged. PNG and JPEG go through Pillow, DICOM through `films/dicom.py`; JSRT's headerless films
are read here.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chexone_ray.boxes import Geometry
from chexone_ray.config import ImageConfig
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.films import grayscale, jpeg_stream
from chexone_ray.films.grayscale import NoWindow

if TYPE_CHECKING:
    from PIL import Image as Pillow

GRID = 28
"""Patch of 14 pixels times a merge of 2: one image token a cell."""
MAX_RATIO = 200
"""Longest side over the shorter one."""

Pixels: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8."""

_LARGEST_RATIO = 1032
"""Bytes that one byte of a PNG can inflate to; a pixel takes a bit at the least."""
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JSRT_SIDE, _JSRT_MAX = 2048, 4095
_ROTATIONS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF orientation -> Pillow's Transpose."""
_SWAPPED = (5, 6, 7, 8)


@dataclass(frozen=True)
class Image:
    """One decoded image. `provenance` says how the pixels came about, without identifiers."""

    film: NDArray[np.uint8]
    """(H, W) of a grey picture, (H, W, 3) of one in colour."""
    geometry: Geometry
    provenance: dict[str, Any]

    @cached_property
    def pixels(self) -> Pixels:
        """(H, W, 3)."""
        return in_colour(self.film)


def decode(data: bytes, config: ImageConfig) -> Image:
    """Decode and resize one image file.

    Raises ImageError with a reason code: empty, not_an_image, unsupported_format, truncated,
    undecodable, too_large, aspect_ratio, multi_frame, and for DICOM also modality, body_part,
    document, no_pixels, unsupported_pixels. Nothing larger than `max_source_pixels` is decoded.
    """
    if data[:8] == _PNG:
        picture, original, provenance = _open_png(data, config)
    elif data[:3] == _JPEG:
        picture, original, provenance = _open_jpeg(data, config)
    elif is_jsrt(data):
        picture, original, provenance = _open_jsrt(data, config)
    else:
        picture, original, provenance = _open_dicom(data, config)
    height, width = fit_to_grid(original[1], original[0], config.max_pixels, config.min_pixels)
    film = _resize(picture, width, height)
    return Image(film, Geometry(*original, width, height), provenance)


def size(data: bytes) -> tuple[int, int]:
    """(width, height) of the displayed original, from the header alone. Raises ImageError."""
    if data[:8] == _PNG:
        return _png_size(data)
    if data[:3] == _JPEG:
        return _displayed_size(_open(data, "JPEG"))
    if is_jsrt(data):
        return (_JSRT_SIDE, _JSRT_SIDE)
    _require_dicom(data)
    from chexone_ray.films import dicom

    return dicom.size(data)


def is_jsrt(data: bytes) -> bool:
    """True for a film as JSRT has it: 2048 x 2048 big-endian words of 12 bits and no header.

    The mark of any format that has one makes a word above 12 bits.
    """
    if len(data) != 2 * _JSRT_SIDE**2:
        return False
    return bool(np.frombuffer(data, ">u2").max() <= _JSRT_MAX)


def fit_to_grid(height: int, width: int, max_pixels: int, min_pixels: int) -> tuple[int, int]:
    """(height, width) on the grid, area within the limits, aspect ratio kept as well as it goes.

    The same numbers as `smart_resize` of qwen_vl_utils with factor 28. Raises ImageError
    "aspect_ratio" for pictures so narrow that no such size exists.
    """
    if max(height, width) > MAX_RATIO * min(height, width):
        raise ImageError(
            "aspect_ratio", f"{width}x{height}: one side is over {MAX_RATIO} times the other"
        )
    rows, columns = max(GRID, round(height / GRID) * GRID), max(GRID, round(width / GRID) * GRID)
    if rows * columns > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        rows = math.floor(height / shrink / GRID) * GRID
        columns = math.floor(width / shrink / GRID) * GRID
    elif rows * columns < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        rows = math.ceil(height * grow / GRID) * GRID
        columns = math.ceil(width * grow / GRID) * GRID
    if max(rows, columns) > MAX_RATIO * min(
        rows, columns
    ):  # No row at all, or none for a later step.
        raise ImageError("aspect_ratio", f"{width}x{height} is too narrow for a grid of {GRID}")
    if not min_pixels <= rows * columns <= max_pixels:
        raise ChexoneError(
            f"images.min_pixels={min_pixels} is too near images.max_pixels={max_pixels}: a film of "
            f"{width}x{height} fits neither; lower min_pixels"
        )
    return rows, columns


def to_png(pixels: Pixels) -> bytes:
    """Lossless PNG bytes, made for speed; three equal channels are stored as one."""
    from PIL import Image as pillow

    one = grey(pixels)
    buffer = io.BytesIO()
    picture = pillow.fromarray(np.ascontiguousarray(pixels) if one is None else one)
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def grey(pixels: Pixels) -> NDArray[np.uint8] | None:
    """The one channel (H, W) of a picture whose three are equal, else None."""
    red = pixels[..., 0]
    if np.array_equal(red, pixels[..., 1]) and np.array_equal(red, pixels[..., 2]):
        return np.ascontiguousarray(red)
    return None


def from_png(data: bytes) -> Pixels:
    """The inverse of `to_png`. Raises ImageError."""
    return in_colour(_to_array(_loaded(_open(data, "PNG"), "full_range")[0]))


# --- formats -------------------------------------------------------------------------------------

_Opened = tuple["Pillow.Image", tuple[int, int], dict[str, Any]]
"""Picture of mode L or RGB, (width, height) of the displayed original, provenance."""


def _open_png(data: bytes, config: ImageConfig) -> _Opened:
    original = _png_size(data)
    _refuse_large(original, config)
    if original[0] * original[1] > 8 * _LARGEST_RATIO * len(data):
        raise ImageError("truncated", f"PNG of {len(data)} bytes declares {original} pixels")
    picture = _open(data, "PNG")
    if picture.size != original:  # A second header chunk, which Pillow follows.
        raise ImageError("undecodable", "PNG with two sizes")
    if getattr(picture, "n_frames", 1) > 1:
        raise ImageError("multi_frame", f"animated PNG of {picture.n_frames} frames")  # type: ignore[attr-defined]
    provenance: dict[str, Any] = {"format": "PNG", "mode": picture.mode}
    shown, more = _loaded(picture, config.no_window)
    return shown, original, provenance | more


def _open_jpeg(data: bytes, config: ImageConfig) -> _Opened:
    """Large files are decoded at a half, a quarter or an eighth, straight from the DCT, as long as
    that leaves twice the pixels that the resize needs in each direction."""
    from PIL import Image as pillow

    picture = _open(data, "JPEG")
    _refuse_large(picture.size, config)
    if jpeg_stream.too_many_scans(data):
        raise ImageError("undecodable", "JPEG that goes over the picture too often")
    if jpeg_stream.too_short(data):
        raise ImageError("truncated", f"JPEG of {len(data)} bytes declares {picture.size} pixels")
    original = _displayed_size(picture)
    rotation = _ROTATIONS.get(_orientation(picture))
    stored_height, stored_width = fit_to_grid(
        picture.height, picture.width, config.max_pixels, config.min_pixels
    )
    full = picture.size
    picture.draft(None, (2 * stored_width, 2 * stored_height))
    provenance = {"format": "JPEG", "mode": picture.mode, "decoded": picture.size, "full": full}
    shown, more = _loaded(picture, config.no_window)
    if rotation is not None:
        shown = shown.transpose(pillow.Transpose(rotation))
    return shown, original, provenance | more | {"rotated": rotation is not None}


def _open_jsrt(data: bytes, config: ImageConfig) -> _Opened:
    """The set counts from white, as MONOCHROME1 does."""
    from PIL import Image as pillow

    original = (_JSRT_SIDE, _JSRT_SIDE)
    _refuse_large(original, config)
    shown = np.rint((_JSRT_MAX - np.frombuffer(data, ">u2")) * (255 / _JSRT_MAX)).astype(np.uint8)
    return pillow.fromarray(shown.reshape(original)), original, {"format": "JSRT", "bits": 12}


def _open_dicom(data: bytes, config: ImageConfig) -> _Opened:
    from PIL import Image as pillow

    _require_dicom(data)
    from chexone_ray.films import dicom

    def enough(width: int, height: int) -> tuple[int, int]:
        rows, columns = fit_to_grid(height, width, config.max_pixels, config.min_pixels)
        return 2 * columns, 2 * rows

    film = dicom.read(data, config.max_source_pixels, config.no_window, enough, config.body_part)
    return pillow.fromarray(np.ascontiguousarray(film.pixels)), film.size, film.provenance


def _require_dicom(data: bytes) -> None:
    from chexone_ray.films import dicom

    if not data:
        raise ImageError("empty", "the file has no bytes")
    if dicom.looks_like_dicom(data):
        return
    known = {b"%PDF": "PDF", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP", b"II*\0": "TIFF"}
    known[b"MM\0*"] = "TIFF"
    for start, name in known.items():
        if data.startswith(start):
            raise ImageError("unsupported_format", f"{name} file: send PNG, JPEG or DICOM")
    raise ImageError("not_an_image", "neither PNG, JPEG nor DICOM")


def _open(data: bytes, kind: str) -> Pillow.Image:
    from PIL import Image as pillow

    with _as_image_error(kind, "header"):
        return pillow.open(io.BytesIO(data), formats=(kind,))


def _loaded(picture: Pillow.Image, no_window: NoWindow) -> tuple[Pillow.Image, dict[str, Any]]:
    """The decoded picture in mode L or RGB, and how it came about."""
    with _as_image_error(picture.format or "image", "pixels"):
        picture.load()
        return _eight_bit(picture, no_window)


@contextmanager
def _as_image_error(kind: str, what: str) -> Iterator[None]:
    """Pillow raises anything on damaged bytes, and its messages may quote them."""
    from PIL import Image as pillow

    try:
        yield
    except (pillow.DecompressionBombError, MemoryError) as error:
        raise ImageError("too_large", f"{kind} has too many pixels for the memory") from error
    except Exception as error:
        reason = "truncated" if "truncated" in str(error) else "undecodable"
        name = type(error).__name__
        raise ImageError(reason, f"{kind} {what} cannot be read ({name})") from error


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise ImageError("truncated", "PNG without a header")
    width, height = struct.unpack(">II", data[16:24])
    if not width or not height:
        raise ImageError("undecodable", f"PNG of {width}x{height} pixels")
    return width, height


def _refuse_large(declared: tuple[int, int], config: ImageConfig) -> None:
    width, height = declared
    if width * height > config.max_source_pixels:
        raise ImageError(
            "too_large", f"{width}x{height} pixels, the limit is {config.max_source_pixels}"
        )


def _orientation(picture: Pillow.Image) -> int:
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # EXIF is an aside: damaged EXIF counts as none.
        return 1


def _displayed_size(picture: Pillow.Image) -> tuple[int, int]:
    width, height = picture.size
    return (height, width) if _orientation(picture) in _SWAPPED else (width, height)


# --- pixels --------------------------------------------------------------------------------------


def _eight_bit(picture: Pillow.Image, no_window: NoWindow) -> tuple[Pillow.Image, dict[str, Any]]:
    """Mode L or RGB. 16-bit grey has no window, so it is shown as a DICOM without one, which
    Pillow's own conversion would clip; transparency is laid on white, as the model family's own
    code does."""
    from PIL import Image as pillow

    if picture.mode in ("L", "RGB"):
        return picture, {}
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        stored = np.asarray(picture)
        counts = grayscale.counts(stored, 0, int(stored.max()) + 1)
        bits = max(8, (len(counts) - 1).bit_length())
        values = np.arange(len(counts), dtype=np.float64)
        if no_window == "percentile":
            shown = grayscale.percentile_stretch(values, counts)
        else:
            shown = values / (2**bits - 1)
        table = np.rint(shown * 255).astype(np.uint8)
        return pillow.fromarray(grayscale.looked_up(table, stored)), {
            "bits": bits,
            "voi": no_window,
        }
    if picture.mode == "1":
        return picture.convert("L"), {}
    if picture.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in picture.info:
        layer = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        white = pillow.new("RGB", layer.size, (255, 255, 255))
        white.paste(layer, mask=layer)
        return white, {}
    return picture.convert("RGB"), {}


def _resize(picture: Pillow.Image, width: int, height: int) -> NDArray[np.uint8]:
    from PIL import Image as pillow

    if picture.size != (width, height):
        picture = picture.resize((width, height), pillow.Resampling.BICUBIC)
    return _to_array(picture)


def _to_array(picture: Pillow.Image) -> NDArray[np.uint8]:
    return np.array(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))


def in_colour(film: NDArray[np.uint8]) -> Pixels:
    """A film of one or three channels as one of three."""
    return np.repeat(film[:, :, None], 3, axis=2) if film.ndim == 2 else film
