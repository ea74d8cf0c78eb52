"""No call waits for what cannot come: engines that leave, lack weights, or end with the pool."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from chexone_ray.engine.scaling import Load
from chexone_ray.engine.work import Call, Job
from tests.engine.fakes import FAST, GREEDY, Bench, pool, requests, texts, until

ONES = {f"1:r{i}" for i in range(8)}


def test_an_outdated_engine_is_closed_before_one_that_works() -> None:
    bench = Bench()
    with pool(bench, low=1, high=2, max_num_seqs=4) as subject:
        subject.wait_ready()
        subject.publish("w1", 1)
        bench.gone = {"w1"}
        bench.delay_s = 0.05
        subject.generate(requests(200), GREEDY)  # so much that the pool grows, by an outdated one
        assert len(bench.engines) == 2
        until(lambda: len(bench.alive) == 1)
        assert bench.alive == [bench.engines[0]]
        assert set(texts(subject.generate(requests(8), GREEDY))) == ONES


def test_the_last_engine_that_works_stays_while_others_start() -> None:
    bench = Bench()
    with pool(bench, low=1, high=2, max_num_seqs=4) as subject:
        subject.wait_ready()
        subject.publish("w1", 1)
        bench.gone = {"w1"}
        bench.hold = threading.Event()
        bench.delay_s = 0.05
        subject.generate(requests(200), GREEDY)
        assert subject.health()["engines"] == {"ready": 1, "starting": 1}
        threading.Event().wait(3 * FAST.idle_s)
        bench.hold.set()
        until(lambda: bench.engines[1].state == "closed")
        assert set(texts(subject.generate(requests(8), GREEDY))) == ONES


class ShrinkAndAsk:
    """A scaler that shrinks once, at the moment when work comes in."""

    def __init__(self, work: list[Job], enqueue: Callable[[list[Job]], None]) -> None:
        self.work, self.enqueue = work, enqueue

    def step(self, now: float, load: Load) -> int:
        if not self.work:
            return 0
        asyncio.get_running_loop().call_soon(self.enqueue, self.work)
        self.work = []
        return -1


def test_no_work_reaches_an_engine_that_is_about_to_close(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    with pool(bench, low=1, high=2, max_retries=0, policy=replace(FAST, idle_s=60)) as subject:
        subject.wait_ready()
        subject._loop.call_soon_threadsafe(subject._crew._launch)  # without the load it takes
        until(lambda: subject.num_ready == 2)
        call = Call()
        work = [Job(call, i, request, GREEDY) for i, request in enumerate(requests(4))]
        monkeypatch.setattr(subject._crew, "_scaler", ShrinkAndAsk(work, subject._crew.enqueue))
        answers = [call.results.get(timeout=5) for _ in work]
        assert not [a for a in answers if isinstance(a, BaseException) or a[1].error]
        assert subject.counts["engines_retired"] == 1


def test_an_engine_that_closes_ends_with_the_pool() -> None:
    bench = Bench()
    with pool(bench, low=1, high=2, max_num_seqs=4) as subject:
        bench.delay_s = 0.05
        subject.generate(requests(200), GREEDY)
        bench.close_s = 30
        until(lambda: subject.counts["engines_retired"] == 1)
        bench.close_s = 0
    assert not bench.alive
