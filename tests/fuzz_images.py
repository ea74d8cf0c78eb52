"""Decode damaged films by the ten thousand and tell of each that crashes, hangs or takes too much.

    python -m tests.fuzz_images --count 100000 --seed 0 --log /tmp/fuzz.jsonl
    python -m tests.fuzz_images --seed 0 --only 4711

A film is `damage.mutant(seed, number)`; the second form decodes one again, here in this process.
With `--log` finished blocks are kept, and the same command goes on after them. Films are decoded in
processes of their own, one film at a time each, because what is looked for ends a process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chexone_ray import images, log
from chexone_ray.config import ImageConfig
from chexone_ray.errors import ImageError
from tests import damage
from tests.memory import peak_mib, reset_peak

logger = logging.getLogger(__name__)

CONFIG = ImageConfig()
BLOCK = 500
LIMIT_S = 20.0
LIMIT_MIB = 1024.0
_ADDRESS_SPACE = 8 << 30
"""So that a decoder that runs away is ended before the machine is."""

Trial = Callable[[bytes], str]
"""One film's outcome in a word. What it raises is a crash."""


@dataclass
class Block:
    """Outcomes of the films from `first` on, and the numbers of those that went wrong."""

    seed: int
    first: int
    count: int
    outcomes: dict[str, int] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_mib: float = 0.0
    wall_s: float = 0.0


def attempt(data: bytes) -> str:
    """ "decoded" or the reason why not. The size that the header tells has to be that of the film,
    and the pixels those of a film on the grid."""
    try:
        told: tuple[int, int] | None = images.size(data)
    except ImageError:
        told = None
    try:
        image = images.decode(data, CONFIG)
    except ImageError as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError from error
        return error.reason
    height, width, channels = image.pixels.shape
    assert image.pixels.dtype == np.uint8 and channels == 3
    assert height % images.GRID == width % images.GRID == 0
    assert height * width <= CONFIG.max_pixels
    assert told == (image.geometry.original_width, image.geometry.original_height)
    return "decoded"


def run(
    count: int,
    seed: int,
    *,
    workers: int = 1,
    log_file: Path | None = None,
    limit_s: float = LIMIT_S,
    trial: Trial = attempt,
) -> Block:
    """Films 0 to `count` of `seed`, summed up. Blocks in `log_file` are not decoded again."""
    done = _logged(log_file, seed)
    firsts = [first for first in range(0, count, BLOCK) if first not in done]
    begun = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        blocks = [Block(seed, first, min(BLOCK, count - first)) for first in firsts]
        for block in pool.map(lambda one: _block(one, trial, limit_s), blocks):
            done[block.first] = block
            for line in block.bad:
                logger.warning("seed %d: %s", seed, line)
            if log_file:
                with log_file.open("a") as file:
                    file.write(json.dumps(asdict(block)) + "\n")
            if block.first % (20 * BLOCK) == 0:
                logger.info("%d films after %.0f s", block.first, time.monotonic() - begun)
    return _summed([block for block in done.values() if block.first < count], seed)


def _logged(log_file: Path | None, seed: int) -> dict[int, Block]:
    if log_file is None or not log_file.exists():
        return {}
    blocks = [Block(**json.loads(line)) for line in log_file.read_text().splitlines()]
    return {block.first: block for block in blocks if block.seed == seed and block.count == BLOCK}


def _summed(blocks: list[Block], seed: int) -> Block:
    outcomes: Counter[str] = Counter()
    for block in blocks:
        outcomes.update(block.outcomes)
    return Block(
        seed,
        0,
        sum(block.count for block in blocks),
        dict(outcomes.most_common()),
        [line for block in sorted(blocks, key=lambda one: one.first) for line in block.bad],
        max((block.slowest_s for block in blocks), default=0.0),
        max((block.largest_mib for block in blocks), default=0.0),
        sum(block.wall_s for block in blocks),
    )


# --- one block in a process of its own -----------------------------------------------------------


def _block(block: Block, trial: Trial, limit_s: float) -> Block:
    begun = time.monotonic()
    outcomes: Counter[str] = Counter()
    worker: _Worker | None = None
    for number in range(block.first, block.first + block.count):
        worker = worker or _Worker(trial, block.seed)
        start = time.monotonic()
        outcome, mib = worker.outcome(number, limit_s)
        block.slowest_s = max(block.slowest_s, time.monotonic() - start)
        block.largest_mib = max(block.largest_mib, mib)
        if mib > LIMIT_MIB:
            outcome = f"memory: {mib:.0f} MiB"
        outcomes[outcome.partition(":")[0]] += 1
        if outcome.partition(":")[0] in ("crash", "hang", "memory"):
            block.bad.append(f"--only {number} ({outcome})")
            worker.end()
            worker = None
    if worker:
        worker.end()
    block.outcomes, block.wall_s = dict(outcomes), time.monotonic() - begun
    return block


class _Worker:
    """Consumes film numbers, produces outcomes, from a process. Waits for it; a film that takes too
    long or its death unblocks. On failure it is ended and of no more use."""

    def __init__(self, trial: Trial, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, trial, seed), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()  # It has imported what it needs: the clock of the first film starts.

    def outcome(self, number: int, limit_s: float) -> tuple[str, float]:
        """A word, or "crash: ..." or "hang: ...", and the peak of memory in MiB."""
        try:
            self._pipe.send(number)
            if not self._pipe.poll(limit_s):
                return f"hang: over {limit_s:g} s", 0.0
            outcome, mib = self._pipe.recv()
            return str(outcome), float(mib)
        except (EOFError, OSError):
            self._process.join(10)
            return f"crash: process ended with {self._process.exitcode}", 0.0

    def end(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.join()


def _serve(pipe: Any, trial: Trial, seed: int) -> None:
    """The process: numbers in, (outcome, MiB) out, until the other end is closed."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Path(os.devnull).open("w") as nowhere:  # What decoders write about damage.
        os.dup2(nowhere.fileno(), 2)
    for kind in damage.KINDS:
        damage.original(kind)
    pipe.send("ready")
    for number in iter(pipe.recv, None):
        _, data = damage.mutant(seed, number)
        reset_peak()
        outcome = _tried(trial, data)
        pipe.send((outcome, peak_mib() + sum(peak_mib(child) for child in _children())))


def _tried(trial: Trial, data: bytes) -> str:
    try:
        return trial(data)
    except MemoryError:
        return "memory: none left"
    except BaseException as error:
        return f"crash: {type(error).__name__}: {error}"


def _children() -> Iterator[int]:
    """Processes that this one started, such as GDCM's."""
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # The thread is gone.
            yield from map(int, (task / "children").read_text().split())


# --- command line --------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log", type=Path, help="JSON lines of finished blocks, to go on from")
    parser.add_argument("--only", type=int, help="decode this one film here")
    parser.add_argument("--write", type=Path, help="with --only: the file to put the film into")
    options = parser.parse_args()
    log.configure()
    if options.only is not None:
        kind, data = damage.mutant(options.seed, options.only)
        logger.info("%s, %d bytes", kind, len(data))
        if options.write:
            options.write.write_bytes(data)
        reset_peak()
        start = time.perf_counter()
        outcome = attempt(data)
        logger.info("%s, %.2f s, %.0f MiB", outcome, time.perf_counter() - start, peak_mib())
        return 0
    total = run(options.count, options.seed, workers=options.workers, log_file=options.log)
    sys.stdout.write(json.dumps(asdict(total), indent=1) + "\n")
    return 1 if total.bad else 0


if __name__ == "__main__":
    sys.exit(main())
