"""A pool over engines of a few lines, which fail where a test says so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chexone_ray.config import EngineConfig, ImageConfig, SamplingConfig
from chexone_ray.engine.pool import EnginePool
from chexone_ray.engine.scaling import PoolPolicy
from chexone_ray.errors import WeightsLost
from chexone_ray.records import Completion, Request, Rollout

FAST = PoolPolicy(batch_size=4, depth=2, grow_after_s=0.1, idle_s=0.3, tick_s=0.02, log_every_s=0.5)
GREEDY = SamplingConfig()


class Bench:
    """What the fake engines share: a script of failures, and a record of what happened."""

    def __init__(self) -> None:
        self.engines: list[FakeEngine] = []
        self.delay_s = self.update_s = 0.01
        self.poison: set[str] = set()
        self.gone: set[Any] = set()
        self.bad_starts = 0
        self.start_error: Exception = RuntimeError("no memory")
        self.hold: threading.Event | None = None
        self.close_s = 0.0
        self.slow_start: int | None = None

    def make(self, uri: str, version: int) -> FakeEngine:
        engine = FakeEngine(self, uri, version)
        self.engines.append(engine)
        return engine

    @property
    def alive(self) -> list[FakeEngine]:
        return [engine for engine in self.engines if engine.state in ("up", "closing")]


class FakeEngine:
    """The seam: answers "<version>:<id>" after a delay; dies where the bench says so."""

    def __init__(self, bench: Bench, uri: str, version: int) -> None:
        self.bench, self.version = bench, version
        self.loaded: list[Any] = [uri]
        self.batches: list[list[str]] = []
        self.state = "new"
        self.refuse_update = self.hang_update = False
        self.in_flight = self.most_in_flight = 0

    async def start(self) -> None:
        await asyncio.sleep(0.01)
        if self.bench.slow_start is not None and self is self.bench.engines[self.bench.slow_start]:
            await asyncio.sleep(0.5)
        while self.bench.hold is not None and not self.bench.hold.is_set():
            await asyncio.sleep(0.01)
        if self.bench.bad_starts:
            self.bench.bad_starts -= 1
            raise self.bench.start_error
        self.state = "up"

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        self.batches.append([r.id for r in requests])
        self.in_flight += len(requests)
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        version = self.version
        await asyncio.sleep(self.bench.delay_s)
        self.in_flight -= len(requests)
        if self.state != "up" or self.bench.poison & {r.id for r in requests}:
            self.state = "dead"
            raise ConnectionError("actor died")
        one = [Completion(f"{version}:{r.id}", (1,), (0.0,), "stop", version) for r in requests]
        return [Rollout(r.id, (0,), (c,) * sampling.n) for r, c in zip(requests, one, strict=True)]

    async def update_weights(self, weights: Any, version: int) -> None:
        await asyncio.sleep(self.bench.update_s)
        if self.hang_update:
            await asyncio.sleep(30)
        if self.refuse_update:
            raise ConnectionError("actor died")
        if weights in self.bench.gone:
            raise WeightsLost("their owner died")
        self.loaded.append(weights)
        self.version = version

    async def load_checkpoint(self, uri: str, version: int) -> None:
        await self.update_weights(uri, version)

    async def check(self) -> None:
        if self.state != "up":
            raise ConnectionError("actor died")

    async def shutdown(self) -> None:
        self.state = "closing"
        await asyncio.sleep(self.bench.close_s)
        self.state = "closed"

    def kill(self) -> None:
        if self.state != "closed":
            self.state = "dead"


def requests(count: int, prefix: str = "r") -> list[Request]:
    return [Request(f"{prefix}{i}", "", ()) for i in range(count)]


@contextmanager
def pool(
    bench: Bench, low: int = 2, high: int = 2, policy: PoolPolicy = FAST, **settings: Any
) -> Iterator[EnginePool]:
    config = EngineConfig(
        num_gpus=0,
        min_engines=low,
        max_engines=high,
        **{"max_num_seqs": 8, "max_retries": 2, "start_timeout_s": 5} | settings,
    )
    with EnginePool(config, "base", ImageConfig(), policy=policy, factory=bench.make) as subject:
        yield subject


def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "condition never came true"
        time.sleep(0.01)


def texts(rollouts: Sequence[Rollout]) -> list[str]:
    return [r.completions[0].text if r.completions else r.error for r in rollouts]
