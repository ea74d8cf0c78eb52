"""Decoding of real films, where the folder of openly licensed ones is present."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from chexone_ray.config import ImageConfig
from chexone_ray.errors import ImageError
from chexone_ray.images import Image, decode, fit_to_grid, size

REAL = Path(__file__).parents[1].parent / "shared" / "data" / "real"
CONFIG = ImageConfig()
HAND = ImageConfig(body_part="any")
"""For the films of another part of the body."""

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no folder of real films at {REAL}")

ENCODINGS = ("J2KR", "JPLL", "JLSL", "RLE", "JPLY")
REFUSED = {"CT_small.dcm": "modality", "MR_truncated.dcm": "modality"}
REFUSED |= {f"RG3_{kind}": "body_part" for kind in ENCODINGS}


def film(name: str) -> bytes:
    return (REAL / name).read_bytes()


def decoded(name: str) -> Image:
    return decode(film(name), CONFIG)


def files() -> list[Path]:
    tables = {".json", ".csv", ".md"}
    return sorted(path for path in REAL.rglob("*") if path.is_file() and path.suffix not in tables)


def test_every_real_file_decodes_or_is_refused_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = {}
    for path in files():
        data = path.read_bytes()
        try:
            image = decode(data, CONFIG)
        except ImageError as error:
            refused[path.name] = error.reason
            continue
        height, width, channels = image.pixels.shape
        assert (image.pixels.dtype, channels) == (np.uint8, 3)
        assert height % 28 == width % 28 == 0
        assert 3_136 <= height * width <= 262_144
        geometry = image.geometry
        assert size(data) == (geometry.original_width, geometry.original_height)
        assert image.pixels.std() > 10
    assert refused == REFUSED
    assert len(files()) >= 30
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_the_same_film_in_five_encodings() -> None:
    names = [f"dicom_wg04/{kind}/RG3_{kind}" for kind in ENCODINGS]
    images = [decode(film(name), HAND) for name in names]
    first, *others, lossy = (image.pixels.astype(int) for image in images)
    for other in others:
        np.testing.assert_array_equal(first, other)
    assert 0 < np.abs(lossy - first).mean() < 1
    assert {image.provenance["view"] for image in images} == {"AP"}


def test_monochrome1_chest_has_bright_bones_and_dark_lungs() -> None:
    grey = decoded("dicom_wg04/JLSN/RG1_JLSN").pixels[..., 0].astype(float)
    height, width = grey.shape
    spine = grey[int(0.45 * height) : int(0.6 * height), int(0.47 * width) : int(0.55 * width)]
    lung = grey[int(0.2 * height) : int(0.35 * height), int(0.62 * width) : int(0.72 * width)]
    assert spine.mean() > lung.mean() + 30


@pytest.mark.parametrize(
    "name", ["nih_chestxray14/images/00000001_000.png", "nih_dicom/dicom_00000001_000.dcm"]
)
def test_nih_film_polarity(name: str) -> None:
    grey = decoded(name).pixels[..., 0].astype(float)
    heart = grey[300:350, 250:300]
    lung = grey[180:260, 340:380]
    assert heart.mean() > lung.mean() + 60


def test_the_same_exposure_as_png_and_as_dicom() -> None:
    png = decoded("nih_chestxray14/images/00000001_000.png").pixels.astype(int)
    dicom = decoded("nih_dicom/dicom_00000001_000.dcm").pixels.astype(int)
    assert np.abs(png - dicom).mean() < 3


def test_png_films_equal_the_model_familys_own_pipeline() -> None:
    from qwen_vl_utils.vision_process import fetch_image

    compared = 0
    for path in files():
        if path.suffix != ".png":
            continue
        theirs = fetch_image(
            {"image": pillow.open(path), "max_pixels": 262_144, "min_pixels": 3_136}
        )
        np.testing.assert_array_equal(decode(path.read_bytes(), CONFIG).pixels, np.asarray(theirs))
        compared += 1
    assert compared >= 10


def test_jpeg_films_are_near_a_full_decode_also_when_decoded_small() -> None:
    for max_pixels in (262_144, 12_544):
        config = ImageConfig(max_pixels=max_pixels)
        for path in files():
            if path.suffix != ".jpg":
                continue
            data = path.read_bytes()
            picture = pillow.open(io.BytesIO(data)).convert("RGB")
            rows, columns = fit_to_grid(picture.height, picture.width, max_pixels, 3_136)
            full = np.asarray(picture.resize((columns, rows), pillow.Resampling.BICUBIC))
            assert np.abs(decode(data, config).pixels.astype(int) - full).mean() < 1.0


def test_voi_lut_pattern() -> None:
    image = decoded("dicom_pydicom/vlut_04.dcm")
    assert image.provenance["voi"] == "lut"
    assert {0, 255} <= set(np.unique(image.pixels))
