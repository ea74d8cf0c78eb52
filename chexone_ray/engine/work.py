"""What a pool keeps about its calls, their requests, its engines and their weights."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import Any, Literal

from chexone_ray.config import SamplingConfig
from chexone_ray.engine.handle import EngineHandle
from chexone_ray.records import Request, Rollout


@dataclass(frozen=True)
class Weights:
    """Weights that every engine must have: a checkpoint (`uri`) or pushed ones (`ref`)."""

    epoch: int
    version: int
    uri: str | None = None
    ref: Any = None


@dataclass
class Call:
    """One `generate` call; results go to its queue, read by the calling thread."""

    results: queue.SimpleQueue[tuple[int, Rollout] | BaseException] = field(
        default_factory=queue.SimpleQueue
    )
    cancelled: bool = False


@dataclass
class Job:
    call: Call
    index: int
    request: Request
    sampling: SamplingConfig
    attempts: int = 0


@dataclass(eq=False)
class Member:
    handle: EngineHandle
    number: int
    applied: int
    state: Literal["starting", "ready", "updating", "outdated", "closing", "lost"] = "starting"
    in_flight: int = 0
    idle_since: float = 0.0
    reserved: bool = False
