"""An OpenAI-compatible chat endpoint as a client: bounded, retried, with nothing ambient.

Teachers (`tracing/teachers.py`), predictions (`answering.py`) and GREEN ask through it. What is
asked may hold report text: nothing of it, and no key, is logged or put into an error.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from chexone_ray.config import EndpointConfig, SamplingConfig
from chexone_ray.endpoints import connection, pacing
from chexone_ray.engine.engine import request_seed
from chexone_ray.errors import ChexoneError
from chexone_ray.log import Waiting

logger = logging.getLogger(__name__)

CLOSE_S = 10.0
LAST_ANSWERS_S = 30.0
"""How long a call that ends in an error waits for the answers that are under way: they are paid."""
WRONG_SETTINGS = {
    401: "it does not take the key: check endpoint.api_key_env",
    403: "it forbids the request: check the key and what it may use",
    404: "it knows no such model or address: check endpoint.url (often ending in /v1) and "
    "endpoint.model",
    **dict.fromkeys(range(300, 400), "the address moved: correct endpoint.url"),
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


@dataclass
class _Call:
    """The chats of one `ask`. Its loop's thread alone changes `under_way`."""

    answers: queue.SimpleQueue[tuple[int, Asked | ChexoneError]]
    under_way: set[int] = field(default_factory=set)
    """Places whose request is sent and whose result is not put yet."""
    ended: bool = False
    """True where nothing more may be sent."""


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
        self._client: Any = connection.client(endpoint)
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
        connection.probe(self._endpoint)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(2 * CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()

    def ask(self, chats: Sequence[Chat], told: Told) -> None:
        """Ask all, `max_in_flight` at a time, and return once `told` had an answer of each.

        Raises:
            ChexoneError: the settings are wrong; `told` had what was answered or under way by then.
        """
        call = _Call(queue.SimpleQueue())
        futures = [
            asyncio.run_coroutine_threadsafe(self._answer(place, chat, call), self._loop)
            for place, chat in enumerate(chats)
        ]
        waiting = Waiting(logger, f"{self._endpoint.host}, {len(futures)} requests")
        try:
            for _ in futures:
                place, asked = self._next(call, waiting)
                if isinstance(asked, ChexoneError):
                    self._last_answers(call, told)
                    raise asked
                told(place, asked)
        finally:
            for future in futures:
                future.cancel()

    def _last_answers(self, call: _Call, told: Told) -> None:
        """Tell what a call that sends nothing more still gets, for `LAST_ANSWERS_S` at most."""

        async def under_way() -> set[int]:
            return set(call.under_way)

        left = asyncio.run_coroutine_threadsafe(under_way(), self._loop).result(CLOSE_S)
        limit = time.monotonic() + LAST_ANSWERS_S
        while left or not call.answers.empty():
            try:
                place, asked = call.answers.get(timeout=max(limit - time.monotonic(), 0))
            except queue.Empty:
                return
            left.discard(place)
            if isinstance(asked, Asked) and (asked.error != NOT_ASKED or asked.prompt_tokens):
                told(place, asked)

    def _next(self, call: _Call, waiting: Waiting) -> tuple[int, Asked | ChexoneError]:
        while True:
            try:
                answer = call.answers.get(timeout=1.0)
            except queue.Empty:
                waiting.remind()
                if not self._thread.is_alive():
                    raise RuntimeError("the thread that asks the endpoint has ended") from None
                continue
            waiting.restart()
            return answer

    async def _answer(self, place: int, chat: Chat, call: _Call) -> None:
        """Put an answer or an error for `place`, whatever happens; cancelled ones put nothing."""
        async with self._slots:
            result = await self._tried(place, chat, call, self._sampling.n, chat.id)
            # Some servers know no `n` and write one text: the others are asked for one by one.
            while isinstance(result, Asked) and 0 < len(result.texts) < self._sampling.n:
                name = f"{chat.id}/{len(result.texts)}"  # for another seed
                result = _joined(result, await self._tried(place, chat, call, 1, name))
        if isinstance(result, ChexoneError):
            call.ended = True  # here: a slot that is free now is taken before `ask` hears of it
        call.answers.put((place, result))
        call.under_way.discard(place)

    async def _tried(
        self, place: int, chat: Chat, call: _Call, n: int, name: str
    ) -> Asked | ChexoneError:
        """What one request gives in the end, errors included."""
        import openai

        try:
            return await self._repeated(place, chat, call, n, name)
        except (TimeoutError, openai.APITimeoutError):
            reason = "timeout"
        except openai.APIStatusError as error:
            return self._refused(error.status_code, str(error.code or ""))
        except openai.APIConnectionError:
            reason = "no connection"
        except openai.OpenAIError:
            reason = "no valid answer"
        except (AttributeError, TypeError, ValueError):  # the page of a proxy, say
            reason = OTHER_FORM
        except Exception as error:
            # What a server sends may be anything; a row that never comes back would block the run.
            reason = type(error).__name__
        return Asked((), error=f"endpoint: {reason}")

    def _refused(self, status: int, code: str) -> Asked | ChexoneError:
        if status in WRONG_SETTINGS:
            return ChexoneError(
                f"endpoint.url={self._endpoint.url} answers {status} for "
                f"endpoint.model={self._endpoint.model}: {WRONG_SETTINGS[status]}"
            )
        # The body may quote the request: only a short code of it is kept.
        told = f" {code}" if _CODE.fullmatch(code) else ""
        return Asked((), error=f"endpoint: HTTP {status}{told}")

    async def _repeated(self, place: int, chat: Chat, call: _Call, n: int, name: str) -> Asked:
        """Ask until there is an answer, an error that stays, or no repeat left."""
        import openai

        limit, repeats, wait = self._endpoint.timeout_s, 0, 0.0
        while True:
            call.under_way.discard(place)
            await asyncio.sleep(wait)
            wait, pause = 0.0, None
            async with self._pace.turn() as era:
                if call.ended:
                    return Asked((), error=NOT_ASKED)
                call.under_way.add(place)
                try:
                    # The client's own limit is for every piece that it reads; this one is for all.
                    asked = await asyncio.wait_for(self._request(chat, n, name), limit)
                    self._pace.answered(era, asked.prompt_tokens + asked.completion_tokens)
                    return asked
                except openai.APIStatusError as error:
                    pause = _asked_pause(error.response.headers)
                    if error.status_code == 429:
                        lost = error.code == NO_MONEY or not self._pace.refused(era, pause)
                        if lost or call.ended:
                            raise
                        continue
                    passing = error.status_code in (408, 409) or error.status_code >= 500
                    if not passing or call.ended or repeats == self._endpoint.max_retries:
                        raise
                except (TimeoutError, openai.APIConnectionError):  # its timeouts too
                    if call.ended or repeats == self._endpoint.max_retries:
                        raise
            wait = pacing.backoff(repeats, limit) if pause is None else min(pause, limit)
            repeats += 1

    async def _request(self, chat: Chat, n: int, name: str) -> Asked:
        """`n` texts, or as many as the server gives; `name` decides on the seed."""
        sampling = self._sampling
        more: dict[str, Any] = {}
        if sampling.seed is not None:
            # 31 bits: what every server takes.
            more["seed"] = request_seed(sampling.seed, name) % 2**31
        answer = await self._create(
            model=self._endpoint.model,
            messages=wire_messages(chat),
            n=n,
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


def _joined(first: Asked, more: Asked | ChexoneError) -> Asked | ChexoneError:
    """Both as the answer to one chat; an error of `more` is that of all, with the cost of both."""
    if isinstance(more, ChexoneError):
        return more
    prompt, written = (
        first.prompt_tokens + more.prompt_tokens,
        first.completion_tokens + more.completion_tokens,
    )
    if more.error:
        return Asked((), prompt, written, more.error)
    reasons = (*first.finish_reasons, *more.finish_reasons)
    return Asked((*first.texts, *more.texts), prompt, written, "", reasons)


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
