"""Reading a manifest back: order, kinds, pixels. Local files, and once with a real Ray."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from chexone_ray import images, storage
from chexone_ray.config import ImageConfig
from chexone_ray.data import manifest, stream
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.records import Box, ImageRef, Sample, sample_schema, sample_to_row

CONFIG = ImageConfig(max_pixels=12_544)


def sample(number: int, kind: str = "view", split: str = "train", uri: str = "a.png") -> Sample:
    return Sample(
        id=f"d/s{number}/{kind}/0",
        dataset="d",
        task="View Classification",
        kind=kind,
        split=split,  # type: ignore[arg-type]
        patient=f"p{number}",
        study=f"s{number}",
        images=(ImageRef(uri, "PA", "current", 56, 56),),
        question="Which view?",
        answer="PA",
        options=("(A) one",),
        boxes=(Box("nodule", (0.25, 0.5, 0.75, 1.0)),),
    )


@pytest.fixture
def uri(tmp_path: Path) -> str:
    rows = [sample(n, "view" if n % 2 else "side") for n in range(25)]
    rows += [sample(99, split="test")]
    place = str(tmp_path / "manifest")
    manifest.write_samples(place, rows, {"seed": 0}, rows_per_group=4)
    return place


def test_samples_come_back_in_order(uri: str) -> None:
    found = stream.read_samples(uri, "train")
    assert found == [sample(n, "view" if n % 2 else "side") for n in range(25)]
    assert stream.read_samples(uri, "test") == [sample(99, split="test")]


def test_kinds_and_limits(uri: str) -> None:
    assert [s.study for s in stream.read_samples(uri, "train", ("view",), 3)] == ["s1", "s3", "s5"]
    found = stream.read_samples(uri, "train", max_per_kind=2)
    assert [s.study for s in found] == ["s0", "s1", "s2", "s3"]


def test_an_empty_split_and_a_missing_manifest_are_told(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ChexoneError, match='no row in split "validate"'):
        stream.read_samples(uri, "validate")
    with pytest.raises(ChexoneError, match="holds no complete manifest"):
        stream.read_samples(str(tmp_path / "nothing"), "train")


def test_row_groups_of_later_epochs_are_a_permutation(uri: str) -> None:
    first = stream.row_groups(uri, "train")
    assert [number for _, number in first] == list(range(7))  # 25 rows in groups of 4
    later = stream.row_groups(uri, "train", epoch=1, seed=3)
    assert later != first and sorted(later) == sorted(first)
    assert later == stream.row_groups(uri, "train", epoch=1, seed=3)
    assert later != stream.row_groups(uri, "train", epoch=2, seed=3)


def picture(path: Path, value: int) -> str:
    pixels = np.full((56, 84, 3), value, np.uint8)
    path.write_bytes(images.to_png(pixels))
    return str(path)


def test_add_pixels_reads_a_file_once_and_names_what_is_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, other = picture(tmp_path / "a.png", 7), picture(tmp_path / "b.png", 9)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    both = replace(sample(0), images=(ImageRef(good), ImageRef(other)))
    broken = replace(sample(2), images=(ImageRef(good), ImageRef(str(bad))))
    gone = sample(3, uri=str(tmp_path / "gone.png"))
    rows = [both, sample(1, uri=good), broken, gone]
    table = pa.Table.from_pylist([sample_to_row(row) for row in rows], schema=sample_schema())
    read: list[str] = []
    original = storage.read_bytes

    def counted(place: str) -> bytes:
        read.append(place)
        return original(place)

    monkeypatch.setattr(storage, "read_bytes", counted)
    result = stream.AddPixels(CONFIG)(table)
    assert sorted(read) == sorted({good, other, str(bad), gone.images[0].uri})
    pixels = result["pixels"].to_pylist()
    assert [images.from_png(data)[0, 0, 0] for data in pixels[0]] == [7, 9]
    assert [len(row) for row in pixels] == [2, 1, 0, 0]
    reasons = result["unusable"].to_pylist()
    assert reasons[:2] == ["", ""] and reasons[2] and reasons[3] == "unreadable"


def test_load_images(tmp_path: Path) -> None:
    item = sample(0, uri=picture(tmp_path / "a.png", 7))
    (pixels,) = stream.load_images(item, CONFIG)
    assert pixels.shape == (56, 84, 3) and pixels.dtype == np.uint8
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ImageError):
        stream.load_images(item, CONFIG)


@pytest.mark.slow
def test_ray_reads_the_prepared_manifest_in_order_with_pixels(manifest_uri: str) -> None:
    dataset = stream.read_manifest(manifest_uri, "train").map_batches(
        stream.AddPixels(CONFIG).__call__, batch_size=32, batch_format="pyarrow"
    )
    tables = list(dataset.iter_batches(batch_size=50, batch_format="pyarrow"))
    found = [name for table in tables for name in table["id"].to_pylist()]
    assert found == [s.id for s in stream.read_samples(manifest_uri, "train")]
    assert {reason for table in tables for reason in table["unusable"].to_pylist()} == {""}
    first = images.from_png(tables[0]["pixels"].to_pylist()[0][0])
    assert first.shape == (112, 112, 3)
    only = stream.read_manifest(manifest_uri, "train", ("view",)).take_all()
    assert only and {row["kind"] for row in only} == {"view"}
