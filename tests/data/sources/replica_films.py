"""Film files of the replicas: blocks of grey that differ from file to file."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from chexone_ray.data.archive_dicom import VARIANTS, dicom_bytes

SIDE = 96


def shoot(*paths: Path, side: int = SIDE) -> None:
    """A square film at each path, encoded as its suffix says: DICOM is packed by run
    lengths where it is small."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_encoded(path, _pixels(path.stem, side)))


def shoot_deep(path: Path, side: int = SIDE) -> None:
    """A 16-bit PNG of which 12 bits are used."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_pixels(path.stem, side).astype(np.uint16) * 16).save(path)


def _pixels(name: str, side: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    blocks = rng.integers(0, 256, (12, 12), dtype=np.uint8)
    return np.kron(blocks, np.ones((side // 12 + 1,) * 2, np.uint8))[:side, :side]


def _encoded(path: Path, pixels: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    if path.suffix in (".dcm", ".dicom"):
        kind = VARIANTS.index("rle" if len(pixels) == SIDE else "plain")  # packing takes its time
        return dicom_bytes(pixels, b"", kind, path.stem, "p", "s", "21500101", "PA")
    Image.fromarray(pixels).save(buffer, "JPEG" if path.suffix == ".jpg" else "PNG")
    return buffer.getvalue()
