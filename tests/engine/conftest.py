"""One pool of two real engines for all live engine tests; started by the first one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from chexone_ray.config import EngineConfig, ImageConfig
from chexone_ray.downloads import download

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

LIVE_IMAGES = ImageConfig(max_pixels=12_544, min_pixels=3_136)
LIVE_ENGINE = EngineConfig(
    num_gpus=0,
    num_cpus=1,
    threads=1,
    dtype="float32",
    max_model_len=512,
    max_num_seqs=64,
    kv_cache_mb=128,
    enforce_eager=True,
    lean=True,
    max_images=2,
    min_engines=2,
    max_engines=2,
    start_timeout_s=400,
    request_timeout_s=120,
)


@pytest.fixture(scope="session")
def live_images() -> ImageConfig:
    """The pixel limits of the live engines."""
    return LIVE_IMAGES


@pytest.fixture(scope="session")
def live_engine() -> EngineConfig:
    """The settings of the live engines."""
    return LIVE_ENGINE


@pytest.fixture(scope="session")
def model_folder(tiny_model_uri: str) -> str:
    """A local copy of the tiny tied model with random weights."""
    return str(download(tiny_model_uri))


@pytest.fixture(scope="session")
def pool(ray_local: None, model_folder: str) -> Iterator[EnginePool]:
    """Two running engines of the tiny model."""
    from chexone_ray.engine.pool import EnginePool

    with EnginePool(LIVE_ENGINE, model_folder, LIVE_IMAGES) as engines:
        engines.wait_ready()
        yield engines


@pytest.fixture(scope="session")
def png() -> Any:
    """(height, width, seed) -> PNG bytes of a smooth random picture."""
    from PIL import Image

    def draw(height: int, width: int, seed: int = 0) -> bytes:
        coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return buffer.getvalue()

    return draw


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for checkpoints that tests write."""
    return tmp_path_factory.mktemp("scratch")
