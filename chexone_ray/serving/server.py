"""The model replica: Ray Serve LLM's server on weights that each node fetches for itself."""

from __future__ import annotations

import asyncio
from typing import Any

from ray.serve.llm.deployment import LLMServer

from chexone_ray import checkpoints


class ChestServer(LLMServer):
    """One vLLM replica. Consumes prepared chat requests, produces completions.

    Waits for: the download of `model_uri` and the engine start, bounded by Ray Serve LLM's timeout.
    On failure: Serve restarts the replica and reports DEPLOY_FAILED after repeated failures.
    """

    async def __init__(self, llm_config: Any, *, model_uri: str, **kwargs: Any) -> None:
        folder = await asyncio.to_thread(checkpoints.model_folder, model_uri)
        loading = llm_config.model_loading_config.model_copy(update={"model_source": str(folder)})
        await super().__init__(
            llm_config.model_copy(update={"model_loading_config": loading}), **kwargs
        )
