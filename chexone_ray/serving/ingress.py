"""The HTTP ingress: OpenAI routes with our pixels and prompts in front of the model replicas.

Imports neither vLLM nor torch: it starts in seconds, and so does whatever builds the application.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from ray import serve
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chexone_ray.config import ServeConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.serving import chat

logger = logging.getLogger(__name__)

NOTICE_HEADER = "X-Research-Use-Only"
HEALTH_TIMEOUT_S = 10.0

app = FastAPI(title="chexone-ray", docs_url=None, redoc_url=None, openapi_url=None)


class Notice:
    """Puts the research-use notice into the header of every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (NOTICE_HEADER.lower().encode(), RESEARCH_USE_ONLY.encode())
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        await self._app(scope, receive, send_noted)


app.add_middleware(Notice)


def failure(status: int, message: str) -> JSONResponse:
    """An error as OpenAI clients expect it, in one line."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return JSONResponse(
        {"error": {"message": message, "type": kind, "param": None, "code": status}}, status
    )


@app.exception_handler(ChexoneError)
async def _refused(request: Request, error: ChexoneError) -> Response:
    return failure(404 if isinstance(error, chat.UnknownModelError) else 400, str(error))


@app.exception_handler(HTTPException)
async def _http(request: Request, error: HTTPException) -> Response:
    return failure(error.status_code, str(error.detail))


@app.exception_handler(Exception)
async def _broken(request: Request, error: Exception) -> Response:
    return failure(500, f"the server failed ({type(error).__name__}): see its log")


async def _all(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for piece in rest:
        yield piece


# Serve copies the class with what it refers to at this point: helpers stand above it.
@serve.ingress(app)
class ChestIngress:
    """OpenAI-compatible routes for one chest X-ray model.

    Consumes: chat completion requests with data-URI images. Produces: (streamed) completions.
    Waits for: a model replica, `engine.request_timeout_s` for the first piece of an answer.
    On failure: bad input is answered with status 400 or 404, a failing or missing replica with
    503, late answers with 504, each in one line; nothing of a request is logged.
    """

    def __init__(self, model: Any, config: dict[str, Any]) -> None:
        self._config = ServeConfig.model_validate(config)
        assert self._config.images is not None and self._config.prompts is not None
        self._images, self._prompts = self._config.images, self._config.prompts
        self._model = model
        self._streaming = model.options(stream=True)

    @app.get("/health")
    async def health(self) -> Response:
        """Answers with 200 once a model replica can answer too."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_S):
                state: dict[str, Any] = await self._model.describe.remote()
        except Exception as error:  # whatever it is: no replica that could work
            return failure(503, f"no healthy model replica ({type(error).__name__}): try again")
        names = list(chat.model_names(self._config.model_name))
        return JSONResponse({"status": "ok", "models": names, **state, "notice": RESEARCH_USE_ONLY})

    @app.get("/v1/models")
    async def models(self) -> Response:
        """Both names of the model: with a trace and without."""
        cards = [self._card(name) for name in chat.model_names(self._config.model_name)]
        return JSONResponse({"object": "list", "data": cards})

    @app.get("/v1/models/{name}")
    async def model(self, name: str) -> Response:
        """The card of one name."""
        names = chat.model_names(self._config.model_name)
        if name not in names:
            raise chat.UnknownModelError(f"model {name!r} is not served: use {' or '.join(names)}")
        return JSONResponse(self._card(name))

    def _card(self, name: str) -> dict[str, Any]:
        mode = chat.requested_mode(name, None)
        return {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": "chexone-ray",
            "mode": mode,
            "max_model_len": self._config.engine.max_model_len,
            "notice": RESEARCH_USE_ONLY,
        }

    @app.post("/v1/chat/completions")
    async def chat(self, request: Request) -> Response:
        """Both modes, streamed or whole; greedy unless the request says otherwise."""
        try:
            body = json.loads(await request.body())
        except ValueError as error:
            raise ChexoneError("the request body is not valid JSON: send a JSON object") from error
        asked = await asyncio.to_thread(
            chat.translate,
            body,
            self._config.model_name,
            self._images,
            self._prompts,
            self._config.engine.max_images,
        )
        limit = self._config.engine.request_timeout_s
        answers = self._streaming.chat.remote(asked)
        try:
            async with asyncio.timeout(limit):
                first: str | dict[str, Any] = await anext(answers)
        except TimeoutError:
            return failure(504, f"no answer within engine.request_timeout_s={limit:g}: try again")
        except Exception as error:  # the replica is lost or broken; Serve replaces it
            logger.warning("a model replica failed: %s", type(error).__name__)
            return failure(503, f"the model replica failed ({type(error).__name__}): try again")
        if isinstance(first, str):
            return StreamingResponse(_all(first, answers), media_type="text/event-stream")
        if "error" in first:
            return failure(int(first["error"]["code"]), str(first["error"]["message"]))
        return JSONResponse(first)
