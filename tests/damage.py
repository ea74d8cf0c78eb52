"""Decode random mutants of one small film: `python -m tests.damage KIND SEED NUMBER`."""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from chexone_ray.config import ImageConfig
from chexone_ray.errors import ImageError
from chexone_ray.images import decode, size

KINDS = ("png", "png16", "jpeg", "implicit", "deflated", "rle", "jpeg2000", "jpegls", "lossless")
CONFIG = ImageConfig(max_source_pixels=2_000_000)


def original(kind: str) -> bytes:
    """A film of 84x112 in one encoding."""
    from PIL import Image as pillow
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        JPEG2000Lossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        RLELossless,
    )

    from tests.test_dicom import WINDOW, film, gdcm_encoded, ramp, written

    if kind in ("png", "png16", "jpeg"):
        values = ramp(16) if kind == "png16" else ramp(8)
        buffer = io.BytesIO()
        pillow.fromarray(values).save(buffer, "JPEG" if kind == "jpeg" else "PNG")
        return buffer.getvalue()
    data = film(ramp(), **WINDOW)
    if kind in ("lossless", "jpegls"):
        syntax = JPEGLosslessSV1 if kind == "lossless" else JPEGLSLossless
        with tempfile.TemporaryDirectory() as folder:
            return gdcm_encoded(data, syntax, Path(folder))
    if kind in ("rle", "jpeg2000"):
        data.compress(RLELossless if kind == "rle" else JPEG2000Lossless)
    elif kind == "deflated":
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    else:
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return written(data)


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Cut, insert, or change 1, 3 or 20 bytes, most often in the header."""
    mutant = bytearray(data)
    how = draw.choice(("header", "header", "header", "anywhere", "insert", "cut"))
    if how == "cut":
        return bytes(mutant[: draw.randrange(len(mutant))])
    for _ in range(draw.choice((1, 3, 20))):
        at = draw.randrange(min(len(mutant), 1200) if how == "header" else len(mutant))
        if how == "insert":
            mutant[at:at] = draw.randbytes(draw.randrange(9))
        else:
            mutant[at] = draw.choice((draw.randrange(256), 0, 1, 255, mutant[at] ^ 1))
    return bytes(mutant)


def run(kind: str, seed: int, number: int) -> dict[str, Any]:
    """Outcomes of `number` mutants by reason, and the longest time for one."""
    draw = random.Random(f"{kind} {seed}")
    data = original(kind)
    assert decode(data, CONFIG).pixels.shape == (84, 112, 3)
    counts: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(number):
        mutant = mutate(data, draw)
        start = time.perf_counter()
        try:
            image = decode(mutant, CONFIG)
            assert image.pixels.dtype == np.uint8 and image.pixels.shape[2] == 3
            counts["decoded"] += 1
        except ImageError as error:
            counts[error.reason] += 1
        slowest = max(slowest, time.perf_counter() - start)
        with contextlib.suppress(ImageError):
            size(mutant)
    return {"counts": dict(counts), "slowest_s": slowest}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))) + "\n")
