"""Work beside this process: a function over chunks on Ray tasks, or one call in a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

from chexone_ray.errors import ChexoneError
from chexone_ray.log import Waiting

logger = logging.getLogger(__name__)

POLL_S = 1.0
Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


def on_tasks(
    function: Callable[[Chunk], Result], chunks: Iterable[Chunk], *, timeout_s: float, what: str
) -> list[Result]:
    """What `function` makes of each chunk, in order, on Ray tasks of one CPU each.

    Needs a running Ray and a function of which workers can make a copy. Says every 30 s that it
    waits for `what`. What still runs when this ends, as after an error of another task, is killed.

    Raises:
        ChexoneError: not all are done after `timeout_s`; or what a task itself raised.
    """
    import ray

    from chexone_ray.runtime import own_errors

    refs = [_task().remote(function, chunk) for chunk in chunks]
    waiting = Waiting(logger, f"{what}, {len(refs)} tasks")
    deadline = time.monotonic() + timeout_s
    left = refs
    found: dict[Any, Result] = {}
    try:
        while left:
            rest = deadline - time.monotonic()
            if rest <= 0:
                raise ChexoneError(
                    f"{what}: {len(left)} of {len(refs)} tasks are not done after {timeout_s:g} s: "
                    "each needs one CPU, so leave some that engines and trainers do not hold "
                    "(`ray status` shows them)"
                )
            done, left = ray.wait(left, num_returns=len(left), timeout=min(POLL_S, rest))
            with own_errors():
                found |= zip(done, ray.get(done, timeout=timeout_s), strict=True)
            waiting.remind()
        return [found[ref] for ref in refs]
    finally:
        for ref in left:
            ray.cancel(ref, force=True)


@cache
def _task() -> Any:
    """Made once: Ray keeps a copy of every remote function that is made."""
    import ray

    return ray.remote(num_cpus=1)(_call)


def _call(function: Callable[[Chunk], Result], chunk: Chunk) -> Result:
    return function(chunk)


def in_background(name: str, work: Callable[[], Result]) -> Future[Result]:
    """The outcome of `work`, in a thread of that name that does not keep the process alive: what
    hangs in it, such as the workers of a collective, may never end."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
