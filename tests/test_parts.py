"""Numbered parts: what a killed run finds again, and what it refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from chexone_ray import storage
from chexone_ray.errors import ChexoneError
from chexone_ray.parts import PartFolder, ahead, cut, digest, numbered


def test_cut_and_digest() -> None:
    assert [list(part) for part in cut([1, 2, 3, 4, 5], 2)] == [[1, 2], [3, 4], [5]]
    assert cut([], 2) == []
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_numbered_reads_no_further_than_the_part_it_gives() -> None:
    read: list[int] = []

    def source() -> Iterator[int]:
        for item in range(5):
            read.append(item)
            yield item

    parts = numbered(source(), 2)
    assert next(parts) == (0, (0, 1)) and read == [0, 1]
    assert list(parts) == [(1, (2, 3)), (2, (4,))]
    assert list(numbered([], 2)) == []


def test_a_second_run_finds_the_parts_of_the_first(tmp_path: Path) -> None:
    uri = str(tmp_path / "out")
    first = PartFolder(uri, "part", {"model": "m"})
    assert first.open() == set()
    first.write(0, pa.table({"x": [1, 2]}))
    first.write(2, pa.table({"x": [5]}))
    second = PartFolder(uri, "part", {"model": "m"})
    assert not second.is_complete()
    assert second.open() == {0, 2}
    assert second.read(2).to_pylist() == [{"x": 5}]
    second.write(1, pa.table({"x": [3, 4]}))
    second.commit({"rows": 5})
    assert PartFolder(uri, "part", {"model": "m"}).is_complete()
    assert storage.committed(uri) == {"settings_digest": second.settings_digest, "rows": 5}
    assert not storage.exists(storage.join(uri, "progress.json"))


def test_parts_of_other_settings_are_refused(tmp_path: Path) -> None:
    uri = str(tmp_path / "out")
    first = PartFolder(uri, "part", {"model": "m"})
    first.open()
    PartFolder(uri, "part", {"model": "unused"}).open()  # nothing was made with the first ones
    first.open()
    first.write(0, pa.table({"x": [1]}))
    with pytest.raises(ChexoneError, match=r"other settings \(model\)"):
        PartFolder(uri, "part", {"model": "other"}).open()
    assert first.open() == {0}
    first.commit({})
    with pytest.raises(ChexoneError, match="other settings"):
        PartFolder(uri, "part", {"model": "other"}).is_complete()


def test_foreign_files_are_no_parts(tmp_path: Path) -> None:
    folder = PartFolder(str(tmp_path), "part", {})
    for name in ("part-1.parquet", "part-00001.parquet.tmp", "groups-00001.parquet"):
        (tmp_path / name).write_bytes(b"x")
    assert folder.open() == set()


def test_ahead_keeps_order_and_bounds_what_runs() -> None:
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            running.append(item)
            most.append(len(running))
        time.sleep(0.01 * (5 - item))
        with lock:
            running.remove(item)
        return item * item

    assert list(ahead(range(5), work, num_ahead=2)) == [0, 1, 4, 9, 16]
    assert max(most) == 2


def test_ahead_stops_at_the_first_error() -> None:
    seen: list[int] = []

    def work(item: int) -> int:
        seen.append(item)
        if item == 1:
            raise ValueError("no")
        return item

    results = []
    with pytest.raises(ValueError, match="no"):
        for result in ahead(range(100), work, num_ahead=2):
            results.append(result)
    assert results == [0]
    assert len(seen) < 10


def test_ahead_does_not_wait_for_other_threads_once_one_fails() -> None:
    ended = threading.Event()

    def work(item: int) -> None:
        if item == 0:
            raise ValueError("no")
        ended.wait(20)

    start = time.monotonic()
    with pytest.raises(ValueError, match="no"):
        list(ahead(range(3), work, num_ahead=3))
    assert time.monotonic() - start < 5
    ended.set()
