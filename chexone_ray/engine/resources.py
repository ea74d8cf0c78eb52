"""Whether Ray has what the smallest pool needs, asked before anything waits for it."""

from __future__ import annotations

import logging

from chexone_ray.config import EngineConfig, RayConfig
from chexone_ray.errors import ChexoneError

logger = logging.getLogger(__name__)

ON_CPU = "--engine.num_gpus 0 --engine.dtype float32 --engine.lean true"


def require_gpus(engine: EngineConfig, ray_config: RayConfig, name: str, number: int) -> None:
    """Raise ChexoneError where a Ray that cannot grow has fewer GPUs than `number` engines take;
    on a cluster, which may start nodes when it is asked, tell it. `name` is what sets `number`."""
    import ray

    there = ray.cluster_resources().get("GPU", 0)
    if engine.num_gpus * number <= there:
        return
    told = (
        f"engine.num_gpus={engine.num_gpus:g} times {name}={number} is more than the {there:g} "
        f"GPUs here"
    )
    if ray_config.address == "local":
        raise ChexoneError(f"{told}: lower it, or run on the CPU with {ON_CPU}")
    logger.warning("%s: waiting for the cluster to grow; to run on CPUs instead: %s", told, ON_CPU)
