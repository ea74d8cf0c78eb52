"""When a pool grows and shrinks: pure decisions on numbers and a clock that the caller gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chexone_ray.config import EngineConfig

if TYPE_CHECKING:
    from chexone_ray.engine.work import Member


@dataclass(frozen=True)
class PoolPolicy:
    """How the pool deals out work and when it changes its size; seconds and sequences."""

    batch_size: int = 8
    """Requests a call to an engine: fewer calls, but also a coarser unit of balance and retry."""
    depth: float = 2.0
    """Sequences sent to an engine at most, as a multiple of those that it runs together."""
    grow_backlog: float = 1.0
    """Grow when more sequences wait an engine than this multiple of those that it runs together."""
    grow_after_s: float = 10.0
    """How long that has to last."""
    idle_s: float = 60.0
    """An engine above the minimum that had no work for so long is closed."""
    tick_s: float = 1.0
    max_start_failures: int = 3
    """Failed starts in a row after which a pool without any engine gives up."""
    log_every_s: float = 30.0


@dataclass(frozen=True)
class Load:
    """The pool at one moment. `waiting` are sequences not yet sent to an engine; `starting` engines
    do not work yet, whatever they wait for."""

    waiting: int
    ready: int
    starting: int
    longest_idle_s: float = 0.0


class Scaler:
    """Remembers since when there is pressure; decides +1, 0 or -1 engines."""

    def __init__(
        self, policy: PoolPolicy, min_engines: int, max_engines: int, max_num_seqs: int
    ) -> None:
        self._policy = policy
        self._min = min_engines
        self._max = max_engines
        self._bound = policy.grow_backlog * max_num_seqs
        self._pressure_since: float | None = None

    def step(self, now: float, load: Load) -> int:
        """The change in the number of engines that `load` at time `now` calls for."""
        size = load.ready + load.starting
        if load.starting or load.waiting <= self._bound * max(load.ready, 1):
            self._pressure_since = None
        elif self._pressure_since is None:
            self._pressure_since = now
        elif now - self._pressure_since >= self._policy.grow_after_s and size < self._max:
            self._pressure_since = None
            return 1
        if load.waiting == 0 and size > self._min and load.longest_idle_s >= self._policy.idle_s:
            return -1
        return 0


def spare(members: Sequence[Member], min_engines: int) -> list[Member]:
    """The engines that a pool without work can do without, the one to close first at the front.

    Those that wait for newer weights come first: nobody may hold the ones that they lack any more.
    An idle one can go while the minimum is ready without it: one that starts, or loads weights,
    may yet turn out to lack them too.
    """
    outdated = [m for m in members if m.state == "outdated"]
    ready = [m for m in members if m.state == "ready"]
    idle = [m for m in ready if m.in_flight == 0] if len(ready) > min_engines else []
    return sorted(outdated or idle, key=lambda m: m.idle_since)


def load(members: Sequence[Member], waiting: int, idle: Sequence[Member], now: float) -> Load:
    """What the scaler has to know of a pool; `idle` is what `spare` gives."""
    states = [m.state for m in members]
    return Load(
        waiting=waiting,
        ready=states.count("ready") + states.count("updating"),
        starting=states.count("starting") + states.count("outdated"),
        longest_idle_s=now - idle[0].idle_since if idle else 0.0,
    )


def parts_in_flight(engine: EngineConfig, num_sequences: int) -> int:
    """How many parts of `num_sequences` have to be under way to keep the largest pool busy.

    Each engine gets what it runs together, what waits at it, and a backlog that makes a pool below
    its maximum grow.
    """
    policy = PoolPolicy()
    an_engine = (policy.depth + policy.grow_backlog) * engine.max_num_seqs
    return max(2, math.ceil(engine.max_engines * an_engine / num_sequences) + 1)
