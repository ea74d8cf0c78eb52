"""The thread that waits for the training workers."""

from __future__ import annotations

import threading

import pytest

from chexone_ray.grpo.workers import in_background


def test_a_run_that_hangs_does_not_keep_the_driver_alive() -> None:
    ended = threading.Event()

    def hang() -> str:
        ended.wait(60)
        return "uri"

    outcome = in_background(hang)
    (thread,) = (t for t in threading.enumerate() if t.name == "grpo-fit")
    assert thread.daemon and not outcome.done()
    ended.set()
    assert outcome.result(10) == "uri"


def test_the_error_of_a_run_is_kept() -> None:
    def fail() -> str:
        raise ArithmeticError("loss is not finite")

    with pytest.raises(ArithmeticError, match="not finite"):
        in_background(fail).result(10)
