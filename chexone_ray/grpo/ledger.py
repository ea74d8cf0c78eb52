"""Where the GRPO driver and the training workers meet: step batches in, trainer reports out.

The workers belong to Ray Train, so the driver holds no handle to them; both hold one to this actor.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chexone_ray.grpo.rollouts import Position

if TYPE_CHECKING:
    from ray import ObjectRef


@dataclass(frozen=True)
class TrainerReport:
    """The trainer stands after `step` with these weights; it can take the batch of `step` + 1."""

    step: int
    position: Position
    """How far the prompts were consumed after `step`."""
    weights: Sequence[ObjectRef]
    """One reference to uint8 safetensors bytes of the trainable weights; empty where the engines
    have them already (a fresh start). In a sequence, so that Ray passes the reference, not its
    value."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    started: bool = False
    """The worker group has just (re)started at `step`: later steps, if any, are void."""


class Ledger:
    """A small asynchronous actor between the driver and the training workers.

    Consumes: from the driver the batches of one step, one reference a rank; from rank 0 one
    `TrainerReport` a step. Produces: each to the other side. Waits for: whichever side is slower,
    each wait with the caller's timeout, after which the call returns None. Unblocked by:
    `put_batches`, `put_report` and `close`. On failure: it holds references and numbers only, so
    when it dies both sides get a Ray actor error and a rerun resumes from the last checkpoint.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._batches: tuple[int, Sequence[ObjectRef]] = (0, ())
        self._reports: deque[TrainerReport] = deque()
        self._closed = ""

    async def put_batches(self, step: int, references: Sequence[ObjectRef]) -> None:
        """The driver leaves the batches of `step`, one a rank; they replace older ones."""
        async with self._changed:
            self._batches = (step, references)
            self._changed.notify_all()

    async def take_batch(
        self, step: int, rank: int, timeout_s: float
    ) -> list[ObjectRef] | str | None:
        """Rank `rank` asks for its batch of `step`: [reference], or why there will be none, or None
        after `timeout_s`."""
        await self._wait(lambda: bool(self._closed) or self._batches[0] == step, timeout_s)
        if self._closed:
            return self._closed
        return [self._batches[1][rank]] if self._batches[0] == step else None

    async def put_report(self, report: TrainerReport) -> None:
        """Rank 0 leaves its report. One of a start voids the batches that an earlier group left."""
        async with self._changed:
            if report.started:
                self._batches = (0, ())
            self._reports.append(report)
            self._changed.notify_all()

    async def take_report(self, timeout_s: float) -> TrainerReport | None:
        """The driver asks for the oldest report that it has not seen; None after `timeout_s`."""
        await self._wait(lambda: bool(self._reports), timeout_s)
        return self._reports.popleft() if self._reports else None

    async def close(self, reason: str) -> None:
        """No batch will come any more: workers that wait or ask get `reason`."""
        async with self._changed:
            self._closed = reason
            self._changed.notify_all()

    async def _wait(self, ready: Callable[[], bool], timeout_s: float) -> None:
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(ready), timeout_s)
            except TimeoutError:
                return


def start() -> Any:
    """Start a ledger and return its handle, which may be sent to the workers.

    It lives as long as the driver: when that dies, Ray ends it.
    """
    import ray

    return ray.remote(Ledger).options(num_cpus=0, max_concurrency=64).remote()
