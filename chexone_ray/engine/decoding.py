"""Images of many samples, decoded by Ray tasks: one bound for all the threads of this driver.

The tasks are spread over the nodes: a large pool does not wait for the cores of one machine. They
claim no CPU: engines and trainers may hold all of them, and wait for the images. So what Ray does
not count is counted here.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Protocol

from chexone_ray import images
from chexone_ray.config import ImageConfig
from chexone_ray.data import stream
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.log import Waiting
from chexone_ray.records import Sample

logger = logging.getLogger(__name__)

TASK_THREADS = 4
"""Reads that wait for storage together; the decoding itself takes one core."""
TIMEOUT_S = 900.0
"""For one task, the start of its process and slow storage included."""
POLL_S = 1.0

Pngs = tuple[bytes, ...] | ImageError
Loaded = tuple[bytes, ...] | ChexoneError


def usable(loaded: Sequence[Loaded]) -> list[Pngs]:
    """The same, where no error is about more than one image; otherwise raises the first such."""
    good: list[Pngs] = []
    for one in loaded:
        if isinstance(one, ChexoneError) and not isinstance(one, ImageError):
            raise one
        good.append(one)
    return good


def load_batch(samples: Sequence[Sample], config: ImageConfig) -> list[Loaded]:
    """The images of each sample as PNG, or why they cannot be had.

    Errors come back as values: what nobody fetches, Ray would log, and they name files.
    """

    def load(sample: Sample) -> Loaded:
        try:
            pictures = stream.load_images(sample, config)
        except ChexoneError as error:
            return error
        return tuple(images.to_png(pixels) for pixels in pictures)

    with ThreadPoolExecutor(TASK_THREADS) as threads:
        return list(threads.map(load, samples))


def roomiest(cpus: Mapping[str, float], running: Mapping[str, int]) -> str | None:
    """The node with the most room for another task, None where all have their share.

    A share is half as many tasks as CPUs, two at least: `cpus` and the `running` tasks by node. A
    node without CPUs, as the head of a cluster may be, gets none while there are others.
    """
    able = {node: num for node, num in cpus.items() if num > 0} or cpus
    load = {node: running.get(node, 0) / max(2, int(num) // 2) for node, num in able.items()}
    node = min(load, key=lambda name: load[name], default=None)
    return node if node is not None and load[node] < 1 else None


class Cluster(Protocol):
    """What `Decoder` asks of Ray."""

    def cpus(self) -> dict[str, float]:
        """Logical CPUs of the nodes that are up, by node."""

    def launch(self, part: Sequence[Sample], config: ImageConfig, node: str) -> Any:
        """Start `load_batch` on a node; returns the task."""

    def wait(self, tasks: Sequence[Any], timeout_s: float) -> list[Any]:
        """Those that have ended, as soon as there is one, or none in time."""

    def result(self, task: Any) -> list[Loaded]:
        """What an ended task returned; raises what it raised."""

    def cancel(self, task: Any) -> None:
        """End a task at once; no effect on one that has ended."""


class Decoder:
    """Decodes parts of samples, on each node at most so many at a time as `roomiest` says.

    Consumes: parts, from any thread. Produces: the images of each, in order. Waits for: its turn,
    since a call has all its tasks started before the next one, so that the first caller has its
    images early; then room for each task and the task itself, at most `TIMEOUT_S` each. Unblocked
    by: tasks that end, or `stopped`, after which it raises. On failure: raises the first error that
    is not about one image as soon as it is there, and cancels what is left of the call.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._turn = threading.Lock()
        self._running: dict[Any, str] = {}

    def decode(
        self, parts: Sequence[Sequence[Sample]], config: ImageConfig, stopped: threading.Event
    ) -> list[list[Pngs]]:
        """See the class. Raises ChexoneError where a task takes too long."""
        started: dict[Any, float] = {}
        done: dict[Any, list[Pngs]] = {}
        try:
            with self._taken_turn(stopped):
                for part in parts:
                    node = self._room(stopped)
                    task = self._cluster.launch(part, config, node)
                    started[task] = time.monotonic()
                    self._running[task] = node
                    self._collect(started, done, 0)
            self._await(started, done, stopped)
            return [done[task] for task in started]
        except BaseException:
            for task in started:
                self._cluster.cancel(task)
            raise
        finally:
            for task in started:
                self._running.pop(task, None)

    @contextlib.contextmanager
    def _taken_turn(self, stopped: threading.Event) -> Iterator[None]:
        """Without a bound of its own: every call before this one has bounds."""
        waiting = Waiting(logger, "images of other parts to be sent out")
        while not self._turn.acquire(timeout=POLL_S):
            _check(stopped)
            waiting.remind()
        try:
            yield
        finally:
            self._turn.release()

    def _room(self, stopped: threading.Event) -> str:
        waiting = Waiting(logger, "one of the tasks that decode images to end")
        start = time.monotonic()
        while True:
            _check(stopped)
            tasks = dict(self._running)
            ended = set(self._cluster.wait(list(tasks), 0)) if tasks else set()
            running = Counter(node for task, node in tasks.items() if task not in ended)
            cpus = self._cluster.cpus()
            node = roomiest(cpus, running)
            if node is not None:
                return node
            _check_time(start, f"{running.total()} tasks on {len(cpus)} nodes")
            waiting.remind()
            if left := [task for task in tasks if task not in ended]:
                self._cluster.wait(left, POLL_S)
            else:
                stopped.wait(POLL_S)

    def _await(
        self, started: dict[Any, float], done: dict[Any, list[Pngs]], stopped: threading.Event
    ) -> None:
        waiting = Waiting(logger, "images to be read and decoded")
        while len(done) < len(started):
            self._collect(started, done, POLL_S)
            _check(stopped)
            for task, since in started.items():
                if task not in done:
                    _check_time(since, "a task")
            waiting.remind()

    def _collect(
        self, started: dict[Any, float], done: dict[Any, list[Pngs]], timeout_s: float
    ) -> None:
        """Take what ends within `timeout_s`, but do not wait for more than one."""
        left = [task for task in started if task not in done]
        for task in self._cluster.wait(left, timeout_s) if left else ():
            done[task] = usable(self._cluster.result(task))
            del self._running[task]


def _check(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise RuntimeError("nobody wants these images any more")


def _check_time(start: float, what: str) -> None:
    if time.monotonic() - start > TIMEOUT_S:
        raise ChexoneError(
            f"decoding images: {what} did not end within {TIMEOUT_S:.0f} s: check that storage "
            "answers on every node, and with `ray status` that the nodes are up and not overloaded"
        )


class RayCluster:
    """The running Ray. What it is asked of after its end raises: `ray.wait` would start another."""

    def cpus(self) -> dict[str, float]:
        """See `Cluster`."""
        import ray

        nodes = [node for node in ray.nodes() if node["Alive"]]
        return {node["NodeID"]: float(node["Resources"].get("CPU", 0)) for node in nodes}

    def launch(self, part: Sequence[Sample], config: ImageConfig, node: str) -> Any:
        """See `Cluster`. Where the node is gone just now, another one does it."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node, soft=True)
        return _task().options(scheduling_strategy=there).remote(part, config)

    def wait(self, tasks: Sequence[Any], timeout_s: float) -> list[Any]:
        """See `Cluster`."""
        import ray

        if not ray.is_initialized():
            raise RuntimeError("Ray has ended")
        ended, left = ray.wait(list(tasks), timeout=timeout_s)
        if ended and left:  # `ray.wait` returns one
            ended += ray.wait(left, num_returns=len(left), timeout=0)[0]
        return list(ended)

    def result(self, task: Any) -> list[Loaded]:
        """See `Cluster`."""
        import ray

        loaded: list[Loaded] = ray.get(task)
        return loaded

    def cancel(self, task: Any) -> None:
        """See `Cluster`."""
        import ray

        if ray.is_initialized():
            with contextlib.suppress(Exception):  # it is given up, whatever becomes of it
                ray.cancel(task, force=True)


@cache
def _task() -> Any:
    """Made once: Ray keeps a copy of every remote function that is made."""
    import ray

    return ray.remote(num_cpus=0)(load_batch)


DECODER = Decoder(RayCluster())
"""The one of this driver."""
