"""The order of rows, and the plan of steps."""

from __future__ import annotations

import itertools

from chexone_ray.config import TrainerConfig
from chexone_ray.training.feed import Order, RowGroup, plan

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
