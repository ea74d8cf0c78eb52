"""No call waits for what cannot come: engines that leave, lack weights, or end with the pool."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from chexone_ray.engine import crew
from chexone_ray.engine.scaling import Load
from chexone_ray.engine.work import Call, Job
from chexone_ray.errors import WeightsLost
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


def failure(work: Callable[[], object], caught: list[BaseException]) -> threading.Thread:
    """A thread that does `work` and keeps what it raises."""

    def run() -> None:
        try:
            work()
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_work_that_fails_while_the_pool_closes_wakes_its_caller() -> None:
    bench = Bench()
    bench.delay_s, bench.close_s = 0.2, 0.5
    caught: list[BaseException] = []
    with pool(bench, low=1, high=1, policy=replace(FAST, log_every_s=30)) as subject:
        subject.wait_ready()
        thread = failure(lambda: subject.generate(requests(4), GREEDY), caught)
        until(lambda: bench.engines[0].batches != [])
        subject.shutdown()
        thread.join(timeout=5)
        assert not thread.is_alive()
        assert "shut down" in str(caught[0])


def test_an_update_that_hangs_costs_that_engine_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew, "BATCH_MARGIN_S", 2.0)
    bench = Bench()
    with pool(bench, start_timeout_s=0.5, request_timeout_s=0.1) as subject:
        subject.wait_ready()
        bench.engines[1].hang_update = True
        assert subject.publish("w1", 1) == 1
        subject.wait_ready()
        assert subject.counts["engines_lost"] == 1
        assert set(texts(subject.generate(requests(8), GREEDY))) == ONES


def test_shutdown_wakes_who_waits_for_weights() -> None:
    bench = Bench()
    caught: list[BaseException] = []
    with pool(bench, policy=replace(FAST, log_every_s=30)) as subject:
        subject.wait_ready()
        bench.engines[1].hang_update = True
        thread = failure(lambda: subject.publish("w1", 1), caught)
        until(lambda: subject.health()["engines"].get("updating", 0) > 0)
        subject.shutdown()
        thread.join(timeout=5)
        assert not thread.is_alive()
        assert "shut down" in str(caught[0])


def test_engines_that_wait_for_newer_weights_are_not_waited_for() -> None:
    bench = Bench()
    with pool(bench) as subject:
        subject.wait_ready()
        subject.publish("w1", 1)
        bench.gone = {"w1"}
        bench.engines[0].kill()
        subject.generate(requests(8), GREEDY)
        until(lambda: subject.health()["engines"] == {"ready": 1, "outdated": 1})
        subject.wait_ready(num_engines=1)
        with pytest.raises(WeightsLost, match="1 engines lack the newest weights"):
            subject.wait_ready(timeout=3)
        assert subject.publish("w2", 2) == 2
        subject.wait_ready()


def test_an_answer_in_the_last_moment_of_a_wait_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    class LastMoment(Future[int]):
        def result(self, timeout: float | None = None) -> int:
            if not self.done():
                self.set_result(3)
                raise TimeoutError
            return super().result(timeout)

    def submit(work: Coroutine[Any, Any, int], loop: object) -> LastMoment:
        work.close()
        return LastMoment()

    with pool(Bench()) as subject, monkeypatch.context() as patch:
        patch.setattr(asyncio, "run_coroutine_threadsafe", submit)
        assert subject.publish("w1", 1) == 3


def test_engines_that_died_together_are_no_fault_of_a_request() -> None:
    bench = Bench()
    with pool(bench, low=4, high=4) as subject:
        subject.wait_ready()
        for engine in bench.engines[:3]:
            engine.kill()
        assert texts(subject.generate(requests(1), GREEDY)) == ["0:r0"]
        assert subject.counts["engines_lost"] == 3
        assert subject.counts["requests_failed"] == 0


def test_a_slow_start_is_waited_for_where_others_fail() -> None:
    bench = Bench()
    bench.bad_starts = 3
    bench.slow_start = 3
    with pool(bench, low=4, high=4) as subject:
        assert texts(subject.generate(requests(2), GREEDY)) == ["0:r0", "0:r1"]
        assert subject.counts["starts_failed"] == 3


def test_an_engine_that_ends_after_ray_does_not_start_ray_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray

    from chexone_ray.engine.handle import RayEngine

    killed: list[object] = []
    monkeypatch.setattr(ray, "kill", lambda actor, no_restart: killed.append(actor))
    engine = object.__new__(RayEngine)
    engine._actor = "actor"
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    engine.kill()  # `ray.kill` would call `ray.init`
    assert killed == []
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    engine.kill()
    assert killed == ["actor"]
