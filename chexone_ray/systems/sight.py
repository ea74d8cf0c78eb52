"""What a model sees of a film: the picture that is sent, and how its boxes lie on the original."""

from __future__ import annotations

import io
from collections.abc import Sequence

from chexone_ray.boxes import Geometry
from chexone_ray.images import size
from chexone_ray.records import ImageRef
from chexone_ray.systems.adapter import Adapter


def sent(adapter: Adapter, pngs: Sequence[bytes]) -> tuple[bytes, ...]:
    """The films as they are sent. Squeezing and cropping are left to the model's own processor;
    padding is not part of any, so it is done here."""
    if adapter.shape != "pad":
        return tuple(pngs)
    return tuple(_padded(png, adapter.side) for png in pngs)


def geometry(adapter: Adapter, refs: Sequence[ImageRef], pngs: Sequence[bytes]) -> Geometry | None:
    """Of the first film; None without one. `pngs` are the films before `sent`; where the sizes of
    the original are not known theirs stand in, which are up to half a cell of 28 pixels off."""
    if not pngs:
        return None
    seen = size(pngs[0])
    width, height = refs[0].width or seen[0], refs[0].height or seen[1]
    if adapter.shape == "pad":
        return Geometry.padded(width, height, adapter.side)
    if adapter.shape == "crop":
        return Geometry.cropped(width, height, adapter.side)
    if adapter.shape == "squash":
        return Geometry(width, height, adapter.side, adapter.side)
    return Geometry(width, height, *seen)


def _padded(png: bytes, side: int) -> bytes:
    """The film in the middle of a black square of `side` pixels."""
    from PIL import Image

    film = Image.open(io.BytesIO(png))
    scale = side / max(film.size)
    width, height = (max(1, round(length * scale)) for length in film.size)
    square = Image.new(film.mode, (side, side))
    square.paste(
        film.resize((width, height), Image.Resampling.BICUBIC),
        ((side - width) // 2, (side - height) // 2),
    )
    buffer = io.BytesIO()
    square.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
