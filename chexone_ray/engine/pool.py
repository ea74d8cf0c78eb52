"""Many engines behind one call: least-loaded dispatch, retry, replacement, growth, weight versions.

`EnginePool` is a plain class of the driver. All its state lives in one thread with an asyncio loop;
public methods may be called from any thread and block, each with a bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType
from typing import Any, TypeVar

from chexone_ray.config import EngineConfig, ImageConfig, SamplingConfig
from chexone_ray.engine import lifetime
from chexone_ray.engine.crew import Crew
from chexone_ray.engine.handle import Factory, RayEngine
from chexone_ray.engine.scaling import PoolPolicy
from chexone_ray.engine.work import Call, Job
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Request, Rollout

logger = logging.getLogger(__name__)

T = TypeVar("T")
OnRollout = Callable[[int, Rollout], None]


class EnginePool:
    """Between min and max engines of one model, all at the newest weights.

    Consumes: requests from any thread; weights by `publish` and `load`. Produces: one rollout a
    request, in order. Waits for: engines, at most `start_timeout_s` to start and
    `request_timeout_s` a prompt. Unblocked by: finished batches, engines that become ready.
    On failure: an engine that raises or hangs is killed and replaced, its requests are repeated at
    most `max_retries` times and then become rollouts with an error; the replacement loads the
    newest weights before it takes work. Three failed starts in a row, with no engine that works or
    may yet come up, end every call with an error. Counts are in `counts`.

    The references given to `publish` must stay available for late joiners. When whoever made them
    with `ray.put` dies, no engine is blamed. During `publish` that raises WeightsLost, and so does
    `generate` until newer ones are there. Afterwards the engines that have them go on, and one that
    joins later waits for newer ones.
    """

    def __init__(
        self,
        config: EngineConfig,
        model_uri: str,
        images: ImageConfig,
        *,
        policy: PoolPolicy | None = None,
        factory: Factory | None = None,
    ) -> None:
        self.config = config
        self.images = images
        self._policy = policy or PoolPolicy()
        self._crew = Crew(
            config,
            model_uri,
            self._policy,
            factory or (lambda uri, version: RayEngine(config, uri, images, version)),
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="engine-pool", daemon=True)
        self._thread.start()

    @property
    def model_uri(self) -> str:
        """The checkpoint that was loaded last."""
        return str(self._crew.checkpoint.uri)

    @property
    def version(self) -> int:
        """The newest weight version."""
        return (self._crew.pushed or self._crew.checkpoint).version

    @property
    def pristine(self) -> bool:
        """True while the weights are those of `model_uri`: nothing was published since."""
        return self._crew.pushed is None

    @property
    def num_ready(self) -> int:
        """Engines that take work now."""
        return self._crew.num_ready

    @property
    def counts(self) -> Counter[str]:
        """Requests done, failed and repeated; engines launched, lost and retired; completions."""
        return self._crew.counts

    def engine_pids(self) -> list[int]:
        """Process ids of the engines that take work: what to watch, or to end, from outside."""
        members = [m for m in list(self._crew.members) if m.state == "ready"]
        return [pid for m in members if (pid := getattr(m.handle, "pid", None)) is not None]

    def wait_ready(self, timeout: float | None = None, num_engines: int | None = None) -> None:
        """Block until `num_engines` (the minimum by default) can work.

        Raises ChexoneError when that takes longer than `timeout` seconds (the time that
        `max_start_failures` starts may take by default) or the pool gave up, WeightsLost where
        some of them have to wait for newer weights.
        """
        wanted = num_engines or self.config.min_engines
        limit = timeout or self.config.start_timeout_s * self._policy.max_start_failures
        start = logged = time.monotonic()
        while self.num_ready < wanted:
            self._check_open()
            if (lost := self._crew.out_of_reach(wanted)) is not None:
                raise lost
            now = time.monotonic()
            if now - start > limit:
                raise ChexoneError(
                    f"{self.num_ready} of {wanted} engines ready after {limit:.0f} s: see the log "
                    "for their errors, free CPUs or GPUs, or raise engine.start_timeout_s"
                )
            if now - logged > self._policy.log_every_s:
                logged = now
                logger.info(
                    "waiting for engines since %.0f s: %d of %d ready",
                    now - start,
                    self.num_ready,
                    wanted,
                )
            time.sleep(0.05)

    def generate(
        self,
        requests: Sequence[Request],
        sampling: SamplingConfig,
        on_rollout: OnRollout | None = None,
    ) -> list[Rollout]:
        """Rollouts in the order of `requests`; `on_rollout(index, rollout)` as each one arrives.

        Callable from several threads at once. A request that failed is a rollout with `error`.
        Raises ChexoneError when the pool cannot start any engine.
        """
        call = Call()
        jobs = [Job(call, i, request, sampling) for i, request in enumerate(requests)]
        self._check_open()
        self._loop.call_soon_threadsafe(self._crew.enqueue, jobs)
        rollouts: list[Rollout | None] = [None] * len(jobs)
        try:
            for _ in jobs:
                index, rollout = self._next_result(call, rollouts)
                rollouts[index] = rollout
                if on_rollout is not None:
                    on_rollout(index, rollout)
        finally:
            call.cancelled = True
        return [rollout for rollout in rollouts if rollout is not None]

    def publish(self, weights: Any, version: int) -> int:
        """Give all engines new weights in parallel; returns how many have them now.

        `weights` is an ObjectRef of safetensors bytes (uint8, see `transfer.pack_state`), or a list
        of such references that together are one update. Always the same set of parameters between
        two calls of `load`. Engines that are not ready yet get them before they take work.
        Raises WeightsLost where their owner died before all had them.
        """
        return self._wait(
            self._crew.distribute(ref=weights, version=version),
            f"weights {version} to reach engines",
        )

    def load(self, model_uri: str, version: int | None = None) -> int:
        """Load another checkpoint of the same architecture into all engines; returns how many.

        `version` is the next number by default.
        """
        number = self.version + 1 if version is None else version
        return self._wait(
            self._crew.distribute(uri=model_uri, version=number), f"checkpoint {number} to load"
        )

    def health(self) -> dict[str, Any]:
        """Sizes, version and counts, for progress lines and reports."""
        states = Counter(m.state for m in list(self._crew.members))
        return {
            "engines": dict(states),
            "version": self.version,
            "waiting": len(self._crew.backlog),
            **self.counts,
        }

    def shutdown(self, timeout: float = 60.0) -> None:
        """End all engines within a bound; a second call does nothing."""
        if self._crew.closed:
            return
        self._crew.closed = True
        future = asyncio.run_coroutine_threadsafe(self._crew.close(), self._loop)
        with contextlib.suppress(FutureTimeout):
            future.result(timeout)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        if self.counts["engines_lost"]:
            lifetime.sweep()

    def __enter__(self) -> EnginePool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _next_result(self, call: Call, rollouts: Sequence[Rollout | None]) -> tuple[int, Rollout]:
        while True:
            try:
                result = call.results.get(timeout=self._policy.log_every_s)
            except queue.Empty:
                self._check_open()
                done = sum(rollout is not None for rollout in rollouts)
                logger.info(
                    "waiting for prompts: %d of %d done, %s", done, len(rollouts), self.health()
                )
                continue
            if isinstance(result, BaseException):
                raise result
            return result

    def _wait(self, work: Coroutine[Any, Any, T], what: str) -> T:
        try:
            self._check_open()
        except BaseException:
            work.close()
            raise
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        # The crew gives up an engine that takes longer; a checkpoint and what was pushed are two.
        limit = 2 * self._crew.update_limit_s
        start = time.monotonic()
        while True:
            try:
                return future.result(self._policy.log_every_s)
            except FutureTimeout:
                if future.done():  # just now
                    return future.result()
            except CancelledError:
                self._check_open()
                raise
            self._check_open()
            waited = time.monotonic() - start
            if waited > limit:
                # The work is not cancelled: engines cut short in an update would stay in it.
                raise ChexoneError(
                    f"waited {waited:.0f} s for {what}: see the engines' log, or raise "
                    f"engine.request_timeout_s={self.config.request_timeout_s:g}"
                )
            logger.info("waiting for %s since %.0f s", what, waited)

    def _check_open(self) -> None:
        if self._crew.fatal is not None:
            raise self._crew.fatal
        if self._crew.closed:
            raise RuntimeError("the engine pool is shut down")

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._crew.start)
        self._loop.run_forever()
        self._loop.close()
