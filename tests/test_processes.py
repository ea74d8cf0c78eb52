"""Workers of our own Ray are found by their raylet, and ended when they do not end themselves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from chexone_ray import processes


@contextmanager
def sleeper(raylet: int | None = None, seconds: str = "60") -> Iterator[subprocess.Popen[bytes]]:
    """A child that sleeps, as a raylet or as the worker of one."""
    environment = {k: v for k, v in os.environ.items() if k != "RAY_RAYLET_PID"}
    if raylet is not None:
        environment["RAY_RAYLET_PID"] = str(raylet)
    child = subprocess.Popen(["sleep", seconds], env=environment)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def test_only_workers_of_our_own_raylets_are_found() -> None:
    with sleeper() as raylet, sleeper(raylet.pid) as worker, sleeper(1) as other:
        found = {process.pid for process in processes.ray_workers()}
        assert worker.pid in found
        assert not found & {raylet.pid, other.pid, os.getpid()}


def test_what_does_not_end_in_time_is_killed() -> None:
    with sleeper() as stuck, sleeper(seconds="0.2") as short:
        both = [p for p in map(processes.Process.of, (stuck.pid, short.pid)) if p is not None]
        assert len(both) == 2
        assert processes.end(both, grace_s=1.0) == 1
        assert stuck.wait(timeout=10) == -9 and short.wait(timeout=10) == 0
        assert not any(process.is_alive() for process in both)
        assert processes.end(both, grace_s=0.0) == 0


def test_a_number_that_was_given_anew_is_another_process() -> None:
    me = processes.Process.of(os.getpid())
    assert me is not None and me.is_alive()
    assert not processes.Process(me.pid, "1").is_alive()
