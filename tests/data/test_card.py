"""The card says where the rows come from, how many there are and what was left out."""

from __future__ import annotations

from typing import Any

import pytest

from chexone_ray.data.blocks import Block, Letter
from chexone_ray.data.card import empty_splits, render
from chexone_ray.data.drops import read_of
from chexone_ray.log import RESEARCH_USE_ONLY

BODY: dict[str, Any] = {
    "seed": 3,
    "num_patients": 7,
    "num_images": 9,
    "config": {"sources": [{"adapter": "padchest", "uri": "s3://b/p", "uncertain": "u-ones"}]},
    "num_studies": 8,
    "counts": {
        "rows": 6,
        "dataset": {"train": {"padchest": 4}, "test": {"padchest": 2}},
        "task": {"train": {"View Classification": 3, "Close-Ended VQA": 1}, "test": {}},
        "kind": {"train": {"view": 3, "side": 1}, "test": {"view": 2}},
    },
    "dropped": {"image_missing": 1, "duplicate_row": 4},
}


def test_card_of_a_prepared_manifest() -> None:
    card = render(BODY)
    assert RESEARCH_USE_ONLY in card
    assert "6 questions, seed 3, 7 patients, 8 studies, 9 images" in card
    assert "| PadChest | agreement |" in card and "| u-ones | patient |" in card
    assert "s3://b/p" not in card, "where an archive lies is nobody's business"
    table = card.partition("| kind |")[2].partition("## ")[0].split()
    assert " ".join(table) == (
        "train | test | |---|---:|---:| | side | 1 | 0 | | view | 3 | 2 | | all | 4 | 2 |"
    )
    assert "| padchest | 4 | 2 |" in card and "| Close-Ended VQA | 1 | 0 |" in card
    assert card.index("| duplicate_row | 4 |") < card.index("| image_missing | 1 |")


def test_card_of_samples_without_archives() -> None:
    body = {"counts": BODY["counts"]}
    card = render(body)
    assert "Sources" not in card and "6 questions, seed unknown" in card
    assert card.endswith("## Left out\n\nNothing.\n")


def test_the_card_tells_the_release_from_what_was_read() -> None:
    source = {"adapter": "nih_chestxray14", "uri": "unused", "uncertain": "keep"}
    read = {"nih_chestxray14": {"boxes": 3, "images": 12}}
    card = render(BODY | {"config": {"sources": [source]}, "read": read})
    assert "| labels of the whole release |" in card and "984 boxes" in card
    assert "| data set | images | report files | boxes |" in card
    assert "| nih_chestxray14 | 12 | 0 | 3 |" in card
    assert "## Read" not in render(BODY)


def test_what_was_read_is_counted_over_blocks() -> None:
    outside = (Letter("a", "box_outside_image", "s", 2), Letter("a", "image_missing", "x"))
    blocks = [
        Block(0, "unused", {}, 1, 1, 1, {"a/images": 5, "a/boxes": 4}, outside),
        Block(1, "unused", {}, 1, 1, 1, {"a/images": 2, "b/reports": 1}),
    ]
    assert read_of(blocks) == {"a": {"boxes": 2, "images": 7}, "b": {"reports": 1}}


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        ({"train": 5, "validate": 1, "test": 1}, ""),
        ({"train": 5, "test": 1}, "no question is to validate on: raise validate_share, or"),
        ({"train": 5, "validate": 0}, "no question is to validate or to test on: raise "),
    ],
)
def test_empty_splits_are_told(splits: dict[str, int], told: str) -> None:
    counts = BODY["counts"] | {"split": splits}
    assert empty_splits(counts).startswith(told) and bool(empty_splits(counts)) == bool(told)
    card = render(BODY | {"counts": counts, "kind": "manifest"})
    assert ("No question is to" in card) == bool(told)
    assert "No question is to" not in render(BODY | {"counts": counts}), "not of other manifests"
