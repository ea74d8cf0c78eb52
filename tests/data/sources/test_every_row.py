"""Every adapter on its replica: no row vanishes, and all of them together in one `prepare`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chexone_ray import storage
from chexone_ray.config import ImageConfig, PrepareConfig, RayConfig
from chexone_ray.data import manifest
from chexone_ray.data.build import prepare, read_sources
from chexone_ray.data.sources.registry import SOURCES
from tests.data.sources.all_replicas import (
    REPLICAS,
    doubled,
    source_of,
    table_files,
    without,
)


def read(adapter: str, root: Path) -> tuple[list[object], dict[str, int]]:
    found, lost = SOURCES[adapter].read(source_of(adapter, root), True)
    return list(found), dict(lost)


def test_every_adapter_has_a_replica() -> None:
    assert set(REPLICAS) == set(SOURCES)


@pytest.mark.parametrize("adapter", REPLICAS)
def test_no_row_of_a_table_vanishes(adapter: str, tmp_path: Path) -> None:
    """Without any one of its rows a table gives other studies or loses less: so each row is in the
    studies or in the letters."""
    REPLICAS[adapter](tmp_path)
    before = read(adapter, tmp_path)
    assert before[0] and before[1]
    for path in table_files(adapter, tmp_path):
        text = path.read_text(encoding="utf-8")
        for number, edited in enumerate(without(adapter, path)):
            path.write_text(edited, encoding="utf-8")
            assert read(adapter, tmp_path) != before, f"row {number} of {path.name} vanishes"
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("adapter", REPLICAS)
def test_a_row_that_is_there_twice_is_counted(adapter: str, tmp_path: Path) -> None:
    REPLICAS[adapter](tmp_path)
    studies, lost = read(adapter, tmp_path)
    for path in table_files(adapter, tmp_path):
        text = path.read_text(encoding="utf-8")
        for number, edited in enumerate(doubled(adapter, path)):
            path.write_text(edited, encoding="utf-8")
            again, counts = read(adapter, tmp_path)
            more = sum(counts.values()) - sum(lost.values())
            assert (again == studies, more > 0) == (True, True), f"row {number} of {path.name}"
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("adapter", REPLICAS)
def test_read_sources_tells_all_that_an_adapter_loses(adapter: str, tmp_path: Path) -> None:
    REPLICAS[adapter](tmp_path)
    studies, lost = read(adapter, tmp_path)
    source = source_of(adapter, tmp_path)
    config = PrepareConfig(output_uri="unused", sources=(source,), max_drop_share=1.0)
    patients, letters, _ = read_sources(config)
    assert sum(len(found) for found in patients) == len(studies)
    told: dict[str, int] = {}
    for letter in letters:
        told[letter.reason] = told.get(letter.reason, 0) + letter.count
    assert told == lost


@pytest.mark.slow
def test_all_sets_together_add_up(s3: Any, ray_local: None, tmp_path: Path) -> None:
    """One manifest of all replicas: what it holds and what is in the letters is all there is."""
    for adapter, write in REPLICAS.items():
        write(tmp_path / adapter)
    config = PrepareConfig(
        output_uri=s3.folder("every-set"),
        sources=tuple(source_of(adapter, tmp_path / adapter) for adapter in REPLICAS),
        images=ImageConfig(max_pixels=12_544),
        max_drop_share=1.0,
        allow_overlap=True,
        ray=RayConfig(address="local"),
    )
    uri = prepare(config)
    info = manifest.load(uri).info
    data = storage.read_bytes(storage.join(uri, manifest.LETTERS_FILE))
    told: Counter[tuple[str, str]] = Counter()
    for letter in pq.read_table(pa.BufferReader(data)).to_pylist():
        told[letter["dataset"], letter["reason"]] += letter["count"]
    read_of = {adapter: read(adapter, tmp_path / adapter) for adapter in REPLICAS}
    for adapter, (_, lost) in read_of.items():
        assert {reason: told[adapter, reason] for reason in lost} == lost, adapter

    def later(prefix: str) -> int:
        """What was lost of that kind of thing after the tables."""
        return sum(
            number
            for (adapter, reason), number in told.items()
            if reason.startswith(prefix) and reason not in read_of[adapter][1]
        )

    studies: list[Any] = [item for found, _ in read_of.values() for item in found]
    assert len(studies) == info["num_studies"] + later("study_without_")
    assert sum(len(item.study.images) for item in studies) == info["num_images"] + later("image_")
    assert later("image_missing") >= 20
    asked = info["counts"]["dataset"]
    assert {name for found in asked.values() for name in found} == set(REPLICAS)
    assert sum(sum(found.values()) for found in asked.values()) == info["counts"]["rows"] > 100
