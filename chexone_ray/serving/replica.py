"""The model replica: Ray Serve LLM's server on weights that each node fetches for itself.

This module is light, for whatever builds the application; vLLM is imported in the replica.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints
from chexone_ray.config import ServeConfig
from chexone_ray.engine import lifetime

if TYPE_CHECKING:
    from chexone_ray.serving.backend import ChestServer

STOP_S = 10.0


class ModelReplica:
    """One vLLM engine behind Ray Serve LLM's `LLMServer`.

    Consumes: bodies of chat requests made by `chat.translate`. Produces: pieces of the answer.
    Waits for: the download of `model_uri` and the engine's start, `engine.start_timeout_s` in all.
    On failure: a request that vLLM refuses is answered with an error; a start or an engine that
    fails raises, and Serve replaces the replica.
    """

    # Serve awaits it, which Python's typing does not know.
    async def __init__(self, config: dict[str, Any]) -> None:  # type: ignore[misc]
        started = time.monotonic()
        self._config = ServeConfig.model_validate(config)
        os.environ[lifetime.WATCH] = str(os.getpid())
        lifetime.sweep()
        async with asyncio.timeout(self._config.engine.start_timeout_s):
            folder = await asyncio.to_thread(checkpoints.model_folder, self._config.model_uri)
            digest = asyncio.create_task(
                asyncio.to_thread(checkpoints.model_digest, self._config.model_uri)
            )
            await self._start(folder)
            self._digest = await digest
        lifetime.note_segments()
        self._start_s = round(time.monotonic() - started, 1)

    async def _start(self, folder: str) -> None:
        from chexone_ray.serving import backend

        self._server: ChestServer = backend.ChestServer.sync_init(
            backend.llm_config(self._config, folder), engine_cls=backend.ChestEngine
        )
        await self._server.start()
        self._stop_tokens = backend.stop_tokens(folder)

    async def chat(self, body: dict[str, Any]) -> AsyncIterator[str | dict[str, Any]]:
        """The whole answer as one dict, or server-sent events as texts; an error is a dict too."""
        from pydantic import ValidationError
        from ray.serve.llm.openai_api_models import ChatCompletionRequest

        try:
            request = ChatCompletionRequest(**body, stop_token_ids=self._stop_tokens)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            yield _error(f"{where}: {first['msg']}" if where else first["msg"])
            return
        async for item in await self._server.chat(request):
            if isinstance(item, list):
                yield "".join(item)
            elif isinstance(item, str):
                yield item
            else:
                yield item.model_dump(mode="json")

    async def describe(self) -> dict[str, Any]:
        """What is served here. Raises when the engine is dead."""
        await self._server.check_health()
        return {"model_digest": self._digest, "start_s": self._start_s}

    async def check_health(self) -> None:
        """Called by Serve; an exception replaces the replica."""
        await self._server.check_health()

    def __del__(self) -> None:
        """Serve calls this before it ends the process: vLLM's processes and shared memory go."""
        engine = getattr(getattr(self, "_server", None), "engine", None)
        client = getattr(engine, "_engine_client", None)
        if client is not None:
            client.shutdown(timeout=STOP_S)
            lifetime.forget_segments()


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": " ".join(message.split()), "code": 400}}
