"""Images of many samples by Ray tasks: order, bad images, and errors that arrive as themselves."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import ImageConfig
from chexone_ray.engine import decoding, requests
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.records import ImageRef, Sample

LIMITS = ImageConfig(max_pixels=12_544, min_pixels=3_136)
COUNT = 2 * requests.SAMPLES_PER_TASK + 3


def films(folder: Path) -> list[Sample]:
    """Films of distinct grey levels."""
    for number in range(COUNT):
        film = np.full((56, 56, 3), number, dtype=np.uint8)
        (folder / f"{number}.png").write_bytes(images.to_png(film))
    return [sample(number, str(folder / f"{number}.png")) for number in range(COUNT)]


def sample(number: int, uri: str) -> Sample:
    refs = (ImageRef(uri),)
    return Sample(str(number), "d", "t", "view", "test", "p", "s", refs, "View?", "PA")


@pytest.mark.slow
def test_tasks_keep_the_order_and_tell_bad_images(ray_local: None, tmp_path: Path) -> None:
    samples = films(tmp_path)
    (tmp_path / "7.png").write_bytes(b"no picture")
    (tmp_path / "20.png").unlink()
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


@pytest.mark.slow
def test_calls_of_many_threads_end_and_so_does_one_that_hangs(
    ray_local: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = films(tmp_path)
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda _: requests.load_pngs(samples, LIMITS), range(6)))
    assert results == [results[0]] * 6 and len(results[0]) == COUNT
    (tmp_path / "7.png").unlink()
    os.mkfifo(tmp_path / "7.png")  # whose reader waits for a writer, as for storage that hangs
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "TIMEOUT_S", 3.0)
        with pytest.raises(ChexoneError, match="a task did not end within 3 s"):
            requests.load_pngs(samples, LIMITS)
    (tmp_path / "7.png").unlink()
    after = requests.load_pngs(samples, LIMITS)
    assert isinstance(after[7], ImageError) and after[6] == results[0][6]
