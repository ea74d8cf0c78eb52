"""Films a second: our decode against the obvious way, one thread, the same files.

The obvious way: PNG and JPEG by Pillow and qwen_vl_utils' resize; DICOM by pydicom's `pixel_array`
and `apply_voi_lut`, MONOCHROME1 inverted, scaled to 8 bits, then the same resize. Where both decode
by the same steps, the mean difference in grey levels is logged as well. Without `--files` the
films are drawn: 3000x2500, 12 bits for DICOM. The last lines are JSON; a ratio above 1 is in our
favour.

    python benchmarks/images.py [--files FOLDER] [--repeat 5]
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

from chexone_ray import images, log
from chexone_ray.config import ImageConfig

logger = logging.getLogger(__name__)

CONFIG = ImageConfig()
HEIGHT, WIDTH = 3000, 2500


def film(bits: int) -> np.ndarray:
    """A grainy smooth picture, about as hard to compress as a film: uint8 or uint16 (H, W)."""
    draw = np.random.default_rng(0)
    coarse = draw.random((12, 10), dtype=np.float32)
    smooth = np.asarray(pillow.fromarray(coarse).resize((WIDTH, HEIGHT), pillow.Resampling.BICUBIC))
    grain = draw.normal(0, 0.004, (HEIGHT, WIDTH))
    values = np.clip((smooth + grain) * 0.8 + 0.1, 0, 1) * (2**bits - 1)
    return values.astype(np.uint8 if bits == 8 else np.uint16)


def drawn_files() -> dict[str, bytes]:
    """One film in the encodings that archives hold."""
    from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

    def saved(values: np.ndarray, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        pillow.fromarray(values).save(buffer, kind, **options)
        return buffer.getvalue()

    eight, twelve = film(8), film(12)
    return {
        "png": saved(eight, "PNG"),
        "jpeg": saved(eight, "JPEG", quality=90),
        "dicom": dicom_file(twelve, ExplicitVRLittleEndian),
        "dicom rle": dicom_file(twelve, RLELossless),
        "dicom jpeg2000": dicom_file(twelve, JPEG2000Lossless),
    }


def dicom_file(values: np.ndarray, syntax: Any) -> bytes:
    """A digital X-ray, MONOCHROME1, with a window."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import (
        DigitalXRayImageStorageForPresentation,
        ExplicitVRLittleEndian,
        generate_uid,
    )

    data = Dataset()
    data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = generate_uid()
    data.Modality = "DX"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME1"
    data.Rows, data.Columns = values.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.WindowCenter, data.WindowWidth = "2048", "4096"
    data.PixelData = values.tobytes()
    data["PixelData"].VR = "OW"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    if syntax != ExplicitVRLittleEndian:
        data.compress(syntax, generate_instance_uid=False)
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def ours(data: bytes) -> np.ndarray:
    """The package's decode."""
    return images.decode(data, CONFIG).pixels


def other(data: bytes) -> np.ndarray:
    """What one writes without a package."""
    from qwen_vl_utils.vision_process import smart_resize

    if data[:8] == b"\x89PNG\r\n\x1a\n" or data[:2] == b"\xff\xd8":
        picture = pillow.open(io.BytesIO(data)).convert("RGB")
    else:
        picture = pillow.fromarray(shown(data)).convert("RGB")
    height, width = smart_resize(
        picture.height, picture.width, 28, CONFIG.min_pixels, CONFIG.max_pixels
    )
    return np.asarray(picture.resize((width, height)))


def shown(data: bytes) -> np.ndarray:
    """8-bit pixels of a DICOM file by pydicom's own functions."""
    import pydicom
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    dataset = pydicom.dcmread(io.BytesIO(data))
    array = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    array = array.astype(np.float64) / (2**dataset.BitsStored - 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        array = 1 - array
    return np.rint(array * 255).astype(np.uint8)


def best_of(decode: Callable[[bytes], np.ndarray], data: bytes, repeat: int) -> float:
    """Films a second in the fastest of `repeat` runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        decode(data)
        times.append(time.perf_counter() - start)
    return 1 / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, help="folder of films instead of drawn ones")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    log.configure()
    if options.files:
        found = (path for path in sorted(options.files.rglob("*")) if path.is_file())
        files = {path.name: path.read_bytes() for path in found}
    else:
        files = drawn_files()
    for name in ("PIL", "pydicom", "openjpeg"):
        logging.getLogger(name).setLevel(logging.WARNING)
    lines = []
    for name, data in files.items():
        try:
            difference = float(np.abs(ours(data).astype(int) - other(data)).mean())
        except Exception as error:  # A file that either side cannot read is no race.
            logger.info("%s left out: %s", name, type(error).__name__)
            continue
        rates = [best_of(decode, data, options.repeat) for decode in (ours, other)]
        logger.info("%s: mean difference %.2f grey levels", name, difference)
        lines.append(
            {
                "benchmark": f"images: {name}",
                "ours": round(rates[0], 2),
                "other": round(rates[1], 2),
                "ratio": round(rates[0] / rates[1], 2),
                "unit": "films/s, one thread",
            }
        )
    for line in lines:
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
