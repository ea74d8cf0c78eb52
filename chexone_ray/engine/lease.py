"""A stage's pool: the one that it was given, with its checkpoint loaded, or one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chexone_ray import runtime
from chexone_ray.engine.resources import require_gpus
from chexone_ray.errors import ChexoneError

if TYPE_CHECKING:
    from chexone_ray.config import (
        FilterConfig,
        ImageConfig,
        PredictConfig,
        ProbeConfig,
        TraceConfig,
    )
    from chexone_ray.engine.handle import Factory
    from chexone_ray.engine.pool import EnginePool
    from chexone_ray.engine.scaling import PoolPolicy


def refuse_other_images(images: ImageConfig, pool: EnginePool) -> None:
    """Raise ChexoneError where the engines of `pool` were started for other image settings."""
    if pool.images != images:
        raise ChexoneError(
            f"images={images} differ from those of the running engines "
            f"({pool.images}): give every stage the same image settings"
        )


@contextmanager
def leased_pool(
    config: FilterConfig | PredictConfig | ProbeConfig | TraceConfig,
    pool: EnginePool | None,
    factory: Factory | None = None,
    policy: PoolPolicy | None = None,
) -> Iterator[EnginePool]:
    """`pool` at the weights of `config.model_uri`, left running; without one, an own pool that
    joins `config.ray` and ends with the block, of engines by `factory` (of vLLM by default)."""
    assert config.model_uri is not None, "a stage without a model of its own needs no engines"
    if pool is not None:
        refuse_other_images(config.images, pool)
        if pool.model_uri != config.model_uri or not pool.pristine:
            pool.load(config.model_uri)
        yield pool
        return
    from chexone_ray.engine.pool import EnginePool

    runtime.join(config.ray)
    require_gpus(config.engine, config.ray, "engine.min_engines", config.engine.min_engines)
    with EnginePool(
        config.engine, config.model_uri, config.images, policy=policy, factory=factory
    ) as own:
        yield own
