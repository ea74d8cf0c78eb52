"""Dispatch, retry, replacement, weights and size of the pool, with engines of a few lines."""

from __future__ import annotations

import threading
import time

import pytest

from chexone_ray.config import SamplingConfig
from chexone_ray.errors import ChexoneError, StorageError, WeightsLost
from chexone_ray.records import Rollout
from tests.engine.fakes import GREEDY, Bench, pool, requests, texts, until


def test_order_is_kept_and_work_is_shared() -> None:
    bench = Bench()
    with pool(bench) as subject:
        subject.wait_ready()
        seen: list[int] = []
        rollouts = subject.generate(requests(40), GREEDY, lambda i, r: seen.append(i))
        assert texts(rollouts) == [f"0:r{i}" for i in range(40)]
        assert sorted(seen) == list(range(40))
        shares = [sum(map(len, e.batches)) for e in bench.engines]
        assert shares == [20, 20]
        assert max(len(b) for e in bench.engines for b in e.batches) == 4


def test_few_requests_are_spread_over_the_engines() -> None:
    bench = Bench()
    with pool(bench) as subject:
        subject.wait_ready()
        subject.generate(requests(4), GREEDY)
        assert [sum(map(len, e.batches)) for e in bench.engines] == [2, 2]


def test_sequences_in_flight_are_bounded() -> None:
    bench = Bench()
    with pool(bench, low=1, high=1, max_num_seqs=4) as subject:
        subject.generate(requests(40), SamplingConfig(n=2, temperature=1.0))
        # depth 2 of 4 sequences = 8 sequences = 4 prompts of 2, plus the batch that crossed it
        assert bench.engines[0].most_in_flight <= 8


def test_construction_does_not_wait_and_empty_work_is_done() -> None:
    bench = Bench()
    bench.hold = threading.Event()
    start = time.monotonic()
    with pool(bench) as subject:
        assert subject.generate([], GREEDY) == []
        assert time.monotonic() - start < 1
        assert subject.num_ready == 0
        bench.hold.set()
        subject.wait_ready(timeout=5)
        assert subject.num_ready == 2


def test_lost_engine_is_replaced_and_its_work_repeated() -> None:
    bench = Bench()
    bench.delay_s = 0.05
    with pool(bench) as subject:
        subject.wait_ready()
        threading.Timer(0.02, bench.engines[0].kill).start()
        assert texts(subject.generate(requests(60), GREEDY)) == [f"0:r{i}" for i in range(60)]
        assert subject.counts["engines_lost"] == 1
        assert subject.counts["requests_repeated"] >= 4
        until(lambda: len(bench.alive) == 2)
        assert len(bench.engines) == 3


def test_a_request_that_kills_engines_fails_alone() -> None:
    bench = Bench()
    bench.poison = {"r5"}
    with pool(bench) as subject:
        rollouts = subject.generate(requests(12), GREEDY)
        assert [i for i, r in enumerate(rollouts) if r.error] == [5]
        assert rollouts[5].error == "3 engines failed on it, last ConnectionError"
        assert rollouts[5].request_id == "r5"
        assert subject.counts["requests_done"] == 11
        assert subject.counts["requests_failed"] == 1


def test_hanging_engine_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from chexone_ray.engine import crew

    monkeypatch.setattr(crew, "BATCH_MARGIN_S", 0.0)
    bench = Bench()
    bench.delay_s = 30
    with pool(bench, low=1, high=1, request_timeout_s=0.2, max_retries=0) as subject:
        (rollout,) = subject.generate(requests(1), GREEDY)
        assert rollout.error == "1 engines failed on it, last TimeoutError"


def test_publish_reaches_all_engines_and_late_joiners() -> None:
    bench = Bench()
    with pool(bench) as subject:
        subject.wait_ready()
        assert subject.publish("w1", 1) == 2
        assert subject.publish("w2", 2) == 2
        assert {t.split(":")[0] for t in texts(subject.generate(requests(8), GREEDY))} == {"2"}
        bench.engines[0].kill()
        assert set(texts(subject.generate(requests(8), GREEDY))) == {f"2:r{i}" for i in range(8)}
        subject.wait_ready(timeout=5)
        assert bench.engines[2].loaded == ["base", "w2"]
        assert (subject.version, subject.pristine) == (2, False)


def test_published_before_any_engine_is_up() -> None:
    bench = Bench()
    bench.hold = threading.Event()
    with pool(bench) as subject:
        assert subject.publish("w1", 1) == 0
        bench.hold.set()
        assert {t[0] for t in texts(subject.generate(requests(8), GREEDY))} == {"1"}


def test_load_forgets_what_was_published() -> None:
    bench = Bench()
    with pool(bench) as subject:
        subject.wait_ready()
        subject.publish("w1", 1)
        assert subject.load("other") == 2
        assert (subject.version, subject.pristine, subject.model_uri) == (2, True, "other")
        bench.engines[0].kill()
        subject.generate(requests(8), GREEDY)
        subject.wait_ready(timeout=5)
        assert bench.engines[2].loaded == ["other"]
        assert bench.engines[2].version == 2


def test_engine_that_fails_an_update_is_replaced() -> None:
    bench = Bench()
    with pool(bench) as subject:
        subject.wait_ready()
        bench.engines[1].refuse_update = True
        assert subject.publish("w1", 1) == 1
        assert {t[0] for t in texts(subject.generate(requests(8), GREEDY))} == {"1"}
        subject.wait_ready(timeout=5)
        assert bench.engines[2].loaded == ["base", "w1"]


def test_weights_whose_owner_died_cost_no_engine() -> None:
    bench = Bench()
    bench.gone = {"w1"}
    with pool(bench) as subject:
        subject.wait_ready()
        with pytest.raises(WeightsLost, match="weights 1 reached 0 of 2 engines"):
            subject.publish("w1", 1)
        with pytest.raises(WeightsLost, match="publish newer ones"):
            subject.generate(requests(1), GREEDY)
        with pytest.raises(WeightsLost):
            subject.wait_ready()
        assert subject.publish("w2", 1) == 2
        assert {t[0] for t in texts(subject.generate(requests(8), GREEDY))} == {"1"}
        assert (len(bench.engines), subject.counts["engines_lost"]) == (2, 0)


def test_a_joiner_without_the_newest_weights_gets_no_work() -> None:
    bench = Bench()
    with pool(bench) as subject:
        subject.wait_ready()
        subject.publish("w1", 1)
        bench.gone = {"w1"}
        bench.engines[0].kill()
        assert set(texts(subject.generate(requests(8), GREEDY))) == {f"1:r{i}" for i in range(8)}
        until(lambda: subject.health()["engines"] == {"ready": 1, "outdated": 1})
        bench.engines[1].kill()
        with pytest.raises(WeightsLost, match="no engine has the newest weights"):
            subject.generate(requests(8), GREEDY)
        assert subject.load("base", 2) >= 1
        assert {t[0] for t in texts(subject.generate(requests(8), GREEDY))} == {"2"}


def test_work_of_the_last_engine_with_the_weights_is_failed_not_forgotten() -> None:
    bench = Bench()
    with pool(bench, low=1, high=2, max_num_seqs=4) as subject:
        subject.wait_ready()
        subject.publish("w1", 1)
        bench.gone = {"w1"}
        bench.delay_s = 0.05
        bench.poison = {"r199"}
        # Work waits, so the pool grows; what joins is outdated, and there is never more of it than
        # the maximum. The last request then takes the one engine that works with it.
        with pytest.raises(WeightsLost, match="no engine has the newest weights"):
            subject.generate(requests(200), GREEDY)
        time.sleep(0.5)
        assert len(bench.alive) <= 2
        assert subject.publish("w2", 2) >= 1
        bench.poison = set()
        assert {t[0] for t in texts(subject.generate(requests(8), GREEDY))} == {"2"}


def test_a_joiner_takes_newer_weights_where_those_it_waits_for_are_lost() -> None:
    bench = Bench()
    bench.gone = {"w1"}
    bench.update_s = 0.3
    with pool(bench, low=1, high=1) as subject:
        assert subject.publish("w1", 1) == 0  # nobody is up yet
        until(lambda: bench.alive != [])
        assert subject.publish("w2", 2) == 0  # it waits for w1 still
        subject.wait_ready(timeout=5)
        assert bench.engines[0].loaded == ["base", "w2"]
        assert subject.counts["starts_failed"] == 0


def test_grows_under_load_and_shrinks_when_idle() -> None:
    bench = Bench()
    bench.delay_s = 0.05
    with pool(bench, low=1, high=2, max_num_seqs=4) as subject:
        subject.generate(requests(200), GREEDY)
        assert len(bench.engines) == 2
        assert all(e.batches for e in bench.engines)
        until(lambda: len(bench.alive) == 1)
        assert subject.counts["engines_retired"] == 1
        assert texts(subject.generate(requests(3), GREEDY)) == ["0:r0", "0:r1", "0:r2"]


def test_transient_start_failures_are_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    from chexone_ray.engine import crew

    monkeypatch.setattr(crew, "BACKOFF_S", 0.01)
    bench = Bench()
    bench.bad_starts = 2
    with pool(bench, low=1, high=1) as subject:
        assert texts(subject.generate(requests(2), GREEDY)) == ["0:r0", "0:r1"]
        assert subject.counts["starts_failed"] == 2


def test_a_store_that_does_not_answer_once_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from chexone_ray.engine import crew

    monkeypatch.setattr(crew, "BACKOFF_S", 0.01)
    bench = Bench()
    bench.bad_starts = 1
    bench.start_error = StorageError("cannot read s3://models/one: timeout")
    with pool(bench, low=1, high=1) as subject:
        assert texts(subject.generate(requests(2), GREEDY)) == ["0:r0", "0:r1"]


def test_gives_up_after_three_failed_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    from chexone_ray.engine import crew

    monkeypatch.setattr(crew, "BACKOFF_S", 0.01)
    bench = Bench()
    bench.bad_starts = 99
    with pool(bench, low=1, high=1) as subject:
        with pytest.raises(ChexoneError, match="after 3 tries"):
            subject.generate(requests(2), GREEDY)
        with pytest.raises(ChexoneError, match="no memory"):
            subject.wait_ready()


def test_a_user_error_at_the_start_is_told_at_once() -> None:
    bench = Bench()
    bench.bad_starts = 99
    bench.start_error = ChexoneError("nowhere holds no config.json: give a folder")
    with pool(bench, low=1, high=1) as subject:
        with pytest.raises(ChexoneError, match=r"nowhere holds no config\.json"):
            subject.wait_ready()
        assert len(bench.engines) == 1


def test_shutdown_closes_all_and_wakes_waiting_calls() -> None:
    bench = Bench()
    bench.delay_s = 30
    caught: list[BaseException] = []
    with pool(bench) as subject:
        subject.wait_ready()

        def call() -> None:
            try:
                subject.generate(requests(50), GREEDY)
            except RuntimeError as error:
                caught.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        until(lambda: any(e.batches for e in bench.engines))
        subject.shutdown()
        thread.join(timeout=5)
        assert not thread.is_alive()
        assert "shut down" in str(caught[0])
        assert not bench.alive
        with pytest.raises(RuntimeError, match="shut down"):
            subject.generate(requests(1), GREEDY)


def test_an_interrupted_call_leaves_no_work_behind() -> None:
    bench = Bench()
    bench.delay_s = 0.05
    with pool(bench, low=1, high=1, max_num_seqs=4) as subject:

        def stop(index: int, rollout: Rollout) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            subject.generate(requests(100), GREEDY, stop)
        assert texts(subject.generate(requests(1, "next"), GREEDY)) == ["0:next0"]
        assert sum(map(len, bench.engines[0].batches)) < 30
