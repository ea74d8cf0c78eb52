"""When the next request may go to a server that limits how much it takes, for all askers together.

A limit that is known is kept to by spacing the requests. One that is not shows as a refusal (HTTP
429): all then wait, one request goes ahead, and others follow as it and they are answered.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
"""Of what doubles from refusal to refusal where the server does not say how long."""
ENOUGH = 16
"""Answers without a refusal after which the next pause is a first one again."""


def backoff(tries: int, limit_s: float) -> float:
    """Seconds before a repeat after `tries` earlier ones: doubling, less up to a quarter by chance
    so that clients do not come back together, at most `limit_s`."""
    pause = min(FIRST_PAUSE_S * 2.0 ** min(tries, 30), LONGEST_PAUSE_S, limit_s)
    return pause * (1 - random.random() / 4)


class Pace:
    """Lets requests go one by one; for the tasks of one event loop.

    Consumes: requests for a turn, answers, refusals. Produces: turns, in the order asked for.
    Waits for: the known limits, a pause after a refusal (each at most `patience_s`), and after one
    for the requests ahead. Unblocked by: time, and the end of turns.
    On failure: `refused` is False once nobody was answered for `patience_s`.
    """

    def __init__(
        self,
        patience_s: float,
        most: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._patience_s, self._most = patience_s, most
        self._gap = 60 / requests_per_minute if requests_per_minute else 0.0
        self._token_s = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._now, self._sleep = now, sleep
        self._door = asyncio.Lock()  # first come, first served
        self._left = asyncio.Event()
        self._under_way, self._limit = 0, most
        self._next = self._tokens_paid = self._opens = 0.0
        self._era = self._pauses = self._answers = 0
        self._refused_since: float | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """Wait for a turn, and hold it while the block lasts; gives how many pauses came before."""
        async with self._door:
            while True:
                now = self._now()
                wait = max(self._next, self._tokens_paid, self._opens) - now
                if wait > 0:
                    await self._sleep(wait)
                elif self._under_way >= self._limit:
                    self._left.clear()
                    await self._left.wait()
                else:
                    break
            self._next = now + self._gap
            self._under_way += 1
        try:
            yield self._era
        finally:
            self._under_way -= 1
            self._left.set()

    def answered(self, era: int, tokens: int) -> None:
        """A request with a turn of that era was answered, with so many tokens read and written."""
        self._tokens_paid = max(self._tokens_paid, self._now()) + tokens * self._token_s
        if era < self._era:  # sent before the refusal: opens nothing, but the server does answer
            if self._refused_since is not None:
                self._refused_since = self._now()
            return
        self._refused_since = None
        self._limit = min(self._limit + 1, self._most)
        self._answers += 1
        if self._answers == 1:  # once a pause: one answer does not make a server fast
            self._pauses = max(self._pauses - 1, 0)
        elif self._answers >= max(self._most, ENOUGH):
            self._pauses = 0

    def refused(self, era: int, pause_s: float | None) -> bool:
        """A request with a turn of that era was refused; `pause_s` is what the server asks for.

        True where it may ask for another turn, False where it has to give up.
        """
        now = self._now()
        if pause_s is not None and pause_s > self._patience_s:
            return False
        if self._refused_since is None:
            self._refused_since = now
        if now - self._refused_since >= self._patience_s:
            return False
        if era == self._era:  # the first of those that were under way together
            if pause_s is None or self._pauses:  # what it asked for before was too short
                pause_s = max(pause_s or 0.0, backoff(self._pauses, self._patience_s))
            self._era, self._pauses = self._era + 1, self._pauses + 1
            self._answers, self._limit = 0, 1
        self._opens = max(self._opens, now + (pause_s or 0.0))
        return True
