"""The live things of one demo run: S3 server, Ray and the engine pool."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from chexone_ray import runtime
from chexone_ray.demo.recipe import BUCKET, RAY, Configs
from chexone_ray.s3_server import LocalS3

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool
    from chexone_ray.training.launch import Fit

logger = logging.getLogger(__name__)


class Session:
    """Owns the S3 server, Ray and the pool of one run.

    Consumes: nothing. Produces: an environment in which `BUCKET` exists, Ray runs and the pool can
    be had. Waits for: Ray in `start_ray`, the pool on first use, each bounded by its own timeout.
    On failure: `close()` stops whatever was started, in any state.

    Make it and call `start_ray` in the main thread: the kernel ends the S3 server and Ray with the
    thread that started them.
    """

    def __init__(self, folder: Path, configs: Configs) -> None:
        self._configs = configs
        objects = folder / "s3"
        (objects / BUCKET.removeprefix("s3://")).mkdir(parents=True, exist_ok=True)
        self._s3 = LocalS3(objects)
        self._s3.start()
        self._saved = dict(os.environ)
        os.environ.update(self._s3.environment())
        self._pool: EnginePool | None = None
        self._workers: dict[str, Fit] = {}

    def start_ray(self) -> float:
        """Start Ray if it is not running; the seconds that it took."""
        start = time.monotonic()
        runtime.join(RAY)
        return time.monotonic() - start

    def warm_pool(self, model: str) -> EnginePool:
        """The pool, which starts on that model where there is none, without waiting for it."""
        from chexone_ray.engine.pool import EnginePool

        if self._pool is None:
            recipe = self._configs.recipe
            self._pool = EnginePool(recipe.engine, self._configs.model_uri[model], recipe.images)
        return self._pool

    def pool(self, model: str) -> tuple[EnginePool, float]:
        """The running pool (with any weights) and the seconds spent waiting for it."""
        start = time.monotonic()
        pool = self.warm_pool(model)
        pool.wait_ready()
        return pool, time.monotonic() - start

    def warm_workers(self, stage: str, start: Callable[[], Fit]) -> None:
        """Start the training workers of a later stage without waiting for them."""
        if stage not in self._workers:
            self._workers[stage] = start()

    def take_workers(self, stage: str, start: Callable[[], Fit]) -> tuple[Fit, float]:
        """Hand the workers of a stage over once they are up, and the seconds of that wait."""
        begun = time.monotonic()
        self.warm_workers(stage, start)
        workers = self._workers.pop(stage)
        workers.wait_ready()
        return workers, time.monotonic() - begun

    def close_pool(self) -> None:
        """Stop the engines, if any."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def close(self) -> None:
        """Stop everything; leaves no process behind."""
        with ExitStack() as ended:
            ended.callback(self._restore_environment)
            ended.callback(self._s3.stop)
            ended.callback(runtime.leave)
            for workers in self._workers.values():
                ended.callback(workers.stop)
            ended.callback(self.close_pool)

    def _restore_environment(self) -> None:
        os.environ.clear()
        os.environ.update(self._saved)
