"""When requests may go: known limits, refusals, patience; with a clock that moves by sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from chexone_ray.endpoints.pacing import Pace, backoff


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def paced(
    told: Callable[[Pace, Clock], Coroutine[Any, Any, Any]], patience_s: float = 100, **limits: Any
) -> Any:
    clock = Clock()

    async def run() -> Any:
        pace = Pace(patience_s, 4, now=lambda: clock.now, sleep=clock.sleep, **limits)
        return await told(pace, clock)

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)


@pytest.mark.parametrize(
    ("limits", "starts"),
    [
        ({}, [0, 0, 0]),
        ({"requests_per_minute": 24}, [0, 2.5, 5]),
        ({"tokens_per_minute": 600}, [0, 10, 20]),  # 100 tokens each are 10 s
        ({"requests_per_minute": 4, "tokens_per_minute": 600}, [0, 15, 30]),
    ],
)
def test_known_limits_space_the_requests(limits: dict[str, Any], starts: list[float]) -> None:
    async def told(pace: Pace, clock: Clock) -> list[float]:
        found = []
        for _ in range(3):
            async with pace.turn() as era:
                found.append(clock.now)
                pace.answered(era, 100)
        return found

    assert paced(told, **limits) == starts


def test_pauses_double_for_all_together_until_there_are_answers() -> None:
    async def told(pace: Pace, clock: Clock) -> list[float]:
        async with pace.turn() as first, pace.turn() as second:
            assert pace.refused(first, None) and pace.refused(second, None)  # one pause, not two
            pace.answered(first, 0)  # sent before it: opens nothing
        found = []
        for pause in (None, None, 7.0):
            async with pace.turn() as era:
                found.append(clock.now)
                assert pace.refused(era, pause)
        async with pace.turn() as era:
            found.append(clock.now)
            pace.answered(era, 0)
        async with pace.turn() as era:  # after an answer a pause as the last one, not a longer one
            assert pace.refused(era, None)
        async with pace.turn():
            found.append(clock.now)
        return found

    # 0.5, + 1, + 2, + 7 as asked for; four pauses, one answer: 0.5 * 2 ** 3
    assert paced(told) == [0.5, 1.5, 3.5, 10.5, 14.5]


def test_after_a_refusal_one_goes_ahead_and_answers_let_others_follow() -> None:
    async def told(pace: Pace, clock: Clock) -> list[int]:
        async with pace.turn() as era:
            pace.refused(era, 1.0)
        held, release = [0], asyncio.Event()

        async def ask() -> None:
            async with pace.turn() as era:
                held[0] += 1
                await release.wait()
                release.clear()
                held[0] -= 1
                pace.answered(era, 0)

        tasks = [asyncio.create_task(ask()) for _ in range(8)]
        together = []
        while tasks:
            for _ in range(20):
                await asyncio.sleep(0)
            tasks = [task for task in tasks if not task.done()]
            together.append(held[0])
            release.set()
        return together

    found = paced(told)
    assert found[:2] == [1, 2] and max(found) == 4


def test_it_gives_up_once_nobody_was_answered_for_so_long() -> None:
    async def told(pace: Pace, clock: Clock) -> list[bool]:
        found = []
        for _ in range(6):
            async with pace.turn() as era:
                found.append(pace.refused(era, None))
        async with pace.turn() as era:
            found.append(pace.refused(era, None))  # at once, without another pause
            pace.answered(era, 0)
        async with pace.turn() as era:
            found.append(pace.refused(era, 11))  # longer than it waits at all
            found.append(pace.refused(era, 9))
        return found

    # Tries at 0, 0.5, 1.5, 3.5, 7.5 and 15.5 s.
    assert paced(told, patience_s=10) == [*[True] * 5, False, False, False, True]


def test_an_answer_to_what_was_sent_before_the_refusal_shows_that_the_server_lives() -> None:
    async def told(pace: Pace, clock: Clock) -> list[bool]:
        async with pace.turn() as first, pace.turn() as second:
            found = [pace.refused(first, None)]
            clock.now = 8
            pace.answered(second, 0)
        clock.now = 12  # longer than the patience after the refusal, not after the answer
        async with pace.turn() as era:
            found.append(pace.refused(era, None))
            clock.now = 18
            found.append(pace.refused(era, None))
        return found

    assert paced(told, patience_s=10) == [True, True, False]


def test_a_server_that_asks_for_no_wait_is_not_asked_on_and_on() -> None:
    async def told(pace: Pace, clock: Clock) -> list[float]:
        found = []
        for _ in range(4):
            async with pace.turn() as era:
                found.append(clock.now)
                pace.refused(era, 0.0)
        return found

    assert paced(told) == [0, 0, 1, 3]


def test_a_backoff_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [backoff(tries, 300) for tries in (0, 1, 6, 7, 10_000)] == [0.5, 1, 32, 60, 60]
    assert backoff(5, 2.0) == 2.0
    monkeypatch.setattr("random.random", lambda: 1.0)
    assert backoff(2, 300) == 1.5
