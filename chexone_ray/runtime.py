"""Joining a Ray cluster from `RayConfig`, the same way for every stage, job and the demo."""

from __future__ import annotations

import logging
import os

from chexone_ray import s3
from chexone_ray.config import RayConfig
from chexone_ray.errors import ChexoneError

logger = logging.getLogger(__name__)


def join(config: RayConfig) -> None:
    """Connect this process to Ray; no effect when it is connected already.

    "local" starts a Ray that ends with this process, "auto" joins the cluster of this machine or of
    the submitted job, "ray://..." a remote one. Raises ChexoneError when there is none.
    """
    import ray

    # Workers inherit the environment of the process that starts Ray.
    s3.prepare_environment()
    if ray.is_initialized():
        return
    if config.address == "local":
        _start(config)
        return
    try:
        ray.init(address=config.address, logging_level=logging.WARNING)
    except (ConnectionError, TimeoutError, RuntimeError) as error:
        where = os.environ.get("RAY_ADDRESS", config.address)
        raise ChexoneError(
            f"no Ray cluster answers at {where} ({_first_line(error)}): start one with "
            "`ray start --head`, or run with --ray.address local"
        ) from error
    logger.info("joined Ray at %s", ray.get_runtime_context().gcs_address)


def leave() -> None:
    """Disconnect, and stop the Ray that `join` started; no effect when there is none."""
    import ray

    ray.shutdown()


def _start(config: RayConfig) -> None:
    import ray

    # Ray's default for a cluster of its own, said aloud: else it warns about it at every start.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    store = config.object_store_gb
    ray.init(
        "local",
        num_cpus=config.num_cpus,
        object_store_memory=None if store is None else int(store * 1e9),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.WARNING,
    )
    logger.info("started a local Ray with %s CPUs", ray.cluster_resources().get("CPU"))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
