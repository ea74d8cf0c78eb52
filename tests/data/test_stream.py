"""Reading a manifest back: order, kinds, pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from chexone_ray import images
from chexone_ray.config import ImageConfig
from chexone_ray.data import manifest, stream
from chexone_ray.errors import ChexoneError, ImageError
from chexone_ray.records import Box, ImageRef, Sample, sample_from_row, sample_to_row

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


def test_a_manifest_of_before_there_were_topics(uri: str) -> None:
    (part,) = (part for part in manifest.load(uri).parts if part.split == "test")
    place = Path(uri) / part.name
    pq.write_table(pq.read_table(place).drop_columns("topic"), place)
    assert stream.read_samples(uri, "test") == [sample(99, split="test")]
    row = sample_to_row(sample(99, split="test"))
    assert sample_from_row(row | {"topic": None}) == sample(99, split="test")


def test_kinds_and_limits(uri: str) -> None:
    assert [s.study for s in stream.read_samples(uri, "train", ("view",), 3)] == ["s1", "s3", "s5"]
    found = stream.read_samples(uri, "train", max_per_kind=2)
    assert [s.study for s in found] == ["s0", "s1", "s2", "s3"]


@pytest.mark.parametrize("kinds", [(), ("view",), ("side",), ("view", "side"), ("choice",)])
@pytest.mark.parametrize("most", [None, 1, 12, 99])
def test_rows_are_counted_as_they_are_read(
    uri: str, kinds: tuple[str, ...], most: int | None
) -> None:
    found = stream.read_samples(uri, "train", kinds, most)
    assert stream.count_samples(uri, "train", kinds, most) == len(found)


def test_rows_by_place_are_those_in_order(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "GROUPS_HELD", 2)
    rows, found = stream.Rows(uri, "train"), stream.read_samples(uri, "train")
    assert len(rows) == len(found) == 25
    assert [rows[n] for n in (24, 0, 3, 4, 12, 0, -1)] == [
        found[n] for n in (24, 0, 3, 4, 12, 0, -1)
    ]
    assert rows[2:7] == found[2:7] and list(rows) == found
    assert rows._read.cache_info().currsize == 2
    with pytest.raises(IndexError):
        rows[25]
    assert list(stream.Rows(uri, "test")) == [sample(99, split="test")]


def test_an_empty_split_and_a_missing_manifest_are_told(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ChexoneError, match='no row in split "validate"'):
        stream.read_samples(uri, "validate")
    with pytest.raises(ChexoneError, match="holds no complete manifest"):
        stream.read_samples(str(tmp_path / "nothing"), "train")


def picture(path: Path, value: int) -> str:
    pixels = np.full((56, 84, 3), value, np.uint8)
    path.write_bytes(images.to_png(pixels))
    return str(path)


def test_load_images(tmp_path: Path) -> None:
    item = sample(0, uri=picture(tmp_path / "a.png", 7))
    (pixels,) = stream.load_images(item, CONFIG)
    assert pixels.shape == (56, 84, 3) and pixels.dtype == np.uint8
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ImageError):
        stream.load_images(item, CONFIG)


def test_only_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="missing") as absent:
        stream.load_images(sample(0, uri=str(tmp_path / "gone.png")), CONFIG)
    assert absent.value.reason == "missing"
    # Something is there, but no bytes come: not the image's fault.
    (tmp_path / "stuck.png").mkdir()
    with pytest.raises(ChexoneError) as stuck:
        stream.load_images(sample(0, uri=str(tmp_path / "stuck.png")), CONFIG)
    assert not isinstance(stuck.value, ImageError)
