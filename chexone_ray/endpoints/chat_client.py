"""An OpenAI-compatible chat endpoint as a client: bounded, retried, with nothing ambient.

Teachers (`teachers.py`), predictions (`answering.py`) and GREEN ask through it. What is asked may
hold report text: nothing of it, and no key, is logged or put into an error.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from chexone_ray import ports
from chexone_ray.config import EndpointConfig, SamplingConfig
from chexone_ray.endpoints import pacing
from chexone_ray.engine.engine import request_seed
from chexone_ray.errors import ChexoneError
from chexone_ray.log import Waiting

logger = logging.getLogger(__name__)

CLOSE_S = 10.0
WRONG_SETTINGS = {
    401: "it does not take the key: check endpoint.api_key_env",
    403: "it forbids the request: check the key and what it may use",
    404: "it knows no such model or address: check endpoint.url (often ending in /v1) and "
    "endpoint.model",
}
"""Status codes that no other row would fare better with."""
OTHER_FORM = "did not answer in the OpenAI form"
NOT_ASKED = "endpoint: not asked"
"""The error of a row that a run did not get to."""
PASSING = re.compile(r"endpoint: (?!HTTP 4(?!08|09|29)|no completion).*")
"""Errors of the server's hour, not of what was asked: another time the row may be answered."""
NO_MONEY = "insufficient_quota"
"""A code of HTTP 429 that no wait helps."""
_CODE = re.compile(r"[a-z][a-z0-9_]{2,40}")


@dataclass(frozen=True)
class Asked:
    """What a model wrote for one sample, or why it wrote nothing."""

    texts: tuple[str, ...]
    prompt_tokens: int = 0
    """Of all requests and texts of the sample; 0 where the endpoint does not tell."""
    completion_tokens: int = 0
    error: str = ""
    """ "image: ", "engine: " or "endpoint: " and a short stable reason, or empty."""
    finish_reasons: tuple[str, ...] = ()
    """One a text, where they are known."""


@dataclass(frozen=True)
class Chat:
    """One request: `turns` as `prompts.messages` makes them, and the films of their places."""

    id: str
    turns: Sequence[dict[str, Any]]
    pngs: tuple[bytes, ...]


Told = Callable[[int, Asked], None]
"""Called with the place of a sample in the sequence asked about, in the thread that asked."""


class ChatClient:
    """A chat endpoint asked from one thread with an asyncio loop, bounded for all callers together.

    Consumes: chats, from any thread. Produces: what the model wrote for each, as it comes.
    Waits for: the endpoint, at most `timeout_s` a try, and for its turn (`pacing.Pace`).
    Unblocked by: answers. On failure: tries again `max_retries` times, and without counting where
    the server takes no more requests for now, then tells an error of that chat; a status that says
    that the settings are wrong raises ChexoneError for the whole call.
    """

    def __init__(self, endpoint: EndpointConfig, sampling: SamplingConfig) -> None:
        self._endpoint = endpoint
        self._sampling = sampling
        self._client: Any = _client(endpoint)
        # Looked up here: it imports, for seconds where much runs, which is no request's time.
        self._create = self._client.chat.completions.create
        self._slots = asyncio.Semaphore(endpoint.max_in_flight)
        self._pace = pacing.Pace(
            endpoint.timeout_s,
            endpoint.max_in_flight,
            endpoint.requests_per_minute,
            endpoint.tokens_per_minute,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="chat-client", daemon=True
        )

    def __enter__(self) -> ChatClient:
        _probe(self._endpoint)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(2 * CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()

    def ask(self, chats: Sequence[Chat], told: Told) -> None:
        """Ask all, `max_in_flight` at a time, and return once `told` had an answer of each."""
        answers: queue.SimpleQueue[tuple[int, Asked | ChexoneError]] = queue.SimpleQueue()
        futures = [
            asyncio.run_coroutine_threadsafe(self._answer(place, chat, answers), self._loop)
            for place, chat in enumerate(chats)
        ]
        waiting = Waiting(logger, f"{self._endpoint.host}, {len(futures)} requests")
        try:
            for _ in futures:
                place, asked = self._next(answers, waiting)
                if isinstance(asked, ChexoneError):
                    raise asked
                told(place, asked)
        finally:
            for future in futures:
                future.cancel()

    def _next(
        self, answers: queue.SimpleQueue[tuple[int, Asked | ChexoneError]], waiting: Waiting
    ) -> tuple[int, Asked | ChexoneError]:
        while True:
            try:
                answer = answers.get(timeout=1.0)
            except queue.Empty:
                waiting.remind()
                if not self._thread.is_alive():
                    raise RuntimeError("the thread that asks the endpoint has ended") from None
                continue
            waiting.restart()
            return answer

    async def _answer(
        self,
        place: int,
        chat: Chat,
        answers: queue.SimpleQueue[tuple[int, Asked | ChexoneError]],
    ) -> None:
        """Put an answer or an error for `place`, whatever happens; cancelled ones put nothing."""
        import openai

        result: Asked | ChexoneError
        try:
            async with self._slots:
                result = await self._repeated(chat)
        except (TimeoutError, openai.APITimeoutError):
            result = Asked((), error="endpoint: timeout")
        except openai.APIStatusError as error:
            result = self._refused(error.status_code, str(error.code or ""))
        except openai.APIConnectionError:
            result = Asked((), error="endpoint: no connection")
        except openai.OpenAIError:
            result = Asked((), error="endpoint: no valid answer")
        except (AttributeError, TypeError, ValueError):  # the page of a proxy, say
            result = Asked((), error=f"endpoint: {OTHER_FORM}")
        except Exception as error:
            # What a server sends may be anything; a row that never comes back would block the run.
            result = Asked((), error=f"endpoint: {type(error).__name__}")
        answers.put((place, result))

    def _refused(self, status: int, code: str) -> Asked | ChexoneError:
        if status in WRONG_SETTINGS:
            return ChexoneError(
                f"endpoint.url={self._endpoint.url} answers {status} for "
                f"endpoint.model={self._endpoint.model}: {WRONG_SETTINGS[status]}"
            )
        # The body may quote the request: only a short code of it is kept.
        told = f" {code}" if _CODE.fullmatch(code) else ""
        return Asked((), error=f"endpoint: HTTP {status}{told}")

    async def _repeated(self, chat: Chat) -> Asked:
        """Ask until there is an answer, an error that stays, or no repeat left."""
        import openai

        limit, repeats = self._endpoint.timeout_s, 0
        while True:
            pause: float | None = None
            async with self._pace.turn() as era:
                try:
                    # The client's own limit is for every piece that it reads; this one is for all.
                    asked = await asyncio.wait_for(self._request(chat), limit)
                    self._pace.answered(era, asked.prompt_tokens + asked.completion_tokens)
                    return asked
                except openai.APIStatusError as error:
                    pause = _asked_pause(error.response.headers)
                    if error.status_code == 429:
                        if error.code == NO_MONEY or not self._pace.refused(era, pause):
                            raise
                        continue
                    passing = error.status_code in (408, 409) or error.status_code >= 500
                    if not passing or repeats == self._endpoint.max_retries:
                        raise
                except (TimeoutError, openai.APIConnectionError):  # its timeouts too
                    if repeats == self._endpoint.max_retries:
                        raise
            wait = pacing.backoff(repeats, limit) if pause is None else min(pause, limit)
            await asyncio.sleep(wait)
            repeats += 1

    async def _request(self, chat: Chat) -> Asked:
        sampling = self._sampling
        more: dict[str, Any] = {}
        if sampling.seed is not None:
            # 31 bits: what every server takes.
            more["seed"] = request_seed(sampling.seed, chat.id) % 2**31
        answer = await self._create(
            model=self._endpoint.model,
            messages=wire_messages(chat),
            n=sampling.n,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            **more,
        )
        usage, choices = answer.usage, answer.choices or ()
        return Asked(
            tuple(choice.message.content or "" for choice in choices),
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
            "" if choices else "endpoint: no completion",
            tuple(str(choice.finish_reason or "") for choice in choices),
        )

    async def _close(self) -> None:
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CLOSE_S)
        await self._client.close()


def _asked_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait; None where it does not say."""
    for name, in_a_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        value = headers.get(name, "")
        try:
            seconds = float(value) / in_a_second
        except ValueError:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError, OSError):
                continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None


def wire_messages(chat: Chat) -> list[dict[str, Any]]:
    """The turns in the wire format of the chat API, films as PNG data URLs."""
    films = iter(chat.pngs)
    sent: list[dict[str, Any]] = []
    for turn in chat.turns:
        content: Any = turn["content"]
        if isinstance(content, str):
            pass
        elif turn["role"] == "system":  # a plain text: not every server takes parts here
            content = "".join(part["text"] for part in content)
        else:
            content = [
                _picture(next(films)) if part["type"] == "image" else part for part in content
            ]
        sent.append({"role": turn["role"], "content": content})
    return sent


def _picture(png: bytes) -> dict[str, Any]:
    data = base64.b64encode(png).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def _probe(endpoint: EndpointConfig) -> None:
    """Raise ChexoneError where nobody listens: the client would try again for every row."""
    parts = urlsplit(endpoint.url)
    try:
        ports.probe(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    except OSError as error:
        raise ChexoneError(
            f"endpoint.url={endpoint.url}: no server answers at {endpoint.host} "
            f"({error.strerror or error}): start it, or check the address"
        ) from error


def _client(endpoint: EndpointConfig) -> Any:
    """The official client, kept from what it would take out of the environment by itself.

    Raises ChexoneError where the variable of the key is not set.
    """
    import openai

    key = "none"
    if endpoint.api_key_env is not None:
        key = os.environ.get(endpoint.api_key_env, "")
        if not key:
            raise ChexoneError(
                f"endpoint.api_key_env={endpoint.api_key_env}: no such environment variable is "
                "set; put the key there"
            )

    async def only_ours(request: Any) -> None:
        headers = _headers(key, request.url.netloc.decode("ascii"), len(request.content))
        for name in list(request.headers):
            del request.headers[name]
        request.headers.update(headers)

    # OPENAI_LOG=debug makes some versions of the client log whole requests, report text among them.
    logging.getLogger("openai").setLevel(logging.WARNING)
    # A proxy from the environment, or a redirect, would carry text off a machine that was to keep
    # it, or to a host that nobody consented to. The client also takes an organisation, a project
    # and any further header (OPENAI_CUSTOM_HEADERS) from there, which may be secrets.
    http = openai.DefaultAsyncHttpxClient(
        trust_env=False,
        follow_redirects=False,
        timeout=endpoint.timeout_s,
        event_hooks={"request": [only_ours]},
    )
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=endpoint.url,
        timeout=endpoint.timeout_s,
        max_retries=0,  # ours: a refusal counts for all requests, see `_repeated`
        http_client=http,
    )


def _headers(key: str, host: str, length: int) -> dict[str, str]:
    """All headers of a request."""
    return {
        "Host": host,
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": "chexone-ray",
    }
