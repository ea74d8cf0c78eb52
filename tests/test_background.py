"""Chunks on Ray tasks, and the thread that waits for what may never end."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from chexone_ray import background
from chexone_ray.background import in_background, on_tasks
from chexone_ray.errors import ChexoneError
from chexone_ray.log import Waiting


def _sleep(seconds: float) -> float:
    if seconds < 0:
        raise ChexoneError("seconds=-1: give 0 or more")
    time.sleep(seconds)
    return seconds


@pytest.mark.slow
def test_tasks_say_what_is_waited_for_and_end_in_time(
    ray_local: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(background, "Waiting", partial(Waiting, every_s=0.5))
    free = ray.available_resources()["CPU"]
    start = time.monotonic()
    with (
        caplog.at_level("INFO", "chexone_ray.background"),
        pytest.raises(ChexoneError, match=r"naps: [12] of 2 tasks are not done after 3 s"),
    ):
        on_tasks(_sleep, [60.0, 0.0], timeout_s=3.0, what="naps")
    assert "waiting for naps, 2 tasks since" in caplog.text
    # An error of one ends the other, and is raised as itself.
    with pytest.raises(ChexoneError, match="seconds=-1"):
        on_tasks(_sleep, [60.0, -1.0], timeout_s=60.0, what="naps")
    assert time.monotonic() - start < 50
    assert on_tasks(_sleep, [0.2, 0.0, 0.1], timeout_s=60.0, what="naps") == [0.2, 0.0, 0.1]
    while ray.available_resources().get("CPU", 0) < free:
        assert time.monotonic() - start < 90, "a task that is waited for no more goes on"
        time.sleep(0.2)


def test_what_hangs_does_not_keep_the_process_alive() -> None:
    ended = threading.Event()

    def hang() -> str:
        ended.wait(60)
        return "uri"

    outcome = in_background("test-hang", hang)
    (thread,) = (t for t in threading.enumerate() if t.name == "test-hang")
    assert thread.daemon and not outcome.done()
    with pytest.raises(TimeoutError):
        outcome.result(0.01)
    ended.set()
    assert outcome.result(10) == "uri"


def test_the_error_of_a_run_is_kept() -> None:
    def fail() -> str:
        raise ArithmeticError("loss is not finite")

    with pytest.raises(ArithmeticError, match="not finite"):
        in_background("test-fail", fail).result(10)
