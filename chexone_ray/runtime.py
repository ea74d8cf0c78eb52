"""Joining a Ray cluster from `RayConfig`, the same way for every stage, job and the demo."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from chexone_ray import ports, processes, s3
from chexone_ray.config import RayConfig
from chexone_ray.errors import ChexoneError

logger = logging.getLogger(__name__)

START_ATTEMPTS = 3
LEAVE_S = 10.0


def join(config: RayConfig) -> None:
    """Connect this process to Ray; no effect when it is connected already.

    "local" starts a Ray that ends with this process, "auto" joins the cluster of this machine or of
    the submitted job, "ray://..." a remote one. Raises ChexoneError when there is none.
    """
    if config.address == "local" and "ray" not in sys.modules:
        # Ray's default for a cluster of its own, said aloud: else it warns at every start. It is
        # read on import, so later it would be a token that this process does not send.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    import ray

    # Workers inherit the environment of the process that starts Ray.
    s3.prepare_environment()
    if ray.is_initialized():
        return
    if config.address == "local":
        _start(config)
        return
    where = config.address
    try:
        where = _address(config.address)
        _probe(where)
        ray.init(address=where, logging_level=logging.WARNING)
    except (OSError, RuntimeError) as error:
        raise ChexoneError(
            f"no Ray cluster answers at {where} ({_first_line(error)}): start one with "
            "`ray start --head`, or run with --ray.address local"
        ) from error
    logger.info("joined Ray at %s", where)


def _address(address: str) -> str:
    """What "auto" means here: RAY_ADDRESS (set in a job), else the cluster of this machine."""
    if address != "auto":
        return address
    from ray._private.services import canonicalize_bootstrap_address_or_die

    return str(os.environ.get("RAY_ADDRESS") or canonicalize_bootstrap_address_or_die("auto"))


def _probe(address: str) -> None:
    """Raise OSError where no port answers: Ray itself tries a dead address for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if port.isdigit():
        ports.probe(host.strip("[]"), int(port))


def leave() -> None:
    """Disconnect, and stop the Ray that `join` started; no effect when there is none.

    A worker that hangs in its own end outlives its raylet, so what is left is killed.
    """
    import ray

    workers = processes.ray_workers()
    ray.shutdown()
    left = processes.end(workers, LEAVE_S)
    if left:
        logger.warning("killed %d Ray workers that did not end within %.0f s", left, LEAVE_S)


def quiet_data() -> None:
    """Keep Ray Data's own progress, many lines every ten seconds, off the console; its log file
    has it."""
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.ERROR)


@contextmanager
def own_errors() -> Iterator[None]:
    """Raise a ChexoneError of a task or an actor as itself, not wrapped by Ray."""
    from ray.exceptions import RayTaskError

    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, ChexoneError):
            raise error.cause from error
        raise


def _start(config: RayConfig) -> None:
    import ray

    store = config.object_store_gb
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            ray.init(
                "local",
                num_cpus=config.num_cpus,
                object_store_memory=None if store is None else int(store * 1e9),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
            break
        except Exception as error:
            # Ray gives its own processes 30 s, too little on a machine that is busy.
            ray.shutdown()
            if "timed out during startup" not in str(error) or attempt == START_ATTEMPTS:
                raise
            logger.warning("Ray did not start within its 30 s (attempt %d): again", attempt)
    logger.info("started a local Ray with %s CPUs", ray.cluster_resources().get("CPU"))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
