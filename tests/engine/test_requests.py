"""Images of many samples by Ray tasks: order, bad images, and errors that arrive as themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import ImageConfig
from chexone_ray.engine import requests
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.records import ImageRef, Sample

LIMITS = ImageConfig(max_pixels=12_544, min_pixels=3_136)
COUNT = 2 * requests.SAMPLES_PER_TASK + 3


def sample(number: int, uri: str) -> Sample:
    refs = (ImageRef(uri),)
    return Sample(str(number), "d", "t", "view", "test", "p", "s", refs, "View?", "PA")


@pytest.mark.slow
def test_tasks_keep_the_order_and_tell_bad_images(ray_local: None, tmp_path: Path) -> None:
    for number in range(COUNT):
        film = np.full((56, 56, 3), number, dtype=np.uint8)
        (tmp_path / f"{number}.png").write_bytes(images.to_png(film))
    (tmp_path / "7.png").write_bytes(b"no picture")
    (tmp_path / "20.png").unlink()
    samples = [sample(number, str(tmp_path / f"{number}.png")) for number in range(COUNT)]
    loaded = requests.load_pngs(samples, LIMITS)
    assert [number for number, pngs in enumerate(loaded) if isinstance(pngs, ImageError)] == [7, 20]
    assert isinstance(loaded[20], ImageError) and loaded[20].reason == "missing"
    for number, pngs in enumerate(loaded):
        if not isinstance(pngs, ImageError):
            assert images.from_png(pngs[0]).max() == number


@pytest.mark.slow
def test_storage_that_is_not_there_is_one_clear_error(ray_local: None) -> None:
    samples = [sample(number, f"s3:/{number}") for number in range(COUNT)]
    with pytest.raises(ChexoneError, match="a scheme is followed by ://"):
        requests.load_pngs(samples, LIMITS)
