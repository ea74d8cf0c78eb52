"""The pool's view of one engine: a protocol, and the real one over a Ray actor."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from chexone_ray import runtime
from chexone_ray.config import EngineConfig, ImageConfig, SamplingConfig
from chexone_ray.engine import engine
from chexone_ray.records import Request, Rollout

logger = logging.getLogger(__name__)

CLOSE_S = 30.0
CHECK_S = 10.0


class EngineHandle(Protocol):
    """What the pool asks of an engine. Any exception means: this engine is lost, replace it.

    Except WeightsLost of `update_weights`: it is as it was, the weights are gone.
    """

    async def start(self) -> None:
        """Return once it can work. ChexoneError but StorageError: no use in trying again."""

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        """One rollout a request, in order; a request that cannot be answered carries an error."""

    async def update_weights(self, weights: Any, version: int) -> None:
        """Load pushed weights."""

    async def load_checkpoint(self, uri: str, version: int) -> None:
        """Load the weights of a checkpoint."""

    async def check(self) -> None:
        """Return soon if it lives."""

    async def shutdown(self) -> None:
        """End it in order, within a bound."""

    def kill(self) -> None:
        """End it at once; no error when it is gone already."""


Factory = Callable[[str, int], EngineHandle]
"""(model URI, weight version) -> an engine that is not started yet."""


async def cause_of_death(engine: EngineHandle) -> Exception | None:
    """None where it lives, or is only too busy to say so."""
    try:
        async with asyncio.timeout(CHECK_S):
            await engine.check()
    except TimeoutError:
        return None
    except Exception as error:  # whatever an actor raises, see `EngineHandle`
        return error
    return None


class RayEngine:
    """An `Engine` actor, or one that has the same methods. Consumes, produces and fails as it does;
    see there."""

    def __init__(
        self,
        config: EngineConfig,
        model_uri: str,
        images: ImageConfig,
        version: int,
        actor: Any = None,
    ) -> None:
        self._actor = actor or engine.launch(config, model_uri, images, version)
        self._started: dict[str, Any] = {}

    async def start(self) -> None:
        """Wait until the actor has loaded the model; the caller bounds the wait."""
        with runtime.own_errors():
            self._started = await self._actor.start.remote()
        logger.info(
            "engine of process %d is up: imports %.0f s, model %.0f s",
            self._started["pid"],
            self._started["import_s"],
            self._started["load_s"],
        )

    @property
    def pid(self) -> int | None:
        """Process id of the actor once started."""
        return self._started.get("pid")

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        """See `Engine.generate`."""
        rollouts: list[Rollout] = await self._actor.generate.remote(list(requests), sampling)
        return rollouts

    async def update_weights(self, weights: Any, version: int) -> None:
        """See `Engine.update_weights`. In a list references travel as such: a lost one is found by
        the engine instead of by Ray, which would not even call it."""
        parts = weights if isinstance(weights, (list, tuple)) else [weights]
        with runtime.own_errors():
            await self._actor.update_weights.remote(parts, version)

    async def load_checkpoint(self, uri: str, version: int) -> None:
        """See `Engine.load_checkpoint`."""
        await self._actor.load_checkpoint.remote(uri, version)

    async def check(self) -> None:
        """See `Engine.health`."""
        await self._actor.health.remote()

    async def shutdown(self) -> None:
        """Let vLLM end its processes, then end the actor, both within a bound."""
        with contextlib.suppress(Exception):  # it may be dead, which is what is wanted
            async with asyncio.timeout(CLOSE_S):
                await self._actor.shutdown.remote()
        self.kill()

    def kill(self) -> None:
        """End the actor's process; its children notice within about a second."""
        import ray

        if not ray.is_initialized():  # gone with Ray, which `ray.kill` would start anew
            return
        with contextlib.suppress(Exception):
            ray.kill(self._actor, no_restart=True)
