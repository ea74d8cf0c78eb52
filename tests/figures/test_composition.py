"""The picture of what a manifest is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chexone_ray.data import manifest
from chexone_ray.figures import composition
from chexone_ray.records import Box
from tests.figures.test_preview import sample


def test_lengths_and_boxes_by_hand() -> None:
    texts = ["", "one", "two words", "three words here", "word " * 600]
    assert composition.length_counts(texts) == [1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    left = {"boxes": [{"xyxy": [0.0, 0.0, 0.5, 1.0]}, {"xyxy": [0.0, 0.0, 0.25, 0.5]}]}
    cover = composition.box_cover([left, {"boxes": None}])
    half, quarter = composition.GRID // 2, composition.GRID // 4
    assert (cover[:half, :quarter] == 2).all() and (cover[half:, :half] == 1).all()
    assert not cover[:, half:].any()
    assert not np.any(composition.box_cover([]))


def test_names_come_by_number() -> None:
    counts = {"train": {"a": 1, "b": 5}, "test": {"a": 9, "c": 5}}
    assert composition.names(counts) == ["a", "b", "c"]


def test_picture_of_a_manifest_is_the_same_twice(tmp_path: Path) -> None:
    rows = [
        sample("side", "s1", "film.png", task="Close-Ended VQA"),
        sample("grounding", "s2", "film.png", boxes=(Box("nodule", (0.2, 0.2, 0.4, 0.4)),)),
        sample("view", "s3", "film.png", split="test", task="View Classification"),
    ]
    uri = str(tmp_path / "manifest")
    manifest.write_samples(uri, rows, {"seed": 0})
    first = Path(composition.write(uri)).read_text()
    assert first == Path(composition.write(uri)).read_text()
    for text in ("Close-Ended VQA", "made_up", "1 boxes, 0-1", "of 2 training rows"):
        assert text in first
