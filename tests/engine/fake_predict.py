"""`predict` in a process of its own that a test can kill; only the engine is a stand-in.

Usage: fake_predict.py CONFIG.json SECONDS_A_BATCH
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chexone_ray.config import PredictConfig, SamplingConfig
from chexone_ray.engine.pool import EnginePool
from chexone_ray.predict import predict
from chexone_ray.records import Completion, Request, Rollout


class FakeEngine:
    """Answers every prompt with the digest of its picture, after a while."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s

    async def start(self) -> None:
        """Nothing to load."""

    async def generate(
        self, requests: Sequence[Request], sampling: SamplingConfig
    ) -> list[Rollout]:
        await asyncio.sleep(self.delay_s)
        return [self._answer(request, sampling.n) for request in requests]

    def _answer(self, request: Request, count: int) -> Rollout:
        seen = hashlib.sha256(b"".join(request.images)).hexdigest()[:8]
        one = Completion(f"I see. \\boxed{{{seen}}}", (1, 2, 3), (-0.5, -1.0, 0.0), "stop", 0)
        return Rollout(request.id, (0,), (one,) * count)

    async def update_weights(self, weights: Any, version: int) -> None:
        """No weights."""

    async def load_checkpoint(self, uri: str, version: int) -> None:
        """No weights."""

    async def check(self) -> None:
        """It lives."""

    async def shutdown(self) -> None:
        """Nothing to end."""

    def kill(self) -> None:
        """Nothing to end."""


def main(path: str, delay_s: str) -> None:
    """Run `predict` of the given settings with a pool of one such engine."""
    logging.basicConfig(level="INFO")
    config = PredictConfig.model_validate_json(Path(path).read_text())
    pool = EnginePool(
        config.engine,
        config.model_uri,
        config.images,
        factory=lambda uri, version: FakeEngine(float(delay_s)),
    )
    with pool:
        predict(config, pool)


if __name__ == "__main__":
    main(*sys.argv[1:])
