"""A stage takes only engines that see images as it does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chexone_ray.config import FilterConfig, GrpoConfig, ImageConfig
from chexone_ray.engine.lease import leased_pool
from chexone_ray.errors import ChexoneError
from chexone_ray.grpo import driver

URIS = {"output_uri": "o", "model_uri": "m", "manifest_uri": "n"}
RUNNING: Any = SimpleNamespace(images=ImageConfig(max_pixels=12_544), model_uri="m", pristine=True)


def test_engines_of_other_images_are_refused() -> None:
    with pytest.raises(ChexoneError, match="max_pixels=12544"):  # noqa: SIM117
        with leased_pool(FilterConfig(**URIS), RUNNING):
            pass
    with pytest.raises(ChexoneError, match="max_pixels=12544"):  # noqa: SIM117
        with driver._engines(GrpoConfig(**URIS), RUNNING):
            pass


def test_engines_of_the_same_images_are_taken() -> None:
    with leased_pool(FilterConfig(**URIS, images=RUNNING.images), RUNNING) as pool:
        assert pool is RUNNING
    with driver._engines(GrpoConfig(**URIS, images=RUNNING.images), RUNNING) as pool:
        assert pool is RUNNING
