"""What a replica needs from Ray, and whether it is there. Pure but for the question to Ray."""

from __future__ import annotations

from chexone_ray.config import EngineConfig, ServeConfig
from chexone_ray.engine.resources import require_gpus
from chexone_ray.errors import ChexoneError

INGRESS_CPUS = 0.1
"""The ingress waits most of the time; a whole logical CPU would not fit beside an engine on two."""


def bundles(engine: EngineConfig) -> list[dict[str, float]]:
    """Placement group of one replica: the replica itself is in the first, a GPU worker in each."""
    first: dict[str, float] = {"CPU": engine.num_cpus}
    if not engine.num_gpus:
        return [first]
    share = engine.num_gpus / engine.tensor_parallel
    return [first | {"GPU": share}, *({"GPU": share} for _ in range(engine.tensor_parallel - 1))]


def require(config: ServeConfig) -> None:
    """Raise ChexoneError where a Ray that cannot grow lacks what the smallest deployment needs."""
    require_gpus(config.engine, config.ray, "min_replicas", config.min_replicas)
    if config.ray.address != "local":
        return  # a cluster may start nodes when it is asked
    import ray

    there = ray.cluster_resources()
    cpus = config.engine.num_cpus * config.min_replicas + INGRESS_CPUS
    if cpus > there.get("CPU", 0):
        raise ChexoneError(
            f"engine.num_cpus={config.engine.num_cpus:g} times min_replicas={config.min_replicas} "
            f"and {INGRESS_CPUS:g} for the ingress is more than the {there.get('CPU', 0):g} "
            "logical CPUs here: lower it or raise ray.num_cpus"
        )
