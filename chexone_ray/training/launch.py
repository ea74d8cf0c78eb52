"""Ray Train around a training loop, with workers that can start before their work is known.

`fit(...)` returns at once. Ray Train brings the workers up, they import torch, transformers and
DeepSpeed, and wait for `Fit.go(loop_config)`; so a start-up of tens of seconds overlaps with the
stage before.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chexone_ray.config import TrainerConfig
from chexone_ray.errors import ChexoneError, StorageError
from chexone_ray.log import Waiting

logger = logging.getLogger(__name__)

POLL_S = 1.0
WARM_WAIT_S = 24 * 3600.0
"""Longest that workers which were started early wait for their work; they end with the driver."""
STOP = "stop"
Row = dict[str, Any]
Loop = Callable[[dict[str, Any], "Mailbox"], Any]
"""(loop_config, mailbox) -> result of rank 0; runs on every worker. Importable by name."""


class _Letters:
    """The state of one run that driver and workers share: an actor without a CPU of its own.

    Consumes the loop's settings from the driver, rows and the result from rank 0. Workers poll
    `settings`, the driver polls `take_rows` and `result`; nobody blocks inside the actor.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] | None = None
        self.rows: list[Row] = []
        self.ready: set[int] = set()
        self.outcome: tuple[Any] | None = None
        self.refusal: ChexoneError | None = None

    def put_settings(self, config: dict[str, Any]) -> None:
        self.config = config

    def settings(self, rank: int) -> dict[str, Any] | None:
        self.ready.add(rank)
        return self.config

    def num_ready(self) -> int:
        return len(self.ready)

    def put_row(self, row: Row) -> None:
        self.rows.append(row)

    def take_rows(self) -> list[Row]:
        rows, self.rows = self.rows, []
        return rows

    def put_result(self, result: Any) -> None:
        self.outcome = (result,)

    def result(self) -> tuple[Any] | None:
        return self.outcome

    def put_refusal(self, error: ChexoneError) -> None:
        self.refusal = self.refusal or error
        self.config = {STOP: True}  # for the group that Ray Train starts again

    def refused(self) -> ChexoneError | None:
        return self.refusal


class Mailbox:
    """A worker's side of `_Letters`."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    def report(self, row: Row) -> None:
        """Send a progress row to the driver without waiting."""
        self.actor.put_row.remote(row)

    def wait_for_settings(self, rank: int, timeout_s: float) -> dict[str, Any]:
        """The loop's settings. Waits for `Fit.go`; raises ChexoneError after `timeout_s`."""
        import ray

        end = time.monotonic() + timeout_s
        waiting = Waiting(logger, f"worker {rank}: the settings of its run")
        while time.monotonic() < end:
            config: dict[str, Any] | None = ray.get(self.actor.settings.remote(rank), timeout=60)
            if config is not None:
                return config
            waiting.remind()
            time.sleep(0.2)
        raise ChexoneError(
            f"training workers waited {timeout_s:.0f} s for the stage before: look at its log"
        )


class Fit:
    """A training run in flight.

    Consumes: the loop's settings (`go`). Produces: the loop's result (`result`).
    Waits for: the worker group (start_timeout_s), then the loop. On failure: Ray Train restarts the
    group up to max_failures times, then `result` raises. A ChexoneError of the loop (but for one of
    storage), which a restart would meet again, is raised at once; a restarted group goes home.
    """

    def __init__(
        self, name: str, trainer: TrainerConfig, actor: Any, run: Callable[[], Any]
    ) -> None:
        self.name, self.trainer = name, trainer
        self._actor = actor
        self._released = False
        self._thread = threading.Thread(target=self._work, args=(run,), daemon=True, name=name)
        self._error: BaseException | None = None
        self._thread.start()

    def _work(self, run: Callable[[], Any]) -> None:
        try:
            run()
        except BaseException as error:
            self._error = error

    def go(self, loop_config: dict[str, Any]) -> None:
        """Release the workers with their settings. `loop_config` must pickle."""
        import ray

        ray.get(self._actor.put_settings.remote(loop_config), timeout=60)
        self._released = True

    def stop(self, timeout_s: float = 60) -> None:
        """Send waiting workers home; no effect on a run that has settings already."""
        if not self._released:
            self.go({STOP: True})
        self._thread.join(timeout_s)

    def num_ready(self) -> int:
        """Workers that have imported everything."""
        import ray

        return int(ray.get(self._actor.num_ready.remote(), timeout=60))

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Block until all workers have imported everything, or the run has failed (see `result`).

        Raises ChexoneError after `timeout_s` (the trainer's start_timeout_s by default).
        """
        limit = timeout_s or self.trainer.start_timeout_s
        end = time.monotonic() + limit
        waiting = Waiting(logger, f"{self.name}: the workers to be up")
        while self._thread.is_alive() and self.num_ready() < self.trainer.num_workers:
            if time.monotonic() > end:
                raise ChexoneError(
                    f"{self.name}: {self.num_ready()} of {self.trainer.num_workers} workers up "
                    f"after {limit:.0f} s: free CPUs or GPUs, or raise trainer.start_timeout_s"
                )
            waiting.remind()
            time.sleep(POLL_S)

    def result(
        self,
        timeout_s: float | None = None,
        on_row: Callable[[Row], None] | None = None,
        quiet: bool = False,
    ) -> Any:
        """Wait for the loop and return what rank 0 returned.

        `on_row` gets the rows that rank 0 reports meanwhile; a line is logged while none comes,
        unless `quiet` (for a caller that tells of its own wait). Raises the loop's error, or
        ChexoneError after `timeout_s` seconds, when the run is still going on.
        """
        import ray

        if not self._released:
            raise RuntimeError(f"{self.name}: call go() before result()")
        end = None if timeout_s is None else time.monotonic() + timeout_s
        waiting = Waiting(logger, f"{self.name}: the workers' next row or result")
        while True:
            running = self._thread.is_alive()
            rows = ray.get(self._actor.take_rows.remote(), timeout=60)
            for row in rows:
                if on_row:
                    on_row(row)
            refusal = ray.get(self._actor.refused.remote(), timeout=60)
            if refusal is not None:
                raise refusal
            if not running:
                break
            if rows or quiet:
                waiting.restart()
            waiting.remind()
            if end is not None and time.monotonic() > end:
                raise ChexoneError(f"{self.name} did not end within {timeout_s:.0f} s")
            self._thread.join(POLL_S)
        if self._error is not None:
            raise _root(self._error)
        outcome = ray.get(self._actor.result.remote(), timeout=60)
        if outcome is None:
            raise RuntimeError(f"{self.name}: the workers ended without a result")
        return outcome[0]


def _root(error: BaseException) -> BaseException:
    """The user's own error out of Ray Train's wrapping, where there is one."""
    for inner in getattr(error, "worker_failures", {}).values():
        cause = getattr(inner, "_base_exc", None) or inner.__cause__ or inner
        if isinstance(cause, ChexoneError):
            return cause
    return error


def fit(
    loop: Loop,
    trainer: TrainerConfig,
    name: str,
    loop_config: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
) -> Fit:
    """Start a Ray Train run of `loop` in the background; Ray must be initialised.

    Without `loop_config` the workers start, import and wait for `Fit.go`. `environment` is added
    to that of the workers.
    """
    import ray

    actor = ray.remote(num_cpus=0)(_Letters).remote()
    started = Fit(
        name, trainer, actor, lambda: _train(loop, trainer, name, actor, environment or {})
    )
    if loop_config is not None:
        started.go(loop_config)
    return started


def worker_environment(trainer: TrainerConfig) -> dict[str, str]:
    """Variables that must be set before a worker imports torch or DeepSpeed."""
    values = {"TOKENIZERS_PARALLELISM": "false"}
    if trainer.threads:
        values["OMP_NUM_THREADS"] = str(trainer.threads)
    if not trainer.use_gpu:
        values["DS_ACCELERATOR"] = "cpu"
    return values


def _train(
    loop: Loop, trainer: TrainerConfig, name: str, actor: Any, environment: dict[str, str]
) -> None:
    """Build the TorchTrainer and run it to its end."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    # Read by the controller; its default of 60 s is short for machines that are busy.
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(int(trainer.start_timeout_s))
    resources = {"CPU": trainer.cpus_per_worker}
    if trainer.use_gpu:
        resources["GPU"] = 1
    TorchTrainer(
        _enter,
        train_loop_config={
            "loop": loop,
            "actor": actor,
            "wait_s": WARM_WAIT_S,
            "threads": trainer.threads,
        },
        scaling_config=ScalingConfig(
            num_workers=trainer.num_workers,
            use_gpu=trainer.use_gpu,
            resources_per_worker=resources,
        ),
        torch_config=TorchConfig(
            backend="nccl" if trainer.use_gpu else "gloo", timeout_s=int(trainer.start_timeout_s)
        ),
        run_config=RunConfig(
            name=f"{name}-{uuid.uuid4().hex[:8]}",
            # Ray Train keeps a few kilobytes of its own here; checkpoints go to the output URI.
            storage_path=str(Path(tempfile.gettempdir()) / f"chexone-ray-train-{os.getuid()}"),
            # Workers that do not come up in start_timeout_s end the run; Ray would try for ever.
            failure_config=FailureConfig(
                max_failures=trainer.max_failures, controller_failure_limit=0
            ),
            worker_runtime_env={"env_vars": {**worker_environment(trainer), **environment}},
        ),
    ).fit()


def _enter(config: dict[str, Any]) -> None:
    """What every worker runs: imports, the wait for settings, the loop."""
    import ray.train
    import torch

    from chexone_ray import log

    log.configure()
    start = time.perf_counter()
    import deepspeed  # noqa: F401
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor  # noqa: F401

    import chexone_ray.training.trainer  # noqa: F401

    if config["threads"]:
        torch.set_num_threads(config["threads"])
    rank = ray.train.get_context().get_world_rank()
    logger.info("worker %d imported in %.1f s", rank, time.perf_counter() - start)
    mailbox = Mailbox(config["actor"])
    settings = mailbox.wait_for_settings(rank, config["wait_s"])
    if STOP in settings:
        return
    try:
        result = config["loop"](settings, mailbox)
    except StorageError:
        raise
    except ChexoneError as error:
        ray.get(config["actor"].put_refusal.remote(error), timeout=60)
        raise
    if rank == 0:
        ray.get(config["actor"].put_result.remote(result), timeout=600)
