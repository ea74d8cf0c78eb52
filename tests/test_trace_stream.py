"""`trace` goes through a manifest part by part: what memory holds, what is written when."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import storage
from chexone_ray.data import manifest, stream
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Sample
from chexone_ray.trace import trace
from tests.chat_server import ChatServer, completion, failure
from tests.test_trace import RIGHT, WRONG, settings, write_manifest

SPLIT_PARTS = [f"part-train-{number:05d}.parquet" for number in range(6)]


def live_samples() -> int:
    return sum(isinstance(thing, Sample) for thing in gc.get_objects())


def parts_of(uri: str) -> list[str]:
    """The manifest's parts that lie on storage."""
    names = [file.rsplit("/", 1)[1] for file in storage.list_files(uri, ".parquet")]
    return [name for name in names if name.startswith("part-")]


def test_memory_holds_the_parts_under_way_only(tmp_path: Path) -> None:
    uri = write_manifest(tmp_path, 160)
    gc.collect()
    before = live_samples()
    most = 0

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        nonlocal most
        if row % 8 == 0:
            most = max(most, live_samples() - before)
        return completion([RIGHT])

    with ChatServer(script) as server:
        config = settings(tmp_path, server.url, uri, rows_per_part=8)
        trace(config)
    # Two parts are asked about and two are on their way, with room for what is being freed.
    assert 8 <= most <= 64
    assert len(stream.read_samples(config.output_uri, "train")) == 160


def test_parts_are_written_as_they_fill_and_a_failed_run_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "ROWS_PER_PART", 5)
    uri = write_manifest(tmp_path, 30)
    seen: list[str] = []
    broken = True

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        if row == 27:
            seen[:] = parts_of(config.output_uri)
            return failure(401) if broken else completion([RIGHT])
        return completion([WRONG if row % 10 == 3 else RIGHT])

    with ChatServer(script) as server:
        endpoint = {"max_in_flight": 2}
        config = settings(tmp_path, server.url, uri, rows_per_part=3, endpoint=endpoint)
        with pytest.raises(ChexoneError, match="answers 401"):
            trace(config)
        assert seen[:3] == SPLIT_PARTS[:3], "long before the end"
        assert storage.committed(config.output_uri) is None
        stale = storage.join(config.output_uri, "part-train-00099.parquet")
        storage.write_bytes(stale, b"of an earlier release")
        broken = False
        trace(config)
        # Whoever was under way beside row 27 may be asked once more.
        assert {server.answered[row] for row in range(24)} == {1}
        total = server.answered.total()
        # Judged once more from the same texts: the same bytes.
        again = config.model_copy(
            update={
                "output_uri": str(tmp_path / "again"),
                "texts_uri": storage.join(config.output_uri, "texts"),
            }
        )
        trace(again)
        assert server.answered.total() == total
    first, second = manifest.load(config.output_uri), manifest.load(again.output_uri)
    assert first.parts == second.parts
    assert [part.name for part in first.parts] == parts_of(config.output_uri) == SPLIT_PARTS
    assert [part.rows for part in first.parts] == [5, 5, 5, 5, 5, 2]
    rows = stream.read_samples(config.output_uri, "train")
    assert [row.id for row in rows] == [f"secret-{n}" for n in range(30) if n % 10 != 3]
    assert (first.info["num_patients"], first.info["num_images"]) == (27, 1)


def test_the_teacher_is_asked_about_later_parts_after_complete_ones(tmp_path: Path) -> None:
    broken = {5, 6}

    def script(row: int, count: int, body: dict[str, Any]) -> Any:
        return failure(503) if row in broken else completion([RIGHT])

    uri = write_manifest(tmp_path, 12)
    with ChatServer(script) as server:
        config = settings(
            tmp_path, server.url, uri, endpoint={"max_retries": 0}, max_failure_rate=0.5
        )
        trace(config)
        assert len(stream.read_samples(config.output_uri, "train")) == 10
        broken.clear()
        again = config.model_copy(
            update={
                "output_uri": str(tmp_path / "again"),
                "texts_uri": storage.join(config.output_uri, "texts"),
            }
        )
        trace(again)
        assert server.answered == dict.fromkeys(range(12), 1), "the middle part's two rows alone"
    rows = stream.read_samples(again.output_uri, "train")
    assert [row.id for row in rows] == [f"secret-{number}" for number in range(12)]


def test_a_writer_numbers_the_parts_of_each_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "ROWS_PER_PART", 2)
    uri = str(tmp_path / "out")
    writer = manifest.SampleWriter(uri)
    for number, split in enumerate(("test", "train", "train", "test", "train", "test")):
        writer.add(
            Sample(str(number), "d", "t", "view", split, f"p{number % 2}", "s", (), "q", "a")  # type: ignore[arg-type]
        )
    assert parts_of(uri) == ["part-test-00000.parquet", "part-train-00000.parquet"]
    found = writer.finish(writer.units.info())
    assert [(part.name, part.rows) for part in found.parts] == [
        ("part-train-00000.parquet", 2),
        ("part-train-00001.parquet", 1),
        ("part-test-00000.parquet", 2),
        ("part-test-00001.parquet", 1),
    ]
    assert [row.id for row in stream.read_samples(uri, "test")] == ["0", "3", "5"]
    assert [found.info[f"num_{unit}"] for unit in ("patients", "studies", "images")] == [2, 1, 0]
