"""What the tests of engines share."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest


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
