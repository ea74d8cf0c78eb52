"""The order of rows, the plan of steps, and images that do not come."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chexone_ray import images
from chexone_ray.config import ImageConfig, PromptConfig, TrainerConfig
from chexone_ray.data import manifest
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Sample
from chexone_ray.training.feed import Chunk, Feed, Order, RowGroup, plan, read_chunk, row_groups
from tests.samples import sample

ROWS = (5, 4, 3)


def order(chunk_rows: int, seed: int = 0) -> Order:
    return Order(tuple(RowGroup("m", n, rows) for n, rows in enumerate(ROWS)), seed, chunk_rows)


def rows(of: Order, num_chunks: int) -> list[tuple[int, int]]:
    """(row group, row) of the first chunks in a line."""
    return [
        (group, first + i)
        for number in range(num_chunks)
        for group, first, taken in of.chunk(number)
        for i in range(taken)
    ]


def test_the_first_epoch_is_the_manifest() -> None:
    straight = [(g, r) for g, size in enumerate(ROWS) for r in range(size)]
    for chunk_rows in (1, 2, 5, 7, 12):
        assert (
            rows(order(chunk_rows), 12 // chunk_rows) == straight[: 12 // chunk_rows * chunk_rows]
        )


def test_later_epochs_permute_row_groups() -> None:
    lines = rows(order(7), 24)  # 168 rows: 14 epochs
    epochs = [lines[i : i + 12] for i in range(0, 168, 12)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(epochs[0])
        for _, group in itertools.groupby(epoch, key=lambda row: row[0]):
            numbers = [row for _, row in group]
            assert numbers == list(range(len(numbers)))
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert lines == rows(order(7), 24)
    assert lines != rows(order(7, seed=1), 24)


def test_a_chunk_longer_than_the_manifest_repeats_it() -> None:
    lines = rows(order(30), 1)
    assert len(lines) == 30
    assert sorted(lines[:12]) == sorted(lines[12:24])


def test_plan_by_hand() -> None:
    trainer = TrainerConfig(
        num_workers=2,
        packs_per_step=2,
        pack_tokens=105,
        max_length=50,
        use_gpu=False,
        attention="sdpa",
    )
    # 10 tokens a row: 10 rows a pack, 40 a step; 12 rows x 100 epochs = 1200 rows = 30 steps.
    steps, chunks = plan(order(4), 10.0, trainer, epochs=100, max_steps=None)
    assert steps == 30
    assert chunks % 2 == 0 and chunks * 4 >= 1200
    assert plan(order(4), 10.0, trainer, epochs=100, max_steps=7)[0] == 7


def about(*films: Path) -> list[Sample]:
    """One question a film."""
    return [
        sample("view", "PA", id=film.name, images=(ImageRef(str(film)),), question="Which view?")
        for film in films
    ]


def test_an_outage_is_no_drop(tmp_path: Path) -> None:
    good, cut, gone, stuck = (tmp_path / name for name in ("good", "cut", "gone", "stuck"))
    good.write_bytes(images.to_png(np.full((56, 84, 3), 90, np.uint8)))
    cut.write_bytes(good.read_bytes()[:50])
    uri, config = str(tmp_path / "manifest"), ImageConfig(max_pixels=12_544)
    manifest.write_samples(uri, about(good, cut, gone), {"seed": 0})
    chunk = read_chunk(Order(tuple(row_groups(uri, "train")), 0, chunk_rows=3), 0, config)
    assert list(chunk.films) == [str(good)]
    assert chunk.films[str(good)].shape == (56, 84), "one channel of a grey film is carried"
    assert chunk.pixels(str(good)).shape == (56, 84, 3) and (chunk.pixels(str(good)) == 90).all()
    red = tmp_path / "red"
    red.write_bytes(images.to_png(np.full((56, 84, 3), (90, 0, 0), np.uint8)))
    manifest.write_samples(str(tmp_path / "colour"), about(red), {"seed": 0})
    order = Order(tuple(row_groups(str(tmp_path / "colour"), "train")), 0, chunk_rows=1)
    shown = read_chunk(order, 0, config).pixels(str(red))
    assert shown.shape == (56, 84, 3) and (shown == (90, 0, 0)).all()
    assert set(chunk.problems) == {str(cut), str(gone)} and chunk.problems[str(gone)] == "missing"
    # Something is there, but its bytes do not come.
    stuck.mkdir()
    manifest.write_samples(uri, about(good, stuck), {"seed": 0})
    with pytest.raises(ChexoneError, match="cannot read"):
        read_chunk(Order(tuple(row_groups(uri, "train")), 0, chunk_rows=2), 0, config)


class Shard:
    """One rank's part of the stream, as Ray Data hands it over."""

    def __init__(self, *samples: Sample) -> None:
        self.chunk = Chunk(0, samples, {}, {})

    def iter_batches(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"chunk": [pickle.dumps(self.chunk)]}


def feed(processor: Any, *samples: Sample) -> Feed:
    """The packs of one rank that reads `samples`, whose rows may have 64 tokens."""
    return Feed(
        Shard(*samples),
        processor,
        rank=0,
        num_ranks=1,
        prompt_config=PromptConfig(system="", suffix=""),
        kind_weights={},
        pack_tokens=64,
        max_length=64,
    )


def test_rows_that_do_not_fit_are_counted_and_too_many_end_the_run(processor: Any) -> None:
    short = sample("view", "PA", mode="instruct")
    long = sample("view", "PA", mode="instruct", question="Which view is this? " * 40)
    few = feed(processor, *[long] * 10, *[short] * 190)  # 5 %, which is the limit
    with pytest.raises(RuntimeError, match="the stream ended"):
        list(few)
    assert few.state()["drops"] == {"too_long": 10}
    many = feed(processor, *[short] * 190, *[long] * 11)
    with pytest.raises(ChexoneError, match=r"11 of 201 rows cannot be used \({'too_long': 11}\)"):
        list(many)
