"""One bound for the decode tasks of all calls, and no wait without an end; Ray is the stand-in."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from chexone_ray.config import ImageConfig
from chexone_ray.engine import decoding
from chexone_ray.engine.decoding import Decoder, Loaded, Pngs, roomiest
from chexone_ray.errors import ChexoneError, ImageError, StorageError
from chexone_ray.log import Waiting
from chexone_ray.records import Sample
from tests.engine.fakes import until


class Task:
    """What a launched part gives; it ends by itself unless it hangs."""

    def __init__(self, part: Sequence[Sample], node: str, ends_at: float) -> None:
        self.part, self.node, self.ends_at = part, node, ends_at
        self.cancelled = False

    @property
    def ended(self) -> bool:
        return self.cancelled or time.monotonic() >= self.ends_at


class FakeRay:
    """Tasks that take a while; a part that holds "hang" never ends, one with "outage" fails."""

    def __init__(self, **cpus: float) -> None:
        self.nodes = cpus
        self.tasks: list[Task] = []
        self.most: Counter[str] = Counter()
        self.delay_s = 0.005

    def cpus(self) -> dict[str, float]:
        return self.nodes

    def launch(self, part: Sequence[Any], config: ImageConfig, node: str) -> Task:
        ends_at = float("inf") if "hang" in part else time.monotonic() + self.delay_s
        self.tasks.append(Task(part, node, ends_at))
        running = Counter(task.node for task in list(self.tasks) if not task.ended)
        self.most |= running
        return self.tasks[-1]

    def wait(self, tasks: Sequence[Task], timeout_s: float) -> list[Task]:
        end = time.monotonic() + timeout_s
        while not (ended := [task for task in tasks if task.ended]) and time.monotonic() < end:
            time.sleep(0.001)
        return ended

    def result(self, task: Task) -> list[Loaded]:
        assert task.ended and not task.cancelled
        return [self._loaded(str(name)) for name in task.part]

    def _loaded(self, name: str) -> Loaded:
        if name == "outage":
            return StorageError("the store does not answer")
        return ImageError("missing", "no file") if name == "missing" else (name.encode(),)

    def cancel(self, task: Task) -> None:
        task.cancelled = True


def decode(decoder: Decoder, parts: Any, stopped: threading.Event | None = None) -> Any:
    """Parts are lists of names instead of samples."""
    return decoder.decode(parts, ImageConfig(), stopped or threading.Event())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(decoding, "POLL_S", 0.02)
    monkeypatch.setattr(decoding, "TIMEOUT_S", 0.3)
    yield


def test_the_least_loaded_node_takes_half_as_many_tasks_as_it_has_cpus() -> None:
    nodes = {"large": 8.0, "small": 1.0, "head": 0.0}
    assert roomiest(nodes, {}) == "large"
    assert roomiest(nodes, {"large": 1}) == "small"
    assert roomiest(nodes, {"large": 3, "small": 1}) == "small"
    assert roomiest(nodes, {"large": 3, "small": 2}) == "large"
    assert roomiest(nodes, {"large": 4, "small": 2}) is None
    assert roomiest({"head": 0.0}, {"head": 1, "gone": 9}) == "head"
    assert roomiest({"head": 0.0}, {"head": 2}) is None
    assert roomiest({}, {}) is None


def test_many_calls_share_one_bound_and_keep_their_order() -> None:
    ray = FakeRay(head=0, worker=8)
    decoder = Decoder(ray)

    def call(number: int) -> list[list[Pngs]]:
        return decode(decoder, [[f"{number}-{i}", "missing"] for i in range(16)])

    with ThreadPoolExecutor(25) as threads:
        results = list(threads.map(call, range(25)))
    for number, parts in enumerate(results):
        assert [part[0] for part in parts] == [(f"{number}-{i}".encode(),) for i in range(16)]
        assert all(isinstance(part[1], ImageError) for part in parts)
    assert ray.most == {"worker": 4}
    # A call has all its tasks before the next one has any.
    callers = [str(task.part[0]).split("-")[0] for task in ray.tasks]
    assert sum(a != b for a, b in pairwise(callers)) == 24
    assert decoder._running == {}


def test_an_outage_is_told_before_all_parts_are_tried() -> None:
    ray = FakeRay(worker=2)
    with pytest.raises(StorageError):
        decode(Decoder(ray), [["outage"], *([str(i)] for i in range(20))])
    assert len(ray.tasks) < 6


def test_a_task_that_hangs_is_one_clear_error_and_leaves_room(
    hasty: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(decoding, "Waiting", partial(Waiting, every_s=0.1))
    ray = FakeRay(worker=4)
    decoder = Decoder(ray)
    with caplog.at_level(logging.INFO), ThreadPoolExecutor(1) as threads:
        other = threads.submit(decode, decoder, [["a"], ["b"]])
        with pytest.raises(ChexoneError, match=r"a task did not end within 0 s: check that stor"):
            decode(decoder, [["hang"], ["x"], ["hang"]])
        assert other.result(timeout=5) == [[(b"a",)], [(b"b",)]]
    assert "waiting for images to be read and decoded since 0 s" in caplog.messages
    assert [task.part for task in ray.tasks if task.cancelled and "x" not in task.part] == [
        ["hang"],
        ["hang"],
    ]
    assert decode(decoder, [["c"]] * 3) == [[(b"c",)]] * 3


def test_room_that_never_comes_is_one_clear_error(hasty: None) -> None:
    ray = FakeRay(worker=1)
    with pytest.raises(ChexoneError, match=r"decoding images: 2 tasks on 1 nodes did not end"):
        decode(Decoder(ray), [["hang"], ["hang"], ["x"]])
    with pytest.raises(ChexoneError, match=r"decoding images: 0 tasks on 0 nodes did not end"):
        decode(Decoder(FakeRay()), [["x"]])


def test_whoever_waits_is_woken_when_nothing_is_wanted_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoding, "POLL_S", 0.02)
    ray = FakeRay(worker=1)
    decoder = Decoder(ray)
    stopped = threading.Event()
    with ThreadPoolExecutor(3) as threads:
        task = threads.submit(decode, decoder, [["hang"]], stopped)
        until(lambda: len(ray.tasks) == 1)
        room = threads.submit(decode, decoder, [["hang"], ["x"]], stopped)
        until(lambda: len(ray.tasks) == 2)
        turn = threads.submit(decode, decoder, [["x"]], stopped)
        time.sleep(0.1)
        assert not (task.done() or room.done() or turn.done())
        stopped.set()
        for future in (task, room, turn):
            with pytest.raises(RuntimeError, match="nobody wants these images"):
                future.result(timeout=5)
    assert all(task.cancelled for task in ray.tasks)
