"""The HTTP ingress: Ray Serve LLM's OpenAI routes, with our pixels and prompts in front.

Imported on replicas and inside the builder only, since it needs vLLM.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import Response
from ray.serve.llm.ingress import OpenAiIngress
from ray.serve.llm.openai_api_models import ChatCompletionRequest

from chexone_ray.config import ServeConfig
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.serving import chat

logger = logging.getLogger(__name__)

NOTICE_HEADER = "X-Research-Use-Only"


class ChestIngress(OpenAiIngress):
    """OpenAI-compatible routes for one chest X-ray model.

    Consumes: chat completion requests with data-URI images. Produces: (streamed) completions.
    Waits for: a model replica, bounded by Ray Serve LLM's request timeout.
    On failure: bad input is answered with status 400 and one line; nothing of it is logged.
    """

    def __init__(
        self, *args: Any, config: dict[str, Any], model_digest: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._config = ServeConfig.model_validate(config)
        assert self._config.images is not None and self._config.prompts is not None
        self._images, self._prompts = self._config.images, self._config.prompts
        self._model_digest = model_digest

    async def health(self) -> dict[str, str]:
        """Answers once the ingress and at least one model replica are up."""
        await self._model_replica()
        return {
            "status": "ok",
            "model": self._config.model_name,
            "model_digest": self._model_digest,
            "notice": RESEARCH_USE_ONLY,
        }

    async def _model_replica(self) -> None:
        handle = self._default_serve_handles[self._config.model_name]
        try:
            await asyncio.wait_for(handle.options(stream=False).check_health.remote(), timeout=10)
        except Exception as error:
            raise HTTPException(503, f"no healthy model replica: {type(error).__name__}") from error

    async def chat(self, body: ChatCompletionRequest, request: Request) -> Response:
        """`/v1/chat/completions`: both modes, greedy unless the request says otherwise."""
        try:
            mode = chat.requested_mode(body.model, (body.model_extra or {}).get("mode"))
            messages = await asyncio.to_thread(
                chat.prepare,
                [m if isinstance(m, dict) else m.model_dump() for m in body.messages],
                mode,
                self._images,
                self._prompts,
                self._config.engine.max_images,
            )
        except (ChexoneError, ImageError) as error:
            raise HTTPException(400, str(error)) from error
        changes: dict[str, Any] = {"messages": messages, "model": self._base_name(body.model)}
        if body.temperature is None:
            changes["temperature"] = 0.0
        response = await super().chat(body.model_copy(update=changes), request)
        response.headers[NOTICE_HEADER] = RESEARCH_USE_ONLY
        return response

    def _base_name(self, model: str | None) -> str | None:
        if model == self._config.model_name + chat.INSTRUCT_SUFFIX:
            return self._config.model_name
        return model
