"""All questions, asked block by block on the cluster, in waves: what one wave needs is in memory.

A block that an interrupted run has finished is not asked again, unless the tables say something
else of its patients now. What is hopeless is told after the first wave, not after all films.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from chexone_ray import runtime
from chexone_ray.config import PrepareConfig
from chexone_ray.data import blocks, drops
from chexone_ray.data.ask import ask_block, digest_of, pack
from chexone_ray.data.blocks import Block
from chexone_ray.data.chunks import chunked
from chexone_ray.data.shelf import Patients
from chexone_ray.errors import ChexoneError
from chexone_ray.parts import cut

logger = logging.getLogger(__name__)

PATIENTS_PER_CHUNK = 32
"""Patients whose studies are put beside one another; fixed, so that no result depends on CPUs."""
CHUNKS_PER_BLOCK = 8
"""What is done again where a run is killed, times the CPUs."""
BLOCKS_PER_WAVE, ROUNDS_PER_WAVE = 256, 16
"""At least so many blocks, and so many for every CPU, so that few CPUs wait at the end of one."""
TOLD_EVERY_S = 30.0
HOPELESS_SHARE = 0.5
"""More than half of a data set unusable is a wrong folder, not an accident."""


def ask_all(patients: Patients, folder: str, config: PrepareConfig) -> list[Block]:
    """Ask about all patients, into `folder`; the blocks in the order of their numbers.

    Raises ChexoneError where too much of a data set is unusable; the blocks that lost something
    then count as missing, so that the same command goes on once the archive is mended.
    """
    before = blocks.finished(folder)
    parts = cut(chunked(patients.shelved, PATIENTS_PER_CHUNK, config), CHUNKS_PER_BLOCK)
    if before:
        logger.info("going on: %d of %d blocks are there already", len(before), len(parts))
    done: list[Block] = []
    told = time.monotonic()
    cpus = num_cpus()
    for wave in cut(range(len(parts)), max(BLOCKS_PER_WAVE, ROUNDS_PER_WAVE * cpus)):
        found: dict[int, Block] = {}
        todo = []
        for number in wave:
            packed = pack([[patients[at] for at in chunk] for chunk in parts[number]])
            if number in before and before[number].asked_of == digest_of(packed):
                found[number] = before[number]
            else:
                todo.append({"number": number, "chunks": packed})
        for block in _ask(todo, folder, config, cpus):
            found[block.number] = block
            if time.monotonic() - told > TOLD_EVERY_S:
                told = time.monotonic()
                _tell([*done, *found.values()], len(parts))
        done += [found[number] for number in wave]
        hopeless = max(HOPELESS_SHARE, config.max_drop_share)
        last = len(done) == len(parts)
        try:
            drops.check_read(
                done,
                config if last else config.model_copy(update={"max_drop_share": hopeless}),
            )
        except ChexoneError:
            blocks.discard(folder, (block.number for block in done if block.letters))
            raise
    return done


def num_cpus() -> int:
    """CPUs to use: what Ray has, on one machine no more than there really are."""
    import ray

    cluster = int(ray.cluster_resources().get("CPU", 1))
    alone = sum(node["Alive"] for node in ray.nodes()) == 1
    return max(1, min(cluster, len(os.sched_getaffinity(0))) if alone else cluster)


def _ask(
    todo: Sequence[dict[str, Any]], folder: str, config: PrepareConfig, cpus: int
) -> Iterator[Block]:
    """The blocks of one wave as they are finished."""
    import ray

    if not todo:
        return
    runtime.quiet_data()
    asked = ray.data.from_items(list(todo), override_num_blocks=len(todo)).map_batches(
        ask_block,
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"config": config, "folder": folder},
        compute=ray.data.TaskPoolStrategy(size=min(cpus, len(todo))),
    )
    for row in asked.iter_rows():
        yield blocks.from_json(json.loads(row["block"]))


def _tell(done: Sequence[Block], total: int) -> None:
    logger.info(
        "prepare: %d of %d blocks asked, %d films read, %d things left out so far",
        len(done),
        total,
        sum(block.num_images for block in done),
        sum(letter.count for block in done for letter in block.letters),
    )
